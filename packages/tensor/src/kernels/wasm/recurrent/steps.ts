/**
 * The loops of the recurrent kernels: over the samples of a part, the steps of the sequence, the samples of a step and the
 * units of a sample. Samples do not know of each other, forwards or backwards, so a part takes its samples through all
 * steps and nobody waits for anybody.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f32, i32, memory } from '../assembler/instructions.js';
import { partRange, type Part } from '../kernel.js';
import { add, int, padded, sub, times } from './product.js';
import type { Ints, Place } from './product.js';
import { f32x4, v128 } from '../assembler/simd.js';

type Int = Local<'i32'>;

/**
 * Does the body for each block of a part's samples.
 *
 * @param body gets the first sample and how many there are
 */
export function overBlocks(
  f: FunctionBuilder,
  { batch, block }: { readonly batch: Int; readonly block: Int },
  own: Part,
  body: (first: Int, rows: Int) => void,
): void {
  const { from: first, to: end } = partRange(f, batch, own);
  const rows = f.local('i32');
  f.while(i32.lt_s(first, end), () => {
    f.set(rows, sub(end, first));
    f.if(i32.gt_s(rows, block), () => f.set(rows, block));
    body(first, rows);
    f.increment(first, rows);
  });
}

/** Which way through the sequence. */
interface Walk {
  readonly time: Int;
  /** Not 0 for goBackwards. */
  readonly backwards: Int;
}

/** Does the body for all steps s and their places t in x, from the first on, or from the last when gradients go back. */
export function overSteps(
  f: FunctionBuilder,
  { time, backwards }: Walk,
  from: 'first' | 'last',
  body: (s: Int, t: Int) => void,
): void {
  const s = f.local('i32');
  const t = f.local('i32');
  const turned = sub(sub(time, int(1)), s);
  const count = f.local('i32');
  f.for(count, int(0), time, 1, () => {
    f.set(s, count);
    if (from === 'last') f.set(s, turned);
    f.set(t, s);
    f.if(backwards, () => f.set(t, turned));
    body(s, t);
  });
}

/** A pointer that goes from sample to sample, and by how many bytes. */
export type Moving = readonly [pointer: Expr<'i32'>, step: Expr<'i32'>];

/** The samples of one step: how many from `first` on, and the step's mask. */
export interface Samples {
  readonly rows: Int;
  readonly units: Int;
  /** 0 where there is no mask. */
  readonly mask: Int;
  readonly time: Int;
  readonly first: Int;
  readonly t: Int;
}

/** The units of one sample. */
export interface Units {
  readonly count: Int;
  /** Does the body for all of them, four at a time, with pointers that go along. */
  readonly each: (pointers: readonly Int[], body: (lanes: Lanes) => void) => void;
}

/** The code for one sample, in a function `f` of its own with pointers of its own. */
export type SampleBody = (f: FunctionBuilder, pointers: readonly Int[], units: Units) => void;

/** For the second of two rounds over the samples, when the first has done what is to be done. */
export const nothing: SampleBody = () => undefined;

/**
 * Does one of two bodies for each sample of a step: `kept` where the mask is 0. Each is a function for any number of samples,
 * and `step` is two, one for the whole vectors of four units and one for the last units: whatever else there is in a loop
 * takes registers, and constants that belong in front of it are made anew in each round.
 *
 * @param name of the function: one name always belongs to the same bodies
 */
