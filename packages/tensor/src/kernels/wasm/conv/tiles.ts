/**
 * Convolution straight from the image, for few channels or few filters: no patches are packed.
 *
 *     y[f, p] = Σ_t  w[t, f] · staged[offset(t) + p] + bias[f]              t over the taps of all channels of a group
 *
 * A patch of 25 elements, in a window of 5×5 on a grey image, is not worth packing for a product of matrices, nor is any for one
 * filter. Images are staged as for `correlate`, and a tile of some neighbouring positions stays in registers from the first tap to
 * the last. Taps that are neighbours too, a run, are taken together: each element x_i of the image under the tile is loaded once, and
 * multiplied with all taps v of the run, for the positions i − v:
 *
 *                    w₀    w₁    w₂
 *              x₀ →  y₀
 *              x₁ →  y₁    y₀                Where the filters of a pixel are neighbours, the lanes are four filters, and positions
 *              x₂ →  y₂    y₁    y₀          and runs lie along a row: x_i is one element in all lanes. In planes the lanes are
 *              x₃ →        y₂    y₁          four columns for one filter, and positions and runs lie along a column: w_v is one
 *              x₄ →              y₂          number in all lanes.
 *
 * What follows the sums (bias, rectifier) happens in the registers too, and each result is written once. Threads share the images.
 */
import { call, type FunctionRef, type ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { finishRow } from './copy.js';
import { channelBytes, correlateFields, writeTaps } from './correlate.js';
import { stagePlanes } from './depthwise-planes.js';
import { bytes, ceilDiv, minimum, product, sum } from '../integers.js';
import { ACTIVATION } from '../gemm/epilogue.js';
import { f32, i32, memory, select } from '../assembler/instructions.js';
import { eachOfPart, kernel, type Kernel, type SharedFunctions } from '../kernel.js';
import { madd } from '../math.js';
import { f32x4, v128 } from '../assembler/simd.js';

/** A tile has one vector of filters. */
export const TILE_FILTERS = 4;

/** Bytes of one tap in a panel of filters. */
const TAP_BYTES = 4 * TILE_FILTERS;

/**
 * The positions of a tile by the taps of a run: few for narrow images, and about as many as can be kept in registers. Of these V8
 * leaves 15; two are for an element of the image and for products.
 */
const POSITIONS: Readonly<Record<number, readonly number[]>> = {
  2: [4, 7, 8],
  3: [4, 7, 8],
  4: [4, 7, 8],
  5: [4, 7, 8],
  6: [4, 7],
  7: [4, 6],
};

/** (from, count, xStep, runs, runsEnd, weights, least, y, yStep) */
type StripFunction = FunctionRef<
  readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'f32', 'i32', 'i32'],
  'void'
>;

/**
 * A strip of `count` columns: y ← max(least, Σ… + bias). `weights` holds the bias, then the taps of all runs, a vector for each. If
 * `pixels`, vectors are four filters, and the tiles lie side by side in a row; else vectors are four columns, and the tile is a strip
 * of so many rows. There are as many columns as in a tile, or more. From one position of a tile to the next it is xStep and yStep bytes.
 */
