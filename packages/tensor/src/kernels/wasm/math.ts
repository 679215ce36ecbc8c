/**
 * Elementary functions of four float32 lanes.
 *
 * Method: argument reduction after Cody & Waite ("Software Manual for the Elementary Functions", 1980), then a polynomial that
 * is best in the sense of Chebyshev on what is left, found by Remez's exchange in 50 digits and rounded to float32; for
 * logarithms see math-logarithm.ts. The bounds below hold against float64 for every argument: subnormal numbers, −0, infinities, NaN; tests
 * assert them.
 *
 * | function | range of the polynomial | its error | result within |
 * |---|---|---|---|
 * | exp, expm1 | −ln 2 / 2 ≤ r ≤ ln 2 / 2, degree 6 | 2^−26 of e^r − 1 | 1.5 ulp, 2 ulp |
 * | tanh, sigmoid | the same | the same | 2 ulp, 2 ulp |
 * | log, log1p | √½ ≤ m < √2, s = (m − 1)/(m + 1), degree 7 in s | 2^−30 | 1 ulp, 1 ulp |
 * | softplus | by exp and log1p | | 2 ulp |
 * | erf | −1 ≤ x ≤ 1, degree 13; beyond by exp | 2^−29 | 2.5 ulp |
 *
 * `emitExp(f, m, x)` appends the code where it is called.
 */
import type { FunctionBuilder, Local, ModuleBuilder } from './assembler/assembler.js';
import type { Expr } from './assembler/code.js';
import { i32 } from './assembler/instructions.js';
import { f32x4, i32x4, v128 } from './assembler/simd.js';
import { logarithms } from './math-logarithm.js';

type Vector = Expr<'v128'>;

/** Appends code to f, and gives the expression of the result. It is to be used once, or put into a variable. */
export type EmitF32x4 = (f: FunctionBuilder, m: ModuleBuilder, x: Vector) => Vector;

/** a·b + c in float32, fused where the module may and the machine can. */
export function madd(m: ModuleBuilder, a: Vector, b: Vector, c: Vector): Vector {
  return m.relaxed ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c);
}

/** c₀ + c₁·x + c₂·x² + … by Horner's rule. */
function polynomial(m: ModuleBuilder, x: Vector, coefficients: readonly number[]): Vector {
  return coefficients
    .map((c) => f32x4.const(c))
    .reduceRight((sum: Vector, c) => madd(m, sum, x, c));
}

const one = f32x4.const(1);
const zero = v128.zero();
/** The bit of the sign. */
export const SIGN = i32x4.const(-0x80000000);

const LOG2_E = 1.4426950408889634;
/** ln 2 in two parts. The first has 15 bits: a multiple of up to 8 bits is exact. */
const LN2_HIGH = 0.693145751953125;
const LN2_LOW = 1.428606820309417e-6;

/**
 * (e^r − 1 − r) / r² for |r| ≤ ln 2 / 2; error 1.4e-8 / r. The third is 11 units of its last place greater than the best: so tanh
 * is within 2 ulp for every float32, else at some numbers near 1/8 it is not.
 */
const EXP = [
  0.5000000061727444, 0.16666543122993038, 0.04166632518172264, 0.008366571363830054,
  0.0013946424653151718,
];

/** ln((1 + s) / (1 − s)) = 2s + s·z·(…) with z = s², s ≤ 3 − 2√2; error 2^−30 of the whole. */
const LOG = [0.6666677671710177, 0.3997749558025566, 0.2987307312266];

/** Adding and subtracting this rounds to a whole number, which stands in the last bits of the sum. */
const ROUND = 12582912;
const ROUND_BITS = 0x4b400000;

interface Reduction {
  readonly bias: number;
  /** With −1 it is −x = n·ln 2 − r, at no cost. */
  readonly sign?: 1 | -1;
}

/** x = n·ln 2 + r with |r| ≤ ln 2 / 2. */
interface Reduced {
  /** Its last bits are n + bias + 127: shifted to the left by 23 they are 2^(n + bias), where that is a normal number. */
  readonly exponent: Local<'v128'>;
  readonly r: Local<'v128'>;
}

