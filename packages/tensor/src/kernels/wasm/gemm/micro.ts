/**
 * The innermost loop of matrix products and convolutions: one tile of C, held in registers, takes up k products of a column
 * of A with a row of B.
 *
 *                 NR columns
 *            p ┌─────────────┐      element (i, p) of A: at a + p·aStep + 4·i
 *              │      B      │      element (p, j) of B: at b + p·bStep + 4·j
 *        p     └─────────────┘      element (i, j) of C: at c + i·cStep + 4·j
 *      ┌─────┐ ┌─────────────┐
 *   MR │  A  │ │      C      │      c_ij ← (c_ij or 0) + (a_i0·b_0j + a_i1·b_1j + …), in this order
 *      └─────┘ └─────────────┘
 *
 * Packed operands are panels: A as [k][MR], so aStep = 4·MR, and B as [k][NR], so bStep = 4·NR; panels at the edge are
 * filled up with zeros. Operands that are contiguous in the right direction may also be read where they are.
 *
 * A tile must use up the vector registers, of which V8 leaves 15, to keep additions from waiting for each other. With a fused
 * multiply-add 6×8 does (12 sums, 2 of B, 1 of A); without it the product needs a register as well, and 4×8 is faster.
 * Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34(3), 2008.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
  type ModuleBuilder,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { i32 } from '../assembler/instructions.js';
import { command, kernel, type Command, type SharedFunctions } from '../kernel.js';
import { madd } from '../math.js';
import { madd64 } from '../math-doubles.js';
import { f32x4, f64x2, v128 } from '../assembler/simd.js';

/** What the code for float32 and for float64 has not in common. */
export interface Format {
  readonly name: 'F32' | 'F64';
  /** Of one element. */
  readonly bytes: 4 | 8;
  /** Elements in a vector. */
  readonly lanes: 4 | 2;
  /** One element from memory in all lanes. */
  readonly load_splat: (address: Expr<'i32'>, offset: number) => Expr<'v128'>;
  readonly add: (a: Expr<'v128'>, b: Expr<'v128'>) => Expr<'v128'>;
  /** a·b + c; rounded once if the module has a fused multiply-add. */
  readonly madd: (
    m: ModuleBuilder,
    a: Expr<'v128'>,
    b: Expr<'v128'>,
    c: Expr<'v128'>,
  ) => Expr<'v128'>;
}

export const F32: Format = {
  name: 'F32',
  bytes: 4,
  lanes: 4,
  load_splat: v128.load32_splat,
  add: f32x4.add,
  madd,
};

export const F64: Format = {
  name: 'F64',
  bytes: 8,
  lanes: 2,
  load_splat: v128.load64_splat,
  add: f64x2.add,
  madd: madd64,
};

/** Columns of the tile of float32. */
export const NR = 8;

/** Columns of the tile: two vectors. */
export function tileColumns(format: Format): number {
  return 2 * format.lanes;
}

/** Rows of the tile. */
export function tileRows(m: Pick<ModuleBuilder, 'relaxed'>): number {
  return m.relaxed ? 6 : 4;
}

/** A multiple of all that `tileRows` can be: for the size of scratch, which lowerings must tell without knowing the module. */
export const ROWS_MULTIPLE = 12;

/** (a, aStep, b, bStep, c, cStep, k, accumulate): addresses and steps in bytes; with `accumulate` C is added to, else overwritten. */
export type TileFunction = FunctionRef<
  readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
  'void'
>;

/**
 * A tile of so many rows and columns (a multiple of the lanes), as above. k must be at least 1.
 *
 * @param along which elements of A lie side by side: columns of it, or with 'rows' element (i, p) is at a + i·aStep + 4·p
 */
export function tileKernel(
  m: ModuleBuilder,
  shared: SharedFunctions,
  rows: number,
  columns: number,
  format: Format = F32,
  along: 'columns' | 'rows' = 'columns',
): TileFunction {
  const name = `tile${rows}x${columns}${along === 'rows' ? 'Rows' : ''}${format.name}`;
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, a, aStep, b, bStep, c, cStep, k, accumulate) => {
        const operands = { a, aStep, b, bStep, c, cStep, k, accumulate };
        emitTile(m, f, [rows, columns], format, operands, { along });
      },
    ),
  );
}

/** (a, aPanel, aStep, b, bStep, c, cStep, k, accumulate, count): panels of A lie `aPanel` bytes apart. */
export type ColumnFunction = FunctionRef<
  readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
  'void'
>;

