/**
 * Learning rates that depend on the step. A schedule is any function from the number of updates made so far to a rate.
 */
import { ValueError, shown } from '@tapegrad/tensor';
import { checkRange } from '../checks.js';
import { checkOptions } from '../registry.js';
import { made } from '../saving/recipes.js';

/** From the number of updates made so far (0, 1, 2, …) to the learning rate of the next. */
export type Schedule = (step: number) => number;

export interface DecayOptions {
  /** The rate at step 0. */
  initialLearningRate: number;
  /** After how many steps `decayRate` has had its effect once. */
  decaySteps: number;
  decayRate: number;
  /** Change only after every `decaySteps` steps, not gradually. Default false. */
  staircase?: boolean;
}

const DECAY_OPTIONS = ['initialLearningRate', 'decaySteps', 'decayRate', 'staircase'];

/** How often the decay has had its effect by a step. */
function periods(name: string, options: DecayOptions): Schedule {
  checkOptions(name, options, DECAY_OPTIONS);
  const { initialLearningRate, decaySteps, decayRate, staircase = false } = options;
  checkNumbers(name, { initialLearningRate, decayRate });
  checkSteps(name, 'decaySteps', decaySteps);
  return (step) => (staircase ? Math.floor(step / decaySteps) : step / decaySteps);
}

/**
 * initialLearningRate · decayRate ^ (step / decaySteps)
 *
 * @throws ValueError for a negative rate, or decaySteps that is not above 0
 * @example schedules.exponentialDecay({ initialLearningRate: 0.1, decaySteps: 10, decayRate: 0.5 })(20); // 0.025
 */
export function exponentialDecay(options: DecayOptions): Schedule {
  const elapsed = periods('exponentialDecay', options);
  const { initialLearningRate, decayRate } = options;
  return made(
    'schedules.exponentialDecay',
    [options],
    (step: number) => initialLearningRate * decayRate ** elapsed(step),
  );
}

/**
 * initialLearningRate / (1 + decayRate · step / decaySteps)
 *
 * @throws ValueError for a negative rate, or decaySteps that is not above 0
 * @example schedules.inverseTimeDecay({ initialLearningRate: 0.1, decaySteps: 10, decayRate: 1 })(30); // 0.025
 */
export function inverseTimeDecay(options: DecayOptions): Schedule {
  const elapsed = periods('inverseTimeDecay', options);
  const { initialLearningRate, decayRate } = options;
  return made(
    'schedules.inverseTimeDecay',
    [options],
    (step: number) => initialLearningRate / (1 + decayRate * elapsed(step)),
  );
}

export interface PolynomialDecayOptions {
  initialLearningRate: number;
  decaySteps: number;
  /** The rate at the end. Default 0.0001. */
  endLearningRate?: number;
  /** Default 1, a straight line. */
  power?: number;
  /** Begin again, each time over a longer stretch, instead of staying at the end. Default false. */
  cycle?: boolean;
}

/**
 * From initialLearningRate to endLearningRate as (1 − step / decaySteps) ^ power. With `cycle` decaySteps is multiplied by the
 * smallest whole number that makes it reach the step.
 *
 * @throws ValueError for a negative rate or power, or decaySteps that is not above 0
 * @example schedules.polynomialDecay({ initialLearningRate: 0.1, decaySteps: 10, endLearningRate: 0 })(5); // 0.05
 */
export function polynomialDecay(options: PolynomialDecayOptions): Schedule {
  const name = 'polynomialDecay';
  const known = ['initialLearningRate', 'decaySteps', 'endLearningRate', 'power', 'cycle'];
  checkOptions(name, options, known);
  const { initialLearningRate, decaySteps, endLearningRate = 1e-4, power = 1 } = options;
  const { cycle = false } = options;
  checkNumbers(name, { initialLearningRate, endLearningRate, power });
  checkSteps(name, 'decaySteps', decaySteps);
  return made('schedules.polynomialDecay', [options], (step: number) => {
    const end = cycle ? decaySteps * Math.max(1, Math.ceil(step / decaySteps)) : decaySteps;
    const left = 1 - Math.min(step, end) / end;
    return (initialLearningRate - endLearningRate) * left ** power + endLearningRate;
  });
}

