import { decodeNpz, encodeNpz } from '@tapegrad/datasets';
import { FormatError, tensor, zeros } from '@tapegrad/tensor';
import { zipSync } from 'fflate';
import { bytesOf } from '../support/files.js';

const text = (s: string): Uint8Array => new TextEncoder().encode(s);

test("NumPy's own archive is read", () => {
  const arrays = decodeNpz(bytesOf('npz'));
  expect([...arrays].map(([name, t]) => [name, t.dtype, t.toArray()])).toEqual([
    [
      'x',
      'float32',
      [
        [0, 1, 2],
        [3, 4, 5],
      ],
    ],
    ['y', 'int32', [1, 2]],
  ]);
});

test.each([false, true])('what is written is read again (compress: %p)', (compress) => {
  const tensors = new Map([
    ['a', tensor([1, 2])],
    ['__proto__', zeros([200, 200])],
  ]);
  const bytes = encodeNpz(tensors, { compress });
  expect(bytes.length < 100_000).toBe(compress);
  const read = decodeNpz(bytes);
  expect([...read.keys()]).toEqual(['a', '__proto__']);
  expect(read.get('a')?.toArray()).toEqual([1, 2]);
  expect(encodeNpz(tensors, { compress })).toEqual(bytes);
});

test('an archive without arrays is empty, and other files in it are passed over', () => {
  expect(decodeNpz(encodeNpz({})).size).toBe(0);
  expect(decodeNpz(zipSync({ 'readme.txt': text('hello') })).size).toBe(0);
});

/** The archive with bytes changed in the directory entry of its only file. */
function forged(at: number, bytes: readonly number[]): Uint8Array {
  const archive = encodeNpz({ x: zeros([1000]) }, { compress: true });
  const directory = Buffer.from(archive.buffer).indexOf('PK\x01\x02', 0, 'latin1');
  archive.set(bytes, directory + at);
  return archive;
}

test.each<[string, Uint8Array, RegExp]>([
  ['nothing', new Uint8Array(0), /no zip archive/],
  ['another file', bytesOf('rows'), /no zip archive/],
  ['a truncated archive', bytesOf('npz').subarray(0, -30), /no zip archive, or a damaged one/],
  ['an entry that is no array', zipSync({ 'x.npy': text('hello') }), /array 'x': is no \.npy file/],
  ['a size beyond the limit', forged(24, [0, 0, 0, 0x7f]), /decompresses to more than/],
  ['a size beyond what deflate can do', forged(24, [0, 0, 0, 1]), /a size that it cannot have/],
  ['a size that is too small', forged(24, [90, 0, 0, 0]), /./],
  ['a compressed size beyond the file', forged(20, [0, 0, 0, 1]), /a size that it cannot have/],
])('%s is an error', (_, bytes, message) => {
  const read = (): unknown => decodeNpz(bytes, { name: 'x.npz' });
  expect(read).toThrow(FormatError);
  expect(read).toThrow(message);
  expect(read).toThrow(/^x\.npz: /);
});

test('an archive that announces endless entries is refused at once', () => {
  const bytes = encodeNpz({ x: zeros([2]) });
  const view = new DataView(bytes.buffer);
  view.setUint16(bytes.length - 22 + 8, 0xffff, true);
  expect(() => decodeNpz(bytes)).toThrow(FormatError);
});

test('the limit of the size is that of all arrays together', () => {
  const bytes = encodeNpz({ a: zeros([1000]), b: zeros([1000]) }, { compress: true });
  expect(decodeNpz(bytes, { maxBytes: 9000 }).size).toBe(2);
  expect(() => decodeNpz(bytes, { maxBytes: 5000 })).toThrow(/more than the 5000 bytes/);
});
