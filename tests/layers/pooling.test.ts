/** Pooling and resizing as layers. */
import {
  AveragePooling1D,
  AveragePooling2D,
  GlobalAveragePooling1D,
  GlobalAveragePooling2D,
  GlobalMaxPooling1D,
  GlobalMaxPooling2D,
  Masking,
  MaxPooling1D,
  MaxPooling2D,
  Sequential,
  UnknownNameError,
  UpSampling2D,
  ZeroPadding2D,
  maskOf,
  setMask,
} from '@tapegrad/layers';
import { Variable, gradients, variable } from '@tapegrad/autograd';
import { Generator, ShapeError, ValueError, tensor, zeros } from '@tapegrad/tensor';
import { messageOf } from '../support/errors.js';
import { layerSuite } from '../support/layer-suite.js';

const dtype = 'float64';
const dataFormat = 'channelsFirst';
const weights = 0;

layerSuite({
  MaxPooling1D: {
    make: () => new MaxPooling1D(2, { dtype }),
    input: [2, 5, 2],
    output: [2, 2, 2],
    weights,
  },
  'MaxPooling1D, same': {
    make: () => new MaxPooling1D(3, { dtype, dataFormat, strides: 2, padding: 'same' }),
    input: [1, 2, 6],
    output: [1, 2, 3],
    weights,
  },
  MaxPooling2D: {
    make: () => new MaxPooling2D(2, { dtype }),
    input: [2, 5, 4, 2],
    output: [2, 2, 2, 2],
    weights,
  },
  'MaxPooling2D, overlapping': {
    make: () => new MaxPooling2D([3, 2], { dtype, dataFormat, strides: 1, padding: 'same' }),
    input: [1, 2, 3, 4],
    output: [1, 2, 3, 4],
    weights,
  },
  AveragePooling1D: {
    make: () => new AveragePooling1D(2, { dtype }),
    input: [2, 5, 2],
    output: [2, 2, 2],
    weights,
  },
  AveragePooling2D: {
    make: () => new AveragePooling2D(3, { dtype, strides: 2, padding: 'same' }),
    input: [1, 5, 4, 2],
    output: [1, 3, 2, 2],
    weights,
  },
  GlobalMaxPooling1D: {
    make: () => new GlobalMaxPooling1D({ dtype }),
    input: [2, 4, 3],
    output: [2, 3],
    weights,
  },
  GlobalMaxPooling2D: {
    make: () => new GlobalMaxPooling2D({ dtype, dataFormat, keepDims: true }),
    input: [2, 3, 2, 2],
    output: [2, 3, 1, 1],
    weights,
  },
  GlobalAveragePooling1D: {
    make: () => new GlobalAveragePooling1D({ dtype, dataFormat }),
    input: [2, 3, 4],
    output: [2, 3],
    weights,
  },
  GlobalAveragePooling2D: {
    make: () => new GlobalAveragePooling2D({ dtype, keepDims: true }),
    input: [2, 2, 3, 2],
    output: [2, 1, 1, 2],
    weights,
  },
  ZeroPadding2D: {
    make: () => new ZeroPadding2D([[1, 0], [2, 1]], { dtype }), // prettier-ignore
    input: [1, 2, 2, 2],
    output: [1, 3, 5, 2],
    weights,
  },
  UpSampling2D: {
    make: () => new UpSampling2D([2, 3], { dtype, dataFormat }),
    input: [1, 2, 2, 1],
    output: [1, 2, 4, 3],
    weights,
  },
  'UpSampling2D, bilinear': {
    make: () => new UpSampling2D([2, 3], { dtype, interpolation: 'bilinear' }),
    input: [2, 3, 2, 2],
    output: [2, 6, 6, 2],
    weights,
  },
  'UpSampling2D, bilinear, channels first': {
    make: () => new UpSampling2D([3, 1], { dtype, dataFormat, interpolation: 'bilinear' }),
    input: [1, 2, 1, 3],
    output: [1, 2, 3, 3],
    weights,
  },
});

