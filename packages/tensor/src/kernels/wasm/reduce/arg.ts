/** The places of the greatest and the smallest along an axis. Numbers are compared as float64, which holds all of them. */
import type { DType } from '../../../dtype.js';
import { normalizeAxis } from '../../../shape.js';
import { call } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f64, i32 } from '../assembler/instructions.js';
import { command, kernel, type Kernel, type Lowering } from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { ITEM_BITS } from '../elementwise/pack.js';
import { FLOAT32, FLOAT64, INT32, type Element } from './folds.js';
import { eachOutput } from './kernels.js';
import { gathered, rowsOf } from './layout.js';

const FIELDS = {
  x: 'i32',
  y: 'i32',
  rows: 'i32',
  rowStride: 'i32',
  n: 'i32',
  step: 'i32',
} as const;

/** y[r] = the place of the greatest (or smallest) of n elements, the first of equals; a NaN comes before all. */
const argRows = (
  name: string,
  element: Element,
  notBetter: (x: Expr<'f64'>, best: Expr<'f64'>) => Expr<'i32'>,
): Kernel<typeof FIELDS> =>
  kernel(name + element.suffix, FIELDS, (f, args, context) => {
    const function_ = `${name}Row${element.suffix}`;
    const row = context.shared.once(function_, () =>
      context.m.function(function_, ['i32', 'i32', 'i32'], 'i32', (g, at, count, by) => {
        const [best, i] = [g.local('i32'), g.local('i32')];
        const value = g.local('f64', element.one(at));
        const v = g.local('f64');
        g.for(i, i32.const(1), count, 1, () => {
          g.increment(at, by);
          g.set(v, element.one(at));
          // What is not "not better" is better, or NaN.
          g.if(i32.and(i32.eqz(notBetter(v, value)), f64.eq(value, value)), () => {
            g.set(best, i);
            g.set(value, v);
          });
        });
        g.return(best);
      }),
    );
    eachOutput(f, args, context, INT32.bytes, (first, y) => {
      f.do(i32.store(y, call(row, first, args.n, args.step)));
    });
  });

const kernelsOf = (
  name: string,
  notBetter: (x: Expr<'f64'>, best: Expr<'f64'>) => Expr<'i32'>,
): Readonly<Partial<Record<DType, Kernel<typeof FIELDS>>>> => ({
  float32: argRows(name, FLOAT32, notBetter),
  float64: argRows(name, FLOAT64, notBetter),
  int32: argRows(name, INT32, notBetter),
});

const argmax = kernelsOf('argmax', f64.le);
const argmin = kernelsOf('argmin', f64.ge);

export const argKernels: readonly Kernel[] = [argmax, argmin].flatMap((all) => Object.values(all));

/** From so many elements on rows are shared among threads. */
const PARALLEL_FROM = 65536;

const argLowering =
  (
    name: string,
    kernels: typeof argmax,
  ): Lowering<{ readonly axis?: number | null; readonly keepDims?: boolean }> =>
  ({ inputs: [x], outputs: [y], attrs: { axis } }, context) => {
    const k = kernels[x.dtype];
    if (k === undefined || x.size === 0) return null;
    const bytes = 2 ** ITEM_BITS[x.dtype];
    const all = axis === null || axis === undefined;
    const parallel = x.size >= PARALLEL_FROM && y.size > 1;
    const along = all ? 0 : normalizeAxis(name, axis, x.shape.length);
    const found = all ? null : rowsOf([x], along);
    if (found !== null) {
      const sizes = { rows: found.rows, rowStride: found.strides[0] };
      const [n, step] = [x.shape[along], bytes * x.strides[along]];
      return [command(k, { y: y.address, x: x.address, ...sizes, n, step }, { parallel })];
    }
    const moved =
      all && x.contiguous
        ? { copy: x, commands: [] }
        : gathered(x, all ? x.shape.map((_, i) => i) : [along], context);
    if (moved === null) return null;
    const [rows, n] = [y.size, x.size / y.size];
    const args = {
      y: y.address,
      x: moved.copy.address,
      rows,
      rowStride: bytes * n,
      n,
      step: bytes,
    };
    return [...moved.commands, command(k, args, { parallel })];
  };

export const argLowerings: LoweringTable = {
  argmax: argLowering('argmax', argmax),
  argmin: argLowering('argmin', argmin),
};
