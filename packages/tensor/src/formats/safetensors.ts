/**
 * safetensors files (https://huggingface.co/docs/safetensors): tensors by name, readable from Python, Rust and others.
 *
 *   8 bytes     length of the header, little-endian
 *   header      JSON: { "name": { "dtype": "F32", "shape": [2, 3], "data_offsets": [from, to] }, …, "__metadata__": { … } }
 *   elements    little-endian, row-major; the offsets count from here and leave no byte out
 */
import { tensor } from '../create.js';
import type { DType } from '../dtype.js';
import { FormatError, ValueError } from '../errors.js';
import type { Tensor } from '../tensor.js';
import { checkedShape, decodeElements, encodeElements, type FileType } from './elements.js';
import { duplicateKey } from './json.js';

/** Longer headers are refused, as by the format's own reader. */
const MAX_HEADER = 100_000_000;
const METADATA = '__metadata__';

const TYPES = new Map<string, FileType>([
  ['F32', 'float32'],
  ['F64', 'float64'],
  ['I8', 'int8'],
  ['I16', 'int16'],
  ['I32', 'int32'],
  ['I64', 'int64'],
  ['U8', 'uint8'],
  ['U16', 'uint16'],
  ['BOOL', 'bool'],
]);

const CODES: Readonly<Record<DType, string>> = {
  float32: 'F32',
  float64: 'F64',
  int32: 'I32',
  bool: 'BOOL',
};

