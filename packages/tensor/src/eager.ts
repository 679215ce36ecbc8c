/**
 * One op at a time on the WebAssembly kernels: the inputs are copied to the heap, the result is copied back. Worth while where
 * an op computes much for each element, as products and convolutions do.
 */
import { OutOfMemoryError, aligned, type Block, type Heap } from './kernels/wasm/heap.js';
import type { Operand } from './kernels/wasm/kernel.js';
import { commandBytes, writeCommands, type Machine } from './kernels/wasm/machine.js';
import { copyElements } from './loops.js';
import { SOME_ADDRESS, lowerOp, type Lowered } from './lower.js';
import type { KernelOp, ListOp, Strided } from './op.js';
import { rowMajorStrides } from './shape.js';

/**
 * Computes an op's outputs on the heap.
 *
 * @returns false when no kernel fits, or the heap is full; nothing has been done then
 */
export function launchOnHeap(
  machine: Machine,
  spec: KernelOp | ListOp,
  inputs: readonly Strided[],
  outputs: readonly Strided[],
  attrs: object,
  team: { readonly size: number; active(): number },
): boolean {
  const { heap } = machine;
  const tensors = [...inputs, ...outputs];
  // The tensors, one after another; then scratch; then the commands.
  const offsets: number[] = [];
  let space = 0;
  for (const { size, data } of tensors) {
    offsets.push(space);
    space += aligned(size * data.BYTES_PER_ELEMENT);
  }
  const lowered = (base: number): Lowered => {
    const operands = tensors.map((x, i) => operandOf(x, base + offsets[i]));
    const [ins, outs] = [operands.slice(0, inputs.length), operands.slice(inputs.length)];
    const call = { inputs: ins, outputs: outs, attrs, epilogue: null };
    return lowerOp(spec.name, call, {
      threads: team.size,
      scratch: base + space,
      looksForFaults: false,
    });
  };
  // The first lowering tells how much scratch and how many commands there are; the second one has the addresses.
  const trial = lowered(SOME_ADDRESS);
  if (trial.commands === null) return false;
  const before = space + trial.scratchBytes;
  const block = allocateOrNull(heap, before + commandBytes(trial.commands));
  // Programs have it all: the TypeScript kernel works where the tensors are.
  if (block === null) return false;
  try {
    const commands = lowered(block.address).commands ?? [];
    const { from, to } = writeCommands(machine, commands, block.address + before);
    inputs.forEach((x, i) => {
      const data = heap.view(x.dtype, block.address + offsets[i], x.size);
      copyElements(x, { data, offset: 0, shape: x.shape, strides: rowMajorStrides(x.shape) });
    });
    const parallel = commands.some((command) => command.parallel);
    machine.exports.execute(from, to, parallel ? team.active() : 1);
    outputs.forEach((x, i) => {
      const address = block.address + offsets[inputs.length + i];
      x.data.set(heap.view(x.dtype, address, x.size), x.offset);
    });
    return true;
  } finally {
    heap.release(block);
  }
}

function allocateOrNull(heap: Heap, bytes: number): Block | null {
  try {
    return heap.allocate(bytes);
  } catch (error) {
    if (error instanceof OutOfMemoryError) return null;
    throw error;
  }
}

function operandOf({ dtype, shape, size }: Strided, address: number): Operand {
  return { dtype, shape, strides: rowMajorStrides(shape), size, contiguous: true, address };
}
