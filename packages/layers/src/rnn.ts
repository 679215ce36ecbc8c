/**
 * The base of recurrent layers: a cell applied to one time step after another.
 */
import {
  ShapeError,
  ValueError,
  defaultGenerator,
  duringRun,
  formatShape,
  ops as tensorOps,
  run,
  sameShape,
  specs,
  tensor,
  zeros,
  type Shape,
  type Tensor,
  type TensorLike,
} from '@tapegrad/tensor';
import { Variable, ops } from '@tapegrad/autograd';
import { Layer, type BatchShape, type CallContext, type LayerOptions } from './layer.js';
import type { Weight } from './weight.js';
import { maskOf, setMask } from './masks.js';
import { GateCell, type RNNCell, type SequenceResult } from './recurrent-cells.js';

export interface RNNOptions extends LayerOptions {
  /** Give the outputs of all steps, [batch, time, units], not only the last. Default false. */
  returnSequences?: boolean;
  /** Give the states after the last step as further outputs. Default false. */
  returnState?: boolean;
  /** From the last time step to the first; the sequence of outputs stays in that order. Default false. */
  goBackwards?: boolean;
  /** Begin each batch with the states that the one before has left. No gradient passes from batch to batch. Default false. */
  stateful?: boolean;
  /** Compute the steps with elementary ops, one after another: slower, but with second derivatives. Default false. */
  unroll?: boolean;
}

/** What the layers with built-in cells can drop while training. */
export interface RecurrentDropoutOptions {
  /** The share of the inputs' features that is set to 0, the same in all steps (Gal & Ghahramani 2016). Default 0. */
  dropout?: number;
  /** The share of the state that is set to 0 where the recurrent kernel multiplies it, the same in all steps. Default 0. */
  recurrentDropout?: number;
}

type AllOptions = RNNOptions & RecurrentDropoutOptions;

/**
 * A cell applied to one time step after another. For built-in cells use `SimpleRNN`, `LSTM` and `GRU`, which compute whole
 * sequences at once.
 *
 * Shapes: x [batch, time, …features] → [batch, units], or [batch, time, units] with `returnSequences`; with `returnState`
 * further outputs [batch, size]. Initial states are given as further inputs, `apply([x, state])`; without them they are
 * zeros. Where the input's mask is false a step keeps the states and repeats the output before it; before the first step that
 * counts, that is the first initial state (in Keras 3 zeros).
 *
 * @throws ShapeError for inputs that do not fit, and for another batch size where the layer is stateful
 * @example
 * class Sum extends Layer {
 *   stateSizes = [1];
 *   callAll([x, total]) {
 *     const next = total.add(x.sum({ axis: -1, keepDims: true }));
 *     return [next, next];
 *   }
 * }
 * new RNN(new Sum()).apply([[[1], [2], [3]]]).toArray(); // [[6]]
 */
export class RNN extends Layer {
  readonly cell: RNNCell;
  /** What a stateful layer remembers. It is written in place. */
  private remembered: readonly Variable[] | null = null;
  /** Whether that has been set to zeros since the last batch: then the next one may have any size. */
  private begunAnew = false;

  /** @param cell a cell, or a function that makes one with the layer's name */
  constructor(
    cell: RNNCell | ((name: string) => RNNCell),
    protected readonly options: AllOptions = {},
  ) {
    super({
      ...options,
      dtype: options.dtype ?? (typeof cell === 'function' ? undefined : cell.dtype),
    });
    this.cell = typeof cell === 'function' ? cell(this.name) : cell;
    if (!Array.isArray(this.cell.stateSizes)) {
      throw new ValueError(`${this.name}: a cell needs stateSizes, the list of its states' sizes.`);
    }
    for (const what of ['dropout', 'recurrentDropout'] as const) {
      const rate = options[what] ?? 0;
      if (!(rate >= 0 && rate < 1)) {
        throw new ValueError(
          `${this.name}: ${what} must be the share to drop, from 0 up to but without 1; got ${rate}.`,
        );
      }
    }
    if (options.trainable === false) this.cell.trainable = false;
  }

  override get weights(): readonly Weight[] {
    return this.cell.weights;
  }

  override get trainableWeights(): readonly Weight[] {
    return super.trainable ? this.cell.trainableWeights : [];
  }

  override get trainable(): boolean {
    return super.trainable;
  }

  override set trainable(value: boolean) {
    super.trainable = value;
    this.cell.trainable = value;
  }

  /** Whether the outputs of all steps are given. */
  get returnSequences(): boolean {
    return this.options.returnSequences ?? false;
  }

  get returnState(): boolean {
    return this.options.returnState ?? false;
  }

  get goBackwards(): boolean {
    return this.options.goBackwards ?? false;
  }

