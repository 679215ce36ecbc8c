/**
 * The Layer: weights, and a function of a Variable that uses them.
 */
import {
  ShapeError,
  Tensor,
  ValueError,
  defaultGenerator,
  outsideRecording,
  formatShape,
  sameShape,
  sizeOf,
  tensor,
  zeros,
  shown,
  type DType,
  type Shape,
  type TensorLike,
} from '@tapegrad/tensor';
import { Variable, noGrad, toVariable, type VariableLike } from '@tapegrad/autograd';
import { checkSizes, checkVariable } from './checks.js';
import { getConstraint } from './constraints.js';
import { getInitializer } from './initializers.js';
import { maskOf, setMask } from './masks.js';
import { checkOptions } from './registry.js';
import { getRegularizer } from './regularizers.js';
import { ConfigWriter } from './saving/config.js';
import { classNameOf, optionNamesOf } from './saving/layer-classes.js';
import { placeholder } from './saving/loading.js';
import type { Config } from './saving/plain.js';
import { SymbolicTensor } from './symbolic.js';
import { Weight, type WeightOptions } from './weight.js';

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

type LayerInput = VariableLike | readonly Variable[] | SymbolicTensor | readonly SymbolicTensor[];

function isSymbolic(x: LayerInput): x is SymbolicTensor | readonly SymbolicTensor[] {
  return x instanceof SymbolicTensor || (Array.isArray(x) && x[0] instanceof SymbolicTensor);
}

function isVariableList(x: VariableLike | readonly Variable[]): x is readonly Variable[] {
  return Array.isArray(x) && x[0] instanceof Variable;
}

/** The names of the options that every layer has. */
const COMMON_OPTIONS = Object.keys({
  name: true,
  trainable: true,
  dtype: true,
  inputShape: true,
  batchInputShape: true,
} satisfies Record<keyof LayerOptions, true>);

const counts = new Map<string, number>();

