/**
 * The gradient of a convolution for its kernel, as a product that sums over all positions of all images:
 *
 *     k̄[(t, c), f] = Σ_n Σ_p  staged[n][offset(t) + position(p)][c] · ȳ[n, f, p]
 *
 * Images are staged as zero-padded pixels, so that eight channels of a tap are neighbours; a panel holds eight rows (t, c) for a
 * block of positions, which goes on from row to row and from image to image. The cotangent is packed once for all of them.
 * Threads share the rows of the result, and every sum runs through its blocks in the same order.
 */
import { call, type FunctionRef, type ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { copyRow, transpose } from './copy.js';
import { bytes, ceilDiv, minimum, product, sum } from '../integers.js';
import { NR, tileColumn, tileRows } from '../gemm/micro.js';
import { f32, i32, memory } from '../assembler/instructions.js';
import { eachOfPart, kernel, type SharedFunctions } from '../kernel.js';
import { v128 } from '../assembler/simd.js';

/** How many positions make a block of the sum. */
export const POSITIONS = 256;

/** Images [channels, height, width] in any layout → zero-padded pixels [stagedHeight, stagedWidth, channels]. */
export const stagePixels = kernel(
  'convStagePixelsF32',
  {
    x: 'i32',
    xImage: 'i32',
    xChannel: 'i32',
    xRow: 'i32',
    xColumn: 'i32',
    images: 'i32',
    channels: 'i32',
    inHeight: 'i32',
    inWidth: 'i32',
    pixels: 'i32',
    padTop: 'i32',
    padLeft: 'i32',
    stagedHeight: 'i32',
    stagedWidth: 'i32',
  },
  (f, args, context) => {
    const { m, shared } = context;
    const [copy, matrix] = [copyRow(m, shared), transpose(m, shared)];
    const [from, to, h, c] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('i32')];
    const [zero, four] = [i32.const(0), i32.const(4)];
    const pixel = f.local('i32', bytes(args.channels));
    const row = f.local('i32', i32.mul(args.stagedWidth, pixel));
    const image = f.local('i32', i32.mul(args.stagedHeight, row));
    const isPixels = i32.and(i32.eq(args.xChannel, four), i32.eq(args.xColumn, pixel));
    eachOfPart(f, args.images, context, (n) => {
      f.set(to, i32.add(args.pixels, i32.mul(n, image)));
      f.do(memory.fill(to, zero, image));
      f.set(to, sum(to, i32.mul(args.padTop, row), i32.mul(args.padLeft, pixel)));
      f.set(from, i32.add(args.x, i32.mul(n, args.xImage)));
      f.for(h, zero, args.inHeight, 1, () => {
        f.if(
          isPixels,
          () => f.do(call(copy, from, four, to, four, i32.mul(args.inWidth, args.channels))),
          () => {
            f.if(
              i32.eq(args.xColumn, four),
              () => f.do(call(matrix, from, args.xChannel, to, pixel, args.channels, args.inWidth)),
              () => {
                f.for(c, zero, args.channels, 1, () => {
                  const source = i32.add(from, i32.mul(c, args.xChannel));
                  const target = i32.add(to, bytes(c));
                  f.do(call(copy, source, args.xColumn, target, pixel, args.inWidth));
                });
              },
            );
          },
        );
        f.increment(from, args.xRow);
        f.increment(to, row);
      });
    });
  },
);

