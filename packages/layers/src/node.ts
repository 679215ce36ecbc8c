/** Files: the only file of the package that imports from Node. */
import { randomUUID } from 'node:crypto';
import {
  access,
  appendFile,
  constants,
  open,
  readFile,
  realpath,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { FileError } from './errors.js';

/** The text of a file; null when there is no such file. @throws FileError when it cannot be read */
export async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw new FileError(`${path}: cannot be read (${reasonOf(error)}).`);
  }
}

/** Replaces a file, or makes it. @throws FileError */
export async function writeText(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (error) {
    throw new FileError(`${path}: cannot be written (${reasonOf(error)}).`);
  }
}

/** The bytes of a file. @throws FileError when there is none, or it cannot be read */
export async function readBytes(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    throw new FileError(`${path}: cannot be read (${reasonOf(error)}).`);
  }
}

/**
 * Replaces a file, or makes it, so that a kill at any moment leaves the old file or the new one, and no reader ever sees a part:
 * written under a name that nobody else uses in the same folder, flushed to the disk, then renamed. A link stays a link.
 *
 * @throws FileError; the old file and no temporary one is left then
 */
export async function writeBytes(path: string, bytes: Uint8Array): Promise<void> {
  const target = await realpath(path).catch(() => path);
  const folder = dirname(target);
  const temporary = join(folder, `.${basename(target)}.${randomUUID()}.tmp`);
  try {
    await writeFlushed(temporary, bytes);
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new FileError(`${path}: cannot be written (${reasonOf(error)}).`);
  }
  // The new name, too, should outlive a power cut. Not every system can flush a folder; the file is in its place all the same.
  await flushFolder(folder).catch(() => undefined);
}

/** @throws FileError when there is no folder for a file of this name, or nothing can be written there */
export async function needFolderOf(path: string): Promise<void> {
  try {
    await access(dirname(path), constants.W_OK);
  } catch (error) {
    throw new FileError(`${path}: cannot be written (${reasonOf(error)}).`);
  }
}

async function writeFlushed(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Adds to the end of a file, or makes it. @throws FileError */
export async function appendText(path: string, text: string): Promise<void> {
  try {
    await appendFile(path, text);
  } catch (error) {
    throw new FileError(`${path}: cannot be written (${reasonOf(error)}).`);
  }
}

/** The code and the message of Node's errors, by their fields: they may come from another realm. */
function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

function reasonOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error
    ? String(error.message)
    : String(error);
}
