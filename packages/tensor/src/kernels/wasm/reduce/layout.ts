/** How a reduction's input lies in memory: as rows to be folded one by one, or as columns that are folded side by side. */
import { coalesce, rowMajorStrides, type Walk } from '../../../shape.js';
import { ITEM_BITS } from '../elementwise/pack.js';
import type { Command, LoweringContext, Operand } from '../kernel.js';
import { copyRegion, type Region } from '../movement/copy.js';

/** Strides in bytes. */
export type ReductionLayout =
  /** Each of `rows` outputs folds `blocks` runs of n neighbours. */
  | {
      readonly kind: 'rows';
      readonly rows: number;
      readonly rowStride: number;
      readonly blocks: number;
      readonly blockStride: number;
      readonly n: number;
    }
  /** For each of `outer`, `columns` neighbours fold `blocks` times n rows. */
  | {
      readonly kind: 'columns';
      readonly outer: number;
      readonly outerStride: number;
      readonly columns: number;
      readonly blocks: number;
      readonly blockStride: number;
      readonly n: number;
      readonly rowStride: number;
    };

/** The axes of x in this order, walked with as few loops as can be. */
function walkOf(x: Operand, axes: readonly number[]): Walk {
  return coalesce(
    axes.map((i) => x.shape[i]),
    [axes.map((i) => x.strides[i])],
  );
}

/** The last axis of a walk, and the one axis before it (of size 1 where there is none); null when there are more. */
function twoAxes({ shape, strides: [strides] }: Walk): {
  readonly outer: number;
  readonly outerStride: number;
  readonly n: number;
  readonly stride: number;
} | null {
  const last = shape.length - 1;
  if (last > 1) return null;
  const [outer, outerStride] = last === 1 ? [shape[0], strides[0]] : [1, 0];
  return { outer, outerStride, n: shape[last], stride: strides[last] };
}

/** The layout of a reduction over `axes`; null for one that no kernel walks. */
export function reductionLayout(x: Operand, axes: readonly number[]): ReductionLayout | null {
  const keptAxes = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  // In which order values are folded does not matter: long strides outside, so that neighbours end up together.
  const ordered = [...axes].sort((a, b) => Math.abs(x.strides[b]) - Math.abs(x.strides[a]));
  const kept = twoAxes(walkOf(x, keptAxes));
  const folded = twoAxes(walkOf(x, ordered));
  if (kept === null || folded === null) return null;
  const bytes = 2 ** ITEM_BITS[x.dtype];
  const common = {
    blocks: folded.outer,
    blockStride: bytes * folded.outerStride,
    n: folded.n,
  };
  const inRows = folded.n === 1 ? kept.stride !== 1 : folded.stride === 1;
  if (inRows && kept.outer === 1) {
    return { kind: 'rows', rows: kept.n, rowStride: bytes * kept.stride, ...common };
  }
  const columns = { kind: 'columns', ...common, rowStride: bytes * folded.stride } as const;
  if (kept.stride === 1 || kept.n === 1) {
    const outerStride = bytes * kept.outerStride;
    return { ...columns, outer: kept.outer, outerStride, columns: kept.n };
  }
  // Neighbours nowhere: columns one by one.
  if (kept.outer !== 1) return null;
  return { ...columns, outer: kept.n, outerStride: bytes * kept.stride, columns: 1 };
}

/**
 * The lines along an axis of operands that agree in their other axes: how many there are, and how far apart (in bytes)
 * in each operand; null where their first elements are not evenly spaced.
 */
export function rowsOf(
  operands: readonly Operand[],
  axis: number,
): { readonly rows: number; readonly strides: readonly number[] } | null {
  const others = operands[0].shape.map((_, i) => i).filter((i) => i !== axis);
  const walk = coalesce(
    others.map((i) => operands[0].shape[i]),
    operands.map((x) => others.map((i) => x.strides[i])),
  );
  if (walk.shape.length !== 1) return null;
  return {
    rows: walk.shape[0],
    strides: walk.strides.map(([stride], i) => stride * 2 ** ITEM_BITS[operands[i].dtype]),
  };
}

/** The elements of x with its axes in this order. */
export function permuted({ address, shape, strides }: Operand, order: readonly number[]): Region {
  return { address, shape: order.map((i) => shape[i]), strides: order.map((i) => strides[i]) };
}

/** The axes that stay, then those that are folded. */
export const axesInFront = (rank: number, axes: readonly number[]): readonly number[] => [
  ...Array.from({ length: rank }, (_, i) => i).filter((i) => !axes.includes(i)),
  ...axes,
];

/** A copy of x in scratch memory in which these axes are the last, without gaps; null when x has too many axes to be walked. */
export function gathered(
  x: Operand,
  axes: readonly number[],
  context: LoweringContext,
): { readonly copy: Operand; readonly commands: readonly Command[] } | null {
  const source = permuted(x, axesInFront(x.shape.length, axes));
  const { shape } = source;
  const strides = rowMajorStrides(shape);
  const address = context.scratch(x.size << ITEM_BITS[x.dtype]);
  const commands = copyRegion(x.dtype, source, { address, shape, strides });
  if (commands === null) return null;
  return { copy: { ...x, address, shape, strides, contiguous: true }, commands };
}
