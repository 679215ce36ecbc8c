/**
 * `run`: the one place that every operation passes through. It brings the inputs to a common dtype, asks the op's record
 * for the result's shape, allocates, and launches the kernel. Whoever wants to know or to record what is computed listens
 * here.
 */
import { isFloat, promote, type DType } from './dtype.js';
import { ShapeError, formatShape } from './errors.js';
import type { InputNames, KernelOp, ListOp, OpSpec, TensorType, UpdateOp, ViewOp } from './op.js';
import { cast, copy } from './ops/elementwise.js';
import { heavyLaunch } from './backend.js';
import { Storage, Tensor, allocate, withLayout } from './tensor.js';

/** One operation that has run: what a recorded program is made of. */
export interface Call {
  readonly spec: OpSpec;
  readonly inputs: readonly Tensor[];
  readonly attrs: object;
  /** Empty for an update in place. */
  readonly outputs: readonly Tensor[];
}

let listener: ((call: Call) => void) | null = null;

/** Who notes the calls instead of running them. */
export interface Recorder {
  call(call: Call): void;
  /** Something besides ops that is to happen at this point of every run; it may read these tensors. */
  effect(tensors: readonly Tensor[], body: (...tensors: readonly Tensor[]) => void): void;
}

let recorder: Recorder | null = null;

/** Runs `body` with all ops noted by `to` and none of them computed; with null they are computed. */
export function withRecorder<T>(to: Recorder | null, body: () => T): T {
  const outer = recorder;
  recorder = to;
  try {
    return body();
  } finally {
    recorder = outer;
  }
}

/** Computes at once what `body` asks for, even inside a step that is being recorded: weights are made so. */
export function outsideRecording<T>(body: () => T): T {
  return withRecorder(null, body);
}

/** Whether a step is being recorded, so that values are not there to be looked at. */
export function isRecordingStep(): boolean {
  return recorder !== null;
}

/**
 * Does something that is no op, now and, inside a step that is being recorded, every time the step is run: counting
 * steps, checking labels. The body gets the tensors with their values; it is not to keep them, since their memory is used again.
 *
 * @example
 * const x = tensor([1, 2]);
 * let sum = 0;
 * duringRun([x], (values) => { sum += values.sum().item(); });
 * sum; // 3
 */
export function duringRun(
  tensors: readonly Tensor[],
  body: (...tensors: readonly Tensor[]) => void,
): void {
  if (recorder === null) body(...tensors);
  else recorder.effect(tensors, body);
}

/**
 * The operations that run while `body` does, in order.
 *
 * @example
 * const calls = recordCalls(() => ops.softmax(ops.add([1, 2], 1)));
 * calls.map((call) => call.spec.name); // ['add', 'softmax']
 */
export function recordCalls(body: () => void): Call[] {
  const calls: Call[] = [];
  const outer = listener;
  listener = (call) => {
    calls.push(call);
    outer?.(call);
  };
  try {
    body();
  } finally {
    listener = outer;
  }
  return calls;
}

/**
 * Runs an op: one new tensor, a list of them, or nothing for an update in place.
 *
 * @throws whatever the op's record throws for inputs that do not fit
 */
export function run<A extends object>(
  spec: KernelOp<InputNames, A> | ViewOp<InputNames, A>,
  inputs: readonly Tensor[],
  attrs: A,
): Tensor;
export function run<A extends object>(
  spec: ListOp<InputNames, A>,
  inputs: readonly Tensor[],
  attrs: A,
): Tensor[];
export function run<A extends object>(
  spec: UpdateOp<InputNames, A>,
  inputs: readonly Tensor[],
  attrs: A,
): void;
export function run(
  spec: OpSpec,
  inputs: readonly Tensor[],
  attrs: object,
): Tensor | Tensor[] | void {
  const ready = promoteInputs(spec, inputs);
  switch (spec.kind) {
    case 'kernel': {
      const type = spec.infer(ready, attrs);
      const out = recorder === null ? allocate(type) : pending(type);
      if (recorder === null && !heavyLaunch(spec, ready, [out], attrs)) {
        spec.launch(ready, out, attrs);
      }
      note({ spec, inputs: ready, attrs, outputs: [out] });
      return out;
    }
    case 'view': {
      let source = ready[0];
      let layout = spec.view(source, attrs);
      if (layout === null) {
        source = run(copy, [source], {});
        layout = spec.view(source, attrs);
      }
      const out = withLayout(source, layout ?? source);
      note({ spec, inputs: [source], attrs, outputs: [out] });
      return out;
    }
    case 'list': {
      const types = spec.infer(ready, attrs);
      const outs = types.map(recorder === null ? allocate : pending);
      if (recorder === null && !heavyLaunch(spec, ready, outs, attrs)) {
        spec.launch(ready, outs, attrs);
      }
      note({ spec, inputs: ready, attrs, outputs: outs });
      return outs;
    }
    case 'update': {
      spec.check(ready, attrs);
      for (const i of spec.writes) requireContiguous(spec, ready[i]);
      if (recorder === null) spec.launch(ready, attrs);
      for (const i of spec.writes) ready[i].storage.version++;
      note({ spec, inputs: ready, attrs, outputs: [] });
    }
  }
}

function note(call: Call): void {
  recorder?.call(call);
  listener?.(call);
}

/** A tensor whose elements are computed when the recorded step is run. */
export function pending({ dtype, shape }: TensorType): Tensor {
  return new Tensor(new Storage(null), dtype, shape);
}

function requireContiguous(spec: OpSpec, x: Tensor): void {
  if (!x.contiguous) {
    throw new ShapeError(
      `${spec.name}: what is changed in place must be row-major; got a view of shape ${formatShape(x.shape)}.`,
    );
  }
}

/** Casts the inputs to the dtype that the op's promotion rule asks for. */
function promoteInputs(spec: OpSpec, inputs: readonly Tensor[]): readonly Tensor[] {
  if (spec.promotion === 'same') return inputs;
  const first = spec.promotion === 'commonRest' ? 1 : 0;
  let common: DType = inputs.length > first ? inputs[first].dtype : 'float32';
  let mixed = false;
  for (let i = first; i < inputs.length; i++) {
    if (inputs[i].dtype !== common) {
      common = promote(common, inputs[i].dtype);
      mixed = true;
    }
  }
  const target = promotedTo(spec, common);
  if (!mixed && target === common) return inputs;
  return inputs.map((x, i) =>
    i < first || x.dtype === target ? x : run(cast, [x], { dtype: target }),
  );
}

function promotedTo(spec: OpSpec, common: DType): DType {
  if (spec.promotion === 'float' && !isFloat(common)) return 'float32';
  if (spec.promotion === 'number' && common === 'bool') return 'int32';
  return common;
}
