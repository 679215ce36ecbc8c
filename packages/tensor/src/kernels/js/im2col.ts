/**
 * im2col: the windows of an image side by side as a matrix, which turns a convolution into a matrix product; and its
 * adjoint, col2im, which adds such a matrix back onto the image.
 *
 *      image, one channel          window 2×2, stride 1        the matrix: a row for each tap and channel,
 *                                                              a column for each output position
 *        a  b  c
 *        d  e  f                     output position p           p      0   1   2   3
 *        g  h  i                        0  1                 tap 0,0    a   b   d   e
 *                                       2  3                 tap 0,1    b   c   e   f
 *                                                            tap 1,0    d   e   g   h
 *                                                            tap 1,1    e   f   h   i
 *
 * Row r = (u·windowWidth + v)·channels + c belongs to tap (u, v) and channel c, which is the order of a kernel's rows. Column
 * p = i·outWidth + j belongs to the output at (i, j). The entry is the image's element (c, h(i, u), w(j, v)), or 0 in the
 * padding; windows.ts says where h and w lie. Each element of the image occurs as often as windows cover it: 25 times for a
 * window of 5×5. That is why the matrix is never made as a whole, but for `count` positions at a time, from `start` on.
 *
 * It is laid out so that runs of the image stay runs. Planes (channels first) have neighbours along a row of pixels, so the
 * matrix is made row by row: [rows, count]. Pixels (channels last) have neighbours along their channels, so it is made
 * column by column: [count, rows]. To `gemm`, which takes any strides, both are the same.
 *
 * Chellapilla, Puri & Simard, "High Performance Convolutional Neural Networks for Document Processing" (IWFHR 2006).
 */
import type { TypedArray } from './types.js';
import { firstIndex, type Windows } from './windows.js';

/** A convolution in numbers. All counts are those of the whole data; a group has its share of channels and filters. */
export interface ConvGeometry extends Windows {
  readonly batch: number;
  readonly channels: number;
  readonly filters: number;
  readonly groups: number;
  /** [batch, channels, height, width], or else [batch, height, width, channels]. */
  readonly channelsFirst: boolean;
}

/**
 * Writes `count` columns of the matrix of one image and one group, from position `start` on. The group's first element of
 * the image is `x[ix]`.
 */
// prettier-ignore
export function im2col(g: ConvGeometry, x: TypedArray, ix: number, start: number, count: number, columns: TypedArray): void {
  if (g.channelsFirst) planesToColumns(g, x, ix, start, count, columns);
  else pixelsToColumns(g, x, ix, start, count, columns);
}

/** The adjoint of `im2col`: adds each entry of the matrix to the element of the image that it came from. */
// prettier-ignore
export function col2im(g: ConvGeometry, columns: TypedArray, start: number, count: number, x: TypedArray, ix: number): void {
  if (g.channelsFirst) columnsToPlanes(g, columns, start, count, x, ix);
  else columnsToPixels(g, columns, start, count, x, ix);
}

/** [channels, height, width] → [rows, count] */
// prettier-ignore
function planesToColumns(
  g: ConvGeometry, x: TypedArray, ix: number, start: number, count: number, columns: TypedArray,
): void {
  const { inHeight, inWidth, outWidth, windowHeight, windowWidth } = g;
  const { strideHeight, strideWidth, dilationHeight, dilationWidth, padTop, padLeft } = g;
  const channels = g.channels / g.groups;
  const end = start + count;
  let d = 0;
  for (let u = 0; u < windowHeight; u++) {
    for (let v = 0; v < windowWidth; v++) {
      const left = v * dilationWidth - padLeft; // w(j, v) = j·stride + left
      const low = firstIndex(-left, strideWidth, 0, outWidth);
      const high = firstIndex(inWidth - left, strideWidth, low, outWidth);
      for (let c = 0; c < channels; c++) {
        const plane = ix + c * inHeight * inWidth + left;
        // The positions from start to end, one row of outputs after another.
        for (let p = start, i = (start / outWidth) | 0; p < end; i++) {
          const first = p - i * outWidth;
          const last = Math.min(outWidth, first + end - p);
          const h = i * strideHeight + u * dilationHeight - padTop;
          const inside = h >= 0 && h < inHeight;
          const from = inside ? Math.min(Math.max(low, first), last) : last;
          const to = inside ? Math.max(Math.min(high, last), from) : last;
          let j = first;
          for (; j < from; j++) columns[d++] = 0;
          for (let s = plane + h * inWidth + j * strideWidth; j < to; j++, s += strideWidth) columns[d++] = x[s];
          for (; j < last; j++) columns[d++] = 0;
          p += last - first;
        }
      }
    }
  }
}

