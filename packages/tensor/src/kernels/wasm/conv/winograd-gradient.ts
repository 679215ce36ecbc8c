/**
 * The gradient of a convolution for its kernel by Winograd's method. The convolution is Y = Aᵀ·[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]·A for each
 * tile, channel and filter, linear in g, so its transpose is
 *
 *     ḡ = Gᵀ·[ Σ (A·Ȳ·Aᵀ) ⊙ (Bᵀ·d·B) ]·G        the sum over all tiles of all images
 *
 * and the sum is a product of matrices for each of the t² places, [channels, tiles]·[tiles, filters]. Data and cotangent are
 * staged as pixels: the lanes of a vector are four channels (or filters) of one tile. So many images as fit the cache are
 * transformed and multiplied at a time. Threads share the images of the transforms and the places of the products.
 */
import { call, type FunctionRef } from '../assembler/assembler.js';
import { bytes, ceilDiv, product, sum } from '../integers.js';
import { LinearMap, type Matrix } from './winograd-transforms.js';
import { OUTPUTS, temporary, transformsOf } from './winograd.js';
import { NR, tileColumn } from '../gemm/micro.js';
import { i32 } from '../assembler/instructions.js';
import { eachOfPart, kernel, type Kernel, type KernelContext } from '../kernel.js';
import { v128 } from '../assembler/simd.js';

const VECTOR = 16;
/** Rows of the product's tile: those of a vector. */
const ROWS = 4;

const transposed = (matrix: Matrix): Matrix => matrix[0].map((_, j) => matrix.map((row) => row[j]));

type TileFunction = FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'void'>;

/** (from, fromRow, fromColumn, to, toRow, toColumn, temporary): to ← matrix·from·matrixᵀ; elements are vectors. */
function transformTile(
  { m, shared }: Pick<KernelContext, 'm' | 'shared'>,
  name: string,
  matrix: Matrix,
): TileFunction {
  const [outputs, inputs] = [matrix.length, matrix[0].length];
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, from, fromRow, fromColumn, to, toRow, toColumn, work) => {
        const map = new LinearMap(f, m, matrix);
        const x = Array.from({ length: inputs }, () => f.local('v128'));
        const [i, at, place] = [f.local('i32'), f.local('i32', work), f.local('i32')];
        f.for(i, i32.const(0), i32.const(inputs), 1, () => {
          f.set(place, from);
          x.forEach((value) => {
            f.set(value, v128.load(place));
            f.increment(place, fromColumn);
          });
          map.apply(x, (j, y) => f.do(v128.store(at, y, temporary(0, j, outputs))));
          f.increment(at, temporary(1, 0, outputs));
          f.increment(from, fromRow);
        });
        f.set(at, work);
        f.for(i, i32.const(0), i32.const(outputs), 1, () => {
          x.forEach((value, j) => f.set(value, v128.load(at, temporary(j, 0, outputs))));
          f.set(place, to);
          map.apply(x, (_, y) => {
            f.do(v128.store(place, y));
            f.increment(place, toRow);
          });
          f.increment(at, VECTOR);
          f.increment(to, toColumn);
        });
      },
    ),
  );
}

const tileFields = {
  pixels: 'i32',
  imageStep: 'i32',
  rowStep: 'i32',
  channels: 'i32',
  images: 'i32',
  tileRows: 'i32',
  tileColumns: 'i32',
  /** In panels [place][channels / width][tile][width], `placeStep` bytes from one place to the next */
  to: 'i32',
  placeStep: 'i32',
  width: 'i32',
  scratch: 'i32',
  partBytes: 'i32',
} as const;

/** The transforms of all tiles of images of pixels. */
function transformTiles(name: string, matrix: Matrix): Kernel<typeof tileFields> {
  const t = matrix.length;
  return kernel(`${name}sF32`, tileFields, (f, args, context) => {
    const transform = transformTile(context, `${name}F32`, matrix);
    const work = f.local('i32', i32.add(args.scratch, i32.mul(context.part, args.partBytes)));
    const pixel = f.local('i32', bytes(args.channels));
    const panelRow = f.local('i32', bytes(args.width));
    const perImage = f.local('i32', i32.mul(args.tileRows, args.tileColumns));
    const panel = f.local('i32', product(args.images, perImage, panelRow));
    const [row, column, c, tile] = ['i32', 'i32', 'i32', 'i32'].map(() => f.local('i32'));
    const [from, to] = [f.local('i32'), f.local('i32')];
    const zero = i32.const(0);
    const placeRow = i32.mul(args.placeStep, i32.const(t));
    eachOfPart(f, args.images, context, (image) => {
      f.set(tile, i32.mul(image, perImage));
      f.for(row, zero, args.tileRows, 1, () => {
        f.for(column, zero, args.tileColumns, 1, () => {
          const right = product(column, pixel, i32.const(OUTPUTS));
          const down = product(row, args.rowStep, i32.const(OUTPUTS));
          f.set(from, sum(args.pixels, i32.mul(image, args.imageStep), down, right));
          f.for(c, zero, args.channels, ROWS, () => {
            const place = sum(
              args.to,
              i32.mul(i32.div_s(c, args.width), panel),
              i32.mul(tile, panelRow),
              bytes(i32.rem_s(c, args.width)),
            );
            f.set(to, place);
            const steps = [placeRow, args.placeStep] as const;
            f.do(call(transform, from, args.rowStep, pixel, to, ...steps, work));
            f.increment(from, VECTOR);
          });
          f.increment(tile, 1);
        });
      });
    });
  });
}

