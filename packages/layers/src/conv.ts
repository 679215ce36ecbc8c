/**
 * Layers of convolution: weights that slide over data and look everywhere for the same patterns.
 */
import { ShapeError, checkGroups, checkPadding, formatShape, perAxis } from '@tapegrad/tensor';
import type { DataFormat, Padding } from '@tapegrad/tensor';
import { type Variable, ops } from '@tapegrad/autograd';
import {
  getActivation,
  type Activation as ActivationFunction,
  type ActivationId,
} from './activations.js';
import type { ConstraintId } from './constraints.js';
import type { InitializerId } from './initializers.js';
import { Layer, type BatchShape } from './layer.js';
import type { Weight } from './weight.js';
import type { RegularizerId } from './regularizers.js';
import {
  formatOf,
  joinParts,
  partsOf,
  windowsOver,
  type PerAxis,
  type SpaceOptions,
} from './space.js';

/** What all convolutions can be given. */
export interface ConvolutionOptions extends SpaceOptions {
  /** By how much the window moves. Default 1. */
  strides?: PerAxis;
  /** `valid` (default): no padding; `same`: ⌈size / stride⌉ outputs. Conv1D also has `causal`: padding before the first step only. */
  padding?: Padding;
  /** The distance between neighbouring elements of the window. Default 1. */
  dilationRate?: PerAxis;
  /** Applied to the result. Default none. */
  activation?: ActivationId;
  /** Default true. */
  useBias?: boolean;
  /** Default 'zeros'. */
  biasInitializer?: InitializerId;
  biasRegularizer?: RegularizerId;
  biasConstraint?: ConstraintId;
}

/** Options of the layers with one kernel. */
export interface ConvOptions extends ConvolutionOptions {
  /** Default 'glorotUniform'. */
  kernelInitializer?: InitializerId;
  kernelRegularizer?: RegularizerId;
  kernelConstraint?: ConstraintId;
}

export interface GroupedConvOptions extends ConvOptions {
  /** Into how many parts channels and filters are split, each with its own. Default 1. */
  groups?: number;
}

export interface DepthwiseConvOptions extends ConvolutionOptions {
  /** How many filters each channel has. Default 1. */
  depthMultiplier?: number;
  /** Default 'glorotUniform'. */
  depthwiseInitializer?: InitializerId;
  depthwiseRegularizer?: RegularizerId;
  depthwiseConstraint?: ConstraintId;
}

export interface SeparableConvOptions extends DepthwiseConvOptions {
  /** Default 'glorotUniform'. */
  pointwiseInitializer?: InitializerId;
  pointwiseRegularizer?: RegularizerId;
  pointwiseConstraint?: ConstraintId;
}

/** What they share: checked settings, shapes, and bias and activation at the end. */
export abstract class Convolution extends Layer {
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly dilationRate: readonly number[];
  readonly padding: Padding;
  readonly dataFormat: DataFormat;
  private readonly activation: ActivationFunction;
  private bias: Weight | null = null;
  private builtChannels = 0;

  constructor(
    private readonly axes: number,
    kernelSize: PerAxis,
    private readonly settings: ConvolutionOptions,
  ) {
    super(settings);
    const { strides = 1, dilationRate = 1, padding = 'valid' } = settings;
    this.kernelSize = perAxis(this.name, 'kernelSize', kernelSize, axes);
    this.strides = perAxis(this.name, 'strides', strides, axes);
    this.dilationRate = perAxis(this.name, 'dilationRate', dilationRate, axes);
    this.padding = checkPadding(this.name, padding, axes);
    this.dataFormat = formatOf(this.name, settings);
    this.activation = getActivation(settings.activation);
  }

  /** The number of channels that come out. */
  protected abstract outputChannels(channels: number): number;

  /** Makes the kernels. */
  protected abstract buildKernels(channels: number): void;

  /** The convolution itself. */
  protected abstract convolve(x: Variable): Variable;

  /** The space that comes out. @throws ShapeError naming the layer when not a single window fits */
  protected outputSpace(space: BatchShape): BatchShape {
    const { kernelSize, strides, dilationRate, padding } = this;
    return windowsOver(this.name, space, kernelSize, strides, dilationRate, padding);
  }

  override build(inputShape: BatchShape): void {
    const { channels, space } = partsOf(this.name, inputShape, this.axes, this.dataFormat);
    if (channels === null) {
      throw new ShapeError(
        `${this.name}: the number of channels must be known; got inputs ${formatShape(inputShape)}.`,
      );
    }
    this.outputSpace(space);
    this.buildKernels(channels);
    this.builtChannels = channels;
    const { useBias = true, biasInitializer = 'zeros' } = this.settings;
    if (useBias) {
      this.bias = this.addWeight('bias', [this.outputChannels(channels)], {
        initializer: biasInitializer,
        regularizer: this.settings.biasRegularizer,
        constraint: this.settings.biasConstraint,
      });
    }
  }

