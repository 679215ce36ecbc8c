/**
 * Elementary functions of two float64 lanes, by the methods of math.ts with longer polynomials: argument reduction after Cody &
 * Waite, logarithms by math-logarithm.ts. Within these bounds of the exact value, special values as Math has
 * them:
 *
 * | function | its polynomial, and the error of that | result within |
 * |---|---|---|
 * | exp, expm1 | (e^r − 1 − r)/r² for \|r\| ≤ ln 2 / 2, degree 10; 2^−58 | 1 ulp, 2 ulp |
 * | log, log1p | degree 13 in s = (m − 1)/(m + 1); 2^−58 of the whole | 1 ulp, 1 ulp |
 * | tanh, sigmoid | that of exp | 2.5 ulp, 2 ulp |
 * | softplus | by exp and log1p | 2 ulp |
 */
import type { FunctionBuilder, Local, ModuleBuilder } from './assembler/assembler.js';
import type { Expr } from './assembler/code.js';
import { i32 } from './assembler/instructions.js';
import { f64x2, i64x2, v128 } from './assembler/simd.js';
import { ROUND64, madd64, parted64, polynomial64 } from './math-doubles.js';
import { logarithms } from './math-logarithm.js';

type Vector = Expr<'v128'>;

/** Appends code to f, and gives the expression of the result. It is to be used once, or put into a variable. */
export type EmitF64x2 = (f: FunctionBuilder, m: ModuleBuilder, x: Vector) => Vector;

/** ln 2 in two parts. The first has 33 bits: a multiple of up to 20 bits is exact. */
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;

const EXP = [
  0.5, 0.1666666666666667, 0.041666666666666616, 0.00833333333332611, 0.0013888888888918172,
  0.00019841269874922636, 2.480158724545691e-5, 2.755725525813256e-6, 2.755734969358051e-7,
  2.510528020667793e-8, 2.088941452544869e-9,
];

/** (ln((1 + s)/(1 − s)) − 2s)/s³ in s². */
const LOG = [
  0.666666666666667, 0.3999999999989856, 0.28571428626385154, 0.22222211070307588,
  0.1818289368294898, 0.15331573959503045, 0.1461823468300236,
];

const one = f64x2.const(1);
const zero = v128.zero();
const SIGN = f64x2.const(-0);

/** x = n·ln 2 + r and p = e^r − 1 with |r| ≤ ln 2 / 2. */
function reduce(
  f: FunctionBuilder,
  m: ModuleBuilder,
  x: Local<'v128'>,
): { readonly n: Local<'v128'>; readonly p: Local<'v128'> } {
  const round = f64x2.const(ROUND64);
  const sum = f64x2.add(f64x2.mul(x, f64x2.const(Math.LOG2E)), round);
  const n = f.local('v128', f64x2.sub(sum, round));
  const high = f64x2.sub(x, f64x2.mul(n, f64x2.const(LN2_HIGH)));
  const r = f.local('v128', f64x2.sub(high, f64x2.mul(n, f64x2.const(LN2_LOW))));
  const square = f.local('v128', f64x2.mul(r, r));
  return { n, p: f.local('v128', madd64(m, square, polynomial64(m, r, EXP), r)) };
}

/** 2^n for whole n from −1022 to 1023. */
const powerOfTwo = (n: Vector): Vector =>
  i64x2.shl(f64x2.add(n, f64x2.const(ROUND64 + 1023)), i32.const(52));

/** eˣ = 2ⁿ·e^r, the power in two steps: the last product rounds to a subnormal number, 0 or infinity as it must. */
export const emitExp64: EmitF64x2 = (f, m, x) => {
  // NaN passes: pmin and pmax give their first operand when one is NaN.
  const limited = f64x2.pmax(f64x2.pmin(x, f64x2.const(710)), f64x2.const(-746));
  const { n, p } = reduce(f, m, f.local('v128', limited));
  const half = f.local('v128', f64x2.floor(f64x2.mul(n, f64x2.const(0.5))));
  const scaled = f64x2.mul(f64x2.add(p, one), powerOfTwo(half));
  return f64x2.mul(scaled, powerOfTwo(f64x2.sub(n, half)));
};

/** eˣ − 1 = 2·(2^(n−1)·(e^r − 1) + (2^(n−1) − ½)): the doubling lets n be 1024. Tiny x are their own value. */
export const emitExpm1Of64: EmitF64x2 = (f, m, x) => {
  const v = f.local('v128', x);
  const limited = f64x2.pmax(f64x2.pmin(v, f64x2.const(710)), f64x2.const(-40));
  const { n, p } = reduce(f, m, f.local('v128', limited));
  const power = f.local('v128', powerOfTwo(f64x2.sub(n, one)));
  const halved = madd64(m, p, power, f64x2.sub(power, f64x2.const(0.5)));
  const tiny = f64x2.lt(f64x2.abs(v), f64x2.const(2 ** -54));
  return v128.bitselect(v, f64x2.mul(halved, f64x2.const(2)), tiny);
};

/** tanh a = −u/(u + 2) with u = e^(−2a) − 1 for a = |x|; from 22 on the result is 1. */
export const emitTanh64: EmitF64x2 = (f, m, x) => {
  const v = f.local('v128', x);
  const a = f64x2.pmin(f64x2.abs(v), f64x2.const(22));
  const { n, p } = reduce(f, m, f.local('v128', f64x2.mul(a, f64x2.const(-2))));
  const power = f.local('v128', powerOfTwo(n));
  // A product with a power of two is exact.
  const product = f.local('v128', f64x2.mul(p, power));
  const numerator = f64x2.sub(f64x2.sub(one, power), product);
  const quotient = f64x2.div(numerator, f64x2.add(f64x2.add(one, power), product));
  return v128.or(quotient, v128.and(v, SIGN));
};

/** 1 / (1 + e⁻ˣ) */
export const emitSigmoid64: EmitF64x2 = (f, m, x) =>
  f64x2.div(one, f64x2.add(one, emitExp64(f, m, f64x2.neg(x))));

const { log, log1p } = logarithms({
  lanes: f64x2,
  madd: madd64,
  polynomial: (m, z) => polynomial64(m, z, LOG),
  ln2: [LN2_HIGH, LN2_LOW],
  leastNormal: 2 ** -1022,
  exponentOfScale: 54,
  tiny: 2 ** -54,
  parted: parted64,
});

/** ln x */
export const emitLog64: EmitF64x2 = log;

/** ln(1 + x) */
export const emitLog1pOf64: EmitF64x2 = log1p;

/** ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|) */
export const emitSoftplus64: EmitF64x2 = (f, m, x) => {
  const v = f.local('v128', x);
  const e = emitExp64(f, m, v128.or(v, SIGN));
  return f64x2.add(f64x2.pmax(v, zero), emitLog1pOf64(f, m, e));
};
