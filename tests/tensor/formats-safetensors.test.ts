import {
  FormatError,
  ValueError,
  decodeSafetensors,
  encodeSafetensors,
  tensor,
  zeros,
} from '@tapegrad/tensor';
import { bytesOf } from '../support/files.js';

/** A file of any header, with or without the right length in front. */
function file(header: unknown, body = 0, length?: bigint): Uint8Array {
  const json = new TextEncoder().encode(
    typeof header === 'string' ? header : JSON.stringify(header),
  );
  const bytes = new Uint8Array(8 + json.length + body);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const entry = (
  from: unknown,
  to: unknown,
  shape: unknown = [1],
  dtype: unknown = 'F32',
): object => ({
  dtype,
  shape,
  data_offsets: [from, to],
});

describe('reading', () => {
  test("the format's own writer is understood", () => {
    const { tensors, metadata } = decodeSafetensors(bytesOf('safetensors'));
    const found = [...tensors].map(([name, t]) => [name, t.dtype, t.shape, t.toArray()]);
    expect(Object.fromEntries(found.map(([name, ...rest]) => [name, rest]))).toEqual({
      f32: [
        'float32',
        [2, 2],
        [
          [1.5, -2],
          [3, 4],
        ],
      ],
      f64: ['float64', [1], [0.1]],
      i32: ['int32', [2], [7, -8]],
      i64: ['int32', [2], [5, -6]],
      u8: ['int32', [1], [255]],
      bool: ['bool', [3], [1, 0, 1]],
      empty: ['float32', [0, 3], []],
      scalar: ['float32', [], 2.5],
    });
    expect([...metadata]).toEqual([['who', 'safetensors 0.8.0']]);
  });

  test('bytes that begin anywhere in a buffer are read, and are not kept', () => {
    const bytes = bytesOf('safetensors');
    for (const shift of [0, 1, 3]) {
      const moved = Buffer.alloc(bytes.length + shift);
      moved.set(bytes, shift);
      const { tensors } = decodeSafetensors(moved.subarray(shift));
      moved.fill(0xff);
      expect(tensors.get('f64')?.toArray()).toEqual([0.1]);
      expect(tensors.get('bool')?.toArray()).toEqual([1, 0, 1]);
    }
  });

  test('names that objects have of their own are names like others', () => {
    const bytes = file('{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 4);
    const { tensors } = decodeSafetensors(bytes);
    expect([...tensors.keys()]).toEqual(['__proto__']);
    expect(Object.hasOwn(Object.prototype, 'dtype')).toBe(false);
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(0), /truncated.*there are 0 bytes/],
    ['half a length', new Uint8Array(7), /truncated/],
    ['an absurd length', file({}, 0, 2n ** 63n), /header of 9223372036854775808 bytes, more than/],
    ['a header beyond the file', file({}, 0, 3n), /announces a header of 3 bytes; there are 2/],
    ['no JSON', file('{"a":'), /no JSON/],
    ['no UTF-8', file({}, 1, 3n).fill(0xff, 10), /no JSON/],
    ['a list', file([]), /no JSON object/],
    ['null', file(null), /no JSON object/],
    [
      'a name twice',
      file(`{"a":${JSON.stringify(entry(0, 4))},"\\u0061":${JSON.stringify(entry(0, 4))}}`, 4),
      /the name 'a' twice/,
    ],
    [
      'a field twice',
      file('{"a":{"dtype":"F32","shape":[1],"shape":[0],"data_offsets":[0,4]}}', 4),
      /'shape' twice/,
    ],
    ['a number for a tensor', file({ a: 3 }), /tensor 'a': needs a dtype/],
    ['no shape', file({ a: { dtype: 'F32', data_offsets: [0, 4] } }, 4), /needs a dtype, a shape/],
    ['fields from the prototype', file('{"a":{"__proto__":{"dtype":"F32"}}}'), /needs a dtype/],
    ['an unknown dtype', file({ a: entry(0, 4, [1], 'F8') }, 4), /dtype 'F8'.*known are F32/],
    ['a dtype of every object', file({ a: entry(0, 4, [1], 'constructor') }, 4), /cannot be read/],
    ['a negative size', file({ a: entry(0, 4, [-1]) }, 4), /whole numbers of 0 or more/],
    ['a fraction', file({ a: entry(0, 4, [0.5]) }, 4), /whole numbers of 0 or more/],
    ['a text for a size', file({ a: entry(0, 4, ['1']) }, 4), /whole numbers of 0 or more/],
    ['a shape that is too large', file({ a: entry(0, 4, [2]) }, 4), /needs 8 bytes; there are 4/],
    [
      'a product beyond all numbers',
      file({ a: entry(0, 4, [2 ** 50, 2 ** 50, 0.0]) }, 4),
      /needs 0 bytes/,
    ],
    ['an absurd shape', file({ a: entry(0, 4, [2 ** 40, 2 ** 40]) }, 4), /needs 48357032784585/],
    ['offsets in reverse', file({ a: entry(4, 0) }, 4), /in order; got \[4,0\]/],
    ['negative offsets', file({ a: entry(-4, 0) }, 4), /data_offsets must be/],
    ['fractions as offsets', file({ a: entry(0, 4.5) }, 5), /data_offsets must be/],
    ['three offsets', file({ a: { ...entry(0, 4), data_offsets: [0, 4, 8] } }, 8), /must be two/],
    ['offsets beyond the file', file({ a: entry(0, 4) }, 3), /there are only 3; the file is trunc/],
    ['offsets far beyond', file({ a: entry(0, 2 ** 52, [2 ** 50]) }, 4), /there are only 4/],
    ['an overlap', file({ a: entry(0, 8, [2]), b: entry(4, 8) }, 8), /'b': overlaps/],
    ['the same bytes twice', file({ a: entry(0, 4), b: entry(0, 4) }, 4), /overlaps/],
    ['a gap', file({ a: entry(0, 4), b: entry(8, 12) }, 12), /'b': 4 bytes before it/],
    ['a gap at the start', file({ a: entry(4, 8) }, 8), /4 bytes before it/],
    ['bytes at the end', file({ a: entry(0, 4) }, 5), /1 bytes at the end/],
    ['a truth value of 2', file({ a: entry(0, 1, [1], 'BOOL') }, 1).fill(2, -1), /there is a 2/],
    ['metadata that is a list', file({ __metadata__: [] }), /no JSON object/],
    ['metadata with a number', file({ __metadata__: { a: 1 } }), /texts only; 'a' is none/],
    ['a number of 64 bits', file({ a: entry(0, 8, [1], 'I64') }, 8).fill(0x7f, -8), /than 32 bits/],
  ])('%s is an error', (_, bytes, message) => {
    const read = (): unknown => decodeSafetensors(bytes, { name: 'x.safetensors' });
    expect(read).toThrow(FormatError);
    expect(read).toThrow(message);
    expect(read).toThrow(/^x\.safetensors: /);
  });

  test('every truncation of a good file is an error', () => {
    const bytes = bytesOf('safetensors');
    for (let n = 0; n < bytes.length; n++) {
      expect(() => decodeSafetensors(bytes.subarray(0, n))).toThrow(FormatError);
    }
  });
});

describe('writing', () => {
  test('what was written is read again: values, shapes, dtypes, metadata', () => {
    const tensors = {
      truth: tensor([true, false, true]),
      single: tensor([
        [0.1, -0],
        [Infinity, NaN],
      ]),
      double: tensor([0.1], 'float64'),
      whole: tensor([[[-(2 ** 31)]]], 'int32'),
      view: tensor([
        [1, 2],
        [3, 4],
      ]).transpose(),
      empty: zeros([0, 2]),
      scalar: tensor(5),
      ünï: tensor([1]),
    };
    const bytes = encodeSafetensors(tensors, { a: 'ä "quoted"' });
    const read = decodeSafetensors(bytes);
    for (const [name, t] of Object.entries(tensors)) {
      const back = read.tensors.get(name);
      expect([name, back?.dtype, back?.shape]).toEqual([name, t.dtype, t.shape]);
      expect(back?.toArray()).toEqual(t.toArray());
    }
    expect([...read.metadata]).toEqual([['a', 'ä "quoted"']]);
  });

  test('elements lie at multiples of their size', () => {
    const bytes = encodeSafetensors({
      b: tensor([true]),
      d: tensor([1], 'float64'),
      f: tensor([1]),
    });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const { d, f } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
      string,
      { data_offsets: number[] }
    >;
    expect([d.data_offsets[0] % 8, f.data_offsets[0] % 4]).toEqual([0, 0]);
  });

  test('Maps do as well, with any name but the one that the format keeps', () => {
    const bytes = encodeSafetensors(new Map([['__proto__', tensor([1])]]));
    expect([...decodeSafetensors(bytes).tensors.keys()]).toEqual(['__proto__']);
    expect(() => encodeSafetensors({ __metadata__: tensor([1]) })).toThrow(ValueError);
  });

  test('no tensors at all are a file too', () => {
    expect(decodeSafetensors(encodeSafetensors({})).tensors.size).toBe(0);
  });
});
