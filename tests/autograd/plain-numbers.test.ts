/** Plain numbers beside Variables, and how Variables print. */
import { ops, variable } from '@tapegrad/autograd';
import { tensor } from '@tapegrad/tensor';

test('a plain number takes on the dtype of the Variables, wherever it stands', () => {
  const x = variable([1, 2], 'float64');
  expect(ops.where([true, false], 0.1, x).toArray()).toEqual([0.1, 2]);
  expect(ops.add(0.1, x).toArray()).toEqual([1.1, 2.1]);
  expect(ops.add(0.1, variable([1])).dtype).toBe('float32');
});

test('Variables print as tensors do, with where they come from, and lines below each other', () => {
  const x = variable([
    [1, 2],
    [3, 4],
  ]);
  expect(String(x)).toBe(
    'variable([[1, 2],\n          [3, 4]], shape [2, 2], float32, requiresGrad)',
  );
  expect(String(x.add(1))).toBe(
    'variable([[2, 3],\n          [4, 5]], shape [2, 2], float32, from add)',
  );
  expect(String(variable(tensor(1), { requiresGrad: false }))).toBe(
    'variable(1, shape [], float32)',
  );
});
