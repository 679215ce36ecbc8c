/**
 * In which of its ways tapegrad runs: `node tapegrad.js MODE`.
 */
import * as everything from 'tapegrad';
import { type Variable } from 'tapegrad';

/** What the modes are called on the command line of the peer. */
export const MODES = {
  /** As a program gets it without a word: the fastest backend, steps compiled by themselves. */
  default: { backend: null, eager: false },
  /** The TypeScript kernels. */
  js: { backend: 'js', eager: true },
  /** WebAssembly kernels, each op by itself. */
  eager: { backend: 'wasm', eager: true },
} as const;

export type Mode = keyof typeof MODES;

type Unknown = (...args: readonly unknown[]) => unknown;

/** A function that this build of tapegrad may or may not have. */
function optional(name: string): Unknown | null {
  const found: unknown = (everything as Record<string, unknown>)[name];
  return typeof found === 'function' ? (found as Unknown) : null;
}

/** Why this build cannot run in a mode; null when it can. */
export function whyNot(mode: Mode): string | null {
  return MODES[mode].backend === 'wasm' && optional('setBackend') === null
    ? 'this build of tapegrad has no WebAssembly backend'
    : null;
}

/** Whether this build can be told how many threads to use. */
export function hasThreads(): boolean {
  return optional('setThreads') !== null;
}

/** Something that is done again and again, with what it computes. */
export type Step = () => readonly Variable[];

export interface Engine {
  /** For `model.compile`. */
  readonly compileOptions: { readonly runEagerly?: boolean };
  /** The step compiled where this mode compiles, else itself. What it works on it captures. */
  compiled(step: Step): Step;
  readonly versions: Readonly<Record<string, string>>;
}

/** Sets the backend and the threads. @throws Error when the build cannot run in this mode */
export async function start(mode: Mode, threads: number): Promise<Engine> {
  const why = whyNot(mode);
  if (why !== null) throw new Error(why);
  const { backend, eager } = MODES[mode];
  const [setBackend, setThreads, getBackend, compile] = [
    'setBackend',
    'setThreads',
    'getBackend',
    'compile',
  ].map(optional);
  if (backend !== null) await setBackend?.(backend);
  await setThreads?.(threads);
  const inUse = getBackend === null ? (backend ?? 'auto') : String(getBackend());
  return {
    compileOptions: eager ? { runEagerly: true } : {},
    compiled: (step) => (eager || compile === null ? step : (compile(step) as Step)),
    versions: {
      backend: setBackend === null ? 'js' : inUse,
      ...(setThreads === null ? {} : { threads: String(threads) }),
      steps: eager || compile === null ? 'eager' : 'compiled',
    },
  };
}

/** The multiply-adds that the machine's vector units can do, as tapegrad measures them, in GFLOP/s; null without that. */
export async function peakRate(): Promise<number | null> {
  const rate = await optional('peakRate')?.();
  return typeof rate === 'number' ? rate : null;
}
