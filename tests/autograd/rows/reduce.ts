/** Rows of the reductions, and of the ops along an axis. */
import type { Axes } from '@tapegrad/tensor';
import { ops, type Variable } from '@tapegrad/autograd';
import { distinct, given, row, uniform, type GradientRow, type GradientRows } from './types.js';
import type { Tensor } from '@tapegrad/tensor';

type Row = [GradientRow, ...GradientRow[]];
type Reduce = (x: Variable, attrs: { axis?: Axes; keepDims?: boolean }) => Variable;

const box = [2, 3, 2];

/** All axes, one, several, none, from the end; kept and not. */
function reductions(f: Reduce, draw: (shape: readonly number[]) => Tensor): Row {
  const axes: (Axes | undefined)[] = [null, 0, -1, [0, 2], [-2]];
  return [
    row((x) => f(x, {}), draw(box)),
    ...axes.map((axis) => row((x) => f(x, { axis }), draw(box))),
    ...axes.map((axis) => row((x) => f(x, { axis, keepDims: true }), draw(box))),
    row((x) => f(x, {}), draw([])),
    row((x) => f(x, { axis: 1 }), draw([3, 1])),
  ];
}

const scans = [true, false].flatMap((exclusive) =>
  [true, false].map((reverse) => ({ exclusive, reverse })),
);

const along = (f: (x: Variable, axis?: number) => Variable, draw = uniform): Row => [
  row((x) => f(x), draw([2, 3])),
  row((x) => f(x, 0), draw([3, 2])),
  row((x) => f(x, -2), draw([2, 3, 2])),
];

export const reduceRows = {
  sum: [...reductions((x, attrs) => x.sum(attrs), uniform), row((x) => x.sum([]), uniform([2]))],
  mean: reductions((x, attrs) => x.mean(attrs), uniform),
  prod: [
    ...reductions((x, attrs) => x.prod(attrs), uniform),
    // One 0, two, none: with one the product of the others is left, with two nothing.
    row((x) => x.prod(1), given([0, 2, 3, 0, 0, 5, 1, 2, 3], [3, 3])),
    row((x) => x.prod(), given([0, 2, -1.5])),
    row((x) => x.prod({ axis: [0, 2] }), given([0, 2, 3, 4, 5, 0, 0, 8], [2, 2, 2])),
  ],
  max: [...reductions((x, attrs) => x.max(attrs), distinct), row((x) => x.max([]), distinct([3]))],
  min: reductions((x, attrs) => x.min(attrs), distinct),
  variance: reductions((x, attrs) => x.variance(attrs), uniform),
  // Of a single element it is 0 wherever that element is.
  std: reductions((x, attrs) => x.std(attrs), uniform),
  logSumExp: [
    ...reductions((x, attrs) => x.logSumExp(attrs), uniform),
    row((x) => x.logSumExp(), given([1000, 999, 0])),
  ],
  norm: [
    ...reductions((x, attrs) => x.norm(attrs), distinct),
    ...reductions((x, attrs) => x.norm({ ...attrs, ord: 1 }), distinct),
    ...reductions((x, attrs) => x.norm({ ...attrs, ord: 'inf' }), distinct),
  ],
  softmax: [
    ...along((x, axis) => (axis === undefined ? x.softmax() : x.softmax(axis))),
    row((x) => x.softmax(), given([1000, 1001, 998])),
  ],
  logSoftmax: along((x, axis) => (axis === undefined ? x.logSoftmax() : x.logSoftmax(axis))),
  cumsum: [
    ...along((x, axis) => (axis === undefined ? x.cumsum() : x.cumsum(axis))),
    ...scans.map((attrs) => row((x) => x.cumsum({ axis: 0, ...attrs }), uniform([3, 2]))),
  ],
  cumprod: [
    ...along((x, axis) => (axis === undefined ? x.cumprod() : x.cumprod(axis))),
    ...scans.map((attrs) => row((x) => x.cumprod({ axis: 0, ...attrs }), uniform([3, 2]))),
    ...scans.map((attrs) => row((x) => x.cumprod(attrs), given([2, 0, 3, 0, 1, 2, 3, 0], [2, 4]))),
  ],
  softmaxCrossEntropy: [
    row((z, t) => ops.softmaxCrossEntropy(z, t), uniform([2, 3]), uniform([2, 3], 0, 1)),
    row((z, t) => ops.softmaxCrossEntropy(z, t), uniform([3]), given([0, 1, 0])),
    row((z, t) => ops.softmaxCrossEntropy(z, t), given([1000, 0, 999]), given([0.2, 0.3, 0.1])),
  ],
  sort: along((x, axis) => (axis === undefined ? x.sort() : x.sort(axis)), distinct),
  topk: [
    row((x) => x.topk(2), distinct([2, 4])),
    row((x) => x.topk({ k: 4 }), distinct([4])),
    row((x) => x.topk(1)[0].square(), distinct([3, 2])),
  ],
} satisfies Partial<GradientRows>;
