/** What models remember from batch to batch: forgotten when asked, and kept in files. */
import {
  Bidirectional,
  Dense,
  GRU,
  Input,
  LSTM,
  Model,
  SimpleRNN,
  Sequential,
  TimeDistributed,
  modelFromBytes,
  type BaseModel,
  type RNN,
} from '@tapegrad/layers';
import {
  FormatError,
  Generator,
  decodeSafetensors,
  encodeSafetensors,
  setSeed,
  zeros,
  type Tensor,
} from '@tapegrad/tensor';

const generator = new Generator('states');
const x = generator.normal([6, 3, 2]);
const y = generator.normal([6, 2]);
const bits = (model: BaseModel): number[][] => model.getWeights().map((w) => [...w.toTypedArray()]);

beforeEach(() => setSeed(1));

/** Recurrent layers at every depth: in the model, in a model inside, in wrappers. */
function build(): { model: Model; layers: RNN[] } {
  const stateful = { stateful: true, returnSequences: true };
  const lstm = new LSTM(2, { ...stateful, name: 'lstm' });
  const both = new Bidirectional(new GRU(2, { ...stateful, name: 'gru' }), { name: 'both' });
  const nested = new SimpleRNN(2, { ...stateful, name: 'nested' });
  const encoder = new Sequential([nested, new SimpleRNN(3, { returnSequences: true })], {
    name: 'encoder',
  });
  const perStep = new SimpleRNN(2, { stateful: true, name: 'perStep' });
  const input = Input({ batchShape: [2, 3, 2], name: 'input' });
  const steps = encoder.apply(both.apply(lstm.apply(input)));
  const windows = new TimeDistributed(perStep, { name: 'windows' });
  const pairs = Input({ batchShape: [2, 4, 3, 2], name: 'pairs' });
  const outputs = [new Dense(2, { name: 'out' }).apply(steps), windows.apply(pairs)];
  const model = new Model({ inputs: [input, pairs], outputs });
  return { model, layers: [lstm, both.forward, both.backward, nested, perStep] };
}

const samples = [generator.normal([2, 3, 2]), generator.normal([2, 4, 3, 2])];
const run = (model: BaseModel): number[][] =>
  model.predictAll(samples).map((t) => [...t.toTypedArray()]);

test('resetStates reaches every stateful layer: in models and wrappers inside too', () => {
  const { model, layers } = build();
  const first = run(model);
  for (const layer of layers) expect(layer.states).not.toBeNull();
  expect(run(model)).not.toEqual(first);
  model.resetStates();
  for (const layer of layers) expect(layer.states).toBeNull();
  expect(run(model)).toEqual(first);
});

test('resetStates leaves a model without stateful layers as it is', () => {
  const model = new Sequential([new LSTM(2, { inputShape: [3, 2] })]);
  expect(() => model.resetStates()).not.toThrow();
});

test('a saved model remembers what it did, wherever its stateful layers are', () => {
  const { model } = build();
  run(model);
  const copy = modelFromBytes(model.toBytes());
  expect(run(copy)).toEqual(run(model));
  copy.resetStates();
  model.resetStates();
  expect(run(copy)).toEqual(run(model));
});

describe('a stateful model whose training goes on', () => {
  const make = (): Sequential => {
    const model = new Sequential([
      new LSTM(4, { stateful: true, returnSequences: true, batchInputShape: [2, 3, 2] }),
      new Bidirectional(new SimpleRNN(3, { stateful: true })),
      new Dense(2),
    ]);
    model.compile({ optimizer: 'adam', loss: 'mse' });
    return model;
  };
  const options = { batchSize: 2, shuffle: false, verbose: 0 } as const;

  test('has the bits of one that never stopped', async () => {
    setSeed(3);
    const whole = make();
    const all = await whole.fit(x, y, { ...options, epochs: 4 });
    setSeed(3);
    const half = make();
    await half.fit(x, y, { ...options, epochs: 2 });
    const rest = modelFromBytes(half.toBytes());
    const second = await rest.fit(x, y, { ...options, initialEpoch: 2, epochs: 4 });
    expect(second.history.loss).toEqual(all.history.loss.slice(2));
    expect(bits(rest)).toEqual(bits(whole));
  });

  test('has other bits when the states are forgotten', async () => {
    setSeed(3);
    const half = make();
    await half.fit(x, y, { ...options, epochs: 2 });
    const forgetful = modelFromBytes(half.toBytes());
    forgetful.resetStates();
    await half.fit(x, y, options);
    await forgetful.fit(x, y, options);
    expect(bits(forgetful)).not.toEqual(bits(half));
  });
});

describe('states in files', () => {
  const make = (): Sequential =>
    new Sequential([new LSTM(2, { stateful: true, inputShape: [3, 2], name: 'memory' })]);
  const ran = (): Sequential => {
    const model = make();
    model.predict(x);
    return model;
  };
  /** The bytes with other states. */
  const altered = (bytes: Uint8Array, states: Readonly<Record<string, Tensor>>): Uint8Array => {
    const { tensors, metadata } = decodeSafetensors(bytes);
    const kept = [...tensors].filter(([name]) => !name.startsWith('@states/'));
    return encodeSafetensors(
      new Map([...kept, ...Object.entries(states)]),
      Object.fromEntries(metadata),
    );
  };

  test('stand under the names of their layers, and not among weights', () => {
    const model = ran();
    const names = (bytes: Uint8Array): string[] =>
      [...decodeSafetensors(bytes).tensors.keys()].filter((name) => name.startsWith('@'));
    expect(names(model.toBytes())).toEqual(['@states/memory/0', '@states/memory/1']);
    expect(names(model.weightsToBytes())).toEqual([]);
    model.resetStates();
    expect(names(model.toBytes())).toEqual([]);
    expect(model.weights).toHaveLength(3);
  });

  test('are passed over where weights alone are read', () => {
    const [source, model] = [ran(), make()];
    model.loadWeightsFromBytes(source.toBytes());
    expect(bits(model)).toEqual(bits(source));
    source.resetStates();
    expect(model.predict(x).toArray()).toEqual(source.predict(x).toArray());
  });

  test.each<[string, Readonly<Record<string, Tensor>>, string]>([
    [
      'one of two',
      { '@states/memory/0': zeros([6, 2]) },
      'm: the states of a layer do not fit: memory.resetStates: needs states of shapes [6, 2], [6, 2]; got [6, 2].',
    ],
    [
      'another shape',
      { '@states/memory/0': zeros([6, 2]), '@states/memory/1': zeros([5, 2]) },
      'm: the states of a layer do not fit: memory.resetStates: needs states of shapes [6, 2], [6, 2]; got [6, 2], [5, 2].',
    ],
    [
      'another rank',
      { '@states/memory/0': zeros([]), '@states/memory/1': zeros([2]) },
      'm: the states of a layer do not fit: memory.resetStates: needs states of shapes [0, 2], [0, 2]; got [], [2].',
    ],
    [
      'an unknown layer',
      { '@states/other/0': zeros([6, 2]) },
      "m: has '@states/other/0', but the model has no such stateful layer.",
    ],
  ])('that are damaged are an error: %s', (_, states, message) => {
    const bytes = altered(ran().toBytes(), states);
    const read = (): unknown => modelFromBytes(bytes, { name: 'm' });
    expect(read).toThrow(FormatError);
    expect(read).toThrow(message);
  });
});