/** The cotangent [filters, height, width] in any layout → panels [group][panel][image][position][MR], filled up with zeros. */
export const packCotangent = kernel(
  'convPackCotangentF32',
  {
    y: 'i32',
    yImage: 'i32',
    yChannel: 'i32',
    yRow: 'i32',
    yColumn: 'i32',
    images: 'i32',
    groups: 'i32',
    filters: 'i32',
    outHeight: 'i32',
    outWidth: 'i32',
    panels: 'i32',
  },
  (f, args, context) => {
    const { m, shared } = context;
    const rows = tileRows(m);
    const [copy, matrix] = [copyRow(m, shared), transpose(m, shared)];
    const [group, first, count] = [f.local('i32'), f.local('i32'), f.local('i32')];
    const [from, to, h, i] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('i32')];
    const [line, lines, width] = [f.local('i32'), f.local('i32'), f.local('i32')];
    const [zero, four, step] = [i32.const(0), i32.const(4), i32.const(4 * rows)];
    const positions = f.local('i32', i32.mul(args.outHeight, args.outWidth));
    const image = f.local('i32', i32.mul(positions, step));
    // Rows that follow each other without a gap are one.
    f.set(lines, args.outHeight);
    f.set(width, args.outWidth);
    f.if(i32.eq(args.yRow, i32.mul(args.yColumn, args.outWidth)), () => {
      f.set(lines, i32.const(1));
      f.set(width, positions);
    });
    eachOfPart(f, args.images, context, (n) => {
      f.set(line, i32.add(args.panels, i32.mul(n, image)));
      f.for(group, zero, args.groups, 1, () => {
        f.for(first, zero, args.filters, rows, () => {
          f.set(to, line);
          f.set(count, minimum(i32.const(rows), i32.sub(args.filters, first)));
          f.if(i32.lt_s(count, i32.const(rows)), () => f.do(memory.fill(to, zero, image)));
          const filter = i32.add(i32.mul(group, args.filters), first);
          f.set(from, sum(args.y, i32.mul(n, args.yImage), i32.mul(filter, args.yChannel)));
          f.for(h, zero, lines, 1, () => {
            f.if(
              i32.eq(args.yColumn, four),
              () => f.do(call(matrix, from, args.yChannel, to, step, count, width)),
              () => {
                f.for(i, zero, count, 1, () => {
                  const source = i32.add(from, i32.mul(i, args.yChannel));
                  f.do(call(copy, source, args.yColumn, i32.add(to, bytes(i)), step, width));
                });
              },
            );
            f.increment(from, args.yRow);
            f.increment(to, i32.mul(width, step));
          });
          f.increment(line, i32.mul(args.images, image));
        });
      });
    });
  },
);

/** (image, p, count, panel, outWidth, positions, rowStep, columnStep, imageStep, at): `count` positions from p on, whatever image. */
type PackRows = FunctionRef<
  readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
  'void'
>;

/**
 * Packs eight rows of the patches' matrix for a block of positions. With `neighbours` the eight are side by side, from the offset
 * `at` on; else `at` is the address of a table of their offsets.
 */
function packRows(m: ModuleBuilder, shared: SharedFunctions, neighbours: boolean): PackRows {
  const name = neighbours ? 'convPackNeighboursF32' : 'convPackRowsF32';
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, image, p, count, panel, outWidth, positions, rowStep, columnStep, imageStep, at) => {
        const offsets = neighbours
          ? []
          : Array.from({ length: NR }, (_, i) => f.local('i32', i32.load(at, 4 * i)));
        const [column, run, from] = [f.local('i32'), f.local('i32'), f.local('i32')];
        if (neighbours) f.set(image, i32.add(image, at));
        f.while(count, () => {
          f.set(column, i32.rem_s(p, outWidth));
          f.set(run, minimum(i32.sub(outWidth, column), count));
          const row = i32.mul(i32.div_s(p, outWidth), rowStep);
          f.set(from, sum(image, row, i32.mul(column, columnStep)));
          f.increment(p, run);
          f.set(count, i32.sub(count, run));
          f.while(run, () => {
            if (neighbours) {
              f.do(v128.store(panel, v128.load(from)));
              f.do(v128.store(panel, v128.load(from, 16), 16));
            } else {
              offsets.forEach((offset, i) =>
                f.do(f32.store(panel, f32.load(i32.add(from, offset)), 4 * i)),
              );
            }
            f.increment(from, columnStep);
            f.increment(panel, 4 * NR);
            f.increment(run, -1);
          });
          f.if(i32.eq(p, positions), () => {
            f.set(p, i32.const(0));
            f.increment(image, imageStep);
          });
        });
      },
    ),
  );
}

