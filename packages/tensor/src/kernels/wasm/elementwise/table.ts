/**
 * The element-wise formulas, one for each op: on float lanes of either width; on one width where a function of math*.ts is in it;
 * on int32 and on truth values. Each computes what the TypeScript kernel of that name does, NaN and −0 included.
 */
import type { FunctionBuilder } from '../assembler/assembler.js';
import { SELU_ALPHA, SELU_SCALE } from '../../js/elementwise.js';
import {
  emitErf,
  emitExp,
  emitExpm1,
  emitGelu,
  emitLog,
  emitLog1p,
  emitSigmoid,
  emitTanh,
  emitSoftplus,
  type EmitF32x4,
} from '../math.js';
import { inDoubles } from '../math-doubles.js';
import {
  emitExp64,
  emitExpm1Of64,
  emitLog1pOf64,
  emitLog64,
  emitSigmoid64,
  emitSoftplus64,
  emitTanh64,
  type EmitF64x2,
} from '../math-float64.js';
import { emitCosh, emitPow, emitSinh } from '../math-power.js';
import {
  emitAcos,
  emitAsin,
  emitAtan,
  emitAtan2,
  emitCos,
  emitSin,
  emitTan,
  type MathContext,
} from '../math-trigonometry.js';
import type { FormulaContext, Vector } from './lanes.js';
import { emitModulo } from './whole.js';
import { i32 } from '../assembler/instructions.js';
import { f32x4, f64x2, i32x4, i8x16, v128 } from '../assembler/simd.js';

/** The instructions that float32 and float64 lanes share. */
export type FloatLanes = typeof f32x4 | typeof f64x2;

type Unary = (x: Vector, lanes: FloatLanes, context: FormulaContext) => Vector;
type Binary = (a: Vector, b: Vector, lanes: FloatLanes, f: FunctionBuilder) => Vector;
type IntUnary = (x: Vector) => Vector;
type IntBinary = (a: Vector, b: Vector) => Vector;

/** max(x, 0), with NaN and −0 left as they are: pmax gives its first operand unless the second is greater. */
const relu = (x: Vector, lanes: FloatLanes): Vector => lanes.pmax(x, v128.zero());

/** The operands are variables, so a formula may use them more than once. */
export const FLOAT_UNARY = {
  neg: (x, lanes) => lanes.neg(x),
  abs: (x, lanes) => lanes.abs(x),
  sqrt: (x, lanes) => lanes.sqrt(x),
  rsqrt: (x, lanes) => lanes.div(lanes.const(1), lanes.sqrt(x)),
  square: (x, lanes) => lanes.mul(x, x),
  reciprocal: (x, lanes) => lanes.div(lanes.const(1), x),
  floor: (x, lanes) => lanes.floor(x),
  ceil: (x, lanes) => lanes.ceil(x),
  round: (x, lanes) => lanes.nearest(x),
  /** ±1 where x is neither 0 nor NaN, else x. */
  sign: (x, lanes) => {
    const one = v128.or(v128.and(x, lanes.const(-0)), lanes.const(1));
    return v128.bitselect(one, x, lanes.gt(lanes.abs(x), v128.zero()));
  },
  relu,
  relu6: (x, lanes) => lanes.pmin(relu(x, lanes), lanes.const(6)),
  hardSigmoid: (x, lanes) => {
    const shifted = lanes.add(x, lanes.const(3));
    return lanes.div(lanes.pmin(relu(shifted, lanes), lanes.const(6)), lanes.const(6));
  },
  softsign: (x, lanes) => lanes.div(x, lanes.add(lanes.abs(x), lanes.const(1))),
  leakyRelu: (x, lanes, { p }) => v128.bitselect(lanes.mul(x, p), x, lanes.lt(x, v128.zero())),
  clip: (x, lanes, { p, q }) => lanes.pmin(lanes.pmax(x, p), q),
} satisfies Record<string, Unary>;

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

const emitted =
  (emit: EmitF32x4) =>
  (x: Vector, { f, m }: FormulaContext): Vector =>
    emit(f, m, x);

const inContext =
  (emit: (context: MathContext, x: Vector) => Vector) =>
  (x: Vector, { f, m, shared }: FormulaContext): Vector =>
    emit({ f, m, shared }, x);

