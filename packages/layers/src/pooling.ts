/**
 * Layers that make one number of a window, or of all of space.
 */
import { checkPadding, perAxis, type DataFormat } from '@tapegrad/tensor';
import { Variable, ops } from '@tapegrad/autograd';
import { Layer, type BatchShape } from './layer.js';
import { maskOf } from './masks.js';
import {
  formatOf,
  joinParts,
  partsOf,
  spaceAxes,
  windowsOver,
  type PerAxis,
  type SpaceOptions,
} from './space.js';

export interface PoolingOptions extends SpaceOptions {
  /** By how much the window moves. Default, and null: by its size, so that windows do not overlap. */
  strides?: PerAxis | null;
  /** `valid` (default): no padding; `same`: ⌈size / stride⌉ outputs, from windows that are cut off at the edges. */
  padding?: 'valid' | 'same';
}

/** Settings that are all there. */
interface PoolAttrs {
  poolSize: readonly number[];
  strides: readonly number[];
  padding: 'valid' | 'same';
  dataFormat: DataFormat;
}

/** The settings of a pooling, and its shapes. */
abstract class Pooling extends Layer {
  readonly poolSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: 'valid' | 'same';
  readonly dataFormat: DataFormat;

  constructor(
    private readonly axes: number,
    poolSize: PerAxis,
    options: PoolingOptions,
  ) {
    super(options);
    const { padding = 'valid' } = options;
    this.poolSize = perAxis(this.name, 'poolSize', poolSize, axes);
    this.strides = perAxis(this.name, 'strides', options.strides ?? poolSize, axes);
    checkPadding(this.name, padding, null);
    this.padding = padding;
    this.dataFormat = formatOf(this.name, options);
  }

  /** The pooling itself. */
  protected abstract pool(x: Variable, attrs: PoolAttrs): Variable;

  override call(x: Variable): Variable {
    this.computeOutputShape(x.shape);
    const { poolSize, strides, padding, dataFormat } = this;
    return this.pool(x, { poolSize, strides, padding, dataFormat });
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    const { poolSize, strides, padding, dataFormat } = this;
    const { channels, space } = partsOf(this.name, inputShape, this.axes, dataFormat);
    const dilation = poolSize.map(() => 1);
    const windows = windowsOver(this.name, space, poolSize, strides, dilation, padding);
    return joinParts(inputShape[0], channels, windows, dataFormat);
  }
}

/**
 * The maximum of each window of steps. Padding is never the maximum; of equal elements the first gets the gradient.
 *
 * Shapes: [batch, steps, channels] → [batch, windows, channels], or channels first.
 *
 * @throws ValueError for sizes that are not whole numbers of 1 or more, an unknown padding or data format
 * @throws ShapeError for an input of another rank, or smaller than the window
 * @example
 * new MaxPooling1D(2).apply([[[1], [3], [2], [0]]]).toArray(); // [[[3], [2]]]
 */
export class MaxPooling1D extends Pooling {
  constructor(poolSize: PerAxis = 2, options: PoolingOptions = {}) {
    super(1, poolSize, options);
  }

  protected override pool(x: Variable, attrs: PoolAttrs): Variable {
    return ops.maxPool(x, attrs)[0];
  }
}

/**
 * The maximum of each window of an image. Padding is never the maximum; of equal elements the first gets the gradient.
 *
 * Shapes: [batch, height, width, channels] → [batch, rows, columns, channels], or channels first.
 *
 * @throws ValueError for sizes that are not whole numbers of 1 or more, an unknown padding or data format
 * @throws ShapeError for an input of another rank, or smaller than the window
 * @example
 * new MaxPooling2D(2, { padding: 'same' }).apply(zeros([1, 5, 6, 3])).shape; // [1, 3, 3, 3]
 */
export class MaxPooling2D extends Pooling {
  constructor(poolSize: PerAxis = 2, options: PoolingOptions = {}) {
    super(2, poolSize, options);
  }

  protected override pool(x: Variable, attrs: PoolAttrs): Variable {
    return ops.maxPool(x, attrs)[0];
  }
}

/**
 * The mean of each window of steps, over the elements that it has: padding does not count.
 *
 * Shapes: [batch, steps, channels] → [batch, windows, channels], or channels first.
 *
 * @throws ValueError for sizes that are not whole numbers of 1 or more, an unknown padding or data format
 * @throws ShapeError for an input of another rank, or smaller than the window
 * @example
 * new AveragePooling1D(2).apply([[[1], [3], [2], [0]]]).toArray(); // [[[2], [1]]]
 */
export class AveragePooling1D extends Pooling {
  constructor(poolSize: PerAxis = 2, options: PoolingOptions = {}) {
    super(1, poolSize, options);
  }

  protected override pool(x: Variable, attrs: PoolAttrs): Variable {
    return ops.averagePool(x, attrs);
  }
}

