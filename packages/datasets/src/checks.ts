import { ValueError } from '@tapegrad/tensor';

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
