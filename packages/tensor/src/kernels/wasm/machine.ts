/**
 * The machine that programs run on: one memory and one table of kernels. A kernel is emitted, compiled and instantiated once,
 * when a command first asks for it.
 */
import { ValueError, WorkerError } from '../../errors.js';
import {
  COMMAND_BYTES,
  FAILURE,
  FAILURE_BYTES,
  HEAP_BASE,
  buildKernels,
  buildRuntime,
  type ModuleExports,
  type Watch,
} from './module.js';
import { Heap, MAXIMUM_PAGES, roundUp } from './heap.js';
import { FIELD_BYTES, type Command, type Kernel } from './kernel.js';
import { ModuleBuilder, type MemoryType } from './assembler/assembler.js';
import { drop } from './assembler/instructions.js';
import { f32x4, v128 } from './assembler/simd.js';

const INITIAL_PAGES = 256;
/** With less room than 64 MiB the TypeScript kernels, which need no room of their own, do better. */
const LEAST_MAXIMUM_PAGES = 1024;

/**
 * For how many milliseconds the main thread waits, at work, for others' parts. Those who fail say so, and parts of the largest
 * products take less: only a worker that was ended from outside makes it wait so long.
 */
const PATIENCE = 300_000;
/** What is taken for one look at the clock and the next at most: a machine that slept has not waited. */
const LONGEST_LOOK = 1000;

/** What may be used of WebAssembly. */
export interface Features {
  /** Memory that several threads share. */
  readonly shared: boolean;
  /** Fused multiply-add. */
  readonly relaxed: boolean;
}

/** How many functions the table has room for. */
export const TABLE_SIZE = 1024;

/** Memory, functions, and the kernels that have been asked for. */
export interface Machine {
  readonly features: Features;
  readonly heap: Heap;
  readonly exports: ModuleExports;
  /** The modules in the order in which a worker has to instantiate them; the first one has the functions. */
  readonly modules: readonly WebAssembly.Module[];
  /** The numbers of kernels in the table; those that are not there yet are added. */
  numbersOf(kernels: readonly Kernel[]): ReadonlyMap<Kernel, number>;
  /** Calls back when commands for several threads ended with an error, before it is thrown: others may still be at their parts. */
  onFailure(callback: () => void): void;
}

/** What this platform has; null without WebAssembly or without vectors. */
export function detectFeatures(): Features | null {
  if (typeof WebAssembly !== 'object' || !validates((f) => drop(f.zero()))) return null;
  return {
    shared: hasSharedMemory(),
    relaxed: validates((f) => drop(f32x4.relaxed_madd(f.zero(), f.zero(), f.zero()))),
  };
}

/** Whether a function with this instruction is valid here. */
function validates(statement: (vectors: typeof v128) => ReturnType<typeof drop>): boolean {
  const m = new ModuleBuilder({ initial: 1, maximum: 1, shared: false }, false);
  m.function('probe', [], 'void', (f) => f.do(statement(v128)));
  return WebAssembly.validate(m.toBytes());
}

function hasSharedMemory(): boolean {
  if (typeof SharedArrayBuffer !== 'function') return false;
  try {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    return Object.prototype.toString.call(memory.buffer) === '[object SharedArrayBuffer]';
  } catch {
    return false;
  }
}

/**
 * Makes a machine without kernels.
 *
 * @param patience for how many milliseconds it waits for parts that other threads have taken
 * @throws whatever WebAssembly throws where a content policy forbids it
 */
export function createMachine(features: Features, patience = PATIENCE): Machine {
  const type = { initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES, shared: features.shared };
  const { memory, maximum } = reserve(type);
  const table = new WebAssembly.Table({ initial: TABLE_SIZE, element: 'anyfunc' });
  const modules: WebAssembly.Module[] = [];
  const numbers = new Map<Kernel, number>();
  const callbacks: (() => void)[] = [];
  let endNumber = 0;
  const env = { memory, table, ...watch(memory, patience) };
  const instantiate = (bytes: Uint8Array<ArrayBuffer>): WebAssembly.Instance => {
    const module = new WebAssembly.Module(bytes);
    modules.push(module);
    return new WebAssembly.Instance(module, { env });
  };
  const runtime = instantiate(buildRuntime(type));
  return {
    features,
    heap: new Heap(memory, HEAP_BASE, maximum),
    exports: exportsOf(runtime, features.shared, () => {
      for (const callback of callbacks) callback();
    }),
    modules,
    onFailure: (callback) => callbacks.push(callback),
    numbersOf: (kernels) => {
      const missing = [...new Set(kernels)].filter((k) => !numbers.has(k));
      if (missing.length > 0) {
        const built = buildKernels(missing, type, features.relaxed, endNumber);
        instantiate(built.bytes);
        missing.forEach((k, i) => numbers.set(k, built.numbers[i]));
        endNumber = built.endNumber;
      }
      return numbers;
    },
  };
}

