/**
 * The products of the recurrent kernels, with packed weights.
 *
 * Weights [k, n] are packed once for each call into the panels of other products (gemm/pack.ts). A product C = D + A·W takes
 * the rows of A, D and C anywhere in memory, so that one step of a sequence [batch, time, …] needs no copy, and therefore has
 * tiles of its own: those of gemm/micro.ts begin with 0 and want A packed, or its rows side by side. D and C have room for n
 * rounded up to a multiple of 4.
 */
import { call, type FunctionRef, type Local } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { i32, memory } from '../assembler/instructions.js';
import { command, kernel, type Command, type KernelContext, type Operand } from '../kernel.js';
import { F32 } from '../gemm/micro.js';
import { packPanels } from '../gemm/pack.js';
import { madd } from '../math.js';
import { v128 } from '../assembler/simd.js';
import { roundUp } from '../heap.js';

/** Where functions are made. */
export type Place = Pick<KernelContext, 'm' | 'shared'>;

/** Columns of a panel. */
const PANEL = 8;

/**
 * The most rows of A in registers at once: with two sums each, two vectors of weights, one of A and one for a product on its
 * way they need 14 of the 15 registers that V8 leaves.
 */
export const TILE_ROWS = 5;

export const int = i32.const;
export const add = (a: Expr<'i32'>, b: Expr<'i32'> | number): Expr<'i32'> =>
  i32.add(a, typeof b === 'number' ? int(b) : b);
export const sub = i32.sub;
export const times = (a: Expr<'i32'>, b: Expr<'i32'> | number): Expr<'i32'> =>
  i32.mul(a, typeof b === 'number' ? int(b) : b);

/** So many addresses and sizes. */
export type Ints<N extends number, T extends readonly 'i32'[] = readonly []> = T['length'] extends N
  ? T
  : Ints<N, readonly [...T, 'i32']>;

/** n rounded up to a multiple of 4: the columns for which there must be room. */
export const padded = (n: number): number => roundUp(n, 4);

