import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import {
  DatasetError,
  encodeIdx,
  IdxError,
  idxToTensor,
  parseIdx,
  readIdx,
  type IdxArray,
} from '@tapegrad/datasets';
import { TapegradError } from '@tapegrad/tensor';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

/** Each element type with its bytes written by hand, from the definition of the format. */
const samples: { array: IdxArray; file: Uint8Array }[] = [
  {
    array: { dtype: 'uint8', shape: [2, 2], data: Uint8Array.of(0, 1, 128, 255) },
    file: bytes(0, 0, 0x08, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 1, 0x80, 0xff),
  },
  {
    array: { dtype: 'int8', shape: [3], data: Int8Array.of(127, -1, -128) },
    file: bytes(0, 0, 0x09, 1, 0, 0, 0, 3, 0x7f, 0xff, 0x80),
  },
  {
    array: { dtype: 'int16', shape: [2], data: Int16Array.of(258, -2) },
    file: bytes(0, 0, 0x0b, 1, 0, 0, 0, 2, 0x01, 0x02, 0xff, 0xfe),
  },
  {
    array: { dtype: 'int32', shape: [2, 1], data: Int32Array.of(0x01020304, -2) },
    file: bytes(0, 0, 0x0c, 2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2, 3, 4, 0xff, 0xff, 0xff, 0xfe),
  },
  {
    // IEEE 754: 1.5 is 3fc00000, -2 is c0000000.
    array: { dtype: 'float32', shape: [2], data: Float32Array.of(1.5, -2) },
    file: bytes(0, 0, 0x0d, 1, 0, 0, 0, 2, 0x3f, 0xc0, 0, 0, 0xc0, 0, 0, 0),
  },
  {
    // IEEE 754: -0.15625 is bfc4000000000000.
    array: { dtype: 'float64', shape: [1, 1, 1], data: Float64Array.of(-0.15625) },
    file: bytes(0, 0, 0x0e, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0xbf, 0xc4, 0, 0, 0, 0, 0, 0),
  },
];

describe('well-formed IDX', () => {
  test.each(samples)('reads and writes $array.dtype', ({ array, file }) => {
    expect(parseIdx(file)).toEqual(array);
    expect(encodeIdx(array)).toEqual(file);
  });

  test('reads from any place in a larger buffer, where multi-byte elements are not aligned', () => {
    for (const { array, file } of samples) {
      const padded = new Uint8Array(file.length + 9).fill(7);
      padded.set(file, 5);
      expect(parseIdx(padded.subarray(5, 5 + file.length))).toEqual(array);
    }
  });

  test('a dimension of 0 holds nothing, rank 0 holds one element', () => {
    const empty: IdxArray = { dtype: 'float32', shape: [3, 0], data: new Float32Array(0) };
    expect(parseIdx(encodeIdx(empty))).toEqual(empty);
    const scalar: IdxArray = { dtype: 'int16', shape: [], data: Int16Array.of(-5) };
    expect(parseIdx(encodeIdx(scalar))).toEqual(scalar);
  });

  test('uint8 elements share memory with the bytes that were given', () => {
    const file = samples[0].file.slice();
    expect(parseIdx(file).data.buffer).toBe(file.buffer);
  });

  test('readIdx takes bytes, an ArrayBuffer, and gzip', async () => {
    for (const { array, file } of samples) {
      await expect(readIdx(file)).resolves.toEqual(array);
      await expect(readIdx(file.slice().buffer)).resolves.toEqual(array);
      await expect(readIdx(gzipSync(file))).resolves.toEqual(array);
    }
  });

  test('idxToTensor gives whole numbers as int32 and keeps floating point', () => {
    const tensors = samples.map(({ array }) => idxToTensor(array));
    expect(tensors.map(({ dtype }) => dtype)).toEqual([
      'int32',
      'int32',
      'int32',
      'int32',
      'float32',
      'float64',
    ]);
    samples.forEach(({ array }, i) => {
      expect(tensors[i].shape).toEqual(array.shape);
      expect(Array.from(tensors[i].toTypedArray())).toEqual(Array.from(array.data));
    });
    const cast = idxToTensor(samples[0].array, { dtype: 'float32' });
    expect([cast.dtype, Array.from(cast.toTypedArray())]).toEqual(['float32', [0, 1, 128, 255]]);
  });
});

