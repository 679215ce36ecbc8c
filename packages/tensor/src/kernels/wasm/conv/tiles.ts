/**
 * Convolution of few channels, as the first layer of a network does it on images: vectors across the filters.
 *
 *     y[f, p] = Σ_t  w[t, f] · staged[offset(t) + p]           t over the taps of all channels of a group
 *
 * A patch of so few elements, 25 in a window of 5×5 on a grey image, is not worth packing for a product of matrices. Images are
 * staged as for `correlate`, and a tile of some neighbouring positions × 4 filters stays in registers from the first tap to the
 * last. Taps that are neighbours in a row of the window, a run, are taken together: the elements of the image under a tile
 *
 *     x₀ x₁ x₂ … are loaded once, and x_i is multiplied with all taps v of the run, for the positions i − v:
 *
 *                    w₀    w₁    w₂
 *              x₀ →  y₀
 *              x₁ →  y₁    y₀
 *              x₂ →  y₂    y₁    y₀
 *              x₃ →        y₂    y₁
 *              x₄ →              y₂
 *
 * What follows the sums (bias, rectifier) happens in the registers too, and each result is written once. Threads share the images.
 */
import { call, type FunctionRef, type ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { finishRow, transpose4 } from './copy.js';
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

/** (from, count, taps, tapsEnd, weights, least, y, yStep) */
type RowFunction = FunctionRef<
  readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'f32', 'i32', 'i32'],
  'void'
>;

/**
 * Four filters at `count` positions of a row, as many as a tile has or more: y ← max(least, Σ… + bias). `weights` holds the bias, then
 * the taps. Rows of the result are those of filters if `planes`, else of positions, `yStep` bytes apart.
 */
function tileRow(
  m: ModuleBuilder,
  shared: SharedFunctions,
  run: number,
  width: number,
  planes: boolean,
): RowFunction {
  const name = `convTile${planes ? 'Planes' : 'Pixels'}${run}x${width}F32`;
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32', 'f32', 'i32', 'i32'],
      'void',
      (f, from, count, taps, tapsEnd, weights, least, y, yStep) => {
        const sums = Array.from({ length: width }, () => f.local('v128'));
        const w = Array.from({ length: run }, () => f.local('v128'));
        const x = f.local('v128');
        const [tap, weight, source, to] = Array.from({ length: 4 }, () => f.local('i32'));
        const positionStep = f.local('i32', planes ? i32.const(4) : yStep);
        const [back, all] = [f.local('i32'), i32.const(width)];
        f.while(i32.gt_s(count, i32.const(0)), () => {
          f.if(i32.lt_s(count, all), () => {
            // The last tile overlaps the one before.
            f.set(back, i32.sub(count, all));
            f.increment(from, bytes(back));
            f.increment(y, i32.mul(back, positionStep));
            f.set(count, all);
          });
          for (const s of sums) f.set(s, v128.zero());
          f.set(weight, i32.add(weights, i32.const(TAP_BYTES)));
          f.for(tap, taps, tapsEnd, 4 * run, () => {
            f.set(source, i32.add(from, i32.load(tap)));
            w.forEach((local, v) => f.set(local, v128.load(weight, TAP_BYTES * v)));
            f.increment(weight, TAP_BYTES * run);
            for (let i = 0; i < width + run - 1; i++) {
              // Left to itself V8 computes sum after sum, for which it needs all elements at once, more than there are registers.
              // Within a branch the order is kept. The conditions, always true, differ, lest V8 joins neighbouring branches.
              f.if(i % 2 === 0 ? count : taps, () => {
                if (i > 0) f.increment(source, 4);
                f.set(x, v128.load32_splat(source));
                w.forEach((local, v) => {
                  const p = i - v;
                  if (p >= 0 && p < width) f.set(sums[p], madd(m, x, local, sums[p]));
                });
              });
            }
          });
          f.set(x, v128.load(weights));
          f.set(w[0], f32x4.splat(least));
          for (const s of sums) f.set(s, f32x4.pmax(f32x4.add(s, x), w[0]));
          if (planes) {
            for (let i = 0; i < width; i += 4) {
              const first = Math.min(i, width - 4);
              f.set(to, y);
              for (const row of transpose4(f, sums.slice(first, first + 4))) {
                f.do(v128.store(to, row, 4 * first));
                f.increment(to, yStep);
              }
            }
          } else {
            f.set(to, y);
            for (const s of sums) {
              f.do(v128.store(to, s));
              f.increment(to, yStep);
            }
          }
          f.increment(from, 4 * width);
          f.increment(y, i32.mul(positionStep, all));
          f.increment(count, -width);
        });
      },
    ),
  );
}

