/**
 * Arithmetic of int32 as the TypeScript kernels do it: in float64, and what is stored is taken modulo 2³² as typed arrays take it
 * (ECMAScript's ToInt32). So products that overflow, too, have the same bits. And the remainder, which float32 needs as well.
 */
import type { FunctionBuilder } from '../assembler/assembler.js';
import { f64x2, i32x4, i64x2, shuffle32, upperHalf, v128 } from '../assembler/simd.js';
import type { Vector } from './lanes.js';

/** From two float64 to two int32, in the lower lanes: the whole part modulo 2³²; 0 for NaN and infinities. */
export function toInt32(f: FunctionBuilder, x: Vector): Vector {
  const whole = f.local('v128', f64x2.trunc(x));
  // Scaled by a power of two nothing is rounded; ∞ − ∞ is NaN, which becomes 0.
  const turns = f64x2.floor(f64x2.mul(whole, f64x2.const(2 ** -32)));
  const rest = f64x2.sub(whole, f64x2.mul(turns, f64x2.const(2 ** 32)));
  return i32x4.trunc_sat_f64x2_u_zero(rest);
}

/** Four int32 from two vectors of float64. */
export function toInts(f: FunctionBuilder, low: Vector, high: Vector): Vector {
  const [a, b] = [low, high].map((x) => f.local('v128', toInt32(f, x)));
  return shuffle32(a, b, [0, 1, 4, 5]);
}

/** Four int32 by a formula of float64 on each half of the operands. */
export function intsInDoubles(
  f: FunctionBuilder,
  operands: readonly Vector[],
  formula: (...halves: readonly Vector[]) => Vector,
): Vector {
  const [low, high] = [(x: Vector): Vector => x, upperHalf].map((half) => {
    const halves = operands.map((x) => f.local('v128', f64x2.convert_low_i32x4_s(half(x))));
    return f.local('v128', formula(...halves));
  });
  return toInts(f, low, high);
}

/** Quotients up to here are exact in float64 when their operands have the digits of float32. */
const LARGE_QUOTIENT = 2 ** 26;

/**
 * a modulo b with the sign of b, for float64 lanes that hold float32 or int32. The remainder of |a| by |b| is what is left when
 * multiples of |b| are taken away; a large quotient is taken in steps of 26 bits, the highest first, so that every product and
 * every difference is exact.
 */
export function emitModulo(f: FunctionBuilder, a: Vector, b: Vector): Vector {
  const [x, y] = [f.local('v128', a), f.local('v128', b)];
  // Infinity becomes a number above all others, of which 0 times is 0. NaN stays: min gives it.
  const divisor = f.local('v128', f64x2.min(f64x2.abs(y), f64x2.const(2 ** 300)));
  const limit = f.local('v128', f64x2.mul(divisor, f64x2.const(LARGE_QUOTIENT)));
  const rest = f.local('v128', f64x2.abs(x));
  f.while(v128.any_true(f64x2.ge(rest, limit)), () => {
    const quotient = f64x2.trunc(f64x2.div(rest, divisor));
    const leading = v128.and(quotient, i64x2.const(-1n << 27n));
    f.set(rest, f64x2.sub(rest, f64x2.mul(leading, divisor)));
  });
  const quotient = f64x2.trunc(f64x2.div(rest, divisor));
  f.set(rest, f64x2.sub(rest, f64x2.mul(quotient, divisor)));
  const signed = f.local('v128', v128.or(rest, v128.and(x, f64x2.const(-0))));
  const zero = v128.zero();
  const across = v128.xor(f64x2.lt(signed, zero), f64x2.lt(y, zero));
  const nonZero = f64x2.ne(signed, zero);
  return v128.bitselect(f64x2.add(signed, y), signed, v128.and(across, nonZero));
}