/** Adds up, for each place, [channels, tiles]·[tiles, filters]. */
export const winogradSums = kernel(
  'convWinogradSumsF32',
  {
    data: 'i32',
    dataStep: 'i32',
    cotangent: 'i32',
    cotangentStep: 'i32',
    sums: 'i32',
    sumsStep: 'i32',
    sumsRow: 'i32',
    places: 'i32',
    tiles: 'i32',
    channels: 'i32',
    filters: 'i32',
    accumulate: 'i32',
  },
  (f, args, context) => {
    const { m, shared } = context;
    const column = tileColumn(m, shared, ROWS);
    const [aStep, bStep] = [i32.const(4 * ROWS), i32.const(4 * NR)];
    const aPanel = f.local('i32', i32.mul(args.tiles, i32.const(4 * ROWS)));
    const count = f.local('i32', i32.div_s(args.channels, i32.const(ROWS)));
    const [p, b, c] = [f.local('i32'), f.local('i32'), f.local('i32')];
    eachOfPart(f, args.places, context, (place) => {
      f.set(b, i32.add(args.cotangent, i32.mul(place, args.cotangentStep)));
      f.set(c, i32.add(args.sums, i32.mul(place, args.sumsStep)));
      f.for(p, i32.const(0), ceilDiv(args.filters, i32.const(NR)), 1, () => {
        const a = i32.add(args.data, i32.mul(place, args.dataStep));
        const { sumsRow, tiles, accumulate } = args;
        f.do(call(column, a, aPanel, aStep, b, bStep, c, sumsRow, tiles, accumulate, count));
        f.increment(b, i32.mul(args.tiles, i32.const(4 * NR)));
        f.increment(c, 4 * NR);
      });
    });
  },
);

const kernelFields = {
  sums: 'i32',
  sumsStep: 'i32',
  sumsRow: 'i32',
  channels: 'i32',
  filters: 'i32',
  out: 'i32',
  scratch: 'i32',
  partBytes: 'i32',
} as const;

/** Gᵀ·sums·G → the kernel's gradient [u, v, channels, filters] */
function transformSums(r: number): Kernel<typeof kernelFields> {
  const matrix = transposed(transformsOf(r).filters);
  const t = OUTPUTS + r - 1;
  return kernel(`convWinogradSums${r}F32`, kernelFields, (f, args, context) => {
    const transform = transformTile(context, `convWinogradSum${r}F32`, matrix);
    const work = f.local('i32', i32.add(args.scratch, i32.mul(context.part, args.partBytes)));
    const [i, from, to] = [f.local('i32'), f.local('i32'), f.local('i32')];
    const tap = f.local('i32', bytes(i32.mul(args.channels, args.filters)));
    const fromRow = i32.mul(args.sumsStep, i32.const(t));
    const toRow = i32.mul(tap, i32.const(r));
    eachOfPart(f, args.channels, context, (c) => {
      f.set(from, i32.add(args.sums, i32.mul(c, args.sumsRow)));
      f.set(to, i32.add(args.out, bytes(i32.mul(c, args.filters))));
      f.for(i, i32.const(0), args.filters, ROWS, () => {
        f.do(call(transform, from, fromRow, args.sumsStep, to, toRow, tap, work));
        f.increment(from, VECTOR);
        f.increment(to, VECTOR);
      });
    });
  });
}

/** The kernels for each size of the window. */
const gradientKernels = (
  r: 3 | 5,
): {
  readonly data: Kernel<typeof tileFields>;
  readonly cotangent: Kernel<typeof tileFields>;
  readonly kernel: Kernel<typeof kernelFields>;
} => ({
  data: transformTiles(`convWinogradPixel${r}`, transformsOf(r).data),
  cotangent: transformTiles(`convWinogradCotangent${r}`, transposed(transformsOf(r).outputs)),
  kernel: transformSums(r),
});

export const winogradGradientKernels = { 3: gradientKernels(3), 5: gradientKernels(5) } as const;
