/** Rows of the ops that take positions as data. */
import { at, axisOf, build, indicesOf, replaced, type Index, type Naive } from '../naive.js';
import { SAME, always, distinct, given, positions, uniform, type OpRows } from './types.js';

/** The sum of the elements of x whose place in the result, given by `target`, is an index. */
function scattered(
  x: Naive,
  shape: readonly number[],
  target: (from: Index) => readonly number[],
): Naive {
  const all = indicesOf(x.shape);
  return build(shape, (index) =>
    all
      .filter((from) => target(from).join() === index.join())
      .reduce((s, from) => s + at(x, from), 0),
  );
}

const wrapped = (position: number, size: number): number =>
  position < 0 ? position + size : position;

export const indexing = {
  gather: {
    cases: [
      { inputs: [uniform([4, 3]), positions([2, 2], 4)] },
      { inputs: [uniform([2, 4, 3]), given([-1, 0, 3, 0], [4], 'int32')], attrs: { axis: 1 } },
      { inputs: [uniform([2, 3]), given([2], [], 'int32')], attrs: { axis: -1 } },
    ],
    dtypes: SAME,
    empty: [
      { inputs: [[3, 2], [0]], shape: [0, 2] },
      { inputs: [[3, 0], [2]], shape: [2, 0] },
    ],
  },
  indexAdd: {
    cases: [
      { inputs: [uniform([4, 3]), given([2, 0, 2, 4], [4], 'int32')], attrs: { size: 5 } },
      {
        inputs: [uniform([2, 3, 2]), given([-1, 1, 1], [3], 'int32')],
        attrs: { size: 4, axis: 1 },
      },
      { inputs: [uniform([2, 3]), positions([3], 2)], attrs: { size: 2, axis: -1 } },
    ],
    dtypes: SAME,
    empty: [
      { inputs: [[0, 2], [0]], attrs: { size: 3 }, shape: [3, 2], fill: 0 },
      { inputs: [[0, 2], [0]], attrs: { size: 0 }, shape: [0, 2] },
    ],
    expected: ([x, indices], { size, axis = 0 }) => {
      const along = axisOf(axis, x.shape.length);
      return scattered(x, replaced(x.shape, along, size), (from) =>
        replaced(from, along, wrapped(indices.data[from[along]], size)),
      );
    },
  },
  scatterND: {
    cases: [
      { inputs: [given([2, 0, 2], [3, 1], 'int32'), uniform([3, 2])], attrs: { shape: [4, 2] } },
      {
        inputs: [given([0, 1, 1, 0, 0, 1, 1, 1], [2, 2, 2], 'int32'), uniform([2, 2])],
        attrs: { shape: [3, 2] },
      },
    ],
    dtypes: SAME,
    empty: [
      {
        inputs: [
          [0, 1],
          [0, 2],
        ],
        attrs: { shape: [3, 2] },
        shape: [3, 2],
        fill: 0,
      },
    ],
  },
  gatherND: {
    cases: [
      { inputs: [uniform([2, 3, 2]), given([1, 1, 0, 0, 1, 0], [3, 2], 'int32')] },
      { inputs: [uniform([2, 3]), given([0, 1, 1, 0], [2, 1, 2], 'int32')] },
      { inputs: [uniform([3, 2]), positions([2, 2, 1], 3)] },
    ],
    dtypes: SAME,
    empty: [
      {
        inputs: [
          [3, 2],
          [0, 1],
        ],
        shape: [0, 2],
      },
      {
        inputs: [
          [3, 2],
          [2, 0],
        ],
        shape: [2, 3, 2],
        fill: 1,
      },
    ],
    expected: ([x, indices]) => {
      const outer = indices.shape.slice(0, -1);
      const depth = indices.shape[outer.length];
      return build([...outer, ...x.shape.slice(depth)], (index) => {
        const which = index.slice(0, outer.length);
        const head = Array.from({ length: depth }, (_, d) => at(indices, [...which, d]));
        return at(x, [...head, ...index.slice(outer.length)]);
      });
    },
  },
  takeAlongAxis: {
    cases: [
      { inputs: [uniform([3, 4]), positions([3, 2], 4)] },
      { inputs: [uniform([3, 2, 2]), positions([5, 2, 2], 3)], attrs: { axis: 0 } },
    ],
    dtypes: SAME,
    empty: [
      {
        inputs: [
          [2, 3],
          [2, 0],
        ],
        shape: [2, 0],
      },
    ],
    expected: ([x, indices], { axis = -1 }) => {
      const along = axisOf(axis, x.shape.length);
      return build(indices.shape, (index) => at(x, replaced(index, along, at(indices, index))));
    },
  },
  putAlongAxis: {
    cases: [
      { inputs: [uniform([3, 4]), positions([3, 4], 5)], attrs: { size: 5, axis: -1 } },
      { inputs: [uniform([4, 2, 2]), positions([4, 2, 2], 2)], attrs: { size: 2 } },
    ],
    dtypes: SAME,
    empty: [
      {
        inputs: [
          [2, 0],
          [2, 0],
        ],
        attrs: { size: 3, axis: 1 },
        shape: [2, 3],
        fill: 0,
      },
      {
        inputs: [
          [0, 2],
          [0, 2],
        ],
        attrs: { size: 3, axis: 1 },
        shape: [0, 3],
      },
    ],
    expected: ([x, indices], { size, axis = 0 }) => {
      const along = axisOf(axis, x.shape.length);
      return scattered(x, replaced(x.shape, along, size), (from) =>
        replaced(from, along, at(indices, from)),
      );
    },
  },
  oneHot: {
    cases: [
      { inputs: [given([1, 3, -1, 0, 2, 4], [2, 3], 'int32')], attrs: { depth: 4 } },
      { inputs: [positions([3], 2)], attrs: { depth: 2, axis: 0, dtype: 'bool' } },
    ],
    dtypes: always('float32'),
    empty: [
      { inputs: [[0]], attrs: { depth: 3 }, shape: [0, 3] },
      { inputs: [[2]], attrs: { depth: 0 }, shape: [2, 0] },
    ],
  },
  topk: {
    cases: [
      { inputs: [distinct([3, 5])], attrs: { k: 3 } },
      { inputs: [given([1, 2, 2, 1, 2, 0])], attrs: { k: 4, sorted: false } },
    ],
    dtypes: SAME,
    empty: [
      { inputs: [[2, 3]], attrs: { k: 0 }, shape: [2, 0] },
      { inputs: [[0, 3]], attrs: { k: 2 }, shape: [0, 2] },
    ],
  },
} satisfies Partial<OpRows>;
