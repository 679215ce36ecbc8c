/**
 * `npm run verify`: runs the programs of the course with five seeds each, at full size, and holds the medians against the
 * bars of the course. `-- classifier` runs one program, `-- --seeds 1,2,3` other seeds.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs, promisify } from 'node:util';

type Metrics = Record<string, number>;

interface Bar {
  /** What is measured, in words. */
  readonly what: string;
  readonly of: (metrics: Metrics) => number;
  readonly reached: (median: number) => boolean;
  readonly limit: string;
}

const bars: Record<string, readonly Bar[]> = {
  regressor: [
    {
      what: 'distance of b from 2',
      of: ({ b }) => Math.abs(b - 2),
      reached: (median) => median <= 0.02,
      limit: '≤ 0.02',
    },
    {
      what: 'error of W, as a share of its first error',
      of: ({ W, initialW }) => Math.abs(W - 0.5) / Math.abs(initialW - 0.5),
      reached: (median) => median <= 0.15,
      limit: '≤ 0.15',
    },
  ],
  classifier: [
    {
      what: 'test accuracy',
      of: ({ testAccuracy }) => testAccuracy,
      reached: (median) => median >= 0.946,
      limit: '≥ 0.946',
    },
  ],
  cnn: [
    {
      what: 'test accuracy',
      of: ({ testAccuracy }) => testAccuracy,
      reached: (median) => median >= 0.97,
      limit: '≥ 0.970',
    },
  ],
  rnn: [
    {
      what: 'test accuracy at step 4000',
      of: ({ testAccuracy }) => testAccuracy,
      reached: (median) => median >= 0.928,
      limit: '≥ 0.928',
    },
  ],
  lstm: [
    {
      what: 'mean cost of the last 50 steps',
      of: ({ meanCost }) => meanCost,
      reached: (median) => median <= 0.002,
      limit: '≤ 0.002',
    },
  ],
  autoencoder: [
    {
      what: 'loss after 20 epochs',
      of: ({ loss }) => loss,
      reached: (median) => median <= 0.04,
      limit: '≤ 0.0400',
    },
  ],
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: 'string', default: '1,2,3,4,5' } },
});
const seeds = values.seeds.split(',').map(Number);
const programs = positionals.length > 0 ? positionals : Object.keys(bars);
const runner = fileURLToPath(new URL('../examples/run.ts', import.meta.url));
const folder = await mkdtemp(join(tmpdir(), 'tapegrad-verify-'));

async function resultsOf(
  program: string,
  seed: number,
): Promise<{ seconds: number; metrics: Metrics }> {
  const file = join(folder, `${program}-${seed}.json`);
  const options = ['--seed', String(seed), '--json', file, '--quiet'];
  await promisify(execFile)(process.execPath, ['--import', 'tsx', runner, program, ...options]);
  return JSON.parse(await readFile(file, 'utf8')) as { seconds: number; metrics: Metrics };
}

function medianOf(list: readonly number[]): number {
  const sorted = [...list].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

try {
  for (const program of programs) {
    const known = bars[program];
    if (known === undefined)
      throw new RangeError(
        `unknown program '${program}'; known are ${Object.keys(bars).join(', ')}`,
      );
    const results = [];
    for (const seed of seeds) results.push(await resultsOf(program, seed));
    const seconds = medianOf(results.map((r) => r.seconds));
    console.log(`${program}: ${seeds.length} seeds, median ${seconds.toFixed(1)} s`);
    for (const { what, of, reached, limit } of known) {
      const measured = results.map((r) => of(r.metrics));
      const median = medianOf(measured);
      const verdict = reached(median) ? 'reached' : 'MISSED';
      const all = measured.map((v) => v.toFixed(4)).join(', ');
      console.log(`  ${what}: median ${median.toFixed(4)} (${limit}: ${verdict}); ${all}`);
      if (!reached(median)) process.exitCode = 1;
    }
  }
} finally {
  await rm(folder, { recursive: true });
}
