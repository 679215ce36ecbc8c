/** Depthwise convolution and its gradients on the WebAssembly kernels against the TypeScript kernels. */
import { ops, tensor, zeros, type Shape, type Tensor } from '@tapegrad/tensor';
import { convLowerings } from '../../../packages/tensor/src/kernels/wasm/conv/conv.js';
import type { Operand } from '../../../packages/tensor/src/kernels/wasm/kernel.js';
import { detectFeatures } from '../../../packages/tensor/src/kernels/wasm/machine.js';
import type { ConvAttrs } from '../../../packages/tensor/src/ops/windows.js';
import { sameBits } from '../../support/bits.js';
import { checkAll, checkEpilogues, contiguous, planes } from '../../support/conv.js';
import { Numbers } from '../../support/numbers.js';
import { onHeap, testMachine } from '../../support/wasm.js';

const plain = testMachine(false);
// With fused multiply-add, and so with other panels of filters, where it is to be had.
const machine = detectFeatures()?.relaxed ? testMachine(true) : plain;
const numbers = new Numbers(17);

/** Whole numbers from −4 to 4: sums are exact in float32 in whatever order. */
const whole = (shape: Shape): Tensor => fill(shape, () => numbers.integer(-4, 4));
const real = (shape: Shape): Tensor => fill(shape, () => 2 * numbers.next() - 1);

function fill(shape: Shape, value: () => number): Tensor {
  const length = shape.reduce((n, s) => n * s, 1);
  return tensor(Float32Array.from({ length }, value), { shape });
}

/** Data with channels last, and how many filters each channel has (1). */
interface Case {
  readonly x: Shape;
  readonly window: Shape;
  readonly multiplier?: number;
  readonly attrs?: ConvAttrs;
}

const cases: readonly Case[] = [
  { x: [3, 13, 14, 16], window: [3, 3], attrs: { padding: 'same' } },
  { x: [3, 12, 15, 12], window: [5, 5], attrs: { padding: 'same' } },
  { x: [2, 9, 11, 7], window: [3, 2] },
  { x: [2, 7, 7, 3], window: [3, 3], attrs: { padding: 'same' } },
  { x: [2, 6, 5, 2], window: [4, 3], attrs: { padding: 'same' } },
  { x: [2, 3, 3, 5], window: [3, 3] },
  { x: [1, 2, 3, 9], window: [1, 1] },
  { x: [2, 13, 12, 8], window: [3, 3], attrs: { strides: 2, padding: 'same' } },
  { x: [2, 13, 17, 6], window: [2, 3], attrs: { strides: [3, 2] } },
  { x: [2, 12, 9, 4], window: [2, 2], attrs: { strides: 3 } },
  { x: [1, 12, 12, 10], window: [3, 3], attrs: { dilationRate: 2, padding: 'same' } },
  { x: [1, 14, 13, 5], window: [3, 2], attrs: { strides: 2, dilationRate: [2, 3] } },
  { x: [2, 10, 9, 4], window: [3, 3], multiplier: 2, attrs: { padding: 'same' } },
  { x: [2, 9, 10, 5], window: [2, 3], multiplier: 3, attrs: { strides: 2, padding: 'same' } },
  { x: [2, 8, 8, 4], window: [3, 3], multiplier: 5, attrs: { padding: 'same' } },
  { x: [2, 40, 8], window: [4], attrs: { padding: 'causal' } },
  // Large enough to be shared among threads.
  { x: [1, 50, 31, 9], window: [3, 3], attrs: { padding: 'same' } },
  { x: [3, 45, 44, 9], window: [5, 5], attrs: { strides: 2, padding: 'same' } },
  { x: [2, 26, 25, 5], window: [3, 3], multiplier: 2, attrs: { padding: 'same' } },
  {
    x: [6, 40, 21, 5],
    window: [3, 3],
    multiplier: 3,
    attrs: { strides: [1, 2], dilationRate: [2, 1] },
  },
  { x: [2, 41, 6], window: [3], multiplier: 2, attrs: { strides: 2, padding: 'same' } },
];

const complete = cases.map((c) => ({ multiplier: 1, attrs: {}, ...c }));

describe.each(complete)('$x with $window, $multiplier filters, $attrs', (c) => {
  const channels = c.x[c.x.length - 1];
  const attrs = { ...c.attrs, groups: channels };
  const first = { ...attrs, dataFormat: 'channelsFirst' } as const;
  const x = whole(c.x);
  const kernel = whole([...c.window, 1, channels * c.multiplier]);
  const cotangent = whole(ops.conv(x, kernel, attrs).shape);

  test('channels last', () => checkAll(machine, [x, kernel, cotangent], attrs));

  test('channels first', () => {
    const data = [contiguous(planes(x)), kernel, contiguous(planes(cotangent))] as const;
    checkAll(machine, data, first);
  });

  test('strided data and kernel', () => {
    const turned = [...kernel.shape.keys()].reverse();
    const strided = contiguous(kernel.transpose(turned)).transpose(turned);
    checkAll(machine, [planes(x), strided, planes(cotangent)], first);
  });
});

describe.each([
  { channels: 2, filters: 1, groups: 5, attrs: {} },
  { channels: 3, filters: 1, groups: 4, attrs: { padding: 'same', dilationRate: 2 } },
  { channels: 2, filters: 1, groups: 8, attrs: { strides: 2, padding: 'same' } },
  { channels: 2, filters: 2, groups: 3, attrs: {} },
  { channels: 5, filters: 3, groups: 2, attrs: { padding: 'same' } },
] as const)('$groups groups of $channels channels and $filters filters, $attrs', (c) => {
  const x = whole([3, 7, 6, c.groups * c.channels]);
  const kernel = whole([2, 3, c.channels, c.groups * c.filters]);
  const attrs = { ...c.attrs, groups: c.groups };
  const cotangent = whole(ops.conv(x, kernel, attrs).shape);

  test('channels last', () => checkAll(machine, [x, kernel, cotangent], attrs));

  test('channels first', () => {
    const data = [contiguous(planes(x)), kernel, contiguous(planes(cotangent))] as const;
    checkAll(machine, data, { ...attrs, dataFormat: 'channelsFirst' });
  });
});

