/**
 * Layers that make one value of several.
 */
import {
  ShapeError,
  ValueError,
  formatShape,
  normalizeAxis,
  ones,
  ops as tensorOps,
  type Tensor,
} from '@tapegrad/tensor';
import { type Variable, ops } from '@tapegrad/autograd';
import { Layer, type BatchShape, type CallContext, type LayerOptions } from './layer.js';
import { maskOf, setMask } from './masks.js';

/** What all of them have in common: at least two inputs and one output. */
abstract class Merge extends Layer {
  override buildAll(inputShapes: readonly BatchShape[]): void {
    this.mergedShape(inputShapes);
  }

  override callAll(inputs: readonly Variable[], _context: CallContext): readonly Variable[] {
    this.mergedShape(inputs.map(({ shape }) => shape));
    const y = this.merge(inputs);
    setMask(y, this.mergedMask(inputs, inputs.map(maskOf)));
    return [y];
  }

  override computeOutputShapes(inputShapes: readonly BatchShape[]): readonly BatchShape[] {
    return [this.mergedShape(inputShapes)];
  }

  /** The shape of the result. @throws ShapeError when the inputs do not go together */
  private mergedShape(shapes: readonly BatchShape[]): BatchShape {
    if (shapes.length < 2) {
      throw new ShapeError(
        `${this.name}: needs a list of at least two inputs, as in apply([a, b]); got ${shapes.length}.`,
      );
    }
    return this.shapeOf(shapes);
  }

  /** An error for shapes that do not go together. */
  protected misfit(shapes: readonly BatchShape[], reason: string): ShapeError {
    return new ShapeError(`${this.name}: ${reason}; got ${shapes.map(formatShape).join(' and ')}.`);
  }

  protected abstract merge(inputs: readonly Variable[]): Variable;
  protected abstract shapeOf(shapes: readonly BatchShape[]): BatchShape;

  /** The mask of the result. */
  protected mergedMask(
    _inputs: readonly Variable[],
    _masks: readonly (Tensor | null)[],
  ): Tensor | null {
    return null;
  }
}

/**
 * Element by element. Axes of size 1 are repeated; of inputs with fewer axes, axes of size 1 are put in behind the batch, so
 * that [batch, 3] goes with [batch, 4, 3].
 */
abstract class Elementwise extends Merge {
  /** Two values of the same rank. */
  protected abstract pair(a: Variable, b: Variable): Variable;

  protected override merge(inputs: readonly Variable[]): Variable {
    const rank = Math.max(...inputs.map((x) => x.rank));
    const [first, ...others] = inputs.map((x) =>
      x.rank === rank ? x : x.reshape(widened(x.shape, rank)),
    );
    return others.reduce((a, b) => this.pair(a, b), first);
  }

  protected override shapeOf(shapes: readonly BatchShape[]): BatchShape {
    const rank = Math.max(...shapes.map((shape) => shape.length));
    return shapes
      .map((shape) => widened(shape, rank))
      .reduce((a, b) =>
        a.map((n, axis) => {
          const m = b[axis];
          if (axis === 0 && n !== null && m !== null && n !== m)
            throw this.misfit(shapes, 'needs batches of the same size');
          if (n === 1 || m === null) return n === 1 ? m : n;
          if (m === 1 || n === null || n === m) return n ?? m;
          throw this.misfit(shapes, 'sizes of the inputs must be equal or 1');
        }),
      );
  }

  /** A step counts when it does in any of the inputs; without a mask, all of an input counts (as in Keras). */
  protected override mergedMask(
    _inputs: readonly Variable[],
    masks: readonly (Tensor | null)[],
  ): Tensor | null {
    return masks.reduce((a, b) => (a === null || b === null ? null : a.logicalOr(b)));
  }
}

/**
 * As `Elementwise`, but where a mask leaves a step out of some inputs, the result is that of the others (as in Keras 3): a step of
 * padding has no say in a product or a maximum. Where masks leave it out of all, the result is 0.
 */
abstract class OfUnmasked extends Elementwise {
  protected override merge(inputs: readonly Variable[]): Variable {
    const masks = inputs.map(maskOf);
    if (masks.every((mask) => mask === null)) return super.merge(inputs);
    const rank = Math.max(...inputs.map((x) => x.rank));
    const [first, ...others] = inputs.map((x, i) => ({
      values: x.rank === rank ? x : x.reshape(widened(x.shape, rank)),
      there: alongSteps(masks[i], x, rank),
    }));
    const { values, there } = others.reduce((a, b) => this.present(a, b), first);
    return there === null ? values : ops.where(there, values, 0);
  }

