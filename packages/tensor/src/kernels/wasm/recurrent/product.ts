/**
 * The products of the recurrent kernels, with packed weights.
 *
 * Weights [k, n] are packed once for each call into the panels of other products (gemm/pack.ts). A product C = D + [A | B]·W
 * takes the rows of A, B, C and D anywhere in memory, so that one step of a sequence [batch, time, …] needs no copy and x·Wx
 * and h·Wh are one product, and therefore has tiles of its own: those of gemm/micro.ts begin with 0 and want A packed, or its
 * rows side by side. C and D have room for n rounded up to a multiple of 4.
 */
import { call, type FunctionRef } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { i32, memory } from '../assembler/instructions.js';
import { command, kernel, type Command, type KernelContext, type Operand } from '../kernel.js';
import { F32, inRounds } from '../gemm/micro.js';
import { packPanels } from '../gemm/pack.js';
import { madd } from '../math.js';
import { v128 } from '../assembler/simd.js';
import { minimum } from '../integers.js';
import { roundUp } from '../heap.js';

/** Where functions are made. */
export type Place = Pick<KernelContext, 'm' | 'shared'>;

/** Columns of a panel. */
export const PANEL = 8;

/**
 * Rows of a tile of two vectors: with two sums each, two vectors of weights and what is read of A they need 14 of the 15 registers
 * that V8 leaves. Of a narrow tile, of one vector, there may be more.
 */
const TILE_ROWS = 4;
const NARROW_ROWS = 5;

/** Steps of k in one round of the innermost loop of a whole tile, and of one with fewer rows. */
const [UNROLL, UNROLL_REST] = [20, 2];

export const int = i32.const;
export const add = (a: Expr<'i32'>, b: Expr<'i32'> | number): Expr<'i32'> =>
  i32.add(a, typeof b === 'number' ? int(b) : b);
export const sub = i32.sub;
export const times = (a: Expr<'i32'>, b: Expr<'i32'> | number): Expr<'i32'> =>
  i32.mul(a, typeof b === 'number' ? int(b) : b);

const [FOUR, FIVE] = [['i32', 'i32', 'i32', 'i32'], ['i32', 'i32', 'i32', 'i32', 'i32']] as const; // prettier-ignore

/** So many addresses and sizes. */
export type Ints<N extends number, T extends readonly 'i32'[] = readonly []> = T['length'] extends N
  ? T
  : Ints<N, readonly [...T, 'i32']>;

/** The most rows of a tile of so many vectors. */
const tileRows = (vectors: number): number => (vectors === 1 ? NARROW_ROWS : TILE_ROWS);

/** n rounded up to a multiple of 4: the columns for which there must be room. */
export const padded = (n: number): number => roundUp(n, 4);

/** Weights [k, n] of any strides (bytes) into panels so many bytes apart, or so many bytes of zeros where there are none. */
export const packWeights = kernel(
  'recurrentPackF32',
  // prettier-ignore
  {
    from: 'i32', rowStride: 'i32', columnStride: 'i32', k: 'i32', n: 'i32', to: 'i32', panelBytes: 'i32', zeros: 'i32',
  },
  (f, { from, rowStride, columnStride, k, n, to, panelBytes, zeros }, { m, shared }) => {
    const packPanel = packPanels(m, shared, F32, PANEL);
    f.do(memory.fill(to, int(0), zeros));
    f.while(i32.gt_s(n, int(0)), () => {
      f.do(call(packPanel, from, columnStride, rowStride, minimum(n, int(PANEL)), k, to));
      f.increment(from, times(columnStride, PANEL));
      f.increment(to, panelBytes);
      f.increment(n, -PANEL);
    });
  },
);

/** A matrix of float32 with its strides in bytes. */
export interface Matrix {
  readonly address: number;
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
  /** Where there is nothing in memory: zeros. */
  readonly absent?: boolean;
}

/** Bytes of a packed matrix. */
export function packedBytes({ rows, columns }: Matrix): number {
  return 4 * rows * roundUp(columns, PANEL);
}

/** Packs weights into panels at an address; the panels may have more rows, which others fill. */
export function pack(matrix: Matrix, to: number, rowsOfPanel = matrix.rows): Command {
  const { address: from, rows: k, columns, rowStride, columnStride, absent = false } = matrix;
  const [n, zeros] = absent ? [0, packedBytes(matrix)] : [columns, 0];
  const panelBytes = 4 * PANEL * rowsOfPanel;
  return command(packWeights, { from, rowStride, columnStride, k, n, to, panelBytes, zeros });
}

