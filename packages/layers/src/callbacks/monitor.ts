/**
 * Watching one of the logs, and the checks of options that the callbacks share.
 */
import { ValueError } from '@tapegrad/tensor';
import { UnknownNameError } from '../errors.js';
import { lossNames } from '../losses.js';
import { metricNames } from '../metrics.js';
import type { Logs } from './base.js';

/** Whether a smaller ('min') or a greater ('max') value is better; 'auto' goes by the name of what is monitored. */
export type MonitorMode = 'auto' | 'min' | 'max';

/** Reads one of the logs and says whether it has improved. */
export class Monitor {
  private readonly direction: 'min' | 'max';

  /** @throws ValueError for an unknown mode, a minDelta below 0, or 'auto' with a name whose direction is not known */
  constructor(
    private readonly owner: string,
    private readonly name: string,
    mode: MonitorMode,
    private readonly minDelta: number,
  ) {
    if (typeof name !== 'string' || name === '') {
      throw new ValueError(
        `${owner}: monitor must be the name of a log, such as 'valLoss'; got ${JSON.stringify(name)}.`,
      );
    }
    checkChoice(owner, 'mode', mode, ['auto', 'min', 'max']);
    checkNumber(owner, 'minDelta', minDelta, 0);
    this.direction = mode === 'auto' ? directionOf(owner, name) : mode;
  }

  /** What everything but NaN is better than. */
  get worst(): number {
    return this.direction === 'min' ? Infinity : -Infinity;
  }

  /** Whether a value is better than another by more than minDelta. NaN never is. */
  isBetter(value: number, than: number): boolean {
    return this.direction === 'min' ? value < than - this.minDelta : value > than + this.minDelta;
  }

  /** Checks, before training has begun, that there will be such a log. @throws UnknownNameError listing the logs */
  expectIn(names: readonly string[]): void {
    // A metric with several values makes a log of each: 'precision' will be 'precision[0]', 'precision[1]' …
    const metric = this.name.replace(/\[\d+\]$/, '');
    if (!names.includes(metric)) throw this.missingFrom(names);
  }

  /** The value of this epoch. @throws UnknownNameError listing the logs when it is not among them */
  read(logs: Logs): number {
    if (!Object.hasOwn(logs, this.name)) throw this.missingFrom(Object.keys(logs));
    return logs[this.name];
  }

  private missingFrom(names: readonly string[]): UnknownNameError {
    const isValidation = plainName(this.name) !== this.name;
    const hint = isValidation
      ? ' Logs that begin with val need validationData or validationSplit.'
      : '';
    return new UnknownNameError(
      `${this.owner}: there is no log '${this.name}' to monitor; the logs are ${names.map((name) => `'${name}'`).join(', ')}.${hint}`,
    );
  }
}

/** valLoss → loss */
function plainName(name: string): string {
  return name.replace(/^val([A-Z])/, (_, letter: string) => letter.toLowerCase());
}

/** As a metric, cosineSimilarity is the one thing of its name that grows as the model gets better; the loss is its negative. */
const falling: ReadonlySet<string> = new Set(
  ['loss', 'crossentropy', 'ce', ...lossNames].filter((name) => name !== 'cosineSimilarity'),
);

function directionOf(owner: string, name: string): 'min' | 'max' {
  const metric = plainName(name).replace(/\[\d+\]$/, '');
  if (falling.has(metric)) return 'min';
  if (metricNames.some((known) => known === metric)) return 'max';
  throw new ValueError(
    `${owner}: '${name}' does not tell whether smaller or greater is better; pass mode: 'min' or mode: 'max'.`,
  );
}

export function checkChoice<T>(owner: string, what: string, value: T, choices: readonly T[]): void {
  if (choices.includes(value)) return;
  const known = choices.map((choice) => JSON.stringify(choice)).join(', ');
  throw new ValueError(`${owner}: ${what} must be one of ${known}; got ${JSON.stringify(value)}.`);
}

export function checkNumber(owner: string, what: string, value: number, least: number): void {
  if (Number.isFinite(value) && value >= least) return;
  throw new ValueError(`${owner}: ${what} must be a number of ${least} or more; got ${value}.`);
}
