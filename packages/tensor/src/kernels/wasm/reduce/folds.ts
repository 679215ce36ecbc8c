/**
 * Folds: of a row of neighbours into one number, and of rows into a row of columns. Sums and products run in double
 * precision as in the TypeScript kernels, in several lanes; their order depends on the sizes alone. Extremes of float32 have folds
 * of their own, in lanes of float32.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f32, f64, i32 } from '../assembler/instructions.js';
import type { KernelContext } from '../kernel.js';
import { f32x4, f64x2, i32x4, v128 } from '../assembler/simd.js';
import { toInt32 } from '../elementwise/whole.js';

type Vector = Expr<'v128'>;

/** How elements of a dtype become float64, and how a result is stored. */
export interface Element {
  readonly suffix: 'F32' | 'F64' | 'I32';
  readonly bytes: 4 | 8;
  /** Two neighbours. */
  pair(address: Expr<'i32'>, offset: number): Vector;
  one(address: Expr<'i32'>): Expr<'f64'>;
  store(f: FunctionBuilder, address: Expr<'i32'>, value: Expr<'f64'>): Expr<'void'>;
}

export const FLOAT32: Element = {
  suffix: 'F32',
  bytes: 4,
  pair: (address, offset) => f64x2.promote_low_f32x4(v128.load64_zero(address, offset)),
  one: (address) => f64.promote_f32(f32.load(address)),
  store: (_f, address, value) => f32.store(address, f32.demote_f64(value)),
};
export const FLOAT64: Element = {
  suffix: 'F64',
  bytes: 8,
  pair: (address, offset) => v128.load(address, offset),
  one: (address) => f64.load(address),
  store: (_f, address, value) => f64.store(address, value),
};
/** What is beyond int32 is taken modulo 2³². */
export const INT32: Element = {
  suffix: 'I32',
  bytes: 4,
  pair: (address, offset) => f64x2.convert_low_i32x4_s(v128.load64_zero(address, offset)),
  one: (address) => f64.convert_i32_s(i32.load(address)),
  store: (f, address, value) =>
    i32.store(address, i32x4.extract_lane(toInt32(f, f64x2.splat(value)), 0)),
};

/** What numbers are joined by. */
interface Join {
  readonly start: number;
  readonly vector: (a: Vector, b: Vector) => Vector;
  readonly scalar: (a: Expr<'f64'>, b: Expr<'f64'>) => Expr<'f64'>;
}

/** A sum, a product or an extreme of what becomes of each element; p is the mean for deviations from it. */
export interface Sum {
  readonly name: string;
  readonly join: Join;
  vector(f: FunctionBuilder, x: Vector, p: Vector): Vector;
  scalar(f: FunctionBuilder, x: Expr<'f64'>, p: Expr<'f64'>): Expr<'f64'>;
}

const ADDED: Join = { start: 0, vector: f64x2.add, scalar: f64.add };
const MULTIPLIED: Join = { start: 1, vector: f64x2.mul, scalar: f64.mul };
const GREATEST: Join = { start: -Infinity, vector: f64x2.max, scalar: f64.max };
const SMALLEST: Join = { start: Infinity, vector: f64x2.min, scalar: f64.min };

export const plainSum: Sum = {
  name: 'Sum',
  join: ADDED,
  vector: (_f, x) => x,
  scalar: (_f, x) => x,
};
export const plainProduct: Sum = { ...plainSum, name: 'Prod', join: MULTIPLIED };
export const absoluteSum: Sum = {
  name: 'SumAbs',
  join: ADDED,
  vector: (_f, x) => f64x2.abs(x),
  scalar: (_f, x) => f64.abs(x),
};
export const greatest64: Sum = { ...plainSum, name: 'Max', join: GREATEST };
export const smallest64: Sum = { ...plainSum, name: 'Min', join: SMALLEST };
export const greatestAbsolute64: Sum = {
  ...absoluteSum,
  name: 'MaxAbs',
  join: { ...GREATEST, start: 0 },
};
/** Σ (x − p)² */
export const squareSum: Sum = {
  name: 'SumSquares',
  join: ADDED,
  vector: (f, x, p) => {
    const d = f.local('v128', f64x2.sub(x, p));
    return f64x2.mul(d, d);
  },
  scalar: (f, x, p) => {
    const d = f.local('f64', f64.sub(x, p));
    return f64.mul(d, d);
  },
};

