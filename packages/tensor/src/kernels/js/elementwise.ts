/**
 * Element-wise kernels: one loop each. The loops are written out, not generated from a function for one element, because
 * V8 compiles each loop with its formula inlined; a shared loop that calls a function runs several times slower.
 */
import { erfOf, erfcOf, modulo, roundHalfEven } from './scalar.js';
import type { BinaryKernel, TypedArray, UnaryKernel } from './types.js';

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
/** Klambauer et al. 2017, "Self-Normalizing Neural Networks", section 2. */
export const SELU_SCALE = 1.0507009873554805;
export const SELU_ALPHA = 1.6732632423543772;

/** −x */
export const neg: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = -x[ix];
};

/** |x| */
export const abs: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.abs(x[ix]);
};

/** eˣ */
export const exp: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.exp(x[ix]);
};

/** ln x */
export const log: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.log(x[ix]);
};

/** ln(1 + x), exact for small x */
export const log1p: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.log1p(x[ix]);
};

/** eˣ − 1, exact for small x */
export const expm1: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.expm1(x[ix]);
};

/** √x */
export const sqrt: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.sqrt(x[ix]);
};

/** 1 / √x */
export const rsqrt: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = 1 / Math.sqrt(x[ix]);
};

/** x² */
export const square: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = v * v;
  }
};

/** 1 / x */
export const reciprocal: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = 1 / x[ix];
};

/** sin x */
export const sin: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.sin(x[ix]);
};

/** cos x */
export const cos: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.cos(x[ix]);
};

/** tan x */
export const tan: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.tan(x[ix]);
};

/** arcsin x */
export const asin: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.asin(x[ix]);
};

/** arccos x */
export const acos: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.acos(x[ix]);
};

/** arctan x */
export const atan: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.atan(x[ix]);
};

/** sinh x */
export const sinh: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.sinh(x[ix]);
};

/** cosh x */
export const cosh: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.cosh(x[ix]);
};

/** tanh x */
export const tanh: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.tanh(x[ix]);
};

/** σ(x) = 1 / (1 + e⁻ˣ); e⁻ˣ = ∞ gives the right 0 */
export const sigmoid: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = 1 / (1 + Math.exp(-x[ix]));
};

/** ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|), which cannot overflow */
export const softplus: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = (v < 0 ? 0 : v) + Math.log1p(Math.exp(-Math.abs(v)));
  }
};

/** x / (1 + |x|) */
export const softsign: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = v / (1 + Math.abs(v));
  }
};

/** max(x, 0); NaN stays NaN */
export const relu: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = v < 0 ? 0 : v;
  }
};

/** min(max(x, 0), 6) */
export const relu6: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = v < 0 ? 0 : v > 6 ? 6 : v;
  }
};

/** x, or p·x below 0 */
export const leakyRelu: UnaryKernel = (n, y, iy, x, ix, sx, p) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = v < 0 ? p * v : v;
  }
};

/** x, or p·(eˣ − 1) below 0 */
export const elu: UnaryKernel = (n, y, iy, x, ix, sx, p) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = v < 0 ? p * Math.expm1(v) : v;
  }
};

/** λ·x, or λ·α·(eˣ − 1) below 0 */
export const selu: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = SELU_SCALE * (v < 0 ? SELU_ALPHA * Math.expm1(v) : v);
  }
};

/** x·Φ(x), with the normal distribution function Φ(x) = erfc(−x/√2) / 2: 1 + erf would cancel far below 0 */
export const gelu: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = 0.5 * v * erfcOf(-v * Math.SQRT1_2);
  }
};

/** x/2·(1 + tanh u) = x·σ(2u) with u = √(2/π)·(x + 0.044715·x³) */
export const geluTanh: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = v / (1 + Math.exp(-2 * SQRT_2_OVER_PI * (v + 0.044715 * v * v * v)));
  }
};

/** x·σ(x) */
export const silu: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = v / (1 + Math.exp(-v));
  }
};

/** x·tanh(ln(1 + eˣ)) */
export const mish: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = v * Math.tanh((v < 0 ? 0 : v) + Math.log1p(Math.exp(-Math.abs(v))));
  }
};

