/**
 * .npz files: zip archives of .npy files, one for each array, as `numpy.savez` and `savez_compressed` write them.
 */
import { FormatError, decodeNpy, encodeNpy, type Tensor } from '@tapegrad/tensor';
import { unzipSync, zipSync, type UnzipFileInfo } from 'fflate';
import { crc32, crcsIn } from './crc.js';

/** Deflate packs at most 258 bytes into 2 bits: no honest entry is larger than 1032 times its compressed size. */
const MAX_RATIO = 1032;

/** 1980, the first day that a zip archive can name: the same arrays give the same bytes whenever they are written. */
const EPOCH = new Date(1980, 0, 1);

/**
 * Writes tensors into the bytes of a .npz file, which `numpy.load` reads.
 *
 * @param tensors by name
 * @param options.compress default false, as `numpy.savez`
 * @example
 * decodeNpz(encodeNpz({ x: tensor([1, 2]) })).get('x').toArray(); // [1, 2]
 */
export function encodeNpz(
  tensors: Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>,
  { compress = false }: { compress?: boolean } = {},
): Uint8Array {
  const entries = isMap(tensors) ? [...tensors] : Object.entries(tensors);
  const files = entries.map(([name, t]) => [`${name}.npy`, encodeNpy(t)] as const);
  return zipSync(Object.fromEntries(files), { level: compress ? 6 : 0, mtime: EPOCH });
}

/**
 * Reads the bytes of a .npz file; entries that are no .npy files are passed over.
 *
 * @param bytes the whole file
 * @param options.name what messages call it, usually the path
 * @param options.maxBytes the largest size that the arrays may have together when decompressed; 1 GiB by default
 * @returns the tensors by name, without the '.npy'
 * @throws FormatError no zip archive, damaged, other numbers of files announced than there, arrays larger than allowed or than their compressed size can hold, a name twice,
 *   contents that do not have the checksum (CRC-32) that the archive gives, and everything that `decodeNpy` throws, with the array's name
 * @example
 * decodeNpz(encodeNpz({ x: zeros([2, 3]) })).get('x').shape; // [2, 3]
 */
export function decodeNpz(
  bytes: Uint8Array,
  { name = 'npz data', maxBytes = 2 ** 30 }: { name?: string; maxBytes?: number } = {},
): Map<string, Tensor> {
  const names = new Set<string>();
  let total = 0;
  let seen = 0;
  // Asked before each entry is decompressed: the sizes that the archive announces are compared with what it can hold.
  const filter = (entry: UnzipFileInfo): boolean => {
    // Each entry has at least 46 bytes in the directory: a count that cannot be is found before it is counted to.
    if (++seen * 46 > bytes.length) throw new FormatError(`${name}: announces too many entries.`);
    if (!entry.name.endsWith('.npy')) return false;
    if (names.has(entry.name)) throw new FormatError(`${name}: holds '${entry.name}' twice.`);
    names.add(entry.name);
    total += entry.originalSize;
    if (total > maxBytes) {
      throw new FormatError(
        `${name}: decompresses to more than the ${maxBytes} bytes that are allowed; raise maxBytes if that is right.`,
      );
    }
    const room = entry.compression === 0 ? 1 : MAX_RATIO;
    if (entry.size > bytes.length || entry.originalSize > entry.size * room) {
      throw new FormatError(`${name}: '${entry.name}' announces a size that it cannot have.`);
    }
    return true;
  };
  let files: Record<string, Uint8Array>;
  try {
    files = unzipSync(bytes, { filter });
  } catch (error) {
    if (error instanceof FormatError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new FormatError(`${name}: is no zip archive, or a damaged one (${reason}).`);
  }
  const crcs = crcsIn(bytes);
  if (crcs.size !== seen) {
    throw new FormatError(
      `${name}: is damaged: it announces ${seen} files, and its directory has ${crcs.size}. Fetch or write the file again.`,
    );
  }
  return new Map(
    Object.entries(files).map(([file, content]) => {
      const [expected, found] = [crcs.get(file), crc32(content)];
      if (found !== expected) {
        throw new FormatError(
          `${name}: '${file}' is damaged: its checksum (CRC-32) is ${hex(found)}, and the archive says ` +
            `${expected === undefined ? 'none' : hex(expected)}. Fetch or write the file again.`,
        );
      }
      const title = file.slice(0, -'.npy'.length);
      return [title, decodeNpy(content, { name: `${name}: array '${title}'` })];
    }),
  );
}

const hex = (crc: number): string => crc.toString(16).padStart(8, '0');

function isMap(
  x: Readonly<Record<string, Tensor>> | ReadonlyMap<string, Tensor>,
): x is ReadonlyMap<string, Tensor> {
  return x instanceof Map;
}