/** `count` tiles of C one below the other: panels of A with one panel of B. A call for each tile would cost too much where k is small. */
export function tileColumn(
  m: ModuleBuilder,
  shared: SharedFunctions,
  rows: number,
  format: Format = F32,
): ColumnFunction {
  const columns = tileColumns(format);
  const name = `tileColumn${rows}x${columns}${format.name}`;
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, a, aPanel, aStep, b, bStep, c, cStep, k, accumulate, count) => {
        const [atA, atB, left] = [f.local('i32'), f.local('i32'), f.local('i32')];
        const down = f.local('i32', i32.mul(cStep, i32.const(rows)));
        const tiles = (ofB: 'packed' | 'anywhere'): void =>
          f.while(count, () => {
            f.set(atA, a);
            f.set(atB, b);
            f.set(left, k);
            const operands = { a: atA, aStep, b: atB, bStep, c, cStep, k: left, accumulate };
            emitTile(m, f, [rows, columns], format, operands, { ofB });
            f.increment(a, aPanel);
            f.increment(c, down);
            f.increment(count, -1);
          });
        f.if(
          i32.eq(bStep, i32.const(columns * format.bytes)),
          () => tiles('packed'),
          () => tiles('anywhere'),
        );
      },
    ),
  );
}

/** What a tile is computed from. */
type TileOperands = Readonly<
  Record<'a' | 'aStep' | 'b' | 'bStep' | 'c' | 'cStep' | 'k' | 'accumulate', Local<'i32'>>
>;

/** Steps of k in one round of a tile's loop: of that of blocked products, where most of the time goes, and of the others. */
const UNROLL = { packed: 8, anywhere: 4 } as const;

/**
 * `left` steps (not 0), several in a round of the loop, since V8 looks at the stack's limit in each round: for tiles that gives a tenth.
 * The tests between the steps are needed. Without them V8 loads what all steps read before the first multiplication, and
 * runs out of registers.
 *
 * @param step appends the step at this place of a round
 * @param advance appends what follows a whole round, which takes its steps off `left`
 */
export function inRounds(
  f: FunctionBuilder,
  left: Local<'i32'>,
  unroll: number,
  step: (place: number) => void,
  advance: () => void,
): void {
  f.block((end) => {
    f.loop((again) => {
      for (let place = 0; place < unroll; place++) {
        if (place > 0) f.br_if(end, i32.eq(left, i32.const(place)));
        step(place);
      }
      advance();
      f.br_if(again, left);
    });
  });
}

/**
 * Appends the code of a tile to a function; a, b and k are changed by it.
 *
 * @param ofB whether B is known to be packed: then its address need not be worked out in each step
 * @param along as for `tileKernel`
 */
function emitTile(
  m: ModuleBuilder,
  f: FunctionBuilder,
  [rows, columns]: readonly [number, number],
  format: Format,
  { a, aStep, b, bStep, c, cStep, k, accumulate }: TileOperands,
  {
    ofB = 'anywhere',
    along = 'columns',
  }: { ofB?: 'packed' | 'anywhere'; along?: 'columns' | 'rows' },
): void {
  const { bytes, lanes, load_splat } = format;
  const vectors = columns / lanes;
  const sums = Array.from({ length: rows }, () =>
    Array.from({ length: vectors }, () => f.local('v128', v128.zero())),
  );
  const row = f.local('i32');
  const eachOfC = (visit: (sum: Local<'v128'>, offset: number) => void): void => {
    f.set(row, c);
    sums.forEach((ofRow, i) => {
      if (i > 0) f.increment(row, cStep);
      ofRow.forEach((sum, j) => visit(sum, 16 * j));
    });
  };

  const rowsOfA = along === 'rows' ? sums.map(() => f.local('i32')) : [];
  rowsOfA.forEach((at, i) => f.set(at, i === 0 ? a : i32.add(rowsOfA[i - 1], aStep)));
  const ofA = f.local('v128');
  const rowOfB = Array.from({ length: vectors }, () => f.local('v128'));
  const packedStep = ofB === 'packed' ? columns * bytes : 0;
  // c_ij += a_ip·b_pj, for the step at this place of a round
  const step = (place: number): void => {
    rowOfB.forEach((x, j) => f.set(x, v128.load(b, place * packedStep + 16 * j)));
    sums.forEach((ofRow, i) => {
      f.set(
        ofA,
        along === 'rows' ? load_splat(rowsOfA[i], bytes * place) : load_splat(a, bytes * i),
      );
      ofRow.forEach((sum, j) => f.set(sum, format.madd(m, ofA, rowOfB[j], sum)));
    });
    if (along === 'columns') f.increment(a, aStep);
    if (ofB === 'anywhere') f.increment(b, bStep);
  };
  /** So many steps are done. */
  const advance = (count: number): void => {
    for (const at of rowsOfA) f.increment(at, count * bytes);
    if (ofB === 'packed') f.increment(b, count * packedStep);
    f.increment(k, -count);
  };
  // A first step before the loop, so that sums are not constants there, gives a tenth.
  step(0);
  advance(1);
  const unroll = UNROLL[ofB];
  f.if(k, () => inRounds(f, k, unroll, step, () => advance(unroll)));
  f.if(accumulate, () => {
    eachOfC((sum, offset) => f.set(sum, format.add(v128.load(row, offset), sum)));
  });
  eachOfC((sum, offset) => f.do(v128.store(row, sum, offset)));
}

