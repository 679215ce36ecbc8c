/**
 * Metrics: what is measured over all batches since the last `reset`. They are told of finished batches and have no part
 * in the gradient.
 */
import {
  ShapeError,
  ValueError,
  formatShape,
  sameShape,
  sizeOf,
  type Shape,
  type Tensor,
  type TypedArray,
} from '@tapegrad/tensor';
import { Variable, noGrad } from '@tapegrad/autograd';
import { checkVariable } from './checks.js';
import * as losses from './losses.js';
import type { Loss, LossFunction, LossName } from './losses.js';
import { checkName, checkOptions } from './registry.js';
import { made } from './saving/recipes.js';
import {
  ConfusionRatio,
  MeanMetric,
  checkThreshold,
  flat,
  inPrecisionOf,
  type ConfusionOptions,
  type Metric,
  type MetricOptions,
  type Values,
} from './running.js';
import { badLabel, comparedShape, labelShape } from './targets.js';

export { MeanMetric, type ConfusionOptions, type Metric, type MetricOptions } from './running.js';

/** The index of the greatest of n numbers, the first of equals; of a NaN if there is one. */
function argmax(n: number, data: TypedArray, offset: number): number {
  let best = 0;
  let greatest = data[offset];
  if (greatest !== greatest) return 0;
  for (let i = 1; i < n; i++) {
    const v = data[offset + i];
    if (v <= greatest) continue;
    best = i;
    greatest = v;
    if (v !== v) break;
  }
  return best;
}

function checkOneHot(name: string, yTrue: Tensor, yPred: Tensor): void {
  if (yPred.rank < 2 || !sameShape(yTrue.shape, yPred.shape)) {
    throw new ShapeError(
      `${name}: yTrue and yPred must both be [batch, ..., classes]; got ${formatShape(yTrue.shape)} and ` +
        `${formatShape(yPred.shape)}.`,
    );
  }
}

/** 1 for each row of scores that `hit` says yes to, else 0. `label` is the true class of the row. */
function hitsOf(
  yPred: Tensor,
  labelOf: (row: number) => number,
  hit: (n: number, scores: TypedArray, offset: number, label: number) => boolean,
): Values {
  const classes = yPred.shape[yPred.rank - 1];
  const shape = yPred.shape.slice(0, -1);
  const { data, offset } = flat(yPred);
  const hits = new Uint8Array(sizeOf(shape));
  for (let row = 0; row < hits.length; row++) {
    hits[row] = hit(classes, data, offset + row * classes, labelOf(row)) ? 1 : 0;
  }
  return { shape, values: hits };
}

/** The true class of each row of one-hot targets. */
function oneHotLabels(name: string, yTrue: Tensor, yPred: Tensor): (row: number) => number {
  checkOneHot(name, yTrue, yPred);
  const classes = yTrue.shape[yTrue.rank - 1];
  const { data, offset } = flat(yTrue);
  return (row) => argmax(classes, data, offset + row * classes);
}

/** The true class of each row, from labels that are checked. */
function sparseLabels(name: string, yTrue: Tensor, yPred: Tensor): (row: number) => number {
  labelShape(name, yTrue.shape, yPred.shape);
  const classes = yPred.shape[yPred.rank - 1];
  const { data, offset } = flat(yTrue);
  return (row) => {
    const label = data[offset + row];
    if (label >= 0 && label < classes && Number.isInteger(label)) return label;
    throw badLabel(name, label, row, classes);
  };
}

const greatestHits = (n: number, scores: TypedArray, offset: number, label: number): boolean =>
  argmax(n, scores, offset) === label;

/** Among the first k: fewer than k scores are greater. A NaN counts as greater, so that a row of NaN is no hit. */
function amongFirst(k: number): typeof greatestHits {
  return (n, scores, offset, label) => {
    let greater = 0;
    for (let i = 0; i < n; i++) if (!(scores[offset + i] <= scores[offset + label])) greater++;
    return greater < k;
  };
}

