/** Rows of the products. */
import { NUMBER, uniform, type OpRows } from './types.js';

export const linalg = {
  matmul: {
    cases: [
      { inputs: [uniform([3, 4]), uniform([4, 2])] },
      { inputs: [uniform([4, 3]), uniform([2, 4])], attrs: { transposeA: true, transposeB: true } },
      { inputs: [uniform([2, 3, 4]), uniform([4, 2])] },
      { inputs: [uniform([2, 1, 3, 4]), uniform([5, 4, 2])] },
      { inputs: [uniform([3, 4]), uniform([2, 2, 4])], attrs: { transposeB: true } },
      { inputs: [uniform([4]), uniform([4])] },
      { inputs: [uniform([4]), uniform([2, 4, 3])] },
      { inputs: [uniform([2, 3, 4]), uniform([4])] },
      // Larger than the blocks that products are computed in.
      { inputs: [uniform([37, 70]), uniform([70, 41])] },
    ],
    dtypes: NUMBER,
    empty: [
      {
        inputs: [
          [2, 0],
          [0, 3],
        ],
        shape: [2, 3],
        fill: 0,
      },
      {
        inputs: [
          [0, 2],
          [2, 3],
        ],
        shape: [0, 3],
      },
      {
        inputs: [
          [2, 3],
          [3, 0],
        ],
        shape: [2, 0],
      },
      { inputs: [[0], [0]], shape: [], fill: 0 },
      {
        inputs: [
          [0, 2, 3],
          [3, 4],
        ],
        shape: [0, 2, 4],
      },
      {
        inputs: [
          [5, 2, 0],
          [0, 4],
        ],
        shape: [5, 2, 4],
        fill: 0,
      },
      {
        inputs: [
          [5, 2, 0],
          [1, 0, 4],
        ],
        shape: [5, 2, 4],
        fill: 0,
      },
    ],
  },
  dot: {
    cases: [
      { inputs: [uniform([3]), uniform([3])] },
      { inputs: [uniform([2, 3]), uniform([3])] },
      { inputs: [uniform([2, 3]), uniform([4, 3, 2])] },
    ],
    dtypes: NUMBER,
    empty: [
      { inputs: [[0], [0]], shape: [], fill: 0 },
      {
        inputs: [
          [2, 0],
          [0, 3],
        ],
        shape: [2, 3],
        fill: 0,
      },
      { inputs: [[0, 2], [2]], shape: [0] },
    ],
  },
  outer: {
    cases: [{ inputs: [uniform([3]), uniform([4])] }],
    dtypes: NUMBER,
    empty: [{ inputs: [[0], [3]], shape: [0, 3] }],
  },
  einsum: {
    cases: [
      { inputs: [uniform([2, 3]), uniform([3, 4])], attrs: { equation: 'ij,jk->ik' } },
      { inputs: [uniform([3, 3])], attrs: { equation: 'ii->i' } },
      { inputs: [uniform([3, 3])], attrs: { equation: 'ii' } },
      { inputs: [uniform([2, 3, 4])], attrs: { equation: 'abc->ca' } },
      { inputs: [uniform([2, 3]), uniform([2, 3])], attrs: { equation: 'ij,ij->' } },
      {
        inputs: [uniform([2, 3]), uniform([3, 4, 2]), uniform([4])],
        attrs: { equation: 'ai,ibd,b->ad' },
      },
    ],
    dtypes: NUMBER,
    empty: [
      {
        inputs: [
          [2, 0],
          [0, 3],
        ],
        attrs: { equation: 'ij,jk' },
        shape: [2, 3],
        fill: 0,
      },
      { inputs: [[0, 2]], attrs: { equation: 'ij->j' }, shape: [2], fill: 0 },
      { inputs: [[0, 2]], attrs: { equation: 'ij->ji' }, shape: [2, 0] },
    ],
  },
} satisfies Partial<OpRows>;
