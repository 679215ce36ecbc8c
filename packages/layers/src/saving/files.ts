/**
 * Models in files and in bytes.
 */
import { shown } from '@tapegrad/tensor';
import type { BaseModel } from '../base-model.js';
import { FileError } from '../errors.js';
import { nodeFiles, type NodeFiles } from '../platform.js';
import { decodeModel, type LoadOptions } from './read.js';

async function needFiles(what: string): Promise<NodeFiles> {
  if (typeof what !== 'string') {
    throw new FileError(
      `the path of a file is needed, such as 'model.safetensors'; got ${shown(what)}.`,
    );
  }
  const node = await nodeFiles();
  if (node !== null) return node;
  throw new FileError(
    `${what}: files can be read and written in Node only; use bytes: model.toBytes(), modelFromBytes(bytes).`,
  );
}

/** Puts bytes into a file, which a kill at any moment leaves as it was or whole. @throws FileError */
export async function writeFileWhole(path: string, bytes: Uint8Array): Promise<void> {
  await (await needFiles(path)).writeBytes(path, bytes);
}

/** @throws FileError when there is no such file, or it cannot be read */
export async function readFileWhole(path: string): Promise<Uint8Array> {
  return (await needFiles(path)).readBytes(path);
}

/**
 * Makes a model from a file that `model.save` has written: layers, weights, and if it was compiled, optimizer and all, so that
 * `fit` goes on to the bit as if it had never stopped (the model's own streams of random numbers included, see `random`).
 * Classes and functions of your own must be registered before: see `registerLayer` and `registerFunction`.
 *
 * Files may come from anywhere: no code in them runs.
 *
 * @throws FileError when the file cannot be read
 * @throws FormatError when it holds no model, is damaged, or names layers or functions that are not known
 */
export async function loadModel(path: string, options: LoadOptions = {}): Promise<BaseModel> {
  return decodeModel(await readFileWhole(path), path, options);
}

/**
 * Makes a model from the bytes of `model.toBytes()`, or of a saved file: `loadModel` for browsers.
 *
 * @param options.name what messages call the bytes
 * @throws FormatError as `loadModel`
 * @example
 * const model = new Sequential([new Dense(3, { inputShape: [2] })]);
 * const copy = modelFromBytes(model.toBytes());
 * copy.predict([[1, 2]]).equal(model.predict([[1, 2]])); // [[true, true, true]]
 */
export function modelFromBytes(
  bytes: Uint8Array,
  { name = 'model', ...options }: LoadOptions & { name?: string } = {},
): BaseModel {
  return decodeModel(bytes, name, options);
}