/**
 * The share of elements whose prediction is on the right side of the threshold (default 0.5): above it for a true 1, not
 * above it for a true 0. Targets that are neither, as −1, are never hit.
 *
 * @throws ShapeError (in update) unless yTrue and yPred have the same shape, [n] and [n, 1] being taken as the same
 * @example
 * const metric = metrics.binaryAccuracy();
 * metric.update(tensor([[1], [0], [1]]), tensor([[0.9], [0.2], [0.5]]));
 * metric.result(); // 0.6667
 */
export function binaryAccuracy(options: { threshold?: number } & MetricOptions = {}): Metric {
  checkOptions('binaryAccuracy', options, ['threshold', 'name']);
  const { threshold = 0.5, name = 'binaryAccuracy' } = options;
  checkThreshold(name, threshold);
  return made(
    'metrics.binaryAccuracy',
    [options],
    new MeanMetric(name, (yTrue, yPred) => {
      const shape = comparedShape(name, yTrue.shape, yPred.shape);
      const [t, p] = [flat(yTrue), flat(yPred)];
      const limit = inPrecisionOf(yPred, threshold);
      const hits = new Uint8Array(yPred.size);
      for (let i = 0; i < hits.length; i++) {
        const predicted = p.data[p.offset + i] > limit ? 1 : 0;
        hits[i] = t.data[t.offset + i] === predicted ? 1 : 0;
      }
      return { shape, values: hits };
    }),
  );
}

/**
 * The share of rows whose greatest score is at the place of the 1 of the one-hot target.
 *
 * @throws ShapeError (in update) unless both are [batch, ..., classes]
 * @example
 * const metric = metrics.categoricalAccuracy();
 * metric.update(tensor([[0, 1], [1, 0]]), tensor([[0.2, 0.8], [0.4, 0.6]]));
 * metric.result(); // 0.5
 */
export function categoricalAccuracy(options: MetricOptions = {}): Metric {
  checkOptions('categoricalAccuracy', options, ['name']);
  const { name = 'categoricalAccuracy' } = options;
  return made(
    'metrics.categoricalAccuracy',
    [options],
    new MeanMetric(name, (yTrue, yPred) =>
      hitsOf(yPred, oneHotLabels(name, yTrue, yPred), greatestHits),
    ),
  );
}

/**
 * The share of rows whose greatest score is at the label's place. Labels [batch, ...] or [batch, ..., 1].
 *
 * @throws ShapeError, ValueError (in update) for labels that do not fit
 * @example
 * const metric = metrics.sparseCategoricalAccuracy();
 * metric.update(tensor([1, 0]), tensor([[0.2, 0.8], [0.4, 0.6]]));
 * metric.result(); // 0.5
 */
export function sparseCategoricalAccuracy(options: MetricOptions = {}): Metric {
  checkOptions('sparseCategoricalAccuracy', options, ['name']);
  const { name = 'sparseCategoricalAccuracy' } = options;
  return made(
    'metrics.sparseCategoricalAccuracy',
    [options],
    new MeanMetric(name, (yTrue, yPred) =>
      hitsOf(yPred, sparseLabels(name, yTrue, yPred), greatestHits),
    ),
  );
}

/**
 * The share of rows in which fewer than k (default 5) scores are greater than the true class's; targets are one-hot.
 *
 * @throws ValueError unless k is a whole number of at least 1
 * @example
 * const metric = metrics.topKCategoricalAccuracy({ k: 2 });
 * metric.update(tensor([[1, 0, 0]]), tensor([[0.3, 0.5, 0.2]]));
 * metric.result(); // 1
 */
export function topKCategoricalAccuracy(options: { k?: number } & MetricOptions = {}): Metric {
  checkOptions('topKCategoricalAccuracy', options, ['k', 'name']);
  const { k = 5, name = 'topKCategoricalAccuracy' } = options;
  const hit = amongFirst(checkK(name, k));
  return made(
    'metrics.topKCategoricalAccuracy',
    [options],
    new MeanMetric(name, (yTrue, yPred) => hitsOf(yPred, oneHotLabels(name, yTrue, yPred), hit)),
  );
}

