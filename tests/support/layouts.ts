/**
 * The same elements laid out in memory in different ways. The views are made by hand from offsets and strides, so that
 * nothing here depends on the ops that make views.
 */
import { tensor, type DType, type Tensor } from '@tapegrad/tensor';
import { at, build, indicesOf, replaced, type Naive } from './naive.js';

const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  bool: Uint8Array,
};

/** What lies between the elements of a view: a value that shows in a result and is no position in any axis. */
const GAP = { float32: NaN, float64: NaN, int32: 1 << 30, bool: 1 };

/** Lays out x with its axes in the given order, from the outermost on, with a step for each axis; gaps are filled. */
function place(
  x: Naive,
  dtype: DType,
  order: readonly number[],
  steps: readonly number[],
  before: number,
): Tensor {
  const strides = new Array<number>(x.shape.length).fill(0);
  let length = 1;
  for (const axis of [...order].reverse()) {
    strides[axis] = length * steps[axis];
    length *= x.shape[axis] * Math.abs(steps[axis]);
  }
  // An axis that is walked backwards starts at its other end.
  const offset = strides.reduce(
    (sum, stride, axis) => (stride < 0 ? sum - stride * (x.shape[axis] - 1) : sum),
    before,
  );
  const data = new ARRAYS[dtype](before + length + 3).fill(GAP[dtype]);
  for (const index of indicesOf(x.shape)) {
    data[index.reduce((sum, i, axis) => sum + i * strides[axis], offset)] = at(x, index);
  }
  return tensor({ data, shape: [...x.shape], stride: strides, offset });
}

const axes = (x: Naive): number[] => x.shape.map((_, i) => i);
const all = (x: Naive, step: number): number[] => x.shape.map(() => step);

/** Row-major, in an array of its own. */
export function contiguous(x: Naive, dtype: DType): Tensor {
  return tensor(ARRAYS[dtype].from(x.data), { shape: x.shape });
}

/** Ways to lay out the elements. */
export const layouts: Readonly<Record<string, (x: Naive, dtype: DType) => Tensor>> = {
  'in the middle of an array': (x, dtype) => place(x, dtype, axes(x), all(x, 1), 5),
  transposed: (x, dtype) => place(x, dtype, axes(x).reverse(), all(x, 1), 0),
  stepped: (x, dtype) => place(x, dtype, axes(x), all(x, 2), 1),
  flipped: (x, dtype) => place(x, dtype, axes(x), all(x, -1), 0),
  'transposed, stepped and flipped': (x, dtype) => {
    const order = axes(x);
    const rotated = [...order.slice(1), ...order.slice(0, 1)];
    const steps = order.map((i) => (i % 2 === 0 ? -2 : 3));
    return place(x, dtype, rotated, steps, 2);
  },
};

/** x with the first entry of an axis everywhere along it: what a stride of 0 shows. */
export function repeatedAlong(x: Naive, axis: number): Naive {
  return build(x.shape, (index) => at(x, replaced(index, axis, 0)));
}

/** A view of such an x in which that axis has stride 0. */
export function withStrideZero(x: Naive, dtype: DType, axis: number): Tensor {
  const shape = replaced(x.shape, axis, 1);
  const first = place(
    build(shape, (index) => at(x, index)),
    dtype,
    axes(x),
    all(x, 1),
    1,
  );
  return tensor({
    data: first.data,
    shape: [...x.shape],
    stride: replaced(first.strides, axis, 0),
    offset: first.offset,
  });
}
