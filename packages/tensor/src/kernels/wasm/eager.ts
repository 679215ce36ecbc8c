/**
 * One op at a time on the WebAssembly kernels: the inputs are copied to the heap, the result is copied back. Worth while where
 * an op computes much for each element, as products and convolutions do.
 */
import { copyElements } from '../../loops.js';
import type { OpSpec, Strided } from '../../op.js';
import { rowMajorStrides } from '../../shape.js';
import { lowerings } from './families.js';
import { OutOfMemoryError, type Block, type Heap } from './heap.js';
import type { Command, Operand } from './kernel.js';
import { commandBytes, writeCommands, type Machine } from './machine.js';

const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

function bytesOf({ size, data }: Strided): number {
  return aligned(size * data.BYTES_PER_ELEMENT);
}

/**
 * Computes an op's outputs on the heap.
 *
 * @returns false when no kernel fits, or the heap is full; nothing has been done then
 */
export function launchOnHeap(
  machine: Machine,
  spec: OpSpec,
  inputs: readonly Strided[],
  outputs: readonly Strided[],
  attrs: object,
  team: { readonly size: number; active(): number },
): boolean {
  const lower = lowerings.get(spec.name);
  if (lower === undefined) return false;
  const { heap } = machine;
  const tensors = [...inputs, ...outputs];
  const space = tensors.reduce((sum, x) => sum + bytesOf(x), 0);
  // The first round tells how much scratch there must be, the second one has the addresses.
  let scratch = 0;
  const lowered = (base: number): readonly Command[] | null => {
    let at = base;
    const operands = tensors.map((x) => {
      const address = at;
      at += bytesOf(x);
      return operandOf(x, address);
    });
    scratch = 0;
    return lower(
      {
        inputs: operands.slice(0, inputs.length),
        outputs: operands.slice(inputs.length),
        attrs: attrs as never,
        epilogue: null,
      },
      {
        threads: team.size,
        scratch: (bytes) => {
          const address = at + scratch;
          scratch += aligned(bytes);
          return address;
        },
        mayFault: () => false,
      },
    );
  };
  const trial = lowered(0);
  if (trial === null) return false;
  const block = allocateOrNull(heap, space + scratch + commandBytes(trial));
  // Programs have it all: the TypeScript kernel works where the tensors are.
  if (block === null) return false;
  try {
    const commands = lowered(block.address) ?? trial;
    const { from, to } = writeCommands(machine, commands, block.address + space + scratch);
    let at = block.address;
    for (const x of inputs) {
      const data = heap.view(x.dtype, at, x.size);
      copyElements(x, { data, offset: 0, shape: x.shape, strides: rowMajorStrides(x.shape) });
      at += bytesOf(x);
    }
    const parallel = commands.some((command) => command.parallel);
    machine.exports.execute(from, to, parallel ? team.active() : 1);
    // Updates in place write their inputs.
    const written = spec.kind === 'update' ? spec.writes.map((i) => inputs[i]) : outputs;
    for (const x of written) {
      const index = tensors.indexOf(x);
      const start = tensors.slice(0, index).reduce((sum, t) => sum + bytesOf(t), block.address);
      x.data.set(heap.view(x.dtype, start, x.size), x.offset);
    }
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
