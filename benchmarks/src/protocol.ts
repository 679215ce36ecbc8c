/**
 * How the harness speaks with a peer: one line of JSON each way, over the peer's standard input and output.
 */
import type { Task } from './tasks.js';

export type Request =
  /**
   * Make the data, take `steps` steps from which the peers are compared, and go on for `seconds` until all is warm. Where a step
   * takes long there are fewer: none begins after `patience` seconds but a second one, which is no more compiled, as long as the
   * first one took less than four times that.
   */
  | {
      readonly do: 'prepare';
      readonly task: Task;
      readonly steps: number;
      readonly patience: number;
      readonly seconds: number;
    }
  /** Begin the prepared task afresh, take `untimed` steps, and repeat it for so many seconds, at least once. */
  | { readonly do: 'measure'; readonly untimed: number; readonly seconds: number };

/** The first line that a peer sends. */
export interface Hello {
  /** Of the engine and what it runs on. */
  readonly versions: Readonly<Record<string, string>>;
}

export interface Prepared {
  /** What `Work.result` gave after each of the steps. */
  readonly checks: readonly (number | null)[];
  /** Milliseconds of the first step in this process, with all that is compiled and allocated in it. */
  readonly firstMs: number;
  /** Milliseconds of the last step. */
  readonly lastMs: number;
}

export interface Measured {
  /** Milliseconds for one repetition: the mean of this round, garbage collection included. */
  readonly ms: number;
  readonly repetitions: number;
}

export interface Failure {
  readonly error: string;
}

/** A task that a peer has built. */
export interface Work {
  step(): void | Promise<void>;
  /** What the last step computed: a loss, or a number from the result; null when there is nothing to compare. */
  result(): number | null;
  /** Gives back what the engine does not give back by itself. */
  end?(): void;
}
