/** Convolution as layers: what every layer must do, what the golden files do not ask, and what is refused. */
import {
  Conv1D,
  Conv2D,
  Conv2DTranspose,
  Dense,
  DepthwiseConv2D,
  Flatten,
  MaxPooling2D,
  SeparableConv2D,
  Sequential,
} from '@tapegrad/layers';
import { ShapeError, ValueError, ops, tensor, zeros } from '@tapegrad/tensor';
import { messageOf } from '../support/errors.js';
import { layerSuite } from '../support/layer-suite.js';

const dtype = 'float64';
const dataFormat = 'channelsFirst';

layerSuite({
  Conv1D: {
    make: () => new Conv1D(2, 3, { dtype }),
    input: [2, 5, 2],
    output: [2, 3, 2],
    weights: 14,
  },
  'Conv1D, causal': {
    make: () => new Conv1D(2, 2, { dtype, padding: 'causal', dilationRate: 2, activation: 'tanh' }),
    input: [1, 5, 1],
    output: [1, 5, 2],
    weights: 6,
  },
  Conv2D: {
    make: () => new Conv2D(2, [3, 2], { dtype, strides: [2, 1], padding: 'same' }),
    input: [2, 5, 3, 2],
    output: [2, 3, 3, 2],
    weights: 26,
  },
  'Conv2D, channels first, groups': {
    make: () => new Conv2D(4, 2, { dtype, dataFormat, groups: 2, useBias: false }),
    input: [1, 2, 3, 4],
    output: [1, 4, 2, 3],
    weights: 16,
  },
  DepthwiseConv2D: {
    make: () => new DepthwiseConv2D(2, { dtype, depthMultiplier: 2 }),
    input: [1, 3, 3, 2],
    output: [1, 2, 2, 4],
    weights: 20,
  },
  SeparableConv2D: {
    make: () => new SeparableConv2D(3, 2, { dtype, dataFormat, activation: 'sigmoid' }),
    input: [1, 2, 3, 3],
    output: [1, 3, 2, 2],
    weights: 17,
  },
  Conv2DTranspose: {
    make: () => new Conv2DTranspose(2, 3, { dtype, strides: 2, padding: 'same' }),
    input: [1, 2, 3, 1],
    output: [1, 4, 6, 2],
    weights: 20,
  },
  'Conv2DTranspose, output padding': {
    make: () =>
      new Conv2DTranspose(1, [3, 2], { dtype, strides: [2, 3], outputPadding: [1, 2], dataFormat }),
    input: [1, 2, 2, 2],
    output: [1, 1, 6, 7],
    weights: 13,
  },
  'Conv2DTranspose, channels first': {
    make: () => new Conv2DTranspose(1, [3, 2], { dtype, dataFormat, strides: [2, 1] }),
    input: [1, 2, 2, 2],
    output: [1, 1, 5, 3],
    weights: 13,
  },
});

test('a causal convolution does not look ahead', () => {
  const layer = new Conv1D(3, 3, { padding: 'causal', kernelInitializer: 'ones' });
  const x = tensor([[[1], [2], [3], [4], [5]]]);
  const changed = tensor([[[1], [2], [3], [40], [50]]]);
  const [a, b] = [layer.apply(x), layer.apply(changed)];
  expect(a.slice({ begin: [0, 0, 0], size: [1, 3, 3] }).toArray()).toEqual(
    b.slice({ begin: [0, 0, 0], size: [1, 3, 3] }).toArray(),
  );
  expect(
    a
      .slice({ begin: [0, 0, 0], size: [1, 5, 1] })
      .reshape([5])
      .toArray(),
  ).toEqual([1, 3, 6, 9, 12]);
});

test('both data formats give the same from the same weights', () => {
  const settings = { padding: 'same', activation: 'relu', strides: 2 } as const;
  const last = new Conv2D(3, 3, settings);
  const first = new Conv2D(3, 3, { ...settings, dataFormat });
  const x = tensor(
    Float32Array.from({ length: 2 * 5 * 6 * 2 }, (_, i) => Math.sin(i)),
    {
      shape: [2, 5, 6, 2],
    },
  );
  const y = last.apply(x).value;
  const moved = ops.transpose(x, [0, 3, 1, 2]);
  first.ensureBuilt(moved.shape);
  first.setWeights(last.getWeights());
  expect(ops.transpose(first.apply(moved).value, [0, 2, 3, 1]).toArray()).toEqual(y.toArray());
});

test('images of any size pass when none was promised', () => {
  const layer = new Conv2D(4, 3);
  expect(layer.computeOutputShape([null, null, null, 3])).toEqual([null, null, null, 4]);
  expect(layer.apply(zeros([1, 5, 5, 3])).shape).toEqual([1, 3, 3, 4]);
  expect(layer.apply(zeros([1, 8, 4, 3])).shape).toEqual([1, 6, 2, 4]);
});