/** The greatest or smallest of what becomes of each element; NaN if any is. Two extremes are joined as an element is. */
export interface Extreme {
  readonly name: string;
  readonly init: number;
  vector(a: Vector, x: Vector): Vector;
  scalar(a: Expr<'f32'>, x: Expr<'f32'>): Expr<'f32'>;
}

export const greatest: Extreme = {
  name: 'Max',
  init: -Infinity,
  vector: f32x4.max,
  scalar: f32.max,
};
export const smallest: Extreme = {
  name: 'Min',
  init: Infinity,
  vector: f32x4.min,
  scalar: f32.min,
};
export const greatestAbsolute: Extreme = {
  name: 'MaxAbs',
  init: 0,
  vector: (a, x) => f32x4.max(a, f32x4.abs(x)),
  scalar: (a, x) => f32.max(a, f32.abs(x)),
};

type RowSum = FunctionRef<readonly ['i32', 'i32', 'f64'], 'f64'>;

/** (x, n, p) → the sum, or product, of n neighbours. */
export function rowSum({ m, shared }: KernelContext, sum: Sum, element: Element): RowSum {
  const name = `row${sum.name}${element.suffix}`;
  const { bytes } = element;
  return shared.once(name, () =>
    m.function(name, ['i32', 'i32', 'f64'], 'f64', (f, x, n, p) => {
      const { start, vector: joined, scalar: joinedOne } = sum.join;
      const totals = [0, 1, 2, 3].map(() => f.local('v128', f64x2.const(start)));
      const mean = f.local('v128', f64x2.splat(p));
      f.while(i32.ge_s(n, i32.const(8)), () => {
        totals.forEach((total, i) => {
          f.set(total, joined(total, sum.vector(f, element.pair(x, 2 * bytes * i), mean)));
        });
        f.increment(x, 8 * bytes);
        f.increment(n, -8);
      });
      const [a, b, c, d] = totals;
      f.set(a, joined(joined(a, b), joined(c, d)));
      const lanes = [0, 1].map((lane) => f64x2.extract_lane(a, lane));
      const total = f.local('f64', joinedOne(lanes[0], lanes[1]));
      f.while(i32.gt_s(n, i32.const(0)), () => {
        f.set(total, joinedOne(total, sum.scalar(f, element.one(x), p)));
        f.increment(x, bytes);
        f.increment(n, -1);
      });
      f.return(total);
    }),
  );
}

type RowExtreme = FunctionRef<readonly ['i32', 'i32'], 'f32'>;

/** (x, n) → the extreme of n neighbours. */
export function rowExtreme({ m, shared }: KernelContext, extreme: Extreme): RowExtreme {
  const name = `row${extreme.name}F32`;
  return shared.once(name, () =>
    m.function(name, ['i32', 'i32'], 'f32', (f, x, n) => {
      const best = [0, 1, 2, 3].map(() => f.local('v128', f32x4.const(extreme.init)));
      f.while(i32.ge_s(n, i32.const(16)), () => {
        best.forEach((b, i) => f.set(b, extreme.vector(b, v128.load(x, 16 * i))));
        f.increment(x, 64);
        f.increment(n, -16);
      });
      const [a, b, c, d] = best;
      f.set(a, extreme.vector(extreme.vector(a, b), extreme.vector(c, d)));
      f.while(i32.ge_s(n, i32.const(4)), () => {
        f.set(a, extreme.vector(a, v128.load(x)));
        f.increment(x, 16);
        f.increment(n, -4);
      });
      const lanes = [0, 1, 2, 3].map((lane) => f32x4.extract_lane(a, lane));
      const [low, high] = [extreme.scalar(lanes[0], lanes[1]), extreme.scalar(lanes[2], lanes[3])];
      const result = f.local('f32', extreme.scalar(low, high));
      f.while(i32.gt_s(n, i32.const(0)), () => {
        f.set(result, extreme.scalar(result, f32.load(x)));
        f.increment(x, 4);
        f.increment(n, -1);
      });
      f.return(result);
    }),
  );
}

/** Columns that are folded together, in `scratch`: totals (or extremes), and from `MEANS` on what deviates is taken from. */
export const STRIP = 512;
const MEANS = 8 * STRIP;
export const STRIP_BYTES = 16 * STRIP;

/** Rows that are added at once. */
const ROWS = 4;

type ColumnFold = FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32'], 'void'>;

