/** What ops say about inputs that do not fit: which op, what came, what was expected, how to mend it. */
import {
  DTypeError,
  Generator,
  IndexError,
  ShapeError,
  TapegradError,
  ValueError,
  formatChoices,
  formatShape,
  ops,
  run,
  scalar,
  specs,
  tensor,
  zeros,
  type Tensor,
} from '@tapegrad/tensor';
import * as plots from '@tapegrad/plots';
import * as tapegrad from 'tapegrad';
import { thrownBy } from '../support/errors.js';

const ints = (...values: number[]): Tensor => tensor(values, 'int32');
const generator = new Generator(1);
/** Arguments that the types do not allow, as callers in plain JavaScript may give them. */
const untyped: object = ops;
const loose = untyped as Readonly<Record<string, (...args: unknown[]) => unknown>>;

/** The class and the text of the error of a call. */
function errorOf(call: () => unknown): string {
  const error = thrownBy(call);
  expect(error).toBeInstanceOf(TapegradError);
  return String(error);
}

/** The name of a mistake, a call that makes it, and the class and the text of the error. */
const table: readonly [string, () => unknown, string][] = [
  [
    'broadcasting',
    () => zeros([2, 3]).add(zeros([4, 2])),
    'ShapeError: add: shapes [2, 3] and [4, 2] do not broadcast: axis -1 has sizes 3 and 2, which must be equal or 1.',
  ],
  [
    'broadcasting without elements',
    () => zeros([0]).mul(zeros([3])),
    'ShapeError: mul: shapes [0] and [3] do not broadcast: axis -1 has sizes 0 and 3, which must be equal or 1.',
  ],
  [
    'an axis that is not there',
    () => zeros([2, 3]).sum(2),
    'ShapeError: sum: there is no axis 2 in 2 dimensions; axes go from -2 to 1.',
  ],
  [
    'an axis of a scalar',
    () => scalar(1).softmax(),
    'ShapeError: softmax: there is no axis -1 in 0 dimensions; a scalar has none.',
  ],
  [
    'half an axis',
    () => zeros([2]).max(0.5),
    'ShapeError: max: there is no axis 0.5 in 1 dimension; axes go from -1 to 0.',
  ],
  [
    'an axis twice',
    () => zeros([2, 3]).mean([1, -1]),
    'ShapeError: mean: axis 1 is given twice in [1, -1].',
  ],
  [
    'the greatest of nothing',
    () => zeros([0, 3]).max(0),
    'ShapeError: max: there is no max of no elements; got shape [0, 3].',
  ],
  [
    'argmax of nothing',
    () => zeros([0]).argmax(),
    'ShapeError: argmax: there is no argmax of no elements; got shape [0].',
  ],
  [
    'a norm that is not known',
    () => loose.norm([1], { ord: 2 }),
    "ValueError: norm: ord must be 'euclidean', 1 or 'inf'; got 2.",
  ],
  [
    'clip with its bounds exchanged',
    () => zeros([2]).clip({ min: 1, max: 0 }),
    'ValueError: clip: min must not be greater than max; got min 1 and max 0.',
  ],
  [
    'a condition that is no bool',
    () => zeros([2]).where(1, 2),
    'DTypeError: where: the condition must be bool; got float32. Compare first, as in x.greater(0).',
  ],
  [
    'softmaxCrossEntropy of two shapes',
    () => zeros([2, 3]).softmaxCrossEntropy(zeros([2])),
    'ShapeError: softmaxCrossEntropy: logits and labels need the same shape [..., classes]; got [2, 3] and [2].',
  ],
  [
    'matmul',
    () => zeros([2, 3]).matmul(zeros([4, 2])),
    'ShapeError: matmul: shapes [2, 3] and [4, 2] do not fit: a has 3 columns and b has 4 rows, which must be the same.',
  ],
  [
    'matmul, transposed',
    () => zeros([2, 3]).matmul(zeros([4, 3]), { transposeA: true, transposeB: true }),
    'ShapeError: matmul: shapes [2, 3] and [4, 3] (a transposed, b transposed) do not fit: a has 2 columns and b has 3 rows, which must be the same.', // prettier-ignore
  ],
  [
    'matmul of a scalar',
    () => zeros([2, 3]).matmul(2),
    'ShapeError: matmul: needs vectors, matrices or batches of matrices; got [2, 3] and []. To scale by a number use mul.',
  ],
  [
    'matmul with batches that do not broadcast',
    () => zeros([2, 3, 4]).matmul(zeros([3, 4, 5])),
    'ShapeError: matmul: shapes [2] and [3] do not broadcast: axis -1 has sizes 2 and 3, which must be equal or 1.',
  ],
  [
    'dot',
    () => zeros([2, 3]).dot(zeros([2, 3])),
    'ShapeError: dot: sums over the last axis of a and the last but one of b, which must have the same size; got [2, 3] and [2, 3].',
  ],
  [
    'outer',
    () => zeros([2]).outer(zeros([2, 3])),
    'ShapeError: outer: needs two vectors; got [2] and [2, 3].',
  ],
  [
    'einsum that cannot be read',
    () => ops.einsum([zeros([2])], 'i->i->'),
    "ValueError: einsum: cannot read 'i->i->'; an equation has a letter for each axis, as in 'ij,jk->ik'.",
  ],
  [
    'einsum with other inputs',
    () => ops.einsum([zeros([2])], 'i,i->i'),
    "ValueError: einsum: 'i,i->i' names 2 inputs, but 1 are given.",
  ],
  [
    'einsum with a letter from nowhere',
    () => ops.einsum([zeros([2])], 'i->k'),
    "ValueError: einsum: 'k' of the result is in no input of 'i->k'.",
  ],
  [
    'einsum with a letter twice in the result',
    () => ops.einsum([zeros([2])], 'i->ii'),
    "ValueError: einsum: 'i' stands twice in the result of 'i->ii'.",
  ],
  [
    'einsum with other axes',
    () => ops.einsum([zeros([2, 3])], 'i->i'),
    "ShapeError: einsum: 'i' in 'i->i' names 1 axes, but the input is [2, 3].",
  ],
  [
    'einsum with two sizes for a letter',
    () => ops.einsum([zeros([2, 3]), zeros([4, 2])], 'ij,jk'),
    "ShapeError: einsum: 'j' in 'ij,jk' stands for sizes 3 and 4; shapes are [2, 3], [4, 2].",
  ],
  [
    'transpose',
    () => zeros([2, 3]).transpose([0, 0]),
    'ShapeError: transpose: perm must name each of the 2 axes once; got [0, 0].',
  ],
  [
    'reshape',
    () => zeros([2, 3]).reshape([4, -1]),
    'ShapeError: reshape: [2, 3] has 6 elements and cannot become [4, -1]; the sizes must multiply to 6, and at most one may be -1.',
  ],
  [
    'reshape with two open sizes',
    () => zeros([1]).reshape([-1, -1]),
    'ShapeError: reshape: [1] has 1 element and cannot become [-1, -1]; the sizes must multiply to 1, and at most one may be -1.',
  ],
  [
    'reshape to negative sizes',
    () => zeros([6]).reshape([-2, -3]),
    'ShapeError: reshape: a shape has whole sizes of 0 or more; got [-2, -3].',
  ],
  [
    'squeeze',
    () => zeros([1, 3]).squeeze(1),
    'ShapeError: squeeze: axis 1 of [1, 3] has size 3; only axes of size 1 can go.',
  ],
  [
    'broadcastTo',
    () => zeros([2, 3]).broadcastTo([3]),
    'ShapeError: broadcastTo: [2, 3] cannot be repeated to [3].',
  ],
  [
    'slice',
    () => zeros([3, 4]).slice({ begin: [1, 2], size: [2, 3] }),
    'ShapeError: slice: the block with begin [1, 2] and size [2, 3] is not inside [3, 4].',
  ],
  [
    'slice from half a position',
    () => zeros([3]).slice({ begin: [0.5], size: [1] }),
    'ShapeError: slice: the block with begin [0.5] and size [1] is not inside [3].',
  ],
  [
    'embed',
    () => zeros([3]).embed({ shape: [4], start: [0], step: [2] }),
    'ShapeError: embed: [3] with start [0] and step [2] reaches outside [4].',
  ],
  [
    'concat',
    () => ops.concat([zeros([2, 3]), zeros([2, 4])], 0),
    'ShapeError: concat: shapes may differ on axis 0 only; got [2, 3], [2, 4].',
  ],
  [
    'concat of nothing',
    () => ops.concat([]),
    'ShapeError: concat: needs at least one tensor; got an empty list.',
  ],
  [
    'stack',
    () => ops.stack([zeros([2]), zeros([3])]),
    'ShapeError: stack: all shapes must be the same; got [2], [3].',
  ],
  [
    'split into parts that are not equal',
    () => zeros([5]).split(2),
    'ShapeError: split: axis 0 of [5] has 5 elements and cannot be split into 2 equal parts.',
  ],
  [
    'split into sizes that do not add up',
    () => zeros([2, 5]).split([2, 2], { axis: 1 }),
    'ShapeError: split: axis 1 of [2, 5] has 5 elements and cannot be split into [2, 2].',
  ],
  [
    'pad with too few pairs',
    () => zeros([2, 3]).pad([[1, 1]]),
    'ShapeError: pad: needs [before, after] for each of the axes of [2, 3]; got 1 pairs.',
  ],
  [
    'pad that reflects more than there is',
    () => zeros([3]).pad([[3, 0]], { mode: 'reflect' }),
    'ShapeError: pad: axis 0 of [3] can take 0 to 2 elements an end; got [3, 0].',
  ],
  [
    'pad with a mode that is not known',
    () => loose.pad([1], [[1, 1]], { mode: 'edge' }),
    "ValueError: pad: mode must be 'constant' or 'reflect'; got 'edge'.",
  ],
  [
    'pad of truth values with a number',
    () => tensor([true]).pad([[1, 1]], { constantValue: 2 }),
    'ValueError: pad: bool holds true, false, 1 and 0; got 2. Compare instead, as in x.notEqual(0).',
  ],
  [
    'tile',
    () => zeros([2, 3]).tile([2]),
    'ShapeError: tile: reps needs one whole number of 0 or more for each axis of [2, 3]; got [2].',
  ],
  [
    'tile half a time',
    () => zeros([2]).tile([0.5]),
    'ShapeError: tile: reps needs one whole number of 0 or more for each axis of [2]; got [0.5].',
  ],
  [
    'repeat',
    () => zeros([3]).repeat([1, 2]),
    'ShapeError: repeat: needs one whole number of 0 or more, or 3 of them; got [1, 2].',
  ],
  [
    'gather by fractions',
    () => zeros([3]).gather(zeros([1])),
    "DTypeError: gather: indices must be int32; got float32. Convert them with cast('int32').",
  ],
  [
    'gather outside',
    () => zeros([3, 2]).gather([0, 3]),
    'IndexError: gather: index 3 is outside an axis of 3 elements (-3 to 2).',
  ],
  [
    'gather outside, from the end',
    () => zeros([3, 2]).gather(ints(-3), 1),
    'IndexError: gather: index -3 is outside an axis of 2 elements (-2 to 1).',
  ],
  [
    'gather from nothing',
    () => zeros([0]).gather([0]),
    'IndexError: gather: index 0 is outside an axis of 0 elements (0 to -1).',
  ],
  [
    'indexAdd',
    () => zeros([3, 2]).indexAdd([0, 1], { size: 4 }),
    'ShapeError: indexAdd: axis 0 of [3, 2] needs as many indices; got indices [2].',
  ],
  [
    'scatterND with other updates',
    () => ops.scatterND([[0], [1]], zeros([2, 2]), [4, 3]),
    'ShapeError: scatterND: indices [2, 1] into [4, 3] need updates [2, 3]; got [2, 2].',
  ],
  [
    'scatterND outside',
    () => ops.scatterND([[0], [4]], zeros([2]), [4]),
    'IndexError: scatterND: index 4 is outside axis 0 of [4] (0 to 3).',
  ],
  [
    'scatterND with too deep indices',
    () => ops.scatterND([[0, 0]], zeros([1]), [4]),
    'ShapeError: scatterND: the last axis of the indices holds one number for each of the leading axes of [4]; got indices [1, 2].',
  ],
  [
    'gatherND outside',
    () => zeros([2, 3]).gatherND([[1, -1]]),
    'IndexError: gatherND: index -1 is outside axis 1 of [2, 3] (0 to 2).',
  ],
  [
    'gatherND in what is too large',
    () =>
      zeros([])
        .broadcastTo([65536, 65536])
        .gatherND([[1, 1]]),
    'ShapeError: gatherND: the leading axes of [65536, 65536] have more than 2^31 places, which int32 cannot count; take a part first.',
  ],
  [
    'takeAlongAxis with another shape',
    () => zeros([2, 3]).takeAlongAxis(tensor([[0, 1, 2]], 'int32')),
    'ShapeError: takeAlongAxis: shapes may differ on axis 1 only; got [2, 3] and indices [1, 3].',
  ],
  [
    'takeAlongAxis outside',
    () => zeros([2]).takeAlongAxis(ints(2)),
    'IndexError: takeAlongAxis: index 2 is outside an axis of 2 elements.',
  ],
  [
    'putAlongAxis outside',
    () => zeros([2]).putAlongAxis(ints(0, 5), { size: 3 }),
    'IndexError: putAlongAxis: index 5 is outside an axis of 3 elements.',
  ],
  [
    'oneHot of fractions',
    () => zeros([2]).oneHot(3),
    "DTypeError: oneHot: indices must be int32; got float32. Convert them with cast('int32').",
  ],
  [
    'topk',
    () => zeros([2, 3]).topk(4),
    'ValueError: topk: k must be from 0 to 3, the size of the last axis of [2, 3]; got 4.',
  ],
  [
    'randomUniform',
    () => generator.uniform([2], { low: 1, high: 0 }),
    'ValueError: randomUniform: low must not be above high; got 1 and 0.',
  ],
  [
    'randomNormal',
    () => generator.normal([2], { stddev: -1 }),
    'ValueError: randomNormal: stddev must be 0 or more; got -1.',
  ],
  [
    'randomTruncatedNormal',
    () => generator.truncatedNormal([2], { stddev: NaN }),
    'ValueError: randomTruncatedNormal: stddev must be 0 or more; got NaN.',
  ],
  [
    'randomBernoulli',
    () => generator.bernoulli([2], 1.5),
    'ValueError: randomBernoulli: a probability is from 0 to 1; got 1.5.',
  ],
  [
    'random whole numbers',
    () => generator.uniform([2], { dtype: 'int32' }),
    'DTypeError: randomUniform: draws float32 or float64; got dtype int32. Draw floats, scale, then cast.',
  ],
  [
    'random truth values',
    () => generator.normal([2], { dtype: 'bool' }),
    'DTypeError: randomNormal: draws float32 or float64; got dtype bool. Draw floats, scale, then cast.',
  ],
  [
    'a random shape',
    () => generator.normal([-2]),
    'ShapeError: randomNormal: a shape has whole sizes of 0 or more; got [-2].',
  ],
  [
    'an update with another shape',
    () =>
      run(specs.weightDecayUpdate, [zeros([2]), zeros([3]), zeros([3], 'float64')], { rate: 1 }),
    "ShapeError: weightDecayUpdate: 'gradient' must have the parameter's shape [2]; got [3].",
  ],
  [
    'an update with another dtype',
    () =>
      run(specs.adagradUpdate, [zeros([2]), zeros([2]), zeros([2], 'float64'), zeros([3])], {
        epsilon: 1,
      }),
    "DTypeError: adagradUpdate: 'accumulator' must have the parameter's dtype float32; got float64.",
  ],
  [
    'assign',
    () => run(specs.assign, [zeros([2]), zeros([1])], {}),
    'ShapeError: assign: the value must have the shape [2] of what it replaces; got [1].',
  ],
  ['too few inputs', () => loose.add(1), 'ShapeError: add: takes 2 tensors first; got 1 argument.'],
  [
    'a tensor where a list belongs',
    () => loose.stack(zeros([2]), zeros([2])),
    'ShapeError: stack: takes a list of tensors first; got 2 arguments.',
  ],
  [
    'an attribute that has no place of its own',
    () => loose.exp([1], 2),
    'ValueError: exp: takes x and nothing else; got 2 after the tensors.',
  ],
  [
    'an attribute that is misspelt',
    () => loose.sum([1], { axis: 0, keepdims: true }),
    "ValueError: sum: there is no attribute 'keepdims'; sum takes x, then axis or attributes, as in { axis: …, keepDims: … }.",
  ],
  [
    'one that is misspelt after the leading one',
    () => loose.sum([1], 0, { keepdims: true }),
    "ValueError: sum: there is no attribute 'keepdims'; sum takes x, then axis or attributes, as in { axis: …, keepDims: … }.",
  ],
  [
    'one that another op has',
    () => loose.slice([1], { begin: [0], size: [1], end: [1] }),
    "ValueError: slice: there is no attribute 'end'; slice takes x, then attributes, as in { begin: …, size: … }.",
  ],
  [
    'an attribute of an op that has none',
    () => loose.add(1, 2, { axis: 0 }),
    "ValueError: add: there is no attribute 'axis'; add takes a, b and nothing else.",
  ],
  [
    'a further attribute by itself',
    () => loose.sum([1], 0, true),
    'ValueError: sum: takes x, then axis or attributes, as in { axis: …, keepDims: … }; got 0 and true after the tensors.',
  ],
  [
    'sizes one by one',
    () => loose.reshape([1, 2, 3, 4], 2, 2),
    'ValueError: reshape: takes x, then shape or attributes, as in { shape: … }; got 2 and 2 after the tensors.',
  ],
  [
    'a tensor too many',
    () => loose.add([1], [2], [3]),
    'ValueError: add: takes a, b and nothing else; got [3] after the tensors.',
  ],
  [
    'the leading attribute twice',
    () => loose.sum([1], 0, { axis: 0 }),
    "ValueError: sum: 'axis' is given twice, by itself and in the object.",
  ],
  [
    'a size that is no list',
    () => loose.reshape([1, 2], 2),
    'ShapeError: reshape: shape is a list of numbers, as in { shape: [1, 0] }; got 2.',
  ],
  [
    'no shape',
    () => loose.reshape([1, 2]),
    'ShapeError: reshape: shape is a list of numbers, as in { shape: [1, 0] }; got undefined.',
  ],
  [
    'axes that are no list',
    () => loose.transpose([[1, 2]], 1),
    'ShapeError: transpose: perm is a list of numbers, as in { perm: [1, 0] }; got 1.',
  ],
  [
    'an axis in quotes',
    () => loose.sum([1], '0'),
    "ShapeError: sum: axis is a number or a list of them; got '0'.",
  ],
];

