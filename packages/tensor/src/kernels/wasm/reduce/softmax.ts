/**
 * Softmax, its logarithm, and the cross-entropy of a softmax, along rows of float32. As in the TypeScript kernels the row's
 * maximum is subtracted first; sums are taken in double precision.
 */
import { normalizeAxis } from '../../../shape.js';
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
  type Kernel,
  type KernelContext,
  type Lowering,
} from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { emitExp } from '../math.js';
import { greatest, rowExtreme } from './folds.js';
import { rowsOf } from './layout.js';
import { f32x4, f64x2, shuffle32, v128 } from '../assembler/simd.js';

type Vector = Expr<'v128'>;

/** The n < 4 elements from address x on, and −∞ in the other lanes: e^−∞ adds nothing. */
function loadTail(f: FunctionBuilder, x: Local<'i32'>, n: Local<'i32'>): Local<'v128'> {
  const tail = f.local('v128', f32x4.const(-Infinity));
  for (const lane of [0, 1, 2]) {
    f.if(i32.gt_s(n, i32.const(lane)), () =>
      f.set(tail, v128.load32_lane(x, tail, lane, 4 * lane)),
    );
  }
  return tail;
}

function storeTail(
  f: FunctionBuilder,
  y: Local<'i32'>,
  n: Local<'i32'>,
  value: Local<'v128'>,
): void {
  for (const lane of [0, 1, 2]) {
    f.if(i32.gt_s(n, i32.const(lane)), () => {
      f.do(v128.store32_lane(y, value, lane, 4 * lane));
    });
  }
}

/** y[i] = of(x[i]) for n elements, four at a time; x, y and n are used up. Without y nothing is written. */
function mapRow(
  f: FunctionBuilder,
  x: Local<'i32'>,
  y: Local<'i32'> | null,
  n: Local<'i32'>,
  of: (x: Vector) => Local<'v128'>,
): void {
  f.while(i32.ge_s(n, i32.const(4)), () => {
    const value = of(v128.load(x));
    if (y !== null) {
      f.do(v128.store(y, value));
      f.increment(y, 16);
    }
    f.increment(x, 16);
    f.increment(n, -4);
  });
  f.if(i32.gt_s(n, i32.const(0)), () => {
    const value = of(loadTail(f, x, n));
    if (y !== null) storeTail(f, y, n, value);
  });
}

/** (x, y, n, m) → Σ e^(x − m), and with `keep` y = e^(x − m). */
function rowExp(
  { m, shared }: KernelContext,
  keep: boolean,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'f32'], 'f64'> {
  const name = keep ? 'rowExpF32' : 'rowSumExpF32';
  return shared.once(name, () =>
    m.function(name, ['i32', 'i32', 'i32', 'f32'], 'f64', (f, x, y, n, most) => {
      const splat = f.local('v128', f32x4.splat(most));
      const [low, high] = [f.local('v128'), f.local('v128')];
      mapRow(f, x, keep ? y : null, n, (v) => {
        const e = f.local('v128', emitExp(f, m, f32x4.sub(v, splat)));
        const upper = upperHalf(e);
        f.set(low, f64x2.add(low, f64x2.promote_low_f32x4(e)));
        f.set(high, f64x2.add(high, f64x2.promote_low_f32x4(upper)));
        return e;
      });
      f.set(low, f64x2.add(low, high));
      f.return(f64.add(f64x2.extract_lane(low, 0), f64x2.extract_lane(low, 1)));
    }),
  );
}

const upperHalf = (v: Vector): Vector => shuffle32(v, v, [2, 3, 2, 3]);

/** (x, y, n, a): y = x / a */
function rowDivide({
  m,
  shared,
}: KernelContext): FunctionRef<readonly ['i32', 'i32', 'i32', 'f32'], 'void'> {
  return shared.once('rowDivideF32', () =>
    m.function('rowDivideF32', ['i32', 'i32', 'i32', 'f32'], 'void', (f, x, y, n, a) => {
      const divisor = f.local('v128', f32x4.splat(a));
      mapRow(f, x, y, n, (v) => f.local('v128', f32x4.div(v, divisor)));
    }),
  );
}

