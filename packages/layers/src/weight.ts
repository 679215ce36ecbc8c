/**
 * The weights of layers.
 */
import type { Tensor } from '@tapegrad/tensor';
import { Variable } from '@tapegrad/autograd';
import type { Constraint, ConstraintId } from './constraints.js';
import type { InitializerId } from './initializers.js';
import type { Regularizer, RegularizerId } from './regularizers.js';

/** How a weight is made. */
export interface WeightOptions {
  initializer?: InitializerId;
  regularizer?: RegularizerId;
  /** Applied to the value after each update. */
  constraint?: ConstraintId | null;
  /** False for values that no gradient reaches, such as moving averages. Default true. */
  trainable?: boolean;
}

/** A weight of a layer: a Variable with a name. */
export class Weight extends Variable {
  constructor(
    /** A layer around the weight's layer may put a word before it: `forward.kernel`. */
    public name: string,
    value: Tensor,
    /** Whether training changes it, as long as its layer is trainable too. */
    readonly trainable: boolean,
    readonly regularizer: Regularizer | null = null,
    readonly constraint: Constraint | null = null,
  ) {
    super(value, trainable);
  }
}
