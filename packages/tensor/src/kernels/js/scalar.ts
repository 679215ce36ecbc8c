/** Functions of one or two numbers that Math does not have. */

const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/**
 * The error function 2/√π ∫₀ˣ e^(−t²) dt, to about 1e-15. Below 2 the series e^(−x²)·Σ 2ᵏ x^(2k+1) / (2k+1)!!, whose terms
 * are all of one sign, so nothing cancels (Abramowitz & Stegun 7.1.6); above, 1 − erfc.
 */
export function erfOf(x: number): number {
  if (!(Math.abs(x) < 2)) return Math.sign(x) * (1 - erfcOf(Math.abs(x)));
  let term = x;
  let sum = x;
  for (let k = 1; Math.abs(term) > 1e-17 * Math.abs(sum); k++) {
    term *= (2 * x * x) / (2 * k + 1);
    sum += term;
  }
  return TWO_OVER_SQRT_PI * Math.exp(-x * x) * sum;
}

/**
 * 1 − erf x, to about 1e-13 of its own size also where erf x is nearly 1: from 2 on by the continued fraction
 * e^(−x²)/√π · 1/(x + ½/(x + 1/(x + ³⁄₂/(x + …)))) (Abramowitz & Stegun 7.1.14).
 */
export function erfcOf(x: number): number {
  if (x < 2) return 1 - erfOf(x);
  let fraction = x;
  for (let k = 60; k > 0; k--) fraction = x + k / 2 / fraction;
  return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
}

/** a modulo b with the sign of b, as in Python: modulo(−7, 3) = 2. */
export function modulo(a: number, b: number): number {
  const rest = a % b;
  return rest !== 0 && rest < 0 !== b < 0 ? rest + b : rest;
}

/** The nearest whole number; of two equally near ones the even one (IEEE 754's default, NumPy's rule). */
export function roundHalfEven(x: number): number {
  return Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
}
