/**
 * Softmax, its logarithm, the cross-entropy of a softmax, and ln Σeˣ, along rows of float32; other axes are copied into rows. As in the TypeScript kernels the row's
 * maximum is subtracted first; sums are taken in double precision.
 */
import { normalizeAxes, normalizeAxis, rowMajorStrides } from '../../../shape.js';
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f32, f64, i32 } from '../assembler/instructions.js';
import {
  partRange,
  command,
  kernel,
  type Command,
  type Kernel,
  type KernelContext,
  type Lowering,
} from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { emitExp } from '../math.js';
import { copyRegion } from '../movement/copy.js';
import { eachOutput } from './kernels.js';
import { axesInFront, gathered, permuted, reductionLayout, rowsOf } from './layout.js';
import { f32x4, f64x2, i32x4, ramp, shuffle32, v128 } from '../assembler/simd.js';

type Vector = Expr<'v128'>;

/** The lengths of a row, and the lanes of its last vector that no vector before has had. */
interface Row {
  /** Elements, and those of them in whole vectors. */
  readonly n: Local<'i32'>;
  readonly whole: Local<'i32'>;
  readonly last: Local<'v128'>;
}

function rowOf(f: FunctionBuilder, n: Local<'i32'>): Row {
  const whole = f.local('i32', i32.and(n, i32.const(-4)));
  const before = i32x4.splat(i32.sub(i32.const(4), i32.sub(n, whole)));
  return { n, whole, last: f.local('v128', i32x4.ge_s(ramp(1), before)) };
}

/**
 * Does the body for four elements at a time. The last vector begins four elements before the row's end: some lanes come twice,
 * and `fresh` says which do not; null if all are new. A row of one to three elements is filled up with −∞, since e^−∞ adds nothing.
 *
 * @param rows where the row begins in each operand
 */
function eachVector(
  f: FunctionBuilder,
  { n, whole, last }: Row,
  rows: readonly Local<'i32'>[],
  body: (operands: readonly Operand[], fresh: Local<'v128'> | null) => void,
): void {
  const left = f.local('i32', whole);
  const at = rows.map((row) => f.local('i32', row));
  const inMemory = at.map((address): Operand => ({
    load: () => v128.load(address),
    store: (value) => f.do(v128.store(address, value)),
  }));
  f.while(left, () => {
    body(inMemory, null);
    for (const address of at) f.increment(address, 16);
    f.increment(left, -4);
  });
  f.if(i32.ne(n, whole), () => {
    f.if(
      whole,
      () => {
        const back = f.local(
          'i32',
          i32.shl(i32.sub(i32.sub(n, whole), i32.const(4)), i32.const(2)),
        );
        for (const address of at) f.increment(address, back);
        body(inMemory, last);
      },
      () =>
        body(
          at.map((address) => ({
            load: () => loadFew(f, address, n),
            store: (value) => storeFew(f, address, n, value),
          })),
          null,
        ),
    );
  });
}

/** Four neighbours. */
interface Operand {
  load(): Vector;
  store(value: Local<'v128'>): void;
}

/** The n < 4 elements from an address on, and −∞ in the other lanes. */
function loadFew(f: FunctionBuilder, x: Local<'i32'>, n: Local<'i32'>): Local<'v128'> {
  const few = f.local('v128', f32x4.const(-Infinity));
  for (const lane of [0, 1, 2]) {
    f.if(i32.gt_s(n, i32.const(lane)), () => f.set(few, v128.load32_lane(x, few, lane, 4 * lane)));
  }
  return few;
}

function storeFew(
  f: FunctionBuilder,
  y: Local<'i32'>,
  n: Local<'i32'>,
  value: Local<'v128'>,
): void {
  for (const lane of [0, 1, 2]) {
    f.if(i32.gt_s(n, i32.const(lane)), () => f.do(v128.store32_lane(y, value, lane, 4 * lane)));
  }
}

/**
 * The row's greatest element in all lanes.
 *
 * @param max f32x4.max: NaN if any element is. Or the faster f32x4.pmax, which may pass over NaN: for those who sum e^(x − most) up
 *   in any case, and so find it
 */
