/** The table that `model.profile()` prints: where the time of a training step goes. */
import {
  formatShape,
  peakRates,
  type PeakRates,
  type ProfileRow,
  type Program,
  type Tensor,
} from '@tapegrad/tensor';
import { inColumns } from './columns.js';

/** One line: all calls of a program that do the same to tensors of the same shapes. */
export interface ProfileEntry {
  /** The op, with what was fused into it. */
  readonly op: string;
  readonly shapes: string;
  /** 'wasm', or 'js' for a TypeScript kernel. */
  readonly kernel: string;
  readonly calls: number;
  /** Of all these calls in one step, in milliseconds: the median of the rounds. */
  readonly ms: number;
  readonly flops: number;
  /** Read and written. */
  readonly bytes: number;
}

/** How long the calls of a program take: the medians of several rounds, the longest first. */
export function profileOf(
  program: Program,
  inputs: readonly Tensor[],
  rounds: number,
): ProfileEntry[] {
  const measured = Array.from({ length: rounds }, () => program.profile(inputs));
  const groups = new Map<string, ProfileEntry>();
  program.calls.forEach((call, i) => {
    const ms = median(measured.map((rows: readonly ProfileRow[]) => rows[i].ms));
    const shapes = call.inputs.map(({ shape }) => formatShape(shape)).join(' ');
    const key = `${call.name} ${shapes}`;
    const before = groups.get(key);
    groups.set(key, {
      op: call.name,
      shapes,
      kernel: call.kernels.includes('js') ? 'js' : 'wasm',
      calls: (before?.calls ?? 0) + 1,
      ms: (before?.ms ?? 0) + ms,
      flops: (before?.flops ?? 0) + call.flops,
      bytes: (before?.bytes ?? 0) + call.bytes,
    });
  });
  return [...groups.values()].sort((a, b) => b.ms - a.ms);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

const HEADINGS = [
  'op',
  'calls',
  'ms',
  'share',
  'GFLOP/s',
  'of peak',
  'GB/s',
  'of peak',
  'kernel',
  'inputs',
];
/** A line of inputs is cut here: a concat may have dozens. */
const SHAPES_WIDTH = 48;

/** The table as text. The peaks are those of one thread: several can be above them. */
export function formatProfile(entries: readonly ProfileEntry[], threads: number): string {
  const peaks = peakRates() ?? { gflops: NaN, gbytes: NaN };
  const total = entries.reduce((sum, { ms }) => sum + ms, 0);
  const rows = entries.map((entry) => cells(entry, total, peaks));
  const atLeft = (column: number): boolean => column === 0 || column >= HEADINGS.length - 2;
  const lines = inColumns([HEADINGS, ...rows], (column) => !atLeft(column), 2);
  const peak = `peak of one thread: ${peaks.gflops.toFixed(1)} GFLOP/s, ${peaks.gbytes.toFixed(1)} GB/s`;
  return [
    ...lines.map((line) => line.trimEnd()),
    `total ${total.toFixed(3)} ms a step, ${threads} thread${threads === 1 ? '' : 's'}; ${peak}`,
  ].join('\n');
}

function cells(entry: ProfileEntry, total: number, peaks: PeakRates): string[] {
  const { op, calls, ms, flops, bytes, kernel, shapes } = entry;
  const gflops = flops / ms / 1e6;
  const gbytes = bytes / ms / 1e6;
  const percent = (share: number): string => `${(100 * share).toFixed(share < 0.1 ? 1 : 0)}%`;
  return [
    op,
    String(calls),
    ms.toFixed(4),
    percent(ms / total),
    flops > 0 ? gflops.toFixed(1) : '',
    flops > 0 ? percent(gflops / peaks.gflops) : '',
    gbytes.toFixed(1),
    percent(gbytes / peaks.gbytes),
    kernel,
    shapes.length > SHAPES_WIDTH ? `${shapes.slice(0, SHAPES_WIDTH - 1)}…` : shapes,
  ];
}
