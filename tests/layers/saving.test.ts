/** Models as bytes and back: descriptions, weights, and trainings that go on. */
import {
  Adam,
  Dense,
  Dropout,
  Flatten,
  Input,
  Layer,
  Model,
  NotCompiledError,
  Reshape,
  Activation,
  BatchNormalization,
  SGD,
  Sequential,
  constraints,
  initializers,
  losses,
  metrics,
  modelFromBytes,
  registerFunction,
  registerLayer,
  regularizers,
  schedules,
  type BaseModel,
  type LossId,
  type MetricId,
  type OptimizerId,
} from '@tapegrad/layers';
import {
  FormatError,
  Generator,
  ShapeError,
  ValueError,
  decodeSafetensors,
  defaultGenerator,
  encodeSafetensors,
  setSeed,
  tensor,
  zeros,
} from '@tapegrad/tensor';
import type { Variable } from '@tapegrad/autograd';

const generator = new Generator('data');
const x = generator.normal([20, 4]);
const y = generator.uniform([20, 2]);

function bits(model: BaseModel): number[][] {
  return model.getWeights().map((w) => Array.from(new Uint8Array(w.toTypedArray().slice().buffer)));
}

function expectSame(a: BaseModel, b: BaseModel): void {
  expect(bits(b)).toEqual(bits(a));
  expect(b.layers.map((l) => [l.name, l.constructor, l.trainable])).toEqual(
    a.layers.map((l) => [l.name, l.constructor, l.trainable]),
  );
}

beforeEach(() => setSeed(1));

