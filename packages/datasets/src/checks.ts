import { ValueError, formatChoices } from '@tapegrad/tensor';

/**
 * Throws a ValueError unless the options are an object and each has a known name: a misspelt one would be ignored in silence.
 *
 * @param known all names, which the type holds it to
 */
export function checkOptions<O extends object>(
  where: string,
  options: O,
  known: Readonly<Record<keyof Required<O>, true>>,
): void {
  const given: unknown = options;
  const names = formatChoices(Object.keys(known));
  if (typeof given !== 'object' || given === null) {
    throw new ValueError(`${where}: options are an object with ${names}; got ${String(given)}.`);
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(known, name)) continue;
    throw new ValueError(`${where}: there is no option '${name}'; known are ${names}.`);
  }
}

/** Throws a ValueError unless the value is a whole number of at least `least`. */
export function checkWhole(where: string, name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ValueError(
      `${where}: ${name} must be a whole number of at least ${least}; got ${String(value)}.`,
    );
  }
}

/** Throws a ValueError unless the value is a finite number. */
export function checkFinite(where: string, name: string, value: number): void {
  if (!Number.isFinite(value)) {
    throw new ValueError(`${where}: ${name} must be a finite number; got ${String(value)}.`);
  }
}

/** Throws a ValueError unless the value is a finite number above 0. */
export function checkPositive(where: string, name: string, value: number): void {
  if (!Number.isFinite(value) || value <= 0) {
    throw new ValueError(`${where}: ${name} must be a number above 0; got ${String(value)}.`);
  }
}
