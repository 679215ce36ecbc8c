/**
 * Models: layers that can be compiled, trained, evaluated and asked.
 */
import {
  ShapeError,
  ValueError,
  formatShape,
  ops,
  tensor,
  type Tensor,
  type TensorLike,
} from '@tapegrad/tensor';
import { noGrad, type Variable } from '@tapegrad/autograd';
import type { History } from './callbacks/index.js';
import { prepareSamples, rows, type ClassWeight } from './data.js';
import { NotCompiledError } from './errors.js';
import { evaluate, fit, type EvaluateOptions, type FitOptions } from './fit.js';
import { Layer, type BatchShape, type CallContext, type Weight } from './layer.js';
import { getLoss, type LossId } from './losses.js';
import type { MetricId } from './metrics.js';
import { getOptimizer, type Optimizer, type OptimizerId } from './optimizers/index.js';
import { summaryOf } from './summary.js';
import { Progress, testStep, trainStep, type Compiled } from './training.js';

export interface CompileOptions {
  /** A name, for the standard settings, or an object. Default 'rmsprop'. */
  optimizer?: OptimizerId;
  /** A name, an object, or a function of (yTrue, yPred). */
  loss: LossId;
  /** Default none. */
  metrics?: readonly MetricId[];
}

export interface TrainOnBatchOptions {
  sampleWeight?: TensorLike;
  classWeight?: ClassWeight;
}

/** What all models have in common. */
export abstract class Model extends Layer {
  /** Set it to true, in a callback say, to end `fit` after the current batch. */
  stopTraining = false;
  private compiled: Compiled | null = null;

  /** The layers, in the order in which they run. */
  abstract readonly layers: readonly Layer[];

  override get weights(): readonly Weight[] {
    return this.layers.flatMap((layer) => layer.weights);
  }

  override get trainableWeights(): readonly Weight[] {
    return this.layers.flatMap((layer) => layer.trainableWeights);
  }

  override get trainable(): boolean {
    return super.trainable;
  }

  /** Freezes or frees all layers. */
  override set trainable(value: boolean) {
    super.trainable = value;
    for (const layer of this.layers) layer.trainable = value;
  }

  /**
   * Settles how the model is trained. Weights stay as they are.
   *
   * @throws UnknownNameError for an unknown optimizer, loss or metric, listing the known ones
   */
  compile({ optimizer = 'rmsprop', loss, metrics = [] }: CompileOptions): void {
    this.compiled = { optimizer: getOptimizer(optimizer), loss: getLoss(loss), metrics };
  }

  /** The optimizer that `compile` has set. @throws NotCompiledError before */
  get optimizer(): Optimizer {
    return this.requireCompiled('optimizer').optimizer;
  }

  private requireCompiled(method: string): Compiled {
    if (this.compiled === null) {
      throw new NotCompiledError(
        `${this.name}.${method}: the model is not compiled; call model.compile({ optimizer, loss }) first.`,
      );
    }
    return this.compiled;
  }

  /**
   * Trains the model on samples x [n, …] with targets y [n, …]: `epochs` times through all of them in batches.
   *
   * @returns the loss and metrics of every epoch
   * @throws NotCompiledError before `compile`
   * @throws ShapeError, ValueError for data that do not fit; the signal's reason when it is aborted
   */
  async fit(x: TensorLike, y: TensorLike, options: FitOptions = {}): Promise<History> {
    return fit(this, this.requireCompiled('fit'), x, y, options);
  }

  /** The loss and metrics on samples x with targets y, by name: `{ loss, accuracy }`. @throws as `fit` */
  async evaluate(
    x: TensorLike,
    y: TensorLike,
    options: EvaluateOptions = {},
  ): Promise<Record<string, number>> {
    return evaluate(this, this.requireCompiled('evaluate'), x, y, options);
  }

  /** The outputs for samples x, computed in batches (of 32 unless said otherwise). */
  predict(x: TensorLike, { batchSize = 32 }: { batchSize?: number } = {}): Tensor {
    const inputs = tensor(x);
    if (inputs.rank === 0 || !Number.isInteger(batchSize) || batchSize < 1) {
      throw new ValueError(
        `${this.name}.predict: needs a batch of samples and a batchSize of 1 or more; got shape ` +
          `${formatShape(inputs.shape)} and batchSize ${batchSize}.`,
      );
    }
    const n = inputs.shape[0];
    return noGrad(() => {
      if (n <= batchSize) return this.apply(inputs).value;
      const outputs: Tensor[] = [];
      for (let from = 0; from < n; from += batchSize) {
        outputs.push(this.apply(rows(inputs, from, Math.min(from + batchSize, n))).value);
      }
      return ops.concat(outputs);
    });
  }

