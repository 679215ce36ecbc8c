/** The places of the greatest and the smallest along an axis of float32. */
import { normalizeAxis } from '../../../shape.js';
import { call } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f32, i32 } from '../assembler/instructions.js';
import { command, kernel, partRange, type Kernel, type Lowering } from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { gathered, rowsOf } from './layout.js';

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

const argmax = argRows('argmaxF32', f32.le);
const argmin = argRows('argminF32', f32.ge);

export const argKernels: readonly Kernel[] = [argmax, argmin];

/** From so many elements on rows are shared among threads. */
const PARALLEL_FROM = 65536;

const argLowering =
  (
    name: string,
    k: typeof argmax,
  ): Lowering<{ readonly axis?: number | null; readonly keepDims?: boolean }> =>
  ({ inputs: [x], outputs: [y], attrs: { axis } }, context) => {
    if (x.dtype !== 'float32' || x.size === 0) return null;
    const all = axis === null || axis === undefined;
    const parallel = x.size >= PARALLEL_FROM && y.size > 1;
    const along = all ? 0 : normalizeAxis(name, axis, x.shape.length);
    const found = all ? null : rowsOf([x], along);
    if (found !== null) {
      const sizes = { rows: found.rows, rowStride: found.strides[0] };
      const [n, step] = [x.shape[along], 4 * x.strides[along]];
      return [command(k, { y: y.address, x: x.address, ...sizes, n, step }, { parallel })];
    }
    const moved =
      all && x.contiguous
        ? { copy: x, commands: [] }
        : gathered(x, all ? x.shape.map((_, i) => i) : [along], context);
    if (moved === null) return null;
    const [rows, n] = [y.size, x.size / y.size];
    const args = { y: y.address, x: moved.copy.address, rows, rowStride: 4 * n, n, step: 4 };
    return [...moved.commands, command(k, args, { parallel })];
  };

export const argLowerings: LoweringTable = {
  argmax: argLowering('argmax', argmax),
  argmin: argLowering('argmin', argmin),
};
