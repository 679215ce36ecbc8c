/** Rows of the element-wise ops. */
import { ops, type Variable } from '@tapegrad/autograd';
import {
  broadcasting,
  given,
  row,
  truths,
  uniform,
  type GradientRow,
  type GradientRows,
} from './types.js';

type Row = [GradientRow, ...GradientRow[]];

const matrix = [2, 3];
const smooth = (f: (x: Variable) => Variable, low = -2, high = 2): Row => [
  row(f, uniform(matrix, low, high)),
  row(f, uniform([], low, high)),
];
const kinked = (
  f: (x: Variable) => Variable,
  low: number,
  high: number,
  ...kinks: number[]
): Row => [row(f, uniform([3, 3], low, high, kinks))];
const wholes = [-2, -1, 0, 1, 2];
const halves = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5];

export const elementwiseRows = {
  neg: smooth((x) => x.neg()),
  abs: kinked((x) => x.abs(), -2, 2, 0),
  exp: smooth((x) => x.exp()),
  log: smooth((x) => x.log(), 0.3, 3),
  log1p: smooth((x) => x.log1p(), -0.5, 2),
  expm1: smooth((x) => x.expm1()),
  sqrt: smooth((x) => x.sqrt(), 0.3, 3),
  rsqrt: smooth((x) => x.rsqrt(), 0.3, 3),
  square: smooth((x) => x.square()),
  reciprocal: [
    ...smooth((x) => x.reciprocal(), 0.4, 2),
    ...smooth((x) => x.reciprocal(), -2, -0.4),
  ],
  sin: smooth((x) => x.sin(), -4, 4),
  cos: smooth((x) => x.cos(), -4, 4),
  tan: smooth((x) => x.tan(), -1.2, 1.2),
  asin: smooth((x) => x.asin(), -0.8, 0.8),
  acos: smooth((x) => x.acos(), -0.8, 0.8),
  atan: smooth((x) => x.atan()),
  sinh: smooth((x) => x.sinh()),
  cosh: smooth((x) => x.cosh()),
  tanh: smooth((x) => x.tanh()),
  sigmoid: smooth((x) => x.sigmoid(), -5, 5),
  softplus: [...smooth((x) => x.softplus(), -5, 5), row((x) => x.softplus(), given([0, 30, -30]))],
  softsign: kinked((x) => x.softsign(), -2, 2, 0),
  relu: kinked((x) => x.relu(), -2, 2, 0),
  relu6: kinked((x) => x.relu6(), -3, 9, 0, 6),
  leakyRelu: [
    ...kinked((x) => x.leakyRelu(), -2, 2, 0),
    ...kinked((x) => x.leakyRelu(0.01), -2, 2, 0),
  ],
  elu: [...kinked((x) => x.elu(), -2, 2, 0), ...kinked((x) => x.elu(0.7), -2, 2, 0)],
  selu: kinked((x) => x.selu(), -2, 2, 0),
  gelu: [...smooth((x) => x.gelu(), -4, 4), ...smooth((x) => x.gelu({ approximate: true }), -4, 4)],
  silu: smooth((x) => x.silu(), -5, 5),
  mish: smooth((x) => x.mish(), -5, 5),
  hardSigmoid: kinked((x) => x.hardSigmoid(), -5, 5, -3, 3),
  erf: smooth((x) => x.erf(), -4, 4),
  // Flat between the steps.
  floor: kinked((x) => x.floor(), -2.5, 2.5, ...wholes),
  ceil: kinked((x) => x.ceil(), -2.5, 2.5, ...wholes),
  round: kinked((x) => x.round(), -3, 3, ...halves),
  sign: kinked((x) => x.sign(), -2, 2, 0),
  clip: [
    ...kinked((x) => x.clip({ min: -1, max: 0.5 }), -2, 2, -1, 0.5),
    ...kinked((x) => x.clip({ min: -1 }), -2, 2, -1),
    ...kinked((x) => x.clip({ max: 0.5 }), -2, 2, 0.5),
  ],
  cast: smooth((x) => x.cast('float64')),
  copy: smooth((x) => x.copy()),

  add: broadcasting((a, b) => a.add(b), uniform),
  sub: broadcasting((a, b) => a.sub(b), uniform),
  mul: broadcasting((a, b) => a.mul(b), uniform),
  div: broadcasting(
    (a, b) => a.div(b),
    uniform,
    (shape) => uniform(shape, 0.5, 2),
  ),
  pow: [
    ...broadcasting(
      (a, b) => a.pow(b),
      (shape) => uniform(shape, 0.3, 2),
      uniform,
    ),
    // Of a negative base whole exponents only; of 0 those from 0 up.
    row((a) => a.pow([3, 2, 1, -2]), uniform([4], -2, -0.5)),
    row((a) => a.pow([0, 1, 2, 3]), given([0, 0, 0, 0])),
    row((a) => a.pow(0), given([-1, 0, 2])),
    row((b) => ops.pow([2, 3], b), given([0, -1])),
    // a⁰ has a mixed derivative: ∂²aᵇ/∂a∂b = 1/a.
    row((a, b) => a.pow(b), given([0.5, 2]), given([0, 0])),
  ],
  mod: broadcasting(
    (a, b) => a.mod(b),
    // Quotients between whole numbers, also negative ones.
    (shape) => uniform(shape, 2.1, 2.9),
    (shape) => uniform(shape, -1, -0.97),
  ),
  // Apart from each other wherever they meet.
  maximum: [
    ...broadcasting(
      (a, b) => a.maximum(b),
      (shape) => uniform(shape, -2, 2, [0.3]),
      (shape) => uniform(shape, 0.29, 0.31),
    ),
  ],
  minimum: [
    ...broadcasting(
      (a, b) => a.minimum(b),
      (shape) => uniform(shape, -2, 2, [0.3]),
      (shape) => uniform(shape, 0.29, 0.31),
    ),
  ],
  squaredDifference: broadcasting((a, b) => a.squaredDifference(b), uniform),
  atan2: [
    ...broadcasting(
      (a, b) => a.atan2(b),
      (shape) => uniform(shape, 0.3, 2),
      uniform,
    ),
    row((a, b) => a.atan2(b), given([-1, -2, 1]), given([1, -1, -2])),
  ],
  reluGrad: broadcasting(
    (a, b) => a.reluGrad(b),
    uniform,
    (shape) => uniform(shape, -2, 2, [0]),
  ),
  sigmoidCrossEntropy: [
    ...broadcasting(
      (a, b) => a.sigmoidCrossEntropy(b),
      (shape) => uniform(shape, -4, 4),
      (shape) => uniform(shape, 0, 1),
    ),
    row((a, b) => a.sigmoidCrossEntropy(b), given([0, 40, -40]), given([0.3, 1, 1])),
  ],
  where: [
    row((c, x, y) => ops.where(c, x, y), truths(matrix), uniform(matrix), uniform(matrix)),
    row((c, x, y) => ops.where(c, x, y), truths([3]), uniform([2, 1]), uniform([])),
    row((c, x, y) => ops.where(c, x, y), truths([2, 3]), uniform([1, 3]), uniform([2, 1])),
    row(
      (x, y) => ops.where(x.greater(y), x.square(), y),
      uniform([4], -2, -1),
      uniform([3, 4], 0, 1),
    ),
  ],
} satisfies Partial<GradientRows>;
