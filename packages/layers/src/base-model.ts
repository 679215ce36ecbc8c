/**
 * Models: layers that can be compiled, trained, evaluated and asked.
 */
import {
  ShapeError,
  ValueError,
  getThreads,
  ops,
  type Tensor,
  type TensorLike,
} from '@tapegrad/tensor';
import type { History } from './callbacks/index.js';
import { checkWhole } from './checks.js';
import {
  prepareSamples,
  rows,
  tensorsOf,
  type ClassWeight,
  type DataLike,
  type Samples,
} from './data.js';
import { NotCompiledError } from './errors.js';
import { evaluate, fit, type EvaluateOptions, type FitOptions } from './fit.js';
import { Layer, type BatchShape } from './layer.js';
import { classNameOf } from './saving/layer-classes.js';
import type { Weight } from './weight.js';
import type { LossId } from './losses.js';
import type { MetricId } from './metrics.js';
import { getOptimizer, type Optimizer, type OptimizerId } from './optimizers/index.js';
import type { ModelFlow } from './flow.js';
import { formatProfile, profileOf, type ProfileEntry } from './profile.js';
import { checkOptions } from './registry.js';
import { readFileWhole, writeFileWhole } from './saving/files.js';
import { decodeWeights } from './saving/read.js';
import { checkSavable, encodeModel, encodeWeights, type SaveOptions } from './saving/write.js';
import { statefulLayers } from './states.js';
import { summaryOf } from './summary.js';
import { ModelSteps } from './steps.js';
import {
  Progress,
  planOutputs,
  type Compiled,
  type PerOutput,
  type StepResult,
} from './training.js';

export interface CompileOptions {
  /** A name, for the standard settings, or an object. Default 'rmsprop'. */
  optimizer?: OptimizerId;
  /** A name, an object, or a function of (yTrue, yPred); for several outputs also a list, or an object by their names. */
  loss: PerOutput<LossId>;
  /** How much each output's loss counts, for models with several. Default 1. */
  lossWeights?: PerOutput<number>;
  /** Default none. A list is for every output. */
  metrics?: readonly MetricId[] | Readonly<Record<string, readonly MetricId[]>>;
  /**
   * Compute every step anew, op by op, instead of recording it once as a program. Slower; for layers and losses that look at
   * values, and for stepping through with a debugger. Default false.
   */
  runEagerly?: boolean;
}

const COMPILE_OPTIONS = Object.keys({
  optimizer: true,
  loss: true,
  lossWeights: true,
  metrics: true,
  runEagerly: true,
} satisfies Record<keyof CompileOptions, true>);

export interface TrainOnBatchOptions {
  sampleWeight?: TensorLike;
  classWeight?: ClassWeight;
}

export interface ProfileOptions {
  rounds?: number;
  /** Gets the table. Default console.log. */
  print?: (text: string) => void;
}

/** What Sequential and Model have in common. */
export abstract class BaseModel extends Layer {
  /** Set it to true, in a callback say, to end `fit` after the current batch. */
  stopTraining = false;
  private compiled: Compiled | null = null;
  private fitting = false;
  private modelSteps = new ModelSteps(this, null, false);
  /** For the methods that judge one batch. */
  private oneBatch = new Progress([]);

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
   * @throws UnknownNameError for an unknown optimizer, loss, metric or option, listing the known ones; ValueError without a loss
   */
  compile(options: CompileOptions): void {
    const who = `${this.name}.compile`;
    checkOptions(who, options, COMPILE_OPTIONS);
    const {
      optimizer = 'rmsprop',
      loss,
      lossWeights = 1,
      metrics = [],
      runEagerly = false,
    } = options;
    const given: unknown = loss;
    if (given === undefined || given === null) {
      throw new ValueError(`${who}: there is no loss; give one, as in { loss: 'mse' }.`);
    }
    const outputs = planOutputs(this.name, this.outputNames, loss, lossWeights, metrics);
    this.compiled = { optimizer: getOptimizer(optimizer), outputs };
    this.modelSteps = new ModelSteps(this, this.compiled, runEagerly);
    this.oneBatch = new Progress(outputs);
  }

  /** The names of the inputs. */
  get inputNames(): readonly string[] {
    return ['input'];
  }