export function overSamples(
  place: Place,
  f: FunctionBuilder,
  name: string,
  { rows, units, mask, time, first, t }: Samples,
  moving: readonly Moving[],
  bodies: { readonly step: SampleBody; readonly kept: SampleBody },
): void {
  const { m, shared } = place;
  const params = Array.from({ length: 2 + 2 * moving.length }, () => 'i32' as const);
  type EachUnit = (g: FunctionBuilder, units: Int) => Units['each'];
  const samples = (suffix: string, body: SampleBody, each: EachUnit): FunctionRef<Params, 'void'> =>
    m.function(`${name}${suffix}`, params, 'void', (g, left, count, ...others) =>
      g.while(left, () => {
        const pointers = moving.map((_, i) => g.local('i32', others[2 * i]));
        body(g, pointers, { count, each: each(g, count) });
        moving.forEach((_, i) => g.increment(others[2 * i], others[2 * i + 1]));
        g.increment(left, -1);
      }),
    );
  const all = shared.once(name, () => {
    const whole = samples('', bodies.step, wholeVectors);
    const rest = samples('Rest', bodies.step, lastUnits(place));
    const kept = samples('Kept', bodies.kept, allUnits(place));
    const named = `${name}All`;
    return m.function(
      named,
      ['i32', 'i32', ...params],
      'void',
      (g, maskAt, maskStep, left, count, ...others) => {
        const done = g.local('i32', i32.and(count, int(-4)));
        const step = (n: Expr<'i32'>): void => {
          g.if(done, () => g.do(call(whole, n, count, ...others)));
          g.if(i32.ne(done, count), () => {
            const ofRest = others.map((x, i) => (i % 2 === 0 ? add(x, times(done, 4)) : x));
            g.do(call(rest, n, count, ...ofRest));
          });
        };
        g.if(i32.eqz(maskAt), () => {
          step(left);
          g.return();
        });
        g.while(left, () => {
          g.if(
            f32.eq(f32.load(maskAt), f32.const(0)),
            () => g.do(call(kept, int(1), count, ...others)),
            () => step(int(1)),
          );
          g.increment(maskAt, maskStep);
          moving.forEach((_, i) => g.increment(others[2 * i], others[2 * i + 1]));
          g.increment(left, -1);
        });
      },
    );
  });
  const maskAt = f.local('i32', int(0));
  f.if(mask, () => f.set(maskAt, add(mask, times(add(times(first, time), t), 4))));
  f.do(call(all, maskAt, times(time, 4), rows, units, ...moving.flat()));
}

type Params = readonly 'i32'[];

/** How a row of units is read and written: four at once, and at its end those that are left. */
export interface Lanes {
  readonly load: (at: Expr<'i32'>) => Expr<'v128'>;
  /** The value is computed where this is called, and written after those of the vectors beside it. */
  readonly store: (at: Expr<'i32'>, value: Expr<'v128'>) => void;
}

/** Does the body for vectors side by side: first all are computed, then all written, so that they do not wait for each other. */
function emitVectors(f: FunctionBuilder, vectors: number, body: (lanes: Lanes) => void): void {
  const writes: Expr<'void'>[] = [];
  for (let i = 0; i < vectors; i++) {
    body({
      load: (at) => v128.load(at, 16 * i),
      store: (at, value) => writes.push(v128.store(at, f.local('v128', value), 16 * i)),
    });
  }
  f.do(...writes);
}

/** The first 1 to 3 lanes alone: nothing beyond the row is read or written. */
function lanesLeft({ m, shared }: Place, f: FunctionBuilder, count: Int): Lanes {
  const load = shared.once('recurrentLoadRest', () =>
    m.function('recurrentLoadRest', ['i32', 'i32'], 'v128', (f, at, n) => {
      f.if(i32.eq(n, int(1)), () => f.return(v128.load32_zero(at)));
      f.if(i32.eq(n, int(2)), () => f.return(v128.load64_zero(at)));
      f.return(v128.load32_lane(add(at, 8), v128.load64_zero(at), 2));
    }),
  );
  const store = shared.once('recurrentStoreRest', () =>
    m.function('recurrentStoreRest', ['i32', 'v128', 'i32'], 'void', (f, at, value, n) => {
      f.if(
        i32.eq(n, int(1)),
        () => f.do(v128.store32_lane(at, value, 0)),
        () => {
          f.do(v128.store64_lane(at, value, 0));
          f.if(i32.eq(n, int(3)), () => f.do(v128.store32_lane(at, value, 2, 8)));
        },
      );
    }),
  );
  return {
    load: (at) => call(load, at, count),
    store: (at, value) => f.do(call(store, at, value, count)),
  };
}

/** At least four units, but for those that are left over. */
const wholeVectors =
  (f: FunctionBuilder, units: Int): Units['each'] =>
  (pointers, body) => {
    const left = f.local('i32', i32.and(units, int(-4)));
    const round = (vectors: number): void => {
      emitVectors(f, vectors, body);
      for (const pointer of pointers) f.increment(pointer, 16 * vectors);
      f.increment(left, -4 * vectors);
    };
    f.while(i32.ge_s(left, int(8)), () => round(2));
    f.if(left, () => round(1));
  };

