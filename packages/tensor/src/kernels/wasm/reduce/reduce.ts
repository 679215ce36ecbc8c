/**
 * Reductions of float32 to sums, products, means, norms, variances and extremes, and to the places of extremes; truth values are
 * folded as the numbers 0 and 1.
 */
import { normalizeAxes, rowMajorStrides } from '../../../shape.js';
import type { Axes } from '../../../shape.js';
import { call, type FunctionBuilder, type Local } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f32, f64, i32, memory, select } from '../assembler/instructions.js';
import {
  partRange,
  command,
  kernel,
  type Command,
  type Kernel,
  type KernelContext,
  type Lowering,
  type LoweringCall,
  type LoweringContext,
  type Operand,
} from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { castCommands } from '../elementwise/elementwise.js';
import { ITEM_BITS } from '../elementwise/pack.js';
import {
  STRIP,
  STRIP_BYTES,
  absoluteSum,
  columnExtreme,
  columnSum,
  greatest,
  greatestAbsolute,
  meansOf,
  plainProduct,
  plainSum,
  rowExtreme,
  rowSum,
  smallest,
  squareSum,
  type Extreme,
  type Sum,
} from './folds.js';
import { argKernels, argLowerings } from './arg.js';
import { gathered, reductionLayout } from './layout.js';
import { scanKernels, scanLowerings } from './scan.js';
import { softmaxKernels, softmaxLowerings } from './softmax.js';
import { minimum } from '../integers.js';

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

/** The kernel's outputs one by one: `row` is the address of the first element. */
function eachOutput(
  f: FunctionBuilder,
  args: { readonly [K in keyof typeof ROW_FIELDS]: Local<'i32'> },
  context: KernelContext,
  output: (row: Local<'i32'>, y: Local<'i32'>) => void,
): void {
  const { x, y, rows, rowStride } = args;
  const { from, to } = partRange(f, rows, context);
  const row = f.local('i32', i32.add(x, i32.mul(from, rowStride)));
  f.increment(y, i32.mul(from, i32.const(4)));
  f.while(i32.lt_s(from, to), () => {
    output(row, y);
    f.increment(row, rowStride);
    f.increment(y, 4);
    f.increment(from, 1);
  });
}

/** The pieces of a row, one after another. */
function eachPiece(
  f: FunctionBuilder,
  { blocks, blockStride, n }: { readonly [K in keyof typeof ROW_FIELDS]: Local<'i32'> },
  row: Local<'i32'>,
  piece: (x: Expr<'i32'>, size: Expr<'i32'>) => void,
): void {
  const [block, x, at, size] = [0, 1, 2, 3].map(() => f.local('i32'));
  f.set(x, row);
  f.for(block, i32.const(0), blocks, 1, () => {
    f.for(at, i32.const(0), n, PIECE, () => {
      f.set(size, i32.sub(n, at));
      const least = minimum(size, i32.const(PIECE));
      piece(i32.add(x, i32.mul(at, i32.const(4))), least);
    });
    f.increment(x, blockStride);
  });
}

/** √(total / count), or without the root. */
function finished(
  total: Expr<'f64'>,
  { count, root }: { readonly count: Local<'f64'>; readonly root: Local<'i32'> },
  f: FunctionBuilder,
): Expr<'f32'> {
  const value = f.local('f64', f64.div(total, count));
  return f32.demote_f64(select(f64.sqrt(value), value, root));
}

const sumRows = (name: string, sum: Sum): Kernel<typeof ROW_FIELDS & typeof SUM_FIELDS> =>
  kernel(name, { ...ROW_FIELDS, ...SUM_FIELDS }, (f, args, context) => {
    const total = f.local('f64');
    const mean = f.local('f64');
    const add = (row: Local<'i32'>, of: Sum): void => {
      const fold = rowSum(context, of);
      f.set(total, f64.const(of.join.start));
      eachPiece(f, args, row, (x, size) =>
        f.set(total, of.join.scalar(total, call(fold, x, size, mean))),
      );
    };
    eachOutput(f, args, context, (row, y) => {
      f.set(mean, f64.const(0));
      if (sum === squareSum) {
        f.if(args.deviations, () => {
          add(row, plainSum);
          f.set(mean, f64.div(total, args.count));
        });
      }
      add(row, sum);
      f.do(f32.store(y, finished(total, args, f)));
    });
  });

