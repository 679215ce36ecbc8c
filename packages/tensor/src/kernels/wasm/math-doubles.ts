/**
 * Functions of float32 lanes that are computed in float64 lanes: four numbers as two halves of two. With 29 bits to spare a plain
 * formula is nearly always the float32 next to the exact value, where float32 alone would need its rounding errors carried along.
 */
import type { FunctionBuilder, Local, ModuleBuilder } from './assembler/assembler.js';
import type { Expr } from './assembler/code.js';
import { i32 } from './assembler/instructions.js';
import { f32x4, f64x2, i64x2, shuffle32, upperHalf, v128 } from './assembler/simd.js';

type Vector = Expr<'v128'>;

/** f(x, …) for each pair of float32 lanes, as float64; the results are rounded to float32. */
export function inDoubles(
  f: FunctionBuilder,
  operands: readonly Vector[],
  formula: (...halves: readonly Local<'v128'>[]) => Vector,
): Vector {
  const variables = operands.map((x) => f.local('v128', x));
  const [low, high] = [(x: Vector): Vector => x, upperHalf].map((half) => {
    const halves = variables.map((x) => f.local('v128', f64x2.promote_low_f32x4(half(x))));
    return f.local('v128', f32x4.demote_f64x2_zero(formula(...halves)));
  });
  return shuffle32(low, high, [0, 1, 4, 5]);
}

/** a·b + c in float64, fused where the module may and the machine can. */
export function madd64(m: ModuleBuilder, a: Vector, b: Vector, c: Vector): Vector {
  return m.relaxed ? f64x2.relaxed_madd(a, b, c) : f64x2.add(f64x2.mul(a, b), c);
}

/** c₀ + c₁·x + c₂·x² + … by Horner's rule. */
export function polynomial64(
  m: ModuleBuilder,
  x: Local<'v128'>,
  coefficients: readonly number[],
): Vector {
  return coefficients
    .map((c) => f64x2.const(c))
    .reduceRight((sum: Vector, c) => madd64(m, sum, x, c));
}

/** Adding this rounds to a whole number, which stands in the last bits of the sum; subtracting it gives the number itself. */
export const ROUND64 = 1.5 * 2 ** 52;

/** 2^r for |r| ≤ ½; relative error 2^−34. */
const EXP2 = [
  0.9999999999616755, 0.6931471807284739, 0.2402265119821859, 0.05550410353388263,
  0.009618027245424318, 0.0013333922590378136, 0.00015469293804569594, 1.5201920219810961e-5,
];

/** 2^t to 34 bits. What is beyond the range of float32 comes out beyond it, too; NaN for NaN. */
export function emitExp2(f: FunctionBuilder, m: ModuleBuilder, t: Vector): Vector {
  // pmin and pmax give their first operand where one is NaN.
  const limited = f64x2.pmax(f64x2.pmin(t, f64x2.const(500)), f64x2.const(-500));
  const x = f.local('v128', limited);
  const sum = f.local('v128', f64x2.add(x, f64x2.const(ROUND64)));
  const r = f.local('v128', f64x2.sub(x, f64x2.sub(sum, f64x2.const(ROUND64))));
  // The whole part goes straight into the exponent.
  return i64x2.add(polynomial64(m, r, EXP2), i64x2.shl(sum, i32.const(52)));
}

/** log₂ m = s·P(s²) with s = (m − 1)/(m + 1) for √½ ≤ m < √2; relative error 2^−45. */
const LOG2 = [
  2.88539008177785, 0.9617966941134012, 0.577077942346706, 0.41220925433020444, 0.3199056118699631,
  0.2829014450552985,
];

const ROOT_HALF = 0x3fe6a09e667f3bcdn;
const ONE = 0x3ff0000000000000n;

/** x = 2^k·m with √½ ≤ m < √2, for normal x above 0: the exponent of x / √½ is k. */
export function parted64(
  f: FunctionBuilder,
  x: Local<'v128'>,
): { readonly k: Local<'v128'>; readonly mantissa: Vector } {
  const shifted = f.local('v128', i64x2.add(x, i64x2.const(ONE - ROOT_HALF)));
  const fraction = v128.and(shifted, i64x2.const(0x000fffffffffffffn));
  const biased = v128.or(i64x2.shr_u(shifted, i32.const(52)), f64x2.const(2 ** 52));
  const k = f.local('v128', f64x2.sub(biased, f64x2.const(2 ** 52 + 1023)));
  return { k, mantissa: i64x2.add(fraction, i64x2.const(ROOT_HALF)) };
}

/** log₂ x for x ≥ 0 that are no subnormal numbers of float64: −∞ for 0, ∞ for ∞, NaN for NaN. To 45 bits. */
export function emitLog2(f: FunctionBuilder, m: ModuleBuilder, x: Local<'v128'>): Vector {
  const { k, mantissa } = parted64(f, x);
  const part = f.local('v128', mantissa);
  const one = f64x2.const(1);
  const s = f.local('v128', f64x2.div(f64x2.sub(part, one), f64x2.add(part, one)));
  const square = f.local('v128', f64x2.mul(s, s));
  const value = madd64(m, s, polynomial64(m, square, LOG2), k);
  const finite = v128.bitselect(value, x, f64x2.lt(x, f64x2.const(Infinity)));
  return v128.bitselect(f64x2.const(-Infinity), finite, f64x2.eq(x, v128.zero()));
}
