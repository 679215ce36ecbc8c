/** Files: the only file of the package that imports from Node. */
import { appendFile, readFile, writeFile } from 'node:fs/promises';
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
