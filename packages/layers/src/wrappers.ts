/**
 * Layers around layers: both directions of time, and one layer for every time step.
 */
import { ShapeError, ValueError, formatShape } from '@tapegrad/tensor';
import { ops, type Variable } from '@tapegrad/autograd';
import { Layer, type BatchShape, type CallContext, type LayerOptions } from './layer.js';
import type { Weight } from './weight.js';
import { maskOf, setMask } from './masks.js';
import { checkName } from './registry.js';
import { RNN } from './rnn.js';

/** What wrappers have in common: their weights are those of the layers inside. */
abstract class Wrapper extends Layer {
  constructor(
    readonly inner: readonly Layer[],
    options: LayerOptions,
  ) {
    const { inputShape, batchInputShape = inner[0].batchInputShape } = options;
    super({
      ...options,
      dtype: inner[0].dtype,
      batchInputShape: inputShape === undefined ? (batchInputShape ?? undefined) : undefined,
    });
    if (options.trainable === false) for (const layer of inner) layer.trainable = false;
  }

  override get weights(): readonly Weight[] {
    return this.inner.flatMap((layer) => layer.weights);
  }

  override get trainableWeights(): readonly Weight[] {
    return super.trainable ? this.inner.flatMap((layer) => layer.trainableWeights) : [];
  }

  override get trainable(): boolean {
    return super.trainable;
  }

  override set trainable(value: boolean) {
    super.trainable = value;
    for (const layer of this.inner) layer.trainable = value;
  }
}

const MERGES = {
  concat: (a: Variable, b: Variable): Variable => ops.concat([a, b], { axis: -1 }),
  sum: (a: Variable, b: Variable): Variable => a.add(b),
  mul: (a: Variable, b: Variable): Variable => a.mul(b),
  ave: (a: Variable, b: Variable): Variable => a.add(b).div(2),
};

export interface BidirectionalOptions extends LayerOptions {
  /** How the two outputs become one; null gives both. Default 'concat'. */
  mergeMode?: 'concat' | 'sum' | 'mul' | 'ave' | null;
  /** The layer that goes backwards. Default a copy of the other with weights of its own. */
  backwardLayer?: RNN;
}

/**
 * A recurrent layer and another that goes through time the other way (Schuster & Paliwal 1997). With `returnSequences` the
 * outputs of the second are brought back into the order of time before merging, and steps that the input's mask leaves out have
 * outputs of 0: what each direction would repeat there is of different steps.
 *
 * Shapes as for the layer, the last axis twice as long when merged by 'concat'. Initial states and, with `returnState`,
 * states: those of forward, then those of backward. Weights: `forward.kernel`, …, `backward.kernel`, …
 *
 * @throws ValueError when the layers are no recurrent layers, or do not go opposite ways with the same outputs
 * @example
 * new Bidirectional(new LSTM(4)).apply(zeros([2, 5, 3])).shape; // [2, 8]
 */
export class Bidirectional extends Wrapper {
  readonly forward: RNN;
  readonly backward: RNN;
  private readonly mergeMode: keyof typeof MERGES | null;

  constructor(layer: RNN, options: BidirectionalOptions = {}) {
    if (!(layer instanceof RNN))
      throw new ValueError('Bidirectional: needs a recurrent layer, such as new LSTM(20).');
    const backward = options.backwardLayer ?? layer.mirrored();
    super([layer, backward], options);
    this.forward = layer;
    this.backward = backward;
    const { mergeMode = 'concat' } = options;
    if (mergeMode !== null) checkName(`mergeMode of ${this.name}`, mergeMode, Object.keys(MERGES));
    this.mergeMode = mergeMode;
    for (const what of ['returnSequences', 'returnState', 'stateful'] as const) {
      if (layer[what] !== backward[what]) {
        throw new ValueError(
          `${this.name}: both layers must have the same ${what}; got ${layer[what]} and ${backward[what]}.`,
        );
      }
    }
    if (layer.goBackwards === backward.goBackwards) {
      throw new ValueError(
        `${this.name}: the layers must go opposite ways; both have goBackwards ${layer.goBackwards}.`,
      );
    }
  }

