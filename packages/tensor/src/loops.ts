/**
 * Walks over strided data: everything between shapes and kernels. A kernel is a plain loop over one row (an offset, a
 * step and a count for each operand); the functions here find the longest such rows and call it for each of them.
 */
import { ARRAY_TYPES } from './dtype.js';
import { gather } from './kernels/js/indexing.js';
import type { BinaryKernel, FoldKernel, TypedArray, UnaryKernel } from './kernels/js/types.js';
import type { Layout, Strided } from './op.js';
import {
  broadcastStrides,
  coalesce,
  isContiguous,
  rowMajorStrides,
  sizeOf,
  type Shape,
} from './shape.js';

/** Called for each row: its length, and the offset and the step of each operand. The arrays are reused between calls. */
export type RowBody = (n: number, offsets: readonly number[], steps: readonly number[]) => void;

/** Calls `row` for every innermost row of operands that share a shape; see `coalesce`. An empty shape has no rows. */
export function eachRow(
  shape: Shape,
  strides: readonly (readonly number[])[],
  offsets: readonly number[],
  row: RowBody,
): void {
  if (shape.includes(0)) return;
  const walk = coalesce(shape, strides);
  const last = walk.shape.length - 1;
  const n = walk.shape[last];
  const steps = walk.strides.map((s) => s[last]);
  const at = [...offsets];
  const index = new Array<number>(last).fill(0);
  for (;;) {
    row(n, at, steps);
    // Count up like an odometer, from the innermost of the outer axes.
    let axis = last - 1;
    for (; axis >= 0; axis--) {
      index[axis]++;
      for (let k = 0; k < at.length; k++) at[k] += walk.strides[k][axis];
      if (index[axis] < walk.shape[axis]) break;
      for (let k = 0; k < at.length; k++) at[k] -= walk.strides[k][axis] * index[axis];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/** Applies a unary kernel to every element of x; out is contiguous and of x's shape. */
export function mapUnary(
  kernel: UnaryKernel,
  x: Strided,
  out: Strided,
  p: number,
  q: number,
): void {
  if (x.contiguous) {
    kernel(x.size, out.data, out.offset, x.data, x.offset, 1, p, q);
    return;
  }
  eachRow(out.shape, [out.strides, x.strides], [out.offset, x.offset], (n, at, step) => {
    kernel(n, out.data, at[0], x.data, at[1], step[1], p, q);
  });
}

/** Applies a binary kernel to two operands broadcast to out's shape; out is contiguous. */
export function mapBinary(kernel: BinaryKernel, a: Strided, b: Strided, out: Strided): void {
  const stepA = evenStep(a, out.size);
  const stepB = evenStep(b, out.size);
  if (stepA >= 0 && stepB >= 0) {
    kernel(out.size, out.data, out.offset, a.data, a.offset, stepA, b.data, b.offset, stepB);
    return;
  }
  const stridesA = broadcastStrides(a.shape, a.strides, out.shape);
  const stridesB = broadcastStrides(b.shape, b.strides, out.shape);
  eachRow(
    out.shape,
    [out.strides, stridesA, stridesB],
    [out.offset, a.offset, b.offset],
    (n, at, step) => {
      kernel(n, out.data, at[0], a.data, at[1], step[1], b.data, at[2], step[2]);
    },
  );
}

/** 1 for an operand that lies just as the output does, 0 for a single number, -1 for anything that needs a real walk. */
function evenStep(x: Strided, size: number): number {
  if (x.size === 1) return 0;
  return x.contiguous && x.size === size ? 1 : -1;
}

/**
 * Calls `lane` for every one-dimensional line along `axis` of operands whose shapes agree off that axis (the axis
 * itself may differ): offsets of the lane's first elements. Steps along the lane are the operands' strides of the axis.
 */
export function eachLane(
  operands: readonly Strided[],
  axis: number,
  lane: (offsets: readonly number[]) => void,
): void {
  const shape = operands[0].shape.map((size, i) => (i === axis ? 1 : size));
  const strides = operands.map((x) => x.strides);
  const offsets = operands.map((x) => x.offset);
  eachRow(shape, strides, offsets, (n, at, step) => {
    const current = [...at];
    for (let i = 0; i < n; i++) {
      lane(current);
      for (let k = 0; k < current.length; k++) current[k] += step[k];
    }
  });
}

/**
 * Calls `element` once for each output of a reduction over `axes`, with a function that folds all elements of x that
 * belong to it. Outputs come in row-major order of the axes that stay.
 */
export function eachReduction(
  x: Strided,
  axes: readonly number[],
  element: (fold: (kernel: FoldKernel, init: number, p: number) => number) => void,
): void {
  const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const pick = (values: readonly number[], which: readonly number[]): number[] =>
    which.map((i) => values[i]);
  const inner = coalesce(pick(x.shape, axes), [pick(x.strides, axes)]);
  const single = inner.shape.length === 1;
  const [n, step] = [inner.shape[0], inner.strides[0][0]];
  let base = 0;
  const fold = (kernel: FoldKernel, init: number, p: number): number => {
    if (single) return kernel(init, n, x.data, base, step, p);
    let acc = init;
    eachRow(inner.shape, inner.strides, [base], (length, at, steps) => {
      acc = kernel(acc, length, x.data, at[0], steps[0], p);
    });
    return acc;
  };
  const outerShape = pick(x.shape, kept);
  const outerStrides = pick(x.strides, kept);
  eachRow(
    outerShape,
    [rowMajorStrides(outerShape), outerStrides],
    [0, x.offset],
    (count, at, steps) => {
      base = at[1];
      for (let i = 0; i < count; i++, base += steps[1]) element(fold);
    },
  );
}

/** One side of a copy. */
export type Elements = Layout & { readonly data: TypedArray };

/** target[i] = source[i] for two layouts of one shape, converting the dtype as typed arrays do. */
export function copyElements(source: Elements, target: Elements): void {
  const x = source.data;
  const y = target.data;
  eachRow(
    target.shape,
    [target.strides, source.strides],
    [target.offset, source.offset],
    (n, at, step) => {
      const [sy, sx] = step;
      let [iy, ix] = at;
      for (let i = 0; i < n; i++, iy += sy, ix += sx) y[iy] = x[ix];
    },
  );
}

/** x itself when it is row-major, else a row-major copy. */
export function asContiguous(x: Strided): Strided {
  if (x.contiguous) return x;
  const data = new ARRAY_TYPES[x.dtype](x.size);
  const copy = {
    dtype: x.dtype,
    shape: x.shape,
    strides: rowMajorStrides(x.shape),
    offset: 0,
    data,
    size: x.size,
    contiguous: true,
  };
  copyElements(x, copy);
  return copy;
}

/** out = x with the entries of one axis taken at `index`. */
export function gatherAxis(x: Strided, axis: number, index: Int32Array, out: Strided): void {
  const source = asContiguous(x);
  const outer = sizeOf(x.shape.slice(0, axis));
  const inner = sizeOf(x.shape.slice(axis + 1));
  gather(outer, x.shape[axis], inner, source.data, source.offset, index, out.data, out.offset);
}

/** The same elements in another shape and with other strides, from the same first element on. */
export function restrided(x: Strided, shape: Shape, strides: readonly number[]): Strided {
  const { dtype, data, offset } = x;
  const contiguous = isContiguous(shape, strides);
  return { dtype, data, offset, size: sizeOf(shape), shape, strides, contiguous };
}

/** The same tensor with its axes in another order; `order` says which axis comes where. */
export function withAxes(x: Strided, order: readonly number[]): Strided {
  return restrided(
    x,
    order.map((axis) => x.shape[axis]),
    order.map((axis) => x.strides[axis]),
  );
}
