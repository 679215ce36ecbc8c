/** Recurrent layers. Their numbers are compared with PyTorch's in golden-layers.test.ts. */
import {
  Dense,
  GRU,
  GRUCell,
  Input,
  LSTM,
  LSTMCell,
  Layer,
  Masking,
  Model,
  RNN,
  Sequential,
  SimpleRNN,
  SimpleRNNCell,
  maskOf,
  setMask,
  type RNNOptions,
} from '@tapegrad/layers';
import { GradientError, Variable, gradients, variable } from '@tapegrad/autograd';
import {
  Generator,
  ShapeError,
  ValueError,
  recordCalls,
  setSeed,
  tensor,
  zeros,
  type Tensor,
} from '@tapegrad/tensor';
import { assertClose } from '../support/close.js';
import { layerSuite, type LayerRow } from '../support/layer-suite.js';

const dtype = 'float64';
type Options = RNNOptions & { resetAfter?: boolean };
type Make = (units: number, options?: Options & Record<string, unknown>) => RNN;

const kinds: Record<string, Make> = {
  SimpleRNN: (units, options) =>
    new SimpleRNN(units, { dtype, biasInitializer: 'randomNormal', ...options }),
  LSTM: (units, options) => new LSTM(units, { dtype, biasInitializer: 'randomNormal', ...options }),
  GRU: (units, options) => new GRU(units, { dtype, biasInitializer: 'randomNormal', ...options }),
  'GRU, reset before': (units, options) =>
    new GRU(units, { dtype, biasInitializer: 'randomNormal', resetAfter: false, ...options }),
};

/** in 2, units 3. */
const sizes: Record<string, number> = {
  SimpleRNN: 18,
  LSTM: 72,
  GRU: 63,
  'GRU, reset before': 54,
};

const rows: Record<string, LayerRow> = {};
for (const [name, make] of Object.entries(kinds)) {
  const weights = sizes[name];
  const count = name === 'LSTM' ? 2 : 1;
  const states = Array.from({ length: count }, () => [2, 3]);
  const common = { input: [2, 4, 2], weights } as const;
  rows[name] = { ...common, make: () => make(3), output: [2, 3], order: 1 };
  rows[`${name} unrolled`] = { ...common, make: () => make(3, { unroll: true }), output: [2, 3] };
  rows[`${name}, all steps backwards with states`] = {
    ...common,
    make: () => make(3, { returnSequences: true, returnState: true, goBackwards: true }),
    output: [[2, 4, 3], ...states],
    order: 1,
  };
  rows[`${name} unrolled, with initial states`] = {
    weights,
    input: [[2, 4, 2], ...states],
    make: () => make(3, { returnSequences: true, goBackwards: true, unroll: true }),
    output: [2, 4, 3],
  };
  rows[`${name} without bias`] = {
    ...common,
    make: () => make(3, { useBias: false }),
    output: [2, 3],
    order: 1,
    weights: name === 'SimpleRNN' ? 15 : name === 'LSTM' ? 60 : 45,
  };
}
rows['RNN of an LSTMCell'] = {
  make: () => new RNN(new LSTMCell(3, { dtype }), { returnSequences: true }),
  input: [2, 4, 2],
  output: [2, 4, 3],
  weights: 72,
  order: 1,
};
rows['LSTM of other activations'] = {
  make: () => new LSTM(3, { dtype, activation: 'softsign', recurrentActivation: 'softplus' }),
  input: [2, 4, 2],
  output: [2, 3],
  weights: 72,
};
layerSuite(rows);

const generator = new Generator('recurrent layers');
const normal = (...shape: number[]): Tensor => generator.normal(shape, { dtype });
const data = (t: Tensor): { shape: readonly number[]; data: ArrayLike<number> } => ({
  shape: t.shape,
  data: t.toTypedArray(),
});
const ROUNDING = { relative: 1e-12, absolute: 1e-14 };

