/**
 * Recording a step: the function runs once on values that are not there, and every op that it asks for is noted.
 */
import { RecordingError } from './errors.js';
import type { Epilogue } from './kernels/wasm/kernel.js';
import type { TensorType } from './op.js';
import { pending, withRecorder, type Call } from './run.js';
import type { Storage, Tensor } from './tensor.js';

/** Something besides ops that happens at its place in every run. */
export interface Effect {
  readonly tensors: readonly Tensor[];
  readonly body: (...tensors: readonly Tensor[]) => void;
}

/** What is computed on a product's result while it is still in registers. */
export interface RecordedEpilogue {
  readonly bias: Tensor | null;
  readonly activation: Epilogue['activation'];
}

/** A call, with what was fused into it. */
export interface RecordedCall extends Call {
  readonly epilogue: RecordedEpilogue | null;
}

/** What an event needs to be there: a fused bias is an input too. */
export function operandsOf({ call, effect }: RecordedEvent): readonly Tensor[] {
  if (call === null) return effect.tensors;
  const bias = call.epilogue?.bias ?? null;
  return bias === null ? call.inputs : [...call.inputs, bias];
}

/** What a call changes in place. */
export function writtenBy({ spec, inputs }: Call): readonly Storage[] {
  return spec.kind === 'update' ? spec.writes.map((i) => inputs[i].storage) : [];
}

/** Whether an event may change what is in a storage: of weights and states an effect may change any. */
export function mayChange({ call }: RecordedEvent, storage: Storage): boolean {
  return call === null ? storage.known : writtenBy(call).includes(storage);
}

/** Whether a call moves a generator of random numbers on: it has another result each time. */
export function draws({ attrs }: Call): boolean {
  return 'generator' in attrs;
}

/** A call or an effect. */
export type RecordedEvent =
  | { readonly call: RecordedCall; readonly effect: null }
  | { readonly call: null; readonly effect: Effect };

/** What a step does, in order, from its inputs to its outputs. */
export interface Recording {
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly events: readonly RecordedEvent[];
}

/**
 * Notes what `step` does with inputs of these types. Nothing is computed.
 *
 * @throws RecordingError when the step looks at a value, or changes an input in place
 */
export function record(
  types: readonly TensorType[],
  step: (inputs: readonly Tensor[]) => readonly Tensor[],
): Recording {
  const events: RecordedEvent[] = [];
  const inputs = types.map(pending);
  const given = new Set(inputs.map(({ storage }) => storage));
  const outputs = withRecorder(
    {
      call: (call) => {
        if (writtenBy(call).some((storage) => given.has(storage))) throw changesInput(call);
        events.push({ call: { ...call, epilogue: null }, effect: null });
      },
      effect: (tensors, body) => events.push({ call: null, effect: { tensors, body } }),
    },
    () => step(inputs),
  );
  return { inputs, outputs, events: withoutUnused(events, outputs) };
}

function changesInput({ spec }: Call): RecordingError {
  return new RecordingError(
    `${spec.name}: changes an input of a recorded step in place. Steps get copies of their inputs: let the step capture the ` +
      `tensor, as a variable from outside of it, or return the new value.`,
  );
}

/** Leaves out views, which do nothing, and calls whose results nobody needs. */
function withoutUnused(
  events: readonly RecordedEvent[],
  outputs: readonly Tensor[],
): RecordedEvent[] {
  const needed = new Set<Storage>(outputs.map((x) => x.storage));
  const kept = [...events].reverse().filter(({ call, effect }) => {
    if (effect !== null) {
      for (const x of effect.tensors) needed.add(x.storage);
      return true;
    }
    if (call.spec.kind === 'view') return false;
    // A draw moves its generator on, whoever needs the numbers.
    const acts = call.spec.kind === 'update' || draws(call);
    if (!acts && !call.outputs.some((x) => needed.has(x.storage))) return false;
    for (const x of call.inputs) needed.add(x.storage);
    return true;
  });
  return kept.reverse();
}
