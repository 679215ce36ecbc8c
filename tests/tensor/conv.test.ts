/** Convolution and pooling beyond the table of ops: sizes that are cut into tiles, precision, and what is refused. */
import {
  ShapeError,
  ValueError,
  ops,
  tensor,
  zeros,
  type Shape,
  type Tensor,
} from '@tapegrad/tensor';
import { messageOf } from '../support/errors.js';
import { Numbers } from '../support/numbers.js';

const numbers = new Numbers(99);

/** Whole numbers from −4 to 4: sums are exact in float32 and in whatever order. */
const whole = (shape: Shape): Tensor => numbers.wholes(shape, -4, 4);

const dot = (a: Tensor, b: Tensor): number => a.cast('float64').mul(b.cast('float64')).sum().item();
const first = (x: Tensor): Tensor => x.transpose([0, 3, 1, 2]);

describe('sizes that take several tiles', () => {
  // 5·5·48 rows by 20·30 positions are more than three tiles.
  const [x, kernel] = [whole([2, 20, 30, 48]), whole([5, 5, 48, 6])];
  const attrs = { padding: 'same' } as const;
  const y = ops.conv(x, kernel, attrs);

  test('each element is the sum over its window', () => {
    const [data, weights] = [x.toTypedArray(), kernel.toTypedArray()];
    for (const [n, i, j, f] of [
      [0, 0, 0, 0],
      [0, 3, 17, 5],
      [0, 19, 29, 1],
      [1, 0, 29, 2],
      [1, 9, 12, 3],
      [1, 19, 0, 4],
    ]) {
      let sum = 0;
      for (let u = 0; u < 5; u++) {
        for (let v = 0; v < 5; v++) {
          const [h, w] = [i + u - 2, j + v - 2];
          if (h < 0 || h >= 20 || w < 0 || w >= 30) continue;
          for (let c = 0; c < 48; c++) {
            sum += data[((n * 20 + h) * 30 + w) * 48 + c] * weights[((u * 5 + v) * 48 + c) * 6 + f];
          }
        }
      }
      expect(y.toTypedArray()[((n * 20 + i) * 30 + j) * 6 + f]).toBe(sum);
    }
  });

  test('channels first are the same numbers', () => {
    const other = ops.conv(first(x), kernel, { ...attrs, dataFormat: 'channelsFirst' });
    expect(other.sub(first(y)).abs().max().item()).toBe(0);
  });

  test('the three ops are adjoints: Σ g·conv(x, k) = Σ x·convTranspose(g, k) = Σ k·convKernelGradient(x, g)', () => {
    const g = whole(y.shape);
    const size = [20, 30];
    const total = dot(g, y);
    expect(dot(x, ops.convTranspose(g, kernel, { ...attrs, outputSize: size }))).toBe(total);
    expect(dot(kernel, ops.convKernelGradient(x, g, { ...attrs, kernelSize: [5, 5] }))).toBe(total);
    const planes = { ...attrs, dataFormat: 'channelsFirst' } as const;
    const [xs, gs] = [first(x), first(g)];
    expect(dot(xs, ops.convTranspose(gs, kernel, { ...planes, outputSize: size }))).toBe(total);
    expect(dot(kernel, ops.convKernelGradient(xs, gs, { ...planes, kernelSize: [5, 5] }))).toBe(total); // prettier-ignore
  });
});

test('a result does not depend on what ran before', () => {
  const [x, kernel] = [whole([1, 6, 6, 2]), whole([3, 3, 2, 4])];
  const before = ops.conv(x, kernel).toArray();
  ops.conv(whole([1, 40, 40, 20]), whole([3, 3, 20, 4]));
  ops.convTranspose(whole([1, 40, 40, 4]), whole([3, 3, 20, 4]));
  expect(ops.conv(x, kernel).toArray()).toEqual(before);
});

describe('sums run in double precision', () => {
  const large = 2 ** 24; // in float32, 2²⁴ + 1 is 2²⁴

  test('over the window', () => {
    const x = tensor([[[large], [1], [1], [-large]]]);
    expect(ops.conv(x, [[[1]], [[1]], [[1]], [[1]]]).toArray()).toEqual([[[2]]]);
  });

  test('over the windows that meet in an element', () => {
    const g = tensor([[[large], [1], [-large]]]);
    const x = ops.convTranspose(g, [[[1]], [[1]], [[1]]], { outputSize: [5] });
    expect(x.toArray()).toEqual([[[large], [large], [1], [1 - large], [-large]]]);
  });

  test('over positions and images', () => {
    const g = ops.convKernelGradient([[[large], [1]], [[-large], [1]]], [[[1], [1]], [[1], [1]]], { kernelSize: [1] }); // prettier-ignore
    expect(g.toArray()).toEqual([[[2]]]);
  });
});

