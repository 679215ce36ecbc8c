/**
 * Products with a vector, in float32. Each element of the matrix is used once, so nothing is packed: the matrix is read
 * in the order in which it lies.
 */
import { call, type FunctionRef, type Local, type ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { finishRows } from './epilogue.js';
import { F32, tileKernel, type TileFunction } from './micro.js';
import { i32 } from '../assembler/instructions.js';
import { partRange, kernel } from '../kernel.js';
import { f32x4, shuffle32, v128 } from '../assembler/simd.js';
import { minimum } from '../integers.js';

/** Products are added up in blocks of so many, and then the blocks: long sums stay exact, as in blocked.ts. */
const DEPTH = 256;

/**
 * c[n] = a[k] · B[k×n], where rows of B are contiguous: c_j = a_0·b_0j + a_1·b_1j + …, in this order and in blocks of
 * DEPTH, for 32 columns at a time. Steps in bytes.
 */
export const vectorMatrixF32 = kernel(
  'vectorMatrixF32',
  { n: 'i32', k: 'i32', a: 'i32', aStep: 'i32', b: 'i32', bRow: 'i32', c: 'i32' },
  (f, { n, k, a, aStep, b, bRow, c }, { m, shared, part, parts }) => {
    const { from, to } = partRange(f, n, { part, parts }, 32);
    const left = f.local('i32', i32.sub(to, from));
    f.increment(b, i32.mul(from, i32.const(4)));
    f.increment(c, i32.mul(from, i32.const(4)));
    const done = f.local('i32');
    const depth = f.local('i32');
    const columns = (width: number, tile: TileFunction): void => {
      f.while(i32.ge_s(left, i32.const(width)), () => {
        f.for(done, i32.const(0), k, DEPTH, () => {
          f.set(depth, i32.sub(k, done));
          f.set(depth, minimum(depth, i32.const(DEPTH)));
          const aBlock = i32.add(a, i32.mul(done, aStep));
          const bBlock = i32.add(b, i32.mul(done, bRow));
          f.do(call(tile, aBlock, aStep, bBlock, bRow, c, bRow, depth, done));
        });
        f.increment(b, 4 * width);
        f.increment(c, 4 * width);
        f.increment(left, -width);
      });
    };
    for (const width of [32, 8, 4]) columns(width, tileKernel(m, shared, 1, width));
    columns(1, defineColumn(m));
  },
);

/** A tile of one element, computed as a lane of the others is. */
function defineColumn(m: ModuleBuilder): TileFunction {
  return m.function(
    'tile1x1F32',
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    'void',
    (f, a, aStep, b, bStep, c, _cStep, k, accumulate) => {
      const sum = f.local('v128');
      f.while(k, () => {
        f.set(sum, F32.madd(m, v128.load32_zero(a), v128.load32_zero(b), sum));
        f.increment(a, aStep);
        f.increment(b, bStep);
        f.increment(k, -1);
      });
      f.if(accumulate, () => f.set(sum, f32x4.add(v128.load32_zero(c), sum)));
      f.do(v128.store32_lane(c, sum, 0));
    },
  );
}

/** Rows that a call of a function of `outerF32` takes: it costs nothing then, and the engine soon compiles the function anew. */
const OUTER_ROWS = 32;

/** c[m×n] = a[m] · bᵀ[n], where b is contiguous. The step of a in bytes. */
export const outerF32 = kernel(
  'outerF32',
  { m: 'i32', n: 'i32', a: 'i32', aStep: 'i32', b: 'i32', c: 'i32' },
  (f, { m: rows, n, a, aStep, b, c }, { m, part, parts }) => {
    const { from, to } = partRange(f, rows, { part, parts });
    const some = defineOuterRows(m);
    const bytes = i32.mul(n, i32.const(4));
    f.increment(a, i32.mul(from, aStep));
    f.increment(c, i32.mul(from, bytes));
    const count = f.local('i32');
    f.while(i32.lt_s(from, to), () => {
      f.set(count, i32.sub(to, from));
      f.set(count, minimum(count, i32.const(OUTER_ROWS)));
      f.do(call(some, a, aStep, b, c, n, count));
      f.increment(a, i32.mul(count, aStep));
      f.increment(c, i32.mul(count, bytes));
      f.increment(from, count);
    });
  },
);

/** (a, aStep, b, c, n, rows) */
function defineOuterRows(
  m: ModuleBuilder,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'void'> {
  return m.function(
    'outerRowsF32',
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    'void',
    (f, a, aStep, b, c, n, rows) => {
      const x = f.local('v128');
      const [from, left] = [f.local('i32'), f.local('i32')];
      const round = (lanes: number, product: () => void): void =>
        f.while(i32.ge_s(left, i32.const(lanes)), () => {
          product();
          for (const address of [from, c]) f.increment(address, 4 * lanes);
          f.increment(left, -lanes);
        });
      f.while(rows, () => {
        f.set(x, v128.load32_splat(a));
        f.set(from, b);
        f.set(left, n);
        round(4, () => f.do(v128.store(c, f32x4.mul(x, v128.load(from)))));
        round(1, () => f.do(v128.store32_lane(c, f32x4.mul(x, v128.load32_zero(from)), 0)));
        f.increment(a, aStep);
        f.increment(rows, -1);
      });
    },
  );
}

/** Rows that `matrixVectorF32` takes at a time, and sums of four lanes for each: an addition need not wait for the one before it. */
const ROWS = 4;
const SUMS = 2;

/**
 * c[m] = A[m×k] · b[k], where rows of A and b are contiguous: eight partial sums for each row, each of DEPTH products, to which the
 * next ones are added. Steps in bytes.
 */
export const matrixVectorF32 = kernel(
  'matrixVectorF32',
  { m: 'i32', k: 'i32', a: 'i32', aRow: 'i32', b: 'i32', c: 'i32' },
  (f, { m: rows, k, a, aRow, b, c }, { m, part, parts }) => {
    const { from, to } = partRange(f, rows, { part, parts }, ROWS);
    f.increment(a, i32.mul(from, aRow));
    f.increment(c, i32.mul(from, i32.const(4)));
    const [row, result] = [f.local('i32'), f.local('i32')];
    const [left, done, depth] = [f.local('i32'), f.local('i32'), f.local('i32')];
    const functions = ([ROWS, 1] as const).map((count) => ({ count, dots: defineDots(m, count) }));
    f.for(done, i32.const(0), k, 4 * SUMS * DEPTH, () => {
      f.set(depth, i32.sub(k, done));
      f.set(depth, minimum(depth, i32.const(4 * SUMS * DEPTH)));
      f.set(row, a);
      f.set(result, c);
      f.set(left, i32.sub(to, from));
      for (const { count, dots } of functions) {
        f.while(i32.ge_s(left, i32.const(count)), () => {
          f.do(call(dots, row, aRow, b, result, depth, done));
          f.increment(row, i32.mul(aRow, i32.const(count)));
          f.increment(result, 4 * count);
          f.increment(left, -count);
        });
      }
      for (const address of [a, b]) f.increment(address, i32.mul(depth, i32.const(4)));
    });
  },
);

/** (a, aRow, b, c, k, accumulate): the products of so many rows with b, added to those that are there or not. */
function defineDots(
  m: ModuleBuilder,
  rows: typeof ROWS | 1,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'void'> {
  return m.function(
    `dots${rows}F32`,
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    'void',
    (f, a, aRow, b, c, k, accumulate) => {
      const row = [a];
      for (let i = 1; i < rows; i++) row.push(f.local('i32', i32.add(row[i - 1], aRow)));
      const sums = row.map(() => Array.from({ length: SUMS }, () => f.local('v128')));
      const x = f.local('v128');
      const step = (
        q: number,
        load: (address: Local<'i32'>) => Expr<'v128'>,
        lanes: number,
      ): void => {
        f.set(x, load(b));
        row.forEach((address, i) => f.set(sums[i][q], F32.madd(m, load(address), x, sums[i][q])));
        for (const address of [...row, b]) f.increment(address, 4 * lanes);
        f.increment(k, -lanes);
      };
      f.while(i32.ge_s(k, i32.const(4)), () => {
        f.block((end) => {
          for (let q = 0; q < SUMS; q++) {
            // As in micro.ts, a test between the steps.
            if (q > 0) f.br_if(end, i32.lt_s(k, i32.const(4)));
            step(q, v128.load, 4);
          }
        });
      });
      f.while(k, () => step(0, v128.load32_zero, 1));
      const total = sums.map(([s0, s1]) => f.local('v128', f32x4.add(s0, s1)));
      const halves = (p: Local<'v128'>, q: Local<'v128'>): Local<'v128'> =>
        f.local('v128', halvesAdded(p, q));
      const [t0, t1 = t0, t2 = t0, t3 = t0] = total;
      const dots = f.local('v128', quartersAdded(halves(t0, t1), halves(t2, t3)));
      const before = rows === 1 ? v128.load32_zero(c) : v128.load(c);
      f.if(accumulate, () => f.set(dots, f32x4.add(before, dots)));
      f.do(rows === 1 ? v128.store32_lane(c, dots, 0) : v128.store(c, dots));
    },
  );
}

/** p₀+p₂, q₀+q₂, p₁+p₃, q₁+q₃ */
const halvesAdded = (p: Local<'v128'>, q: Local<'v128'>): Expr<'v128'> =>
  f32x4.add(shuffle32(p, q, [0, 4, 1, 5]), shuffle32(p, q, [2, 6, 3, 7]));

/** p₀+p₂, p₁+p₃, q₀+q₂, q₁+q₃ */
const quartersAdded = (p: Local<'v128'>, q: Local<'v128'>): Expr<'v128'> =>
  f32x4.add(shuffle32(p, q, [0, 1, 4, 5]), shuffle32(p, q, [2, 3, 6, 7]));

/** An epilogue as a step of its own: rows of C are contiguous; bias and activation as in epilogue.ts. */
export const finishF32 = kernel(
  'finishRowsF32',
  { c: 'i32', rows: 'i32', columns: 'i32', bias: 'i32', activation: 'i32' },
  (f, { c, rows, columns, bias, activation }, { m, shared }) => {
    const step = i32.mul(columns, i32.const(4));
    f.do(call(finishRows(m, shared), c, step, rows, columns, bias, activation));
  },
);
