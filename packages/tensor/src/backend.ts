/**
 * Which kernels compute: the WebAssembly ones where the platform has them, else the TypeScript ones, which can do all of it.
 */
import { ValueError, formatChoices } from './errors.js';
import { launchOnHeap } from './eager.js';
import { createMachine, detectFeatures, type Machine } from './kernels/wasm/machine.js';
import type { KernelOp, ListOp, Strided } from './op.js';
import { Residents } from './residents.js';
import { Team } from './threads.js';

/** The kernels: `js` runs everywhere, `wasm` needs WebAssembly with vectors, `auto` is wasm where that is there. */
export type Backend = 'js' | 'wasm';

const CHOICES = ['auto', 'js', 'wasm'] as const;

/** The machine that programs run on, and the tensors that live in its memory. */
export interface Engine {
  readonly machine: Machine;
  readonly residents: Residents;
  readonly team: Team;
}

let wanted: (typeof CHOICES)[number] = 'auto';
/** undefined: not tried yet; null: not to be had. */
let engine: Engine | null | undefined;
let reason = '';

/**
 * Chooses the kernels, for all that is computed from now on.
 *
 * @throws ValueError for 'wasm' where the platform does not have it, with the reason
 * @example
 * setBackend('js');
 * getBackend(); // 'js'
 * setBackend('auto');
 */
export function setBackend(backend: 'auto' | Backend): void {
  if (!CHOICES.includes(backend)) {
    throw new ValueError(
      `setBackend: takes ${formatChoices(CHOICES)}; got ${JSON.stringify(backend)}.`,
    );
  }
  if (backend === 'wasm' && findEngine() === null) {
    throw new ValueError(
      `setBackend: no WebAssembly here (${reason}); 'auto' and 'js' compute with the TypeScript kernels.`,
    );
  }
  wanted = backend;
}

/** The kernels in use. */
export function getBackend(): Backend {
  return currentEngine() === null ? 'js' : 'wasm';
}

/**
 * How many threads compute: as many as were set, or as there are cores; one where memory cannot be shared, and with the
 * TypeScript kernels. Workers that could not start or that failed are not counted.
 */
export function getThreads(): number {
  return currentEngine()?.team.size ?? 1;
}

/** What programs run on; null where the TypeScript kernels are in use. */
export function currentEngine(): Engine | null {
  return wanted === 'js' ? null : findEngine();
}

function findEngine(): Engine | null {
  if (engine === undefined) engine = makeEngine();
  return engine;
}

function makeEngine(): Engine | null {
  const features = detectFeatures();
  if (features === null) {
    reason = 'the platform lacks WebAssembly or its vectors';
    return null;
  }
  try {
    const machine = createMachine(features);
    return {
      machine,
      residents: new Residents(machine.heap, features.shared),
      team: new Team(machine),
    };
  } catch (error) {
    // A page may forbid WebAssembly by its content policy; then there is none.
    reason = error instanceof Error ? error.message : String(error);
    return null;
  }
}

/** Below so many elements in all of its tensors an op is not worth the way to the heap and back. */
const HEAVY_ELEMENTS = 4096;

/** Launches an op on the WebAssembly kernels if that pays; false when it is to be launched the ordinary way. */
export function heavyLaunch(
  spec: KernelOp | ListOp,
  inputs: readonly Strided[],
  outputs: readonly Strided[],
  attrs: object,
): boolean {
  if (spec.heavy !== true) return false;
  let elements = 0;
  for (const x of inputs) elements += x.size;
  for (const x of outputs) elements += x.size;
  if (elements < HEAVY_ELEMENTS) return false;
  const there = currentEngine();
  return there !== null && launchOnHeap(there.machine, spec, inputs, outputs, attrs, there.team);
}