/** Those that are left over, to which the pointers point. */
const lastUnits =
  (place: Place) =>
  (f: FunctionBuilder, units: Int): Units['each'] =>
  (_pointers, body) => {
    body(lanesLeft(place, f, f.local('i32', i32.and(units, int(3)))));
  };

const allUnits =
  (place: Place) =>
  (f: FunctionBuilder, units: Int): Units['each'] =>
  (pointers, body) => {
    f.if(i32.ge_s(units, int(4)), () => wholeVectors(f, units)(pointers, body));
    f.if(i32.and(units, int(3)), () => lastUnits(place)(f, units)(pointers, body));
  };

/** Pointers to each gate of a row. */
export function gatePointers(f: FunctionBuilder, at: Int, units: Units, gates: number): Int[] {
  const pointers = [at];
  for (let g = 1; g < gates; g++)
    pointers.push(f.local('i32', add(pointers[g - 1], times(units.count, 4))));
  return pointers;
}

/**
 * The same worked out from the first in each round, for bodies with so many pointers that those which go along would not stay in
 * registers.
 */
export function gatesAt(f: FunctionBuilder, at: Int, gateBytes: Int, gates: number): Int[] {
  const pointers = [at];
  for (let g = 1; g < gates; g++) pointers.push(f.local('i32', add(pointers[g - 1], gateBytes)));
  return pointers;
}

/** d·y·(1 − y): through y = σ(z). */
export const sigmoidGradient = (d: Expr<'v128'>, y: Expr<'v128'>): Expr<'v128'> =>
  f32x4.mul(f32x4.mul(d, y), f32x4.sub(f32x4.const(1), y));

/** d·(1 − y²): through y = tanh z. By the product of 1 − y and 1 + y, which does not cancel near 1. */
export const tanhGradient = (d: Expr<'v128'>, y: Expr<'v128'>): Expr<'v128'> => {
  const one = f32x4.const(1);
  return f32x4.mul(f32x4.mul(d, f32x4.sub(one, y)), f32x4.add(one, y));
};

/** to += from, for a row of units. */
export function addRow(f: FunctionBuilder, to: Int, from: Int, units: Units): void {
  units.each([to, from], ({ load, store }) => store(to, f32x4.add(load(to), load(from))));
}

/** (to, toStride, from, fromStride, rows, bytes): copies rows. */
export function copyRows({ m, shared }: Place): FunctionRef<Ints<6>, 'void'> {
  return shared.once('recurrentCopyRows', () =>
    m.function(
      'recurrentCopyRows',
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, to, toStride, from, fromStride, rows, bytes) => {
        f.while(rows, () => {
          f.do(memory.copy(to, from, bytes));
          f.increment(to, toStride);
          f.increment(from, fromStride);
          f.increment(rows, -1);
        });
      },
    ),
  );
}

/** The state before step s of the samples from `first` on: the initial one, or what the sequence has in the step before. */
export function setBefore(
  f: FunctionBuilder,
  [before, stride]: readonly [Int, Int],
  {
    s,
    first,
    initial,
    sequence,
    time,
    stateBytes,
  }: Readonly<Record<'s' | 'first' | 'initial' | 'sequence' | 'time' | 'stateBytes', Int>>,
): void {
  f.if(
    s,
    () => {
      const row = sub(add(times(first, time), s), int(1));
      f.set(before, add(sequence, times(row, stateBytes)));
      f.set(stride, times(time, stateBytes));
    },
    () => {
      f.set(before, add(initial, times(first, stateBytes)));
      f.set(stride, stateBytes);
    },
  );
}

/**
 * Samples that go through all steps together. With few weights their states and gates stay in the cache; many weights are to
 * pass by for as many samples as there are.
 */
export function blockOf(batch: number, weights: number): number {
  return weights > 65536 ? Math.max(batch, 1) : 20;
}

/** Work for which it pays to wake other threads. */
const PARALLEL_FLOPS = 300_000;

/** Of all steps: products with `inner`·`width` weights, and the activations. */
export function work(
  steps: number,
  inner: number,
  width: number,
): { parallel: boolean; flops: number } {
  const flops = 2 * steps * inner * width;
  return { parallel: flops + 20 * steps * padded(width) > PARALLEL_FLOPS, flops };
}
