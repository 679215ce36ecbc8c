/**
 * Elements as they lie in files: which types there are, and how they become those of tensors and back.
 */
import { ARRAY_TYPES, type DType, type TypedArray } from '../dtype.js';
import { FormatError, formatShape } from '../errors.js';

/** The element types that can be read. Whole numbers become int32, truth values bool. */
export type FileType =
  'float32' | 'float64' | 'int8' | 'int16' | 'int32' | 'int64' | 'uint8' | 'uint16' | 'bool';

/** The size of an element in bytes. */
export const FILE_BYTES: Readonly<Record<FileType, number>> = {
  float32: 4,
  float64: 8,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  uint8: 1,
  uint16: 2,
  bool: 1,
};

/** The order of bytes in this machine's typed arrays. */
const HOST_IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * The number of elements of a shape that a file announces, once it is known that the file has room for them.
 *
 * @param what the file and the part of it, for messages
 * @param sizes what the file says the shape is: anything that JSON can hold
 * @param room the number of bytes that the file has for the elements
 * @throws FormatError unless the sizes are whole numbers of 0 or more whose elements take exactly `room` bytes
 */
export function checkedShape(
  what: string,
  sizes: readonly unknown[],
  type: FileType,
  room: number,
): number[] {
  const shape = sizes.map((size) => {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
      throw new FormatError(
        `${what}: a shape is made of whole numbers of 0 or more; got ${JSON.stringify(sizes)}.`,
      );
    }
    return size;
  });
  // Sizes of up to 2^53: the product leaves the doubles, so it is taken in BigInt.
  const count = shape.reduce((product, size) => product * BigInt(size), 1n);
  const needed = count * BigInt(FILE_BYTES[type]);
  if (needed !== BigInt(room)) {
    throw new FormatError(
      `${what}: shape ${formatShape(shape)} of ${type} needs ${needed} bytes; there are ${room}.`,
    );
  }
  return shape;
}

/**
 * The elements as an array of a tensor's own: always a copy, so that the file's bytes can go.
 *
 * @throws FormatError for truth values other than 0 and 1, and whole numbers beyond 32 bits
 */
export function decodeElements(
  what: string,
  type: FileType,
  bytes: Uint8Array,
  little = true,
): { dtype: DType; data: TypedArray } {
  const size = FILE_BYTES[type];
  const count = bytes.length / size;
  if (type === 'float32' || type === 'float64' || type === 'int32') {
    const copy = new Uint8Array(bytes);
    if (little !== HOST_IS_LITTLE) reverseEach(copy, size);
    return { dtype: type, data: new ARRAY_TYPES[type](copy.buffer, copy.byteOffset, count) };
  }
  if (type === 'bool') {
    const wrong = bytes.find((byte) => byte > 1);
    if (wrong !== undefined) {
      throw new FormatError(`${what}: truth values are 0 and 1; there is a ${wrong}.`);
    }
    return { dtype: 'bool', data: new Uint8Array(bytes) };
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const data = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    if (type === 'int8') data[i] = view.getInt8(i);
    else if (type === 'uint8') data[i] = bytes[i];
    else if (type === 'int16') data[i] = view.getInt16(2 * i, little);
    else if (type === 'uint16') data[i] = view.getUint16(2 * i, little);
    else data[i] = narrowed(what, view.getBigInt64(8 * i, little));
  }
  return { dtype: 'int32', data };
}

/** The elements as little-endian bytes, as all formats here are written. */
export function encodeElements(data: TypedArray): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (HOST_IS_LITTLE || data.BYTES_PER_ELEMENT === 1) return bytes;
  const copy = new Uint8Array(bytes);
  reverseEach(copy, data.BYTES_PER_ELEMENT);
  return copy;
}

function narrowed(what: string, value: bigint): number {
  if (BigInt.asIntN(32, value) === value) return Number(value);
  throw new FormatError(
    `${what}: ${value} has more than 32 bits; whole numbers are read as int32. Save the tensor in a float type.`,
  );
}

/** Turns the bytes of each element round. */
function reverseEach(bytes: Uint8Array, size: number): void {
  for (let at = 0; at < bytes.length; at += size) bytes.subarray(at, at + size).reverse();
}
