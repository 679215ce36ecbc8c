/**
 * In which of its ways tapegrad runs: `node tapegrad.js MODE`.
 */
import { compile, getBackend, setBackend, setThreads, type Variable } from 'tapegrad';

/** What the modes are called on the command line of the peer. */
export const MODES = {
  /** As a program gets it without a word: the fastest backend, steps compiled by themselves. */
  default: { backend: 'auto', eager: false },
  /** The TypeScript kernels. */
  js: { backend: 'js', eager: true },
  /** WebAssembly kernels, each op by itself. */
  eager: { backend: 'wasm', eager: true },
} as const;

export type Mode = keyof typeof MODES;

/** Why tapegrad cannot run in a mode here; null when it can. */
export function whyNot(mode: Mode): string | null {
  return MODES[mode].backend === 'wasm' && getBackend() === 'js'
    ? 'no WebAssembly with vectors here'
    : null;
}

/** Something that is done again and again, with what it computes. */
export type Step = () => readonly Variable[];

export interface Engine {
  /** For `model.compile`. */
  readonly compileOptions: { readonly runEagerly: boolean };
  /** The step compiled where this mode compiles, else itself. What it works on it captures. */
  compiled(step: Step): Step;
  readonly versions: Readonly<Record<string, string>>;
}

/** Sets the backend and the threads. @throws ValueError where there is no such backend */
export function start(mode: Mode, threads: number): Engine {
  const { backend, eager } = MODES[mode];
  setBackend(backend);
  setThreads(threads);
  return {
    compileOptions: { runEagerly: eager },
    compiled: (step) => (eager ? step : compile(step)),
    versions: {
      backend: getBackend(),
      threads: String(threads),
      steps: eager || getBackend() === 'js' ? 'eager' : 'compiled',
    },
  };
}
