import ndarray from 'ndarray';
import {
  DTypeError,
  ShapeError,
  Tensor,
  ValueError,
  arange,
  eye,
  full,
  linspace,
  ones,
  onesLike,
  scalar,
  tensor,
  zeros,
  zerosLike,
  type DType,
} from '@tapegrad/tensor';
import { messageOf } from '../support/errors.js';

describe('nested arrays', () => {
  test('give shape, elements and float32', () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(x).toBeInstanceOf(Tensor);
    expect([x.shape, x.dtype, x.rank, x.size]).toEqual([[2, 3], 'float32', 2, 6]);
    expect([x.strides, x.offset, x.contiguous]).toEqual([[3, 1], x.offset, true]);
    expect(x.toArray()).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(tensor([[[[7]]]]).shape).toEqual([1, 1, 1, 1]);
  });

  test('booleans are bool, mixtures are numbers', () => {
    expect(tensor([[true], [false]]).dtype).toBe('bool');
    expect(tensor(true).dtype).toBe('bool');
    expect(tensor([true, 2]).dtype).toBe('float32');
    expect(tensor([true, 2]).toArray()).toEqual([1, 2]);
  });

  test('may be empty', () => {
    expect(tensor([]).shape).toEqual([0]);
    expect(tensor([[], []]).shape).toEqual([2, 0]);
    expect(tensor([[], []]).toArray()).toEqual([[], []]);
    expect(zeros([0, 3]).toArray()).toEqual([]);
    expect(zeros([2, 0, 3]).toArray()).toEqual([[], []]);
  });

  test.each([
    [[[1, 2], [3]], 'at [1] there is 1 element, elsewhere on this axis 2.'],
    [[[1, 2], 3], 'at [1] there is a number, elsewhere an array of 2.'],
    [[1, [2]], 'at [1] there is an array, elsewhere a number.'],
    [
      [
        [
          [1, 2],
          [3, 4],
        ],
        [[5, 6], [7]],
      ],
      'at [1, 1] there is 1 element, elsewhere on this axis 2.',
    ],
    [[[], [1]], 'at [1] there is 1 element, elsewhere on this axis 0.'],
  ])('ragged: %j', (values, text) => {
    expect(messageOf(ShapeError, () => tensor(values))).toBe(`tensor: ragged array: ${text}`);
  });

  test.each([
    ['null', null, 'at the top there is null'],
    ['undefined', undefined, 'at the top there is undefined'],
    ['text', '12', "at the top there is '12'"],
    ['text inside', [[1, '2']], "at [0, 1] there is '2'"],
    ['null inside', [1, null], 'at [1] there is null'],
    ['an object inside', [{}], 'at [0] there is an object'],
  ] as [string, unknown, string][])('refuses %s', (_, values, text) => {
    expect(messageOf(ValueError, () => tensor(values as number))).toBe(
      `tensor: ${text}; expected a number, a boolean or an array of them.`,
    );
  });

  test('says how to use a tensor where a number is wanted, or a Variable', () => {
    const inside: unknown = [zeros([1])];
    expect(messageOf(ValueError, () => tensor(inside as number))).toBe(
      'tensor: at [0] there is a Tensor; expected a number, a boolean or an array of them. To join tensors use ops.stack or ' +
        'ops.concat.',
    );
    class Holder {
      value = zeros([1]);
    }
    const holder: unknown = new Holder();
    expect(messageOf(ValueError, () => tensor(holder as number))).toBe(
      'tensor: at the top there is a Holder; expected a number, a boolean or an array of them. The tensor of a Variable is its ' +
        'value, as in w.value.',
    );
  });

  test.each<[string, unknown, string]>([
    ['a shape by itself', [2, 2], '[2, 2]'],
    ['a number', 2, '2'],
    ['a misspelt option', { dtyp: 'int32' }, "the option 'dtyp'"],
  ])('refuses %s after the values', (_, options, got) => {
    expect(() => tensor([1, 2, 3, 4], options as object)).toThrow(
      new ValueError(
        "tensor: after the values comes a dtype or an object, as in tensor(x, { shape: [2, 3], dtype: 'int32' }); got " +
          `${got}.`,
      ),
    );
  });

  test('a hole is no number', () => {
    const values = [1, 2, 3];
    Reflect.deleteProperty(values, 1);
    expect(messageOf(ValueError, () => tensor(values))).toContain('at [1] there is undefined');
  });
});

