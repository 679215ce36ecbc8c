/**
 * Depthwise convolution of pixels, and its gradients: vectors across the channels.
 *
 *     y[p, c] = Σ_t  w[t, c] · staged[p·step + offset(t), c]
 *     w̄[t, c] = Σ_n Σ_p  staged[n, p·step + offset(t), c] · ȳ[n, p, c]
 *
 * An image is copied among zeros first, so that no tap needs a test for the edges; strides and dilation are steps between
 * pixels. Where the channels end within a vector, its last lanes take up what follows them, and are thrown away. With more than
 * one filter to a channel the image is gone through for each; in a transposed convolution the pixels of each filter's share are
 * staged side by side, and the sum is over them too. Threads share the rows of all images, or for w̄ the vectors of channels.
 */
import { call, type FunctionRef, type ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { copyRow, finishRow } from './copy.js';
import { bytes, ceilDiv, minimum, product, sum } from '../integers.js';
import { correlateFields, writeTaps } from './correlate.js';
import { f32, i32, memory, select } from '../assembler/instructions.js';
import { partRange, kernel, type SharedFunctions } from '../kernel.js';
import { madd } from '../math.js';
import { f32x4, v128 } from '../assembler/simd.js';

/** Bytes of the channels of a pixel in whole vectors. */
const wholeVectors = (channels: Expr<'i32'>): Expr<'i32'> =>
  i32.shl(ceilDiv(channels, i32.const(4)), i32.const(4));

/**
 * Filters for `depthwisePixels`: for each of a channel's filters the bias, then the taps of all planes it sums over, each for all
 * groups: [filters][1 + channels · window][groups], rows filled up to whole vectors.
 */
export const packPixelFilters = kernel(
  'convPackPixelFiltersF32',
  {
    weights: 'i32',
    panels: 'i32',
    groups: 'i32',
    channels: 'i32',
    filters: 'i32',
    tapRows: 'i32',
    tapColumns: 'i32',
    groupStep: 'i32',
    rowStep: 'i32',
    columnStep: 'i32',
    channelStep: 'i32',
    filterStep: 'i32',
    bias: 'i32',
    // from one filter, and from one group, to the next
    biasFilter: 'i32',
    biasGroup: 'i32',
  },
  (f, args, { m, shared }) => {
    const copy = copyRow(m, shared);
    const [filter, c, u, v] = ['i32', 'i32', 'i32', 'i32'].map(() => f.local('i32'));
    const [zero, four] = [i32.const(0), i32.const(4)];
    const to = f.local('i32', args.panels);
    const row = f.local('i32', wholeVectors(args.groups));
    const count = product(args.channels, args.tapRows, args.tapColumns);
    const same = i32.and(i32.eqz(args.groupStep), i32.eq(args.groups, four));
    const splats = f.local('i32', same);
    f.do(memory.fill(to, zero, product(args.filters, row, i32.add(count, i32.const(1)))));
    f.for(filter, zero, args.filters, 1, () => {
      f.if(args.bias, () => {
        const from = i32.add(args.bias, i32.mul(filter, args.biasFilter));
        f.do(call(copy, from, args.biasGroup, to, four, args.groups));
      });
      f.increment(to, row);
      f.for(c, zero, args.channels, 1, () => {
        f.for(u, zero, args.tapRows, 1, () => {
          f.for(v, zero, args.tapColumns, 1, () => {
            const from = sum(
              args.weights,
              i32.mul(filter, args.filterStep),
              i32.mul(c, args.channelStep),
              i32.mul(u, args.rowStep),
              i32.mul(v, args.columnStep),
            );
            f.if(
              splats,
              () => f.do(v128.store(to, v128.load32_splat(from))),
              () => f.do(call(copy, from, args.groupStep, to, four, args.groups)),
            );
            f.increment(to, row);
          });
        });
      });
    });
  },
);

/** How many neighbouring pixels are computed at a time. */
const COLUMNS = 4;

/** (from, step, taps, tapsEnd, weights, weightStep, to, toStep, count): `count` pixels of a row. */
type PixelFunction = FunctionRef<
  readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
  'void'
>;

/** One or two vectors of channels of the pixels of a row. */
function pixelRow(m: ModuleBuilder, shared: SharedFunctions, vectors: 1 | 2): PixelFunction {
  const name = `convDepthwisePixels${4 * vectors}F32`;
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, from, step, taps, tapsEnd, weights, weightStep, to, toStep, count) => {
        const sums = Array.from({ length: COLUMNS * vectors }, () => f.local('v128'));
        const w = Array.from({ length: vectors }, () => f.local('v128'));
        const [tap, weight, source] = [f.local('i32'), f.local('i32'), f.local('i32')];
        const block = (columns: number): void => {
          const used = sums.slice(0, columns * vectors);
          for (const s of used) f.set(s, v128.zero());
          f.set(weight, i32.add(weights, weightStep));
          f.for(tap, taps, tapsEnd, 4, () => {
            f.set(source, i32.add(from, i32.load(tap)));
            w.forEach((local, j) => f.set(local, v128.load(weight, 16 * j)));
            used.forEach((s, i) => {
              f.set(s, madd(m, v128.load(source, 16 * (i % vectors)), w[i % vectors], s));
              if (i % vectors === vectors - 1) f.increment(source, step);
            });
            f.increment(weight, weightStep);
          });
          // The bias last, as an addition of its own would round it.
          w.forEach((local, j) => f.set(local, v128.load(weights, 16 * j)));
          used.forEach((s, i) => {
            f.do(v128.store(to, f32x4.add(s, w[i % vectors]), 16 * (i % vectors)));
            if (i % vectors === vectors - 1) f.increment(to, toStep);
          });
        };
        const all = i32.const(COLUMNS);
        f.if(
          i32.ge_s(count, all),
          () => {
            f.while(i32.gt_s(count, i32.const(0)), () => {
              // The last pixels overlap those before.
              f.if(i32.lt_s(count, all), () => {
                f.set(count, i32.sub(count, all));
                f.increment(from, i32.mul(count, step));
                f.increment(to, i32.mul(count, toStep));
                f.set(count, all);
              });
              block(COLUMNS);
              f.increment(from, i32.mul(step, all));
              f.increment(count, -COLUMNS);
            });
          },
          () => {
            f.while(i32.gt_s(count, i32.const(0)), () => {
              block(1);
              f.increment(from, step);
              f.increment(count, -1);
            });
          },
        );
      },
    ),
  );
}