describe('malformed IDX', () => {
  const good = samples[2].file; // int16 [2]
  const patched = (at: number, ...values: number[]): Uint8Array => {
    const copy = good.slice();
    copy.set(values, at);
    return copy;
  };
  const thrown = (file: Uint8Array): Error => {
    try {
      parseIdx(file, { name: 'x.idx' });
    } catch (error) {
      if (error instanceof Error) return error;
    }
    throw new Error('no error was thrown');
  };

  test.each<[string, Uint8Array, string]>([
    [
      'an empty file',
      bytes(),
      'x.idx: truncated header: an IDX file begins with 4 bytes of magic number, found 0 bytes.',
    ],
    [
      'a text file',
      new TextEncoder().encode('<html>'),
      'x.idx: wrong magic number 0x3c 0x68 0x74 0x6d: an IDX file begins with 0x00 0x00, element type, rank.',
    ],
    ['a second byte that is not 0', patched(1, 1), 'x.idx: wrong magic number 0x00 0x01 0x0b 0x01'],
    [
      'an element type that does not exist',
      patched(2, 0x0a),
      'x.idx: unknown element type 0x0a in the magic number; known are 0x08 (uint8), 0x09 (int8), ' +
        '0x0b (int16), 0x0c (int32), 0x0d (float32), 0x0e (float64).',
    ],
    [
      'a header that ends early',
      good.subarray(0, 7),
      'x.idx: truncated header: with 1 dimensions it has 8 bytes, found 7 bytes.',
    ],
    [
      'data that end early',
      good.subarray(0, 11),
      'x.idx: truncated data, or wrong sizes: the header announces [2] elements of int16, a file of 12 bytes, ' +
        'found only 11 bytes.',
    ],
    [
      'trailing bytes',
      bytes(...good, 9),
      'x.idx: 1 trailing bytes: the header announces [2] elements of int16, a file of 12 bytes, found 13 bytes.',
    ],
    [
      'gzip',
      gzipSync(good),
      'x.idx: compressed with gzip; readIdx reads it, parseIdx takes the decompressed bytes.',
    ],
    [
      'sizes whose product no double can hold',
      bytes(0, 0, 0x0e, 2, 255, 255, 255, 255, 255, 255, 255, 255, 1, 2, 3, 4),
      'the header announces [4294967295, 4294967295] elements of float64, a file of 147573952520956936212 bytes, ' +
        'found only 16 bytes.',
    ],
    [
      'sizes whose product is 0 modulo 2^32 and modulo 2^64',
      bytes(0, 0, 0x08, 2, 128, 0, 0, 0, 128, 0, 0, 0, 1, 2, 3, 4),
      'the header announces [2147483648, 2147483648] elements of uint8, a file of 4611686018427387916 bytes',
    ],
    [
      '255 dimensions',
      new Uint8Array(1024).fill(255).fill(0, 0, 2).fill(8, 2, 3),
      'truncated data, or wrong sizes',
    ],
  ])('%s is an IdxError', (_, file, text) => {
    const error = thrown(file);
    expect(error).toBeInstanceOf(IdxError);
    expect(error).toBeInstanceOf(TapegradError);
    expect(error.message).toContain(text);
  });

  test('every beginning of a good file is refused', () => {
    for (const { file } of samples) {
      for (let n = 0; n < file.length; n++) {
        expect(thrown(file.subarray(0, n))).toBeInstanceOf(IdxError);
      }
    }
  });

  test('an absurd header allocates nothing', () => {
    // 16 bytes that announce 2 GiB, which could be allocated: only memory tells whether it was.
    const file = bytes(0, 0, 0x0c, 2, 0, 0, 0x40, 0, 0, 0, 0x80, 0, 0, 0, 0, 0);
    const before = process.memoryUsage().arrayBuffers;
    for (let i = 0; i < 20; i++) expect(thrown(file)).toBeInstanceOf(IdxError);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 20);
  });

  test('encodeIdx refuses what it cannot write', () => {
    const data = Int16Array.of(1, 2);
    expect(() => encodeIdx({ dtype: 'int16', shape: [3], data })).toThrow(
      'The shape [3] does not hold 2 elements.',
    );
    expect(() => encodeIdx({ dtype: 'int16', shape: [2.5], data })).toThrow(
      'IDX holds at most 255 dimensions, each a whole number below 2^32; got [2.5].',
    );
    // Callers in JavaScript have no types that keep them from this.
    const wrong: IdxArray = JSON.parse('{"dtype": "int32", "shape": [2]}') as IdxArray;
    expect(() => encodeIdx(Object.assign(wrong, { data }))).toThrow(
      'Elements of int32 are given in a Int32Array, not in a Int16Array.',
    );
  });
});

