/**
 * The vector instructions of WebAssembly, by their names in the specification: `f32x4.add(a, b)`. Operands are expressions, so kernels read as
 * formulas; dots and suffixes become namespaces and underscores (`i32.lt_s`).
 *
 * Opcodes: WebAssembly Core Specification 2.0, appendix A.7, and the proposals threads and relaxed SIMD.
 */
import { Operation, VectorConstant, type Expr, type Opcode } from './code.js';
import { i32 } from './instructions.js';
import {
  SIMD,
  extract,
  floatBytes,
  load,
  loadLane,
  opcode,
  plain,
  replace,
  shift,
  store,
  storeLane,
  unary,
  v1,
  v2,
  v3,
} from './instruction-kinds.js';

/** The same bytes in all lanes. */
const repeated = (lane: readonly number[]): Opcode => {
  const all = Array.from({ length: 16 }, (_, i) => lane[i % lane.length]);
  return { name: 'v128.const', bytes: [...opcode(SIMD, 12), ...all], takes: [], gives: 'v128' };
};

/** Cheap wherever it is: a register minus itself. */
const ZERO = new Operation('v128', repeated([0]), []);

export const v128 = {
  load: load('v128.load', 0, 4, 'v128', SIMD),
  load32_splat: load('v128.load32_splat', 9, 2, 'v128', SIMD),
  load64_splat: load('v128.load64_splat', 10, 3, 'v128', SIMD),
  /** One 32-bit lane from memory, the others zero. */
  load32_zero: load('v128.load32_zero', 92, 2, 'v128', SIMD),
  load64_zero: load('v128.load64_zero', 93, 3, 'v128', SIMD),
  store: store('v128.store', 11, 4, 'v128', SIMD),
  load32_lane: loadLane('v128.load32_lane', 86, 2),
  load64_lane: loadLane('v128.load64_lane', 87, 3),
  store32_lane: storeLane('v128.store32_lane', 90, 2),
  store64_lane: storeLane('v128.store64_lane', 91, 3),
  /** All 16 bytes zero. */
  zero: (): Expr<'v128'> => ZERO,
  not: v1('v128.not', 77),
  and: v2('v128.and', 78),
  /** a and not b */
  andnot: v2('v128.andnot', 79),
  or: v2('v128.or', 80),
  xor: v2('v128.xor', 81),
  /** Bits of a where the mask (last) is 1, else of b. */
  bitselect: v3('v128.bitselect', 82),
  any_true: unary('v128.any_true', 83, 'v128', 'i32', SIMD),
};

export const i8x16 = {
  splat: unary('i8x16.splat', 15, 'i32', 'v128', SIMD),
  /** The bytes of a (0 to 15) and b (16 to 31) that are named. */
  shuffle: (a: Expr<'v128'>, b: Expr<'v128'>, lanes: readonly number[]): Expr<'v128'> =>
    plain('i8x16.shuffle', [...opcode(SIMD, 13), ...lanes], ['v128', 'v128'], 'v128')(a, b),
  eq: v2('i8x16.eq', 35),
  ne: v2('i8x16.ne', 36),
  all_true: unary('i8x16.all_true', 99, 'v128', 'i32', SIMD),
  bitmask: unary('i8x16.bitmask', 100, 'v128', 'i32', SIMD),
  narrow_i16x8_s: v2('i8x16.narrow_i16x8_s', 101),
  narrow_i16x8_u: v2('i8x16.narrow_i16x8_u', 102),
};

export const i16x8 = {
  narrow_i32x4_s: v2('i16x8.narrow_i32x4_s', 133),
  narrow_i32x4_u: v2('i16x8.narrow_i32x4_u', 134),
  extend_low_i8x16_u: v1('i16x8.extend_low_i8x16_u', 137),
  extend_high_i8x16_u: v1('i16x8.extend_high_i8x16_u', 138),
};

/** The 32-bit lanes of a (0 to 3) and b (4 to 7) that are named, as an i8x16.shuffle. */
export function shuffle32(
  a: Expr<'v128'>,
  b: Expr<'v128'>,
  lanes: readonly number[],
): Expr<'v128'> {
  return i8x16.shuffle(
    a,
    b,
    lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)),
  );
}

/** The upper half, moved down; what the upper half is after that does not matter. */
export const upperHalf = (x: Expr<'v128'>): Expr<'v128'> => shuffle32(x, x, [2, 3, 2, 3]);

export const i32x4 = {
  splat: unary('i32x4.splat', 17, 'i32', 'v128', SIMD),
  /** The same constant in all lanes. */
  const: (value: number): Expr<'v128'> =>
    new VectorConstant(
      repeated([value, value >> 8, value >> 16, value >> 24].map((byte) => byte & 0xff)),
    ),
  extract_lane: extract('i32x4.extract_lane', 27, 'i32'),
  replace_lane: replace('i32x4.replace_lane', 28, 'i32'),
  eq: v2('i32x4.eq', 55),
  ne: v2('i32x4.ne', 56),
  lt_s: v2('i32x4.lt_s', 57),
  gt_s: v2('i32x4.gt_s', 59),
  le_s: v2('i32x4.le_s', 61),
  ge_s: v2('i32x4.ge_s', 63),
  abs: v1('i32x4.abs', 160),
  neg: v1('i32x4.neg', 161),
  all_true: unary('i32x4.all_true', 163, 'v128', 'i32', SIMD),
  bitmask: unary('i32x4.bitmask', 164, 'v128', 'i32', SIMD),
  extend_low_i16x8_u: v1('i32x4.extend_low_i16x8_u', 169),
  extend_high_i16x8_u: v1('i32x4.extend_high_i16x8_u', 170),
  shl: shift('i32x4.shl', 171),
  shr_s: shift('i32x4.shr_s', 172),
  shr_u: shift('i32x4.shr_u', 173),
  add: v2('i32x4.add', 174),
  sub: v2('i32x4.sub', 177),
  mul: v2('i32x4.mul', 181),
  min_s: v2('i32x4.min_s', 182),
  max_s: v2('i32x4.max_s', 184),
  trunc_sat_f32x4_s: v1('i32x4.trunc_sat_f32x4_s', 248),
  trunc_sat_f64x2_u_zero: v1('i32x4.trunc_sat_f64x2_u_zero', 253),
};