/** [rows, count] → += [channels, height, width] */
// prettier-ignore
function columnsToPlanes(
  g: ConvGeometry, columns: TypedArray, start: number, count: number, x: TypedArray, ix: number,
): void {
  const { inHeight, inWidth, outWidth, windowHeight, windowWidth } = g;
  const { strideHeight, strideWidth, dilationHeight, dilationWidth, padTop, padLeft } = g;
  const channels = g.channels / g.groups;
  const end = start + count;
  let row = 0; // where p = 0 of the row would be, were it there
  for (let u = 0; u < windowHeight; u++) {
    for (let v = 0; v < windowWidth; v++) {
      const left = v * dilationWidth - padLeft;
      const low = firstIndex(-left, strideWidth, 0, outWidth);
      const high = firstIndex(inWidth - left, strideWidth, low, outWidth);
      for (let c = 0; c < channels; c++, row += count) {
        const plane = ix + c * inHeight * inWidth + left;
        for (let p = start, i = (start / outWidth) | 0; p < end; i++) {
          const first = p - i * outWidth;
          const last = Math.min(outWidth, first + end - p);
          const h = i * strideHeight + u * dilationHeight - padTop;
          if (h >= 0 && h < inHeight) {
            const from = Math.max(low, first);
            const to = Math.min(high, last);
            let s = row + p - start + from - first;
            for (let j = from, t = plane + h * inWidth + j * strideWidth; j < to; j++, t += strideWidth) x[t] += columns[s++];
          }
          p += last - first;
        }
      }
    }
  }
}

/** [height, width, channels] → [count, rows] */
// prettier-ignore
function pixelsToColumns(
  g: ConvGeometry, x: TypedArray, ix: number, start: number, count: number, columns: TypedArray,
): void {
  const { inHeight, inWidth, outWidth, windowHeight, windowWidth } = g;
  const { strideHeight, strideWidth, dilationHeight, dilationWidth, padTop, padLeft } = g;
  const pixel = g.channels; // from one pixel to the next
  const channels = pixel / g.groups;
  // Neighbouring taps with all channels are one run.
  const whole = dilationWidth === 1 && channels === pixel;
  let d = 0;
  for (let p = start; p < start + count; p++) {
    const i = (p / outWidth) | 0;
    const left = (p - i * outWidth) * strideWidth - padLeft; // w(j, v) = left + v·dilation
    const low = firstIndex(-left, dilationWidth, 0, windowWidth);
    const high = firstIndex(inWidth - left, dilationWidth, low, windowWidth);
    for (let u = 0; u < windowHeight; u++) {
      const h = i * strideHeight + u * dilationHeight - padTop;
      const inside = h >= 0 && h < inHeight;
      const from = inside ? low : windowWidth;
      const to = inside ? high : windowWidth;
      for (const stop = d + from * channels; d < stop; d++) columns[d] = 0;
      if (whole) {
        let s = ix + (h * inWidth + left + from) * pixel;
        for (const stop = d + (to - from) * channels; d < stop; d++) columns[d] = x[s++];
      } else {
        for (let v = from; v < to; v++) {
          let s = ix + (h * inWidth + left + v * dilationWidth) * pixel;
          for (const stop = d + channels; d < stop; d++) columns[d] = x[s++];
        }
      }
      for (const stop = d + (windowWidth - to) * channels; d < stop; d++) columns[d] = 0;
    }
  }
}

/** [count, rows] → += [height, width, channels] */
// prettier-ignore
function columnsToPixels(
  g: ConvGeometry, columns: TypedArray, start: number, count: number, x: TypedArray, ix: number,
): void {
  const { inHeight, inWidth, outWidth, windowHeight, windowWidth } = g;
  const { strideHeight, strideWidth, dilationHeight, dilationWidth, padTop, padLeft } = g;
  const pixel = g.channels;
  const channels = pixel / g.groups;
  let tap = 0; // the first channel of tap (u, 0)
  for (let p = start; p < start + count; p++) {
    const i = (p / outWidth) | 0;
    const left = (p - i * outWidth) * strideWidth - padLeft;
    const low = firstIndex(-left, dilationWidth, 0, windowWidth);
    const high = firstIndex(inWidth - left, dilationWidth, low, windowWidth);
    for (let u = 0; u < windowHeight; u++, tap += windowWidth * channels) {
      const h = i * strideHeight + u * dilationHeight - padTop;
      if (h < 0 || h >= inHeight) continue;
      for (let v = low; v < high; v++) {
        let s = tap + v * channels;
        let t = ix + (h * inWidth + left + v * dilationWidth) * pixel;
        for (const stop = s + channels; s < stop; s++) x[t++] += columns[s];
      }
    }
  }
}