function emitMaximum(
  f: FunctionBuilder,
  row: Row,
  x: Local<'i32'>,
  max: (a: Vector, b: Vector) => Vector = f32x4.pmax,
): Local<'v128'> {
  const most = f.local('v128', f32x4.const(-Infinity));
  eachVector(f, row, [x], ([of]) => f.set(most, max(most, of.load())));
  f.set(most, max(most, shuffle32(most, most, [2, 3, 0, 1])));
  f.set(most, max(most, shuffle32(most, most, [1, 0, 3, 2])));
  return most;
}

/** Σ e^(x − most); e^(x − most) itself goes to y, unless that is null. */
function emitSumExp(
  f: FunctionBuilder,
  { m }: KernelContext,
  row: Row,
  x: Local<'i32'>,
  most: Local<'v128'>,
  y: Local<'i32'> | null,
): Expr<'f64'> {
  const zero = v128.zero();
  const [low, high] = [f.local('v128', zero), f.local('v128', zero)];
  eachVector(f, row, y === null ? [x] : [x, y], ([from, to], fresh) => {
    const e = f.local('v128', emitExp(f, m, f32x4.sub(from.load(), most)));
    to?.store(e);
    if (fresh !== null) f.set(e, v128.and(e, fresh));
    f.set(low, f64x2.add(low, f64x2.promote_low_f32x4(e)));
    f.set(high, f64x2.add(high, f64x2.promote_low_f32x4(shuffle32(e, e, [2, 3, 2, 3]))));
  });
  f.set(low, f64x2.add(low, high));
  return f64.add(f64x2.extract_lane(low, 0), f64x2.extract_lane(low, 1));
}

/** (z, t, n, m, l) → Σ t·(l + (m − z)) */
function rowCrossEntropy({
  m,
  shared,
}: KernelContext): FunctionRef<readonly ['i32', 'i32', 'i32', 'f64', 'f64'], 'f64'> {
  const name = 'rowCrossEntropyF32';
  return shared.once(name, () =>
    m.function(name, ['i32', 'i32', 'i32', 'f64', 'f64'], 'f64', (f, z, t, n, most, log) => {
      const [m2, l2] = [f.local('v128', f64x2.splat(most)), f.local('v128', f64x2.splat(log))];
      const totals = [f.local('v128'), f.local('v128')];
      const load = (x: Local<'i32'>, half: number): Vector =>
        f64x2.promote_low_f32x4(v128.load64_zero(x, 8 * half));
      f.while(i32.ge_s(n, i32.const(4)), () => {
        totals.forEach((total, half) => {
          const loss = f64x2.add(l2, f64x2.sub(m2, load(z, half)));
          f.set(total, f64x2.add(total, f64x2.mul(load(t, half), loss)));
        });
        f.increment(z, 16);
        f.increment(t, 16);
        f.increment(n, -4);
      });
      f.set(totals[0], f64x2.add(totals[0], totals[1]));
      const [low, high] = [0, 1].map((lane) => f64x2.extract_lane(totals[0], lane));
      const total = f.local('f64', f64.add(low, high));
      const one = (x: Local<'i32'>): Expr<'f64'> => f64.promote_f32(f32.load(x));
      f.while(i32.gt_s(n, i32.const(0)), () => {
        const loss = f64.add(log, f64.sub(most, one(z)));
        f.set(total, f64.add(total, f64.mul(one(t), loss)));
        f.increment(z, 4);
        f.increment(t, 4);
        f.increment(n, -1);
      });
      f.return(total);
    }),
  );
}

/** The bits of √½ as float32. */
const ROOT_HALF_BITS = 0x3f3504f3;

/**
 * ln x in double precision for x in the range of float32's normal numbers; NaN and ∞ are their own logarithms. With x = 2ᵏ·u,
 * √½ ≤ u < √2 and s = (u − 1) / (u + 1) it is k·ln 2 + 2·(s + s³/3 + s⁵/5 + …), to 14 digits: exact near 1, where the
 * loss of what is known well is found.
 */
