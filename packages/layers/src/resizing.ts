/**
 * Layers that make images larger: zeros around them, or more pixels in place of each.
 */
import { ValueError, perAxis, tensor, type DataFormat, type Tensor } from '@tapegrad/tensor';
import { type Variable, ops } from '@tapegrad/autograd';
import { Layer, type BatchShape } from './layer.js';
import { checkName } from './registry.js';
import { formatOf, joinParts, partsOf, type PerAxis, type SpaceOptions } from './space.js';

/** Rows and columns before and after. */
type Pair = readonly [number, number];

/** One number for all sides, [height, width], or [[top, bottom], [left, right]]. */
export type ImagePadding = number | Pair | readonly [Pair, Pair];

function pairsOf(layer: string, padding: ImagePadding): readonly [Pair, Pair] {
  const sides = typeof padding === 'number' ? [padding, padding] : padding;
  const pairs = sides.map((side) => (typeof side === 'number' ? [side, side] : side));
  const valid = pairs.length === 2 && pairs.every((pair) => pair.length === 2);
  if (!valid || pairs.flat().some((n) => !Number.isInteger(n) || n < 0)) {
    throw new ValueError(
      `${layer}: padding is a whole number of 0 or more, [height, width] or [[top, bottom], [left, right]] of such; ` +
        `got ${JSON.stringify(padding)}.`,
    );
  }
  const [[top, bottom], [left, right]] = pairs;
  return [
    [top, bottom],
    [left, right],
  ];
}

/**
 * Rows and columns of zeros around an image.
 *
 * Shapes: [batch, height, width, channels] → [batch, top + height + bottom, left + width + right, channels], or channels first.
 *
 * @throws ValueError for a padding that is no whole number of 0 or more, or none for a side
 * @throws ShapeError for an input of another rank
 * @example
 * new ZeroPadding2D([[1, 0], [2, 2]]).apply(zeros([1, 4, 4, 3])).shape; // [1, 5, 8, 3]
 */
export class ZeroPadding2D extends Layer {
  readonly padding: readonly [Pair, Pair];
  readonly dataFormat: DataFormat;

  constructor(padding: ImagePadding = 1, options: SpaceOptions = {}) {
    super(options);
    this.padding = pairsOf(this.name, padding);
    this.dataFormat = formatOf(this.name, options);
  }

  override call(x: Variable): Variable {
    partsOf(this.name, x.shape, 2, this.dataFormat);
    const none: Pair = [0, 0];
    const paddings =
      this.dataFormat === 'channelsFirst'
        ? [none, none, ...this.padding]
        : [none, ...this.padding, none];
    return ops.pad(x, { paddings });
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    const { channels, space } = partsOf(this.name, inputShape, 2, this.dataFormat);
    const padded = space.map((n, i) =>
      n === null ? null : n + this.padding[i][0] + this.padding[i][1],
    );
    return joinParts(inputShape[0], channels, padded, this.dataFormat);
  }
}

/** How the pixels between are made: `nearest` repeats, `bilinear` lets neighbours pass into each other evenly. */
const INTERPOLATIONS = ['nearest', 'bilinear'] as const;

export interface UpSamplingOptions extends SpaceOptions {
  /** Default 'nearest': each pixel is repeated. 'bilinear': pixels are mixed with their neighbours. */
  interpolation?: (typeof INTERPOLATIONS)[number];
}

/**
 * For each place of an enlarged axis the two places that it lies between, and how near it is to the second, in [0, 1). Pixels
 * are squares: the middle of pixel i is at i + ½, and beyond the middles of the outermost ones nothing changes any more.
 */
function between(size: number, scale: number): { lower: Tensor; upper: Tensor; weight: number[] } {
  const places = Array.from({ length: size * scale }, (_, i) =>
    Math.min(Math.max((i + 0.5) / scale - 0.5, 0), size - 1),
  );
  const lower = places.map(Math.floor);
  return {
    lower: tensor(lower, 'int32'),
    upper: tensor(
      lower.map((i) => Math.min(i + 1, size - 1)),
      'int32',
    ),
    weight: places.map((place, i) => place - lower[i]),
  };
}

/** x with an axis enlarged: lower + weight · (upper − lower). */
function enlarged(x: Variable, axis: number, scale: number): Variable {
  const { lower, upper, weight } = between(x.shape[axis], scale);
  const first = ops.gather(x, lower, { axis });
  const shape = x.shape.map((_, i) => (i === axis ? weight.length : 1));
  const weights = tensor(weight, { dtype: x.dtype }).reshape(shape);
  return first.add(ops.gather(x, upper, { axis }).sub(first).mul(weights));
}

/**
 * Makes images larger by whole numbers: with the interpolation 'nearest' each pixel is repeated, with 'bilinear' the values
 * between the middles of neighbouring pixels lie on straight lines (as Keras, without aligned corners).
 *
 * Shapes: [batch, height, width, channels] → [batch, height · size, width · size, channels], or channels first.
 *
 * @throws ValueError for sizes that are not whole numbers of 1 or more, or an unknown interpolation
 * @throws ShapeError for an input of another rank
 * @example
 * new UpSampling2D([1, 2]).apply([[[[1], [2]]]]).toArray(); // [[[[1], [1], [2], [2]]]]
 * const smooth = new UpSampling2D([1, 2], { interpolation: 'bilinear' });
 * smooth.apply([[[[1], [2]]]]).toArray(); // [[[[1], [1.25], [1.75], [2]]]]
 */
export class UpSampling2D extends Layer {
  readonly size: readonly number[];
  readonly dataFormat: DataFormat;
  readonly interpolation: (typeof INTERPOLATIONS)[number];

  constructor(size: PerAxis = 2, options: UpSamplingOptions = {}) {
    super(options);
    this.size = perAxis(this.name, 'size', size, 2);
    this.dataFormat = formatOf(this.name, options);
    this.interpolation = options.interpolation ?? 'nearest';
    checkName(`interpolation of ${this.name}`, this.interpolation, INTERPOLATIONS);
  }

  override call(x: Variable): Variable {
    partsOf(this.name, x.shape, 2, this.dataFormat);
    const first = this.dataFormat === 'channelsFirst' ? 2 : 1;
    const [rows, columns] = this.size;
    if (this.interpolation === 'bilinear') {
      return enlarged(enlarged(x, first + 1, columns), first, rows);
    }
    // Columns first: fewer elements are copied twice.
    return x.repeat({ repeats: columns, axis: first + 1 }).repeat({ repeats: rows, axis: first });
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    const { channels, space } = partsOf(this.name, inputShape, 2, this.dataFormat);
    const larger = space.map((n, i) => (n === null ? null : n * this.size[i]));
    return joinParts(inputShape[0], channels, larger, this.dataFormat);
  }
}
