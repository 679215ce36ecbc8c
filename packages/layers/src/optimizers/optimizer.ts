/**
 * What all optimizers share: the learning rate, clipping, weight decay, the count of steps, and the state of each
 * parameter. The rules themselves are in rules.ts, their loops in the tensor package's update ops.
 */
import {
  DTypeError,
  ShapeError,
  ValueError,
  duringRun,
  formatShape,
  ops,
  run,
  sameShape,
  specs,
  tensor,
  zeros,
  shown,
  type Tensor,
  type TypedArray,
} from '@tapegrad/tensor';
import { Variable } from '@tapegrad/autograd';
import { checkRange } from '../checks.js';
import { checkOptions } from '../registry.js';
import { made } from '../saving/recipes.js';
import type { Schedule } from './schedules.js';

/** What every optimizer can be given. At most one of the clips. */
export interface OptimizerOptions {
  /** A number, or a function from the number of updates made so far to one. */
  learningRate?: number | Schedule;
  /** The share of each parameter, times the learning rate, that is taken off before each update. Default none. */
  weightDecay?: number | null;
  /** The greatest norm of each gradient; longer ones are shortened to it. */
  clipnorm?: number | null;
  /** The greatest norm of all gradients together. */
  globalClipnorm?: number | null;
  /** The greatest absolute value of each element of a gradient. */
  clipvalue?: number | null;
  /** The setting of earlier Keras versions: the rate is learningRate / (1 + decay · iterations). Default 0. */
  decay?: number;
}

const COMMON_OPTIONS = [
  'learningRate',
  'weightDecay',
  'clipnorm',
  'globalClipnorm',
  'clipvalue',
  'decay',
];

/** A parameter and its gradient. */
export type ParameterGradient = readonly [parameter: Variable, gradient: Variable];

/** Where an optimizer is: plain data and typed arrays, in the order of the parameters it was asked for. */
export interface OptimizerState {
  readonly name: string;
  readonly iterations: number;
  /** null where a schedule sets the rate. */
  readonly learningRate: number | null;
  /** The values that change from step to step and belong to no parameter. */
  readonly clock: readonly number[];
  /** For each parameter its slots by name, row-major; empty for a slot that is not in use. */
  readonly slots: readonly Readonly<Record<string, TypedArray>>[];
}

/** The slots of a rule: a name each, and the value they begin with; null for one that is not in use. */
export type SlotPlan = Readonly<Record<string, number | null>>;

/**
 * The base of all optimizers. `applyGradients` clips, decays the weights, and updates the parameters in place.
 *
 * To write one of your own, give the slots in the constructor and the rule in `update`.
 */
export abstract class Optimizer {
  private readonly schedule: Schedule | null;
  private rate: number;
  private steps = 0;
  private readonly decay: number;
  private readonly weightDecay: { readonly rate: number } | null;
  private readonly clip: { readonly kind: ClipKind; readonly limit: number } | null;
  /** By parameter, and weak: the state of a model that is gone goes with it. */
  private readonly slots = new WeakMap<Variable, readonly Tensor[]>();
  /** float64 [learning rate, step from 1, a value of the rule's own]: read by the update ops when they run. */
  protected readonly clock: Tensor = zeros([3], 'float64');

  /**
   * @param name as in `getOptimizer`
   * @param plan the state that each parameter has
   * @param own the names of the options besides the common ones
   */
  protected constructor(
    readonly name: string,
    options: OptimizerOptions,
    private readonly plan: SlotPlan,
    own: readonly string[],
    standardRate = 0.001,
  ) {
    checkOptions(name, options, [...COMMON_OPTIONS, ...own]);
    const { learningRate = standardRate, weightDecay, decay = 0 } = options;
    this.schedule = typeof learningRate === 'function' ? learningRate : null;
    this.rate =
      typeof learningRate === 'function' ? 0 : checkNumber(name, 'learningRate', learningRate);
    this.decay = checkNumber(name, 'decay', decay);
    if (this.schedule !== null && decay !== 0) {
      throw new ValueError(
        `${name}: decay and a schedule both change the learning rate; give one of them.`,
      );
    }
    const rate = checkNumber(name, 'weightDecay', weightDecay ?? 0);
    this.weightDecay = rate === 0 ? null : { rate };
    this.clip = clipOf(name, options);
    made(`optimizers.${name}`, [{ ...options }], this);
  }

  /** How many updates have been made. */
  get iterations(): number {
    return this.steps;
  }

  /** The learning rate: as set, or what the schedule says of the next update. */
  get learningRate(): number {
    return this.schedule === null ? this.rate : this.scheduled(this.schedule);
  }

  /** Sets the learning rate of the updates to come. @throws ValueError where a schedule sets it, or for a negative one */
  set learningRate(value: number) {
    if (this.schedule !== null) {
      throw new ValueError(
        `${this.name}: the learning rate follows a schedule and cannot be set; make the optimizer with a number as ` +
          `learningRate to change it while training.`,
      );
    }
    this.rate = checkNumber(this.name, 'learningRate', value);
  }

