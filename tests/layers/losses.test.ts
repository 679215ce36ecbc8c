import { ShapeError, ValueError, recordCalls, tensor, zeros, type Tensor } from '@tapegrad/tensor';
import { Variable, noGrad, variable } from '@tapegrad/autograd';
import { activations, losses, setMask, type Loss } from '@tapegrad/layers';
import { assertNumbersClose } from '../support/close.js';
import { collect } from '../support/gc.js';
import { Numbers } from '../support/numbers.js';

const { meanLoss } = losses;
const constant = (values: Parameters<typeof variable>[0], dtype: 'float64' | 'int32' = 'float64') =>
  variable(values, { dtype, requiresGrad: false });

function normal(numbers: Numbers, shape: readonly [number, number], scale: number): Tensor {
  const values = Float64Array.from(
    { length: shape[0] * shape[1] },
    () => scale * (numbers.next() + numbers.next() - 1),
  );
  return tensor(values, { shape });
}

/** The value of a loss and the gradient of what the predictions are computed from. */
function valueAndGradient(loss: Loss, yTrue: Variable, x: Tensor, f: (x: Variable) => Variable) {
  const input = new Variable(x, true);
  const value = meanLoss(loss, yTrue, f(input));
  value.backward();
  if (input.grad === null) throw new Error('no gradient');
  return { value: value.item(), gradient: input.grad.value.toTypedArray() };
}

describe('a cross-entropy of an activation', () => {
  const numbers = new Numbers(3);
  const logits = normal(numbers, [6, 4], 3);
  const oneHot = constant(
    Array.from({ length: 6 }, (_, i) => [0, 1, 2, 3].map((c) => +(c === i % 4))),
  );
  const labels = constant([0, 1, 2, 3, 0, 1], 'int32');
  const many = constant(
    Array.from({ length: 6 }, () => [1, 0, 0, 1].map(() => numbers.integer(0, 1))),
  );

  const { binaryCrossentropy, categoricalCrossentropy, sparseCategoricalCrossentropy } = losses;
  const pairs = [
    ['categorical', 'softmax', 'softmaxCrossEntropy', oneHot, categoricalCrossentropy, {}],
    [
      'smoothed',
      'softmax',
      'softmaxCrossEntropy',
      oneHot,
      categoricalCrossentropy,
      { labelSmoothing: 0.1 },
    ],
    ['sparse', 'softmax', 'softmaxCrossEntropy', labels, sparseCategoricalCrossentropy, {}],
    ['binary', 'sigmoid', 'sigmoidCrossEntropy', many, binaryCrossentropy, {}],
    [
      'binary smoothed',
      'sigmoid',
      'sigmoidCrossEntropy',
      many,
      binaryCrossentropy,
      { labelSmoothing: 0.1 },
    ],
  ] as const;

  describe.each(pairs)('%s', (_, activation, op, yTrue, make, options) => {
    const fused = activations.getActivation(activation);
    // The same values, from which nobody knows where they come from.
    const plain = (x: Variable): Variable => fused(x).identity();

    test('runs as one op on the logits, with and without a graph', () => {
      const x = new Variable(logits, true);
      const names = (f: () => void): string[] => recordCalls(f).map((call) => call.spec.name);
      const step = (): Variable => make(options).perSample(yTrue, fused(x));
      for (const ops of [names(step), names(() => noGrad(step))]) {
        expect(ops).toContain(op);
        expect(ops).not.toContain('log');
        expect(ops).not.toContain('clip');
      }
      expect(names(() => make(options).perSample(yTrue, plain(x)))).not.toContain(op);
    });

    test('is what the formula with probabilities gives, and its gradient too', () => {
      const one = valueAndGradient(make(options), yTrue, logits, fused);
      const other = valueAndGradient(make(options), yTrue, logits, plain);
      const tolerance = { relative: 1e-11, absolute: 1e-13 };
      assertNumbersClose('loss', [one.value], [other.value], tolerance);
      assertNumbersClose('gradient', one.gradient, other.gradient, tolerance);
      const direct = valueAndGradient(
        make({ ...options, fromLogits: true }),
        yTrue,
        logits,
        (x) => x,
      );
      expect(one).toEqual(direct);
    });
  });

  test('is right where the probability is rounded to 0, which the formula with probabilities clips', () => {
    const far = tensor([[0, 800, -800]], 'float64');
    const target = constant([[1, 0, 0]]);
    const fused = valueAndGradient(categoricalCrossentropy(), target, far, activations.softmax);
    expect(fused.value).toBe(800);
    expect([...fused.gradient]).toEqual([-1, 1, 0]);
    const plain = valueAndGradient(categoricalCrossentropy(), target, far, (x) => x.softmax());
    expect(plain.value).toBeCloseTo(-Math.log(1e-7), 10);
    expect([...plain.gradient]).toEqual([0, 0, 0]);
    const binary = valueAndGradient(
      binaryCrossentropy(),
      constant([[1]]),
      tensor([[-800]], 'float64'),
      activations.sigmoid,
    );
    expect([binary.value, ...binary.gradient]).toEqual([800, -1]);
  });

  test('keeps neither logits nor probabilities alive', async () => {
    const references = (() => {
      const x = new Variable(logits.mul(1));
      return [new WeakRef(x), new WeakRef(activations.softmax(x))];
    })();
    await collect();
    expect(references.map((reference) => reference.deref())).toEqual([undefined, undefined]);
  });
});

