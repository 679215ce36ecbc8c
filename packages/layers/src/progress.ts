/**
 * How a training or an evaluation is shown: a live bar on a terminal, plain lines elsewhere.
 */
import { ValueError } from '@tapegrad/tensor';
import type { SingleBar } from 'cli-progress';
import type { CallbackLike, Logs, TrainContext } from './callbacks/base.js';
import type { Verbosity } from './fit.js';

/** What is shown: a training, epoch by epoch, or an evaluation, which has no epochs. */
export type Shown = 'training' | 'evaluation';

/**
 * The display for a verbosity; null for 0. A bar needs a terminal: lines take its place where the output goes to a file or a
 * pipe, in continuous integration (CI is set), on a terminal that cannot move its cursor, and in browsers.
 *
 * @throws ValueError when verbose is not 0, 1 or 2
 */
export async function progressFor(verbose: Verbosity, shown: Shown): Promise<Display | null> {
  if (![0, 1, 2].includes(verbose)) {
    throw new ValueError(
      `verbose must be 0 (silent), 1 (a progress bar) or 2 (a line for each epoch); got ${JSON.stringify(verbose)}.`,
    );
  }
  if (verbose === 0) return null;
  const { process } = globalThis as { process?: Partial<NodeJS.Process> };
  const { CI, TERM } = process?.env ?? {};
  const stream = process?.stdout;
  if (verbose === 2 || stream?.isTTY !== true || CI || TERM === 'dumb') {
    return new LineDisplay(shown, (line) => console.log(line));
  }
  return barOn(stream, shown);
}

/** How far an epoch has come. */
class Epoch {
  /** Steps. */
  done = 0;
  private logs: Logs = {};
  private readonly began = performance.now();
  private stepped = this.began;

  /** @param title 'Epoch 1/2'; null in an evaluation */
  constructor(
    readonly title: string | null,
    private readonly total: number,
  ) {}

  step(batch: number, logs: Logs): void {
    this.done = batch + 1;
    this.logs = logs;
    this.stepped = performance.now();
  }

  /** Takes the logs of the whole epoch, with those of the validation. */
  end(logs: Logs): void {
    this.logs = logs;
  }

  /** `Epoch 1/2 - 1875/1875 - 3s - 2ms/step - loss: 0.3434 - accuracy: 0.9012` */
  line(): string {
    const title = this.title === null ? [] : [this.title];
    return [...title, this.count, this.elapsed, ...this.pace, ...this.results].join(' - ');
  }

  /**
   * While running ` 625/1875 [=========>....................] - ETA: 2s 2ms/step - loss: 0.5123`, and when it has ended
   * `1875/1875 [==============================] - 3s 2ms/step - loss: 0.3434`; the bar shrinks, down to a third, to let the
   * rest of the text fit in.
   */
  lineWithBar(state: 'running' | 'ended', columns: number): string {
    const time = state === 'running' ? `ETA: ${this.remaining}` : this.elapsed;
    const texts = [[time, ...this.pace].join(' '), ...this.results].join(' - ');
    const room = columns - `${this.count} [] - ${texts}`.length;
    return `${this.count} [${this.bar(Math.min(Math.max(room, 10), 30))}] - ${texts}`;
  }

  private get count(): string {
    const total = String(this.total);
    return `${String(this.done).padStart(total.length)}/${total}`;
  }

  private bar(width: number): string {
    const full = Math.floor((width * this.done) / this.total);
    const isPart = full > 0 && full < width;
    return ('='.repeat(full).slice(isPart ? 1 : 0) + (isPart ? '>' : '')).padEnd(width, '.');
  }

  private get elapsed(): string {
    return formatDuration(performance.now() - this.began);
  }

  private get remaining(): string {
    return formatDuration(this.perStep * (this.total - this.done));
  }

  /** '2ms/step'; nothing before there was a step. */
  private get pace(): string[] {
    return this.done === 0 ? [] : [`${formatStep(this.perStep)}/step`];
  }

  private get results(): string[] {
    return Object.entries(this.logs).map(([name, value]) => `${name}: ${formatLog(value)}`);
  }

  /** In milliseconds. The validation, which comes after the last step, is no part of it. */
  private get perStep(): number {
    return (this.stepped - this.began) / this.done;
  }
}

