/**
 * Matrix multiplication: C[m×n] = A[m×k] · B[k×n], on raw typed arrays with strides.
 *
 * The work is cut into blocks that stay in cache, and the blocks are copied ("packed") into double-precision
 * scratch, so that a transposed or otherwise strided operand costs nothing but its packing:
 *
 *                      ≤ BLOCK             the kernel: four steps of k for one strip
 *                 ┌───────────────┐
 *         ≤ BLOCK │    B block    │                     row p     ──────────→  B0
 *                 └───────────────┘                     row p + 1 ──────────→  B1
 *       ≤ BLOCK                                         row p + 2 ──────────→  B2
 *      ┌───────┐  ┌───────────────┐                     row p + 3 ──────────→  B3
 *    4 │ strip │  │  4 rows of C  │           ┌──────┐
 *      ├───────┤  ├───────────────┤           │ 4×4  │  row i     ──────────→  C0
 *      │   A   │  │    C tile     │ ≤ BLOCK   │ of A │  row i + 1 ──────────→  C1
 *      │       │  │               │           │      │  row i + 2 ──────────→  C2
 *      └───────┘  └───────────────┘           └──────┘  row i + 3 ──────────→  C3
 *
 * Blocking and packing follow Goto & van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (ACM TOMS
 * 34(3), 2008) and BLIS (Van Zee & van de Geijn, ACM TOMS 41(3), 2015). The innermost loop does not: theirs holds
 * a tile of C in registers and loads from A and B. JavaScript checks the bounds of every load, which costs as
 * much as a multiply-add. Here a 4×4 patch of A is held, and rows of B and C stream past it, each row from an
 * array of its own. The four B arrays share one index, and so do the four C arrays, so that two checks serve
 * sixteen multiply-adds. In V8 this is twice as fast as a 4×4 tile of C.
 *
 * Exactness: c_ij = round(Σ_p a_ip·b_pj). Every path below adds the products one by one, p = 0 … k−1, in double
 * precision from +0, and rounds once, in the store. So an element has the same bits whatever m, n, the strides
 * and the path are. Products of float32 numbers are exact in double precision. Integers are exact while sums
 * stay below 2^53; an int32 result then wraps as `| 0` does. NaN and infinities spread: no zero is skipped.
 */

import type { TypedArray } from './types.js';

/** Rows in a strip, and steps of k in a patch. Not free to change: the kernel is written out for 4×4. */
const R = 4;
/** The greatest number of rows, steps of k and columns in a block. B block and C tile take 512 KiB each. */
const BLOCK = 256;
/** Up to this many multiply-adds, packing costs more than it saves (measured). */
const SMALL = 512;

/**
 * Row r of a block lies in array r mod 4, from (r div 4)·ld on. Arrays that are read together must not begin at the
 * same place of a memory page, or they compete for the same cache sets: each begins 512 bytes further on.
 */
const LENGTH = (BLOCK / R) * BLOCK;
const BYTES = 8 * LENGTH + 512;
const scratch = new ArrayBuffer(8 * BYTES + 8 * R * BLOCK);
const B0 = new Float64Array(scratch, 0, LENGTH);
const B1 = new Float64Array(scratch, BYTES, LENGTH);
const B2 = new Float64Array(scratch, 2 * BYTES, LENGTH);
const B3 = new Float64Array(scratch, 3 * BYTES, LENGTH);
const C0 = new Float64Array(scratch, 4 * BYTES, LENGTH);
const C1 = new Float64Array(scratch, 5 * BYTES, LENGTH);
const C2 = new Float64Array(scratch, 6 * BYTES, LENGTH);
const C3 = new Float64Array(scratch, 7 * BYTES, LENGTH);
/** The strip of A that is at work, column after column: its element (i, p) at 4·p + i. */
const STRIP = new Float64Array(scratch, 8 * BYTES, R * BLOCK);

/**
 * C[m×n] = A[m×k] · B[k×n]. Element (i, p) of A is `a[aOffset + i·aRowStride + p·aColStride]`, likewise for B;
 * strides may be negative or zero. Row i of C begins at `c[cOffset + i·cRowStride]` and is contiguous. C is
 * overwritten, nothing between its rows is touched, and it must not share memory with A or B. If k is 0, C is 0.
 *
 * @example
 * const a = Float32Array.of(1, 2, 3, 4); // [[1, 2], [3, 4]]
 * const c = new Float32Array(4);
 * gemm(2, 2, 2, a, 0, 2, 1, a, 0, 1, 2, c, 0, 2); // a · aᵀ: the second operand's strides are swapped
 * // c is [5, 11, 11, 25]
 */
