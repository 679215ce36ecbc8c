/**
 * How ops become calls of kernels: the types of the lowerings in the families' files, and what several of them need.
 */
import type { KernelOp, ListOp, UpdateOp } from '../../op.js';
import type { OpName, Specs } from '../../ops/index.js';
import type { Lowering } from './kernel.js';

type AttrsOf<S> =
  S extends KernelOp<infer _N, infer A, infer _L>
    ? A
    : S extends ListOp<infer _N, infer A, infer _L>
      ? A
      : S extends UpdateOp<infer _N, infer A, infer _L>
        ? A
        : never;

/** Lowerings by op. An op without one runs its TypeScript kernel on the same memory. Views need none: they do nothing. */
export type LoweringTable = {
  readonly [K in OpName as Specs[K] extends { kind: 'view' } ? never : K]?: Lowering<
    AttrsOf<Specs[K]>
  >;
};
