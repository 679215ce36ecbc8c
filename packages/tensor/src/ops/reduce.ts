/**
 * Reductions over axes, and the ops along one axis whose elements depend on each other (softmax, running sums).
 */
import type { DType } from '../dtype.js';
import { ShapeError, ValueError, formatShape } from '../errors.js';
import * as lanes from '../kernels/js/lanes.js';
import * as k from '../kernels/js/reduce.js';
import type { ArgKernel, FoldKernel, LaneKernel } from '../kernels/js/types.js';
import { eachLane, eachReduction } from '../loops.js';
import type { KernelOp, NoAttrs, Promotion, Strided } from '../op.js';
import {
  normalizeAxes,
  normalizeAxis,
  reducedShape,
  sameShape,
  sizeOf,
  type Axes,
} from '../shape.js';

/** Which axes to reduce (null, the default: all) and whether they stay, with size 1. */
export interface ReduceAttrs {
  axis?: Axes;
  keepDims?: boolean;
}

type Fold = (kernel: FoldKernel, init: number, p: number) => number;
type ReduceOp<A extends ReduceAttrs = ReduceAttrs> = KernelOp<readonly ['x'], A, 'axis'>;

/**
 * A reduction: `element` folds all values of one output to a number, given the fold and how many values there are.
 * With `nonEmpty` a reduction of no values is an error.
 */
function reduction<A extends ReduceAttrs = ReduceAttrs>(
  name: string,
  promotion: Promotion,
  element: (fold: Fold, count: number, attrs: A) => number,
  options: { result?: DType; nonEmpty?: boolean; attributes?: readonly string[] } = {},
): ReduceOp<A> {
  return {
    kind: 'kernel',
    name,
    inputs: ['x'],
    promotion,
    lead: 'axis',
    attributes: ['keepDims', ...(options.attributes ?? [])],
    infer: ([x], { axis, keepDims = false }) => {
      const axes = normalizeAxes(name, axis, x.shape.length);
      const shape = reducedShape(x.shape, axes, keepDims);
      if (options.nonEmpty === true && sizeOf(x.shape) === 0 && sizeOf(shape) > 0) {
        throw new ShapeError(
          `${name}: there is no ${name} of no elements; got shape ${formatShape(x.shape)}.`,
        );
      }
      return { dtype: options.result ?? x.dtype, shape };
    },
    launch: ([x], out, attrs) => {
      const axes = normalizeAxes(name, attrs.axis, x.shape.length);
      const count = axes.reduce((n, axis) => n * x.shape[axis], 1);
      let i = out.offset;
      eachReduction(x, axes, (fold) => {
        out.data[i++] = element(fold, count, attrs);
      });
    },
  };
}

/** Σx; int32 for bool. @example ops.sum([[1, 2], [3, 4]], 0); // [4, 6] */
export const sum = reduction('sum', 'number', (fold) => fold(k.sum, 0, 0));
/** The arithmetic mean; NaN of no elements. @example ops.mean([[1, 2], [3, 4]], 1); // [1.5, 3.5] */
export const mean = reduction('mean', 'float', (fold, n) => fold(k.sum, 0, 0) / n);
/** Πx @example ops.prod([2, 3, 4]); // 24 */
export const prod = reduction('prod', 'number', (fold) => fold(k.prod, 1, 0));
/** The greatest element; equal ones share the gradient. @example ops.max([[1, 2], [4, 3]], 1); // [2, 4] */
export const max = reduction('max', 'number', (fold) => fold(k.max, -Infinity, 0), {
  nonEmpty: true,
});
/** The smallest element; equal ones share the gradient. @example ops.min([[1, 2], [4, 3]], 1); // [1, 3] */
export const min = reduction('min', 'number', (fold) => fold(k.min, Infinity, 0), {
  nonEmpty: true,
});
/** Σ(x − x̄)² / N, the population variance. @example ops.variance([1, 3]); // 1 */
export const variance = reduction('variance', 'float', varianceOf);
/** The square root of the variance. @example ops.std([1, 3, 5, 7]); // 2.2361 */
export const std = reduction('std', 'float', (fold, n) => Math.sqrt(varianceOf(fold, n)));
/** ln Σeˣ, computed without overflow. @example ops.logSumExp([1000, 1000]); // 1000.6932 */
export const logSumExp = reduction('logSumExp', 'float', (fold) => {
  const m = fold(k.max, -Infinity, 0);
  // Where all are −∞, or one is ∞ or NaN, the maximum is the answer.
  return Number.isFinite(m) ? m + Math.log(fold(k.sumExp, 0, m)) : m;
});
/** True if any element is not 0. @example ops.any([[0, 1], [0, 0]], 1); // [true, false] */
export const any = reduction('any', 'same', (fold) => fold(k.any, 0, 0), { result: 'bool' });
/** True if no element is 0. @example ops.all([[1, 1], [1, 0]], 1); // [true, false] */
export const all = reduction('all', 'same', (fold) => fold(k.all, 1, 0), { result: 'bool' });