/** (x, n, stride, columns, scratch): adds n rows to the totals, row after row in double precision. */
export function columnSum(context: KernelContext, sum: Sum, element: Element): ColumnFold {
  const { bytes, suffix } = element;
  const add = (rows: number): ColumnRows =>
    columnRows(context, `column${sum.name}${rows}${suffix}`, rows, (f, from, columns, to) => {
      f.while(i32.ge_s(columns, i32.const(4)), () => {
        for (const half of [0, 1]) {
          const p = f.local('v128', v128.load(to, MEANS + 16 * half));
          const total = f.local('v128', v128.load(to, 16 * half));
          for (const x of from) {
            f.set(
              total,
              sum.join.vector(total, sum.vector(f, element.pair(x, 2 * bytes * half), p)),
            );
          }
          f.do(v128.store(to, total, 16 * half));
        }
        for (const x of from) f.increment(x, 4 * bytes);
        f.increment(to, 32);
        f.increment(columns, -4);
      });
      f.while(i32.gt_s(columns, i32.const(0)), () => {
        const p = f.local('f64', f64.load(to, MEANS));
        const total = f.local('f64', f64.load(to));
        for (const x of from)
          f.set(total, sum.join.scalar(total, sum.scalar(f, element.one(x), p)));
        f.do(f64.store(to, total));
        for (const x of from) f.increment(x, bytes);
        f.increment(to, 8);
        f.increment(columns, -1);
      });
    });
  return columnFold(context, `column${sum.name}${suffix}`, add);
}

/** (x, n, stride, columns, scratch): takes n rows into the extremes. */
export function columnExtreme(context: KernelContext, extreme: Extreme): ColumnFold {
  const take = (rows: number): ColumnRows =>
    columnRows(context, `column${extreme.name}${rows}F32`, rows, (f, from, columns, to) => {
      f.while(i32.ge_s(columns, i32.const(4)), () => {
        const best = f.local('v128', v128.load(to));
        for (const x of from) f.set(best, extreme.vector(best, v128.load(x)));
        f.do(v128.store(to, best));
        for (const x of from) f.increment(x, 16);
        f.increment(to, 16);
        f.increment(columns, -4);
      });
      f.while(i32.gt_s(columns, i32.const(0)), () => {
        const best = f.local('f32', f32.load(to));
        for (const x of from) f.set(best, extreme.scalar(best, f32.load(x)));
        f.do(f32.store(to, best));
        for (const x of from) f.increment(x, 4);
        f.increment(to, 4);
        f.increment(columns, -1);
      });
    });
  return columnFold(context, `column${extreme.name}F32`, take);
}

/** (x, stride, columns, scratch) */
type ColumnRows = FunctionRef<readonly ['i32', 'i32', 'i32', 'i32'], 'void'>;

/** A function that folds so many rows at once; it is called often, so that the engine soon compiles it anew. */
function columnRows(
  { m, shared }: KernelContext,
  name: string,
  rows: number,
  body: (
    f: FunctionBuilder,
    from: readonly Local<'i32'>[],
    columns: Local<'i32'>,
    to: Local<'i32'>,
  ) => void,
): ColumnRows {
  return shared.once(name, () =>
    m.function(name, ['i32', 'i32', 'i32', 'i32'], 'void', (f, x, stride, columns, to) => {
      const from = [x];
      while (from.length < rows) {
        from.push(f.local('i32', i32.add(from[from.length - 1], stride)));
      }
      body(f, from, columns, to);
    }),
  );
}

function columnFold(
  { m, shared }: KernelContext,
  name: string,
  fold: (rows: number) => ColumnRows,
): ColumnFold {
  const [several, one] = [fold(ROWS), fold(1)];
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, x, n, stride, columns, scratch) => {
        f.while(i32.ge_s(n, i32.const(ROWS)), () => {
          f.do(call(several, x, stride, columns, scratch));
          f.increment(x, i32.mul(stride, i32.const(ROWS)));
          f.increment(n, -ROWS);
        });
        f.while(i32.gt_s(n, i32.const(0)), () => {
          f.do(call(one, x, stride, columns, scratch));
          f.increment(x, stride);
          f.increment(n, -1);
        });
      },
    ),
  );
}

/** Where the means of a strip lie. */
export const meansOf = (scratch: Expr<'i32'>): Expr<'i32'> => i32.add(scratch, i32.const(MEANS));