test('a model knows its shapes through convolution and pooling', () => {
  const model = new Sequential([
    new Conv2D(32, 5, { padding: 'same', dataFormat, inputShape: [1, 28, 28] }),
    new MaxPooling2D(2, { padding: 'same', dataFormat }),
    new Conv2D(64, 5, { padding: 'same', dataFormat }),
    new MaxPooling2D(2, { padding: 'same', dataFormat }),
    new Flatten(),
    new Dense(10),
  ]);
  expect(model.countParams()).toBe(25 * 32 + 32 + 25 * 32 * 64 + 64 + 64 * 49 * 10 + 10);
  expect(model.computeOutputShape([null, 1, 28, 28])).toEqual([null, 10]);
});

/** Along one axis, as defined: each input puts the kernel onto the output, from which 'same' cuts both ends evenly. */
function transposedByHand(
  x: readonly number[],
  kernel: readonly number[],
  stride: number,
  size: number,
  same: boolean,
): number[] {
  const whole = (x.length - 1) * stride + kernel.length;
  const before = same ? Math.floor(Math.max(whole - size, 0) / 2) : 0;
  const y = new Array<number>(size).fill(0);
  x.forEach((value, i) => {
    kernel.forEach((weight, u) => {
      const at = i * stride + u - before;
      if (at >= 0 && at < size) y[at] += value * weight;
    });
  });
  return y;
}

describe('outputPadding of Conv2DTranspose', () => {
  const x = [2, 3, 5];

  test.each([
    ['valid', 3, 2, 0, 7],
    ['valid', 3, 2, 1, 8],
    ['valid', 2, 3, 0, 8],
    ['valid', 2, 3, 2, 10],
    ['valid', 5, 2, 1, 10],
    ['same', 3, 2, 0, 5],
    ['same', 3, 2, 1, 6],
    ['same', 5, 3, 1, 8],
    ['same', 5, 3, 2, 9],
    ['same', 2, 2, 1, 5],
    ['same', 4, 3, 2, 8],
    ['same', 1, 3, 2, 9],
  ] as const)(
    '%s, window %i, stride %i: %i more makes %i',
    (padding, window, stride, more, size) => {
      const kernel = Array.from({ length: window }, (_, u) => 10 ** u);
      const layer = new Conv2DTranspose(1, [window, 1], {
        strides: [stride, 1],
        padding,
        outputPadding: [more, 0],
        useBias: false,
        dtype,
      });
      layer.ensureBuilt([null, 3, 1, 1]);
      layer.setWeights([tensor(kernel).reshape([window, 1, 1, 1])]);
      expect(layer.computeOutputShape([null, 3, 1, 1])).toEqual([null, size, 1, 1]);
      const y = layer.apply(tensor(x, dtype).reshape([1, 3, 1, 1]));
      expect(y.shape).toEqual([1, size, 1, 1]);
      expect([...y.value.toTypedArray()]).toEqual(
        transposedByHand(x, kernel, stride, size, padding === 'same'),
      );
    },
  );

  // torch.nn.functional.conv_transpose2d(x, k, stride=(2, 3), output_padding=(1, 2)), PyTorch 1.13
  test('is that of PyTorch for two axes', () => {
    const layer = new Conv2DTranspose(1, 3, {
      strides: [2, 3],
      outputPadding: [1, 2],
      useBias: false,
    });
    layer.ensureBuilt([null, 2, 2, 1]);
    layer.setWeights([tensor([1, 2, 3, 4, 5, 6, 7, 8, 9]).reshape([3, 3, 1, 1])]);
    const y = layer.apply(tensor([1, 2, 3, 4]).reshape([1, 2, 2, 1]));
    expect(y.value.reshape([6, 8]).toArray()).toEqual([
      [1, 2, 3, 2, 4, 6, 0, 0],
      [4, 5, 6, 8, 10, 12, 0, 0],
      [10, 14, 18, 18, 24, 30, 0, 0],
      [12, 15, 18, 16, 20, 24, 0, 0],
      [21, 24, 27, 28, 32, 36, 0, 0],
      [0, 0, 0, 0, 0, 0, 0, 0],
    ]);
  });

  test.each([[2], [-1], [0.5], [[0, 2]], [[1]]])(
    '%j does not fit strides of 2',
    (outputPadding) => {
      const make = (): unknown =>
        new Conv2DTranspose(1, 3, { name: 'up', strides: 2, outputPadding });
      expect(messageOf(ValueError, make)).toBe(
        'up: outputPadding must be a whole number, or 2 of them, from 0 up to but without the strides [2, 2]; got ' +
          `${JSON.stringify(outputPadding)}.`,
      );
    },
  );

  test('an even window needs more than 0 with padding same', () => {
    const layer = new Conv2DTranspose(1, 4, {
      name: 'up',
      strides: 2,
      padding: 'same',
      outputPadding: 0,
    });
    expect(messageOf(ShapeError, () => layer.apply(zeros([1, 3, 3, 1])))).toBe(
      "up: with padding 'same' and a window of 4, which is even, outputPadding 0 leaves no room for the last of 3 inputs; " +
        'take 1 or more (less than the strides), or leave outputPadding out.',
    );
  });
});