/** The formulas with functions of math*.ts: float32 only. */
export const FLOAT32_UNARY = {
  exp: emitted(emitExp),
  log: emitted(emitLog),
  tanh: emitted(emitTanh),
  sigmoid: emitted(emitSigmoid),
  expm1: emitted(emitExpm1),
  log1p: emitted(emitLog1p),
  softplus: emitted(emitSoftplus),
  erf: emitted(emitErf),
  gelu: emitted(emitGelu),
  sin: inContext(emitSin),
  cos: inContext(emitCos),
  tan: inContext(emitTan),
  asin: inContext(emitAsin),
  acos: inContext(emitAcos),
  atan: inContext(emitAtan),
  sinh: inContext(emitSinh),
  cosh: inContext(emitCosh),
  /** x·σ(x) */
  silu: (x, { f, m }) => f32x4.mul(x, emitSigmoid(f, m, x)),
  /** x·σ(2u), u = √(2/π)·(x + 0.044715·x³) */
  geluTanh: (x, { f, m }) => {
    const cubic = f32x4.add(f32x4.mul(f32x4.mul(x, x), f32x4.const(0.044715)), f32x4.const(1));
    const u = f32x4.mul(f32x4.mul(x, cubic), f32x4.const(2 * SQRT_2_OVER_PI));
    return f32x4.mul(x, emitSigmoid(f, m, u));
  },
  mish: (x, { f, m }) => f32x4.mul(x, emitTanh(f, m, emitSoftplus(f, m, x))),
  elu: (x, { f, m, p }) => {
    const below = f32x4.mul(p, emitExpm1(f, m, x));
    return v128.bitselect(below, x, f32x4.lt(x, v128.zero()));
  },
  selu: (x, { f, m }) => {
    const below = f32x4.mul(f32x4.const(SELU_ALPHA), emitExpm1(f, m, x));
    const value = v128.bitselect(below, x, f32x4.lt(x, v128.zero()));
    return f32x4.mul(f32x4.const(SELU_SCALE), value);
  },
} satisfies Record<string, (x: Vector, context: FormulaContext) => Vector>;

const of64 =
  (emit: EmitF64x2) =>
  (x: Vector, { f, m }: FormulaContext): Vector =>
    emit(f, m, x);

/** The formulas with functions of math-float64.ts: float64 only. */
export const FLOAT64_UNARY = {
  exp: of64(emitExp64),
  log: of64(emitLog64),
  tanh: of64(emitTanh64),
  sigmoid: of64(emitSigmoid64),
  expm1: of64(emitExpm1Of64),
  log1p: of64(emitLog1pOf64),
  softplus: of64(emitSoftplus64),
  /** x·σ(x) */
  silu: (x, { f, m }) => f64x2.mul(x, emitSigmoid64(f, m, x)),
  mish: (x, { f, m }) => f64x2.mul(x, emitTanh64(f, m, emitSoftplus64(f, m, x))),
  elu: (x, { f, m, p }) => {
    const below = f64x2.mul(p, emitExpm1Of64(f, m, x));
    return v128.bitselect(below, x, f64x2.lt(x, v128.zero()));
  },
  selu: (x, { f, m }) => {
    const below = f64x2.mul(f64x2.const(SELU_ALPHA), emitExpm1Of64(f, m, x));
    const value = v128.bitselect(below, x, f64x2.lt(x, v128.zero()));
    return f64x2.mul(f64x2.const(SELU_SCALE), value);
  },
} satisfies Record<string, (x: Vector, context: FormulaContext) => Vector>;

export const FLOAT_BINARY = {
  add: (a, b, lanes) => lanes.add(a, b),
  sub: (a, b, lanes) => lanes.sub(a, b),
  mul: (a, b, lanes) => lanes.mul(a, b),
  div: (a, b, lanes) => lanes.div(a, b),
  maximum: (a, b, lanes) => lanes.max(a, b),
  minimum: (a, b, lanes) => lanes.min(a, b),
  squaredDifference: (a, b, lanes, f) => {
    const difference = f.local('v128', lanes.sub(a, b));
    return lanes.mul(difference, difference);
  },
  reluGrad: (a, b, lanes) => v128.and(a, lanes.gt(b, v128.zero())),
} satisfies Record<string, Binary>;

/** The formulas of two operands with functions of math*.ts: float32 only. */
export const FLOAT32_BINARY = {
  pow: (a, b, context) => emitPow(context, a, b),
  atan2: (a, b, context) => emitAtan2(context, a, b),
  mod: (a, b, { f }) => inDoubles(f, [a, b], (x, y) => emitModulo(f, x, y)),
  /** max(a, 0) − a·b + ln(1 + e^−|a|); the last term is softplus(−|a|). */
  sigmoidCrossEntropy: (a, b, { f, m }) => {
    const small = emitSoftplus(f, m, f32x4.neg(f32x4.abs(a)));
    return f32x4.add(f32x4.sub(relu(a, f32x4), f32x4.mul(a, b)), small);
  },
} satisfies Record<string, (a: Vector, b: Vector, context: FormulaContext) => Vector>;

