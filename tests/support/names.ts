/** Functions of the library that reference files name. */

/**
 * Calls the function of that name with the settings of a case.
 *
 * @throws Error when the name is none of the known ones: a case that is not known must not pass
 */
export function callByName(
  what: string,
  functions: object,
  known: readonly string[],
  name: string,
  config: object,
): unknown {
  const f = (functions as Readonly<Record<string, unknown>>)[name];
  if (!known.includes(name) || typeof f !== 'function')
    throw new Error(`${what}: unknown '${name}'; known are ${known.join(', ')}`);
  return (f as (config: object) => unknown)(config);
}
