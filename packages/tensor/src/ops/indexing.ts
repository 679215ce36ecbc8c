/**
 * Ops that take positions as data: gathering, scattering, one-hot vectors, padding, and the largest k.
 */
import { checkDType, type DType } from '../dtype.js';
import { DTypeError, IndexError, ShapeError, ValueError, formatShape } from '../errors.js';
import * as k from '../kernels/js/indexing.js';
import * as lanes from '../kernels/js/lanes.js';
import { asContiguous, copyElements, eachLane, gatherAxis, restrided } from '../loops.js';
import type { KernelOp, ListOp, NoAttrs, Strided, TensorType } from '../op.js';
import {
  checkShape,
  insertAt,
  normalizeAxis,
  replaceAxis,
  rowMajorStrides,
  sameShape,
  sizeOf,
  type Shape,
} from '../shape.js';

function checkIndices(name: string, indices: TensorType): void {
  if (indices.dtype !== 'int32') {
    throw new DTypeError(
      `${name}: indices must be int32; got ${indices.dtype}. Convert them with cast('int32').`,
    );
  }
}

/** The indices in row-major order; negative ones count from the end of an axis of n elements. @throws IndexError */
function resolveIndices(name: string, indices: Strided, n: number): Int32Array {
  const list = new Int32Array(indices.size);
  copyElements(indices, {
    data: list,
    shape: indices.shape,
    strides: rowMajorStrides(indices.shape),
    offset: 0,
  });
  for (let i = 0; i < list.length; i++) {
    if (list[i] < -n || list[i] >= n) {
      throw new IndexError(
        `${name}: index ${list[i]} is outside an axis of ${n} elements (${-n} to ${n - 1}).`,
      );
    }
    if (list[i] < 0) list[i] += n;
  }
  return list;
}

/**
 * The entries of x at `indices` (int32) along an axis (default 0), as `numpy.take`: the axis is replaced by the axes of
 * the indices. Negative indices count from the end.
 * @throws IndexError for an index outside the axis
 * @example ops.gather([[1, 2], [3, 4]], [1, 0, 1]); // [[3, 4], [1, 2], [3, 4]]
 */
export const gather: KernelOp<readonly ['x', 'indices'], { axis?: number }, 'axis'> = {
  kind: 'kernel',
  name: 'gather',
  inputs: ['x', 'indices'],
  promotion: 'same',
  lead: 'axis',
  infer: ([x, indices], { axis = 0 }) => {
    checkIndices('gather', indices);
    return {
      dtype: x.dtype,
      shape: replaceAxis(x.shape, normalizeAxis('gather', axis, x.shape.length), indices.shape),
    };
  },
  launch: ([x, indices], out, { axis = 0 }) => {
    const along = normalizeAxis('gather', axis, x.shape.length);
    gatherAxis(x, along, resolveIndices('gather', indices, x.shape[along]), out);
  },
};

/** The size of the axis in the result, and which axis it is (default 0). */
export interface IndexAddAttrs {
  size: number;
  axis?: number;
}

/**
 * Zeros with x added at `indices` (int32, one axis) along an axis: the adjoint of `gather`. Repeated indices add up.
 * @example ops.indexAdd([1, 2, 4], [0, 2, 0], { size: 3 }); // [5, 0, 2]
 */
export const indexAdd: KernelOp<readonly ['x', 'indices'], IndexAddAttrs, never> = {
  kind: 'kernel',
  name: 'indexAdd',
  attributes: ['size', 'axis'],
  inputs: ['x', 'indices'],
  promotion: 'same',
  infer: ([x, indices], { size, axis = 0 }) => {
    checkIndices('indexAdd', indices);
    const along = normalizeAxis('indexAdd', axis, x.shape.length);
    if (indices.shape.length !== 1 || indices.shape[0] !== x.shape[along]) {
      throw new ShapeError(
        `indexAdd: axis ${axis} of ${formatShape(x.shape)} needs as many indices; got indices ${formatShape(indices.shape)}.`,
      );
    }
    return { dtype: x.dtype, shape: checkShape('indexAdd', replaceAxis(x.shape, along, [size])) };
  },
  launch: ([x, indices], out, { size, axis = 0 }) => {
    const along = normalizeAxis('indexAdd', axis, x.shape.length);
    const source = asContiguous(x);
    const index = resolveIndices('indexAdd', indices, size);
    const inner = sizeOf(x.shape.slice(along + 1));
    k.scatterAdd(
      sizeOf(x.shape.slice(0, along)),
      size,
      inner,
      source.data,
      source.offset,
      index,
      out.data,
      out.offset,
    );
  },
};