  /** The rate that the next update uses: `learningRate`, less what the `decay` option takes off. */
  get effectiveLearningRate(): number {
    const rate = this.learningRate;
    return this.decay === 0 ? rate : rate / (1 + this.decay * this.steps);
  }

  /**
   * One step: changes every parameter in place by its gradient.
   *
   * @param pairs each parameter once, with its gradient of the same shape and dtype
   * @throws ShapeError, DTypeError when a gradient does not fit its parameter
   * @throws ValueError for what are no pairs of Variables, or a parameter that is there twice
   */
  applyGradients(pairs: readonly ParameterGradient[]): void {
    checkPairs(this.name, pairs);
    const gradients = this.clipped(pairs);
    duringRun([], () => {
      this.clock.data[0] = this.effectiveLearningRate;
      this.clock.data[1] = this.steps + 1;
      this.tick(this.steps + 1);
      this.steps++;
    });
    for (let i = 0; i < pairs.length; i++) {
      const parameter = pairs[i][0];
      const { value } = parameter;
      if (this.weightDecay !== null) {
        run(specs.weightDecayUpdate, [value, gradients[i], this.clock], this.weightDecay);
      }
      this.update(value, gradients[i], this.slotsOf(parameter));
    }
  }

  /** Changes one parameter in place, with one update op. `slots` are in the order of the plan. */
  protected abstract update(parameter: Tensor, gradient: Tensor, slots: readonly Tensor[]): void;

  /** Called before the updates of step t (from 1 on), for what a rule keeps in the clock. */
  protected tick(_t: number): void {
    // Most rules need the learning rate and the step alone.
  }

  /** Where the optimizer stands with these parameters; setState with the same ones goes on from there, to the bit. */
  state(parameters: readonly Variable[]): OptimizerState {
    const names = Object.keys(this.plan);
    return {
      name: this.name,
      iterations: this.steps,
      learningRate: this.schedule === null ? this.rate : null,
      clock: Array.from(this.clock.data),
      slots: parameters.map((parameter) => {
        const slots = this.slotsOf(parameter);
        return Object.fromEntries(names.map((name, i) => [name, slots[i].toTypedArray().slice()]));
      }),
    };
  }

  /**
   * Goes on from a saved state; parameters in the order in which it was saved.
   *
   * @throws ValueError, ShapeError when the state is that of another optimizer or of other parameters; nothing is changed then
   */
  setState(parameters: readonly Variable[], state: OptimizerState): void {
    if (state.name !== this.name) {
      throw new ValueError(`${this.name}: the state is that of the optimizer '${state.name}'.`);
    }
    if (state.slots.length !== parameters.length) {
      throw new ValueError(
        `${this.name}: the state has ${state.slots.length} parameters; the model has ${parameters.length}.`,
      );
    }
    if ((state.learningRate === null) !== (this.schedule !== null)) {
      const [saved, here] =
        state.learningRate === null ? ['a schedule', 'a number'] : ['a number', 'a schedule'];
      throw new ValueError(
        `${this.name}: the learning rate was ${saved} in the state and is ${here} here.`,
      );
    }
    const restored = parameters.map((parameter, i) =>
      this.restoredSlots(parameter, i, state.slots[i]),
    );
    const rate = checkNumber(this.name, 'learningRate', state.learningRate ?? 0);
    const counted = Number.isSafeInteger(state.iterations) && state.iterations >= 0;
    if (!counted || state.clock.length !== this.clock.size) {
      throw new ValueError(
        `${this.name}: the state is damaged: iterations ${state.iterations}, clock of ${state.clock.length} numbers.`,
      );
    }
    // In place: a recorded step uses the slots where they are.
    parameters.forEach((parameter, i) => {
      const slots = this.slotsOf(parameter);
      restored[i].forEach((value, k) => run(specs.assign, [slots[k], value], {}));
    });
    this.rate = rate;
    this.steps = state.iterations;
    this.clock.data.set(state.clock);
  }

  private restoredSlots(
    parameter: Variable,
    at: number,
    saved: Readonly<Record<string, TypedArray>>,
  ): Tensor[] {
    return this.freshSlots(parameter).map((slot, i) => {
      const name = Object.keys(this.plan)[i];
      const data = Object.hasOwn(saved, name) ? saved[name] : undefined;
      if (data?.length !== slot.size) {
        throw new ShapeError(
          `${this.name}: slot '${name}' of parameter ${at} needs ${slot.size} numbers, for shape ` +
            `${formatShape(parameter.shape)}; the state has ${data === undefined ? 'none' : data.length}.`,
        );
      }
      return tensor(data.slice(), { shape: slot.shape, dtype: slot.dtype });
    });
  }

  /** Makes the state of these parameters before their first update does, and gives it: tensors that change in place. */
  prepare(parameters: readonly Variable[]): Tensor[] {
    return parameters.flatMap((parameter) => this.slotsOf(parameter));
  }