describe('whole models', () => {
  test('a Sequential comes back with its layers, settings and weights', () => {
    const model = new Sequential(
      [
        new Reshape([2, -1], { inputShape: [4] }),
        new Flatten({ dataFormat: 'channelsFirst' }),
        new Dense(6, {
          activation: 'softmax',
          kernelInitializer: initializers.constant(0.25),
          biasInitializer: initializers.randomNormal({ stddev: 3 }),
          kernelRegularizer: regularizers.l1l2({ l1: 0.5 }),
          kernelConstraint: constraints.maxNorm({ maxValue: 1 }),
          useBias: true,
          name: 'first',
        }),
        new Dropout(0.25),
        new Activation('relu'),
        new BatchNormalization({ momentum: 0.5 }),
        new Dense(2, { trainable: false }),
      ],
      { name: 'net' },
    );
    const copy = modelFromBytes(model.toBytes());
    expect(copy).toBeInstanceOf(Sequential);
    expect(copy.name).toBe('net');
    expectSame(model, copy);
    expect(copy.predict(x).equal(model.predict(x)).all().item()).toBe(1);
    expect(copy.toBytes()).toEqual(model.toBytes());
    const { kernelRegularizer, kernelConstraint, activation } = copy.layers[2].getConfig();
    expect(activation).toBe('softmax');
    expect(kernelRegularizer).toEqual({ $: 'made', by: 'regularizers.l1l2', args: [{ l1: 0.5 }] });
    expect(kernelConstraint).toEqual({
      $: 'made',
      by: 'constraints.maxNorm',
      args: [{ maxValue: 1 }],
    });
    expect(copy.weights[0].regularizer?.(copy.weights[0]).item()).toBeGreaterThan(0);
  });

  test('double precision stays', () => {
    const model = new Sequential([new Dense(3, { inputShape: [4], dtype: 'float64' })]);
    const copy = modelFromBytes(model.toBytes());
    expect(copy.weights[0].dtype).toBe('float64');
    expectSame(model, copy);
  });

  test('a model takes no random numbers to load, and no names either', () => {
    const bytes = new Sequential([new Dense(3, { inputShape: [4] })]).toBytes();
    const before = JSON.stringify(defaultGenerator().getState());
    modelFromBytes(bytes);
    expect(JSON.stringify(defaultGenerator().getState())).toBe(before);
  });

  test('a graph with several inputs and outputs and a shared layer comes back', () => {
    const [a, b] = [Input({ shape: [4], name: 'a' }), Input({ shape: [4], name: 'b' })];
    const shared = new Dense(5, { activation: 'tanh', name: 'shared' });
    const left = shared.apply(a);
    const right = shared.apply(b);
    const one = new Dense(2, { name: 'one' }).apply(left);
    const two = new Dense(3, { name: 'two' }).apply(right);
    const model = new Model({ inputs: [a, b], outputs: [one, two, left], name: 'graph' });
    const copy = modelFromBytes(model.toBytes());
    expect(copy).toBeInstanceOf(Model);
    expectSame(model, copy);
    expect(copy.weights).toHaveLength(6);
    expect([copy.inputNames, copy.outputNames]).toEqual([model.inputNames, model.outputNames]);
    const results = copy.predictAll([x, x.mul(2)]);
    model.predictAll([x, x.mul(2)]).forEach((expected, i) => {
      expect(results[i].equal(expected).all().item()).toBe(1);
    });
  });

  test('models within models come back, and share what they shared', () => {
    const image = Input({ shape: [4] });
    const code = new Dense(2, { name: 'code' }).apply(image);
    const encoder = new Model({ inputs: image, outputs: code, name: 'encoder' });
    const decoder = new Sequential([new Dense(4, { inputShape: [2], name: 'out' })], {
      name: 'decoder',
    });
    const start = Input({ shape: [4] });
    const again = encoder.apply(decoder.apply(encoder.apply(start)));
    const model = new Model({ inputs: start, outputs: again });
    const bytes = model.toBytes();
    expect([...decodeSafetensors(bytes).tensors.keys()].sort()).toEqual([
      'decoder/out/bias',
      'decoder/out/kernel',
      'encoder/code/bias',
      'encoder/code/kernel',
    ]);
    const copy = modelFromBytes(bytes);
    expect(copy.predict(x).equal(model.predict(x)).all().item()).toBe(1);
    expect(copy.layers.map(({ name }) => name)).toEqual(['encoder', 'decoder']);
  });

  test('a frozen model comes back frozen, but for the layers that were not', () => {
    const model = new Sequential([new Dense(3, { inputShape: [4] }), new Dense(2)]);
    model.trainable = false;
    model.layers[1].trainable = true;
    const copy = modelFromBytes(model.toBytes());
    expect(copy.trainable).toBe(false);
    expect(copy.layers.map((l) => l.trainable)).toEqual([false, true]);
    expect(copy.trainableWeights).toHaveLength(2);
  });

  test('a layer that is frozen in a model within a frozen model comes back frozen', () => {
    const inner = new Sequential([new Dense(2, { inputShape: [2] }), new Dense(2)]);
    const outer = new Sequential([inner, new Dense(1)]);
    outer.predict([[1, 2]]);
    outer.trainable = false;
    inner.trainable = true;
    inner.layers[0].trainable = false;
    const [copy, head] = modelFromBytes(outer.toBytes()).layers;
    expect(copy.trainable).toBe(true);
    expect(copy.trainableWeights).toHaveLength(2);
    expect(head.trainable).toBe(false);
  });

  test.each(['@optimizer', '@states', '@states/x'])('a layer may have the name %s', (name) => {
    const model = new Sequential([new Dense(1, { inputShape: [2], name }), new Dense(1)]);
    model.compile({ optimizer: 'adam', loss: 'mse' });
    model.trainOnBatch([[1, 2]], [[1]]);
    const copy = modelFromBytes(model.toBytes());
    for (const m of [model, copy]) m.trainOnBatch([[2, 1]], [[3]]);
    expect(copy.getWeights().map((w) => w.toArray())).toEqual(
      model.getWeights().map((w) => w.toArray()),
    );
  });

  test('before there are weights there is nothing to save', () => {
    const model = new Sequential([new Dense(3)]);
    expect(() => model.toBytes()).toThrow(ValueError);
    expect(() => model.weightsToBytes()).toThrow(/saveWeights: the model has no weights yet; give/);
  });
});