/**
 * The mean of each window of an image, over the elements that it has: padding does not count.
 *
 * Shapes: [batch, height, width, channels] → [batch, rows, columns, channels], or channels first.
 *
 * @throws ValueError for sizes that are not whole numbers of 1 or more, an unknown padding or data format
 * @throws ShapeError for an input of another rank, or smaller than the window
 * @example
 * new AveragePooling2D(2).apply(zeros([1, 6, 6, 3])).shape; // [1, 3, 3, 3]
 */
export class AveragePooling2D extends Pooling {
  constructor(poolSize: PerAxis = 2, options: PoolingOptions = {}) {
    super(2, poolSize, options);
  }

  protected override pool(x: Variable, attrs: PoolAttrs): Variable {
    return ops.averagePool(x, attrs);
  }
}

export interface GlobalPoolingOptions extends SpaceOptions {
  /** Whether the axes of space stay, with size 1. Default false. */
  keepDims?: boolean;
}

/** Pooling over all of space. */
abstract class GlobalPooling extends Layer {
  private readonly keepDims: boolean;
  readonly dataFormat: DataFormat;

  constructor(
    private readonly axes: number,
    options: GlobalPoolingOptions,
  ) {
    super(options);
    this.keepDims = options.keepDims ?? false;
    this.dataFormat = formatOf(this.name, options);
  }

  /** The reduction itself. */
  protected abstract reduce(x: Variable, attrs: { axis: number[]; keepDims: boolean }): Variable;

  override call(x: Variable): Variable {
    partsOf(this.name, x.shape, this.axes, this.dataFormat);
    return this.reduce(x, {
      axis: spaceAxes(this.axes, this.dataFormat),
      keepDims: this.keepDims,
    });
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    const { channels, space } = partsOf(this.name, inputShape, this.axes, this.dataFormat);
    const ones = this.keepDims ? space.map(() => 1) : [];
    return joinParts(inputShape[0], channels, ones, this.dataFormat);
  }
}

/**
 * The maximum over all steps. Equal maxima share the gradient.
 *
 * Shapes: [batch, steps, channels] → [batch, channels], or [batch, 1, channels] with keepDims; or channels first.
 *
 * @throws ShapeError for an input of another rank
 * @example
 * new GlobalMaxPooling1D().apply([[[1, 5], [3, 2]]]).toArray(); // [[3, 5]]
 */
export class GlobalMaxPooling1D extends GlobalPooling {
  constructor(options: GlobalPoolingOptions = {}) {
    super(1, options);
  }

  protected override reduce(x: Variable, attrs: { axis: number[]; keepDims: boolean }): Variable {
    return x.max(attrs);
  }
}

/**
 * The maximum over the whole image. Equal maxima share the gradient.
 *
 * Shapes: [batch, height, width, channels] → [batch, channels], or [batch, 1, 1, channels] with keepDims; or channels first.
 *
 * @throws ShapeError for an input of another rank
 * @example
 * new GlobalMaxPooling2D().apply(zeros([2, 4, 4, 3])).shape; // [2, 3]
 */
export class GlobalMaxPooling2D extends GlobalPooling {
  constructor(options: GlobalPoolingOptions = {}) {
    super(2, options);
  }

  protected override reduce(x: Variable, attrs: { axis: number[]; keepDims: boolean }): Variable {
    return x.max(attrs);
  }
}

/**
 * The mean over all steps, of which those that the input's mask leaves out do not count. Where none counts the mean is 0 (in Keras
 * it is NaN).
 *
 * Shapes: [batch, steps, channels] → [batch, channels], or [batch, 1, channels] with keepDims; or channels first.
 *
 * @throws ShapeError for an input of another rank
 * @example
 * new GlobalAveragePooling1D().apply([[[1, 5], [3, 2]]]).toArray(); // [[2, 3.5]]
 */
export class GlobalAveragePooling1D extends GlobalPooling {
  constructor(options: GlobalPoolingOptions = {}) {
    super(1, options);
  }

  protected override reduce(x: Variable, attrs: { axis: number[]; keepDims: boolean }): Variable {
    const mask = maskOf(x);
    if (mask === null) return x.mean(attrs);
    const [batch, steps] = mask.shape;
    const counts = mask.reshape(
      this.dataFormat === 'channelsFirst' ? [batch, 1, steps] : [batch, steps, 1],
    );
    const total = ops.where(counts, x, 0).sum(attrs);
    return total.div(new Variable(counts.cast(x.dtype).sum(attrs).maximum(1)));
  }
}

/**
 * The mean over the whole image.
 *
 * Shapes: [batch, height, width, channels] → [batch, channels], or [batch, 1, 1, channels] with keepDims; or channels first.
 *
 * @throws ShapeError for an input of another rank
 * @example
 * new GlobalAveragePooling2D().apply(zeros([2, 4, 4, 3])).shape; // [2, 3]
 */
export class GlobalAveragePooling2D extends GlobalPooling {
  constructor(options: GlobalPoolingOptions = {}) {
    super(2, options);
  }

  protected override reduce(x: Variable, attrs: { axis: number[]; keepDims: boolean }): Variable {
    return x.mean(attrs);
  }
}
