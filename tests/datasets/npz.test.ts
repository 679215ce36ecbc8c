import { decodeNpz, encodeNpz } from '@tapegrad/datasets';
import { FormatError, tensor, zeros } from '@tapegrad/tensor';
import { zipSync } from 'fflate';
import { crc32, crcsIn } from '../../packages/datasets/src/crc.js';
import { bytesOf } from '../support/files.js';
import { Numbers } from '../support/numbers.js';

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

test('names need not be ASCII, whichever way the archive writes them', () => {
  const tensors = { größe: tensor([1]), 日本: tensor([2]) };
  expect([...decodeNpz(encodeNpz(tensors)).keys()]).toEqual(['größe', '日本']);
  const archive = encodeNpz({ abc: tensor([1]) });
  // The older way, a byte for each character.
  for (let at = 0; at < archive.length - 3; at++) {
    if (Buffer.from(archive.buffer).toString('latin1', at, at + 3) === 'abc') archive[at] = 0xe4;
  }
  expect([...decodeNpz(archive).keys()]).toEqual(['äbc']);
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

describe('checksums', () => {
  test('are those that other programs write', () => {
    expect(crc32(text('123456789'))).toBe(0xcbf43926);
    const archive = (content: Uint8Array): Uint8Array => zipSync({ 'x.npy': content });
    const numbers = new Numbers(3);
    for (let length = 0; length < 600; length += 37) {
      const content = Uint8Array.from({ length }, () => numbers.integer(0, 255));
      expect(crcsIn(archive(content)).get('x.npy')).toBe(crc32(content));
    }
  });

  test.each([false, true])('find every bit that was flipped (compress: %p)', (compress) => {
    const values = Float32Array.from({ length: 20 }, (_, i) => Math.sin(i));
    const archive = encodeNpz({ x: tensor(values) }, { compress });
    const content = Buffer.from(archive.buffer).indexOf('x.npy', 0, 'latin1') + 'x.npy'.length;
    const directory = Buffer.from(archive.buffer).indexOf('PK\x01\x02', 0, 'latin1');
    for (let at = content; at < directory; at++) {
      const damaged = archive.slice();
      damaged[at] ^= 1 << (at % 8);
      expect(() => decodeNpz(damaged, { name: 'x.npz' })).toThrow(FormatError);
    }
    const damaged = archive.slice();
    damaged[directory + 16] ^= 255;
    expect(() => decodeNpz(damaged, { name: 'x.npz' })).toThrow(
      /^x\.npz: 'x\.npy' is damaged: its checksum \(CRC-32\) is [0-9a-f]{8}, and the archive says [0-9a-f]{8}\. Fetch/,
    );
  });

  test('are found behind a comment, and in the 64-bit format', () => {
    const archive = encodeNpz({ x: tensor([1, 2]) });
    const [head, end] = [archive.subarray(0, -22), archive.slice(-22)];
    const start = new DataView(end.buffer).getUint32(16, true);
    const size = new DataView(end.buffer).getUint32(12, true);
    new DataView(end.buffer).setUint16(20, 5, true);
    const commented = Buffer.concat([head, end, text('hello')]);
    expect(decodeNpz(commented).get('x')?.toArray()).toEqual([1, 2]);

    const record = new DataView(new ArrayBuffer(56 + 20));
    record.setUint32(0, 0x06064b50, true);
    record.setBigUint64(4, 44n, true);
    for (const at of [24, 32]) record.setBigUint64(at, 1n, true);
    record.setBigUint64(40, BigInt(size), true);
    record.setBigUint64(48, BigInt(start), true);
    record.setUint32(56, 0x07064b50, true);
    record.setBigUint64(56 + 8, BigInt(head.length), true);
    new DataView(end.buffer).setUint16(20, 0, true);
    new DataView(end.buffer).setUint32(16, 0xffffffff, true);
    const large = Buffer.concat([head, new Uint8Array(record.buffer), end]);
    expect(decodeNpz(large).get('x')?.toArray()).toEqual([1, 2]);
  });
});

test.each([
  ['fewer files than there are', 8, 1],
  ['no file', 8, 0],
  ['a directory where none is', 16, 7],
])('an archive that announces %s loses none in silence', (_, at, value) => {
  const bytes = encodeNpz({ x: tensor([1]), y: tensor([2]) });
  bytes[bytes.length - 22 + at] = value;
  expect(() => decodeNpz(bytes, { name: 'x.npz' })).toThrow(
    /^x\.npz: is damaged: it announces \d files, and its directory has \d\./,
  );
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