/** Some columns of a tensor [rows, columns] (or of one row [columns]), turned round if `transposed`. */
export function matrixOf(
  { address, shape, strides }: Operand,
  { from = 0, columns = shape[shape.length - 1], transposed = false } = {},
): Matrix {
  const last = shape.length - 1;
  const [rowStride, columnStride] = [last === 0 ? 0 : 4 * strides[0], 4 * strides[last]];
  const start = address + from * columnStride;
  const rows = last === 0 ? 1 : shape[0];
  return transposed
    ? {
        address: start,
        rows: columns,
        columns: rows,
        rowStride: columnStride,
        columnStride: rowStride,
      }
    : { address: start, rows, columns, rowStride, columnStride };
}

/**
 * (w, d, dStride, c, cStride, a, aStride, k, b, bStride, kb, count): `count` tiles of `rows` rows, one below the other, of C = D + [A | B]·W
 * for one panel of 4·vectors columns.
 */
function tiles({ m, shared }: Place, rows: number, vectors: number): FunctionRef<Ints<12>, 'void'> {
  const name = `recurrentTiles${rows}x${vectors}`;
  const unroll = rows === tileRows(vectors) ? UNROLL : UNROLL_REST;
  return shared.once(name, () =>
    m.function(
      name,
      [...FOUR, ...FOUR, ...FOUR],
      'void',
      (f, w, d, dStride, c, cStride, a, aStride, k, b, bStride, kb, count) => {
        const sums = Array.from({ length: rows * vectors }, () => f.local('v128'));
        const weights = Array.from({ length: vectors }, () => f.local('v128'));
        const value = f.local('v128');
        const rowsOfA = Array.from({ length: rows }, () => f.local('i32'));
        const [weightsAt, from, stride, left, next, to] = [1, 2, 3, 4, 5, 6].map(() => f.local('i32')); // prettier-ignore
        /** The step at this place of a round. */
        const step = (place: number): void => {
          const offset = 4 * PANEL * place;
          weights.forEach((weight, v) => f.set(weight, v128.load(weightsAt, offset + 16 * v)));
          rowsOfA.forEach((row, r) => {
            f.set(value, v128.load32_splat(row, 4 * place));
            weights.forEach((weight, v) => {
              const sum = sums[r * vectors + v];
              f.set(sum, madd(m, value, weight, sum));
            });
          });
        };
        /** All steps of one operand. */
        const steps = (): void =>
          inRounds(f, left, unroll, step, () => {
            for (const row of rowsOfA) f.increment(row, 4 * unroll);
            f.increment(weightsAt, 4 * PANEL * unroll);
            f.increment(left, -unroll);
          });
        f.while(count, () => {
          sums.forEach((sum, i) => {
            f.set(sum, v128.load(d, 16 * (i % vectors)));
            if (i % vectors === vectors - 1) f.increment(d, dStride);
          });
          // What comes out of an operation V8 knows to be extended to 64 bits; a parameter it extends anew in each round.
          f.set(weightsAt, i32.and(w, int(-4)));
          f.set(from, a);
          f.set(stride, aStride);
          f.set(left, k);
          f.set(next, kb);
          f.loop((nextOperand) => {
            f.set(rowsOfA[0], i32.and(from, int(-4)));
            for (let r = 1; r < rows; r++) f.set(rowsOfA[r], add(rowsOfA[r - 1], stride));
            f.if(left, steps);
            // What is left has been done in the last round.
            f.increment(weightsAt, times(left, 4 * PANEL));
            f.set(from, b);
            f.set(stride, bStride);
            f.set(left, next);
            f.set(next, int(0));
            f.br_if(nextOperand, left);
          });
          // The last row first: V8 computes in the opposite order what is stored.
          f.set(to, add(c, times(cStride, rows - 1)));
          f.set(c, add(to, cStride));
          for (let i = sums.length - 1; i >= 0; i--) {
            f.do(v128.store(to, sums[i], 16 * (i % vectors)));
            if (i > 0 && i % vectors === 0) f.set(to, sub(to, cStride));
          }
          f.increment(a, times(aStride, rows));
          f.increment(b, times(bStride, rows));
          f.increment(count, -1);
        });
      },
    ),
  );
}

/** (w, rows, d, dStride, c, cStride, a, aStride, k, b, bStride, kb): one panel for all rows. */
function panel(place: Place, vectors: number): FunctionRef<Ints<12>, 'void'> {
  const most = tileRows(vectors);
  const ofRows = Array.from({ length: most }, (_, i) => tiles(place, i + 1, vectors));
  const name = `recurrentPanel${vectors}`;
  return place.shared.once(name, () =>
    place.m.function(
      name,
      [...FOUR, ...FOUR, ...FOUR],
      'void',
      (f, w, rows, d, dStride, c, cStride, a, aStride, k, b, bStride, kb) => {
        const some = (of: FunctionRef<Ints<12>, 'void'>, count: Expr<'i32'>): void =>
          f.do(call(of, w, d, dStride, c, cStride, a, aStride, k, b, bStride, kb, count));
        const whole = f.local('i32', i32.div_u(rows, int(most)));
        some(ofRows[most - 1], whole);
        const done = f.local('i32', times(whole, most));
        f.increment(a, times(aStride, done));
        f.increment(b, times(bStride, done));
        f.increment(d, times(dStride, done));
        f.increment(c, times(cStride, done));
        for (let rest = most - 1; rest > 0; rest--) {
          f.if(i32.eq(sub(rows, done), int(rest)), () => some(ofRows[rest - 1], int(1)));
        }
      },
    ),
  );
}