/** Shows the progress of `fit` or `evaluate`, which must call `close` in the end, whatever has happened. */
export abstract class Display implements CallbackLike {
  /** Null between epochs. */
  protected epoch: Epoch | null = null;
  private epochs = 0;
  private batchesPerEpoch = 0;

  constructor(private readonly shown: Shown) {}

  onTrainBegin({ epochs, batchesPerEpoch }: TrainContext): void {
    this.epochs = epochs;
    this.batchesPerEpoch = batchesPerEpoch;
  }

  onEpochBegin(epoch: number): void {
    const title = this.shown === 'training' ? `Epoch ${epoch + 1}/${this.epochs}` : null;
    this.epoch = new Epoch(title, this.batchesPerEpoch);
  }

  onBatchEnd(batch: number, logs: Logs): void {
    this.epoch?.step(batch, logs);
  }

  onEpochEnd(_epoch: number, logs: Logs): void {
    this.epoch?.end(logs);
    this.close();
  }

  /** Shows how far the epoch has come, unless it was shown or has not come to its first step. Leaves nothing running. */
  close(): void {
    if (this.epoch !== null && this.epoch.done > 0) this.show(this.epoch);
    this.epoch = null;
  }

  /** Shows the last state of an epoch. */
  protected abstract show(epoch: Epoch): void;
}

/** A line for each epoch, when it has ended. */
class LineDisplay extends Display {
  constructor(
    shown: Shown,
    private readonly print: (line: string) => void,
  ) {
    super(shown);
  }

  protected override show(epoch: Epoch): void {
    this.print(epoch.line());
  }
}

/** Where a bar is drawn: process.stdout, or what a test puts in its place. */
type Terminal = NodeJS.WritableStream & { readonly columns?: number };

/** A bar on a terminal. */
export async function barOn(stream: Terminal, shown: Shown): Promise<Display> {
  const { default: library } = await import('cli-progress');
  return new BarDisplay(shown, stream, library.SingleBar);
}

/** A bar that the library draws 12 times a second, whenever `fit` lets timers have their turn; a step costs nothing. */
class BarDisplay extends Display {
  private readonly bar: SingleBar;
  private running = false;

  constructor(
    shown: Shown,
    private readonly stream: Terminal,
    Bar: typeof SingleBar,
  ) {
    super(shown);
    this.bar = new Bar({
      stream,
      fps: 12,
      // One column less, as the last one makes terminals wrap the line.
      format: (_, { maxWidth }) =>
        this.epoch?.lineWithBar('running', maxWidth - 1).slice(0, maxWidth - 1) ?? '',
      clearOnComplete: true,
      // The terminal's settings stay as they are: nothing has to be put back when the process is killed.
      hideCursor: false,
      linewrap: true,
      gracefulExit: false,
    });
    // To end, the library jumps back to where the bar began: a wrong place if others have printed since. Make it this one.
    this.bar.on('stop', () => stream.write('\x1b7'));
  }

  override onEpochBegin(epoch: number): void {
    super.onEpochBegin(epoch);
    if (this.epoch !== null && this.epoch.title !== null)
      this.stream.write(`${this.epoch.title}\n`);
  }

  override onBatchEnd(batch: number, logs: Logs): void {
    super.onBatchEnd(batch, logs);
    if (this.running) return;
    this.running = true;
    this.bar.start(1, 0);
  }

  /** Takes the bar away and writes its last state, which may need more than one line. */
  protected override show(epoch: Epoch): void {
    this.bar.stop();
    this.running = false;
    this.stream.write(`${epoch.lineWithBar('ended', this.stream.columns || 80)}\n`);
  }
}

/** As Keras: 0.3434, but 5.0000e-5. */
function formatLog(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  return value === 0 || Math.abs(value) >= 1e-3 ? value.toFixed(4) : value.toExponential(4);
}

/** 3s, 1:05, 2:00:09 */
function formatDuration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  const two = (n: number): string => String(n).padStart(2, '0');
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  if (h > 0) return `${h}:${two(m)}:${two(s)}`;
  return m > 0 ? `${m}:${two(s)}` : `${s}s`;
}

/** 2s, 15ms, 60us */
function formatStep(milliseconds: number): string {
  if (milliseconds >= 1000) return `${Math.round(milliseconds / 1000)}s`;
  return milliseconds >= 1
    ? `${Math.round(milliseconds)}ms`
    : `${Math.round(milliseconds * 1000)}us`;
}