describe.each(Object.entries(kinds))('%s', (name, make) => {
  const mask = tensor([[1, 1, 0, 1, 0], [0, 1, 1, 1, 1]], 'bool'); // prettier-ignore

  test.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])(
    'unrolled it gives the same and the same gradients (masked %s, backwards %s)',
    (masked, goBackwards) => {
      const options = { returnSequences: true, returnState: true, goBackwards };
      const pair = [make(3, options), make(3, { ...options, unroll: true })];
      const x = normal(2, 5, 2);
      const count = name === 'LSTM' ? 2 : 1;
      const initial = Array.from({ length: count }, () => normal(2, 3));
      const weigh = [normal(2, 5, 3), ...initial.map(() => normal(2, 3))];
      const results = pair.map((layer, i) => {
        const inputs = [x, ...initial].map((t) => variable(t));
        if (masked) setMask(inputs[0], mask);
        layer.ensureBuilt(...inputs.map(({ shape }) => shape));
        if (i === 1) layer.setWeights(pair[0].getWeights());
        let outputs: readonly Variable[] = [];
        const calls = recordCalls(() => (outputs = layer.applyAll(inputs)));
        const fused = calls.some(({ spec }) => ['simpleRNN', 'lstm', 'gru'].includes(spec.name));
        expect(fused).toBe(i === 0);
        return [...outputs, ...gradients(outputs, [...inputs, ...layer.weights], weigh)];
      });
      expect(results[0].length).toBe(1 + count + 1 + count + 3);
      results[0].forEach((y, i) =>
        assertClose(`result ${i}`, results[1][i].value, data(y.value), ROUNDING),
      );
    },
  );

  test('the layer and RNN over its cell are the same', () => {
    const cell =
      { SimpleRNN: SimpleRNNCell, LSTM: LSTMCell, GRU: GRUCell }[name.split(',')[0]] ?? GRUCell;
    const own = name.includes('before') ? { resetAfter: false } : {};
    const layer = make(3);
    const x = normal(2, 4, 2);
    const expected = layer.apply(x);
    const other = new RNN(new cell(3, { dtype, ...own }));
    other.ensureBuilt([2, 4, 2]);
    other.setWeights(layer.getWeights());
    assertClose('output', other.apply(x).value, data(expected.value), ROUNDING);
  });

  test('a stateful layer goes on where it left off', () => {
    const whole = make(3, { returnSequences: true });
    const parts = make(3, { returnSequences: true, stateful: true });
    const x = normal(2, 6, 2);
    const expected = whole.apply(x).value;
    parts.ensureBuilt([2, 3, 2]);
    parts.setWeights(whole.getWeights());
    for (let round = 0; round < 2; round++) {
      for (const from of [0, 3]) {
        const y = parts.apply(x.slice({ begin: [0, from, 0], size: [2, 3, 2] })).value;
        assertClose(
          'part',
          y,
          data(expected.slice({ begin: [0, from, 0], size: [2, 3, 3] })),
          ROUNDING,
        );
      }
      parts.resetStates();
    }
  });

  test('no gradient passes from batch to batch, and each has its own', () => {
    const layer = make(3, { stateful: true });
    const x = variable(normal(2, 3, 2));
    const first = layer.apply(x);
    const second = layer.apply(variable(normal(2, 3, 2)));
    expect(gradients([second.sum()], [x])[0].value.abs().sum().item()).toBe(0);
    // The first batch's backward comes after the states were written.
    expect(gradients([first.sum()], [x])[0].value.abs().sum().item()).toBeGreaterThan(0);
  });

  test('float32 is near float64', () => {
    const exact = make(3);
    const x = normal(2, 5, 2);
    const expected = exact.apply(x).value;
    const single = make(3, { dtype: 'float32' });
    single.ensureBuilt([2, 5, 2]);
    single.setWeights(exact.getWeights());
    const y = single.apply(x.cast('float32')).value;
    expect(y.dtype).toBe('float32');
    assertClose('output', y, data(expected), { relative: 1e-5, absolute: 1e-6 });
  });

  test('a second derivative says that it needs unroll', () => {
    const layer = make(3);
    const x = variable(normal(1, 2, 2));
    const [g] = gradients([layer.apply(x).sum()], [x], [], { createGraph: true });
    expect(() => gradients([g.sum()], [x])).toThrow(GradientError);
  });
});

describe('weights', () => {
  test('have the names and shapes of Keras', () => {
    const shapes = (layer: RNN): [string, readonly number[]][] => {
      layer.ensureBuilt([null, null, 2]);
      return layer.weights.map((w) => [w.name, w.shape]);
    };
    expect(shapes(new LSTM(3))).toEqual([['kernel', [2, 12]], ['recurrentKernel', [3, 12]], ['bias', [12]]]); // prettier-ignore
    expect(shapes(new GRU(3))[2]).toEqual(['bias', [2, 9]]);
    expect(shapes(new GRU(3, { resetAfter: false }))[2]).toEqual(['bias', [9]]);
    expect(shapes(new SimpleRNN(3, { useBias: false })).length).toBe(2);
  });

  test("the forget gate's bias begins with ones", () => {
    const bias = (options: object): unknown => {
      const layer = new LSTM(2, options);
      layer.ensureBuilt([null, null, 1]);
      return layer.weights[2].toArray();
    };
    expect(bias({})).toEqual([0, 0, 1, 1, 0, 0, 0, 0]);
    expect(bias({ unitForgetBias: false })).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test('the recurrent kernel begins orthogonal', () => {
    const layer = new SimpleRNN(4, { dtype });
    layer.ensureBuilt([null, null, 2]);
    const w = layer.weights[1].value;
    assertClose('w·wᵀ', w.matmul(w.transpose()), { shape: [4, 4], data: Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? 1 : 0)) }, { relative: 0, absolute: 1e-12 }); // prettier-ignore
  });

  test('freezing the layer freezes its cell', () => {
    for (const layer of [
      new LSTM(2, { trainable: false }),
      new RNN(new GRUCell(2), { trainable: false }),
    ]) {
      layer.apply(zeros([1, 2, 1]));
      expect([layer.trainableWeights.length, layer.weights.length]).toEqual([0, 3]);
      layer.trainable = true;
      expect(layer.trainableWeights.length).toBe(3);
      expect(layer.weights.every((w) => w.requiresGrad)).toBe(true);
    }
  });
});