/** (x, y, n, m, l): y = (x − m) − l */
function rowShift({
  m,
  shared,
}: KernelContext): FunctionRef<readonly ['i32', 'i32', 'i32', 'f32', 'f32'], 'void'> {
  return shared.once('rowShiftF32', () =>
    m.function('rowShiftF32', ['i32', 'i32', 'i32', 'f32', 'f32'], 'void', (f, x, y, n, a, b) => {
      const [first, second] = [f.local('v128', f32x4.splat(a)), f.local('v128', f32x4.splat(b))];
      mapRow(f, x, y, n, (v) => f.local('v128', f32x4.sub(f32x4.sub(v, first), second)));
    }),
  );
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
      let series: Expr<'f64'> = f64.const(1 / 17);
      for (const d of [15, 13, 11, 9, 7, 5, 3, 1]) {
        series = f64.add(f64.mul(series, z), f64.const(1 / d));
      }
      const ln2 = f64.mul(f64.convert_i32_s(k), f64.const(Math.LN2));
      f.return(f64.add(ln2, f64.mul(f64.mul(s, f64.const(2)), series)));
    }),
  );
}

const ROWS = { x: 'i32', y: 'i32', rows: 'i32', rowStride: 'i32', n: 'i32' } as const;

/** A kernel of rows with a stride to rows without gaps. */
const rowsKernel = (
  name: string,
  rowOf: (
    f: FunctionBuilder,
    context: KernelContext,
    row: { readonly x: Local<'i32'>; readonly y: Local<'i32'>; readonly n: Local<'i32'> },
    most: Local<'f32'>,
  ) => void,
): Kernel<typeof ROWS> =>
  kernel(name, ROWS, (f, { x, y, rows, rowStride, n }, context) => {
    const { from, to } = partRange(f, rows, context);
    const bytes = f.local('i32', i32.mul(n, i32.const(4)));
    f.increment(x, i32.mul(from, rowStride));
    f.increment(y, i32.mul(from, bytes));
    const most = f.local('f32');
    f.while(i32.lt_s(from, to), () => {
      f.set(most, call(rowExtreme(context, greatest), x, n));
      rowOf(f, context, { x, y, n }, most);
      f.increment(x, rowStride);
      f.increment(y, bytes);
      f.increment(from, 1);
    });
  });

const softmax = rowsKernel('softmaxF32', (f, context, { x, y, n }, most) => {
  const total = f.local('f64', call(rowExp(context, true), x, y, n, most));
  f.do(call(rowDivide(context), y, y, n, f32.demote_f64(total)));
});

const logSoftmax = rowsKernel('logSoftmaxF32', (f, context, { x, y, n }, most) => {
  const total = call(rowExp(context, false), x, y, n, most);
  const log = f.local('f64', call(logarithm(context), total));
  f.do(call(rowShift(context), x, y, n, most, f32.demote_f64(log)));
});

const softmaxCrossEntropy = kernel(
  'softmaxCrossEntropyF32',
  { z: 'i32', t: 'i32', y: 'i32', rows: 'i32', strideZ: 'i32', strideT: 'i32', n: 'i32' },
  (f, { z, t, y, rows, strideZ, strideT, n }, context) => {
    const { from, to } = partRange(f, rows, context);
    f.increment(z, i32.mul(from, strideZ));
    f.increment(t, i32.mul(from, strideT));
    f.increment(y, i32.mul(from, i32.const(4)));
    const most = f.local('f32');
    const log = f.local('f64');
    f.while(i32.lt_s(from, to), () => {
      f.set(most, call(rowExtreme(context, greatest), z, n));
      f.set(log, call(logarithm(context), call(rowExp(context, false), z, z, n, most)));
      const loss = call(rowCrossEntropy(context), z, t, n, f64.promote_f32(most), log);
      f.do(f32.store(y, f32.demote_f64(loss)));
      f.increment(z, strideZ);
      f.increment(t, strideT);
      f.increment(y, 4);
      f.increment(from, 1);
    });
  },
);

export const softmaxKernels: readonly Kernel[] = [softmax, logSoftmax, softmaxCrossEntropy];

/** From so many elements on rows are shared among threads: an exponential takes some nanoseconds. */
const PARALLEL_FROM = 16384;

/** Along the last axis, whose elements are neighbours. */
const rowsLowering =
  (name: string, k: typeof softmax): Lowering<{ readonly axis?: number }> =>
  ({ inputs: [x], outputs: [y], attrs: { axis = -1 } }) => {
    const last = x.shape.length - 1;
    if (x.dtype !== 'float32' || x.size === 0) return null;
    if (normalizeAxis(name, axis, x.shape.length) !== last) return null;
    const lines = rowsOf([x], last);
    const n = x.shape[last];
    if (lines === null || (x.strides[last] !== 1 && n > 1)) return null;
    const { rows, strides } = lines;
    const args = { x: x.address, y: y.address, rows, rowStride: strides[0], n };
    return [command(k, args, { parallel: x.size >= PARALLEL_FROM && rows > 1, flops: 4 * x.size })];
  };

export const softmaxLowerings: LoweringTable = {
  softmax: rowsLowering('softmax', softmax),
  logSoftmax: rowsLowering('logSoftmax', logSoftmax),
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
