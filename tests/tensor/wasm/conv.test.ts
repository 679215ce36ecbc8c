/** Convolution and its two gradients on the WebAssembly kernels against the TypeScript kernels. */
import { ops, tensor, type OpName, type Shape, type Tensor } from '@tapegrad/tensor';
import type { Operand } from '../../../packages/tensor/src/kernels/wasm/kernel.js';
import { detectFeatures } from '../../../packages/tensor/src/kernels/wasm/machine.js';
import type { ConvAttrs } from '../../../packages/tensor/src/ops/windows.js';
import { EXACT, assertClose } from '../../support/close.js';
import { checkAll, contiguous, planes } from '../../support/conv.js';
import { Numbers } from '../../support/numbers.js';
import { byReference, onHeap, testMachine } from '../../support/wasm.js';

// With fused multiply-add, and so with other tiles, where it is to be had.
const machine = testMachine(detectFeatures()?.relaxed);
const numbers = new Numbers(11);

/** Whole numbers from −4 to 4: sums are exact in float32 in whatever order. */
const whole = (shape: Shape): Tensor => numbers.wholes(shape, -4, 4);

/** Data and kernel for channels last. */
interface Case {
  readonly x: Shape;
  readonly kernel: Shape;
  readonly attrs?: ConvAttrs;
}

const cases: readonly Case[] = [
  { x: [2, 14, 14, 8], kernel: [5, 5, 8, 16], attrs: { padding: 'same' } },
  { x: [3, 9, 7, 3], kernel: [3, 2, 3, 5] },
  { x: [1, 1, 1, 1], kernel: [1, 1, 1, 1] },
  { x: [2, 6, 10, 16], kernel: [1, 1, 16, 7] },
  { x: [2, 5, 3, 2], kernel: [3, 3, 2, 4], attrs: { padding: 'same' } },
  { x: [2, 11, 10, 4], kernel: [3, 4, 4, 6], attrs: { strides: 2, padding: 'same' } },
  { x: [1, 13, 17, 2], kernel: [2, 3, 2, 3], attrs: { strides: [3, 2] } },
  { x: [2, 8, 9, 3], kernel: [2, 2, 3, 4], attrs: { strides: 3 } },
  { x: [1, 12, 12, 8], kernel: [3, 3, 8, 4], attrs: { dilationRate: 2, padding: 'same' } },
  { x: [1, 14, 13, 3], kernel: [3, 2, 3, 4], attrs: { strides: 2, dilationRate: [2, 3] } },
  { x: [2, 9, 9, 3], kernel: [2, 2, 3, 4], attrs: { strides: 4, dilationRate: 2 } },
  { x: [2, 9, 11, 6], kernel: [3, 3, 2, 9], attrs: { groups: 3, padding: 'same' } },
  { x: [2, 9, 12, 16], kernel: [3, 3, 8, 6], attrs: { groups: 2, strides: 2 } },
  { x: [2, 8, 11, 5], kernel: [3, 3, 1, 10], attrs: { groups: 5, padding: 'same' } },
  { x: [2, 8, 11, 6], kernel: [3, 3, 1, 6], attrs: { groups: 6, strides: 2, padding: 'same' } },
  { x: [2, 40, 5], kernel: [4, 5, 7], attrs: { padding: 'causal' } },
  { x: [2, 41, 3], kernel: [3, 3, 4], attrs: { strides: 2, padding: 'same' } },
  { x: [1, 30, 30, 12], kernel: [5, 5, 12, 9] },
  { x: [2, 16, 16, 16], kernel: [3, 3, 16, 20], attrs: { padding: 'same' } },
  { x: [2, 700, 2], kernel: [300, 2, 3] },
];

describe.each(cases)('$x with $kernel, $attrs', ({ x: shape, kernel: window, attrs = {} }) => {
  const [x, kernel] = [whole(shape), whole(window)];
  const cotangent = whole(ops.conv(x, kernel, attrs).shape);

  test('channels last', () => checkAll(machine, [x, kernel, cotangent], attrs));

  test('channels first', () => {
    const format = { ...attrs, dataFormat: 'channelsFirst' } as const;
    checkAll(machine, [contiguous(planes(x)), kernel, contiguous(planes(cotangent))], format);
  });

  test('strided data and kernel', () => {
    const format = { ...attrs, dataFormat: 'channelsFirst' } as const;
    const turned = [...kernel.shape.keys()].reverse();
    const strided = contiguous(kernel.transpose(turned)).transpose(turned);
    checkAll(machine, [planes(x), strided, planes(cotangent)], format);
  });
});

/** √(Σ (a − b)² / Σ b²) */
function relativeError(actual: Tensor, expected: Tensor): number {
  const [a, b] = [actual.toTypedArray(), expected.toTypedArray()];
  let [difference, size] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += (a[i] - b[i]) ** 2;
    size += b[i] ** 2;
  }
  return Math.sqrt(difference / size);
}

