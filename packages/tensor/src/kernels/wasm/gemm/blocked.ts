/**
 * C[m×n] = A[m×k]·B[k×n] for any strides of A and B, in blocks that stay in the caches:
 *
 *   for each block of columns (nc) of C
 *     for each block of k (kc)            B's block is packed: it stays in the second cache
 *       for each block of rows (mc)       A's block is packed: so does it
 *         for each panel of B             NR columns: it stays in the first cache
 *           for each panel of A           a tile of C: the micro-kernel
 *
 * Every element is the sum of its products in the order of k, added up in blocks of kc and then from block to block,
 * whatever the strides, the other blocks and the parts are. An operand whose elements lie in the right direction is read
 * where it is when packing it would not pay.
 *
 * Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication", ACM TOMS 34(3), 2008; Van Zee & van de Geijn,
 * "BLIS", ACM TOMS 41(3), 2015.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
  type ModuleBuilder,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { finishRows } from './epilogue.js';
import {
  F32,
  F64,
  TILE_BYTES,
  edgeKernel,
  tileColumn,
  tileColumns,
  tileRows,
  type Format,
} from './micro.js';
import { packPanels, type PackFunction } from './pack.js';
import { i32, select } from '../assembler/instructions.js';
import { kernel, partRangeIf, type Kernel, type SharedFunctions } from '../kernel.js';
import { minimum } from '../integers.js';

/** What the threads divide among themselves. */
export const SPLIT = { batch: 0, rows: 1, columns: 2 } as const;

const FIELDS = {
  m: 'i32',
  n: 'i32',
  k: 'i32',
  /** Addresses, and steps in bytes from row to row and from column to column. Rows of C are contiguous. */
  a: 'i32',
  aRow: 'i32',
  aColumn: 'i32',
  b: 'i32',
  bRow: 'i32',
  bColumn: 'i32',
  c: 'i32',
  /** How many products, and the steps in bytes from one to the next. */
  batch: 'i32',
  aBatch: 'i32',
  bBatch: 'i32',
  cBatch: 'i32',
  /** One of SPLIT. */
  split: 'i32',
  /** The greatest block; mc is a multiple of ROWS_MULTIPLE and nc of the tile's columns. */
  mc: 'i32',
  nc: 'i32',
  kc: 'i32',
  /** 1: A's columns, or B's rows, are contiguous and are read where they are. */
  aDirect: 'i32',
  bDirect: 'i32',
  /** For each part: TILE_BYTES, then mc·kc elements, then nc·kc elements. */
  scratch: 'i32',
  scratchPart: 'i32',
  /** 0 or the address of n numbers that are added to each row; then the activation (see epilogue.ts). */
  bias: 'i32',
  activation: 'i32',
} as const;

export const gemmF32: Kernel<typeof FIELDS> = defineGemm(F32);
export const gemmF64: Kernel<typeof FIELDS> = defineGemm(F64);

