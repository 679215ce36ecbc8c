/**
 * Tables of things that can be given by name, and what is said about a name that is not in them.
 */
import { Variable } from '@tapegrad/autograd';
import { Tensor, ValueError, formatChoices, shown } from '@tapegrad/tensor';
import { UnknownNameError } from './errors.js';

/**
 * Finds a name in a table.
 *
 * @param kind what the table holds, for the message: 'loss', 'activation' …
 * @throws UnknownNameError with the nearest and all the known names
 */
export function lookup<T>(kind: string, table: Readonly<Record<string, T>>, name: string): T {
  checkName(kind, name, Object.keys(table));
  return table[name];
}

/** Throws an UnknownNameError, which lists the known names, unless the name is one of them. */
export function checkName(kind: string, name: unknown, known: readonly string[]): void {
  if (typeof name === 'string' && known.includes(name)) return;
  const guess = typeof name === 'string' ? nearest(name, known) : undefined;
  const hint = guess === undefined ? '' : ` Did you mean '${guess}'?`;
  throw new UnknownNameError(
    `Unknown ${kind} ${typeof name === 'string' ? `'${name}'` : shown(name)}.${hint} Known are ${formatChoices(known)}.`,
  );
}

/**
 * Throws unless the options are an object and each has a known name: a misspelt one would be ignored in silence.
 *
 * @param known the names; null where any will do
 * @throws UnknownNameError; ValueError for what is no object of options
 */
export function checkOptions(
  owner: string,
  options: object,
  known: readonly string[] | null,
): void {
  const given: unknown = options;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new ValueError(
      `${owner}: options are an object, as in { ${known?.[0] ?? 'name'}: … }; got ${shown(given)}.`,
    );
  }
  if (known === null) return;
  if (given instanceof Variable || given instanceof Tensor) {
    // As it happens to losses.huber in the place of losses.huber().
    throw new ValueError(
      `${owner}: options are an object; got ${shown(given)}. Call it before it is used, as in ${owner}().`,
    );
  }
  for (const name of Object.keys(options)) checkName(`option of ${owner}`, name, known);
}

/** 'mean_squared_error' and 'MeanSquaredError' look like 'meanSquaredError'. */
function plain(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, '').toLowerCase();
}

/** The known name that a misspelt one was probably meant to be; undefined when none is near. */
function nearest(name: string, known: readonly string[]): string | undefined {
  const wanted = plain(name);
  let best: string | undefined;
  let least = Math.floor(wanted.length / 3) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, plain(candidate));
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** How many letters to insert, delete or replace to make b of a (Levenshtein 1966), row by row. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j] + 1, next[j - 1] + 1));
    }
    row = next;
  }
  return row[b.length];
}
