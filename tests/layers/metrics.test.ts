import { ShapeError, ValueError, ops, tensor, type Tensor } from '@tapegrad/tensor';
import { type Variable } from '@tapegrad/autograd';
import { losses, metrics, type Metric } from '@tapegrad/layers';
import { Numbers } from '../support/numbers.js';

const { getMetric } = metrics;

/** Scores [rows, classes] without ties, and the true class of each row. */
function scores(seed: number, rows: number, classes: number) {
  const numbers = new Numbers(seed);
  const p = Array.from({ length: rows }, () =>
    numbers.shuffled(Array.from({ length: classes }, (_, i) => (i + numbers.next() / 2) / classes)),
  );
  const labels = p.map(() => numbers.integer(0, classes - 1));
  const oneHot = labels.map((label) => Array.from({ length: classes }, (_, i) => +(i === label)));
  const weights = p.map(() => numbers.integer(0, 4) / 4);
  return { p, labels, oneHot, weights };
}

/** The weighted share of rows whose true class is among the first k, by sorting. */
function share(p: number[][], labels: number[], k: number, weights?: number[]): number {
  let [hits, count] = [0, 0];
  p.forEach((row, i) => {
    const order = row.map((_, c) => c).sort((a, b) => row[b] - row[a]);
    const weight = weights?.[i] ?? 1;
    count += weight;
    if (order.slice(0, k).includes(labels[i])) hits += weight;
  });
  return hits / count;
}

function once(metric: Metric, yTrue: Tensor, yPred: Tensor, weight?: Tensor) {
  metric.update(yTrue, yPred, weight);
  return metric.result();
}

describe.each([1, 2, 3])('rows of seed %d', (seed) => {
  const { p, labels, oneHot, weights } = scores(seed, 40, 6);
  const yPred = tensor(p);
  const hot = tensor(oneHot);
  const sparse = tensor(labels, 'int32');

  test('accuracies are the share of hits, counted by sorting, with weights and without', () => {
    const all: [Metric, Tensor, number][] = [
      [metrics.categoricalAccuracy(), hot, 1],
      [metrics.sparseCategoricalAccuracy(), sparse, 1],
      [metrics.sparseCategoricalAccuracy(), sparse.reshape([40, 1]).cast('float32'), 1],
      [metrics.topKCategoricalAccuracy({ k: 3 }), hot, 3],
      [metrics.sparseTopKCategoricalAccuracy({ k: 2 }), sparse, 2],
    ];
    for (const [metric, yTrue, k] of all) {
      expect(once(metric, yTrue, yPred)).toBeCloseTo(share(p, labels, k), 14);
      metric.reset();
      expect(metric.result()).toBe(0);
      expect(once(metric, yTrue, yPred, tensor(weights))).toBeCloseTo(
        share(p, labels, k, weights),
        14,
      );
    }
  });

  test('batches one after another give what the whole gives', () => {
    const whole = once(metrics.categoricalAccuracy(), hot, yPred);
    const metric = metrics.categoricalAccuracy();
    for (const [from, to] of [
      [0, 7],
      [7, 8],
      [8, 40],
    ]) {
      const rows = (t: Tensor): Tensor => t.slice({ begin: [from, 0], size: [to - from, 6] });
      metric.update(rows(hot), rows(yPred));
    }
    expect(metric.result()).toBe(whole);
  });

  test('views in any layout count the same', () => {
    const turned = (t: Tensor): Tensor => t.transpose().copy().transpose();
    for (const make of [
      metrics.categoricalAccuracy,
      metrics.binaryAccuracy,
      metrics.precision,
      metrics.recall,
    ])
      expect(once(make(), turned(hot), turned(yPred))).toBe(once(make(), hot, yPred));
  });

  test('precision and recall are ratios of counts, at each threshold and with weights', () => {
    const thresholds = [0.2, 0.5, 0.8];
    const expected = thresholds.map((threshold) => {
      let [both, predicted, actual] = [0, 0, 0];
      p.forEach((row, i) =>
        row.forEach((score, c) => {
          if (score > threshold) predicted += weights[i];
          if (c === labels[i]) actual += weights[i];
          if (score > threshold && c === labels[i]) both += weights[i];
        }),
      );
      return { precision: both / predicted, recall: both / actual };
    });
    const yPred64 = tensor(p, 'float64');
    const weight = tensor(weights);
    const precisions = once(metrics.precision({ thresholds }), hot, yPred64, weight) as number[];
    const recalls = once(metrics.recall({ thresholds }), hot, yPred64, weight) as number[];
    thresholds.forEach((_, i) => {
      expect(precisions[i]).toBeCloseTo(expected[i].precision, 13);
      expect(recalls[i]).toBeCloseTo(expected[i].recall, 13);
    });
  });
});

