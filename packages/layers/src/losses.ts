/**
 * Losses: how far predictions are from targets, one number for each sample. The formulas are Keras 3's.
 */
import {
  ShapeError,
  ValueError,
  duringRun,
  formatShape,
  normalizeAxis,
  sameShape,
  type Tensor,
} from '@tapegrad/tensor';
import { Variable, ops, toVariable, type VariableLike } from '@tapegrad/autograd';
import { logitsOf } from './activations.js';
import { checkVariable } from './checks.js';
import { maskOf } from './masks.js';
import { checkOptions, lookup } from './registry.js';
import { made } from './saving/recipes.js';
import { checkLabels, inShape, isForFirstAxes, labelShape, matched } from './targets.js';

/** What Keras adds or clips to, so that no logarithm and no quotient is infinite. */
const EPSILON = 1e-7;

/** A loss: its name, and the loss of each sample. */
export interface Loss {
  readonly name: string;
  /**
   * yTrue and yPred of the same shape [batch, ..., features] (or labels, see the sparse losses) → [batch, ...]: the
   * predictions' shape without the last axis.
   */
  perSample(yTrue: Variable, yPred: Variable): Variable;
}

/** A loss of one's own: from yTrue and yPred to one number for each sample. */
export type LossFunction = (yTrue: Variable, yPred: Variable) => Variable;

/**
 * The mean of a loss over a batch: Σ weight·loss / n, with n the number of losses (Keras's 'sumOverBatchSize': the weights
 * do not change what the sum is divided by). Where the predictions have a mask [batch, time] and the losses one for each step
 * (or more), n counts those of the steps that the mask leaves in, and the others are left out; without any the mean is 0.
 *
 * @param sampleWeight [batch], or the shape of the losses
 * @throws ShapeError when the weights do not fit; ValueError when the loss returns anything but a Variable
 * @example losses.meanLoss(losses.meanSquaredError(), variable([[1], [3]]), variable([[0], [0]])); // 5
 */
export function meanLoss(
  loss: Loss,
  yTrue: Variable,
  yPred: Variable,
  sampleWeight?: VariableLike,
): Variable {
  const values = checkVariable(
    `${loss.name}: a loss must return a Variable, computed by ops`,
    loss.perSample(yTrue, yPred),
  );
  const mask = maskOf(yPred);
  if (sampleWeight === undefined) return meanOf(values, mask);
  const weight = toVariable(sampleWeight);
  if (!isForFirstAxes(weight.shape, values.shape)) {
    throw new ShapeError(
      `${loss.name}: sampleWeight must have the shape of the losses, ${formatShape(values.shape)}, or its first axes; got ` +
        `${formatShape(weight.shape)}.`,
    );
  }
  const shape = values.shape.map((n, i) => (i < weight.rank ? n : 1));
  return meanOf(values.mul(inShape(weight.cast(values.dtype), shape)), mask);
}

/** The mean of the values that a mask of their first axes leaves in; of all where there is none for these axes. */
function meanOf(values: Variable, mask: Tensor | null): Variable {
  if (mask === null || !isForFirstAxes(mask.shape, values.shape)) return values.mean();
  const shape = values.shape.map((n, i) => (i < mask.rank ? n : 1));
  const perStep = values.size / mask.size;
  const count = mask.cast(values.dtype).sum().mul(perStep).maximum(1);
  return ops.where(mask.reshape(shape), values, 0).sum().div(new Variable(count));
}

/** The mean over the last axis; of one element it is that element, without an op that computes. */
function meanOfLast(x: Variable): Variable {
  return x.shape[x.rank - 1] === 1 ? x.squeeze(-1) : x.mean(-1);
}

/** A loss that compares targets and predictions of one shape, averaged over the last axis. */
function elementwise(
  name: string,
  of: (t: Variable, p: Variable) => Variable,
  options: object = {},
): Loss {
  return made(`losses.${name}`, [options], {
    name,
    perSample(yTrue: Variable, yPred: Variable) {
      const [t, p] = matched(name, yTrue, yPred);
      return meanOfLast(of(t, p));
    },
  });
}

/** A loss that takes the last axis of targets and predictions as a whole. */
function along(
  name: string,
  of: (t: Variable, p: Variable) => Variable,
  options: object = {},
): Loss {
  return made(`losses.${name}`, [options], {
    name,
    perSample: (yTrue: Variable, yPred: Variable) => of(...matched(name, yTrue, yPred)),
  });
}

/** mean (p − t)². @example losses.meanSquaredError().perSample(variable([[1, 2]]), variable([[1, 4]])); // [2] */
export function meanSquaredError(): Loss {
  return elementwise('meanSquaredError', (t, p) => p.squaredDifference(t));
}

