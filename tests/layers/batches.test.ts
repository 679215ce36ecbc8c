/** What fit, evaluate and the methods for one batch make of samples and metrics. */
import { Dense, SGD, Sequential, metrics } from '@tapegrad/layers';
import { Generator, defaultGenerator, ops, setSeed, tensor, type Tensor } from '@tapegrad/tensor';

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
