/**
 * Joining calls of a recording: a bias and an activation after a product or a convolution are computed on its result while
 * that is still in registers. What is computed for each element, and in which order, stays the same.
 */
import { SOME_ADDRESS, lowerCall } from './lower.js';
import {
  mayChange,
  operandsOf,
  type RecordedCall,
  type RecordedEpilogue,
  type RecordedEvent,
  type Recording,
} from './recording.js';
import { withoutRepeated } from './repeated.js';
import { sameShape } from './shape.js';
import { withLayout, type Storage, type Tensor } from './tensor.js';

/** The ops whose value a product's kernel can compute on its result. */
const ACTIVATIONS: Readonly<Record<string, RecordedEpilogue['activation']>> = {
  relu: 'relu',
  tanh: 'tanh',
  sigmoid: 'sigmoid',
};

/** The same recording with fewer calls. */
export function fuse(recording: Recording): Recording {
  const { inputs, outputs, events } = withoutRepeated(recording);
  const uses = usesOf(events, outputs);
  const kept: (RecordedEvent | null)[] = [...events];
  /** When each value comes into being. */
  const made = new Map<Storage, number>();
  events.forEach(({ call }, at) => call?.outputs.forEach((x) => made.set(x.storage, at)));

  /** The one call that uses the result of `call`, if it uses all of it as it is. */
  const next = ({ outputs: [out] }: RecordedCall): { at: number; call: RecordedCall } | null => {
    const [at, ...others] = uses.get(out.storage) ?? [];
    const call = at === undefined || others.length > 0 ? null : events[at]?.call;
    const whole = call?.inputs.some(
      (x) => x.storage === out.storage && x.contiguous && x.size === out.size,
    );
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
      const early = bias !== null && (made.get(bias.storage) ?? -1) < at;
      // The bias will be read when the product is computed: it must be then what it is when it is added.
      const changes = (event: RecordedEvent): boolean =>
        bias !== null && mayChange(event, bias.storage);
      if (early && !events.slice(at, sum.at).some(changes)) last = sum;
      else bias = null;
    }
    const activated = next(last.call);
    const activation = ACTIVATIONS[activated?.call.spec.name ?? ''] ?? null;
    const end = activation === null || activated === null ? last : activated;
    if (end.at === at) return;
    // The kernel sees the result in the product's shape, whatever shape it was last looked at in, and the bias as a vector.
    const outputs = [withLayout(end.call.outputs[0], call.outputs[0])];
    const fused = { ...call, outputs, epilogue: { bias: bias && asVector(bias), activation } };
    if (lowerCall(fused, () => SOME_ADDRESS, 1, SOME_ADDRESS).commands === null) return;
    for (const index of [last.at, end.at]) kept[index] = null;
    kept[at] = { call: fused, effect: null };
  });
  return { inputs, outputs, events: kept.filter((event) => event !== null) };
}

/** The elements of a contiguous tensor along one axis. */
function asVector(x: Tensor): Tensor {
  return withLayout(x, { shape: [x.size], strides: [1], offset: x.offset });
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
  events.forEach((event, at) => {
    for (const x of operandsOf(event)) use(x.storage, at);
  });
  for (const x of outputs) use(x.storage, -1);
  return uses;
}

/** What a sum adds to `product`, if that varies along one axis alone; else null. */
function biasOf({ inputs }: RecordedCall, product: Tensor, axis: number): Tensor | null {
  const [bias] = inputs.filter((x) => x.storage !== product.storage);
  if (bias === undefined || inputs.length !== 2 || !bias.contiguous) return null;
  // Seen in another shape the product's last axis stays the last one (the sum is no larger), but no other axis need be one.
  const seen = inputs[inputs[0] === bias ? 1 : 0];
  if (axis !== product.rank - 1 && !sameShape(seen.shape, product.shape)) return null;
  const n = product.shape[axis];
  const offset = product.rank - bias.rank;
  const along = bias.shape.every((size, i) => size === (i + offset === axis ? n : 1));
  return along && bias.size === n && bias.dtype === product.dtype ? bias : null;
}
