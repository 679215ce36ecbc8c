/** Convolution of few channels or filters and its gradients on the WebAssembly kernels against the TypeScript kernels. */
import { ops, tensor, zeros, type Shape, type Tensor } from '@tapegrad/tensor';
import { convLowerings } from '../../../packages/tensor/src/kernels/wasm/conv/conv.js';
import type { Operand } from '../../../packages/tensor/src/kernels/wasm/kernel.js';
import { detectFeatures } from '../../../packages/tensor/src/kernels/wasm/machine.js';
import type { ConvAttrs } from '../../../packages/tensor/src/ops/windows.js';
import { checkAll, checkEpilogues, contiguous, planes } from '../../support/conv.js';
import { Numbers } from '../../support/numbers.js';
import { testMachine } from '../../support/wasm.js';

const plain = testMachine(false);
// With fused multiply-add where it is to be had.
const machine = detectFeatures()?.relaxed ? testMachine(true) : plain;
const numbers = new Numbers(23);

/** Whole numbers from −4 to 4: sums are exact in float32 in whatever order. */
const whole = (shape: Shape): Tensor => numbers.wholes(shape, -4, 4);

/** Numbers from −1 to 1. */
function real(shape: Shape): Tensor {
  const length = shape.reduce((n, s) => n * s, 1);
  return tensor(
    Float32Array.from({ length }, () => 2 * numbers.next() - 1),
    { shape },
  );
}

/** Data and kernel with channels last. */
interface Case {
  readonly x: Shape;
  readonly kernel: Shape;
  readonly attrs?: ConvAttrs;
}

const same = { padding: 'same' } as const;

const cases: readonly Case[] = [
  { x: [3, 28, 28, 1], kernel: [5, 5, 1, 32], attrs: same },
  { x: [2, 9, 11, 1], kernel: [3, 3, 1, 4], attrs: same },
  { x: [2, 6, 13, 3], kernel: [3, 2, 3, 9] },
  { x: [2, 10, 9, 2], kernel: [4, 4, 2, 7], attrs: same },
  { x: [2, 7, 10, 3], kernel: [1, 6, 3, 5] },
  { x: [2, 8, 17, 1], kernel: [2, 7, 1, 13], attrs: same },
  // As wide as a tile, and less
  { x: [2, 5, 4, 1], kernel: [3, 3, 1, 6], attrs: same },
  { x: [2, 4, 3, 2], kernel: [3, 3, 2, 8], attrs: same },
  { x: [3, 1, 1, 1], kernel: [1, 1, 1, 5] },
  // Windows larger than the image, or longer than a run
  { x: [2, 1, 1, 1], kernel: [5, 5, 1, 8], attrs: same },
  { x: [2, 3, 4, 2], kernel: [5, 7, 2, 4], attrs: same },
  { x: [1, 12, 14, 1], kernel: [3, 9, 1, 6], attrs: same },
  { x: [2, 13, 16, 3], kernel: [3, 3, 3, 8], attrs: { ...same, strides: [2, 1] } },
  { x: [2, 13, 18, 3], kernel: [5, 5, 3, 8], attrs: { ...same, strides: 2 } },
  { x: [1, 11, 14, 1], kernel: [3, 2, 1, 9], attrs: { strides: [3, 2] } },
  { x: [2, 14, 12, 2], kernel: [3, 3, 2, 5], attrs: { ...same, dilationRate: [2, 1] } },
  { x: [2, 14, 12, 1], kernel: [3, 3, 1, 8], attrs: { ...same, dilationRate: 2 } },
  { x: [2, 10, 12, 6], kernel: [3, 3, 3, 14], attrs: { ...same, groups: 2 } },
  { x: [2, 9, 12, 4], kernel: [2, 3, 2, 6], attrs: { groups: 2 } },
  { x: [2, 40, 1], kernel: [5, 1, 12], attrs: { padding: 'causal' } },
  { x: [2, 30, 3], kernel: [3, 3, 6], attrs: { ...same, strides: 2 } },
  // Few filters
  { x: [3, 16, 15, 16], kernel: [3, 3, 16, 1], attrs: same },
  { x: [2, 12, 13, 9], kernel: [5, 3, 9, 2] },
  { x: [2, 11, 14, 7], kernel: [3, 3, 7, 3], attrs: { ...same, strides: 2 } },
  { x: [2, 3, 2, 5], kernel: [3, 3, 5, 1], attrs: same },
  { x: [2, 1, 1, 6], kernel: [1, 1, 6, 2] },
  { x: [2, 9, 9, 4], kernel: [2, 2, 4, 1], attrs: { strides: 4, dilationRate: 2 } },
  { x: [2, 12, 11, 6], kernel: [3, 3, 3, 4], attrs: { ...same, groups: 2, strides: [1, 2] } },
];

describe.each(cases)('$x with $kernel, $attrs', ({ x: shape, kernel: window, attrs = {} }) => {
  const [x, kernel] = [whole(shape), whole(window)];
  const cotangent = whole(ops.conv(x, kernel, attrs).shape);
  const first = { ...attrs, dataFormat: 'channelsFirst' } as const;

  test('channels last', () => checkAll(machine, [x, kernel, cotangent], attrs));

  test('channels first', () => {
    checkAll(machine, [contiguous(planes(x)), kernel, contiguous(planes(cotangent))], first);
  });

  test('strided data and kernel', () => {
    const turned = [...kernel.shape.keys()].reverse();
    const strided = contiguous(kernel.transpose(turned)).transpose(turned);
    checkAll(machine, [planes(x), strided, planes(cotangent)], first);
  });
});

