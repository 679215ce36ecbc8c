/**
 * Results as text.
 */
import type { Result, Results } from './runner.js';
import type { Group } from './tasks.js';

/** Three digits that mean something. */
export function digits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** A table whose first column is aligned to the left and the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const cell = (text: string, i: number): string =>
    i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]);
  const [head, ...body] = rows.map((row) => `| ${row.map(cell).join(' | ')} |`);
  const rule = widths.map((w, i) => (i === 0 ? '-'.repeat(w) : `${'-'.repeat(w - 1)}:`));
  return [head, `| ${rule.join(' | ')} |`, ...body].join('\n');
}

function shown(result: Result | undefined, unit: Group['unit']): string {
  if (result === undefined) return '-';
  const value = unit === 'GFLOP/s' ? (result.gflops ?? NaN) : result.ms;
  return `${digits(value)} ±${(100 * result.spread).toFixed(0)}%`;
}

/** How many times as fast as another peer the first one is. */
function ratio(first: Result | undefined, other: Result | undefined): string {
  if (first === undefined || other === undefined) return '-';
  return digits(other.ms / first.ms);
}

/** A group's table in Markdown: a column for each peer, then tapegrad's speed over theirs. */
export function groupTable(
  { title, unit }: Group,
  results: Results,
  peers: readonly string[],
): string {
  const [first, ...others] = peers;
  const compared = first === 'tapegrad' ? others : [];
  const head = ['', ...peers, ...compared.map((name) => `speed / ${name}`)];
  const body = Object.entries(results).map(([name, row]) => [
    name,
    ...peers.map((peer) => shown(row[peer], unit)),
    ...compared.map((peer) => ratio(row[first], row[peer])),
  ]);
  return `${title} (${unit})\n\n${table([head, ...body])}\n`;
}