/**
 * The kernel for runs of so many taps and tiles of so many positions. `panels` holds [group][panel][1 + taps][4]: bias and taps of four
 * filters; where the filters are no multiple of four, the last panel overlaps the one before.
 */
export type TilesKernel = Kernel<typeof correlateFields>;

const tilesOf = (run: number, width: number): TilesKernel =>
  kernel(`convTiles${run}x${width}F32`, correlateFields, (f, args, context) => {
    const { m, shared, part } = context;
    const [toPlanes, toPixels] = [true, false].map((planes) =>
      tileRow(m, shared, run, width, planes),
    );
    const finish = finishRow(m, shared);
    const [zero, four] = [i32.const(0), i32.const(4)];
    const { filters, groups, channels, outWidth } = args;
    const staged = f.local('i32', i32.add(args.scratch, i32.mul(part, args.partBytes)));
    const taps = f.local('i32', i32.add(staged, args.tapsAt));
    const tapCount = f.local('i32', product(args.tapRows, args.tapColumns));
    const tapsEnd = f.local('i32', i32.add(taps, bytes(product(channels, tapCount))));
    const allTaps = i32.add(product(channels, tapCount), i32.const(1));
    const panel = f.local('i32', i32.mul(allTaps, i32.const(TAP_BYTES)));
    const [group, tap, h, first] = Array.from({ length: 4 }, () => f.local('i32'));
    const [panels, y, to] = Array.from({ length: 3 }, () => f.local('i32'));
    const relu = i32.const(ACTIVATION.relu);
    const rectified = i32.eq(args.activation, relu);
    const least = f.local('f32', select(f32.const(0), f32.const(-Infinity), rectified));
    const inPlanes = f.local('i32', i32.eq(args.yColumn, four));
    // The padding stays zero from one image to the next.
    f.do(memory.fill(staged, zero, args.tapsAt));
    writeTaps(f, args, taps);
    // The taps of further channels are those of the channel before, a plane further.
    f.for(tap, i32.add(taps, bytes(tapCount)), tapsEnd, 4, () => {
      f.do(i32.store(tap, i32.add(channelBytes(args), i32.load(i32.sub(tap, bytes(tapCount))))));
    });
    const eachRow = (body: () => void): void => f.for(h, zero, args.outHeight, 1, body);
    const eachPanel = (body: () => void): void => f.for(first, zero, filters, TILE_FILTERS, body);
    const tiles = (row: typeof toPlanes, yStep: Expr<'i32'>): void => {
      const data = i32.add(staged, i32.mul(h, bytes(args.stagedWidth)));
      const weights = i32.add(panels, i32.mul(i32.div_s(first, i32.const(TILE_FILTERS)), panel));
      const filter = minimum(first, i32.sub(filters, i32.const(TILE_FILTERS)));
      const target = sum(y, i32.mul(h, args.yRow), i32.mul(filter, args.yChannel));
      f.do(call(row, data, outWidth, taps, tapsEnd, weights, least, target, yStep));
    };
    eachOfPart(f, args.images, context, (image) => {
      f.for(group, zero, groups, 1, () => {
        stagePlanes(f, args, context, { image, group, staged });
        const perGroup = ceilDiv(filters, i32.const(TILE_FILTERS));
        f.set(panels, i32.add(args.panels, product(group, perGroup, panel)));
        const firstPlane = product(group, filters, args.yChannel);
        f.set(y, sum(args.y, i32.mul(image, args.yImage), firstPlane));
        // Memory is written from one end to the other, or along four planes.
        f.if(
          inPlanes,
          () => eachPanel(() => eachRow(() => tiles(toPlanes, args.yChannel))),
          () => eachRow(() => eachPanel(() => tiles(toPixels, args.yColumn))),
        );
        f.if(i32.gt_s(args.activation, relu), () => {
          const lines = select(filters, outWidth, inPlanes);
          const size = select(outWidth, filters, inPlanes);
          const step = select(args.yChannel, args.yColumn, inPlanes);
          eachRow(() => {
            f.set(to, i32.add(y, i32.mul(h, args.yRow)));
            f.for(first, zero, lines, 1, () => {
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

/** The kernel for runs of so many taps that computes rows of so many positions with the fewest instructions; null if there is none. */
export function tilesKernel(run: number, positions: number): TilesKernel | null {
  let [best, fewest]: [TilesKernel | null, number] = [null, Infinity];
  for (const [width, candidate] of kernels.get(run) ?? []) {
    if (width > positions) continue;
    // For each element of the image a load, a step and a branch; two for each product; what a run and a tile cost besides.
    const instructions = 3 * (width + run - 1) + 2 * width * run + run + 18;
    const all = Math.ceil(positions / width) * instructions;
    if (all < fewest) [best, fewest] = [candidate, all];
  }
  return best;
}
