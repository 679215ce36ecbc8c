/**
 * Checksums of the files in zip archives, which fflate reads but does not check.
 */
import { strFromU8 } from 'fflate';

/**
 * CRC-32: the bytes as a polynomial over GF(2), its remainder by x³² + x²⁶ + … + 1 with the bits turned round (0xedb88320), a
 * byte at a time by a table of the remainders of all bytes (RFC 1952, section 8).
 *
 * @returns from 0 to 2³² − 1
 */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) crc = (crc >>> 8) ^ TABLE[(crc ^ bytes[i]) & 0xff];
  return ~crc >>> 0;
}

const TABLE = Int32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) {
    remainder = remainder & 1 ? (remainder >>> 1) ^ 0xedb88320 : remainder >>> 1;
  }
  return remainder;
});

const END = 0x06054b50;
const END_LENGTH = 22;
const END_64 = 0x06064b50;
const ENTRY = 0x02014b50;
const ENTRY_LENGTH = 46;

/**
 * The checksums that the directory of a zip archive gives, by the names of the files (PKWARE's APPNOTE.TXT, sections 4.3.12 to
 * 4.3.16). What is no directory has none.
 */
export function crcsIn(archive: Uint8Array): Map<string, number> {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const crcs = new Map<string, number>();
  let at = directoryOf(view);
  while (at + ENTRY_LENGTH <= view.byteLength && view.getUint32(at, true) === ENTRY) {
    const nameLength = view.getUint16(at + 28, true);
    const name = archive.subarray(at + ENTRY_LENGTH, at + ENTRY_LENGTH + nameLength);
    const utf8 = (view.getUint16(at + 8, true) & 0x800) !== 0;
    crcs.set(strFromU8(name, !utf8), view.getUint32(at + 16, true));
    at += ENTRY_LENGTH + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return crcs;
}

/** Where the directory begins: the record at the archive's end says it, or, for the 64-bit format, a record before that. */
function directoryOf(view: DataView): number {
  let end = view.byteLength - END_LENGTH;
  while (end >= 0 && view.getUint32(end, true) !== END) end--;
  if (end < 0) return view.byteLength;
  const offset = view.getUint32(end + 16, true);
  if (offset !== 0xffffffff || end < 20) return offset;
  const end64 = Number(view.getBigUint64(end - 12, true));
  const there = end64 + 56 <= view.byteLength && view.getUint32(end64, true) === END_64;
  return there ? Number(view.getBigUint64(end64 + 48, true)) : offset;
}
