/** Rows of the ops that move elements: views, joining and parting, padding and repeating. */
import { at, axisOf, broadcastShape, build, atBroadcast } from '../naive.js';
import { SAME, uniform, type OpRows } from './types.js';

export const movement = {
  identity: {
    cases: [{ inputs: [uniform([2, 3])] }],
    dtypes: SAME,
    empty: [{ inputs: [[0]], shape: [0] }],
    expected: ([x]) => x,
  },
  transpose: {
    cases: [
      { inputs: [uniform([2, 3, 4])] },
      { inputs: [uniform([2, 3, 4])], attrs: { perm: [1, -1, 0] } },
      { inputs: [uniform([])] },
    ],
    dtypes: SAME,
    empty: [{ inputs: [[2, 0, 3]], attrs: { perm: [1, 2, 0] }, shape: [0, 3, 2] }],
  },
  reshape: {
    cases: [
      { inputs: [uniform([2, 3, 4])], attrs: { shape: [6, 4] } },
      { inputs: [uniform([2, 3, 4])], attrs: { shape: [4, -1, 2] } },
      { inputs: [uniform([1, 1])], attrs: { shape: [] } },
    ],
    dtypes: SAME,
    empty: [
      { inputs: [[0, 3]], attrs: { shape: [-1, 5] }, shape: [0, 5] },
      { inputs: [[2, 0]], attrs: { shape: [0] }, shape: [0] },
    ],
  },
  expandDims: {
    cases: [
      { inputs: [uniform([2, 3])], attrs: { axis: 1 } },
      { inputs: [uniform([2, 3])], attrs: { axis: -1 } },
      { inputs: [uniform([])], attrs: { axis: 0 } },
    ],
    dtypes: SAME,
    empty: [{ inputs: [[0, 3]], attrs: { axis: 0 }, shape: [1, 0, 3] }],
    expected: ([x], { axis }) => {
      const at = axisOf(axis, x.shape.length + 1);
      return { shape: [...x.shape.slice(0, at), 1, ...x.shape.slice(at)], data: x.data };
    },
  },
  squeeze: {
    cases: [
      { inputs: [uniform([1, 3, 1, 2])] },
      { inputs: [uniform([1, 3, 1, 2])], attrs: { axis: -2 } },
      { inputs: [uniform([1, 3, 1])], attrs: { axis: [2, 0] } },
    ],
    dtypes: SAME,
    empty: [{ inputs: [[1, 0]], shape: [0] }],
    expected: ([x], { axis = null }) => {
      const rank = x.shape.length;
      const axes = (typeof axis === 'number' ? [axis] : (axis ?? x.shape.map((_, i) => i)))
        .map((i) => axisOf(i, rank))
        .filter((i) => x.shape[i] === 1);
      return { shape: x.shape.filter((_, i) => !axes.includes(i)), data: x.data };
    },
  },
  broadcastTo: {
    cases: [
      { inputs: [uniform([3, 1])], attrs: { shape: [2, 3, 4] } },
      { inputs: [uniform([])], attrs: { shape: [2] } },
      { inputs: [uniform([1, 3])], attrs: { shape: [1, 3] } },
    ],
    dtypes: SAME,
    empty: [
      { inputs: [[1]], attrs: { shape: [0] }, shape: [0] },
      { inputs: [[0, 1]], attrs: { shape: [2, 0, 3] }, shape: [2, 0, 3] },
    ],
    expected: ([x], { shape }) =>
      build(broadcastShape(x.shape, shape), (index) => atBroadcast(x, index)),
  },
  flip: {
    cases: [
      { inputs: [uniform([2, 3, 4])] },
      { inputs: [uniform([2, 3, 4])], attrs: { axis: -1 } },
      { inputs: [uniform([2, 3, 4])], attrs: { axis: [0, 1] } },
    ],
    dtypes: SAME,
    empty: [{ inputs: [[2, 0]], shape: [2, 0] }],
  },
  slice: {
    cases: [
      { inputs: [uniform([3, 4])], attrs: { begin: [1, 0], size: [2, -1] } },
      { inputs: [uniform([3, 4])], attrs: { begin: [0, 3], size: [3, 1] } },
    ],
    dtypes: SAME,
    empty: [
      { inputs: [[3, 4]], attrs: { begin: [3, 1], size: [-1, 2] }, shape: [0, 2] },
      { inputs: [[0, 4]], attrs: { begin: [0, 4], size: [0, 0] }, shape: [0, 0] },
    ],
  },
  stridedSlice: {
    cases: [
      {
        inputs: [uniform([5, 6])],
        attrs: { begin: [4, 1], end: [null, -1], strides: [-2, 3] },
      },
      { inputs: [uniform([5, 6])], attrs: { begin: [-2] } },
      { inputs: [uniform([5])], attrs: { strides: [-1] } },
    ],
    dtypes: SAME,
    empty: [
      { inputs: [[5]], attrs: { begin: [3], end: [2] }, shape: [0] },
      { inputs: [[5]], attrs: { begin: [9] }, shape: [0] },
      { inputs: [[0, 2]], attrs: { strides: [-1, -1] }, shape: [0, 2] },
    ],
  },
  embed: {
    cases: [
      { inputs: [uniform([2, 3])], attrs: { shape: [5, 4], start: [1, 3], step: [2, -1] } },
      { inputs: [uniform([3])], attrs: { shape: [3], start: [0], step: [1] } },
    ],
    dtypes: SAME,
    empty: [
      { inputs: [[0]], attrs: { shape: [2], start: [0], step: [1] }, shape: [2], fill: 0 },
      { inputs: [[0]], attrs: { shape: [0], start: [0], step: [1] }, shape: [0] },
    ],
    // The source of an element is (index − start) / step, if that is a place in x.
    expected: ([x], { shape, start, step }) =>
      build(shape, (index) => {
        const from = index.map((i, axis) => (i - start[axis]) / step[axis]);
        const inside = from.every((i, axis) => Number.isInteger(i) && i >= 0 && i < x.shape[axis]);
        return inside ? at(x, from) : 0;
      }),
  },
  concat: {
    cases: [
      { inputs: [uniform([2, 3]), uniform([1, 3]), uniform([3, 3])] },
      { inputs: [uniform([2, 3]), uniform([2, 1])], attrs: { axis: -1 } },
      { inputs: [uniform([2, 3])], attrs: { axis: 0 } },
    ],
    dtypes: SAME,
    empty: [
      {
        inputs: [
          [0, 2],
          [0, 2],
        ],
        shape: [0, 2],
      },
      {
        inputs: [
          [2, 0],
          [2, 0],
        ],
        attrs: { axis: 1 },
        shape: [2, 0],
      },
    ],
  },
  stack: {
    cases: [
      { inputs: [uniform([2, 3]), uniform([2, 3])] },
      { inputs: [uniform([2, 3]), uniform([2, 3]), uniform([2, 3])], attrs: { axis: -1 } },
      { inputs: [uniform([]), uniform([])] },
    ],
    dtypes: SAME,
    empty: [{ inputs: [[0], [0], [0]], attrs: { axis: 1 }, shape: [0, 3] }],
  },
  split: {
    cases: [
      { inputs: [uniform([2, 6])], attrs: { numOrSizeSplits: 3, axis: 1 } },
      { inputs: [uniform([4, 2])], attrs: { numOrSizeSplits: [1, 0, 3] } },
    ],
    dtypes: SAME,
    empty: [{ inputs: [[0, 2]], attrs: { numOrSizeSplits: 2 }, shape: [0, 2] }],
  },
  pad: {
    cases: [
      {
        inputs: [uniform([2, 3])],
        attrs: {
          paddings: [
            [1, 0],
            [2, 1],
          ],
          constantValue: 1,
        },
      },
      {
        inputs: [uniform([3, 4])],
        attrs: {
          paddings: [
            [2, 1],
            [0, 3],
          ],
          mode: 'reflect',
        },
      },
    ],
    dtypes: SAME,
    empty: [
      {
        inputs: [[0, 2]],
        attrs: {
          paddings: [
            [1, 1],
            [0, 0],
          ],
          constantValue: 1,
        },
        shape: [2, 2],
        fill: 1,
      },
      {
        inputs: [[0, 2]],
        attrs: {
          paddings: [
            [0, 0],
            [1, 0],
          ],
          mode: 'reflect',
        },
        shape: [0, 3],
      },
    ],
  },
  tile: {
    cases: [
      { inputs: [uniform([2, 3])], attrs: { reps: [2, 3] } },
      { inputs: [uniform([2, 1])], attrs: { reps: [1, 2] } },
    ],
    dtypes: SAME,
    empty: [
      { inputs: [[2, 3]], attrs: { reps: [0, 1] }, shape: [0, 3] },
      { inputs: [[0, 3]], attrs: { reps: [2, 2] }, shape: [0, 6] },
    ],
  },
  repeat: {
    cases: [
      { inputs: [uniform([2, 3])], attrs: { repeats: 2, axis: -1 } },
      { inputs: [uniform([3, 2])], attrs: { repeats: [2, 0, 1] } },
    ],
    dtypes: SAME,
    empty: [
      { inputs: [[2, 3]], attrs: { repeats: 0 }, shape: [0, 3] },
      { inputs: [[0, 3]], attrs: { repeats: 4 }, shape: [0, 3] },
    ],
  },

  // An update in place: what stays is the inputs as they are afterwards.
  assign: {
    cases: [{ inputs: [uniform([2, 3]), uniform([2, 3])] }],
    dtypes: null,
    expected: ([, value]) => [value, value],
  },
} satisfies Partial<OpRows>;
