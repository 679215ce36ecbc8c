import type * as nodeModule from './node.js';

/** The part of the package that needs Node's file system, as `node.ts` has it. */
export type NodeFiles = typeof nodeModule;

/**
 * `node.ts` when running in Node (or Bun, Deno), else null. The only way to it: a dynamic import that
 * never runs in a browser, so that a bundler may leave the file out.
 */
export async function nodeFiles(): Promise<NodeFiles | null> {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  return process?.versions?.node === undefined ? null : import('./node.js');
}
