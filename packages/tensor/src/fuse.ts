/**
 * Joining calls of a recording: a bias and an activation after a product or a convolution are computed on its result while
 * that is still in registers. What is computed for each element, and in which order, stays the same.
 */
import { lowerCall } from './lower.js';
import type { RecordedCall, RecordedEpilogue, RecordedEvent, Recording } from './recording.js';
import type { Storage, Tensor } from './tensor.js';

/** The ops whose value a product's kernel can compute on its result. */
const ACTIVATIONS: Readonly<Record<string, RecordedEpilogue['activation']>> = {
  relu: 'relu',
  tanh: 'tanh',
  sigmoid: 'sigmoid',
};

/** The same recording with fewer calls. */
export function fuse({ inputs, outputs, events }: Recording): Recording {
  const uses = usesOf(events, outputs);
  const kept: (RecordedEvent | null)[] = [...events];
  /** When each value comes into being. */
  const made = new Map<Storage, number>();
  events.forEach(({ call }, at) => call?.outputs.forEach((x) => made.set(x.storage, at)));

  /** The one call that uses the result of `call`, if it uses all of it as it is. */
  const next = ({ outputs: [out] }: RecordedCall): { at: number; call: RecordedCall } | null => {
    const [at, ...others] = uses.get(out.storage) ?? [];
    const call = at === undefined || others.length > 0 ? null : events[at]?.call;
    const whole = call?.inputs.some((x) => x.storage === out.storage && x.contiguous);
    if (!call || whole !== true || call.outputs.length !== 1) return null;
    const [result] = call.outputs;
    return result.size === out.size && result.dtype === out.dtype ? { at, call } : null;
  };

  events.forEach(({ call }, at) => {
    if (call === null || call.spec.kind !== 'kernel' || call.spec.biasAxis === undefined) return;
    const axis = call.spec.biasAxis(call.outputs[0].shape, call.attrs);
    let last = { at, call };
    let bias: Tensor | null = null;
    const sum = next(call);
    if (sum?.call.spec.name === 'add') {
      bias = biasOf(sum.call, call.outputs[0], axis);
      if (bias !== null && (made.get(bias.storage) ?? -1) < at) last = sum;
      else bias = null;
    }
    const activated = next(last.call);
    const activation = ACTIVATIONS[activated?.call.spec.name ?? ''] ?? null;
    const end = activation === null || activated === null ? last : activated;
    if (end.at === at) return;
    const fused = { ...call, outputs: end.call.outputs, epilogue: { bias, activation } };
    if (lowerCall(fused, () => 0, 1, 0).commands === null) return;
    for (const index of [last.at, end.at]) kept[index] = null;
    kept[at] = { call: fused, effect: null };
  });
  return { inputs, outputs, events: kept.filter((event) => event !== null) };
}

/** Which events use each value; an output is used by the world outside, −1. */
function usesOf(
  events: readonly RecordedEvent[],
  outputs: readonly Tensor[],
): Map<Storage, number[]> {
  const uses = new Map<Storage, number[]>();
  const use = (storage: Storage, at: number): void => {
    const list = uses.get(storage) ?? [];
    if (!list.includes(at)) uses.set(storage, [...list, at]);
  };
  events.forEach(({ call, effect }, at) => {
    for (const x of call?.inputs ?? effect?.tensors ?? []) use(x.storage, at);
  });
  for (const x of outputs) use(x.storage, -1);
  return uses;
}

/** What a sum adds to `product`, if that varies along one axis alone; else null. */
function biasOf({ inputs }: RecordedCall, product: Tensor, axis: number): Tensor | null {
  const [bias] = inputs.filter((x) => x.storage !== product.storage);
  if (bias === undefined || inputs.length !== 2 || !bias.contiguous) return null;
  const n = product.shape[axis];
  const offset = product.rank - bias.rank;
  const along = bias.shape.every((size, i) => size === (i + offset === axis ? n : 1));
  return along && bias.size === n && bias.dtype === product.dtype ? bias : null;
}
