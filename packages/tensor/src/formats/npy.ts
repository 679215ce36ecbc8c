/**
 * .npy files, NumPy's format of one array
 * (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
 *
 *   6 bytes     0x93 'NUMPY'
 *   2 bytes     version: 1.0, 2.0 or 3.0
 *   2 bytes     length of the header, little-endian; 4 bytes from version 2.0 on
 *   header      a Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 *   elements    row-major, or column-major where fortran_order is True
 */
import { tensor } from '../create.js';
import type { DType } from '../dtype.js';
import { FormatError } from '../errors.js';
import { withLayout, type Tensor } from '../tensor.js';
import { checkedShape, decodeElements, encodeElements, type FileType } from './elements.js';

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];

const TYPES = new Map<string, FileType>([
  ['f4', 'float32'],
  ['f8', 'float64'],
  ['i1', 'int8'],
  ['i2', 'int16'],
  ['i4', 'int32'],
  ['i8', 'int64'],
  ['u1', 'uint8'],
  ['u2', 'uint16'],
  ['b1', 'bool'],
]);

const CODES: Readonly<Record<DType, string>> = {
  float32: '<f4',
  float64: '<f8',
  int32: '<i4',
  bool: '|b1',
};

/**
 * Writes a tensor into the bytes of a .npy file (version 1.0, row-major, little-endian), which `numpy.load` reads.
 *
 * @example
 * decodeNpy(encodeNpy(tensor([[1, 2], [3, 4]]))).toArray(); // [[1, 2], [3, 4]]
 */
export function encodeNpy(x: Tensor): Uint8Array {
  const sizes = x.rank === 1 ? `${x.shape[0]},` : x.shape.join(', ');
  const header = `{'descr': '${CODES[x.dtype]}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // Padded so that the elements begin at a multiple of 64 bytes, and ended with a line feed.
  const start = Math.ceil((10 + header.length + 1) / 64) * 64;
  const data = encodeElements(x.toTypedArray());
  const bytes = new Uint8Array(start + data.length).fill(0x20, 10, start);
  bytes.set([...MAGIC, 1, 0]);
  new DataView(bytes.buffer).setUint16(8, start - 10, true);
  bytes.set(new TextEncoder().encode(header), 10);
  bytes[start - 1] = 0x0a;
  bytes.set(data, start);
  return bytes;
}

/**
 * Reads the bytes of a .npy file: float32, float64, bool, and whole numbers of 8 to 64 bits, which become int32.
 *
 * @param bytes the whole file
 * @param options.name what messages call it, usually the path
 * @returns a tensor; one that was saved column-major is a transposed view
 * @throws FormatError no .npy file, an unknown version or type (objects, texts, records), truncated or too long
 * @example
 * decodeNpy(encodeNpy(zeros([2, 3]))).shape; // [2, 3]
 */
export function decodeNpy(
  bytes: Uint8Array,
  { name = 'npy data' }: { name?: string } = {},
): Tensor {
  const { text, body } = split(bytes, name);
  const { descr, fortran, sizes } = parseHeader(text, name);
  const code = /^([<>|=])([a-z]\d)$/.exec(descr);
  const type = code === null ? undefined : TYPES.get(code[2]);
  if (code === null || type === undefined || code[1] === '=') {
    throw new FormatError(
      `${name}: holds elements of type '${descr}', which cannot be read; known are ${[...TYPES.keys()].join(', ')} ` +
        `after '<', '>' or '|'. In NumPy, x.astype('float32') converts.`,
    );
  }
  const shape = checkedShape(name, sizes, type, body.length);
  const { dtype, data } = decodeElements(name, type, body, code[1] !== '>');
  if (!fortran) return tensor(data, { shape, dtype });
  // Column-major [a, b, c] is row-major [c, b, a], read with the axes in reverse.
  const reversed = tensor(data, { shape: [...shape].reverse(), dtype });
  return withLayout(reversed, { shape, strides: [...reversed.strides].reverse(), offset: 0 });
}

function split(bytes: Uint8Array, name: string): { text: string; body: Uint8Array } {
  if (bytes.length < 8 || !MAGIC.every((byte, i) => bytes[i] === byte)) {
    throw new FormatError(
      `${name}: is no .npy file: it does not begin with 0x93 'NUMPY' and a version.`,
    );
  }
  const [major, minor] = [bytes[6], bytes[7]];
  if (major < 1 || major > 3 || minor !== 0) {
    throw new FormatError(
      `${name}: is of version ${major}.${minor} of the format; known are 1.0, 2.0 and 3.0.`,
    );
  }
  const begin = major === 1 ? 10 : 12;
  if (bytes.length < begin) throw new FormatError(`${name}: truncated within the header.`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (begin + length > bytes.length) {
    throw new FormatError(
      `${name}: truncated: announces a header of ${length} bytes; there are ${bytes.length - begin}.`,
    );
  }
  // Latin-1, or UTF-8 from version 3.0 on; what can be read at all is ASCII.
  const text = new TextDecoder().decode(bytes.subarray(begin, begin + length));
  return { text, body: bytes.subarray(begin + length) };
}

interface Header {
  readonly descr: string;
  readonly fortran: boolean;
  readonly sizes: readonly number[];
}

/** Reads the literal piece by piece: nothing is evaluated. */
function parseHeader(text: string, name: string): Header {
  const bad = (what: string): FormatError =>
    new FormatError(
      `${name}: ${what} in the header ${JSON.stringify(text.trim().slice(0, 200))}; expected ` +
        `{'descr': …, 'fortran_order': …, 'shape': …}.`,
    );
  const found = new Map<string, string>();
  const entry =
    /\s*(['"])(\w+)\1\s*:\s*('[^'\n]*'|"[^"\n]*"|True|False|\([\dL,\s]*\))\s*(,|(?=\}))/y;
  entry.lastIndex = /^\s*\{/.exec(text)?.[0].length ?? 0;
  let end = entry.lastIndex;
  for (let match = entry.exec(text); match !== null; match = entry.exec(text)) {
    if (found.has(match[2])) throw bad(`'${match[2]}' stands twice`);
    found.set(match[2], match[3]);
    end = entry.lastIndex;
  }
  if (end === 0 || !/^\s*\}\s*$/.test(text.slice(end))) {
    throw bad(
      /'descr':\s*\[/.test(text) ? 'records cannot be read' : 'something is not understood',
    );
  }
  const descr = /^['"](.*)['"]$/.exec(found.get('descr') ?? '');
  const order = found.get('fortran_order');
  const shape = /^\(([^)]*)\)$/.exec(found.get('shape') ?? '');
  const isOrder = order === 'True' || order === 'False';
  if (found.size !== 3 || descr === null || !isOrder || shape === null) {
    throw bad('something is missing or superfluous');
  }
  const parts = shape[1].trim() === '' ? [] : shape[1].replace(/,\s*$/, '').split(',');
  if (!parts.every((part) => /^\s*\d+L?\s*$/.test(part))) throw bad('the shape is not understood');
  return {
    descr: descr[1],
    fortran: order === 'True',
    sizes: parts.map((part) => parseInt(part, 10)),
  };
}
