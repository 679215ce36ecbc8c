/**
 * The scalar instructions of WebAssembly, by their names in the specification: `i32.add(a, b)`. Operands are expressions, so kernels read as
 * formulas; dots and suffixes become namespaces and underscores (`i32.lt_s`).
 *
 * Opcodes: WebAssembly Core Specification 2.0, appendix A.7, and the proposals threads and relaxed SIMD.
 */
import { signed, signed32, type Expr, type ValType } from './code.js';
import {
  ATOMIC,
  BULK,
  binary,
  constant,
  floatBytes,
  load,
  memoryArgument,
  opcode,
  plain,
  remembered,
  store,
  unary,
} from './instruction-kinds.js';

export const i32 = {
  const: remembered((value: number) => constant('i32.const', 0x41, signed32(value), 'i32')),
  load: load('i32.load', 0x28, 2, 'i32'),
  load8_u: load('i32.load8_u', 0x2d, 0, 'i32'),
  store: store('i32.store', 0x36, 2, 'i32'),
  store8: store('i32.store8', 0x3a, 0, 'i32'),
  eqz: unary('i32.eqz', 0x45, 'i32', 'i32'),
  eq: binary('i32.eq', 0x46, 'i32', 'i32'),
  ne: binary('i32.ne', 0x47, 'i32', 'i32'),
  lt_s: binary('i32.lt_s', 0x48, 'i32', 'i32'),
  lt_u: binary('i32.lt_u', 0x49, 'i32', 'i32'),
  gt_s: binary('i32.gt_s', 0x4a, 'i32', 'i32'),
  gt_u: binary('i32.gt_u', 0x4b, 'i32', 'i32'),
  le_s: binary('i32.le_s', 0x4c, 'i32', 'i32'),
  le_u: binary('i32.le_u', 0x4d, 'i32', 'i32'),
  ge_s: binary('i32.ge_s', 0x4e, 'i32', 'i32'),
  ge_u: binary('i32.ge_u', 0x4f, 'i32', 'i32'),
  add: binary('i32.add', 0x6a, 'i32', 'i32'),
  sub: binary('i32.sub', 0x6b, 'i32', 'i32'),
  mul: binary('i32.mul', 0x6c, 'i32', 'i32'),
  div_s: binary('i32.div_s', 0x6d, 'i32', 'i32'),
  div_u: binary('i32.div_u', 0x6e, 'i32', 'i32'),
  rem_s: binary('i32.rem_s', 0x6f, 'i32', 'i32'),
  rem_u: binary('i32.rem_u', 0x70, 'i32', 'i32'),
  and: binary('i32.and', 0x71, 'i32', 'i32'),
  or: binary('i32.or', 0x72, 'i32', 'i32'),
  xor: binary('i32.xor', 0x73, 'i32', 'i32'),
  shl: binary('i32.shl', 0x74, 'i32', 'i32'),
  shr_s: binary('i32.shr_s', 0x75, 'i32', 'i32'),
  shr_u: binary('i32.shr_u', 0x76, 'i32', 'i32'),
  trunc_sat_f32_s: plain('i32.trunc_sat_f32_s', opcode(BULK, 0), ['f32'], 'i32'),
  trunc_sat_f64_s: plain('i32.trunc_sat_f64_s', opcode(BULK, 2), ['f64'], 'i32'),
  reinterpret_f32: unary('i32.reinterpret_f32', 0xbc, 'f32', 'i32'),
  atomic: {
    load: load('i32.atomic.load', 0x10, 2, 'i32', ATOMIC),
    store: store('i32.atomic.store', 0x17, 2, 'i32', ATOMIC),
    /** Writes `value` if `expected` is there; gives what was there before. */
    rmw_cmpxchg: (address: Expr<'i32'>, expected: Expr<'i32'>, value: Expr<'i32'>): Expr<'i32'> =>
      plain(
        'i32.atomic.rmw.cmpxchg',
        [...opcode(ATOMIC, 0x48), ...memoryArgument(2, 0)],
        ['i32', 'i32', 'i32'],
        'i32',
      )(address, expected, value),
    /** Adds, and gives what was there before. */
    rmw_add: (address: Expr<'i32'>, value: Expr<'i32'>, offset = 0): Expr<'i32'> =>
      plain(
        'i32.atomic.rmw.add',
        [...opcode(ATOMIC, 0x1e), ...memoryArgument(2, offset)],
        ['i32', 'i32'],
        'i32',
      )(address, value),
  },
};

export const i64 = {
  const: (value: bigint): Expr<'i64'> =>
    constant('i64.const', 0x42, signed(BigInt.asIntN(64, value)), 'i64'),
  load: load('i64.load', 0x29, 3, 'i64'),
  store: store('i64.store', 0x37, 3, 'i64'),
  add: binary('i64.add', 0x7c, 'i64', 'i64'),
  sub: binary('i64.sub', 0x7d, 'i64', 'i64'),
  mul: binary('i64.mul', 0x7e, 'i64', 'i64'),
  and: binary('i64.and', 0x83, 'i64', 'i64'),
  or: binary('i64.or', 0x84, 'i64', 'i64'),
  shl: binary('i64.shl', 0x86, 'i64', 'i64'),
  shr_u: binary('i64.shr_u', 0x88, 'i64', 'i64'),
  extend_i32_s: unary('i64.extend_i32_s', 0xac, 'i32', 'i64'),
  extend_i32_u: unary('i64.extend_i32_u', 0xad, 'i32', 'i64'),
  reinterpret_f64: unary('i64.reinterpret_f64', 0xbd, 'f64', 'i64'),
};