  /** The state of a parameter, made when it is first met. */
  private slotsOf(parameter: Variable): readonly Tensor[] {
    let slots = this.slots.get(parameter);
    if (slots === undefined) {
      slots = this.freshSlots(parameter);
      this.slots.set(parameter, slots);
    }
    return slots;
  }

  private freshSlots({ shape, dtype }: Variable): Tensor[] {
    return Object.values(this.plan).map((value) => {
      const slot = zeros(value === null ? [0] : shape, dtype);
      if (value !== null && value !== 0)
        slot.data.fill(value, slot.offset, slot.offset + slot.size);
      return slot;
    });
  }

  private clipped(pairs: readonly ParameterGradient[]): readonly Tensor[] {
    const gradients = pairs.map(([, gradient]) => gradient.value);
    if (this.clip === null || gradients.length === 0) return gradients;
    const { kind, limit } = this.clip;
    switch (kind) {
      case 'clipvalue':
        return gradients.map((g) => g.clip({ min: -limit, max: limit }));
      case 'clipnorm':
        return gradients.map((g) => shortened(g, g.norm(), limit));
      case 'globalClipnorm': {
        const norm = ops.stack(gradients.map((g) => g.norm())).norm();
        return gradients.map((g) => shortened(g, norm, limit));
      }
    }
  }

  private scheduled(schedule: Schedule): number {
    const rate = schedule(this.steps);
    if (!(rate >= 0 && rate < Infinity)) {
      throw new ValueError(
        `${this.name}: the schedule gave a learning rate of ${rate} for step ${this.steps}; it must be 0 or more.`,
      );
    }
    return rate;
  }
}

type ClipKind = 'clipnorm' | 'globalClipnorm' | 'clipvalue';

function clipOf(name: string, options: OptimizerOptions): { kind: ClipKind; limit: number } | null {
  const kinds = ['clipnorm', 'globalClipnorm', 'clipvalue'] as const;
  const given = kinds.filter((kind) => options[kind] !== undefined && options[kind] !== null);
  if (given.length > 1) {
    throw new ValueError(
      `${name}: give only one of clipnorm, globalClipnorm and clipvalue; got ${given.join(', ')}.`,
    );
  }
  if (given.length === 0) return null;
  const limit = options[given[0]] ?? 0;
  if (!(limit > 0)) {
    throw new ValueError(`${name}: ${given[0]} must be a number above 0; got ${limit}.`);
  }
  return { kind: given[0], limit };
}

/** g · limit / max(norm, limit). All of it is ops on tensors: no value is read, so that a step can be recorded. */
function shortened(g: Tensor, norm: Tensor, limit: number): Tensor {
  const factor = ops.div(limit, norm.maximum(limit));
  return g.mul(factor.dtype === g.dtype ? factor : factor.cast(g.dtype));
}

function checkPairs(name: string, pairs: readonly ParameterGradient[]): void {
  const given: unknown = pairs;
  const wanted = `${name}.applyGradients: takes pairs of a parameter and its gradient, as in [[w, g]]`;
  if (!Array.isArray(given)) throw new ValueError(`${wanted}; got ${shown(given)}.`);
  const seen = new Set<unknown>();
  for (const pair of given as readonly unknown[]) {
    const [w, g] = Array.isArray(pair) ? (pair as readonly unknown[]) : [];
    if (!(w instanceof Variable) || !(g instanceof Variable)) {
      const none = w instanceof Variable && (g === null || g === undefined);
      throw new ValueError(
        none
          ? `${name}.applyGradients: a parameter of shape ${formatShape(w.shape)} has no gradient (${g}): call backward first, and ` +
              'leave out what no gradient reaches.'
          : `${wanted}, both Variables; got ${shown(pair)}.`,
      );
    }
    if (seen.has(w)) {
      throw new ValueError(
        `${name}.applyGradients: a parameter of shape ${formatShape(w.shape)} is given twice; add its gradients up.`,
      );
    }
    seen.add(w);
    checkPair(name, w, g);
  }
}

function checkPair(name: string, parameter: Variable, gradient: Variable): void {
  if (!sameShape(parameter.shape, gradient.shape)) {
    throw new ShapeError(
      `${name}: a parameter of shape ${formatShape(parameter.shape)} needs a gradient of that shape; got ` +
        `${formatShape(gradient.shape)}.`,
    );
  }
  if (parameter.dtype !== gradient.dtype) {
    throw new DTypeError(
      `${name}: a ${parameter.dtype} parameter needs a ${parameter.dtype} gradient; got ${gradient.dtype}.`,
    );
  }
}

/** Throws a ValueError unless an option is a finite number of 0 or more. */
export function checkNumber(name: string, option: string, value: number): number {
  return checkRange(name, option, value, 0);
}

/** Throws a ValueError unless an option is from 0 to 1, 1 itself left out. */
export function checkShare(name: string, option: string, value: number): number {
  if (!Number.isFinite(value) || value < 0 || value >= 1) {
    throw new ValueError(
      `${name}: ${option} must be from 0 up to but without 1; got ${shown(value)}.`,
    );
  }
  return value;
}
