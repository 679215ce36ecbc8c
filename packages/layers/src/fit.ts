/**
 * The loops over epochs and batches behind `fit` and `evaluate`.
 */
import { ValueError, defaultGenerator, shown, type TensorLike } from '@tapegrad/tensor';
import {
  History,
  checkCallbacks,
  type CallbackLike,
  type Logs,
  type TrainContext,
} from './callbacks/base.js';
import {
  Batches,
  prepareSamples,
  splitSamples,
  weightedByClass,
  type ClassWeight,
  type DataLike,
  type Samples,
} from './data.js';
import type { BaseModel } from './base-model.js';
import { checkWhole } from './checks.js';
import { progressFor } from './progress.js';
import { checkOptions } from './registry.js';
import type { ModelSteps } from './steps.js';
import { Progress } from './training.js';

/** 0: silent; 1: a progress bar; 2: a line for each epoch. */
export type Verbosity = 0 | 1 | 2;

export interface FitOptions {
  /** Samples in a step. Default 32. The last batch of an epoch may be smaller. */
  batchSize?: number;
  /** The number of the last epoch. Default 1. */
  epochs?: number;
  /** Where to begin to count, when a training goes on. Default 0. */
  initialEpoch?: number;
  /** Whether to draw a new order of the samples for each epoch (from the default generator's stream 'shuffle'). Default true. */
  shuffle?: boolean;
  /** The share of the samples, taken from the end before shuffling, to validate with. */
  validationSplit?: number;
  /** Samples to validate with after each epoch: [x, y] or [x, y, sampleWeight]. */
  validationData?: readonly [DataLike, DataLike] | readonly [DataLike, DataLike, TensorLike];
  /** A weight for the loss of each sample. */
  sampleWeight?: TensorLike;
  /** A weight for the loss of each class, in training alone. */
  classWeight?: ClassWeight;
  callbacks?: readonly CallbackLike[];
  /** Default 1. */
  verbose?: Verbosity;
  /** Aborting it ends the training after the current batch; `fit` then rejects with the signal's reason. */
  signal?: AbortSignal;
}

const FIT_OPTIONS = Object.keys({
  batchSize: true,
  epochs: true,
  initialEpoch: true,
  shuffle: true,
  validationSplit: true,
  validationData: true,
  sampleWeight: true,
  classWeight: true,
  callbacks: true,
  verbose: true,
  signal: true,
} satisfies Record<keyof FitOptions, true>);

export interface EvaluateOptions {
  /** Default 32. */
  batchSize?: number;
  sampleWeight?: TensorLike;
  /** Default 1. */
  verbose?: Verbosity;
  signal?: AbortSignal;
}

const EVALUATE_OPTIONS = Object.keys({
  batchSize: true,
  sampleWeight: true,
  verbose: true,
  signal: true,
} satisfies Record<keyof EvaluateOptions, true>);

/** How long, in milliseconds, the loops run before they let others run. */
const YIELD_AFTER = 30;

/** Lets timers, input and rendering have their turn every now and then. When it does so changes nothing in the results. */
class Yielder {
  private last = performance.now();

  /** True when it is time to await `turn()`. */
  due(): boolean {
    return performance.now() - this.last > YIELD_AFTER;
  }

  async turn(): Promise<void> {
    await new Promise<void>((resolve) => {
      if (typeof setImmediate === 'function') setImmediate(resolve);
      else setTimeout(resolve, 0);
    });
    this.last = performance.now();
  }
}

