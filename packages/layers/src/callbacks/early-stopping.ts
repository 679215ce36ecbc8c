/**
 * Callbacks that end a training before its last epoch.
 */
import { ValueError, type Tensor } from '@tapegrad/tensor';
import { checkOptions } from '../registry.js';
import { ModelCallback, type Logs, type TrainContext } from './base.js';
import { checkWhole } from '../checks.js';
import { Monitor, checkChoice, type MonitorMode } from './monitor.js';

export interface EarlyStoppingOptions {
  /** The log to watch. Default 'valLoss'. */
  monitor?: string;
  /** A change by no more than this is no improvement. Default 0. */
  minDelta?: number;
  /** How many epochs without improvement are borne before training ends. Default 0. */
  patience?: number;
  /** Default 'auto'. */
  mode?: MonitorMode;
  /** A value that must be bettered, too, for the epochs to be counted anew. Default none. */
  baseline?: number;
  /** Whether to set the weights, when training ends, to those of the best epoch. Default false. */
  restoreBestWeights?: boolean;
  /** The first epoch, counted from 0, that is looked at. Default 0. */
  startFromEpoch?: number;
  /** 1: prints what it does. Default 0. */
  verbose?: 0 | 1;
}

/**
 * Ends training when what it monitors has stopped improving.
 *
 * As in Keras 3: with `restoreBestWeights` the best epoch's weights are restored at the end of training, whether or not it
 * ended early; an epoch can be the best without bettering the baseline.
 *
 * @throws ValueError, UnknownNameError for options that make no sense, and when training begins, for a monitor that is not
 * among the logs
 * @example
 * const model = new Sequential([new Dense(1, { inputShape: [1], trainable: false })]);
 * model.compile({ optimizer: 'sgd', loss: 'mse' });
 * const stop = new EarlyStopping({ monitor: 'loss', patience: 2 });
 * const history = await model.fit([[1]], [[1]], { epochs: 9, callbacks: [stop], verbose: 0 });
 * history.epoch; // [0, 1, 2]
 * stop.stoppedEpoch; // 2
 */
export class EarlyStopping extends ModelCallback {
  /** The epoch, counted from 0, after which it has ended the training; null if it has not. */
  stoppedEpoch: number | null = null;
  /** The best value so far; at first Infinity, or −Infinity in mode 'max'. */
  best: number;
  /** The epoch of the best value, counted from 0; null before there is one. */
  bestEpoch: number | null = null;

  private readonly monitor: Monitor;
  private readonly patience: number;
  private readonly baseline: number | undefined;
  private readonly restoreBestWeights: boolean;
  private readonly startFromEpoch: number;
  private readonly verbose: 0 | 1;
  private wait = 0;
  private bestWeights: Tensor[] | null = null;

  constructor(options: EarlyStoppingOptions = {}) {
    super();
    const owner = 'EarlyStopping';
    checkOptions(owner, options, [
      'monitor',
      'minDelta',
      'patience',
      'mode',
      'baseline',
      'restoreBestWeights',
      'startFromEpoch',
      'verbose',
    ]);
    const { monitor = 'valLoss', minDelta = 0, mode = 'auto', baseline } = options;
    const { patience = 0, restoreBestWeights = false, startFromEpoch = 0, verbose = 0 } = options;
    checkWhole(owner, 'patience', patience, 0);
    checkWhole(owner, 'startFromEpoch', startFromEpoch, 0);
    checkChoice(owner, 'restoreBestWeights', restoreBestWeights, [false, true]);
    checkChoice(owner, 'verbose', verbose, [0, 1]);
    if (baseline !== undefined && !Number.isFinite(baseline)) {
      throw new ValueError(`${owner}: baseline must be a finite number; got ${baseline}.`);
    }
    this.monitor = new Monitor(owner, monitor, mode, minDelta);
    this.best = this.monitor.worst;
    this.patience = patience;
    this.baseline = baseline;
    this.restoreBestWeights = restoreBestWeights;
    this.startFromEpoch = startFromEpoch;
    this.verbose = verbose;
  }

  override onTrainBegin(context: TrainContext): void {
    super.onTrainBegin(context);
    this.monitor.expectIn(context.logNames);
    this.wait = 0;
    this.stoppedEpoch = null;
    this.best = this.monitor.worst;
    this.bestEpoch = null;
    this.bestWeights = null;
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    const value = this.monitor.read(logs);
    if (epoch < this.startFromEpoch) return;
    const improved = this.monitor.isBetter(value, this.best);
    if (this.restoreBestWeights && (improved || this.bestWeights === null)) {
      this.bestWeights = this.model.getWeights();
    }
    this.wait++;
    if (improved) {
      this.best = value;
      this.bestEpoch = epoch;
      if (this.baseline === undefined || this.monitor.isBetter(value, this.baseline)) this.wait = 0;
    } else if (this.wait >= this.patience) {
      this.stoppedEpoch = epoch;
      this.model.stopTraining = true;
    }
  }

  override onTrainEnd(): void {
    if (this.bestWeights !== null) this.model.setWeights(this.bestWeights);
    this.bestWeights = null;
    if (this.verbose === 0) return;
    if (this.stoppedEpoch !== null) console.log(`Epoch ${this.stoppedEpoch + 1}: early stopping`);
    if (this.restoreBestWeights && this.bestEpoch !== null) {
      console.log(`Restored the weights of the best epoch: ${this.bestEpoch + 1}.`);
    }
  }
}

/**
 * Ends training after a batch that has made the loss NaN or infinite, and says so.
 *
 * @example
 * const model = new Sequential([new Dense(1, { inputShape: [1] })]);
 * model.compile({ optimizer: 'sgd', loss: 'mse' });
 * const history = await model.fit([[1], [NaN]], [[1], [1]], {
 *   epochs: 9,
 *   callbacks: [new TerminateOnNaN()],
 *   verbose: 0,
 * });
 * history.epoch; // [0]
 */
export class TerminateOnNaN extends ModelCallback {
  override onBatchEnd(batch: number, logs: Logs): void {
    // The mean over the epoch so far is finite as long as all its terms are.
    if (Number.isFinite(logs.loss)) return;
    console.warn(`Batch ${batch + 1}: the loss is ${logs.loss}; training ends.`);
    this.model.stopTraining = true;
  }
}
