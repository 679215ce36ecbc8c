/** What is done when the heap is full: programs for inputs of other shapes make room. */
import { CompiledStep, ValueError, ones, type Tensor } from '@tapegrad/tensor';
import { currentEngine } from '../../packages/tensor/src/backend.js';
import { OutOfMemoryError, type Block } from '../../packages/tensor/src/kernels/wasm/heap.js';
import { messageOf } from '../support/errors.js';

const MIB = 2 ** 20;
const held: Block[] = [];

/** Leaves so little of the heap. The blocks are never touched, and so take no memory. */
function leave(bytes: number): void {
  const heap = currentEngine()?.machine.heap;
  if (heap === undefined) throw new Error('there is no heap');
  for (let size = 2 ** 30; size >= MIB / 16;) {
    try {
      held.push(heap.allocate(size));
    } catch (error) {
      if (!(error instanceof OutOfMemoryError)) throw error;
      size /= 2;
    }
  }
  for (let left = 0; left < bytes;) {
    const block = held.pop();
    if (block === undefined) throw new Error('nothing is held');
    heap.release(block);
    left += block.bytes;
  }
}
afterEach(() => {
  for (const block of held.splice(0)) currentEngine()?.machine.heap.release(block);
});

const row = ones([1, MIB / 4]);
/** Needs at least a MiB for each element of its input. */
const step = (): CompiledStep =>
  new CompiledStep(([x]): Tensor[] => [x.reshape([-1, 1]).add(row).cumsum(1).sum()]);
const input = (n: number): Tensor[] => [ones([n])];

test('a program for another shape gives its memory to one that does not fit', () => {
  const compiled = step();
  const [expected] = compiled.run(input(8));
  const before = compiled.program(input(8));
  leave(2 * MIB);
  const [other] = compiled.run(input(6));
  expect(other.item() / expected.item()).toBeCloseTo(0.75, 5);
  expect(messageOf(ValueError, () => before?.run(input(8)))).toBe(
    'program: its memory was needed for another one; record it again.',
  );
  expect(compiled.run(input(8))[0].item()).toBe(expected.item());
});

test('what does not fit alone is an error, each time, and what was there before goes on', () => {
  const compiled = step();
  const [expected] = compiled.run(input(1));
  leave(2 * MIB);
  for (let i = 0; i < 3; i++) expect(() => compiled.run(input(64))).toThrow(OutOfMemoryError);
  expect(compiled.run(input(1))[0].item()).toBe(expected.item());
});