describe('labels', () => {
  const p = constant([
    [0.5, 0.25, 0.25],
    [0.25, 0.5, 0.25],
  ]);
  const { sparseCategoricalCrossentropy, categoricalCrossentropy } = losses;
  const sparse = sparseCategoricalCrossentropy();
  const wanted = [Math.log(2), Math.log(4)];

  test.each([
    ['int32 [batch]', constant([0, 2], 'int32')],
    ['int32 [batch, 1]', constant([[0], [2]], 'int32')],
    ['whole float64', constant([0, 2])],
    ['whole float32', variable([[0], [2]], { requiresGrad: false })],
  ])('as %s', (_, labels) => {
    for (const predictions of [p, activations.softmax(p.log())]) {
      const found = sparse.perSample(labels, predictions);
      expect(found.shape).toEqual([2]);
      expect(found.dtype).toBe('float64');
      assertNumbersClose('losses', found.value.toTypedArray(), wanted, {
        relative: 1e-12,
        absolute: 0,
      });
    }
  });

  test.each([
    [
      constant([0, 3], 'int32'),
      ValueError,
      'sparseCategoricalCrossentropy: label 3 at position 1 is out of range: the predictions have 3 classes, so labels go ' +
        'from 0 to 2. Give the last layer more units, or number the classes from 0.',
    ],
    [constant([-1, 0], 'int32'), ValueError, /label -1 at position 0 is out of range/],
    [
      constant([0, 0.5]),
      ValueError,
      /label 0.5 at position 1 is no whole number; labels are the numbers 0 to 2 of the classes\.$/,
    ],
    [constant([NaN, 0]), ValueError, /label NaN at position 0 is no whole number/],
    [
      constant([0, 1, 2], 'int32'),
      ShapeError,
      'sparseCategoricalCrossentropy: for predictions of shape [2, 3] the labels must have shape [2] or [2, 1]; got [3].',
    ],
    [
      constant([
        [1, 0, 0],
        [0, 1, 0],
      ]),
      ShapeError,
      /One-hot targets go with categoricalCrossentropy\.$/,
    ],
  ])('%# are refused by name, never silently taken as nothing', (labels, type, message) => {
    for (const loss of [sparse, sparseCategoricalCrossentropy({ fromLogits: true })]) {
      expect(() => loss.perSample(labels, p)).toThrow(type);
      expect(() => loss.perSample(labels, p)).toThrow(message);
    }
  });

  test('that are not one-hot, for the loss that needs it', () => {
    const loss = categoricalCrossentropy();
    expect(() => loss.perSample(constant([0, 2]), p)).toThrow(ShapeError);
    expect(() => loss.perSample(constant([0, 2]), p)).toThrow(
      'categoricalCrossentropy: yTrue must be one-hot, of the shape [2, 3] of yPred; got [2]. Turn labels into one-hot rows ' +
        'with toCategorical, or use sparseCategoricalCrossentropy.',
    );
  });

  test('for a single class teach nothing', () => {
    for (const loss of [categoricalCrossentropy(), sparse])
      expect(() => loss.perSample(constant([[1], [1]]), constant([[0.5], [0.5]]))).toThrow(
        `${loss.name}: yPred must be [batch, ..., classes] with two classes or more; got [2, 1]. For a single output use ` +
          'binaryCrossentropy.',
      );
  });
});

