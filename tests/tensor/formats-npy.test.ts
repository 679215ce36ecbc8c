import { FormatError, decodeNpy, encodeNpy, tensor, zeros } from '@tapegrad/tensor';
import { bytesOf } from '../support/files.js';

const grid = [
  [0, 1, 2],
  [3, 4, 5],
];

/** A version 1.0 file of any header. */
function file(header: string, body = 0): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(10 + text.length + body);
  bytes.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 255, text.length >> 8]);
  bytes.set(text, 10);
  return bytes;
}

const header = (shape: string, descr = "'<f4'", order = 'False'): string =>
  `{'descr': ${descr}, 'fortran_order': ${order}, 'shape': ${shape}, }`;

describe("files of NumPy's own", () => {
  test.each([
    ['rows', 'float32', grid],
    ['columns', 'float32', grid],
    ['bigEndian', 'float64', grid],
    ['bool', 'bool', [1, 0]],
    ['int64', 'int32', [[-1, 2 ** 31 - 1]]],
    ['version2', 'int32', [0, 1, 2]],
    ['scalar', 'float64', 3.5],
    ['uint16', 'int32', [65535]],
  ] as const)('%s', (name, dtype, values) => {
    const read = decodeNpy(bytesOf(name));
    expect([read.dtype, read.toArray()]).toEqual([dtype, values]);
  });

  test('what is written has the very bytes that NumPy writes', () => {
    const rows = decodeNpy(bytesOf('rows'));
    expect(encodeNpy(rows)).toEqual(bytesOf('rows'));
    expect(encodeNpy(decodeNpy(bytesOf('columns')))).toEqual(bytesOf('rows'));
    expect(encodeNpy(tensor([true, false]))).toEqual(bytesOf('bool'));
    expect(encodeNpy(tensor(3.5, 'float64'))).toEqual(bytesOf('scalar'));
  });

  test('every truncation is an error', () => {
    const bytes = bytesOf('rows');
    for (let n = 0; n < bytes.length; n++) {
      expect(() => decodeNpy(bytes.subarray(0, n))).toThrow(FormatError);
    }
  });
});

test('empty tensors and views go out and come back', () => {
  expect(decodeNpy(encodeNpy(zeros([0, 3]))).shape).toEqual([0, 3]);
  const view = tensor(grid).slice({ begin: [0, 1], size: [2, 2] });
  expect(decodeNpy(encodeNpy(view)).toArray()).toEqual(view.toArray());
});

test('other ways to write the header are understood', () => {
  expect(decodeNpy(file(`{"shape":(2L,),"fortran_order":False,"descr":"<i4"}\n`, 8)).shape).toEqual(
    [2],
  );
  expect(decodeNpy(file(header('(1, 2)', "'|u1'"), 2)).toArray()).toEqual([[0, 0]]);
});

test.each<[string, Uint8Array, RegExp]>([
  ['another file', new TextEncoder().encode('PK\x03\x04 something'), /is no \.npy file/],
  ['an unknown version', file(header('(1,)'), 4).fill(9, 6, 7), /version 9\.0.*known are 1\.0/],
  ['a header beyond the file', bytesOf('rows').fill(255, 8, 10), /announces a header of 65535/],
  ['objects', bytesOf('objects'), /type '\|O', which cannot be read; known are f4/],
  ['records', bytesOf('records'), /records cannot be read/],
  ['texts', file(header('(1,)', "'<U1'"), 4), /type '<U1', which cannot be read/],
  ['half floats', file(header('(1,)', "'<f2'"), 2), /type '<f2'/],
  [
    'a type of every object',
    file(header('(1,)', "'constructor'"), 4),
    /'constructor', which cannot/,
  ],
  ['code', file(header('(1,)', '__import__("os").system("id")'), 4), /something is not understood/],
  ['a negative size', file(header('(-1,)'), 4), /not understood/],
  ['an absurd size', file(header(`(${'9'.repeat(400)},)`), 4), /whole numbers of 0 or more/],
  ['absurd sizes', file(header('(4294967296, 4294967296)'), 4), /needs 73786976294838206464 bytes/],
  ['too few elements', file(header('(2,)'), 4), /needs 8 bytes; there are 4/],
  ['too many elements', file(header('(1,)'), 8), /needs 4 bytes; there are 8/],
  ['a missing field', file("{'descr': '<f4', 'shape': (1,), }", 4), /missing or superfluous/],
  ['a field too many', file(`{'more': '', ${header('(1,)').slice(1)}`, 4), /superfluous/],
  ['a field twice', file(`{'shape': (1,), ${header('(1,)').slice(1)}`, 4), /'shape' stands twice/],
  ['something after the header', file(`${header('(1,)')} 1`, 4), /not understood/],
  ['a hole in the shape', file(header('(1,,2)'), 8), /the shape is not understood/],
])('%s is an error', (_, bytes, message) => {
  const read = (): unknown => decodeNpy(bytes, { name: 'x.npy' });
  expect(read).toThrow(FormatError);
  expect(read).toThrow(message);
  expect(read).toThrow(/^x\.npy: /);
});
