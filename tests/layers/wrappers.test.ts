/** Layers around layers. Their numbers are compared with PyTorch's in golden-layers.test.ts. */
import {
  Bidirectional,
  Dense,
  GRU,
  LSTM,
  RNN,
  Sequential,
  SimpleRNN,
  SimpleRNNCell,
  TimeDistributed,
  maskOf,
  setMask,
} from '@tapegrad/layers';
import { Variable } from '@tapegrad/autograd';
import { Generator, ValueError, tensor, zeros } from '@tapegrad/tensor';
import { layerSuite } from '../support/layer-suite.js';

const dtype = 'float64';

layerSuite({
  'Bidirectional, concat': {
    make: () => new Bidirectional(new SimpleRNN(3, { dtype, unroll: true })),
    input: [2, 4, 2],
    output: [2, 6],
    weights: 36,
  },
  'Bidirectional, all steps added': {
    make: () => new Bidirectional(new GRU(3, { dtype, returnSequences: true }), { mergeMode: 'sum' }),
    input: [2, 4, 2],
    output: [2, 4, 3],
    weights: 126,
    order: 1,
  },
  'Bidirectional, unmerged with states': {
    make: () =>
      new Bidirectional(new LSTM(3, { dtype, returnState: true, unroll: true }), { mergeMode: null }),
    input: [[2, 4, 2], [2, 3], [2, 3], [2, 3], [2, 3]],
    output: [[2, 3], [2, 3], [2, 3], [2, 3], [2, 3], [2, 3]],
    weights: 144,
  },
  'TimeDistributed of Dense': {
    make: () => new TimeDistributed(new Dense(3, { dtype, activation: 'tanh' })),
    input: [2, 4, 2],
    output: [2, 4, 3],
    weights: 9,
  },
  'TimeDistributed of a recurrent layer': {
    make: () => new TimeDistributed(new SimpleRNN(3, { dtype, unroll: true })),
    input: [2, 2, 4, 2],
    output: [2, 2, 3],
    weights: 18,
  },
}); // prettier-ignore

