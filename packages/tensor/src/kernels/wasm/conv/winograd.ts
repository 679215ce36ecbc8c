/**
 * Convolutions of 5×5 and 3×3 taps with stride 1 by Winograd's method (winograd-transforms.ts), 4×4 outputs at a time: with
 * t = 8 or 6, instead of 25 or 9 products for each output, channel and filter there are t²/16 = 4 or 2.25. For each of the t²
 * places of a transformed tile there is a product over the channels:
 *
 *     U[ξ] = (G·g·Gᵀ)_ξ  [filters, channels]     once
 *     V[ξ] = (Bᵀ·d·B)_ξ  [channels, tiles]       for a panel of 8 tiles
 *     M[ξ] = U[ξ]·V[ξ]   [filters, tiles]        by the micro-kernel
 *     Y    = Aᵀ·M·A                              4×4 outputs for each filter and tile
 *
 * The lanes of a vector are four tiles that follow each other in a row. Rounding errors are about 6 (5×5) or 3 (3×3) times those
 * of the direct sum. Threads share the images.
 */
import { call, type FunctionRef } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { transpose4 } from './copy.js';
import { bytes, ceilDiv, minimum, sum } from '../integers.js';
import { correlateFields, finishGroup, stageGroup } from './correlate.js';
import { LinearMap, cookToom, type Transforms } from './winograd-transforms.js';
import { NR, tileColumn, tileRows } from '../gemm/micro.js';
import { i32, memory } from '../assembler/instructions.js';
import { aligned } from '../heap.js';
import { eachOfPart, kernel, type Kernel, type KernelContext } from '../kernel.js';
import { v128 } from '../assembler/simd.js';

/** Outputs of a tile along each axis, and tiles in a vector. */
export const OUTPUTS = 4;
export const LANES = 4;
const VECTOR = 16;

/** Points for r taps. */
const POINTS: Readonly<Record<number, readonly number[]>> = {
  3: [0, 1, -1, 1 / 2, -2],
  5: [0, 1, -1, 2, -2, 1 / 2, -1 / 2],
};

/** The transforms for a window of r×r taps. */
export const transformsOf = (r: number): Transforms => cookToom(OUTPUTS, r, POINTS[r]);

type Context = Pick<KernelContext, 'm' | 'shared'>;
type Signature<N extends readonly 'i32'[]> = FunctionRef<N, 'void'>;

/**
 * So many bytes as an odd number of cache lines. The places of a tile lie so far apart: by a power of two all of them would
 * share a few sets of the first cache.
 */
export const oddLines = (bytes: number): number => aligned(bytes) | 64;

/** An intermediate matrix of vectors, row by row. */
export const temporary = (row: number, column: number, columns: number): number =>
  VECTOR * (row * columns + column);

/** (from, row, to, step, temporary): data of four tiles, rows `row` bytes apart → V, places `step` bytes apart. */
function transformData(
  { m, shared }: Context,
  r: number,
): Signature<['i32', 'i32', 'i32', 'i32', 'i32']> {
  const t = OUTPUTS + r - 1;
  const name = `convWinogradData${r}F32`;
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, from, row, to, step, work) => {
        const map = new LinearMap(f, m, transformsOf(r).data);
        const x = Array.from({ length: 8 }, () => f.local('v128'));
        const [i, at] = [f.local('i32'), f.local('i32', work)];
        // (d·B)_i = Bᵀ·d_iᵀ. Tile n has the columns 4n to 4n + t − 1.
        f.for(i, i32.const(0), i32.const(t), 1, () => {
          const loaded = [0, 1, 2, 3].map((n) => f.local('v128', v128.load(from, VECTOR * n)));
          transpose4(f, loaded).forEach((value, j) => f.set(x[j], value));
          const next = [...loaded.slice(1), f.local('v128', v128.load(from, VECTOR * 4))];
          transpose4(f, next).forEach((value, j) => {
            if (4 + j < t) f.set(x[4 + j], value);
          });
          map.apply(x.slice(0, t), (j, value) => f.do(v128.store(at, value, temporary(0, j, t))));
          f.increment(from, row);
          f.increment(at, temporary(1, 0, t));
        });
        f.set(at, work);
        f.for(i, i32.const(0), i32.const(t), 1, () => {
          for (let j = 0; j < t; j++) f.set(x[j], v128.load(at, temporary(j, 0, t)));
          const place = f.local('i32');
          f.set(place, to);
          map.apply(x.slice(0, t), (_, value) => {
            f.do(v128.store(place, value));
            f.increment(place, i32.mul(step, i32.const(t)));
          });
          f.increment(at, VECTOR);
          f.increment(to, step);
        });
      },
    ),
  );
}