describe('shapes and dtypes', () => {
  const mse = losses.meanSquaredError();

  test('targets [n] go with predictions [n, 1], and the other way round', () => {
    const column = constant([[1], [2], [3]]);
    const row = constant([0, 0, 0]);
    expect(mse.perSample(row, column).toArray()).toEqual([1, 4, 9]);
    expect(mse.perSample(column, row).toArray()).toEqual([1, 4, 9]);
    expect(mse.perSample(row, constant([1, 2, 3])).toArray()).toEqual([1, 4, 9]);
    const p = new Variable(tensor([0.5, 0.25], 'float64'), true);
    const bce = losses.binaryCrossentropy().perSample(constant([[1], [0]]), p);
    expect(bce.shape).toEqual([2]);
  });

  test('anything else must be equal: [3] against [3, 3] is not broadcast', () => {
    const act = (): Variable => mse.perSample(constant([1, 2, 3]), constant([[1, 2, 3]]));
    expect(act).toThrow(ShapeError);
    expect(act).toThrow(
      'meanSquaredError: yTrue and yPred must have the same shape; got [3] and [1, 3].',
    );
  });

  test.each(losses.lossNames)(
    '%s is of the dtype of the predictions, whatever that of the targets',
    (name) => {
      const t =
        name === 'sparseCategoricalCrossentropy'
          ? constant([1, 0], 'int32')
          : constant(
              [
                [0, 1],
                [1, 0],
              ],
              'int32',
            );
      const p = variable([
        [0.25, 0.75],
        [0.5, 0.5],
      ]);
      const loss = losses.getLoss(name);
      const found = meanLoss(loss, t, p);
      expect([found.dtype, found.shape]).toEqual(['float32', []]);
      expect(Number.isFinite(found.item())).toBe(true);
      expect(loss.perSample(t, p).shape).toEqual([2]);
    },
  );

  test('of higher rank: the last axis goes', () => {
    const t = constant([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ]);
    expect(mse.perSample(t, t.mul(0)).toArray()).toEqual([
      [2.5, 12.5],
      [30.5, 56.5],
    ]);
  });
});

describe('meanLoss', () => {
  const mse = losses.meanSquaredError();
  const t = constant([
    [0, 0],
    [0, 0],
  ]);
  const p = constant([
    [1, 1],
    [3, 3],
  ]);

  test('weighs samples and divides by their number, not by the sum of the weights', () => {
    expect(meanLoss(mse, t, p).item()).toBe(5);
    expect(meanLoss(mse, t, p, [2, 0]).item()).toBe(1);
    expect(meanLoss(mse, t, p, tensor([1, 1], 'int32')).item()).toBe(5);
  });

  test('takes a weight for each sample where there are several losses a sample', () => {
    const steps = p.reshape([2, 2, 1]);
    expect(meanLoss(mse, steps.mul(0), steps, [1, 0]).item()).toBe(0.5);
    expect(
      meanLoss(mse, steps.mul(0), steps, [
        [1, 0],
        [0, 1],
      ]).item(),
    ).toBe(2.5);
  });

  test('refuses weights of another shape', () => {
    expect(() => meanLoss(mse, t, p, [1, 2, 3])).toThrow(
      'meanSquaredError: sampleWeight must have the shape of the losses, [2], or its first axes; got [3].',
    );
    expect(() => meanLoss(mse, t, p, [[1], [2]])).toThrow(ShapeError);
  });
});

describe('extreme values', () => {
  test.each([
    ['logCosh', losses.logCosh(), [[0]], [[1000]], 1000 - Math.LN2],
    ['binary from logits', losses.binaryCrossentropy({ fromLogits: true }), [[1]], [[-1e4]], 1e4],
    [
      'categorical from logits',
      losses.categoricalCrossentropy({ fromLogits: true }),
      [[0, 1]],
      [[1e4, 0]],
      1e4,
    ],
    ['a zero vector has no direction', losses.cosineSimilarity(), [[0, 0]], [[1, 2]], 0],
    ['a target of 0 in percent', losses.meanAbsolutePercentageError(), [[0]], [[1e-7]], 100],
    ['poisson of 0', losses.poisson(), [[0]], [[0]], 0],
  ])('%s', (_, loss, t, p, wanted) => {
    const x = variable(p, 'float64');
    const value = meanLoss(loss, constant(t), x);
    value.backward();
    expect(value.item()).toBeCloseTo(wanted, 9);
    expect(x.grad?.value.toTypedArray().every((g) => Number.isFinite(g))).toBe(true);
  });
});

