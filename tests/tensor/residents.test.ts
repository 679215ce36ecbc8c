/** Weights on the WebAssembly heap, as those see them who read their elements. */
import { ops, run, specs, tensor, type Tensor } from '@tapegrad/tensor';
import { collect, collectUntil } from '../support/gc.js';
import { programOf, testEngine } from '../support/programs.js';

const SIZE = 3000;
const weight = (value: number): Tensor => tensor(new Float32Array(SIZE).fill(value));

/** Brings weights to the heap. */
function settle(engine: ReturnType<typeof testEngine>, ...weights: Tensor[]): void {
  programOf(engine, [], () => weights.map((w) => w.neg())).run([]);
}

describe.each([
  ['shared', true],
  ['not shared', false],
])('memory that is %s', (_name, shared) => {
  const engine = testEngine(shared);
  const { heap } = engine.machine;

  test('elements that were read stay what they were, in memory of their own', () => {
    const w = weight(7);
    settle(engine, w);
    const views = [w, ops.slice(w, { begin: [1], size: [SIZE - 1] }), ops.flip(w)];
    const read = views.map((x) => x.toTypedArray());
    for (const { buffer } of read) {
      expect(Object.prototype.toString.call(buffer)).toBe('[object ArrayBuffer]');
      expect(buffer).not.toBe(heap.memory.buffer);
    }
    run(specs.assign, [w, weight(8)], {});
    heap.release(heap.allocate(heap.memory.buffer.byteLength));
    expect(read.map((list) => [list[0], list[SIZE - 2]])).toEqual([[7, 7], [7, 7], [7, 7]]); // prettier-ignore
    expect([w.toTypedArray()[0], w.ndarray.get(1), ops.flip(w).toArray()]).toEqual([8, 8, Array(SIZE).fill(8)]); // prettier-ignore
  });

  test('an ndarray keeps the memory that it shares, and no longer than it is there', async () => {
    const look = (): Tensor['ndarray'] => {
      const w = weight(7);
      settle(engine, w);
      return w.ndarray;
    };
    await collect();
    const before = heap.usedBytes;
    const held = { array: look() as Tensor['ndarray'] | null };
    await collect();
    expect(heap.usedBytes).toBeGreaterThanOrEqual(before + 4 * SIZE);
    for (let i = 0; i < 5; i++) settle(engine, weight(-1));
    expect([held.array?.get(0), held.array?.get(SIZE - 1)]).toEqual([7, 7]);
    held.array = null;
    await collectUntil(() => heap.usedBytes <= before);
  });
});