  override call(x: Variable): Variable {
    const { channels, space } = partsOf(this.name, x.shape, this.axes, this.dataFormat);
    if (channels !== this.builtChannels) {
      throw new ShapeError(
        `${this.name}: was built for ${this.builtChannels} channels; got inputs ${formatShape(x.shape)} with ${channels} ` +
          `(dataFormat '${this.dataFormat}').`,
      );
    }
    this.outputSpace(space);
    const y = this.convolve(x);
    if (this.bias === null) return this.activation(y);
    const ones = new Array<number>(this.dataFormat === 'channelsFirst' ? this.axes : 0).fill(1);
    return this.activation(y.add(this.bias.reshape([this.bias.size, ...ones])));
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    const { channels, space } = partsOf(this.name, inputShape, this.axes, this.dataFormat);
    const out = channels === null ? null : this.outputChannels(channels);
    return joinParts(inputShape[0], out, this.outputSpace(space), this.dataFormat);
  }

  /** A kernel that has been made. @throws ShapeError before that */
  protected made(kernel: Weight | null): Weight {
    if (kernel === null)
      throw new ShapeError(`${this.name}: call apply(), which makes the weights first.`);
    return kernel;
  }
}

/** Conv1D and Conv2D. */
abstract class PlainConvolution extends Convolution {
  private kernel: Weight | null = null;
  readonly groups: number;

  constructor(
    axes: number,
    readonly filters: number,
    kernelSize: PerAxis,
    private readonly options: GroupedConvOptions,
  ) {
    super(axes, kernelSize, options);
    perAxis(this.name, 'filters', filters, 1);
    this.groups = options.groups ?? 1;
    perAxis(this.name, 'groups', this.groups, 1);
  }

  protected override outputChannels(): number {
    return this.filters;
  }

  protected override buildKernels(channels: number): void {
    const { filters, groups, kernelSize, options } = this;
    checkGroups(this.name, channels, filters, groups);
    this.kernel = this.addWeight('kernel', [...kernelSize, channels / groups, filters], {
      initializer: options.kernelInitializer,
      regularizer: options.kernelRegularizer,
      constraint: options.kernelConstraint,
    });
  }

  protected override convolve(x: Variable): Variable {
    const { strides, padding, dilationRate, dataFormat, groups } = this;
    const kernel = this.made(this.kernel);
    return ops.conv(x, kernel, { strides, padding, dilationRate, dataFormat, groups });
  }
}

/**
 * Convolution over steps, time for example: activation(Σ window · kernel + bias).
 *
 * Shapes: [batch, steps, channels] → [batch, windows, filters]; weights kernel [kernelSize, channels / groups, filters], bias
 * [filters].
 *
 * @throws ValueError for counts that are not whole numbers of 1 or more, an unknown padding or data format
 * @throws ShapeError for an input of another rank or number of channels, or smaller than the kernel
 * @example
 * new Conv1D(4, 3, { padding: 'causal' }).apply(zeros([2, 10, 1])).shape; // [2, 10, 4]
 */
export class Conv1D extends PlainConvolution {
  constructor(filters: number, kernelSize: PerAxis, options: GroupedConvOptions = {}) {
    super(1, filters, kernelSize, options);
  }
}

/**
 * Convolution over images: activation(Σ window · kernel + bias).
 *
 * Shapes: [batch, height, width, channels] → [batch, rows, columns, filters], or with dataFormat 'channelsFirst'
 * [batch, channels, height, width] → [batch, filters, rows, columns]; weights kernel [height, width, channels / groups, filters] in
 * either case, bias [filters].
 *
 * @throws ValueError for counts that are not whole numbers of 1 or more, an unknown padding or data format
 * @throws ShapeError for an input of another rank or number of channels, or smaller than the kernel
 * @example
 * new Conv2D(32, 5, { padding: 'same' }).apply(zeros([1, 28, 28, 1])).shape; // [1, 28, 28, 32]
 */
export class Conv2D extends PlainConvolution {
  constructor(filters: number, kernelSize: PerAxis, options: GroupedConvOptions = {}) {
    super(2, filters, kernelSize, options);
  }
}

