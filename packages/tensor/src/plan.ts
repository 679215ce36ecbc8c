/**
 * Where the values of a program lie: from lifetimes to offsets in one arena. A pure function.
 */
import { aligned } from './kernels/wasm/heap.js';

/** A value's size, and the first and last call that need it. */
export interface Lifetime {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Offsets, in the order of the lifetimes, and the size of the arena in bytes. */
export interface ArenaPlan {
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/**
 * Gives each value a place that no other value has at the same time. Values are placed in the order in which they come into
 * being, each in the smallest gap that holds it: what has just been freed, and is still in the cache, is used again soon.
 *
 * @param lifetimes in the order of `first`
 */
export function planArena(lifetimes: readonly Lifetime[]): ArenaPlan {
  const offsets: number[] = [];
  /** The values that are alive, in the order of their places. */
  let alive: { start: number; end: number; last: number }[] = [];
  let bytes = 0;
  for (const { bytes: size, first, last } of lifetimes) {
    alive = alive.filter((value) => value.last >= first);
    const need = aligned(Math.max(size, 1));
    let best = { start: -1, room: Infinity, at: 0 };
    let end = 0;
    alive.forEach((value, at) => {
      const room = value.start - end;
      if (room >= need && room < best.room) best = { start: end, room, at };
      end = value.end;
    });
    if (best.start < 0) best = { start: end, room: 0, at: alive.length };
    alive.splice(best.at, 0, { start: best.start, end: best.start + need, last });
    offsets.push(best.start);
    bytes = Math.max(bytes, best.start + need);
  }
  return { offsets, bytes };
}
