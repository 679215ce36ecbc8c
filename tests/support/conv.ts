/** All three directions of a convolution on the WebAssembly kernels against the TypeScript kernels. */
import { ops, tensor, type OpName, type Tensor } from '@tapegrad/tensor';
import type { Operand } from '../../packages/tensor/src/kernels/wasm/kernel.js';
import type { Machine } from '../../packages/tensor/src/kernels/wasm/machine.js';
import type { ConvAttrs } from '../../packages/tensor/src/ops/windows.js';
import { EXACT, assertClose, type Tolerance } from './close.js';
import { byReference, onHeap } from './wasm.js';

/** A view of the same data with the channels after the batch. */
export function planes(x: Tensor): Tensor {
  const last = x.shape.length - 1;
  return x.transpose([0, last, ...x.shape.keys()].filter((axis, i) => i < 2 || axis % last !== 0));
}

export const contiguous = (x: Tensor): Tensor => tensor(x.toTypedArray(), { shape: x.shape });

/** The op in 1, 2 and 3 parts is the same to the last bit, and close to the reference. */
export function check(
  on: Machine,
  name: OpName,
  inputs: readonly Tensor[],
  attrs: object,
  tolerance: Tolerance = EXACT,
): void {
  const [expected] = byReference(name, inputs, attrs);
  const wanted = { shape: expected.shape, data: expected.toTypedArray() };
  const [one] = onHeap(on, name, inputs, attrs) ?? [];
  assertClose(name, one, wanted, tolerance, 'float32');
  for (const parts of [2, 3]) {
    const [other] = onHeap(on, name, inputs, attrs, { parts }) ?? [];
    const same = { shape: expected.shape, data: one.toTypedArray() };
    assertClose(`${name}, ${parts} parts`, other, same, EXACT, 'float32');
  }
}

/** `conv`, `convTranspose` and `convKernelGradient` of x, kernel and cotangent. */
export function checkAll(
  on: Machine,
  [x, kernel, cotangent]: readonly [Tensor, Tensor, Tensor],
  attrs: ConvAttrs,
  tolerance?: Tolerance,
): void {
  const first = attrs.dataFormat === 'channelsFirst';
  const outputSize = first ? x.shape.slice(2) : x.shape.slice(1, -1);
  check(on, 'conv', [x, kernel], attrs, tolerance);
  check(on, 'convTranspose', [cotangent, kernel], { ...attrs, outputSize }, tolerance);
  const kernelSize = kernel.shape.slice(0, -2);
  check(on, 'convKernelGradient', [x, cotangent], { ...attrs, kernelSize }, tolerance);
}

const activations = {
  relu: (y: Tensor): Tensor => y.relu(),
  tanh: (y: Tensor): Tensor => y.tanh(),
  sigmoid: (y: Tensor): Tensor => y.sigmoid(),
};

/** `conv` with each activation or none, with a bias and without, against the same ops one by one. `x` has its channels last. */
export function checkEpilogues(
  on: Machine,
  [x, kernel, b]: readonly [Tensor, Tensor, Tensor],
  attrs: ConvAttrs,
): void {
  // Every second element: a bias may be strided too.
  const filters = b.size;
  const block = on.heap.allocate(8 * filters);
  const view = on.heap.view('float32', block.address, 2 * filters).fill(NaN);
  b.toTypedArray().forEach((value, i) => (view[2 * i] = value));
  const bias: Operand = {
    ...{ dtype: 'float32', shape: [filters], strides: [2], size: filters, contiguous: false },
    address: block.address,
  };
  const last = attrs.dataFormat === 'channelsLast';
  const data = last ? x : contiguous(planes(x));
  const sums = ops.conv(data, kernel, attrs);
  for (const added of [true, false]) {
    const before = added ? sums.add(last ? b : b.reshape([filters, 1, 1])) : sums;
    for (const activation of ['relu', 'tanh', 'sigmoid', null] as const) {
      const epilogue = { bias: added ? bias : null, activation };
      const [actual] = onHeap(on, 'conv', [data, kernel], attrs, { epilogue }) ?? [];
      const expected = activation === null ? before : activations[activation](before);
      const wanted = { shape: expected.shape, data: expected.toTypedArray() };
      assertClose(`${activation}`, actual, wanted, { relative: 2e-6, absolute: 2e-6 });
    }
  }
}