/** Numbers from −1 to 1. */
function real(shape: Shape): Tensor {
  const size = shape.reduce((n, s) => n * s, 1);
  return tensor(
    Float32Array.from({ length: size }, () => 2 * numbers.next() - 1),
    { shape },
  );
}

// Large enough for Winograd's method. Its rounding errors are larger than those of the sums themselves, which have about 3e-7.
describe.each([
  { shape: [4, 14, 15, 16], kernel: [5, 5, 16, 20], padding: 'same', bound: 3e-6 },
  { shape: [3, 20, 33, 18], kernel: [5, 5, 18, 16], padding: 'valid', bound: 3e-6 },
  { shape: [4, 15, 16, 16], kernel: [3, 3, 16, 24], padding: 'same', bound: 1.5e-6 },
  { shape: [5, 15, 17, 21], kernel: [3, 3, 21, 16], padding: 'valid', bound: 1.5e-6 },
] as const)(
  'Winograd: $shape with $kernel, $padding',
  ({ shape, kernel: window, padding, bound }) => {
    const [x, kernel] = [real(shape), real(window)];
    const cotangent = real(ops.conv(x, kernel, { padding }).shape);

    const checkClose = (
      name: OpName,
      inputs: readonly Tensor[],
      attrs: object,
      limit: number = bound,
    ): void => {
      const doubles = inputs.map((input) => input.cast('float64'));
      const [expected] = byReference(name, doubles, attrs);
      const [one, two, three] = [1, 2, 3].map(
        (parts) => onHeap(machine, name, inputs, attrs, { parts })?.[0],
      );
      if (one === undefined) throw new Error(`${name} has no kernel`);
      expect(relativeError(one, expected)).toBeLessThan(limit);
      const wanted = { shape: expected.shape, data: one.toTypedArray() };
      assertClose('two parts', two, wanted, EXACT);
      assertClose('three parts', three, wanted, EXACT);
    };

    test.each(['channelsLast', 'channelsFirst'] as const)('%s', (dataFormat) => {
      const first = dataFormat === 'channelsFirst';
      const [data, g] = first ? [planes(x), planes(cotangent)] : [x, cotangent];
      const attrs = { padding, dataFormat };
      checkClose('conv', [data, kernel], attrs);
      const outputSize = shape.slice(1, 3);
      checkClose('convTranspose', [g, kernel], { ...attrs, outputSize });
      const kernelSize = window.slice(0, 2);
      // Here the sum runs over all tiles.
      checkClose('convKernelGradient', [data, g], { ...attrs, kernelSize }, 2 * bound);
    });
  },
);

describe('what follows the sums', () => {
  // The first is computed directly, the second by Winograd's method.
  const cases = [
    [2, 6, 7, 3],
    [4, 14, 15, 16],
  ] as const;
  const activations = {
    relu: (y: Tensor) => y.relu(),
    tanh: (y: Tensor) => y.tanh(),
    sigmoid: (y: Tensor) => y.sigmoid(),
  };

  test.each(cases)('bias and activation for [%i, %i, %i, %i]', (...shape) => {
    const [x, kernel] = [real(shape), real([3, 3, shape[3], 18])];
    const b = real([18]);
    const block = machine.heap.allocate(72);
    machine.heap.view('float32', block.address, 18).set(b.toTypedArray());
    const bias: Operand = {
      ...{ dtype: 'float32', shape: [18], strides: [1], size: 18, contiguous: true },
      address: block.address,
    };
    for (const dataFormat of ['channelsLast', 'channelsFirst'] as const) {
      const attrs = { padding: 'same', dataFormat } as const;
      const data = dataFormat === 'channelsLast' ? x : planes(x);
      const sums = ops.conv(data, kernel, attrs);
      const added = sums.add(dataFormat === 'channelsLast' ? b : b.reshape([18, 1, 1]));
      for (const activation of ['relu', 'tanh', 'sigmoid', null] as const) {
        const epilogue = { bias, activation };
        const [actual] = onHeap(machine, 'conv', [data, kernel], attrs, { epilogue }) ?? [];
        const expected = activation === null ? added : activations[activation](added);
        const wanted = { shape: expected.shape, data: expected.toTypedArray() };
        assertClose(`${activation}`, actual, wanted, { relative: 1e-5, absolute: 3e-5 });
      }
    }
  });
});

test('other dtypes and empty data are left to the TypeScript kernels', () => {
  const [x, kernel] = [whole([1, 4, 4, 2]), whole([2, 2, 2, 3])];
  const doubles = [x.cast('float64'), kernel.cast('float64')];
  expect(onHeap(machine, 'conv', doubles)).toBeNull();
  expect(onHeap(machine, 'conv', [whole([0, 4, 4, 2]), kernel])).toBeNull();
});