/** mean |p − t|. @example losses.meanAbsoluteError().perSample(variable([[1, 2]]), variable([[1, 4]])); // [1] */
export function meanAbsoluteError(): Loss {
  return elementwise('meanAbsoluteError', (t, p) => p.sub(t).abs());
}

/**
 * 100·mean |(t − p) / max(|t|, ε)|, in percent.
 * @example losses.meanAbsolutePercentageError().perSample(variable([[2, 4]]), variable([[1, 4]])); // [25]
 */
export function meanAbsolutePercentageError(): Loss {
  return elementwise('meanAbsolutePercentageError', (t, p) =>
    t.sub(p).div(t.abs().maximum(EPSILON)).abs().mul(100),
  );
}

/**
 * mean (ln(1 + p) − ln(1 + t))², both at least ε.
 * @example losses.meanSquaredLogarithmicError().perSample(variable([[0]]), variable([[1]])); // [0.4805]
 */
export function meanSquaredLogarithmicError(): Loss {
  const log = (x: Variable): Variable => x.clip({ min: EPSILON }).log1p();
  return elementwise('meanSquaredLogarithmicError', (t, p) => log(p).squaredDifference(log(t)));
}

/**
 * The mean of e²/2 for errors |e| up to delta (default 1), and delta·(|e| − delta/2) beyond (Huber 1964).
 *
 * @throws ValueError unless delta is above 0
 * @example losses.huber().perSample(variable([[0, 0]]), variable([[0.5, 3]])); // [1.3125]
 */
export function huber(options: { delta?: number } = {}): Loss {
  checkOptions('huber', options, ['delta']);
  const { delta = 1 } = options;
  if (!(delta > 0 && delta < Infinity)) {
    throw new ValueError(`huber: delta must be a number above 0; got ${delta}.`);
  }
  return elementwise(
    'huber',
    (t, p) => {
      const error = p.sub(t).abs();
      const linear = error.sub(delta / 2).mul(delta);
      return ops.where(error.lessEqual(delta), error.square().mul(0.5), linear);
    },
    options,
  );
}

/**
 * The mean of ln cosh(p − t), as e + softplus(−2e) − ln 2, which cannot overflow.
 * @example losses.logCosh().perSample(variable([[0]]), variable([[1]])); // [0.4338]
 */
export function logCosh(): Loss {
  return elementwise('logCosh', (t, p) => {
    const error = p.sub(t);
    return error.add(error.mul(-2).softplus()).sub(Math.LN2);
  });
}

/** mean (p − t·ln(p + ε)). @example losses.poisson().perSample(variable([[1]]), variable([[2]])); // [1.3069] */
export function poisson(): Loss {
  return elementwise('poisson', (t, p) => p.sub(t.mul(p.add(EPSILON).log())));
}

/** Labels that are all 0 or 1 become −1 and 1; others stay. Done with ops alone, so that it can be recorded. */
function signs(t: Variable): Variable {
  const binary = t.equal(0).logicalOr(t.equal(1)).all();
  return ops.where(binary, t.mul(2).sub(1), t);
}

/**
 * mean max(1 − t·p, 0) for labels −1 and 1; labels that are all 0 or 1 are taken as −1 and 1.
 * @example losses.hinge().perSample(variable([[0, 1]]), variable([[-2, 0.5]])); // [0.25]
 */
export function hinge(): Loss {
  return elementwise('hinge', (t, p) => signs(t).mul(p).neg().add(1).relu());
}

/**
 * mean max(1 − t·p, 0)²; labels as for `hinge`.
 * @example losses.squaredHinge().perSample(variable([[0, 1]]), variable([[-2, 0.5]])); // [0.125]
 */
export function squaredHinge(): Loss {
  return elementwise('squaredHinge', (t, p) => signs(t).mul(p).neg().add(1).relu().square());
}

/**
 * max(1 − Σ t·p + max (1 − t)·p, 0) over the classes, for one-hot t: the true class's score should be 1 above all others.
 * @example losses.categoricalHinge().perSample(variable([[0, 1]]), variable([[0.5, 1]])); // [0.5]
 */
export function categoricalHinge(): Loss {
  return along('categoricalHinge', (t, p) => {
    const others = t.neg().add(1).mul(p).max(-1);
    return others.sub(t.mul(p).sum(-1)).add(1).relu();
  });
}

/**
 * Σ t·ln(t / p), both clipped to [ε, 1]: the divergence of the predicted distribution from the true one.
 * @example losses.kullbackLeiblerDivergence().perSample(variable([[0.5, 0.5]]), variable([[0.25, 0.75]])); // [0.1438]
 */
