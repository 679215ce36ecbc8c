/**
 * The gradient of a convolution for its kernel, from planes as they are, with no patches packed:
 *
 *     w̄[t, f] = Σ_n Σ_p  staged[n][offset(t) + p] · ȳ[n, f, p]              t over the taps of all channels of a group
 *
 * for depthwise convolution, and for few channels or filters. Images are staged as for `correlate`. A tile of sums, some taps ×
 * some filters, goes through a block of rows in registers; it is a vector of neighbouring positions, whose lanes are added up at
 * the end, or where the filters of ȳ are neighbours, a vector of filters. Threads share the tiles, and every sum runs through its blocks
 * in the same order.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
  type ModuleBuilder,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { copyRow } from './copy.js';
import { channelBytes, correlateFields, writeTaps } from './correlate.js';
import { stagePlanes } from './depthwise-planes.js';
import { bytes, ceilDiv, minimum, product, sum } from '../integers.js';
import { f32, i32, memory } from '../assembler/instructions.js';
import { kernel, partRange, type Kernel, type SharedFunctions } from '../kernel.js';
import { madd } from '../math.js';
import { f32x4, i32x4, shuffle32, v128 } from '../assembler/simd.js';

/** A tile of sums. */
export interface GradientTile {
  readonly taps: number;
  readonly filters: number;
  /** Vectors of ȳ, and so of sums for each tap. */
  readonly vectors: number;
  /** Whether the lanes are filters, not positions. */
  readonly pixels: boolean;
}

/** Fifteen registers hold the sums, the vectors of ȳ, one of x and a product. */
const SHAPES = [
  { taps: 9, vectors: 1 },
  { taps: 5, vectors: 2 },
  { taps: 3, vectors: 3 },
];

const TILES: readonly GradientTile[] = SHAPES.flatMap((shape) => [
  { ...shape, filters: shape.vectors, pixels: false },
  { ...shape, filters: 4 * shape.vectors, pixels: true },
]);

/** (x, taps, y, yStep, xRow, yRow, yColumn, rows, columns, totals) */
type BlockFunction = FunctionRef<
  readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
  'void'
>;

const nameOf = ({ taps, filters, pixels }: GradientTile): string =>
  `${taps}x${filters}${pixels ? 'Pixels' : 'Planes'}`;

/** Adds to `totals` the sums of a tile over a block of rows; `dense`: its taps are neighbours. Vectors of ȳ lie yStep bytes apart. */
function tileBlock(
  m: ModuleBuilder,
  shared: SharedFunctions,
  tile: GradientTile,
  dense: boolean,
): BlockFunction {
  const name = `convGradientBlock${nameOf(tile)}${dense ? 'Dense' : ''}F32`;
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, x, taps, y, yStep, xRow, yRow, yColumn, rows, columns, totals) => {
        const [source, factor, line, stop] = Array.from({ length: 4 }, () => f.local('i32'));
        const sums = Array.from({ length: tile.taps }, () =>
          Array.from({ length: tile.vectors }, () => f.local('v128')),
        );
        const values = sums[0].map(() => f.local('v128'));
        const element = f.local('v128');
        const offsets = dense ? [] : sums.map((_, i) => f.local('i32', i32.load(taps, 4 * i)));
        if (dense) f.increment(x, i32.load(taps));
        const load = tile.pixels ? v128.load32_splat : v128.load;
        const elementOf = (i: number): Expr<'v128'> =>
          dense ? load(source, 4 * i) : load(i32.add(source, offsets[i]));
        const addProducts = (apply: (x: Expr<'v128'>) => Expr<'v128'>): void => {
          // V8 computes the last sum first; loaded in another order, the data would all be in registers at once, and spilt.
          for (let i = tile.taps - 1; i >= 0; i--) {
            f.set(element, apply(elementOf(i)));
            sums[i].forEach((s, j) => f.set(s, madd(m, element, values[j], s)));
          }
        };
        const eachValue = (
          load: (at: Expr<'i32'>, value: Local<'v128'>, offset: number) => Expr<'v128'>,
        ): void => {
          if (!tile.pixels) f.set(line, factor);
          values.forEach((value, j) => {
            if (!tile.pixels && j > 0) f.increment(line, yStep);
            f.set(value, tile.pixels ? load(factor, value, 16 * j) : load(line, value, 0));
          });
        };
        const step = tile.pixels ? 1 : 4;
        const left = f.local('i32', i32.and(columns, i32.const(step - 1)));
        const mask = tile.pixels ? null : tailMask(f, left);
        const width = f.local('i32', bytes(i32.sub(columns, left)));
        f.while(rows, () => {
          f.set(source, x);
          f.set(factor, y);
          f.set(stop, i32.add(source, width));
          f.while(i32.lt_s(source, stop), () => {
            // Always true: with a branch in it V8 does not unroll the loop, after which it would run out of registers.
            f.if(rows, () => {
              eachValue((at, _, offset) => v128.load(at, offset));
              addProducts((e) => e);
            });
            f.increment(source, 4 * step);
            f.increment(factor, tile.pixels ? yColumn : 16);
          });
          if (mask !== null) {
            f.if(left, () => {
              // What lies beyond the row is neither read nor multiplied: 0·∞ is no 0.
              f.if(
                i32.eq(left, i32.const(1)),
                () => eachValue((at) => v128.load32_zero(at)),
                () => eachValue((at) => v128.load64_zero(at)),
              );
              f.if(i32.eq(left, i32.const(3)), () =>
                eachValue((at, value) => v128.load32_lane(at, value, 2, 8)),
              );
              addProducts((e) => v128.and(e, mask));
            });
          }
          f.increment(x, xRow);
          f.increment(y, yRow);
          f.increment(rows, -1);
        });
        sums.flat().forEach((s, i) => {
          f.do(v128.store(totals, f32x4.add(v128.load(totals, 16 * i), s), 16 * i));
        });
      },
    ),
  );
}