function tileStrip(
  m: ModuleBuilder,
  shared: SharedFunctions,
  run: number,
  positions: number,
  pixels: boolean,
): StripFunction {
  const name = `convTile${pixels ? 'Pixels' : 'Planes'}${run}x${positions}F32`;
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'f32', 'i32', 'i32'],
      'void',
      (f, from, count, xStep, runs, runsEnd, weights, least, y, yStep) => {
        const sums = Array.from({ length: positions }, () => f.local('v128'));
        const w = Array.from({ length: run }, () => f.local('v128'));
        const x = f.local('v128');
        const [at, weight, source, to] = Array.from({ length: 4 }, () => f.local('i32'));
        const columns = pixels ? positions : 4;
        const yColumn = f.local('i32', pixels ? yStep : i32.const(4));
        const [back, all] = [f.local('i32'), i32.const(columns)];
        const load = pixels ? v128.load32_splat : v128.load;
        f.while(i32.gt_s(count, i32.const(0)), () => {
          f.if(i32.lt_s(count, all), () => {
            // The last tile overlaps the one before.
            f.set(back, i32.sub(count, all));
            f.increment(from, bytes(back));
            f.increment(y, i32.mul(back, yColumn));
            f.set(count, all);
          });
          for (const s of sums) f.set(s, v128.zero());
          f.set(weight, i32.add(weights, i32.const(TAP_BYTES)));
          f.for(at, runs, runsEnd, 4, () => {
            f.set(source, i32.add(from, i32.load(at)));
            w.forEach((local, v) => f.set(local, v128.load(weight, TAP_BYTES * v)));
            f.increment(weight, TAP_BYTES * run);
            for (let i = 0; i < positions + run - 1; i++) {
              // Left to itself V8 computes sum after sum, for which it needs all elements at once, more than there are registers.
              // Within a branch the order is kept. The conditions, always true, differ, lest V8 joins neighbouring branches.
              f.if(i % 2 === 0 ? count : runs, () => {
                if (i > 0) f.increment(source, pixels ? 4 : xStep);
                f.set(x, load(source));
                w.forEach((local, v) => {
                  const p = i - v;
                  if (p >= 0 && p < positions) f.set(sums[p], madd(m, x, local, sums[p]));
                });
              });
            }
          });
          f.set(x, v128.load(weights));
          f.set(w[0], f32x4.splat(least));
          f.set(to, y);
          for (const s of sums) {
            f.do(v128.store(to, f32x4.pmax(f32x4.add(s, x), w[0])));
            f.increment(to, yStep);
          }
          f.increment(from, 4 * columns);
          f.increment(y, i32.mul(all, yColumn));
          f.increment(count, -columns);
        });
      },
    ),
  );
}

const tilesFields = {
  ...correlateFields,
  /** Whether vectors are filters. */
  pixels: 'i32',
  // How many runs each channel has, and how many entries of the table of taps lie between their first taps
  runs: 'i32',
  runTaps: 'i32',
} as const;

export type TilesKernel = Kernel<typeof tilesFields>;

/**
 * The kernel for runs of so many taps and tiles of so many positions. `panels` holds [group][panel][1 + taps][4]: bias and taps, run by
 * run, of four filters, of which the last overlap those before if they are no multiple of four; or of one filter four times. At
 * `panelAt` a part has room for the table of runs.
 */