/** The content of a safetensors file. Maps, because a file may call a tensor anything, `__proto__` too. */
export interface Safetensors {
  /** In the order in which they lie in the file. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Writes tensors into the bytes of a safetensors file.
 *
 * @param tensors by name, in an object or a Map
 * @param metadata texts by name
 * @throws ValueError for the name `__metadata__`, which the format keeps for itself
 * @example
 * const bytes = encodeSafetensors({ kernel: tensor([[1, 2]]) }, { author: 'me' });
 * decodeSafetensors(bytes).tensors.get('kernel').toArray(); // [[1, 2]]
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> | ReadonlyMap<string, string> = {},
): Uint8Array {
  // Large elements first keeps every tensor at a multiple of its elements' size, as the format's own writer does.
  const entries = entriesOf(tensors)
    .map(([name, t]) => ({ name, dtype: t.dtype, shape: t.shape, data: t.toTypedArray() }))
    .sort((a, b) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const header: [string, unknown][] = [];
  const texts = entriesOf(metadata);
  if (texts.length > 0) header.push([METADATA, Object.fromEntries(texts)]);
  let end = 0;
  for (const { name, dtype, shape, data } of entries) {
    if (name === METADATA) {
      throw new ValueError(
        `encodeSafetensors: the format keeps the name '${METADATA}' for itself; name the tensor differently.`,
      );
    }
    const from = end;
    end += data.byteLength;
    header.push([name, { dtype: CODES[dtype], shape, data_offsets: [from, end] }]);
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const start = 8 + Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(start + end);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.fill(0x20, 8, start);
  bytes.set(json, 8);
  let at = start;
  for (const { data } of entries) {
    bytes.set(encodeElements(data), at);
    at += data.byteLength;
  }
  return bytes;
}

function entriesOf<T>(x: Readonly<Record<string, T>> | ReadonlyMap<string, T>): [string, T][] {
  return isMap(x) ? [...x] : Object.entries(x);
}

function isMap<T>(
  x: Readonly<Record<string, T>> | ReadonlyMap<string, T>,
): x is ReadonlyMap<string, T> {
  return x instanceof Map;
}

/**
 * Reads the bytes of a safetensors file. Nothing in it is trusted: no code runs, and nothing is allocated before the header
 * has been compared with the bytes that are there.
 *
 * @param bytes the whole file
 * @param options.name what messages call it, usually the path
 * @throws FormatError truncated, header too long or no JSON, a name twice, an unknown dtype, sizes or offsets that do not fit
 *   each other, overlap, leave bytes out or lie outside the file
 * @example
 * const bytes = encodeSafetensors({ bias: zeros([3]) });
 * decodeSafetensors(bytes).tensors.get('bias').shape; // [3]
 */
export function decodeSafetensors(
  bytes: Uint8Array,
  { name = 'safetensors data' }: { name?: string } = {},
): Safetensors {
  const { header, body } = split(bytes, name);
  const metadata = new Map<string, string>();
  const entries: { title: string; info: TensorInfo }[] = [];
  for (const [key, value] of Object.entries(header)) {
    if (key === METADATA) readMetadata(name, value, metadata);
    else entries.push({ title: key, info: tensorInfo(`${name}: tensor '${key}'`, value) });
  }
  entries.sort((a, b) => a.info.from - b.info.from || a.info.to - b.info.to);
  const tensors = new Map<string, Tensor>();
  let end = 0;
  for (const { title, info } of entries) {
    const what = `${name}: tensor '${title}'`;
    const { type, sizes, from, to } = info;
    if (to > body.length) {
      throw new FormatError(
        `${what}: lies at bytes ${from} to ${to}, but there are only ${body.length}; the file is truncated or damaged.`,
      );
    }
    if (from < end) throw new FormatError(`${what}: overlaps the tensor before it.`);
    if (from > end) {
      throw new FormatError(`${what}: ${from - end} bytes before it belong to no tensor.`);
    }
    const shape = checkedShape(what, sizes, type, to - from);
    const { dtype, data } = decodeElements(what, type, body.subarray(from, to));
    tensors.set(title, tensor(data, { shape, dtype }));
    end = to;
  }
  if (end !== body.length) {
    throw new FormatError(
      `${name}: ${body.length - end} bytes at the end belong to no tensor; the file is damaged.`,
    );
  }
  return { tensors, metadata };
}

/** The header as JSON, and the bytes after it. */
function split(bytes: Uint8Array, name: string): { header: object; body: Uint8Array } {
  if (bytes.length < 8) {
    throw new FormatError(
      `${name}: truncated: a safetensors file begins with 8 bytes of header length; there are ${bytes.length} bytes.`,
    );
  }
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER)) {
    throw new FormatError(
      `${name}: announces a header of ${length} bytes, more than the ${MAX_HEADER} that are allowed; it is no safetensors file.`,
    );
  }
  const start = 8 + Number(length);
  if (start > bytes.length) {
    throw new FormatError(
      `${name}: truncated: announces a header of ${length} bytes; there are ${bytes.length - 8}.`,
    );
  }
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(8, start));
    header = JSON.parse(text);
  } catch {
    throw new FormatError(`${name}: the header is no JSON; it is no safetensors file, or damaged.`);
  }
  if (!isObject(header)) throw new FormatError(`${name}: the header is no JSON object.`);
  const twice = duplicateKey(text);
  if (twice !== null) throw new FormatError(`${name}: the header has the name '${twice}' twice.`);
  return { header, body: bytes.subarray(start) };
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readMetadata(name: string, value: unknown, target: Map<string, string>): void {
  if (!isObject(value)) throw new FormatError(`${name}: '${METADATA}' is no JSON object.`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== 'string') {
      throw new FormatError(`${name}: '${METADATA}' holds texts only; '${key}' is none.`);
    }
    target.set(key, text);
  }
}

interface TensorInfo {
  readonly type: FileType;
  readonly sizes: readonly unknown[];
  readonly from: number;
  readonly to: number;
}

/** What the header says of a tensor, its offsets checked for themselves. */
function tensorInfo(what: string, value: unknown): TensorInfo {
  const info = new Map<string, unknown>(isObject(value) ? Object.entries(value) : []);
  const dtype = info.get('dtype');
  const sizes = info.get('shape');
  const offsets = info.get('data_offsets');
  if (typeof dtype !== 'string' || !Array.isArray(sizes) || !Array.isArray(offsets)) {
    throw new FormatError(`${what}: needs a dtype, a shape and data_offsets in the header.`);
  }
  const type = TYPES.get(dtype);
  if (type === undefined) {
    throw new FormatError(
      `${what}: has dtype '${dtype}', which cannot be read; known are ${[...TYPES.keys()].join(', ')}.`,
    );
  }
  const [from, to] = offsets as readonly unknown[];
  const whole = [from, to].every((n) => Number.isSafeInteger(n) && Number(n) >= 0);
  if (offsets.length !== 2 || !whole || Number(from) > Number(to)) {
    throw new FormatError(
      `${what}: data_offsets must be two whole numbers of 0 or more, in order; got ${JSON.stringify(offsets)}.`,
    );
  }
  return { type, sizes: sizes as readonly unknown[], from: Number(from), to: Number(to) };
}