  /**
   * One step of training on one batch.
   *
   * @returns the loss before the update and the metrics, of this batch alone
   * @throws as `fit`
   */
  trainOnBatch(
    x: TensorLike,
    y: TensorLike,
    options: TrainOnBatchOptions = {},
  ): Record<string, number> {
    const compiled = this.requireCompiled('trainOnBatch');
    const batch = prepareSamples(`${this.name}.trainOnBatch`, x, y, options);
    const { loss, yPred } = trainStep(this, compiled, batch);
    const progress = new Progress(compiled);
    progress.add(loss, batch.y, yPred);
    return progress.logs();
  }

  /** The loss and metrics of one batch, without training. @throws as `fit` */
  testOnBatch(
    x: TensorLike,
    y: TensorLike,
    options: TrainOnBatchOptions = {},
  ): Record<string, number> {
    const compiled = this.requireCompiled('testOnBatch');
    const batch = prepareSamples(`${this.name}.testOnBatch`, x, y, options);
    const { loss, yPred } = testStep(this, compiled, batch);
    const progress = new Progress(compiled);
    progress.add(loss, batch.y, yPred);
    return progress.logs();
  }

  /**
   * Prints a table of the layers with their output shapes and numbers of weights, and returns it.
   *
   * @throws ShapeError before the weights are made
   */
  summary(print: (text: string) => void = console.log): string {
    const text = summaryOf(this);
    print(text);
    return text;
  }
}

/**
 * Layers one after another.
 *
 * @example
 * const model = new Sequential([new Dense(32, { activation: 'relu', inputShape: [784] }), new Dense(10)]);
 * model.add(new Activation('softmax'));
 * model.countParams(); // 25450
 */
export class Sequential extends Model {
  private readonly stack: Layer[] = [];
  private builtInputShape: BatchShape | null = null;

  /** @throws ValueError when two layers have the same name */
  constructor(layers: readonly Layer[] = [], options: { name?: string } = {}) {
    super(options);
    for (const layer of layers) this.add(layer);
  }

  override get layers(): readonly Layer[] {
    return this.stack;
  }

  /** Adds a layer at the end. @throws ValueError when there is one of that name, or it is no layer */
  add(layer: Layer): this {
    if (!(layer instanceof Layer)) {
      throw new ValueError(
        `${this.name}.add: needs a layer, such as new Dense(10); got ${typeof layer}.`,
      );
    }
    if (this.stack.some(({ name }) => name === layer.name)) {
      throw new ValueError(
        `${this.name}.add: there is a layer '${layer.name}' already; names must be unique in a model.`,
      );
    }
    this.stack.push(layer);
    if (this.builtInputShape !== null) {
      layer.ensureBuilt(this.outputShapeOf(this.builtInputShape, this.stack.length - 1));
    } else if (this.stack.length === 1 && layer.batchInputShape !== null) {
      this.ensureBuilt(layer.batchInputShape);
    }
    return this;
  }

  override build(inputShape: BatchShape): void {
    if (this.stack.length === 0)
      throw new ShapeError(`${this.name}: the model has no layers; add some first.`);
    this.builtInputShape = inputShape;
    let shape = inputShape;
    for (const layer of this.stack) {
      layer.ensureBuilt(shape);
      shape = layer.computeOutputShape(shape);
    }
  }

  override callAll(inputs: readonly Variable[], context: CallContext): readonly Variable[] {
    let values = inputs;
    for (const layer of this.stack) values = layer.run(values, context);
    return values;
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return this.outputShapeOf(inputShape, this.stack.length);
  }

  private outputShapeOf(inputShape: BatchShape, count: number): BatchShape {
    return this.stack
      .slice(0, count)
      .reduce((shape, layer) => layer.computeOutputShape(shape), inputShape);
  }

  /** The shape of the inputs that the model was built for; null before. */
  get inputShape(): BatchShape | null {
    return this.builtInputShape;
  }
}
