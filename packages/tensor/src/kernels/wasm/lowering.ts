/**
 * How ops become calls of kernels: the type of the tables in the families' files.
 */
import type { AttrsOf } from '../../op.js';
import type { OpName, Specs } from '../../ops/index.js';
import type { Lowering } from './kernel.js';

/** Lowerings by op. An op without one runs its TypeScript kernel on the same memory. Views need none: they do nothing. */
export type LoweringTable = {
  readonly [K in OpName as Specs[K] extends { kind: 'view' } ? never : K]?: Lowering<
    AttrsOf<Specs[K]>
  >;
};
