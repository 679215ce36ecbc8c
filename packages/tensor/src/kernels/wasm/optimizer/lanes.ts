/**
 * Kernels that go once over several arrays of the same length, written as formulas on the lanes of vectors: each element of
 * what is written depends on the elements at the same place alone.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
} from '../assembler/assembler.js';
import type { Expr, ValType } from '../assembler/code.js';
import { f32, f64, i32 } from '../assembler/instructions.js';
import type { KernelContext } from '../kernel.js';
import { f32x4, f64x2, v128 } from '../assembler/simd.js';
import { partRange } from '../kernel.js';
import { minimum } from '../integers.js';

type Vector = Expr<'v128'>;

/** Arithmetic on the lanes of a vector whose elements lie in memory as float32. */
export interface Lanes {
  /** How many elements a vector has. */
  readonly width: number;
  load(address: Expr<'i32'>, offset: number): Vector;
  store(address: Expr<'i32'>, value: Vector, offset: number): Expr<'void'>;
  /** One element, in the first lane. */
  loadOne(address: Expr<'i32'>): Vector;
  storeOne(address: Expr<'i32'>, value: Vector): Expr<'void'>;
  splat(value: Expr<'f64'>): Vector;
  /** The value that memory keeps of a value. */
  stored(value: Vector): Vector;
  add(a: Vector, b: Vector): Vector;
  sub(a: Vector, b: Vector): Vector;
  mul(a: Vector, b: Vector): Vector;
  div(a: Vector, b: Vector): Vector;
  max(a: Vector, b: Vector): Vector;
  min(a: Vector, b: Vector): Vector;
  sqrt(a: Vector): Vector;
  abs(a: Vector): Vector;
  neg(a: Vector): Vector;
  /**
   * The elements, those below the smallest normal float32 as 0. A mean that decays comes to rest among these (0.9 times the least
   * of them is rounded to itself), for every weight of a neuron that is dead, and arithmetic with them is many times slower.
   */
  normal(a: Vector): Vector;
}

const LEAST_NORMAL = 2 ** -126;

/** Four elements at a time, in single precision. */
export const single: Lanes = {
  ...f32x4,
  width: 4,
  load: v128.load,
  store: v128.store,
  loadOne: v128.load32_zero,
  storeOne: (address, value) => v128.store32_lane(address, value, 0),
  splat: (value) => f32x4.splat(f32.demote_f64(value)),
  stored: (value) => value,
  normal: (a) => v128.andnot(a, f32x4.lt(f32x4.abs(a), f32x4.const(LEAST_NORMAL))),
};

/** Two elements at a time, in double precision between memory and memory: where differences of near numbers are taken. */
export const double: Lanes = {
  ...f64x2,
  width: 2,
  load: (address, offset) => f64x2.promote_low_f32x4(v128.load64_zero(address, offset)),
  store: (address, value, offset) =>
    v128.store64_lane(address, f32x4.demote_f64x2_zero(value), 0, offset),
  loadOne: (address) => f64x2.promote_low_f32x4(v128.load32_zero(address)),
  storeOne: (address, value) => v128.store32_lane(address, f32x4.demote_f64x2_zero(value), 0),
  splat: f64x2.splat,
  stored: (value) => f64x2.promote_low_f32x4(f32x4.demote_f64x2_zero(value)),
  normal: (a) => v128.andnot(a, f64x2.lt(f64x2.abs(a), f64x2.const(LEAST_NORMAL))),
};

/** Elements of a run: long enough that the call costs nothing, short enough that the engine soon compiles it anew. */
const RUN = 4096;
/** Vectors in a round of the loop. */
const UNROLL = 2;

/**
 * Names the element's formula: given a vector of each array (in variables), the new vectors of those that are written. `keep`
 * puts a value that is used more than once into a variable.
 */
export type ElementFormula = (
  vectors: readonly Local<'v128'>[],
  constants: readonly Local<'v128'>[],
  keep: (value: Vector) => Local<'v128'>,
) => ReadonlyMap<number, Vector>;

/**
 * Applies a formula to all elements of a kernel's part.
 *
 * @param name of the function that does the work, unique
 * @param arrays addresses; the formula's result names them by their place here
 * @param constants of the formula, the same for all elements
 */
export function eachElement(
  f: FunctionBuilder,
  { m, part, parts }: KernelContext,
  name: string,
  lanes: Lanes,
  size: Local<'i32'>,
  arrays: readonly Local<'i32'>[],
  constants: readonly Expr<'f64'>[],
  formula: ElementFormula,
): void {
  const types: ValType[] = ['i32', ...arrays.map(() => 'i32' as const)];
  types.push(...constants.map(() => 'v128' as const));
  const run: FunctionRef<ValType[], 'void'> = m.function(name, types, 'void', (g, ...params) => {
    const [count, ...rest] = params;
    runFormula(
      g,
      lanes,
      count as Local<'i32'>,
      rest.slice(0, arrays.length) as Local<'i32'>[],
      rest.slice(arrays.length) as Local<'v128'>[],
      formula,
    );
  });
  // Parts are whole runs.
  const { from, to } = partRange(f, size, { part, parts }, RUN);
  for (const address of arrays) f.increment(address, i32.mul(from, i32.const(4)));
  const splats = constants.map((value) => f.local('v128', lanes.splat(value)));
  const left = f.local('i32');
  f.while(i32.lt_s(from, to), () => {
    f.set(left, i32.sub(to, from));
    const count = minimum(left, i32.const(RUN));
    f.do(call(run, count, ...arrays, ...splats));
    f.increment(from, RUN);
    for (const address of arrays) f.increment(address, 4 * RUN);
  });
}

function runFormula(
  g: FunctionBuilder,
  lanes: Lanes,
  count: Local<'i32'>,
  arrays: readonly Local<'i32'>[],
  constants: readonly Local<'v128'>[],
  formula: ElementFormula,
): void {
  const keep = (value: Vector): Local<'v128'> => g.local('v128', value);
  const step = lanes.width * UNROLL;
  const round = (elements: number): void => {
    for (const address of arrays) g.increment(address, 4 * elements);
    g.increment(count, -elements);
  };
  g.while(i32.ge_s(count, i32.const(step)), () => {
    for (let u = 0; u < UNROLL; u++) {
      const offset = 4 * lanes.width * u;
      const vectors = arrays.map((address) => keep(lanes.load(address, offset)));
      for (const [i, value] of formula(vectors, constants, keep)) {
        g.do(lanes.store(arrays[i], value, offset));
      }
    }
    round(step);
  });
  g.while(i32.gt_s(count, i32.const(0)), () => {
    const vectors = arrays.map((address) => keep(lanes.loadOne(address)));
    for (const [i, value] of formula(vectors, constants, keep)) {
      g.do(lanes.storeOne(arrays[i], value));
    }
    round(1);
  });
}

/** base^exponent for whole exponents from 0 on, by repeated squaring. */
export function wholePower(
  { m, shared }: KernelContext,
  base: Expr<'f64'>,
  exponent: Expr<'f64'>,
): Expr<'f64'> {
  const power = shared.once('wholePowerF64', () =>
    m.function('wholePowerF64', ['f64', 'i32'], 'f64', (g, b, n) => {
      const result = g.local('f64', f64.const(1));
      g.while(i32.gt_s(n, i32.const(0)), () => {
        g.if(i32.and(n, i32.const(1)), () => g.set(result, f64.mul(result, b)));
        g.set(b, f64.mul(b, b));
        g.set(n, i32.shr_s(n, i32.const(1)));
      });
      g.return(result);
    }),
  );
  return call(power, base, i32.trunc_sat_f64_s(exponent));
}