/** 'MaxPooling2D' → 'max_pooling2d', then 'max_pooling2d_1' …: Keras's names. */
function automaticName(className: string): string {
  const base = className
    .replace(/(.)([A-Z][a-z]+)/g, '$1_$2')
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase();
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
  private isBuilt = false;
  private isTrainable: boolean;
  /** The options as they were given, for `getConfig`. */
  private readonly givenOptions: LayerOptions;

  /** @throws UnknownNameError for an option that a layer of this library does not know; ValueError for one of a wrong kind */
  constructor(options: LayerOptions = {}) {
    const className = classNameOf(new.target);
    const known = optionNamesOf(new.target);
    checkOptions(className, options, known === undefined ? null : [...known, ...COMMON_OPTIONS]);
    const { name, trainable = true, dtype = 'float32', inputShape, batchInputShape } = options;
    this.givenOptions = options;
    this.name = name ?? automaticName(className);
    if (typeof this.name !== 'string') {
      throw new ValueError(`${className}: name is a string; got ${shown(name)}.`);
    }
    if (typeof trainable !== 'boolean') {
      throw new ValueError(`${this.name}: trainable is true or false; got ${shown(trainable)}.`);
    }
    if (dtype !== 'float32' && dtype !== 'float64') {
      throw new ValueError(`${this.name}: weights are float32 or float64; got dtype '${dtype}'.`);
    }
    if (inputShape !== undefined) {
      checkSizes(this.name, 'inputShape', inputShape, '[784] (without the batch)');
    }
    if (batchInputShape !== undefined) {
      checkSizes(this.name, 'batchInputShape', batchInputShape, '[null, 784]');
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
  call(_x: Variable, _context: CallContext): Variable {
    throw new ValueError(
      `${this.name}: a layer must override call (or callAll, for several inputs).`,
    );
  }

  /**
   * The shape of the output. The standard answer runs the layer once on zeros; layers that know better say so.
   */
  computeOutputShape(inputShape: BatchShape): BatchShape {
    return this.shapesByRunning([inputShape])[0];
  }

  /** As `build`, for layers with several inputs. */
  buildAll(inputShapes: readonly BatchShape[]): void {
    if (inputShapes.length === 1) this.build(inputShapes[0]);
  }

  /** As `call`, for layers with several inputs or outputs. */
  callAll(inputs: readonly Variable[], context: CallContext): readonly Variable[] {
    return [this.call(this.only(inputs), context)];
  }

  /** As `computeOutputShape`, for layers with several inputs or outputs. */
  computeOutputShapes(inputShapes: readonly BatchShape[]): readonly BatchShape[] {
    const known = this.computeOutputShape !== Layer.prototype.computeOutputShape;
    return known
      ? [this.computeOutputShape(this.only(inputShapes))]
      : this.shapesByRunning(inputShapes);
  }

  private shapesByRunning(inputShapes: readonly BatchShape[]): BatchShape[] {
    const samples = inputShapes.map(
      (shape) =>
        new Variable(
          zeros(
            shape.map((n) => n ?? 1),
            this.dtype,
          ),
        ),
    );
    const outputs = noGrad(() => this.called(samples, { training: false }));
    return outputs.map(({ shape }) => shape.map((n, i) => (i === 0 ? inputShapes[0][0] : n)));
  }

  /** The one input of a layer that takes one. */
  private only<T>(inputs: readonly T[]): T {
    if (inputs.length !== 1)
      throw new ShapeError(`${this.name}: takes one input; got ${inputs.length}.`);
    return inputs[0];
  }

  /**
   * Runs the layer, making its weights first if need be. On symbolic tensors it makes a plan instead, for a `Model`.
   *
   * @throws ShapeError naming the layer when the input does not fit, or when it has several outputs (see `applyAll`)
   */
  apply(x: SymbolicTensor | readonly SymbolicTensor[]): SymbolicTensor;
  apply(x: VariableLike | readonly Variable[], context?: CallContext): Variable;
  apply(x: LayerInput, context: CallContext = { training: false }): SymbolicTensor | Variable {
    const outputs = isSymbolic(x) ? this.applyAll(x) : this.applyAll(x, context);
    if (outputs.length !== 1) {
      throw new ShapeError(
        `${this.name}: gives ${outputs.length} outputs; use applyAll, which returns a list.`,
      );
    }
    return outputs[0];
  }

  /** As `apply`, for layers with several outputs. */
  applyAll(x: SymbolicTensor | readonly SymbolicTensor[]): readonly SymbolicTensor[];
  applyAll(x: VariableLike | readonly Variable[], context?: CallContext): readonly Variable[];
  applyAll(
    x: LayerInput,
    context: CallContext = { training: false },
  ): readonly SymbolicTensor[] | readonly Variable[] {
    if (isSymbolic(x)) return this.plan(x instanceof SymbolicTensor ? [x] : x);
    const inputs = isVariableList(x) ? x : [toVariable(x)];
    this.ensureBuilt(...inputs.map(({ shape }) => [null, ...shape.slice(1)]));
    return this.run(inputs, context);
  }

  private plan(inputs: readonly SymbolicTensor[]): SymbolicTensor[] {
    const shapes = inputs.map((input) => input.shape);
    this.ensureBuilt(...shapes);
    const use = { layer: this, inputs };
    return this.computeOutputShapes(shapes).map(
      (shape, index) => new SymbolicTensor(shape, this.dtype, this.name, use, index),
    );
  }

  /** The layer's function on a layer that is built, and what becomes of the masks. */
  run(inputs: readonly Variable[], context: CallContext): readonly Variable[] {
    const outputs = this.called(inputs, context);
    const mask = this.supportsMasking && inputs.length > 0 ? maskOf(inputs[0]) : null;
    if (mask !== null) for (const y of outputs) if (maskOf(y) === null) setMask(y, mask);
    return outputs;
  }

  /** What the layer's function returns, if that is what it should. */
  private called(inputs: readonly Variable[], context: CallContext): readonly Variable[] {
    const outputs: readonly unknown[] = this.callAll(inputs, context);
    for (const y of Array.isArray(outputs) ? outputs : [outputs]) {
      checkVariable(`${this.name}: call must return a Variable`, y);
    }
    return outputs as readonly Variable[];
  }

  /** Whether a mask of the input holds for the output as well. */
  protected readonly supportsMasking: boolean = false;

  /** True once the weights are made. */
  get built(): boolean {
    return this.isBuilt;
  }

  /** Makes the weights for inputs of these shapes unless they are made. */
  ensureBuilt(...inputShapes: readonly BatchShape[]): void {
    if (this.isBuilt) return;
    outsideRecording(() => this.buildAll(inputShapes));
    this.isBuilt = true;
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
   * @throws ValueError when the layer has a weight of that name, or the initializer gives something else than it should
   */
  protected addWeight(name: string, shape: Shape, options: WeightOptions = {}): Weight {
    const { initializer = 'glorotUniform', regularizer, constraint, trainable = true } = options;
    if (this.ownWeights.some((w) => w.name === name)) {
      throw new ValueError(`${this.name}: there is a weight '${name}' already.`);
    }
    const value: unknown =
      placeholder(`${this.name}: weight '${name}'`, shape, this.dtype) ??
      getInitializer(initializer)(shape, {
        dtype: this.dtype,
        generator: defaultGenerator().stream('weights'),
      });
    if (!(value instanceof Tensor) || !sameShape(value.shape, shape)) {
      const got = value instanceof Tensor ? `one of ${formatShape(value.shape)}` : shown(value);
      throw new ValueError(
        `${this.name}: the initializer of '${name}' must return a tensor of shape ${formatShape(shape)}; got ${got}.` +
          (typeof value === 'function' ? ' Call it first, as in initializers.heNormal().' : ''),
      );
    }
    const weight = new Weight(
      name,
      value,
      trainable,
      getRegularizer(regularizer),
      getConstraint(constraint),
    );
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
   * @throws ShapeError when there are too many, too few, or one has another shape; ValueError for what is no list
   */
  setWeights(values: readonly TensorLike[]): void {
    const weights = this.weights;
    const given: unknown = values;
    if (!Array.isArray(given)) {
      throw new ValueError(
        `${this.name}: setWeights takes a list of tensors, as getWeights gives; got ${shown(given)}.`,
      );
    }
    if (values.length !== weights.length) {
      throw new ShapeError(
        `${this.name}: setWeights needs ${weights.length} tensors (${describeWeights(weights) || 'it has none'}); got ${values.length}.` +
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

  /**
   * Plain data from which the layer can be made again, without its weights: the options, and the constructor's arguments that
   * `registerLayer` names. Override it for more, beginning with `...super.getConfig(writer)`.
   *
   * @param writer collects the layers inside; without one they are written where they stand
   * @throws ValueError for a class that is not registered, or a function without a registered name
   * @example
   * new Dense(4, { name: 'head', activation: 'relu' }).getConfig();
   * // { units: 4, name: 'head', activation: 'relu', trainable: true, dtype: 'float32' }
   */
  getConfig(writer: ConfigWriter = new ConfigWriter({ inline: true })): Config {
    return writer.config(this, this.givenOptions);
  }

  /** The number of weights' elements. */
  countParams(): number {
    return this.weights.reduce((n, w) => n + sizeOf(w.shape), 0);
  }

  /**
   * The class, the name, and the weights with their shapes.
   *
   * @example
   * const model = new Sequential([new Dense(32, { name: 'hidden', inputShape: [784] })]);
   * String(model.layers[0]); // "Dense 'hidden' (kernel [784, 32], bias [32])"
   */
  toString(): string {
    const weights = this.built ? describeWeights(this.weights) || 'no weights' : 'not built';
    return `${classNameOf(this.constructor)} '${this.name}' (${weights})`;
  }

  /** What Node's console.log shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

function describeWeights(weights: readonly Weight[]): string {
  return weights.map((w) => `${w.name} ${formatShape(w.shape)}`).join(', ');
}