test('NaN is the maximum of every window that it is in, and of no other', () => {
  const [values] = ops.maxPool([[[1], [NaN], [3], [4], [0]]], { poolSize: 2, strides: 1 });
  expect(values.toArray()).toEqual([[[NaN], [NaN], [4], [4]]]);
});

test('whole numbers and truth values have maxima too', () => {
  const [values, indices] = ops.maxPool(tensor([[[3], [5], [5], [-1]]], 'int32'), 4);
  expect([values.dtype, values.toArray()]).toEqual(['int32', [[[5]]]]);
  expect([indices.dtype, indices.toArray()]).toEqual(['int32', [[[1]]]]);
  expect(ops.maxPool(tensor([[[false], [true]]]), 2)[0].dtype).toBe('bool');
});

describe('what is refused', () => {
  const x = zeros([1, 4, 4, 2]);
  const kernel = zeros([3, 3, 2, 5]);
  test.each<[string, () => unknown, typeof ShapeError, string]>([
    [
      'a matrix',
      () => ops.conv(zeros([4, 4]), kernel),
      ShapeError,
      'conv: x must be [batch, …space, channels] with one or two axes of space; got [4, 4].',
    ],
    [
      'a kernel for other channels',
      () => ops.conv(x, zeros([3, 3, 1, 5])),
      ShapeError,
      'conv: x [1, 4, 4, 2] has 2 channels and needs a kernel [height, width, 2, filters]; got [3, 3, 1, 5].',
    ],
    [
      'a kernel of another rank',
      () => ops.conv(zeros([1, 4, 2]), kernel),
      ShapeError,
      'conv: x [1, 4, 2] has 2 channels and needs a kernel [size, 2, filters]; got [3, 3, 2, 5].',
    ],
    [
      'a kernel without groups',
      () => ops.conv(x, kernel, { groups: 2 }),
      ShapeError,
      'conv: x [1, 4, 4, 2] has 2 channels and needs a kernel [height, width, 1, filters] for 2 groups; got [3, 3, 2, 5].',
    ],
    [
      'filters in odd groups',
      () => ops.conv(x, zeros([3, 3, 1, 5]), { groups: 2 }),
      ValueError,
      'conv: 2 groups must divide both the 2 channels and the 5 filters.',
    ],
    [
      'a kernel larger than x',
      () => ops.conv(x, zeros([3, 5, 2, 1])),
      ShapeError,
      "conv: a window of 5 does not fit into an axis of 4; take a smaller window or padding 'same'.",
    ],
    [
      'strides of 0',
      () => ops.conv(x, kernel, { strides: 0 }),
      ValueError,
      'conv: strides must be a whole number, or 2 of them, of 1 or more; got 0.',
    ],
    [
      'an unknown format',
      () => ops.conv(x, kernel, { dataFormat: 'NHWC' as 'channelsLast' }),
      ValueError,
      `conv: dataFormat is 'channelsLast' or 'channelsFirst'; got "NHWC".`,
    ],
    [
      'an unknown padding',
      () => ops.conv(x, kernel, { padding: 'full' as 'same' }),
      ValueError,
      `conv: padding is 'valid' or 'same'; got "full".`,
    ],
    [
      'a kernel for other filters',
      () => ops.convTranspose(x, kernel),
      ShapeError,
      'convTranspose: x [1, 4, 4, 2] has 2 channels and needs a kernel [height, width, filters, 2]; got [3, 3, 2, 5].',
    ],
    [
      'a size with other windows',
      () => ops.convTranspose(zeros([1, 2, 2, 5]), kernel, { outputSize: [4, 5] }),
      ShapeError,
      'convTranspose: an output of size [4, 5] belongs to x [1, 2, 3, 5]; got [1, 2, 2, 5].',
    ],
    [
      'a cotangent with other windows',
      () => ops.convKernelGradient(x, zeros([1, 3, 2, 5]), { kernelSize: [3, 3] }),
      ShapeError,
      'convKernelGradient: x [1, 4, 4, 2] has windows of shape [1, 2, 2, 5]; got a cotangent [1, 3, 2, 5].',
    ],
    [
      'a pool larger than x',
      () => ops.maxPool(x, 5),
      ShapeError,
      "maxPool: a window of 5 does not fit into an axis of 4; take a smaller window or padding 'same'.",
    ],
    [
      'a causal pool',
      () => ops.averagePool(zeros([1, 4, 1]), { poolSize: 2, padding: 'causal' as 'same' }),
      ValueError,
      `averagePool: padding is 'valid' or 'same'; got "causal".`,
    ],
    [
      'a size that the pool does not have',
      () => ops.averagePoolTranspose(zeros([1, 2, 1]), { poolSize: 2, size: [7] }),
      ShapeError,
      'averagePoolTranspose: data of size [7] have windows of shape [1, 3, 1]; got [1, 2, 1].',
    ],
  ])('%s', (_, call, type, message) => {
    expect(messageOf(type, call)).toBe(message);
  });
});
