/** Models run as programs: the same numbers as op by op with the TypeScript kernels, and never stale. */
import { type Variable } from '@tapegrad/autograd';
import {
  RecordingError,
  ValueError,
  getBackend,
  setBackend,
  setSeed,
  tensor,
  type Tensor,
} from '@tapegrad/tensor';
import {
  Adam,
  BatchNormalization,
  Conv2D,
  Dense,
  Dropout,
  Embedding,
  Flatten,
  GRU,
  Input,
  LSTM,
  MaxPooling2D,
  Model,
  SGD,
  Sequential,
  SimpleRNN,
  Concatenate,
  type BaseModel,
} from '@tapegrad/layers';
import { messageOf } from '../support/errors.js';

import { bothWays, random, wholes, type Note } from '../support/both-ways.js';

afterEach(() => setBackend('auto'));

const random20 = random(20, 6);
const labels20 = wholes(3, 20);
const wide20 = random(20, 3);
const images = random(20, 8, 8, 2);
const targets = random(20, 3);
const sequences = random(4, 6, 2);
const column = random(4, 1);
const random4x5 = random(4, 5);
const random9x4 = random(9, 4);
/** Sequences of 7 words, the last two steps without any. */
const words = wholes(10, 12, 7).mul([1, 1, 1, 1, 1, 0, 0]);
const truths = wholes(2, 12, 1).cast('float32');

/** fit, evaluate, predict and the steps on one batch. */
async function everything(
  model: BaseModel,
  note: Note,
  x: Tensor,
  y: Tensor,
  batchSize = 8,
): Promise<void> {
  const history = await model.fit(x, y, { epochs: 2, batchSize, verbose: 0 });
  note(history.history);
  note(model.trainOnBatch(x, y), model.testOnBatch(x, y));
  note(await model.evaluate(x, y, { batchSize, verbose: 0 }), model.predict(x, { batchSize }));
  note(model.trainOnBatch(x, y));
}

test('the default is the fast way', () => expect(getBackend()).toBe('wasm'));

