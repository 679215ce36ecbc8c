/**
 * Running sums and products along any axis. As in the TypeScript kernels they are taken in double precision, element
 * after element. What lies side by side is computed side by side: sixteen neighbouring lines of float32 in vectors, else four lines at a
 * time, since one addition has to wait for the one before.
 */
import type { DType } from '../../../dtype.js';
import { coalesce, normalizeAxis } from '../../../shape.js';
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f64, i32, select } from '../assembler/instructions.js';
import { f32x4, f64x2, i32x4, shuffle32, v128 } from '../assembler/simd.js';
import { minimum } from '../integers.js';
import {
  command,
  eachOfPart,
  kernel,
  type Kernel,
  type KernelContext,
  type Lowering,
} from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { ITEM_BITS } from '../elementwise/pack.js';
import { FLOAT32, FLOAT64, INT32, type Element } from './folds.js';

/** What comes of the values before and the next one. */
interface Scan {
  readonly name: string;
  readonly start: 0 | 1;
  vector(total: Expr<'v128'>, x: Expr<'v128'>): Expr<'v128'>;
  scalar(total: Expr<'f64'>, x: Expr<'f64'>): Expr<'f64'>;
}

const sums: Scan = { name: 'cumsum', start: 0, vector: f64x2.add, scalar: f64.add };
const products: Scan = { name: 'cumprod', start: 1, vector: f64x2.mul, scalar: f64.mul };

/** Lines that are computed together, if they are neighbours. */
const WIDE = 16;
const FEW = 4;

type LinesFunction = FunctionRef<readonly 'i32'[], 'void'>;

/** (x, y, n, stepX, stepY, exclusive): sixteen lines whose elements are neighbours. */
function wideLines({ m, shared }: KernelContext, scan: Scan): LinesFunction {
  const name = `${scan.name}WideF32`;
  const params = Array.from({ length: 6 }, () => 'i32' as const);
  return shared.once(name, () =>
    m.function(name, params, 'void', (f, x, y, n, stepX, stepY, exclusive) => {
      const start = f64x2.const(scan.start);
      const totals = Array.from({ length: WIDE / 2 }, () => f.local('v128', start));
      const before = f.local('v128', i32x4.splat(i32.sub(i32.const(0), exclusive)));
      const next = (i: number): Local<'v128'> => {
        const value = f64x2.promote_low_f32x4(v128.load64_zero(x, 8 * i));
        const after = f.local('v128', scan.vector(totals[i], value));
        const chosen = f32x4.demote_f64x2_zero(v128.bitselect(totals[i], after, before));
        const result = f.local('v128', chosen);
        f.set(totals[i], after);
        return result;
      };
      f.while(i32.gt_s(n, i32.const(0)), () => {
        for (let i = 0; i < totals.length; i += 2) {
          f.do(v128.store(y, shuffle32(next(i), next(i + 1), [0, 1, 4, 5]), 8 * i));
        }
        f.increment(x, stepX);
        f.increment(y, stepY);
        f.increment(n, -1);
      });
    }),
  );
}

/** (x, y, n, stepX, stepY, exclusive, lineX, lineY): so many lines, each where its step from the one before leads. */
function fewLines(
  { m, shared }: KernelContext,
  scan: Scan,
  element: Element,
  lines: number,
): LinesFunction {
  const name = `${scan.name}${lines}${element.suffix}`;
  const params = Array.from({ length: 8 }, () => 'i32' as const);
  const addresses = (
    f: FunctionBuilder,
    first: Local<'i32'>,
    step: Local<'i32'>,
  ): Local<'i32'>[] => {
    const all = [first];
    while (all.length < lines) all.push(f.local('i32', i32.add(all[all.length - 1], step)));
    return all;
  };
  return shared.once(name, () =>
    m.function(name, params, 'void', (f, x, y, n, stepX, stepY, exclusive, lineX, lineY) => {
      const xs = addresses(f, x, lineX);
      const ys = addresses(f, y, lineY);
      const totals = xs.map(() => f.local('f64', f64.const(scan.start)));
      f.while(i32.gt_s(n, i32.const(0)), () => {
        totals.forEach((total, i) => {
          const after = f.local('f64', scan.scalar(total, element.one(xs[i])));
          f.do(element.store(f, ys[i], select(total, after, exclusive)));
          f.set(total, after);
        });
        for (const at of xs) f.increment(at, stepX);
        for (const at of ys) f.increment(at, stepY);
        f.increment(n, -1);
      });
    }),
  );
}

/** Strides in bytes. The lines are `outer` times `inner`. */
const FIELDS = {
  x: 'i32',
  y: 'i32',
  outer: 'i32',
  outerX: 'i32',
  outerY: 'i32',
  inner: 'i32',
  lineX: 'i32',
  lineY: 'i32',
  n: 'i32',
  stepX: 'i32',
  stepY: 'i32',
  /** 1: without the element itself. */
  exclusive: 'i32',
} as const;

