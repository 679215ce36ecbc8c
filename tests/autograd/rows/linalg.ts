/** Rows of the products. */
import { ops } from '@tapegrad/autograd';
import { row, uniform, type GradientRow, type GradientRows } from './types.js';

type Row = [GradientRow, ...GradientRow[]];
type Shapes = readonly (readonly number[])[];

/** Every way to transpose the operands of products of these shapes (as they are without transposing). */
function transposes(
  [m, k, n]: readonly number[],
  batchA: number[],
  batchB: number[],
): GradientRow[] {
  return [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) =>
      row(
        (a, b) => ops.matmul(a, b, { transposeA, transposeB }),
        uniform([...batchA, ...(transposeA ? [k, m] : [m, k])]),
        uniform([...batchB, ...(transposeB ? [n, k] : [k, n])]),
      ),
    ),
  );
}

const pairs = (f: GradientRow['f'], first: Shapes, ...others: Shapes[]): Row => [
  row(f, ...first.map((shape) => uniform(shape))),
  ...others.map((shapes) => row(f, ...shapes.map((shape) => uniform(shape)))),
];

/** An equation with the shapes of its inputs. */
const einsum = (equation: string, ...shapes: Shapes): GradientRow =>
  row((...xs) => ops.einsum(xs, equation), ...shapes.map((shape) => uniform(shape)));

export const linalgRows = {
  matmul: [
    ...pairs(
      (a, b) => ops.matmul(a, b),
      [[3], [3]],
      [[3], [3, 2]],
      [[2, 3], [3]],
      [[3], [2, 3, 2]],
      [[2, 2, 3], [3]],
      [
        [1, 2],
        [2, 1],
      ],
    ),
    ...transposes([2, 3, 2], [], []),
    ...transposes([2, 3, 2], [2], [2]),
    ...transposes([2, 3, 2], [2], []),
    ...transposes([2, 3, 2], [], [2]),
    ...transposes([1, 2, 3], [2, 1], [3]),
    ...transposes([2, 1, 2], [1, 2], [2, 1]),
    // A vector has nothing to transpose.
    row(
      (a, b) => ops.matmul(a, b, { transposeA: true, transposeB: true }),
      uniform([3]),
      uniform([2, 3]),
    ),
    row((a) => ops.matmul(a, a, { transposeB: true }), uniform([2, 3])),
  ],
  dot: pairs(
    (a, b) => ops.dot(a, b),
    [[3], [3]],
    [
      [2, 3],
      [3, 2],
    ],
    [[2, 3], [3]],
    [[3], [3, 2]],
    [[3], [2, 3, 2]],
    [
      [2, 3],
      [2, 3, 2],
    ],
    [
      [2, 2, 3],
      [2, 3, 2],
    ],
  ),
  outer: pairs((a, b) => ops.outer(a, b), [[2], [3]], [[1], [2]]),
  einsum: [
    einsum('ij,jk->ik', [2, 3], [3, 2]),
    einsum('ij,jk', [2, 3], [3, 2]),
    einsum('bij,bjk->bik', [2, 2, 3], [2, 3, 2]),
    einsum('ij->ji', [2, 3]),
    einsum('ij->', [2, 3]),
    einsum('ij->j', [2, 3]),
    einsum('i->i', [3]),
    // Letters that stand twice: traces and diagonals.
    einsum('ii->i', [3, 3]),
    einsum('ii', [3, 3]),
    einsum('iij->ij', [2, 2, 3]),
    einsum('iji->j', [2, 3, 2]),
    einsum('iii->i', [2, 2, 2]),
    einsum('iijj->ij', [2, 2, 2, 2]),
    einsum('ii,i->i', [3, 3], [3]),
    einsum('ii,jj->ij', [2, 2], [3, 3]),
    einsum('i,i->', [3], [3]),
    einsum('i,i->i', [3], [3]),
    einsum('i,j->ij', [2], [3]),
    // A letter that only one input has and the result has not: summed before or after.
    einsum('ij,k->i', [2, 3], [2]),
    einsum('ijk,k->j', [2, 2, 3], [3]),
    einsum('abc,cd,bd->a', [2, 2, 3], [3, 2], [2, 2]),
    einsum('ij,jk,kl->il', [2, 2], [2, 3], [3, 2]),
    einsum('bqd,bkd->bqk', [2, 2, 3], [2, 3, 3]),
    einsum(',i->i', [], [3]),
    row((x) => ops.einsum([x, x], 'ij,ij->'), uniform([2, 3])),
  ],
} satisfies Partial<GradientRows>;
