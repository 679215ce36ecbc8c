/**
 * The table of gradient rules, one row for each op: g is the cotangent ∂L/∂out, the result ∂L/∂input.
 *
 * Where inputs broadcast, a rule may return the broadcast shape: backward sums it back to the input's. It also casts to the
 * input's dtype, checks the shape, and calls a rule only when its gradient is wanted.
 */
import {
  SELU_ALPHA,
  SELU_SCALE,
  normalizeAxis,
  reflectIndices,
  repeatIndices,
  resolveSlice,
  tensor,
} from '@tapegrad/tensor';
import { ops } from './ops.js';
import type { RuleTable } from './rules.js';
import {
  cumprodGradient,
  dotGradient,
  einsumGradient,
  expandReduced,
  greaterShare,
  keepReduced,
  matmulGradient,
  productOfOthers,
  reducedCount,
  shareAmongEqual,
  zeroOf,
} from './vjp-helpers.js';

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

export const vjps: RuleTable = {
  // Element-wise, one input
  neg: { saves: [], x: (g) => g.neg() },
  abs: { saves: ['x'], x: (g, { x }) => g.mul(x.sign()) },
  exp: { saves: ['out'], x: (g, { out }) => g.mul(out) },
  log: { saves: ['x'], x: (g, { x }) => g.div(x) },
  log1p: { saves: ['x'], x: (g, { x }) => g.div(x.add(1)) },
  expm1: { saves: ['out'], x: (g, { out }) => g.mul(out.add(1)) },
  // d√x/dx = 1 / 2√x
  sqrt: { saves: ['out'], x: (g, { out }) => g.div(out.mul(2)) },
  // dx^(−1/2)/dx = −½·x^(−3/2)
  rsqrt: { saves: ['out'], x: (g, { out }) => g.mul(out.square().mul(out).mul(-0.5)) },
  square: { saves: ['x'], x: (g, { x }) => g.mul(x.mul(2)) },
  reciprocal: { saves: ['out'], x: (g, { out }) => g.mul(out.square()).neg() },
  sin: { saves: ['x'], x: (g, { x }) => g.mul(x.cos()) },
  cos: { saves: ['x'], x: (g, { x }) => g.mul(x.sin()).neg() },
  // 1 / cos² = 1 + tan²
  tan: { saves: ['out'], x: (g, { out }) => g.mul(out.square().add(1)) },
  asin: { saves: ['x'], x: (g, { x }) => g.mul(x.square().neg().add(1).rsqrt()) },
  acos: { saves: ['x'], x: (g, { x }) => g.mul(x.square().neg().add(1).rsqrt()).neg() },
  atan: { saves: ['x'], x: (g, { x }) => g.div(x.square().add(1)) },
  sinh: { saves: ['x'], x: (g, { x }) => g.mul(x.cosh()) },
  cosh: { saves: ['x'], x: (g, { x }) => g.mul(x.sinh()) },
  // 1 − tanh²
  tanh: { saves: ['out'], x: (g, { out }) => g.sub(g.mul(out.square())) },
  // σ·(1 − σ)
  sigmoid: { saves: ['out'], x: (g, { out }) => g.mul(out.sub(out.square())) },
  softplus: { saves: ['x'], x: (g, { x }) => g.mul(x.sigmoid()) },
  // 1 / (1 + |x|)²
  softsign: { saves: ['x'], x: (g, { x }) => g.div(x.abs().add(1).square()) },
  relu: { saves: ['out'], x: (g, { out }) => g.reluGrad(out) },
  relu6: {
    saves: ['x'],
    x: (g, { x }) => ops.where(x.greater(0).logicalAnd(x.less(6)), g, 0),
  },
  leakyRelu: {
    saves: ['x'],
    x: (g, { x }, { attrs: { alpha = 0.3 } }) => ops.where(x.less(0), g.mul(alpha), g),
  },
  // below 0: α·eˣ = out + α
  elu: {
    saves: ['x', 'out'],
    x: (g, { x, out }, { attrs: { alpha = 1 } }) => ops.where(x.less(0), g.mul(out.add(alpha)), g),
  },
  selu: {
    saves: ['x', 'out'],
    x: (g, { x, out }) =>
      ops.where(x.less(0), g.mul(out.add(SELU_SCALE * SELU_ALPHA)), g.mul(SELU_SCALE)),
  },
  gelu: {
    saves: ['x'],
    x: (g, { x }, { attrs: { approximate = false } }) => {
      if (!approximate) {
        // Φ(x) + x·φ(x)
        const cdf = x.mul(Math.SQRT1_2).erf().add(1).mul(0.5);
        const pdf = x
          .square()
          .mul(-0.5)
          .exp()
          .mul(TWO_OVER_SQRT_PI * Math.SQRT1_2 * 0.5);
        return g.mul(cdf.add(x.mul(pdf)));
      }
      // y = x/2·(1 + t), t = tanh(√(2/π)·(x + c·x³)): y′ = (1 + t)/2 + x/2·(1 − t²)·√(2/π)·(1 + 3c·x²)
      const square = x.square();
      const t = x.mul(square.mul(0.044715).add(1)).mul(SQRT_2_OVER_PI).tanh();
      const inner = square
        .mul(3 * 0.044715)
        .add(1)
        .mul(SQRT_2_OVER_PI);
      return g.mul(
        t
          .add(1)
          .add(x.mul(t.square().neg().add(1)).mul(inner))
          .mul(0.5),
      );
    },
  },
  // σ·(1 + x·(1 − σ))
  silu: {
    saves: ['x'],
    x: (g, { x }) => {
      const s = x.sigmoid();
      return g.mul(s).mul(x.mul(s.neg().add(1)).add(1));
    },
  },
  // t + x·(1 − t²)·σ with t = tanh(softplus x)
  mish: {
    saves: ['x'],
    x: (g, { x }) => {
      const t = x.softplus().tanh();
      return g.mul(t.add(x.mul(t.square().neg().add(1)).mul(x.sigmoid())));
    },
  },
  hardSigmoid: { saves: ['x'], x: (g, { x }) => ops.where(x.abs().less(3), g.div(6), 0) },
  // 2/√π·e^(−x²)
  erf: { saves: ['x'], x: (g, { x }) => g.mul(x.square().neg().exp().mul(TWO_OVER_SQRT_PI)) },
  // Steps: flat almost everywhere.
  floor: { saves: [], x: (_g, _saved, { types }) => zeroOf(types.x) },
  ceil: { saves: [], x: (_g, _saved, { types }) => zeroOf(types.x) },
  round: { saves: [], x: (_g, _saved, { types }) => zeroOf(types.x) },
  sign: { saves: [], x: (_g, _saved, { types }) => zeroOf(types.x) },
  // At a bound itself the gradient passes, as in PyTorch.
  clip: {
    saves: ['x'],
    x: (g, { x }, { attrs: { min = -Infinity, max = Infinity } }) =>
      ops.where(x.greaterEqual(min).logicalAnd(x.lessEqual(max)), g, 0),
  },
  cast: { saves: [], x: (g) => g },
  copy: { saves: [], x: (g) => g },
  logicalNot: null,
  isNaN: null,

  // Element-wise, two and three inputs
  add: { saves: [], a: (g) => g, b: (g) => g },
  sub: { saves: [], a: (g) => g, b: (g) => g.neg() },
  mul: { saves: ['a', 'b'], a: (g, { b }) => g.mul(b), b: (g, { a }) => g.mul(a) },
  // ∂(a/b)/∂b = −(a/b)/b
  div: {
    saves: ['b', 'out'],
    a: (g, { b }) => g.div(b),
    b: (g, { b, out }) => g.mul(out).div(b).neg(),
  },
  // b·a^(b−1), which is 0 and not NaN where b is 0; aᵇ·ln a, which is 0 where a is 0
  pow: {
    saves: ['a', 'b', 'out'],
    a: (g, { a, b }) => g.mul(ops.where(b.equal(0), 0, b.mul(a.pow(b.sub(1))))),
    b: (g, { a, out }) => g.mul(out.mul(ops.where(a.equal(0), 1, a).log())),
  },
  // a mod b = a − b·⌊a/b⌋
  mod: { saves: ['a', 'b'], a: (g) => g, b: (g, { a, b }) => g.mul(a.div(b).floor()).neg() },
  maximum: {
    saves: ['a', 'b'],
    a: (g, { a, b }) => greaterShare(g, a, b),
    b: (g, { a, b }) => greaterShare(g, b, a),
  },
  minimum: {
    saves: ['a', 'b'],
    a: (g, { a, b }) => greaterShare(g, b, a),
    b: (g, { a, b }) => greaterShare(g, a, b),
  },
  squaredDifference: {
    saves: ['a', 'b'],
    a: (g, { a, b }) => g.mul(a.sub(b).mul(2)),
    b: (g, { a, b }) => g.mul(b.sub(a).mul(2)),
  },
  atan2: {
    saves: ['a', 'b'],
    a: (g, { a, b }) => g.mul(b).div(a.square().add(b.square())),
    b: (g, { a, b }) => g.mul(a).div(a.square().add(b.square())).neg(),
  },
  equal: null,
  notEqual: null,
  less: null,
  lessEqual: null,
  greater: null,
  greaterEqual: null,
  logicalAnd: null,
  logicalOr: null,
  // Linear in a, and a step in b.
  reluGrad: {
    saves: ['b'],
    a: (g, { b }) => g.reluGrad(b),
    b: (_g, _saved, { types }) => zeroOf(types.b),
  },
  // ∂/∂logit = σ(logit) − label
  sigmoidCrossEntropy: {
    saves: ['a', 'b'],
    a: (g, { a, b }) => g.mul(a.sigmoid().sub(b)),
    b: (g, { a }) => g.mul(a).neg(),
  },
  where: {
    saves: ['condition'],
    condition: null,
    x: (g, { condition }) => ops.where(condition, g, 0),
    y: (g, { condition }) => ops.where(condition, 0, g),
  },

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
  // (x − x̄) / (N·std)
  std: {
    saves: ['x', 'out'],
    x: (g, { x, out }, { attrs: { axis } }) =>
      keepReduced(g.div(out.mul(reducedCount(x, axis))), x, axis).mul(
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
      const length = ops.where(out.equal(0), 1, out);
      return x.mul(keepReduced(g.div(length), x, axis));
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
  // softmax·Σ labels − labels
  softmaxCrossEntropy: {
    saves: ['logits', 'labels'],
    logits: (g, { logits, labels }) =>
      g.expandDims(-1).mul(
        logits
          .softmax()
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
      // A backward slice that ends before position 0 ends at null.
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
};
