import { checkSha256, gunzip, isGzip, join, reasonOf, type Bytes } from './bytes.js';
import { DatasetError, DownloadError, type DownloadFailure } from './errors.js';

/** A file whose content is known beforehand. */
export interface KnownFile {
  /** Name of the decompressed file. */
  name: string;
  /** Bytes of the decompressed file. */
  size: number;
  /** SHA-256 of the decompressed file, lower-case hexadecimal. */
  sha256: string;
}

export interface DownloadOptions {
  /** Addresses of folders that hold `<name>.gz`, in the order in which they are tried. */
  mirrors: readonly string[];
  /** An attempt ends when no byte has come for this many milliseconds. Default: 30,000. */
  stallMs?: number;
  /** Ends the download; the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
  /** Told which address is being fetched, and which has failed. */
  log?: (line: string) => void;
}

/**
 * Fetches `<mirror>/<name>.gz` from the first mirror that delivers the right file and returns its
 * decompressed bytes. An answer is never read beyond what the known size allows, nor decompressed
 * beyond the known size; what arrives must have the known SHA-256.
 *
 * @throws DownloadError no mirror delivered the file
 * @throws the reason of `signal`, when it aborts
 */
export async function fetchVerified(file: KnownFile, options: DownloadOptions): Promise<Bytes> {
  const { mirrors, stallMs = 30_000, signal, log = () => undefined } = options;
  const failures: DownloadFailure[] = [];
  for (const mirror of mirrors) {
    const url = `${mirror}${mirror.endsWith('/') ? '' : '/'}${file.name}.gz`;
    try {
      log(`Downloading ${url}`);
      // Deflate never makes a file longer by more than 5 bytes in 16 KiB (RFC 1951, section 3.2.4).
      const maxBytes = Math.ceil(file.size * 1.001) + 1024;
      const answer = await fetchUpTo(url, maxBytes, stallMs, signal);
      const raw = isGzip(answer)
        ? await gunzip(answer, { name: 'the answer', maxBytes: file.size })
        : answer;
      await checkSha256(raw, file.sha256, 'the answer');
      return raw;
    } catch (error) {
      signal?.throwIfAborted();
      failures.push({ url, reason: reasonOf(error) });
      log(`Download failed: ${url}: ${reasonOf(error)}`);
    }
  }
  throw new DownloadError(downloadMessage(file.name, failures), failures);
}

function downloadMessage(name: string, failures: readonly DownloadFailure[]): string {
  if (failures.length === 0) return `${name} cannot be downloaded: there are no mirrors to ask.`;
  const list = failures.map(({ url, reason }) => `\n  ${url}: ${reason}`).join('');
  return `${name} could not be downloaded from any of ${failures.length} mirrors:${list}`;
}

const STALL_TICKS = 5;

/** The body of one answer, with a bound on its size and on the time between two of its chunks. */
async function fetchUpTo(
  url: string,
  maxBytes: number,
  stallMs: number,
  signal: AbortSignal | undefined,
): Promise<Bytes> {
  signal?.throwIfAborted();
  const attempt = new AbortController();
  const follow = () => attempt.abort(signal?.reason);
  signal?.addEventListener('abort', follow, { once: true });
  // Ticks are counted instead of one long timer: when the program itself was busy (or the machine asleep) for long,
  // only one tick has passed, and bytes that have been waiting in the socket are still read.
  let quiet = 0;
  const ticks = setInterval(() => {
    if (++quiet > STALL_TICKS) {
      attempt.abort(new DatasetError(`stalled: no bytes came for ${stallMs} ms`));
    }
  }, stallMs / STALL_TICKS);
  try {
    const response = await fetch(url, { signal: attempt.signal });
    if (!response.ok) {
      throw new DatasetError(
        `the server answered ${response.status} ${response.statusText}`.trim(),
      );
    }
    if (response.body === null) return new Uint8Array(0);
    quiet = 0;
    const reader = response.body.getReader();
    const chunks: Uint8Array[] = [];
    let total = 0;
    for (;;) {
      const { done, value } = await reader.read();
      quiet = 0;
      if (done) return join(chunks, total);
      total += value.length;
      if (total > maxBytes) {
        throw new DatasetError(`the server sent more than ${maxBytes} bytes, expected fewer`);
      }
      chunks.push(value);
    }
  } catch (error) {
    attempt.signal.throwIfAborted(); // with the reason, where fetch says no more than "aborted"
    throw error;
  } finally {
    clearInterval(ticks);
    signal?.removeEventListener('abort', follow);
    attempt.abort(); // closes the connection of an answer that was not read to its end
  }
}
