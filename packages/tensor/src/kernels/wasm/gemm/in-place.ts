/**
 * C[m×n] = A[m×k]·B[k×n] with both operands read where they are: rows of A along k, rows of B along n. For a batch that goes through
 * a small dense layer: few tiles use each element, so that packing costs more than it saves.
 *
 * A tile has two rows and sixteen columns. A step of k loads two numbers of A and four vectors of B for it, six as for the tile of
 * 4×8; but it uses up a cache line of B, of which the other would leave half for the next panel. k is cut into blocks of
 * which A and a tile's columns of B stay in the first cache; blocked.ts has the same for products of these sizes, so that
 * both kernels give the same bits.
 */
import { call } from '../assembler/assembler.js';
import { i32, select } from '../assembler/instructions.js';
import { v128 } from '../assembler/simd.js';
import { minimum } from '../integers.js';
import { kernel, partRangeIf } from '../kernel.js';
import { finishRows } from './epilogue.js';
import { F32, tileKernel } from './micro.js';

/** Columns of a tile; n is a multiple of it. */
export const IN_PLACE_COLUMNS = 16;

/** What the threads divide among themselves: rows of C, or blocks of k, of which each has a matrix of its own as its result. */
export const IN_PLACE_SPLIT = { rows: 0, blocks: 1 } as const;

/** Rows of A, B and C are contiguous; `aRow` and `bRow` are the steps in bytes from one to the next. */
export const gemmInPlaceF32 = kernel(
  'gemmInPlaceF32',
  {
    m: 'i32', n: 'i32', k: 'i32', kc: 'i32', blocks: 'i32', a: 'i32', aRow: 'i32', b: 'i32', bRow: 'i32', c: 'i32',
    /** One of IN_PLACE_SPLIT. */
    split: 'i32',
    /** 0 or the address of n numbers that are added to each row; then the activation (see epilogue.ts). With blocks of k: none. */
    bias: 'i32', activation: 'i32',
  }, // prettier-ignore
  (f, args, { m, shared, part, parts }) => {
    const { n, k, kc, blocks, a, aRow, b, bRow, c, split, bias, activation } = args;
    const tiles = [1, 2].map((rows) => tileKernel(m, shared, rows, IN_PLACE_COLUMNS, F32, 'rows'));
    const finish = finishRows(m, shared);
    const cRow = f.local('i32', i32.shl(n, i32.const(2)));
    const byRows = i32.eq(split, i32.const(IN_PLACE_SPLIT.rows));
    const rowRange = partRangeIf(f, byRows, args.m, { part, parts }, 2);
    const blockRange = partRangeIf(f, i32.eqz(byRows), blocks, { part, parts });
    const rows = f.local('i32', i32.sub(rowRange.to, rowRange.from));
    const [block, p, depth, j, to] = [0, 1, 2, 3, 4].map(() => f.local('i32'));
    const accumulate = f.local('i32');
    f.increment(a, i32.mul(rowRange.from, aRow));
    f.increment(c, i32.mul(rowRange.from, cRow));
    f.for(block, blockRange.from, blockRange.to, 1, () => {
      f.set(p, i32.mul(block, kc));
      f.set(depth, minimum(kc, i32.sub(k, p)));
      f.set(to, i32.add(c, select(i32.const(0), i32.mul(i32.mul(block, args.m), cRow), byRows)));
      f.set(accumulate, select(block, i32.const(0), byRows));
      const ofA = f.local('i32', i32.add(a, i32.shl(p, i32.const(2))));
      const ofB = f.local('i32', i32.add(b, i32.mul(p, bRow)));
      f.for(j, i32.const(0), cRow, 4 * IN_PLACE_COLUMNS, () => {
        const [from, result] = [f.local('i32', ofA), f.local('i32', i32.add(to, j))];
        const left = f.local('i32', rows);
        const run = (height: 1 | 2): void => {
          // prettier-ignore
          f.do(call(tiles[height - 1], from, aRow, i32.add(ofB, j), bRow, result, cRow, depth, accumulate));
          f.increment(from, i32.mul(aRow, i32.const(height)));
          f.increment(result, i32.mul(cRow, i32.const(height)));
          f.increment(left, -height);
        };
        f.while(i32.ge_s(left, i32.const(2)), () => run(2));
        f.if(left, () => run(1));
      });
    });
    f.if(i32.or(bias, activation), () => f.do(call(finish, c, cRow, rows, n, bias, activation)));
  },
);

/** c ← ((block₀ + block₁) + block₂) + …, matrices of [m, n] one after the other; then bias and activation. */
export const addBlocksF32 = kernel(
  'addBlocksF32',
  { m: 'i32', n: 'i32', blocks: 'i32', from: 'i32', c: 'i32', bias: 'i32', activation: 'i32' },
  (f, { m: rows, n, blocks, from, c, bias, activation }, { m, shared }) => {
    const finish = finishRows(m, shared);
    const cRow = f.local('i32', i32.shl(n, i32.const(2)));
    const bytes = f.local('i32', i32.mul(rows, cRow));
    const [offset, at, left] = [f.local('i32'), f.local('i32'), f.local('i32')];
    const sum = f.local('v128');
    f.for(offset, i32.const(0), bytes, 16, () => {
      f.set(at, i32.add(from, offset));
      f.set(sum, v128.load(at));
      f.set(left, i32.sub(blocks, i32.const(1)));
      f.while(left, () => {
        f.increment(at, bytes);
        f.set(sum, F32.add(sum, v128.load(at)));
        f.increment(left, -1);
      });
      f.do(v128.store(i32.add(c, offset), sum));
    });
    f.if(i32.or(bias, activation), () => f.do(call(finish, c, cRow, rows, n, bias, activation)));
  },
);
