/**
 * The body of one WebAssembly function while it is written: its bytes, and the types of the values that would lie on the
 * machine's stack at this point. Every instruction says what it takes and what it leaves, and what does not fit is an
 * error here, with the instruction's name, not a module that fails to load later.
 *
 * Format: WebAssembly Core Specification 2.0, section 5 (binary format), with the proposals threads and relaxed SIMD.
 */
import { TapegradError } from '../../../errors.js';

/** The types of values. A v128 is a vector of 128 bits; its lanes have a type only in the instruction that uses it. */
export type ValType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';

/** What an expression leaves on the stack: one value, or none. */
export type ResultType = ValType | 'void';

export const TYPE_BYTES: Readonly<Record<ValType, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

/** A fault in a kernel's emitter: never the user's. */
export class AssemblerError extends TapegradError {
  override readonly name: string = 'AssemblerError';
}

/** A piece of code that leaves a value of type T on the stack (or nothing). It may be emitted several times. */
export interface Expr<T extends ResultType = ResultType> {
  readonly type: T;
  emit(code: Code): void;
}

/** An unsigned integer in LEB128, the format's variable length. */
export function unsigned(value: number, into: number[] = []): number[] {
  let rest = value;
  do {
    const low = rest & 0x7f;
    rest >>>= 7;
    into.push(rest === 0 ? low : low | 0x80);
  } while (rest !== 0);
  return into;
}

/** A signed integer of 32 bits in LEB128. */
export function signed32(value: number): number[] {
  const into: number[] = [];
  let rest = value | 0;
  for (;;) {
    const low = rest & 0x7f;
    rest >>= 7;
    const done = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
    into.push(done ? low : low | 0x80);
    if (done) return into;
  }
}

/** A signed integer of up to 64 bits in LEB128. */
export function signed(value: bigint, into: number[] = []): number[] {
  let rest = value;
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    const done = (rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0);
    into.push(done ? low : low | 0x80);
    if (done) return into;
  }
}

/** Bytes that are written one after another. */
export class ByteWriter {
  private array: Uint8Array<ArrayBuffer>;
  private used = 0;

  constructor(capacity = 256) {
    this.array = new Uint8Array(capacity);
  }

  get length(): number {
    return this.used;
  }

  /** Adds bytes at the end. */
  write(bytes: ArrayLike<number>): void {
    const needed = this.used + bytes.length;
    if (needed > this.array.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.array.length));
      larger.set(this.array);
      this.array = larger;
    }
    for (let i = 0; i < bytes.length; i++) this.array[this.used++] = bytes[i];
  }

  /** What was written. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.array.subarray(0, this.used);
  }
}

/** The instructions written so far. */
export class Code {
  readonly written = new ByteWriter();
  private readonly stack: ValType[] = [];
  /** The height of the stack at the beginning of each open block: what lies below does not belong to it. */
  private readonly frames: number[] = [];

  /** @param functionName for messages */
  constructor(readonly functionName: string) {}

  /**
   * Appends one instruction.
   *
   * @param name as in the specification
   * @param takes the operands' types, the last one on top of the stack
   * @throws AssemblerError when other values are there
   */
  instruction(
    name: string,
    bytes: readonly number[],
    takes: readonly ValType[],
    gives: ResultType,
  ): void {
    for (let i = takes.length - 1; i >= 0; i--) this.pop(name, takes[i]);
    this.written.write(bytes);
    if (gives !== 'void') this.stack.push(gives);
  }

  /** Opens a block: what it leaves behind must be what it found. */
  open(name: string, bytes: readonly number[], takes: readonly ValType[] = []): void {
    this.instruction(name, bytes, takes, 'void');
    this.frames.push(this.stack.length);
  }

  /** Closes the innermost block. @throws AssemblerError when values are left on the stack */
  close(name: string): void {
    const height = this.frames.pop() ?? 0;
    if (this.stack.length !== height) {
      throw new AssemblerError(
        `${this.functionName}: ${name} ends with ${this.stack.slice(height).join(', ')} left on the stack; store or drop it.`,
      );
    }
  }

  /** How many blocks are open: labels count from the innermost one outwards. */
  get depth(): number {
    return this.frames.length;
  }

  /** The values on the stack, for checks at the end. */
  get left(): readonly ValType[] {
    return this.stack;
  }

  private pop(name: string, wanted: ValType): void {
    const bottom = this.frames[this.frames.length - 1] ?? 0;
    const found = this.stack.length > bottom ? this.stack.pop() : undefined;
    if (found !== wanted) {
      throw new AssemblerError(
        `${this.functionName}: ${name} takes ${wanted}; there is ${found ?? 'nothing'} on the stack.`,
      );
    }
  }
}
