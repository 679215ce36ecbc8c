/** Attributes that are to be lists, and are not, or have not what the op needs of them: each is a named error, and none is passed over. */
import { TapegradError, ops, tensor, zeros, type Tensor } from '@tapegrad/tensor';
import { thrownBy } from '../support/errors.js';

/** Arguments that the types do not allow, as callers in plain JavaScript may give them. */
const untyped: object = ops;
const loose = untyped as Readonly<Record<string, (...args: unknown[]) => unknown>>;
const ints = (...values: number[]): Tensor => tensor(values, 'int32');
const x = zeros([2, 3]);

const table: readonly [string, () => unknown, string][] = [
  [
    'slice from a number',
    () => loose.slice(x, { begin: 1, size: [1, 1] }),
    'ShapeError: slice: begin is a list of numbers, as in { begin: [1, 0] }; got 1.',
  ],
  [
    'slice without a size',
    () => loose.slice(x, { begin: [0, 0] }),
    'ShapeError: slice: size is a list of numbers, as in { size: [1, 0] }; got undefined.',
  ],
  [
    'stridedSlice from a number',
    () => loose.stridedSlice(x, { begin: 1 }),
    'ShapeError: stridedSlice: begin is a list of numbers, as in { begin: [1, 0] }; got 1.',
  ],
  [
    'stridedSlice by a number',
    () => loose.stridedSlice(x, { strides: -1 }),
    'ShapeError: stridedSlice: strides is a list of numbers, as in { strides: [1, 0] }; got -1.',
  ],
  [
    'embed from half a position',
    () => ops.embed(x, { shape: [5, 5], start: [0.5, 0], step: [1, 1] }),
    'ValueError: embed: start and step need a whole number for each of the axes of [2, 3], and step none that is 0; got [0.5, 0] and [1, 1].',
  ],
  [
    'embed with a step of 0',
    () => ops.embed(x, { shape: [5, 5], start: [0, 0], step: [0, 1] }),
    'ValueError: embed: start and step need a whole number for each of the axes of [2, 3], and step none that is 0; got [0, 0] and [0, 1].',
  ],
  [
    'embed with a step for one axis',
    () => ops.embed(x, { shape: [5, 5], start: [0, 0], step: [1] }),
    'ValueError: embed: start and step need a whole number for each of the axes of [2, 3], and step none that is 0; got [0, 0] and [1].',
  ],
  [
    'embed in a number',
    () => loose.embed(x, { shape: 5, start: [0, 0], step: [1, 1] }),
    'ShapeError: embed: shape is a list of numbers, as in { shape: [1, 0] }; got 5.',
  ],
  [
    'pad by numbers',
    () => loose.pad(x, [1, 2]),
    'ShapeError: pad: needs a list with [before, after] for each of the axes of [2, 3]; got [1, 2].',
  ],
  [
    'pad at one end',
    () => loose.pad(x, [[1], [0, 0]]),
    'ShapeError: pad: needs a list with [before, after] for each of the axes of [2, 3]; got [[1], [0, 0]].',
  ],
  [
    'pad by more than there is room for',
    () => ops.pad(x, [[2 ** 40, 0], [0, 0]]), // prettier-ignore
    'ShapeError: pad: shape [1099511627778, 3] has more than 2³² elements.',
  ],
  [
    'tile by a number',
    () => loose.tile(x, 2),
    'ShapeError: tile: reps is a list of numbers, as in { reps: [1, 0] }; got 2.',
  ],
  [
    'repeat by nothing',
    () => loose.repeat(x),
    'ShapeError: repeat: needs one whole number of 0 or more, or 2 of them; got undefined.',
  ],
  [
    'repeat more often than there is room for',
    () => ops.repeat(x, 2 ** 40),
    'ShapeError: repeat: shape [2199023255552] has more than 2³² elements.',
  ],
  [
    'split into no number of parts',
    () => ops.split(x, NaN),
    'ShapeError: split: axis 0 of [2, 3] has 2 elements and cannot be split into NaN equal parts.',
  ],
  [
    'split into endless parts',
    () => ops.split(x, Infinity),
    'ShapeError: split: axis 0 of [2, 3] has 2 elements and cannot be split into Infinity equal parts.',
  ],
  [
    'split by a word',
    () => loose.split(x, { numOrSizeSplits: 'two' }),
    "ShapeError: split: axis 0 of [2, 3] has 2 elements and cannot be split into 'two'.",
  ],
  [
    'scatterND to a number',
    () => loose.scatterND([[0]], [1], 3),
    'ShapeError: scatterND: a shape is a list of sizes, as in [2, 3]; got 3.',
  ],
  [
    'an equation that is no text',
    () => loose.einsum([x], 3),
    "ValueError: einsum: cannot read 3; an equation has a letter for each axis, as in 'ij,jk->ik'.",
  ],
  [
    'the size of a transposed convolution as a number',
    () => loose.convTranspose(zeros([1, 2, 2, 1]), zeros([2, 2, 1, 1]), { outputSize: 3 }),
    'ShapeError: convTranspose: outputSize is a list of numbers, as in { outputSize: [1, 0] }; got 3.',
  ],
  [
    'strides of a transposed convolution that lead too far',
    () => ops.convTranspose(zeros([1, 2, 2, 1]), zeros([2, 2, 1, 1]), { strides: 2 ** 20 }),
    'ShapeError: convTranspose: shape [1, 2097152, 2097152, 1] has more than 2³² elements.',
  ],
  [
    'the size of a transposed pooling as a number',
    () => loose.averagePoolTranspose(zeros([1, 2, 2, 1]), { poolSize: 2, size: 4 }),
    'ShapeError: averagePoolTranspose: size is a list of numbers, as in { size: [1, 0] }; got 4.',
  ],
];

test.each(table)('%s', (_name, call, text) => {
  const error = thrownBy(call);
  expect(error).toBeInstanceOf(TapegradError);
  expect(String(error)).toBe(text);
});

test('lists may be typed arrays', () => {
  const y = tensor([[1, 2, 3], [4, 5, 6]]); // prettier-ignore
  expect(loose.slice(y, { begin: Int32Array.of(0, 1), size: Int32Array.of(1, 2) })).toMatchObject({ shape: [1, 2] }); // prettier-ignore
  expect(loose.tile(y, Int32Array.of(1, 2))).toMatchObject({ shape: [2, 6] });
  expect(ops.embed(y, { shape: [2, 3], start: [1, 2], step: [-1, -1] }).toArray()).toEqual([[6, 5, 4], [3, 2, 1]]); // prettier-ignore
  expect(ops.scatterND([[0]], [[1, 2]], [1, 2]).toArray()).toEqual([[1, 2]]);
  expect(ops.gather(y, ints(1)).shape).toEqual([1, 3]);
});