function reduceArgument(
  f: FunctionBuilder,
  m: ModuleBuilder,
  x: Local<'v128'>,
  { bias, sign = 1 }: Reduction,
): Reduced {
  const round = f32x4.const(ROUND + 127 + bias);
  const exponent = f.local('v128', madd(m, x, f32x4.const(sign * LOG2_E), round));
  const n = f.local('v128', f32x4.sub(exponent, round));
  const high = madd(m, n, f32x4.const(-sign * LN2_HIGH), x);
  return { exponent, r: f.local('v128', madd(m, n, f32x4.const(-sign * LN2_LOW), high)) };
}

/**
 * e^r − 1 = r + r²·q(r); with sign −1 from −r, and its negative. The halves of q are computed side by side (Estrin's scheme):
 * these functions take as long as their results wait for each other.
 */
export function expm1OfReduced(
  f: FunctionBuilder,
  m: ModuleBuilder,
  r: Local<'v128'>,
  sign: 1 | -1 = 1,
): Local<'v128'> {
  const square = f.local('v128', f32x4.mul(r, r));
  const [c0, c1, c2, c3, c4] = EXP.map((c, i) => f32x4.const(c * sign ** (i + 1)));
  const upper = madd(m, c4, square, madd(m, c3, r, c2));
  const q = madd(m, upper, square, madd(m, c1, r, c0));
  return f.local('v128', madd(m, square, q, r));
}

/** x = n·ln 2 + r and p = e^r − 1, or its negative with sign −1. */
function reduce(
  f: FunctionBuilder,
  m: ModuleBuilder,
  x: Local<'v128'>,
  reduction: Reduction,
): { readonly exponent: Local<'v128'>; readonly p: Local<'v128'> } {
  const { exponent, r } = reduceArgument(f, m, x, reduction);
  return { exponent, p: expm1OfReduced(f, m, r, reduction.sign) };
}

/** The power of two whose exponent stands in the last bits. */
const powerOfTwo = (exponent: Vector): Vector => i32x4.shl(exponent, i32.const(23));

/**
 * eˣ = 2ⁿ·e^r. The power is multiplied in two steps, so that it may lie above or below what an exponent can hold:
 * the last product rounds to a subnormal number, 0 or infinity as it must.
 */
export const emitExp: EmitF32x4 = (f, m, x) => {
  // The limits keep n between −150 and 128. NaN passes: pmin gives its first operand when one is NaN.
  const limited = f32x4.pmax(f32x4.pmin(x, f32x4.const(89)), f32x4.const(-104));
  const { exponent, p } = reduce(f, m, f.local('v128', limited), { bias: 127 });
  const half = f.local(
    'v128',
    i32x4.shr_s(i32x4.sub(exponent, i32x4.const(ROUND_BITS)), i32.const(1)),
  );
  const scaled = f32x4.mul(f32x4.add(p, one), powerOfTwo(half));
  return f32x4.mul(scaled, powerOfTwo(i32x4.sub(exponent, half)));
};

/** e^x for −104 ≤ x ≤ 0 or NaN, in fewer steps: 2^(n+32) cannot overflow here. */
function expOfNegative(f: FunctionBuilder, m: ModuleBuilder, x: Local<'v128'>): Local<'v128'> {
  const { exponent, p } = reduce(f, m, x, { bias: 32 });
  const scaled = f32x4.mul(f32x4.add(p, one), powerOfTwo(exponent));
  return f.local('v128', f32x4.mul(scaled, f32x4.const(2 ** -32)));
}

const minusAbs = (x: Vector): Vector => v128.or(x, SIGN);

/** −|x|, but not below −104, where e^x is 0. */
const negative = (f: FunctionBuilder, x: Vector): Local<'v128'> =>
  f.local('v128', f32x4.pmax(minusAbs(x), f32x4.const(-104)));

