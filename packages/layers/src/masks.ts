/**
 * Masks: which time steps of a batch of sequences are there at all. A mask is a bool tensor [batch, time] that travels with
 * the Variable it belongs to.
 */
import type { Tensor } from '@tapegrad/tensor';
import type { Variable } from '@tapegrad/autograd';

/** Weak, and beside the graph: a mask lives as long as its Variable does, under `noGrad` too. */
const masks = new WeakMap<Variable, Tensor>();

/** The mask of a value; null when all of it counts. */
export function maskOf(x: Variable): Tensor | null {
  return masks.get(x) ?? null;
}

/** Gives a value a mask, or takes it away. */
export function setMask(x: Variable, mask: Tensor | null): void {
  if (mask === null) masks.delete(x);
  else masks.set(x, mask);
}
