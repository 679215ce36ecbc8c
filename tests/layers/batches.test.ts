/** What fit, evaluate and the methods for one batch make of samples and metrics. */
import { Dense, Input, Masking, Model, SGD, Sequential, metrics } from '@tapegrad/layers';
import {
  Generator,
  defaultGenerator,
  ops,
  setBackend,
  setSeed,
  tensor,
  type Tensor,
} from '@tapegrad/tensor';

function samples(n: number): { x: Tensor; y: Tensor } {
  const generator = new Generator('samples');
  return { x: generator.normal([n, 2]), y: generator.uniform([n, 2]) };
}

function classifier(): Sequential {
  const model = new Sequential([
    new Dense(8, { activation: 'relu', inputShape: [2] }),
    new Dense(2, { activation: 'softmax' }),
  ]);
  model.compile({ optimizer: 'adam', loss: 'categoricalCrossentropy', metrics: ['accuracy'] });
  return model;
}

const bits = (model: Sequential): number[][] =>
  model.getWeights().map((w) => [...w.toTypedArray()]);

test('fit takes the rows in the order that the seed gives, also of a view', async () => {
  const { x, y } = samples(10);
  // Columns of a matrix with more of them: neither contiguous nor at the beginning.
  const wide = ops.concat([y, x], 1).transpose().add(0).transpose();
  const columns = wide.slice({ begin: [0, 2], size: [10, 2] });
  const [a, b] = [classifier(), classifier()];
  b.setWeights(a.getWeights());
  setSeed(5);
  const shuffles = defaultGenerator().stream('shuffle');
  const orders = [shuffles.permutation(10), shuffles.permutation(10)];
  setSeed(5);
  await a.fit(columns, y, { batchSize: 4, epochs: 2, verbose: 0 });
  for (const order of orders) {
    for (const [begin, size] of [
      [0, 4],
      [4, 4],
      [8, 2],
    ]) {
      const some = order.slice({ begin: [begin], size: [size] });
      b.trainOnBatch(ops.gather(x, some), ops.gather(y, some));
    }
  }
  expect(bits(a)).toEqual(bits(b));
});

test('counts a metric object afresh: each batch of trainOnBatch, each epoch, validation and evaluation', async () => {
  const model = new Sequential([new Dense(1, { useBias: false, inputShape: [1] })]);
  model.setWeights([[[1]]]);
  const rate = metrics.binaryAccuracy({ name: 'rate' });
  model.compile({ optimizer: new SGD({ learningRate: 0 }), loss: 'mse', metrics: [rate] });
  const x = tensor([[1], [1], [0], [0]]);
  const [right, half] = [x, tensor([[1], [0], [1], [0]])];
  expect(model.trainOnBatch(x, right)).toEqual({ loss: 0, rate: 1 });
  expect(model.trainOnBatch(x, half)).toEqual({ loss: 0.5, rate: 0.5 });
  expect(model.testOnBatch(x, right).rate).toBe(1);
  const { history } = await model.fit(x, half, {
    epochs: 2,
    verbose: 0,
    validationData: [x, right],
  });
  expect(history).toMatchObject({ rate: [0.5, 0.5], valRate: [1, 1] });
  expect(await model.evaluate(x, right, { verbose: 0 })).toEqual({ loss: 0, rate: 1 });
});

test('class weights are for training alone', async () => {
  // As Model.fit of Keras 3: "used for weighting the loss function (during training only)".
  const model = new Sequential([new Dense(1, { useBias: false, inputShape: [1] })]);
  model.setWeights([[[0]]]);
  model.compile({ optimizer: new SGD({ learningRate: 0 }), loss: 'mse' });
  const x = tensor([[1], [1], [1], [1]]);
  const y = tensor([[0], [1], [1], [1]]);
  const options = { classWeight: { 0: 1, 1: 3 }, shuffle: false, verbose: 0 } as const;
  const { history } = await model.fit(x, y, { ...options, validationSplit: 0.5 });
  // Errors 0 and 1 with weights 1 and 3; then 1 and 1 without.
  expect(history).toEqual({ loss: [1.5], valLoss: [1] });
  const weighted = { ...options, sampleWeight: [1, 2, 3, 5], validationSplit: 0.5 };
  expect((await model.fit(x, y, weighted)).history).toEqual({ loss: [3], valLoss: [4] });
  const given = { ...options, validationData: [x, y] as const };
  expect((await model.fit(x, y, given)).history).toEqual({ loss: [2.25], valLoss: [0.75] });
});

