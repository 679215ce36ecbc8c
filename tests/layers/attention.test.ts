import {
  Attention,
  Dense,
  GlobalAveragePooling1D,
  Masking,
  MultiHeadAttention,
  Sequential,
  maskOf,
} from '@tapegrad/layers';
import { Variable, gradients, variable } from '@tapegrad/autograd';
import {
  Generator,
  full,
  ops,
  setSeed,
  tensor,
  zeros,
  type Shape,
  type Tensor,
} from '@tapegrad/tensor';
import { assertClose } from '../support/close.js';
import { layerSuite } from '../support/layer-suite.js';

const dtype = 'float64';
const tolerance = { relative: 1e-12, absolute: 1e-12 };

layerSuite({
  'MultiHeadAttention to itself': {
    make: () => new MultiHeadAttention(2, 3, { dtype }),
    input: [2, 4, 5],
    output: [2, 4, 5],
    weights: 3 * (5 * 6 + 6) + 6 * 5 + 5,
  },
  'MultiHeadAttention to others, with scores, seeing no later places': {
    make: () =>
      new MultiHeadAttention(2, 1, {
        valueDim: 2,
        outputShape: 3,
        useBias: false,
        useCausalMask: true,
        returnAttentionScores: true,
        dtype,
      }),
    input: [
      [2, 3, 4],
      [2, 4, 2],
      [2, 4, 3],
    ],
    output: [
      [2, 3, 3],
      [2, 2, 3, 4],
    ],
    weights: 4 * 2 + 3 * 2 + 2 * 4 + 4 * 3,
  },
  Attention: {
    make: () => new Attention({ useScale: true, returnAttentionScores: true, dtype }),
    input: [
      [2, 3, 4],
      [2, 5, 2],
      [2, 5, 4],
    ],
    output: [
      [2, 3, 2],
      [2, 3, 5],
    ],
    weights: 1,
  },
});

/** Normal numbers as a Variable. */
const normal = (shape: Shape, seed: string): Variable =>
  new Variable(new Generator(seed).normal(shape, { dtype }));

/** A sequence of which the steps with 0 are masked. */
function masked(x: Variable, steps: readonly number[][]): Variable {
  return new Masking({ maskValue: 7 }).apply(
    ops.where(tensor(steps, 'bool').expandDims(2), x.value, 7),
  );
}