/** Each index vector (last axis) of an index tensor as a flat position in the leading axes of `shape`. */
function flatPositions(name: string, indices: Strided, shape: Shape): Int32Array {
  const depth = indices.shape[indices.shape.length - 1];
  const list = new Int32Array(indices.size);
  copyElements(indices, {
    data: list,
    shape: indices.shape,
    strides: rowMajorStrides(indices.shape),
    offset: 0,
  });
  const positions = new Int32Array(sizeOf(indices.shape.slice(0, -1)));
  for (let i = 0; i < positions.length; i++) {
    for (let d = 0; d < depth; d++) {
      const at = list[i * depth + d];
      if (at < 0 || at >= shape[d]) {
        throw new IndexError(
          `${name}: index ${at} is outside axis ${d} of ${formatShape(shape)} (0 to ${shape[d] - 1}).`,
        );
      }
      positions[i] = positions[i] * shape[d] + at;
    }
  }
  return positions;
}

/** Index vectors [..., depth] must address leading axes of `shape`; returns the axes that are left. */
function restOf(name: string, indices: TensorType, shape: Shape): Shape {
  checkIndices(name, indices);
  const depth = indices.shape[indices.shape.length - 1] ?? 0;
  if (indices.shape.length === 0 || depth > shape.length) {
    throw new ShapeError(
      `${name}: the last axis of the indices holds one number for each of the leading axes of ${formatShape(shape)}; ` +
        `got indices ${formatShape(indices.shape)}.`,
    );
  }
  if (sizeOf(shape.slice(0, depth)) > 2 ** 31) {
    throw new ShapeError(
      `${name}: the leading axes of ${formatShape(shape)} have more than 2^31 places, which int32 cannot count; take a part first.`,
    );
  }
  return shape.slice(depth);
}

/**
 * Zeros of `shape` with each update added at its index vector (last axis of `indices`, int32); repeated ones add up.
 * Shapes: indices [..., depth], updates [..., shape[depth], …] → shape.
 * @throws IndexError for an index outside the shape, ShapeError when indices and updates do not fit
 * @example ops.scatterND([[2], [0], [2]], [1, 2, 3], [4]); // [2, 0, 4, 0]
 */
export const scatterND: KernelOp<readonly ['indices', 'updates'], { shape: Shape }, 'shape'> = {
  kind: 'kernel',
  name: 'scatterND',
  inputs: ['indices', 'updates'],
  promotion: 'same',
  lead: 'shape',
  infer: ([indices, updates], { shape }) => {
    checkShape('scatterND', shape);
    const expected = [...indices.shape.slice(0, -1), ...restOf('scatterND', indices, shape)];
    if (!sameShape(expected, updates.shape)) {
      throw new ShapeError(
        `scatterND: indices ${formatShape(indices.shape)} into ${formatShape(shape)} need updates ${formatShape(expected)}; ` +
          `got ${formatShape(updates.shape)}.`,
      );
    }
    return { dtype: updates.dtype, shape };
  },
  launch: ([indices, updates], out, { shape }) => {
    const index = flatPositions('scatterND', indices, shape);
    const inner = sizeOf(restOf('scatterND', indices, shape));
    const source = asContiguous(updates);
    k.scatterAdd(
      1,
      out.size / Math.max(inner, 1),
      inner,
      source.data,
      source.offset,
      index,
      out.data,
      out.offset,
    );
  },
};