export const i64x2 = {
  splat: unary('i64x2.splat', 18, 'i64', 'v128', SIMD),
  /** The same constant in both lanes. */
  const: (value: bigint): Expr<'v128'> =>
    new VectorConstant(
      repeated(Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn))),
    ),
  extend_low_i32x4_s: v1('i64x2.extend_low_i32x4_s', 199),
  shl: shift('i64x2.shl', 203),
  shr_s: shift('i64x2.shr_s', 204),
  shr_u: shift('i64x2.shr_u', 205),
  add: v2('i64x2.add', 206),
  sub: v2('i64x2.sub', 209),
  eq: v2('i64x2.eq', 214),
};

export const f32x4 = {
  splat: unary('f32x4.splat', 19, 'f32', 'v128', SIMD),
  /** The same constant in all lanes. */
  const: (value: number): Expr<'v128'> => new VectorConstant(repeated(floatBytes(value, 4))),
  extract_lane: extract('f32x4.extract_lane', 31, 'f32'),
  replace_lane: replace('f32x4.replace_lane', 32, 'f32'),
  eq: v2('f32x4.eq', 65),
  ne: v2('f32x4.ne', 66),
  lt: v2('f32x4.lt', 67),
  gt: v2('f32x4.gt', 68),
  le: v2('f32x4.le', 69),
  ge: v2('f32x4.ge', 70),
  demote_f64x2_zero: v1('f32x4.demote_f64x2_zero', 94),
  ceil: v1('f32x4.ceil', 103),
  floor: v1('f32x4.floor', 104),
  trunc: v1('f32x4.trunc', 105),
  nearest: v1('f32x4.nearest', 106),
  abs: v1('f32x4.abs', 224),
  neg: v1('f32x4.neg', 225),
  sqrt: v1('f32x4.sqrt', 227),
  add: v2('f32x4.add', 228),
  sub: v2('f32x4.sub', 229),
  mul: v2('f32x4.mul', 230),
  div: v2('f32x4.div', 231),
  /** NaN when either is. */
  min: v2('f32x4.min', 232),
  max: v2('f32x4.max', 233),
  /** b < a ? b : a, one instruction on x86. */
  pmin: v2('f32x4.pmin', 234),
  pmax: v2('f32x4.pmax', 235),
  convert_i32x4_s: v1('f32x4.convert_i32x4_s', 250),
  /** a·b + c, rounded once where the machine has a fused multiply-add. */
  relaxed_madd: v3('f32x4.relaxed_madd', 261),
};

export const f64x2 = {
  splat: unary('f64x2.splat', 20, 'f64', 'v128', SIMD),
  const: (value: number): Expr<'v128'> => new VectorConstant(repeated(floatBytes(value, 8))),
  extract_lane: extract('f64x2.extract_lane', 33, 'f64'),
  replace_lane: replace('f64x2.replace_lane', 34, 'f64'),
  eq: v2('f64x2.eq', 71),
  ne: v2('f64x2.ne', 72),
  lt: v2('f64x2.lt', 73),
  gt: v2('f64x2.gt', 74),
  le: v2('f64x2.le', 75),
  ge: v2('f64x2.ge', 76),
  promote_low_f32x4: v1('f64x2.promote_low_f32x4', 95),
  ceil: v1('f64x2.ceil', 116),
  floor: v1('f64x2.floor', 117),
  trunc: v1('f64x2.trunc', 122),
  nearest: v1('f64x2.nearest', 148),
  abs: v1('f64x2.abs', 236),
  neg: v1('f64x2.neg', 237),
  sqrt: v1('f64x2.sqrt', 239),
  add: v2('f64x2.add', 240),
  sub: v2('f64x2.sub', 241),
  mul: v2('f64x2.mul', 242),
  div: v2('f64x2.div', 243),
  min: v2('f64x2.min', 244),
  max: v2('f64x2.max', 245),
  pmin: v2('f64x2.pmin', 246),
  pmax: v2('f64x2.pmax', 247),
  convert_low_i32x4_s: v1('f64x2.convert_low_i32x4_s', 254),
  relaxed_madd: v3('f64x2.relaxed_madd', 263),
};

/** [0, step, 2·step, 3·step] as i32x4. */
export function ramp(step: number): Expr<'v128'> {
  return [1, 2, 3].reduce<Expr<'v128'>>(
    (lanes, lane) => i32x4.replace_lane(lanes, lane, i32.const(lane * step)),
    v128.zero(),
  );
}
