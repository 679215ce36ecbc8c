/**
 * Convolution turned around, which makes data larger.
 */
import { ShapeError, ValueError, perAxis } from '@tapegrad/tensor';
import { type Variable, ops } from '@tapegrad/autograd';
import { Convolution, type ConvOptions } from './conv.js';
import type { BatchShape } from './layer.js';
import type { Weight } from './weight.js';
import { partsOf, type PerAxis } from './space.js';

export interface ConvTransposeOptions extends ConvOptions {
  /**
   * How many rows and columns come out beyond the least that the convolution turned around makes of the input's size; less than
   * the strides. Several sizes have the same number of windows: this chooses one. Default: the size that the strides make, see
   * the layer.
   */
  outputPadding?: PerAxis | null;
}

/**
 * A convolution turned around, also called deconvolution: each input puts the kernel, multiplied by it, onto the output. With strides
 * it makes images larger.
 *
 * Shapes: [batch, height, width, channels] → [batch, rows, columns, filters], or channels first, with rows = height · stride for
 * padding 'same', and for 'valid' the part of the window that exceeds the stride besides; with outputPadding rows =
 * (height − 1) · stride + window + outputPadding for 'valid', and for 'same' (height − 1) · stride + window mod 2 +
 * outputPadding, where what exceeds that is cut off both sides evenly; weights kernel [height, width, filters, channels],
 * bias [filters].
 *
 * @throws ValueError for counts that are not whole numbers of 1 or more, an unknown padding or data format, an outputPadding
 *   of the strides or more
 * @throws ShapeError for an input of another rank or number of channels, or an outputPadding that 'same' has no size for
 * @example
 * new Conv2DTranspose(8, 3, { strides: 2, padding: 'same' }).apply(zeros([1, 7, 7, 4])).shape; // [1, 14, 14, 8]
 */
export class Conv2DTranspose extends Convolution {
  private kernel: Weight | null = null;
  readonly outputPadding: readonly number[] | null;

  constructor(
    readonly filters: number,
    kernelSize: PerAxis,
    private readonly options: ConvTransposeOptions = {},
  ) {
    super(2, kernelSize, options);
    perAxis(this.name, 'filters', filters, 1);
    this.outputPadding = this.checkOutputPadding(options.outputPadding ?? null);
  }

  private checkOutputPadding(padding: PerAxis | null): readonly number[] | null {
    if (padding === null) return null;
    const pair = typeof padding === 'number' ? [padding, padding] : padding;
    const fine = pair.every((n, axis) => Number.isInteger(n) && n >= 0 && n < this.strides[axis]);
    if (pair.length === 2 && fine) return pair;
    throw new ValueError(
      `${this.name}: outputPadding must be a whole number, or 2 of them, from 0 up to but without the strides ` +
        `[${this.strides.join(', ')}]; got ${JSON.stringify(padding)}.`,
    );
  }

  protected override outputChannels(): number {
    return this.filters;
  }

  protected override outputSpace(space: BatchShape): BatchShape {
    return space.map((size, axis) => {
      if (size === null) return null;
      const stride = this.strides[axis];
      const reach = (this.kernelSize[axis] - 1) * this.dilationRate[axis] + 1;
      const valid = this.padding === 'valid';
      if (this.outputPadding === null) {
        return size * stride + (valid ? Math.max(reach - stride, 0) : 0);
      }
      const more = this.outputPadding[axis];
      if (!valid && more === 0 && reach % 2 === 0) {
        throw new ShapeError(
          `${this.name}: with padding 'same' and a window of ${reach}, which is even, outputPadding 0 leaves no room for the ` +
            `last of ${size} inputs; take 1 or more (less than the strides), or leave outputPadding out.`,
        );
      }
      return (size - 1) * stride + (valid ? reach : reach % 2) + more;
    });
  }

  protected override buildKernels(channels: number): void {
    const { kernelSize, filters, options } = this;
    this.kernel = this.addWeight('kernel', [...kernelSize, filters, channels], {
      initializer: options.kernelInitializer,
      regularizer: options.kernelRegularizer,
      constraint: options.kernelConstraint,
    });
  }

  protected override convolve(x: Variable): Variable {
    const { strides, padding, dilationRate, dataFormat } = this;
    const kernel = this.made(this.kernel);
    const { space } = partsOf(this.name, x.shape, 2, dataFormat);
    const outputSize =
      this.outputPadding === null ? undefined : this.outputSpace(space).map(Number);
    return ops.convTranspose(x, kernel, { strides, padding, dilationRate, dataFormat, outputSize });
  }
}