/**
 * The entries of x at index vectors (last axis of `indices`, int32): the adjoint of `scatterND`.
 * @throws IndexError for an index outside the tensor
 * @example ops.gatherND([[1, 2], [3, 4]], [[0, 1], [1, 0]]); // [2, 3]
 */
export const gatherND: KernelOp<readonly ['x', 'indices'], NoAttrs, never> = {
  kind: 'kernel',
  name: 'gatherND',
  inputs: ['x', 'indices'],
  promotion: 'same',
  infer: ([x, indices]) => ({
    dtype: x.dtype,
    shape: [...indices.shape.slice(0, -1), ...restOf('gatherND', indices, x.shape)],
  }),
  launch: ([x, indices], out) => {
    const index = flatPositions('gatherND', indices, x.shape);
    const inner = sizeOf(restOf('gatherND', indices, x.shape));
    const source = asContiguous(x);
    k.gather(
      1,
      x.size / Math.max(inner, 1),
      inner,
      source.data,
      source.offset,
      index,
      out.data,
      out.offset,
    );
  },
};

function checkAlong(name: string, x: TensorType, indices: TensorType, axis: number): void {
  checkIndices(name, indices);
  const same =
    x.shape.length === indices.shape.length &&
    x.shape.every((n, i) => i === axis || n === indices.shape[i]);
  if (!same) {
    throw new ShapeError(
      `${name}: shapes may differ on axis ${axis} only; got ${formatShape(x.shape)} and indices ${formatShape(indices.shape)}.`,
    );
  }
}

/**
 * y[.., i, ..] = x[.., indices[.., i, ..], ..] along an axis (default the last), as `numpy.take_along_axis`.
 * @throws IndexError for an index outside the axis
 * @example ops.takeAlongAxis([[1, 2], [3, 4]], [[1], [0]]); // [[2], [3]]
 */
export const takeAlongAxis: KernelOp<readonly ['x', 'indices'], { axis?: number }, 'axis'> = {
  kind: 'kernel',
  name: 'takeAlongAxis',
  inputs: ['x', 'indices'],
  promotion: 'same',
  lead: 'axis',
  infer: ([x, indices], { axis = -1 }) => {
    checkAlong('takeAlongAxis', x, indices, normalizeAxis('takeAlongAxis', axis, x.shape.length));
    return { dtype: x.dtype, shape: indices.shape };
  },
  launch: ([x, indices], out, { axis = -1 }) => {
    const along = normalizeAxis('takeAlongAxis', axis, x.shape.length);
    const count = indices.shape[along];
    const [sx, si, sy] = [x, indices, out].map((t) => t.strides[along]);
    eachLane([out, x, indices], along, ([iy, ix, ii]) => {
      for (let i = 0; i < count; i++) {
        const at = checkedIndex('takeAlongAxis', indices.data[ii + i * si], x.shape[along]);
        out.data[iy + i * sy] = x.data[ix + at * sx];
      }
    });
  },
};

/**
 * Zeros whose axis has `size` elements, with y[.., indices[.., i, ..], ..] += x[.., i, ..]: the adjoint of `takeAlongAxis`.
 * @example ops.putAlongAxis([[5], [6]], [[1], [0]], { size: 2, axis: 1 }); // [[0, 5], [6, 0]]
 */
export const putAlongAxis: KernelOp<readonly ['x', 'indices'], IndexAddAttrs, never> = {
  kind: 'kernel',
  name: 'putAlongAxis',
  attributes: ['size', 'axis'],
  inputs: ['x', 'indices'],
  promotion: 'same',
  infer: ([x, indices], { size, axis = 0 }) => {
    const along = normalizeAxis('putAlongAxis', axis, x.shape.length);
    checkAlong('putAlongAxis', x, indices, along);
    return {
      dtype: x.dtype,
      shape: checkShape('putAlongAxis', replaceAxis(x.shape, along, [size])),
    };
  },
  launch: ([x, indices], out, { size, axis = 0 }) => {
    const along = normalizeAxis('putAlongAxis', axis, x.shape.length);
    const count = x.shape[along];
    const [sx, si, sy] = [x, indices, out].map((t) => t.strides[along]);
    eachLane([out, x, indices], along, ([iy, ix, ii]) => {
      for (let i = 0; i < count; i++) {
        const at = checkedIndex('putAlongAxis', indices.data[ii + i * si], size);
        out.data[iy + at * sy] += x.data[ix + i * sx];
      }
    });
  },
};