function varianceOf(fold: Fold, count: number): number {
  return fold(k.sumSquares, 0, fold(k.sum, 0, 0) / count) / count;
}

/** `ord` is 'euclidean' (√Σx², the default), 1 (Σ|x|) or 'inf' (max |x|). */
export interface NormAttrs extends ReduceAttrs {
  ord?: 'euclidean' | 1 | 'inf';
}

/** A vector norm over the axes. @example ops.norm([3, 4]); // 5 */
export const norm = reduction<NormAttrs>(
  'norm',
  'float',
  (fold, _count, { ord = 'euclidean' }) => {
    if (ord === 'euclidean') return Math.sqrt(fold(k.sumSquares, 0, 0));
    if (ord === 1) return fold(k.sumAbs, 0, 0);
    if (ord === 'inf') return fold(k.maxAbs, 0, 0);
    throw new ValueError(`norm: ord must be 'euclidean', 1 or 'inf'; got ${String(ord)}.`);
  },
  { attributes: ['ord'] },
);

/** One axis, or null (the default) for the position in the flattened tensor. */
export interface ArgAttrs {
  axis?: number | null;
  keepDims?: boolean;
}

function argReduction(name: string, kernel: ArgKernel): KernelOp<readonly ['x'], ArgAttrs, 'axis'> {
  const axesOf = (axis: number | null | undefined, rank: number): number[] =>
    normalizeAxes(name, axis, rank);
  return {
    kind: 'kernel',
    name,
    inputs: ['x'],
    promotion: 'same',
    lead: 'axis',
    attributes: ['keepDims'],
    infer: ([x], { axis, keepDims = false }) => {
      const shape = reducedShape(x.shape, axesOf(axis, x.shape.length), keepDims);
      if (sizeOf(x.shape) === 0 && sizeOf(shape) > 0) {
        throw new ShapeError(
          `${name}: there is no ${name} of no elements; got shape ${formatShape(x.shape)}.`,
        );
      }
      return { dtype: 'int32', shape };
    },
    launch: ([x], out, { axis }) => {
      let i = out.offset;
      if (axis === null || axis === undefined) {
        // Walk the elements in row-major order, whatever the layout.
        const flat = new Float64Array(x.size);
        let n = 0;
        eachReduction(x, [], (fold) => {
          flat[n++] = fold(k.sum, 0, 0);
        });
        if (n > 0) out.data[i] = kernel(n, flat, 0, 1);
        return;
      }
      const along = normalizeAxis(name, axis, x.shape.length);
      if (x.size === 0) return;
      eachLane([x], along, ([ix]) => {
        out.data[i++] = kernel(x.shape[along], x.data, ix, x.strides[along]);
      });
    },
  };
}

/** Where the greatest element is, the first of equals; int32. @example ops.argmax([[1, 9], [8, 2]], 1); // [1, 0] */
export const argmax = argReduction('argmax', k.argmax);
/** Where the smallest element is, the first of equals; int32. @example ops.argmin([[1, 9], [8, 2]], 1); // [0, 1] */
export const argmin = argReduction('argmin', k.argmin);

/** Runs a lane kernel over every line of x along an axis. */
function mapLanes(kernel: LaneKernel, x: Strided, out: Strided, axis: number, p = 0, q = 0): void {
  const n = x.shape[axis];
  eachLane([out, x], axis, ([iy, ix]) => {
    kernel(n, out.data, iy, out.strides[axis], x.data, ix, x.strides[axis], p, q);
  });
}

function alongAxis(
  name: string,
  kernel: LaneKernel,
): KernelOp<readonly ['x'], { axis?: number }, 'axis'> {
  return {
    kind: 'kernel',
    name,
    inputs: ['x'],
    promotion: 'float',
    lead: 'axis',
    infer: ([x], { axis = -1 }) => {
      normalizeAxis(name, axis, x.shape.length);
      return x;
    },
    launch: ([x], out, { axis = -1 }) =>
      mapLanes(kernel, x, out, normalizeAxis(name, axis, x.shape.length)),
  };
}

/** eˣ / Σeˣ along an axis (default the last), computed without overflow. @example ops.softmax([0, 1]); // [0.2689, 0.7311] */
export const softmax = alongAxis('softmax', lanes.softmax);
/** ln softmax(x) along an axis (default the last). @example ops.logSoftmax([0, 1]); // [-1.3133, -0.3133] */
export const logSoftmax = alongAxis('logSoftmax', lanes.logSoftmax);

