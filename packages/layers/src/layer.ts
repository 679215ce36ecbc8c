/**
 * The Layer: weights, and a function of a Variable that uses them.
 */
import {
  ShapeError,
  type Tensor,
  ValueError,
  defaultGenerator,
  formatShape,
  sameShape,
  sizeOf,
  tensor,
  zeros,
  type DType,
  type Generator,
  type Shape,
  type TensorLike,
} from '@tapegrad/tensor';
import { Variable, noGrad, toVariable, type VariableLike } from '@tapegrad/autograd';
import { getInitializer, type InitializerId } from './initializers.js';
import { getRegularizer, type Regularizer, type RegularizerId } from './regularizers.js';

/** A shape with sizes that are not known before data come: null, as a rule for the batch. */
export type BatchShape = readonly (number | null)[];

/** What every layer can be given. */
export interface LayerOptions {
  /** Default: the class's name with a number, as in `dense_1`. Unique within a model. */
  name?: string;
  /** Whether training changes the weights. Default true. */
  trainable?: boolean;
  /** The dtype of the weights: float32 (default) or float64. */
  dtype?: DType;
  /** The shape of one sample; on a model's first layer it lets the weights be made at once. */
  inputShape?: Shape;
  /** The shape of a whole batch, for models that need to know the batch size. */
  batchInputShape?: BatchShape;
}

/** What a layer is told when it runs. */
export interface CallContext {
  /** True while fitting: dropout drops, batch normalization uses the batch. */
  readonly training: boolean;
}

/** How a weight is made. */
export interface WeightOptions {
  initializer?: InitializerId;
  regularizer?: RegularizerId;
  /** False for values that no gradient reaches, such as moving averages. Default true. */
  trainable?: boolean;
}

/** A weight of a layer: a Variable with a name. */
export class Weight extends Variable {
  constructor(
    readonly name: string,
    value: Tensor,
    /** Whether training changes it, as long as its layer is trainable too. */
    readonly trainable: boolean,
    readonly regularizer: Regularizer | null,
  ) {
    super(value, trainable);
  }
}

const counts = new Map<string, number>();

/** 'Dense' → 'dense', then 'dense_1', 'dense_2' … */
function automaticName(className: string): string {
  const base = className.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
  const count = counts.get(base) ?? 0;
  counts.set(base, count + 1);
  return count === 0 ? base : `${base}_${count}`;
}

/**
 * The base of all layers. To write one: make the weights in `build`, compute in `call`.
 *
 * @example
 * class Scale extends Layer {
 *   build(inputShape) {
 *     this.factor = this.addWeight('factor', [inputShape.at(-1)], { initializer: 'ones' });
 *   }
 *   call(x) {
 *     return x.mul(this.factor);
 *   }
 * }
 * new Scale().apply([[1, 2]]).toArray(); // [[1, 2]]
 */
export abstract class Layer {
  readonly name: string;
  readonly dtype: DType;
  /** The shape of a batch that the options promise; null when they do not say. */
  readonly batchInputShape: BatchShape | null;
  private ownWeights: Weight[] = [];
  private builtFor: BatchShape | null = null;
  private isTrainable: boolean;

  constructor(options: LayerOptions = {}) {
    const { name, trainable = true, dtype = 'float32', inputShape, batchInputShape } = options;
    this.name = name ?? automaticName(new.target.name);
    if (dtype !== 'float32' && dtype !== 'float64') {
      throw new ValueError(`${this.name}: weights are float32 or float64; got dtype '${dtype}'.`);
    }
    this.dtype = dtype;
    this.isTrainable = trainable;
    this.batchInputShape = batchInputShape ?? (inputShape ? [null, ...inputShape] : null);
  }

  /** Makes the weights; called once, before the first `call`. */
  build(_inputShape: BatchShape): void {
    // Layers without weights have nothing to make.
  }

  /** The layer's function. */
  abstract call(x: Variable, context: CallContext): Variable;