  /** The names of the outputs. */
  get outputNames(): readonly string[] {
    return ['output'];
  }

  /** The shapes of batches that the model was built for; null before. */
  abstract get inputShapes(): readonly BatchShape[] | null;

  /** How values flow through the model, once it is built. */
  abstract flow(): ModelFlow;

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
   * @throws ShapeError, ValueError for data that do not fit, and while another `fit` of the model is at work; the signal's reason
   *   when it is aborted
   */
  async fit(x: DataLike, y: DataLike, options: FitOptions = {}): Promise<History> {
    this.requireCompiled('fit');
    if (this.fitting) {
      throw new ValueError(
        `${this.name}.fit: is at work already; wait for it with await before the next one.`,
      );
    }
    this.fitting = true;
    try {
      return await fit(this, this.modelSteps, x, y, options);
    } finally {
      this.fitting = false;
    }
  }

  /** The loss and metrics on samples x with targets y, by name: `{ loss, accuracy }`. @throws as `fit` */
  async evaluate(
    x: DataLike,
    y: DataLike,
    options: EvaluateOptions = {},
  ): Promise<Record<string, number>> {
    this.requireCompiled('evaluate');
    return evaluate(this, this.modelSteps, x, y, options);
  }

  /**
   * The output for samples x, computed in batches (of 32 unless said otherwise).
   *
   * @throws ShapeError for a model with several outputs: see `predictAll`
   */
  predict(x: DataLike, options: { batchSize?: number } = {}): Tensor {
    const outputs = this.predictAll(x, options);
    if (outputs.length !== 1) {
      throw new ShapeError(
        `${this.name}.predict: the model has ${outputs.length} outputs; use predictAll, which returns a list.`,
      );
    }
    return outputs[0];
  }

  /** The outputs for samples x, in a list. @throws ShapeError, ValueError for data that do not fit */
  predictAll(x: DataLike, options: { batchSize?: number } = {}): Tensor[] {
    const who = `${this.name}.predict`;
    checkOptions(who, options, ['batchSize']);
    const { batchSize = 32 } = options;
    const inputs = tensorsOf(who, 'x', x, this.inputNames);
    checkWhole(who, 'batchSize', batchSize, 1);
    const n = inputs[0].shape[0];
    const parts: (readonly Tensor[])[] = [];
    for (let from = 0; from < n || from === 0; from += batchSize) {
      const to = Math.min(from + batchSize, n);
      parts.push(
        this.modelSteps.predict(inputs.map((t) => (n <= batchSize ? t : rows(t, from, to)))),
      );
    }
    return parts[0].map((first, i) =>
      parts.length === 1 ? first : ops.concat(parts.map((part) => part[i])),
    );
  }

  /**
   * One step of training on one batch.
   *
   * @returns the loss before the update and the metrics, of this batch alone
   * @throws as `fit`
   */
  trainOnBatch(
    x: DataLike,
    y: DataLike,
    options: TrainOnBatchOptions = {},
  ): Record<string, number> {
    this.requireCompiled('trainOnBatch');
    checkOptions('trainOnBatch', options, ['sampleWeight', 'classWeight']);
    const batch = prepareSamples(`${this.name}.trainOnBatch`, this, x, y, options);
    return this.logsOf(this.modelSteps.train(batch), batch);
  }

  /** The loss and metrics of one batch alone. */
  private logsOf(result: StepResult, { y }: Samples): Record<string, number> {
    this.oneBatch.reset();
    this.oneBatch.add(result, y);
    return this.oneBatch.logs();
  }

  /**
   * Where the time of a training step goes: prints a table of its kernel calls with their work and their share of what the
   * machine can do, and returns it. The steps that are timed do train the model.
   *
   * @param options `rounds`: how many steps are timed (default 20), after as many that are not
   * @throws NotCompiledError before `compile`; ValueError where the step is not a program: with `runEagerly`, or on the
   *   TypeScript kernels
   */
  profile(
    x: DataLike,
    y: DataLike,
    { rounds = 20, print = console.log }: ProfileOptions = {},
  ): ProfileEntry[] {
    this.requireCompiled('profile');
    const who = `${this.name}.profile`;
    checkWhole(who, 'rounds', rounds, 1);
    const batch = prepareSamples(who, this, x, y);
    const program = this.modelSteps.trainingProgram(batch);
    if (program === null) {
      throw new ValueError(
        `${who}: times the calls of a program, and there is none with runEagerly or on the TypeScript kernels.`,
      );
    }
    for (let i = 0; i < rounds; i++) this.modelSteps.train(batch);
    const entries = profileOf(program, [...batch.x, ...batch.y], rounds);
    print(formatProfile(entries, getThreads()));
    return entries;
  }