describe('gzip and files', () => {
  let folder: string;
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'tapegrad-idx-'))));
  afterAll(() => rmSync(folder, { recursive: true }));
  const { array, file } = samples[3];

  test('a path, plain and compressed', async () => {
    const plain = join(folder, 'plain');
    const packed = join(folder, 'packed.gz');
    writeFileSync(plain, file);
    writeFileSync(packed, gzipSync(file));
    await expect(readIdx(plain)).resolves.toEqual(array);
    await expect(readIdx(packed)).resolves.toEqual(array);
  });

  test('errors name the path', async () => {
    const path = join(folder, 'short');
    writeFileSync(path, file.subarray(0, 13));
    await expect(readIdx(path)).rejects.toThrow(`${path}: truncated data`);
    const missing = join(folder, 'nothing');
    await expect(readIdx(missing)).rejects.toThrow(
      new DatasetError(`There is no file '${missing}'.`),
    );
    await expect(readIdx(folder)).rejects.toThrow(
      new DatasetError(`There is no file '${folder}'.`),
    );
  });

  test('damaged gzip is an IdxError', async () => {
    const packed = gzipSync(file);
    const flipped = Uint8Array.from(packed);
    flipped[packed.length - 6] ^= 1; // in the checksum
    for (const damaged of [
      packed.subarray(0, 5),
      packed.subarray(0, -1),
      flipped,
      bytes(...packed, 1),
    ]) {
      await expect(readIdx(damaged, { name: 'x.gz' })).rejects.toThrow(IdxError);
      await expect(readIdx(damaged, { name: 'x.gz' })).rejects.toThrow('x.gz: damaged gzip file (');
    }
  });

  test('gzip in gzip is refused, not unpacked again', async () => {
    await expect(readIdx(gzipSync(gzipSync(file)))).rejects.toThrow('compressed with gzip');
  });

  test('a gzip bomb is refused after maxBytes, not after it has filled the memory', async () => {
    const bomb = gzipSync(new Uint8Array(200e6), { level: 1 });
    expect(bomb.length).toBeLessThan(1e6);
    const before = process.memoryUsage().arrayBuffers;
    const reading = readIdx(bomb, { name: 'bomb.gz', maxBytes: 1e6 });
    await expect(reading).rejects.toThrow(
      new IdxError(
        `bomb.gz: ${bomb.length} bytes of gzip decompress to more than the 1000000 bytes that are allowed here.`,
      ),
    );
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50e6);
  });

  test('a file beyond maxBytes is refused before it is read', async () => {
    const path = join(folder, 'sparse');
    writeFileSync(path, '');
    truncateSync(path, 2 ** 33); // 8 GiB that take no room on the disk
    await expect(readIdx(path)).rejects.toThrow(
      `${path}: has 8589934592 bytes, more than the 1073741824 bytes that are allowed here.`,
    );
  });
});
