/** Files, folders and environment: the only file of the package that imports from Node. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import process from 'node:process';
import { codeOf, reasonOf, type Bytes } from './bytes.js';
import { DatasetError, IdxError } from './errors.js';

/** An environment variable; undefined when unset or empty. */
export function environment(name: string): string | undefined {
  return process.env[name] || undefined;
}

/** The user's folder for cached files of one data set, or null where the system knows no home folder. */
export function userCacheFolder(dataset: string): string | null {
  try {
    return join(cacheRoot(process.platform, process.env, homedir()), 'tapegrad', dataset);
  } catch {
    return null; // homedir() throws for a user id without an entry in the password file.
  }
}

/**
 * Where programs keep files that can be fetched again: XDG_CACHE_HOME if it is set to an absolute path
 * (XDG Base Directory Specification), else the habit of the platform.
 */
export function cacheRoot(
  platform: string,
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): string {
  const xdg = env['XDG_CACHE_HOME'];
  if (xdg !== undefined && isAbsolute(xdg)) return xdg;
  if (platform === 'win32') return env['LOCALAPPDATA'] || join(home, 'AppData', 'Local');
  if (platform === 'darwin') return join(home, 'Library', 'Caches');
  return join(home, '.cache');
}

/** The folder `subfolder` of an installed npm package, or null where the package is not installed. */
export function packageFolder(name: string, subfolder: string): string | null {
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return join(dirname(manifest), subfolder);
  } catch {
    return null;
  }
}

/** The first of `names` that is a file in `folder`, with its path; null when none is. */
export async function readFirst(
  folder: string,
  names: readonly string[],
  maxBytes: number,
): Promise<{ path: string; bytes: Bytes } | null> {
  for (const name of names) {
    const path = join(folder, name);
    const bytes = await readFileUpTo(path, maxBytes);
    if (bytes !== null) return { path, bytes };
  }
  return null;
}

/** The content of a file, or null when there is none. Refuses a file larger than `maxBytes` unread. */
export async function readFileUpTo(path: string, maxBytes: number): Promise<Bytes | null> {
  try {
    const info = await stat(path);
    if (!info.isFile()) return null;
    if (info.size > maxBytes) {
      throw new IdxError(
        `${path}: has ${info.size} bytes, more than the ${maxBytes} bytes that are allowed here.`,
      );
    }
    const file = await open(path, 'r');
    try {
      const bytes = new Uint8Array(info.size);
      let filled = 0;
      while (filled < bytes.length) {
        const { bytesRead } = await file.read(bytes, filled, bytes.length - filled, filled);
        if (bytesRead === 0) break;
        filled += bytesRead;
      }
      return bytes.subarray(0, filled);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof DatasetError) throw error;
    if (['ENOENT', 'ENOTDIR'].includes(codeOf(error) ?? '')) return null;
    throw new DatasetError(`${path}: cannot be read (${reasonOf(error)}).`);
  }
}

/**
 * Puts a file into a folder so that no reader ever sees a part of it: written under a name that nobody
 * else uses, flushed to the disk, then renamed. Two processes may do this at once; each rename puts a
 * whole file there. A failure leaves what was there before, and no temporary file.
 */
export async function storeFile(folder: string, name: string, bytes: Bytes): Promise<void> {
  await mkdir(folder, { recursive: true });
  const temporary = join(folder, `${name}.${process.pid}-${randomUUID()}.tmp`);
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(folder, name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