  get stateful(): boolean {
    return this.options.stateful ?? false;
  }

  /** The number of states. */
  get stateCount(): number {
    return this.cell.stateSizes.length;
  }

  private get outputSize(): number {
    return this.cell.outputSize ?? this.cell.stateSizes[0];
  }

  /** A new layer with these settings that goes through time the other way; for `Bidirectional`. */
  mirrored(): RNN {
    throw new ValueError(
      `${this.name}: a layer with a cell of your own cannot be copied; give Bidirectional a backwardLayer as well.`,
    );
  }

  override buildAll(inputShapes: readonly BatchShape[]): void {
    const [shape] = inputShapes;
    this.checkInputs(inputShapes);
    this.cell.ensureBuilt([shape[0], ...shape.slice(2)]);
  }

  /** @throws ShapeError naming the input that does not fit */
  private checkInputs(shapes: readonly BatchShape[]): void {
    const [x, ...states] = shapes;
    const builtIn = this.cell instanceof GateCell;
    if (builtIn ? x.length !== 3 : x.length < 2) {
      throw new ShapeError(
        `${this.name}: needs inputs [batch, time, features]; got ${formatShape(x)}.`,
      );
    }
    const features = builtIn ? this.cell.features : null;
    if (features !== null && x[2] !== features) {
      throw new ShapeError(
        `${this.name}: was built for inputs [batch, time, ${features}]; got ${formatShape(x)}.`,
      );
    }
    if (states.length !== 0 && states.length !== this.stateCount) {
      throw new ShapeError(
        `${this.name}: takes x alone, or x and ${this.stateCount} initial state${this.stateCount === 1 ? '' : 's'}; ` +
          `got ${shapes.length} inputs.`,
      );
    }
    states.forEach((state, i) => {
      const size = this.cell.stateSizes[i];
      if (
        state.length !== 2 ||
        state[1] !== size ||
        (x[0] !== null && state[0] !== null && state[0] !== x[0])
      ) {
        throw new ShapeError(
          `${this.name}: initial state ${i} must be [batch, ${size}] with the batch of x ${formatShape(x)}; got ` +
            `${formatShape(state)}.`,
        );
      }
    });
  }

  override callAll(inputs: readonly Variable[], context: CallContext): readonly Variable[] {
    this.checkInputs(inputs.map(({ shape }) => shape));
    const [x, ...given] = inputs;
    if (x.shape[1] === 0)
      throw new ShapeError(
        `${this.name}: needs one time step or more; got ${formatShape(x.shape)}.`,
      );
    const own = this.ownStates(x.shape[0]);
    const mask = maskOf(x);
    const { sequence, states, last } = this.walk(x, given.length > 0 ? given : own, mask, context);
    if (this.stateful) this.remembered?.forEach((m, i) => m.assign(states[i].value));
    const output = this.returnSequences ? sequence() : last;
    if (this.returnSequences && mask !== null)
      setMask(output, this.options.goBackwards ? mask.flip(1) : mask);
    return this.returnState ? [output, ...states] : [output];
  }

  /** All steps: at once where there is an op for it, else one after another. */
  private walk(
    x: Variable,
    states: readonly Variable[],
    mask: Tensor | null,
    context: CallContext,
  ): { sequence: () => Variable; last: Variable; states: readonly Variable[] } {
    const { goBackwards = false, unroll = false, dropout = 0, recurrentDropout = 0 } = this.options;
    const { cell } = this;
    const { training } = context;
    const input = training && dropout > 0 ? this.dropped(x, dropout) : x;
    const dropState = training && recurrentDropout > 0;
    if (cell instanceof GateCell && cell.hasSequence && !unroll && !dropState) {
      const none = zeros([0], this.dtype);
      const result: SequenceResult = cell.sequence(input, states, mask ?? none, goBackwards);
      return { sequence: () => result.sequence, last: result.states[0], states: result.states };
    }
    const keep = dropState
      ? this.dropMask([x.shape[0], this.cell.stateSizes[0]], recurrentDropout)
      : null;
    return this.steps(input, states, mask, keep, context);
  }

