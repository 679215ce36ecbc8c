/** Programs of one's own for tests, on a machine of their own. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Tensor, type TensorType } from '@tapegrad/tensor';
import { i32 } from '../../packages/tensor/src/kernels/wasm/assembler/instructions.js';
import { command, kernel } from '../../packages/tensor/src/kernels/wasm/kernel.js';
import {
  commandBytes,
  createMachine,
  detectFeatures,
  writeCommands,
} from '../../packages/tensor/src/kernels/wasm/machine.js';
import { fuse } from '../../packages/tensor/src/fuse.js';
import { postpone } from '../../packages/tensor/src/postpone.js';
import { Program } from '../../packages/tensor/src/program.js';
import { record } from '../../packages/tensor/src/recording.js';
import { Residents } from '../../packages/tensor/src/residents.js';
import { Team } from '../../packages/tensor/src/threads.js';
import type { Engine } from '../../packages/tensor/src/backend.js';

/** A machine with what belongs to it; of one thread unless its memory is shared. `patience` is as for `createMachine`. */
export function testEngine(shared = false, patience?: number): Engine {
  const features = detectFeatures();
  if (features === null) throw new Error('this Node has no WebAssembly with vectors');
  const machine = createMachine({ shared, relaxed: features.relaxed }, patience);
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
  return new Program(engine, postpone(fuse(record(types, (inputs) => step(...inputs)))));
}

/** Each part counts itself, and then waits some time for all others: only threads at work at the same time meet. */
const meet = kernel('meet', { count: 'i32' }, (f, { count }, { parts }) => {
  const patience = f.local('i32', i32.const(20_000_000));
  f.do(i32.store(count, i32.atomic.rmw_add(count, i32.const(1)), 4));
  f.while(i32.and(i32.lt_s(i32.atomic.load(count), parts), i32.gt_s(patience, i32.const(0))), () =>
    f.increment(patience, -1),
  );
  f.if(i32.eqz(patience), () => f.do(i32.store(count, i32.const(1), 8)));
});

/** Waits until so many threads compute at the same time. @throws when they have not met after 200 times */
export async function threadsTogether({ machine, team }: Engine, threads: number): Promise<void> {
  const commands = [command(meet, { count: 0 }, { parallel: true })];
  const list = machine.heap.allocate(commandBytes(commands));
  const { address } = machine.heap.allocate(12);
  for (let i = 0; i < 200; i++) {
    const words = machine.heap.view('int32', address, 3);
    words.fill(0);
    const { from, to } = writeCommands(machine, [command(meet, { count: address }, { parallel: true })], list.address); // prettier-ignore
    if (team.active() === threads) machine.exports.execute(from, to, threads);
    if (words[0] === threads && words[2] === 0) return;
    await pause(5);
  }
  throw new Error(`${threads} threads have not met`);
}
