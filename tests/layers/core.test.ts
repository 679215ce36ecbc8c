import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  Activation,
  Dense,
  Dropout,
  Flatten,
  Layer,
  Reshape,
  initializers,
  type BatchShape,
  type Weight,
} from '@tapegrad/layers';
import { gradients, variable, type Variable } from '@tapegrad/autograd';
import { Generator, ops, setSeed, tensor, zeros } from '@tapegrad/tensor';
import { layerSuite } from '../support/layer-suite.js';

layerSuite({
  Dense: {
    make: () => new Dense(4, { activation: 'tanh', dtype: 'float64' }),
    input: [3, 5],
    output: [3, 4],
    weights: 5 * 4 + 4,
  },
  'Dense on sequences, without bias': {
    make: () => new Dense(2, { useBias: false, dtype: 'float64' }),
    input: [3, 4, 5],
    output: [3, 4, 2],
    weights: 5 * 2,
  },
  Activation: {
    make: () => new Activation('softmax', { dtype: 'float64' }),
    input: [3, 5],
    output: [3, 5],
    weights: 0,
  },
  Dropout: {
    make: () => new Dropout(0.5, { dtype: 'float64' }),
    input: [3, 5],
    output: [3, 5],
    weights: 0,
  },
  Flatten: {
    make: () => new Flatten({ dtype: 'float64' }),
    input: [3, 2, 5],
    output: [3, 10],
    weights: 0,
  },
  Reshape: {
    make: () => new Reshape([5, -1], { dtype: 'float64' }),
    input: [3, 2, 5],
    output: [3, 5, 2],
    weights: 0,
  },
});

test('every layer that the package exports is in a suite', async () => {
  const all = await import('@tapegrad/layers');
  const folder = fileURLToPath(new URL('.', import.meta.url));
  const suites = readdirSync(folder)
    .map((file) => readFileSync(join(folder, file), 'utf8'))
    .filter((text) => text.includes('layerSuite('));
  const isLayer = (value: unknown): boolean =>
    typeof value === 'function' &&
    value.prototype instanceof Layer &&
    !('compile' in value.prototype); // a model
  const names = Object.entries(all)
    .filter(([, value]) => isLayer(value))
    .map(([name]) => name);
  expect(names).toContain('Dense');
  const missing = names.filter((name) => !suites.some((text) => text.includes(`new ${name}(`)));
  expect(missing).toEqual([]);
});

describe('Dense', () => {
  test('computes activation(x·kernel + bias)', () => {
    const layer = new Dense(2, { activation: 'relu' });
    layer.apply([[0, 0, 0]]);
    layer.setWeights([
      [
        [1, -1],
        [2, 0],
        [3, 1],
      ],
      [10, -1],
    ]);
    // 1·1 + 2·2 + 3·3 + 10 = 24; −1 + 0 + 3 − 1 = 1
    expect(layer.apply([[1, 2, 3]]).toArray()).toEqual([[24, 1]]);
    expect(layer.apply([[1, 0, 0]]).toArray()).toEqual([[11, 0]]);
  });

  test('adds its regularizers and uses its initializers', () => {
    const layer = new Dense(2, {
      kernelInitializer: 'ones',
      biasInitializer: initializers.constant(3),
      kernelRegularizer: 'l2',
    });
    expect(layer.apply([[1, 2]]).toArray()).toEqual([[6, 6]]);
    expect(layer.weights[0].regularizer?.(layer.weights[0]).item()).toBeCloseTo(0.01 * 4, 6);
    expect(layer.weights[1].regularizer).toBeNull();
  });

  test('names itself and the shapes when the input does not fit', () => {
    const layer = new Dense(2, { name: 'scores', inputShape: [3] });
    layer.apply(zeros([1, 3]));
    expect(() => layer.apply(zeros([1, 4]))).toThrow(
      'scores: was built for inputs [batch, …, 3]; got [1, 4].',
    );
    expect(() => layer.apply(zeros([1, 3, 4]))).toThrow('A Flatten before it');
    expect(() => new Dense(2, { name: 'd' }).apply([1, 2])).toThrow(
      'd: needs inputs [batch, …, features] with a known last axis; got [?].',
    );
  });

  test('rejects options that make no sense', () => {
    expect(() => new Dense(0, { name: 'd' })).toThrow(
      'd: units must be a whole number of 1 or more; got 0.',
    );
    expect(() => new Dense(1.5, { name: 'd' })).toThrow('got 1.5');
    expect(() => new Dense(1, { name: 'd', dtype: 'int32' })).toThrow(
      "d: weights are float32 or float64; got dtype 'int32'.",
    );
    const misspelt: string = 'rleu';
    expect(() => new Dense(1, { activation: misspelt as 'relu' })).toThrow(
      /Unknown activation 'rleu'.*'relu'/,
    );
  });
});

