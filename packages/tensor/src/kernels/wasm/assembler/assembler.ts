/**
 * Modules and functions of WebAssembly, written in TypeScript: a kernel is a function of this language that appends
 * statements to a `FunctionBuilder`. One source serves all variants (with or without shared memory, with or without fused
 * multiply-add), and what it emits is checked while it is emitted (see code.ts).
 */
import {
  AssemblerError,
  ByteWriter,
  Code,
  Operation,
  TYPE_BYTES,
  signed32,
  unsigned,
  type Expr,
  type ResultType,
  type ValType,
} from './code.js';
import { i32 } from './instructions.js';

/** A variable of a function. As an expression it is its value. */
export interface Local<T extends ValType = ValType> extends Expr<T> {
  readonly index: number;
}

/** Where a branch may go: to the end of a block, or back to the beginning of a loop. */
export interface Label {
  readonly depth: number;
}

/** A function's type: what it takes and what it gives. */
export interface Signature<
  P extends readonly ValType[] = readonly ValType[],
  R extends ResultType = ResultType,
> {
  readonly params: P;
  readonly result: R;
}

/** A function of a module, to be called by others. */
export interface FunctionRef<
  P extends readonly ValType[] = readonly ValType[],
  R extends ResultType = ResultType,
> extends Signature<P, R> {
  readonly name: string;
  readonly index: number;
}

type Locals<P extends readonly ValType[]> = { [I in keyof P]: Local<P[I]> };
type Operands<P extends readonly ValType[]> = { [I in keyof P]: Expr<P[I]> };

const BLOCK_TYPE_EMPTY = 0x40;

/** The value of `f(...)`. */
export function call<P extends readonly ValType[], R extends ResultType>(
  f: FunctionRef<P, R>,
  ...operands: Operands<P>
): Expr<R> {
  const bytes = [0x10, ...unsigned(f.index)];
  const kind = { name: `call ${f.name}`, bytes, takes: f.params, gives: f.result };
  return new Operation(f.result, kind, operands);
}

/** A variable of the function whose code is `owner`. */
class Variable<T extends ValType> implements Local<T> {
  constructor(
    readonly type: T,
    readonly index: number,
    private readonly owner: Code,
  ) {}

  emit(code: Code): void {
    if (code !== this.owner) {
      throw new AssemblerError(
        `${code.functionName}: uses a variable that belongs to ${this.owner.functionName}.`,
      );
    }
    code.getLocal(this.index, this.type);
  }
}

/** The statements of one function, appended in order. */
export class FunctionBuilder {
  private readonly code: Code;
  private readonly types: ValType[] = [];

  constructor(
    readonly name: string,
    private readonly signature: Signature,
  ) {
    this.code = new Code(name, (type) => this.newLocal(type));
  }

  /** The parameters as variables. */
  get params(): Local[] {
    return this.signature.params.map((type, i) => this.variable(type, i));
  }

  /** A new variable; zero, unless an initial value is given. */
  local<T extends ValType>(type: T, initial?: Expr<T>): Local<T> {
    const local = this.variable(type, this.newLocal(type));
    if (initial !== undefined) this.set(local, initial);
    return local;
  }

  /** The index of a new variable. */
  private newLocal(type: ValType): number {
    return this.signature.params.length + this.types.push(type) - 1;
  }

  private variable<T extends ValType>(type: T, index: number): Local<T> {
    return new Variable(type, index, this.code);
  }

  /** variable ← value */
  set<T extends ValType>(variable: Local<T>, value: Expr<T>): void {
    value.emit(this.code);
    this.code.setLocal(variable.index, variable.type);
  }

  /** variable ← variable + step */
  increment(variable: Local<'i32'>, step: Expr<'i32'> | number): void {
    this.set(variable, i32.add(variable, typeof step === 'number' ? i32.const(step) : step));
  }

  /** Statements: stores and calls without a result. */
  do(...statements: readonly Expr<'void'>[]): void {
    for (const statement of statements) statement.emit(this.code);
  }

  /** A block that `br` can leave. */
  block(body: (end: Label) => void): void {
    this.nest('block', 0x02, body);
  }

  /** A loop that `br` can begin again; it ends where its body ends. */
  loop(body: (again: Label) => void): void {
    this.nest('loop', 0x03, body);
  }

