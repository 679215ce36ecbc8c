/**
 * Workers that share the WebAssembly memory and do their parts of large kernel calls. The caller is part 0; work is divided by
 * what is written, so that any number of threads gives the same bits.
 */
import { TABLE_SIZE, type Machine } from './kernels/wasm/machine.js';
import { MAX_THREADS } from './kernels/wasm/module.js';
import { hardwareThreads, startWorker, type WaitingWorker } from './platform.js';
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

/** Teams are told apart by 16 bits. */
const TEAMS = 65535;

/** The workers of a machine. */
export class Team {
  private threads = 1;
  private number = 0;
  /** How many modules the workers have: those of kernels that came later must be told to new workers. */
  private modules = 0;
  /** Those that are on their way before they are needed. */
  private waiting: (WaitingWorker | null)[] = [];

  constructor(private readonly machine: Machine) {}

  /** How many threads programs are to be made for. */
  get size(): number {
    return this.machine.features.shared ? getThreads() : 1;
  }

  /** Sees to it that there are workers, or on their way, who know all kernels; how many threads there are with them. */
  active(): number {
    const { size } = this;
    const { length } = this.machine.modules;
    if (size !== this.threads || (size > 1 && length !== this.modules)) {
      this.threads = size;
      this.modules = length;
      this.gather();
    }
    return size;
  }

  /** Has workers start while something else is done, where `active` would have to start them later. */
  expect(): void {
    const { size } = this;
    if (size === this.threads) return;
    while (this.waiting.length < size - 1) this.waiting.push(startWorker());
  }

  /** Ends the present workers and starts others. */
  private gather(): void {
    const { exports, modules, heap } = this.machine;
    this.number = (this.number % TEAMS) + 1;
    exports.beginTeam(this.number);
    const { memory } = heap;
    const task = { modules: [...modules], memory, tableSize: TABLE_SIZE, team: this.number };
    for (let worker = 1; worker < this.threads; worker++) {
      const next = this.waiting.length > 0 ? this.waiting.pop() : startWorker();
      next?.begin(task);
    }
    // Those that are too many end like those of another team.
    for (const late of this.waiting.splice(0)) late?.begin({ ...task, team: 0 });
  }
}