describe('the same numbers as op by op', () => {
  test('Dense, Dropout, a last batch that is short, metrics', () =>
    bothWays(
      (runEagerly) => {
        const model = new Sequential([
          new Dense(16, { activation: 'relu', inputShape: [6] }),
          new Dropout(0.3),
          new Dense(3, { activation: 'softmax' }),
        ]);
        model.compile({
          optimizer: 'adam',
          loss: 'sparseCategoricalCrossentropy',
          metrics: ['accuracy'],
          runEagerly,
        });
        return model;
      },
      (model, note) => everything(model, note, random20, labels20),
    ));

  test('convolutions, pooling, BatchNormalization', () =>
    bothWays(
      (runEagerly) => {
        const model = new Sequential([
          new Conv2D(4, 3, { padding: 'same', activation: 'relu', inputShape: [8, 8, 2] }),
          new BatchNormalization({ momentum: 0.9 }),
          new MaxPooling2D(2),
          new Conv2D(3, 3, { strides: 2 }),
          new BatchNormalization({ scale: false, center: false }),
          new Flatten(),
          new Dense(3),
        ]);
        model.compile({
          optimizer: new SGD({ learningRate: 0.05, momentum: 0.9, nesterov: true }),
          loss: 'mse',
          runEagerly,
        });
        return model;
      },
      (model, note) => everything(model, note, images, targets),
    ));

  test('a stateful LSTM, with its states forgotten and set between', () => {
    let lstm = new LSTM(1);
    return bothWays(
      (runEagerly) => {
        const batchInputShape = [4, 6, 2];
        lstm = new LSTM(5, { stateful: true, returnSequences: true, batchInputShape });
        const model = new Sequential([
          lstm,
          new LSTM(3, { stateful: true, goBackwards: true }),
          new Dense(1),
        ]);
        model.compile({ optimizer: 'rmsprop', loss: 'mae', runEagerly });
        return model;
      },
      async (model, note) => {
        const memory = (): Tensor[] => [...(lstm.states ?? [])];
        for (let i = 0; i < 3; i++) note(model.trainOnBatch(sequences, column), ...memory());
        model.resetStates();
        note(model.predict(sequences), ...memory(), model.predict(sequences));
        note(model.trainOnBatch(sequences, column), ...memory());
        lstm.resetStates([random4x5, random4x5.neg()]);
        note(model.trainOnBatch(sequences, column), ...memory());
        note(await model.evaluate(sequences, column, { batchSize: 4, verbose: 0 }));
      },
    );
  });

  test('a stateful layer without a batch size, which changes after resetStates', () =>
    bothWays(
      (runEagerly) => {
        const model = new Sequential([
          new SimpleRNN(3, { stateful: true, inputShape: [6, 2] }),
          new Dense(1),
        ]);
        model.compile({ optimizer: 'sgd', loss: 'mse', runEagerly });
        return model;
      },
      (model, note) => {
        const part = (x: Tensor, n: number): Tensor =>
          x.slice({ begin: x.shape.map(() => 0), size: [n, ...x.shape.slice(1)] });
        for (const n of [4, 2, 4, 4, 2]) {
          model.resetStates();
          for (let i = 0; i < 2; i++) note(model.trainOnBatch(part(sequences, n), part(column, n)));
          note(model.predict(part(sequences, n)));
        }
        expect(() => model.trainOnBatch(sequences, column)).toThrow(
          /keeps the states of 2 samples; got a batch of 4/,
        );
      },
    ));

  test('an Embedding with a mask, and a GRU', () =>
    bothWays(
      (runEagerly) => {
        const model = new Sequential([
          new Embedding(10, 4, { maskZero: true, inputShape: [7] }),
          new GRU(5, { dropout: 0.2, recurrentDropout: 0.1, returnSequences: true }),
          new GRU(4),
          new Dense(1, { activation: 'sigmoid' }),
        ]);
        model.compile({
          optimizer: 'adagrad',
          loss: 'binaryCrossentropy',
          metrics: ['accuracy'],
          runEagerly,
        });
        return model;
      },
      (model, note) => everything(model, note, words, truths),
    ));

  test('several inputs and outputs, a layer used twice', () =>
    bothWays(
      (runEagerly) => {
        const [a, b] = ['a', 'b'].map((name) => Input({ shape: [4], name }));
        const shared = new Dense(5, { activation: 'tanh' });
        const joined = new Concatenate().apply([shared.apply(a), shared.apply(b)]);
        const model = new Model({
          inputs: [a, b],
          outputs: [
            new Dense(2, { name: 'one' }).apply(joined),
            new Dense(1, { name: 'two' }).apply(joined),
          ],
        });
        model.compile({
          optimizer: 'nadam',
          loss: { one: 'mse', two: 'mae' },
          lossWeights: [1, 0.5],
          metrics: { two: ['mse'] },
          runEagerly,
        });
        return model;
      },
      async (model, note) => {
        const x = { a: random9x4, b: random9x4.flip([0]) };
        const y = {
          one: random9x4.slice({ begin: [0, 0], size: [9, 2] }),
          two: random9x4.sum({ axis: 1, keepDims: true }),
        };
        note((await model.fit(x, y, { epochs: 2, batchSize: 4, verbose: 0 })).history);
        note(...model.predictAll(x, { batchSize: 4 }), await model.evaluate(x, y, { verbose: 0 }));
      },
    ));

  test('regularizers, constraints, clipping, a schedule, weight decay, sample weights', () =>
    bothWays(
      (runEagerly) => {
        const model = new Sequential([
          new Dense(6, {
            inputShape: [6],
            kernelRegularizer: 'l2',
            kernelConstraint: 'maxNorm',
            activation: 'elu',
          }),
          new Dense(3, { biasRegularizer: 'l1', kernelConstraint: 'nonNeg' }),
        ]);
        model.compile({
          optimizer: new Adam({
            learningRate: (step) => 0.1 / (1 + step),
            clipnorm: 0.5,
            weightDecay: 0.01,
            amsgrad: true,
          }),
          loss: 'huber',
          runEagerly,
        });
        return model;
      },
      async (model, note) => {
        const sampleWeight = tensor(Float32Array.from({ length: 20 }, (_, i) => (i % 3) / 2));
        note(
          (await model.fit(random20, wide20, { epochs: 3, batchSize: 8, sampleWeight, verbose: 0 }))
            .history,
        );
        note(await model.evaluate(random20, wide20, { sampleWeight, verbose: 0 }));
        note(
          model.trainOnBatch(random20, wide20),
          model.optimizer.iterations,
          model.optimizer.learningRate,
        );
      },
    ));
});