describe('typed arrays', () => {
  test.each([
    [new Float32Array(6), 'float32'],
    [new Float64Array(6), 'float64'],
    [new Int32Array(6), 'int32'],
    [new Uint8Array(6), 'bool'],
  ] as const)('are shared, not copied', (data, dtype) => {
    const x = tensor(data, { shape: [2, 3] });
    expect(x.dtype).toBe(dtype);
    expect(x.data).toBe(data);
    expect(x.toTypedArray()).toBe(data);
    data[4] = 1;
    expect(x.toArray()).toEqual([
      [0, 0, 0],
      [0, 1, 0],
    ]);
  });

  test('are vectors without a shape', () => {
    expect(tensor(new Float32Array(3)).shape).toEqual([3]);
  });

  test('are converted, into a copy, to another dtype', () => {
    const data = Float64Array.of(1, 2);
    const x = tensor(data, 'int32');
    expect([x.dtype, x.toArray()]).toEqual(['int32', [1, 2]]);
    expect(data).toEqual(Float64Array.of(1, 2));
    expect(tensor(Uint8Array.of(0, 255), 'float32').toArray()).toEqual([0, 255]);
  });

  test('must fit the shape', () => {
    expect(messageOf(ShapeError, () => tensor(new Float32Array(5), { shape: [2, 3] }))).toBe(
      'tensor: shape [2, 3] needs 6 elements; the typed array has 5.',
    );
  });

  test('must be of a kind that tensors store', () => {
    const data: object = new Int16Array(2);
    expect(messageOf(DTypeError, () => tensor(data as Int32Array))).toBe(
      'tensor: an array of type Int16Array cannot be stored; convert it to a Float32Array, Float64Array, Int32Array ' +
        'or Uint8Array (bool) first.',
    );
  });

  test('bytes that are no truth values need a dtype', () => {
    expect(messageOf(ValueError, () => tensor(Uint8Array.of(0, 1, 7)))).toBe(
      'tensor: a Uint8Array is read as bool, which holds 0 and 1; got 7. For bytes give a dtype, as in ' +
        "tensor(bytes, { dtype: 'float32' }).",
    );
  });
});

describe('ndarrays', () => {
  test('come in without a copy, whatever their strides', () => {
    const nd = ndarray(new Float64Array([0, 1, 2, 3, 4, 5]), [2, 3]);
    const x = tensor(nd.transpose(1, 0).step(-1, 1));
    expect(x.data).toBe(nd.data);
    expect([x.shape, x.strides, x.offset]).toEqual([[3, 2], [-1, 3], 2]);
    expect(x.toArray()).toEqual([
      [2, 5],
      [1, 4],
      [0, 3],
    ]);
    nd.set(0, 2, 9);
    expect(x.toArray()).toEqual([
      [9, 5],
      [1, 4],
      [0, 3],
    ]);
  });

  test('go out without a copy', () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]).transpose();
    const nd = x.ndarray;
    expect(nd.data).toBe(x.data);
    expect(nd.shape).toEqual([3, 2]);
    expect([nd.get(0, 1), nd.get(2, 0)]).toEqual([4, 3]);
    expect(tensor(nd).toArray()).toEqual(x.toArray());
    expect(scalar(3).ndarray.get()).toBe(3);
  });

  test('take a shape and a dtype too', () => {
    const nd = ndarray(new Float32Array([1, 2, 3, 4]), [2, 2]).transpose(1, 0);
    const x = tensor(nd, { shape: [4], dtype: 'int32' });
    expect([x.shape, x.dtype, x.toArray()]).toEqual([[4], 'int32', [1, 3, 2, 4]]);
  });

  test('must be of a kind that tensors store', () => {
    const nd: object = ndarray([1, 2, 3]);
    expect(
      messageOf(DTypeError, () => tensor(nd as ReturnType<typeof ndarray<Float32Array>>)),
    ).toMatch(/^tensor: an array of type Array cannot be stored/);
  });
});

