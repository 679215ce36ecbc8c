/** Optimizers and learning-rate schedules. */
import { ValueError } from '@tapegrad/tensor';
import { lookup } from '../registry.js';
import type { Optimizer } from './optimizer.js';
import {
  Adadelta,
  Adagrad,
  Adam,
  AdamW,
  Adamax,
  Ftrl,
  Nadam,
  RMSprop,
  SGD,
  type AdadeltaOptions,
  type AdagradOptions,
  type AdamOptions,
  type BetaOptions,
  type FtrlOptions,
  type RMSpropOptions,
  type SGDOptions,
} from './rules.js';

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
  sgd: (options?: SGDOptions) => new SGD(options),
  rmsprop: (options?: RMSpropOptions) => new RMSprop(options),
  adam: (options?: AdamOptions) => new Adam(options),
  adamw: (options?: AdamOptions) => new AdamW(options),
  adagrad: (options?: AdagradOptions) => new Adagrad(options),
  adadelta: (options?: AdadeltaOptions) => new Adadelta(options),
  adamax: (options?: BetaOptions) => new Adamax(options),
  nadam: (options?: BetaOptions) => new Nadam(options),
  ftrl: (options?: FtrlOptions) => new Ftrl(options),
} satisfies Record<string, () => Optimizer>;

/** What a saved model may call. */
export { TABLE as optimizerFactories };

/** The name of any optimizer. */
export type OptimizerName = keyof typeof TABLE;

/** How an optimizer is given: by name, with its default options, or as an object. */
export type OptimizerId = OptimizerName | Optimizer;

/**
 * A new optimizer by name, or one as it is.
 *
 * @throws UnknownNameError listing the known names; ValueError for a class that nothing was made of
 */
export function getOptimizer(id: OptimizerId): Optimizer {
  const given: unknown = id;
  if (typeof given === 'function') {
    throw new ValueError(
      `compile: an optimizer is made before it is used, as in new ${given.name}(); got ${given.name} itself.`,
    );
  }
  return isOptimizer(id) ? id : lookup('optimizer', TABLE, id)();
}

/** By what it can do, so that an optimizer of another copy of this package is one too. */
function isOptimizer(id: unknown): id is Optimizer {
  return typeof id === 'object' && id !== null && 'applyGradients' in id;
}