describe('settings', () => {
  test.each([
    [() => losses.huber({ delta: 0 }), 'huber: delta must be a number above 0; got 0.'],
    [
      () => losses.binaryCrossentropy({ labelSmoothing: 1.5 }),
      'binaryCrossentropy: labelSmoothing must be from 0 to 1; got 1.5.',
    ],
    [
      () => losses.categoricalCrossentropy({ labelSmoothing: NaN }),
      /labelSmoothing must be from 0 to 1; got NaN/,
    ],
    [
      () => losses.categoricalCrossentropy({ fromLogit: true } as object),
      /Unknown option of categoricalCrossentropy 'fromLogit'. Did you mean 'fromLogits'\?/,
    ],
    [
      () => losses.sparseCategoricalCrossentropy({ labelSmoothing: 0.1 } as object),
      /Unknown option of sparseCategoricalCrossentropy 'labelSmoothing'/,
    ],
  ])('%#: out of range or unknown is an error', (act, message) => {
    expect(act).toThrow(message);
  });

  test('hinge takes labels of 0 and 1 as signs only when there are no others', () => {
    const p = constant([[0.5, 0.5]]);
    const hinge = losses.hinge();
    expect(hinge.perSample(constant([[0, 1]]), p).toArray()).toEqual([1]);
    expect(hinge.perSample(constant([[-1, 1]]), p).toArray()).toEqual([1]);
    expect(hinge.perSample(constant([[1, 1]]), p).toArray()).toEqual([0.5]);
    // A label of 0 among others stays 0.
    expect(hinge.perSample(constant([[0, -1]]), p).toArray()).toEqual([1.25]);
  });
});

describe('getLoss', () => {
  test('short names are the long ones', () => {
    const short = ['mse', 'mae', 'mape', 'msle', 'kld', 'klDivergence', 'bce'] as const;
    expect(short.map((name) => losses.getLoss(name).name)).toEqual([
      'meanSquaredError',
      'meanAbsoluteError',
      'meanAbsolutePercentageError',
      'meanSquaredLogarithmicError',
      'kullbackLeiblerDivergence',
      'kullbackLeiblerDivergence',
      'binaryCrossentropy',
    ]);
  });

  test('takes an object as it is and a function as a loss of its name', () => {
    const own = losses.huber({ delta: 2 });
    expect(losses.getLoss(own)).toBe(own);
    const cubic = (t: Variable, p: Variable): Variable => p.sub(t).abs().pow(3).mean(-1);
    const loss = losses.getLoss(cubic);
    expect(loss.name).toBe('cubic');
    expect(meanLoss(loss, constant([[1]]), constant([[3]])).item()).toBe(8);
  });
});

describe('meanLoss of predictions with a mask', () => {
  const masked = (values: number[][][], mask: boolean[][]): Variable => {
    const p = variable(values, 'float64');
    setMask(p, tensor(mask));
    return p;
  };
  const zero = variable(zeros([2, 2, 1], 'float64'));
  const [here, gone] = [true, false];

  test('is the mean over the steps that it leaves in', () => {
    const p = masked([[[1], [NaN]], [[3], [5]]], [[here, gone], [here, here]]); // prettier-ignore
    expect(meanLoss(losses.meanAbsoluteError(), zero, p).item()).toBe((1 + 3 + 5) / 3);
    const weights = [10, 1];
    expect(meanLoss(losses.meanAbsoluteError(), zero, p, weights).item()).toBe((10 + 3 + 5) / 3);
  });

  test('is 0 without any, and the mean of all where the losses are not one for each step', () => {
    const none = masked([[[1], [2]], [[3], [5]]], [[gone, gone], [gone, gone]]); // prettier-ignore
    expect(meanLoss(losses.meanAbsoluteError(), zero, none).item()).toBe(0);
    const each = { name: 'each', perSample: (_: Variable, p: Variable) => p.sum([1, 2]) };
    expect(meanLoss(each, zero, none).item()).toBe((3 + 8) / 2);
  });
});
