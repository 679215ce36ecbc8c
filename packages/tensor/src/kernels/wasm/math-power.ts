/**
 * Powers and hyperbolic functions of four float32 lanes, computed in float64 lanes (math-doubles.ts) by 2^t and log₂: within 0.51
 * ulp. The polynomials are best in the sense of Chebyshev, found by Remez's exchange.
 *
 * | function | method | error before rounding |
 * |---|---|---|
 * | pow | 2^(b·log₂ \|a\|), log₂ to 45 bits, since \|b·log₂ a\| is up to 150 | 2^−34 |
 * | sinh | (e^x − e^−x)/2, an odd polynomial of degree 9 up to 1 | 2^−33 |
 * | cosh | (e^x + e^−x)/2 | 2^−34 |
 *
 * Special values are those of Math.pow, which gives NaN for 1 to the power of ±∞ and of NaN, unlike C's pow.
 */
import type { FunctionBuilder, FunctionRef, Local, ModuleBuilder } from './assembler/assembler.js';
import { call } from './assembler/assembler.js';
import type { Expr } from './assembler/code.js';
import { f32 } from './assembler/instructions.js';
import { f32x4, f64x2, v128 } from './assembler/simd.js';
import type { SharedFunctions } from './kernel.js';
import { emitExp2, emitLog2, inDoubles, polynomial64 } from './math-doubles.js';
import type { MathContext } from './math-trigonometry.js';

type Vector = Expr<'v128'>;

const one = f32x4.const(1);
const zero = v128.zero();

/** aᵇ for any a and b. */
export function emitPow({ f, m }: Pick<MathContext, 'f' | 'm'>, a: Vector, b: Vector): Vector {
  const base = f.local('v128', a);
  const exponent = f.local('v128', b);
  const value = inDoubles(f, [f32x4.abs(base), exponent], (x, y) =>
    emitExp2(f, m, f64x2.mul(y, emitLog2(f, m, x))),
  );
  // Below 0 the power has a sign where the exponent is odd, and is none where it is no whole number.
  const whole = f.local('v128', f32x4.eq(f32x4.trunc(exponent), exponent));
  const half = f.local('v128', f32x4.mul(exponent, f32x4.const(0.5)));
  const odd = v128.and(whole, f32x4.ne(f32x4.trunc(half), half));
  const sign = v128.and(v128.and(odd, base), f32x4.const(-0));
  const below = v128.and(f32x4.lt(base, zero), f32x4.gt(base, f32x4.const(-Infinity)));
  const none = v128.andnot(below, whole);
  const power = v128.or(v128.xor(value, sign), none);
  return v128.bitselect(one, power, f32x4.eq(exponent, zero));
}

/** (a, b) → aᵇ in four lanes */
export function powF32x4(
  m: ModuleBuilder,
  shared: SharedFunctions,
): FunctionRef<readonly ['v128', 'v128'], 'v128'> {
  return shared.once('powF32x4', () =>
    m.function('powF32x4', ['v128', 'v128'], 'v128', (f, a, b) => {
      f.return(emitPow({ f, m }, a, b));
    }),
  );
}

/** √x as Math.pow(x, ½) gives it: ∞ for −∞, 0 for −0. */
const root = (f: FunctionBuilder, x: Vector): Local<'v128'> => {
  const infinite = f32x4.eq(x, f32x4.const(-Infinity));
  const positive = v128.bitselect(f32x4.const(Infinity), x, infinite);
  return f.local('v128', f32x4.add(f32x4.sqrt(positive), zero));
};

/**
 * Exponents whose powers are a product or a quotient or two: within half an ulp for one operation, 2 ulp for two.
 * (1/x)² and not 1/x², which would be 0 where x² is infinite.
 */
const SHORT: readonly (readonly [number, (f: FunctionBuilder, x: Vector) => Vector])[] = [
  [2, (_, x) => f32x4.mul(x, x)],
  [1, (_, x) => x],
  [0.5, root],
  [-1, (_, x) => f32x4.div(one, x)],
  [3, (_, x) => f32x4.mul(f32x4.mul(x, x), x)],
  [-0.5, (f, x) => f32x4.div(one, root(f, x))],
  [
    4,
    (f, x) => {
      const square = f.local('v128', f32x4.mul(x, x));
      return f32x4.mul(square, square);
    },
  ],
  [
    -2,
    (f, x) => {
      const reciprocal = f.local('v128', f32x4.div(one, x));
      return f32x4.mul(reciprocal, reciprocal);
    },
  ],
];

/** xsᵇ for one exponent, in all lanes of b, looked at when the kernel runs: gradients compute theirs. The xs are variables. */
export function emitPowByOne(
  { f, m, shared }: MathContext,
  xs: readonly Vector[],
  b: Vector,
): readonly Vector[] {
  const exponents = f.local('v128', b);
  const exponent = f.local('f32', f32x4.extract_lane(exponents, 0));
  const results = xs.map(() => f.local('v128'));
  const set = (formula: (x: Vector) => Vector): void =>
    results.forEach((result, i) => f.set(result, formula(xs[i])));
  f.block((end) => {
    for (const [value, formula] of SHORT) {
      f.if(f32.eq(exponent, f32.const(value)), () => {
        set((x) => formula(f, x));
        f.br(end);
      });
    }
    set((x) => call(powF32x4(m, shared), x, exponents));
  });
  return results;
}

/** sinh(x)/x in x² for |x| ≤ 1; relative error 2^−34. */
const SINH = [
  1.0000000000459763, 0.1666666643024671, 0.008333352592911802, 0.00019835812447034713,
  2.8185239445789464e-6,
];

const expOf = ({ f, m }: MathContext, x: Local<'v128'>): Local<'v128'> =>
  f.local('v128', emitExp2(f, m, f64x2.mul(x, f64x2.const(Math.LOG2E))));

/** sinh x; up to 1, where e^x − e^−x would cancel, a polynomial. */
export function emitSinh(context: MathContext, x: Vector): Vector {
  const { f, m } = context;
  return inDoubles(f, [x], (half) => {
    const e = expOf(context, half);
    const far = f64x2.mul(f64x2.sub(e, f64x2.div(f64x2.const(1), e)), f64x2.const(0.5));
    const square = f.local('v128', f64x2.mul(half, half));
    const near = f64x2.mul(half, polynomial64(m, square, SINH));
    return v128.bitselect(near, far, f64x2.lt(f64x2.abs(half), f64x2.const(1)));
  });
}

/** cosh x */
export function emitCosh(context: MathContext, x: Vector): Vector {
  return inDoubles(context.f, [x], (half) => {
    const e = expOf(context, half);
    return f64x2.mul(f64x2.add(e, f64x2.div(f64x2.const(1), e)), f64x2.const(0.5));
  });
}