function defineGemm(format: Format): Kernel<typeof FIELDS> {
  const { bytes } = format;
  return kernel(`gemm${format.name}`, FIELDS, (f, args, { m, shared, part, parts }) => {
    const [MR, NR] = [tileRows(m), tileColumns(format)];
    const packA = packPanels(m, shared, format, MR);
    const packB = packPanels(m, shared, format, NR);
    const strip = defineStrip(m, shared, format);
    const finish = format === F32 ? finishRows(m, shared) : null;

    const tile = f.local('i32', i32.add(args.scratch, i32.mul(part, args.scratchPart)));
    const aBlock = f.local('i32', i32.add(tile, i32.const(TILE_BYTES)));
    const aBlockBytes = i32.mul(i32.mul(args.mc, args.kc), i32.const(bytes));
    const bBlock = f.local('i32', i32.add(aBlock, aBlockBytes));
    const cRow = f.local('i32', i32.mul(args.n, i32.const(bytes)));

    const range = (
      split: number,
      size: Expr<'i32'>,
      unit: number,
    ): [Local<'i32'>, Local<'i32'>] => {
      const divided = i32.eq(args.split, i32.const(split));
      const { from, to } = partRangeIf(f, divided, size, { part, parts }, unit);
      return [from, to];
    };
    const [firstProduct, lastProduct] = range(SPLIT.batch, args.batch, 1);
    const [firstRow, lastRow] = range(SPLIT.rows, args.m, MR);
    const [firstColumn, lastColumn] = range(SPLIT.columns, args.n, NR);

    const [product, i, j, p] = [0, 1, 2, 3].map(() => f.local('i32'));
    const [rows, columns, depth] = [0, 1, 2].map(() => f.local('i32'));
    const [a, b, c, cBlock] = [0, 1, 2, 3].map(() => f.local('i32'));
    const at = (base: Expr<'i32'>, index: Expr<'i32'>, step: Expr<'i32'>): Expr<'i32'> =>
      i32.add(base, i32.mul(index, step));
    const aPanels = new Panels(f, format, packA, MR, args.aDirect, args.aRow, args.aColumn, aBlock);
    const bPanels = new Panels(f, format, packB, NR, args.bDirect, args.bColumn, args.bRow, bBlock);

    f.for(product, firstProduct, lastProduct, 1, () => {
      f.set(a, at(args.a, product, args.aBatch));
      f.set(b, at(args.b, product, args.bBatch));
      f.set(c, at(args.c, product, args.cBatch));
      f.for(j, firstColumn, lastColumn, args.nc, () => {
        f.set(columns, minimum(args.nc, i32.sub(lastColumn, j)));
        f.for(p, i32.const(0), args.k, args.kc, () => {
          f.set(depth, minimum(args.kc, i32.sub(args.k, p)));
          bPanels.prepare(at(at(b, p, args.bRow), j, args.bColumn), columns, depth);
          f.for(i, firstRow, lastRow, args.mc, () => {
            f.set(rows, minimum(args.mc, i32.sub(lastRow, i)));
            aPanels.prepare(at(at(a, i, args.aRow), p, args.aColumn), rows, depth);
            f.set(cBlock, at(at(c, i, cRow), j, i32.const(bytes)));
            bPanels.each(columns, (bPanel, bStep, width, offset) => {
              const { from, panel, step, edge } = aPanels;
              const cPanel = i32.add(cBlock, offset);
              // prettier-ignore
              f.do(call(strip, from, panel, step, edge, bPanel, bStep, cPanel, cRow, depth, p, rows, width, tile));
            });
            if (finish === null) return;
            const last = i32.ge_s(i32.add(p, args.kc), args.k);
            f.if(i32.and(last, i32.ne(i32.or(args.bias, args.activation), i32.const(0))), () => {
              const offset = i32.mul(j, i32.const(bytes));
              const bias = select(i32.add(args.bias, offset), i32.const(0), args.bias);
              f.do(call(finish, cBlock, cRow, rows, columns, bias, args.activation));
            });
          });
        });
      });
    });
  });
}

/** The panels of one operand's block: packed, or where they are, with only the incomplete one packed. */
class Panels {
  /** The first panel, and the steps from one to the next and from one p to the next. */
  readonly from: Local<'i32'>;
  readonly panel: Local<'i32'>;
  readonly step: Local<'i32'>;
  /** The incomplete panel; it is always packed. */
  readonly edge: Local<'i32'>;
  private readonly full: Local<'i32'>;

  /** @param block where packed panels go */
  constructor(
    private readonly f: FunctionBuilder,
    private readonly format: Format,
    private readonly pack: PackFunction,
    private readonly width: number,
    private readonly direct: Local<'i32'>,
    private readonly laneStep: Local<'i32'>,
    private readonly kStep: Local<'i32'>,
    private readonly block: Local<'i32'>,
  ) {
    [this.from, this.panel, this.step, this.edge, this.full] = [0, 1, 2, 3, 4].map(() =>
      f.local('i32'),
    );
  }