/** All ones in the first `count` of four lanes, for count < 4. */
function tailMask(f: FunctionBuilder, count: Local<'i32'>): Local<'v128'> {
  const mask = f.local('v128', v128.zero());
  // In a branch, so that V8 does not compute it anew for each row.
  f.if(count, () => {
    for (const lane of [0, 1, 2]) {
      const inside = i32.gt_s(count, i32.const(lane));
      f.set(mask, i32x4.replace_lane(mask, lane, i32.sub(i32.const(0), inside)));
    }
  });
  return mask;
}

const gradientFields = {
  ...correlateFields,
  /** [window, channels, groups · filters] */
  out: 'i32',
  /** How many rows of ȳ make a block of the sum. */
  blockRows: 'i32',
} as const;

/**
 * The kernel with such tiles; `y` is the cotangent, with at least as many filters in a group. At `panelAt` a part has room for a block
 * of the cotangent of a tile, at `resultAt` for the sums of all tiles of a group.
 */
const gradientKernel = (tile: GradientTile): Kernel<typeof gradientFields> =>
  kernel(`convGradient${nameOf(tile)}F32`, gradientFields, (f, args, context) => {
    const { m, shared, part } = context;
    const [sparse, dense] = [tileBlock(m, shared, tile, false), tileBlock(m, shared, tile, true)];
    const copy = copyRow(m, shared);
    const [zero, four, TAPS] = [i32.const(0), i32.const(4), i32.const(tile.taps)];
    const TILE_BYTES = 16 * tile.taps * tile.vectors;
    const { filters, groups, channels } = args;
    const staged = f.local('i32', i32.add(args.scratch, i32.mul(part, args.partBytes)));
    const [taps, plane, totals] = [args.tapsAt, args.panelAt, args.resultAt].map((at) =>
      f.local('i32', i32.add(staged, at)),
    );
    const tapCount = f.local('i32', i32.mul(args.tapRows, args.tapColumns));
    const all = f.local('i32', i32.mul(channels, tapCount));
    const chunks = f.local('i32', ceilDiv(all, TAPS));
    const tiles = ceilDiv(filters, i32.const(tile.filters));
    const perGroup = f.local('i32', i32.mul(tiles, chunks));
    const local = (): Local<'i32'> => f.local('i32');
    const [group, image, top, rows, last, unit] = [0, 0, 0, 0, 0, 0].map(local);
    const [filter, tap, to, y, yStep, yRow] = [0, 0, 0, 0, 0, 0].map(local);
    const [from, target, h, j] = [0, 0, 0, 0].map(local);
    f.do(memory.fill(staged, zero, args.tapsAt));
    writeTaps(f, args, taps);
    // The taps of further channels are those of the channel before, a plane further.
    f.for(tap, tapCount, all, 1, () => {
      const before = i32.load(i32.add(taps, bytes(i32.sub(tap, tapCount))));
      f.do(i32.store(i32.add(taps, bytes(tap)), i32.add(channelBytes(args), before)));
    });
    // Taps that are missing from the last tile are the first; nobody looks at their sums.
    f.for(tap, all, i32.mul(chunks, TAPS), 1, () => {
      f.do(i32.store(i32.add(taps, bytes(tap)), i32.load(taps)));
    });
    const inPlanes = i32.eq(args.yColumn, four);
    const setFilter = (): void => {
      const first = i32.mul(i32.div_s(i32.rem_s(unit, perGroup), chunks), i32.const(tile.filters));
      // The last filters overlap those before.
      f.set(filter, minimum(first, i32.sub(filters, i32.const(tile.filters))));
      f.increment(filter, i32.mul(group, filters));
      f.set(tap, i32.mul(i32.rem_s(unit, chunks), TAPS));
    };
    const { from: first, to: end } = partRange(f, i32.mul(groups, perGroup), context);
    f.while(i32.lt_s(first, end), () => {
      f.set(group, i32.div_s(first, perGroup));
      f.set(last, minimum(end, i32.mul(i32.add(group, i32.const(1)), perGroup)));
      f.do(memory.fill(totals, zero, i32.mul(i32.sub(last, first), i32.const(TILE_BYTES))));
      f.for(image, zero, args.images, 1, () => {
        stagePlanes(f, args, context, { image, group, staged });
        f.for(top, zero, args.outHeight, args.blockRows, () => {
          f.set(rows, minimum(args.blockRows, i32.sub(args.outHeight, top)));
          f.set(to, totals);
          f.for(unit, first, last, 1, () => {
            setFilter();
            const block = i32.add(i32.mul(image, args.yImage), i32.mul(top, args.yRow));
            f.set(from, sum(args.y, block, i32.mul(filter, args.yChannel)));
            if (tile.pixels) {
              f.set(y, from);
              f.set(yRow, args.yRow);
            } else {
              f.if(
                inPlanes,
                () => {
                  f.set(y, from);
                  f.set(yStep, args.yChannel);
                  f.set(yRow, args.yRow);
                },
                () => {
                  f.set(y, plane);
                  f.set(yRow, bytes(args.outWidth));
                  f.set(yStep, i32.mul(args.blockRows, yRow));
                  // The tiles of the same filters follow each other.
                  f.if(i32.or(i32.eqz(tap), i32.eq(unit, first)), () => {
                    f.for(j, zero, i32.const(tile.filters), 1, () => {
                      f.set(target, i32.add(plane, i32.mul(j, yStep)));
                      f.for(h, zero, rows, 1, () => {
                        const row = sum(from, i32.mul(j, args.yChannel), i32.mul(h, args.yRow));
                        f.do(call(copy, row, args.yColumn, target, four, args.outWidth));
                        f.increment(target, yRow);
                      });
                    });
                  });
                },
              );
            }
            const wide = f.local('i32', bytes(args.stagedWidth));
            const at = f.local('i32', i32.add(taps, bytes(tap)));
            const data = i32.add(staged, i32.mul(top, wide));
            const operands = [data, at, y, yStep, wide, yRow, args.yColumn, rows] as const;
            const neighbours = Array.from({ length: tile.taps - 1 }, (_, i) =>
              i32.eq(i32.load(at, 4 * i + 4), i32.add(i32.load(at), i32.const(4 * i + 4))),
            );
            f.if(
              neighbours.reduce((a, b) => i32.and(a, b)),
              () => f.do(call(dense, ...operands, args.outWidth, to)),
              () => f.do(call(sparse, ...operands, args.outWidth, to)),
            );
            f.increment(to, TILE_BYTES);
          });
        });
      });
      f.set(to, totals);
      const s = f.local('v128');
      f.for(unit, first, last, 1, () => {
        setFilter();
        for (let i = 0; i < tile.taps; i++) {
          f.if(i32.lt_s(tap, all), () => {
            const place = i32.add(
              i32.mul(i32.rem_s(tap, tapCount), channels),
              i32.div_s(tap, tapCount),
            );
            const element = i32.add(product(place, groups, filters), filter);
            f.set(target, i32.add(args.out, bytes(element)));
            for (let k = 0; k < tile.vectors; k++) {
              f.set(s, v128.load(to, 16 * (i * tile.vectors + k)));
              if (tile.pixels) {
                f.do(v128.store(target, s, 16 * k));
              } else {
                f.set(s, f32x4.add(s, shuffle32(s, s, [2, 3, 0, 1])));
                const total = f32.add(f32x4.extract_lane(s, 0), f32x4.extract_lane(s, 1));
                f.do(f32.store(target, total, 4 * k));
              }
            }
          });
          f.increment(tap, 1);
        }
        f.increment(to, TILE_BYTES);
      });
      f.set(first, last);
    });
  });

const kernels = TILES.map((tile) => ({ tile, kernel: gradientKernel(tile) }));

export const planesGradientKernels: readonly Kernel[] = kernels.map(({ kernel: k }) => k);

/**
 * The kernel with the tiles that need the fewest instructions.
 *
 * @param taps of all channels of a group
 * @param run so many of them are neighbours
 * @param pixels whether the filters of ȳ are neighbours
 */
export function planesGradient(
  taps: number,
  run: number,
  filters: number,
  pixels: boolean,
): (typeof kernels)[number] {
  const cost = ({ tile }: (typeof kernels)[number]): number => {
    if (tile.filters > filters || tile.pixels !== pixels) return Infinity;
    const addresses = run % tile.taps === 0 ? 0 : tile.taps;
    const { vectors } = tile;
    const instructions = tile.taps + vectors + addresses + 2 * tile.taps * vectors + 8;
    return Math.ceil(taps / tile.taps) * Math.ceil(filters / tile.filters) * instructions;
  };
  return kernels.reduce((best, next) => (cost(next) < cost(best) ? next : best));
}
