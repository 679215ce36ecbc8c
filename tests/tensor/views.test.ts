import { ShapeError, ValueError, arange, tensor, type Tensor } from '@tapegrad/tensor';
import { messageOf } from '../support/errors.js';

/** 0 … 11 as [3, 4]. */
const grid = (): Tensor => arange(12).reshape([3, 4]);

describe('views share memory', () => {
  const views: [string, (x: Tensor) => Tensor, readonly number[], readonly number[]][] = [
    ['identity', (x) => x.identity(), [3, 4], [4, 1]],
    ['transpose', (x) => x.transpose(), [4, 3], [1, 4]],
    ['transpose with perm', (x) => x.transpose([0, 1]), [3, 4], [4, 1]],
    ['reshape', (x) => x.reshape([2, 6]), [2, 6], [6, 1]],
    ['expandDims', (x) => x.expandDims(0), [1, 3, 4], [0, 4, 1]],
    ['squeeze', (x) => x.reshape([3, 1, 4]).squeeze(), [3, 4], [4, 1]],
    ['broadcastTo', (x) => x.broadcastTo([2, 3, 4]), [2, 3, 4], [0, 4, 1]],
    ['flip', (x) => x.flip(1), [3, 4], [4, -1]],
    ['slice', (x) => x.slice({ begin: [1, 1], size: [2, 2] }), [2, 2], [4, 1]],
    ['stridedSlice', (x) => x.stridedSlice({ strides: [-2, 3] }), [2, 2], [-8, 3]],
  ];

  test.each(views)('%s', (_, make, shape, strides) => {
    const x = grid();
    const y = make(x);
    expect(y.data).toBe(x.data);
    expect(y.storage).toBe(x.storage);
    expect([y.shape, y.strides]).toEqual([shape, strides]);
    // A change of the memory shows in both.
    x.data.fill(7);
    expect(y.sub(7).abs().sum().item()).toBe(0);
  });

  test('a reshape of what is not row-major is a copy', () => {
    const x = grid().transpose();
    const y = x.reshape([12]);
    expect(y.data).not.toBe(x.data);
    expect(y.toArray()).toEqual([0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
  });

  test('copy and cast do not share', () => {
    const x = grid();
    expect(x.copy().data).not.toBe(x.data);
    expect(x.cast('int32').data).not.toBe(x.data);
  });

  test('views of views', () => {
    const x = grid()
      .transpose()
      .flip(0)
      .stridedSlice({ begin: [1], strides: [2, 2] })
      .expandDims(1);
    expect(x.shape).toEqual([2, 1, 2]);
    expect(x.toArray()).toEqual([[[2, 10]], [[0, 8]]]);
    expect(x.squeeze(1).transpose().toArray()).toEqual([
      [2, 0],
      [10, 8],
    ]);
  });
});

describe('stridedSlice is x[begin:end:stride] of Python', () => {
  // list(range(5))[begin:end:stride], as Python 3.11 prints it.
  test.each([
    [null, null, null, [0, 1, 2, 3, 4]],
    [1, 4, null, [1, 2, 3]],
    [null, null, -1, [4, 3, 2, 1, 0]],
    [-2, null, null, [3, 4]],
    [null, -2, null, [0, 1, 2]],
    [4, 0, -2, [4, 2]],
    [4, null, -2, [4, 2, 0]],
    [10, -10, -3, [4, 1]],
    [-10, 10, 3, [0, 3]],
    [3, 1, 1, []],
    [1, 3, -1, []],
    [-1, -6, -1, [4, 3, 2, 1, 0]],
    [-6, -1, 1, [0, 1, 2, 3]],
    [5, null, 1, []],
    [0, null, -1, [0]],
  ])('[%p:%p:%p]', (begin, end, stride, expected) => {
    const slice = { begin: [begin], end: [end], strides: [stride] };
    expect(arange(5).stridedSlice(slice).toArray()).toEqual(expected);
  });

  test('axes left out are taken whole', () => {
    expect(
      grid()
        .stridedSlice({ begin: [2] })
        .toArray(),
    ).toEqual([[8, 9, 10, 11]]);
    expect(grid().stridedSlice({}).toArray()).toEqual(grid().toArray());
  });

  test.each([
    [{ strides: [0] }, ValueError, 'stridedSlice: strides must be whole and not 0; got 0.'],
    [{ strides: [1.5] }, ValueError, 'stridedSlice: strides must be whole and not 0; got 1.5.'],
    [{ begin: [0.5] }, ValueError, 'stridedSlice: positions must be whole numbers; got 0.5.'],
    [
      { end: [1, 1, 1] },
      ShapeError,
      "stridedSlice: 3 axes are given, but the tensor's shape is [3, 4].",
    ],
  ])('refuses %j', (slice, type, text) => {
    expect(messageOf(type, () => grid().stridedSlice(slice))).toBe(text);
  });
});

describe('conversions', () => {
  test('toArray nests', () => {
    expect(grid().toArray()).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9, 10, 11],
    ]);
    expect(tensor(5).toArray()).toBe(5);
    expect(tensor([[true, false]]).toArray()).toEqual([[1, 0]]);
  });

  test('toTypedArray copies only what is not row-major', () => {
    const x = grid();
    expect(x.toTypedArray()).toBe(x.data);
    const row = x.slice({ begin: [1, 0], size: [1, 4] }).toTypedArray();
    expect([row.buffer, row.byteOffset]).toEqual([x.data.buffer, x.data.byteOffset + 16]);
    expect([...row]).toEqual([4, 5, 6, 7]);
    const column = x.slice({ begin: [0, 1], size: [3, 1] }).toTypedArray();
    expect(column).toEqual(Int32Array.of(1, 5, 9));
    expect(column.buffer).not.toBe(x.data.buffer);
  });

  test('item', () => {
    expect(tensor([[3]]).item()).toBe(3);
    expect(
      grid()
        .slice({ begin: [2, 1], size: [1, 1] })
        .item(),
    ).toBe(9);
    expect(messageOf(ShapeError, () => grid().item())).toBe(
      'item: the tensor has 12 elements, shape [3, 4]; item() takes exactly one.',
    );
    expect(messageOf(ShapeError, () => tensor([]).item())).toBe(
      'item: the tensor has 0 elements, shape [0]; item() takes exactly one.',
    );
  });

  test('cast cuts fractions off, and makes everything but 0 true', () => {
    const x = tensor([-1.7, -0.2, 0, 0.9, 2.5]);
    expect(x.cast('int32').toArray()).toEqual([-1, 0, 0, 0, 2]);
    expect(x.cast('bool').toArray()).toEqual([1, 1, 0, 1, 1]);
    expect(tensor([0.1], 'float64').cast('float32').item()).toBe(Math.fround(0.1));
  });
});
