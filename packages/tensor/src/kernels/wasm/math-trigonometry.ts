/**
 * Trigonometric functions of four float32 lanes and their inverses, computed in float64 lanes (math-doubles.ts): each result is
 * the float32 next to the exact value or, where that lies nearly half-way between two, the other one: within 0.51 ulp.
 *
 * | function | method | error before rounding |
 * |---|---|---|
 * | sin, cos | x = q·π/2 + r, polynomials for \|r\| ≤ π/4 of degrees 9 and 8 | 2^−34 |
 * | tan | their quotient | 2^−33 |
 * | atan2, atan, asin, acos | t = \|y\|/\|x\| brought to \|t\| ≤ tan π/8, polynomial of degree 13 | 2^−34 |
 *
 * The argument is reduced after Cody & Waite ("Software Manual for the Elementary Functions", 1980), from 2^20 on after Payne &
 * Hanek ("Radian reduction for trigonometric functions", SIGNUM Newsletter, 1983). Polynomials are best in the sense of
 * Chebyshev, found by Remez's exchange.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
  type ModuleBuilder,
} from './assembler/assembler.js';
import type { Expr } from './assembler/code.js';
import { f32, f64, i32, i64, select } from './assembler/instructions.js';
import { f32x4, f64x2, i32x4, i64x2, v128 } from './assembler/simd.js';
import type { SharedFunctions } from './kernel.js';
import { ROUND64, inDoubles, madd64, polynomial64 } from './math-doubles.js';

type Vector = Expr<'v128'>;

/** Where the code of a function goes, and the functions that it may call. */
export interface MathContext {
  readonly f: FunctionBuilder;
  readonly m: ModuleBuilder;
  readonly shared: SharedFunctions;
}

/** sin(r)/r and cos r in r²; relative errors 2^−37 and 2^−34. */
const SIN = [
  0.9999999999954458, -0.16666666630417099, 0.00833332868735836, -0.0001983917751817688,
  2.717145104748942e-6,
];
const COS = [
  0.9999999999438796, -0.4999999957120508, 0.041666613200719856, -0.0013886528187032517,
  2.4372592363904046e-5,
];

/** π/2 in two parts. The first has 32 bits: a multiple of up to 21 bits is exact. */
const HALF_PI_HIGH = 1.5707963267341256;
const HALF_PI_LOW = 6.077100506506192e-11;

/** Multiples of π/2 up to this argument are counted with 21 bits. */
const LARGE = 2 ** 20;

/** 2/π after 32 zero bits, in words of 64 bits that begin at every 32nd bit. */
const TWO_OVER_PI = [
  0x00000000a2f9836en,
  0xa2f9836e4e441529n,
  0x4e441529fc2757d1n,
  0xfc2757d1f534ddc0n,
  0xf534ddc0db629599n,
  0xdb6295993c439041n,
  0x3c439041fe5163abn,
];

/**
 * x → r, with q in its last two bits, for x ≥ 2^20. x is m·2^e with a whole m of 24 bits. Of x·2/π only what is left over 4 counts:
 * bits of 2/π that stand before it make multiples of 4 and are not looked at, and those that stand 96 bits later are too small.
 * What is left over 4 is a whole number of 64 bits with 62 after the point; m·(2/π) overflows just where it should.
 */
function reduceLarge({
  m,
  shared,
}: Pick<MathContext, 'm' | 'shared'>): FunctionRef<readonly ['f32'], 'f64'> {
  return shared.once('reduceLargeAngle', () =>
    m.function('reduceLargeAngle', ['f32'], 'f64', (f, x) => {
      const bits = f.local('i32', i32.reinterpret_f32(x));
      const exponent = f.local('i32', i32.shr_u(bits, i32.const(23)));
      f.if(i32.eq(exponent, i32.const(255)), () => f.return(f64.const(NaN)));
      const significand = i32.or(i32.and(bits, i32.const(0x7fffff)), i32.const(0x800000));
      const mantissa = f.local('i64', i64.extend_i32_u(significand));
      // x·2/π·2^62 = m·(2/π)·2^(e + 62) with e = exponent − 150: its last 64 whole bits begin at bit 30 + e of the table.
      const start = f.local('i32', i32.sub(exponent, i32.const(120)));
      const word = f.local('i32', i32.shr_u(start, i32.const(5)));
      const from = (first: number): Expr<'i64'> =>
        [1, 2, 3, 4].reduce<Expr<'i64'>>(
          (value, i) =>
            select(i64.const(TWO_OVER_PI[first + i]), value, i32.eq(word, i32.const(i))),
          i64.const(TWO_OVER_PI[first]),
        );
      const next = f.local('i64', from(2));
      const shift = f.local('i64', i64.extend_i32_u(i32.and(start, i32.const(31))));
      const carried = i64.shr_u(i64.shr_u(next, i64.const(1n)), i64.sub(i64.const(63n), shift));
      const whole = i64.or(i64.shl(from(0), shift), carried);
      const fraction = i64.shr_u(i64.shl(next, shift), i64.const(32n));
      const small = i64.shr_u(i64.mul(mantissa, fraction), i64.const(32n));
      const left = f.local('i64', i64.add(i64.mul(mantissa, whole), small));
      const q = f.local('i64', i64.shr_u(i64.add(left, i64.const(1n << 61n)), i64.const(62n)));
      const rest = f64.convert_i64_s(i64.sub(left, i64.shl(q, i64.const(62n))));
      const r = i64.reinterpret_f64(f64.mul(rest, f64.const((Math.PI / 2) * 2 ** -62)));
      f.return(f64.reinterpret_i64(i64.or(i64.and(r, i64.const(-4n)), q)));
    }),
  );
}