class Gate extends Layer {
  constructor(
    readonly units: number,
    options: { name?: string; slope?: number } = {},
  ) {
    super(options);
  }
  override call(v: Variable): Variable {
    return v.mul(this.units);
  }
}

describe("users' own classes and functions", () => {
  test('are saved once they are registered, and else a clear error', () => {
    const model = new Sequential([new Dense(2, { inputShape: [4] }), new Gate(3, { slope: -0 })]);
    expect(() => model.toBytes()).toThrow(ValueError);
    expect(() => model.toBytes()).toThrow(/^gate\w*: cannot be saved.*registerLayer\(Gate\)/);
    expect(model.weightsToBytes().length).toBeGreaterThan(0);
    registerLayer(Gate, { arguments: ['units'] });
    registerLayer(Gate, { arguments: ['units'] });
    const copy = modelFromBytes(model.toBytes());
    expect(copy.layers[1]).toBeInstanceOf(Gate);
    expect(copy.predict(x).equal(model.predict(x)).all().item()).toBe(1);
  });

  test('an argument that is not kept in a field is found when saving', () => {
    class Lost extends Layer {}
    registerLayer(Lost, { arguments: ['rate'] });
    const lost = new Lost({ name: 'lost' });
    expect(() => lost.getConfig()).toThrow(/^lost: .*argument 'rate', but the layer has no field/);
  });

  test('two classes cannot have one name', () => {
    class Other extends Layer {}
    expect(() => registerLayer(Other, { name: 'Dense' })).toThrow(/another class 'Dense'/);
    expect(() => registerLayer(class extends Layer {})).toThrow(/the class has no name/);
  });

  test('a function needs a name', () => {
    const cube = (v: Variable): Variable => v.mul(v).mul(v);
    const model = new Sequential([new Dense(2, { inputShape: [4], activation: cube, name: 'd' })]);
    expect(() => model.toBytes()).toThrow(
      /^d: option 'activation': is a function that.*registerFunct/,
    );
    registerFunction('cube', cube);
    expect(() => registerFunction('cube', () => 0)).toThrow(/another function 'cube'/);
    const copy = modelFromBytes(model.toBytes());
    expect(copy.predict(x).equal(model.predict(x)).all().item()).toBe(1);
  });

  test("an optimizer's or a loss's too, or the training is left out", () => {
    const model = new Sequential([new Dense(2, { inputShape: [4], name: 'd' })]);
    const own = (t: Variable, p: Variable): Variable => t.sub(p).square().mean(-1);
    model.compile({ optimizer: 'sgd', loss: own });
    expect(() => model.toBytes()).toThrow(/training: false.*loss: is a function.*registerFunction/);
    expect(() => model.checkSavable()).toThrow(ValueError);
    const bare = modelFromBytes(model.toBytes({ training: false }));
    expect(() => bare.optimizer).toThrow(NotCompiledError);
    registerFunction('own', own);
    expect(modelFromBytes(model.toBytes()).testOnBatch(x, y)).toEqual(model.testOnBatch(x, y));
  });
});