// prettier-ignore
export function gemm(
  m: number, n: number, k: number,
  a: TypedArray, aOffset: number, aRowStride: number, aColStride: number,
  b: TypedArray, bOffset: number, bRowStride: number, bColStride: number,
  c: TypedArray, cOffset: number, cRowStride: number,
): void {
  if (n === 1) {
    matvec(m, k, a, aOffset, aRowStride, aColStride, b, bOffset, bRowStride, c, cOffset, cRowStride);
  } else if (m === 1) { // cᵀ = Bᵀ · aᵀ
    matvec(n, k, b, bOffset, bColStride, bRowStride, a, aOffset, aColStride, c, cOffset, 1);
  } else if (k === 1) {
    outer(m, n, a, aOffset, aRowStride, b, bOffset, bColStride, c, cOffset, cRowStride);
  } else if (m * n * k <= SMALL || m === 2 || n === 2) {
    direct(m, n, k, a, aOffset, aRowStride, aColStride, b, bOffset, bRowStride, bColStride, c, cOffset, cRowStride);
  } else if (n < 16 && n < m) { // Cᵀ = Bᵀ · Aᵀ: the kernel runs along rows of C, so let them be long
    blocked(n, m, k, b, bOffset, bColStride, bRowStride, a, aOffset, aColStride, aRowStride, c, cOffset, 1, cRowStride);
  } else {
    blocked(m, n, k, a, aOffset, aRowStride, aColStride, b, bOffset, bRowStride, bColStride, c, cOffset, cRowStride, 1);
  }
}

/** The general case, C strided both ways: the loops over blocks. */
// prettier-ignore
function blocked(
  m: number, n: number, k: number,
  a: TypedArray, aOffset: number, aRowStride: number, aColStride: number,
  b: TypedArray, bOffset: number, bRowStride: number, bColStride: number,
  c: TypedArray, cOffset: number, cRowStride: number, cColStride: number,
): void {
  for (let j = 0; j < n; j += BLOCK) {
    const nc = Math.min(BLOCK, n - j);
    const ld = (nc + 1) & ~1; // the kernel takes two columns at a time; a column too many is not stored
    for (let i = 0; i < m; i += BLOCK) {
      const mc = Math.min(BLOCK, m - i);
      clearTile(Math.ceil(mc / R) * ld);
      // C[mc×nc] = Σ over blocks of k of A[mc×kc] · B[kc×nc]
      for (let p = 0; p < k; p += BLOCK) {
        const kc = Math.min(BLOCK, k - p);
        packB(kc, nc, ld, b, bOffset + p * bRowStride + j * bColStride, bRowStride, bColStride);
        for (let r = 0, row = 0; r < mc; r += R, row += ld) {
          packStrip(mc - r, kc, a, aOffset + (i + r) * aRowStride + p * aColStride, aRowStride, aColStride);
          // C[4×nc] += A[4×kc] · B[kc×nc], four steps of k at a time
          for (let patch = 0, bRow = 0; patch < R * kc; patch += R * R, bRow += ld) update(patch, bRow, row, ld);
        }
      }
      for (let r = 0, row = 0; r < mc; r += R, row += ld) {
        const start = cOffset + (i + r) * cRowStride + j * cColStride;
        storeRow(C0, row, nc, c, start, cColStride);
        if (r + 1 < mc) storeRow(C1, row, nc, c, start + cRowStride, cColStride);
        if (r + 2 < mc) storeRow(C2, row, nc, c, start + 2 * cRowStride, cColStride);
        if (r + 3 < mc) storeRow(C3, row, nc, c, start + 3 * cRowStride, cColStride);
      }
    }
  }
}

/**
 * The kernel: C[4×n] += A[4×4] · B[4×n], n even. The patch of A begins at `patch` of the strip, the rows of B at
 * `bRow` and those of C at `cRow` of their arrays. The arrays get local names because V8 treats a module's
 * constant as a constant inside a loop only if it was read before the loop.
 */