export function kullbackLeiblerDivergence(): Loss {
  const clipped = (x: Variable): Variable => x.clip({ min: EPSILON, max: 1 });
  return along('kullbackLeiblerDivergence', (t, p) => {
    const target = clipped(t);
    return target.mul(target.div(clipped(p)).log()).sum(-1);
  });
}

/**
 * −cos of the angle between target and prediction along an axis (default the last): −1 for the same direction. Where one
 * of them is 0 so is the loss.
 *
 * Shape: that of the predictions without the axis.
 * @example losses.cosineSimilarity().perSample(variable([[1, 0]]), variable([[1, 1]])); // [-0.7071]
 */
export function cosineSimilarity(options: { axis?: number } = {}): Loss {
  checkOptions('cosineSimilarity', options, ['axis']);
  const { axis = -1 } = options;
  return along(
    'cosineSimilarity',
    (t, p) => {
      const at = normalizeAxis('cosineSimilarity', axis, p.rank);
      // As Keras: x / max(‖x‖, ε)
      const unit = (x: Variable): Variable =>
        x.div(x.norm({ axis: at, keepDims: true }).maximum(EPSILON));
      return unit(t).mul(unit(p)).sum(at).neg();
    },
    options,
  );
}

/** Settings of the cross-entropies. */
export interface CrossentropyOptions {
  /** Whether predictions are logits, the inputs of softmax or sigmoid, and not probabilities. Default false. */
  fromLogits?: boolean;
  /** The share s of each label that is spread evenly over all classes. Default 0. */
  labelSmoothing?: number;
}

function checkSmoothing(name: string, smoothing: number): void {
  if (!(smoothing >= 0 && smoothing <= 1)) {
    throw new ValueError(`${name}: labelSmoothing must be from 0 to 1; got ${smoothing}.`);
  }
}

/**
 * The mean of −t·ln p − (1 − t)·ln(1 − p) for labels t in [0, 1] and probabilities p, clipped to [ε, 1 − ε]. Label
 * smoothing makes labels t·(1 − s) + s/2. Probabilities that come straight from the sigmoid activation are not clipped:
 * the loss is computed from its input, as one op.
 *
 * @throws ValueError unless labelSmoothing is from 0 to 1
 * @example losses.binaryCrossentropy().perSample(variable([[1, 0]]), variable([[0.5, 0.25]])); // [0.4904]
 */
export function binaryCrossentropy(options: CrossentropyOptions = {}): Loss {
  const name = 'binaryCrossentropy';
  checkOptions(name, options, ['fromLogits', 'labelSmoothing']);
  const { fromLogits = false, labelSmoothing = 0 } = options;
  checkSmoothing(name, labelSmoothing);
  return made(`losses.${name}`, [options], {
    name,
    perSample(yTrue: Variable, yPred: Variable) {
      const logits = fromLogits ? yPred : logitsOf(yPred, 'sigmoid');
      const [labels, predictions] = matched(name, yTrue, logits ?? yPred);
      const t =
        labelSmoothing === 0 ? labels : labels.mul(1 - labelSmoothing).add(labelSmoothing / 2);
      if (logits !== undefined) return meanOfLast(predictions.sigmoidCrossEntropy(t));
      const p = predictions.clip({ min: EPSILON, max: 1 - EPSILON });
      const negative = t.neg().add(1).mul(p.neg().add(1).log());
      return meanOfLast(t.mul(p.log()).add(negative)).neg();
    },
  });
}

/** ln of probabilities that are made to add up to 1, then clipped to [ε, 1 − ε]. */
function logProbabilities(p: Variable): Variable {
  const normalised = p.div(p.sum({ axis: -1, keepDims: true }));
  return normalised.clip({ min: EPSILON, max: 1 - EPSILON }).log();
}

/** One class alone has probability 1 whatever the model does: the loss would be 0, and nothing learnt. */
function checkClasses(name: string, yPred: Variable): void {
  if (yPred.rank < 2 || yPred.shape[yPred.rank - 1] < 2) {
    throw new ShapeError(
      `${name}: yPred must be [batch, ..., classes] with two classes or more; got ${formatShape(yPred.shape)}. For a single ` +
        `output use binaryCrossentropy.`,
    );
  }
}

/**
 * −Σ t·ln p over the classes (the last axis), for one-hot labels or distributions t and probabilities p, which are divided
 * by their sum and clipped to [ε, 1 − ε]. Label smoothing makes labels t·(1 − s) + s / classes. Probabilities that come
 * straight from the softmax activation are not clipped: the loss is computed from its input, as one op.
 *
 * @throws ValueError unless labelSmoothing is from 0 to 1
 * @throws ShapeError (when used) unless yTrue has the shape of yPred
 * @example losses.categoricalCrossentropy().perSample(variable([[0, 1]]), variable([[0.5, 0.5]])); // [0.6931]
 */