/** Adds up what it is given, and remembers the sum and the number of steps. */
class Running extends Layer {
  readonly stateSizes = [2, 1];
  override callAll([x, sum, count]: readonly Variable[]): readonly Variable[] {
    const [total, steps] = [sum.add(x), count.add(1)];
    return [total.div(steps), total, steps];
  }
}

describe('RNN over a cell of your own', () => {
  const x = tensor([[[1, 2], [3, 4], [8, 0]]], dtype); // prettier-ignore

  test('runs it step by step', () => {
    const layer = new RNN(new Running({ dtype }), { returnSequences: true, returnState: true });
    const [means, total, steps] = layer.applyAll(x);
    expect(means.toArray()).toEqual([[[1, 2], [2, 3], [4, 2]]]); // prettier-ignore
    expect([total.toArray(), steps.toArray()]).toEqual([[[12, 6]], [[3]]]);
  });

  test('goes backwards, and keeps what a mask says', () => {
    const layer = new RNN(new Running({ dtype }), { returnSequences: true, goBackwards: true });
    const input = new Variable(x);
    setMask(input, tensor([[true, false, true]]));
    const means = layer.apply(input);
    expect(means.toArray()).toEqual([[[8, 0], [8, 0], [4.5, 1]]]); // prettier-ignore
    expect(maskOf(means)?.toArray()).toEqual(tensor([[true, false, true]]).toArray());
  });

  test('needs stateSizes', () => {
    const cell = new Dense(2, { name: 'plain' }) as unknown;
    expect(() => new RNN(cell as Running, { name: 'rnn' })).toThrow(
      "rnn: a cell needs stateSizes, the list of its states' sizes.",
    );
  });

  test('cannot be mirrored', () => {
    expect(() => new RNN(new Running(), { name: 'rnn' }).mirrored()).toThrow(ValueError);
  });
});

describe('masks', () => {
  test('what Masking leaves out has no say in the state', () => {
    const layer = new LSTM(3);
    const model = new Sequential([new Masking({ inputShape: [3, 1] }), layer]);
    const short = layer.apply([[[1], [2]]]).value;
    // A model may run on other kernels than a layer by itself.
    const tolerance = { relative: 1e-6, absolute: 1e-7 };
    assertClose('state', model.predict([[[1], [2], [0]]]), data(short), tolerance);
  });

  test('the output has one only with returnSequences', () => {
    const mask = tensor([[true, false]]);
    const masked = (options: Options): Tensor | null => {
      const x = new Variable(zeros([1, 2, 1]));
      setMask(x, mask);
      return maskOf(new GRU(2, options).apply(x));
    };
    expect(masked({})).toBeNull();
    expect(masked({ returnSequences: true })).toBe(mask);
    expect(masked({ returnSequences: true, goBackwards: true })?.toArray()).toEqual([[0, 1]]);
  });
});

describe('dropout', () => {
  test.each(['dropout', 'recurrentDropout'])('%s works in training alone', (what) => {
    setSeed(3);
    const layer = new SimpleRNN(40, { [what]: 0.5, returnSequences: true });
    const x = new Generator(1).normal([3, 2, 30]);
    const plain = layer.apply(x).toArray();
    expect(layer.apply(x).toArray()).toEqual(plain);
    expect(layer.apply(x, { training: true }).toArray()).not.toEqual(plain);
  });

  test('the same features are dropped in all steps', () => {
    const layer = new SimpleRNN(20, {
      dropout: 0.5,
      returnSequences: true,
      kernelInitializer: 'identity',
      recurrentInitializer: 'zeros',
    });
    const x = new Generator(1).uniform([1, 4, 20], { low: 0.1, high: 0.5 });
    const kept = layer
      .apply(x, { training: true })
      .value.notEqual(0)
      .cast('int32')
      .sum(1)
      .toArray();
    expect(new Set((kept as number[][])[0])).toEqual(new Set([0, 4]));
  });

  test('a rate of 1 is an error', () => {
    expect(() => new LSTM(2, { name: 'lstm', dropout: 1 })).toThrow(
      'lstm: dropout must be the share to drop, from 0 up to but without 1; got 1.',
    );
  });
});

