import { DatasetError, IdxError } from './errors.js';

/** Bytes in memory of their own: what files and downloads are read into. */
export type Bytes = Uint8Array<ArrayBuffer>;

const SLICE = 1 << 16;

/** Whether the bytes begin as every gzip file does: 1f 8b (RFC 1952, section 2.3.1). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/**
 * Decompresses gzip with the platform's DecompressionStream (Node and browsers). The input is fed in
 * slices and the output is counted as it comes, so that a small file that would grow beyond `maxBytes`
 * is refused after `maxBytes`, not after it has filled the memory.
 */
export async function gunzip(
  bytes: Uint8Array,
  { name, maxBytes }: { name: string; maxBytes: number },
): Promise<Bytes> {
  let fed = 0;
  const source = new ReadableStream<Bytes>({
    pull(controller) {
      if (fed < bytes.length) controller.enqueue(bytes.slice(fed, (fed += SLICE)));
      else controller.close();
    },
  });
  const reader = source.pipeThrough(new DecompressionStream('gzip')).getReader();
  const chunks: Uint8Array[] = [];
  let total = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((error: unknown) => {
      throw new IdxError(`${name}: damaged gzip file (${reasonOf(error)}).`);
    });
    if (done) return join(chunks, total);
    total += value.length;
    if (total > maxBytes) {
      await reader.cancel().catch(() => undefined);
      throw new IdxError(
        `${name}: ${bytes.length} bytes of gzip decompress to more than the ${maxBytes} bytes that are allowed here.`,
      );
    }
    chunks.push(value);
  }
}

/** The chunks in one piece; `total` is the sum of their lengths. */
export function join(chunks: readonly Uint8Array[], total: number): Bytes {
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Throws a DatasetError unless the bytes have this SHA-256 (in lower-case hexadecimal). */
export async function checkSha256(bytes: Bytes, sha256: string, name: string): Promise<void> {
  if (!('subtle' in globalThis.crypto)) {
    throw new DatasetError(
      `${name}: cannot be checked, as browsers compute SHA-256 for pages from https or localhost only.`,
    );
  }
  const found = hex(await globalThis.crypto.subtle.digest('SHA-256', bytes));
  if (found !== sha256) {
    throw new DatasetError(
      `${name}: damaged, or another file: its ${bytes.length} bytes have the SHA-256 ${found}, expected ${sha256}.`,
    );
  }
}

function hex(digest: ArrayBuffer): string {
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/**
 * The text of anything thrown, with the cause that `fetch` hides behind "fetch failed". Looks at fields, not at the
 * class: errors of the platform may come from another realm.
 */
export function reasonOf(error: unknown): string {
  const { message, cause } = Object(error) as { message?: unknown; cause?: unknown };
  const text =
    typeof message === 'string' && message !== '' ? message : (codeOf(error) ?? String(error));
  return cause === undefined ? text : `${text}: ${reasonOf(cause)}`;
}

/** The `code` of a system error, such as ENOENT. */
export function codeOf(error: unknown): string | undefined {
  const { code } = Object(error) as { code?: unknown };
  return typeof code === 'string' ? code : undefined;
}
