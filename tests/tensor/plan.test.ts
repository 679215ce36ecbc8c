/** The plan of the arena: no two values that are alive at the same time lie in the same place. */
import { planArena, type Lifetime } from '../../packages/tensor/src/plan.js';
import { Numbers } from '../support/numbers.js';

const rounded = (bytes: number): number => Math.max(64, Math.ceil(bytes / 64) * 64);

/** Compares every value with every other one. */
function check(lifetimes: readonly Lifetime[]): void {
  const { offsets, bytes } = planArena(lifetimes);
  expect(offsets).toHaveLength(lifetimes.length);
  lifetimes.forEach((a, i) => {
    expect(offsets[i] % 64).toBe(0);
    expect(offsets[i] + a.bytes).toBeLessThanOrEqual(bytes);
    for (let j = 0; j < i; j++) {
      const b = lifetimes[j];
      const together = a.first <= b.last && b.first <= a.last;
      const apart = offsets[i] >= offsets[j] + b.bytes || offsets[j] >= offsets[i] + a.bytes;
      if (together && !apart) {
        throw new Error(
          `values ${j} and ${i} overlap: ${JSON.stringify([b, offsets[j], a, offsets[i]])}`,
        );
      }
    }
  });
  // Never more than all of them one behind the other, never less than those that are alive at one time.
  expect(bytes).toBeLessThanOrEqual(lifetimes.reduce((sum, v) => sum + rounded(v.bytes), 0));
  for (const { first } of lifetimes) {
    const alive = lifetimes.filter((v) => v.first <= first && v.last >= first);
    expect(bytes).toBeGreaterThanOrEqual(alive.reduce((sum, v) => sum + rounded(v.bytes), 0));
  }
}

test('random lifetimes never overlap', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const numbers = new Numbers(seed);
    let first = numbers.pick([-1, 0]);
    const lifetimes = Array.from({ length: numbers.integer(0, 60) }, () => {
      first += numbers.integer(0, 2);
      const last = numbers.pick([first, first + numbers.integer(0, 10), Infinity]);
      return {
        bytes: numbers.pick([0, 1, 63, 64, 65, 1000, numbers.integer(0, 5000)]),
        first,
        last,
      };
    });
    check(lifetimes);
  }
});

test('a chain of values needs the room of two', () => {
  const chain = Array.from({ length: 20 }, (_, i) => ({ bytes: 256, first: i, last: i + 1 }));
  check(chain);
  expect(planArena(chain)).toEqual({
    offsets: chain.map((_, i) => 256 * (i % 2)),
    bytes: 512,
  });
});

test('a value goes into the smallest gap that holds it', () => {
  const lifetimes = [
    { bytes: 256, first: 0, last: 0 },
    { bytes: 64, first: 0, last: 9 },
    { bytes: 128, first: 0, last: 0 },
    { bytes: 64, first: 0, last: 9 },
    { bytes: 100, first: 1, last: 9 },
    { bytes: 64, first: 1, last: 9 },
    { bytes: 256, first: 1, last: 9 },
  ];
  check(lifetimes);
  expect(planArena(lifetimes).offsets.slice(4)).toEqual([320, 0, 512]);
});

test('nothing needs nothing', () => {
  expect(planArena([])).toEqual({ offsets: [], bytes: 0 });
});