  /**
   * The shape of the output. The standard answer runs the layer once on zeros; layers that know better say so.
   */
  computeOutputShape(inputShape: BatchShape): BatchShape {
    const sample = new Variable(
      zeros(
        inputShape.map((n) => n ?? 1),
        this.dtype,
      ),
    );
    const { shape } = noGrad(() => this.call(sample, { training: false }));
    return shape.map((n, i) => (i === 0 ? inputShape[0] : n));
  }

  /**
   * Runs the layer, making its weights first if need be.
   *
   * @throws ShapeError naming the layer when the input does not fit
   */
  apply(x: VariableLike, context: CallContext = { training: false }): Variable {
    const input = toVariable(x);
    this.ensureBuilt([null, ...input.shape.slice(1)]);
    return this.call(input, context);
  }

  /** True once the weights are made. */
  get built(): boolean {
    return this.builtFor !== null;
  }

  /** Makes the weights for inputs of this shape unless they are made. */
  ensureBuilt(inputShape: BatchShape): void {
    if (this.builtFor !== null) return;
    this.build(inputShape);
    this.builtFor = inputShape;
  }

  /** All weights, those of layers inside included. */
  get weights(): readonly Weight[] {
    return this.ownWeights;
  }

  /** The weights that training changes. */
  get trainableWeights(): readonly Weight[] {
    return this.isTrainable ? this.weights.filter((w) => w.trainable) : [];
  }

  /** Whether training changes the weights; set it to false to freeze the layer. */
  get trainable(): boolean {
    return this.isTrainable;
  }

  set trainable(value: boolean) {
    this.isTrainable = value;
    for (const w of this.weights) w.requiresGrad = value && w.trainable;
  }

  /**
   * Makes a weight, for use in `build`. Initial values come from the default generator's stream 'weights'.
   *
   * @throws ValueError when the layer has a weight of that name
   */
  protected addWeight(name: string, shape: Shape, options: WeightOptions = {}): Weight {
    const { initializer = 'glorotUniform', regularizer, trainable = true } = options;
    if (this.ownWeights.some((w) => w.name === name)) {
      throw new ValueError(`${this.name}: there is a weight '${name}' already.`);
    }
    const generator: Generator = defaultGenerator().stream('weights');
    const value = getInitializer(initializer)(shape, { dtype: this.dtype, generator });
    const weight = new Weight(name, value, trainable, getRegularizer(regularizer));
    weight.requiresGrad = trainable && this.isTrainable;
    this.ownWeights.push(weight);
    return weight;
  }

  /** Copies of the weights, in the order in which they were made. */
  getWeights(): Tensor[] {
    return this.weights.map((w) => w.value.copy());
  }

  /**
   * Sets the weights; either all of them or, after an error, none.
   *
   * @throws ShapeError when there are too many, too few, or one has another shape
   */
  setWeights(values: readonly TensorLike[]): void {
    const weights = this.weights;
    if (values.length !== weights.length) {
      throw new ShapeError(
        `${this.name}: setWeights needs ${weights.length} tensors (${describeWeights(weights)}); got ${values.length}.` +
          (this.built
            ? ''
            : ' The layer has no weights before it is built: give it an inputShape, or run it once.'),
      );
    }
    const tensors = values.map((v) => tensor(v));
    tensors.forEach((value, i) => {
      if (!sameShape(value.shape, weights[i].shape)) {
        throw new ShapeError(
          `${this.name}: weight '${weights[i].name}' has shape ${formatShape(weights[i].shape)}; got ${formatShape(value.shape)}.`,
        );
      }
    });
    tensors.forEach((value, i) => weights[i].assign(value));
  }

  /** The number of weights' elements. */
  countParams(): number {
    return this.weights.reduce((n, w) => n + sizeOf(w.shape), 0);
  }
}

function describeWeights(weights: readonly Weight[]): string {
  return weights.map((w) => `${w.name} ${formatShape(w.shape)}`).join(', ') || 'it has none';
}
