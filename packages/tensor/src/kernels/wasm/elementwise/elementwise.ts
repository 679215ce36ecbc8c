/**
 * The element-wise ops: a kernel for each op and dtype from the formulas of table.ts. What has no kernel here
 * (powers and angles of float64, powers of int32) runs in TypeScript.
 */
import type { DType } from '../../../dtype.js';
import type { Command, Kernel, Lowering, LoweringContext, Operand } from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { blockKernel, narrowMask, widenBytes, widenMask } from './lanes.js';
import type { BlockFormula, Vector } from './lanes.js';
import * as table from './table.js';
import { elementCommand, type ElementKernel } from './walk.js';
import { intsInDoubles, toInts } from './whole.js';
import { emitPowByOne } from '../math-power.js';
import { copyRegion } from '../movement/copy.js';
import { f32x4, f64x2, i32x4, shuffle32, upperHalf, v128 } from '../assembler/simd.js';

const FLOATS = [
  { dtype: 'float32', lanes: f32x4, bits: 2, block: 16 },
  { dtype: 'float64', lanes: f64x2, bits: 3, block: 8 },
] as const;

/** Elements in a block with masks: one vector of bytes. */
const WIDE = 16;

/** The ops whose formulas use the attributes p and q. */
const WITH_ATTRIBUTES: ReadonlySet<string> = new Set(['leakyRelu', 'clip', 'elu']);

interface Entry {
  readonly key: string;
  readonly kernel: ElementKernel;
  readonly flops: number;
}

const keyOf = (op: string, dtypes: readonly DType[], result: DType): string =>
  `${op}:${dtypes.join()}:${result}`;

function entry(
  op: string,
  dtypes: readonly DType[],
  result: DType,
  block: number,
  formula: BlockFormula,
  flops = 1,
): Entry {
  const key = keyOf(op, dtypes, result);
  const suffix = op === 'cast' ? `To${result[0].toUpperCase()}${result.slice(1)}` : '';
  const attributes = WITH_ATTRIBUTES.has(op) ? dtypes[0] : null;
  return {
    key,
    kernel: blockKernel(op + suffix, dtypes, result, block, formula, attributes),
    flops,
  };
}

const mapped =
  (formula: (x: Vector) => Vector): BlockFormula =>
  ([xs]) =>
    xs.map((x) => formula(x));
const paired =
  (formula: (a: Vector, b: Vector) => Vector): BlockFormula =>
  ([as, bs]) =>
    as.map((a, i) => formula(a, bs[i]));
/** Truth values from a formula that gives masks. */
const truth =
  (masks: BlockFormula, bits: 2 | 3): BlockFormula =>
  (operands, context) => [narrowMask(masks(operands, context), bits)];

/** x where the condition holds, else y. */
const chosen =
  (bits: 2 | 3): BlockFormula =>
  ([[condition], xs, ys], { f }) => {
    const masks = widenMask(f, condition, bits);
    return xs.map((x, i) => v128.bitselect(x, ys[i], masks[i]));
  };

const floatEntries = FLOATS.flatMap(({ dtype, lanes, bits, block }) => [
  ...Object.entries(table.FLOAT_UNARY).map(([op, formula]) =>
    entry(op, [dtype], dtype, block, ([xs], c) => xs.map((x) => formula(x, lanes, c))),
  ),
  ...Object.entries(table.FLOAT_BINARY).map(([op, formula]) =>
    entry(op, [dtype, dtype], dtype, block, ([as, bs], { f }) =>
      as.map((a, i) => formula(a, bs[i], lanes, f)),
    ),
  ),
  ...Object.entries(table.FLOAT_COMPARISONS).map(([op, formula]) => {
    const masks = paired((a, b) => formula(a, b, lanes));
    return entry(op, [dtype, dtype], 'bool', WIDE, truth(masks, bits));
  }),
  ...Object.entries(table.FLOAT_TESTS).map(([op, formula]) => {
    const masks = mapped((x) => formula(x, lanes));
    return entry(op, [dtype], 'bool', WIDE, truth(masks, bits));
  }),
  entry('where', ['bool', dtype, dtype], dtype, WIDE, chosen(bits)),
]);

