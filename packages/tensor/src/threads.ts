/**
 * Workers that share the WebAssembly memory and do their parts of large kernel calls. The caller is part 0; work is divided by
 * what is written, so that any number of threads gives the same bits.
 */
import { TABLE_SIZE, type Machine } from './kernels/wasm/machine.js';
import { FAILURE, FAILURE_BYTES, MAX_THREADS } from './kernels/wasm/module.js';
import { hardwareThreads, startWorker, type StartedWorker } from './platform.js';
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

/** As many as were set, or as there are cores. */
function wantedThreads(): number {
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
  private workers: StartedWorker[] = [];
  /** Those that are on their way before they are needed. */
  private waiting: StartedWorker[] = [];
  /** How many workers could not start, or have ended by themselves. They are not replaced: the next ones would do so too. */
  private failed = 0;

  constructor(private readonly machine: Machine) {
    machine.onFailure(() => this.giveUp());
  }

  /** How many threads programs are to be made for. */
  get size(): number {
    return this.machine.features.shared ? Math.max(1, wantedThreads() - this.failed) : 1;
  }

  /** Sees to it that there are workers, or on their way, who know all kernels; how many threads there are with them. */
  active(): number {
    const { length } = this.machine.modules;
    if (this.size !== this.threads || (this.size > 1 && length !== this.modules)) {
      this.threads = this.size;
      this.modules = length;
      this.gather();
    }
    return this.size;
  }

  /** Has workers start while something else is done, where `active` would have to start them later. */
  expect(): void {
    if (this.size === this.threads) return;
    while (this.waiting.length < this.size - 1) this.start(this.waiting);
  }

  /** Lets the present workers end and starts others. */
  private gather(): void {
    this.beginTeam();
    const { modules, heap } = this.machine;
    const task = {
      modules: [...modules],
      memory: heap.memory,
      tableSize: TABLE_SIZE,
      team: this.number,
      failure: { address: FAILURE, bytes: FAILURE_BYTES },
    };
    this.workers = this.waiting.splice(0, this.size - 1);
    // Those that are too many end like those of another team.
    for (const late of this.waiting.splice(0)) late.begin({ ...task, team: 0 });
    while (this.workers.length < this.size - 1) this.start(this.workers);
    for (const worker of this.workers) worker.begin(task);
  }

  /** Adds a worker to the list; where there can be none, there is one less to start. */
  private start(list: StartedWorker[]): void {
    const worker = startWorker(() => this.failed++);
    if (worker === null) this.failed++;
    else list.push(worker);
  }

  private beginTeam(): void {
    this.number = (this.number % TEAMS) + 1;
    this.machine.exports.beginTeam(this.number);
  }

  /** After a step that was not finished. Workers may still be at work on it: one thread waits for nobody. */
  private giveUp(): void {
    this.failed = MAX_THREADS;
    this.beginTeam();
    for (const worker of this.workers.splice(0)) worker.end();
  }
}