// prettier-ignore
function update(patch: number, bRow: number, cRow: number, n: number): void {
  const A = STRIP, b0 = B0, b1 = B1, b2 = B2, b3 = B3, c0 = C0, c1 = C1, c2 = C2, c3 = C3;
  const a00 = A[patch], a10 = A[patch + 1], a20 = A[patch + 2], a30 = A[patch + 3];
  const a01 = A[patch + 4], a11 = A[patch + 5], a21 = A[patch + 6], a31 = A[patch + 7];
  const a02 = A[patch + 8], a12 = A[patch + 9], a22 = A[patch + 10], a32 = A[patch + 11];
  const a03 = A[patch + 12], a13 = A[patch + 13], a23 = A[patch + 14], a33 = A[patch + 15];
  let s = bRow | 0, t = cRow | 0;
  const end = (s + n) | 0;
  // c_ij += a_i0·b_0j + a_i1·b_1j + a_i2·b_2j + a_i3·b_3j, added from left to right
  while (s < end) {
    const x0 = b0[s], x1 = b1[s], x2 = b2[s], x3 = b3[s];
    c0[t] = c0[t] + a00 * x0 + a01 * x1 + a02 * x2 + a03 * x3;
    c1[t] = c1[t] + a10 * x0 + a11 * x1 + a12 * x2 + a13 * x3;
    c2[t] = c2[t] + a20 * x0 + a21 * x1 + a22 * x2 + a23 * x3;
    c3[t] = c3[t] + a30 * x0 + a31 * x1 + a32 * x2 + a33 * x3;
    const y0 = b0[s + 1], y1 = b1[s + 1], y2 = b2[s + 1], y3 = b3[s + 1];
    c0[t + 1] = c0[t + 1] + a00 * y0 + a01 * y1 + a02 * y2 + a03 * y3;
    c1[t + 1] = c1[t + 1] + a10 * y0 + a11 * y1 + a12 * y2 + a13 * y3;
    c2[t + 1] = c2[t + 1] + a20 * y0 + a21 * y1 + a22 * y2 + a23 * y3;
    c3[t + 1] = c3[t + 1] + a30 * y0 + a31 * y1 + a32 * y2 + a33 * y3;
    s = (s + 2) | 0;
    t = (t + 2) | 0;
  }
}

/**
 * Copies a strip of A, 4×kc. Where fewer than 4 rows are left the first one is repeated, and what it gives is not
 * stored. The last patch is filled up with columns of zeros, which meet rows of zeros in B: a sum that began at +0
 * is never −0, so adding 0·0 leaves its bits alone.
 */
// prettier-ignore
function packStrip(rows: number, kc: number, a: TypedArray, offset: number, rowStride: number, colStride: number): void {
  const strip = STRIP;
  const r1 = rows > 1 ? rowStride : 0;
  const r2 = rows > 2 ? 2 * rowStride : 0;
  const r3 = rows > 3 ? 3 * rowStride : 0;
  let d = 0;
  for (let s = offset; d < R * kc; d += R, s += colStride) {
    strip[d] = a[s];
    strip[d + 1] = a[s + r1];
    strip[d + 2] = a[s + r2];
    strip[d + 3] = a[s + r3];
  }
  for (; d % (R * R) !== 0; d++) strip[d] = 0;
}

/** Copies a block of B, kc×nc, into the row arrays; the last rows are filled up with zeros, as in `packStrip`. */
// prettier-ignore
function packB(
  kc: number, nc: number, ld: number, b: TypedArray, offset: number, rowStride: number, colStride: number,
): void {
  const b0 = B0, b1 = B1, b2 = B2, b3 = B3;
  for (let p = 0, row = 0; p < kc; p += R, row += ld) {
    const r1 = p + 1 < kc ? rowStride : 0;
    const r2 = p + 2 < kc ? 2 * rowStride : 0;
    const r3 = p + 3 < kc ? 3 * rowStride : 0;
    const end = row + nc;
    for (let d = row, s = offset + p * rowStride; d < end; d++, s += colStride) {
      b0[d] = b[s];
      b1[d] = b[s + r1];
      b2[d] = b[s + r2];
      b3[d] = b[s + r3];
    }
    if (p + 1 >= kc) b1.fill(0, row, end);
    if (p + 2 >= kc) b2.fill(0, row, end);
    if (p + 3 >= kc) b3.fill(0, row, end);
  }
}

/** C tile = 0, in the first `length` places of each row array. */
// prettier-ignore
function clearTile(length: number): void {
  const c0 = C0, c1 = C1, c2 = C2, c3 = C3;
  for (let t = 0; t < length; t++) c0[t] = c1[t] = c2[t] = c3[t] = 0;
}