/**
 * A function of e⁻ˣ by its beginning and its end, with `expm1OfReduced(f, m, r, -1)` between them: for loops that do the one for
 * many numbers, and then the other.
 */
export interface Halves {
  /** The exponent needs the last 9 bits only. */
  readonly begin: (f: FunctionBuilder, m: ModuleBuilder, x: Local<'v128'>) => Reduced;
  /** @param sign has the sign of x, if the function asks for it */
  readonly end: (
    f: FunctionBuilder,
    p: Local<'v128'>,
    exponent: Local<'v128'>,
    sign: Local<'v128'>,
  ) => Vector;
}

const whole =
  ({ begin, end }: Halves): EmitF32x4 =>
  (f, m, x) => {
    const v = f.local('v128', x);
    const { exponent, r } = begin(f, m, v);
    return end(f, expm1OfReduced(f, m, r, -1), exponent, v);
  };

/**
 * σ(x) = 1 / (1 + e⁻ˣ), both sides of the fraction times 2^−32, so that it neither overflows nor loses subnormal results. With
 * e⁻ˣ = 2ⁿ·e^r the denominator is (1 + 2ⁿ·(e^r − 1)) + 2ⁿ, of which the product is exact; in another order the 1 is lost to
 * large n.
 */
export const sigmoidHalves: Halves = {
  begin: (f, m, x) => {
    // NaN passes: pmin gives its first operand when one is NaN.
    const v = f.local('v128', f32x4.pmax(f32x4.pmin(x, f32x4.const(60)), f32x4.const(-104)));
    return reduceArgument(f, m, v, { bias: -32, sign: -1 });
  },
  end: (f, p, exponent) => {
    const unit = f32x4.const(2 ** -32);
    const power = f.local('v128', powerOfTwo(exponent));
    return f32x4.div(unit, f32x4.add(f32x4.sub(unit, f32x4.mul(p, power)), power));
  },
};

/** 1 / (1 + e⁻ˣ) */
export const emitSigmoid = whole(sigmoidHalves);

/**
 * tanh a = −u / (u + 2) with u = e^(−2a) − 1 = 2ⁿ·(e^r − 1) + (2ⁿ − 1) for a = |x|, in which nothing cancels. From 9.02 on the
 * result is 1.
 */
export const tanhHalves: Halves = {
  begin: (f, m, x) => {
    const a = f.local('v128', f32x4.pmin(v128.andnot(x, SIGN), f32x4.const(10)));
    return reduceArgument(f, m, f.local('v128', f32x4.add(a, a)), { bias: 0, sign: -1 });
  },
  end: (f, p, exponent, sign) => {
    const power = f.local('v128', powerOfTwo(exponent));
    // A product with a power of two is exact.
    const product = f.local('v128', f32x4.mul(p, power));
    const numerator = f32x4.add(f32x4.sub(one, power), product);
    const quotient = f32x4.div(numerator, f32x4.sub(f32x4.add(one, power), product));
    return v128.or(quotient, v128.and(sign, SIGN));
  },
};

/** tanh x */
export const emitTanh = whole(tanhHalves);

/** eˣ − 1 = 2·(2^(n−1)·(e^r − 1) + (2^(n−1) − ½)): the doubling lets n be 128. Tiny x are their own value. */
export const emitExpm1: EmitF32x4 = (f, m, x) => {
  const v = f.local('v128', x);
  const limited = f32x4.pmax(f32x4.pmin(v, f32x4.const(89)), f32x4.const(-18));
  const { exponent, p } = reduce(f, m, f.local('v128', limited), { bias: -1 });
  const power = f.local('v128', powerOfTwo(exponent));
  const halved = madd(m, p, power, f32x4.sub(power, f32x4.const(0.5)));
  const tiny = f32x4.lt(f32x4.abs(v), f32x4.const(2 ** -26));
  return v128.bitselect(v, f32x4.mul(halved, f32x4.const(2)), tiny);
};

/** The bits of √½: a number's bits minus these, shifted to the right by 23, are k in x = 2^k·m with √½ ≤ m < √2. */
const ROOT_HALF_BITS = 0x3f3504f3;

