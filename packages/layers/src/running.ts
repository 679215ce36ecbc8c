/**
 * What metrics are built of: running means and running ratios over plain arrays.
 */
import {
  ShapeError,
  ValueError,
  formatShape,
  sizeOf,
  type Shape,
  type Tensor,
  type TypedArray,
} from '@tapegrad/tensor';
import { checkOptions } from './registry.js';
import { comparedShape, isForFirstAxes } from './targets.js';

/** A number, or several, that sums up all batches since the last reset. */
export interface Metric {
  readonly name: string;
  /**
   * Takes in a batch.
   *
   * @param sampleWeight [batch], or the shape of the values that are averaged. Default all 1
   * @param mask [batch, time], that of the predictions: steps that it leaves out weigh nothing. Set aside where there is not a
   *   value for each step. (In Keras 3 precision and recall count masked steps all the same.)
   */
  update(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor, mask?: Tensor): void;
  /** The value so far; 0 before the first batch. */
  result(): number | number[];
  reset(): void;
}

/** One value for each sample of a batch, and the shape that they stand for. */
export interface Values {
  readonly shape: Shape;
  /** In row-major order. */
  readonly values: ArrayLike<number>;
}

/** What a mean takes from a batch: the values to average. */
export type Measure = (yTrue: Tensor, yPred: Tensor) => Values;

/** The elements one after another from `offset` on. */
export interface Flat {
  readonly data: TypedArray;
  readonly offset: number;
}

/** The elements of a tensor in row-major order; of a contiguous one without a copy or a new view. */
export function flat(x: Tensor): Flat {
  return x.contiguous ? x : { data: x.toTypedArray(), offset: 0 };
}

/** Weights of values, neighbouring ones sharing one. */
interface Weights extends Flat {
  /** How many values have the same weight. */
  readonly share: number;
}

/** The weights of values of a shape; null when all are 1. @throws ShapeError unless sampleWeight has that shape or its first axes */
function weightsFor(
  name: string,
  sampleWeight: Tensor | undefined,
  mask: Tensor | undefined,
  shape: Shape,
): Weights | null {
  if (sampleWeight !== undefined && !isForFirstAxes(sampleWeight.shape, shape)) {
    throw new ShapeError(
      `${name}: sampleWeight must have the shape of the values, ${formatShape(shape)}, or its first axes; got ` +
        `${formatShape(sampleWeight.shape)}.`,
    );
  }
  const given = sampleWeight === undefined ? null : shared(sampleWeight, shape);
  if (mask === undefined || !isForFirstAxes(mask.shape, shape)) return given;
  const there = shared(mask, shape);
  if (given === null) return there;
  const data = new Float64Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = weightOf(given, i) * weightOf(there, i);
  return { data, offset: 0, share: 1 };
}

function shared(weight: Tensor, shape: Shape): Weights {
  const { data, offset } = flat(weight);
  return { data, offset, share: sizeOf(shape.slice(weight.rank)) };
}

function weightOf({ data, offset, share }: Weights, i: number): number {
  return data[offset + Math.floor(i / share)];
}

/**
 * The weighted mean of one value for each sample: Σ weight·value / Σ weight. The base of all metrics but precision and
 * recall, and of those of your own; a function that works on Variables can also be given to `compile` as it is.
 *
 * @param measure from targets and predictions of a batch to the values to average, with the shape that they stand for
 * @example
 * const positives = new metrics.MeanMetric('positives', (yTrue, yPred) => ({
 *   shape: yPred.shape,
 *   values: yPred.greater(0.5).toTypedArray(),
 * }));
 * positives.update(tensor([0, 1]), tensor([0.4, 0.6]));
 * positives.result(); // 0.5
 */
export class MeanMetric implements Metric {
  private total = 0;
  private count = 0;

  constructor(
    readonly name: string,
    private readonly measure: Measure,
  ) {}

  update(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor, mask?: Tensor): void {
    const { values, shape } = this.measure(yTrue, yPred);
    const weights = weightsFor(this.name, sampleWeight, mask, shape);
    if (weights === null) {
      let total = 0;
      for (let i = 0; i < values.length; i++) total += values[i];
      this.total += total;
      this.count += values.length;
      return;
    }
    for (let i = 0; i < values.length; i++) {
      const weight = weightOf(weights, i);
      this.total += weight * values[i];
      this.count += weight;
    }
  }

  result(): number {
    return this.count === 0 ? 0 : this.total / this.count;
  }

  reset(): void {
    this.total = 0;
    this.count = 0;
  }
}

/** Common to all metrics: the key in the logs. */
export interface MetricOptions {
  /** Default: the metric's own name. */
  name?: string;
}

/** Thresholds, one or several. */
export interface ConfusionOptions extends MetricOptions {
  /** Predictions above it count as positive. A list gives a list of results. Default 0.5. */
  thresholds?: number | readonly number[];
}

/** True positives over a sum of weights, at one or several thresholds; 0 where that sum is 0. */
export class ConfusionRatio implements Metric {
  readonly name: string;
  private readonly thresholds: readonly number[];
  private readonly single: boolean;
  private readonly hits: Float64Array;
  private readonly below: Float64Array;

  constructor(
    own: 'precision' | 'recall',
    /** Whether the ratio is to all that is predicted positive, and not to all that is positive. */
    private readonly ofPredicted: boolean,
    options: ConfusionOptions,
  ) {
    checkOptions(own, options, ['thresholds', 'name']);
    const { thresholds = 0.5, name = own } = options;
    this.name = name;
    this.single = typeof thresholds === 'number';
    this.thresholds = typeof thresholds === 'number' ? [thresholds] : [...thresholds];
    if (this.thresholds.length === 0) {
      throw new ValueError(`${name}: the list of thresholds is empty; give at least one.`);
    }
    for (const threshold of this.thresholds) checkThreshold(name, threshold);
    this.hits = new Float64Array(this.thresholds.length);
    this.below = new Float64Array(this.thresholds.length);
  }

  update(yTrue: Tensor, yPred: Tensor, sampleWeight?: Tensor, mask?: Tensor): void {
    const shape = comparedShape(this.name, yTrue.shape, yPred.shape);
    const [t, p] = [flat(yTrue), flat(yPred)];
    const weights = weightsFor(this.name, sampleWeight, mask, shape);
    const limits = this.thresholds.map((threshold) => inPrecisionOf(yPred, threshold));
    for (let i = 0; i < yPred.size; i++) {
      const weight = weights === null ? 1 : weightOf(weights, i);
      const isTrue = t.data[t.offset + i] !== 0;
      const score = p.data[p.offset + i];
      for (let k = 0; k < limits.length; k++) {
        const positive = score > limits[k];
        if (positive && isTrue) this.hits[k] += weight;
        if (this.ofPredicted ? positive : isTrue) this.below[k] += weight;
      }
    }
  }

  result(): number | number[] {
    const ratios = Array.from(this.hits, (hits, k) =>
      this.below[k] === 0 ? 0 : hits / this.below[k],
    );
    return this.single ? ratios[0] : ratios;
  }

  reset(): void {
    this.hits.fill(0);
    this.below.fill(0);
  }
}

export function checkThreshold(name: string, threshold: number): void {
  if (!Number.isFinite(threshold)) {
    throw new ValueError(`${name}: a threshold must be a finite number; got ${threshold}.`);
  }
}

/** A threshold as the predictions can hold it: a float32 0.3 lies above the float64 0.3, and is not above its threshold. */
export function inPrecisionOf(yPred: Tensor, threshold: number): number {
  return yPred.dtype === 'float32' ? Math.fround(threshold) : threshold;
}
