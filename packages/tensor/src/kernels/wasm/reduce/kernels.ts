/** The kernels of reductions: a sum, a product or an extreme of rows, or of columns side by side. */
import { call, type FunctionBuilder, type Local } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f32, f64, i32, memory, select } from '../assembler/instructions.js';
import { minimum } from '../integers.js';
import { kernel, partRange, type Kernel, type KernelContext } from '../kernel.js';
import {
  FLOAT32,
  STRIP_BYTES,
  columnExtreme,
  columnSum,
  meansOf,
  plainSum,
  rowExtreme,
  rowSum,
  squareSum,
  type Element,
  type Extreme,
  type Sum,
} from './folds.js';

const ROW_FIELDS = {
  x: 'i32',
  y: 'i32',
  rows: 'i32',
  rowStride: 'i32',
  blocks: 'i32',
  blockStride: 'i32',
  n: 'i32',
} as const;

const COLUMN_FIELDS = {
  x: 'i32',
  y: 'i32',
  outer: 'i32',
  outerStride: 'i32',
  columns: 'i32',
  blocks: 'i32',
  blockStride: 'i32',
  n: 'i32',
  rowStride: 'i32',
  /** Columns that are folded together. */
  strip: 'i32',
  scratch: 'i32',
} as const;

/** What becomes of a sum: it is divided by `count`, and the root is taken if `root` is 1. */
const SUM_FIELDS = { count: 'f64', root: 'i32', deviations: 'i32' } as const;

/** A row longer than this is folded in pieces: a function that is called often is soon compiled anew. */
const PIECE = 8192;

/** The kernel's outputs, of so many bytes each, one by one: `row` is the address of the first element of what it is made of. */
export function eachOutput(
  f: FunctionBuilder,
  args: { readonly [K in 'x' | 'y' | 'rows' | 'rowStride']: Local<'i32'> },
  context: KernelContext,
  bytes: number,
  output: (row: Local<'i32'>, y: Local<'i32'>) => void,
): void {
  const { x, y, rows, rowStride } = args;
  const { from, to } = partRange(f, rows, context);
  const row = f.local('i32', i32.add(x, i32.mul(from, rowStride)));
  f.increment(y, i32.mul(from, i32.const(bytes)));
  f.while(i32.lt_s(from, to), () => {
    output(row, y);
    f.increment(row, rowStride);
    f.increment(y, bytes);
    f.increment(from, 1);
  });
}

/** The pieces of a row, one after another. */
function eachPiece(
  f: FunctionBuilder,
  { blocks, blockStride, n }: { readonly [K in keyof typeof ROW_FIELDS]: Local<'i32'> },
  row: Local<'i32'>,
  { bytes }: Element,
  piece: (x: Expr<'i32'>, size: Expr<'i32'>) => void,
): void {
  const [block, x, at, size] = [0, 1, 2, 3].map(() => f.local('i32'));
  f.set(x, row);
  f.for(block, i32.const(0), blocks, 1, () => {
    f.for(at, i32.const(0), n, PIECE, () => {
      f.set(size, i32.sub(n, at));
      const least = minimum(size, i32.const(PIECE));
      piece(i32.add(x, i32.mul(at, i32.const(bytes))), least);
    });
    f.increment(x, blockStride);
  });
}

/** √(total / count), or without the root. */
function finished(
  total: Expr<'f64'>,
  { count, root }: { readonly count: Local<'f64'>; readonly root: Local<'i32'> },
  f: FunctionBuilder,
): Expr<'f64'> {
  const value = f.local('f64', f64.div(total, count));
  return select(f64.sqrt(value), value, root);
}

/** Sums of rows: `name` is that of the kernel without its dtype. */
export const sumRows = (
  name: string,
  sum: Sum,
  element: Element,
): Kernel<typeof ROW_FIELDS & typeof SUM_FIELDS> =>
  kernel(name + element.suffix, { ...ROW_FIELDS, ...SUM_FIELDS }, (f, args, context) => {
    const total = f.local('f64');
    const mean = f.local('f64');
    const add = (row: Local<'i32'>, of: Sum): void => {
      const fold = rowSum(context, of, element);
      f.set(total, f64.const(of.join.start));
      eachPiece(f, args, row, element, (x, size) =>
        f.set(total, of.join.scalar(total, call(fold, x, size, mean))),
      );
    };
    eachOutput(f, args, context, element.bytes, (row, y) => {
      f.set(mean, f64.const(0));
      if (sum === squareSum) {
        f.if(args.deviations, () => {
          add(row, plainSum);
          f.set(mean, f64.div(total, args.count));
        });
      }
      add(row, sum);
      f.do(element.store(f, y, finished(total, args, f)));
    });
  });

