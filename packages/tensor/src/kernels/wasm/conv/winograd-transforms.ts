/**
 * Winograd's minimal filtering: m outputs of a filter of r taps from t = m + r − 1 products instead of m·r, and in two
 * dimensions m×m outputs of r×r taps from t×t:
 *
 *     Y = Aᵀ·[(G·g·Gᵀ) ⊙ (Bᵀ·d·B)]·A          d: t×t data, g: r×r taps, Y: m×m outputs
 *
 * The matrices come from the construction of Cook and Toom: data and outputs are polynomials, multiplied by their values at t − 1
 * points and at infinity. Points of small size and their negatives and inverses keep the rounding errors small, and the negatives
 * halve the work: rows for a and −a have the same even part, and odd parts of opposite signs.
 *
 * Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks" (CVPR 2016); Blahut, "Fast Algorithms for Signal Processing",
 * section 5.2; Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution" (ACM TOMS 46(4), 2020).
 */
import type { FunctionBuilder, Local, ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { madd } from '../math.js';
import { f32x4 } from '../assembler/simd.js';

/** Row by row. */
export type Matrix = readonly (readonly number[])[];

/** The three matrices: Aᵀ [m, t], G [t, r], Bᵀ [t, t]. */
export interface Transforms {
  readonly outputs: Matrix;
  readonly filters: Matrix;
  readonly data: Matrix;
}

/** Coefficients of Π (x − root), the constant first. */
function polynomial(roots: readonly number[]): number[] {
  return roots.reduce<number[]>(
    (p, root) => [...p, 0].map((_, k) => (k > 0 ? p[k - 1] : 0) - root * (k < p.length ? p[k] : 0)),
    [1],
  );
}

/** The transforms for m outputs of r taps; there must be m + r − 2 points. */
export function cookToom(m: number, r: number, points: readonly number[]): Transforms {
  const powers = (x: number, n: number): number[] => Array.from({ length: n }, (_, i) => x ** i);
  const last = (n: number): number[] => Array.from({ length: n }, (_, i) => (i === n - 1 ? 1 : 0));
  const others = (i: number): number[] => points.filter((_, j) => j !== i);
  const scale = points.map((a, i) => others(i).reduce((product, b) => product * (a - b), 1));
  const columns = [...points.map((a) => powers(a, m)), last(m)];
  return {
    outputs: Array.from({ length: m }, (_, i) => columns.map((column) => column[i])),
    filters: [...points.map((a, i) => powers(a, r).map((p) => p / scale[i])), last(r)],
    data: [...points.map((_, i) => [...polynomial(others(i)), 0]), polynomial(points)],
  };
}

/** Appends products of a constant matrix with vectors to a function, whose constants are kept in variables. */
export class LinearMap {
  private readonly constants = new Map<number, Local<'v128'>>();

  constructor(
    private readonly f: FunctionBuilder,
    private readonly m: ModuleBuilder,
    private readonly matrix: Matrix,
  ) {
    for (const value of new Set(matrix.flat().map(Math.abs))) {
      if (value !== 0 && value !== 1) {
        this.constants.set(value, f.local('v128', f32x4.const(value)));
      }
    }
  }

  /** Gives matrix·x, row by row. */
  apply(x: readonly Local<'v128'>[], take: (row: number, value: Expr<'v128'>) => void): void {
    const { f, matrix } = this;
    const [even, odd] = [f.local('v128'), f.local('v128')];
    for (let i = 0; i < matrix.length; i++) {
      const row = matrix[i];
      const mirrored = matrix[i + 1] as readonly number[] | undefined;
      const half = row.map((a, j) => (a + (mirrored?.[j] ?? 0)) / 2);
      const rest = row.map((a, j) => (a - (mirrored?.[j] ?? 0)) / 2);
      const apart = half.every((a, j) => a === 0 || rest[j] === 0);
      if (mirrored !== undefined && apart && half.some((a) => a) && rest.some((a) => a)) {
        f.set(even, this.combination(half, x));
        f.set(odd, this.combination(rest, x));
        take(i, f32x4.add(even, odd));
        take(i + 1, f32x4.sub(even, odd));
        i++;
      } else {
        take(i, this.combination(row, x));
      }
    }
  }

  /** Σ a_j·x_j without the zeros; those times 1 first. */
  private combination(row: readonly number[], x: readonly Local<'v128'>[]): Expr<'v128'> {
    const terms = row
      .map((a, j) => ({ a, x: x[j] }))
      .filter(({ a }) => a !== 0)
      .sort((p, q) => Number(Math.abs(p.a) !== 1) - Number(Math.abs(q.a) !== 1) || q.a - p.a);
    return terms.reduce<Expr<'v128'> | null>((sum, { a, x: value }) => {
      const factor = this.constants.get(Math.abs(a));
      if (sum === null) {
        const first = factor === undefined ? value : f32x4.mul(factor, value);
        return a < 0 ? f32x4.neg(first) : first;
      }
      if (factor === undefined) return a < 0 ? f32x4.sub(sum, value) : f32x4.add(sum, value);
      if (a < 0) return f32x4.sub(sum, f32x4.mul(factor, value));
      return madd(this.m, factor, value, sum);
    }, null) as Expr<'v128'>;
  }
}