describe('what is refused', () => {
  const named = { name: 'edges' };
  test.each<[string, () => unknown, typeof ShapeError, string]>([
    [
      'no filters',
      () => new Conv2D(0, 3, named),
      ValueError,
      'edges: filters must be a whole number of 1 or more; got 0.',
    ],
    [
      'strides of 0',
      () => new Conv2D(1, 3, { ...named, strides: 0 }),
      ValueError,
      'edges: strides must be a whole number, or 2 of them, of 1 or more; got 0.',
    ],
    [
      'three sizes',
      () => new Conv2D(1, [3, 3, 3], named),
      ValueError,
      'edges: kernelSize must be a whole number, or 2 of them, of 1 or more; got [3, 3, 3].',
    ],
    [
      'a half dilation',
      () => new Conv1D(1, 3, { ...named, dilationRate: 1.5 }),
      ValueError,
      'edges: dilationRate must be a whole number of 1 or more; got 1.5.',
    ],
    [
      'groups of 0',
      () => new Conv2D(1, 3, { ...named, groups: 0 }),
      ValueError,
      'edges: groups must be a whole number of 1 or more; got 0.',
    ],
    [
      'causal images',
      () => new Conv2D(1, 3, { ...named, padding: 'causal' }),
      ValueError,
      `edges: padding is 'valid' or 'same'; got "causal".`,
    ],
    [
      'an unknown format',
      () => new Conv2D(1, 3, { ...named, dataFormat: 'NCHW' as 'channelsFirst' }),
      ValueError,
      `edges: dataFormat is 'channelsLast' or 'channelsFirst'; got "NCHW".`,
    ],
    [
      'no multiplier',
      () => new DepthwiseConv2D(3, { ...named, depthMultiplier: 0 }),
      ValueError,
      'edges: depthMultiplier must be a whole number of 1 or more; got 0.',
    ],
    [
      'a flat image',
      () => new Conv2D(1, 3, named).apply(zeros([2, 28, 28])),
      ShapeError,
      "edges: needs inputs [batch, height, width, channels] (dataFormat 'channelsLast'); got [?, 28, 28].",
    ],
    [
      'an image as steps',
      () => new Conv1D(1, 3, { ...named, dataFormat }).apply(zeros([1, 2, 3, 4])),
      ShapeError,
      "edges: needs inputs [batch, channels, steps] (dataFormat 'channelsFirst'); got [?, 2, 3, 4].",
    ],
    [
      'a kernel larger than the image',
      () => new Conv2D(1, 5, named).apply(zeros([1, 4, 8, 1])),
      ShapeError,
      "edges: a window of 5 does not fit into an axis of 4; take a smaller window or padding 'same'.",
    ],
    [
      'a dilated kernel larger than the image',
      () => new Conv2D(1, 3, { ...named, dilationRate: 2 }).apply(zeros([1, 8, 4, 1])),
      ShapeError,
      "edges: a window of 3, dilated to 5, does not fit into an axis of 4; take a smaller window or padding 'same'.",
    ],
    [
      'channels in odd groups',
      () => new Conv2D(4, 3, { ...named, groups: 2 }).apply(zeros([1, 4, 4, 3])),
      ValueError,
      'edges: 2 groups must divide both the 3 channels and the 4 filters.',
    ],
    [
      'unknown channels',
      () => new Conv2D(4, 3, named).ensureBuilt([null, 8, 8, null]),
      ShapeError,
      'edges: the number of channels must be known; got inputs [?, 8, 8, ?].',
    ],
  ])('%s', (_, call, type, message) => {
    expect(messageOf(type, call)).toBe(message);
  });

  test('other channels than it was built for', () => {
    const layer = new Conv2D(1, 3, named);
    layer.apply(zeros([1, 4, 4, 3]));
    expect(messageOf(ShapeError, () => layer.apply(zeros([1, 3, 4, 4])))).toBe(
      "edges: was built for 3 channels; got inputs [1, 3, 4, 4] with 4 (dataFormat 'channelsLast').",
    );
  });
});
