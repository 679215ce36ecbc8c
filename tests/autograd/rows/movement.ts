/** Rows of the ops that move elements, and of those that take positions as data. */
import { ops } from '@tapegrad/autograd';
import { positions, row, uniform, type GradientRows } from './types.js';

export const movementRows = {
  identity: [row((x) => x.identity(), uniform([2, 3]))],
  transpose: [
    row((x) => x.transpose(), uniform([2, 3])),
    row((x) => x.transpose([1, 2, 0]), uniform([2, 3, 4])),
    row((x) => x.transpose([-1, 0, -2]), uniform([2, 3, 4])),
    row((x) => x.transpose(), uniform([])),
  ],
  reshape: [
    row((x) => x.reshape([3, -1]), uniform([2, 3])),
    row((x) => x.reshape([]), uniform([1, 1])),
  ],
  expandDims: [
    row((x) => x.expandDims(1), uniform([2, 3])),
    row((x) => x.expandDims(-1), uniform([])),
  ],
  squeeze: [
    row((x) => x.squeeze(), uniform([1, 3, 1])),
    row((x) => x.squeeze(-1), uniform([1, 3, 1])),
  ],
  broadcastTo: [
    row((x) => x.broadcastTo([2, 3]), uniform([3])),
    row((x) => x.broadcastTo([4, 2, 3]), uniform([2, 1])),
    row((x) => x.broadcastTo([2, 2]), uniform([])),
  ],
  flip: [
    row((x) => x.flip(), uniform([2, 3])),
    row((x) => x.flip(-1), uniform([2, 3])),
    row((x) => x.flip([0, 2]), uniform([2, 3, 2])),
  ],
  slice: [
    row((x) => x.slice({ begin: [1, 0], size: [2, -1] }), uniform([3, 2])),
    row((x) => x.slice({ begin: [0], size: [0] }), uniform([2])),
  ],
  stridedSlice: [
    row((x) => x.stridedSlice({ begin: [1], strides: [2] }), uniform([5, 2])),
    row(
      (x) => x.stridedSlice({ begin: [null, -1], end: [2, null], strides: [1, -2] }),
      uniform([3, 4]),
    ),
    row((x) => x.stridedSlice({ begin: [3], end: [0], strides: [-2] }), uniform([4])),
    // Nothing is taken.
    row((x) => x.stridedSlice({ begin: [-10], strides: [-1] }), uniform([3])),
  ],
  embed: [
    row((x) => x.embed({ shape: [5, 3], start: [1, 0], step: [2, 1] }), uniform([2, 2])),
    row((x) => x.embed({ shape: [4], start: [3], step: [-3] }), uniform([2])),
  ],
  concat: [
    row((...xs) => ops.concat(xs), uniform([2, 2]), uniform([1, 2])),
    row((...xs) => ops.concat(xs, -1), uniform([2, 1]), uniform([2, 2]), uniform([2, 3])),
    row((x) => ops.concat([x, x.square(), x], 0), uniform([2])),
  ],
  stack: [
    row((...xs) => ops.stack(xs), uniform([2, 2]), uniform([2, 2])),
    row((...xs) => ops.stack(xs, -1), uniform([2, 3]), uniform([2, 3])),
    row((x) => ops.stack([x, x.square()], 1), uniform([2])),
  ],
  split: [
    row((x) => x.split(2), uniform([4, 2])),
    row((x) => x.split([1, 0, 2], { axis: -1 }), uniform([2, 3])),
    // A part that is not used.
    row((x) => x.split(3, { axis: 1 })[1].square(), uniform([2, 3])),
  ],
  pad: [
    row((x) => x.pad([[1, 2]], { constantValue: 3 }), uniform([3])),
    row(
      (x) =>
        x.pad([
          [1, 0],
          [0, 2],
        ]),
      uniform([2, 3]),
    ),
    row((x) => x.pad([[2, 1]], { mode: 'reflect' }), uniform([3])),
    row(
      (x) =>
        x.pad(
          [
            [1, 1],
            [0, 2],
          ],
          { mode: 'reflect' },
        ),
      uniform([2, 3]),
    ),
  ],
  tile: [
    row((x) => x.tile([2]), uniform([3])),
    row((x) => x.tile([2, 3]), uniform([2, 2])),
    row((x) => x.tile([]), uniform([])),
  ],
  repeat: [
    row((x) => x.repeat(2), uniform([3])),
    row((x) => x.repeat([2, 0, 1], { axis: -1 }), uniform([2, 3])),
  ],

  gather: [
    row((x, i) => x.gather(i), uniform([3, 2]), positions([2, 0, 2])),
    row((x, i) => x.gather(i, 1), uniform([2, 3]), positions([-1, 0, 1, -1], [2, 2])),
    row((x, i) => x.gather(i, -2), uniform([3, 2]), positions([1], [])),
  ],
  indexAdd: [
    row((x, i) => x.indexAdd(i, { size: 4 }), uniform([3, 2]), positions([3, 0, 3])),
    row((x, i) => x.indexAdd(i, { size: 2, axis: -1 }), uniform([2, 3]), positions([1, 1, 0])),
  ],
  scatterND: [
    row((i, u) => ops.scatterND(i, u, [4]), positions([2, 0, 2], [3, 1]), uniform([3])),
    row((i, u) => ops.scatterND(i, u, [2, 3]), positions([1, 0, 0, 2], [2, 2]), uniform([2])),
    row((i, u) => ops.scatterND(i, u, [3, 2]), positions([2, 2], [2, 1]), uniform([2, 2])),
  ],
  gatherND: [
    row((x, i) => x.gatherND(i), uniform([2, 3]), positions([1, 2, 0, 0, 1, 2], [3, 2])),
    row((x, i) => x.gatherND(i), uniform([3, 2]), positions([2, 0, 2], [3, 1])),
  ],
  takeAlongAxis: [
    row((x, i) => x.takeAlongAxis(i), uniform([2, 3]), positions([2, 2, 0, 1], [2, 2])),
    row((x, i) => x.takeAlongAxis(i, 0), uniform([3, 2]), positions([1, 2], [1, 2])),
  ],
  putAlongAxis: [
    row(
      (x, i) => x.putAlongAxis(i, { size: 3, axis: 1 }),
      uniform([2, 2]),
      positions([2, 2, 0, 1], [2, 2]),
    ),
    row((x, i) => x.putAlongAxis(i, { size: 4 }), uniform([2, 2]), positions([3, 0, 3, 1], [2, 2])),
  ],
} satisfies Partial<GradientRows>;
