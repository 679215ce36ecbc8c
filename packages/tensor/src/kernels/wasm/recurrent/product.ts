/**
 * The products of the recurrent kernels, with packed weights.
 *
 * Weights [k, n] are packed once for each call into panels of 8 columns (the last one of 4 if 4 or fewer are left), filled
 * up with zeros: panel after panel, each with its k rows one after another, so that the innermost loop reads memory in a
 * line. A product C = D + A·W takes the rows of A, D and C anywhere in memory, so that one step of a sequence
 * [batch, time, …] needs no copy. D and C have room for n rounded up to a multiple of 4.
 */
import { call, type FunctionRef, type Local, type ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f32, i32 } from '../assembler/instructions.js';
import { command, kernel, type Command, type KernelContext, type Operand } from '../kernel.js';
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

/** Weights [k, n] of any strides (bytes) into panels; columns from n to `width` become zeros. */
export const packPanels = kernel(
  'recurrentPackF32',
  // prettier-ignore
  { from: 'i32', rowStride: 'i32', columnStride: 'i32', k: 'i32', n: 'i32', width: 'i32', to: 'i32' },
  (f, { from, rowStride, columnStride, k, n, width, to }, { m }) => {
    const [inRows, strided, atEdge] = [packRows(m), packStrided(m), packEdge(m)];
    const columns = f.local('i32');
    f.while(i32.gt_s(width, int(0)), () => {
      f.set(columns, int(PANEL));
      f.if(i32.lt_s(width, columns), () => f.set(columns, width));
      f.if(
        i32.and(i32.eq(columns, int(PANEL)), i32.ge_s(n, int(PANEL))),
        () =>
          f.if(
            i32.eq(columnStride, int(4)),
            () => f.do(call(inRows, from, rowStride, k, to)),
            () => f.do(call(strided, from, rowStride, columnStride, k, to)),
          ),
        () => f.do(call(atEdge, from, rowStride, columnStride, k, n, columns, to)),
      );
      f.increment(from, times(columnStride, columns));
      f.increment(to, times(times(k, columns), 4));
      f.set(n, sub(n, columns));
      f.set(width, sub(width, columns));
    });
  },
);

/** (from, rowStride, k, to): a whole panel whose columns lie side by side. */
function packRows(m: ModuleBuilder): FunctionRef<Ints<4>, 'void'> {
  return m.function(
    'recurrentPackRows',
    ['i32', 'i32', 'i32', 'i32'],
    'void',
    (f, from, rowStride, k, to) =>
      f.while(k, () => {
        for (const at of [0, 16]) f.do(v128.store(to, v128.load(from, at), at));
        f.increment(from, rowStride);
        f.increment(to, 4 * PANEL);
        f.increment(k, -1);
      }),
  );
}

/** (from, rowStride, columnStride, k, to): a whole panel with columns anywhere, as those of Wᵀ. */
function packStrided(m: ModuleBuilder): FunctionRef<Ints<5>, 'void'> {
  return m.function(
    'recurrentPackStrided',
    ['i32', 'i32', 'i32', 'i32', 'i32'],
    'void',
    (f, from, rowStride, columnStride, k, to) => {
      const columns = [from];
      for (let j = 1; j < PANEL; j++)
        columns.push(f.local('i32', add(columns[j - 1], columnStride)));
      f.while(k, () => {
        columns.forEach((column, j) => {
          f.do(f32.store(to, f32.load(column), 4 * j));
          f.increment(column, rowStride);
        });
        f.increment(to, 4 * PANEL);
        f.increment(k, -1);
      });
    },
  );
}

/** (from, rowStride, columnStride, k, n, columns, to): a panel of which W has only n columns. */
function packEdge(m: ModuleBuilder): FunctionRef<Ints<7>, 'void'> {
  return m.function(
    'recurrentPackEdge',
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    'void',
    (f, from, rowStride, columnStride, k, n, columns, to) => {
      const at = f.local('i32');
      const j = f.local('i32');
      f.while(k, () => {
        f.set(at, from);
        f.for(j, int(0), columns, 1, () => {
          f.if(
            i32.lt_s(j, n),
            () => f.do(f32.store(to, f32.load(at))),
            () => f.do(f32.store(to, f32.const(0))),
          );
          f.increment(at, columnStride);
          f.increment(to, 4);
        });
        f.increment(from, rowStride);
        f.increment(k, -1);
      });
    },
  );
}

/** A matrix of float32 with its strides in bytes. */
export interface Matrix {
  readonly address: number;
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
  /** How many of the columns there are in memory; the others are zeros. Default all. */
  readonly present?: number;
}

/** Bytes of a packed matrix. */
export function packedBytes({ rows, columns }: Matrix): number {
  return 4 * rows * padded(columns);
}

/** Packs weights into panels at an address. */
export function pack(
  { address, rows, columns, rowStride, columnStride, present = columns }: Matrix,
  to: number,
): Command {
  const width = padded(columns);
  const args = { from: address, rowStride, columnStride, k: rows, n: present, width, to };
  return command(packPanels, args);
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
          f.increment(w, 16 * vectors);
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
