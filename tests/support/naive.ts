/**
 * Arrays without strides: what an element is follows from its index alone. Slow and plain, to compare the library with.
 */
import { formatShape } from '@tapegrad/tensor';

/** The elements in row-major order. */
export interface Naive {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export type Index = readonly number[];

/** Every index of a shape, in row-major order. */
export function indicesOf(shape: readonly number[]): Index[] {
  return shape.reduce<Index[]>(
    (heads, size) => heads.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i])),
    [[]],
  );
}

/** An array from the formula of its elements. */
export function build(shape: readonly number[], element: (index: Index) => number): Naive {
  return { shape, data: indicesOf(shape).map(element) };
}

/** The element at an index. @throws RangeError outside, so that a wrong formula shows */
export function at(x: Naive, index: Index): number {
  const inside =
    index.length === x.shape.length && index.every((i, axis) => i >= 0 && i < x.shape[axis]);
  if (!inside)
    throw new RangeError(`${formatShape(index)} is outside of shape ${formatShape(x.shape)}`);
  return x.data[index.reduce((n, i, axis) => n * x.shape[axis] + i, 0)];
}

/** The shape that several shapes broadcast to. */
export function broadcastShape(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    const sizes = shapes.map((shape) => shape[i - rank + shape.length] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
}

/** The element that broadcasting puts at an index of a larger shape. */
export function atBroadcast(x: Naive, index: Index): number {
  const own = index.slice(index.length - x.shape.length);
  return at(
    x,
    own.map((i, axis) => (x.shape[axis] === 1 ? 0 : i)),
  );
}

/** f of the elements of broadcast arrays. */
export function elementwise(
  f: (...values: number[]) => number,
  ...inputs: readonly Naive[]
): Naive {
  const shape = broadcastShape(...inputs.map((x) => x.shape));
  return build(shape, (index) => f(...inputs.map((x) => atBroadcast(x, index))));
}

/** An axis counted from the front. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

/** A list with one entry replaced. */
export const replaced = (list: Index, axis: number, value: number): number[] =>
  list.map((v, i) => (i === axis ? value : v));

/** A list with one entry left out. */
export const without = (list: Index, axis: number): number[] => list.filter((_, i) => i !== axis);

/** The elements along an axis through an index. */
export function lane(x: Naive, index: Index, axis: number): number[] {
  return Array.from({ length: x.shape[axis] }, (_, i) => at(x, replaced(index, axis, i)));
}
