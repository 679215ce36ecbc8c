/**
 * Shape arithmetic on plain integers: sizes, strides, broadcasting, axes. Nothing here touches data.
 */
import { ShapeError, shown, formatShape } from './errors.js';

export type Shape = readonly number[];

/** One axis, several, or null for all of them. Negative axes count from the end. */
export type Axes = number | readonly number[] | null;

/** The number of elements; 1 for a scalar's empty shape. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (let i = 0; i < shape.length; i++) size *= shape[i];
  return size;
}

/** Strides, in elements, of row-major ("C") order. */
export function rowMajorStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i];
  }
  return strides;
}

/** True when a walk in row-major order meets the elements one after another. Strides of axes of size 1 do not matter. */
export function isContiguous(shape: Shape, strides: readonly number[]): boolean {
  let expected = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] === 0) return true;
    if (shape[i] !== 1 && strides[i] !== expected) return false;
    expected *= shape[i];
  }
  return true;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Throws a ShapeError unless every size is a whole number of at least 0 and the product fits an array. */
export function checkShape(op: string, shape: Shape): Shape {
  const isList: boolean = Array.isArray(shape);
  if (!isList) {
    throw new ShapeError(`${op}: a shape is a list of sizes, as in [2, 3]; got ${String(shape)}.`);
  }
  for (const size of shape) {
    if (!Number.isInteger(size) || size < 0) {
      throw new ShapeError(
        `${op}: a shape has whole sizes of 0 or more; got ${formatShape(shape)}.`,
      );
    }
  }
  if (sizeOf(shape) > 2 ** 32)
    throw new ShapeError(`${op}: shape ${formatShape(shape)} has more than 2³² elements.`);
  return shape;
}

/**
 * NumPy's rule: align the shapes at the right; sizes must be equal or 1.
 * @throws ShapeError naming the op and both shapes
 */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
  if (sameShape(a, b)) return a;
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let i = 1; i <= rank; i++) {
    const sizeA = i <= a.length ? a[a.length - i] : 1;
    const sizeB = i <= b.length ? b[b.length - i] : 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) {
      throw new ShapeError(
        `${op}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast: axis -${i} has sizes ${sizeA} and ` +
          `${sizeB}, which must be equal or 1.`,
      );
    }
    shape[rank - i] = sizeA === 1 ? sizeB : sizeA;
  }
  return shape;
}

/** The strides with which data of `shape` is read as if it had the broadcast shape `target`: 0 along repeated axes. */
export function broadcastStrides(
  shape: Shape,
  strides: readonly number[],
  target: Shape,
): number[] {
  const result = new Array<number>(target.length).fill(0);
  const shift = target.length - shape.length;
  for (let i = 0; i < shape.length; i++) {
    if (shape[i] !== 1 || target[i + shift] === 1) result[i + shift] = strides[i];
  }
  return result;
}

export function isList(x: unknown): boolean {
  return Array.isArray(x) || ArrayBuffer.isView(x);
}

/** Throws a ShapeError unless an attribute is a list: `reshape(2, 3)` is a mistake that the types alone would find. */
export function checkList(op: string, attribute: string, list: readonly unknown[]): void {
  if (isList(list)) return;
  throw new ShapeError(
    `${op}: ${attribute} is a list of numbers, as in { ${attribute}: [1, 0] }; got ${shown(list)}.`,
  );
}

/** An axis as a number from 0 to rank - 1. @throws ShapeError when there is no such axis */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    const range = rank === 0 ? 'a scalar has none' : `axes go from ${-rank} to ${rank - 1}`;
    throw new ShapeError(
      `${op}: there is no axis ${axis} in ${rank} dimension${rank === 1 ? '' : 's'}; ${range}.`,
    );
  }
  return axis < 0 ? axis + rank : axis;
}

/** Axes in ascending order, from 0 to rank - 1; null means all. @throws ShapeError for unknown or repeated axes */
export function normalizeAxes(op: string, axes: Axes | undefined, rank: number): number[] {
  if (axes === null || axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = typeof axes === 'number' ? [axes] : axes;
  if (!isList(list)) {
    throw new ShapeError(`${op}: axis is a number or a list of them; got ${shown(axes)}.`);
  }
  const result = list.map((axis) => normalizeAxis(op, axis, rank)).sort((a, b) => a - b);
  result.forEach((axis, i) => {
    if (i > 0 && axis === result[i - 1])
      throw new ShapeError(`${op}: axis ${axis} is given twice in ${formatShape(list)}.`);
  });
  return result;
}

/** The shape that is left when `axes` (normalised) are reduced away, or to 1 with keepDims. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  const result: number[] = [];
  for (let i = 0; i < shape.length; i++) {
    if (!axes.includes(i)) result.push(shape[i]);
    else if (keepDims) result.push(1);
  }
  return result;
}

/** The shape with one axis replaced by other axes. */
export function replaceAxis(shape: Shape, axis: number, by: Shape): number[] {
  return [...shape.slice(0, axis), ...by, ...shape.slice(axis + 1)];
}

/** A list with one more entry before position `at`. */
export function insertAt(
  list: readonly number[],
  at: number,
  ...values: readonly number[]
): number[] {
  return [...list.slice(0, at), ...values, ...list.slice(at)];
}

/**
 * Several strided operands walked together: neighbouring axes that every operand steps through evenly become one,
 * and axes of size 1 vanish, so that the innermost loop is as long as it can be.
 */
export interface Walk {
  readonly shape: readonly number[];
  /** One list of strides for each operand. */
  readonly strides: readonly (readonly number[])[];
}

/** Merges axes; see Walk. The result always has at least one axis. */
export function coalesce(shape: Shape, strides: readonly (readonly number[])[]): Walk {
  const outShape: number[] = [];
  const outStrides: number[][] = strides.map(() => []);
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis];
    if (size === 1) continue;
    const last = outShape.length - 1;
    if (last >= 0 && strides.every((s, k) => outStrides[k][last] === s[axis] * size)) {
      outShape[last] *= size;
      strides.forEach((s, k) => (outStrides[k][last] = s[axis]));
    } else {
      outShape.push(size);
      strides.forEach((s, k) => outStrides[k].push(s[axis]));
    }
  }
  if (outShape.length === 0) {
    outShape.push(1);
    outStrides.forEach((s) => s.push(0));
  }
  return { shape: outShape, strides: outStrides };
}