export function categoricalCrossentropy(options: CrossentropyOptions = {}): Loss {
  const name = 'categoricalCrossentropy';
  checkOptions(name, options, ['fromLogits', 'labelSmoothing']);
  const { fromLogits = false, labelSmoothing = 0 } = options;
  checkSmoothing(name, labelSmoothing);
  return made(`losses.${name}`, [options], {
    name,
    perSample(yTrue: Variable, yPred: Variable) {
      checkClasses(name, yPred);
      if (!sameShape(yTrue.shape, yPred.shape)) {
        throw new ShapeError(
          `${name}: yTrue must be one-hot, of the shape ${formatShape(yPred.shape)} of yPred; got ${formatShape(yTrue.shape)}. ` +
            `Turn labels into one-hot rows with toCategorical, or use sparseCategoricalCrossentropy.`,
        );
      }
      const classes = yPred.shape[yPred.rank - 1];
      let t = yTrue.dtype === yPred.dtype ? yTrue : yTrue.cast(yPred.dtype);
      if (labelSmoothing !== 0) t = t.mul(1 - labelSmoothing).add(labelSmoothing / classes);
      const logits = fromLogits ? yPred : logitsOf(yPred, 'softmax');
      if (logits !== undefined) return logits.softmaxCrossEntropy(t);
      return t.mul(logProbabilities(yPred)).sum(-1).neg();
    },
  });
}

/**
 * −ln p[label] for labels that are the classes' numbers: `categoricalCrossentropy` without the one-hot rows.
 *
 * Shapes: yTrue [batch, ...] or [batch, ..., 1] of whole numbers (of any dtype), yPred [batch, ..., classes].
 *
 * @throws ShapeError (when used) when the shapes do not fit
 * @throws ValueError (when used) for a label that is no whole number or not below the number of classes
 * @example losses.sparseCategoricalCrossentropy().perSample(variable([1]), variable([[0.5, 0.5]])); // [0.6931]
 */
export function sparseCategoricalCrossentropy(options: { fromLogits?: boolean } = {}): Loss {
  const name = 'sparseCategoricalCrossentropy';
  checkOptions(name, options, ['fromLogits']);
  const { fromLogits = false } = options;
  return made(`losses.${name}`, [options], {
    name,
    perSample(yTrue: Variable, yPred: Variable) {
      checkClasses(name, yPred);
      const classes = yPred.shape[yPred.rank - 1];
      const shape = labelShape(name, yTrue.shape, yPred.shape);
      duringRun([yTrue.value], (labels) => checkLabels(name, labels.toTypedArray(), classes));
      const whole = new Variable(yTrue.value.cast('int32').reshape(shape));
      const logits = fromLogits ? yPred : logitsOf(yPred, 'softmax');
      if (logits !== undefined) {
        return logits.softmaxCrossEntropy(whole.oneHot({ depth: classes, dtype: yPred.dtype }));
      }
      return logProbabilities(yPred).takeAlongAxis(whole.expandDims(-1)).squeeze(-1).neg();
    },
  });
}

const TABLE = {
  meanSquaredError,
  mse: meanSquaredError,
  meanAbsoluteError,
  mae: meanAbsoluteError,
  meanAbsolutePercentageError,
  mape: meanAbsolutePercentageError,
  meanSquaredLogarithmicError,
  msle: meanSquaredLogarithmicError,
  huber,
  logCosh,
  binaryCrossentropy,
  bce: binaryCrossentropy,
  categoricalCrossentropy,
  sparseCategoricalCrossentropy,
  kullbackLeiblerDivergence,
  klDivergence: kullbackLeiblerDivergence,
  kld: kullbackLeiblerDivergence,
  poisson,
  hinge,
  squaredHinge,
  categoricalHinge,
  cosineSimilarity,
} satisfies Record<string, () => Loss>;

/** What a saved model may call. */
export { TABLE as lossFactories };

/** The name of any loss, short ones such as 'mse' included. */
export type LossName = keyof typeof TABLE;

/** How a loss is given: by name, with its default options, as an object, or as a function of (yTrue, yPred). */
export type LossId = LossName | Loss | LossFunction;

/** All names. */
export const lossNames = Object.keys(TABLE) as LossName[];

/**
 * A loss by name, as it is, or around a function.
 *
 * @throws UnknownNameError listing the known names
 * @example losses.getLoss('mse').name; // 'meanSquaredError'
 */
export function getLoss(id: LossId): Loss {
  if (typeof id === 'function') return { name: id.name === '' ? 'loss' : id.name, perSample: id };
  return typeof id === 'object' && id !== null ? id : lookup('loss', TABLE, id)();
}
