import { ops, tensor, type DType, type OpName, type Tensor } from '@tapegrad/tensor';
import {
  movementKernels,
  movementLowerings,
} from '../../../packages/tensor/src/kernels/wasm/movement/movement.js';
import { byReference, onHeap, testMachine } from '../../support/wasm.js';

// A cast to the same dtype is a copy too.
const machine = testMachine(false, movementKernels);
const DTYPES: readonly DType[] = ['float32', 'float64', 'int32', 'bool'];

/** Different numbers (bool: a pattern), so that an element in a wrong place is seen. */
function numbered(shape: readonly number[], dtype: DType = 'float32', first = 1): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Array.from({ length: size }, (_, i) =>
    dtype === 'bool' ? Number((i * i + first) % 3 === 0) : first + i,
  );
  return ops.reshape(tensor(values, dtype), shape);
}

function check(op: OpName, inputs: readonly Tensor[], attrs: object = {}, parts = 1): void {
  const expected = byReference(op, inputs, attrs);
  const results = onHeap(machine, op, inputs, attrs, { parts }) ?? [];
  expect(results.map((x) => [x.dtype, x.shape])).toEqual(expected.map((x) => [x.dtype, x.shape]));
  results.forEach((got, i) => {
    const [a, b] = [got.data, ops.copy(expected[i]).data];
    // A loop, because comparing arrays of this size by `toEqual` is slow.
    let wrong = 0;
    while (wrong < a.length && a[wrong] === b[wrong]) wrong++;
    if (wrong < a.length) expect({ wrong, got: a[wrong] }).toEqual({ wrong, got: b[wrong] });
  });
}

const PERMUTATIONS = [
  [0, 1, 2, 3],
  [0, 2, 3, 1],
  [0, 3, 1, 2],
  [3, 2, 1, 0],
  [1, 0, 3, 2],
  [0, 2, 1, 3],
  [2, 3, 0, 1],
];