describe('edges', () => {
  test('of equal scores the first counts, in targets and predictions', () => {
    const metric = metrics.categoricalAccuracy();
    metric.update(
      tensor([
        [0, 1],
        [1, 0],
        [1, 1],
      ]),
      tensor([
        [0.5, 0.5],
        [0.5, 0.5],
        [0.9, 0.1],
      ]),
    );
    expect(metric.result()).toBeCloseTo(2 / 3, 15);
  });

  test('a row of NaN is no hit among the first k', () => {
    const metric = metrics.topKCategoricalAccuracy({ k: 1 });
    metric.update(
      tensor([
        [1, 0],
        [0, 1],
      ]),
      tensor([
        [NaN, NaN],
        [0, NaN],
      ]),
    );
    expect(metric.result()).toBe(0);
    const accuracy = metrics.sparseCategoricalAccuracy();
    accuracy.update(
      tensor([0, 1]),
      tensor([
        [0.9, NaN],
        [0.9, NaN],
      ]),
    );
    // As NumPy's argmax: the NaN is the greatest.
    expect(accuracy.result()).toBe(0.5);
  });

  test('a threshold is met in the precision of the predictions', () => {
    for (const dtype of ['float32', 'float64'] as const) {
      const p = tensor([[0.3, 0.7, 0.1]], dtype);
      for (const threshold of [0.3, 0.7, 0.1]) {
        const at = p.toTypedArray().findIndex((v) => Math.abs(v - threshold) < 1e-6);
        const one = p.slice({ begin: [0, at], size: [1, 1] });
        expect(once(metrics.binaryAccuracy({ threshold }), tensor([[0]]), one)).toBe(1);
        expect(once(metrics.precision({ thresholds: threshold }), tensor([[1]]), one)).toBe(0);
      }
    }
  });

  test('a mask weighs nothing where it is false, alone and with weights; one of other axes is set aside', () => {
    const t = tensor([[[1, 2], [3, 4]], [[5, 6], [7, 8]]]); // prettier-ignore
    const p = tensor([[[1, 2], [4, 5]], [[7, 8], [10, 11]]]); // prettier-ignore
    const mask = tensor([[true, false], [true, true]]); // prettier-ignore
    const mae = (weight?: Tensor, of: Tensor = mask) => {
      const metric = metrics.lossMetric(losses.meanAbsoluteError());
      metric.update(t, p, weight, of);
      return metric.result();
    };
    expect(mae()).toBe((0 + 2 + 3) / 3);
    expect(mae(tensor([1, 3]))).toBe((3 * 2 + 3 * 3) / (1 + 3 + 3));
    expect(mae(tensor([[4, 1], [0, 2]]))).toBe((2 * 3) / (4 + 2)); // prettier-ignore
    expect(mae(undefined, tensor([[false], [false]]))).toBe((0 + 1 + 2 + 3) / 4);
    const precision = metrics.precision({ thresholds: 4.5 });
    precision.update(tensor([[[1, 0], [1, 0]], [[1, 0], [0, 0]]]), p, undefined, mask); // prettier-ignore
    expect(precision.result()).toBe(1 / 4);
  });

  test('binary accuracy is about targets of 0 and 1: no other is ever hit', () => {
    // As keras.metrics.BinaryAccuracy of Keras 3.15, the mean of y_true == (y_pred > 0.5).
    const yTrue = tensor([-1, -1, 0.25, 0.75, 0, 1]);
    const yPred = tensor([0.2, 0.8, 0.2, 0.8, 0.2, 0.8]);
    expect(once(metrics.binaryAccuracy(), yTrue, yPred)).toBeCloseTo(2 / 6, 15);
  });

  test('binary accuracy takes [n] and [n, 1] for the same, never all against all', () => {
    expect(
      once(metrics.binaryAccuracy(), tensor([1, 0, 1]), tensor([[0.9], [0.1], [0.2]])),
    ).toBeCloseTo(2 / 3, 15);
    expect(() => once(metrics.binaryAccuracy(), tensor([1, 0]), tensor([[0.9, 0.1]]))).toThrow(
      'binaryAccuracy: yTrue and yPred must have the same shape; got [2] and [1, 2].',
    );
  });

  test('a weight for each sample covers all its elements', () => {
    const t = tensor([
      [1, 1],
      [1, 1],
    ]);
    const p = tensor([
      [1, 0],
      [0, 0],
    ]);
    expect(once(metrics.binaryAccuracy(), t, p, tensor([3, 1]))).toBe(3 / 8);
    expect(
      once(
        metrics.binaryAccuracy(),
        t,
        p,
        tensor([
          [1, 0],
          [0, 1],
        ]),
      ),
    ).toBe(0.5);
    expect(() => once(metrics.binaryAccuracy(), t, p, tensor([1, 2, 3]))).toThrow(ShapeError);
    expect(() => once(metrics.recall(), t, p, tensor([1, 2, 3]))).toThrow(
      'recall: sampleWeight must have the shape of the values, [2, 2], or its first axes; got [3].',
    );
  });
});