export interface CosineDecayOptions {
  /** Where the warm-up begins, or without one the decay. */
  initialLearningRate: number;
  /** How many steps the decay takes, warm-up not counted. */
  decaySteps: number;
  /** The share of the rate that is left at the end. Default 0. */
  alpha?: number;
  /** Where the warm-up ends and the decay begins. Default null: no warm-up. */
  warmupTarget?: number | null;
  /** How many steps the warm-up takes. Default 0. */
  warmupSteps?: number;
}

/**
 * Along half a cosine from the rate to alpha times the rate, after a warm-up in a straight line from initialLearningRate to
 * warmupTarget (Loshchilov & Hutter 2017, without restarts).
 *
 * @throws ValueError for a negative number, or decaySteps that is not above 0
 * @example schedules.cosineDecay({ initialLearningRate: 0.1, decaySteps: 10 })(5); // 0.05
 */
export function cosineDecay(options: CosineDecayOptions): Schedule {
  const name = 'cosineDecay';
  const known = ['initialLearningRate', 'decaySteps', 'alpha', 'warmupTarget', 'warmupSteps'];
  checkOptions(name, options, known);
  const { initialLearningRate, decaySteps, alpha = 0, warmupTarget, warmupSteps = 0 } = options;
  checkNumbers(name, { initialLearningRate, alpha, warmupSteps });
  checkSteps(name, 'decaySteps', decaySteps);
  const warm = warmupTarget !== undefined && warmupTarget !== null;
  if (warm) checkNumbers(name, { warmupTarget });
  if (!warm && warmupSteps > 0) {
    throw new ValueError(
      `${name}: warmupSteps is ${warmupSteps}, but there is no warmupTarget to warm up to.`,
    );
  }
  const start = warm ? warmupTarget : initialLearningRate;
  return made('schedules.cosineDecay', [options], (step: number) => {
    if (warm && step < warmupSteps) {
      return initialLearningRate + ((start - initialLearningRate) * step) / warmupSteps;
    }
    const decayed = Math.min(warm ? step - warmupSteps : step, decaySteps);
    const cosine = 0.5 * (1 + Math.cos((Math.PI * decayed) / decaySteps));
    return start * ((1 - alpha) * cosine + alpha);
  });
}

/**
 * values[0] up to and with step boundaries[0], then values[1], and so on.
 *
 * @throws ValueError unless the boundaries ascend and there is one value more than boundaries
 * @example schedules.piecewiseConstantDecay({ boundaries: [2, 5], values: [0.1, 0.05, 0.01] })(3); // 0.05
 */
export function piecewiseConstantDecay(options: {
  boundaries: readonly number[];
  values: readonly number[];
}): Schedule {
  const name = 'piecewiseConstantDecay';
  checkOptions(name, options, ['boundaries', 'values']);
  const boundaries = [...options.boundaries];
  const values = [...options.values];
  if (values.length !== boundaries.length + 1) {
    throw new ValueError(
      `${name}: needs one value more than boundaries; got ${boundaries.length} boundaries and ${values.length} values.`,
    );
  }
  if (!boundaries.every((b, i) => Number.isFinite(b) && (i === 0 || b > boundaries[i - 1]))) {
    throw new ValueError(`${name}: boundaries must ascend; got ${boundaries.join(', ')}.`);
  }
  values.forEach((value, i) => checkNumbers(name, { [`values[${i}]`]: value }));
  return made(
    'schedules.piecewiseConstantDecay',
    [options],
    (step: number) => values[boundaries.filter((boundary) => step > boundary).length],
  );
}

function checkNumbers(name: string, numbers: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(numbers)) checkRange(name, key, value, 0);
}

function checkSteps(name: string, key: string, value: number): void {
  if (!Number.isFinite(value) || value <= 0) {
    throw new ValueError(`${name}: ${key} must be a number above 0; got ${shown(value)}.`);
  }
}

/** What a saved model may call. */
export const scheduleFactories = {
  exponentialDecay,
  inverseTimeDecay,
  polynomialDecay,
  cosineDecay,
  piecewiseConstantDecay,
};
