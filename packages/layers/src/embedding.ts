/**
 * Embedding: a vector of weights for each of a number of things.
 */
import {
  IndexError,
  ShapeError,
  ValueError,
  duringRun,
  isFloat,
  type Tensor,
} from '@tapegrad/tensor';
import { type Variable, ops } from '@tapegrad/autograd';
import { checkCount } from './checks.js';
import type { ConstraintId } from './constraints.js';
import type { InitializerId } from './initializers.js';
import { Layer, type BatchShape, type LayerOptions } from './layer.js';
import type { Weight } from './weight.js';
import { setMask } from './masks.js';
import type { RegularizerId } from './regularizers.js';

export interface EmbeddingOptions extends LayerOptions {
  /** Default 'randomUniform', from −0.05 to 0.05. */
  embeddingsInitializer?: InitializerId;
  embeddingsRegularizer?: RegularizerId;
  embeddingsConstraint?: ConstraintId;
  /** Whether 0 means that there is nothing: a mask then leaves these steps out. Default false. */
  maskZero?: boolean;
}

/**
 * Replaces whole numbers from 0 to inputDim − 1 by vectors of outputDim weights.
 *
 * Shapes: [batch, …] → [batch, …, outputDim]; weights embeddings [inputDim, outputDim].
 *
 * @throws ValueError unless inputDim and outputDim are whole numbers of 1 or more; for inputs that are no whole numbers
 * @throws IndexError for an input that is not from 0 to inputDim − 1
 * @example
 * new Embedding(1000, 8).apply([[3, 1, 4]]).shape; // [1, 3, 8]
 */
export class Embedding extends Layer {
  readonly inputDim: number;
  readonly outputDim: number;
  private readonly maskZero: boolean;
  private embeddings: Weight | null = null;

  constructor(
    inputDim: number,
    outputDim: number,
    private readonly options: EmbeddingOptions = {},
  ) {
    super(options);
    this.inputDim = checkCount(this.name, 'inputDim', inputDim);
    this.outputDim = checkCount(this.name, 'outputDim', outputDim);
    this.maskZero = options.maskZero ?? false;
  }

  override build(): void {
    this.embeddings = this.addWeight('embeddings', [this.inputDim, this.outputDim], {
      initializer: this.options.embeddingsInitializer ?? 'randomUniform',
      regularizer: this.options.embeddingsRegularizer,
      constraint: this.options.embeddingsConstraint,
    });
  }

  override call(x: Variable): Variable {
    if (this.embeddings === null)
      throw new ShapeError(`${this.name}: call apply(), which makes the weights first.`);
    duringRun([x.value], (words) => this.check(words));
    const y = ops.gather(this.embeddings, x.dtype === 'int32' ? x.value : x.value.cast('int32'));
    if (this.maskZero) setMask(y, x.value.notEqual(0));
    return y;
  }

  private check(x: Tensor): void {
    const list = x.toTypedArray();
    for (let i = 0; i < list.length; i++) {
      const n = list[i];
      if (isFloat(x.dtype) && !Number.isInteger(n)) {
        throw new ValueError(
          `${this.name}: takes whole numbers from 0 to ${this.inputDim - 1}; got ${n}.`,
        );
      }
      if (n < 0 || n >= this.inputDim) {
        throw new IndexError(
          `${this.name}: takes whole numbers from 0 to ${this.inputDim - 1}; got ${n}. inputDim must be greater than ` +
            `every number of the data.`,
        );
      }
    }
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return [...inputShape, this.outputDim];
  }
}
