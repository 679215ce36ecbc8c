/**
 * How the harness speaks with a peer: one line of JSON each way, over the peer's standard input and output.
 */
import type { Task } from './tasks.js';

export type Request =
  /** Make the data, run the task until it is warm, and say what it computes. */
  | { readonly do: 'prepare'; readonly task: Task; readonly seconds: number }
  /** Begin the prepared task afresh and repeat it for this long. */
  | { readonly do: 'measure'; readonly seconds: number };

/** The first line that a peer sends. */
export interface Hello {
  /** Of the engine and what it runs on. */
  readonly versions: Readonly<Record<string, string>>;
}

export interface Prepared {
  /** The loss of the tenth step, or an element of the product; null when there is nothing to compare. */
  readonly check: number | null;
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
  /** See `Prepared.check`. */
  result(): number | null;
}
