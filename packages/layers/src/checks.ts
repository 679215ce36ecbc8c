/**
 * What layers, models and callbacks require of their options and inputs.
 */
import {
  ShapeError,
  ValueError,
  formatShape,
  normalizeAxes,
  shown,
  type Axes,
} from '@tapegrad/tensor';
import { Variable } from '@tapegrad/autograd';
import type { BatchShape } from './layer.js';

/** A number that must be whole and not less than `least`. @throws ValueError */
export function checkWhole(owner: string, what: string, n: number, least: number): number {
  if (!Number.isInteger(n) || n < least) {
    throw new ValueError(
      `${owner}: ${what} must be a whole number of ${least} or more; got ${shown(n)}.`,
    );
  }
  return n;
}

/** A count that must be a whole number of at least 1. @throws ValueError */
export function checkCount(layer: string, what: string, n: number): number {
  return checkWhole(layer, what, n, 1);
}

/** A number that must not be less than `low`, nor more than `high`. @throws ValueError */
export function checkRange(
  layer: string,
  what: string,
  n: number,
  low: number,
  high = Infinity,
): number {
  if (!Number.isFinite(n) || n < low || n > high) {
    const range = high === Infinity ? `of ${low} or more` : `from ${low} to ${high}`;
    throw new ValueError(`${layer}: ${what} must be a number ${range}; got ${shown(n)}.`);
  }
  return n;
}

/** What a function of the user's has returned, which must be a Variable. @throws ValueError that begins with `says` */
export function checkVariable(says: string, returned: unknown): Variable {
  if (returned instanceof Variable) return returned;
  const hint = returned === undefined ? ' Is there a return missing?' : '';
  throw new ValueError(`${says}; got ${shown(returned)}.${hint}`);
}

/** Throws a ValueError unless it is a list of sizes, null for those that are not known. */
export function checkSizes(owner: string, option: string, shape: unknown, example: string): void {
  const fits =
    Array.isArray(shape) &&
    shape.every((size: unknown) => size === null || (Number.isInteger(size) && Number(size) >= 0));
  if (!fits) {
    throw new ValueError(
      `${owner}: ${option} is a list of whole sizes, such as ${example}; got ${shown(shape)}.`,
    );
  }
}

/** The share of elements that a layer drops. @throws ValueError unless 0 ≤ rate < 1 */
export function checkRate(layer: string, rate: number): number {
  if (!Number.isFinite(rate) || rate < 0 || rate >= 1) {
    throw new ValueError(
      `${layer}: rate is the share of elements to drop, from 0 up to but without 1; got ${shown(rate)}.`,
    );
  }
  return rate;
}

/**
 * The sizes of some axes of the inputs, in ascending order of the axes.
 *
 * @throws ShapeError for an axis that is not there, or whose size is not known before data come
 */
export function sizesAlong(layer: string, inputShape: BatchShape, axis: Axes): number[] {
  return normalizeAxes(layer, axis, inputShape.length).map((i) => {
    const size = inputShape[i];
    if (size === null) {
      throw new ShapeError(
        `${layer}: the size of axis ${i} must be known; got inputs ${formatShape(inputShape)}.`,
      );
    }
    return size;
  });
}