interface Angle {
  /** sin r and cos r with x = q·π/2 + r. */
  readonly sine: Local<'v128'>;
  readonly cosine: Local<'v128'>;
  /** Its last two bits count. */
  readonly q: Local<'v128'>;
}

/** @param x two numbers of float32, 0 or above, as float64 */
function reducedAngle(context: MathContext, x: Local<'v128'>): Angle {
  const { f, m } = context;
  const round = f64x2.const(ROUND64);
  const q = f.local('v128', f64x2.add(f64x2.mul(x, f64x2.const(2 / Math.PI)), round));
  const n = f.local('v128', f64x2.sub(q, round));
  const high = f64x2.sub(x, f64x2.mul(n, f64x2.const(HALF_PI_HIGH)));
  const r = f.local('v128', f64x2.sub(high, f64x2.mul(n, f64x2.const(HALF_PI_LOW))));
  const large = f.local('v128', f64x2.ge(x, f64x2.const(LARGE)));
  f.if(v128.any_true(large), () => {
    const [a, b] = [0, 1].map((lane) =>
      call(reduceLarge(context), f32.demote_f64(f64x2.extract_lane(x, lane))),
    );
    const both = f.local('v128', f64x2.replace_lane(f64x2.splat(a), 1, b));
    f.set(q, v128.bitselect(both, q, large));
    f.set(r, v128.bitselect(v128.and(both, i64x2.const(-4n)), r, large));
  });
  const square = f.local('v128', f64x2.mul(r, r));
  return {
    sine: f.local('v128', f64x2.mul(r, polynomial64(m, square, SIN))),
    cosine: f.local('v128', polynomial64(m, square, COS)),
    q,
  };
}

const isOdd = (q: Local<'v128'>): Vector => i64x2.eq(v128.and(q, i64x2.const(1n)), i64x2.const(1n));

/** Bit 1 of q as a sign. */
const signOf = (q: Vector): Vector => i64x2.shl(v128.and(q, i64x2.const(2n)), i32.const(62));

const SIGN = i32x4.const(-0x80000000);

/** An odd function from what it is for |x|: −0 stays −0. */
function oddly(context: MathContext, x: Vector, formula: (half: Local<'v128'>) => Vector): Vector {
  const v = context.f.local('v128', x);
  const value = inDoubles(context.f, [f32x4.abs(v)], formula);
  return v128.xor(value, v128.and(v, SIGN));
}

/** sin x: sin r, cos r, −sin r, −cos r for q = 0, 1, 2, 3. */
export function emitSin(context: MathContext, x: Vector): Vector {
  return oddly(context, x, (half) => {
    const { sine, cosine, q } = reducedAngle(context, half);
    return v128.xor(v128.bitselect(cosine, sine, isOdd(q)), signOf(q));
  });
}

/** cos x: cos r, −sin r, −cos r, sin r for q = 0, 1, 2, 3. */
export function emitCos({ f, m, shared }: MathContext, x: Vector): Vector {
  return inDoubles(f, [f32x4.abs(x)], (half) => {
    const { sine, cosine, q } = reducedAngle({ f, m, shared }, half);
    const value = v128.bitselect(sine, cosine, isOdd(q));
    return v128.xor(value, signOf(i64x2.add(q, i64x2.const(1n))));
  });
}

