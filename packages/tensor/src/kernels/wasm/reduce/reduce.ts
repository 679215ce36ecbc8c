/**
 * Reductions to sums, products, means, norms, variances and extremes; truth values are folded as the numbers 0 and 1. Float32 has
 * kernels for its extremes; those of float64 and int32 are folded in float64 as sums are.
 */
import { normalizeAxes, rowMajorStrides } from '../../../shape.js';
import type { Axes } from '../../../shape.js';
import { command } from '../kernel.js';
import type {
  Command,
  Kernel,
  Lowering,
  LoweringCall,
  LoweringContext,
  Operand,
} from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { castCommands } from '../elementwise/elementwise.js';
import { ITEM_BITS } from '../elementwise/pack.js';
import { argKernels, argLowerings } from './arg.js';
import {
  FLOAT32,
  FLOAT64,
  INT32,
  STRIP,
  STRIP_BYTES,
  absoluteSum,
  greatest,
  greatest64,
  greatestAbsolute,
  greatestAbsolute64,
  plainProduct,
  plainSum,
  smallest,
  smallest64,
  squareSum,
  type Element,
  type Sum,
} from './folds.js';
import { extremeColumns, extremeRows, sumColumns, sumRows } from './kernels.js';
import { gathered, reductionLayout } from './layout.js';
import { scanKernels, scanLowerings } from './scan.js';
import { softmaxKernels, softmaxLowerings } from './softmax.js';

type Variant = readonly [rows: Kernel, columns: Kernel];

/** The kernels of a reduction by dtype; what has none runs in TypeScript. */
type Variants = Readonly<Partial<Record<Operand['dtype'], Variant>>>;

const folded = (name: string, sum: Sum, element: Element): Variant => [
  sumRows(`${name}Rows`, sum, element),
  sumColumns(`${name}Columns`, sum, element),
];

const sums = {
  plain: {
    float32: folded('sum', plainSum, FLOAT32),
    float64: folded('sum', plainSum, FLOAT64),
    int32: folded('sum', plainSum, INT32),
  },
  absolute: {
    float32: folded('sumAbs', absoluteSum, FLOAT32),
    float64: folded('sumAbs', absoluteSum, FLOAT64),
  },
  // Products of int32 that overflow depend on their order.
  products: {
    float32: folded('prod', plainProduct, FLOAT32),
    float64: folded('prod', plainProduct, FLOAT64),
  },
  squares: {
    float32: folded('sumSquares', squareSum, FLOAT32),
    float64: folded('sumSquares', squareSum, FLOAT64),
  },
} as const satisfies Record<string, Variants>;
const extremes = {
  max: {
    float32: [extremeRows('maxRowsF32', greatest), extremeColumns('maxColumnsF32', greatest)],
    float64: folded('max', greatest64, FLOAT64),
    int32: folded('max', greatest64, INT32),
  },
  min: {
    float32: [extremeRows('minRowsF32', smallest), extremeColumns('minColumnsF32', smallest)],
    float64: folded('min', smallest64, FLOAT64),
    int32: folded('min', smallest64, INT32),
  },
  maxAbs: {
    float32: [
      extremeRows('maxAbsRowsF32', greatestAbsolute),
      extremeColumns('maxAbsColumnsF32', greatestAbsolute),
    ],
    float64: folded('maxAbs', greatestAbsolute64, FLOAT64),
  },
} as const satisfies Record<string, Variants>;

export const reduceKernels: readonly Kernel[] = [
  ...Object.values({ ...sums, ...extremes })
    .flatMap((variants) => Object.values<Variant>(variants))
    .flat(),
  ...argKernels,
  ...softmaxKernels,
  ...scanKernels,
];

/** From so many elements on a reduction is shared among threads. */
const PARALLEL_FROM = 65536;

/** A reduction by the kernel for rows or that for columns; `more` are the arguments that both have besides. */
function reduced(
  name: string,
  x: Operand,
  y: Operand,
  axis: Axes | undefined,
  variants: Variants,
  more: Readonly<Record<string, number>>,
  context: LoweringContext,
): readonly Command[] | null {
  const variant = variants[x.dtype];
  if (variant === undefined || x.size === 0) return null;
  const [rows, columns] = variant;
  const axes = normalizeAxes(name, axis, x.shape.length);
  const layout = reductionLayout(x, axes);
  if (layout === null) {
    const moved = gathered(x, axes, context);
    if (moved === null) return null;
    const last = axes.map((_, i) => x.shape.length - axes.length + i);
    const rest = reduced(name, moved.copy, y, last, variants, more, context);
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

/** The value of a fold is the result. */
const NO_MORE = { count: 1, root: 0, deviations: 0 };

interface AxisAttrs {
  readonly axis?: Axes;
}

/** How many elements each output folds. */
const countOf = ({ inputs: [x], outputs: [y] }: LoweringCall): number => x.size / y.size;

const sumLowering =
  (
    name: string,
    kernels: Variants,
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
  (name: string, kernels: Variants): Lowering<AxisAttrs> =>
  ({ inputs: [x], outputs: [y], attrs: { axis } }, context) =>
    reduced(name, x, y, axis, kernels, NO_MORE, context);

/** Whether any element is not 0, or none is: the greatest, or the least, of their truth values. */
const truthLowering =
  (name: string, kernels: Variants): Lowering<AxisAttrs> =>
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
    const extreme = inScratch(y, 'float32');
    const commands = [
      x === truths ? [] : castCommands(x, truths, context),
      castCommands(truths, numbers, context),
      reduced(name, numbers, extreme, axis, kernels, NO_MORE, context),
      castCommands(extreme, y, context),
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
