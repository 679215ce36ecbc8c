/**
 * Matrix products. All of them end in `gemm`, whose strides make transposes free.
 */
import { ShapeError, formatShape } from '../errors.js';
import { gemm } from '../kernels/js/gemm.js';
import { asContiguous, eachRow, withAxes } from '../loops.js';
import type { KernelOp, NoAttrs, Strided } from '../op.js';
import { broadcastShapes, broadcastStrides, rowMajorStrides, type Shape } from '../shape.js';

/** Whether to swap the last two axes of an input first. */
export interface MatmulAttrs {
  transposeA?: boolean;
  transposeB?: boolean;
}

/** One operand of a product: batch axes, then rows and columns with their strides. */
interface Matrices {
  readonly batch: Shape;
  readonly rows: number;
  readonly columns: number;
}

function lastTwo(x: { shape: Shape }, transpose: boolean, vectorAs: 'row' | 'column'): Matrices {
  const [n, m] = [x.shape[x.shape.length - 1], x.shape[x.shape.length - 2]];
  if (x.shape.length === 1) {
    return vectorAs === 'row'
      ? { batch: [], rows: 1, columns: n }
      : { batch: [], rows: n, columns: 1 };
  }
  const batch = x.shape.slice(0, -2);
  return transpose ? { batch, rows: n, columns: m } : { batch, rows: m, columns: n };
}

/** Strides of rows and columns, as `lastTwo` reads them. */
function lastTwoStrides(
  x: Strided,
  transpose: boolean,
  vectorAs: 'row' | 'column',
): [number, number] {
  const [column, row] = [x.strides[x.strides.length - 1], x.strides[x.strides.length - 2]];
  if (x.shape.length === 1) return vectorAs === 'row' ? [0, column] : [column, 0];
  return transpose ? [column, row] : [row, column];
}

/**
 * The matrix product over the last two axes; the axes before them broadcast. A vector counts as a row on the left and as
 * a column on the right, and its axis is gone from the result, as in NumPy.
 * Shapes: [..., m, k], [..., k, n] → [..., m, n].
 * @throws ShapeError naming both shapes when the inner sizes differ
 * @example ops.matmul([[1, 2], [3, 4]], [[1], [1]]); // [[3], [7]]
 */
export const matmul: KernelOp<readonly ['a', 'b'], MatmulAttrs, never> = {
  kind: 'kernel',
  name: 'matmul',
  attributes: ['transposeA', 'transposeB'],
  heavy: true,
  biasAxis: (shape) => shape.length - 1,
  inputs: ['a', 'b'],
  promotion: 'number',
  infer: ([a, b], { transposeA = false, transposeB = false }) => {
    if (a.shape.length === 0 || b.shape.length === 0) {
      throw new ShapeError(
        `matmul: needs vectors, matrices or batches of matrices; got ${formatShape(a.shape)} and ${formatShape(b.shape)}. ` +
          `To scale by a number use mul.`,
      );
    }
    const left = lastTwo(a, transposeA, 'row');
    const right = lastTwo(b, transposeB, 'column');
    if (left.columns !== right.rows) {
      const note = [transposeA ? 'a transposed' : '', transposeB ? 'b transposed' : '']
        .filter(Boolean)
        .join(', ');
      throw new ShapeError(
        `matmul: shapes ${formatShape(a.shape)} and ${formatShape(b.shape)}${note && ` (${note})`} do not fit: ` +
          `a has ${left.columns} columns and b has ${right.rows} rows, which must be the same.`,
      );
    }
    const shape = [...broadcastShapes('matmul', left.batch, right.batch)];
    if (a.shape.length > 1) shape.push(left.rows);
    if (b.shape.length > 1) shape.push(right.columns);
    return { dtype: a.dtype, shape };
  },
  launch: ([a, b], out, { transposeA = false, transposeB = false }) => {
    const left = lastTwo(a, transposeA, 'row');
    const right = lastTwo(b, transposeB, 'column');
    const [ar, ac] = lastTwoStrides(a, transposeA, 'row');
    const [br, bc] = lastTwoStrides(b, transposeB, 'column');
    const [m, k, n] = [left.rows, left.columns, right.columns];
    if (left.batch.length === 0 && right.batch.length === 0) {
      gemm(m, n, k, a.data, a.offset, ar, ac, b.data, b.offset, br, bc, out.data, out.offset, n);
      return;
    }
    if (right.batch.length === 0 && a.contiguous && !transposeA) {
      // One matrix for the whole batch: all rows of a are one tall matrix.
      gemm(
        a.size / Math.max(k, 1),
        n,
        k,
        a.data,
        a.offset,
        k,
        1,
        b.data,
        b.offset,
        br,
        bc,
        out.data,
        out.offset,
        n,
      );
      return;
    }
    const batch = broadcastShapes('matmul', left.batch, right.batch);
    const strides = [
      rowMajorStrides(batch).map((stride) => stride * m * n),
      broadcastStrides(left.batch, a.strides.slice(0, left.batch.length), batch),
      broadcastStrides(right.batch, b.strides.slice(0, right.batch.length), batch),
    ];
    eachRow(batch, strides, [out.offset, a.offset, b.offset], (count, at, step) => {
      for (let i = 0; i < count; i++) {
        gemm(
          m,
          n,
          k,
          a.data,
          at[1] + i * step[1],
          ar,
          ac,
          b.data,
          at[2] + i * step[2],
          br,
          bc,
          out.data,
          at[0] + i * step[0],
          n,
        );
      }
    });
  },
};

