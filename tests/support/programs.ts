/** Programs of one's own for tests, on a machine of their own. */
import { type Tensor, type TensorType } from '@tapegrad/tensor';
import { createMachine, detectFeatures } from '../../packages/tensor/src/kernels/wasm/machine.js';
import { fuse } from '../../packages/tensor/src/fuse.js';
import { Program } from '../../packages/tensor/src/program.js';
import { record } from '../../packages/tensor/src/recording.js';
import { Residents } from '../../packages/tensor/src/residents.js';
import { Team } from '../../packages/tensor/src/threads.js';
import type { Engine } from '../../packages/tensor/src/backend.js';

/** A machine with what belongs to it; of one thread unless its memory is shared. */
export function testEngine(shared = false): Engine {
  const features = detectFeatures();
  if (features === null) throw new Error('this Node has no WebAssembly with vectors');
  const machine = createMachine({ shared, relaxed: false });
  return {
    machine,
    residents: new Residents(machine.heap, shared),
    team: new Team(machine),
  };
}

/** The program of a step with inputs of these types. */
export function programOf(
  engine: Engine,
  types: readonly TensorType[],
  step: (...inputs: readonly Tensor[]) => readonly Tensor[],
): Program {
  return new Program(engine, fuse(record(types, (inputs) => step(...inputs))));
}