  /** Both where both are there, else the one that is. */
  private present(a: Present, b: Present): Present {
    let values = this.pair(a.values, b.values);
    if (a.there !== null) values = ops.where(a.there, values, b.values);
    if (b.there !== null) values = ops.where(b.there, values, a.values);
    return { values, there: a.there && b.there && a.there.logicalOr(b.there) };
  }
}

/** Values, and where they count; null for everywhere. */
interface Present {
  readonly values: Variable;
  readonly there: Tensor | null;
}

/** A mask [batch, time] of x with axes of size 1 for the others, of which there are as many as in all inputs. */
function alongSteps(mask: Tensor | null, x: Variable, rank: number): Tensor | null {
  if (mask === null) return null;
  const shape = x.shape.map((n, axis) => (axis < mask.rank ? n : 1));
  return mask.reshape(widened(shape, rank));
}

/** A shape with axes of size 1 behind the batch. */
function widened<N extends number | null>(shape: readonly N[], rank: number): (N | 1)[] {
  const [batch, ...others] = shape;
  return [batch, ...new Array<1>(rank - shape.length).fill(1), ...others];
}

/**
 * The sum of its inputs.
 *
 * @throws ShapeError for fewer than two inputs, or sizes that differ and are not 1
 * @example
 * new Add().apply([variable([[1, 2]]), variable([[10, 20]])]).toArray(); // [[11, 22]]
 */
export class Add extends Elementwise {
  protected override pair(a: Variable, b: Variable): Variable {
    return a.add(b);
  }
}

/**
 * The first of two inputs minus the second.
 *
 * @throws ShapeError unless there are two inputs, of sizes that are equal or 1
 * @example
 * new Subtract().apply([variable([[10, 20]]), variable([[1, 2]])]).toArray(); // [[9, 18]]
 */
export class Subtract extends Elementwise {
  protected override pair(a: Variable, b: Variable): Variable {
    return a.sub(b);
  }

  protected override shapeOf(shapes: readonly BatchShape[]): BatchShape {
    if (shapes.length > 2) throw this.misfit(shapes, 'needs exactly two inputs');
    return super.shapeOf(shapes);
  }
}

/**
 * The product of its inputs, element by element; of those that a mask leaves in, where it leaves out a step of some.
 *
 * @throws as `Add`
 * @example
 * new Multiply().apply([variable([[1, 2]]), variable([[10, 20]])]).toArray(); // [[10, 40]]
 */
export class Multiply extends OfUnmasked {
  protected override pair(a: Variable, b: Variable): Variable {
    return a.mul(b);
  }
}

/**
 * The mean of its inputs.
 *
 * @throws as `Add`
 * @example
 * new Average().apply([variable([[1, 2]]), variable([[3, 6]])]).toArray(); // [[2, 4]]
 */
export class Average extends Elementwise {
  protected override pair(a: Variable, b: Variable): Variable {
    return a.add(b);
  }

  protected override merge(inputs: readonly Variable[]): Variable {
    return super.merge(inputs).div(inputs.length);
  }
}

/**
 * The greatest of its inputs, element by element; masks count as for `Multiply`.
 *
 * @throws as `Add`
 * @example
 * new Maximum().apply([variable([[1, 6]]), variable([[3, 2]])]).toArray(); // [[3, 6]]
 */
export class Maximum extends OfUnmasked {
  protected override pair(a: Variable, b: Variable): Variable {
    return a.maximum(b);
  }
}

/**
 * The least of its inputs, element by element; masks count as for `Multiply`.
 *
 * @throws as `Add`
 * @example
 * new Minimum().apply([variable([[1, 6]]), variable([[3, 2]])]).toArray(); // [[1, 2]]
 */
export class Minimum extends OfUnmasked {
  protected override pair(a: Variable, b: Variable): Variable {
    return a.minimum(b);
  }
}

export interface ConcatenateOptions extends LayerOptions {
  /** The axis along which the inputs are put together. Default −1. */
  axis?: number;
}

/**
 * Its inputs side by side along an axis; their other sizes must be equal.
 *
 * @throws ShapeError for fewer than two inputs, or other sizes that differ
 * @throws ValueError for the axis of the batch
 * @example
 * new Concatenate().apply([variable([[1, 2]]), variable([[3]])]).toArray(); // [[1, 2, 3]]
 */
export class Concatenate extends Merge {
  private readonly axis: number;

  constructor(options: ConcatenateOptions = {}) {
    super(options);
    this.axis = options.axis ?? -1;
    if (this.axis === 0) {
      throw new ValueError(
        `${this.name}: axis 0 is the batch; samples of different batches do not go together.`,
      );
    }
  }

