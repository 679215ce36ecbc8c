/** Choosing the kernels, and eager ops on the WebAssembly heap. */
import {
  OutOfMemoryError,
  ValueError,
  getBackend,
  ops,
  setBackend,
  tensor,
  zeros,
  type Tensor,
} from '@tapegrad/tensor';
import { currentEngine } from '../../packages/tensor/src/backend.js';
import { assertClose } from '../support/close.js';
import { messageOf } from '../support/errors.js';
import { contiguous, layouts } from '../support/layouts.js';
import { build } from '../support/naive.js';
import { Numbers } from '../support/numbers.js';

afterEach(() => setBackend('auto'));

const numbers = new Numbers(12);
const random = (...shape: number[]): Tensor =>
  contiguous({ shape, data: Array.from({ length: shape.reduce((n, s) => n * s, 1) }, () => 2 * numbers.next() - 1) }, 'float32'); // prettier-ignore

test('is automatic, and can be chosen', () => {
  expect(getBackend()).toBe('wasm');
  setBackend('js');
  expect([getBackend(), currentEngine()]).toEqual(['js', null]);
  setBackend('wasm');
  expect(getBackend()).toBe('wasm');
  expect(messageOf(ValueError, () => setBackend('webgl' as 'js'))).toBe(
    "setBackend: takes 'auto', 'js' or 'wasm'; got \"webgl\".",
  );
  expect(getBackend()).toBe('wasm');
});

describe('eager ops with much to compute', () => {
  /** By both kernels, each sum of some hundred products. */
  function compare(step: () => readonly Tensor[]): void {
    const fast = step();
    setBackend('js');
    const slow = step();
    setBackend('wasm');
    fast.forEach((x, i) => {
      assertClose(`result ${i}`, x, { shape: slow[i].shape, data: slow[i].toTypedArray() }, { relative: 1e-5, absolute: 2e-5 }, slow[i].dtype); // prettier-ignore
    });
  }

  test('are products, convolutions and sequences', () => {
    setBackend('wasm');
    const [a, b] = [random(70, 90), random(90, 60)];
    compare(() => [ops.matmul(a, b), ops.matmul(b, a, { transposeA: true, transposeB: true })]);
    const [x, kernel] = [random(2, 14, 14, 8), random(3, 3, 8, 6)];
    compare(() => [ops.conv(x, kernel, { padding: 'same' })]);
    const none = zeros([0]);
    const inputs = [random(4, 9, 30), random(30, 80), random(20, 80), none, random(4, 20), random(4, 20), none] as const; // prettier-ignore
    compare(() => ops.lstm(...inputs));
  });

  test('take inputs of any layout and dtype, and leave them as they are', () => {
    setBackend('wasm');
    const values = build([70, 70], ([i, j]) => ((7 * i + 3 * j) % 11) - 5);
    for (const layout of Object.values(layouts)) {
      for (const dtype of ['float32', 'float64', 'int32'] as const) {
        const x = layout(values, dtype);
        const before = x.data.slice();
        compare(() => [ops.matmul(x, x)]);
        expect(x.data).toEqual(before);
      }
    }
  });

  test('give their memory back', () => {
    setBackend('wasm');
    const heap = currentEngine()?.machine.heap;
    const before = heap?.usedBytes;
    for (let i = 0; i < 5; i++) ops.matmul(random(80, 80), random(80, 80));
    expect(heap?.usedBytes).toBe(before);
    // What is refused has not been begun.
    expect(() => ops.matmul(random(80, 80), random(70, 80))).toThrow('matmul');
    expect(heap?.usedBytes).toBe(before);
  });

  test('do without the heap where they do not fit on it', () => {
    setBackend('wasm');
    const heap = currentEngine()?.machine.heap;
    if (heap === undefined) throw new Error('no engine');
    const full = jest.spyOn(heap, 'allocate').mockImplementation(() => {
      throw new OutOfMemoryError('heap: full');
    });
    const [a, b] = [random(80, 90), random(90, 70)];
    const product = ops.matmul(a, b);
    expect(full).toHaveBeenCalled();
    full.mockRestore();
    setBackend('js');
    expect(product.toArray()).toEqual(ops.matmul(a, b).toArray());
  });
});

test('few elements are not worth the way to the heap', () => {
  setBackend('wasm');
  const heap = currentEngine()?.machine.heap;
  if (heap === undefined) throw new Error('no engine');
  const allocate = jest.spyOn(heap, 'allocate');
  expect(ops.matmul(tensor([[1, 2]]), tensor([[3], [4]])).toArray()).toEqual([[11]]);
  expect(allocate).not.toHaveBeenCalled();
  allocate.mockRestore();
});
