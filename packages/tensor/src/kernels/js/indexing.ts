/** Kernels that read or write at positions given as data. Arrays are row-major: [outer, n, inner]. */
import type { TypedArray } from './types.js';

/** From so many elements on, a row is copied at once: the platform's copy is faster than a loop, but has to make a view first. */
const LONG_ROW = 32;

/** y[o, j, :] = x[o, index[j], :] for x [outer, n, inner] and y [outer, index.length, inner] */
export function gather(
  outer: number,
  n: number,
  inner: number,
  x: TypedArray,
  ix: number,
  index: Int32Array,
  y: TypedArray,
  iy: number,
): void {
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < index.length; j++) {
      const from = ix + (o * n + index[j]) * inner;
      if (inner >= LONG_ROW) y.set(x.subarray(from, from + inner), iy);
      else for (let i = 0; i < inner; i++) y[iy + i] = x[from + i];
      iy += inner;
    }
  }
}

/** y[o, index[j], :] += x[o, j, :] for x [outer, index.length, inner] and y [outer, n, inner]: the adjoint of gather */
export function scatterAdd(
  outer: number,
  n: number,
  inner: number,
  x: TypedArray,
  ix: number,
  index: Int32Array,
  y: TypedArray,
  iy: number,
): void {
  for (let o = 0; o < outer; o++) {
    for (let j = 0; j < index.length; j++) {
      const to = iy + (o * n + index[j]) * inner;
      for (let i = 0; i < inner; i++) y[to + i] += x[ix + i];
      ix += inner;
    }
  }
}