function logarithm({ m, shared }: KernelContext): FunctionRef<readonly ['f64'], 'f64'> {
  return shared.once('logF64', () =>
    m.function('logF64', ['f64'], 'f64', (f, x) => {
      f.if(i32.eqz(f64.lt(x, f64.const(Infinity))), () => f.return(x));
      const bits = i32.sub(i32.reinterpret_f32(f32.demote_f64(x)), i32.const(ROOT_HALF_BITS));
      const k = f.local('i32', i32.shr_s(bits, i32.const(23)));
      const power = i32.shl(i32.sub(i32.const(127), k), i32.const(23));
      const u = f.local('f64', f64.mul(x, f64.promote_f32(f32.reinterpret_i32(power))));
      const one = f64.const(1);
      const s = f.local('f64', f64.div(f64.sub(u, one), f64.add(u, one)));
      const z = f.local('f64', f64.mul(s, s));
      // The even and the odd powers of z apart, so that neither waits for the other.
      const z2 = f.local('f64', f64.mul(z, z));
      const [even, odd] = [
        [1, 5, 9, 13, 17],
        [3, 7, 11, 15],
      ].map((divisors) =>
        divisors
          .map((d): Expr<'f64'> => f64.const(1 / d))
          .reduceRight((sum, c) => f64.add(f64.mul(sum, z2), c)),
      );
      const series = f64.add(even, f64.mul(odd, z));
      const ln2 = f64.mul(f64.convert_i32_s(k), f64.const(Math.LN2));
      f.return(f64.add(ln2, f64.mul(f64.mul(s, f64.const(2)), series)));
    }),
  );
}

const ROWS = { x: 'i32', y: 'i32', rows: 'i32', rowStride: 'i32', n: 'i32' } as const;

/** A kernel of rows with a stride to rows without gaps. The code for a row is in the loop: a call would make its constants anew. */
const rowsKernel = (
  name: string,
  emitRow: (
    f: FunctionBuilder,
    context: KernelContext,
    row: Row,
    x: Local<'i32'>,
    y: Local<'i32'>,
  ) => void,
): Kernel<typeof ROWS> =>
  kernel(name, ROWS, (f, { x, y, rows, rowStride, n }, context) => {
    const { from, to } = partRange(f, rows, context);
    const bytes = f.local('i32', i32.mul(n, i32.const(4)));
    f.increment(x, i32.mul(from, rowStride));
    f.increment(y, i32.mul(from, bytes));
    const row = rowOf(f, n);
    f.while(i32.lt_s(from, to), () => {
      emitRow(f, context, row, x, y);
      f.increment(x, rowStride);
      f.increment(y, bytes);
      f.increment(from, 1);
    });
  });

const softmax = rowsKernel('softmaxF32', (f, context, row, x, y) => {
  const most = emitMaximum(f, row, x);
  const sum = f32.demote_f64(emitSumExp(f, context, row, x, most, y));
  const divisor = f.local('v128', f32x4.splat(sum));
  eachVector(f, row, [y], ([of], fresh) => {
    const e = f.local('v128', of.load());
    const quotient = f32x4.div(e, divisor);
    f.set(e, fresh === null ? quotient : v128.bitselect(quotient, e, fresh));
    of.store(e);
  });
});

const logSoftmax = rowsKernel('logSoftmaxF32', (f, context, row, x, y) => {
  const most = emitMaximum(f, row, x);
  const log = call(logarithm(context), emitSumExp(f, context, row, x, most, null));
  const shift = f.local('v128', f32x4.splat(f32.demote_f64(log)));
  eachVector(f, row, [x, y], ([from, to]) => {
    to.store(f.local('v128', f32x4.sub(f32x4.sub(from.load(), most), shift)));
  });
});

const softmaxCrossEntropy = kernel(
  'softmaxCrossEntropyF32',
  { z: 'i32', t: 'i32', y: 'i32', rows: 'i32', strideZ: 'i32', strideT: 'i32', n: 'i32' },
  (f, { z, t, y, rows, strideZ, strideT, n }, context) => {
    const { from, to } = partRange(f, rows, context);
    f.increment(z, i32.mul(from, strideZ));
    f.increment(t, i32.mul(from, strideT));
    f.increment(y, i32.mul(from, i32.const(4)));
    const row = rowOf(f, n);
    f.while(i32.lt_s(from, to), () => {
      const most = emitMaximum(f, row, z);
      const log = call(logarithm(context), emitSumExp(f, context, row, z, most, null));
      const most64 = f64.promote_f32(f32x4.extract_lane(most, 0));
      const loss = call(rowCrossEntropy(context), z, t, n, most64, log);
      f.do(f32.store(y, f32.demote_f64(loss)));
      f.increment(z, strideZ);
      f.increment(t, strideT);
      f.increment(y, 4);
      f.increment(from, 1);
    });
  },
);

