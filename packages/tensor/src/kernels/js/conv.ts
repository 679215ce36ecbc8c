/**
 * Convolution and its two gradients as matrix products with the matrix that `im2col` makes. With x the data, k the kernel as
 * a matrix [rows, filters] and X the matrix of x, all of one image:
 *
 *     y = kᵀ·X                        forward                   sums over taps and channels
 *     X̄ = k·ȳ,  x̄ = col2im(X̄)         gradient for the data     sums over filters, then over the windows that meet
 *     k̄ = Σ X·ȳᵀ                      gradient for the kernel   sums over positions, then over images
 *
 * These are transposes of each other: all three are derivatives of the one number Σ ȳ·(kᵀ·X), which is linear in each of x, k
 * and ȳ. So the derivatives of a gradient are again among the three.
 *
 * X is made for a tile of output positions at a time, small enough to stay in cache until `gemm` has read it. Groups
 * are convolutions of their own on a share of the channels. Sums run in double precision, in an order that depends on the
 * shapes alone.
 */
import { gemm } from './gemm.js';
import { col2im, im2col, type ConvGeometry } from './im2col.js';
import type { TypedArray } from './types.js';

/** About how many elements of the matrix are made at a time: 768 KiB in float32, which a second-level cache holds. */
const TILE = 3 << 16;
/** But no fewer positions than this, or `gemm` spends its time on packing. */
const FEWEST = 32;

let single = new Float32Array(0);
let columns64 = new Float64Array(0);
let sums64 = new Float64Array(0);
let product64 = new Float64Array(0);

/** A module-level buffer that grows as needed and is used again by the next call. */
function grown(buffer: Float64Array<ArrayBuffer>, length: number): Float64Array<ArrayBuffer> {
  return buffer.length < length ? new Float64Array(length) : buffer;
}

/** Room for a tile with the precision of x: entries are copies, so nothing is lost. */
function tileLike(x: TypedArray, length: number): Float32Array | Float64Array {
  if (x instanceof Float32Array) {
    if (single.length < length) single = new Float32Array(length);
    return single;
  }
  return (columns64 = grown(columns64, length));
}

/** What the three drivers have to know: the counts of one group, and how the work is cut. */
function plan(g: ConvGeometry): {
  channels: number;
  filters: number;
  rows: number;
  positions: number;
  tile: number;
} {
  const channels = g.channels / g.groups;
  const filters = g.filters / g.groups;
  const rows = g.windowHeight * g.windowWidth * channels;
  const positions = g.outHeight * g.outWidth;
  const most = Math.max(FEWEST, Math.floor(TILE / Math.max(rows, 1)));
  const tiles = Math.max(1, Math.ceil(positions / most));
  return { channels, filters, rows, positions, tile: Math.ceil(positions / tiles) };
}

/** y = conv(x, k); x and y are laid out as `g.channelsFirst` says, k is [height, width, channels per group, filters]. */
// prettier-ignore
export function conv(
  g: ConvGeometry, x: TypedArray, ix: number, k: TypedArray, ik: number, y: TypedArray, iy: number,
): void {
  const { channels, filters, rows, positions, tile } = plan(g);
  const image = g.inHeight * g.inWidth;
  const columns = tileLike(x, rows * tile);
  for (let n = 0; n < g.batch; n++) {
    for (let q = 0; q < g.groups; q++) {
      const xGroup = ix + n * g.channels * image + q * channels * (g.channelsFirst ? image : 1);
      const kGroup = ik + q * filters;
      for (let p = 0; p < positions; p += tile) {
        const count = Math.min(tile, positions - p);
        im2col(g, x, xGroup, p, count, columns);
        if (g.channelsFirst) {
          const to = iy + (n * g.filters + q * filters) * positions + p;
          gemm(filters, count, rows, k, kGroup, 1, g.filters, columns, 0, count, 1, y, to, positions);
        } else {
          const to = iy + (n * positions + p) * g.filters + q * filters;
          gemm(count, filters, rows, columns, 0, rows, 1, k, kGroup, g.filters, 1, y, to, g.filters);
        }
      }
    }
  }
}

/** x = the adjoint of `conv` in its first argument: convolution turned around, from y's shape to x's. */
// prettier-ignore
export function convTranspose(
  g: ConvGeometry, y: TypedArray, iy: number, k: TypedArray, ik: number, x: TypedArray, ix: number,
): void {
  const { channels, filters, rows, positions, tile } = plan(g);
  const image = g.inHeight * g.inWidth;
  const size = g.channels * image;
  const columns = (columns64 = grown(columns64, rows * tile));
  const sums = (sums64 = grown(sums64, size));
  for (let n = 0; n < g.batch; n++) {
    sums.fill(0, 0, size);
    for (let q = 0; q < g.groups; q++) {
      const kGroup = ik + q * filters;
      for (let p = 0; p < positions; p += tile) {
        const count = Math.min(tile, positions - p);
        if (g.channelsFirst) {
          const from = iy + (n * g.filters + q * filters) * positions + p;
          gemm(rows, count, filters, k, kGroup, g.filters, 1, y, from, positions, 1, columns, 0, count);
        } else {
          const from = iy + (n * positions + p) * g.filters + q * filters;
          gemm(count, rows, filters, y, from, g.filters, 1, k, kGroup, 1, g.filters, columns, 0, rows);
        }
        col2im(g, columns, p, count, sums, q * channels * (g.channelsFirst ? image : 1));
      }
    }
    for (let i = 0, to = ix + n * size; i < size; i++) x[to + i] = sums[i];
  }
}

/** k = the adjoint of `conv` in its second argument, for data x and a cotangent y. */
// prettier-ignore
export function convKernelGradient(
  g: ConvGeometry, x: TypedArray, ix: number, y: TypedArray, iy: number, k: TypedArray, ik: number,
): void {
  const { channels, filters, rows, positions, tile } = plan(g);
  const image = g.inHeight * g.inWidth;
  const size = rows * filters;
  const columns = tileLike(x, rows * tile);
  const product = (product64 = grown(product64, size));
  const sums = (sums64 = grown(sums64, size));
  for (let q = 0; q < g.groups; q++) {
    sums.fill(0, 0, size);
    for (let n = 0; n < g.batch; n++) {
      const xGroup = ix + n * g.channels * image + q * channels * (g.channelsFirst ? image : 1);
      for (let p = 0; p < positions; p += tile) {
        const count = Math.min(tile, positions - p);
        im2col(g, x, xGroup, p, count, columns);
        if (g.channelsFirst) {
          const from = iy + (n * g.filters + q * filters) * positions + p;
          gemm(rows, filters, count, columns, 0, count, 1, y, from, 1, positions, product, 0, filters);
        } else {
          const from = iy + (n * positions + p) * g.filters + q * filters;
          gemm(rows, filters, count, columns, 0, 1, rows, y, from, g.filters, 1, product, 0, filters);
        }
        for (let i = 0; i < size; i++) sums[i] += product[i];
      }
    }
    for (let r = 0; r < rows; r++) {
      const to = ik + r * g.filters + q * filters;
      for (let f = 0; f < filters; f++) k[to + f] = sums[r * filters + f];
    }
  }
}
