/** What compile, fit, evaluate and predict are told wrongly: nothing is ignored. */
import { Dense, Model, Input, Sequential, UnknownNameError, metrics } from '@tapegrad/layers';
import { ValueError, zeros } from '@tapegrad/tensor';
import { messageOf } from '../support/errors.js';

/** As it comes from JavaScript, or from a file: nobody has checked its type. */
const unchecked = (value: unknown): never => value as never;

function compiled(): Sequential {
  const model = new Sequential([new Dense(1, { inputShape: [2] })], { name: 'm' });
  model.compile({ loss: 'mse', optimizer: 'sgd' });
  return model;
}

const x = zeros([4, 2]);
const y = zeros([4, 1]);

describe('compile', () => {
  const compile = (options: unknown) => (): void => compiled().compile(unchecked(options));

  test.each<[unknown, string]>([
    [
      { optimiser: 'sgd', loss: 'mse' },
      "Unknown option of m.compile 'optimiser'. Did you mean 'optimizer'?",
    ],
    [
      { loss: 'mse', metric: ['mae'] },
      "Unknown option of m.compile 'metric'. Did you mean 'metrics'?",
    ],
  ])('%j', (options, start) => {
    expect(messageOf(UnknownNameError, compile(options))).toMatch(start);
  });

  test.each<[unknown, string]>([
    [undefined, 'm.compile: options are an object, as in { optimizer: … }; got undefined.'],
    [{}, "m.compile: there is no loss; give one, as in { loss: 'mse' }."],
    [
      { loss: 'mse', metrics: 'mae' },
      "m.compile: metrics are a list, as in ['accuracy'], or an object of lists by the names of the outputs; got 'mae'.",
    ],
    [
      { loss: 'mse', metrics: metrics.recall() },
      "m.compile: metrics are a list, as in ['accuracy'], or an object of lists by the names of the outputs; got a ConfusionRatio.",
    ],
    [
      { loss: 'mse', metrics: { output: 'mae' } },
      "m.compile: metrics are a list, as in ['accuracy'], or an object of lists by the names of the outputs; got 'mae'.",
    ],
  ])('%j', (options, message) => {
    expect(messageOf(ValueError, compile(options))).toBe(message);
  });

  test('losses for other outputs', () => {
    const input = Input({ shape: [2] });
    const outputs = ['p', 'q'].map((name) => new Dense(1, { name }).apply(input));
    const model = new Model({ inputs: input, outputs, name: 'm' });
    const message = (loss: unknown): string =>
      messageOf(ValueError, () => model.compile({ loss: unchecked(loss) }));
    expect(message({ p: 'mse', r: 'mae' })).toBe(
      "m.compile: loss needs one entry for each of the outputs 'p', 'q'; got those for 'p', 'r'.",
    );
    expect(message(['mse'])).toBe(
      "m.compile: loss needs one entry for each of the outputs 'p', 'q'; got a list of 1.",
    );
  });
});

describe('options that are not known', () => {
  const odd = (options: object): object => ({ verbose: 0, ...options });

  test.each<[string, (model: Sequential) => unknown, string]>([
    [
      'fit',
      (m) => m.fit(x, y, odd({ epoch: 2 })),
      "Unknown option of m.fit 'epoch'. Did you mean 'epochs'?",
    ],
    [
      'fit, in Python',
      (m) => m.fit(x, y, odd({ batch_size: 2 })),
      "Unknown option of m.fit 'batch_size'. Did you mean 'batchSize'?",
    ],
    [
      'evaluate',
      (m) => m.evaluate(x, y, unchecked({ verbos: 0 })),
      "Unknown option of m.evaluate 'verbos'. Did you mean 'verbose'?",
    ],
  ])('%s', async (_, call, start) => {
    await expect(call(compiled())).rejects.toThrow(start);
  });

  test.each<[string, (model: Sequential) => unknown, string]>([
    [
      'predict',
      (m) => m.predict(x, unchecked({ batchsize: 2 })),
      "Unknown option of m.predict 'batchsize'. Did you mean 'batchSize'?",
    ],
    [
      'trainOnBatch',
      (m) => m.trainOnBatch(x, y, unchecked({ sampleWeights: [1] })),
      "Unknown option of trainOnBatch 'sampleWeights'. Did you mean 'sampleWeight'?",
    ],
    [
      'testOnBatch',
      (m) => m.testOnBatch(x, y, unchecked({ epochs: 1 })),
      "Unknown option of testOnBatch 'epochs'.",
    ],
  ])('%s', (_, call, start) => {
    expect(messageOf(UnknownNameError, () => call(compiled()))).toMatch(start);
  });
});

describe('data that are not there', () => {
  test('x or y', async () => {
    const model = compiled();
    expect(messageOf(ValueError, () => model.predict(unchecked(null)))).toBe(
      'm.predict: x is missing; got null.',
    );
    await expect(model.fit(x, unchecked(undefined), { verbose: 0 })).rejects.toThrow(
      'm.fit: y is missing; got undefined.',
    );
  });

  test.each<[unknown, string]>([
    [{ x, y }, 'm.fit: validationData is a list, [x, y] or [x, y, sampleWeight]; got an object.'],
    [[x], 'm.fit: validationData is a list, [x, y] or [x, y, sampleWeight]; got a list of 1.'],
  ])('to validate with', async (validationData, message) => {
    const options = { verbose: 0, validationData } as const;
    await expect(compiled().fit(x, y, unchecked(options))).rejects.toThrow(message);
  });
});

test('a fit while another one is at work is refused, and the first goes on', async () => {
  const model = compiled();
  const first = model.fit(x, y, { epochs: 3, verbose: 0 });
  await expect(model.fit(x, y, { verbose: 0 })).rejects.toThrow(
    'm.fit: is at work already; wait for it with await before the next one.',
  );
  expect((await first).epoch).toEqual([0, 1, 2]);
  expect((await model.fit(x, y, { verbose: 0 })).epoch).toEqual([0]);
});
