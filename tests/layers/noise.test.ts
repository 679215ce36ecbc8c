import { GaussianDropout, GaussianNoise, Masking, maskOf } from '@tapegrad/layers';
import { variable } from '@tapegrad/autograd';
import { Generator, ones, ops, setSeed, zeros } from '@tapegrad/tensor';
import { layerSuite } from '../support/layer-suite.js';

const same = { input: [3, 5], output: [3, 5], weights: 0 };

layerSuite({
  GaussianNoise: { make: () => new GaussianNoise(0.5, { dtype: 'float64' }), ...same },
  GaussianDropout: { make: () => new GaussianDropout(0.5, { dtype: 'float64' }), ...same },
  Masking: {
    make: () => new Masking({ dtype: 'float64' }),
    input: [2, 3, 4],
    output: [2, 3, 4],
    weights: 0,
  },
});

describe.each([
  ['GaussianNoise', (generator?: Generator) => new GaussianNoise(0.5, { generator }), 0.5],
  // √(rate / (1 − rate)) = 0.5
  ['GaussianDropout', (generator?: Generator) => new GaussianDropout(0.2, { generator }), 0.5],
] as const)('%s in training', (_name, make, stddev) => {
  test('keeps the mean, with the right standard deviation', () => {
    setSeed(1);
    const y = make().apply(ones([100, 100]), { training: true }).value;
    // 10,000 draws: the mean is good to 0.005, the deviation to 0.0035.
    expect(Math.abs(ops.mean(y).item() - 1)).toBeLessThan(0.02);
    expect(Math.abs(ops.std(y).item() - stddev)).toBeLessThan(0.015);
  });

  test('repeats with the seed, and with a generator of its own', () => {
    const run = (generator?: Generator): unknown =>
      make(generator)
        .apply(ones([4, 4]), { training: true })
        .toArray();
    setSeed(3);
    const first = run();
    expect(run()).not.toEqual(first);
    setSeed(3);
    expect(run()).toEqual(first);
    expect(run(new Generator(9))).toEqual(run(new Generator(9)));
  });
});

test('the gradient of noise that is added is 1, of noise that multiplies its factor', () => {
  const gradientOf = (layer: GaussianNoise | GaussianDropout): [unknown, unknown] => {
    const x = variable(ones([3, 4]));
    const y = layer.apply(x, { training: true });
    y.sum().backward();
    return [x.grad?.toArray(), y.toArray()];
  };
  expect(gradientOf(new GaussianNoise(1))[0]).toEqual(ones([3, 4]).toArray());
  const [gradient, y] = gradientOf(new GaussianDropout(0.5));
  expect(gradient).toEqual(y);
});

test('settings that make no sense are refused', () => {
  expect(() => new GaussianNoise(-1, { name: 'n' })).toThrow(
    'n: stddev must be a number of 0 or more; got -1.',
  );
  expect(() => new GaussianDropout(1, { name: 'n' })).toThrow(
    'n: rate is the share of elements to drop, from 0 up to but without 1; got 1.',
  );
});

describe('Masking', () => {
  test('masks steps whose features all are the mask value, and sets them to 0', () => {
    const y = new Masking({ maskValue: -1 }).apply([
      [
        [-1, 2],
        [-1, -1],
        [0, 0],
      ],
    ]);
    expect(maskOf(y)?.toArray()).toEqual([[1, 0, 1]]);
    expect(maskOf(y)?.dtype).toBe('bool');
    expect(y.toArray()).toEqual([
      [
        [-1, 2],
        [0, 0],
        [0, 0],
      ],
    ]);
  });

  test('stops the gradient at masked steps', () => {
    const x = variable([[[1], [0], [2]]]);
    new Masking().apply(x).sum().backward();
    expect(x.grad?.toArray()).toEqual([[[1], [0], [1]]]);
  });

  test('the mask passes through layers that work step by step', () => {
    const y = new Masking().apply([[[1], [0]]]);
    expect(maskOf(new GaussianNoise(1).apply(y, { training: true }))?.toArray()).toEqual([[1, 0]]);
  });

  test('names itself and the shape when there is no time', () => {
    expect(() => new Masking({ name: 'm' }).apply(zeros([2, 3]))).toThrow(
      'm: needs inputs [batch, time, features, …]; got [2, 3].',
    );
  });
});