test.each<[string, OptimizerId, LossId, readonly MetricId[]]>([
  ['names', 'adam', 'mse', ['mae', 'accuracy']],
  [
    'objects with options',
    new SGD({ momentum: 0.9, nesterov: true, clipnorm: 1, weightDecay: 0.1 }),
    losses.huber({ delta: 0.3 }),
    [
      metrics.binaryAccuracy({ threshold: 0.4, name: 'acc4' }),
      metrics.precision({ thresholds: [0.1, 0.7] }),
    ],
  ],
  [
    'schedules and losses as metrics',
    new Adam({
      amsgrad: true,
      learningRate: schedules.piecewiseConstantDecay({ boundaries: [1], values: [0.1, 0.5] }),
    }),
    losses.categoricalCrossentropy({ fromLogits: true, labelSmoothing: 0.1 }),
    [losses.cosineSimilarity({ axis: 1 }), metrics.lossMetric(losses.logCosh(), { name: 'lc' })],
  ],
])('compile settings come back: %s', (_, optimizer, loss, list) => {
  const model = new Sequential([new Dense(2, { inputShape: [4] })]);
  model.compile({ optimizer, loss, metrics: list });
  const copy = modelFromBytes(model.toBytes());
  for (let step = 0; step < 3; step++) {
    expect(copy.trainOnBatch(x, y)).toEqual(model.trainOnBatch(x, y));
    expect(copy.optimizer.learningRate).toBe(model.optimizer.learningRate);
  }
  expectSame(model, copy);
  const later = modelFromBytes(copy.toBytes());
  expect(later.optimizer.iterations).toBe(3);
  // A metric object goes on from batch to batch, the one of the loaded model begins anew: the losses are compared.
  expect(later.trainOnBatch(x, y).loss).toBe(model.trainOnBatch(x, y).loss);
  expectSame(model, later);
});

test('losses, weights and metrics of several outputs come back', () => {
  const a = Input({ shape: [4] });
  const [one, two] = ['one', 'two'].map((name) => new Dense(2, { name }).apply(a));
  const model = new Model({ inputs: a, outputs: [one, two] });
  model.compile({
    optimizer: 'adam',
    loss: { one: 'mse', two: 'mae' },
    lossWeights: { one: 0.25, two: 3 },
    metrics: { two: ['mse'] },
  });
  const copy = modelFromBytes(model.toBytes());
  expect(copy.trainOnBatch(x, [y, y])).toEqual(model.trainOnBatch(x, [y, y]));
  expectSame(model, copy);
});

describe('a training that goes on', () => {
  const build = (own?: Generator): Sequential => {
    const model = new Sequential([
      new Dense(8, { inputShape: [4], activation: 'relu', name: 'in' }),
      new Dropout(0.5, { name: 'drop', generator: own }),
      new BatchNormalization({ name: 'norm' }),
      new Dense(2, { name: 'out' }),
    ]);
    model.compile({ optimizer: new Adam({ learningRate: 0.01 }), loss: 'mse' });
    return model;
  };
  const options = { batchSize: 8, verbose: 0 } as const;

  test.each([
    ['the default random numbers', undefined],
    ["a layer's own generator", 7],
  ])('has the bits of one that never stopped, with %s', async (_, seed) => {
    const own = (): Generator | undefined => (seed === undefined ? undefined : new Generator(seed));
    setSeed(3);
    const whole = build(own());
    const all = await whole.fit(x, y, { ...options, epochs: 4 });

    setSeed(3);
    const half = build(own());
    await half.fit(x, y, { ...options, epochs: 2 });
    half.optimizer.learningRate = 0.01;
    const bytes = half.toBytes();
    setSeed(99);
    const rest = modelFromBytes(bytes);
    const second = await rest.fit(x, y, { ...options, initialEpoch: 2, epochs: 4 });
    expect(second.history.loss).toEqual(all.history.loss.slice(2));
    expectSame(whole, rest);
    expect(rest.optimizer.iterations).toBe(whole.optimizer.iterations);
  });

  test('keeps a learning rate that was set by hand', async () => {
    const model = build();
    await model.fit(x, y, options);
    model.optimizer.learningRate = 0.125;
    expect(modelFromBytes(model.toBytes()).optimizer.learningRate).toBe(0.125);
  });

  test('leaves the random numbers alone when asked to', async () => {
    const model = build();
    await model.fit(x, y, options);
    const bytes = model.toBytes();
    setSeed(5);
    const before = JSON.stringify(defaultGenerator().getState());
    modelFromBytes(bytes, { random: false });
    expect(JSON.stringify(defaultGenerator().getState())).toBe(before);
    modelFromBytes(bytes);
    expect(JSON.stringify(defaultGenerator().getState())).not.toBe(before);
  });
});