/** The product: result[group][f][(t, c)], rows of `resultStep` bytes. */
export const kernelProduct = kernel(
  'convKernelProductF32',
  {
    pixels: 'i32',
    imageStep: 'i32',
    // from one position to the next, in pixels
    rowStep: 'i32',
    columnStep: 'i32',
    // from one tap to the next
    tapRowStep: 'i32',
    tapColumnStep: 'i32',
    images: 'i32',
    groups: 'i32',
    channels: 'i32',
    filters: 'i32',
    tapRows: 'i32',
    tapColumns: 'i32',
    outHeight: 'i32',
    outWidth: 'i32',
    cotangent: 'i32',
    result: 'i32',
    resultStep: 'i32',
    groupStep: 'i32',
    scratch: 'i32',
    partBytes: 'i32',
  },
  (f, args, context) => {
    const { m, shared, part } = context;
    const rows = tileRows(m);
    const times = tileColumn(m, shared, rows);
    const [aStep, bStep] = [i32.const(4 * rows), i32.const(4 * NR)];
    const [neighbours, scattered] = [packRows(m, shared, true), packRows(m, shared, false)];
    const [zero, eight] = [i32.const(0), i32.const(NR)];
    const panel = f.local('i32', i32.add(args.scratch, i32.mul(part, args.partBytes)));
    const table = f.local('i32', i32.add(panel, i32.const(4 * NR * POSITIONS)));
    const positions = f.local('i32', i32.mul(args.outHeight, args.outWidth));
    const all = f.local('i32', i32.mul(args.images, positions));
    const height = f.local('i32', product(args.tapRows, args.tapColumns, args.channels));
    const rowPanels = f.local('i32', ceilDiv(height, eight));
    const filterPanels = f.local('i32', ceilDiv(args.filters, i32.const(rows)));
    const aPanel = f.local('i32', i32.mul(all, i32.const(4 * rows)));
    const [k, count, group, first] = [
      f.local('i32'),
      f.local('i32'),
      f.local('i32'),
      f.local('i32'),
    ];
    const [tap, from] = [f.local('i32'), f.local('i32')];
    const offset = (row: Expr<'i32'>): Expr<'i32'> => {
      f.set(tap, i32.div_s(row, args.channels));
      return sum(
        i32.mul(i32.div_s(tap, args.tapColumns), args.tapRowStep),
        i32.mul(i32.rem_s(tap, args.tapColumns), args.tapColumnStep),
        bytes(i32.add(i32.mul(group, args.channels), i32.rem_s(row, args.channels))),
      );
    };
    f.for(k, zero, all, POSITIONS, () => {
      f.set(count, minimum(i32.const(POSITIONS), i32.sub(all, k)));
      f.set(from, i32.add(args.pixels, i32.mul(i32.div_s(k, positions), args.imageStep)));
      eachOfPart(f, i32.mul(args.groups, rowPanels), context, (index) => {
        f.set(group, i32.div_s(index, rowPanels));
        f.set(first, i32.mul(i32.rem_s(index, rowPanels), eight));
        const block = [
          from,
          i32.rem_s(k, positions),
          count,
          panel,
          args.outWidth,
          positions,
          args.rowStep,
          args.columnStep,
          args.imageStep,
        ] as const;
        f.if(
          i32.rem_s(args.channels, eight),
          () => {
            for (let i = 0; i < NR; i++) {
              const last = i32.sub(height, i32.const(1));
              const row = minimum(i32.add(first, i32.const(i)), last);
              f.do(i32.store(table, offset(row), 4 * i));
            }
            f.do(call(scattered, ...block, table));
          },
          () => f.do(call(neighbours, ...block, offset(first))),
        );
        const a = sum(
          args.cotangent,
          product(group, filterPanels, aPanel),
          i32.mul(k, i32.const(4 * rows)),
        );
        const c = sum(args.result, i32.mul(group, args.groupStep), bytes(first));
        f.do(
          call(times, a, aPanel, aStep, panel, bStep, c, args.resultStep, count, k, filterPanels),
        );
      });
    });
  },
);

/** result[group][f][(t, c)] → kernel [(t, c), filters] */
export const writeKernel = kernel(
  'convWriteKernelF32',
  {
    result: 'i32',
    resultStep: 'i32',
    groupStep: 'i32',
    groups: 'i32',
    filters: 'i32',
    height: 'i32',
    out: 'i32',
  },
  (f, { result, resultStep, groupStep, groups, filters, height, out }, { m, shared }) => {
    const matrix = transpose(m, shared);
    const row = f.local('i32', bytes(i32.mul(groups, filters)));
    f.while(groups, () => {
      f.do(call(matrix, result, resultStep, out, row, filters, height));
      f.increment(result, groupStep);
      f.increment(out, bytes(filters));
      f.increment(groups, -1);
    });
  },
);