/** (a, aStep, b, bStep, c, cStep, k, accumulate, rows, columns, tile) */
export type EdgeFunction = FunctionRef<
  readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
  'void'
>;

/** Bytes of the scratch that `edgeKernel` needs, in either format. */
export const TILE_BYTES = 4 * ROWS_MULTIPLE * NR;

/** The bytes of one row of a tile, in either format. */
const TILE_STEP = 4 * NR;

/**
 * The micro-kernel at an edge: of the tile only the first `rows` × `columns` elements are C's. They are computed by the same
 * operations in the scratch at `tile`.
 */
export function edgeKernel(
  m: ModuleBuilder,
  shared: SharedFunctions,
  format: Format = F32,
): EdgeFunction {
  // A tile of which half is enough is computed in half.
  const [MR, NR] = [tileRows(m), tileColumns(format)];
  const whole = tileKernel(m, shared, MR, NR, format);
  const narrow = tileKernel(m, shared, MR, NR / 2, format);
  const low = tileKernel(m, shared, 2, NR, format);
  const copyTile = shared.once('copyTile', () => defineCopyTile(m));
  const name = `edgeTile${format.name}`;
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, a, aStep, b, bStep, c, cStep, k, accumulate, rows, columns, tile) => {
        const tileStep = i32.const(TILE_STEP);
        const bytes = f.local('i32', i32.mul(columns, i32.const(format.bytes)));
        f.if(accumulate, () => f.do(call(copyTile, c, cStep, tile, tileStep, rows, bytes)));
        const by = (micro: TileFunction): void =>
          f.do(call(micro, a, aStep, b, bStep, tile, tileStep, k, accumulate));
        f.if(
          i32.le_s(columns, i32.const(NR / 2)),
          () => by(narrow),
          () => {
            f.if(
              i32.le_s(rows, i32.const(2)),
              () => by(low),
              () => by(whole),
            );
          },
        );
        f.do(call(copyTile, tile, tileStep, c, cStep, rows, bytes));
      },
    ),
  );
}

/** (from, fromStep, to, toStep, rows, bytes): copies an incomplete tile, at most TILE_STEP bytes of each row. */
function defineCopyTile(
  m: ModuleBuilder,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'void'> {
  return m.function(
    'copyTile',
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    'void',
    (f, from, fromStep, to, toStep, rows, bytes) => {
      const x = f.local('v128');
      const [source, target] = [f.local('i32'), f.local('i32')];
      const ifHas = (bit: number, copy: () => void): void => {
        f.if(i32.and(bytes, i32.const(bit)), () => {
          copy();
          f.increment(source, bit);
          f.increment(target, bit);
        });
      };
      f.while(rows, () => {
        f.set(source, from);
        f.set(target, to);
        ifHas(32, () => {
          f.do(v128.store(target, v128.load(source)));
          f.do(v128.store(target, v128.load(source, 16), 16));
        });
        ifHas(16, () => f.do(v128.store(target, v128.load(source))));
        ifHas(8, () => {
          f.set(x, v128.load64_zero(source));
          f.do(v128.store64_lane(target, x, 0));
        });
        ifHas(4, () => {
          f.set(x, v128.load32_zero(source));
          f.do(v128.store32_lane(target, x, 0));
        });
        f.increment(from, fromStep);
        f.increment(to, toStep);
        f.increment(rows, -1);
      });
    },
  );
}

/** The steps of k in `peakCommand`, and where its panels and its tile are. */
const PEAK = { k: 256, b: 4 * 256 * ROWS_MULTIPLE, c: 4 * 256 * (ROWS_MULTIPLE + NR) } as const;

/** Bytes of memory that `peakCommand` needs: all of it stays in the first cache. */
export const PEAK_BYTES = PEAK.c + TILE_BYTES;

/** The micro-kernel alone, `times` tiles of the same two packed panels. */
export const gemmPeakF32 = kernel(
  'gemmPeakF32',
  { a: 'i32', b: 'i32', c: 'i32', k: 'i32', times: 'i32' },
  (f, { a, b, c, k, times }, { m, shared }) => {
    const column = tileColumn(m, shared, tileRows(m));
    const [aStep, bStep] = [i32.const(4 * tileRows(m)), i32.const(4 * NR)];
    const [zero, one] = [i32.const(0), i32.const(1)];
    f.while(times, () => {
      f.do(call(column, a, zero, aStep, b, bStep, c, bStep, k, zero, one));
      f.increment(times, -1);
    });
  },
);

/**
 * A command whose `flops`, divided by the time it takes, are the greatest rate a product can reach on this machine.
 *
 * @param features those that the module was built with
 * @param address of PEAK_BYTES bytes of ordinary numbers (zeros will do)
 */
export function peakCommand(
  features: { readonly relaxed: boolean },
  address: number,
  times: number,
): Command {
  const { k } = PEAK;
  return command(
    gemmPeakF32,
    { a: address, b: address + PEAK.b, c: address + PEAK.c, k, times },
    { flops: 2 * times * k * tileRows(features) * NR },
  );
}
