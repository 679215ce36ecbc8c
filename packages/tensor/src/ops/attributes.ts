/**
 * Attributes worked out: what ops and their gradient rules both have to know of a slice, a split, a padding or an equation.
 */
import { ShapeError, ValueError, formatShape, shown } from '../errors.js';
import { checkList, checkShape, isList, normalizeAxis, type Shape } from '../shape.js';

/** Python's begin:end:stride for each axis; null or left out means the whole. */
export interface StridedSliceAttrs {
  begin?: readonly (number | null)[];
  end?: readonly (number | null)[];
  strides?: readonly (number | null)[];
}

/** Where a strided slice starts and how many elements it has on each axis. */
export function resolveSlice(
  shape: Shape,
  { begin = [], end = [], strides = [] }: StridedSliceAttrs,
): {
  start: number[];
  size: number[];
  step: number[];
} {
  for (const [name, list] of Object.entries({ begin, end, strides })) {
    checkList('stridedSlice', name, list);
    if (list.length > shape.length) {
      throw new ShapeError(
        `stridedSlice: ${list.length} axes are given, but the tensor's shape is ${formatShape(shape)}.`,
      );
    }
  }
  const start: number[] = [];
  const size: number[] = [];
  const step = shape.map((_, i) => strides[i] ?? 1);
  shape.forEach((n, i) => {
    const by = step[i];
    if (!Number.isInteger(by) || by === 0)
      throw new ValueError(`stridedSlice: strides must be whole and not 0; got ${by}.`);
    // Python's rule: negative positions count from the end, then everything is brought into the range of the step.
    const [low, high] = by > 0 ? [0, n] : [-1, n - 1];
    const resolve = (at: number | null | undefined, standard: number): number => {
      if (at === null || at === undefined) return standard;
      if (!Number.isInteger(at))
        throw new ValueError(`stridedSlice: positions must be whole numbers; got ${at}.`);
      return Math.min(Math.max(at < 0 ? at + n : at, low), high);
    };
    const from = resolve(begin[i], by > 0 ? low : high);
    const to = resolve(end[i], by > 0 ? high : low);
    start.push(from);
    size.push(Math.max(0, Math.ceil((to - from) / by)));
  });
  return { start, size, step };
}

/** A number of equal parts, or their sizes; axis 0 unless given. */
export interface SplitAttrs {
  numOrSizeSplits: number | readonly number[];
  axis?: number;
}

/** The sizes of the parts. @throws ShapeError when they do not make up the axis */
export function splitSizes(shape: Shape, { numOrSizeSplits, axis = 0 }: SplitAttrs): number[] {
  const n = shape[normalizeAxis('split', axis, shape.length)];
  const equal = typeof numOrSizeSplits === 'number';
  if (!equal && isList(numOrSizeSplits)) {
    const sizes = [...numOrSizeSplits];
    const fits = sizes.every((s) => Number.isInteger(s) && s >= 0);
    if (fits && sizes.reduce((a, b) => a + b, 0) === n) return sizes;
  }
  if (
    equal &&
    Number.isInteger(numOrSizeSplits) &&
    numOrSizeSplits > 0 &&
    n % numOrSizeSplits === 0
  ) {
    return new Array<number>(numOrSizeSplits).fill(n / numOrSizeSplits);
  }
  const wanted = equal ? `${numOrSizeSplits} equal parts` : shown(numOrSizeSplits);
  throw new ShapeError(
    `split: axis ${axis} of ${formatShape(shape)} has ${n} elements and cannot be split into ${wanted}.`,
  );
}

/** Where each position of a reflected axis of n elements comes from. */
export function reflectIndices(n: number, [before, after]: readonly [number, number]): Int32Array {
  const period = Math.max(2 * (n - 1), 1);
  return Int32Array.from({ length: before + n + after }, (_, i) => {
    const at = (((i - before) % period) + period) % period;
    return at < n ? at : period - at;
  });
}

/** Where each position of a repeated axis of n elements comes from. @throws ShapeError unless there are n numbers */
export function repeatIndices(n: number, repeats: number | readonly number[]): Int32Array {
  const counts = typeof repeats === 'number' ? new Array<number>(n).fill(repeats) : repeats;
  if (!isList(counts) || counts.length !== n || counts.some((c) => !Number.isInteger(c) || c < 0)) {
    throw new ShapeError(
      `repeat: needs one whole number of 0 or more, or ${n} of them; got ${shown(repeats)}.`,
    );
  }
  checkShape('repeat', [counts.reduce((a, b) => a + b, 0)]);
  return Int32Array.from(counts.flatMap((count, i) => new Array<number>(count).fill(i)));
}

/** The letters of each input and of the result. */
export interface Equation {
  readonly inputs: readonly string[];
  readonly output: string;
}

/**
 * Reads 'ij,jk->ik'. Without '->' the result has the letters that occur once, in alphabetical order.
 * @throws ValueError for anything else, or when the number of inputs differs
 */
export function parseEquation(equation: string, count: number): Equation {
  const given: unknown = equation;
  const text = typeof given === 'string' ? given.replace(/\s/g, '') : '?';
  const match = /^([A-Za-z]*(?:,[A-Za-z]*)*)(?:->([A-Za-z]*))?$/.exec(text);
  if (match === null) {
    throw new ValueError(
      `einsum: cannot read ${shown(given)}; an equation has a letter for each axis, as in 'ij,jk->ik'.`,
    );
  }
  const inputs = match[1].split(',');
  if (inputs.length !== count) {
    throw new ValueError(
      `einsum: '${equation}' names ${inputs.length} inputs, but ${count} are given.`,
    );
  }
  const letters = [...match[1].replace(/,/g, '')];
  const once = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter));
  const output = match[2] ?? once.sort().join('');
  for (const letter of output) {
    if (!letters.includes(letter))
      throw new ValueError(`einsum: '${letter}' of the result is in no input of '${equation}'.`);
    if (output.indexOf(letter) !== output.lastIndexOf(letter)) {
      throw new ValueError(`einsum: '${letter}' stands twice in the result of '${equation}'.`);
    }
  }
  return { inputs, output };
}

/** The momentum of Nadam's step t (Dozat 2016, with Keras's decay of 0.96). */
export function nadamMomentum(beta1: number, t: number): number {
  return beta1 * (1 - 0.5 * 0.96 ** t);
}