function checkedIndex(name: string, index: number, n: number): number {
  if (index < 0 || index >= n)
    throw new IndexError(`${name}: index ${index} is outside an axis of ${n} elements.`);
  return index;
}

/** The number of classes, the new axis (default the last), and the dtype of the result (default float32). */
export interface OneHotAttrs {
  depth: number;
  axis?: number;
  dtype?: DType;
}

/**
 * 1 at each index along a new axis, else 0; an index outside 0 … depth − 1 gives zeros.
 * @example ops.oneHot([1, 0], 3); // [[0, 1, 0], [1, 0, 0]]
 */
export const oneHot: KernelOp<readonly ['indices'], OneHotAttrs, 'depth'> = {
  kind: 'kernel',
  name: 'oneHot',
  attributes: ['axis', 'dtype'],
  inputs: ['indices'],
  promotion: 'same',
  lead: 'depth',
  infer: ([indices], { depth, axis = -1, dtype = 'float32' }) => {
    checkIndices('oneHot', indices);
    const at = normalizeAxis('oneHot', axis, indices.shape.length + 1);
    return {
      dtype: checkDType(dtype),
      shape: checkShape('oneHot', insertAt(indices.shape, at, depth)),
    };
  },
  launch: ([indices], out, { depth, axis = -1 }) => {
    const at = normalizeAxis('oneHot', axis, out.shape.length);
    const column = restrided(
      indices,
      insertAt(indices.shape, at, 1),
      insertAt(indices.strides, at, 0),
    );
    eachLane([out, column], at, ([iy, ii]) => {
      const index = column.data[ii];
      if (index >= 0 && index < depth) out.data[iy + index * out.strides[at]] = 1;
    });
  },
};

/** How many to keep. The result is always sorted, so `sorted` makes no difference. */
export interface TopKAttrs {
  k: number;
  sorted?: boolean;
}

/**
 * The k largest elements of the last axis, largest first, and their indices (int32); of equal ones the first come first.
 * @throws ValueError when k is more than the axis has
 * @example ops.topk([1, 4, 3], 2); // [[4, 3], [1, 2]]
 */
export const topk: ListOp<readonly ['x'], TopKAttrs, 'k'> = {
  kind: 'list',
  name: 'topk',
  attributes: ['sorted'],
  inputs: ['x'],
  promotion: 'same',
  lead: 'k',
  infer: ([x], { k: count }) => {
    const n = x.shape[normalizeAxis('topk', -1, x.shape.length)];
    if (!Number.isInteger(count) || count < 0 || count > n) {
      throw new ValueError(
        `topk: k must be from 0 to ${n}, the size of the last axis of ${formatShape(x.shape)}; got ${count}.`,
      );
    }
    const shape = [...x.shape.slice(0, -1), count];
    return [
      { dtype: x.dtype, shape },
      { dtype: 'int32', shape },
    ];
  },
  launch: ([x], [values, indices], { k: count }) => {
    const axis = x.shape.length - 1;
    const order = new Int32Array(x.shape[axis]);
    eachLane([values, x], axis, ([iy, ix]) => {
      lanes.argsort(order.length, order, 0, 1, x.data, ix, x.strides[axis], 1, 0);
      for (let i = 0; i < count; i++) {
        values.data[iy + i] = x.data[ix + order[i] * x.strides[axis]];
        indices.data[iy - values.offset + indices.offset + i] = order[i];
      }
    });
  },
};