/**
 * (w, n, a, aStride, rows, d, dStride, c, cStride): the product for k = 1, a column times a row: with so little to add up, tiles
 * would take most of their time to begin and to end.
 */
function outerProduct({ m, shared }: Place): FunctionRef<Ints<9>, 'void'> {
  return shared.once('recurrentOuter', () =>
    m.function(
      'recurrentOuter',
      [...FIVE, ...FOUR],
      'void',
      (f, w, n, a, aStride, rows, d, dStride, c, cStride) => {
        const [from, weights, to, end] = [1, 2, 3, 4].map(() => f.local('i32'));
        const value = f.local('v128');
        const vectors = (count: number): void => {
          const sums = Array.from({ length: count }, (_, i) =>
            f.local('v128', madd(m, value, v128.load(weights, 16 * i), v128.load(from, 16 * i))),
          );
          sums.forEach((sum, i) => f.do(v128.store(to, sum, 16 * i)));
          for (const pointer of [from, weights, to]) f.increment(pointer, 16 * count);
        };
        f.while(rows, () => {
          f.set(value, v128.load32_splat(a));
          f.set(from, d);
          f.set(weights, w);
          f.set(to, c);
          f.set(end, add(w, times(n, 4)));
          f.while(i32.ge_u(sub(end, weights), int(64)), () => vectors(4));
          f.while(i32.lt_u(weights, end), () => vectors(1));
          f.increment(a, aStride);
          f.increment(d, dStride);
          f.increment(c, cStride);
          f.increment(rows, -1);
        });
      },
    ),
  );
}

/** Rows of A that stay in the cache while all panels of W pass by. */
const CHUNK = 60;

/** Where a product has no B. */
export const none = [int(0), int(0), int(0)] as const;

/**
 * (w, n, rows, d, dStride, c, cStride, a, aStride, k, b, bStride, kb): C[rows×n] = D + [A | B]·W with A [rows, k], B [rows, kb] and
 * W packed [k + kb, n]. C may be D; a stride of 0 takes one row of D, a bias, for all. Without B kb is 0.
 */
export function product(place: Place): FunctionRef<Ints<13>, 'void'> {
  const [narrow, wide, outer] = [panel(place, 1), panel(place, 2), outerProduct(place)];
  return place.shared.once('recurrentProduct', () => {
    const chunk = place.m.function(
      'recurrentChunk',
      [...FIVE, ...FOUR, ...FOUR],
      'void',
      (f, w, n, rows, d, dStride, c, cStride, a, aStride, k, b, bStride, kb) => {
        const panelBytes = f.local('i32', times(add(k, kb), 4 * PANEL));
        f.while(i32.gt_s(n, int(4)), () => {
          f.do(call(wide, w, rows, d, dStride, c, cStride, a, aStride, k, b, bStride, kb));
          f.increment(w, panelBytes);
          f.increment(d, 4 * PANEL);
          f.increment(c, 4 * PANEL);
          f.increment(n, -PANEL);
        });
        f.if(i32.gt_s(n, int(0)), () =>
          f.do(call(narrow, w, rows, d, dStride, c, cStride, a, aStride, k, b, bStride, kb)),
        );
      },
    );
    return place.m.function(
      'recurrentProduct',
      [...FIVE, ...FOUR, ...FOUR],
      'void',
      (f, w, n, rows, d, dStride, c, cStride, a, aStride, k, b, bStride, kb) => {
        f.if(i32.and(i32.eq(k, int(1)), i32.eqz(kb)), () => {
          f.do(call(outer, w, n, a, aStride, rows, d, dStride, c, cStride));
          f.return();
        });
        const rowsAtOnce = f.local('i32');
        f.while(rows, () => {
          f.set(rowsAtOnce, minimum(rows, int(CHUNK)));
          // prettier-ignore
          f.do(call(chunk, w, n, rowsAtOnce, d, dStride, c, cStride, a, aStride, k, b, bStride, kb));
          f.increment(a, times(aStride, CHUNK));
          f.increment(b, times(bStride, CHUNK));
          f.increment(d, times(dStride, CHUNK));
          f.increment(c, times(cStride, CHUNK));
          f.set(rows, sub(rows, rowsAtOnce));
        });
      },
    );
  });
}
