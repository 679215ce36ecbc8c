/**
 * A step that is recorded when it is first run with inputs of some shapes, and replayed from then on.
 */
import { currentEngine, type Engine } from './backend.js';
import { formatShape } from './errors.js';
import { fuse } from './fuse.js';
import { OutOfMemoryError } from './kernels/wasm/heap.js';
import { postpone } from './postpone.js';
import { Program } from './program.js';
import { defaultGenerator, type Generator } from './random.js';
import { record, type Recording } from './recording.js';
import { isRecordingStep } from './run.js';
import { copied, type Tensor } from './tensor.js';

/** So many programs, for as many shapes of inputs, are kept; the one that was used longest ago makes room for a new one. */
const KEPT = 16;

/** A function from tensors to tensors, with a program for each set of types that its inputs have had. */
export class CompiledStep {
  private readonly programs = new Map<string, Program>();
  private latest: Program | null = null;
  /** What the programs were made for: other kernels, another default generator or more threads need others. */
  private engine: Engine | null = null;
  private generator: Generator | null = null;
  private threads = 0;

  /** @param step may use ops alone: it does not see values. What it captures is used where it is, and changed in place */
  constructor(private readonly step: (inputs: readonly Tensor[]) => readonly Tensor[]) {}

  /**
   * Runs the step: as a program, or eagerly on the TypeScript kernels, or as a part of a step that is being recorded.
   *
   * @throws RecordingError when the step looks at a value or changes an input; OutOfMemoryError when the heap is full; and whatever it throws
   */
  run(inputs: readonly Tensor[]): readonly Tensor[] {
    if (isRecordingStep()) return this.step(inputs);
    const engine = currentEngine();
    if (engine !== null) return this.programFor(inputs, engine).run(inputs);
    // A program gives copies: a weight that the step returns, and changes the next time, stays here too what it was.
    return this.step(inputs).map(copied);
  }

  /** Runs the step op by op. */
  eagerly(inputs: readonly Tensor[]): readonly Tensor[] {
    return this.step(inputs);
  }

  /** The program for inputs of these types; null where the TypeScript kernels are in use. */
  program(inputs: readonly Tensor[]): Program | null {
    const engine = currentEngine();
    return engine === null ? null : this.programFor(inputs, engine);
  }

  /** Brings tensors that the step will capture to where programs use them: then its first run need not. */
  prepare(tensors: readonly Tensor[]): void {
    const engine = currentEngine();
    if (engine === null) return;
    try {
      for (const { storage, dtype } of tensors) engine.residents.settle(storage, dtype);
    } catch (error) {
      // Making the program says what does not fit; until then the tensors are good where they are.
      if (!(error instanceof OutOfMemoryError)) throw error;
    }
  }

  /** Forgets all programs: what the step captures has become something else. */
  forget(): void {
    this.programs.clear();
    this.latest = null;
  }

  private programFor(inputs: readonly Tensor[], engine: Engine): Program {
    const generator = defaultGenerator();
    const threads = engine.team.size;
    if (engine !== this.engine || generator !== this.generator || threads !== this.threads) {
      this.forget();
      this.engine = engine;
      this.generator = generator;
      this.threads = threads;
    }
    // As a rule it is the last one again.
    if (this.latest?.takes(inputs) === true) return this.latest;
    const key = typesKey(inputs);
    let program = this.programs.get(key);
    program ??= this.made(postpone(fuse(record(inputs, this.step))), engine);
    // The map is in the order of use.
    this.programs.delete(key);
    this.programs.set(key, program);
    const [oldest] = this.programs.keys();
    if (this.programs.size > KEPT) this.programs.delete(oldest);
    this.latest = program;
    return program;
  }

  /** A program; where it does not fit, those for inputs of other types make room for it. */
  private made(recording: Recording, engine: Engine): Program {
    try {
      return new Program(engine, recording);
    } catch (error) {
      if (!(error instanceof OutOfMemoryError) || this.programs.size === 0) throw error;
      for (const program of this.programs.values()) program.release();
      this.forget();
      return new Program(engine, recording);
    }
  }
}

/** Says of which dtypes and shapes tensors are: what a program is made for. */
export function typesKey(tensors: readonly Tensor[]): string {
  let key = '';
  for (const { dtype, shape } of tensors) key += dtype + formatShape(shape);
  return key;
}