  /** The inputs of each layer: x, and its half of the initial states. */
  private parted<T>(inputs: readonly T[]): [readonly T[], readonly T[]] {
    const [x, ...states] = inputs;
    const count = this.forward.stateCount;
    if (states.length !== 0 && states.length !== count + this.backward.stateCount) {
      throw new ShapeError(
        `${this.name}: takes x alone, or x and ${count + this.backward.stateCount} initial states; got ` +
          `${inputs.length} inputs.`,
      );
    }
    return [
      [x, ...states.slice(0, count)],
      [x, ...states.slice(count)],
    ];
  }

  override buildAll(inputShapes: readonly BatchShape[]): void {
    const shapes = this.parted(inputShapes);
    [this.forward, this.backward].forEach((layer, i) => {
      layer.ensureBuilt(...shapes[i]);
      for (const w of layer.weights) w.name = `${i === 0 ? 'forward' : 'backward'}.${w.name}`;
    });
  }

  override callAll(inputs: readonly Variable[], context: CallContext): readonly Variable[] {
    const [ahead, back] = this.parted(inputs);
    const outputs = [this.forward.run(ahead, context), this.backward.run(back, context)];
    const mask = this.forward.returnSequences ? maskOf(inputs[0]) : null;
    const inTime = outputs.map(([y], i) => {
      const reversed = [this.forward, this.backward][i].goBackwards;
      const ordered = this.forward.returnSequences && reversed ? y.flip(1) : y;
      return mask === null ? ordered : ops.where(mask.expandDims(2), ordered, 0);
    });
    const merged =
      this.mergeMode === null ? inTime : [MERGES[this.mergeMode](inTime[0], inTime[1])];
    if (mask !== null) for (const y of merged) setMask(y, mask);
    return [...merged, ...outputs.flatMap(([, ...states]) => states)];
  }

  override computeOutputShapes(inputShapes: readonly BatchShape[]): readonly BatchShape[] {
    const [ahead, back] = this.parted(inputShapes);
    const shapes = [
      this.forward.computeOutputShapes(ahead),
      this.backward.computeOutputShapes(back),
    ];
    const [[first], [second]] = shapes;
    const states = shapes.flatMap(([, ...rest]) => rest);
    if (this.mergeMode === null) return [first, second, ...states];
    const [a, b] = [first, second].map((shape) => shape[shape.length - 1] ?? 0);
    return [[...first.slice(0, -1), this.mergeMode === 'concat' ? a + b : a], ...states];
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return this.computeOutputShapes([inputShape])[0];
  }

  /** See `RNN.resetStates`. */
  resetStates(): void {
    this.forward.resetStates();
    this.backward.resetStates();
  }
}

/**
 * One layer, with the same weights, for every time step: [batch, time, …] → [batch, time, …]. The layer gets all steps of all
 * samples as one batch: a BatchNormalization in it takes its mean over all of them, masked ones included, and once, where Keras goes
 * step by step.
 *
 * @throws ShapeError for an input without a time axis
 * @example
 * new TimeDistributed(new Dense(4)).apply(zeros([2, 5, 3])).shape; // [2, 5, 4]
 */
export class TimeDistributed extends Wrapper {
  protected override readonly supportsMasking = true;

  constructor(
    readonly layer: Layer,
    options: LayerOptions = {},
  ) {
    if (!(layer instanceof Layer))
      throw new ValueError('TimeDistributed: needs a layer, such as new Dense(10).');
    super([layer], options);
  }

  /** The shape of what the layer gets: all steps of all samples as one batch. */
  private stepShape(inputShape: BatchShape): BatchShape {
    if (inputShape.length < 3) {
      throw new ShapeError(
        `${this.name}: needs inputs [batch, time, …features]; got ${formatShape(inputShape)}.`,
      );
    }
    return [null, ...inputShape.slice(2)];
  }

  override build(inputShape: BatchShape): void {
    this.layer.ensureBuilt(this.stepShape(inputShape));
  }

  override call(x: Variable, context: CallContext): Variable {
    this.stepShape(x.shape);
    const [batch, time, ...features] = x.shape;
    const [y] = this.layer.run([x.reshape([batch * time, ...features])], context);
    return y.reshape([batch, time, ...y.shape.slice(1)]);
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    const step = this.layer.computeOutputShape(this.stepShape(inputShape));
    return [inputShape[0], inputShape[1], ...step.slice(1)];
  }
}
