/**
 * The kinds of instructions: how each is encoded and what it takes and gives. The instructions themselves are in
 * instructions.ts and simd.ts.
 */
import {
  AssemblerError,
  Operation,
  unsigned,
  type Expr,
  type Opcode,
  type ResultType,
  type ValType,
} from './code.js';

/** The prefixes of instructions that do not fit into one byte. */
export const BULK = 0xfc;
export const SIMD = 0xfd;
export const ATOMIC = 0xfe;

/** An instruction: from its operands to its value. */
export type Instruction<Takes extends readonly ValType[], Gives extends ResultType> = (
  ...operands: Operands<Takes>
) => Expr<Gives>;

type Operands<Types extends readonly ValType[]> = { [I in keyof Types]: Expr<Types[I]> };

export function opcode(prefix: number | null, code: number): number[] {
  return prefix === null ? [code] : [prefix, ...unsigned(code)];
}

export function plain<const Takes extends readonly ValType[], Gives extends ResultType>(
  name: string,
  bytes: readonly number[],
  takes: Takes,
  gives: Gives,
): Instruction<Takes, Gives> {
  const kind = { name, bytes, takes, gives };
  return (...operands) => new Operation(gives, kind, operands);
}

export const unary = <A extends ValType, R extends ValType>(
  name: string,
  code: number,
  a: A,
  r: R,
  prefix: number | null = null,
): Instruction<readonly [A], R> => plain(name, opcode(prefix, code), [a], r);
export const binary = <A extends ValType, R extends ValType>(
  name: string,
  code: number,
  a: A,
  r: R,
  prefix: number | null = null,
): Instruction<readonly [A, A], R> => plain(name, opcode(prefix, code), [a, a], r);

type V = 'v128';

export const v1 = (name: string, code: number): Instruction<readonly [V], V> =>
  unary(name, code, 'v128', 'v128', SIMD);
export const v2 = (name: string, code: number): Instruction<readonly [V, V], V> =>
  binary(name, code, 'v128', 'v128', SIMD);
export const v3 = (name: string, code: number): Instruction<readonly [V, V, V], V> =>
  plain(name, opcode(SIMD, code), ['v128', 'v128', 'v128'], 'v128');
export const shift = (name: string, code: number): Instruction<readonly [V, 'i32'], V> =>
  plain(name, opcode(SIMD, code), ['v128', 'i32'], 'v128');

/** Alignment (as a power of two) and offset. */
export function memoryArgument(align: number, offset: number): number[] {
  if (!(Number.isInteger(offset) && offset >= 0)) {
    throw new AssemblerError(`a memory offset is a whole number from 0 on; got ${offset}.`);
  }
  return [...unsigned(align), ...unsigned(offset)];
}

/** `make`, with what it has made kept: kernels ask for the same few constants and offsets thousands of times. */
export function remembered<K, V>(make: (key: K) => V): (key: K) => V {
  const made = new Map<K, V>();
  return (key) => {
    const known = made.get(key);
    if (known !== undefined) return known;
    const value = make(key);
    made.set(key, value);
    return value;
  };
}

/** Reads at address + offset (bytes). The alignment is a promise only to atomic instructions. */
export function load<T extends ValType>(
  name: string,
  code: number,
  align: number,
  type: T,
  prefix: number | null = null,
): (address: Expr<'i32'>, offset?: number) => Expr<T> {
  const at = remembered((offset: number): Opcode => ({
    name,
    bytes: [...opcode(prefix, code), ...memoryArgument(align, offset)],
    takes: ['i32'],
    gives: type,
  }));
  return (address, offset = 0) => new Operation(type, at(offset), [address]);
}

/** Writes at address + offset (bytes). */
export function store<T extends ValType>(
  name: string,
  code: number,
  align: number,
  type: T,
  prefix: number | null = null,
): (address: Expr<'i32'>, value: Expr<T>, offset?: number) => Expr<'void'> {
  const at = remembered((offset: number): Opcode => ({
    name,
    bytes: [...opcode(prefix, code), ...memoryArgument(align, offset)],
    takes: ['i32', type],
    gives: 'void',
  }));
  return (address, value, offset = 0) => new Operation('void', at(offset), [address, value]);
}

export function extract<T extends ValType>(
  name: string,
  code: number,
  type: T,
): (vector: Expr<V>, lane: number) => Expr<T> {
  return (vector: Expr<'v128'>, lane: number): Expr<T> =>
    plain(name, [...opcode(SIMD, code), lane], ['v128'], type)(vector);
}

export function replace<T extends ValType>(
  name: string,
  code: number,
  type: T,
): (vector: Expr<V>, lane: number, value: Expr<T>) => Expr<V> {
  return (vector: Expr<'v128'>, lane: number, value: Expr<T>): Expr<'v128'> =>
    plain(name, [...opcode(SIMD, code), lane], ['v128', type], 'v128')(vector, value);
}

/** One lane from address + offset, the others from the vector. */
export function loadLane(
  name: string,
  code: number,
  align: number,
): (address: Expr<'i32'>, vector: Expr<V>, lane: number, offset?: number) => Expr<V> {
  return (address, vector, lane, offset = 0) =>
    plain(name, laneBytes(code, align, offset, lane), ['i32', 'v128'], 'v128')(address, vector);
}

/** Writes one lane to address + offset. */
export function storeLane(
  name: string,
  code: number,
  align: number,
): (address: Expr<'i32'>, vector: Expr<V>, lane: number, offset?: number) => Expr<'void'> {
  return (address, vector, lane, offset = 0) =>
    plain(name, laneBytes(code, align, offset, lane), ['i32', 'v128'], 'void')(address, vector);
}

function laneBytes(code: number, align: number, offset: number, lane: number): number[] {
  return [...opcode(SIMD, code), ...memoryArgument(align, offset), lane];
}

export function constant<T extends ValType>(
  name: string,
  code: number,
  bytes: readonly number[],
  type: T,
): Expr<T> {
  return plain(name, [code, ...bytes], [], type)();
}

const FLOAT = new DataView(new ArrayBuffer(8));

export function floatBytes(value: number, size: 4 | 8): number[] {
  const view = FLOAT;
  if (size === 4) view.setFloat32(0, value, true);
  else view.setFloat64(0, value, true);
  return Array.from({ length: size }, (_, i) => view.getUint8(i));
}
