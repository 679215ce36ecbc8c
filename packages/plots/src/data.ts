import { Tensor, formatShape } from '@tapegrad/tensor';
import { PlotError } from './errors.js';

/** A row of numbers: a tensor with one axis longer than 1, a typed array or a plain array. */
export type Numbers = Tensor | ArrayLike<number>;

/** Rows of numbers: a tensor of rank 2 or a list of rows. */
export type Rows = Tensor | readonly ArrayLike<number>[];

/** The smallest and the largest value of an axis. */
export type Domain = readonly [number, number];

/** The numbers as a plain list; finite all, and at least one. `name` says in errors whose they are. */
export function numbersOf(name: string, values: Numbers): number[] {
  let list: ArrayLike<number>;
  if (values instanceof Tensor) {
    if (values.shape.filter((size) => size !== 1).length > 1) {
      throw new PlotError(
        `${name} has shape ${formatShape(values.shape)}; expected a row of numbers, such as [${values.shape[0]}] or [${values.shape[0]}, 1].`,
      );
    }
    list = values.toTypedArray();
  } else if (typeof values === 'object' && values !== null && 'length' in values) {
    list = values;
  } else {
    throw new PlotError(`${name} is ${String(values)}; expected a tensor or an array of numbers.`);
  }
  return checkNumbers(name, Array.from(list));
}

/** The rows as plain lists, all of one length. */
export function rowsOf(name: string, values: Rows): number[][] {
  if (values instanceof Tensor) {
    if (values.rank !== 2) {
      throw new PlotError(
        `${name} has shape ${formatShape(values.shape)}; expected rows of numbers, [count, columns].`,
      );
    }
    const [count, columns] = values.shape;
    const flat = checkNumbers(name, Array.from(values.toTypedArray()));
    return Array.from({ length: count }, (_, i) => flat.slice(i * columns, (i + 1) * columns));
  }
  const rows = Array.from(values, (row, i) => checkNumbers(`${name}[${i}]`, Array.from(row)));
  if (rows.length === 0) throw new PlotError(`${name} is empty; there is nothing to draw.`);
  const odd = rows.findIndex((row) => row.length !== rows[0].length);
  if (odd >= 0) {
    throw new PlotError(
      `${name}[${odd}] has ${rows[odd].length} numbers and ${name}[0] has ${rows[0].length}; rows must be equally long.`,
    );
  }
  return rows;
}

function checkNumbers(name: string, list: number[]): number[] {
  if (list.length === 0) throw new PlotError(`${name} is empty; there is nothing to draw.`);
  const bad = list.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) {
    throw new PlotError(
      `${name}[${bad}] is ${String(list[bad])}; only finite numbers can be drawn. Leave it out, or find where it comes from.`,
    );
  }
  return list;
}

/** Throws unless two lists belong together item by item. */
export function checkSameLength(
  what: string,
  [nameA, a]: readonly [string, number],
  [nameB, b]: readonly [string, number],
): void {
  if (a !== b) {
    throw new PlotError(
      `${what}: ${nameA} has ${a} items and ${nameB} has ${b}; expected equally many.`,
    );
  }
}

/** The smallest and largest of all lists; a loop, as `Math.min(...list)` ends at some 100,000 arguments. */
export function extent(lists: readonly (readonly number[])[]): Domain {
  let low = Infinity;
  let high = -Infinity;
  for (const list of lists) {
    for (const value of list) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  return [low, high];
}

/**
 * A domain a little wider than the data, so that nothing lies on the frame; where all values are equal 1 wide, or as much wider
 * as doubles of that size can tell apart.
 *
 * @throws PlotError values whose distance is beyond the doubles
 */
export function padded([low, high]: Domain, share = 0.04): Domain {
  const margin = high > low ? share * (high - low) : Math.max(0.5, 1e-6 * Math.abs(low));
  if (!Number.isFinite(high + margin - (low - margin))) {
    throw new PlotError(
      `Values from ${low} to ${high} are too far apart for one axis; leave the extreme ones out.`,
    );
  }
  return [low - margin, high + margin];
}

/** A domain that the user gave, or else that of the data. */
export function domainOf(
  name: string,
  given: Domain | undefined,
  lists: readonly (readonly number[])[],
): Domain {
  if (given === undefined) return padded(extent(lists));
  const [low, high] = given;
  if (!(low < high && Number.isFinite(high - low))) {
    throw new PlotError(
      `${name} is [${low}, ${high}]; expected two finite numbers, the smaller first.`,
    );
  }
  return given;
}
