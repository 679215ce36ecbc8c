/**
 * The gradient rules of the element-wise ops; see `vjps.ts` for how rules are read.
 */
import { SELU_ALPHA, SELU_SCALE } from '@tapegrad/tensor';
import { ops } from './ops.js';
import type { RuleTable } from './rules.js';
import { greaterShare, powerBase, zeroOf } from './vjp-helpers.js';

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

export const elementwiseVjps = {
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
    x: (g, { x }, { attrs: { alpha = 0.3 } }) => ops.where(x.greater(0), g, g.mul(alpha)),
  },
  // at 0 and below: α·eˣ = out + α
  elu: {
    saves: ['x', 'out'],
    x: (g, { x, out }, { attrs: { alpha = 1 } }) =>
      ops.where(x.greater(0), g, g.mul(out.add(alpha))),
  },
  selu: {
    saves: ['x', 'out'],
    x: (g, { x, out }) =>
      ops.where(x.greater(0), g.mul(SELU_SCALE), g.mul(out.add(SELU_SCALE * SELU_ALPHA))),
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
  // b·a^(b−1), which is 0 and not NaN where both are 0; aᵇ·ln a, which is 0 where a is 0
  pow: {
    saves: ['a', 'b', 'out'],
    a: (g, { a, b }) => g.mul(b).mul(powerBase(a, b).pow(b.sub(1))),
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
} satisfies Partial<RuleTable>;
