/**
 * Leaving out of a recording what is computed a second time: the softmax that a model returns is also what the gradient of
 * its loss needs.
 */
import { writtenBy, type RecordedCall, type RecordedEvent, type Recording } from './recording.js';
import { Tensor, withLayout, type Storage } from './tensor.js';

/** The same recording, in which no op has the same inputs and attributes twice. */
export function withoutRepeated({ inputs, outputs, events }: Recording): Recording {
  const written = new Set<Storage>(
    events.flatMap(({ call }) => (call === null ? [] : writtenBy(call))),
  );
  /** What stands for the result of a call that is left out. */
  const first = new Map<Storage, Storage>();
  const resolved = (x: Tensor): Tensor => {
    const storage = first.get(x.storage);
    return storage === undefined ? x : withLayout(new Tensor(storage, x.dtype, x.shape), x);
  };
  const states = new States();
  const known = new Map<string, RecordedCall>();

  const kept = events.flatMap((event): RecordedEvent[] => {
    if (event.call === null) {
      states.changeKnown();
      const { tensors, body } = event.effect;
      return [{ call: null, effect: { tensors: tensors.map(resolved), body } }];
    }
    const call = { ...event.call, inputs: event.call.inputs.map(resolved) };
    const repeatable = call.outputs.length > 0 && !call.outputs.some((x) => written.has(x.storage));
    const key = repeatable ? keyOf(call, states) : null;
    const before = key === null ? undefined : known.get(key);
    if (before !== undefined) {
      call.outputs.forEach((x, i) => first.set(x.storage, before.outputs[i].storage));
      return [];
    }
    if (key !== null) known.set(key, call);
    for (const storage of writtenBy(call)) states.change(storage);
    return [{ call, effect: null }];
  });
  return { inputs, outputs: outputs.map(resolved), events: kept };
}

/** Numbers for what is in a storage: a new one after every change in place. */
class States {
  private readonly numbers = new Map<Storage, number>();
  private next = 0;

  of(storage: Storage): number {
    return this.numbers.get(storage) ?? this.change(storage);
  }

  change(storage: Storage): number {
    this.numbers.set(storage, this.next);
    return this.next++;
  }

  /** Of weights and states an effect may change any. */
  changeKnown(): void {
    for (const storage of this.numbers.keys()) if (storage.known) this.change(storage);
  }
}

/** Two calls with the same key have the same result; null for one that may have another each time. */
function keyOf({ spec, inputs, attrs }: RecordedCall, states: States): string | null {
  const parts: (string | number)[] = [spec.name];
  for (const { storage, dtype, shape, strides, offset } of inputs) {
    parts.push(states.of(storage), dtype, shape.join(), strides.join(), offset);
  }
  for (const [name, value] of Object.entries(attrs)) {
    const text = textOf(value);
    if (text === null) return null;
    parts.push(name, text);
  }
  return parts.join(' ');
}

/** A text that tells plain values apart; null for anything else, such as a generator of random numbers. */
function textOf(value: unknown): string | null {
  if (Array.isArray(value)) {
    const items = value.map(textOf);
    return items.includes(null) ? null : `[${items.join()}]`;
  }
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value);
  return value === undefined || value === null || typeof value === 'boolean' ? String(value) : null;
}
