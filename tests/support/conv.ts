/** All three directions of a convolution on the WebAssembly kernels against the TypeScript kernels. */
import { tensor, type OpName, type Tensor } from '@tapegrad/tensor';
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
