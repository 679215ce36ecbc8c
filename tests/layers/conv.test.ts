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