describe('MultiHeadAttention', () => {
  /** Head by head and place by place, with loops; `allowed` says which places may be seen. */
  function byHand(
    layer: MultiHeadAttention,
    [query, value, key]: readonly Variable[],
    allowed: (q: number, v: number) => boolean,
  ): number[][] {
    const named = Object.fromEntries(layer.weights.map((w) => [w.name, w.toArray()]));
    const row = (x: Variable, t: number): number[] => (x.toArray() as number[][][])[0][t];
    const project = (x: number[], role: string, head: number, d: number): number => {
      const kernel = named[`${role}Kernel`] as number[][][];
      const bias = named[`${role}Bias`] as number[][];
      return x.reduce((sum, n, i) => sum + n * kernel[i][head][d], bias[head][d]);
    };
    const { numHeads, keyDim, valueDim } = layer;
    const outputKernel = named.outputKernel as number[][][];
    const count = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
    return count(query.shape[1]).map((t) => {
      const output = [...(named.outputBias as number[])];
      for (const head of count(numHeads)) {
        const weights = count(value.shape[1]).map((s) => {
          if (!allowed(t, s)) return 0;
          const dot = count(keyDim).reduce((sum, d) => {
            const q = project(row(query, t), 'query', head, d);
            return sum + q * project(row(key, s), 'key', head, d);
          }, 0);
          return Math.exp(dot / Math.sqrt(keyDim));
        });
        const total = weights.reduce((a, b) => a + b);
        for (const d of count(valueDim)) {
          const mean = weights.reduce(
            (sum, w, s) => sum + (w / total) * project(row(value, s), 'value', head, d),
            0,
          );
          output.forEach((_, i) => (output[i] += mean * outputKernel[head][d][i]));
        }
      }
      return output;
    });
  }

  const make = (options: object = {}): MultiHeadAttention =>
    new MultiHeadAttention(2, 3, {
      valueDim: 2,
      biasInitializer: 'randomNormal',
      dtype,
      ...options,
    });
  const query = normal([1, 3, 4], 'query');
  const value = normal([1, 5, 2], 'value');
  const key = normal([1, 5, 3], 'key');
  const inputs = [query, value, key];

  function expectByHand(
    layer: MultiHeadAttention,
    given: readonly Variable[],
    allowed: (q: number, v: number) => boolean,
  ): void {
    const y = layer.apply(given).value;
    const expected = byHand(layer, given, allowed).flat();
    assertClose('by hand', y, { shape: y.shape, data: expected }, tolerance, dtype);
  }

  test('is what the loops say', () => {
    expectByHand(make(), inputs, () => true);
  });

  test('a missing key is the value, and a missing value the query', () => {
    expectByHand(make(), [query, value, value], () => true);
    const layer = make();
    const self = layer.apply(query).toArray();
    expect(layer.apply([query, query]).toArray()).toEqual(self);
    expect(layer.apply([query, query, query]).toArray()).toEqual(self);
  });

  test('sees no later place with useCausalMask', () => {
    expectByHand(make({ useCausalMask: true }), inputs, (q, v) => v <= q);
  });

  test('leaves out the masked places of value and key', () => {
    const value0 = masked(value, [[1, 1, 0, 1, 1]]);
    const key0 = masked(key, [[1, 1, 1, 1, 0]]);
    expectByHand(make(), [query, value0, key0], (_, v) => v !== 2 && v !== 4);
    expectByHand(make({ useCausalMask: true }), [query, value0, key], (q, v) => v !== 2 && v <= q);
  });

  test('takes a mask of pairs, as truth values or numbers, for all heads or each', () => {
    const allowed = (q: number, v: number): boolean => (q + v) % 2 === 0;
    const pairs = [0, 1, 2].map((q) => [0, 1, 2, 3, 4].map((v) => Number(allowed(q, v))));
    const layer = make();
    const y = layer.apply([...inputs, new Variable(tensor([pairs], 'bool'))]);
    const expected = byHand(layer, inputs, allowed).flat();
    assertClose('mask', y.value, { shape: [1, 3, 4], data: expected }, tolerance);
    for (const mask of [tensor([pairs], 'float32'), tensor([[pairs, pairs]], 'int32')])
      expect(layer.apply([...inputs, new Variable(mask)]).toArray()).toEqual(y.toArray());
  });

  test('a query that may see nothing has a finite result and gradient', () => {
    const layer = make({ returnAttentionScores: true });
    const x = variable(query.value);
    const nothing = new Variable(zeros([1, 3, 5], 'bool'));
    const [y, scores] = layer.applyAll([x, value, key, nothing]);
    expect(scores.toArray()).toEqual(full([1, 2, 3, 5], 0.2, dtype).toArray());
    expect(gradients([y.sum()], [x])[0].toArray()).toEqual(zeros([1, 3, 4]).toArray());
  });

  test('the mask of the query goes on to the result', () => {
    const query0 = masked(query, [[1, 1, 0]]);
    const layer = make({ returnAttentionScores: true });
    const [y, scores] = layer.applyAll([query0, value, key]);
    expect(maskOf(y)?.toArray()).toEqual([[1, 1, 0]]);
    expect(maskOf(scores)).toBeNull();
  });

  test('drops scores while training, and only then', () => {
    setSeed(4);
    const layer = make({ dropout: 0.5, returnAttentionScores: true });
    const sums = (training: boolean): Tensor => {
      const [, scores] = layer.applyAll(inputs, { training });
      return ops.sum(scores.value, -1);
    };
    assertClose('sums', sums(false), { shape: [1, 2, 3], data: [1, 1, 1, 1, 1, 1] }, tolerance);
    expect(sums(true).toArray()).not.toEqual(sums(true).toArray());
  });

  test('learns in a model which place matters', async () => {
    // The target is the first feature of the place that the second feature marks with 1.
    setSeed(1);
    const generator = new Generator(5);
    const values = generator.uniform([256, 4, 1]);
    const marks = ops.oneHot(generator.uniform([256], { high: 4 }).floor().cast('int32'), 4);
    const x = ops.concat([values, marks.expandDims(2)], { axis: 2 });
    const y = ops.sum(values.squeeze(2).mul(marks), { axis: 1, keepDims: true });
    const model = new Sequential([
      new MultiHeadAttention(2, 4, { outputShape: 8, inputShape: [4, 2] }),
      new GlobalAveragePooling1D(),
      new Dense(1),
    ]);
    model.compile({ optimizer: 'adam', loss: 'meanSquaredError' });
    const { loss } = await model.evaluate(x, y, { verbose: 0 });
    model.optimizer.learningRate = 0.02;
    await model.fit(x, y, { epochs: 40, verbose: 0 });
    const after = await model.evaluate(x, y, { verbose: 0 });
    expect(after.loss).toBeLessThan(0.02);
    expect(after.loss).toBeLessThan(loss / 5);
  }, 30_000);

  test('names itself and the shapes when the inputs do not go together', () => {
    const layer = (): MultiHeadAttention => new MultiHeadAttention(2, 3, { name: 'mha' });
    const of = (...shapes: Shape[]): Variable[] => shapes.map((shape) => variable(zeros(shape)));
    expect(() => layer().apply(of([2, 3], [2, 3]))).toThrow(
      'mha: needs inputs [batch, time, features]; got query [?, 3], value [?, 3] and key [?, 3].',
    );
    expect(() => layer().apply(of([2, 3, 4], [2, 5, 4], [2, 6, 4]))).toThrow(
      'mha: each place of the value must have a key, so their times must be equal; got query [?, 3, 4], value [?, 5, 4] ' +
        'and key [?, 6, 4].',
    );
    expect(() => layer().apply(of([2, 3, 4], [1, 3, 4]))).toThrow(
      'mha: needs batches of the same size; got query [2, 3, 4], value [1, 3, 4]',
    );
    expect(() => layer().apply(of([1], [1], [1], [1], [1]))).toThrow(
      'mha: takes up to 4 inputs; got 5. Their order is query, value, key, attentionMask.',
    );
    const built = layer();
    built.apply(of([2, 3, 4]));
    expect(() => built.apply(of([2, 3, 5]))).toThrow(
      'mha: was built for 4, 4, 4 features of query, value and key; got query [2, 3, 5]',
    );
    expect(() => layer().apply(of([2, 3, 4], [2, 5, 4], [2, 5, 4], [2, 5, 3]))).toThrow(
      'mha: attentionMask must be [batch, query, value] = [2, 3, 5], or that for each head, [2, 2, 3, 5]; got [2, 5, 3].',
    );
    expect(() => new MultiHeadAttention(0, 1, { name: 'mha' })).toThrow(
      'mha: numHeads must be a whole number of 1 or more; got 0.',
    );
    expect(() => new MultiHeadAttention(1, 1, { name: 'mha', dropout: 1 })).toThrow(
      'mha: rate is the share of elements to drop',
    );
  });
});