describe.each(DTYPES)('%s', (dtype) => {
  test('copies of transposed, flipped and repeated layouts', () => {
    for (const shape of [
      [2, 3, 4, 5],
      [1, 7, 1, 9],
      [3, 16, 5, 20],
      [2, 0, 3, 4],
      [1, 1, 1, 1],
    ]) {
      for (const perm of PERMUTATIONS) {
        check('copy', [ops.transpose(numbered(shape, dtype), perm)]);
        check('copy', [ops.flip(ops.transpose(numbered(shape, dtype), perm), [1, 3])]);
      }
    }
    check('copy', [ops.broadcastTo(numbered([4, 1, 3], dtype), [2, 4, 5, 3])]);
    check('copy', [numbered([17], dtype)]);
    check('copy', [numbered([], dtype)]);
    check('copy', [ops.flip(numbered([33], dtype))]);
    check('copy', [ops.slice(numbered([9, 11], dtype), { begin: [2, 3], size: [5, 7] })]);
  });

  test('a cast to the same dtype', () => {
    check('cast', [ops.transpose(numbered([6, 5], dtype))], { dtype });
  });

  test('concat, stack and split along each axis, of layouts of all kinds', () => {
    const [a, b] = [numbered([2, 3, 5], dtype), numbered([2, 3, 5], dtype, 1000)];
    const c = ops.transpose(numbered([5, 3, 2], dtype, 2000));
    for (const axis of [0, 1, 2, -1]) {
      check('concat', [a, b, c], { axis });
      check('stack', [a, b, c], { axis });
      check('concat', [a], { axis });
      check(
        'concat',
        [
          a,
          ops.slice(b, {
            begin: [0, 0, 0],
            size: [2, 3, 5].map((n, i) => (i === (axis + 3) % 3 ? 1 : n)),
          }),
        ],
        { axis },
      );
    }
    for (const x of [numbered([4, 6, 8], dtype), ops.transpose(numbered([8, 6, 4], dtype))]) {
      for (const axis of [0, 1, 2]) check('split', [x], { numOrSizeSplits: 2, axis });
      check('split', [x], { numOrSizeSplits: [1, 5, 2], axis: 2 });
    }
  });

  test('pad, embed, tile and repeat', () => {
    const x = numbered([3, 4, 5], dtype);
    for (const y of [x, ops.transpose(x)]) {
      check('pad', [y], {
        paddings: [
          [1, 2],
          [0, 0],
          [3, 1],
        ],
      });
      check('pad', [y], {
        paddings: [
          [0, 0],
          [0, 0],
          [0, 0],
        ],
      });
      check('tile', [y], { reps: [2, 1, 3] });
      check('tile', [y], { reps: [1, 0, 3] });
      for (const axis of [0, 1, 2]) check('repeat', [y], { repeats: 3, axis });
    }
    check('embed', [x], { shape: [6, 9, 5], start: [1, 8, 0], step: [2, -2, 1] });
    check('embed', [numbered([0, 2], dtype)], { shape: [3, 4], start: [0, 0], step: [1, 1] });
  });

  test('pad with a value, and with reflections', () => {
    const x = numbered([3, 4, 5], dtype);
    const one: readonly (readonly [number, number])[] = [
      [1, 2],
      [3, 1],
      [0, 4],
    ];
    for (const y of [x, ops.transpose(x, [0, 2, 1])]) {
      const paddings = y === x ? one : [one[0], one[2], one[1]];
      check('pad', [y], { paddings, constantValue: 1 });
      check('pad', [y], { paddings, mode: 'reflect', constantValue: 1 });
    }
    check('pad', [x.slice({ begin: [1, 1, 1], size: [1, 1, 1] })], {
      paddings: [
        [0, 1],
        [1, 1],
        [1, 3],
      ],
      constantValue: 1,
    });
    check('pad', [numbered([4], dtype)], { paddings: [[3, 3]], mode: 'reflect' });
  });

  test('repeat by a number for each', () => {
    const x = numbered([3, 4, 2], dtype);
    check('repeat', [x], { repeats: [2, 0, 3], axis: 0 });
    check('repeat', [x], { repeats: [1, 0, 0, 2], axis: 1 });
    check('repeat', [ops.transpose(x)], { repeats: [0, 5], axis: -3 });
  });

  test('assign, also of a view of the target itself', () => {
    for (const value of [numbered([6, 6], dtype, 7), ops.transpose(numbered([6, 6], dtype, 7))]) {
      const target = numbered([6, 6], dtype);
      const [got] = onHeap(machine, 'assign', [target, value]) ?? [];
      expect(got.toArray()).toEqual(ops.copy(value).toArray());
    }
  });
});

test('large copies are the same in any number of parts', () => {
  const x = numbered([5, 165, 163]);
  for (const parts of [1, 2, 3]) {
    for (const perm of [
      [0, 2, 1],
      [2, 1, 0],
      [1, 0, 2],
      [1, 2, 0],
    ]) {
      check('copy', [ops.transpose(x, perm)], {}, parts);
    }
    check(
      'copy',
      [ops.slice(numbered([500, 301]), { begin: [0, 1], size: [500, 300] })],
      {},
      parts,
    );
    check('concat', [x, x], { axis: 1 }, parts);
  }
});

test('what does not fit is left to TypeScript', () => {
  const x = numbered([2, 3]);
  // Each position and each number would be a copy.
  const wide = { paddings: [[40, 40]], mode: 'reflect' };
  expect(onHeap(machine, 'pad', [numbered([50])], wide)).toBeNull();
  const repeats = Array.from({ length: 70 }, () => 2);
  expect(onHeap(machine, 'repeat', [numbered([70])], { repeats })).toBeNull();
  expect(onHeap(machine, 'assign', [x, ops.cast(x, 'int32')])).toBeNull();
  expect(onHeap(machine, 'copy', [ops.transpose(numbered([2, 2, 2, 2, 2, 2]))])).toBeNull();
});

test('every op of the family is tested here', () => {
  const tested = ['copy', 'concat', 'stack', 'split', 'embed', 'pad', 'tile', 'repeat', 'assign'];
  expect(Object.keys(movementLowerings).sort()).toEqual(tested.sort());
});
