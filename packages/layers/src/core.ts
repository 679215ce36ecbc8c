/**
 * The layers that any network is made of: Dense, Activation, Dropout, Flatten, Reshape.
 */
import { ShapeError, formatShape, sizeOf, type Generator } from '@tapegrad/tensor';
import { type Variable, ops } from '@tapegrad/autograd';
import {
  getActivation,
  type Activation as ActivationFunction,
  type ActivationId,
} from './activations.js';
import { checkCount, checkRate } from './checks.js';
import type { ConstraintId } from './constraints.js';
import { dropped } from './dropout.js';
import type { InitializerId } from './initializers.js';
import { Layer, type BatchShape, type CallContext, type LayerOptions } from './layer.js';
import type { Weight } from './weight.js';
import { checkName } from './registry.js';
import type { RegularizerId } from './regularizers.js';

export interface DenseOptions extends LayerOptions {
  /** Applied to the result. Default none. */
  activation?: ActivationId;
  /** Default true. */
  useBias?: boolean;
  /** Default 'glorotUniform'. */
  kernelInitializer?: InitializerId;
  /** Default 'zeros'. */
  biasInitializer?: InitializerId;
  kernelRegularizer?: RegularizerId;
  biasRegularizer?: RegularizerId;
  kernelConstraint?: ConstraintId;
  biasConstraint?: ConstraintId;
}

/**
 * A fully connected layer: activation(x·kernel + bias) over the last axis.
 *
 * Shapes: [batch, …, in] → [batch, …, units]; weights kernel [in, units], bias [units].
 *
 * @throws ValueError unless units is a whole number of 1 or more
 * @throws ShapeError for an input whose last axis is not the one it was built for
 * @example
 * new Dense(4, { inputShape: [3] }).apply(zeros([2, 3])).shape; // [2, 4]
 */
export class Dense extends Layer {
  protected override readonly supportsMasking = true;
  readonly units: number;
  private readonly activation: ActivationFunction;
  private kernel: Weight | null = null;
  private bias: Weight | null = null;

  constructor(
    units: number,
    private readonly options: DenseOptions = {},
  ) {
    super(options);
    this.units = checkCount(this.name, 'units', units);
    this.activation = getActivation(options.activation);
  }

  override build(inputShape: BatchShape): void {
    const size = inputShape[inputShape.length - 1];
    if (inputShape.length < 2 || size === null) {
      throw new ShapeError(
        `${this.name}: needs inputs [batch, …, features] with a known last axis; got ${formatShape(inputShape)}.`,
      );
    }
    const {
      useBias = true,
      kernelInitializer = 'glorotUniform',
      biasInitializer = 'zeros',
    } = this.options;
    this.kernel = this.addWeight('kernel', [size, this.units], {
      initializer: kernelInitializer,
      regularizer: this.options.kernelRegularizer,
      constraint: this.options.kernelConstraint,
    });
    if (useBias) {
      this.bias = this.addWeight('bias', [this.units], {
        initializer: biasInitializer,
        regularizer: this.options.biasRegularizer,
        constraint: this.options.biasConstraint,
      });
    }
  }

  override call(x: Variable): Variable {
    const { kernel, bias } = this;
    if (kernel === null)
      throw new ShapeError(`${this.name}: call apply(), which makes the weights first.`);
    if (x.rank < 2 || x.shape[x.rank - 1] !== kernel.shape[0]) {
      throw new ShapeError(
        `${this.name}: was built for inputs [batch, …, ${kernel.shape[0]}]; got ${formatShape(x.shape)}.` +
          (x.rank > 2 ? ' A Flatten before it makes one axis of all but the batch.' : '') +
          (x.rank < 2
            ? ' Samples lie along the first axis: [[1, 2]] is one of two features, and x.reshape([-1, 1]) makes samples of one.'
            : ''),
      );
    }
    const product = ops.matmul(x, kernel);
    return this.activation(bias === null ? product : product.add(bias));
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return [...inputShape.slice(0, -1), this.units];
  }
}

/**
 * An activation function as a layer.
 *
 * @throws UnknownNameError for a name that is not known
 * @example
 * new Activation('relu').apply([[-1, 2]]).toArray(); // [[0, 2]]
 */
