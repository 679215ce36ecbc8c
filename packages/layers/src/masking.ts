/**
 * Masking: time steps of padding are left out of what follows.
 */
import { ShapeError, formatShape, ops as tensorOps } from '@tapegrad/tensor';
import { ops, type Variable } from '@tapegrad/autograd';
import { Layer, type BatchShape, type LayerOptions } from './layer.js';
import { setMask } from './masks.js';

export interface MaskingOptions extends LayerOptions {
  /** The value of all features of a step that is not there. Default 0. */
  maskValue?: number;
}

/**
 * Gives its output a mask that leaves out the time steps whose features all equal `maskValue`, and sets these to 0. Recurrent
 * layers skip them, attention does not look at them, averages do not count them, and where the mask reaches an output of the model
 * nor do its loss and metrics.
 *
 * Shapes: [batch, time, …] → the same.
 *
 * @throws ShapeError for an input of fewer than three axes
 * @example
 * const y = new Masking().apply([[[1, 2], [0, 0]]]);
 * maskOf(y)?.toArray(); // [[1, 0]]
 */
export class Masking extends Layer {
  private readonly maskValue: number;

  constructor(options: MaskingOptions = {}) {
    super(options);
    this.maskValue = options.maskValue ?? 0;
  }

  override call(x: Variable): Variable {
    if (x.rank < 3) {
      throw new ShapeError(
        `${this.name}: needs inputs [batch, time, features, …]; got ${formatShape(x.shape)}.`,
      );
    }
    const features = x.shape.map((_, axis) => axis).slice(2);
    const there = tensorOps.any(x.value.notEqual(this.maskValue), {
      axis: features,
      keepDims: true,
    });
    const y = ops.where(there, x, 0);
    setMask(y, there.reshape(x.shape.slice(0, 2)));
    return y;
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return inputShape;
  }
}
