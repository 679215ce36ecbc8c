import { inspect } from 'node:util';
import { Activation, Adam, Dense, Dropout, Sequential, type Logs } from '@tapegrad/layers';
import { Generator, ops, recordCalls, setSeed, tensor, zeros, type Tensor } from '@tapegrad/tensor';

/** Two well-separated clouds of points, one-hot targets. */
function clouds(n: number): { x: Tensor; y: Tensor; labels: Tensor } {
  const generator = new Generator('clouds');
  const labels = tensor(Int32Array.from({ length: n }, (_, i) => i % 2));
  const centres = ops.gather(
    [
      [-1, -1],
      [1, 1],
    ],
    labels,
  );
  return {
    x: centres.add(generator.normal([n, 2], { stddev: 0.3 })),
    y: ops.oneHot(labels, 2),
    labels,
  };
}

function classifier(): Sequential {
  const model = new Sequential([
    new Dense(8, { activation: 'relu', inputShape: [2] }),
    new Dense(2),
    new Activation('softmax'),
  ]);
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

const bits = (model: Sequential): number[][] =>
  model.getWeights().map((w) => [...w.toTypedArray()]);

describe('Sequential', () => {
  test('makes its weights when the shape is known: at once, or with the first data', () => {
    const now = new Sequential([new Dense(3, { inputShape: [2] }), new Dense(1)]);
    expect(now.countParams()).toBe(2 * 3 + 3 + 3 + 1);
    const later = new Sequential([new Dense(3), new Dense(1)]);
    expect(later.countParams()).toBe(0);
    later.predict(zeros([1, 2]));
    expect(later.countParams()).toBe(13);
    later.add(new Dense(2));
    expect(later.countParams()).toBe(13 + 4);
  });

  test('rejects what is no layer, and names that are taken', () => {
    const model = new Sequential([new Dense(1, { name: 'a' })], { name: 'm' });
    expect(() => model.add(new Dense(1, { name: 'a' }))).toThrow(
      "m.add: there is a layer 'a' already; names must be unique in a model.",
    );
    const nothing = (): Dense => JSON.parse('{}') as Dense;
    expect(() => model.add(nothing())).toThrow(
      'm.add: needs a layer, such as new Dense(10); got object.',
    );
    expect(() => new Sequential([], { name: 'm' }).predict([[1]])).toThrow(
      'm: the model has no layers; add some first.',
    );
  });

  test('prints a table of its layers', () => {
    const model = new Sequential(
      [
        new Dense(32, { name: 'hidden', inputShape: [784] }),
        new Dropout(0.5, { name: 'drop' }),
        new Dense(10, { name: 'scores', trainable: false }),
      ],
      { name: 'digits' },
    );
    const printed: string[] = [];
    const text = model.summary((line) => printed.push(line));
    expect(printed).toEqual([text]);
    expect(text.split('\n')).toEqual([
      'Model: digits',
      '──────────────────────────────────────────',
      'Layer (type)     Output shape   Parameters',
      '──────────────────────────────────────────',
      'hidden (Dense)   [?, 32]            25,120',
      'drop (Dropout)   [?, 32]                 0',
      'scores (Dense)   [?, 10]               330',
      '──────────────────────────────────────────',
      'Total parameters: 25,450, trainable: 25,120, not trainable: 330',
    ]);
    expect(() => new Sequential([new Dense(1)], { name: 'm' }).summary()).toThrow(
      'm.summary: the weights are not made yet',
    );
  });

  test('says in a line what it is, and its layers what they are', () => {
    const model = new Sequential([new Dense(32, { name: 'hidden' }), new Dropout(0.5)], {
      name: 'digits',
    });
    expect(String(model)).toBe("Sequential 'digits' (2 layers, not built)");
    expect(String(model.layers[0])).toBe("Dense 'hidden' (not built)");
    model.predict(zeros([1, 784]));
    expect(inspect(model)).toBe("Sequential 'digits' (2 layers, 25120 parameters)");
    expect(inspect(model.layers[0])).toBe("Dense 'hidden' (kernel [784, 32], bias [32])");
    expect(inspect(model.layers[1])).toMatch(/^Dropout 'dropout(_\d+)?' \(no weights\)$/);
  });
});

describe('compile', () => {
  test('lists the known names when one is unknown', () => {
    const model = new Sequential([new Dense(1)]);
    const misspelt: string = 'meanSquareError';
    expect(() => model.compile({ loss: misspelt as 'mse' })).toThrow(
      /Unknown loss 'meanSquareError'. Did you mean 'meanSquaredError'\? Known are .*'mse'/,
    );
    expect(() => model.compile({ loss: 'mse', optimizer: misspelt as 'sgd' })).toThrow(
      /Unknown optimizer .*'sgd'/,
    );
    expect(() => model.compile({ loss: 'mse', metrics: [misspelt as 'mse'] })).toThrow(
      /Unknown metric .*'accuracy'/,
    );
  });

  test.each([
    ['fit', (m: Sequential) => m.fit([[1]], [[1]])],
    ['evaluate', (m: Sequential) => m.evaluate([[1]], [[1]])],
    [
      'trainOnBatch',
      async (m: Sequential) => Promise.resolve().then(() => m.trainOnBatch([[1]], [[1]])),
    ],
    [
      'testOnBatch',
      async (m: Sequential) => Promise.resolve().then(() => m.testOnBatch([[1]], [[1]])),
    ],
  ])('comes before %s', async (name, call) => {
    const model = new Sequential([new Dense(1)], { name: 'm' });
    await expect(call(model)).rejects.toThrow(
      `m.${name}: the model is not compiled; call model.compile({ optimizer, loss }) first.`,
    );
  });
});

describe('fit', () => {
  test('learns to tell two clouds apart', async () => {
    setSeed(1);
    const { x, y } = clouds(200);
    const model = classifier();
    model.compile({
      optimizer: new Adam({ learningRate: 0.01 }),
      loss: 'categoricalCrossentropy',
      metrics: ['accuracy'],
    });
    const { history, epoch } = await model.fit(x, y, {
      epochs: 20,
      verbose: 0,
      validationSplit: 0.25,
    });
    expect(epoch).toHaveLength(20);
    expect(history.loss[19]).toBeLessThan(history.loss[0] / 2);
    expect(history.valAccuracy[19]).toBe(1);
    expect((await model.evaluate(x, y, { verbose: 0 })).accuracy).toBeGreaterThan(0.99);
  });

  test('gives the same bits for the same seed, and others for another', async () => {
    const { x, y } = clouds(50);
    const run = async (seed: number): Promise<number[][]> => {
      setSeed(seed);
      const model = classifier();
      await model.fit(x, y, { epochs: 3, verbose: 0 });
      return bits(model);
    };
    expect(await run(7)).toEqual(await run(7));
    expect(await run(8)).not.toEqual(await run(7));
  });

  test('without shuffling is a sequence of trainOnBatch, and its logs are the means over the samples', async () => {
    const { x, y } = clouds(10);
    const [a, b] = [classifier(), classifier()];
    b.setWeights(a.getWeights());
    const { history } = await a.fit(x, y, { batchSize: 4, shuffle: false, verbose: 0 });
    const steps = [
      [0, 4],
      [4, 8],
      [8, 10],
    ].map(([from, to]) => {
      const rows = (t: Tensor): Tensor => t.slice({ begin: [from, 0], size: [to - from, 2] });
      const { loss, accuracy } = b.trainOnBatch(rows(x), rows(y));
      return { n: to - from, loss, accuracy };
    });
    expect(bits(a)).toEqual(bits(b));
    const mean = (of: (step: (typeof steps)[number]) => number): number =>
      steps.reduce((s, step) => s + of(step) * step.n, 0) / 10;
    expect(history.loss[0]).toBeCloseTo(
      mean((s) => s.loss),
      12,
    );
    expect(history.accuracy[0]).toBeCloseTo(
      mean((s) => s.accuracy),
      12,
    );
  });

  test('sees every sample once in an epoch', async () => {
    const x = tensor(
      Float32Array.from({ length: 23 }, (_, i) => i),
      { shape: [23, 1] },
    );
    const seen: number[] = [];
    const model = new Sequential([new Dense(1, { inputShape: [1] })]);
    model.compile({
      loss: (yTrue, yPred) => {
        seen.push(...yTrue.value.toTypedArray());
        return yPred.squaredDifference(yTrue).mean(-1);
      },
      optimizer: 'sgd',
      // The loss looks at values.
      runEagerly: true,
    });
    model.setWeights([[[0]], [0]]);
    await model.fit(x, x, { batchSize: 5, verbose: 0 });
    expect(seen).not.toEqual([...x.toTypedArray()]);
    expect(seen.sort((a, b) => a - b)).toEqual([...x.toTypedArray()]);
  });

  test('weighs samples and classes', async () => {
    const { x, y } = clouds(4);
    // A weight of 0 for class 1 is the same as a weight of 0 for the odd samples.
    const [a, b] = [classifier(), classifier()];
    b.setWeights(a.getWeights());
    await a.fit(x, y, { classWeight: { 0: 2, 1: 0 }, verbose: 0, shuffle: false });
    await b.fit(x, y, { sampleWeight: [2, 0, 2, 0], verbose: 0, shuffle: false });
    expect(bits(a)).toEqual(bits(b));
    await expect(a.fit(x, y, { classWeight: { 0: 2 }, verbose: 0 })).rejects.toThrow(
      /classWeight has no weight for class 1; it has 0\./,
    );
    await expect(a.fit(x, y, { sampleWeight: [1, 2], verbose: 0 })).rejects.toThrow(
      'sampleWeight needs one number for each of the 4 samples; got shape [2].',
    );
  });

  test('goes on counting at initialEpoch', async () => {
    const { x, y } = clouds(4);
    const { epoch } = await classifier().fit(x, y, { epochs: 5, initialEpoch: 3, verbose: 0 });
    expect(epoch).toEqual([3, 4]);
  });

  test('ends when a callback asks for it', async () => {
    const { x, y } = clouds(4);
    const model = classifier();
    const { epoch } = await model.fit(x, y, {
      epochs: 5,
      verbose: 0,
      callbacks: [{ onEpochEnd: (n: number) => void (model.stopTraining = n === 1) }],
    });
    expect(epoch).toEqual([0, 1]);
  });

  test('hands callbacks the means so far, and validation data at the end of the epoch', async () => {
    const { x, y } = clouds(8);
    const batches: number[] = [];
    const ends: Logs[] = [];
    await classifier().fit(x, y, {
      batchSize: 4,
      verbose: 0,
      validationData: [x, y],
      callbacks: [
        {
          onBatchEnd: (batch) => void batches.push(batch),
          onEpochEnd: (_epoch, logs) => void ends.push(logs),
        },
      ],
    });
    expect(batches).toEqual([0, 1]);
    expect(Object.keys(ends[0])).toEqual(['loss', 'accuracy', 'valLoss', 'valAccuracy']);
  });

  test('lets timers run', async () => {
    const { x, y } = clouds(500);
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    await classifier().fit(x, y, { batchSize: 1, epochs: 3, verbose: 0 });
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(0);
  });

  test('rejects data that do not fit, and changes nothing', async () => {
    const model = new Sequential([new Dense(1, { inputShape: [2] })], { name: 'm' });
    model.compile({ loss: 'mse', optimizer: 'sgd' });
    const before = bits(model);
    const fit = async (x: number[][], y: number[][], options = {}): Promise<unknown> =>
      model.fit(x, y, { verbose: 0, ...options });
    await expect(fit([[1, 2]], [[1], [2]])).rejects.toThrow(
      'm.fit: x has 1 samples and y has 2; shapes [1, 2] and [2, 1] must begin with the same size.',
    );
    await expect(fit([], [])).rejects.toThrow('m.fit: there are no samples; got x of shape [0].');
    await expect(
      fit(
        [
          [1, 2],
          [3, 4],
        ],
        [[1], [NaN]],
      ),
    ).rejects.toThrow('m.fit: y is NaN at sample 1; remove or replace missing targets.');
    await expect(fit([[1, 2, 3]], [[1]])).rejects.toThrow(
      'was built for inputs [batch, …, 2]; got [1, 3].',
    );
    await expect(fit([[1, 2]], [[1, 2]])).rejects.toThrow(/meanSquaredError.*\[1, 2\].*\[1, 1\]/);
    await expect(fit([[1, 2]], [[1]], { batchSize: 0 })).rejects.toThrow(
      'm.fit: batchSize must be a whole number of 1 or more; got 0.',
    );
    await expect(fit([[1, 2]], [[1]], { epochs: -1 })).rejects.toThrow(
      'm.fit: epochs must be a whole number of 0 or more; got -1.',
    );
    await expect(fit([[1, 2]], [[1]], { validationSplit: 0.5 })).rejects.toThrow(
      'm.fit: validationSplit must leave samples on both sides of 1; got 0.5.',
    );
    await expect(
      fit([[1, 2]], [[1]], { validationSplit: 0.5, validationData: [[[1, 2]], [[1]]] }),
    ).rejects.toThrow('m.fit: give either validationSplit or validationData, not both.');
    expect(bits(model)).toEqual(before);
  });

  test('rejects labels out of range, naming the label', async () => {
    const model = new Sequential([new Dense(3, { activation: 'softmax', inputShape: [2] })]);
    model.compile({ loss: 'sparseCategoricalCrossentropy', optimizer: 'sgd' });
    const labels = tensor([3], 'int32');
    await expect(model.fit([[1, 2]], labels, { verbose: 0 })).rejects.toThrow(
      /label.*3.*3 classes/,
    );
  });
});

describe('training', () => {
  test('freezes what is not trainable', () => {
    const frozen = new Dense(2, { inputShape: [2], trainable: false });
    const model = new Sequential([frozen, new Dense(1)]);
    model.compile({ loss: 'mse', optimizer: 'sgd' });
    const before = frozen.getWeights().map((w) => w.toArray());
    model.trainOnBatch([[1, 2]], [[5]]);
    expect(frozen.getWeights().map((w) => w.toArray())).toEqual(before);
    frozen.trainable = true;
    model.trainOnBatch([[1, 2]], [[5]]);
    expect(frozen.getWeights().map((w) => w.toArray())).not.toEqual(before);
    model.trainable = false;
    const all = bits(model);
    expect(model.trainableWeights).toEqual([]);
    model.trainOnBatch([[1, 2]], [[5]]);
    expect(bits(model)).toEqual(all);
  });

  test('adds the regularizers to the loss', () => {
    const model = new Sequential([
      new Dense(1, { inputShape: [1], kernelInitializer: 'ones', kernelRegularizer: 'l2' }),
    ]);
    model.compile({ loss: 'mse', optimizer: 'sgd' });
    // (1 − 3)² + 0.01·1²
    expect(model.testOnBatch([[1]], [[3]]).loss).toBeCloseTo(4.01, 6);
  });

  test('testOnBatch and evaluate change nothing; evaluate agrees with one batch of all', async () => {
    const { x, y } = clouds(10);
    const model = classifier();
    const before = bits(model);
    const whole = model.testOnBatch(x, y);
    const parts = await model.evaluate(x, y, { batchSize: 3, verbose: 0 });
    expect(parts.loss).toBeCloseTo(whole.loss, 6);
    expect(parts.accuracy).toBeCloseTo(whole.accuracy, 12);
    expect(bits(model)).toEqual(before);
  });

  test('predicts in batches what it predicts at once', () => {
    const { x } = clouds(10);
    const model = classifier();
    expect(model.predict(x, { batchSize: 3 }).toArray()).toEqual(
      model.predict(x, { batchSize: 100 }).toArray(),
    );
    expect(model.predict(zeros([0, 2])).shape).toEqual([0, 2]);
    expect(() => model.predict(1)).toThrow('x must be a batch of samples; got a scalar.');
  });

  test.each([
    ['as an Activation layer', [new Dense(3, { inputShape: [2] }), new Activation('softmax')]],
    [
      'as the activation of the last layer',
      [new Dense(3, { inputShape: [2], activation: 'softmax' })],
    ],
  ])('computes softmax and cross-entropy as one stable op, written %s', (_how, layers) => {
    const model = new Sequential(layers);
    model.compile({ loss: 'categoricalCrossentropy', optimizer: 'sgd' });
    const calls = recordCalls(() => model.trainOnBatch([[1, 2]], [[0, 1, 0]])).map(
      (call) => call.spec.name,
    );
    expect(calls).toContain('softmaxCrossEntropy');
    expect(calls).not.toContain('log');
    // Probabilities of 1e-174 round to 0 in float32: the loss of the logits is 400 all the same.
    model.setWeights([
      [
        [0, 400, 0],
        [0, 0, 0],
      ],
      [0, 0, 0],
    ]);
    expect(model.testOnBatch([[1, 0]], [[1, 0, 0]]).loss).toBeCloseTo(400, 3);
  });

  test('takes float64 models and data', () => {
    const model = new Sequential([new Dense(1, { inputShape: [1], dtype: 'float64' })]);
    model.compile({ loss: 'mse', optimizer: 'adam' });
    model.trainOnBatch(tensor([[0.5]], 'float64'), tensor([[1]], 'float64'));
    expect(model.predict(tensor([[0.5]], 'float64')).dtype).toBe('float64');
  });
});