/**
 * `numpy.dot`: the sum over the last axis of a and the last but one of b (the only one of a vector).
 * Shapes: [...p, k], [...q, k, n] → [...p, ...q, n].
 * @throws ShapeError naming both shapes when the summed sizes differ
 * @example ops.dot([1, 2, 3], [4, 5, 6]); // 32
 */
export const dot: KernelOp<readonly ['a', 'b'], NoAttrs, never> = {
  kind: 'kernel',
  name: 'dot',
  inputs: ['a', 'b'],
  promotion: 'number',
  infer: ([a, b]) => {
    const over = Math.max(b.shape.length - 2, 0);
    const [ka, kb] = [a.shape[a.shape.length - 1], b.shape[over]];
    if (a.shape.length === 0 || b.shape.length === 0 || ka !== kb) {
      throw new ShapeError(
        `dot: sums over the last axis of a and the last but one of b, which must have the same size; got ` +
          `${formatShape(a.shape)} and ${formatShape(b.shape)}.`,
      );
    }
    return {
      dtype: a.dtype,
      shape: [...a.shape.slice(0, -1), ...b.shape.filter((_, i) => i !== over)],
    };
  },
  launch: ([a, b], out) => {
    const k = a.shape[a.shape.length - 1];
    const over = Math.max(b.shape.length - 2, 0);
    const left = asContiguous(a);
    // b with the summed axis first: [k, ...rest].
    const order = [over, ...b.shape.map((_, i) => i).filter((i) => i !== over)];
    const right = asContiguous(withAxes(b, order));
    const n = b.size / Math.max(k, 1);
    const m = a.size / Math.max(k, 1);
    if (out.size > 0 && k > 0)
      gemm(
        m,
        n,
        k,
        left.data,
        left.offset,
        k,
        1,
        right.data,
        right.offset,
        n,
        1,
        out.data,
        out.offset,
        n,
      );
  },
};

/**
 * All products of two vectors: [m], [n] → [m, n].
 * @throws ShapeError unless both are vectors
 * @example ops.outer([1, 2], [3, 4]); // [[3, 4], [6, 8]]
 */
export const outer: KernelOp<readonly ['a', 'b'], NoAttrs, never> = {
  kind: 'kernel',
  name: 'outer',
  inputs: ['a', 'b'],
  promotion: 'number',
  infer: ([a, b]) => {
    if (a.shape.length !== 1 || b.shape.length !== 1) {
      throw new ShapeError(
        `outer: needs two vectors; got ${formatShape(a.shape)} and ${formatShape(b.shape)}.`,
      );
    }
    return { dtype: a.dtype, shape: [a.shape[0], b.shape[0]] };
  },
  launch: ([a, b], out) => {
    const [m, n] = out.shape;
    gemm(
      m,
      n,
      1,
      a.data,
      a.offset,
      a.strides[0],
      0,
      b.data,
      b.offset,
      0,
      b.strides[0],
      out.data,
      out.offset,
      n,
    );
  },
};