/**
 * Convolution of each channel by itself, with `depthMultiplier` filters for each.
 *
 * Shapes: [batch, height, width, channels] → [batch, rows, columns, channels · depthMultiplier], or channels first; weights
 * kernel [height, width, channels, depthMultiplier], bias [channels · depthMultiplier]. Filter m of channel c makes
 * channel c · depthMultiplier + m.
 *
 * @throws ValueError for counts that are not whole numbers of 1 or more, an unknown padding or data format
 * @throws ShapeError for an input of another rank or number of channels, or smaller than the kernel
 * @example
 * new DepthwiseConv2D(3, { depthMultiplier: 2 }).apply(zeros([1, 8, 8, 4])).shape; // [1, 6, 6, 8]
 */
export class DepthwiseConv2D extends Convolution {
  private kernel: Weight | null = null;
  readonly depthMultiplier: number;

  constructor(
    kernelSize: PerAxis,
    private readonly options: DepthwiseConvOptions = {},
  ) {
    super(2, kernelSize, options);
    this.depthMultiplier = options.depthMultiplier ?? 1;
    perAxis(this.name, 'depthMultiplier', this.depthMultiplier, 1);
  }

  protected override outputChannels(channels: number): number {
    return channels * this.depthMultiplier;
  }

  protected override buildKernels(channels: number): void {
    const { kernelSize, depthMultiplier, options } = this;
    this.kernel = this.addWeight('kernel', [...kernelSize, channels, depthMultiplier], {
      initializer: options.depthwiseInitializer,
      regularizer: options.depthwiseRegularizer,
      constraint: options.depthwiseConstraint,
    });
  }

  protected override convolve(x: Variable): Variable {
    return depthwise(x, this.made(this.kernel), this);
  }
}

/** A convolution with a group for each channel; the kernel is [height, width, channels, depthMultiplier]. */
function depthwise(
  x: Variable,
  kernel: Weight,
  { strides, padding, dilationRate, dataFormat }: WindowSettings,
): Variable {
  const [height, width, channels, multiplier] = kernel.shape;
  const grouped = kernel.reshape([height, width, 1, channels * multiplier]);
  return ops.conv(x, grouped, { strides, padding, dilationRate, dataFormat, groups: channels });
}

interface WindowSettings {
  readonly strides: readonly number[];
  readonly padding: Padding;
  readonly dilationRate: readonly number[];
  readonly dataFormat: DataFormat;
}

/**
 * A depthwise convolution, then a convolution of 1×1 that mixes the channels: fewer weights than one convolution that does both.
 *
 * Shapes: [batch, height, width, channels] → [batch, rows, columns, filters], or channels first; weights depthwiseKernel
 * [height, width, channels, depthMultiplier], pointwiseKernel [1, 1, channels · depthMultiplier, filters], bias [filters].
 *
 * @throws ValueError for counts that are not whole numbers of 1 or more, an unknown padding or data format
 * @throws ShapeError for an input of another rank or number of channels, or smaller than the kernel
 * @example
 * new SeparableConv2D(16, 3).apply(zeros([1, 8, 8, 4])).shape; // [1, 6, 6, 16]
 */
export class SeparableConv2D extends Convolution {
  private depthwiseKernel: Weight | null = null;
  private pointwiseKernel: Weight | null = null;
  readonly depthMultiplier: number;

  constructor(
    readonly filters: number,
    kernelSize: PerAxis,
    private readonly options: SeparableConvOptions = {},
  ) {
    super(2, kernelSize, options);
    perAxis(this.name, 'filters', filters, 1);
    this.depthMultiplier = options.depthMultiplier ?? 1;
    perAxis(this.name, 'depthMultiplier', this.depthMultiplier, 1);
  }

  protected override outputChannels(): number {
    return this.filters;
  }

  protected override buildKernels(channels: number): void {
    const { kernelSize, depthMultiplier, filters, options } = this;
    const depth = [...kernelSize, channels, depthMultiplier];
    this.depthwiseKernel = this.addWeight('depthwiseKernel', depth, {
      initializer: options.depthwiseInitializer,
      regularizer: options.depthwiseRegularizer,
      constraint: options.depthwiseConstraint,
    });
    const point = [1, 1, channels * depthMultiplier, filters];
    this.pointwiseKernel = this.addWeight('pointwiseKernel', point, {
      initializer: options.pointwiseInitializer,
      regularizer: options.pointwiseRegularizer,
      constraint: options.pointwiseConstraint,
    });
  }

  protected override convolve(x: Variable): Variable {
    const { dataFormat } = this;
    const filtered = depthwise(x, this.made(this.depthwiseKernel), this);
    return ops.conv(filtered, this.made(this.pointwiseKernel), { dataFormat });
  }
}