/** min(max(x + 3, 0), 6) / 6 */
export const hardSigmoid: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = (v < -3 ? 0 : v > 3 ? 6 : v + 3) / 6;
  }
};

/** the error function */
export const erf: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = erfOf(x[ix]);
};

/** ⌊x⌋ */
export const floor: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.floor(x[ix]);
};

/** ⌈x⌉ */
export const ceil: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.ceil(x[ix]);
};

/** the nearest whole number, a half to the even one */
export const round: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = roundHalfEven(x[ix]);
};

/** −1, 0 or 1 */
export const sign: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = Math.sign(x[ix]);
};

/** min(max(x, p), q) */
export const clip: UnaryKernel = (n, y, iy, x, ix, sx, p, q) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = v < p ? p : v > q ? q : v;
  }
};

/** 1 where x is 0 */
export const logicalNot: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = x[ix] === 0 ? 1 : 0;
};

/** 1 where x is not a number */
export const isNaN: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) {
    const v = x[ix];
    y[iy + i] = v !== v ? 1 : 0;
  }
};

/** x, converted to the dtype of y */
export const copy: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = x[ix];
};

/** 1 where x is not 0: how numbers become truth values */
export const truth: UnaryKernel = (n, y, iy, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) y[iy + i] = x[ix] !== 0 ? 1 : 0;
};

/** a + b */
export const add: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = a[ia] + b[ib];
};

/** a − b */
export const sub: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = a[ia] - b[ib];
};

/** a·b */
export const mul: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = a[ia] * b[ib];
};

/** a / b */
export const div: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = a[ia] / b[ib];
};

/** aᵇ */
export const pow: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = Math.pow(a[ia], b[ib]);
};

/** a modulo b, with the sign of b */
export const mod: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = modulo(a[ia], b[ib]);
};

/** the greater of a and b; NaN if either is */
export const maximum: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = Math.max(a[ia], b[ib]);
};

/** the smaller of a and b; NaN if either is */
export const minimum: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = Math.min(a[ia], b[ib]);
};

/** (a − b)² */
export const squaredDifference: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = (a[ia] - b[ib]) * (a[ia] - b[ib]);
};

/** the angle of the point (b, a) */
export const atan2: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = Math.atan2(a[ia], b[ib]);
};

/** a = b */
export const equal: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = a[ia] === b[ib] ? 1 : 0;
};

/** a ≠ b */
export const notEqual: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = a[ia] !== b[ib] ? 1 : 0;
};

/** a < b */
export const less: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = a[ia] < b[ib] ? 1 : 0;
};

/** a ≤ b */
export const lessEqual: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = a[ia] <= b[ib] ? 1 : 0;
};

/** a > b */
export const greater: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = a[ia] > b[ib] ? 1 : 0;
};

/** a ≥ b */
export const greaterEqual: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = a[ia] >= b[ib] ? 1 : 0;
};

/** a ∧ b */
export const logicalAnd: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = a[ia] !== 0 && b[ib] !== 0 ? 1 : 0;
};

/** a ∨ b */
export const logicalOr: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = a[ia] !== 0 || b[ib] !== 0 ? 1 : 0;
};

/** the cotangent a where b, the output of a relu, is positive, else 0 */
export const reluGrad: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb) y[iy + i] = b[ib] > 0 ? a[ia] : 0;
};

/** −b·ln σ(a) − (1 − b)·ln(1 − σ(a)) = max(a, 0) − a·b + ln(1 + e^−|a|) */
export const sigmoidCrossEntropy: BinaryKernel = (n, y, iy, a, ia, sa, b, ib, sb) => {
  for (let i = 0; i < n; i++, ia += sa, ib += sb)
    y[iy + i] = (a[ia] < 0 ? 0 : a[ia]) - a[ia] * b[ib] + Math.log1p(Math.exp(-Math.abs(a[ia])));
};

/** x where the condition c holds, else z */
export function where(
  n: number,
  y: TypedArray,
  iy: number,
  c: TypedArray,
  ic: number,
  sc: number,
  x: TypedArray,
  ix: number,
  sx: number,
  z: TypedArray,
  iz: number,
  sz: number,
): void {
  for (let i = 0; i < n; i++, ic += sc, ix += sx, iz += sz) y[iy + i] = c[ic] !== 0 ? x[ix] : z[iz];
}