const extremeRows = (name: string, extreme: Extreme): Kernel<typeof ROW_FIELDS> =>
  kernel(name, ROW_FIELDS, (f, args, context) => {
    const fold = rowExtreme(context, extreme);
    const best = f.local('f32');
    eachOutput(f, args, context, (row, y) => {
      f.set(best, f32.const(extreme.init));
      eachPiece(f, args, row, (x, size) => f.set(best, extreme.scalar(best, call(fold, x, size))));
      f.do(f32.store(y, best));
    });
  });

/** The strips of columns that are this part's: x is the address of a strip's first element, y where its results go. */
function eachStrip(
  f: FunctionBuilder,
  args: { readonly [K in keyof typeof COLUMN_FIELDS]: Local<'i32'> },
  context: KernelContext,
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
    const four = i32.const(4);
    f.set(x, i32.add(i32.add(args.x, i32.mul(o, args.outerStride)), i32.mul(at, four)));
    f.set(y, i32.add(args.y, i32.mul(i32.add(i32.mul(o, args.columns), at), four)));
    strip(x, y, columns, scratch);
    f.increment(from, 1);
  });
}

const sumColumns = (name: string, sum: Sum): Kernel<typeof COLUMN_FIELDS & typeof SUM_FIELDS> =>
  kernel(name, { ...COLUMN_FIELDS, ...SUM_FIELDS }, (f, args, context) => {
    const [block, start, j, at] = [0, 1, 2, 3].map(() => f.local('i32'));
    eachStrip(f, args, context, (x, y, columns, scratch) => {
      const bytes = i32.mul(columns, i32.const(8));
      const add = (of: Sum): void => {
        const fold = columnSum(context, of);
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
        f.do(f32.store(y, finished(f64.load(at), args, f)));
        f.increment(at, 8);
        f.increment(y, 4);
      });
    });
  });