  private nest(name: string, opcode: number, body: (label: Label) => void): void {
    this.code.open(name, [opcode, BLOCK_TYPE_EMPTY]);
    body({ depth: this.code.depth });
    this.code.close(name);
    this.code.instruction('end', [0x0b], [], 'void');
  }

  if(condition: Expr<'i32'>, then: () => void, otherwise?: () => void): void {
    condition.emit(this.code);
    this.code.open('if', [0x04, BLOCK_TYPE_EMPTY], ['i32']);
    then();
    this.code.close('if');
    if (otherwise !== undefined) {
      this.code.open('else', [0x05]);
      otherwise();
      this.code.close('else');
    }
    this.code.instruction('end', [0x0b], [], 'void');
  }

  /** Goes to the label. */
  br(label: Label): void {
    this.code.instruction('br', [0x0c, ...unsigned(this.code.depth - label.depth)], [], 'void');
  }

  /** Goes to the label if the condition is not 0. */
  br_if(label: Label, condition: Expr<'i32'>): void {
    condition.emit(this.code);
    const target = unsigned(this.code.depth - label.depth);
    this.code.instruction('br_if', [0x0d, ...target], ['i32'], 'void');
  }

  /** Repeats the body while the condition is not 0; the condition is tested before each round. */
  while(condition: Expr<'i32'>, body: () => void): void {
    this.if(condition, () => {
      this.loop((again) => {
        body();
        this.br_if(again, condition);
      });
    });
  }

  /** for (variable = from; variable < to; variable += step), signed. */
  for(
    variable: Local<'i32'>,
    from: Expr<'i32'>,
    to: Expr<'i32'>,
    step: Expr<'i32'> | number,
    body: () => void,
  ): void {
    this.set(variable, from);
    this.while(i32.lt_s(variable, to), () => {
      body();
      this.increment(variable, step);
    });
  }

  /** Ends the function, with its value if it has one. */
  return(value?: Expr<ValType>): void {
    value?.emit(this.code);
    const { result } = this.signature;
    this.code.instruction('return', [0x0f], result === 'void' ? [] : [result], 'void');
  }

  /** The function's body in the binary format. @throws AssemblerError when something else than the result is on the stack */
  finish(): Uint8Array {
    const { left, written, prologue } = this.code;
    if (left.length !== 0) {
      throw new AssemblerError(
        `${this.name}: ends with ${left.join(', ')} on the stack; results are given by return().`,
      );
    }
    // A function with a result has returned before it gets here: the end is unreachable.
    const tail = this.signature.result === 'void' ? [0x0b] : [0x00, 0x0b];
    const locals = unsigned(this.types.length);
    for (const type of this.types) locals.push(1, TYPE_BYTES[type]);
    const body = new ByteWriter(prologue.length + written.length + 2 * locals.length);
    body.write(unsigned(locals.length + prologue.length + written.length + tail.length));
    body.write(locals);
    body.write(prologue);
    body.write(written.bytes);
    body.write(tail);
    return body.bytes;
  }
}

/** The memory that a module works on, counted in pages of 64 KiB. */
export interface MemoryType {
  readonly initial: number;
  readonly maximum: number;
  readonly shared: boolean;
}

/** A module: functions over one imported memory, some of them in an imported table, by which they are called by number. */
export class ModuleBuilder {
  private readonly signatures: string[] = [];
  private readonly signatureBytes: number[][] = [];
  private readonly imported: { ref: FunctionRef; type: number }[] = [];
  private readonly functions: { ref: FunctionRef; type: number; body: Uint8Array }[] = [];
  private readonly exported: FunctionRef[] = [];
  private readonly table: FunctionRef[] = [];

  /**
   * @param memory imported as `env.memory`
   * @param relaxed whether fused multiply-add may be used
   * @param firstNumber the place of this module's first function in the table, which is imported as `env.table`
   */
  constructor(
    readonly memory: MemoryType,
    readonly relaxed: boolean,
    private readonly firstNumber = 0,
  ) {}

  /**
   * A function of JavaScript's, imported as `env.name`.
   *
   * @throws AssemblerError after the first function: imported ones have the first numbers
   */
  import<const P extends readonly ValType[], R extends ResultType>(
    name: string,
    params: P,
    result: R,
  ): FunctionRef<P, R> {
    if (this.functions.length > 0) {
      throw new AssemblerError(`${name}: is imported after a function; import it before.`);
    }
    const signature = { params, result };
    const ref = { name, index: this.imported.length, ...signature };
    this.imported.push({ ref, type: this.typeIndex(signature) });
    return ref;
  }

