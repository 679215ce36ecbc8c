import {
  Activation,
  Dense,
  Input,
  Layer,
  Model,
  Sequential,
  type BatchShape,
  type CallContext,
} from '@tapegrad/layers';
import type { Variable } from '@tapegrad/autograd';
import { Generator, setSeed, zeros, type Tensor } from '@tapegrad/tensor';

/** The sum of its inputs. */
class Sum extends Layer {
  override callAll(inputs: readonly Variable[], _context: CallContext): readonly Variable[] {
    return [inputs.reduce((sum, x) => sum.add(x))];
  }

  override computeOutputShapes(shapes: readonly BatchShape[]): readonly BatchShape[] {
    return [shapes[0]];
  }
}

/** x and −x. */
class Both extends Layer {
  override callAll([x]: readonly Variable[]): readonly Variable[] {
    return [x, x.neg()];
  }
}

const samples = (n: number, features: number): Tensor => new Generator('f').normal([n, features]);
const bits = (tensors: readonly Tensor[]): number[][] => tensors.map((t) => [...t.toTypedArray()]);

describe('a functional model', () => {
  test('trains exactly as the same layers one after another', () => {
    const stack = (): [Dense, Activation, Dense] => [
      new Dense(4),
      new Activation('tanh'),
      new Dense(2),
    ];
    const input = Input({ shape: [3] });
    const [a, b, c] = stack();
    const model = new Model({ inputs: input, outputs: c.apply(b.apply(a.apply(input))) });
    const sequential = new Sequential(stack());
    sequential.ensureBuilt([null, 3]);
    sequential.setWeights(model.getWeights());
    const [x, y] = [samples(8, 3), samples(8, 2)];
    for (const m of [model, sequential]) {
      m.compile({ loss: 'mse', optimizer: 'adam', metrics: ['mae'] });
    }
    for (let step = 0; step < 3; step++) {
      expect(model.trainOnBatch(x, y)).toEqual(sequential.trainOnBatch(x, y));
    }
    expect(bits(model.getWeights())).toEqual(bits(sequential.getWeights()));
    expect(model.predict(x).toArray()).toEqual(sequential.predict(x).toArray());
  });

  test('shares layers with other models: training one changes both', () => {
    const input = Input({ shape: [3] });
    const code = new Dense(2, { name: 'code' }).apply(input);
    const decoded = new Dense(3).apply(code);
    const autoencoder = new Model({ inputs: input, outputs: decoded });
    const encoder = new Model({ inputs: input, outputs: code });
    const decoder = new Model({ inputs: code, outputs: decoded });
    const x = samples(4, 3);
    autoencoder.compile({ loss: 'mse', optimizer: 'sgd' });
    const before = encoder.predict(x).toArray();
    autoencoder.trainOnBatch(x, x);
    expect(encoder.predict(x).toArray()).not.toEqual(before);
    expect(decoder.predict(encoder.predict(x)).toArray()).toEqual(autoencoder.predict(x).toArray());
  });

  test('uses one layer several times with the same weights, and adds up its gradients', () => {
    const input = Input({ shape: [1] });
    const twice = new Dense(1, { useBias: false, kernelInitializer: 'ones' });
    const model = new Model({ inputs: input, outputs: twice.apply(twice.apply(input)) });
    expect(model.countParams()).toBe(1);
    model.compile({ loss: (_y, p) => p.mean(-1), optimizer: 'sgd' });
    model.trainOnBatch([[3]], [[0]]);
    // p = w²·x: dp/dw = 2·w·x = 6, and the rate is 0.01.
    expect(model.getWeights()[0].item()).toBeCloseTo(1 - 0.06, 6);
    expect(model.summary(() => undefined)).toContain('shared');
  });

  test('takes several inputs, in a list or by name, and says what is missing', () => {
    const a = Input({ shape: [2], name: 'a' });
    const b = Input({ shape: [2], name: 'b' });
    const model = new Model({ inputs: [a, b], outputs: new Sum().apply([a, b]), name: 'm' });
    const expected = [[4, 6]];
    expect(model.predict([zeros([1, 2]).add([[1, 2]]), [[3, 4]]]).toArray()).toEqual(expected);
    expect(model.predict({ b: [[3, 4]], a: [[1, 2]] }).toArray()).toEqual(expected);
    expect(() => model.predict({ a: [[1, 2]] })).toThrow(
      "m.predict: x needs 'a', 'b'; 'b' is missing.",
    );
    expect(() => model.predict({ a: [[1, 2]], b: [[1, 2]], c: [[1]] })).toThrow("there is no 'c'");
    expect(() => model.predict(zeros([1, 2]))).toThrow(
      'm.predict: x needs a list of 2 tensors (a, b); got one.',
    );
    expect(() => model.predict([[[1, 2]], [[1, 2, 3]]])).toThrow(
      "m: input 'b' has shape [?, 2]; got [1, 3].",
    );
  });

  test('trains several outputs, each with its loss, weight and metrics', async () => {
    setSeed(1);
    const input = Input({ shape: [2] });
    const score = new Dense(1, { name: 'score' }).apply(input);
    const kind = new Dense(2, { name: 'kind', activation: 'softmax' }).apply(input);
    const model = new Model({ inputs: input, outputs: [score, kind], name: 'm' });
    model.compile({
      loss: { score: 'mse', kind: 'sparseCategoricalCrossentropy' },
      lossWeights: [1, 0.5],
      metrics: { kind: ['accuracy'] },
      optimizer: 'sgd',
    });
    const logs = await model.evaluate(
      [
        [1, 2],
        [3, 4],
      ],
      [
        [[1], [2]],
        [0, 1],
      ],
      { verbose: 0 },
    );
    expect(Object.keys(logs)).toEqual(['loss', 'scoreLoss', 'kindLoss', 'kindAccuracy']);
    expect(logs.loss).toBeCloseTo(logs.scoreLoss + 0.5 * logs.kindLoss, 6);
    const { history } = await model.fit(
      [
        [1, 2],
        [3, 4],
      ],
      { score: [[1], [2]], kind: [0, 1] },
      { epochs: 20, verbose: 0 },
    );
    expect(history.loss[19]).toBeLessThan(history.loss[0]);
    expect(model.predictAll([[1, 2]]).map(({ shape }) => shape)).toEqual([
      [1, 1],
      [1, 2],
    ]);
    expect(() => model.predict([[1, 2]])).toThrow(
      'm.predict: the model has 2 outputs; use predictAll, which returns a list.',
    );
    expect(() => model.compile({ loss: ['mse'] })).toThrow(
      "m.compile: loss needs one entry for each of the outputs 'score', 'kind'; got a list of 1.",
    );
  });

  test('is a layer of other models, frozen with all that is in it', () => {
    const inner = Input({ shape: [3] });
    const encoder = new Model({
      inputs: inner,
      outputs: new Dense(2).apply(inner),
      name: 'encoder',
    });
    const outer = Input({ shape: [3] });
    const model = new Model({ inputs: outer, outputs: new Dense(1).apply(encoder.apply(outer)) });
    encoder.trainable = false;
    expect(model.trainableWeights).toHaveLength(2);
    model.compile({ loss: 'mse', optimizer: 'sgd' });
    const before = bits(encoder.getWeights());
    model.trainOnBatch(samples(4, 3), samples(4, 1));
    expect(bits(encoder.getWeights())).toEqual(before);
    expect(new Sequential([encoder, new Dense(1)]).predict(samples(4, 3)).shape).toEqual([4, 1]);
  });

  test('takes single outputs of layers that have several', () => {
    const input = Input({ shape: [2] });
    const [, negative] = new Both().applyAll(input);
    const model = new Model({ inputs: input, outputs: negative });
    expect(model.predict([[1, 2]]).toArray()).toEqual([[-1, -2]]);
    expect(() => new Both({ name: 'both' }).apply(input)).toThrow(
      'both: gives 2 outputs; use applyAll, which returns a list.',
    );
  });

  test('says which input is not connected', () => {
    const [a, b] = [Input({ shape: [2], name: 'a' }), Input({ shape: [2], name: 'b' })];
    const y = new Dense(1, { name: 'head' }).apply(a);
    expect(() => new Model({ inputs: b, outputs: y, name: 'm' })).toThrow(
      "m: the layer 'head' needs 'a' [?, 2], which is not among the model's inputs ('b'); add it to them.",
    );
    expect(() => new Model({ inputs: [a, b], outputs: y, name: 'm' })).toThrow(
      "m: no output depends on the input 'b'; connect it or leave it out.",
    );
    expect(() => new Model({ inputs: [], outputs: y, name: 'm' })).toThrow(
      'm: a model needs at least one input and one output.',
    );
    const named = new Dense(1, { name: 'same' }).apply(new Dense(1, { name: 'same' }).apply(a));
    expect(() => new Model({ inputs: a, outputs: named, name: 'm' })).toThrow(
      "m: two layers are called 'same'",
    );
  });

  test('copes with a thousand layers', () => {
    const input = Input({ shape: [1] });
    let x = input;
    for (let i = 0; i < 1000; i++) x = new Activation('relu').apply(x);
    expect(new Model({ inputs: input, outputs: x }).predict([[1], [-1]]).toArray()).toEqual([
      [1],
      [0],
    ]);
  });

  test('Input wants one of shape and batchShape', () => {
    expect(() => Input({})).toThrow(
      'Input: give either shape, of one sample, or batchShape, of a batch.',
    );
    expect(Input({ batchShape: [5, 2] }).shape).toEqual([5, 2]);
  });
});