export const f32 = {
  const: (value: number): Expr<'f32'> => constant('f32.const', 0x43, floatBytes(value, 4), 'f32'),
  load: load('f32.load', 0x2a, 2, 'f32'),
  store: store('f32.store', 0x38, 2, 'f32'),
  eq: binary('f32.eq', 0x5b, 'f32', 'i32'),
  ne: binary('f32.ne', 0x5c, 'f32', 'i32'),
  lt: binary('f32.lt', 0x5d, 'f32', 'i32'),
  gt: binary('f32.gt', 0x5e, 'f32', 'i32'),
  le: binary('f32.le', 0x5f, 'f32', 'i32'),
  ge: binary('f32.ge', 0x60, 'f32', 'i32'),
  abs: unary('f32.abs', 0x8b, 'f32', 'f32'),
  neg: unary('f32.neg', 0x8c, 'f32', 'f32'),
  nearest: unary('f32.nearest', 0x90, 'f32', 'f32'),
  sqrt: unary('f32.sqrt', 0x91, 'f32', 'f32'),
  add: binary('f32.add', 0x92, 'f32', 'f32'),
  sub: binary('f32.sub', 0x93, 'f32', 'f32'),
  mul: binary('f32.mul', 0x94, 'f32', 'f32'),
  div: binary('f32.div', 0x95, 'f32', 'f32'),
  min: binary('f32.min', 0x96, 'f32', 'f32'),
  max: binary('f32.max', 0x97, 'f32', 'f32'),
  convert_i32_s: unary('f32.convert_i32_s', 0xb2, 'i32', 'f32'),
  demote_f64: unary('f32.demote_f64', 0xb6, 'f64', 'f32'),
  reinterpret_i32: unary('f32.reinterpret_i32', 0xbe, 'i32', 'f32'),
};

export const f64 = {
  const: (value: number): Expr<'f64'> => constant('f64.const', 0x44, floatBytes(value, 8), 'f64'),
  load: load('f64.load', 0x2b, 3, 'f64'),
  store: store('f64.store', 0x39, 3, 'f64'),
  eq: binary('f64.eq', 0x61, 'f64', 'i32'),
  ne: binary('f64.ne', 0x62, 'f64', 'i32'),
  lt: binary('f64.lt', 0x63, 'f64', 'i32'),
  gt: binary('f64.gt', 0x64, 'f64', 'i32'),
  le: binary('f64.le', 0x65, 'f64', 'i32'),
  ge: binary('f64.ge', 0x66, 'f64', 'i32'),
  abs: unary('f64.abs', 0x99, 'f64', 'f64'),
  neg: unary('f64.neg', 0x9a, 'f64', 'f64'),
  nearest: unary('f64.nearest', 0x9e, 'f64', 'f64'),
  sqrt: unary('f64.sqrt', 0x9f, 'f64', 'f64'),
  add: binary('f64.add', 0xa0, 'f64', 'f64'),
  sub: binary('f64.sub', 0xa1, 'f64', 'f64'),
  mul: binary('f64.mul', 0xa2, 'f64', 'f64'),
  div: binary('f64.div', 0xa3, 'f64', 'f64'),
  min: binary('f64.min', 0xa4, 'f64', 'f64'),
  max: binary('f64.max', 0xa5, 'f64', 'f64'),
  convert_i32_s: unary('f64.convert_i32_s', 0xb7, 'i32', 'f64'),
  convert_i64_s: unary('f64.convert_i64_s', 0xb9, 'i64', 'f64'),
  promote_f32: unary('f64.promote_f32', 0xbb, 'f32', 'f64'),
  reinterpret_i64: unary('f64.reinterpret_i64', 0xbf, 'i64', 'f64'),
};

export const memory = {
  size: plain('memory.size', [0x3f, 0], [], 'i32'),
  /** (pages) → how many there were, or -1 */
  grow: plain('memory.grow', [0x40, 0], ['i32'], 'i32'),
  /** (to, from, bytes) */
  copy: plain('memory.copy', [...opcode(BULK, 10), 0, 0], ['i32', 'i32', 'i32'], 'void'),
  /** (to, byte, bytes) */
  fill: plain('memory.fill', [...opcode(BULK, 11), 0], ['i32', 'i32', 'i32'], 'void'),
  atomic: {
    /** (address, count) → how many were woken */
    notify: plain(
      'memory.atomic.notify',
      [...opcode(ATOMIC, 0), ...memoryArgument(2, 0)],
      ['i32', 'i32'],
      'i32',
    ),
    /** (address, expected, nanoseconds or -1) → 0 woken, 1 another value was there, 2 time is over */
    wait32: plain(
      'memory.atomic.wait32',
      [...opcode(ATOMIC, 1), ...memoryArgument(2, 0)],
      ['i32', 'i32', 'i64'],
      'i32',
    ),
  },
};

/** a where the condition is not 0, else b; both are computed. */
export function select<T extends ValType>(a: Expr<T>, b: Expr<T>, condition: Expr<'i32'>): Expr<T> {
  const bytes = a.type === 'v128' ? [0x1c, 1, 0x7b] : [0x1b];
  return plain('select', bytes, [a.type, b.type, 'i32'], a.type)(a, b, condition);
}

/** Throws a value away. */
export function drop(value: Expr<ValType>): Expr<'void'> {
  return plain('drop', [0x1a], [value.type], 'void')(value);
}