describe('what is refused', () => {
  test('labels out of range, before anything is changed', () => {
    const make = (): Sequential => {
      setSeed(2);
      const model = new Sequential([new Dense(3, { activation: 'softmax', inputShape: [6] })]);
      model.compile({ optimizer: 'sgd', loss: 'sparseCategoricalCrossentropy' });
      return model;
    };
    const model = make();
    model.trainOnBatch(random20, labels20);
    const weights = model.getWeights().map((w) => w.toArray());
    const wrong = labels20.add(1);
    const eager = make();
    setBackend('js');
    const text = messageOf(ValueError, () => eager.trainOnBatch(random20, wrong));
    setBackend('wasm');
    expect(text).toMatch(/3/);
    expect(messageOf(ValueError, () => model.trainOnBatch(random20, wrong))).toBe(text);
    expect(messageOf(ValueError, () => model.testOnBatch(random20, wrong))).toBe(text);
    expect(model.getWeights().map((w) => w.toArray())).toEqual(weights);
    expect(model.optimizer.iterations).toBe(1);
    model.trainOnBatch(random20, labels20);
  });

  test('words out of range', () => {
    const model = new Sequential([
      new Embedding(5, 2, { inputShape: [3] }),
      new Flatten(),
      new Dense(1),
    ]);
    model.compile({ optimizer: 'sgd', loss: 'mse' });
    model.trainOnBatch(tensor([[0, 1, 4]], 'int32'), [[1]]);
    const before = model.getWeights().map((w) => w.toArray());
    expect(() => model.trainOnBatch(tensor([[0, 5, 1]], 'int32'), [[1]])).toThrow(/5/);
    expect(() => model.predict(tensor([[0, -9, 1]], 'int32'))).toThrow(/-9/);
    expect(model.getWeights().map((w) => w.toArray())).toEqual(before);
  });

  test('a loss that looks at values, unless it runs eagerly', () => {
    const model = new Sequential([new Dense(1, { inputShape: [6] })]);
    const loss = (yTrue: Variable, yPred: Variable): Variable => {
      if (yPred.sum().item() > 1e9) throw new Error('large');
      return yPred.sub(yTrue).square();
    };
    const y = random20.sum({ axis: 1, keepDims: true });
    model.compile({ optimizer: 'sgd', loss });
    expect(messageOf(RecordingError, () => model.trainOnBatch(random20, y))).toMatch(
      /runEagerly: true for a model/,
    );
    model.compile({ optimizer: 'sgd', loss, runEagerly: true });
    expect(model.trainOnBatch(random20, y).loss).toBeGreaterThan(0);
  });
});

test('weights and the state of the optimizer are where programs use them once the model is compiled', () => {
  const model = new Sequential([new Dense(50, { inputShape: [40] }), new Dense(1)]);
  model.compile({ optimizer: new Adam(), loss: 'mse' });
  const state = model.optimizer.prepare(model.trainableWeights);
  const all = [...model.weights.map(({ value }) => value), ...state];
  expect(new Set(all.map(({ data }) => data.buffer)).size).toBe(1);
  const places = all.map(({ data }) => data.byteOffset);
  expect(new Set(places).size).toBe(all.length);
  model.trainOnBatch(random(8, 40), random(8, 1));
  expect(all.map(({ data }) => data.byteOffset)).toEqual(places);
});