describe('tensors from tensors', () => {
  test('share memory unless the dtype changes', () => {
    const x = tensor([1, 2, 3, 4]);
    expect(tensor(x)).toBe(x);
    const y = tensor(x, { shape: [2, 2] });
    expect(y.data).toBe(x.data);
    expect(y.storage).toBe(x.storage);
    expect(y.shape).toEqual([2, 2]);
    expect(tensor(x, 'float64').data).not.toBe(x.data);
    expect(tensor(y.transpose(), { shape: [4] }).toArray()).toEqual([1, 3, 2, 4]);
  });

  test('must have as many elements as the shape', () => {
    expect(messageOf(ShapeError, () => tensor([1, 2, 3], { shape: [2, 2] }))).toBe(
      'tensor: shape [2, 2] needs 4 elements; got 3.',
    );
  });
});

describe('values that a dtype does not hold', () => {
  test.each([0.5, NaN, Infinity, 2 ** 31])('int32: %p', (value) => {
    const text = `${value} is not a 32-bit whole number; use a float dtype, or cast('int32') to cut it off.`;
    expect(messageOf(ValueError, () => tensor([1, value], 'int32'))).toBe(`tensor: ${text}`);
    expect(messageOf(ValueError, () => scalar(value, 'int32'))).toBe(`scalar: ${text}`);
    expect(messageOf(ValueError, () => full([2], value, 'int32'))).toBe(`full: ${text}`);
    expect(messageOf(ValueError, () => tensor(Float64Array.of(value), 'int32'))).toBe(
      `tensor: ${text}`,
    );
  });

  test('the ends of int32 are held', () => {
    expect(tensor([-(2 ** 31), 2 ** 31 - 1, -0], 'int32').toArray()).toEqual([-(2 ** 31), 2 ** 31 - 1, 0]); // prettier-ignore
  });

  test.each([2, -1, 0.5, NaN])('bool: %p', (value) => {
    expect(messageOf(ValueError, () => tensor([0, value], 'bool'))).toBe(
      `tensor: bool holds true, false, 1 and 0; got ${value}. Compare instead, as in x.notEqual(0).`,
    );
  });

  test('an unknown dtype', () => {
    const dtype = 'float16' as DType;
    const text = "Unknown dtype 'float16'; known are 'bool', 'int32', 'float32' or 'float64'.";
    for (const call of [
      () => tensor([1], dtype),
      () => zeros([1], dtype),
      () => scalar(1, dtype),
      () => full([1], 1, dtype),
      () => tensor([1]).cast(dtype),
      () => tensor([1], 'int32').oneHot(2, { dtype }),
    ])
      expect(messageOf(DTypeError, call)).toBe(text);
  });
});