/** (from, step, to, row, temporary): M of four tiles, places `step` bytes apart → outputs, rows `row` bytes apart. */
function transformOutputs(
  { m, shared }: Context,
  r: number,
): Signature<['i32', 'i32', 'i32', 'i32', 'i32']> {
  const t = OUTPUTS + r - 1;
  const name = `convWinogradOutputs${r}F32`;
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, from, step, to, row, work) => {
        const map = new LinearMap(f, m, transformsOf(r).outputs);
        const x = Array.from({ length: t }, () => f.local('v128'));
        const [i, at, place] = [f.local('i32'), f.local('i32', work), f.local('i32')];
        f.for(i, i32.const(0), i32.const(t), 1, () => {
          f.set(place, from);
          for (let j = 0; j < t; j++) {
            f.set(x[j], v128.load(place));
            f.increment(place, i32.mul(step, i32.const(t)));
          }
          map.apply(x, (j, value) => f.do(v128.store(at, value, temporary(j, 0, t))));
          f.increment(at, VECTOR);
          f.increment(from, step);
        });
        f.set(at, work);
        const y = Array.from({ length: OUTPUTS }, () => f.local('v128'));
        f.for(i, i32.const(0), i32.const(OUTPUTS), 1, () => {
          for (let j = 0; j < t; j++) f.set(x[j], v128.load(at, temporary(0, j, t)));
          map.apply(x, (j, value) => f.set(y[j], value));
          transpose4(f, y).forEach((value, n) => f.do(v128.store(to, value, VECTOR * n)));
          f.increment(at, temporary(1, 0, t));
          f.increment(to, row);
        });
      },
    ),
  );
}

const filterFields = {
  weights: 'i32',
  panels: 'i32',
  scratch: 'i32',
  partBytes: 'i32',
  channels: 'i32',
  filters: 'i32',
  rowStep: 'i32',
  columnStep: 'i32',
  channelStep: 'i32',
  filterStep: 'i32',
} as const;

/** Filters [u, v, c, f] in any layout → U, panels [place][panel][c][MR]. */
function winogradFilters(r: number): Kernel<typeof filterFields> {
  const t = OUTPUTS + r - 1;
  return kernel(`convWinogradFilters${r}F32`, filterFields, (f, args, context) => {
    const { m, shared, part } = context;
    const rows = tileRows(m);
    const transform = shared.once(`convWinogradFilter${r}F32`, () =>
      // (four filters, row, column, four places in U, step of U, temporary)
      m.function(
        `convWinogradFilter${r}F32`,
        new Array<'i32'>(12).fill('i32'),
        'void',
        (g, ...params) => {
          const [from, to] = [params.slice(0, 4), params.slice(4, 8)];
          const [rowStep, columnStep, step, work] = params.slice(8);
          const map = new LinearMap(g, m, transformsOf(r).filters);
          const x = Array.from({ length: r }, () => g.local('v128'));
          const [i, at, offset] = [g.local('i32'), g.local('i32', work), g.local('i32')];
          const value = g.local('v128');
          g.for(i, i32.const(0), i32.const(r), 1, () => {
            g.set(offset, i32.mul(i, columnStep));
            for (let j = 0; j < r; j++) {
              g.set(x[j], v128.load32_zero(i32.add(from[0], offset)));
              for (let n = 1; n < LANES; n++) {
                g.set(x[j], v128.load32_lane(i32.add(from[n], offset), x[j], n));
              }
              g.increment(offset, rowStep);
            }
            map.apply(x, (j, y) => g.do(v128.store(at, y, temporary(j, 0, r))));
            g.increment(at, VECTOR);
          });
          g.set(at, work);
          g.for(i, i32.const(0), i32.const(t), 1, () => {
            for (let j = 0; j < r; j++) g.set(x[j], v128.load(at, temporary(0, j, r)));
            map.apply(x, (_, y) => {
              g.set(value, y);
              to.forEach((place, n) => {
                g.do(v128.store32_lane(place, value, n));
                g.increment(place, step);
              });
            });
            g.increment(at, temporary(1, 0, r));
          });
        },
      ),
    );
    const work = f.local('i32', i32.add(args.scratch, i32.mul(part, args.partBytes)));
    const panelBytes = f.local('i32', i32.mul(args.channels, i32.const(4 * rows)));
    const step = f.local('i32', i32.mul(ceilDiv(args.filters, i32.const(rows)), panelBytes));
    const last = f.local('i32', i32.sub(args.filters, i32.const(1)));
    const first = f.local('i32');
    const lanes = Array.from({ length: LANES }, () => f.local('i32'));
    eachOfPart(f, args.channels, context, (c) => {
      f.for(first, i32.const(0), args.filters, LANES, () => {
        // What is too much of the last four repeats the last one.
        lanes.forEach((lane, n) => f.set(lane, minimum(i32.add(first, i32.const(n)), last)));
        const from = lanes.map((lane) =>
          sum(args.weights, i32.mul(c, args.channelStep), i32.mul(lane, args.filterStep)),
        );
        const to = lanes.map((lane) =>
          sum(
            args.panels,
            i32.mul(i32.div_s(lane, i32.const(rows)), panelBytes),
            i32.mul(c, i32.const(4 * rows)),
            bytes(i32.rem_s(lane, i32.const(rows))),
          ),
        );
        f.do(call(transform, ...from, ...to, args.rowStep, args.columnStep, step, work));
      });
    });
  });
}