describe('Dropout', () => {
  test('drops the share it is told to, and scales what is left so that the mean stays', () => {
    setSeed(1);
    const layer = new Dropout(0.25);
    const y = layer.apply(ops.add(zeros([100, 100]), 1), { training: true }).value.toTypedArray();
    const kept = y.filter((v) => v !== 0);
    expect(kept.every((v) => Math.abs(v - 4 / 3) < 1e-6)).toBe(true);
    // 10,000 draws of probability 0.75: standard deviation 0.0043.
    expect(kept.length / y.length).toBeCloseTo(0.75, 1.5);
  });

  test('repeats with the seed, and with a generator of its own', () => {
    const run = (): unknown =>
      new Dropout(0.5).apply(zeros([4, 4]).add(1), { training: true }).toArray();
    setSeed(3);
    const first = run();
    expect(run()).not.toEqual(first);
    setSeed(3);
    expect(run()).toEqual(first);
    const own = (): unknown =>
      new Dropout(0.5, { generator: new Generator(9) })
        .apply(zeros([4, 4]).add(1), { training: true })
        .toArray();
    expect(own()).toEqual(own());
  });

  test('passes the gradient of what it kept', () => {
    setSeed(5);
    const x = variable(zeros([50]).add(2).reshape([1, 50]));
    const y = new Dropout(0.5).apply(x, { training: true });
    y.sum().backward();
    expect(x.grad?.mul(2).toArray()).toEqual(y.toArray());
  });

  test.each([-0.1, 1, 1.5, NaN])('rejects a rate of %p', (rate) => {
    expect(() => new Dropout(rate, { name: 'd' })).toThrow(
      `d: rate is the share of elements to drop, from 0 up to but without 1; got ${rate}.`,
    );
  });
});

test('Flatten keeps the order, and takes empty batches', () => {
  expect(
    new Flatten()
      .apply([
        [
          [1, 2],
          [3, 4],
        ],
      ])
      .toArray(),
  ).toEqual([[1, 2, 3, 4]]);
  expect(new Flatten().apply(zeros([0, 2, 3])).shape).toEqual([0, 6]);
});

test('Reshape names itself and the shapes when the elements do not fit', () => {
  expect(() => new Reshape([4], { name: 'r' }).apply(zeros([2, 6]))).toThrow(
    'r: samples of shape [6] have 6 elements and cannot become [4].',
  );
});

describe('a layer of a user', () => {
  class Scale extends Layer {
    factor!: Weight;

    override build(inputShape: BatchShape): void {
      this.factor = this.addWeight('factor', [inputShape[inputShape.length - 1] ?? 0], {
        initializer: 'ones',
      });
    }

    override call(x: Variable): Variable {
      return x.mul(this.factor);
    }
  }

  test('knows its output shape by running', () => {
    const layer = new Scale();
    layer.apply([[1, 2]]);
    expect(layer.computeOutputShape([null, 2])).toEqual([null, 2]);
  });

  test('has its gradients by itself', () => {
    const layer = new Scale({ inputShape: [2] });
    layer.ensureBuilt([null, 2]);
    const [g] = gradients(
      [
        layer
          .apply([
            [1, 2],
            [3, 4],
          ])
          .sum(),
      ],
      [layer.factor],
    );
    expect(g.toArray()).toEqual([4, 6]);
  });

  test('is named after its class, with a number when there are more', () => {
    class OddlyNamedLayer extends Scale {}
    expect([new OddlyNamedLayer().name, new OddlyNamedLayer().name]).toEqual([
      'oddly_named_layer',
      'oddly_named_layer_1',
    ]);
  });

  test('cannot have two weights of one name', () => {
    class Twice extends Scale {
      override build(inputShape: BatchShape): void {
        super.build(inputShape);
        super.build(inputShape);
      }
    }
    expect(() => new Twice({ name: 't' }).apply([[1]])).toThrow(
      "t: there is a weight 'factor' already.",
    );
  });
});

describe('setWeights', () => {
  test('says what it wants, and changes nothing when one does not fit', () => {
    const layer = new Dense(1, { name: 'd' });
    expect(() => layer.setWeights([[[1]], [1]])).toThrow(
      'd: setWeights needs 0 tensors (it has none); got 2. The layer has no weights before it is built',
    );
    layer.apply([[1, 2]]);
    const before = layer.getWeights().map((w) => w.toArray());
    expect(() => layer.setWeights([[[5], [5]]])).toThrow(
      'd: setWeights needs 2 tensors (kernel [2, 1], bias [1]); got 1.',
    );
    expect(() =>
      layer.setWeights([
        [[5], [5]],
        [1, 2],
      ]),
    ).toThrow("d: weight 'bias' has shape [1]; got [2].");
    expect(layer.getWeights().map((w) => w.toArray())).toEqual(before);
  });

  test('copies: neither side sees later changes of the other', () => {
    const layer = new Dense(1, { useBias: false, kernelInitializer: 'ones' });
    layer.apply([[1]]);
    const [taken] = layer.getWeights();
    layer.setWeights([[[7]]]);
    expect(taken.toArray()).toEqual([[1]]);
    const given = tensor(Float32Array.of(3), { shape: [1, 1] });
    layer.setWeights([given]);
    given.data[0] = 9;
    expect(layer.getWeights()[0].toArray()).toEqual([[3]]);
  });
});