describe('bilinear interpolation', () => {
  const expectRows = (actual: unknown, expected: readonly (readonly number[])[]): void => {
    expect(actual).toEqual(expected.map((row) => row.map((v): unknown => expect.closeTo(v, 12))));
  };

  // torch.nn.functional.interpolate(x, scale_factor=(2, 3), mode='bilinear', align_corners=False), PyTorch 1.13
  test('is that of PyTorch', () => {
    const layer = new UpSampling2D([2, 3], { dtype, interpolation: 'bilinear' });
    const y = layer.apply(tensor([1, 4, 9, 16, 25, 36], dtype).reshape([1, 2, 3, 1]));
    expectRows(y.value.reshape([4, 9]).toArray(), [
      [1, 1, 2, 3, 4, 17 / 3, 22 / 3, 9, 9],
      [4.75, 4.75, 6.25, 7.75, 9.25, 11 + 5 / 12, 13 + 7 / 12, 15.75, 15.75],
      [12.25, 12.25, 14.75, 17.25, 19.75, 22 + 11 / 12, 26 + 1 / 12, 29.25, 29.25],
      [16, 16, 19, 22, 25, 28 + 2 / 3, 32 + 1 / 3, 36, 36],
    ]);
  });

  /** The value of an image at a point, between the four pixels around it; the outermost go on for ever. */
  const valueAt = (image: readonly (readonly number[])[], row: number, column: number): number => {
    const pixel = (i: number, j: number): number => {
      const within = (k: number, size: number): number => Math.min(Math.max(k, 0), size - 1);
      return image[within(i, image.length)][within(j, image[0].length)];
    };
    const [i, j] = [Math.floor(row), Math.floor(column)];
    const [v, u] = [row - i, column - j];
    return (
      (1 - v) * ((1 - u) * pixel(i, j) + u * pixel(i, j + 1)) +
      v * ((1 - u) * pixel(i + 1, j) + u * pixel(i + 1, j + 1))
    );
  };

  test.each([
    [[1, 1], 2, 2],
    [[4, 3], 3, 2],
    [[2, 5], 1, 4],
    [[3, 3], 1, 1],
  ])(
    'of sizes %j finds the values between the middles of %i x %i pixels',
    (size, rows, columns) => {
      const image = new Generator(7).normal([rows, columns], { dtype });
      const layer = new UpSampling2D(size, { dtype, dataFormat, interpolation: 'bilinear' });
      const pixels = image.toArray() as number[][];
      const expected = Array.from({ length: rows * size[0] }, (_, i) =>
        Array.from({ length: columns * size[1] }, (__, j) =>
          valueAt(pixels, (i + 0.5) / size[0] - 0.5, (j + 0.5) / size[1] - 0.5),
        ),
      );
      const y = layer.apply(image.reshape([1, 1, rows, columns])).value;
      expectRows(y.reshape([rows * size[0], columns * size[1]]).toArray(), expected);
    },
  );
});

test('padding is never the maximum, and does not count in the mean', () => {
  const x = [[[-5], [-3], [-4]]];
  const settings = { padding: 'same' } as const;
  expect(new MaxPooling1D(2, settings).apply(x).toArray()).toEqual([[[-3], [-4]]]);
  expect(new AveragePooling1D(2, settings).apply(x).toArray()).toEqual([[[-4], [-4]]]);
});

test('of equal maxima the first gets the gradient', () => {
  const x = variable([[[7], [7], [1], [2], [2], [2]]]);
  new MaxPooling1D(3).apply(x).sum().backward();
  expect(x.grad?.toArray()).toEqual([[[1], [0], [0], [1], [0], [0]]]);
});

test('an element that is the maximum of several windows gets the gradients of all', () => {
  const x = variable([[[1], [2], [9], [3], [4]]]);
  new MaxPooling1D(3, { strides: 1 }).apply(x).sum().backward();
  expect(x.grad?.toArray()).toEqual([[[0], [0], [3], [0], [0]]]);
});

test('the window is 2 and moves by its size unless told otherwise', () => {
  expect(new MaxPooling2D().apply(zeros([1, 6, 8, 1])).shape).toEqual([1, 3, 4, 1]);
  expect(new AveragePooling2D([3, 2], { strides: null }).apply(zeros([1, 6, 8, 1])).shape).toEqual([1, 2, 4, 1]); // prettier-ignore
});

