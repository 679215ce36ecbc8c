/** Functions of one or two numbers that Math does not have. */

const TWO_OVER_SQRT_PI = 2 / Math.sqrt(Math.PI);

/**
 * The error function 2/√π ∫₀ˣ e^(−t²) dt, to about 1e-15. Below 3 the series e^(−x²)·Σ 2ᵏ x^(2k+1) / (2k+1)!!, whose terms
 * are all of one sign, so nothing cancels (Abramowitz & Stegun 7.1.6); above, 1 − erfc by its continued fraction (7.1.14).
 */
export function erfOf(x: number): number {
  const a = Math.abs(x);
  if (a < 3) {
    let term = x;
    let sum = x;
    for (let k = 1; Math.abs(term) > 1e-17 * Math.abs(sum); k++) {
      term *= (2 * x * x) / (2 * k + 1);
      sum += term;
    }
    return TWO_OVER_SQRT_PI * Math.exp(-x * x) * sum;
  }
  if (a > 6) return Math.sign(x);
  // NaN fails both comparisons above and comes out of the fraction as NaN.
  let fraction = a;
  for (let k = 60; k > 0; k--) fraction = a + k / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-a * a) / (Math.sqrt(Math.PI) * fraction));
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
