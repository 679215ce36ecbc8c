/** Comparison of numbers with stated tolerances. */
import { Tensor, formatShape, type DType } from '@tapegrad/tensor';

/** |actual − expected| ≤ absolute + relative·|expected| */
export interface Tolerance {
  readonly relative: number;
  readonly absolute: number;
}

/** Every bit, but for the sign of a zero. */
export const EXACT: Tolerance = { relative: 0, absolute: 0 };

/** A tensor's values without a library around them. */
export interface Plain {
  readonly shape: readonly number[];
  /** In row-major order. */
  readonly data: ArrayLike<number>;
}

/** How far a number is from what it should be, in units of what is allowed; at most 1 is close. */
function error(actual: number, expected: number, { relative, absolute }: Tolerance): number {
  if (Object.is(actual, expected) || actual === expected) return 0;
  // NaN, ∞ and −∞ are equal to themselves only.
  if (!Number.isFinite(actual) || !Number.isFinite(expected)) return Infinity;
  return Math.abs(actual - expected) / (absolute + relative * Math.abs(expected));
}

/** The position of a flat index, for messages. */
function positionOf(index: number, shape: readonly number[]): string {
  const position: number[] = [];
  for (let axis = shape.length - 1, rest = index; axis >= 0; axis--) {
    position.unshift(rest % shape[axis]);
    rest = Math.floor(rest / shape[axis]);
  }
  return formatShape(position);
}

/** Throws unless two lists of numbers agree; the message names the worst element. */
export function assertNumbersClose(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  shape: readonly number[] = [expected.length],
): void {
  if (actual.length !== expected.length)
    throw new Error(`${what}: ${actual.length} elements instead of ${expected.length}`);
  let worst = -1;
  let greatest = 1;
  let wrong = 0;
  for (let i = 0; i < expected.length; i++) {
    const e = error(actual[i], expected[i], tolerance);
    if (e > 1) wrong++;
    if (e > greatest) [worst, greatest] = [i, e];
  }
  if (worst === -1) return;
  throw new Error(
    `${what}: ${wrong} of ${expected.length} elements differ, most of all ${positionOf(worst, shape)}: ` +
      `got ${actual[worst]}, expected ${expected[worst]} (difference ${Math.abs(actual[worst] - expected[worst])}, ` +
      `allowed ${tolerance.absolute} + ${tolerance.relative} relative)`,
  );
}

/** Throws unless a tensor has these values, this shape and, if given, this dtype. */
export function assertClose(
  what: string,
  actual: unknown,
  expected: Plain,
  tolerance: Tolerance,
  dtype?: DType,
): asserts actual is Tensor {
  if (!(actual instanceof Tensor)) throw new Error(`${what}: not a Tensor: ${String(actual)}`);
  if (formatShape(actual.shape) !== formatShape(expected.shape)) {
    throw new Error(
      `${what}: shape ${formatShape(actual.shape)} instead of ${formatShape(expected.shape)}`,
    );
  }
  if (dtype !== undefined && actual.dtype !== dtype)
    throw new Error(`${what}: dtype ${actual.dtype} instead of ${dtype}`);
  assertNumbersClose(what, actual.toTypedArray(), expected.data, tolerance, expected.shape);
}