/** The axis (default the last); exclusive leaves the element itself out; reverse starts at the end. */
export interface ScanAttrs {
  axis?: number;
  exclusive?: boolean;
  reverse?: boolean;
}

function scan(name: string, kernel: LaneKernel): KernelOp<readonly ['x'], ScanAttrs, 'axis'> {
  return {
    kind: 'kernel',
    name,
    inputs: ['x'],
    promotion: 'number',
    lead: 'axis',
    attributes: ['exclusive', 'reverse'],
    infer: ([x], { axis = -1 }) => {
      normalizeAxis(name, axis, x.shape.length);
      return x;
    },
    launch: ([x], out, { axis = -1, exclusive = false, reverse = false }) =>
      mapLanes(
        kernel,
        x,
        out,
        normalizeAxis(name, axis, x.shape.length),
        Number(exclusive),
        Number(reverse),
      ),
  };
}

/** Running sums along an axis. @example ops.cumsum([1, 2, 3]); // [1, 3, 6] */
export const cumsum = scan('cumsum', lanes.cumsum);
/** Running products along an axis. @example ops.cumprod([1, 2, 3]); // [1, 2, 6] */
export const cumprod = scan('cumprod', lanes.cumprod);

/**
 * Cross-entropy −Σ labels·ln softmax(logits) over the last axis, as one stable op.
 * Shapes: logits and labels [..., classes] → [...].
 * @throws ShapeError unless both shapes are the same
 * @example ops.softmaxCrossEntropy([[0, 1]], [[0, 1]]); // [0.3133]
 */
export const softmaxCrossEntropy: KernelOp<readonly ['logits', 'labels'], NoAttrs, never> = {
  kind: 'kernel',
  name: 'softmaxCrossEntropy',
  inputs: ['logits', 'labels'],
  promotion: 'float',
  infer: ([logits, labels]) => {
    if (!sameShape(logits.shape, labels.shape) || logits.shape.length === 0) {
      throw new ShapeError(
        `softmaxCrossEntropy: logits and labels need the same shape [..., classes]; got ${formatShape(logits.shape)} ` +
          `and ${formatShape(labels.shape)}.`,
      );
    }
    return { dtype: logits.dtype, shape: logits.shape.slice(0, -1) };
  },
  launch: ([z, t], out) => {
    const axis = z.shape.length - 1;
    let i = out.offset;
    eachLane([z, t], axis, ([iz, it]) => {
      out.data[i++] = lanes.softmaxCrossEntropy(
        z.shape[axis],
        z.data,
        iz,
        z.strides[axis],
        t.data,
        it,
        t.strides[axis],
      );
    });
  },
};

/**
 * The permutation that sorts x along an axis (default the last); int32. Equal elements keep their order, NaN comes last.
 * @example ops.argsort([3, 1, 2]); // [1, 2, 0]
 */
export const argsort: KernelOp<readonly ['x'], { axis?: number; descending?: boolean }, 'axis'> = {
  kind: 'kernel',
  name: 'argsort',
  attributes: ['descending'],
  inputs: ['x'],
  promotion: 'same',
  lead: 'axis',
  infer: ([x], { axis = -1 }) => {
    normalizeAxis('argsort', axis, x.shape.length);
    return { dtype: 'int32', shape: x.shape };
  },
  launch: ([x], out, { axis = -1, descending = false }) =>
    mapLanes(
      lanes.argsort,
      x,
      out,
      normalizeAxis('argsort', axis, x.shape.length),
      Number(descending),
    ),
};

/** The elements in ascending order along an axis (default the last). @example ops.sort([3, 1, 2]); // [1, 2, 3] */
export const sort: KernelOp<readonly ['x'], { axis?: number }, 'axis'> = {
  kind: 'kernel',
  name: 'sort',
  inputs: ['x'],
  promotion: 'same',
  lead: 'axis',
  infer: ([x], { axis = -1 }) => {
    normalizeAxis('sort', axis, x.shape.length);
    return x;
  },
  launch: ([x], out, { axis = -1 }) => {
    const along = normalizeAxis('sort', axis, x.shape.length);
    const order = new Int32Array(x.shape[along]);
    eachLane([out, x], along, ([iy, ix]) => {
      lanes.argsort(order.length, order, 0, 1, x.data, ix, x.strides[along], 0, 0);
      for (let i = 0; i < order.length; i++)
        out.data[iy + i * out.strides[along]] = x.data[ix + order[i] * x.strides[along]];
    });
  },
};