/** A function of math.ts takes about as long as twenty additions. */
const FUNCTION_FLOPS = 20;

const functionEntries = [
  ...Object.entries(table.FLOAT32_UNARY).map(([op, formula]) =>
    entry(op, ['float32'], 'float32', 4, ([[x]], c) => [formula(x, c)], FUNCTION_FLOPS),
  ),
  ...Object.entries(table.FLOAT64_UNARY).map(([op, formula]) =>
    entry(
      op,
      ['float64'],
      'float64',
      4,
      ([xs], c) => xs.map((x) => formula(x, c)),
      2 * FUNCTION_FLOPS,
    ),
  ),
  ...Object.entries(table.FLOAT32_BINARY).map(([op, formula]) =>
    entry(
      op,
      ['float32', 'float32'],
      'float32',
      4,
      ([[a], [b]], c) => [formula(a, b, c)],
      FUNCTION_FLOPS,
    ),
  ),
  // A power by one number is a product or two where the number is small and whole.
  entry(
    'powByOne',
    ['float32', 'float32'],
    'float32',
    WIDE,
    ([xs, [exponent]], c) => emitPowByOne(c, xs, exponent),
    4,
  ),
];

const intEntries = [
  ...Object.entries(table.INT_UNARY).map(([op, formula]) =>
    entry(op, ['int32'], 'int32', WIDE, mapped(formula)),
  ),
  ...Object.entries(table.INT_BINARY).map(([op, formula]) =>
    entry(op, ['int32', 'int32'], 'int32', WIDE, paired(formula)),
  ),
  ...table.INT_UNARY_BY_DOUBLES.map((op) =>
    entry(op, ['int32'], 'int32', 4, ([[x]], c) => [
      intsInDoubles(c.f, [x], (half) => table.FLOAT_UNARY[op](half, f64x2, c)),
    ]),
  ),
  ...Object.entries(table.INT_BINARY_BY_DOUBLES).map(([op, formula]) =>
    entry(op, ['int32', 'int32'], 'int32', 4, ([[a], [b]], { f }) => [
      intsInDoubles(f, [a, b], (x, y) => formula(x, y, f64x2, f)),
    ]),
  ),
  ...Object.entries(table.INT_COMPARISONS).map(([op, formula]) =>
    entry(op, ['int32', 'int32'], 'bool', WIDE, truth(paired(formula), 2)),
  ),
  ...Object.entries(table.INT_TESTS).map(([op, formula]) =>
    entry(op, ['int32'], 'bool', WIDE, truth(mapped(formula), 2)),
  ),
  entry('where', ['bool', 'int32', 'int32'], 'int32', WIDE, chosen(2)),
];

const boolEntries = [
  ...Object.entries(table.BOOL_UNARY).map(([op, formula]) =>
    entry(op, ['bool'], 'bool', WIDE, mapped(formula)),
  ),
  ...Object.entries(table.BOOL_BINARY).map(([op, formula]) =>
    entry(op, ['bool', 'bool'], 'bool', WIDE, paired(formula)),
  ),
];

const widened =
  (convert: (low: Vector) => Vector): BlockFormula =>
  ([xs]) =>
    xs.flatMap((x) => [convert(x), convert(upperHalf(x))]);

