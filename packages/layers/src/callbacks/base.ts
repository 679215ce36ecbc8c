/**
 * What a callback is: what happens at the beginnings and ends of training, epochs and batches.
 */
import { ValueError, formatChoices, shown } from '@tapegrad/tensor';
import type { BaseModel } from '../base-model.js';

/** Loss and metrics by name; those of the validation data begin with `val`, as in `valLoss`. */
export type Logs = Readonly<Record<string, number>>;

/** What a callback can know of the run it is part of. */
export interface TrainContext {
  readonly model: BaseModel;
  /** The number of the last epoch, counted from 1. */
  readonly epochs: number;
  readonly initialEpoch: number;
  readonly batchesPerEpoch: number;
  /** The names that the logs will have. */
  readonly logNames: readonly string[];
}

/**
 * The base of callbacks; override what you need. A plain object with some of these methods does as well. Epochs and batches
 * count from 0. Methods may be async: training waits for them. What they throw ends the training, and `fit` rejects with it.
 *
 * @example
 * const model = new Sequential([new Dense(1, { inputShape: [1] })]);
 * model.compile({ optimizer: 'sgd', loss: 'mse' });
 * class Count extends Callback {
 *   batches = 0;
 *   onBatchEnd() {
 *     this.batches++;
 *   }
 * }
 * const count = new Count();
 * const epochs = [];
 * const note = { onEpochEnd: (epoch) => epochs.push(epoch) };
 * const options = { epochs: 2, batchSize: 1, callbacks: [count, note], verbose: 0 };
 * await model.fit([[1], [2], [3]], [[1], [2], [3]], options);
 * count.batches; // 6
 * epochs; // [0, 1]
 */
export abstract class Callback {
  onTrainBegin(_context: TrainContext): void | Promise<void> {}
  /** `logs` are those of the last epoch. Not called when the training fails or is aborted. */
  onTrainEnd(_logs: Logs): void | Promise<void> {}
  onEpochBegin(_epoch: number): void | Promise<void> {}
  onEpochEnd(_epoch: number, _logs: Logs): void | Promise<void> {}
  onBatchBegin(_batch: number): void | Promise<void> {}
  /** `logs` are the means over the epoch so far. */
  onBatchEnd(_batch: number, _logs: Logs): void | Promise<void> {}
}

/** A Callback, or an object with some of its methods. What they return is awaited and otherwise unused. */
export type CallbackLike = {
  [Method in keyof Callback]?: (...args: Parameters<Callback[Method]>) => unknown;
};

const methods = [
  'onTrainBegin',
  'onTrainEnd',
  'onEpochBegin',
  'onEpochEnd',
  'onBatchBegin',
  'onBatchEnd',
] satisfies (keyof Callback)[];

/** @throws ValueError for what would never be called: something without any method of a callback, or no list */
export function checkCallbacks(who: string, callbacks: readonly CallbackLike[]): void {
  const given: unknown = callbacks;
  if (!Array.isArray(given)) {
    throw new ValueError(`${who}: callbacks are a list; got ${shown(given)}. Put it in brackets.`);
  }
  callbacks.forEach((callback, i) => {
    if (methods.some((method) => typeof callback[method] === 'function')) return;
    throw new ValueError(
      `${who}: callbacks[${i}] has none of the methods of a callback, ${formatChoices(methods)}.`,
    );
  });
}

/** The base of callbacks that act on the model. */
export abstract class ModelCallback extends Callback {
  private current: BaseModel | null = null;

  override onTrainBegin(context: TrainContext): void {
    this.current = context.model;
  }

  /** The model in training. */
  protected get model(): BaseModel {
    if (this.current !== null) return this.current;
    throw new ValueError(
      `${this.constructor.name}: knows no model before onTrainBegin; pass it to fit as one of the callbacks.`,
    );
  }
}

/**
 * The logs of every epoch: what `fit` returns.
 *
 * @example
 * const history = new History();
 * history.onEpochEnd(0, { loss: 0.5, accuracy: 0.75 });
 * history.onEpochEnd(1, { loss: 0.25, accuracy: 0.875 });
 * history.epoch; // [0, 1]
 * history.history; // { loss: [0.5, 0.25], accuracy: [0.75, 0.875] }
 */
export class History extends Callback {
  /** The numbers of the epochs, counted from 0. */
  readonly epoch: number[] = [];
  /** A list for each name of the logs, with a value for each epoch. */
  readonly history: Record<string, number[]> = {};

  override onEpochEnd(epoch: number, logs: Logs): void {
    this.epoch.push(epoch);
    for (const [name, value] of Object.entries(logs)) (this.history[name] ??= []).push(value);
  }
}