const tilesOf = (run: number, width: number): TilesKernel =>
  kernel(`convTiles${run}x${width}F32`, tilesFields, (f, args, context) => {
    const { m, shared, part } = context;
    const [toPlanes, toPixels] = [false, true].map((pixels) =>
      tileStrip(m, shared, run, width, pixels),
    );
    const finish = finishRow(m, shared);
    const [zero, four] = [i32.const(0), i32.const(4)];
    const { filters, groups, channels, outWidth, outHeight, pixels } = args;
    const staged = f.local('i32', i32.add(args.scratch, i32.mul(part, args.partBytes)));
    const taps = f.local('i32', i32.add(staged, args.tapsAt));
    const runs = f.local('i32', i32.add(staged, args.panelAt));
    const runsEnd = f.local('i32', i32.add(runs, bytes(i32.mul(channels, args.runs))));
    const perPanel = f.local('i32', select(four, i32.const(1), pixels));
    const [group, c, h, i, at] = Array.from({ length: 5 }, () => f.local('i32'));
    const [panels, y, to] = Array.from({ length: 3 }, () => f.local('i32'));
    const allTaps = product(channels, args.tapRows, args.tapColumns);
    const panel = f.local('i32', i32.mul(i32.add(allTaps, i32.const(1)), i32.const(TAP_BYTES)));
    const wide = f.local('i32', bytes(args.stagedWidth));
    const relu = i32.const(ACTIVATION.relu);
    const rectified = i32.eq(args.activation, relu);
    const least = f.local('f32', select(f32.const(0), f32.const(-Infinity), rectified));
    // The padding stays zero from one image to the next.
    f.do(memory.fill(staged, zero, args.tapsAt));
    writeTaps(f, args, taps);
    f.set(at, runs);
    f.for(c, zero, channels, 1, () => {
      f.for(i, zero, args.runs, 1, () => {
        const first = i32.load(i32.add(taps, bytes(i32.mul(i, args.runTaps))));
        f.do(i32.store(at, i32.add(i32.mul(c, channelBytes(args)), first)));
        f.increment(at, 4);
      });
    });
    /** Four filters, or one, at all columns of the rows from h on. */
    const strip = (tiles: typeof toPlanes, xStep: Expr<'i32'>, yStep: Expr<'i32'>): void => {
      const data = i32.add(staged, i32.mul(h, wide));
      const weights = i32.add(panels, i32.mul(i32.div_s(i, perPanel), panel));
      const filter = minimum(i, i32.sub(filters, perPanel));
      const target = sum(y, i32.mul(h, args.yRow), i32.mul(filter, args.yChannel));
      f.do(call(tiles, data, outWidth, xStep, runs, runsEnd, weights, least, target, yStep));
    };
    eachOfPart(f, args.images, context, (image) => {
      f.for(group, zero, groups, 1, () => {
        stagePlanes(f, args, context, { image, group, staged });
        f.set(panels, i32.add(args.panels, product(group, ceilDiv(filters, perPanel), panel)));
        const firstPlane = product(group, filters, args.yChannel);
        f.set(y, sum(args.y, i32.mul(image, args.yImage), firstPlane));
        f.if(
          pixels,
          () => {
            f.for(h, zero, outHeight, 1, () => {
              f.for(i, zero, filters, TILE_FILTERS, () => strip(toPixels, four, args.yColumn));
            });
          },
          () => {
            f.for(i, zero, filters, 1, () => {
              f.for(at, zero, outHeight, width, () => {
                // The last strip overlaps the one before.
                f.set(h, minimum(at, i32.sub(outHeight, i32.const(width))));
                strip(toPlanes, wide, args.yRow);
              });
            });
          },
        );
        f.if(i32.gt_s(args.activation, relu), () => {
          const lines = select(outWidth, filters, pixels);
          const size = select(filters, outWidth, pixels);
          const step = select(args.yColumn, args.yChannel, pixels);
          f.for(h, zero, outHeight, 1, () => {
            f.set(to, i32.add(y, i32.mul(h, args.yRow)));
            f.for(i, zero, lines, 1, () => {
              f.do(call(finish, to, to, size, f32.const(0), args.activation));
              f.increment(to, step);
            });
          });
        });
      });
    });
  });

/** The kernels by run and positions. */
const kernels = new Map(
  Object.entries(POSITIONS).map(([run, widths]) => [
    Number(run),
    new Map(widths.map((width) => [width, tilesOf(Number(run), width)])),
  ]),
);

export const tilesKernels: readonly Kernel[] = [...kernels.values()].flatMap((ofRun) => [
  ...ofRun.values(),
]);

/** A kernel, and how many instructions it takes for each product of vectors. */
export interface ChosenTiles {
  readonly kernel: TilesKernel;
  readonly instructions: number;
}

/** The tiles for runs of so many taps that compute so many positions with the fewest instructions; null if there are none. */
export function tilesFor(run: number, positions: number): ChosenTiles | null {
  let best: ChosenTiles | null = null;
  for (const [width, kernel] of kernels.get(run) ?? []) {
    if (width > positions) continue;
    // For each element of the image a load, a step and a branch; two for each product; what a run and a tile cost besides.
    const ofTile = 3 * (width + run - 1) + 2 * width * run + run + 18;
    const instructions = (Math.ceil(positions / width) * ofTile) / (positions * run);
    if (best === null || instructions < best.instructions) best = { kernel, instructions };
  }
  return best;
}