const castEntries = [
  entry('cast', ['float32'], 'float64', WIDE, widened(f64x2.promote_low_f32x4)),
  entry('cast', ['float64'], 'float32', WIDE, ([xs]) =>
    [0, 2, 4, 6].map((i) => {
      const [low, high] = [xs[i], xs[i + 1]].map((v) => f32x4.demote_f64x2_zero(v));
      return shuffle32(low, high, [0, 1, 4, 5]);
    }),
  ),
  entry('cast', ['float32'], 'int32', 4, ([[x]], { f }) => [
    toInts(f, f64x2.promote_low_f32x4(x), f64x2.promote_low_f32x4(upperHalf(x))),
  ]),
  entry('cast', ['float64'], 'int32', 4, ([[low, high]], { f }) => [toInts(f, low, high)]),
  entry('cast', ['int32'], 'float32', WIDE, mapped(f32x4.convert_i32x4_s)),
  entry('cast', ['int32'], 'float64', WIDE, widened(f64x2.convert_low_i32x4_s)),
  entry('cast', ['bool'], 'int32', WIDE, ([[x]], { f }) => widenBytes(f, x)),
  entry('cast', ['bool'], 'float32', WIDE, ([[x]], { f }) =>
    widenBytes(f, x).map((v) => f32x4.convert_i32x4_s(v)),
  ),
  entry('cast', ['bool'], 'float64', WIDE, ([[x]], c) => {
    const lanes = widenBytes(c.f, x).map((lane) => c.f.local('v128', lane));
    return widened(f64x2.convert_low_i32x4_s)([lanes], c);
  }),
  entry(
    'cast',
    ['float32'],
    'bool',
    WIDE,
    truth(
      mapped((x) => f32x4.ne(x, v128.zero())),
      2,
    ),
  ),
  entry(
    'cast',
    ['float64'],
    'bool',
    WIDE,
    truth(
      mapped((x) => f64x2.ne(x, v128.zero())),
      3,
    ),
  ),
  entry(
    'cast',
    ['int32'],
    'bool',
    WIDE,
    truth(
      mapped((x) => i32x4.ne(x, v128.zero())),
      2,
    ),
  ),
];

const entries = [
  ...floatEntries,
  ...functionEntries,
  ...intEntries,
  ...boolEntries,
  ...castEntries,
];
const byKey = new Map(entries.map((e) => [e.key, e]));

/** Work that takes some 30 µs: half a nanosecond for an element and operation, where memory does not hold it up. */
const PARALLEL_FLOPS = 131072;

/** The lowering of an op with its attributes as the numbers p and q. */
function lowering(op: string, p = 0, q = 0): Lowering {
  return ({ inputs, outputs: [out] }, context) => {
    const dtypes = inputs.map((x) => x.dtype);
    const found = byKey.get(keyOf(op, dtypes, out.dtype));
    if (found === undefined) return null;
    const parallelFrom = PARALLEL_FLOPS / found.flops;
    return elementCommand(found.kernel, inputs, out, context, {
      p,
      q,
      parallelFrom,
      flops: found.flops,
    });
  };
}

/** The commands that convert x to the dtype of `out`, of the same shape; null where no kernel does. */
export function castCommands(
  x: Operand,
  out: Operand,
  context: LoweringContext,
): readonly Command[] | null {
  if (x.dtype === out.dtype) return copyRegion(x.dtype, x, out);
  return lowering('cast')({ inputs: [x], outputs: [out], attrs: {}, epilogue: null }, context);
}

const names = [...new Set(entries.map(({ key }) => key.slice(0, key.indexOf(':'))))];

export const elementwiseKernels: readonly Kernel[] = entries.map((e) => e.kernel);

export const elementwiseLowerings: LoweringTable = {
  ...Object.fromEntries(names.map((op) => [op, lowering(op)])),
  leakyRelu: (call, context) => lowering('leakyRelu', call.attrs.alpha ?? 0.3)(call, context),
  elu: (call, context) => lowering('elu', call.attrs.alpha ?? 1)(call, context),
  clip: (call, context) => {
    const { min = -Infinity, max = Infinity } = call.attrs;
    return lowering('clip', min, max)(call, context);
  },
  pow: (call, context) => lowering(call.inputs[1].size === 1 ? 'powByOne' : 'pow')(call, context),
  gelu: (call, context) =>
    lowering(call.attrs.approximate === true ? 'geluTanh' : 'gelu')(call, context),
  cast: ({ inputs: [x], outputs: [out] }, context) => castCommands(x, out, context),
};