/** Stores n sums of one row of the tile, rounding them to C's element type. */
// prettier-ignore
function storeRow(tile: Float64Array, row: number, n: number, c: TypedArray, offset: number, stride: number): void {
  for (let t = row, d = offset; t < row + n; t++, d += stride) c[d] = tile[t];
}

/** y[m] = A[m×k] · x[k], eight rows at a time: an addition need not wait for the one before it. */
// prettier-ignore
function matvec(
  m: number, k: number,
  a: TypedArray, aOffset: number, aRowStride: number, aColStride: number,
  x: TypedArray, xOffset: number, xStride: number,
  y: TypedArray, yOffset: number, yStride: number,
): void {
  const sums = STRIP;
  for (let i = 0; i < m; i += 8) {
    const last = m - 1 - i; // at the end this row is repeated, unstored
    const r1 = Math.min(1, last) * aRowStride, r2 = Math.min(2, last) * aRowStride;
    const r3 = Math.min(3, last) * aRowStride, r4 = Math.min(4, last) * aRowStride;
    const r5 = Math.min(5, last) * aRowStride, r6 = Math.min(6, last) * aRowStride;
    const r7 = Math.min(7, last) * aRowStride;
    let y0 = 0, y1 = 0, y2 = 0, y3 = 0, y4 = 0, y5 = 0, y6 = 0, y7 = 0;
    let s = aOffset + i * aRowStride, t = xOffset;
    // y_i = Σ_p a_ip · x_p
    for (let p = 0; p < k; p++, s += aColStride, t += xStride) {
      const xp = x[t];
      y0 += a[s] * xp;
      y1 += a[s + r1] * xp;
      y2 += a[s + r2] * xp;
      y3 += a[s + r3] * xp;
      y4 += a[s + r4] * xp;
      y5 += a[s + r5] * xp;
      y6 += a[s + r6] * xp;
      y7 += a[s + r7] * xp;
    }
    sums[0] = y0; sums[1] = y1; sums[2] = y2; sums[3] = y3;
    sums[4] = y4; sums[5] = y5; sums[6] = y6; sums[7] = y7;
    storeRow(sums, 0, Math.min(8, m - i), y, yOffset + i * yStride, yStride);
  }
}

/** C[m×n] = a[m] · b[n]ᵀ. */
// prettier-ignore
function outer(
  m: number, n: number,
  a: TypedArray, aOffset: number, aStride: number,
  b: TypedArray, bOffset: number, bStride: number,
  c: TypedArray, cOffset: number, cRowStride: number,
): void {
  for (let i = 0; i < m; i++) {
    const ai = a[aOffset + i * aStride];
    const start = cOffset + i * cRowStride;
    // c_ij = 0 + a_i · b_j, as in every sum: −0 becomes +0
    for (let d = start, s = bOffset; d < start + n; d++, s += bStride) c[d] = 0 + ai * b[s];
  }
}

/** C = A · B unpacked, in tiles of 2×2; at an odd edge a tile repeats its row or column and does not store it. */
// prettier-ignore
function direct(
  m: number, n: number, k: number,
  a: TypedArray, aOffset: number, aRowStride: number, aColStride: number,
  b: TypedArray, bOffset: number, bRowStride: number, bColStride: number,
  c: TypedArray, cOffset: number, cRowStride: number,
): void {
  for (let i = 0; i < m; i += 2) {
    const twoRows = i + 1 < m;
    const nextRow = twoRows ? aRowStride : 0;
    for (let j = 0; j < n; j += 2) {
      const twoColumns = j + 1 < n;
      const nextColumn = twoColumns ? bColStride : 0;
      let c00 = 0, c01 = 0, c10 = 0, c11 = 0;
      let s = aOffset + i * aRowStride, t = bOffset + j * bColStride;
      // c_ij = Σ_p a_ip · b_pj
      for (let p = 0; p < k; p++, s += aColStride, t += bRowStride) {
        const a0 = a[s], a1 = a[s + nextRow], b0 = b[t], b1 = b[t + nextColumn];
        c00 += a0 * b0;
        c01 += a0 * b1;
        c10 += a1 * b0;
        c11 += a1 * b1;
      }
      const d = cOffset + i * cRowStride + j;
      c[d] = c00;
      if (twoColumns) c[d + 1] = c01;
      if (twoRows) c[d + cRowStride] = c10;
      if (twoRows && twoColumns) c[d + cRowStride + 1] = c11;
    }
  }
}
