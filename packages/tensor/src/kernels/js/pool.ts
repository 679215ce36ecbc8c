/**
 * Pooling: one number for each window, its maximum or its mean. Padding is no element: it is never the maximum and does not
 * count in the mean.
 *
 * Data are [batch, height, width, channels]. Planes, [batch, channels, height, width], are the same thing with batch·channels
 * images of one channel. windows.ts says where the windows stand; a window cut off by the edges covers [top, bottom)×[left, right).
 */
import type { TypedArray } from './types.js';
import type { Windows } from './windows.js';

/** y = the maximum of each window, index = where in x it stands, counted from ix; of equal ones the first. NaN wins. */
// prettier-ignore
export function maxPool(
  g: Windows, batch: number, channels: number,
  x: TypedArray, ix: number, y: TypedArray, iy: number, index: TypedArray, ii: number,
): void {
  const { inHeight, inWidth, outHeight, outWidth, windowHeight, windowWidth, strideHeight, strideWidth, padTop, padLeft } = g;
  for (let n = 0; n < batch; n++) {
    const image = n * inHeight * inWidth * channels;
    for (let i = 0; i < outHeight; i++) {
      const h = i * strideHeight - padTop;
      const top = Math.max(h, 0), bottom = Math.min(h + windowHeight, inHeight);
      for (let j = 0; j < outWidth; j++) {
        const w = j * strideWidth - padLeft;
        const left = Math.max(w, 0), right = Math.min(w + windowWidth, inWidth);
        for (let c = 0; c < channels; c++) {
          let at = image + (top * inWidth + left) * channels + c;
          let best = x[ix + at];
          for (let row = top; row < bottom; row++) {
            let s = image + (row * inWidth + left) * channels + c;
            for (let column = left; column < right; column++, s += channels) {
              const value = x[ix + s];
              if (value > best || value !== value) {
                best = value;
                at = s;
              }
            }
          }
          y[iy++] = best;
          index[ii++] = at;
        }
      }
    }
  }
}

/** y = the mean of each window */
// prettier-ignore
export function averagePool(
  g: Windows, batch: number, channels: number, x: TypedArray, ix: number, y: TypedArray, iy: number,
): void {
  const { inHeight, inWidth, outHeight, outWidth, windowHeight, windowWidth, strideHeight, strideWidth, padTop, padLeft } = g;
  for (let n = 0; n < batch; n++) {
    const image = ix + n * inHeight * inWidth * channels;
    for (let i = 0; i < outHeight; i++) {
      const h = i * strideHeight - padTop;
      const top = Math.max(h, 0), bottom = Math.min(h + windowHeight, inHeight);
      for (let j = 0; j < outWidth; j++) {
        const w = j * strideWidth - padLeft;
        const left = Math.max(w, 0), right = Math.min(w + windowWidth, inWidth);
        const count = (bottom - top) * (right - left);
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (let row = top; row < bottom; row++) {
            let s = image + (row * inWidth + left) * channels + c;
            for (let column = left; column < right; column++, s += channels) sum += x[s];
          }
          y[iy++] = sum / count;
        }
      }
    }
  }
}

/** The adjoint of `averagePool`: x(h, w) = Σ y(i, j) / count(i, j) over the windows (i, j) that cover (h, w). */
// prettier-ignore
export function averagePoolTranspose(
  g: Windows, batch: number, channels: number, y: TypedArray, iy: number, x: TypedArray, ix: number,
): void {
  const { inHeight, inWidth, outHeight, outWidth, windowHeight, windowWidth, strideHeight, strideWidth, padTop, padLeft } = g;
  for (let n = 0; n < batch; n++) {
    const image = iy + n * outHeight * outWidth * channels;
    for (let h = 0; h < inHeight; h++) {
      // The rows i with i·stride − pad ≤ h < i·stride − pad + window
      const first = Math.max(Math.ceil((h + padTop - windowHeight + 1) / strideHeight), 0);
      const last = Math.min(Math.floor((h + padTop) / strideHeight), outHeight - 1);
      for (let w = 0; w < inWidth; w++) {
        const firstColumn = Math.max(Math.ceil((w + padLeft - windowWidth + 1) / strideWidth), 0);
        const lastColumn = Math.min(Math.floor((w + padLeft) / strideWidth), outWidth - 1);
        for (let c = 0; c < channels; c++) {
          let sum = 0;
          for (let i = first; i <= last; i++) {
            const up = i * strideHeight - padTop;
            const height = Math.min(up + windowHeight, inHeight) - Math.max(up, 0);
            for (let j = firstColumn; j <= lastColumn; j++) {
              const back = j * strideWidth - padLeft;
              const width = Math.min(back + windowWidth, inWidth) - Math.max(back, 0);
              sum += y[image + (i * outWidth + j) * channels + c] / (height * width);
            }
          }
          x[ix++] = sum;
        }
      }
    }
  }
}