/** Masks. */
export const FLOAT_COMPARISONS = {
  equal: (a, b, lanes) => lanes.eq(a, b),
  notEqual: (a, b, lanes) => lanes.ne(a, b),
  less: (a, b, lanes) => lanes.lt(a, b),
  lessEqual: (a, b, lanes) => lanes.le(a, b),
  greater: (a, b, lanes) => lanes.gt(a, b),
  greaterEqual: (a, b, lanes) => lanes.ge(a, b),
  logicalAnd: (a, b, lanes) => v128.and(lanes.ne(a, v128.zero()), lanes.ne(b, v128.zero())),
  logicalOr: (a, b, lanes) => v128.or(lanes.ne(a, v128.zero()), lanes.ne(b, v128.zero())),
} satisfies Record<string, Binary>;

/** Masks. */
export const FLOAT_TESTS = {
  isNaN: (x, lanes) => lanes.ne(x, x),
  logicalNot: (x, lanes) => lanes.eq(x, v128.zero()),
} satisfies Record<string, Unary>;

/** What int32 has instructions for. */
export const INT_UNARY = {
  neg: (x) => i32x4.neg(x),
  abs: (x) => i32x4.abs(x),
  relu: (x) => i32x4.max_s(x, v128.zero()),
} satisfies Record<string, IntUnary>;

export const INT_BINARY = {
  add: (a, b) => i32x4.add(a, b),
  sub: (a, b) => i32x4.sub(a, b),
  maximum: (a, b) => i32x4.max_s(a, b),
  minimum: (a, b) => i32x4.min_s(a, b),
} satisfies Record<string, IntBinary>;

/** The formulas of float64 that int32 is computed by: TypeScript rounds what is above 2⁵³, so must these. */
export const INT_UNARY_BY_DOUBLES = [
  'square',
  'relu6',
  'floor',
  'ceil',
  'round',
  'sign',
  'clip',
] as const satisfies readonly (keyof typeof FLOAT_UNARY)[];

export const INT_BINARY_BY_DOUBLES = {
  mul: FLOAT_BINARY.mul,
  squaredDifference: FLOAT_BINARY.squaredDifference,
  reluGrad: FLOAT_BINARY.reluGrad,
  mod: (a, b, _, f) => emitModulo(f, a, b),
} satisfies Record<string, Binary>;

/** Masks. */
export const INT_COMPARISONS = {
  equal: (a, b) => i32x4.eq(a, b),
  notEqual: (a, b) => i32x4.ne(a, b),
  less: (a, b) => i32x4.lt_s(a, b),
  lessEqual: (a, b) => i32x4.le_s(a, b),
  greater: (a, b) => i32x4.gt_s(a, b),
  greaterEqual: (a, b) => i32x4.ge_s(a, b),
  logicalAnd: (a, b) => v128.and(i32x4.ne(a, v128.zero()), i32x4.ne(b, v128.zero())),
  logicalOr: (a, b) => i32x4.ne(v128.or(a, b), v128.zero()),
} satisfies Record<string, IntBinary>;

/** Masks. */
export const INT_TESTS = {
  isNaN: () => v128.zero(),
  logicalNot: (x) => i32x4.eq(x, v128.zero()),
} satisfies Record<string, IntUnary>;

const ones = i8x16.splat(i32.const(1));
const not = (x: Vector): Vector => v128.xor(x, ones);

/** Truth values are bytes that are 0 or 1. */
export const BOOL_UNARY = {
  isNaN: () => v128.zero(),
  logicalNot: not,
} satisfies Record<string, IntUnary>;

export const BOOL_BINARY = {
  logicalAnd: (a, b) => v128.and(a, b),
  logicalOr: (a, b) => v128.or(a, b),
  notEqual: (a, b) => v128.xor(a, b),
  equal: (a, b) => not(v128.xor(a, b)),
  less: (a, b) => v128.andnot(b, a),
  lessEqual: (a, b) => v128.or(not(a), b),
  greater: (a, b) => v128.andnot(a, b),
  greaterEqual: (a, b) => v128.or(a, not(b)),
} satisfies Record<string, IntBinary>;
