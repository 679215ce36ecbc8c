/**
 * Workers that share the WebAssembly memory and do their parts of large kernel calls. The caller is part 0; work is divided by
 * what is written, so that any number of threads gives the same bits.
 */
import { TABLE_SIZE, type Machine } from './kernels/wasm/machine.js';
import { MAX_THREADS } from './kernels/wasm/module.js';
import { hardwareThreads, startWorker } from './platform.js';
import { ValueError } from './errors.js';

let wanted: number | null = null;

/**
 * Sets how many threads compute, this one included, from now on. Without a call it is the number of cores. There is one where the
 * platform has no shared memory (a page needs the headers COOP and COEP for it). Workers never keep a process alive.
 *
 * @throws ValueError unless it is a whole number from 1 to 64
 * @example
 * setThreads(1);
 * getThreads(); // 1
 */
export function setThreads(threads: number): void {
  if (!Number.isInteger(threads) || threads < 1 || threads > MAX_THREADS) {
    throw new ValueError(
      `setThreads: takes a whole number from 1 to ${MAX_THREADS}; got ${threads}.`,
    );
  }
  wanted = threads;
}

/** How many threads compute, as set or as there are cores. */
export function getThreads(): number {
  wanted ??= Math.max(1, Math.min(hardwareThreads(), MAX_THREADS));
  return wanted;
}

/** The workers of a machine. */
export class Team {
  private threads = 1;
  private number = 0;
  private complete = true;
  /** How many modules the workers have: those of kernels that came later must be told to new workers. */
  private modules = 0;

  constructor(private readonly machine: Machine) {}

  /** How many threads programs are to be made for. */
  get size(): number {
    return this.machine.features.shared ? getThreads() : 1;
  }

  /** How many threads there are to run a command now: all, or this one alone until the others have started. */
  active(): number {
    const { length } = this.machine.modules;
    if (this.size !== this.threads || (this.threads > 1 && length !== this.modules)) {
      this.modules = length;
      this.gather(this.size);
    }
    if (!this.complete) {
      this.complete = this.machine.exports.ready(this.threads, this.number) === 1;
    }
    return this.complete ? this.threads : 1;
  }

  /** Ends the present workers and starts others. */
  private gather(threads: number): void {
    const { exports, modules, heap } = this.machine;
    this.threads = threads;
    this.number++;
    this.complete = threads === 1;
    exports.beginTeam(this.number);
    for (let part = 1; part < threads; part++) {
      const team = this.number;
      startWorker({
        modules: [...modules],
        memory: heap.memory,
        tableSize: TABLE_SIZE,
        part,
        team,
      });
    }
  }
}