describe('weights alone', () => {
  const build = (units = 3, name?: string): Sequential =>
    new Sequential([
      new Dense(units, { inputShape: [4], name }),
      new Dense(2, { name: name === undefined ? undefined : `${name}2` }),
    ]);

  test('go from model to model, of one name or by their order', () => {
    const [a, b, c] = [build(3, 'd'), build(3, 'd'), build()];
    for (const target of [b, c]) {
      target.loadWeightsFromBytes(a.weightsToBytes());
      expect(bits(target)).toEqual(bits(a));
    }
    c.loadWeightsFromBytes(build().toBytes());
    expect(bits(c)).not.toEqual(bits(a));
  });

  test('can come from any safetensors file with the names', () => {
    const model = build(3, 'd');
    const tensors = {
      'd2/bias': tensor([1, 2], 'float64'),
      'd2/kernel': zeros([3, 2]),
      'd/kernel': zeros([4, 3]),
      'd/bias': zeros([3]),
    };
    model.loadWeightsFromBytes(encodeSafetensors(tensors));
    expect(model.predict(zeros([1, 4])).toArray()).toEqual([[1, 2]]);
    expect(() => build().loadWeightsFromBytes(encodeSafetensors(tensors))).toThrow(/is missing/);
  });

  test.each<[string, Readonly<Record<string, readonly number[]>>, RegExp]>([
    [
      'another shape',
      { 'd2/kernel': [5, 2] },
      /'kernel' of layer 'd2' has shape \[3, 2\].*\[5, 2\]/,
    ],
    ['another rank', { 'd/bias': [3, 1] }, /'bias' of layer 'd' has shape \[3\]/],
    ['one too many', { 'd3/kernel': [1] }, /weights that the model lacks: 'd3\/kernel'/],
  ])('%s is an error that changes nothing', (_, changes, message) => {
    const model = build(3, 'd');
    const shapes = {
      'd/kernel': [4, 3],
      'd/bias': [3],
      'd2/kernel': [3, 2],
      'd2/bias': [2],
      ...changes,
    };
    const tensors = Object.fromEntries(Object.entries(shapes).map(([n, s]) => [n, zeros(s)]));
    const before = bits(model);
    const load = (): void =>
      model.loadWeightsFromBytes(encodeSafetensors(tensors), { name: 'w.st' });
    expect(load).toThrow(message);
    expect(load).toThrow(/^w\.st: .*/);
    expect(bits(model)).toEqual(before);
  });

  test('another shape is a ShapeError, a missing weight and another dtype are FormatErrors', () => {
    const model = build(3, 'd');
    expect(() => model.loadWeightsFromBytes(build(5, 'd').weightsToBytes())).toThrow(ShapeError);
    const missing = encodeSafetensors({ 'd/kernel': zeros([4, 3]) });
    expect(() => model.loadWeightsFromBytes(missing)).toThrow(FormatError);
    expect(() => model.loadWeightsFromBytes(missing)).toThrow(
      /weight 'bias' of layer 'd' is missing/,
    );
    const whole = encodeSafetensors({
      'd/kernel': zeros([4, 3], 'int32'),
      'd/bias': zeros([3]),
      'd2/kernel': zeros([3, 2]),
      'd2/bias': zeros([2]),
    });
    expect(() => model.loadWeightsFromBytes(whole)).toThrow(/is float32 in the model and int32/);
  });

  test('need a model that has weights', () => {
    const bytes = build(3, 'd').weightsToBytes();
    expect(() => new Sequential([new Dense(3)]).loadWeightsFromBytes(bytes)).toThrow(
      /no weights yet/,
    );
  });
});
