/** What several rounds say together. */
export interface Summary {
  readonly median: number;
  /** Half of what lies between the quartiles, as a share of the median. */
  readonly spread: number;
  readonly min: number;
  readonly max: number;
}

/** The value below which a share `q` of the sorted values lies, interpolated. */
function quantile(sorted: readonly number[], q: number): number {
  const at = q * (sorted.length - 1);
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
}

/** @throws RangeError when there is no value */
export function summarise(values: readonly number[]): Summary {
  if (values.length === 0) throw new RangeError('summarise: there are no values');
  const sorted = [...values].sort((a, b) => a - b);
  const median = quantile(sorted, 0.5);
  return {
    median,
    spread: (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2 / median,
    min: sorted[0],
    max: sorted[sorted.length - 1],
  };
}

/** The slope of the line through the points (x, y) with the least squared error. */
export function slope(x: readonly number[], y: readonly number[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((a, b) => a + b) / values.length;
  const [mx, my] = [mean(x), mean(y)];
  const products = x.reduce((sum, xi, i) => sum + (xi - mx) * (y[i] - my), 0);
  const squares = x.reduce((sum, xi) => sum + (xi - mx) ** 2, 0);
  return products / squares;
}