/** most + ln Σe^(x − most); the greatest itself where it is infinite or NaN. */
const logSumExp = kernel('logSumExpF32', ROWS, (f, args, context) => {
  const row = rowOf(f, args.n);
  eachOutput(f, args, context, 4, (x, y) => {
    const most = emitMaximum(f, row, x, f32x4.max);
    const value = f.local('f32', f32x4.extract_lane(most, 0));
    f.if(f32.lt(f32.abs(value), f32.const(Infinity)), () => {
      const log = call(logarithm(context), emitSumExp(f, context, row, x, most, null));
      f.set(value, f32.demote_f64(f64.add(f64.promote_f32(value), log)));
    });
    f.do(f32.store(y, value));
  });
});

export const softmaxKernels: readonly Kernel[] = [
  softmax,
  logSoftmax,
  softmaxCrossEntropy,
  logSumExp,
];

/** From so many elements on rows are shared among threads: an exponential takes some nanoseconds. */
const PARALLEL_FROM = 16384;

/** Along any axis; where its elements are not neighbours they are copied into rows, and the result is copied back. */
const rowsLowering =
  (name: string, k: typeof softmax): Lowering<{ readonly axis?: number }> =>
  ({ inputs: [x], outputs: [y], attrs: { axis = -1 } }, context) => {
    if (x.dtype !== 'float32' || x.size === 0) return null;
    const rank = x.shape.length;
    const along = normalizeAxis(name, axis, rank);
    const n = x.shape[along];
    const onRows = (
      from: number,
      to: number,
      { rows, strides }: NonNullable<ReturnType<typeof rowsOf>>,
    ): Command => {
      const args = { x: from, y: to, rows, rowStride: strides[0], n };
      return command(k, args, { parallel: x.size >= PARALLEL_FROM && rows > 1, flops: 4 * x.size });
    };
    const lines = rowsOf([x], along);
    const inRows = along === rank - 1 && (x.strides[along] === 1 || n === 1);
    if (inRows && lines !== null) return [onRows(x.address, y.address, lines)];
    const moved = gathered(x, [along], context);
    if (moved === null) return null;
    const { copy, commands } = moved;
    const { shape } = copy;
    const result = { address: context.scratch(4 * x.size), shape, strides: rowMajorStrides(shape) };
    const back = copyRegion('float32', result, permuted(y, axesInFront(rank, [along])));
    if (back === null) return null;
    const rows = { rows: x.size / n, strides: [4 * n] };
    return [...commands, onRows(copy.address, result.address, rows), ...back];
  };

export const softmaxLowerings: LoweringTable = {
  softmax: rowsLowering('softmax', softmax),
  logSoftmax: rowsLowering('logSoftmax', logSoftmax),
  logSumExp: ({ inputs: [x], outputs: [y], attrs }, context) => {
    if (x.dtype !== 'float32' || x.size === 0) return null;
    const axes = normalizeAxes('logSumExp', attrs.axis, x.shape.length);
    const layout = reductionLayout(x, axes);
    const work = { parallel: x.size >= PARALLEL_FROM && y.size > 1, flops: 4 * x.size };
    if (layout?.kind === 'rows' && layout.blocks === 1) {
      const { rows, rowStride, n } = layout;
      return [command(logSumExp, { x: x.address, y: y.address, rows, rowStride, n }, work)];
    }
    const moved = gathered(x, axes, context);
    if (moved === null) return null;
    const [rows, n] = [y.size, x.size / y.size];
    const args = { x: moved.copy.address, y: y.address, rows, rowStride: 4 * n, n };
    return [...moved.commands, command(logSumExp, args, work)];
  },
  softmaxCrossEntropy: ({ inputs: [z, t], outputs: [y] }) => {
    const last = z.shape.length - 1;
    const n = z.shape[last];
    if (z.dtype !== 'float32' || z.size === 0) return null;
    const lines = rowsOf([z, t], last);
    const neighbours = n === 1 || (z.strides[last] === 1 && t.strides[last] === 1);
    if (lines === null || !neighbours) return null;
    const { rows, strides } = lines;
    const [strideZ, strideT] = strides;
    const args = { z: z.address, t: t.address, y: y.address, rows, strideZ, strideT, n };
    const parallel = z.size >= PARALLEL_FROM && rows > 1;
    return [command(softmaxCrossEntropy, args, { parallel, flops: 6 * z.size })];
  },
};
