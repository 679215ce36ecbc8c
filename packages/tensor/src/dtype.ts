import { DTypeError, ValueError, formatChoices } from './errors.js';
import type { TypedArray } from './kernels/js/types.js';

export type { TypedArray };

/** The element types. Truth values are stored as 0 and 1, one byte each. */
export type DType = 'float32' | 'float64' | 'int32' | 'bool';

/** The order of promotion: of two dtypes the later one holds the result. */
export const DTYPES: readonly DType[] = ['bool', 'int32', 'float32', 'float64'];

/** Constructors by dtype. */
export const ARRAY_TYPES = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
  bool: Uint8Array,
} as const;

/** The memory that so many elements of a dtype take. */
export function bytesOf({ dtype, size }: { dtype: DType; size: number }): number {
  return size * ARRAY_TYPES[dtype].BYTES_PER_ELEMENT;
}

/** float32 and float64: the dtypes that can carry a gradient. */
export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64';
}

/** The dtype that holds both: bool < int32 < float32 < float64. */
export function promote(a: DType, b: DType): DType {
  return a === b || DTYPES.indexOf(a) > DTYPES.indexOf(b) ? a : b;
}

/** The dtype of a typed array; throws a DTypeError for the kinds that tensors do not store. */
export function dtypeOf(array: ArrayBufferView): DType {
  if (array instanceof Float32Array) return 'float32';
  if (array instanceof Float64Array) return 'float64';
  if (array instanceof Int32Array) return 'int32';
  if (array instanceof Uint8Array) return 'bool';
  throw new DTypeError(
    `tensor: an array of type ${array.constructor.name} cannot be stored; convert it to a Float32Array, Float64Array, ` +
      `Int32Array or Uint8Array (bool) first.`,
  );
}

/** Throws a DTypeError unless the value names a dtype. */
export function checkDType(dtype: DType): DType {
  if (!DTYPES.includes(dtype)) {
    throw new DTypeError(`Unknown dtype '${dtype}'; known are ${formatChoices(DTYPES)}.`);
  }
  return dtype;
}

/** The number that stands for a value in a dtype. @throws ValueError, naming the op, when the dtype cannot hold it */
export function checkValue(op: string, value: number | boolean, dtype: DType): number {
  const number = Number(value);
  if (dtype === 'int32' && (number | 0) !== number) {
    throw new ValueError(
      `${op}: ${number} is not a 32-bit whole number; use a float dtype, or cast('int32') to cut it off.`,
    );
  }
  if (dtype === 'bool' && number !== 0 && number !== 1) {
    throw new ValueError(
      `${op}: bool holds true, false, 1 and 0; got ${number}. Compare instead, as in x.notEqual(0).`,
    );
  }
  return number;
}
