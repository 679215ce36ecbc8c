/**
 * Products with a vector, in float32. Each element of the matrix is used once, so nothing is packed: the matrix is read
 * in the order in which it lies.
 */
import { call, type FunctionRef, type Local, type ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { finishRows } from './epilogue.js';
import { F32, tileKernel, type TileFunction } from './micro.js';
import { f32, i32 } from '../assembler/instructions.js';
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

/** Rows that `matrixVectorF32` takes at a time. */
const ROWS = 2;
/** Sums of four lanes for each of them: an addition need not wait for the one before it. */
const SUMS = 4;

/** c[m] = A[m×k] · b[k], where rows of A and b are contiguous: sixteen partial sums for each row. Steps in bytes. */
export const matrixVectorF32 = kernel(
  'matrixVectorF32',
  { m: 'i32', k: 'i32', a: 'i32', aRow: 'i32', b: 'i32', c: 'i32' },
  (f, { m: rows, k, a, aRow, b, c }, { m, part, parts }) => {
    const { from, to } = partRange(f, rows, { part, parts }, ROWS);
    const left = f.local('i32', i32.sub(to, from));
    f.increment(a, i32.mul(from, aRow));
    f.increment(c, i32.mul(from, i32.const(4)));
    const pair = defineDots(m, ROWS);
    const single = defineDots(m, 1);
    f.while(i32.ge_s(left, i32.const(ROWS)), () => {
      f.do(call(pair, a, aRow, b, c, k));
      f.increment(a, i32.mul(aRow, i32.const(ROWS)));
      f.increment(c, 4 * ROWS);
      f.increment(left, -ROWS);
    });
    f.if(i32.gt_s(left, i32.const(0)), () => f.do(call(single, a, aRow, b, c, k)));
  },
);

/** (a, aRow, b, c, k): the products of so many rows with b. */
function defineDots(
  m: ModuleBuilder,
  rows: number,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32'], 'void'> {
  return m.function(
    `dots${rows}F32`,
    ['i32', 'i32', 'i32', 'i32', 'i32'],
    'void',
    (f, a, aRow, b, c, k) => {
      const row = [a];
      for (let i = 1; i < rows; i++) row.push(f.local('i32', i32.add(row[i - 1], aRow)));
      const sums = row.map(() => Array.from({ length: SUMS }, () => f.local('v128')));
      const x = f.local('v128');
      /** `count` products of each row, `lanes` at a time, each into the next sum. */
      const round = (
        count: number,
        lanes: number,
        load: (address: Local<'i32'>, offset: number) => Expr<'v128'>,
      ): void => {
        for (let q = 0; q < count / lanes; q++) {
          f.set(x, load(b, 4 * lanes * q));
          row.forEach((address, i) => {
            const sum = sums[i][q % SUMS];
            f.set(sum, F32.madd(m, load(address, 4 * lanes * q), x, sum));
          });
        }
        for (const address of [...row, b]) f.increment(address, 4 * count);
        f.increment(k, -count);
      };
      const atLeast = (count: number): Expr<'i32'> => i32.ge_s(k, i32.const(count));
      f.while(atLeast(4 * SUMS), () => round(4 * SUMS, 4, v128.load));
      f.while(atLeast(4), () => round(4, 4, v128.load));
      f.while(atLeast(1), () => round(1, 1, v128.load32_zero));
      sums.forEach(([s0, s1, s2, s3], i) => {
        f.set(x, f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
        f.set(x, f32x4.add(x, shuffle32(x, x, [2, 3, 0, 1])));
        f.set(x, f32x4.add(x, shuffle32(x, x, [1, 0, 3, 2])));
        f.do(f32.store(c, f32x4.extract_lane(x, 0), 4 * i));
      });
    },
  );
}

/** An epilogue as a step of its own: rows of C are contiguous; bias and activation as in epilogue.ts. */
export const finishF32 = kernel(
  'finishRowsF32',
  { c: 'i32', rows: 'i32', columns: 'i32', bias: 'i32', activation: 'i32' },
  (f, { c, rows, columns, bias, activation }, { m, shared }) => {
    const step = i32.mul(columns, i32.const(4));
    f.do(call(finishRows(m, shared), c, step, rows, columns, bias, activation));
  },
);
