/**
 * The memory of a program: which of a recording's values share a place, from when to when each is needed, and where in the
 * arena it lies.
 */
import { bytesOf } from './dtype.js';
import { RecordingError } from './errors.js';
import { planArena } from './plan.js';
import { operandsOf, type RecordedEvent, type Recording } from './recording.js';
import type { Call } from './run.js';
import type { Storage, Tensor } from './tensor.js';

/** Where the values of a recording lie. Offsets are from the beginning of the arena, in bytes. */
export interface MemoryLayout {
  readonly places: ReadonlyMap<Storage, { readonly offset: number; readonly bytes: number }>;
  /** For each event the offset of its scratch memory, which is its own while it runs and other values' before and after. */
  readonly scratch: readonly number[];
  /** The size of the arena. */
  readonly bytes: number;
}

/** A place in the arena while it is planned. Values that follow one another in the same memory share it. */
interface Slot {
  bytes: number;
  first: number;
  last: number;
}

/**
 * Plans the arena of a recording. Inputs and outputs have places of their own for the whole run.
 *
 * @param scratchBytes how much scratch memory each event needs
 * @throws RecordingError for a value that nobody computes: one of another recording
 */
export function layOut(
  { inputs, outputs, events }: Recording,
  scratchBytes: readonly number[],
): MemoryLayout {
  const slots = new Map<Storage, Slot>();
  /** All slots in the order in which they come into being. */
  const distinct: Slot[] = [];
  const slot = (bytes: number, first: number, last: number): Slot => {
    const made = { bytes, first, last };
    distinct.push(made);
    return made;
  };
  for (const x of inputs) slots.set(x.storage, slot(bytesOf(x), -1, Infinity));
  const lastUse = lastUses(events, outputs);
  const scratch = events.map((event, at) => {
    const { call } = event;
    if (call === null) return null;
    for (const x of operandsOf(event)) checkComputed(call, x, slots);
    for (const out of call.outputs) {
      const last = lastUse.get(out.storage) ?? at;
      const reused = reusable(call, at, out, lastUse, slots);
      if (reused === null) slots.set(out.storage, slot(bytesOf(out), at, last));
      else {
        reused.last = last;
        slots.set(out.storage, reused);
      }
    }
    return scratchBytes[at] > 0 ? slot(scratchBytes[at], at, at) : null;
  });
  const plan = planArena(distinct);
  const offsetOf = new Map(distinct.map((place, i) => [place, plan.offsets[i]]));
  const offset = (place: Slot | null): number => (place && offsetOf.get(place)) ?? 0;
  const places = new Map(
    [...slots].map(([storage, place]) => [storage, { offset: offset(place), bytes: place.bytes }]),
  );
  return { places, scratch: scratch.map(offset), bytes: plan.bytes };
}

/** The last event that needs each value; outputs are needed for ever. */
function lastUses(
  events: readonly RecordedEvent[],
  outputs: readonly Tensor[],
): Map<Storage, number> {
  const last = new Map<Storage, number>();
  events.forEach((event, at) => {
    for (const x of operandsOf(event)) last.set(x.storage, at);
  });
  for (const x of outputs) last.set(x.storage, Infinity);
  return last;
}

function checkComputed(call: Call, x: Tensor, slots: ReadonlyMap<Storage, Slot>): void {
  if (x.storage.known || slots.has(x.storage)) return;
  throw new RecordingError(
    `${call.spec.name}: an input belongs to a step that was recorded before; return it from that step and pass it to this one.`,
  );
}

/** The slot of an input that ends with this call and whose memory the output can take over; null when there is none. */
function reusable(
  { spec, inputs }: Call,
  at: number,
  out: Tensor,
  lastUse: ReadonlyMap<Storage, number>,
  slots: ReadonlyMap<Storage, Slot>,
): Slot | null {
  if (spec.kind !== 'kernel' || spec.elementwise !== true) return null;
  for (const { storage } of inputs) {
    const slot = slots.get(storage);
    if (slot === undefined || slot.last !== at || slot.first < 0) continue;
    if (lastUse.get(storage) !== at || slot.bytes !== bytesOf(out)) continue;
    const whole = inputs.every(
      (x) =>
        x.storage !== storage || (x.contiguous && x.size === out.size && x.dtype === out.dtype),
    );
    if (whole) return slot;
  }
  return null;
}