/** See `BaseModel.fit`. */
export async function fit(
  model: BaseModel,
  steps: ModelSteps,
  x: DataLike,
  y: DataLike,
  options: FitOptions,
): Promise<History> {
  const who = `${model.name}.fit`;
  checkOptions(who, options, FIT_OPTIONS);
  const { shuffle = true, verbose = 1, callbacks = [], signal } = options;
  const batchSize = checkWhole(who, 'batchSize', options.batchSize ?? 32, 1);
  const epochs = checkWhole(who, 'epochs', options.epochs ?? 1, 0);
  const initialEpoch = checkWhole(who, 'initialEpoch', options.initialEpoch ?? 0, 0);
  checkCallbacks(who, callbacks);
  const [samples, validation] = trainingData(who, model, x, y, options);
  const n = samples.x[0].shape[0];
  const batchesPerEpoch = Math.ceil(n / batchSize);

  const batches = new Batches(samples);
  const running = new Progress(steps.outputs);
  const history = new History();
  const logNames =
    validation === null ? running.names : [...running.names, ...running.names.map(validationName)];
  const context: TrainContext = { model, epochs, initialEpoch, batchesPerEpoch, logNames };
  const display = await progressFor(verbose, 'training');
  const shown = display === null ? [] : [display];
  const all: readonly CallbackLike[] = [history, ...shown, ...callbacks];
  const yielder = new Yielder();

  model.stopTraining = false;
  let logs: Logs = {};
  try {
    for (const c of all) await c.onTrainBegin?.(context);
    for (let epoch = initialEpoch; epoch < epochs && !model.stopTraining; epoch++) {
      for (const c of all) await c.onEpochBegin?.(epoch);
      const order = shuffle ? defaultGenerator().stream('shuffle').permutation(n) : null;
      running.reset();
      for (let batch = 0; batch < batchesPerEpoch && !model.stopTraining; batch++) {
        signal?.throwIfAborted();
        for (const c of all) if (c.onBatchBegin) await c.onBatchBegin(batch);
        const from = batch * batchSize;
        const taken = batches.take(from, Math.min(from + batchSize, n), order);
        running.add(steps.train(taken), taken.y);
        const batchLogs = running.logs();
        for (const c of all) if (c.onBatchEnd) await c.onBatchEnd(batch, batchLogs);
        if (yielder.due()) await yielder.turn();
      }
      signal?.throwIfAborted();
      logs = running.logs();
      if (validation !== null) {
        const results = await testAll(steps, validation, { batchSize, signal });
        const named = Object.entries(results).map(
          ([name, value]) => [validationName(name), value] as const,
        );
        logs = { ...logs, ...Object.fromEntries(named) };
      }
      for (const c of all) await c.onEpochEnd?.(epoch, logs);
    }
    for (const c of all) await c.onTrainEnd?.(logs);
  } finally {
    display?.close();
  }
  return history;
}

/** loss → valLoss */
function validationName(name: string): string {
  return `val${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

function trainingData(
  who: string,
  model: BaseModel,
  x: DataLike,
  y: DataLike,
  options: FitOptions,
): [Samples, Samples | null] {
  const { validationSplit, validationData, classWeight } = options;
  const samples = prepareSamples(who, model, x, y, { sampleWeight: options.sampleWeight });
  if (validationData !== undefined) {
    if (validationSplit !== undefined) {
      throw new ValueError(`${who}: give either validationSplit or validationData, not both.`);
    }
    const given: unknown = validationData;
    if (!Array.isArray(given) || given.length < 2 || given.length > 3) {
      const came = Array.isArray(given) ? `a list of ${given.length}` : shown(given);
      throw new ValueError(
        `${who}: validationData is a list, [x, y] or [x, y, sampleWeight]; got ${came}.`,
      );
    }
    const [xVal, yVal, sampleWeight] = validationData;
    const validation = prepareSamples(who, model, xVal, yVal, { sampleWeight });
    return [weightedByClass(who, samples, classWeight), validation];
  }
  if (validationSplit === undefined) return [weightedByClass(who, samples, classWeight), null];
  const [training, validation] = splitSamples(who, samples, validationSplit);
  return [weightedByClass(who, training, classWeight), validation];
}

/** Loss and metrics over all samples. */
async function testAll(
  steps: ModelSteps,
  samples: Samples,
  options: {
    batchSize: number;
    signal?: AbortSignal;
    onBatch?: (batch: number, logs: Logs) => void;
  },
): Promise<Record<string, number>> {
  const n = samples.x[0].shape[0];
  const batches = new Batches(samples);
  const running = new Progress(steps.outputs);
  const yielder = new Yielder();
  for (let from = 0; from < n; from += options.batchSize) {
    options.signal?.throwIfAborted();
    const taken = batches.take(from, Math.min(from + options.batchSize, n), null);
    running.add(steps.test(taken), taken.y);
    options.onBatch?.(from / options.batchSize, running.logs());
    if (yielder.due()) await yielder.turn();
  }
  return running.logs();
}

/** See `BaseModel.evaluate`. */
export async function evaluate(
  model: BaseModel,
  steps: ModelSteps,
  x: DataLike,
  y: DataLike,
  options: EvaluateOptions,
): Promise<Record<string, number>> {
  const who = `${model.name}.evaluate`;
  checkOptions(who, options, EVALUATE_OPTIONS);
  const batchSize = checkWhole(who, 'batchSize', options.batchSize ?? 32, 1);
  const samples = prepareSamples(who, model, x, y, { sampleWeight: options.sampleWeight });
  const display = await progressFor(options.verbose ?? 1, 'evaluation');
  const batchesPerEpoch = Math.ceil(samples.x[0].shape[0] / batchSize);
  const logNames = new Progress(steps.outputs).names;
  display?.onTrainBegin({ model, epochs: 1, initialEpoch: 0, batchesPerEpoch, logNames });
  display?.onEpochBegin(0);
  try {
    const logs = await testAll(steps, samples, {
      batchSize,
      signal: options.signal,
      onBatch: (batch, soFar) => display?.onBatchEnd(batch, soFar),
    });
    display?.onEpochEnd(0, logs);
    return logs;
  } finally {
    display?.close();
  }
}