const scanKernel = (scan: Scan, element: Element): Kernel<typeof FIELDS> =>
  kernel(scan.name + element.suffix, FIELDS, (f, args, context) => {
    const { outer, inner, lineX, lineY, n, stepX, stepY, exclusive } = args;
    const [few, one] = [FEW, 1].map((lines) => fewLines(context, scan, element, lines));
    const groups = f.local('i32', i32.div_u(i32.add(inner, i32.const(WIDE - 1)), i32.const(WIDE)));
    const [first, lines, x, y] = [0, 1, 2, 3].map(() => f.local('i32'));
    const neighbours = f.local(
      'i32',
      i32.and(i32.eq(lineX, i32.const(4)), i32.eq(lineY, i32.const(4))),
    );
    const next = (count: number, from: FunctionRef<readonly 'i32'[], 'void'>): void =>
      f.while(i32.ge_s(lines, i32.const(count)), () => {
        f.do(call(from, x, y, n, stepX, stepY, exclusive, lineX, lineY));
        f.increment(x, i32.mul(lineX, i32.const(count)));
        f.increment(y, i32.mul(lineY, i32.const(count)));
        f.increment(lines, -count);
      });
    eachOfPart(f, i32.mul(outer, groups), context, (group) => {
      const o = f.local('i32', i32.div_u(group, groups));
      f.set(first, i32.mul(i32.rem_u(group, groups), i32.const(WIDE)));
      f.set(lines, minimum(i32.sub(inner, first), i32.const(WIDE)));
      const at = (base: Local<'i32'>, step: Local<'i32'>, line: Local<'i32'>): Expr<'i32'> =>
        i32.add(base, i32.add(i32.mul(o, step), i32.mul(first, line)));
      f.set(x, at(args.x, args.outerX, lineX));
      f.set(y, at(args.y, args.outerY, lineY));
      if (element === FLOAT32) {
        f.if(i32.and(neighbours, i32.eq(lines, i32.const(WIDE))), () => {
          f.do(call(wideLines(context, scan), x, y, n, stepX, stepY, exclusive));
          f.set(lines, i32.const(0));
        });
      }
      next(FEW, few);
      next(1, one);
    });
  });

type ScanKernels = Readonly<Partial<Record<DType, Kernel<typeof FIELDS>>>>;

const kernelsOf = (scan: Scan): ScanKernels => ({
  float32: scanKernel(scan, FLOAT32),
  float64: scanKernel(scan, FLOAT64),
  int32: scanKernel(scan, INT32),
});

const cumsum = kernelsOf(sums);
const cumprod = kernelsOf(products);

export const scanKernels: readonly Kernel[] = [cumsum, cumprod].flatMap((all) =>
  Object.values(all),
);

/** From so many elements on lines are shared among threads. */
const PARALLEL_FROM = 32768;

interface ScanAttrs {
  readonly axis?: number;
  readonly exclusive?: boolean;
  readonly reverse?: boolean;
}

const scanLowering =
  (name: string, kernels: ScanKernels): Lowering<ScanAttrs> =>
  ({ inputs: [x], outputs: [y], attrs: { axis = -1, exclusive = false, reverse = false } }) => {
    const k = kernels[x.dtype];
    if (k === undefined) return null;
    if (x.size === 0) return [];
    const bytes = 2 ** ITEM_BITS[x.dtype];
    const along = normalizeAxis(name, axis, x.shape.length);
    const others = x.shape.map((_, i) => i).filter((i) => i !== along);
    const walk = coalesce(
      others.map((i) => x.shape[i]),
      [x, y].map(({ strides }) => others.map((i) => bytes * strides[i])),
    );
    const last = walk.shape.length - 1;
    if (last > 1) return null;
    const n = x.shape[along];
    const [stepX, stepY] = [bytes * x.strides[along], bytes * y.strides[along]];
    // From the end: the last element comes first, and steps lead back.
    const [end, sign] = reverse ? [n - 1, -1] : [0, 1];
    const [lineX, lineY] = walk.strides.map((strides) => strides[last]);
    const [outerX, outerY] = walk.strides.map((strides) => (last === 1 ? strides[0] : 0));
    const args = {
      x: x.address + end * stepX,
      y: y.address + end * stepY,
      outer: last === 1 ? walk.shape[0] : 1,
      outerX,
      outerY,
      inner: walk.shape[last],
      lineX,
      lineY,
      n,
      stepX: sign * stepX,
      stepY: sign * stepY,
      exclusive: Number(exclusive),
    };
    return [command(k, args, { parallel: x.size >= PARALLEL_FROM && n < x.size, flops: x.size })];
  };

export const scanLowerings: LoweringTable = {
  cumsum: scanLowering('cumsum', cumsum),
  cumprod: scanLowering('cumprod', cumprod),
};
