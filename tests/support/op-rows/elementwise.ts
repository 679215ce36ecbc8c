/** Rows of the element-wise ops. */
import { build, elementwise as map } from '../naive.js';
import {
  FLOAT,
  NUMBER,
  SAME,
  always,
  given,
  integers,
  truths,
  uniform,
  type Case,
  type EmptyCase,
  type OpRow,
  type OpRows,
  type ResultDTypes,
  type Sample,
} from './types.js';

const EMPTY_UNARY: readonly EmptyCase[] = [
  { inputs: [[0]], shape: [0] },
  { inputs: [[2, 0, 3]], shape: [2, 0, 3] },
];

/** A row of an op of one tensor, at numbers from [low, high). */
function unary(dtypes: ResultDTypes, low = -2, high = 2): OpRow {
  return {
    cases: [[2, 3, 4], [5], []].map((shape) => ({ inputs: [uniform(shape, low, high)] })),
    dtypes,
    empty: EMPTY_UNARY,
  };
}

const EMPTY_BINARY: readonly EmptyCase[] = [
  { inputs: [[0], [0]], shape: [0] },
  { inputs: [[0], []], shape: [0] },
  {
    inputs: [
      [0, 3],
      [1, 3],
    ],
    shape: [0, 3],
  },
  { inputs: [[2, 1], [0]], shape: [2, 0] },
];

/** Shapes that broadcast. */
const PAIRS: readonly (readonly [number[], number[]])[] = [
  [
    [2, 3, 4],
    [2, 3, 4],
  ],
  [[2, 3, 4], [4]],
  [
    [2, 1, 3],
    [4, 1],
  ],
  [[], [3, 2]],
];

/** Calls of an op of two tensors. */
function pairs(
  first: (shape: number[]) => Sample,
  second: (shape: number[]) => Sample = first,
): Case[] {
  return PAIRS.map(([a, b]) => ({ inputs: [first(a), second(b)] }));
}

/** A row of an op of two tensors with numbers from [lowA, highA) and [lowB, highB). */
function binary(
  dtypes: ResultDTypes,
  [lowA, highA]: readonly [number, number] = [-2, 2],
  [lowB, highB]: readonly [number, number] = [lowA, highA],
): OpRow {
  return {
    cases: pairs(
      (shape) => uniform(shape, lowA, highA),
      (shape) => uniform(shape, lowB, highB),
    ),
    dtypes,
    empty: EMPTY_BINARY,
  };
}

/** A comparison, at whole numbers, which are often equal. */
const comparison: OpRow = {
  cases: pairs((shape) => integers(shape, 0, 2)),
  dtypes: always('bool'),
  empty: EMPTY_BINARY,
};

