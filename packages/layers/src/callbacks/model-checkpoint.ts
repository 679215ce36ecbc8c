/**
 * Saving the model while it is trained.
 */
import { ValueError } from '@tapegrad/tensor';
import { UnknownNameError } from '../errors.js';
import { nodeFiles } from '../platform.js';
import { checkOptions } from '../registry.js';
import { ModelCallback, type Logs, type TrainContext } from './base.js';
import { Monitor, checkChoice, type MonitorMode } from './monitor.js';

export interface ModelCheckpointOptions {
  /** The log that says which epoch is the best. Default 'valLoss'. */
  monitor?: string;
  /** Save only when what is monitored is better than ever before. Default false: after every epoch. */
  saveBestOnly?: boolean;
  /** Save the weights alone, for `loadWeights`, and not the whole model, for `loadModel`. Default false. */
  saveWeightsOnly?: boolean;
  /** Default 'auto'. */
  mode?: MonitorMode;
  /** 1: prints what it does. Default 0. */
  verbose?: 0 | 1;
}

/** {epoch}, {epoch:02d}, {valLoss}, {valLoss:.2f} */
const PLACEHOLDER = /\{(\w+(?:\[\d+\])?)(?::(?:0(\d+)d|\.(\d+)f))?\}/g;

/** With whatever format. */
const FORMATTED = /\{\w[^{}:]*:([^{}]*)\}/g;

/**
 * Saves the model after every epoch, or after those that were the best so far. In the path `{epoch}` becomes the number of the
 * epoch, counted from 1, and the name of any log its value; with Python's formats as in `{epoch:02d}` and `{valLoss:.2f}`, no others. A
 * path without them is replaced each time, at once: a crash never leaves half a file.
 *
 * A training that was cut off goes on to the bit: `const model = await loadModel(path)`, then `fit` with `initialEpoch` set to
 * the number of the epoch.
 *
 * @throws ValueError, UnknownNameError for options that make no sense, and when training begins, for logs that will not be there
 * and for a model that cannot be saved; FileError when an epoch begins and there is no folder for the file
 * @example
 * const checkpoint = new ModelCheckpoint('best.safetensors', { saveBestOnly: true });
 * checkpoint.best; // Infinity
 */
export class ModelCheckpoint extends ModelCallback {
  /** The best value so far; at first Infinity, or −Infinity in mode 'max'. */
  best: number;
  /** The epoch of the best value, counted from 0; null before there is one. */
  bestEpoch: number | null = null;
  /** The file that was written last; null before. */
  lastPath: string | null = null;

  private readonly monitor: Monitor;
  private readonly saveBestOnly: boolean;
  private readonly saveWeightsOnly: boolean;
  private readonly verbose: 0 | 1;

  constructor(
    private readonly filepath: string,
    options: ModelCheckpointOptions = {},
  ) {
    super();
    const owner = 'ModelCheckpoint';
    const known = ['monitor', 'saveBestOnly', 'saveWeightsOnly', 'mode', 'verbose'];
    checkOptions(owner, options, known);
    if (typeof filepath !== 'string' || filepath === '') {
      throw new ValueError(`${owner}: filepath must be a path, such as 'best.safetensors'.`);
    }
    for (const [placeholder, format] of filepath.matchAll(FORMATTED)) {
      if (/^(0\d+d|\.\d\d?f)$/.test(format)) continue;
      throw new ValueError(
        `${owner}: the format in ${placeholder} is not known; there are those as in {epoch:02d} and {valLoss:.2f}.`,
      );
    }
    const { monitor = 'valLoss', mode = 'auto', verbose = 0 } = options;
    const { saveBestOnly = false, saveWeightsOnly = false } = options;
    checkChoice(owner, 'saveBestOnly', saveBestOnly, [false, true]);
    checkChoice(owner, 'saveWeightsOnly', saveWeightsOnly, [false, true]);
    checkChoice(owner, 'verbose', verbose, [0, 1]);
    checkChoice(owner, 'mode', mode, ['auto', 'min', 'max']);
    // What is not monitored needs no direction.
    this.monitor = new Monitor(owner, monitor, saveBestOnly ? mode : 'min', 0);
    this.best = this.monitor.worst;
    this.saveBestOnly = saveBestOnly;
    this.saveWeightsOnly = saveWeightsOnly;
    this.verbose = verbose;
  }

  override onTrainBegin(context: TrainContext): void {
    super.onTrainBegin(context);
    if (this.saveBestOnly) this.monitor.expectIn(context.logNames);
    for (const [, name] of this.filepath.matchAll(PLACEHOLDER)) {
      const metric = name.replace(/\[\d+\]$/, '');
      if (name !== 'epoch' && !context.logNames.includes(metric)) {
        throw missingLog(name, context.logNames);
      }
    }
    // Better now than after the first epoch of a long training.
    if (!this.saveWeightsOnly) context.model.checkSavable();
  }

  /** Better now than after a long epoch. */
  override async onEpochBegin(): Promise<void> {
    // A folder whose name has a placeholder is known only then.
    if (!/\{.*[\\/]/.test(this.filepath)) await (await nodeFiles())?.needFolderOf(this.filepath);
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    if (this.saveBestOnly) {
      const value = this.monitor.read(logs);
      if (!this.monitor.isBetter(value, this.best)) return;
      this.best = value;
      this.bestEpoch = epoch;
    }
    const path = this.pathOf(epoch, logs);
    await (this.saveWeightsOnly ? this.model.saveWeights(path) : this.model.save(path));
    this.lastPath = path;
    if (this.verbose === 1) console.log(`Epoch ${epoch + 1}: saved ${path}`);
  }

  private pathOf(epoch: number, logs: Logs): string {
    return this.filepath.replace(
      PLACEHOLDER,
      (_, name: string, width: string | undefined, digits: string | undefined) => {
        if (name !== 'epoch' && !Object.hasOwn(logs, name)) {
          throw missingLog(name, Object.keys(logs));
        }
        const value = name === 'epoch' ? epoch + 1 : logs[name];
        if (width !== undefined) return String(value).padStart(Number(width), '0');
        return digits === undefined ? String(value) : value.toFixed(Number(digits));
      },
    );
  }
}

function missingLog(name: string, names: readonly string[]): UnknownNameError {
  return new UnknownNameError(
    `ModelCheckpoint: there is no log '${name}' for the filepath; it can have {epoch} and ` +
      `${names.map((known) => `'${known}'`).join(', ')}.`,
  );
}
