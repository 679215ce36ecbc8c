import {
  BatchNormalization,
  Dense,
  LayerNormalization,
  Masking,
  SGD,
  Sequential,
} from '@tapegrad/layers';
import { variable } from '@tapegrad/autograd';
import { Generator, ops, zeros } from '@tapegrad/tensor';
import { assertClose } from '../support/close.js';
import { layerSuite } from '../support/layer-suite.js';

const tolerance = { relative: 1e-12, absolute: 1e-12 };

layerSuite({
  'BatchNormalization in training': {
    make: () => new BatchNormalization({ dtype: 'float64' }),
    input: [5, 3],
    output: [5, 3],
    weights: 4 * 3,
    training: true,
  },
  'BatchNormalization of pictures, channels first, in training': {
    make: () => new BatchNormalization({ axis: 1, scale: false, dtype: 'float64' }),
    input: [2, 2, 3, 2],
    output: [2, 2, 3, 2],
    weights: 3 * 2,
    training: true,
  },
  'BatchNormalization otherwise': {
    make: () => new BatchNormalization({ dtype: 'float64' }),
    input: [2, 4, 3],
    output: [2, 4, 3],
    weights: 4 * 3,
  },
  LayerNormalization: {
    make: () => new LayerNormalization({ dtype: 'float64' }),
    input: [3, 5],
    output: [3, 5],
    weights: 2 * 5,
  },
  'LayerNormalization along two axes, the batch not among them': {
    make: () => new LayerNormalization({ axis: [1, 3], center: false, dtype: 'float64' }),
    input: [2, 3, 2, 4],
    output: [2, 3, 2, 4],
    weights: 3 * 4,
  },
});

