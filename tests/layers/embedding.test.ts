import { Dense, Embedding, Flatten, SGD, Sequential, maskOf } from '@tapegrad/layers';
import { gradients } from '@tapegrad/autograd';
import { Generator, tensor } from '@tapegrad/tensor';
import { layerSuite } from '../support/layer-suite.js';

layerSuite({
  Embedding: {
    make: () => new Embedding(6, 3, { dtype: 'float64' }),
    input: [2, 4],
    indices: 6,
    output: [2, 4, 3],
    weights: 6 * 3,
  },
});

describe('Embedding', () => {
  test('gives the row of each number, whatever dtype the numbers have', () => {
    const layer = new Embedding(3, 2);
    layer.apply([[0]]);
    layer.setWeights([
      [
        [1, 2],
        [3, 4],
        [5, 6],
      ],
    ]);
    const expected = [
      [
        [5, 6],
        [1, 2],
      ],
    ];
    expect(layer.apply(tensor([[2, 0]], 'int32')).toArray()).toEqual(expected);
    expect(layer.apply(tensor([[2, 0]], 'float32')).toArray()).toEqual(expected);
  });

  test('adds up the gradients of a number that occurs twice', () => {
    const layer = new Embedding(3, 1);
    const y = layer.apply([[2, 0, 2]]);
    const [g] = gradients([y.sum()], layer.weights);
    expect(g.toArray()).toEqual([[1], [0], [2]]);
  });

  test('starts between −0.05 and 0.05', () => {
    const layer = new Embedding(100, 10);
    layer.apply([[0]]);
    const values = [...layer.getWeights()[0].toTypedArray()];
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(0.05);
    expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(0.045);
  });

  test('masks zeros when it is told to, and only then', () => {
    const masked = new Embedding(3, 1, { maskZero: true }).apply([[2, 0, 1]]);
    expect(maskOf(masked)?.toArray()).toEqual([[1, 0, 1]]);
    expect(maskOf(new Embedding(3, 1).apply([[2, 0, 1]]))).toBeNull();
  });

  test('learns in a model', async () => {
    // The target is 1 for the odd numbers.
    const x = new Generator(1).uniform([64, 1], { high: 8 }).floor();
    const y = x.mod(2);
    const model = new Sequential([
      new Embedding(8, 2, { inputShape: [1] }),
      new Flatten(),
      new Dense(1, { activation: 'sigmoid' }),
    ]);
    model.compile({ optimizer: new SGD({ learningRate: 5 }), loss: 'binaryCrossentropy' });
    await model.fit(x, y, { epochs: 60, verbose: 0 });
    const { loss } = await model.evaluate(x, y, { verbose: 0 });
    expect(loss).toBeLessThan(0.1);
  });

  test('refuses what is no whole number in its range', () => {
    const layer = new Embedding(3, 1, { name: 'words' });
    expect(() => layer.apply([[0, 3]])).toThrow(
      'words: takes whole numbers from 0 to 2; got 3. inputDim must be greater than every number of the data.',
    );
    expect(() => layer.apply([[-1]])).toThrow('words: takes whole numbers from 0 to 2; got -1.');
    expect(() => layer.apply([[0.5]])).toThrow('words: takes whole numbers from 0 to 2; got 0.5.');
    expect(() => layer.apply([[NaN]])).toThrow('got NaN');
    expect(() => new Embedding(0, 1, { name: 'e' })).toThrow(
      'e: inputDim must be a whole number of 1 or more; got 0.',
    );
    expect(() => new Embedding(1, 1.5, { name: 'e' })).toThrow('e: outputDim must be');
  });
});