describe('Bidirectional', () => {
  const x = new Generator(5).normal([1, 4, 2], { dtype });

  test('is a layer and another on what is turned round', () => {
    const layer = new Bidirectional(new SimpleRNN(3, { dtype, returnSequences: true }), {
      mergeMode: null,
    });
    const [ahead, back] = layer.applyAll(x);
    expect(ahead.toArray()).toEqual(layer.forward.apply(x).toArray());
    const plain = new SimpleRNN(3, { dtype, returnSequences: true });
    plain.ensureBuilt([1, 4, 2]);
    plain.setWeights(layer.backward.getWeights());
    expect(back.toArray()).toEqual(plain.apply(x.flip(1)).flip(1).toArray());
  });

  test.each([
    ['mul', 6],
    ['ave', 2.5],
  ] as const)('merges by %s', (mergeMode, expected) => {
    // Without kernels each output is its layer's bias.
    const one = {
      dtype,
      activation: 'linear',
      kernelInitializer: 'zeros',
      recurrentInitializer: 'zeros',
    } as const;
    const forward = new SimpleRNN(1, one);
    const layer = new Bidirectional(forward, { mergeMode });
    layer.ensureBuilt([null, 4, 2]);
    const [k, r] = forward.getWeights();
    layer.setWeights([k, r, [2], k, r, [3]]);
    expect(layer.apply(x).toArray()).toEqual([[expected]]);
  });

  test('names the weights by direction', () => {
    const layer = new Bidirectional(new GRU(3));
    layer.ensureBuilt([null, 4, 2]);
    expect(layer.weights.map((w) => w.name)).toEqual([
      'forward.kernel',
      'forward.recurrentKernel',
      'forward.bias',
      'backward.kernel',
      'backward.recurrentKernel',
      'backward.bias',
    ]);
  });

  test('begins with different weights in the two directions', () => {
    const layer = new Bidirectional(new GRU(3));
    layer.ensureBuilt([null, 4, 2]);
    expect(layer.weights[0].toArray()).not.toEqual(layer.weights[3].toArray());
  });

  test('gives both directions the mask, and passes it on in the order of time', () => {
    const mask = tensor([[true, true, false, false]]);
    const input = new Variable(x);
    setMask(input, mask);
    const layer = new Bidirectional(
      new LSTM(3, { dtype, returnState: true, returnSequences: true }),
    );
    const [y, ...states] = layer.applyAll(input);
    expect(maskOf(y)).toBe(mask);
    const short = layer.applyAll(x.slice({ begin: [0, 0, 0], size: [1, 2, 2] }));
    expect(states.map((s) => s.toArray())).toEqual(short.slice(1).map((s) => s.toArray()));
  });

  test.each(['concat', 'sum', 'mul', 'ave', null] as const)(
    'the outputs of masked steps are 0 when merged by %s, those of others as without them',
    (mergeMode) => {
      // As Bidirectional of Keras 3, which sets zero_output_for_mask where all steps are given.
      const input = new Variable(x);
      setMask(input, tensor([[false, true, true, false]]));
      const layer = new Bidirectional(new SimpleRNN(2, { dtype, returnSequences: true }), {
        mergeMode,
      });
      const short = layer.applyAll(x.slice({ begin: [0, 1, 0], size: [1, 2, 2] }));
      layer.applyAll(input).forEach((y, i) => {
        const zero = new Array<number>(y.shape[2]).fill(0);
        const [kept] = short[i].value.toArray() as number[][][];
        expect(y.toArray()).toEqual([[zero, ...kept, zero]]);
      });
    },
  );

  test('forgets in both directions', () => {
    const layer = new Bidirectional(new GRU(3, { dtype, stateful: true }));
    const first = layer.apply(x).toArray();
    expect(layer.apply(x).toArray()).not.toEqual(first);
    layer.resetStates();
    expect(layer.apply(x).toArray()).toEqual(first);
  });

  test('takes a layer of its own for the way back', () => {
    const cell = (): SimpleRNNCell => new SimpleRNNCell(2);
    const backwardLayer = new RNN(cell(), { goBackwards: true });
    expect(new Bidirectional(new RNN(cell()), { backwardLayer }).apply(x).shape).toEqual([1, 4]);
  });

  test.each([
    [
      () => new Bidirectional(new LSTM(2), { name: 'both', backwardLayer: new LSTM(2) }),
      'both: the layers must go opposite ways; both have goBackwards false.',
    ],
    [
      () =>
        new Bidirectional(new LSTM(2), {
          name: 'both',
          backwardLayer: new LSTM(2, { goBackwards: true, returnState: true }),
        }),
      'both: both layers must have the same returnState; got false and true.',
    ],
    [
      () => new Bidirectional(new RNN(new SimpleRNNCell(2), { name: 'rnn' })),
      'rnn: a layer with a cell of your own cannot be copied; give Bidirectional a backwardLayer as well.',
    ],
  ])('refuses what does not fit (%#)', (make, message) => {
    expect(make).toThrow(ValueError);
    expect(make).toThrow(message);
  });

  test('an unknown mergeMode lists the known ones', () => {
    const mergeMode: string = 'average';
    expect(() => new Bidirectional(new LSTM(2), { mergeMode: mergeMode as 'ave' })).toThrow(
      /'average'.*'concat', 'sum', 'mul'/,
    );
  });

  test('initial states are for both or for none', () => {
    const layer = new Bidirectional(new GRU(3), { name: 'both' });
    expect(() =>
      layer.applyAll([new Variable(zeros([1, 4, 2])), new Variable(zeros([1, 3]))]),
    ).toThrow('both: takes x alone, or x and 2 initial states; got 2 inputs.');
  });
});

describe('TimeDistributed', () => {
  test('has one layer for all steps, and passes the mask on', () => {
    const dense = new Dense(2);
    const layer = new TimeDistributed(dense);
    const x = new Variable(tensor([[[1, 2], [3, 4]]])); // prettier-ignore
    const mask = tensor([[true, false]]);
    setMask(x, mask);
    const y = layer.apply(x);
    expect(y.toArray()).toEqual([dense.apply([[1, 2], [3, 4]]).toArray()]); // prettier-ignore
    expect(maskOf(y)).toBe(mask);
    expect(layer.weights.map((w) => w.name)).toEqual(['kernel', 'bias']);
  });

  test('says what it needs', () => {
    const layer = new TimeDistributed(new Dense(2), { name: 'steps' });
    expect(() => layer.apply(zeros([2, 3]))).toThrow(
      'steps: needs inputs [batch, time, …features]; got [?, 3].',
    );
  });

  test('trains in a model, and freezes its layer', () => {
    const model = new Sequential([
      new LSTM(4, { returnSequences: true, stateful: true, batchInputShape: [2, 3, 1] }),
      new TimeDistributed(new Dense(1)),
    ]);
    expect(model.built).toBe(true);
    model.compile({ loss: 'mse', optimizer: 'adam' });
    const before = model.trainOnBatch(zeros([2, 3, 1]), tensor([[[1], [1], [1]], [[1], [1], [1]]])).loss; // prettier-ignore
    expect(before).toBeGreaterThan(0);
    model.layers[1].trainable = false;
    expect(model.trainableWeights.length).toBe(3);
  });
});
