/**
 * The table of gradient rules, one row for each op: g is the cotangent ∂L/∂out, the result ∂L/∂input.
 *
 * Where inputs broadcast, a rule may return the broadcast shape: backward sums it back to the input's. It also casts to the
 * input's dtype, checks the shape, and calls a rule only when its gradient is wanted.
 */
import {
  normalizeAxis,
  reflectIndices,
  repeatIndices,
  resolveSlice,
  tensor,
} from '@tapegrad/tensor';
import { ops } from './ops.js';
import type { RuleTable } from './rules.js';
import { convVjps } from './vjps-conv.js';
import { elementwiseVjps } from './vjps-elementwise.js';
import { recurrentVjps } from './vjps-recurrent.js';
import {
  cumprodGradient,
  dotGradient,
  einsumGradient,
  expandReduced,
  keepReduced,
  matmulGradient,
  nonZero,
  productOfOthers,
  reducedCount,
  shareAmongEqual,
  zeroOf,
} from './vjp-helpers.js';

const table = {
  ...elementwiseVjps,
  ...recurrentVjps,

  // Reductions
  sum: { saves: [], x: (g, _saved, { attrs, types }) => expandReduced(g, types.x, attrs.axis) },
  mean: {
    saves: [],
    x: (g, _saved, { attrs, types }) =>
      expandReduced(g.div(reducedCount(types.x, attrs.axis)), types.x, attrs.axis),
  },
  prod: {
    saves: ['x'],
    x: (g, { x }, { attrs }) => keepReduced(g, x, attrs.axis).mul(productOfOthers(x, attrs.axis)),
  },
  max: {
    saves: ['x', 'out'],
    x: (g, { x, out }, { attrs }) => shareAmongEqual(g, x, out, attrs.axis),
  },
  min: {
    saves: ['x', 'out'],
    x: (g, { x, out }, { attrs }) => shareAmongEqual(g, x, out, attrs.axis),
  },
  // 2·(x − x̄) / N
  variance: {
    saves: ['x'],
    x: (g, { x }, { attrs: { axis } }) =>
      keepReduced(g, x, axis)
        .mul(2 / reducedCount(x, axis))
        .mul(x.sub(x.mean({ axis: axis ?? null, keepDims: true }))),
  },
  // (x − x̄) / (N·std), and 0 where the deviation is 0
  std: {
    saves: ['x', 'out'],
    x: (g, { x, out }, { attrs: { axis } }) =>
      keepReduced(g.div(nonZero(out).mul(reducedCount(x, axis))), x, axis).mul(
        x.sub(x.mean({ axis: axis ?? null, keepDims: true })),
      ),
  },
  // softmax over the reduced axes
  logSumExp: {
    saves: ['x', 'out'],
    x: (g, { x, out }, { attrs: { axis } }) =>
      keepReduced(g, x, axis).mul(x.sub(keepReduced(out, x, axis)).exp()),
  },
  any: null,
  all: null,
  norm: {
    saves: ['x', 'out'],
    x: (g, { x, out }, { attrs: { ord = 'euclidean', axis } }) => {
      if (ord === 1) return keepReduced(g, x, axis).mul(x.sign());
      if (ord === 'inf') return shareAmongEqual(g, x.abs(), out, axis).mul(x.sign());
      // x / ‖x‖, and 0 where the norm is 0
      return x.mul(keepReduced(g.div(nonZero(out)), x, axis));
    },
  },
  argmax: null,
  argmin: null,

  // Along an axis
  // y·(g − Σ g·y)
  softmax: {
    saves: ['out'],
    x: (g, { out }, { attrs: { axis = -1 } }) =>
      out.mul(g.sub(g.mul(out).sum({ axis, keepDims: true }))),
  },
  // g − softmax·Σ g
  logSoftmax: {
    saves: ['out'],
    x: (g, { out }, { attrs: { axis = -1 } }) =>
      g.sub(out.exp().mul(g.sum({ axis, keepDims: true }))),
  },
  cumsum: {
    saves: [],
    x: (g, _saved, { attrs: { axis = -1, exclusive = false, reverse = false } }) =>
      g.cumsum({ axis, exclusive, reverse: !reverse }),
  },
  cumprod: { saves: ['x'], x: (g, { x }, { attrs }) => cumprodGradient(g, x, attrs) },
  // softmax·Σ labels − labels. With the axis written as in the layers a compiled step computes the softmax only once.
  softmaxCrossEntropy: {
    saves: ['logits', 'labels'],
    logits: (g, { logits, labels }) =>
      g.expandDims(-1).mul(
        logits
          .softmax(-1)
          .mul(labels.sum({ axis: -1, keepDims: true }))
          .sub(labels),
      ),
    labels: (g, { logits }) => g.expandDims(-1).mul(logits.logSoftmax()).neg(),
  },
  argsort: null,
  // Each element's gradient goes back to where the element came from.
  sort: {
    saves: ['x'],
    x: (g, { x }, { attrs: { axis = -1 } }) =>
      g.putAlongAxis(x.argsort({ axis }), {
        size: x.shape[normalizeAxis('sort', axis, x.rank)],
        axis,
      }),
  },
  topk: {
    saves: ['out'],
    x: ([g], { out: [, indices] }, { types }) =>
      g.putAlongAxis(indices, { size: types.x.shape[types.x.shape.length - 1], axis: -1 }),
  },

  // Movement: the gradient moves back
  identity: { saves: [], x: (g) => g },
  transpose: {
    saves: [],
    x: (g, _saved, { attrs: { perm } }) =>
      perm
        ? g.transpose(
            perm.map((_, i) => perm.findIndex((axis) => (axis + perm.length) % perm.length === i)),
          )
        : g.transpose(),
  },
  reshape: { saves: [], x: (g, _saved, { types }) => g.reshape(types.x.shape) },
  expandDims: { saves: [], x: (g, _saved, { types }) => g.reshape(types.x.shape) },
  squeeze: { saves: [], x: (g, _saved, { types }) => g.reshape(types.x.shape) },
  broadcastTo: { saves: [], x: (g) => g },
  flip: { saves: [], x: (g, _saved, { attrs }) => g.flip(attrs) },
  slice: {
    saves: [],
    x: (g, _saved, { attrs: { begin }, types }) =>
      g.embed({ shape: types.x.shape, start: begin, step: begin.map(() => 1) }),
  },
  stridedSlice: {
    saves: [],
    x: (g, _saved, { attrs, types }) => {
      const { start, step } = resolveSlice(types.x.shape, attrs);
      return g.embed({ shape: types.x.shape, start, step });
    },
  },
  embed: {
    saves: [],
    x: (g, _saved, { attrs: { start, step }, types }) => {
      // An empty block may start where no slice can. A backward slice that ends before position 0 ends at null.
      if (types.x.shape.includes(0)) return zeroOf(types.x);
      const end = types.x.shape
        .map((n, i) => start[i] + n * step[i])
        .map((e) => (e < 0 ? null : e));
      return g.stridedSlice({ begin: start, end, strides: step });
    },
  },
  concat: {
    saves: [],
    each: (g, _inputs, { attrs: { axis = 0 }, types, index }) => {
      const along = normalizeAxis('concat', axis, g.rank);
      const before = types.slice(0, index).reduce((n, x) => n + x.shape[along], 0);
      const begin = g.shape.map((_, i) => (i === along ? before : 0));
      return g.slice({ begin, size: types[index].shape });
    },
  },
  stack: {
    saves: [],
    each: (g, _inputs, { attrs: { axis = 0 }, types, index }) => {
      const along = normalizeAxis('stack', axis, g.rank);
      const begin = g.shape.map((_, i) => (i === along ? index : 0));
      const size = g.shape.map((n, i) => (i === along ? 1 : n));
      return g.slice({ begin, size }).reshape(types[index].shape);
    },
  },
  split: { saves: [], x: (gs, _saved, { attrs: { axis = 0 } }) => ops.concat(gs, { axis }) },

  // Larger from the same elements: the gradients of the copies add up
  pad: {
    saves: [],
    x: (g, _saved, { attrs: { paddings, mode = 'constant' }, types }) => {
      if (mode === 'constant') {
        return g.slice({ begin: paddings.map(([before]) => before), size: types.x.shape });
      }
      return types.x.shape.reduce((sum, n, axis) => {
        const from = tensor(reflectIndices(n, paddings[axis]));
        return sum.indexAdd(from, { size: n, axis });
      }, g);
    },
  },
  tile: {
    saves: [],
    x: (g, _saved, { attrs: { reps }, types }) =>
      g.reshape(types.x.shape.flatMap((n, i) => [reps[i], n])).sum(reps.map((_, i) => 2 * i)),
  },
  repeat: {
    saves: [],
    x: (g, _saved, { attrs: { repeats, axis = 0 }, types }) => {
      const n = types.x.shape[normalizeAxis('repeat', axis, types.x.shape.length)];
      return g.indexAdd(tensor(repeatIndices(n, repeats)), { size: n, axis });
    },
  },

  // Positions as data
  gather: {
    saves: ['indices'],
    x: (g, { indices }, { attrs: { axis = 0 }, types }) => {
      const along = normalizeAxis('gather', axis, types.x.shape.length);
      const { shape } = types.x;
      const merged = g.reshape([...shape.slice(0, along), indices.size, ...shape.slice(along + 1)]);
      return merged.indexAdd(indices.reshape([indices.size]), { size: shape[along], axis: along });
    },
    indices: null,
  },
  indexAdd: {
    saves: ['indices'],
    x: (g, { indices }, { attrs: { axis = 0 } }) => g.gather(indices, { axis }),
    indices: null,
  },
  scatterND: {
    saves: ['indices'],
    indices: null,
    updates: (g, { indices }) => g.gatherND(indices),
  },
  gatherND: {
    saves: ['indices'],
    x: (g, { indices }, { types }) => indices.scatterND(g, types.x.shape),
    indices: null,
  },
  takeAlongAxis: {
    saves: ['indices'],
    x: (g, { indices }, { attrs: { axis = -1 }, types }) =>
      g.putAlongAxis(indices, {
        size: types.x.shape[normalizeAxis('takeAlongAxis', axis, g.rank)],
        axis,
      }),
    indices: null,
  },
  putAlongAxis: {
    saves: ['indices'],
    x: (g, { indices }, { attrs: { axis = 0 } }) => g.takeAlongAxis(indices, { axis }),
    indices: null,
  },
  oneHot: null,

  // Products
  matmul: {
    saves: ['a', 'b'],
    a: (g, { a, b }, { attrs }) => matmulGradient('a', g, a, b, attrs),
    b: (g, { a, b }, { attrs }) => matmulGradient('b', g, a, b, attrs),
  },
  dot: {
    saves: ['a', 'b'],
    a: (g, { a, b }) => dotGradient('a', g, a, b),
    b: (g, { a, b }) => dotGradient('b', g, a, b),
  },
  outer: {
    saves: ['a', 'b'],
    a: (g, { b }) => g.matmul(b),
    b: (g, { a }) => ops.matmul(a, g),
  },
  einsum: {
    saves: ['inputs'],
    each: (g, inputs, { attrs: { equation }, index }) => einsumGradient(g, inputs, equation, index),
  },

  ...convVjps,

  // Randomness and updates in place have no gradient.
  randomUniform: null,
  randomNormal: null,
  randomTruncatedNormal: null,
  randomBernoulli: null,
  assign: null,
  weightDecayUpdate: null,
  sgdUpdate: null,
  rmspropUpdate: null,
  adamUpdate: null,
  adagradUpdate: null,
  adadeltaUpdate: null,
  adamaxUpdate: null,
  nadamUpdate: null,
  ftrlUpdate: null,
} satisfies RuleTable;

/** The ops that have a rule, as a type: what a table with a row for each of them is indexed by. */
export type DifferentiableOp = {
  [K in keyof typeof table]: (typeof table)[K] extends null ? never : K;
}[keyof typeof table];

/** See the head of this file. */
export const vjps: RuleTable = table;