describe('steps that the mask of a prediction leaves out', () => {
  const dtype = 'float64';
  // Sequences of three, two and one steps; a step of zeros is none.
  const x = [[[1], [2], [-1]], [[3], [1], [0]], [[2], [0], [0]]]; // prettier-ignore
  const y = [[[1], [0], [1]], [[0], [1], [9]], [[1], [9], [9]]]; // prettier-ignore
  const steps = x.flatMap((rows, i) => rows.map(([a], t) => ({ x: a, y: y[i][t][0] })));
  const there = steps.filter((step) => step.x !== 0);
  const w = 0.5;
  const error = (step: { x: number; y: number }): number => w * step.x - step.y;
  const mean = (values: readonly number[]): number =>
    values.reduce((a, b) => a + b, 0) / values.length;
  const expected = {
    loss: mean(there.map((step) => error(step) ** 2)),
    mae: mean(there.map((step) => Math.abs(error(step)))),
    binaryAccuracy: mean(there.map((step) => +(+(w * step.x > 0.5) === step.y))),
  };
  const slope = mean(there.map((step) => 2 * error(step) * step.x));

  afterEach(() => setBackend('auto'));

  // The formulas are those of keras.losses.Loss (apply_mask) and MeanMetricWrapper in Keras 3.15.
  test.each([
    ['auto', false],
    ['auto', true],
    ['js', false],
  ] as const)(
    'count for nothing in loss, metrics and gradients (%s, eager %s)',
    async (backend, runEagerly) => {
      setBackend(backend);
      const model = new Sequential([
        new Masking({ inputShape: [3, 1], dtype }),
        new Dense(1, { useBias: false, dtype }),
      ]);
      model.setWeights([[[w]]]);
      const learningRate = 0.25;
      const metrics = ['mae', 'binaryAccuracy'] as const;
      model.compile({ optimizer: new SGD({ learningRate }), loss: 'mse', metrics, runEagerly });
      const judged = await model.evaluate(tensor(x, dtype), tensor(y, dtype), { verbose: 0 });
      const logs = model.trainOnBatch(tensor(x, dtype), tensor(y, dtype));
      for (const [name, value] of Object.entries(expected)) {
        expect(judged[name]).toBeCloseTo(value, 12);
        expect(logs[name]).toBeCloseTo(value, 12);
      }
      expect(model.getWeights()[0].item()).toBeCloseTo(w - learningRate * slope, 12);
    },
  );

  test('are those of this output alone, and weights of samples multiply the others', () => {
    const masked = Input({ shape: [3, 1], dtype });
    const open = Input({ shape: [3, 1], dtype });
    const first = new Dense(1, { useBias: false, dtype, name: 'first' });
    const second = new Dense(1, { useBias: false, dtype, name: 'second' });
    const outputs = [first.apply(new Masking({ dtype }).apply(masked)), second.apply(open)];
    const model = new Model({ inputs: [masked, open], outputs });
    model.setWeights([[[w]], [[w]]]);
    model.compile({ optimizer: 'sgd', loss: 'mse', metrics: ['mae'] });
    const data = tensor(x, dtype);
    const targets = tensor(y, dtype);
    const sampleWeight = [1, 2, 4];
    const logs = model.testOnBatch([data, data], [targets, targets], { sampleWeight });
    const squares = steps.map((step, i) => sampleWeight[Math.floor(i / 3)] * error(step) ** 2);
    const kept = squares.filter((_, i) => steps[i].x !== 0);
    expect(logs.firstLoss).toBeCloseTo(mean(kept), 12);
    expect(logs.secondLoss).toBeCloseTo(mean(squares), 12);
    expect(logs.firstMae).toBeCloseTo(expected.mae, 12);
    expect(logs.secondMae).toBeCloseTo(mean(steps.map((step) => Math.abs(error(step)))), 12);
  });
});