  /** Appends the packing of `lanes` lanes and `depth` steps of k from `address` on. */
  prepare(address: Expr<'i32'>, lanes: Local<'i32'>, depth: Local<'i32'>): void {
    const { f, from, panel, step, edge, full, width, laneStep, kStep, block } = this;
    const row = width * this.format.bytes;
    f.set(from, address);
    f.set(full, i32.mul(i32.div_u(lanes, i32.const(width)), i32.const(width)));
    f.if(
      this.direct,
      () => {
        f.set(panel, i32.const(row));
        f.set(step, kStep);
        f.set(edge, block);
        const rest = i32.sub(lanes, full);
        const start = i32.add(from, i32.mul(full, laneStep));
        f.if(rest, () => f.do(call(this.pack, start, laneStep, kStep, rest, depth, block)));
      },
      () => {
        f.do(call(this.pack, from, laneStep, kStep, lanes, depth, block));
        f.set(panel, i32.mul(depth, i32.const(row)));
        f.set(step, i32.const(row));
        f.set(edge, i32.add(block, i32.mul(i32.mul(full, depth), i32.const(this.format.bytes))));
        f.set(from, block);
      },
    );
  }

  /** Appends a loop over the panels: their address, step, lanes, and the bytes of the lanes before them in a row. */
  each(
    lanes: Local<'i32'>,
    body: (at: Local<'i32'>, step: Local<'i32'>, width: Local<'i32'>, offset: Local<'i32'>) => void,
  ): void {
    const { f } = this;
    const row = this.width * this.format.bytes;
    const [at, step, width, offset] = [0, 1, 2, 3].map(() => f.local('i32'));
    const left = f.local('i32', lanes);
    f.set(at, this.from);
    f.set(step, this.step);
    f.set(width, i32.const(this.width));
    f.set(offset, i32.const(0));
    f.while(i32.gt_s(left, i32.const(0)), () => {
      f.if(i32.lt_s(left, width), () => {
        f.set(at, this.edge);
        f.set(step, i32.const(row));
        f.set(width, left);
      });
      body(at, step, width, offset);
      f.increment(at, this.panel);
      f.increment(offset, row);
      f.increment(left, -this.width);
    });
  }
}

const I32_13 = [
  ...(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const),
  ...(['i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const),
] as const;

/** (a, aPanel, aStep, aEdge, b, bStep, c, cRow, k, accumulate, rows, columns, tile): all panels of A with one of B. */
function defineStrip(
  m: ModuleBuilder,
  shared: SharedFunctions,
  format: Format,
): FunctionRef<typeof I32_13, 'void'> {
  const [MR, NR] = [tileRows(m), tileColumns(format)];
  const column = tileColumn(m, shared, MR, format);
  const edge = edgeKernel(m, shared, format);
  return m.function(
    `strip${format.name}`,
    I32_13,
    'void',
    (f, a, aPanel, aStep, aEdge, b, bStep, c, cRow, k, accumulate, rows, columns, tile) => {
      const full = i32.const(MR);
      const down = f.local('i32', i32.mul(cRow, full));
      const count = f.local('i32', i32.div_u(rows, full));
      f.if(i32.eq(columns, i32.const(NR)), () => {
        f.do(call(column, a, aPanel, aStep, b, bStep, c, cRow, k, accumulate, count));
        f.increment(a, i32.mul(aPanel, count));
        f.increment(c, i32.mul(down, count));
        f.set(rows, i32.sub(rows, i32.mul(count, full)));
      });
      const edgeOf = (from: Expr<'i32'>, step: Expr<'i32'>, height: Expr<'i32'>): void =>
        f.do(call(edge, from, step, b, bStep, c, cRow, k, accumulate, height, columns, tile));
      f.while(i32.ge_s(rows, full), () => {
        edgeOf(a, aStep, full);
        f.increment(a, aPanel);
        f.increment(c, down);
        f.increment(rows, -MR);
      });
      f.if(rows, () => edgeOf(aEdge, i32.const(MR * format.bytes), rows));
    },
  );
}
