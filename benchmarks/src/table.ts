/**
 * Results as text.
 */
import type { PeerSpec } from './peers.js';
import { ratiosOf } from './ratios.js';
import type { Group } from './rows.js';
import type { Result, Results } from './runner.js';

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

function shown(result: Result | undefined): string {
  if (result === undefined) return '-';
  const rate = result.gflops === undefined ? '' : ` (${digits(result.gflops)})`;
  return `${digits(result.ms)} ±${(100 * result.spread).toFixed(0)}%${rate}`;
}

/** A group's times in Markdown: a column for each peer. */
function timeTable({ title }: Group, results: Results, names: readonly string[]): string {
  const rows = Object.entries(results);
  const rate = rows.some(([, row]) => Object.values(row).some((r) => r.gflops !== undefined));
  const body = rows.map(([name, row]) => [name, ...names.map((peer) => shown(row[peer]))]);
  const unit = rate ? 'ms; in brackets GFLOP/s' : 'ms';
  return `${title} (${unit})\n\n${table([['', ...names], ...body])}\n`;
}

/** Of each of tapegrad's ways of running: how many times as fast as the best JavaScript peer; its time over PyTorch's. */
function ratioTable(results: Results, peers: readonly PeerSpec[]): string {
  const ours = peers.filter(({ family }) => family === 'tapegrad').map(({ name }) => name);
  const torch = peers.some(({ name }) => name === 'torch') ? ours : [];
  const number = (value: number | null | undefined): string =>
    value === null || value === undefined ? '-' : digits(value);
  const body = Object.entries(results).map(([name, row]) => {
    const { bestJavaScript, ratios } = ratiosOf(row, peers);
    return [
      name,
      bestJavaScript ?? '-',
      ...ours.map((peer) => number(ratios[peer]?.timesBestJavaScript)),
      ...torch.map((peer) => number(ratios[peer]?.shareOfTorch)),
    ];
  });
  const head = [
    '',
    'best JavaScript peer',
    ...ours.map((name) => `speed of ${name} / it`),
    ...torch.map((name) => `time of ${name} / torch`),
  ];
  return `${table([head, ...body])}\n`;
}

/** What the very first step in a process takes, with all that is compiled and allocated in it. */
function firstStepTable(results: Results, names: readonly string[]): string {
  const body = Object.entries(results).map(([name, row]) => [
    name,
    ...names.map((peer) => (peer in row ? digits(row[peer].firstMs) : '-')),
  ]);
  return `The first step of a process (ms)\n\n${table([['', ...names], ...body])}\n`;
}

/** A group's times, and its ratios where there is something to compare. */
export function groupTables(group: Group, results: Results, peers: readonly PeerSpec[]): string {
  const names = peers.map(({ name }) => name);
  const trains = group.rows.some(({ task }) => task.kind === 'training');
  const times =
    timeTable(group, results, names) + (trains ? `\n${firstStepTable(results, names)}` : '');
  const families = new Set(peers.map(({ family }) => family));
  return families.has('tapegrad') && families.size > 1
    ? `${times}\n${ratioTable(results, peers)}`
    : times;
}