/**
 * As `topKCategoricalAccuracy`, for labels instead of one-hot targets.
 *
 * @throws ValueError unless k is a whole number of at least 1
 * @example
 * const metric = metrics.sparseTopKCategoricalAccuracy({ k: 2 });
 * metric.update(tensor([2]), tensor([[0.3, 0.5, 0.2]]));
 * metric.result(); // 0
 */
export function sparseTopKCategoricalAccuracy(
  options: { k?: number } & MetricOptions = {},
): Metric {
  checkOptions('sparseTopKCategoricalAccuracy', options, ['k', 'name']);
  const { k = 5, name = 'sparseTopKCategoricalAccuracy' } = options;
  const hit = amongFirst(checkK(name, k));
  return made(
    'metrics.sparseTopKCategoricalAccuracy',
    [options],
    new MeanMetric(name, (yTrue, yPred) => hitsOf(yPred, sparseLabels(name, yTrue, yPred), hit)),
  );
}

/**
 * The mean of a loss over all samples as a metric.
 * @example
 * const metric = metrics.lossMetric(losses.huber({ delta: 2 }));
 * metric.update(tensor([[0]]), tensor([[1]]));
 * metric.result(); // 0.5
 */
export function lossMetric(loss: Loss, { name = loss.name }: MetricOptions = {}): Metric {
  return made(
    'metrics.lossMetric',
    [loss, { name }],
    new MeanMetric(name, (yTrue, yPred) => {
      const { value } = checkVariable(
        `${name}: a metric must return a Variable, computed by ops`,
        noGrad(() => loss.perSample(new Variable(yTrue), new Variable(yPred))),
      );
      return { shape: value.shape, values: value.toTypedArray() };
    }),
  );
}

/**
 * The share of true ones among the predicted ones; 0 when nothing is predicted.
 *
 * @throws ValueError for an empty list of thresholds, or one that is no number
 * @example
 * const metric = metrics.precision();
 * metric.update(tensor([1, 0, 1]), tensor([0.9, 0.8, 0.1]));
 * metric.result(); // 0.5
 */
export function precision(options: ConfusionOptions = {}): Metric {
  return made('metrics.precision', [options], new ConfusionRatio('precision', true, options));
}

/**
 * The share of predicted ones among the true ones; 0 when there are none.
 *
 * @throws ValueError for an empty list of thresholds, or one that is no number
 * @example
 * const metric = metrics.recall({ thresholds: [0.05, 0.5] });
 * metric.update(tensor([1, 0, 1]), tensor([0.9, 0.8, 0.1]));
 * metric.result(); // [1, 0.5]
 */
export function recall(options: ConfusionOptions = {}): Metric {
  return made('metrics.recall', [options], new ConfusionRatio('recall', false, options));
}

function checkK(name: string, k: number): number {
  if (!Number.isInteger(k) || k < 1) {
    throw new ValueError(`${name}: k must be a whole number of 1 or more; got ${k}.`);
  }
  return k;
}

/**
 * The mean cosine of the angle between target and prediction along an axis (default the last): the loss of that name
 * without its minus sign, as in Keras.
 * @example
 * const metric = metrics.cosineSimilarity();
 * metric.update(tensor([[1, 0]]), tensor([[1, 1]]));
 * metric.result(); // 0.7071
 */
export function cosineSimilarity(options: { axis?: number } & MetricOptions = {}): Metric {
  checkOptions('cosineSimilarity', options, ['axis', 'name']);
  const { axis, name = 'cosineSimilarity' } = options;
  const loss = losses.cosineSimilarity({ axis });
  return made(
    'metrics.cosineSimilarity',
    [options],
    lossMetric({ name, perSample: (t, p) => loss.perSample(t, p).neg() }),
  );
}

const TABLE = {
  binaryAccuracy,
  categoricalAccuracy,
  sparseCategoricalAccuracy,
  topKCategoricalAccuracy,
  sparseTopKCategoricalAccuracy,
  precision,
  recall,
  cosineSimilarity,
} satisfies Record<string, (options: MetricOptions) => Metric>;

/** What a saved model may call. */
export const metricFactories = { ...TABLE, lossMetric };

