/**
 * C[m×n] = A[m×k]·B[k×n] with both operands read where they are: rows of A along k, rows of B along n. For a batch that goes through
 * a small dense layer: few tiles use each element, so that packing costs more than it saves.
 *
 * A tile has two rows and sixteen columns. A step of k loads two numbers of A and four vectors of B for it, six as for the tile of
 * 4×8; but it uses up a cache line of B, of which the other would leave half for the next panel. k is cut into the blocks
 * of blocked.ts, so that both kernels give the same bits.
 */
import { call, type ModuleBuilder } from '../assembler/assembler.js';
import { i32, select } from '../assembler/instructions.js';
import { v128 } from '../assembler/simd.js';
import { minimum } from '../integers.js';
import { eachOfPart, kernel, partRange, type SharedFunctions } from '../kernel.js';
import { finishRows } from './epilogue.js';
import { F32, inRounds, type TileFunction } from './micro.js';

/** Columns of a tile; n is a multiple of it. */
export const IN_PLACE_COLUMNS = 16;
const VECTORS = IN_PLACE_COLUMNS / F32.lanes;

/** Steps of k in one round of a tile's loop. */
const UNROLL = 8;

/** What the threads divide among themselves: rows of C, or blocks of k, of which each has a matrix of its own as its result. */
export const IN_PLACE_SPLIT = { rows: 0, blocks: 1 } as const;

/** Rows of A, B and C are contiguous; `aRow` and `bRow` are the steps in bytes from one to the next. */
export const gemmInPlaceF32 = kernel(
  'gemmInPlaceF32',
  {
    m: 'i32', n: 'i32', k: 'i32', kc: 'i32', a: 'i32', aRow: 'i32', b: 'i32', bRow: 'i32', c: 'i32',
    /** One of IN_PLACE_SPLIT. */
    split: 'i32',
    /** 0 or the address of n numbers that are added to each row; then the activation (see epilogue.ts). */
    bias: 'i32', activation: 'i32',
  }, // prettier-ignore
  (f, args, { m, shared, part, parts }) => {
    const { n, k, kc, a, aRow, b, bRow, c, split, bias, activation } = args;
    const tiles = [1, 2].map((rows) => tile(m, shared, rows));
    const finish = finishRows(m, shared);
    const cRow = f.local('i32', i32.shl(n, i32.const(2)));
    const rowRange = partRange(f, args.m, { part, parts }, 2);
    const blocks = f.local('i32', i32.div_u(i32.add(k, i32.sub(kc, i32.const(1))), kc));
    const blockRange = partRange(f, blocks, { part, parts });
    f.if(
      split,
      () => {
        f.set(rowRange.from, i32.const(0));
        f.set(rowRange.to, args.m);
      },
      () => {
        f.set(blockRange.from, i32.const(0));
        f.set(blockRange.to, blocks);
      },
    );
    const rows = f.local('i32', i32.sub(rowRange.to, rowRange.from));
    const [block, p, depth, j, to] = [0, 1, 2, 3, 4].map(() => f.local('i32'));
    const accumulate = f.local('i32');
    const first = f.local('i32', i32.mul(rowRange.from, cRow));
    f.increment(a, i32.mul(rowRange.from, aRow));
    f.increment(c, first);
    f.for(block, blockRange.from, blockRange.to, 1, () => {
      f.set(p, i32.mul(block, kc));
      f.set(depth, minimum(kc, i32.sub(k, p)));
      f.set(to, i32.add(c, select(i32.mul(i32.mul(block, args.m), cRow), i32.const(0), split)));
      f.set(accumulate, select(i32.const(0), block, split));
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
    const ends = i32.and(i32.eqz(split), i32.ne(i32.or(bias, activation), i32.const(0)));
    f.if(ends, () => f.do(call(finish, c, cRow, rows, n, bias, activation)));
  },
);

/** c ← ((block₀ + block₁) + block₂) + …, matrices of [m, n] one after the other; then bias and activation. */
export const addBlocksF32 = kernel(
  'addBlocksF32',
  { m: 'i32', n: 'i32', blocks: 'i32', from: 'i32', c: 'i32', bias: 'i32', activation: 'i32' },
  (f, { m: rows, n, blocks, from, c, bias, activation }, { m, shared, part, parts }) => {
    const finish = finishRows(m, shared);
    const rowBytes = f.local('i32', i32.shl(n, i32.const(2)));
    const block = f.local('i32', i32.mul(rows, rowBytes));
    eachOfPart(f, rows, { part, parts }, (row) => {
      const start = f.local('i32', i32.mul(row, rowBytes));
      const to = f.local('i32', i32.add(c, start));
      const [j, at, left] = [f.local('i32'), f.local('i32'), f.local('i32')];
      const sum = f.local('v128');
      f.for(j, i32.const(0), rowBytes, 16, () => {
        f.set(at, i32.add(i32.add(from, start), j));
        f.set(sum, v128.load(at));
        f.set(left, i32.sub(blocks, i32.const(1)));
        f.while(left, () => {
          f.increment(at, block);
          f.set(sum, F32.add(sum, v128.load(at)));
          f.increment(left, -1);
        });
        f.do(v128.store(i32.add(to, j), sum));
      });
      f.if(i32.or(bias, activation), () =>
        f.do(call(finish, to, rowBytes, i32.const(1), n, bias, activation)),
      );
    });
  },
);

/** A tile of one or two rows. */
function tile(m: ModuleBuilder, shared: SharedFunctions, rows: number): TileFunction {
  const name = `tileInPlace${rows}x${IN_PLACE_COLUMNS}F32`;
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, a, aRow, b, bRow, c, cRow, k, accumulate) => {
        const sums = Array.from({ length: rows }, () =>
          Array.from({ length: VECTORS }, () => f.local('v128', v128.zero())),
        );
        const rowOfB = Array.from({ length: VECTORS }, () => f.local('v128'));
        const rowsOfA = sums.map(() => f.local('i32'));
        const ofA = f.local('v128');
        const step = (place: number): void => {
          rowOfB.forEach((x, j) => f.set(x, v128.load(b, 16 * j)));
          sums.forEach((ofRow, i) => {
            f.set(ofA, v128.load32_splat(rowsOfA[i], 4 * place));
            ofRow.forEach((sum, j) => f.set(sum, F32.madd(m, ofA, rowOfB[j], sum)));
          });
          f.increment(b, bRow);
        };
        const advance = (steps: number): void => {
          for (const row of rowsOfA) f.increment(row, 4 * steps);
          f.increment(k, -steps);
        };
        rowsOfA.forEach((row, i) => f.set(row, i === 0 ? a : i32.add(rowsOfA[i - 1], aRow)));
        // A first step before the loop, as in micro.ts.
        step(0);
        advance(1);
        f.if(k, () => inRounds(f, k, UNROLL, step, () => advance(UNROLL)));
        sums.forEach((ofRow) => {
          f.if(accumulate, () => {
            ofRow.forEach((sum, j) => f.set(sum, F32.add(v128.load(c, 16 * j), sum)));
          });
          ofRow.forEach((sum, j) => f.do(v128.store(c, sum, 16 * j)));
          f.increment(c, cRow);
        });
      },
    ),
  );
}