const { log, log1p } = logarithms({
  lanes: f32x4,
  madd,
  polynomial: (m, z) => polynomial(m, z, LOG),
  ln2: [LN2_HIGH, LN2_LOW],
  leastNormal: 2 ** -126,
  exponentOfScale: 23,
  tiny: 2 ** -26,
  parted: (f, x) => {
    const shifted = i32x4.shr_s(i32x4.sub(x, i32x4.const(ROOT_HALF_BITS)), i32.const(23));
    const e = f.local('v128', shifted);
    const k = f.local('v128', f32x4.convert_i32x4_s(e));
    return { k, mantissa: i32x4.sub(x, i32x4.shl(e, i32.const(23))) };
  },
});

/** ln x */
export const emitLog: EmitF32x4 = log;

/** ln(1 + x) */
export const emitLog1p: EmitF32x4 = log1p;

/** ln(1 + eˣ) = max(x, 0) + ln(1 + e^−|x|), which cannot overflow. */
export const emitSoftplus: EmitF32x4 = (f, m, x) => {
  const v = f.local('v128', x);
  const e = expOfNegative(f, m, negative(f, v));
  const rest = emitLog1p(f, m, e);
  return f32x4.add(f32x4.pmax(v, zero), rest);
};

/** erf(x) / x as a polynomial in x² for |x| ≤ 1; error 2^−29. */
const ERF = [
  1.12837916573, -0.376126258243, 0.112835851492, -0.0268538119582, 0.0051883277291,
  -0.000801019400989, 0.00007853862646,
];

/** ln(erfc z) + z² − ln t as a polynomial in t = 2/(2 + z); error 5e-8 up to z = 11, from where on erfc is 0. */
const ERFC = [
  -1.26546068644, 0.998883381434, 0.38454949486, 0.044316261929, -0.0265356217492, -0.0292274322012,
  -0.756610415452, 1.20118432135, -0.699384141422, 0.148284887212,
];

/** erfc z = t·e^(P(t) − z²) for z ≥ 0, the form of Press et al. ("Numerical Recipes", section 6.2) with our polynomial. */
function erfcOf(f: FunctionBuilder, m: ModuleBuilder, z: Local<'v128'>): Vector {
  const two = f32x4.const(2);
  const t = f.local('v128', f32x4.div(two, f32x4.add(z, two)));
  const exponent = f32x4.sub(polynomial(m, t, ERFC), f32x4.mul(z, z));
  const limited = f.local('v128', f32x4.pmax(exponent, f32x4.const(-104)));
  return f32x4.mul(t, expOfNegative(f, m, limited));
}

/** The error function: odd polynomial up to 1, beyond that 1 − erfc |x|. */
export const emitErf: EmitF32x4 = (f, m, x) => {
  const v = f.local('v128', x);
  const z = f.local('v128', f32x4.abs(v));
  const above = f.local('v128', f32x4.sub(one, erfcOf(f, m, z)));
  const square = f.local('v128', f32x4.mul(v, v));
  const near = f32x4.mul(v, polynomial(m, square, ERF));
  const far = v128.bitselect(v, above, SIGN);
  return v128.bitselect(near, far, f32x4.lt(z, one));
};

/**
 * x·Φ(x) = x·erfc(−x/√2)/2, by erfc of |x|/√2 on either side: far below 0 nothing cancels. Within 4e-7 of the value down to −4;
 * below, where it vanishes, within x²·1e-7 of it.
 */
export const emitGelu: EmitF32x4 = (f, m, x) => {
  const v = f.local('v128', x);
  const z = f.local('v128', f32x4.mul(f32x4.abs(v), f32x4.const(Math.SQRT1_2)));
  const tail = f.local('v128', erfcOf(f, m, z));
  const other = f32x4.sub(f32x4.const(2), tail);
  const twice = v128.bitselect(tail, other, i32x4.shr_s(v, i32.const(31)));
  return f32x4.mul(f32x4.mul(v, f32x4.const(0.5)), twice);
};