  /** The loss and metrics of one batch, without training. @throws as `fit` */
  testOnBatch(x: DataLike, y: DataLike, options: TrainOnBatchOptions = {}): Record<string, number> {
    this.requireCompiled('testOnBatch');
    checkOptions('testOnBatch', options, ['sampleWeight', 'classWeight']);
    const batch = prepareSamples(`${this.name}.testOnBatch`, this, x, y, options);
    return this.logsOf(this.modelSteps.test(batch), batch);
  }

  /**
   * Lets every stateful recurrent layer forget what it remembers from batch to batch, those in models and wrappers inside
   * included. Does nothing to a model that has none.
   */
  resetStates(): void {
    for (const layer of statefulLayers(this).values()) layer.resetStates();
  }

  /**
   * Saves the model in one file: layers, weights, and if it is compiled, how it is trained (see `loadModel`). It is a
   * safetensors file, so that its weights can be read from Python too. The file is replaced at once: a crash at any moment leaves
   * the old file or the new one. What stateful layers remember from batch to batch is saved too (Keras forgets it), so that
   * training goes on to the bit; call `resetStates()` on the loaded model where a new sequence begins.
   *
   * @throws FileError when it cannot be written
   * @throws ValueError before the weights are made, and for what no file can hold: a layer class or function that is not
   *   registered (see `registerLayer`, `registerFunction`)
   */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    await writeFileWhole(path, this.toBytes(options));
  }

  /** What `save` writes, as bytes: for browsers. @throws ValueError as `save` */
  toBytes(options: SaveOptions = {}): Uint8Array {
    return encodeModel(this, this.compiled, options);
  }

  /** Throws now what `save` would throw, but for errors of the file. @throws ValueError as `save` */
  checkSavable(): void {
    checkSavable(this, this.compiled);
  }

  /** Saves the weights alone, in a safetensors file, as `save` does. @throws FileError; ValueError before they are made */
  async saveWeights(path: string): Promise<void> {
    await writeFileWhole(path, this.weightsToBytes());
  }

  /** What `saveWeights` writes, as bytes. @throws ValueError before the weights are made */
  weightsToBytes(): Uint8Array {
    return encodeWeights(this);
  }

  /**
   * Sets the weights to those of a file of `saveWeights` or `save`, or of any safetensors file with the same names. Where the
   * names of the layers are others (automatic ones count up) the order of the weights counts. After an error none is changed.
   *
   * @throws FileError, FormatError when the file cannot be read, is damaged, or has other weights
   * @throws ShapeError for a weight of another shape, naming its layer
   */
  async loadWeights(path: string): Promise<void> {
    decodeWeights(this, await readFileWhole(path), path);
  }

  /**
   * As `loadWeights`, from bytes.
   *
   * @throws FormatError, ShapeError as `loadWeights`
   * @example
   * const a = new Sequential([new Dense(3, { inputShape: [2] })]);
   * const b = new Sequential([new Dense(3, { inputShape: [2] })]);
   * b.loadWeightsFromBytes(a.weightsToBytes());
   * b.predict([[1, 2]]).equal(a.predict([[1, 2]])); // [[true, true, true]]
   */
  loadWeightsFromBytes(bytes: Uint8Array, { name = 'weights' }: { name?: string } = {}): void {
    decodeWeights(this, bytes, name);
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

  /** In a line; `summary` tells more. */
  override toString(): string {
    const { layers, built } = this;
    const parameters = built ? `${this.countParams()} parameters` : 'not built';
    return `${classNameOf(this.constructor)} '${this.name}' (${layers.length} layers, ${parameters})`;
  }
}