/**
 * Depthwise convolution of pixels. `panels` is what `packPixelFilters` makes; `stagedHeight` and `stagedWidth` count elements, with
 * strides as they are, so there is one phase: positions lie `positionRows` rows and `positionColumns` columns apart. `resultAt` has
 * room for a row of results.
 */
export const depthwisePixels = kernel(
  'convDepthwisePixelsF32',
  {
    ...correlateFields,
    positionRows: 'i32',
    positionColumns: 'i32',
    /** How many rows of the image a row of the result is made of, with those between the taps. */
    reach: 'i32',
  },
  (f, args, { m, shared, part, parts }) => {
    const [copy, finish] = [copyRow(m, shared), finishRow(m, shared)];
    const [eight, four] = [pixelRow(m, shared, 2), pixelRow(m, shared, 1)];
    const zero = i32.const(0);
    const staged = f.local('i32', i32.add(args.scratch, i32.mul(part, args.partBytes)));
    const [taps, buffer] = [args.tapsAt, args.resultAt].map((at) =>
      f.local('i32', i32.add(staged, at)),
    );
    const { groups, channels, filters, outWidth } = args;
    const tapCount = f.local('i32', product(args.tapRows, args.tapColumns));
    const tapsEnd = f.local('i32', i32.add(taps, bytes(product(channels, tapCount))));
    const pixel = f.local('i32', bytes(product(groups, channels)));
    const stagedRow = f.local('i32', i32.mul(args.stagedWidth, pixel));
    const weightStep = f.local('i32', wholeVectors(groups));
    const [h, w, c, tap] = ['i32', 'i32', 'i32', 'i32'].map(() => f.local('i32'));
    const [from, to, filter] = [f.local('i32'), f.local('i32'), f.local('i32')];
    const [source, target, weights, rowAt] = ['i32', 'i32', 'i32', 'i32'].map(() => f.local('i32'));
    // Whether pixels lie in memory as they are staged, and whether results can be written to where they belong.
    const plainX = f.local(
      'i32',
      i32.and(
        i32.eq(channels, i32.const(1)),
        i32.and(i32.eq(args.xChannel, i32.const(4)), i32.eq(args.xColumn, pixel)),
      ),
    );
    const plainY = f.local(
      'i32',
      i32.and(
        i32.and(
          i32.eq(i32.mul(args.yChannel, filters), i32.const(4)),
          i32.eq(bytes(groups), weightStep),
        ),
        i32.or(i32.eq(args.yColumn, weightStep), i32.eqz(args.activation)),
      ),
    );
    const toStep = f.local('i32', select(args.yColumn, weightStep, plainY));
    f.do(memory.fill(staged, zero, args.tapsAt));
    writeTaps(f, args, taps);
    // writeTaps counts pixels of 4 bytes; the taps of further planes are those of the plane before, a plane further.
    f.for(tap, taps, i32.add(taps, bytes(tapCount)), 4, () => {
      f.do(i32.store(tap, product(i32.load(tap), groups, channels)));
    });
    f.for(tap, i32.add(taps, bytes(tapCount)), tapsEnd, 4, () => {
      f.do(i32.store(tap, i32.add(bytes(groups), i32.load(i32.sub(tap, bytes(tapCount))))));
    });
    const step = f.local('i32', i32.mul(args.positionColumns, pixel));
    const lines = i32.mul(args.images, args.outHeight);
    const { from: line, to: end } = partRange(f, lines, { part, parts });
    const [image, top, bottom] = [f.local('i32'), f.local('i32'), f.local('i32')];
    const [firstRow, endRow] = [f.local('i32'), f.local('i32')];
    f.while(i32.lt_s(line, end), () => {
      // The part's rows of the next image, and the rows of that image which they need.
      f.set(image, i32.div_s(line, args.outHeight));
      f.set(top, i32.rem_s(line, args.outHeight));
      f.set(bottom, minimum(args.outHeight, sum(top, i32.sub(end, line))));
      f.increment(line, i32.sub(bottom, top));
      f.set(firstRow, i32.sub(i32.mul(top, args.positionRows), args.padTop));
      f.set(firstRow, select(firstRow, zero, i32.gt_s(firstRow, zero)));
      const lastRow = i32.mul(i32.sub(bottom, i32.const(1)), args.positionRows);
      f.set(endRow, minimum(args.inHeight, sum(lastRow, i32.sub(args.reach, args.padTop))));
      f.set(from, sum(args.x, i32.mul(image, args.xImage), i32.mul(firstRow, args.xRow)));
      const above = i32.mul(i32.add(args.padTop, firstRow), stagedRow);
      f.set(to, sum(staged, above, i32.mul(args.padLeft, pixel)));
      f.for(h, firstRow, endRow, 1, () => {
        const unit = i32.const(4);
        f.if(
          plainX,
          () => f.do(call(copy, from, unit, to, unit, i32.mul(args.inWidth, groups))),
          () => {
            f.set(source, from);
            f.set(target, to);
            f.for(w, zero, args.inWidth, 1, () => {
              f.for(c, zero, channels, 1, () => {
                const first = i32.add(source, i32.mul(c, args.xChannel));
                const place = i32.add(target, bytes(i32.mul(c, groups)));
                f.do(call(copy, first, i32.mul(channels, args.xChannel), place, unit, groups));
              });
              f.increment(source, args.xColumn);
              f.increment(target, pixel);
            });
          },
        );
        f.increment(from, args.xRow);
        f.increment(to, stagedRow);
      });
      f.set(from, i32.add(staged, product(top, args.positionRows, stagedRow)));
      f.set(rowAt, sum(args.y, i32.mul(image, args.yImage), i32.mul(top, args.yRow)));
      f.for(h, top, bottom, 1, () => {
        f.set(weights, args.panels);
        f.for(filter, zero, filters, 1, () => {
          f.set(target, i32.add(rowAt, i32.mul(filter, args.yChannel)));
          f.set(to, select(target, buffer, plainY));
          f.set(c, zero);
          const rest = (): Expr<'i32'> => i32.sub(groups, c);
          const some = (run: PixelFunction, channelCount: number): void => {
            const at = bytes(c);
            const operands = [
              i32.add(from, at),
              step,
              taps,
              tapsEnd,
              i32.add(weights, at),
            ] as const;
            f.do(call(run, ...operands, weightStep, i32.add(to, at), toStep, outWidth));
            f.increment(c, channelCount);
          };
          f.while(i32.gt_s(rest(), i32.const(4)), () => some(eight, 8));
          f.while(i32.gt_s(rest(), zero), () => some(four, 4));
          f.if(args.activation, () => {
            const count = i32.mul(outWidth, i32.shr_u(weightStep, i32.const(2)));
            f.do(call(finish, to, to, count, f32.const(0), args.activation));
          });
          f.if(i32.eqz(plainY), () => {
            const unit = i32.const(4);
            f.for(w, zero, outWidth, 1, () => {
              f.do(call(copy, to, unit, target, i32.mul(filters, args.yChannel), groups));
              f.increment(to, weightStep);
              f.increment(target, args.yColumn);
            });
          });
          const perFilter = i32.add(product(channels, tapCount), i32.const(1));
          f.increment(weights, i32.mul(weightStep, perFilter));
        });
        f.increment(from, i32.mul(args.positionRows, stagedRow));
        f.increment(rowAt, args.yRow);
      });
    });
  },
);