/** Weights [k, n] of any strides (bytes) into panels, or so many bytes of zeros where there are none. */
export const packWeights = kernel(
  'recurrentPackF32',
  // prettier-ignore
  { from: 'i32', rowStride: 'i32', columnStride: 'i32', k: 'i32', n: 'i32', to: 'i32', zeros: 'i32' },
  (f, { from, rowStride, columnStride, k, n, to, zeros }, { m, shared }) => {
    f.do(memory.fill(to, int(0), zeros));
    f.do(call(packPanels(m, shared, F32, PANEL), from, columnStride, rowStride, n, k, to));
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

/** Packs weights into panels at an address. */
export function pack(matrix: Matrix, to: number): Command {
  const { address: from, rows: k, columns, rowStride, columnStride, absent = false } = matrix;
  const [n, zeros] = absent ? [0, packedBytes(matrix)] : [columns, 0];
  return command(packWeights, { from, rowStride, columnStride, k, n, to, zeros });
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

/** (a, aStride, w, k, d, dStride, c, cStride): `rows` rows of C = D + A·W for one panel of 4·vectors columns. */
function tile(place: Place, rows: number, vectors: number): FunctionRef<Ints<8>, 'void'> {
  const name = `recurrentTile${rows}x${vectors}`;
  return place.shared.once(name, () =>
    place.m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, a, aStride, w, k, d, dStride, c, cStride) => {
        // What comes out of an operation V8 knows to be extended to 64 bits; a parameter it extends anew in each round.
        for (const address of [a, w]) f.set(address, i32.and(address, int(-4)));
        const rowsOfA = [a];
        for (let r = 1; r < rows; r++) rowsOfA.push(f.local('i32', add(rowsOfA[r - 1], aStride)));
        const sums: Local<'v128'>[] = [];
        for (let r = 0; r < rows; r++) {
          if (r > 0) f.increment(d, dStride);
          for (let v = 0; v < vectors; v++) sums.push(f.local('v128', v128.load(d, 16 * v)));
        }
        const weights = Array.from({ length: vectors }, () => f.local('v128'));
        const value = f.local('v128');
        // Not unrolled: V8 then keeps the sums in other registers in each copy of the step, and moves them.
        const end = f.local('i32', add(a, times(k, 4)));
        f.while(i32.lt_u(a, end), () => {
          weights.forEach((weight, v) => f.set(weight, v128.load(w, 16 * v)));
          rowsOfA.forEach((row, r) => {
            f.set(value, v128.load32_splat(row));
            weights.forEach((weight, v) => {
              const sum = sums[r * vectors + v];
              f.set(sum, madd(place.m, value, weight, sum));
            });
          });
          for (const row of rowsOfA) f.increment(row, 4);
          f.increment(w, 4 * PANEL);
        });
        sums.forEach((sum, i) => {
          if (i > 0 && i % vectors === 0) f.increment(c, cStride);
          f.do(v128.store(c, sum, 16 * (i % vectors)));
        });
      },
    ),
  );
}

/** (w, k, a, aStride, rows, d, dStride, c, cStride): one panel for all rows. */
function panel(place: Place, vectors: number): FunctionRef<Ints<9>, 'void'> {
  const tiles = Array.from({ length: TILE_ROWS }, (_, i) => tile(place, i + 1, vectors));
  const name = `recurrentPanel${vectors}`;
  return place.shared.once(name, () =>
    place.m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, w, k, a, aStride, rows, d, dStride, c, cStride) => {
        const whole = (count: number): void =>
          f.do(call(tiles[count - 1], a, aStride, w, k, d, dStride, c, cStride));
        f.while(i32.ge_s(rows, int(TILE_ROWS)), () => {
          whole(TILE_ROWS);
          f.increment(a, times(aStride, TILE_ROWS));
          f.increment(d, times(dStride, TILE_ROWS));
          f.increment(c, times(cStride, TILE_ROWS));
          f.increment(rows, -TILE_ROWS);
        });
        for (let rest = TILE_ROWS - 1; rest > 0; rest--) {
          f.if(i32.eq(rows, int(rest)), () => whole(rest));
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
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
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

/**
 * (w, k, n, a, aStride, rows, d, dStride, c, cStride): C[rows×n] = D + A·W, with W packed [k, n]. C may be D; a stride of 0
 * takes one row of D, a bias, for all.
 */
export function product(place: Place): FunctionRef<Ints<10>, 'void'> {
  const [narrow, wide, outer] = [panel(place, 1), panel(place, 2), outerProduct(place)];
  return place.shared.once('recurrentProduct', () => {
    const chunk = place.m.function(
      'recurrentChunk',
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, w, k, n, a, aStride, rows, d, dStride, c, cStride) => {
        f.while(i32.gt_s(n, int(4)), () => {
          f.do(call(wide, w, k, a, aStride, rows, d, dStride, c, cStride));
          f.increment(w, times(k, 4 * PANEL));
          f.increment(d, 4 * PANEL);
          f.increment(c, 4 * PANEL);
          f.increment(n, -PANEL);
        });
        f.if(i32.gt_s(n, int(0)), () =>
          f.do(call(narrow, w, k, a, aStride, rows, d, dStride, c, cStride)),
        );
      },
    );
    return place.m.function(
      'recurrentProduct',
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, w, k, n, a, aStride, rows, d, dStride, c, cStride) => {
        f.if(i32.eq(k, int(1)), () => {
          f.do(call(outer, w, n, a, aStride, rows, d, dStride, c, cStride));
          f.return();
        });
        f.while(i32.gt_s(rows, int(CHUNK)), () => {
          f.do(call(chunk, w, k, n, a, aStride, int(CHUNK), d, dStride, c, cStride));
          f.increment(a, times(aStride, CHUNK));
          f.increment(d, times(dStride, CHUNK));
          f.increment(c, times(cStride, CHUNK));
          f.increment(rows, -CHUNK);
        });
        f.do(call(chunk, w, k, n, a, aStride, rows, d, dStride, c, cStride));
      },
    );
  });
}