const winogradFields = {
  ...correlateFields,
  dataAt: 'i32',
  productAt: 'i32',
  /** Bytes from one place of V, and of M, to the next. */
  dataStep: 'i32',
  productStep: 'i32',
} as const;

/** The convolution with the filters that `winogradFilters` has transformed. */
function winograd(r: number): Kernel<typeof winogradFields> {
  const t = OUTPUTS + r - 1;
  return kernel(`convWinograd${r}F32`, winogradFields, (f, args, context) => {
    const { m, shared, part } = context;
    const rows = tileRows(m);
    const [data, outputs] = [transformData(context, r), transformOutputs(context, r)];
    const times = tileColumn(m, shared, rows);
    const [aRow, bRow] = [i32.const(4 * rows), i32.const(4 * NR)];
    const zero = i32.const(0);
    const staged = f.local('i32', i32.add(args.scratch, i32.mul(part, args.partBytes)));
    const [work, v, result, products] = [
      args.tapsAt,
      args.dataAt,
      args.resultAt,
      args.productAt,
    ].map((at) => f.local('i32', i32.add(staged, at)));
    const filterPanels = f.local('i32', ceilDiv(args.filters, i32.const(rows)));
    const aPanel = f.local('i32', i32.mul(args.channels, i32.const(4 * rows)));
    const aStep = f.local('i32', i32.mul(filterPanels, aPanel));
    const { dataStep: vStep, productStep: mStep } = args;
    const plane = f.local('i32', bytes(i32.mul(args.stagedHeight, args.stagedWidth)));
    // Vectors of tiles in a row, and in the image
    const across = f.local('i32', ceilDiv(args.outWidth, i32.const(OUTPUTS * LANES)));
    const all = f.local('i32', i32.mul(ceilDiv(args.outHeight, i32.const(OUTPUTS)), across));
    const [unit, index, end, half] = ['i32', 'i32', 'i32', 'i32'].map(() => f.local('i32'));
    const [c, from, to, place, a] = ['i32', 'i32', 'i32', 'i32', 'i32'].map(() => f.local('i32'));
    /** The vectors of the panel, and the place of each in an image with rows of `row` bytes. */
    const eachVector = (row: Expr<'i32'>, body: (at: Expr<'i32'>) => void): void => {
      f.set(half, zero);
      f.for(index, unit, end, 1, () => {
        const down = i32.mul(i32.div_s(index, across), i32.const(OUTPUTS));
        const right = i32.mul(i32.rem_s(index, across), i32.const(4 * OUTPUTS * LANES));
        body(i32.add(i32.mul(down, row), right));
        f.increment(half, VECTOR);
      });
    };
    const stagedRow = bytes(args.stagedWidth);
    f.do(memory.fill(staged, zero, args.tapsAt));
    eachOfPart(f, args.images, context, (image) => {
      stageGroup(f, args, context, image, zero, staged);
      f.for(unit, zero, all, NR / LANES, () => {
        f.set(end, minimum(i32.add(unit, i32.const(NR / LANES)), all));
        eachVector(stagedRow, (at) => {
          f.set(from, i32.add(staged, at));
          f.set(to, i32.add(v, half));
          f.for(c, zero, args.channels, 1, () => {
            f.do(call(data, from, stagedRow, to, vStep, work));
            f.increment(from, plane);
            f.increment(to, 4 * NR);
          });
        });
        f.set(a, args.panels);
        f.set(from, v);
        f.set(to, products);
        f.for(place, zero, i32.const(t * t), 1, () => {
          f.do(
            call(times, a, aPanel, aRow, from, bRow, to, bRow, args.channels, zero, filterPanels),
          );
          f.increment(a, aStep);
          f.increment(from, vStep);
          f.increment(to, mStep);
        });
        eachVector(args.resultRow, (at) => {
          f.set(to, i32.add(result, at));
          f.set(from, i32.add(products, half));
          f.for(c, zero, args.filters, 1, () => {
            f.do(call(outputs, from, mStep, to, args.resultRow, work));
            f.increment(from, 4 * NR);
            f.increment(to, args.resultStep);
          });
        });
      });
      finishGroup(f, args, context, image, zero, result);
    });
  });
}

/** The kernels for each size of the window. */
export const winogradKernels = {
  3: { filters: winogradFilters(3), product: winograd(3) },
  5: { filters: winogradFilters(5), product: winograd(5) },
} as const;
