/** Kernels in which every element of a line along an axis depends on the others: softmax, running sums, sorting. */
import type { LaneKernel, TypedArray } from './types.js';

/** y = e^(x − m) / Σ e^(x − m) with m = max x: the largest exponent is 0, so nothing overflows */
export const softmax: LaneKernel = (n, y, iy, sy, x, ix, sx) => {
  let m = -Infinity;
  for (let i = 0; i < n; i++) m = Math.max(m, x[ix + i * sx]);
  let total = 0;
  for (let i = 0; i < n; i++) {
    const e = Math.exp(x[ix + i * sx] - m);
    y[iy + i * sy] = e;
    total += e;
  }
  for (let i = 0; i < n; i++) y[iy + i * sy] /= total;
};

/** y = (x − m) − ln Σ e^(x − m) with m = max x; in this order a large m takes no digits from the logarithm */
export const logSoftmax: LaneKernel = (n, y, iy, sy, x, ix, sx) => {
  let m = -Infinity;
  for (let i = 0; i < n; i++) m = Math.max(m, x[ix + i * sx]);
  let total = 0;
  for (let i = 0; i < n; i++) total += Math.exp(x[ix + i * sx] - m);
  const logTotal = Math.log(total);
  for (let i = 0; i < n; i++) y[iy + i * sy] = x[ix + i * sx] - m - logTotal;
};

/** −Σ t·ln softmax(z) = Σ t·(ln Σ e^(z − m) + (m − z)) with m = max z, over one row of logits z and labels t */
export function softmaxCrossEntropy(
  n: number,
  z: TypedArray,
  iz: number,
  sz: number,
  t: TypedArray,
  it: number,
  st: number,
): number {
  let m = -Infinity;
  for (let i = 0; i < n; i++) m = Math.max(m, z[iz + i * sz]);
  let total = 0;
  for (let i = 0; i < n; i++) total += Math.exp(z[iz + i * sz] - m);
  const logTotal = Math.log(total);
  let loss = 0;
  for (let i = 0; i < n; i++) loss += t[it + i * st] * (logTotal + (m - z[iz + i * sz]));
  return loss;
}

/** y[i] = x[0] + … + x[i]; with p (exclusive) without x[i]; with q (reverse) from the end */
export const cumsum: LaneKernel = (n, y, iy, sy, x, ix, sx, p, q) => {
  let total = 0;
  for (let k = 0; k < n; k++) {
    const i = q !== 0 ? n - 1 - k : k;
    const v = x[ix + i * sx];
    y[iy + i * sy] = p !== 0 ? total : total + v;
    total += v;
  }
};

/** y[i] = x[0] · … · x[i]; with p (exclusive) without x[i]; with q (reverse) from the end */
export const cumprod: LaneKernel = (n, y, iy, sy, x, ix, sx, p, q) => {
  let total = 1;
  for (let k = 0; k < n; k++) {
    const i = q !== 0 ? n - 1 - k : k;
    const v = x[ix + i * sx];
    y[iy + i * sy] = p !== 0 ? total : total * v;
    total *= v;
  }
};

/** The permutation that sorts the row: ascending, or descending with p; equals stay in order and NaN comes last. */
export const argsort: LaneKernel = (n, y, iy, sy, x, ix, sx, p) => {
  const order = new Int32Array(n);
  for (let i = 0; i < n; i++) order[i] = i;
  const sign = p !== 0 ? -1 : 1;
  order.sort((i, j) => {
    const [a, b] = [x[ix + i * sx], x[ix + j * sx]];
    if (a !== a || b !== b) return (a !== a ? 1 : 0) - (b !== b ? 1 : 0) || i - j;
    return sign * (a - b) || i - j;
  });
  for (let i = 0; i < n; i++) y[iy + i * sy] = order[i];
};