describe('Attention', () => {
  // Scores of the query (1, 0) with the keys (0, 5), (ln 3, 5): 1/4 and 3/4.
  const query = variable([[[1, 0]]], dtype);
  const value = variable([[[4], [8]]], dtype);
  const key = variable([[[0, 5], [Math.log(3), 5]]], dtype); // prettier-ignore

  test('is the mean of the values by the softmax of products with the keys', () => {
    const y = new Attention().apply([query, value, key]);
    assertClose('result', y.value, { shape: [1, 1, 1], data: [7] }, tolerance);
    const causal = new Attention({ useCausalMask: true }).apply([query, value, key]);
    expect(causal.toArray()).toEqual([[[4]]]);
  });

  test('leaves out masked values, and gives masked queries 0', () => {
    const y = new Attention().apply([query, masked(value, [[0, 1]]), key]);
    expect(y.toArray()).toEqual([[[8]]]);
    const none = new Attention().apply([masked(query, [[0]]), value, key]);
    expect(none.toArray()).toEqual([[[0]]]);
    expect(maskOf(none)?.toArray()).toEqual([[0]]);
  });

  test('refuses a query and keys of different features', () => {
    expect(() => new Attention({ name: 'a' }).apply([query, value])).toThrow(
      'a: query and key must have the same features; got query [?, 1, 2], value [?, 2, 1] and key [?, 2, 1].',
    );
  });
});
