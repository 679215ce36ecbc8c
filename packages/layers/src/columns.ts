/** Tables as text, for what models print. */

/**
 * Rows with their cells one below the other.
 *
 * @param rows all with the same number of cells
 * @param atRight whether a column's cells end at one place, as numbers do, instead of beginning there
 * @param gap spaces between columns
 */
export function inColumns(
  rows: readonly (readonly string[])[],
  atRight: (column: number) => boolean,
  gap: number,
): string[] {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (atRight(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join(' '.repeat(gap)),
  );
}
