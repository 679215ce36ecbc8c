/**
 * Callbacks that change the learning rate while a model is trained.
 */
import { ValueError } from '@tapegrad/tensor';
import { checkOptions } from '../registry.js';
import { ModelCallback, type Logs, type TrainContext } from './base.js';
import { checkWhole } from '../checks.js';
import { Monitor, checkChoice, checkNumber, type MonitorMode } from './monitor.js';

/** A callback that sets the learning rate of the model's optimizer. */
abstract class LearningRateCallback extends ModelCallback {
  override onTrainBegin(context: TrainContext): void {
    super.onTrainBegin(context);
    // An optimizer with a schedule of its own refuses this: better now than many epochs later.
    const { learningRate } = this;
    this.learningRate = learningRate;
  }

  protected get learningRate(): number {
    return this.model.optimizer.learningRate;
  }

  protected set learningRate(value: number) {
    this.model.optimizer.learningRate = value;
  }
}

/**
 * Sets the learning rate at the beginning of each epoch to `schedule(epoch, learningRate)`, with the epoch counted from 0 and
 * the learning rate so far.
 *
 * @throws ValueError when the schedule returns no number of 0 or more, or when the optimizer has a schedule of its own
 * @example
 * const model = new Sequential([new Dense(1, { inputShape: [1] })]);
 * model.compile({ optimizer: 'sgd', loss: 'mse' });
 * const halve = new LearningRateScheduler((epoch, rate) => (epoch === 0 ? 0.5 : rate / 2));
 * await model.fit([[1]], [[1]], { epochs: 3, callbacks: [halve], verbose: 0 });
 * model.optimizer.learningRate; // 0.125
 */
export class LearningRateScheduler extends LearningRateCallback {
  private readonly verbose: 0 | 1;

  /** @param options verbose 1: prints the learning rate of each epoch; default 0 */
  constructor(
    private readonly schedule: (epoch: number, learningRate: number) => number,
    options: { verbose?: 0 | 1 } = {},
  ) {
    super();
    const owner = 'LearningRateScheduler';
    if (typeof schedule !== 'function') {
      throw new ValueError(
        `${owner}: needs a function of (epoch, learningRate); got ${typeof schedule}.`,
      );
    }
    checkOptions(owner, options, ['verbose']);
    this.verbose = options.verbose ?? 0;
    checkChoice(owner, 'verbose', this.verbose, [0, 1]);
  }

  override onEpochBegin(epoch: number): void {
    const rate = this.schedule(epoch, this.learningRate);
    checkNumber('LearningRateScheduler', `what the schedule returns for epoch ${epoch}`, rate, 0);
    this.learningRate = rate;
    if (this.verbose > 0) console.log(`Epoch ${epoch + 1}: learning rate ${rate}`);
  }
}

export interface ReduceLROnPlateauOptions {
  /** The log to watch. Default 'valLoss'. */
  monitor?: string;
  /** What the learning rate is multiplied by, between 0 and 1. Default 0.1. */
  factor?: number;
  /** After how many epochs without improvement the learning rate is reduced. Default 10. */
  patience?: number;
  /** Default 'auto'. */
  mode?: MonitorMode;
  /** A change by no more than this is no improvement. Default 1e-4. */
  minDelta?: number;
  /** For how many epochs after a reduction none is counted. Default 0. */
  cooldown?: number;
  /** The learning rate is not reduced below this. Default 0. */
  minLearningRate?: number;
  /** 1: prints each reduction. Default 0. */
  verbose?: 0 | 1;
}

/**
 * Reduces the learning rate when what it monitors has stopped improving.
 *
 * @throws ValueError, UnknownNameError for options that make no sense, and when training begins, for a monitor that is not
 * among the logs or an optimizer that has a schedule of its own
 * @example
 * const model = new Sequential([new Dense(1, { inputShape: [1], trainable: false })]);
 * model.compile({ optimizer: 'sgd', loss: 'mse' });
 * model.optimizer.learningRate; // 0.01
 * const reduce = new ReduceLROnPlateau({ monitor: 'loss', factor: 0.5, patience: 2 });
 * await model.fit([[1]], [[1]], { epochs: 5, callbacks: [reduce], verbose: 0 });
 * model.optimizer.learningRate; // 0.0025
 */
export class ReduceLROnPlateau extends LearningRateCallback {
  private readonly monitor: Monitor;
  private readonly factor: number;
  private readonly patience: number;
  private readonly cooldown: number;
  private readonly minLearningRate: number;
  private readonly verbose: 0 | 1;
  private best: number;
  private wait = 0;
  /** Epochs of cooling down that are left. */
  private cooling = 0;

  constructor(options: ReduceLROnPlateauOptions = {}) {
    super();
    const owner = 'ReduceLROnPlateau';
    checkOptions(owner, options, [
      'monitor',
      'factor',
      'patience',
      'mode',
      'minDelta',
      'cooldown',
      'minLearningRate',
      'verbose',
    ]);
    const { monitor = 'valLoss', factor = 0.1, patience = 10, mode = 'auto' } = options;
    const { minDelta = 1e-4, cooldown = 0, minLearningRate = 0, verbose = 0 } = options;
    if (!(factor > 0 && factor < 1)) {
      throw new ValueError(`${owner}: factor must be between 0 and 1; got ${factor}.`);
    }
    checkWhole(owner, 'patience', patience, 0);
    checkWhole(owner, 'cooldown', cooldown, 0);
    checkNumber(owner, 'minLearningRate', minLearningRate, 0);
    checkChoice(owner, 'verbose', verbose, [0, 1]);
    this.monitor = new Monitor(owner, monitor, mode, minDelta);
    this.best = this.monitor.worst;
    this.factor = factor;
    this.patience = patience;
    this.cooldown = cooldown;
    this.minLearningRate = minLearningRate;
    this.verbose = verbose;
  }

  override onTrainBegin(context: TrainContext): void {
    super.onTrainBegin(context);
    this.monitor.expectIn(context.logNames);
    this.best = this.monitor.worst;
    this.wait = 0;
    this.cooling = 0;
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    const value = this.monitor.read(logs);
    if (this.cooling > 0) {
      this.cooling--;
      this.wait = 0;
    }
    if (this.monitor.isBetter(value, this.best)) {
      this.best = value;
      this.wait = 0;
    } else if (this.cooling === 0) {
      this.wait++;
      if (this.wait >= this.patience) this.reduce(epoch);
    }
  }

  private reduce(epoch: number): void {
    if (this.learningRate <= this.minLearningRate) return;
    this.learningRate = Math.max(this.learningRate * this.factor, this.minLearningRate);
    this.cooling = this.cooldown;
    this.wait = 0;
    if (this.verbose > 0) {
      console.log(`Epoch ${epoch + 1}: learning rate reduced to ${this.learningRate}`);
    }
  }
}