  /**
   * Adds a function. Its body may call those added before.
   *
   * @throws AssemblerError for code whose types do not fit
   */
  function<const P extends readonly ValType[], R extends ResultType>(
    name: string,
    params: P,
    result: R,
    body: (f: FunctionBuilder, ...params: Locals<P>) => void,
  ): FunctionRef<P, R> {
    const signature = { params, result };
    const f = new FunctionBuilder(name, signature);
    body(f, ...(f.params as Locals<P>));
    const index = this.imported.length + this.functions.length;
    const ref = { name, index, ...signature };
    this.functions.push({ ref, type: this.typeIndex(signature), body: f.finish() });
    return ref;
  }

  /** Makes a function callable from JavaScript by its name. */
  export(f: FunctionRef): void {
    this.exported.push(f);
  }

  /** The first place of the table that this module leaves free. */
  get endNumber(): number {
    return this.firstNumber + this.table.length;
  }

  /** Gives a function a number by which `callIndirect` finds it. */
  addToTable(f: FunctionRef): number {
    this.table.push(f);
    return this.endNumber - 1;
  }

  /** Calls the function with this number in the table. */
  callIndirect<const P extends readonly ValType[], R extends ResultType>(
    signature: Signature<P, R>,
    number: Expr<'i32'>,
    ...operands: Operands<P>
  ): Expr<R> {
    const type = this.typeIndex(signature);
    const { params, result } = signature;
    const bytes = [0x11, ...unsigned(type), 0];
    const kind = {
      name: 'call_indirect',
      bytes,
      takes: [...params, 'i32'],
      gives: result,
    } as const;
    return new Operation(result, kind, [...operands, number]);
  }

  private typeIndex({ params, result }: Signature): number {
    const key = `${params.join()}:${result}`;
    const known = this.signatures.indexOf(key);
    if (known >= 0) return known;
    const results = result === 'void' ? [] : [TYPE_BYTES[result]];
    this.signatures.push(key);
    this.signatureBytes.push([
      0x60,
      ...unsigned(params.length),
      ...params.map((type) => TYPE_BYTES[type]),
      ...unsigned(results.length),
      ...results,
    ]);
    return this.signatures.length - 1;
  }

  /** The module in the binary format (specification, section 5.5). */
  toBytes(): Uint8Array<ArrayBuffer> {
    const { initial, maximum, shared } = this.memory;
    const limits = [shared ? 3 : 1, ...unsigned(initial), ...unsigned(maximum)];
    const exports = this.exported.map((f) => [...nameBytes(f.name), 0, ...unsigned(f.index)]);
    const bytes = new ByteWriter(1 << 16);
    bytes.write([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    writeSection(bytes, 1, this.signatureBytes);
    writeSection(bytes, 2, [
      [...nameBytes('env'), ...nameBytes('memory'), 2, ...limits],
      [...nameBytes('env'), ...nameBytes('table'), 1, 0x70, 0, 0],
      ...this.imported.map(({ ref, type }) => [
        ...nameBytes('env'),
        ...nameBytes(ref.name),
        0,
        ...unsigned(type),
      ]),
    ]);
    writeSection(
      bytes,
      3,
      this.functions.map((f) => unsigned(f.type)),
    );
    writeSection(bytes, 7, exports);
    const entries = this.table.flatMap((f) => unsigned(f.index));
    const start = [0x41, ...signed32(this.firstNumber), 0x0b];
    writeSection(bytes, 9, [[0, ...start, ...unsigned(this.table.length), ...entries]]);
    writeSection(
      bytes,
      10,
      this.functions.map((f) => f.body),
    );
    return bytes.bytes;
  }
}

/** A section is a vector: its number, its length in bytes, how many items there are, and the items. */
function writeSection(
  bytes: ByteWriter,
  number: number,
  items: readonly ArrayLike<number>[],
): void {
  const count = unsigned(items.length);
  const length = items.reduce((sum, item) => sum + item.length, count.length);
  bytes.write([number, ...unsigned(length)]);
  bytes.write(count);
  for (const item of items) bytes.write(item);
}

/** The names that modules give are of ASCII letters. */
function nameBytes(name: string): number[] {
  return [...unsigned(name.length), ...Array.from(name, (letter) => letter.charCodeAt(0))];
}