describe('BatchNormalization', () => {
  // Features with means 2 and 30 and variances (divided by N) 1 and 100.
  const batch = [
    [1, 20],
    [3, 40],
  ];

  test('keeps moving averages while training, and uses them otherwise', () => {
    const layer = new BatchNormalization({ momentum: 0.75, epsilon: 0, dtype: 'float64' });
    const trained = layer.apply(variable(batch, 'float64'), { training: true });
    expect(trained.toArray()).toEqual([
      [-1, -1],
      [1, 1],
    ]);
    const [, , mean, variance] = layer.getWeights();
    expect(mean.toArray()).toEqual([0.25 * 2, 0.25 * 30]);
    expect(variance.toArray()).toEqual([0.75 + 0.25 * 1, 0.75 + 0.25 * 100]);
    const used = layer.apply(variable(batch, 'float64')).value;
    const expected = [0.5, 12.5 / Math.sqrt(25.75), 2.5, 32.5 / Math.sqrt(25.75)];
    assertClose('inference', used, { shape: [2, 2], data: expected }, tolerance);
    expect(layer.getWeights()[2].toArray()).toEqual(mean.toArray());
  });

  test('scales by gamma and shifts by beta', () => {
    const layer = new BatchNormalization({
      epsilon: 0,
      gammaInitializer: (shape, { dtype }) => zeros(shape, dtype).add(3),
      betaInitializer: (shape, { dtype }) => zeros(shape, dtype).add(-1),
    });
    const y = layer.apply(variable(batch), { training: true });
    expect(y.toArray()).toEqual([
      [-4, -4],
      [2, 2],
    ]);
  });

  test('does not train its averages, and when frozen does not move them', () => {
    const layer = new BatchNormalization({ inputShape: [2], epsilon: 0 });
    const model = new Sequential([layer, new Dense(1)]);
    expect(layer.trainableWeights.map(({ name }) => name)).toEqual(['gamma', 'beta']);
    layer.trainable = false;
    expect(layer.trainableWeights).toEqual([]);
    model.compile({ optimizer: new SGD({ learningRate: 0.1 }), loss: 'meanSquaredError' });
    model.trainOnBatch(batch, [[1], [2]]);
    expect(layer.getWeights().map((w) => w.toArray())).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
      [1, 1],
    ]);
    const y = layer.apply(variable(batch), { training: true });
    expect(y.toArray()).toEqual(batch);
  });

  test('the averages of many batches come near to the mean and variance of the data', () => {
    const layer = new BatchNormalization({ momentum: 0.95, dtype: 'float64' });
    const generator = new Generator(1);
    for (let i = 0; i < 200; i++) {
      const x = generator.normal([64, 2], { mean: 5, stddev: 2, dtype: 'float64' });
      layer.apply(x, { training: true });
    }
    const [, , mean, variance] = layer.getWeights();
    // About 20 batches of 64 count: standard errors 0.04 of the mean, 0.11 of the variance (63/64 of 4).
    for (const m of mean.toTypedArray()) expect(Math.abs(m - 5)).toBeLessThan(0.2);
    for (const v of variance.toTypedArray()) expect(Math.abs(v - 3.94)).toBeLessThan(0.5);
  });

  test('masked time steps do not count', () => {
    const layer = new BatchNormalization({ momentum: 0, epsilon: 0, dtype: 'float64' });
    const x = new Masking({ maskValue: 9 }).apply(
      variable(
        [
          [[1], [9]],
          [[3], [9]],
        ],
        'float64',
      ),
    );
    layer.apply(x, { training: true });
    const [, , mean, variance] = layer.getWeights();
    expect([mean.toArray(), variance.toArray()]).toEqual([[2], [1]]);
  });

  test('names itself and the shapes when the input does not fit', () => {
    const layer = new BatchNormalization({ name: 'bn', inputShape: [3] });
    layer.apply(zeros([2, 3]));
    expect(() => layer.apply(zeros([2, 4]))).toThrow(
      'bn: was built for sizes [3] along the axes [1]; got inputs [2, 4].',
    );
    expect(() => new BatchNormalization({ name: 'bn', axis: 2 }).apply(zeros([2, 4]))).toThrow(
      'bn: there is no axis 2 in 2 dimensions',
    );
    expect(() => new BatchNormalization({ name: 'bn', axis: 0 }).apply(zeros([2, 4]))).toThrow(
      'bn: the size of axis 0 must be known; got inputs [?, 4].',
    );
    expect(() => new BatchNormalization({ name: 'bn', momentum: 1.5 })).toThrow(
      'bn: momentum must be a number from 0 to 1; got 1.5.',
    );
    expect(() => new BatchNormalization({ name: 'bn', epsilon: -1 })).toThrow(
      'bn: epsilon must be a number of 0 or more; got -1.',
    );
  });
});

describe('LayerNormalization', () => {
  test('brings each sample to mean 0 and variance 1, whatever the others are', () => {
    const x = new Generator(2).normal([4, 6], { mean: 10, stddev: 3, dtype: 'float64' });
    const layer = new LayerNormalization({ epsilon: 0, dtype: 'float64' });
    const y = layer.apply(x).value;
    assertClose('mean', ops.mean(y, 1), { shape: [4], data: [0, 0, 0, 0] }, tolerance);
    assertClose('variance', ops.variance(y, 1), { shape: [4], data: [1, 1, 1, 1] }, tolerance);
    const alone = layer.apply(x.gather([1])).value;
    expect(alone.toArray()).toEqual(y.gather([1]).toArray());
  });

  test('names itself and the shapes when the input does not fit', () => {
    const layer = new LayerNormalization({ name: 'ln', axis: [-1, 1] });
    layer.apply(zeros([1, 2, 3]));
    expect(() => layer.apply(zeros([1, 4, 3]))).toThrow(
      'ln: was built for sizes [2, 3] along the axes [1, 2]; got inputs [1, 4, 3].',
    );
    expect(() =>
      new LayerNormalization({ name: 'ln', axis: [1, -1] }).apply(zeros([2, 4])),
    ).toThrow('ln: axis 1 is given twice in [1, -1].');
  });
});