  /** The steps one after another. `keep` is what the first state is multiplied with before the recurrent kernel. */
  private steps(
    x: Variable,
    initial: readonly Variable[],
    mask: Tensor | null,
    keep: Tensor | null,
    context: CallContext,
  ): { sequence: () => Variable; last: Variable; states: readonly Variable[] } {
    const { cell } = this;
    const [batch, time] = x.shape;
    const projected = cell instanceof GateCell ? cell.project(x) : x;
    const shape = [batch, ...projected.shape.slice(2)];
    const inputs = projected.split(time, { axis: 1 }).map((step) => step.reshape(shape));
    let states = initial;
    let last =
      this.outputSize === cell.stateSizes[0]
        ? initial[0]
        : new Variable(zeros([batch, this.outputSize], this.dtype));
    const outputs: Variable[] = [];
    for (let s = 0; s < time; s++) {
      const t = this.options.goBackwards ? time - 1 - s : s;
      let output: Variable;
      let next: readonly Variable[];
      if (cell instanceof GateCell) {
        next = cell.step(inputs[t], states, keep === null ? states[0] : states[0].mul(keep));
        output = next[0];
      } else {
        [output, ...next] = cell.callAll([inputs[t], ...states], context);
      }
      if (mask !== null) {
        const counts = tensorOps.slice(mask, { begin: [0, t], size: [batch, 1] });
        const before = states;
        output = ops.where(counts, output, last);
        next = next.map((state, i) => ops.where(counts, state, before[i]));
      }
      last = output;
      states = next;
      outputs.push(output);
    }
    return { sequence: () => ops.stack(outputs, { axis: 1 }), last, states };
  }

  /** 0 for what is dropped, 1 / (1 − rate) for the rest. */
  private dropMask(shape: Shape, rate: number): Tensor {
    const generator = defaultGenerator().stream('dropout');
    const { dtype } = this;
    return run(specs.randomBernoulli, [], { generator, shape, dtype, probability: 1 - rate }).div(
      1 - rate,
    );
  }

  private dropped(x: Variable, rate: number): Variable {
    return x.mul(this.dropMask([x.shape[0], 1, ...x.shape.slice(2)], rate));
  }

  /** The states to begin with where none are given. @throws ShapeError for another batch size where the layer is stateful */
  private ownStates(batch: number): readonly Variable[] {
    const zero = (): Variable[] =>
      this.cell.stateSizes.map((size) => new Variable(zeros([batch, size], this.dtype)));
    if (!this.stateful) return zero();
    const promised = this.batchInputShape?.[0] ?? null;
    const size = promised ?? this.remembered?.[0].shape[0] ?? batch;
    if (size !== batch && promised === null && this.begunAnew) this.remembered = null;
    else if (size !== batch) {
      const how =
        promised === null
          ? 'Call resetStates() before batches of another size.'
          : 'Give batches of that size, or make the layer with another batchInputShape.';
      throw new ShapeError(
        `${this.name}: is stateful and keeps the states of ${size} samples; got a batch of ${batch}. ${how}`,
      );
    }
    this.remembered ??= zero();
    duringRun([], () => (this.begunAnew = false));
    // A copy, since the memory is written before backward needs what this batch began with.
    return this.remembered.map((m) => new Variable(m.value.copy()));
  }

  /**
   * Sets what a stateful layer remembers: to zeros, or to given states [batch, size].
   *
   * @throws ValueError for a layer that is not stateful
   * @throws ShapeError for states of other shapes
   */
  resetStates(states?: readonly TensorLike[]): void {
    if (!this.stateful) {
      throw new ValueError(`${this.name}: remembers no states; make it with { stateful: true }.`);
    }
    if (states === undefined) {
      // In place: a recorded step uses the memory where it is.
      for (const m of this.remembered ?? []) m.assign(zeros(m.shape, m.dtype));
      this.begunAnew = true;
      return;
    }
    const values = states.map((state) => tensor(state));
    const batch = this.batchInputShape?.[0] ?? values[0]?.shape[0] ?? 0;
    const wanted = this.cell.stateSizes.map((size) => [batch, size]);
    if (values.length !== wanted.length || values.some((v, i) => !sameShape(v.shape, wanted[i]))) {
      throw new ShapeError(
        `${this.name}.resetStates: needs states of shapes ${wanted.map(formatShape).join(', ')}; got ` +
          `${values.map(({ shape }) => formatShape(shape)).join(', ') || 'none'}.`,
      );
    }
    this.remembered = values.map((v) => new Variable(v.cast(this.dtype).copy()));
    this.begunAnew = false;
  }

  /** The Variables in which a stateful layer remembers its states; none before the first batch. Not for users. */
  get memory(): readonly Variable[] {
    return this.remembered ?? [];
  }

  /** What a stateful layer remembers; null before the first batch. */
  get states(): readonly Tensor[] | null {
    if (this.begunAnew) return null;
    return this.remembered?.map((m) => m.value.copy()) ?? null;
  }

  override computeOutputShapes(inputShapes: readonly BatchShape[]): readonly BatchShape[] {
    this.checkInputs(inputShapes);
    const [batch, time] = inputShapes[0];
    const output = this.returnSequences ? [batch, time, this.outputSize] : [batch, this.outputSize];
    return this.returnState
      ? [output, ...this.cell.stateSizes.map((size) => [batch, size])]
      : [output];
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return this.computeOutputShapes([inputShape])[0];
  }
}
