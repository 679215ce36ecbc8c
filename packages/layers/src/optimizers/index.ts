/** Optimizers and learning-rate schedules. */
import { lookup } from '../registry.js';
import type { Optimizer } from './optimizer.js';
import { Adadelta, Adagrad, Adam, AdamW, Adamax, Ftrl, Nadam, RMSprop, SGD } from './rules.js';

export {
  Optimizer,
  type OptimizerOptions,
  type OptimizerState,
  type ParameterGradient,
  type SlotPlan,
} from './optimizer.js';
export * from './rules.js';
export * from './schedules.js';

const TABLE = {
  sgd: () => new SGD(),
  rmsprop: () => new RMSprop(),
  adam: () => new Adam(),
  adamw: () => new AdamW(),
  adagrad: () => new Adagrad(),
  adadelta: () => new Adadelta(),
  adamax: () => new Adamax(),
  nadam: () => new Nadam(),
  ftrl: () => new Ftrl(),
} satisfies Record<string, () => Optimizer>;

/** The name of any optimizer. */
export type OptimizerName = keyof typeof TABLE;

/** How an optimizer is given: by name, with its default options, or as an object. */
export type OptimizerId = OptimizerName | Optimizer;

/**
 * A new optimizer by name, or one as it is.
 *
 * @throws UnknownNameError listing the known names
 */
export function getOptimizer(id: OptimizerId): Optimizer {
  return isOptimizer(id) ? id : lookup('optimizer', TABLE, id)();
}

/** By what it can do, so that an optimizer of another copy of this package is one too. */
function isOptimizer(id: unknown): id is Optimizer {
  return typeof id === 'object' && id !== null && 'applyGradients' in id;
}
