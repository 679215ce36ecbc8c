import { PlotError } from './errors.js';
import type * as nodeModule from './node.js';

/** The part of the package that needs Node, as `node.ts` has it. */
export type NodeParts = typeof nodeModule;

/** `node.ts`, by a dynamic import that never runs in a browser, so that a bundler may leave the file out. */
export async function nodeParts(what: string): Promise<NodeParts> {
  const { process } = globalThis as { process?: { versions?: { node?: string } } };
  if (process?.versions?.node === undefined) {
    throw new PlotError(`${what} works in Node only; in a page use mount(element) or toSVG().`);
  }
  return import('./node.js');
}
