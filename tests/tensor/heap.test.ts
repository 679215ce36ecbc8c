/** The memory of the kernels: giving away, taking back, joining, growing, and the end of it. */
import { setImmediate as endOfJob } from 'node:timers/promises';
import {
  Heap,
  MAXIMUM_PAGES,
  OutOfMemoryError,
} from '../../packages/tensor/src/kernels/wasm/heap.js';
import { messageOf } from '../support/errors.js';
import { collect, collectUntil } from '../support/gc.js';
import { Numbers } from '../support/numbers.js';

const PAGE = 65536;

function heapOf(
  { initial = 1, maximum = 64, shared = false } = {},
  base = 1024,
): { heap: Heap; memory: WebAssembly.Memory } {
  const memory = new WebAssembly.Memory({ initial, maximum, shared });
  return { heap: new Heap(memory, base, maximum), memory };
}

test('blocks lie on cache lines, after the base, one after another', () => {
  const { heap } = heapOf({}, 1000);
  const blocks = [1, 64, 65, 0].map((bytes) => heap.allocate(bytes));
  expect(blocks).toEqual([
    { address: 1024, bytes: 64 },
    { address: 1088, bytes: 64 },
    { address: 1152, bytes: 128 },
    { address: 1280, bytes: 64 },
  ]);
  expect(heap.usedBytes).toBe(320);
});

test('what was given back is given away again, joined with its neighbours', () => {
  const { heap } = heapOf();
  const [a, b, c, d] = [64, 64, 64, 64].map((bytes) => heap.allocate(bytes));
  for (const block of [b, d, c, a]) heap.release(block);
  expect(heap.usedBytes).toBe(0);
  const all = heap.allocate(256);
  expect(all).toEqual({ address: a.address, bytes: 256 });
});

test('a free part at the end is where a larger block begins', () => {
  const { heap } = heapOf();
  heap.allocate(64);
  const last = heap.allocate(64);
  heap.release(last);
  expect(heap.allocate(1024).address).toBe(last.address);
  expect(heap.allocate(64).address).toBe(last.address + 1024);
});

test('zeros are zeros, in memory that was used before and in memory that was not', () => {
  const { heap, memory } = heapOf();
  const owner = {};
  const used = heap.allocate(10_000);
  new Uint8Array(memory.buffer, used.address, used.bytes).fill(9);
  heap.release(used);
  // In the middle of what was used; at its end, going on after it; new.
  for (const bytes of [4000, 20_000, 3 * PAGE]) {
    const block = heap.allocateZerosFor(owner, bytes);
    const data = new Uint8Array(memory.buffer, block.address, block.bytes);
    expect(data.every((byte) => byte === 0)).toBe(true);
    data.fill(9);
  }
});

test('random blocks never overlap, and nothing is lost', () => {
  const { heap, memory } = heapOf();
  const numbers = new Numbers(3);
  const held: { address: number; bytes: number; mark: number }[] = [];
  for (let i = 0; i < 3000; i++) {
    if (held.length > 0 && numbers.integer(0, held.length) > 20) {
      const [gone] = held.splice(numbers.integer(0, held.length - 1), 1);
      const data = new Uint8Array(memory.buffer, gone.address, gone.bytes);
      expect(data.every((byte) => byte === gone.mark)).toBe(true);
      heap.release(gone);
    } else {
      const block = heap.allocate(numbers.integer(0, 3000));
      const data = new Uint8Array(memory.buffer, block.address, block.bytes);
      data.fill(1 + (i % 255));
      held.push({ ...block, mark: 1 + (i % 255) });
    }
  }
  expect(heap.usedBytes).toBe(held.reduce((sum, { bytes }) => sum + bytes, 0));
  for (const block of held) heap.release(block);
  expect(heap.usedBytes).toBe(0);
  const whole = memory.buffer.byteLength - 1024;
  expect(heap.allocate(whole)).toEqual({ address: 1024, bytes: whole });
});

test.each([false, true])('grows when it is full, shared: %s', (shared) => {
  const { heap, memory } = heapOf({ shared });
  const grown = jest.fn();
  heap.onGrowth(grown);
  const first = heap.allocate(64);
  const view = heap.view('float32', first.address, 16);
  view[0] = 5;
  const large = heap.allocate(10 * PAGE);
  expect(grown).toHaveBeenCalledTimes(1);
  expect(memory.buffer.byteLength).toBeGreaterThanOrEqual(large.address + large.bytes);
  expect(heap.view('float32', first.address, 16)[0]).toBe(5);
  // A view of memory that is not shared has become empty.
  expect(view.length).toBe(shared ? 16 : 0);
});

