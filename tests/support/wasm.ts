/**
 * One op on the WebAssembly kernels, with its inputs in any layout: the whole memory behind each input is copied to the heap,
 * and the kernel sees its strides and offset.
 */
import { type Tensor, setBackend, specs, zeros, type OpName, type OpSpec } from '@tapegrad/tensor';
import { lowerings } from '../../packages/tensor/src/kernels/wasm/families.js';
import type {
  Command,
  Epilogue,
  Kernel,
  Operand,
} from '../../packages/tensor/src/kernels/wasm/kernel.js';
import {
  commandBytes,
  createMachine,
  detectFeatures,
  writeCommands,
  type Machine,
} from '../../packages/tensor/src/kernels/wasm/machine.js';
import { run } from '../../packages/tensor/src/run.js';

// What tests compare with is computed by the TypeScript kernels: eager ops on large tensors would take those that are tested.
setBackend('js');

/** A machine of one thread for tests. */
export function testMachine(relaxed = false, list: readonly Kernel[] = []): Machine {
  if (detectFeatures() === null) throw new Error('this Node has no WebAssembly with vectors');
  const machine = createMachine({ shared: false, relaxed });
  machine.numbersOf(list);
  return machine;
}

/**
 * The outputs of an op computed by its WebAssembly kernel; null where none fits. Every part of a parallel command is run on
 * its own, one after another, so what threads would compute is seen here too.
 *
 * @param parts how many parts parallel commands are divided into
 */
export function onHeap(
  machine: Machine,
  name: OpName,
  inputs: readonly Tensor[],
  attrs: object = {},
  { parts = 1, epilogue = null }: { parts?: number; epilogue?: Epilogue | null } = {},
): Tensor[] | null {
  const spec: OpSpec = specs[name];
  const lower = lowerings.get(name);
  if (lower === undefined || spec.kind === 'view') return null;
  const { heap } = machine;
  const types =
    spec.kind === 'list'
      ? spec.infer(inputs, attrs)
      : spec.kind === 'kernel'
        ? [spec.infer(inputs, attrs)]
        : [];
  const outputs = types.map(({ dtype, shape }) => zeros(shape, dtype));
  const operands = [...inputs, ...outputs].map((x): Operand => {
    const { data, dtype, shape, strides, size, contiguous, offset } = x;
    const { address } = heap.allocate(data.byteLength);
    heap.view(dtype, address, data.length).set(data);
    const element = address + offset * data.BYTES_PER_ELEMENT;
    return { dtype, shape, strides, size, contiguous, address: element };
  });
  const call = {
    inputs: operands.slice(0, inputs.length),
    outputs: operands.slice(inputs.length),
    attrs: attrs as never,
    epilogue,
  };
  const scratch = (bytes: number): number => heap.allocate(bytes).address;
  const context = { threads: parts, scratch, mayFault: () => true };
  const commands: readonly Command[] | null = lower(call, context);
  if (commands === null) return null;
  for (const c of commands) {
    const times = c.parallel ? parts : 1;
    for (let part = times - 1; part >= 0; part--) {
      // The list is run with one thread; the part is chosen by a command of its own.
      runPart(machine, c, part, times);
    }
  }
  const written = spec.kind === 'update' ? spec.writes.map((i) => operands[i]) : call.outputs;
  return written.map(({ dtype, shape, size, address }) => {
    const result = zeros(shape, dtype);
    result.data.set(heap.view(dtype, address, size));
    return result;
  });
}

function runPart(machine: Machine, command: Command, part: number, parts: number): void {
  const { address } = machine.heap.allocate(commandBytes([command]));
  const { from } = writeCommands(machine, [command], address);
  machine.exports.executePart(from, part, parts);
}

/** The reference: the op by its TypeScript kernel. */
export function byReference(name: OpName, inputs: readonly Tensor[], attrs: object = {}): Tensor[] {
  const result = run(specs[name] as never, inputs, attrs as never) as Tensor | Tensor[];
  return Array.isArray(result) ? result : [result];
}
