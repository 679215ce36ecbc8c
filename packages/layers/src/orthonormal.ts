/** Gram–Schmidt on plain arrays, for the orthogonal initializer. */
import { tensor } from '@tapegrad/tensor';

/** Vectors that are projected together, as a product of matrices. */
const BLOCK = 32;

/**
 * Makes `count` vectors of `length` numbers, one after another in `v`, orthonormal: each loses its projections on those
 * before it and is scaled to length 1. Gram–Schmidt by blocks, everything done twice, which brings the products down to
 * the rounding error (Giraud et al. 2005). The result is the Q of the decomposition A = Q·R whose R has a positive
 * diagonal; with a normal A, this choice of signs makes all directions equally likely (Mezzadri 2007).
 */
export function orthonormalize(v: Float64Array, count: number, length: number): void {
  const all = tensor(v, { shape: [count, length] });
  for (let from = 0; from < count; from += BLOCK) {
    const to = Math.min(from + BLOCK, count);
    for (let pass = 0; pass < 2; pass++) {
      if (from > 0) {
        const before = all.slice({ begin: [0, 0], size: [from, length] });
        const block = all.slice({ begin: [from, 0], size: [to - from, length] });
        const shadow = block.matmul(before, { transposeB: true }).matmul(before).toTypedArray();
        for (let k = 0; k < shadow.length; k++) v[from * length + k] -= shadow[k];
      }
      orthonormalizeBlock(v, from, to, length);
    }
  }
}

/** Modified Gram–Schmidt among the vectors from … to − 1. */
function orthonormalizeBlock(v: Float64Array, from: number, to: number, length: number): void {
  for (let at = from * length; at < to * length; at += length) {
    for (let other = from * length; other < at; other += length) {
      let projection = 0;
      for (let k = 0; k < length; k++) projection += v[other + k] * v[at + k];
      for (let k = 0; k < length; k++) v[at + k] -= projection * v[other + k];
    }
    let square = 0;
    for (let k = 0; k < length; k++) square += v[at + k] * v[at + k];
    const norm = Math.sqrt(square);
    for (let k = 0; k < length; k++) v[at + k] /= norm;
  }
}