test.each(['channelsLast', 'channelsFirst'] as const)('real numbers, %s', (dataFormat) => {
  for (const [channels, filters] of [
    [1, 20],
    [3, 9],
    [12, 1],
  ]) {
    const [x, kernel] = [real([4, 28, 27, channels]), real([5, 5, channels, filters])];
    const cotangent = real([4, 28, 27, filters]);
    const last = dataFormat === 'channelsLast';
    const data = last
      ? ([x, kernel, cotangent] as const)
      : ([contiguous(planes(x)), kernel, contiguous(planes(cotangent))] as const);
    // Sums of up to 500 products, and of 3000 for the kernel: of about 18, each rounded by up to 2⁻²⁰.
    for (const on of [machine, plain]) {
      checkAll(on, data, { ...same, dataFormat }, { relative: 1e-6, absolute: 6e-5 });
    }
  }
});

describe.each([
  { kernel: [3, 3, 2, 7], groups: 1 },
  { kernel: [3, 3, 2, 12], groups: 2 },
  { kernel: [3, 3, 6, 2], groups: 1 },
])('what follows the sums of $kernel in $groups groups', ({ kernel: window, groups }) => {
  const operands = [real([2, 7, 9, window[2] * groups]), real(window), real([window[3]])] as const;

  test.each(['channelsLast', 'channelsFirst'] as const)('%s', (dataFormat) => {
    checkEpilogues(machine, operands, { ...same, dataFormat, groups });
  });
});

test.each(['channelsLast', 'channelsFirst'] as const)(
  'an infinity reaches only the windows it is in, %s',
  (dataFormat) => {
    for (const [channels, filters] of [
      [1, 8],
      [4, 1],
    ]) {
      const shape = [2, 7, 9, channels];
      const data = whole(shape).toTypedArray();
      data[5 * channels] = Infinity;
      data[data.length - 1] = NaN;
      const x = tensor(data, { shape });
      const kernel = whole([2, 3, channels, filters]).abs().add(1);
      const cotangent = whole([2, 6, 7, filters]);
      const last = dataFormat === 'channelsLast';
      const operands = last
        ? ([x, kernel, cotangent] as const)
        : ([contiguous(planes(x)), kernel, contiguous(planes(cotangent))] as const);
      checkAll(machine, operands, { dataFormat });
    }
  },
);

describe('which kernels are chosen', () => {
  const operand = (shape: Shape): Operand => {
    const { strides, size } = zeros(shape);
    return { dtype: 'float32', shape, strides, size, contiguous: true, address: 64 };
  };
  const context = { threads: 1, scratch: () => 64, mayFault: () => true };

  /** Those of the convolution of an image, of its gradient for the image, and of that for the kernel, which is square. */
  function names(
    dataFormat: 'channelsLast' | 'channelsFirst',
    [size, window, channels, filters]: readonly number[],
    strides = 1,
  ): string[] {
    const shape = (space: number, c: number): Shape =>
      dataFormat === 'channelsLast' ? [1, space, space, c] : [1, c, space, space];
    const [x, y] = [
      operand(shape(size, channels)),
      operand(shape(Math.ceil(size / strides), filters)),
    ];
    const kernel = operand([window, window, channels, filters]);
    const attrs = { ...same, dataFormat, strides };
    const call = { outputs: [y], attrs, epilogue: null };
    const commands = [
      convLowerings.conv?.({ ...call, inputs: [x, kernel] }, context),
      convLowerings.convTranspose?.(
        {
          ...call,
          inputs: [y, kernel],
          outputs: [x],
          attrs: { ...attrs, outputSize: [size, size] },
        },
        context,
      ),
      convLowerings.convKernelGradient?.(
        {
          ...call,
          inputs: [x, y],
          outputs: [kernel],
          attrs: { ...attrs, kernelSize: [window, window] },
        },
        context,
      ),
    ];
    return commands.map((list) => list?.at(-1)?.kernel.name ?? 'none');
  }

  test('the first layer of a network', () => {
    const [forward, back] = ['convTiles5x7F32', 'convTiles5x7F32'];
    expect(names('channelsFirst', [28, 5, 1, 32])).toEqual([
      forward,
      back,
      'convGradient5x2PlanesF32',
    ]);
    expect(names('channelsLast', [28, 5, 1, 32])).toEqual([
      forward,
      back,
      'convGradient5x8PixelsF32',
    ]);
  });

  test('its last layer, if that has one filter', () => {
    const chosen = ['convTiles3x7F32', 'convTiles3x7F32', 'convGradient9x1PlanesF32'];
    expect(names('channelsFirst', [28, 3, 16, 1])).toEqual(chosen);
  });

  test('products of matrices for many channels and filters, strides across the row, narrow images', () => {
    const products = ['convCorrelateF32', 'convCorrelateF32', 'convWriteKernelF32'];
    expect(names('channelsFirst', [12, 3, 24, 24])).toEqual(products);
    expect(names('channelsFirst', [3, 3, 4, 4])).toEqual(products);
    expect(names('channelsFirst', [28, 7, 3, 32], 2)[0]).toBe('convCorrelateF32');
  });
});
