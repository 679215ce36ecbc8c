/**
 * What our kernels can do at best on this machine: the figures that others are compared with.
 */
import { currentEngine, type Engine } from './backend.js';
import { PEAK_BYTES, peakCommand } from './kernels/wasm/gemm/micro.js';
import { commandBytes, writeCommands } from './kernels/wasm/machine.js';

/** The limits of one thread. */
export interface PeakRates {
  /** Of the matrix product's innermost kernel on operands in the first cache, in 10⁹ additions and multiplications a second. */
  readonly gflops: number;
  /** Of copying in main memory, read and written, in 10⁹ bytes a second. */
  readonly gbytes: number;
}

const TILES = 2000;
const COPIED_BYTES = 1 << 25;
const TRIALS = 5;

/**
 * Measures for some tens of milliseconds; the best of five trials counts. Null where the TypeScript kernels are in use.
 */
export function peakRates(): PeakRates | null {
  const engine = currentEngine();
  return engine === null ? null : { gflops: peakFlops(engine), gbytes: peakBytes(engine) };
}

function peakFlops({ machine }: Engine): number {
  const { heap, exports, features } = machine;
  const panels = heap.allocate(PEAK_BYTES);
  heap.view('float32', panels.address, PEAK_BYTES / 4).fill(1);
  const work = peakCommand(features, panels.address, TILES);
  const list = heap.allocate(commandBytes([work]));
  const { from, to } = writeCommands(machine, [work], list.address);
  try {
    return work.flops / best(() => exports.execute(from, to, 1)) / 1e6;
  } finally {
    heap.release(panels);
    heap.release(list);
  }
}

function peakBytes({ machine: { heap } }: Engine): number {
  const block = heap.allocate(2 * COPIED_BYTES);
  const from = heap.view('float32', block.address, COPIED_BYTES / 4);
  const to = heap.view('float32', block.address + COPIED_BYTES, COPIED_BYTES / 4);
  try {
    return (2 * COPIED_BYTES) / best(() => to.set(from)) / 1e6;
  } finally {
    heap.release(block);
  }
}

/** The shortest of some trials, in milliseconds, after one that does not count. */
function best(body: () => unknown): number {
  let shortest = Infinity;
  for (let trial = 0; trial <= TRIALS; trial++) {
    const start = performance.now();
    body();
    const ms = performance.now() - start;
    if (trial > 0) shortest = Math.min(shortest, ms);
  }
  return shortest;
}
