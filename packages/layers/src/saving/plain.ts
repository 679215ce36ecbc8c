/**
 * Plain data: what JSON can hold.
 */

export type Plain =
  null | boolean | number | string | readonly Plain[] | { readonly [key: string]: Plain };

/** All that is needed to make a layer again. */
export type Config = Readonly<Record<string, Plain>>;

/** Stands in objects that mean something else than themselves: `{ "$": "layer", … }`. */
export const MARK = '$';

export function isObject(x: unknown): x is Readonly<Record<string, unknown>> {
  return typeof x === 'object' && x !== null && !Array.isArray(x);
}

/** A field of an object's own; undefined when it has none, and never one of all objects such as `constructor`. */
export function field(x: unknown, name: string): unknown {
  return isObject(x) && Object.hasOwn(x, name) ? x[name] : undefined;
}
