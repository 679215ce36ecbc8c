/**
 * ln x and ln(1 + x), for lanes of float32 and of float64 alike: the form of Tang ("Table-driven implementation of the logarithm
 * function", 1990) that fdlibm's e_log.c and s_log1p.c use.
 */
import type { FunctionBuilder, Local, ModuleBuilder } from './assembler/assembler.js';
import type { Expr } from './assembler/code.js';
import { v128, type f32x4, type f64x2 } from './assembler/simd.js';

type Vector = Expr<'v128'>;
type Emit = (f: FunctionBuilder, m: ModuleBuilder, x: Vector) => Vector;

/** What the lanes of the two formats do not have in common. */
export interface LogarithmFormat {
  readonly lanes: typeof f32x4 | typeof f64x2;
  readonly madd: (m: ModuleBuilder, a: Vector, b: Vector, c: Vector) => Vector;
  /** (ln((1 + s)/(1 − s)) − 2s)/s³ as a polynomial in z = s². */
  readonly polynomial: (m: ModuleBuilder, z: Local<'v128'>) => Vector;
  /** ln 2 in two parts, of which the first times any k is exact. */
  readonly ln2: readonly [high: number, low: number];
  /** The least normal number, and a power of two by which the subnormal ones become normal. */
  readonly leastNormal: number;
  readonly exponentOfScale: number;
  /** Below it x is ln(1 + x). */
  readonly tiny: number;
  /** x = 2^k·m with √½ ≤ m < √2, for normal x above 0. */
  readonly parted: (
    f: FunctionBuilder,
    x: Local<'v128'>,
  ) => { readonly k: Local<'v128'>; readonly mantissa: Vector };
}

/** The code of ln x and of ln(1 + x). */
export function logarithms(format: LogarithmFormat): { readonly log: Emit; readonly log1p: Emit } {
  const { lanes, madd, polynomial, leastNormal, exponentOfScale, tiny, parted } = format;
  const { add, sub, mul, div } = lanes;
  const [high, low] = format.ln2.map(lanes.const);
  const [zero, one] = [v128.zero(), lanes.const(1)];

  /**
   * ln(1 + f) + k·ln 2 with s = f/(2 + f), z = s²: f − (f²/2 − s·(f²/2 + z·L(z))), the order of fdlibm, in which the large
   * part f is added last. `correction` is added to the small part.
   */
  const sum = (
    f: FunctionBuilder,
    m: ModuleBuilder,
    part: Local<'v128'>,
    k: Local<'v128'>,
    correction: Vector | null,
  ): Vector => {
    const s = f.local('v128', div(part, add(part, lanes.const(2))));
    const z = f.local('v128', mul(s, s));
    const half = f.local('v128', mul(mul(part, part), lanes.const(0.5)));
    const rest = madd(m, z, polynomial(m, z), half);
    const lowPart = mul(k, low);
    const small = madd(m, s, rest, correction === null ? lowPart : add(lowPart, correction));
    return sub(mul(k, high), sub(sub(half, small), part));
  };

  /** The values where x is not a positive finite number: −∞ at 0, NaN below, ∞ and NaN for themselves. */
  const withSpecials = (value: Vector, x: Vector): Vector => {
    const notFinite = v128.not(lanes.lt(x, lanes.const(Infinity)));
    const above = v128.bitselect(x, value, notFinite);
    const atZero = v128.bitselect(lanes.const(-Infinity), above, lanes.eq(x, zero));
    return v128.or(atZero, lanes.lt(x, zero));
  };

  return {
    log: (f, m, x) => {
      const v = f.local('v128', x);
      // Subnormal numbers are made normal first.
      const subnormal = f.local('v128', lanes.lt(v, lanes.const(leastNormal)));
      const factor = v128.bitselect(lanes.const(2 ** exponentOfScale), one, subnormal);
      const { k, mantissa } = parted(f, f.local('v128', mul(v, factor)));
      const part = f.local('v128', sub(mantissa, one));
      f.set(k, sub(k, v128.and(subnormal, lanes.const(exponentOfScale))));
      return withSpecials(sum(f, m, part, k, null), v);
    },
    // By u = 1 + x rounded, with what the rounding lost as a correction c/u.
    log1p: (f, m, x) => {
      const v = f.local('v128', x);
      const u = f.local('v128', add(v, one));
      const { k, mantissa } = parted(f, u);
      const none = f.local('v128', lanes.eq(k, zero));
      const part = f.local('v128', v128.bitselect(v, sub(mantissa, one), none));
      // The greater of x and 1 comes out of the sum exactly; for k = 0 nothing was lost, since x itself is used.
      const lost = v128.bitselect(sub(one, sub(u, v)), sub(v, sub(u, one)), lanes.ge(v, one));
      const correction = v128.andnot(div(lost, u), none);
      const value = withSpecials(sum(f, m, part, k, correction), u);
      // Tiny x are their own value, and keep the sign of −0.
      return v128.bitselect(v, value, lanes.lt(lanes.abs(v), lanes.const(tiny)));
    },
  };
}
