/** Reductions of float32 to sums, means, norms, variances and extremes, and to the places of extremes. */
import { normalizeAxes, normalizeAxis } from '../../../shape.js';
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
import {
  STRIP,
  STRIP_BYTES,
  absoluteSum,
  columnExtreme,
  columnSum,
  greatest,
  greatestAbsolute,
  meansOf,
  plainSum,
  rowExtreme,
  rowSum,
  smallest,
  squareSum,
  type Extreme,
  type Sum,
} from './folds.js';
import { reductionLayout, rowsOf } from './layout.js';
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
      f.set(total, f64.const(0));
      eachPiece(f, args, row, (x, size) => f.set(total, f64.add(total, call(fold, x, size, mean))));
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
        f.do(memory.fill(scratch, i32.const(0), bytes));
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

/** y[r] = the place of the greatest (or smallest) of n elements, the first of equals; a NaN comes before all. */
const argRows = (
  name: string,
  notBetter: (x: Expr<'f32'>, best: Expr<'f32'>) => Expr<'i32'>,
): Kernel<{ x: 'i32'; y: 'i32'; rows: 'i32'; rowStride: 'i32'; n: 'i32'; step: 'i32' }> =>
  kernel(
    name,
    { x: 'i32', y: 'i32', rows: 'i32', rowStride: 'i32', n: 'i32', step: 'i32' },
    (f, { x, y, rows, rowStride, n, step }, context) => {
      const row = context.shared.once(`${name}Row`, () =>
        context.m.function(`${name}Row`, ['i32', 'i32', 'i32'], 'i32', (g, at, count, by) => {
          const [best, i] = [g.local('i32'), g.local('i32')];
          const value = g.local('f32', f32.load(at));
          const v = g.local('f32');
          g.for(i, i32.const(1), count, 1, () => {
            g.increment(at, by);
            g.set(v, f32.load(at));
            // What is not "not better" is better, or NaN.
            g.if(i32.and(i32.eqz(notBetter(v, value)), f32.eq(value, value)), () => {
              g.set(best, i);
              g.set(value, v);
            });
          });
          g.return(best);
        }),
      );
      const { from, to } = partRange(f, rows, context);
      f.increment(x, i32.mul(from, rowStride));
      f.increment(y, i32.mul(from, i32.const(4)));
      f.while(i32.lt_s(from, to), () => {
        f.do(i32.store(y, call(row, x, n, step)));
        f.increment(x, rowStride);
        f.increment(y, 4);
        f.increment(from, 1);
      });
    },
  );

const sums = {
  plain: [sumRows('sumRowsF32', plainSum), sumColumns('sumColumnsF32', plainSum)],
  absolute: [sumRows('sumAbsRowsF32', absoluteSum), sumColumns('sumAbsColumnsF32', absoluteSum)],
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
const argmax = argRows('argmaxF32', f32.le);
const argmin = argRows('argminF32', f32.ge);

export const reduceKernels: readonly Kernel[] = [
  ...Object.values(sums).flat(),
  ...Object.values(extremes).flat(),
  argmax,
  argmin,
  ...softmaxKernels,
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
  const layout = reductionLayout(x, normalizeAxes(name, axis, x.shape.length));
  if (layout === null) return null;
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

const argLowering =
  (
    name: string,
    k: typeof argmax,
  ): Lowering<{ readonly axis?: number | null; readonly keepDims?: boolean }> =>
  ({ inputs: [x], outputs: [y], attrs: { axis } }) => {
    if (x.dtype !== 'float32' || x.size === 0) return null;
    const to = { y: y.address, x: x.address };
    if (axis === null || axis === undefined) {
      if (!x.contiguous) return null;
      return [command(k, { ...to, rows: 1, rowStride: 0, n: x.size, step: 4 })];
    }
    const along = normalizeAxis(name, axis, x.shape.length);
    const found = rowsOf([x], along);
    if (found === null) return null;
    const sizes = { rows: found.rows, rowStride: found.strides[0] };
    const [n, step] = [x.shape[along], 4 * x.strides[along]];
    return [command(k, { ...to, ...sizes, n, step }, { parallel: x.size >= PARALLEL_FROM })];
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
  max: extremeLowering('max', extremes.max),
  min: extremeLowering('min', extremes.min),
  argmax: argLowering('argmax', argmax),
  argmin: argLowering('argmin', argmin),
  ...softmaxLowerings,
};
