/**
 * A recorded step as a program: a list of kernel calls on memory that was laid out beforehand. Running it makes no graph,
 * allocates nothing, and leaves nothing for the garbage collector but the results.
 */
import type { Engine } from './backend.js';
import { bytesOf, type TypedArray } from './dtype.js';
import { DTypeError, ShapeError, ValueError, formatShape } from './errors.js';
import type { Command } from './kernels/wasm/kernel.js';
import { COMMAND_BYTES, FAULT } from './kernels/wasm/module.js';
import { copyElements } from './loops.js';
import type { TensorType } from './op.js';
import { Placement } from './placement.js';
import { copierToShared } from './platform.js';
import {
  operandsOf,
  writtenBy,
  type RecordedCall,
  type RecordedEvent,
  type Recording,
} from './recording.js';
import { sameShape } from './shape.js';
import { copied, elementsOf, type Storage, type Tensor } from './tensor.js';

/** The commands from one address to another, or something for JavaScript to do. */
interface Step {
  readonly from: number;
  readonly to: number;
  readonly act: (() => void) | null;
  /** Throws the error that the commands have noted; null where they cannot note any. */
  readonly raise: (() => void) | null;
  /** Null for an effect. */
  readonly call: ProgramCall | null;
}

/** One call of a program. */
export interface ProgramCall {
  /** The op, and what was fused into it. */
  readonly name: string;
  /** The kernels that it takes; 'js' for the op's TypeScript kernel. */
  readonly kernels: readonly string[];
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  /** Additions and multiplications; 0 where nobody has counted. */
  readonly flops: number;
  /** Read and written, each tensor once. */
  readonly bytes: number;
}

/** How long one call of a program takes. */
export interface ProfileRow {
  readonly call: ProgramCall;
  /** Of one run, in milliseconds. */
  readonly ms: number;
}

/** A step that can be run again and again. Parameters and states are those that it was recorded with. */
export class Program {
  /** In order. */
  readonly calls: readonly ProgramCall[];
  /** The bytes of the values, and of the kernels' scratch memory, that are needed during a run only. */
  readonly arenaBytes: number;
  private readonly inputs: readonly Tensor[];
  /** Copy contiguous elements to where each input lies. */
  private readonly copiers: readonly ((from: TypedArray) => void)[];
  private readonly outputs: readonly Tensor[];
  /** Calls and effects one by one, and the same with neighbouring commands joined. */
  private readonly single: readonly Step[];
  private readonly steps: readonly Step[];
  /** What is changed in place: a graph that saved these values can tell by their versions. */
  private readonly written: readonly Storage[];
  private readonly threads: number;
  private readonly parallel: boolean;
  /** Null when its memory was given back. */
  private placement: Placement | null;
  /** Whether it is being run: an effect may record other programs meanwhile. */
  private running = false;

  /** @throws RecordingError when a value belongs to another recording; OutOfMemoryError when the heap is full */
  constructor(
    private readonly engine: Engine,
    recording: Recording,
  ) {
    const { inputs, outputs, events } = recording;
    this.threads = engine.team.size;
    const placement = new Placement(engine, recording, this.threads);
    this.placement = placement;
    this.parallel = placement.parallel;
    this.arenaBytes = placement.arenaBytes;
    this.single = stepsOf(events, placement);
    this.steps = joined(this.single);
    this.calls = this.single.flatMap(({ call }) => (call === null ? [] : [call]));
    this.inputs = inputs.map((x) => placement.tensorFor(x));
    this.outputs = outputs.map((x) => placement.tensorFor(x));
    const { shared } = engine.machine.features;
    this.copiers = this.inputs.map((slot) =>
      // Memory that is not shared moves when it grows.
      shared ? copierToShared(elementsOf(slot)) : (from) => slot.data.set(from, slot.offset),
    );
    const written = events.flatMap(({ call }) => (call === null ? [] : writtenBy(call)));
    this.written = written.filter(({ known }) => known);
  }