/** A memory with as much room to grow as the platform grants: phones and 32-bit systems have less of it. */
function reserve(type: MemoryType): { memory: WebAssembly.Memory; maximum: number } {
  for (let { maximum } = type; ; maximum >>= 1) {
    try {
      return { memory: new WebAssembly.Memory({ ...type, maximum }), maximum };
    } catch (error) {
      if (!(error instanceof RangeError) || maximum <= LEAST_MAXIMUM_PAGES) throw error;
    }
  }
}

const MENDING =
  'What the step changes in place, such as weights, may have been changed in part: go back to what was saved, or make ' +
  'the model anew.';
const ALONE = 'From now on one thread computes.';

/** A trap of this thread by its name, with what to do about it; any other error as it is. */
function named(error: unknown, threads: number): unknown {
  if (!(error instanceof WebAssembly.RuntimeError)) return error;
  const message = `a step was not finished: this thread failed in its part of it (${String(error)}). ${MENDING}`;
  const result = new WorkerError(threads > 1 ? `${message} ${ALONE}` : message);
  result.cause = error;
  return result;
}

/** What is done while parts are waited for. */
function watch(memory: WebAssembly.Memory, patience: number): Watch {
  let waited = 0;
  let last = 0;
  return {
    overdue: (times) => {
      const now = performance.now();
      waited = times === 1 ? 0 : waited + Math.min(now - last, LONGEST_LOOK);
      last = now;
      if (waited < patience) return;
      throw new WorkerError(
        `a step was not finished: another thread took a part of it and has not come to its end for ${patience / 1000} s; ` +
          `something has ended or stopped it. ${MENDING} ${ALONE}`,
      );
    },
    lost: () => {
      // A copy, as text is not read from memory that is shared.
      const bytes = new Uint8Array(memory.buffer, FAILURE, FAILURE_BYTES).slice();
      const reason = new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
      throw new WorkerError(
        `a step was not finished: another thread failed in its part of it (${reason}). ${MENDING} ${ALONE}`,
      );
    },
  };
}

/** The functions that an instance offers. Without shared memory nobody waits for work. */
function exportsOf(
  instance: WebAssembly.Instance,
  shared: boolean,
  failed: () => void,
): ModuleExports {
  const exported = (name: string): ((...args: number[]) => number) => {
    const f: unknown = instance.exports[name];
    if (typeof f !== 'function') throw new ValueError(`the module has no function '${name}'.`);
    return f as (...args: number[]) => number;
  };
  const run = exported('execute');
  const execute = (from: number, to: number, threads: number): void => {
    try {
      run(from, to, threads);
    } catch (error) {
      if (threads > 1) failed();
      throw named(error, threads);
    }
  };
  const executePart = exported('executePart');
  const nobody = (): number => 0;
  if (!shared) return { execute, executePart, work: nobody, lose: nobody, beginTeam: nobody };
  return {
    execute,
    executePart,
    work: exported('work'),
    lose: exported('lose'),
    beginTeam: exported('beginTeam'),
  };
}

/** How many bytes these commands take in memory, arguments included. */
export function commandBytes(commands: readonly Command[]): number {
  return commands.reduce(
    (sum, { kernel }) => sum + COMMAND_BYTES + FIELD_BYTES * Object.keys(kernel.fields).length,
    FIELD_BYTES,
  );
}

/**
 * Writes commands to memory.
 *
 * @returns where their list begins and ends, for `execute`
 */
export function writeCommands(
  machine: Machine,
  commands: readonly Command[],
  address: number,
): { from: number; to: number } {
  const { heap } = machine;
  const numbers = machine.numbersOf(commands.map(({ kernel }) => kernel));
  const view = new DataView(heap.memory.buffer);
  const to = address + commands.length * COMMAND_BYTES;
  let args = roundUp(to, FIELD_BYTES);
  commands.forEach(({ kernel, args: values, parallel }, i) => {
    const at = address + i * COMMAND_BYTES;
    view.setInt32(at, numbers.get(kernel) ?? 0, true);
    view.setInt32(at + 4, parallel ? 1 : 0, true);
    view.setInt32(at + 8, args, true);
    for (const [field, type] of Object.entries(kernel.fields)) {
      const value = values[field];
      if (type === 'i32') view.setInt32(args, value, true);
      else if (type === 'f32') view.setFloat32(args, value, true);
      else view.setFloat64(args, value, true);
      args += FIELD_BYTES;
    }
  });
  return { from: address, to };
}