/** Extremes of rows of float32. */
export const extremeRows = (name: string, extreme: Extreme): Kernel<typeof ROW_FIELDS> =>
  kernel(name, ROW_FIELDS, (f, args, context) => {
    const fold = rowExtreme(context, extreme);
    const best = f.local('f32');
    eachOutput(f, args, context, FLOAT32.bytes, (row, y) => {
      f.set(best, f32.const(extreme.init));
      eachPiece(f, args, row, FLOAT32, (x, size) =>
        f.set(best, extreme.scalar(best, call(fold, x, size))),
      );
      f.do(f32.store(y, best));
    });
  });

/** The strips of columns that are this part's: x is the address of a strip's first element, y where its results go. */
function eachStrip(
  f: FunctionBuilder,
  args: { readonly [K in keyof typeof COLUMN_FIELDS]: Local<'i32'> },
  context: KernelContext,
  { bytes }: Element,
  strip: (x: Local<'i32'>, y: Local<'i32'>, columns: Local<'i32'>, scratch: Local<'i32'>) => void,
): void {
  const one = i32.const(1);
  const perOuter = f.local(
    'i32',
    i32.div_u(i32.add(args.columns, i32.sub(args.strip, one)), args.strip),
  );
  const { from, to } = partRange(f, i32.mul(args.outer, perOuter), context);
  const scratch = f.local(
    'i32',
    i32.add(args.scratch, i32.mul(context.part, i32.const(STRIP_BYTES))),
  );
  const [o, at, columns, x, y] = [0, 1, 2, 3, 4].map(() => f.local('i32'));
  f.while(i32.lt_s(from, to), () => {
    f.set(o, i32.div_u(from, perOuter));
    f.set(at, i32.mul(i32.rem_u(from, perOuter), args.strip));
    f.set(columns, i32.sub(args.columns, at));
    f.set(columns, minimum(columns, args.strip));
    const size = i32.const(bytes);
    f.set(x, i32.add(i32.add(args.x, i32.mul(o, args.outerStride)), i32.mul(at, size)));
    f.set(y, i32.add(args.y, i32.mul(i32.add(i32.mul(o, args.columns), at), size)));
    strip(x, y, columns, scratch);
    f.increment(from, 1);
  });
}

/** Sums of columns. */
export const sumColumns = (
  name: string,
  sum: Sum,
  element: Element,
): Kernel<typeof COLUMN_FIELDS & typeof SUM_FIELDS> =>
  kernel(name + element.suffix, { ...COLUMN_FIELDS, ...SUM_FIELDS }, (f, args, context) => {
    const [block, start, j, at] = [0, 1, 2, 3].map(() => f.local('i32'));
    eachStrip(f, args, context, element, (x, y, columns, scratch) => {
      const bytes = i32.mul(columns, i32.const(8));
      const add = (of: Sum): void => {
        const fold = columnSum(context, of, element);
        if (of.join.start === 0) f.do(memory.fill(scratch, i32.const(0), bytes));
        else {
          f.set(at, scratch);
          f.for(j, i32.const(0), columns, 1, () => {
            f.do(f64.store(at, f64.const(of.join.start)));
            f.increment(at, 8);
          });
        }
        f.set(start, x);
        f.for(block, i32.const(0), args.blocks, 1, () => {
          f.do(call(fold, start, args.n, args.rowStride, columns, scratch));
          f.increment(start, args.blockStride);
        });
      };
      f.do(memory.fill(meansOf(scratch), i32.const(0), bytes));
      if (sum === squareSum) {
        f.if(args.deviations, () => {
          add(plainSum);
          f.set(at, scratch);
          f.for(j, i32.const(0), columns, 1, () => {
            f.do(f64.store(meansOf(at), f64.div(f64.load(at), args.count)));
            f.increment(at, 8);
          });
        });
      }
      add(sum);
      f.set(at, scratch);
      f.for(j, i32.const(0), columns, 1, () => {
        f.do(element.store(f, y, finished(f64.load(at), args, f)));
        f.increment(at, 8);
        f.increment(y, element.bytes);
      });
    });
  });

/** Extremes of columns of float32. */
export const extremeColumns = (name: string, extreme: Extreme): Kernel<typeof COLUMN_FIELDS> =>
  kernel(name, COLUMN_FIELDS, (f, args, context) => {
    const fold = columnExtreme(context, extreme);
    const [block, j, at] = [0, 1, 2].map(() => f.local('i32'));
    eachStrip(f, args, context, FLOAT32, (x, y, columns, scratch) => {
      f.set(at, scratch);
      f.for(j, i32.const(0), columns, 1, () => {
        f.do(f32.store(at, f32.const(extreme.init)));
        f.increment(at, 4);
      });
      f.for(block, i32.const(0), args.blocks, 1, () => {
        f.do(call(fold, x, args.n, args.rowStride, columns, scratch));
        f.increment(x, args.blockStride);
      });
      f.do(memory.copy(y, scratch, i32.mul(columns, i32.const(4))));
    });
  });