describe('filled tensors', () => {
  test('zeros, ones, full, scalar', () => {
    expect(zeros([2, 1]).toArray()).toEqual([[0], [0]]);
    expect(ones([2], 'int32').toArray()).toEqual([1, 1]);
    expect(ones([1], 'bool').dtype).toBe('bool');
    expect(full([2], 2.5, 'float64').toArray()).toEqual([2.5, 2.5]);
    expect(scalar(2.5).shape).toEqual([]);
    expect([scalar(true).dtype, scalar(1).dtype]).toEqual(['bool', 'float32']);
    expect(zeros([]).toArray()).toBe(0);
  });

  test('zerosLike and onesLike take shape and dtype', () => {
    const x = tensor([[1], [2]], 'int32').transpose();
    expect([zerosLike(x).shape, zerosLike(x).dtype, zerosLike(x).toArray()]).toEqual([[1, 2], 'int32', [[0, 0]]]); // prettier-ignore
    expect(onesLike(x).toArray()).toEqual([[1, 1]]);
  });

  test('eye', () => {
    expect(eye(2).toArray()).toEqual([
      [1, 0],
      [0, 1],
    ]);
    expect(eye(2, 3, 'int32').toArray()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ]);
    expect(eye(3, 1).toArray()).toEqual([[1], [0], [0]]);
    expect(eye(0).shape).toEqual([0, 0]);
  });

  test('a tensor of any size starts with zeros, also after others have been filled', () => {
    for (const size of [1, 8, 16, 17, 100, 1000, 1025, 5000]) {
      full([size], 7);
      expect(zeros([size]).data.every((v) => v === 0)).toBe(true);
      // Neighbours in memory do not overlap.
      const [a, b] = [full([size], 1, 'float64'), full([size], 2, 'float64')];
      expect([a.sum().item(), b.sum().item()]).toEqual([size, 2 * size]);
    }
  });

  test.each([
    [[-1], '[-1]'],
    [[2, 1.5], '[2, 1.5]'],
    [[NaN], '[NaN]'],
  ])('refuse the shape %j', (shape, text) => {
    expect(messageOf(ShapeError, () => zeros(shape))).toBe(
      `zeros: a shape has whole sizes of 0 or more; got ${text}.`,
    );
  });

  test('refuse a number for a shape, and absurd sizes', () => {
    expect(messageOf(ShapeError, () => full(JSON.parse('3') as number[], 1))).toBe(
      'full: a shape is a list of sizes, as in [2, 3]; got 3.',
    );
    expect(messageOf(ShapeError, () => zeros([1e6, 1e6]))).toBe(
      'zeros: shape [1000000, 1000000] has more than 2³² elements.',
    );
  });
});

describe('arange', () => {
  test.each([
    [[4], [0, 1, 2, 3], 'int32'],
    [[2, 5], [2, 3, 4], 'int32'],
    [[5, 0, -2], [5, 3, 1], 'int32'],
    [[0], [], 'int32'],
    [[3, 1], [], 'int32'],
    [[0, 1, 0.25], [0, 0.25, 0.5, 0.75], 'float32'],
    [[1.5], [0, 1], 'float32'],
  ] as [[number, number?, number?], number[], DType][])('%j', (args, values, dtype) => {
    const x = arange(...args);
    expect([x.toArray(), x.dtype]).toEqual([values, dtype]);
  });

  test('takes a dtype', () => {
    expect(arange(0, 3, 1, 'float64').dtype).toBe('float64');
    expect(messageOf(ValueError, () => arange(0, 1, 0.5, 'int32'))).toMatch(
      /^arange: 0\.5 is not a 32-bit whole number/,
    );
    expect(messageOf(ValueError, () => arange(2 ** 31, 2 ** 31 + 2))).toMatch(
      /^arange: 2147483648 is not a 32-bit whole number/,
    );
  });

  test.each([
    [0, 1, 0],
    [0, Infinity, 1],
    [NaN, 1, 1],
    [0, 1, NaN],
  ])('refuses %p, %p, %p', (start, stop, step) => {
    expect(messageOf(ValueError, () => arange(start, stop, step))).toBe(
      `arange: needs finite numbers and a step other than 0; got start ${start}, stop ${stop}, step ${step}.`,
    );
  });
});

describe('linspace', () => {
  test('includes both ends, to the bit', () => {
    expect(linspace(0, 1, 5).toArray()).toEqual([0, 0.25, 0.5, 0.75, 1]);
    expect(linspace(2, -2, 3).toArray()).toEqual([2, 0, -2]);
    const x = linspace(0.1, 0.7, 8, 'float64').toTypedArray();
    expect([x[0], x[7]]).toEqual([0.1, 0.7]);
    expect(linspace(3, 5, 1).toArray()).toEqual([3]);
    expect(linspace(3, 5, 0).toArray()).toEqual([]);
    expect(linspace(0, 4, 5, 'int32').toArray()).toEqual([0, 1, 2, 3, 4]);
  });

  test.each([-1, 2.5, NaN])('refuses %p numbers', (count) => {
    expect(messageOf(ValueError, () => linspace(0, 1, count))).toBe(
      `linspace: count must be a whole number of 0 or more; got ${count}.`,
    );
  });

  test('refuses fractions in int32', () => {
    expect(messageOf(ValueError, () => linspace(0, 1, 3, 'int32'))).toMatch(
      /^linspace: 0\.5 is not/,
    );
  });
});
