/**
 * Rules that a weight must keep: applied to its value after every update of the optimizer.
 */
import { ValueError, ops, type Tensor } from '@tapegrad/tensor';
import { checkOptions, lookup } from './registry.js';
import { made } from './saving/recipes.js';

/** From the value of a weight to the one that it becomes. */
export type Constraint = (weight: Tensor) => Tensor;

/** Keeps a division by a norm of 0 from making NaN. */
const EPSILON = 1e-7;

/**
 * The axes whose elements make up one vector. For the kernel of a Dense layer 0: what comes into one unit. For a kernel
 * [height, width, in, filters] of a convolution [0, 1, 2]: the whole of one filter.
 */
export type ConstraintAxis = number | readonly number[];

export interface MaxNormOptions {
  /** Default 2. */
  maxValue?: number;
  /** Default 0. */
  axis?: ConstraintAxis;
}

export interface MinMaxNormOptions {
  /** Default 0. */
  minValue?: number;
  /** Default 1. */
  maxValue?: number;
  /** 1 brings the norm into the interval at once, less than 1 only that part of the way. Default 1. */
  rate?: number;
  /** Default 0. */
  axis?: ConstraintAxis;
}

/** √Σw² over the axes, which stay with size 1. */
function normOf(w: Tensor, axis: ConstraintAxis): Tensor {
  return ops.norm(w, { axis, keepDims: true });
}

/**
 * Scales vectors that are longer than `maxValue` back to that length (Srivastava et al. 2014).
 *
 * @throws ValueError unless maxValue is a number of 0 or more
 * @example constraints.maxNorm({ maxValue: 1 })(tensor([[3, 0.5], [4, 0]])); // [[0.6, 0.5], [0.8, 0]]
 */
export function maxNorm(options: MaxNormOptions = {}): Constraint {
  checkOptions('maxNorm', options, ['maxValue', 'axis']);
  const { maxValue = 2, axis = 0 } = options;
  checkNumbers('maxNorm', { maxValue });
  return made('constraints.maxNorm', [options], (w) => {
    const norm = normOf(w, axis);
    return w.mul(norm.clip({ min: 0, max: maxValue }).div(norm.add(EPSILON)));
  });
}

/**
 * Sets negative elements to 0.
 * @example constraints.nonNeg()(tensor([-1, 2])); // [0, 2]
 */
export function nonNeg(): Constraint {
  return made('constraints.nonNeg', [], (w) => w.relu());
}

/**
 * Scales each vector to length 1. Its only option is `axis`, by default 0.
 * @example constraints.unitNorm()(tensor([[3], [4]])); // [[0.6], [0.8]]
 */
export function unitNorm(options: { axis?: ConstraintAxis } = {}): Constraint {
  checkOptions('unitNorm', options, ['axis']);
  const { axis = 0 } = options;
  return made('constraints.unitNorm', [options], (w) => w.div(normOf(w, axis).add(EPSILON)));
}

/**
 * Brings the length of each vector into the interval from `minValue` to `maxValue`.
 *
 * @throws ValueError unless 0 ≤ minValue ≤ maxValue and 0 ≤ rate ≤ 1
 * @example constraints.minMaxNorm({ minValue: 10, maxValue: 20 })(tensor([[3], [4]])); // [[6], [8]]
 */
export function minMaxNorm(options: MinMaxNormOptions = {}): Constraint {
  checkOptions('minMaxNorm', options, ['minValue', 'maxValue', 'rate', 'axis']);
  const { minValue = 0, maxValue = 1, rate = 1, axis = 0 } = options;
  checkNumbers('minMaxNorm', { minValue, maxValue, rate });
  if (minValue > maxValue || rate > 1) {
    throw new ValueError(
      `minMaxNorm: minValue must not be greater than maxValue, nor rate than 1; got minValue ${minValue}, maxValue ` +
        `${maxValue} and rate ${rate}.`,
    );
  }
  return made('constraints.minMaxNorm', [options], (w) => {
    const norm = normOf(w, axis);
    const wanted = norm
      .clip({ min: minValue, max: maxValue })
      .mul(rate)
      .add(norm.mul(1 - rate));
    return w.mul(wanted.div(norm.add(EPSILON)));
  });
}

function checkNumbers(owner: string, numbers: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(numbers)) {
    if (!(value >= 0 && value < Infinity)) {
      throw new ValueError(`${owner}: ${name} must be a number of 0 or more; got ${value}.`);
    }
  }
}

const TABLE = { maxNorm, minMaxNorm, nonNeg, unitNorm } satisfies Record<string, () => Constraint>;

/** What a saved model may call. */
export { TABLE as constraintFactories };

/** The name of any constraint. */
export type ConstraintName = keyof typeof TABLE;

/** How a constraint is given: by name, with its standard settings, or as a function. */
export type ConstraintId = ConstraintName | Constraint;

/**
 * A constraint by name or as it is; null when there is none.
 *
 * @throws UnknownNameError listing the known names
 */
export function getConstraint(id: ConstraintId | null | undefined): Constraint | null {
  if (id === undefined || id === null) return null;
  return typeof id === 'function' ? id : lookup('constraint', TABLE, id)();
}