const extremeColumns = (name: string, extreme: Extreme): Kernel<typeof COLUMN_FIELDS> =>
  kernel(name, COLUMN_FIELDS, (f, args, context) => {
    const fold = columnExtreme(context, extreme);
    const [block, j, at] = [0, 1, 2].map(() => f.local('i32'));
    eachStrip(f, args, context, (x, y, columns, scratch) => {
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

const sums = {
  plain: [sumRows('sumRowsF32', plainSum), sumColumns('sumColumnsF32', plainSum)],
  absolute: [sumRows('sumAbsRowsF32', absoluteSum), sumColumns('sumAbsColumnsF32', absoluteSum)],
  products: [sumRows('prodRowsF32', plainProduct), sumColumns('prodColumnsF32', plainProduct)],
  squares: [sumRows('sumSquaresRowsF32', squareSum), sumColumns('sumSquaresColumnsF32', squareSum)],
} as const;
const extremes = {
  max: [extremeRows('maxRowsF32', greatest), extremeColumns('maxColumnsF32', greatest)],
  min: [extremeRows('minRowsF32', smallest), extremeColumns('minColumnsF32', smallest)],
  maxAbs: [
    extremeRows('maxAbsRowsF32', greatestAbsolute),
    extremeColumns('maxAbsColumnsF32', greatestAbsolute),
  ],
} as const;

export const reduceKernels: readonly Kernel[] = [
  ...Object.values(sums).flat(),
  ...Object.values(extremes).flat(),
  ...argKernels,
  ...softmaxKernels,
  ...scanKernels,
];

/** From so many elements on a reduction is shared among threads. */
const PARALLEL_FROM = 65536;

type Variant = readonly [Kernel, Kernel];

/** A reduction by the kernel for rows or that for columns; `more` are the arguments that both have besides. */
function reduced(
  name: string,
  x: Operand,
  y: Operand,
  axis: Axes | undefined,
  [rows, columns]: Variant,
  more: Readonly<Record<string, number>>,
  context: LoweringContext,
): readonly Command[] | null {
  if (x.dtype !== 'float32' || x.size === 0) return null;
  const axes = normalizeAxes(name, axis, x.shape.length);
  const layout = reductionLayout(x, axes);
  if (layout === null) {
    const moved = gathered(x, axes, context);
    if (moved === null) return null;
    const last = axes.map((_, i) => x.shape.length - axes.length + i);
    const rest = reduced(name, moved.copy, y, last, [rows, columns], more, context);
    return rest && [...moved.commands, ...rest];
  }
  const { kind, ...sizes } = layout;
  const args = { ...sizes, x: x.address, y: y.address, ...more };
  const work = { parallel: x.size >= PARALLEL_FROM && y.size > 1, flops: x.size };
  if (kind === 'rows') return [command(rows, args, work)];
  const share = Math.ceil(layout.columns / context.threads / 16) * 16;
  const strip = Math.min(STRIP, layout.outer === 1 ? share : layout.columns);
  return [
    command(
      columns,
      { ...args, strip, scratch: context.scratch(context.threads * STRIP_BYTES) },
      work,
    ),
  ];
}

interface AxisAttrs {
  readonly axis?: Axes;
}

/** How many elements each output folds. */
const countOf = ({ inputs: [x], outputs: [y] }: LoweringCall): number => x.size / y.size;

const sumLowering =
  (
    name: string,
    kernels: Variant,
    after: { mean?: boolean; root?: boolean; deviations?: boolean } = {},
  ): Lowering<AxisAttrs> =>
  (c, context) => {
    const { mean = false, root = false, deviations = false } = after;
    const more = {
      count: mean ? countOf(c) : 1,
      root: Number(root),
      deviations: Number(deviations),
    };
    return reduced(name, c.inputs[0], c.outputs[0], c.attrs.axis, kernels, more, context);
  };

const extremeLowering =
  (name: string, kernels: Variant): Lowering<AxisAttrs> =>
  ({ inputs: [x], outputs: [y], attrs: { axis } }, context) =>
    reduced(name, x, y, axis, kernels, {}, context);

/** Whether any element is not 0, or none is: the greatest, or the least, of their truth values. */
const truthLowering =
  (name: string, kernels: Variant): Lowering<AxisAttrs> =>
  ({ inputs: [x], outputs: [y], attrs: { axis } }, context) => {
    const inScratch = (of: Operand, dtype: 'bool' | 'float32'): Operand => ({
      ...of,
      dtype,
      strides: rowMajorStrides(of.shape),
      contiguous: true,
      address: context.scratch(of.size << ITEM_BITS[dtype]),
    });
    const truths = x.dtype === 'bool' ? x : inScratch(x, 'bool');
    const numbers = inScratch(x, 'float32');
    const folded = inScratch(y, 'float32');
    const commands = [
      x === truths ? [] : castCommands(x, truths, context),
      castCommands(truths, numbers, context),
      reduced(name, numbers, folded, axis, kernels, {}, context),
      castCommands(folded, y, context),
    ];
    return commands.some((list) => list === null) ? null : commands.flatMap((list) => list ?? []);
  };

const euclidean = sumLowering('norm', sums.squares, { root: true });
const norms = new Map<unknown, Lowering<AxisAttrs>>([
  [undefined, euclidean],
  ['euclidean', euclidean],
  [1, sumLowering('norm', sums.absolute)],
  ['inf', extremeLowering('norm', extremes.maxAbs)],
]);

export const reduceLowerings: LoweringTable = {
  sum: sumLowering('sum', sums.plain),
  mean: sumLowering('mean', sums.plain, { mean: true }),
  variance: sumLowering('variance', sums.squares, { mean: true, deviations: true }),
  std: sumLowering('std', sums.squares, { mean: true, deviations: true, root: true }),
  norm: (c, context) => norms.get(c.attrs.ord)?.(c, context) ?? null,
  prod: sumLowering('prod', sums.products),
  any: truthLowering('any', extremes.max),
  all: truthLowering('all', extremes.min),
  max: extremeLowering('max', extremes.max),
  min: extremeLowering('min', extremes.min),
  ...argLowerings,
  ...softmaxLowerings,
  ...scanLowerings,
};