  protected override merge(inputs: readonly Variable[]): Variable {
    return ops.concat(inputs, { axis: this.axis });
  }

  protected override shapeOf(shapes: readonly BatchShape[]): BatchShape {
    const [first, ...others] = shapes;
    const along = normalizeAxis(this.name, this.axis, first.length);
    return others.reduce((a, b) => {
      if (a.length !== b.length)
        throw this.misfit(shapes, 'needs inputs with the same number of axes');
      return a.map((n, axis) => {
        const m = b[axis];
        if (axis === along) return n === null || m === null ? null : n + m;
        if (n !== null && m !== null && n !== m)
          throw this.misfit(shapes, `sizes must be equal along all axes but ${along}`);
        return n ?? m;
      });
    }, first);
  }

  /** Along time the masks are put together as well; otherwise a step counts when it does in any of the inputs (as in Keras). */
  protected override mergedMask(
    inputs: readonly Variable[],
    masks: readonly (Tensor | null)[],
  ): Tensor | null {
    if (masks.every((mask) => mask === null)) return null;
    const full = masks.map((mask, i) => mask ?? ones(inputs[i].shape.slice(0, 2), 'bool'));
    if (normalizeAxis(this.name, this.axis, inputs[0].rank) === 1)
      return tensorOps.concat(full, { axis: 1 });
    return full.reduce((a, b) => a.logicalOr(b));
  }
}

export interface DotOptions extends LayerOptions {
  /** The axes of the two inputs along which products are summed; a number is for both. Not 0, the batch. */
  axes: number | readonly [number, number];
  /** Whether vectors along these axes are scaled to length 1 first: the result is then the cosine. Default false. */
  normalize?: boolean;
}

/**
 * The dot product of two inputs, sample by sample: [batch, …] with one axis left out, then those of the second.
 *
 * Shapes: [batch, n] and [batch, n] → [batch, 1]; [batch, a, n] and [batch, b, n] with axes 2 → [batch, a, b].
 *
 * @throws ShapeError unless there are two inputs whose sizes along the axes are equal
 * @throws ValueError for the axis of the batch
 * @example
 * new Dot({ axes: 1 }).apply([variable([[1, 2]]), variable([[3, 4]])]).toArray(); // [[11]]
 */
export class Dot extends Merge {
  private readonly axes: readonly [number, number];
  private readonly normalize: boolean;

  constructor(options: DotOptions) {
    super(options);
    const { axes, normalize = false } = options;
    this.axes = typeof axes === 'number' ? [axes, axes] : axes;
    this.normalize = normalize;
    if (this.axes.includes(0)) {
      throw new ValueError(`${this.name}: axis 0 is the batch; samples are multiplied one by one.`);
    }
  }

  protected override merge(inputs: readonly Variable[]): Variable {
    const [a, b] = inputs.map((x, i) => {
      const axis = normalizeAxis(this.name, this.axes[i], x.rank);
      const scaled = this.normalize ? unit(x, axis) : x;
      const others = x.shape.map((_, k) => k).filter((k) => k !== 0 && k !== axis);
      // [batch, all other axes in one, summed axis]
      const rows = scaled.transpose([0, ...others, axis]);
      return rows.reshape([x.shape[0], others.reduce((n, k) => n * x.shape[k], 1), x.shape[axis]]);
    });
    const shape = this.shapeOf(inputs.map((x) => x.shape));
    return ops.matmul(a, b, { transposeB: true }).reshape(shape.map((n) => n ?? a.shape[0]));
  }

  protected override shapeOf(shapes: readonly BatchShape[]): BatchShape {
    if (shapes.length > 2) throw this.misfit(shapes, 'needs exactly two inputs');
    const along = shapes.map((shape, i) => normalizeAxis(this.name, this.axes[i], shape.length));
    const [n, m] = shapes.map((shape, i) => shape[along[i]]);
    if (n !== m)
      throw this.misfit(shapes, `sizes along axes ${along.join(' and ')} must be known and equal`);
    const others = shapes.flatMap((shape, i) => shape.filter((_, k) => k !== 0 && k !== along[i]));
    return [shapes[0][0], ...(others.length === 0 ? [1] : others)];
  }
}

/** Vectors along an axis scaled to length 1; zeros stay. */
function unit(x: Variable, axis: number): Variable {
  const squares = x.square().sum({ axis, keepDims: true });
  return x.mul(squares.maximum(1e-12).rsqrt());
}
