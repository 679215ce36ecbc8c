/**
 * Layers that bring values to mean 0 and variance 1: over the batch, or within each sample.
 */
import {
  ShapeError,
  formatShape,
  normalizeAxes,
  sameShape,
  type Axes,
  type Shape,
  type Tensor,
} from '@tapegrad/tensor';
import { type Variable } from '@tapegrad/autograd';
import { checkRange, sizesAlong } from './checks.js';
import type { ConstraintId } from './constraints.js';
import type { InitializerId } from './initializers.js';
import { Layer, type BatchShape, type CallContext, type LayerOptions } from './layer.js';
import type { Weight } from './weight.js';
import { maskOf } from './masks.js';
import type { RegularizerId } from './regularizers.js';

/** What both layers have: y = gamma·(x − mean) / √(variance + epsilon) + beta. */
interface NormalizationOptions extends LayerOptions {
  /** Added to the variance, so that no division by 0 can be. Default 0.001. */
  epsilon?: number;
  /** Whether there is a beta. Default true. */
  center?: boolean;
  /** Whether there is a gamma. Default true. */
  scale?: boolean;
  /** Default 'zeros'. */
  betaInitializer?: InitializerId;
  /** Default 'ones'. */
  gammaInitializer?: InitializerId;
  betaRegularizer?: RegularizerId;
  gammaRegularizer?: RegularizerId;
  betaConstraint?: ConstraintId;
  gammaConstraint?: ConstraintId;
}

/** The layers' common part: gamma and beta along some axes. */
abstract class Normalization extends Layer {
  protected override readonly supportsMasking = true;
  protected readonly epsilon: number;
  private gamma: Weight | null = null;
  private beta: Weight | null = null;
  /** The shape of gamma and beta. */
  private sizes: Shape = [];

  constructor(
    private readonly settings: NormalizationOptions,
    /** The axes along which gamma and beta vary. */
    protected readonly axes: Axes,
  ) {
    super(settings);
    this.epsilon = checkRange(this.name, 'epsilon', settings.epsilon ?? 1e-3, 0);
  }

  override build(inputShape: BatchShape): void {
    this.sizes = sizesAlong(this.name, inputShape, this.axes);
    const { settings } = this;
    if (settings.scale ?? true) {
      this.gamma = this.addWeight('gamma', this.sizes, {
        initializer: settings.gammaInitializer ?? 'ones',
        regularizer: settings.gammaRegularizer,
        constraint: settings.gammaConstraint,
      });
    }
    if (settings.center ?? true) {
      this.beta = this.addWeight('beta', this.sizes, {
        initializer: settings.betaInitializer ?? 'zeros',
        regularizer: settings.betaRegularizer,
        constraint: settings.betaConstraint,
      });
    }
  }

  /** The axes, counted from the start. @throws ShapeError for an input of another size along them */
  protected axesOf(x: Variable): number[] {
    const axes = normalizeAxes(this.name, this.axes, x.rank);
    const sizes = axes.map((axis) => x.shape[axis]);
    if (!sameShape(sizes, this.sizes)) {
      throw new ShapeError(
        `${this.name}: was built for sizes ${formatShape(this.sizes)} along the axes ${formatShape(axes)}; got inputs ` +
          `${formatShape(x.shape)}.`,
      );
    }
    return axes;
  }

  /** gamma·(x − mean) / √(variance + epsilon) + beta, all of the shapes that broadcast with x. */
  protected normalized(centered: Variable, variance: Variable, shape: Shape): Variable {
    const { gamma, beta } = this;
    const rate = variance.add(this.epsilon).rsqrt();
    const scaled = centered.mul(gamma === null ? rate : rate.mul(gamma.reshape(shape)));
    return beta === null ? scaled : scaled.add(beta.reshape(shape));
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return inputShape;
  }
}

/** A shape with the sizes of x along the axes and 1 elsewhere, so that it broadcasts with x. */
function alongAxes({ shape }: Variable, axes: readonly number[]): number[] {
  return shape.map((n, i) => (axes.includes(i) ? n : 1));
}

export interface BatchNormalizationOptions extends NormalizationOptions {
  /** The axis of the features, each of which is normalised by itself. Default −1; 1 for channels-first data. */
  axis?: number;
  /** How much of the moving averages a batch leaves as it is. Default 0.99. */
  momentum?: number;
  /** Default 'zeros'. */
  movingMeanInitializer?: InitializerId;
  /** Default 'ones'. */
  movingVarianceInitializer?: InitializerId;
}