describe('errors', () => {
  const p = tensor([[0.5, 0.25, 0.25]]);
  test.each([
    [
      () => once(metrics.sparseCategoricalAccuracy(), tensor([3]), p),
      ValueError,
      /^sparseCategoricalAccuracy: label 3 at position 0 is out of range: the predictions have 3 classes/,
    ],
    [
      () => once(metrics.sparseCategoricalAccuracy(), tensor([1, 2]), p),
      ShapeError,
      /for predictions of shape \[1, 3\] the labels must have shape \[1\] or \[1, 1\]; got \[2\]/,
    ],
    [
      () => once(metrics.sparseCategoricalAccuracy(), p, p),
      ShapeError,
      /One-hot targets go with categoricalAccuracy\.$/,
    ],
    [
      () => once(metrics.sparseTopKCategoricalAccuracy(), p, p),
      ShapeError,
      /One-hot targets go with topKCategoricalAccuracy\.$/,
    ],
    [
      () => once(metrics.categoricalAccuracy(), tensor([1]), p),
      ShapeError,
      /^categoricalAccuracy: yTrue and yPred must both be \[batch, ..., classes\]; got \[1\] and \[1, 3\]/,
    ],
    [
      () => metrics.topKCategoricalAccuracy({ k: 0 }),
      ValueError,
      'topKCategoricalAccuracy: k must be a whole number of 1 or more; got 0.',
    ],
    [
      () => metrics.precision({ thresholds: [] }),
      ValueError,
      'precision: the list of thresholds is empty; give at least one.',
    ],
    [
      () => metrics.recall({ thresholds: [0.5, NaN] }),
      ValueError,
      'recall: a threshold must be a finite number; got NaN.',
    ],
    [
      () => metrics.binaryAccuracy({ treshold: 1 } as object),
      Error,
      /Unknown option of binaryAccuracy 'treshold'. Did you mean 'threshold'/,
    ],
    [
      () => getMetric('accuracy'),
      ValueError,
      "getMetric: which metric 'accuracy' is depends on the loss and the shapes; name one, such as 'categoricalAccuracy'.",
    ],
  ])('%#', (act, type, message) => {
    expect(act).toThrow(type);
    expect(act).toThrow(message);
  });
});