/** The gradient keeps this many sums in registers: all of a 3×3 window. */
export const SUMS = 9;

/** (x, xStep, taps, y, yStep, count, sums): adds to the vectors `sums` the products of a row of pixels with as many taps. */
function gradientRow(
  m: ModuleBuilder,
  shared: SharedFunctions,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'void'> {
  return shared.once('convDepthwiseGradientRowF32', () =>
    m.function(
      'convDepthwiseGradientRowF32',
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, x, xStep, taps, y, yStep, count, to) => {
        const indices = [...Array(SUMS).keys()];
        const offsets = indices.map((i) => f.local('i32', i32.load(taps, 4 * i)));
        const sums = indices.map(() => f.local('v128'));
        const value = f.local('v128');
        f.while(count, () => {
          // V8 computes the last sum first; loaded in another order, the data would all be in registers at once, and spilt. So they
          // would be if it unrolled the loop, which the branch keeps it from: its condition is always true.
          f.if(count, () => {
            f.set(value, v128.load(y));
            for (let i = SUMS - 1; i >= 0; i--) {
              f.set(sums[i], madd(m, v128.load(i32.add(x, offsets[i])), value, sums[i]));
            }
          });
          f.increment(x, xStep);
          f.increment(y, yStep);
          f.increment(count, -1);
        });
        sums.forEach((s, i) => f.do(v128.store(to, f32x4.add(v128.load(to, 16 * i), s), 16 * i)));
      },
    ),
  );
}