/** tan x: tan r for even q, −1 / tan r for odd q. */
export function emitTan(context: MathContext, x: Vector): Vector {
  return oddly(context, x, (half) => {
    const { sine, cosine, q } = reducedAngle(context, half);
    const odd = context.f.local('v128', isOdd(q));
    const quotient = f64x2.div(
      v128.bitselect(cosine, sine, odd),
      v128.bitselect(sine, cosine, odd),
    );
    return v128.xor(quotient, v128.and(odd, f64x2.const(-0)));
  });
}

/** atan(t)/t in t² for |t| ≤ tan π/8; relative error 2^−35. */
const ATAN = [
  0.9999999999792843, -0.3333333213430007, 0.1999988632702991, -0.14281649717858538,
  0.1104116962418252, -0.08459696807334938, 0.047141188533681995,
];

/** Above all float32, far below the greatest float64. */
const HUGE = 2 ** 300;
const TINY = 2 ** -300;

/**
 * The angle of the point (x, y) for float64 lanes that came from float32 or are of their size. With least and most of |x| and |y|,
 * a = least/most is brought below tan π/8 by atan a = π/4 + atan((least − most)/(least + most)); the octant is put back after that.
 *
 * @param right whether x is known to be above −0
 */
function angleOf(
  { f, m }: Pick<MathContext, 'f' | 'm'>,
  y: Local<'v128'>,
  x: Local<'v128'>,
  right = false,
): Vector {
  // Infinities become numbers whose quotient is 1, and 0/0 is 0. What NaN gives is put right at the end.
  const finite = (v: Local<'v128'>): Local<'v128'> =>
    f.local('v128', f64x2.pmin(f64x2.abs(v), f64x2.const(HUGE)));
  const [ay, ax] = [finite(y), finite(x)];
  const least = f.local('v128', f64x2.pmin(ay, ax));
  const most = f.local('v128', f64x2.pmax(f64x2.pmax(ay, ax), f64x2.const(TINY)));
  const high = f.local('v128', f64x2.gt(least, f64x2.mul(most, f64x2.const(Math.SQRT2 - 1))));
  const numerator = v128.bitselect(f64x2.sub(least, most), least, high);
  const denominator = v128.bitselect(f64x2.add(least, most), most, high);
  const t = f.local('v128', f64x2.div(numerator, denominator));
  const square = f.local('v128', f64x2.mul(t, t));
  const eighth = v128.and(high, f64x2.const(Math.PI / 4));
  const octant = f.local('v128', madd64(m, t, polynomial64(m, square, ATAN), eighth));
  // |y| > |x|: π/2 − a. Then left of the axis: π − a; the sign of −0 counts.
  const steep = f64x2.gt(ay, ax);
  const beyond = f64x2.sub(f64x2.const(Math.PI / 2), octant);
  const quadrant = f.local('v128', v128.bitselect(beyond, octant, steep));
  const left = i64x2.eq(i64x2.shr_u(x, i32.const(63)), i64x2.const(1n));
  const half = right
    ? quadrant
    : v128.bitselect(f64x2.sub(f64x2.const(Math.PI), quadrant), quadrant, left);
  const none = v128.or(f64x2.ne(x, x), f64x2.ne(y, y));
  return v128.or(v128.or(half, v128.and(y, f64x2.const(-0))), none);
}

/** The angle of the point (x, y), from −π to π. */
export function emitAtan2({ f, m }: MathContext, y: Vector, x: Vector): Vector {
  return inDoubles(f, [y, x], (a, b) => angleOf({ f, m }, a, b));
}

/** atan x, the angle of (1, x). */
export function emitAtan({ f, m }: MathContext, x: Vector): Vector {
  const one = f.local('v128', f64x2.const(1));
  return inDoubles(f, [x], (half) => angleOf({ f, m }, half, one, true));
}

/** √(1 − x²), NaN beyond ±1; the factors are exact. */
const otherSide = ({ f }: MathContext, x: Local<'v128'>): Local<'v128'> => {
  const one = f64x2.const(1);
  return f.local('v128', f64x2.sqrt(f64x2.mul(f64x2.sub(one, x), f64x2.add(one, x))));
};

/** asin x, the angle of (√(1 − x²), x). */
export function emitAsin(context: MathContext, x: Vector): Vector {
  return inDoubles(context.f, [x], (half) =>
    angleOf(context, half, otherSide(context, half), true),
  );
}

/** acos x, the angle of (x, √(1 − x²)). */
export function emitAcos(context: MathContext, x: Vector): Vector {
  return inDoubles(context.f, [x], (half) => angleOf(context, otherSide(context, half), half));
}