test.each(table)('%s', (_, call, text) => {
  expect(errorOf(call)).toBe(text);
});

test('the classes have one base and their own names', () => {
  for (const type of [ShapeError, DTypeError, ValueError, IndexError]) {
    const error = new type('text');
    expect(error).toBeInstanceOf(TapegradError);
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.message, String(error)]).toEqual([type.name, 'text', `${type.name}: text`]); // prettier-ignore
  }
});

test('the classes do not count on the names that bundlers leave them', () => {
  const classes = Object.entries<unknown>({ ...tapegrad, ...plots }).filter(
    ([, value]) => typeof value === 'function' && Object.prototype.isPrototypeOf.call(Error, value),
  );
  expect(classes.length).toBeGreaterThan(10);
  for (const [name, type] of classes) {
    // A field, which bundlers do not touch, can be listed; the name that each class has by itself cannot.
    const field = Object.getOwnPropertyDescriptor(type, 'name');
    expect([field?.value, field?.enumerable]).toEqual([name, true]);
  }
});

test('shapes and choices in messages', () => {
  expect([formatShape([2, 3]), formatShape([]), formatShape([null, 4])]).toEqual(['[2, 3]', '[]', '[?, 4]']); // prettier-ignore
  expect(formatChoices(['a'])).toBe("'a'");
  expect(formatChoices(['a', 'b', 'c'])).toBe("'a', 'b' or 'c'");
});

test('a call that fails changes nothing', () => {
  const [w, g] = [tensor([1, 2]), tensor([1, 2, 3])];
  expect(() => run(specs.assign, [w, g], {})).toThrow(ShapeError);
  expect([w.toArray(), w.storage.version]).toEqual([[1, 2], 0]);
});