test.each(['channelsLast', 'channelsFirst'] as const)('real numbers, %s', (dataFormat) => {
  const last = [real([4, 28, 27, 10]), real([5, 5, 1, 10]), real([4, 28, 27, 10])] as const;
  const [x, kernel, cotangent] = last;
  const data =
    dataFormat === 'channelsLast' ? last : ([planes(x), kernel, planes(cotangent)] as const);
  const attrs = { groups: 10, padding: 'same', dataFormat } as const;
  // Sums of 25 products, and of 3000 for the kernel: of about 18, each rounded by up to 2⁻²⁰.
  checkAll(machine, data, attrs, { relative: 1e-6, absolute: 6e-5 });
  checkAll(plain, data, attrs, { relative: 1e-6, absolute: 6e-5 });
});

test.each(['channelsLast', 'channelsFirst'] as const)(
  'a bias is added as an op of its own adds it, %s',
  (dataFormat) => {
    const [last, kernel, b] = [real([2, 7, 9, 6]), real([3, 3, 1, 12]), real([12])];
    const inLast = dataFormat === 'channelsLast';
    const x = inLast ? last : contiguous(planes(last));
    const attrs = { groups: 6, padding: 'same', dataFormat } as const;
    for (const on of [machine, plain]) {
      const block = on.heap.allocate(4 * b.size);
      on.heap.view('float32', block.address, b.size).set(b.toTypedArray());
      const { dtype, shape, strides, size } = b;
      const bias = { dtype, shape, strides, size, contiguous: true, address: block.address };
      const epilogue = { bias, activation: null };
      const [sums] = onHeap(on, 'conv', [x, kernel], attrs) ?? [];
      const [fused] = onHeap(on, 'conv', [x, kernel], attrs, { epilogue }) ?? [];
      expect(sameBits(fused, sums.add(inLast ? b : b.reshape([12, 1, 1])))).toBe(true);
    }
  },
);

describe.each([1, 2])('what follows the sums, with multiplier %i', (multiplier) => {
  const filters = 6 * multiplier;
  const operands = [real([2, 7, 9, 6]), real([3, 3, 1, filters]), real([filters])] as const;

  test.each(['channelsLast', 'channelsFirst'] as const)('%s', (dataFormat) => {
    checkEpilogues(machine, operands, { padding: 'same', dataFormat, groups: 6 });
  });
});

test.each(['channelsLast', 'channelsFirst'] as const)(
  'an infinity reaches only the windows it is in, %s',
  (dataFormat) => {
    const data = whole([2, 7, 6, 4]).toTypedArray();
    data[4 * 5] = Infinity;
    data[data.length - 1] = NaN;
    const x = tensor(data, { shape: [2, 7, 6, 4] });
    const [kernel, cotangent] = [whole([2, 3, 1, 4]).abs().add(1), whole([2, 6, 4, 4])];
    const last = dataFormat === 'channelsLast';
    const operands = [
      last ? x : contiguous(planes(x)),
      kernel,
      last ? cotangent : contiguous(planes(cotangent)),
    ] as const;
    checkAll(machine, operands, { groups: 4, dataFormat });
  },
);

describe('which kernels are chosen', () => {
  const operand = (shape: Shape): Operand => {
    const { strides, size } = zeros(shape);
    return { dtype: 'float32', shape, strides, size, contiguous: true, address: 64 };
  };
  const context = { threads: 1, scratch: () => 64, mayFault: () => true };

  /** Those of a convolution of eight channels and of the gradient for its kernel. */
  function names(dataFormat: 'channelsLast' | 'channelsFirst', multiplier: number): string[] {
    const last = dataFormat === 'channelsLast';
    const [x, y, kernel] = [
      operand(last ? [1, 5, 6, 8] : [1, 8, 5, 6]),
      operand(last ? [1, 3, 4, 8 * multiplier] : [1, 8 * multiplier, 3, 4]),
      operand([3, 3, 1, 8 * multiplier]),
    ];
    const attrs = { dataFormat, groups: 8 };
    const forward = { inputs: [x, kernel], outputs: [y], attrs, epilogue: null };
    const gradient = { ...forward, inputs: [x, y], outputs: [kernel] };
    const commands = [
      convLowerings.conv?.(forward, context),
      convLowerings.convKernelGradient?.(
        { ...gradient, attrs: { ...attrs, kernelSize: [3, 3] } },
        context,
      ),
    ];
    return commands.map((list) => list?.at(-1)?.kernel.name ?? 'none');
  }

  test('across the channels where they are neighbours, else along the rows', () => {
    const across = ['convDepthwisePixelsF32', 'convDepthwisePixelsGradientF32'];
    const along = ['convDepthwisePlanesF32', 'convGradient9x1PlanesF32'];
    expect(names('channelsLast', 1)).toEqual(across);
    expect(names('channelsFirst', 1)).toEqual(along);
    expect(names('channelsLast', 2)).toEqual([across[0], 'convGradient5x2PlanesF32']);
    expect(names('channelsFirst', 3)).toEqual([along[0], 'convGradient3x3PlanesF32']);
  });

  test('tiles for many filters to a channel', () => {
    expect(names('channelsLast', 4)).toEqual(['convTiles3x4F32', 'convGradient9x4PixelsF32']);
  });
});
