/** The recurrent ops' bad input, and what their settings mean; their numbers are compared in ops.test.ts. */
import { Generator, ShapeError, full, ops, tensor, zeros, type Tensor } from '@tapegrad/tensor';
import { assertClose } from '../support/close.js';

const generator = new Generator('recurrent');
const normal = (...shape: number[]): Tensor => generator.normal(shape, { dtype: 'float64' });
const none = zeros([0], 'float64');
const x = normal(2, 5, 3);

const data = (t: Tensor): { shape: readonly number[]; data: ArrayLike<number> } => ({
  shape: t.shape,
  data: t.toTypedArray(),
});

const EXACT = { relative: 0, absolute: 0 };

/** Each op on an input, with two units; its first output and its last state. */
const layers: Record<string, (x: Tensor, mask: Tensor, goBackwards?: boolean) => Tensor[]> = {
  simpleRNN: (() => {
    const [k, r, b, h] = [normal(3, 2), normal(2, 2), normal(2), normal(2, 2)];
    return (x, mask, goBackwards) => ops.simpleRNN(x, k, r, b, h, mask, { goBackwards });
  })(),
  lstm: (() => {
    const [k, r, b, h, c] = [normal(3, 8), normal(2, 8), normal(8), normal(2, 2), normal(2, 2)];
    return (x, mask, goBackwards) => ops.lstm(x, k, r, b, h, c, mask, { goBackwards }).slice(0, 2);
  })(),
  gru: (() => {
    const [k, r, b, h] = [normal(3, 6), normal(2, 6), normal(2, 6), normal(2, 2)];
    return (x, mask, goBackwards) => ops.gru(x, k, r, b, h, mask, { goBackwards }).slice(0, 2);
  })(),
  'gru without resetAfter': (() => {
    const [k, r, b, h] = [normal(3, 6), normal(2, 6), normal(6), normal(2, 2)];
    return (x, mask, goBackwards) =>
      ops.gru(x, k, r, b, h, mask, { goBackwards, resetAfter: false }).slice(0, 2);
  })(),
};

describe.each(Object.entries(layers))('%s', (_name, layer) => {
  test('ends with the last of its sequence', () => {
    const [sequence, state] = layer(x, none);
    assertClose('state', state, data(sequence.slice({ begin: [0, 4, 0], size: [2, 1, 2] }).reshape([2, 2])), EXACT); // prettier-ignore
  });

  test('going backwards is going forwards through what is turned round', () => {
    const mask = tensor([[1, 1, 0, 1, 1], [0, 1, 1, 1, 0]], 'float64'); // prettier-ignore
    for (const m of [none, mask]) {
      const turned = m === none ? m : m.flip(1);
      const expected = layer(x.flip(1), turned);
      layer(x, m, true).forEach((y, i) => assertClose(`output ${i}`, y, data(expected[i]), EXACT));
    }
  });

  test('a masked step is as if it were not there', () => {
    const mask = tensor([[1, 0, 1, 1, 0], [1, 0, 1, 1, 0]], 'bool'); // prettier-ignore
    const [sequence, state] = layer(x, mask);
    const [shorter, last] = layer(ops.gather(x, [0, 2, 3], { axis: 1 }), none);
    assertClose('state', state, data(last), EXACT);
    const repeated = ops.gather(shorter, [0, 0, 1, 2, 2], { axis: 1 });
    assertClose('sequence', sequence, data(repeated), EXACT);
  });

  test('what a masked step has for input does not matter', () => {
    const mask = tensor([[1, 0, 1, 1, 1], [1, 0, 1, 1, 1]], 'bool'); // prettier-ignore
    const other = ops.concat(
      [x.slice({ begin: [0, 0, 0], size: [2, 1, 3] }), normal(2, 1, 3), x.slice({ begin: [0, 2, 0], size: [2, 3, 3] })],
      { axis: 1 },
    ); // prettier-ignore
    const expected = layer(x, mask);
    layer(other, mask).forEach((y, i) => assertClose(`output ${i}`, y, data(expected[i]), EXACT));
  });

  test('a sample does not depend on the others of its batch', () => {
    const [sequence] = layer(x, none);
    const [swapped] = layer(ops.concat([x.slice({ begin: [0, 0, 0], size: [1, 5, 3] }), normal(1, 5, 3)]), none); // prettier-ignore
    const first = (t: Tensor): Tensor => t.slice({ begin: [0, 0, 0], size: [1, 5, 2] });
    assertClose('sample 0', first(swapped), data(first(sequence)), EXACT);
  });
});

test('large inputs saturate, and give no NaN', () => {
  const huge = full([1, 2, 1], 1e5);
  const [k, h] = [full([1, 4], 1), zeros([1, 1])];
  for (const x of [huge, huge.neg()]) {
    const [sequence] = ops.lstm(x, k, zeros([1, 4]), [], h, h, []);
    expect(sequence.isNaN().any().item()).toBe(0);
  }
});

describe('bad input', () => {
  const [k, r, b, h] = [normal(3, 8), normal(2, 8), normal(8), normal(2, 2)];
  const calls: [string, () => unknown, string][] = [
    [
      'x of two axes',
      () => ops.lstm(normal(2, 3), k, r, b, h, h, none),
      'lstm: x must be [batch, time, features]; got [2, 3].',
    ],
    [
      'a recurrent kernel that is not units by gates',
      () => ops.lstm(x, k, normal(2, 6), b, h, h, none),
      'lstm: recurrentKernel must be [units, 4·units]; got [2, 6].',
    ],
    [
      'a kernel for other features',
      () => ops.lstm(x, normal(4, 8), r, b, h, h, none),
      'lstm: kernel must be [3, 8], for 3 features and 2 units; got [4, 8].',
    ],
    [
      'a bias of another size',
      () => ops.lstm(x, k, r, normal(2), h, h, none),
      'lstm: bias must be [8], or empty for none; got [2].',
    ],
    [
      'a state for another batch',
      () => ops.lstm(x, k, r, b, h, normal(3, 2), none),
      'lstm: an initial state must be [batch, units], [2, 2]; got [3, 2].',
    ],
    [
      'a mask for another number of steps',
      () => ops.lstm(x, k, r, b, h, h, normal(2, 4)),
      'lstm: mask must be [batch, time], [2, 5], or empty for none; got [2, 4].',
    ],
    [
      'a bias without the part for resetAfter',
      () => ops.gru(x, normal(3, 6), normal(2, 6), normal(6), h, none),
      'gru: bias must be [2, 6], or empty for none; got [6].',
    ],
    [
      'a gradient of another shape',
      () => ops.simpleRNNGrad(normal(2, 5, 2), normal(2, 3), normal(2, 5, 2), normal(2, 2), none),
      'simpleRNNGrad: gState must be [2, 2]; got [2, 3].',
    ],
  ];
  test.each(calls)('%s', (_, call, message) => {
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(message);
  });
});
