/** Rows of the reductions and of the ops along one axis. */
import { at, axisOf, build, lane, replaced } from '../naive.js';
import {
  FLOAT,
  NUMBER,
  SAME,
  always,
  distinct,
  integers,
  uniform,
  type OpRow,
  type ResultDTypes,
  type Sample,
  type OpRows,
} from './types.js';

interface Attrs {
  axis?: number | readonly number[] | null;
  keepDims?: boolean;
}

/** A reduction of the shape [3, 2, 4] in several ways; `ofNothing` is what no elements give, null where they give an error. */
function reduction(
  dtypes: ResultDTypes,
  ofNothing: number | null,
  sample: (shape: readonly number[]) => Sample = uniform,
): OpRow<Attrs> {
  const attrs: Attrs[] = [
    {},
    { axis: 0 },
    { axis: -1, keepDims: true },
    { axis: [0, 2] },
    { axis: [2, 1], keepDims: true },
    { axis: null, keepDims: true },
  ];
  const full =
    ofNothing === null
      ? []
      : [
          { inputs: [[0]], shape: [], fill: ofNothing },
          { inputs: [[0, 3]], attrs: { axis: 0 }, shape: [3], fill: ofNothing },
          { inputs: [[3, 0]], attrs: { keepDims: true }, shape: [1, 1], fill: ofNothing },
        ];
  return {
    cases: [
      ...attrs.map((a) => ({ inputs: [sample([3, 2, 4])], attrs: a })),
      { inputs: [sample([])] },
    ],
    dtypes,
    empty: [
      ...full,
      { inputs: [[0, 3]], attrs: { axis: 1 }, shape: [0] },
      { inputs: [[2, 0, 3]], attrs: { axis: [0, 2], keepDims: true }, shape: [1, 0, 1] },
    ],
  };
}

function arg(): OpRow<{ axis?: number | null; keepDims?: boolean }> {
  return {
    cases: [
      { inputs: [distinct([3, 2, 4])] },
      { inputs: [integers([3, 2, 4], 0, 2)], attrs: { axis: 0 } },
      { inputs: [integers([3, 2, 4], 0, 2)], attrs: { axis: -1, keepDims: true } },
      { inputs: [uniform([])] },
    ],
    dtypes: always('int32'),
    empty: [{ inputs: [[0, 3]], attrs: { axis: 1 }, shape: [0] }],
  };
}

/** An op along one axis that keeps the shape. */
function along<A extends { axis?: number }>(
  dtypes: ResultDTypes,
  attrs: readonly A[],
  sample: (shape: readonly number[]) => Sample = uniform,
): OpRow<A> {
  return {
    cases: attrs.map((a) => ({ inputs: [sample([3, 2, 4])], attrs: a })),
    dtypes,
    empty: [
      { inputs: [[0, 3]], attrs: { ...attrs[0], axis: 0 }, shape: [0, 3] },
      { inputs: [[0, 3]], attrs: { ...attrs[0], axis: 1 }, shape: [0, 3] },
    ],
  };
}

const AXES = [{}, { axis: 0 }, { axis: 1 }, { axis: -1 }];
const SCANS: readonly { axis?: number; exclusive?: boolean; reverse?: boolean }[] = [
  {},
  { axis: 0, exclusive: true },
  { axis: 1, reverse: true },
  { axis: -1, exclusive: true, reverse: true },
];

export const reduce = {
  sum: reduction(NUMBER, 0),
  mean: reduction(FLOAT, NaN),
  prod: reduction(NUMBER, 1),
  max: reduction(NUMBER, null, distinct),
  min: reduction(NUMBER, null, distinct),
  variance: reduction(FLOAT, NaN),
  std: reduction(FLOAT, NaN),
  logSumExp: reduction(FLOAT, -Infinity),
  any: reduction(always('bool'), 0, (shape) => integers(shape, 0, 1)),
  all: reduction(always('bool'), 1, (shape) => integers(shape, 0, 1)),
  norm: {
    ...reduction(FLOAT, 0),
    cases: [
      { inputs: [uniform([3, 2, 4])] },
      { inputs: [uniform([3, 2, 4])], attrs: { ord: 1, axis: 0 } },
      { inputs: [uniform([3, 2, 4])], attrs: { ord: 'inf', axis: [1, 2], keepDims: true } },
    ],
  },
  argmax: arg(),
  argmin: arg(),
  softmax: along(FLOAT, AXES),
  logSoftmax: along(FLOAT, AXES),
  cumsum: along(NUMBER, SCANS),
  cumprod: along(NUMBER, SCANS),
  sort: along(SAME, AXES, distinct),
  argsort: {
    ...along<{ axis?: number; descending?: boolean }>(
      always('int32'),
      [{}, { axis: 0 }, { axis: 1, descending: true }, { axis: -1, descending: true }],
      (shape) => integers(shape, 0, 3),
    ),
    // The position that an element gets is the number of elements that must stand before it.
    expected: ([x], { axis = -1, descending = false }) => {
      const along = axisOf(axis, x.shape.length);
      return build(x.shape, (index) => {
        const row = lane(x, index, along);
        const before = (i: number, j: number): boolean =>
          row[i] === row[j] ? i < j : descending ? row[i] > row[j] : row[i] < row[j];
        return row.findIndex((_, j) => row.filter((__, i) => before(i, j)).length === index[along]);
      });
    },
  },
  softmaxCrossEntropy: {
    cases: [
      { inputs: [uniform([3, 4]), uniform([3, 4], 0, 1)] },
      { inputs: [uniform([2, 3, 4], -6, 6), uniform([2, 3, 4], 0, 1)] },
      { inputs: [uniform([5]), uniform([5], 0, 1)] },
    ],
    dtypes: FLOAT,
    empty: [
      {
        inputs: [
          [0, 3],
          [0, 3],
        ],
        shape: [0],
      },
      {
        inputs: [
          [2, 0],
          [2, 0],
        ],
        shape: [2],
        fill: 0,
      },
    ],
    // −Σ t·ln p with p = eᶻ / Σeᶻ, as textbooks write it.
    expected: ([logits, labels]) => {
      const last = logits.shape.length - 1;
      return build(logits.shape.slice(0, -1), (index) => {
        const z = lane(logits, [...index, 0], last);
        const total = z.reduce((sum, v) => sum + Math.exp(v), 0);
        return z.reduce(
          (loss, v, i) =>
            loss - at(labels, replaced([...index, 0], last, i)) * Math.log(Math.exp(v) / total),
          0,
        );
      });
    },
  },
} satisfies Partial<OpRows>;