  /** Whether the program was recorded for inputs of these types. */
  takes(inputs: readonly Tensor[]): boolean {
    if (inputs.length !== this.inputs.length) return false;
    for (let i = 0; i < inputs.length; i++) {
      if (!sameType(inputs[i], this.inputs[i])) return false;
    }
    return true;
  }

  /**
   * Runs the step on these inputs.
   *
   * @throws ShapeError, DTypeError when an input has another type than that recorded
   * @throws ValueError from within a run of the same program, and after `release`
   */
  run(inputs: readonly Tensor[]): Tensor[] {
    this.feed(inputs);
    const threads = this.activeThreads();
    this.running = true;
    try {
      for (const step of this.steps) this.perform(step, threads);
    } finally {
      this.finish();
    }
    return this.outputs.map(copied);
  }

  /** Runs the step once, and says how long each call took. @throws as `run` */
  profile(inputs: readonly Tensor[]): ProfileRow[] {
    this.feed(inputs);
    const threads = this.activeThreads();
    this.running = true;
    try {
      return this.single.flatMap((step): ProfileRow[] => {
        const start = performance.now();
        this.perform(step, threads);
        const ms = performance.now() - start;
        return step.call === null ? [] : [{ call: step.call, ms }];
      });
    } finally {
      this.finish();
    }
  }

  /** Gives its memory back at once, unless it is being run, and not only when nobody holds it any more: it cannot be run again. */
  release(): void {
    if (this.placement === null || this.running) return;
    this.placement.release();
    this.placement = null;
  }

  /** The list of calls: op, kernels, shapes, work. */
  toString(): string {
    const lines = this.calls.map((call, i) => {
      const types = (all: readonly TensorType[]): string =>
        all.map(({ dtype, shape }) => `${dtype}${formatShape(shape)}`).join(', ');
      const work = call.flops > 0 ? `, ${call.flops} FLOP` : '';
      return (
        `${String(i).padStart(4)}  ${call.name}(${types(call.inputs)})` +
        `${call.outputs.length > 0 ? ` → ${types(call.outputs)}` : ''}  [${call.kernels.join(', ')}; ${call.bytes} bytes${work}]`
      );
    });
    return [
      `program: ${this.calls.length} calls, arena of ${this.arenaBytes} bytes`,
      ...lines,
    ].join('\n');
  }

  private perform({ from, to, act, raise }: Step, threads: number): void {
    if (act !== null) act();
    else this.engine.machine.exports.execute(from, to, threads);
    if (raise !== null && this.takeFault()) raise();
  }

  /** After a run. One that ends with an error may have made its changes before. */
  private finish(): void {
    this.running = false;
    for (const storage of this.written) storage.version++;
  }

  /** Whether a command has noted an error since this was last asked. */
  private takeFault(): boolean {
    const word = this.engine.machine.heap.view('int32', FAULT, 1);
    const fault = word[0] !== 0;
    word[0] = 0;
    return fault;
  }

  /** One where no call is worth more; all, if they have started and the program's scratch was made for so many. */
  private activeThreads(): number {
    return this.parallel ? Math.min(this.engine.team.active(), this.threads) : 1;
  }

  private feed(inputs: readonly Tensor[]): void {
    if (this.placement === null) {
      throw new ValueError('program: its memory was needed for another one; record it again.');
    }
    if (this.running) {
      throw new ValueError(
        'program: is being run already. What happens in a step (duringRun) must not run the same step.',
      );
    }
    if (!this.takes(inputs)) throw this.refusal(inputs);
    for (let i = 0; i < inputs.length; i++) {
      const x = inputs[i];
      const slot = this.inputs[i];
      if (x.contiguous) this.copiers[i](elementsOf(x));
      else copyElements(x, slot);
    }
  }