describe('getMetric', () => {
  const mse = losses.meanSquaredError();
  const bce = losses.binaryCrossentropy();
  const cce = losses.categoricalCrossentropy();
  const sparse = losses.sparseCategoricalCrossentropy();
  const half = (t: number[] | number[][], p: number[][], loss = mse) => {
    const [yTrue, yPred] = [tensor(t), tensor(p)];
    const context = { loss, outputShape: yPred.shape, targetShape: yTrue.shape };
    return once(getMetric('accuracy', context), yTrue, yPred);
  };

  test("'accuracy' is binary, categorical or sparse by the loss, or else by the shapes", () => {
    expect(half([[1], [0]], [[0.7], [0.6]])).toBe(0.5);
    expect(half([1, 0], [[0.7], [0.6]])).toBe(0.5);
    expect(
      half(
        [
          [1, 0],
          [0, 1],
        ],
        [
          [0.1, 0.2],
          [0.1, 0.2],
        ],
      ),
    ).toBe(0.5);
    expect(
      half(
        [1, 0],
        [
          [0.1, 0.2],
          [0.1, 0.2],
        ],
      ),
    ).toBe(0.5);
    expect(
      half(
        [[1], [0]],
        [
          [0.1, 0.2],
          [0.1, 0.2],
        ],
      ),
    ).toBe(0.5);
    // Several yes-or-no questions: every answer counts.
    expect(
      half(
        [
          [1, 0],
          [0, 1],
        ],
        [
          [0.9, 0.8],
          [0.1, 0.7],
        ],
        bce,
      ),
    ).toBe(0.75);
    expect(
      half(
        [
          [1, 0],
          [0, 1],
        ],
        [
          [0.9, 0.8],
          [0.1, 0.7],
        ],
        cce,
      ),
    ).toBe(1);
    expect(
      half(
        [0, 1],
        [
          [0.9, 0.8],
          [0.1, 0.7],
        ],
        sparse,
      ),
    ).toBe(1);
  });

  test("'acc' is the same, and the name in the logs is the one given", () => {
    const context = { loss: cce, outputShape: [2, 2], targetShape: [2, 2] };
    expect(getMetric('acc', context).name).toBe('acc');
    expect(getMetric('accuracy', context).name).toBe('accuracy');
    expect(getMetric('ce', context).name).toBe('ce');
    expect(getMetric('mse').name).toBe('mse');
    expect(getMetric('precision').name).toBe('precision');
    expect(metrics.recall({ name: 'sensitivity' }).name).toBe('sensitivity');
  });

  test("'crossentropy' is the loss itself where it is one, else by the shapes", () => {
    const t = tensor([[1, 0]]);
    const logits = tensor([[2, -1]]);
    const context = { outputShape: [1, 2], targetShape: [1, 2] };
    const fromLogits = losses.categoricalCrossentropy({ fromLogits: true });
    const found = once(getMetric('crossentropy', { ...context, loss: fromLogits }), t, logits);
    expect(found).toBeCloseTo(Math.log(1 + Math.exp(-3)), 6);
    const p = tensor([[0.25, 0.75]]);
    expect(once(getMetric('ce', { ...context, loss: mse }), t, p)).toBeCloseTo(Math.log(4), 6);
  });

  test('a loss by name, a loss object and a function are averaged over samples', () => {
    const [t, p] = [
      tensor([
        [1, 2],
        [3, 4],
      ]),
      tensor([
        [1, 4],
        [3, 3],
      ]),
    ];
    expect(once(getMetric('mse'), t, p)).toBe(1.25);
    expect(once(getMetric('mae'), t, p, tensor([1, 3]))).toBe((1 + 3 * 0.5) / 4);
    expect(once(getMetric(losses.meanAbsoluteError()), t, p)).toBe(0.75);
    const worst = (a: Variable, b: Variable): Variable => a.sub(b).abs().max(-1);
    const metric = getMetric(worst);
    expect(metric.name).toBe('worst');
    expect(once(metric, t, p)).toBe(1.5);
    const own = metrics.categoricalAccuracy();
    expect(getMetric(own)).toBe(own);
  });

  test('cosineSimilarity is the cosine, not the loss, which is its negative', () => {
    expect(once(getMetric('cosineSimilarity'), tensor([[1, 0]]), tensor([[1, 1]]))).toBeCloseTo(
      Math.SQRT1_2,
      6,
    );
  });

  test.each(metrics.metricNames)('%s can be made and takes a batch', (name) => {
    const sparseTargets = name.startsWith('sparse');
    const yPred = ops.softmax(
      tensor([
        [0.5, 1, 2],
        [1, 2, 0.25],
      ]),
    );
    const yTrue = sparseTargets
      ? tensor([0, 1], 'int32')
      : tensor([
          [1, 0, 0],
          [0, 1, 0],
        ]);
    const context = { loss: cce, outputShape: yPred.shape, targetShape: yTrue.shape };
    const metric = getMetric(name, context);
    expect(metric.name).toBe(name);
    expect(Number.isFinite(once(metric, yTrue, yPred))).toBe(true);
  });
});