/**
 * Batch normalisation (Ioffe & Szegedy 2015). While training, each feature is brought to mean 0 and variance 1 over the batch
 * and all axes but its own, then scaled by gamma and shifted by beta; the layer keeps moving averages of mean and variance
 * (divided by N), moving·momentum + batch·(1 − momentum), by which it normalises otherwise. A frozen layer (`trainable =
 * false`) uses and keeps the averages while training too. Masked time steps count for nothing in mean and variance.
 *
 * Weights: gamma, beta, movingMean, movingVariance, each of the size of the axis.
 *
 * @throws ShapeError for an input of another size along the axis
 * @throws ValueError for a negative epsilon, or a momentum that is not from 0 to 1
 * @example
 * new BatchNormalization({ epsilon: 0 }).apply(variable([[1], [3]]), { training: true }).toArray(); // [[-1], [1]]
 */
export class BatchNormalization extends Normalization {
  private readonly momentum: number;
  private movingMean: Weight | null = null;
  private movingVariance: Weight | null = null;

  constructor(private readonly options: BatchNormalizationOptions = {}) {
    super(options, options.axis ?? -1);
    this.momentum = checkRange(this.name, 'momentum', options.momentum ?? 0.99, 0, 1);
  }

  override build(inputShape: BatchShape): void {
    super.build(inputShape);
    const sizes = sizesAlong(this.name, inputShape, this.axes);
    this.movingMean = this.addWeight('movingMean', sizes, {
      initializer: this.options.movingMeanInitializer ?? 'zeros',
      trainable: false,
    });
    this.movingVariance = this.addWeight('movingVariance', sizes, {
      initializer: this.options.movingVarianceInitializer ?? 'ones',
      trainable: false,
    });
  }

  override call(x: Variable, { training }: CallContext): Variable {
    const { movingMean, movingVariance } = this;
    if (movingMean === null || movingVariance === null)
      throw new ShapeError(`${this.name}: call apply(), which makes the weights first.`);
    const own = this.axesOf(x);
    const shape = alongAxes(x, own);
    if (!training || !this.trainable) {
      const centered = x.sub(movingMean.reshape(shape));
      return this.normalized(centered, movingVariance.reshape(shape), shape);
    }
    const axis = x.shape.map((_, i) => i).filter((i) => !own.includes(i));
    const mean = meanOver(x, axis, maskOf(x));
    const centered = x.sub(mean);
    const variance = meanOver(centered.square(), axis, maskOf(x));
    this.average(movingMean, mean);
    this.average(movingVariance, variance);
    return this.normalized(centered, variance, shape);
  }

  /** moving·momentum + batch·(1 − momentum) */
  private average(moving: Weight, batch: Variable): void {
    const { momentum } = this;
    const news = batch.value.reshape(moving.shape).mul(1 - momentum);
    moving.assign(moving.value.mul(momentum).add(news));
  }
}

/** The mean over axes, which stay with size 1; with a mask [batch, time] that of the steps that it lets pass. */
function meanOver(x: Variable, axis: readonly number[], mask: Tensor | null): Variable {
  if (mask === null) return x.mean({ axis, keepDims: true });
  const weights = mask.cast(x.dtype).reshape([...mask.shape, ...x.shape.slice(2).map(() => 1)]);
  const counts = weights.broadcastTo(x.shape).sum({ axis, keepDims: true });
  return x.mul(weights).sum({ axis, keepDims: true }).div(counts.maximum(1));
}

export interface LayerNormalizationOptions extends NormalizationOptions {
  /** The axes that are normalised together. Default −1. */
  axis?: number | readonly number[];
}

/**
 * Layer normalisation (Ba et al. 2016): each sample is brought to mean 0 and variance 1 along the axes, by itself, in training
 * and otherwise, then scaled by gamma and shifted by beta.
 *
 * Weights: gamma, beta, of the shape of the axes.
 *
 * @throws ShapeError for an input of other sizes along the axes
 * @throws ValueError for a negative epsilon
 * @example
 * new LayerNormalization({ epsilon: 0 }).apply([[1, 3], [10, 30]]).toArray(); // [[-1, 1], [-1, 1]]
 */
export class LayerNormalization extends Normalization {
  constructor(options: LayerNormalizationOptions = {}) {
    super(options, options.axis ?? -1);
  }

  override call(x: Variable): Variable {
    const axis = this.axesOf(x);
    const centered = x.sub(x.mean({ axis, keepDims: true }));
    const variance = centered.square().mean({ axis, keepDims: true });
    return this.normalized(centered, variance, alongAxes(x, axis));
  }
}