/**
 * The gradient for the kernel of a depthwise convolution of pixels with one filter to a channel, from zero-padded pixels and the
 * cotangent, whose channels are neighbours; rows of the sum are added up one by one. `out` gets [window, channels].
 */
export const depthwisePixelsGradient = kernel(
  'convDepthwisePixelsGradientF32',
  {
    pixels: 'i32',
    imageStep: 'i32',
    // from one position to the next, in pixels
    rowStep: 'i32',
    columnStep: 'i32',
    // from one tap to the next
    tapRowStep: 'i32',
    tapColumnStep: 'i32',
    tapRows: 'i32',
    tapColumns: 'i32',
    images: 'i32',
    channels: 'i32',
    y: 'i32',
    yImage: 'i32',
    yRow: 'i32',
    yColumn: 'i32',
    outHeight: 'i32',
    outWidth: 'i32',
    out: 'i32',
    /** Room for the sums: four lanes for each tap of whole blocks, for each vector of channels. */
    sums: 'i32',
    scratch: 'i32',
    /** Of a part's table of taps. */
    partBytes: 'i32',
  },
  (f, args, context) => {
    const { m, shared, part } = context;
    const gradient = gradientRow(m, shared);
    const zero = i32.const(0);
    const taps = f.local('i32', i32.add(args.scratch, i32.mul(part, args.partBytes)));
    const tapCount = f.local('i32', i32.mul(args.tapRows, args.tapColumns));
    const padded = f.local('i32', i32.mul(ceilDiv(tapCount, i32.const(SUMS)), i32.const(SUMS)));
    const [tap, image, h, vector, to] = Array.from({ length: 5 }, () => f.local('i32'));
    const [x, y, channel] = [f.local('i32'), f.local('i32'), f.local('i32')];
    f.for(tap, zero, padded, 1, () => {
      // Taps that are missing from the last block are the first; nobody looks at their sums.
      const known = select(tap, zero, i32.lt_s(tap, tapCount));
      const row = i32.mul(i32.div_s(known, args.tapColumns), args.tapRowStep);
      const column = i32.mul(i32.rem_s(known, args.tapColumns), args.tapColumnStep);
      f.do(i32.store(i32.add(taps, bytes(tap)), i32.add(row, column)));
    });
    const vectors = f.local('i32', ceilDiv(args.channels, i32.const(4)));
    const { from: first, to: last } = partRange(f, vectors, context);
    const sumBytes = f.local('i32', i32.mul(padded, i32.const(16)));
    const sums = f.local('i32', i32.add(args.sums, i32.mul(first, sumBytes)));
    f.do(memory.fill(sums, zero, i32.mul(i32.sub(last, first), sumBytes)));
    f.for(image, zero, args.images, 1, () => {
      f.set(x, i32.add(args.pixels, i32.mul(image, args.imageStep)));
      f.set(y, i32.add(args.y, i32.mul(image, args.yImage)));
      f.for(h, zero, args.outHeight, 1, () => {
        f.set(to, sums);
        f.for(vector, first, last, 1, () => {
          const at = i32.mul(vector, i32.const(16));
          f.for(tap, zero, padded, SUMS, () => {
            const data = [i32.add(x, at), args.columnStep, i32.add(taps, bytes(tap))] as const;
            f.do(call(gradient, ...data, i32.add(y, at), args.yColumn, args.outWidth, to));
            f.increment(to, 16 * SUMS);
          });
        });
        f.increment(x, args.rowStep);
        f.increment(y, args.yRow);
      });
    });
    const copy = copyRow(m, shared);
    f.set(to, sums);
    f.for(vector, first, last, 1, () => {
      f.set(channel, i32.mul(vector, i32.const(4)));
      const rest = i32.sub(args.channels, channel);
      const count = select(i32.const(4), rest, i32.gt_s(rest, i32.const(4)));
      f.for(tap, zero, tapCount, 1, () => {
        const place = bytes(i32.add(i32.mul(tap, args.channels), channel));
        const from = i32.add(to, i32.mul(tap, i32.const(16)));
        f.do(call(copy, from, i32.const(4), i32.add(args.out, place), i32.const(4), count));
      });
      f.increment(to, sumBytes);
    });
  },
);