export const elementwise = {
  neg: unary(NUMBER),
  abs: unary(NUMBER),
  exp: unary(FLOAT),
  log: unary(FLOAT, 0.1, 3),
  log1p: unary(FLOAT, -0.9, 3),
  expm1: unary(FLOAT),
  sqrt: unary(FLOAT, 0.1, 3),
  rsqrt: unary(FLOAT, 0.1, 3),
  square: unary(NUMBER),
  reciprocal: unary(FLOAT, 0.2, 3),
  sin: unary(FLOAT),
  cos: unary(FLOAT),
  tan: unary(FLOAT, -1.2, 1.2),
  asin: unary(FLOAT, -0.95, 0.95),
  acos: unary(FLOAT, -0.95, 0.95),
  atan: unary(FLOAT),
  sinh: unary(FLOAT),
  cosh: unary(FLOAT),
  tanh: unary(FLOAT),
  sigmoid: unary(FLOAT, -4, 4),
  softplus: unary(FLOAT, -4, 4),
  softsign: unary(FLOAT),
  relu: unary(NUMBER),
  relu6: unary(NUMBER, -3, 9),
  selu: unary(FLOAT),
  silu: unary(FLOAT),
  mish: unary(FLOAT),
  hardSigmoid: unary(FLOAT, -5, 5),
  erf: unary(FLOAT, -3, 3),
  floor: unary(NUMBER, -5, 5),
  ceil: unary(NUMBER, -5, 5),
  round: unary(NUMBER, -5, 5),
  sign: unary(NUMBER),
  leakyRelu: {
    ...unary(FLOAT),
    cases: [{ inputs: [uniform([3, 4])], attrs: { alpha: 0.2 } }, { inputs: [uniform([5])] }],
  },
  elu: {
    ...unary(FLOAT),
    cases: [{ inputs: [uniform([3, 4])], attrs: { alpha: 1.5 } }, { inputs: [uniform([5])] }],
  },
  gelu: {
    ...unary(FLOAT),
    cases: [
      { inputs: [uniform([3, 4])], attrs: { approximate: true } },
      { inputs: [uniform([5])] },
    ],
  },
  clip: {
    cases: [
      { inputs: [uniform([3, 4])], attrs: { min: -1, max: 1 } },
      { inputs: [uniform([3, 2, 2])], attrs: { max: 0.75 } },
    ],
    dtypes: NUMBER,
    empty: [{ inputs: [[0, 2]], attrs: { min: 0 }, shape: [0, 2] }],
  },

  logicalNot: {
    cases: [{ inputs: [integers([2, 3], -1, 1)] }, { inputs: [truths([4])] }],
    dtypes: always('bool'),
    empty: EMPTY_UNARY,
    expected: ([x]) => map((v) => (v === 0 ? 1 : 0), x),
  },
  isNaN: {
    cases: [{ inputs: [given([1, NaN, Infinity, -Infinity, 0, NaN], [2, 3])] }],
    dtypes: always('bool'),
    empty: EMPTY_UNARY,
    expected: ([x]) => map((v) => (Number.isNaN(v) ? 1 : 0), x),
  },
  cast: {
    cases: [
      { inputs: [uniform([3, 4], -3, 3)], attrs: { dtype: 'int32' } },
      { inputs: [uniform([3, 4], -3, 3)], attrs: { dtype: 'float32' } },
      { inputs: [uniform([3, 4], -3, 3)], attrs: { dtype: 'float64' } },
      { inputs: [given([0, 0.25, -3, NaN, -0, 1], [2, 3])], attrs: { dtype: 'bool' } },
      { inputs: [truths([2, 3])], attrs: { dtype: 'float64' } },
    ],
    dtypes: always('int32'),
    empty: [{ inputs: [[0, 2]], attrs: { dtype: 'bool' }, shape: [0, 2] }],
    expected: ([x], { dtype }) => {
      const to = {
        int32: Math.trunc,
        float32: Math.fround,
        float64: Number,
        bool: (v: number) => (v === 0 ? 0 : 1),
      };
      return map((v) => to[dtype](v), x);
    },
  },
  copy: {
    ...unary(SAME),
    expected: ([x]) =>
      build(x.shape, (index) => x.data[index.reduce((n, i, k) => n * x.shape[k] + i, 0)]),
  },

  add: binary(NUMBER),
  sub: binary(NUMBER),
  mul: binary(NUMBER),
  div: binary(FLOAT, [-2, 2], [0.3, 2]),
  pow: binary(NUMBER, [0.2, 2], [-2, 2]),
  mod: binary(NUMBER, [-5, 5], [0.5, 3]),
  maximum: binary(NUMBER),
  minimum: binary(NUMBER),
  squaredDifference: binary(NUMBER),
  atan2: binary(FLOAT, [-2, 2], [0.2, 2]),
  equal: comparison,
  notEqual: comparison,
  less: comparison,
  lessEqual: comparison,
  greater: comparison,
  greaterEqual: comparison,
  logicalAnd: {
    ...comparison,
    expected: ([a, b]) => map((p, q) => (p !== 0 && q !== 0 ? 1 : 0), a, b),
  },
  logicalOr: {
    ...comparison,
    expected: ([a, b]) => map((p, q) => (p !== 0 || q !== 0 ? 1 : 0), a, b),
  },
  reluGrad: {
    ...binary(NUMBER),
    cases: pairs(
      (shape) => uniform(shape),
      (shape) => integers(shape, 0, 2),
    ),
    expected: ([cotangent, output]) => map((g, y) => (y > 0 ? g : 0), cotangent, output),
  },
  sigmoidCrossEntropy: {
    ...binary(FLOAT, [-4, 4], [0, 1]),
    // From the probability, as textbooks write it; exact enough for logits of this size.
    expected: ([logits, labels]) =>
      map(
        (z, t) => {
          const p = 1 / (1 + Math.exp(-z));
          return -t * Math.log(p) - (1 - t) * Math.log(1 - p);
        },
        logits,
        labels,
      ),
  },
  where: {
    cases: [
      { inputs: [truths([2, 3]), uniform([2, 3]), uniform([2, 3])] },
      { inputs: [truths([2, 1]), uniform([3]), uniform([4, 1, 1])] },
      { inputs: [truths([2, 2]), uniform([]), uniform([2])] },
    ],
    dtypes: SAME,
    empty: [
      { inputs: [[0, 1], [3], []], shape: [0, 3] },
      { inputs: [[1], [2, 0], [1, 1]], shape: [2, 0] },
    ],
  },
} satisfies Partial<OpRows>;
