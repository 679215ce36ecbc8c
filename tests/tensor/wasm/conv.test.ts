/** Convolution and its two gradients on the WebAssembly kernels against the TypeScript kernels. */
import { ops, tensor, type OpName, type Shape, type Tensor } from '@tapegrad/tensor';
import type { ConvAttrs } from '../../../packages/tensor/src/ops/windows.js';
import { EXACT, assertClose } from '../../support/close.js';
import { Numbers } from '../../support/numbers.js';
import { byReference, onHeap, testMachine } from '../../support/wasm.js';

const machine = testMachine();
const numbers = new Numbers(11);

/** Whole numbers from −4 to 4: sums are exact in float32 in whatever order. */
function whole(shape: Shape): Tensor {
  const size = shape.reduce((n, s) => n * s, 1);
  return tensor(
    Float32Array.from({ length: size }, () => numbers.integer(-4, 4)),
    { shape },
  );
}

/** The op's output for 1, 2 and 3 parts is that of the reference, to the last bit. */
function check(name: OpName, inputs: readonly Tensor[], attrs: object): void {
  const [expected] = byReference(name, inputs, attrs);
  for (const parts of [1, 2, 3]) {
    const [actual] = onHeap(machine, name, inputs, attrs, { parts }) ?? [];
    const wanted = { shape: expected.shape, data: expected.toTypedArray() };
    assertClose(`${name}, ${parts} parts`, actual, wanted, EXACT, 'float32');
  }
}

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
  { x: [4, 16, 16, 16], kernel: [3, 3, 16, 20], attrs: { padding: 'same' } },
  { x: [2, 700, 2], kernel: [300, 2, 3] },
];

/** A view of the same data with the channels after the batch. */
function planes(x: Tensor): Tensor {
  const last = x.shape.length - 1;
  return x.transpose([0, last, ...x.shape.keys()].filter((axis, i) => i < 2 || axis % last !== 0));
}

const contiguous = (x: Tensor): Tensor => tensor(x.toTypedArray(), { shape: x.shape });

/** All three directions of a convolution. */
function checkAll(x: Tensor, kernel: Tensor, cotangent: Tensor, attrs: ConvAttrs): void {
  const first = attrs.dataFormat === 'channelsFirst';
  const outputSize = first ? x.shape.slice(2) : x.shape.slice(1, -1);
  check('conv', [x, kernel], attrs);
  check('convTranspose', [cotangent, kernel], { ...attrs, outputSize });
  const kernelSize = kernel.shape.slice(0, -2);
  check('convKernelGradient', [x, cotangent], { ...attrs, kernelSize });
}

describe.each(cases)('$x with $kernel, $attrs', ({ x: shape, kernel: window, attrs = {} }) => {
  const [x, kernel] = [whole(shape), whole(window)];
  const cotangent = whole(ops.conv(x, kernel, attrs).shape);

  test('channels last', () => checkAll(x, kernel, cotangent, attrs));

  test('channels first', () => {
    const format = { ...attrs, dataFormat: 'channelsFirst' } as const;
    checkAll(contiguous(planes(x)), kernel, contiguous(planes(cotangent)), format);
  });

  test('strided data and kernel', () => {
    const format = { ...attrs, dataFormat: 'channelsFirst' } as const;
    const turned = [...kernel.shape.keys()].reverse();
    const strided = contiguous(kernel.transpose(turned)).transpose(turned);
    checkAll(planes(x), strided, planes(cotangent), format);
  });
});