describe('stateful', () => {
  const make = (options: object = {}): LSTM =>
    new LSTM(2, { name: 'memory', stateful: true, batchInputShape: [4, 3, 1], ...options });

  test('a batch of another size than promised is an error', () => {
    const layer = make();
    layer.apply(zeros([4, 3, 1]));
    expect(() => layer.apply(zeros([2, 3, 1]))).toThrow(ShapeError);
    expect(() => layer.apply(zeros([2, 3, 1]))).toThrow(
      'memory: is stateful and keeps the states of 4 samples; got a batch of 2. Give batches of that size, or make the ' +
        'layer with another batchInputShape.',
    );
  });

  test('without a promise the first batch settles the size, until the states are reset', () => {
    const layer = make({ batchInputShape: undefined });
    layer.apply(zeros([4, 3, 1]));
    expect(() => layer.apply(zeros([2, 3, 1]))).toThrow(
      'Call resetStates() before batches of another size.',
    );
    layer.resetStates();
    expect(layer.apply(zeros([2, 3, 1])).shape).toEqual([2, 2]);
  });

  test('a model of it refuses another batch by the name of the layer', () => {
    const model = new Sequential([make(), new Dense(1)]);
    model.compile({ loss: 'mse', optimizer: 'sgd' });
    model.trainOnBatch(zeros([4, 3, 1]), zeros([4, 1]));
    expect(() => model.predict(zeros([3, 3, 1]))).toThrow('memory: is stateful');
  });

  test('the states can be given', () => {
    const layer = new SimpleRNN(2, { stateful: true, dtype });
    const h = normal(1, 2);
    const x = normal(1, 3, 1);
    const expected = layer.apply([new Variable(x), new Variable(h)]).toArray();
    layer.resetStates([h]);
    expect(layer.states?.[0].toArray()).toEqual(h.toArray());
    expect(layer.apply(x).toArray()).toEqual(expected);
    expect(() => layer.resetStates([zeros([1, 3])])).toThrow(
      'needs states of shapes [1, 2]; got [1, 3].',
    );
    expect(() => new LSTM(1, { name: 'l' }).resetStates()).toThrow(
      'l: remembers no states; make it with { stateful: true }.',
    );
  });
});

describe('bad input', () => {
  const layer = new LSTM(3, { name: 'lstm' });
  test.each([
    [() => layer.apply(zeros([2, 3])), 'lstm: needs inputs [batch, time, features]; got [?, 3].'],
    [() => layer.apply(zeros([2, 0, 1])), 'lstm: needs one time step or more; got [2, 0, 1].'],
    [
      () => layer.applyAll([variable(zeros([2, 3, 1])), variable(zeros([2, 3]))]),
      'lstm: takes x alone, or x and 2 initial states; got 2 inputs.',
    ],
    [
      () =>
        layer.applyAll([zeros([2, 3, 1]), zeros([2, 3]), zeros([2, 4])].map((t) => variable(t))),
      'lstm: initial state 1 must be [batch, 3] with the batch of x [2, 3, 1]; got [2, 4].',
    ],
    [
      () => new LSTM(0, { name: 'none' }),
      'none: units must be a whole number of 1 or more; got 0.',
    ],
  ])('%#', (call, message) => {
    expect(call).toThrow(message);
  });

  test('other features than it was built for are an error', () => {
    const built = new GRU(2, { name: 'built' });
    built.apply(zeros([1, 2, 3]));
    expect(() => built.apply(zeros([1, 2, 4]))).toThrow(
      'built: was built for inputs [batch, time, 3]; got [1, 2, 4].',
    );
  });
});

test('in a functional model: an encoder hands its states to a decoder', () => {
  const source = Input({ shape: [4, 2] });
  const target = Input({ shape: [3, 1] });
  const [, h, c] = new LSTM(3, { returnState: true }).applyAll(source);
  const decoded = new LSTM(3, { returnSequences: true }).apply([target, h, c]);
  expect(decoded.shape).toEqual([null, 3, 3]);
  const model = new Model({ inputs: [source, target], outputs: decoded });
  expect(model.countParams()).toBe(72 + 60);
});
