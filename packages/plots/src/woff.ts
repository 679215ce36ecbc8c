import { PlotError } from './errors.js';

const HEADER = 44;
const ENTRY = 20;

/**
 * Unpacks a WOFF 1.0 font to the TrueType or OpenType file that it was made from.
 * Source: WOFF File Format 1.0, W3C 2012, sections 3 to 5: a header, a directory, and each table compressed by zlib if that helped.
 *
 * @param inflate undoes zlib's compression
 */
export function unpackWoff(
  woff: Uint8Array,
  inflate: (bytes: Uint8Array) => Uint8Array,
): Uint8Array {
  const from = new DataView(woff.buffer, woff.byteOffset, woff.byteLength);
  if (woff.length < HEADER || from.getUint32(0) !== 0x774f4646) {
    throw new PlotError("The font is no WOFF file: it does not begin with 'wOFF'.");
  }
  const count = from.getUint16(12);
  const tables = Array.from({ length: count }, (_, i) => {
    const at = HEADER + i * ENTRY;
    const [offset, packed, length] = [4, 8, 12].map((field) => from.getUint32(at + field));
    const bytes = woff.subarray(offset, offset + packed);
    return {
      tag: from.getUint32(at),
      checksum: from.getUint32(at + 16),
      bytes: packed < length ? inflate(bytes) : bytes,
    };
  });

  // sfnt: 12 bytes of header, 16 for each table, then the tables, each on a multiple of 4.
  const begin = 12 + 16 * count;
  const total = tables.reduce((sum, { bytes }) => sum + aligned(bytes.length), begin);
  const sfnt = new Uint8Array(total);
  const to = new DataView(sfnt.buffer);
  const log2 = Math.floor(Math.log2(count));
  to.setUint32(0, from.getUint32(4));
  [count, 16 << log2, log2, 16 * count - (16 << log2)].forEach((v, i) =>
    to.setUint16(4 + 2 * i, v),
  );
  let at = begin;
  tables.forEach(({ tag, checksum, bytes }, i) => {
    [tag, checksum, at, bytes.length].forEach((v, field) =>
      to.setUint32(12 + 16 * i + 4 * field, v),
    );
    sfnt.set(bytes, at);
    at += aligned(bytes.length);
  });
  return sfnt;
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}