/** Names that stand for one of several metrics, by the loss and the shapes. */
const RESOLVED = {
  accuracy: accuracyFor,
  acc: accuracyFor,
  crossentropy: crossentropyFor,
  ce: crossentropyFor,
} satisfies Record<string, (name: string, context: MetricContext) => Metric>;

/**
 * The name of any metric: its own, that of any loss, and 'accuracy' or 'crossentropy' (short 'acc', 'ce'), which are binary,
 * categorical or sparse as the loss is, or with other losses as the shapes say.
 */
export type MetricName = keyof typeof TABLE | keyof typeof RESOLVED | LossName;

/** How a metric is given: by name, as a metric or loss object, or as a function with one value for each sample. */
export type MetricId = MetricName | Metric | Loss | LossFunction;

/** What decides which accuracy 'accuracy' is. */
export interface MetricContext {
  readonly loss: Loss;
  /** Of a batch of predictions. */
  readonly outputShape: Shape;
  /** Of a batch of targets. */
  readonly targetShape: Shape;
}

/** All names. */
export const metricNames = [
  ...Object.keys(TABLE),
  ...Object.keys(RESOLVED),
  ...losses.lossNames.filter((name) => !Object.hasOwn(TABLE, name)),
] as MetricName[];

type Kind = 'binary' | 'categorical' | 'sparse';

/**
 * What the targets are: the loss says it (in Keras 3 it has no say), or else as in Keras the shapes do. One output: binary;
 * labels where the predictions have classes: sparse; otherwise one-hot.
 */
function kindOf({ loss, outputShape, targetShape }: MetricContext): Kind {
  if (loss.name === 'binaryCrossentropy') return 'binary';
  if (loss.name === 'categoricalCrossentropy') return 'categorical';
  if (loss.name === 'sparseCategoricalCrossentropy') return 'sparse';
  const outputs = outputShape.length < 2 ? 1 : outputShape[outputShape.length - 1];
  if (outputs === 1) return 'binary';
  const labels =
    targetShape.length < outputShape.length || targetShape[targetShape.length - 1] === 1;
  return labels ? 'sparse' : 'categorical';
}

function accuracyFor(name: string, context: MetricContext): Metric {
  const factories = {
    binary: binaryAccuracy,
    categorical: categoricalAccuracy,
    sparse: sparseCategoricalAccuracy,
  };
  return factories[kindOf(context)]({ name });
}

function crossentropyFor(name: string, context: MetricContext): Metric {
  if (context.loss.name.toLowerCase().endsWith('crossentropy')) {
    return lossMetric(context.loss, { name });
  }
  const factories = {
    binary: losses.binaryCrossentropy,
    categorical: losses.categoricalCrossentropy,
    sparse: losses.sparseCategoricalCrossentropy,
  };
  return lossMetric(factories[kindOf(context)](), { name });
}

/**
 * A metric by name (which is then its key in the logs), as it is, or around a loss or a function.
 *
 * @param context needed for 'accuracy' and 'crossentropy' alone
 * @throws UnknownNameError listing the known names
 * @throws ValueError for 'accuracy' or 'crossentropy' without a context
 * @example
 * metrics.getMetric('mse').name; // 'mse'
 */
export function getMetric(id: MetricId, context?: MetricContext): Metric {
  if (typeof id === 'function') {
    return lossMetric({ name: id.name === '' ? 'metric' : id.name, perSample: id });
  }
  if (typeof id === 'object' && id !== null) return 'perSample' in id ? lossMetric(id) : id;
  if (isIn(RESOLVED, id)) {
    if (context === undefined) {
      throw new ValueError(
        `getMetric: which metric '${id}' is depends on the loss and the shapes; name one, such as 'categoricalAccuracy'.`,
      );
    }
    return RESOLVED[id](id, context);
  }
  if (isIn(TABLE, id)) return TABLE[id]({ name: id });
  checkName('metric', id, metricNames);
  return lossMetric(losses.getLoss(id), { name: id });
}

function isIn<T extends object>(table: T, name: string): name is string & keyof T {
  return Object.hasOwn(table, name);
}
