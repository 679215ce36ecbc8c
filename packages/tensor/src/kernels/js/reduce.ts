/** Reductions: folds of a row into one number. Sums run in double precision whatever the array holds. */
import type { ArgKernel, FoldKernel } from './types.js';

/** Σ x */
export const sum: FoldKernel = (acc, n, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) acc += x[ix];
  return acc;
};

/** Σ |x| */
export const sumAbs: FoldKernel = (acc, n, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) acc += Math.abs(x[ix]);
  return acc;
};

/** Σ (x − p)²: squares about 0 for a norm, about the mean for a variance */
export const sumSquares: FoldKernel = (acc, n, x, ix, sx, p) => {
  for (let i = 0; i < n; i++, ix += sx) acc += (x[ix] - p) * (x[ix] - p);
  return acc;
};

/** Σ e^(x − p) */
export const sumExp: FoldKernel = (acc, n, x, ix, sx, p) => {
  for (let i = 0; i < n; i++, ix += sx) acc += Math.exp(x[ix] - p);
  return acc;
};

/** Π x */
export const prod: FoldKernel = (acc, n, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) acc *= x[ix];
  return acc;
};

/** The greatest; NaN if any is */
export const max: FoldKernel = (acc, n, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) acc = Math.max(acc, x[ix]);
  return acc;
};

/** The smallest; NaN if any is */
export const min: FoldKernel = (acc, n, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) acc = Math.min(acc, x[ix]);
  return acc;
};

/** The greatest absolute value */
export const maxAbs: FoldKernel = (acc, n, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) acc = Math.max(acc, Math.abs(x[ix]));
  return acc;
};

/** 1 if any is not 0 */
export const any: FoldKernel = (acc, n, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) if (x[ix] !== 0) return 1;
  return acc;
};

/** 1 if none is 0 */
export const all: FoldKernel = (acc, n, x, ix, sx) => {
  for (let i = 0; i < n; i++, ix += sx) if (x[ix] === 0) return 0;
  return acc;
};

/** Where the greatest is, the first of equals; a NaN counts as the greatest, as in NumPy */
export const argmax: ArgKernel = (n, x, ix, sx) => {
  let best = 0;
  let value = x[ix];
  for (let i = 1; i < n && value === value; i++) {
    const v = x[ix + i * sx];
    if (v > value || v !== v) {
      best = i;
      value = v;
    }
  }
  return best;
};

/** Where the smallest is, the first of equals; a NaN counts as the smallest */
export const argmin: ArgKernel = (n, x, ix, sx) => {
  let best = 0;
  let value = x[ix];
  for (let i = 1; i < n && value === value; i++) {
    const v = x[ix + i * sx];
    if (v < value || v !== v) {
      best = i;
      value = v;
    }
  }
  return best;
};