describe('GlobalAveragePooling1D of a masked sequence', () => {
  const values = [
    [[1, 2], [NaN, NaN], [3, 6]],
    [[7, 8], [9, 9], [9, 9]],
    [[9, 9], [9, 9], [9, 9]],
  ]; // prettier-ignore
  const mask = tensor([[true, false, true], [true, false, false], [false, false, false]]); // prettier-ignore

  test.each([true, false])('is the mean of the steps that count (channels last %s)', (last) => {
    const means = [[2, 4], [7, 8], [0, 0]]; // prettier-ignore
    const dataFormat = last ? 'channelsLast' : 'channelsFirst';
    const x = tensor(values, { dtype });
    const input = new Variable(last ? x : x.transpose([0, 2, 1]));
    setMask(input, mask);
    const y = new GlobalAveragePooling1D({ dtype, dataFormat }).apply(input);
    expect(y.toArray()).toEqual(means);
    expect(maskOf(y)).toBeNull();
    const kept = new GlobalAveragePooling1D({ dtype, dataFormat, keepDims: true }).apply(input);
    expect(kept.squeeze(last ? 1 : 2).toArray()).toEqual(means);
  });

  test('gives no gradient to the others', () => {
    const input = variable(values, dtype);
    setMask(input, mask);
    const sum = new GlobalAveragePooling1D({ dtype }).apply(input).sum();
    const counts = [2, 1, 1];
    const expected = (mask.toArray() as number[][]).map((row, i) =>
      row.map((there) => [there / counts[i], there / counts[i]]),
    );
    expect(gradients([sum], [input])[0].toArray()).toEqual(expected);
  });

  test('reaches a model by way of Masking', () => {
    const model = new Sequential([
      new Masking({ inputShape: [3, 2], dtype }),
      new GlobalAveragePooling1D({ dtype }),
    ]);
    expect(model.predict([[[1, 2], [0, 0], [5, 6]]]).toArray()).toEqual([[3, 4]]); // prettier-ignore
  });
});

describe('what is refused', () => {
  const named = { name: 'pool' };
  test.each<[string, () => unknown, typeof ShapeError, string]>([
    [
      'a window of 0',
      () => new MaxPooling2D(0, named),
      ValueError,
      'pool: poolSize must be a whole number, or 2 of them, of 1 or more; got 0.',
    ],
    [
      'strides of 0',
      () => new MaxPooling2D(2, { ...named, strides: [1, 0] }),
      ValueError,
      'pool: strides must be a whole number, or 2 of them, of 1 or more; got [1, 0].',
    ],
    [
      'an unknown padding',
      () => new AveragePooling1D(2, { ...named, padding: 'causal' as 'same' }),
      ValueError,
      `pool: padding is 'valid' or 'same'; got "causal".`,
    ],
    [
      'an unknown format',
      () => new GlobalMaxPooling1D({ ...named, dataFormat: 'last' as 'channelsLast' }),
      ValueError,
      `pool: dataFormat is 'channelsLast' or 'channelsFirst'; got "last".`,
    ],
    [
      'a window larger than the image',
      () => new MaxPooling2D(3, named).apply(zeros([1, 2, 4, 1])),
      ShapeError,
      "pool: a window of 3 does not fit into an axis of 2; take a smaller window or padding 'same'.",
    ],
    [
      'steps as an image',
      () => new MaxPooling2D(2, named).apply(zeros([1, 4, 1])),
      ShapeError,
      "pool: needs inputs [batch, height, width, channels] (dataFormat 'channelsLast'); got [1, 4, 1].",
    ],
    [
      'an image as steps',
      () => new GlobalAveragePooling1D(named).apply(zeros([1, 4, 4, 1])),
      ShapeError,
      "pool: needs inputs [batch, steps, channels] (dataFormat 'channelsLast'); got [1, 4, 4, 1].",
    ],
    [
      'a negative padding',
      () => new ZeroPadding2D(-1, named),
      ValueError,
      'pool: padding is a whole number of 0 or more, [height, width] or [[top, bottom], [left, right]] of such; got -1.',
    ],
    [
      'a size of 0',
      () => new UpSampling2D(0, named),
      ValueError,
      'pool: size must be a whole number, or 2 of them, of 1 or more; got 0.',
    ],
    [
      'another interpolation',
      () => new UpSampling2D(2, { ...named, interpolation: 'bilinea' as 'nearest' }),
      UnknownNameError,
      "Unknown interpolation of pool 'bilinea'. Did you mean 'bilinear'? Known are 'nearest' or 'bilinear'.",
    ],
  ])('%s', (_, call, type, message) => {
    expect(messageOf(type, call)).toBe(message);
  });
});
