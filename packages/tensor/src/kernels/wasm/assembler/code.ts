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
  static override readonly name: string = 'AssemblerError';
}

/** A piece of code that leaves a value of type T on the stack (or nothing). It may be emitted several times. */
export interface Expr<T extends ResultType = ResultType> {
  readonly type: T;
  emit(code: Code): void;
}

/** What an instruction is: its name in the specification, its encoding, what it takes from the stack, and what it leaves. */
export interface Opcode {
  readonly name: string;
  readonly bytes: readonly number[];
  /** The last one is on top of the stack. */
  readonly takes: readonly ValType[];
  readonly gives: ResultType;
}

/** An instruction with its operands. */
export class Operation<T extends ResultType> implements Expr<T> {
  constructor(
    readonly type: T,
    private readonly opcode: Opcode,
    private readonly operands: readonly Expr[],
  ) {}

  emit(code: Code): void {
    const { operands } = this;
    for (let i = 0; i < operands.length; i++) operands[i].emit(code);
    code.add(this.opcode);
  }
}

/** A constant of 128 bits. Within a loop it is computed before it, as V8 puts it together anew in every round (in version 13, that of Node 24). */
export class VectorConstant implements Expr<'v128'> {
  readonly type = 'v128';

  constructor(private readonly opcode: Opcode) {}

  emit(code: Code): void {
    code.vectorConstant(this.opcode);
  }
}

/** An unsigned integer in LEB128, the format's variable length. */
export function unsigned(value: number): number[] {
  if (value < 0x80) return [value];
  const into: number[] = [];
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
  if (value >= -0x40 && value < 0x40) return [value & 0x7f];
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
export function signed(value: bigint): number[] {
  const into: number[] = [];
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
    const { length } = bytes;
    if (this.used + length > this.array.length) this.grow(length);
    const { array, used } = this;
    if (bytes instanceof Uint8Array) array.set(bytes, used);
    else for (let i = 0; i < length; i++) array[used + i] = bytes[i];
    this.used = used + length;
  }

  /** Adds one byte and an unsigned integer after it. */
  writeIndexed(byte: number, index: number): void {
    if (this.used + 6 > this.array.length) this.grow(6);
    const { array } = this;
    array[this.used++] = byte;
    let rest = index;
    for (; rest > 0x7f; rest >>>= 7) array[this.used++] = (rest & 0x7f) | 0x80;
    array[this.used++] = rest;
  }

  private grow(more: number): void {
    const larger = new Uint8Array(Math.max(this.used + more, 2 * this.array.length));
    larger.set(this.array);
    this.array = larger;
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
  /** The height of the stack at the beginning of the innermost block: what lies below does not belong to it. */
  private bottom = 0;
  /** The same of the blocks around it. */
  private readonly frames: number[] = [];
  /** How many of the open blocks are loops. */
  private loops = 0;
  /** The variables that have the constants of loops, by the constants' bytes. */
  private readonly constants = new Map<
    string,
    { readonly opcode: Opcode; readonly index: number }
  >();

  /**
   * @param functionName for messages
   * @param newLocal adds a variable to the function; its index
   */
  constructor(
    readonly functionName: string,
    private readonly newLocal: (type: ValType) => number,
  ) {}

  /** Appends one instruction. @throws AssemblerError when the values that it takes are not there */
  add({ name, bytes, takes, gives }: Opcode): void {
    for (let i = takes.length - 1; i >= 0; i--) this.pop(name, takes[i]);
    this.written.write(bytes);
    if (gives !== 'void') this.stack.push(gives);
  }

  /** As `add`, for an instruction that is of no fixed kind. */
  instruction(
    name: string,
    bytes: readonly number[],
    takes: readonly ValType[],
    gives: ResultType,
  ): void {
    this.add({ name, bytes, takes, gives });
  }

  /** Appends `local.get`: every second instruction is one. */
  getLocal(index: number, type: ValType): void {
    this.written.writeIndexed(0x20, index);
    this.stack.push(type);
  }

  /** Appends `local.set`. @throws AssemblerError when no such value is there */
  setLocal(index: number, type: ValType): void {
    this.pop('local.set', type);
    this.written.writeIndexed(0x21, index);
  }

  /** Appends a constant, or in a loop the variable that has it (see `prologue`). */
  vectorConstant(opcode: Opcode): void {
    if (this.loops === 0) {
      this.add(opcode);
      return;
    }
    const key = opcode.bytes.join();
    let known = this.constants.get(key);
    if (known === undefined) {
      known = { opcode, index: this.newLocal('v128') };
      this.constants.set(key, known);
    }
    this.getLocal(known.index, 'v128');
  }

  /** What has to be done before the first instruction: the constants of loops. */
  get prologue(): Uint8Array {
    const writer = new ByteWriter();
    for (const { opcode, index } of this.constants.values()) {
      writer.write(opcode.bytes);
      writer.writeIndexed(0x21, index);
    }
    return writer.bytes;
  }

  /** Opens a block: what it leaves behind must be what it found. */
  open(name: string, bytes: readonly number[], takes: readonly ValType[] = []): void {
    this.instruction(name, bytes, takes, 'void');
    this.frames.push(this.bottom);
    this.bottom = this.stack.length;
    if (name === 'loop') this.loops++;
  }

  /** Closes the innermost block. @throws AssemblerError when values are left on the stack */
  close(name: string): void {
    if (this.stack.length !== this.bottom) {
      throw new AssemblerError(
        `${this.functionName}: ${name} ends with ${this.stack.slice(this.bottom).join(', ')} left on the stack; store or drop it.`,
      );
    }
    this.bottom = this.frames.pop() ?? 0;
    if (name === 'loop') this.loops--;
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
    const found = this.stack.length > this.bottom ? this.stack.pop() : undefined;
    if (found !== wanted) {
      throw new AssemblerError(
        `${this.functionName}: ${name} takes ${wanted}; there is ${found ?? 'nothing'} on the stack.`,
      );
    }
  }
}
