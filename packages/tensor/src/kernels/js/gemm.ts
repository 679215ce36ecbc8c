import type { TypedArray } from './types.js';

/** Plain triple loop, until the blocked one lands. */
export function gemm(
  m: number,
  n: number,
  k: number,
  a: TypedArray,
  a0: number,
  ar: number,
  ac: number,
  b: TypedArray,
  b0: number,
  br: number,
  bc: number,
  c: TypedArray,
  c0: number,
  cr: number,
): void {
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let s = 0;
      for (let p = 0; p < k; p++) s += a[a0 + i * ar + p * ac] * b[b0 + p * br + j * bc];
      c[c0 + i * cr + j] = s;
    }
}