export class Activation extends Layer {
  protected override readonly supportsMasking = true;
  private readonly activation: ActivationFunction;

  constructor(activation: ActivationId, options: LayerOptions = {}) {
    super(options);
    this.activation = getActivation(activation);
  }

  override call(x: Variable): Variable {
    return this.activation(x);
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return inputShape;
  }
}

export interface DropoutOptions extends LayerOptions {
  /** Where the random numbers come from. Default: the default generator's stream 'dropout'. */
  generator?: Generator;
}

/**
 * While training, sets a share `rate` of the elements to 0 and multiplies the others by 1 / (1 − rate), so that the mean
 * stays (Srivastava et al. 2014). Otherwise changes nothing.
 *
 * @throws ValueError unless 0 ≤ rate < 1
 * @example
 * new Dropout(0.5).apply([[1, 2]]).toArray(); // [[1, 2]]
 */
export class Dropout extends Layer {
  protected override readonly supportsMasking = true;
  readonly rate: number;

  constructor(
    rate: number,
    private readonly options: DropoutOptions = {},
  ) {
    super(options);
    this.rate = checkRate(this.name, rate);
  }

  override call(x: Variable, { training }: CallContext): Variable {
    if (!training || this.rate === 0) return x;
    return dropped(x, this.rate, this.options.generator);
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return inputShape;
  }
}

/** The product of sizes, null when one is not known. */
function product(sizes: BatchShape): number | null {
  return sizes.reduce<number | null>((n, s) => (n === null || s === null ? null : n * s), 1);
}

export interface FlattenOptions extends LayerOptions {
  /** 'channelsFirst': brings [batch, channels, …] into the order [batch, …, channels] first. Default 'channelsLast'. */
  dataFormat?: 'channelsLast' | 'channelsFirst';
}

/**
 * All axes but the batch become one: [batch, a, b, …] → [batch, a·b·…].
 *
 * @throws UnknownNameError for a dataFormat that is not known
 * @example
 * new Flatten().apply(zeros([2, 3, 4])).shape; // [2, 12]
 */
export class Flatten extends Layer {
  private readonly channelsFirst: boolean;

  constructor(options: FlattenOptions = {}) {
    super(options);
    const { dataFormat = 'channelsLast' } = options;
    checkName(`dataFormat of ${this.name}`, dataFormat, ['channelsLast', 'channelsFirst']);
    this.channelsFirst = dataFormat === 'channelsFirst';
  }

  override call(x: Variable): Variable {
    if (x.rank === 0) throw new ShapeError(`${this.name}: needs a batch of samples; got a scalar.`);
    const space = x.shape.slice(2).map((_, i) => i + 2);
    const ordered = this.channelsFirst && x.rank > 2 ? x.transpose([0, ...space, 1]) : x;
    return ordered.reshape([x.shape[0], sizeOf(x.shape.slice(1))]);
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return [inputShape[0], product(inputShape.slice(1))];
  }
}

/**
 * Gives each sample another shape; one size may be -1, which is worked out.
 *
 * @throws ShapeError when the number of elements differs
 * @example
 * new Reshape([2, -1]).apply(zeros([5, 6])).shape; // [5, 2, 3]
 */
export class Reshape extends Layer {
  constructor(
    private readonly targetShape: readonly number[],
    options: LayerOptions = {},
  ) {
    super(options);
  }

  override call(x: Variable): Variable {
    return x.reshape([x.shape[0], ...this.resolve(x.shape)]);
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return [inputShape[0], ...this.resolve(inputShape)];
  }

  private resolve(inputShape: BatchShape): number[] {
    const size = product(inputShape.slice(1));
    const known = this.targetShape.reduce((n, s) => (s === -1 ? n : n * s), 1);
    const resolved = this.targetShape.map((s) => (s === -1 && size !== null ? size / known : s));
    if (
      size !== null &&
      (product(resolved) !== size || !resolved.every((s) => Number.isInteger(s) && s >= 0))
    ) {
      throw new ShapeError(
        `${this.name}: samples of shape ${formatShape(inputShape.slice(1))} have ${size} elements and cannot become ` +
          `${formatShape(this.targetShape)}.`,
      );
    }
    return resolved;
  }
}