test('uses all there is, to the last page, and then says what was asked for', () => {
  const { heap, memory } = heapOf({ initial: 40, maximum: 64 });
  // Half as much again as there is would be more than the maximum, and less than is needed.
  const block = heap.allocate(63 * PAGE);
  expect(memory.buffer.byteLength).toBe(64 * PAGE);
  expect(messageOf(OutOfMemoryError, () => heap.allocate(2 * PAGE))).toBe(
    'heap: 0.1 MiB were asked for; 3.9 MiB are in use and WebAssembly gives at most 4.0 MiB. Use a smaller batch or ' +
      "model, or setBackend('js').",
  );
  // It goes on to work.
  expect(heap.allocate(PAGE - 1024).bytes).toBe(PAGE - 1024);
  heap.release(block);
  expect(heap.allocate(2 * PAGE).address).toBe(block.address);
});

test('more than the maximum at once is refused before anything has changed', () => {
  const { heap, memory } = heapOf({ initial: 2, maximum: 8 });
  const { length } = new Uint8Array(memory.buffer);
  expect(messageOf(OutOfMemoryError, () => heap.allocate(2 ** 31))).toMatch(
    /^heap: 2048.0 MiB were asked for; 0.0 MiB are in use and WebAssembly gives at most 0.5 MiB\./,
  );
  expect(messageOf(OutOfMemoryError, () => heap.allocate(2 ** 52))).toMatch(/were asked for/);
  expect(memory.buffer.byteLength).toBe(length);
  expect(heap.usedBytes).toBe(0);
  expect(heap.allocate(7 * PAGE).address).toBe(1024);
});

test('addresses stay positive as 32-bit integers', () => {
  expect((MAXIMUM_PAGES * PAGE - 1) | 0).toBeGreaterThan(0);
});

test('a block is free again when its owner has been collected', async () => {
  const { heap } = heapOf();
  const kept = { name: 'kept' };
  const stays = heap.allocateFor(kept, 128);
  (() => heap.allocateFor({ name: 'gone' }, 256))();
  expect(heap.usedBytes).toBe(384);
  await collectUntil(() => heap.usedBytes === 128);
  expect(heap.allocate(256).address).toBe(stays.address + 128);
  expect(kept.name).toBe('kept');
});

test('large blocks weigh on the garbage collector as if their owners had the memory themselves', async () => {
  const { heap } = heapOf({ initial: 1024, maximum: 1024 });
  const bytes = 20 * 2 ** 20;
  const weight = (): number => process.memoryUsage().external;
  // What others have left in this process would go when the collector looks.
  await collect();
  const before = weight();
  const owner = {};
  const block = heap.allocateFor(owner, bytes);
  expect(weight() - before).toBeGreaterThan(bytes / 2);
  heap.releaseOf(owner, block);
  await collectUntil(() => weight() - before < bytes / 2);
});

test('owners that nobody holds make room when the memory is full', async () => {
  // All there from the beginning: growing, too, would make the collector look.
  const { heap } = heapOf({ initial: 16384, maximum: 16384 });
  const bytes = 20 * 2 ** 20;
  const held: { owner: object; address: number }[] = [];
  const allocate = (hold: boolean): void => {
    const owner = {};
    const { address } = heap.allocateFor(owner, bytes);
    if (hold) held.push({ owner, address });
  };
  for (let i = 0; i < 200; i++) {
    allocate(i % 10 === 0);
    // What a job has made or looked at stays until its end.
    await endOfJob();
  }
  expect(new Set(held.map(({ address }) => address)).size).toBe(20);
  // What was reclaimed is not given back once more when the finalizers have their turn.
  await collectUntil(() => heap.usedBytes === 20 * bytes);
  expect(heap.allocate(bytes).bytes).toBe(bytes);
  expect(held).toHaveLength(20);
});

test('owners that somebody holds stay, and the memory is full', async () => {
  const { heap } = heapOf({ initial: 1024, maximum: 1024 });
  const owners = [{}, {}, {}];
  const blocks = owners.map((owner) => heap.allocateFor(owner, 20 * 2 ** 20));
  await endOfJob();
  expect(messageOf(OutOfMemoryError, () => heap.allocateFor({}, 20 * 2 ** 20))).toMatch(
    /^heap: 20.0 MiB were asked for; 60.0 MiB are in use/,
  );
  owners.forEach((owner, i) => heap.releaseOf(owner, blocks[i]));
  expect(heap.usedBytes).toBe(0);
});
