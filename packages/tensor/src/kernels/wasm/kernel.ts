/**
 * What a kernel of the WebAssembly module is, and how it is asked for.
 *
 * All kernels have one signature, (args, part, parts): the address of their arguments in memory, and which part of the work
 * is theirs: with two threads the same call is made with part 0 and part 1 of 2 at the same time. A kernel divides what it
 * writes (rows, channels, ranges of elements, blocks of sums that another call adds up in their order), so that any number of parts
 * gives the same bits.
 */
import type { TensorType } from '../../op.js';
import type { FunctionBuilder, FunctionRef, Local, ModuleBuilder } from './assembler/assembler.js';
import type { Expr } from './assembler/code.js';
import { f32, f64, i32 } from './assembler/instructions.js';
import { ceilDiv, minimum } from './integers.js';

/** The arguments of a kernel by name. Addresses are i32. */
export type Fields = Readonly<Record<string, 'i32' | 'f32' | 'f64'>>;

type FieldLocals<F extends Fields> = { readonly [K in keyof F]: Local<F[K]> };

/** Every argument takes this many bytes. */
export const FIELD_BYTES = 8;

/** A kernel: the names of its arguments, and the code. */
export interface Kernel<F extends Fields = Fields> {
  readonly name: string;
  readonly fields: F;
  /** Adds the function to a module. */
  define(m: ModuleBuilder, shared: SharedFunctions): FunctionRef;
}

/** Functions that several kernels call: each is added to a module when the first asks for it. */
export class SharedFunctions {
  private readonly made = new Map<string, FunctionRef>();

  /** The function of this name, made by `make` the first time. */
  once<T extends FunctionRef>(name: string, make: () => T): T {
    const known = this.made.get(name);
    // One name always belongs to one maker, so the type is that of the maker.
    if (known !== undefined) return known as T;
    const made = make();
    this.made.set(name, made);
    return made;
  }
}

/** What a kernel's body is given besides its arguments. */
export interface KernelContext {
  readonly m: ModuleBuilder;
  readonly shared: SharedFunctions;
  /** Which part of the work to do, and of how many. */
  readonly part: Local<'i32'>;
  readonly parts: Local<'i32'>;
}

/** The part of the work that a kernel's caller has given it. */
export type Part = Pick<KernelContext, 'part' | 'parts'>;

/**
 * Which of `count` things are this part's: from … to − 1. None, where there are more parts than things.
 *
 * @param unit parts begin at multiples of so many
 */
export function partRange(
  f: FunctionBuilder,
  count: Expr<'i32'>,
  { part, parts }: Part,
  unit = 1,
): { readonly from: Local<'i32'>; readonly to: Local<'i32'> } {
  const units = unit === 1 ? count : ceilDiv(count, i32.const(unit));
  const each = f.local('i32', i32.mul(ceilDiv(units, parts), i32.const(unit)));
  const from = f.local('i32', minimum(i32.mul(part, each), count));
  return { from, to: f.local('i32', minimum(i32.add(from, each), count)) };
}

/** As `partRange` where `divided` is not 0; else all of them. */
export function partRangeIf(
  f: FunctionBuilder,
  divided: Expr<'i32'>,
  count: Expr<'i32'>,
  own: Part,
  unit = 1,
): { readonly from: Local<'i32'>; readonly to: Local<'i32'> } {
  const range = partRange(f, count, own, unit);
  f.if(i32.eqz(divided), () => {
    f.set(range.from, i32.const(0));
    f.set(range.to, count);
  });
  return range;
}

/** Does the body for each of this part's share of `count` things. */
export function eachOfPart(
  f: FunctionBuilder,
  count: Expr<'i32'>,
  own: Part,
  body: (i: Local<'i32'>) => void,
): void {
  const { from, to } = partRange(f, count, own);
  const i = f.local('i32');
  f.for(i, from, to, 1, () => body(i));
}

/**
 * Defines a kernel.
 *
 * @param name unique, in camelCase, the dtype last: 'gemmF32'
 * @param body appends the code; the arguments are already in variables
 */
export function kernel<const F extends Fields>(
  name: string,
  fields: F,
  body: (f: FunctionBuilder, args: FieldLocals<F>, context: KernelContext) => void,
): Kernel<F> {
  return {
    name,
    fields,
    define: (m, shared) =>
      m.function(name, ['i32', 'i32', 'i32'], 'void', (f, args, part, parts) => {
        const locals = Object.fromEntries(
          Object.entries(fields).map(([field, type], i) => [
            field,
            loadField(f, args, type, i * FIELD_BYTES),
          ]),
        );
        body(f, locals as FieldLocals<F>, { m, shared, part, parts });
      }),
  };
}

function loadField(
  f: FunctionBuilder,
  args: Local<'i32'>,
  type: 'i32' | 'f32' | 'f64',
  offset: number,
): Local {
  if (type === 'i32') return f.local('i32', i32.load(args, offset));
  if (type === 'f32') return f.local('f32', f32.load(args, offset));
  return f.local('f64', f64.load(args, offset));
}

/** One call of a kernel, with its arguments. */
export interface Command {
  readonly kernel: Kernel;
  readonly args: Readonly<Record<string, number>>;
  /** Whether the work is worth sharing among threads; a kernel that cannot be divided never is. */
  readonly parallel: boolean;
  /** Additions and multiplications, for `profile`. */
  readonly flops: number;
}

/** How much work a command is. */
export interface Work {
  readonly parallel?: boolean;
  readonly flops?: number;
}

/** A call of a kernel with all of its arguments. */
export function command<F extends Fields>(
  k: Kernel<F>,
  args: { readonly [K in keyof F]: number },
  { parallel = false, flops = 0 }: Work = {},
): Command {
  return { kernel: k, args, parallel, flops };
}

/** A tensor on the heap, as a lowering sees it: its elements are not to be looked at. */
export interface Operand extends TensorType {
  readonly strides: readonly number[];
  readonly size: number;
  readonly contiguous: boolean;
  /** In bytes, of the first element. */
  readonly address: number;
}

/** What is to be done after a product or convolution, while its result is still in registers. */
export interface Epilogue {
  /** Added to each row (for a convolution: to each channel). */
  readonly bias: Operand | null;
  readonly activation: 'relu' | 'tanh' | 'sigmoid' | null;
}

/** One op of a program, on its way to commands. */
export interface LoweringCall<A extends object = object> {
  readonly inputs: readonly Operand[];
  readonly outputs: readonly Operand[];
  readonly attrs: A;
  readonly epilogue: Epilogue | null;
}

/** What lowerings may ask for. */
export interface LoweringContext {
  /** How many threads may run a parallel command: for scratch of their own. */
  readonly threads: number;
  /** The address of so many bytes that nobody else uses during this op; 64-byte aligned. */
  scratch(bytes: number): number;
  /**
   * Says that a command may meet data that are an error, such as an index outside its axis, and note it at `FAULT`. False where
   * nobody would look there: then there must be no such command.
   */
  mayFault(): boolean;
}

/**
 * From an op to the kernel calls that compute it; null when no kernel fits these dtypes or layouts: then the op's own
 * TypeScript kernel runs on the same memory. An output may have the address of an input of the same size whose value is
 * not needed any more, if the op is marked as `inPlace`.
 */
export type Lowering<A extends object = object> = (
  call: LoweringCall<A>,
  context: LoweringContext,
) => readonly Command[] | null;
