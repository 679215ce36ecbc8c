/** How far a float32 is from what it should be. */

/** The distance from the exact value, in units of the last place of a float32 of its size. */
export function ulpsBetween(got: number, exact: number): number {
  if (Number.isNaN(exact) || Number.isNaN(got)) return Object.is(got, exact) ? 0 : Infinity;
  const rounded = Math.fround(exact);
  if (Object.is(got, rounded) && !Number.isFinite(rounded)) return 0;
  if (got === 0 && rounded === 0) return Object.is(got, rounded) ? 0 : Infinity;
  if (!Number.isFinite(exact)) return Infinity;
  // Infinity stands for the number after the greatest finite one.
  const value = Number.isFinite(got) ? got : Math.sign(got) * 2 ** 128;
  const exponent = Math.min(Math.max(Math.floor(Math.log2(Math.abs(exact))), -126), 127);
  return Math.abs(value - exact) / 2 ** (exponent - 23);
}
