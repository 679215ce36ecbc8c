/**
 * Penalties on weights, added to the loss as long as the weights are trained: those of frozen layers are left out, as in Keras 3.
 */
import { ValueError, shown } from '@tapegrad/tensor';
import type { Variable } from '@tapegrad/autograd';
import { checkOptions, lookup } from './registry.js';
import { made } from './saving/recipes.js';

/** From a weight to a scalar that is added to the loss, unless the weight is frozen. */
export type Regularizer = (weight: Variable) => Variable;

/**
 * factor·Σ|w|, which drives small weights to 0. Default factor 0.01.
 *
 * @throws ValueError for a negative factor
 * @example regularizers.l1(0.5)(variable([-1, 2])); // 1.5
 */
export function l1(factor = 0.01): Regularizer {
  checkFactor('l1', factor);
  return made('regularizers.l1', [factor], (w) => w.abs().sum().mul(factor));
}

/**
 * factor·Σw², which keeps weights small. Default factor 0.01.
 *
 * @throws ValueError for a negative factor
 * @example regularizers.l2(0.5)(variable([-1, 2])); // 2.5
 */
export function l2(factor = 0.01): Regularizer {
  checkFactor('l2', factor);
  return made('regularizers.l2', [factor], (w) => w.square().sum().mul(factor));
}

/**
 * l1·Σ|w| + l2·Σw². A factor that is left out is 0; without either, as by name, both are 0.01 (in Keras 3: 0).
 *
 * @throws ValueError for a negative factor
 * @example regularizers.l1l2({ l1: 1, l2: 0.5 })(variable([-1, 2])); // 5.5
 */
export function l1l2(factors: { l1?: number; l2?: number } = {}): Regularizer {
  checkOptions('l1l2', factors, ['l1', 'l2']);
  const rest = factors.l1 === undefined && factors.l2 === undefined ? 0.01 : 0;
  const absolute = l1(factors.l1 ?? rest);
  const square = l2(factors.l2 ?? rest);
  return made('regularizers.l1l2', [factors], (w) => absolute(w).add(square(w)));
}

function checkFactor(name: string, factor: number): void {
  if (!(factor >= 0 && factor < Infinity)) {
    throw new ValueError(
      `${name}: the factor must be a number of 0 or more; got ${shown(factor)}.`,
    );
  }
}

const TABLE = { l1, l2, l1l2 } satisfies Record<string, () => Regularizer>;

/** What a saved model may call. */
export { TABLE as regularizerFactories };

/** The name of any regularizer. */
export type RegularizerName = keyof typeof TABLE;

/** How a regularizer is given: by name, with its default factor, or as a function. */
export type RegularizerId = RegularizerName | Regularizer;

/**
 * A regularizer by name or as it is; null when there is none.
 *
 * @throws UnknownNameError listing the known names
 * @example regularizers.getRegularizer('l2')(variable([1, 2])); // 0.05
 */
export function getRegularizer(id: RegularizerId | null | undefined): Regularizer | null {
  if (id === undefined || id === null) return null;
  return typeof id === 'function' ? id : lookup('regularizer', TABLE, id)();
}