  /** What is wrong with inputs that the program does not take. */
  private refusal(inputs: readonly Tensor[]): ShapeError | DTypeError {
    if (inputs.length !== this.inputs.length) {
      return new ShapeError(
        `program: was recorded with ${this.inputs.length} inputs; got ${inputs.length}.`,
      );
    }
    const i = this.inputs.findIndex((slot, at) => !sameType(inputs[at], slot));
    const [x, slot] = [inputs[i], this.inputs[i]];
    return x.dtype !== slot.dtype
      ? new DTypeError(
          `program: input ${i} was recorded as ${slot.dtype}; got ${x.dtype}. Cast it, or record another program.`,
        )
      : new ShapeError(
          `program: input ${i} was recorded with shape ${formatShape(slot.shape)}; got ${formatShape(x.shape)}. Record ` +
            `another program for it.`,
        );
  }
}

/** What is to be done for each event, one by one. */
function stepsOf(events: readonly RecordedEvent[], placement: Placement): Step[] {
  const here = (x: Tensor): Tensor => placement.tensorFor(x);
  let at = placement.list;
  return events.map(({ call, effect }, i): Step => {
    if (call === null) {
      const tensors = effect.tensors.map(here);
      return { from: at, to: at, act: () => effect.body(...tensors), raise: null, call: null };
    }
    const { commands, faults } = placement.lowered[i] ?? { commands: null, faults: false };
    const from = at;
    at += COMMAND_BYTES * (commands?.length ?? 0);
    const act = commands === null ? launcher(call, here) : null;
    const raise = faults ? launcher(call, here) : null;
    return { from, to: at, act, raise, call: describe(call, commands) };
  });
}

/** The same steps, with commands that follow one another run by one call. */
function joined(single: readonly Step[]): Step[] {
  const steps: Step[] = [];
  for (const step of single) {
    const last = steps[steps.length - 1];
    const joins = step.act === null && last !== undefined && last.act === null;
    if (joins && last.raise === null) steps[steps.length - 1] = { ...step, from: last.from };
    else steps.push(step);
  }
  return steps;
}

/** Runs an op's TypeScript kernel on the heap. */
function launcher(
  { spec, inputs, outputs, attrs }: RecordedCall,
  here: (x: Tensor) => Tensor,
): () => void {
  const ins = inputs.map(here);
  const outs = outputs.map(here);
  switch (spec.kind) {
    case 'kernel': {
      const [out] = outs;
      if (spec.elementwise === true) return () => spec.launch(ins, out, attrs);
      return () => {
        clear(out);
        spec.launch(ins, out, attrs);
      };
    }
    case 'list':
      return () => {
        for (const out of outs) clear(out);
        spec.launch(ins, outs, attrs);
      };
    case 'update':
      return () => spec.launch(ins, attrs);
    case 'view':
      return () => undefined;
  }
}

/** TypeScript kernels count on zeros where they write; the arena has what was there before. */
function clear({ data, offset, size }: Tensor): void {
  data.fill(0, offset, offset + size);
}

function describe(call: RecordedCall, commands: readonly Command[] | null): ProgramCall {
  const { spec, outputs, epilogue } = call;
  const inputs = operandsOf({ call, effect: null });
  const fused = [epilogue?.bias ? 'bias' : null, epilogue?.activation ?? null];
  const tensors = [...inputs, ...outputs];
  return {
    name: [spec.name, ...fused].filter((part) => part !== null).join('+'),
    kernels: commands === null ? ['js'] : commands.map(({ kernel }) => kernel.name),
    inputs: inputs.map(typeOf),
    outputs: outputs.map(typeOf),
    flops: (commands ?? []).reduce((sum, { flops }) => sum + flops, 0),
    bytes: tensors.reduce((sum, x) => sum + bytesOf(x), 0),
  };
}

function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}

/** The type alone: a recorded tensor would keep its graph alive. */
function typeOf({ dtype, shape }: TensorType): TensorType {
  return { dtype, shape };
}
