/**
 * `npm run soak`: does memory grow? 100,000 eager steps of the regressor, with the memory in use after a full collection
 * every few thousand steps, and the slopes of the lines through these points. `--steps N` takes another number. Ends with
 * exit code 1 when memory grows.
 */
import { parseArgs } from 'node:util';
import { Dense, SGD, Sequential, tensor } from 'tapegrad';
import { uniform } from './numbers.js';
import { slope } from './statistics.js';
import { table } from './table.js';

const POINTS = 20;
/** Points left out of the slope: code and caches that are made once. */
const WARM_UP_POINTS = 4;
/** A single leaked graph node is more than this. */
const GROWTH_BYTES_PER_STEP = 8;

interface Point {
  readonly step: number;
  readonly memory: NodeJS.MemoryUsage;
}

function soak(steps: number, collect: () => void): Point[] {
  const batch = 160;
  const values = uniform(0, batch, -1, 1);
  const x = tensor(values, { shape: [batch, 1] });
  const y = tensor(
    values.map((v) => 0.5 * v + 2),
    { shape: [batch, 1] },
  );
  const model = new Sequential([new Dense(1, { inputShape: [1] })]);
  model.compile({ loss: 'mse', optimizer: new SGD({ learningRate: 0.01 }) });

  const points: Point[] = [];
  const every = Math.max(1, Math.floor(steps / POINTS));
  for (let step = 1; step <= steps; step++) {
    model.trainOnBatch(x, y);
    if (step % every !== 0) continue;
    collect();
    points.push({ step, memory: process.memoryUsage() });
  }
  return points;
}

/** The columns: what they are called and what they show. */
const COLUMNS = [
  ['heap used', 'heapUsed'],
  ['array buffers', 'arrayBuffers'],
  ['external', 'external'],
  ['resident', 'rss'],
] as const;

/** Prints the points and their slopes. True when what JavaScript holds has grown. */
function report(points: readonly Point[]): boolean {
  const late = points.slice(WARM_UP_POINTS);
  const growth = ([, key]: (typeof COLUMNS)[number]): number =>
    slope(
      late.map(({ step }) => step),
      late.map(({ memory }) => memory[key]),
    );
  const kB = (bytes: number): string => Math.round(bytes / 1024).toString();
  console.log(
    table([
      ['steps', ...COLUMNS.map(([title]) => `${title}, kB`)],
      ...points.map(({ step, memory }) => [
        step.toString(),
        ...COLUMNS.map(([, key]) => kB(memory[key])),
      ]),
      ['bytes a step', ...COLUMNS.map((column) => growth(column).toFixed(1))],
    ]),
  );
  // The objects and the elements of the tensors. External and resident memory wander by themselves.
  const [heap, buffers] = COLUMNS;
  const grows = growth(heap) + growth(buffers) > GROWTH_BYTES_PER_STEP;
  console.log(
    `\nHeap and array buffers after a full collection: ${grows ? 'they GROW.' : 'no growth.'}`,
  );
  return grows;
}

const { values } = parseArgs({ options: { steps: { type: 'string', default: '100000' } } });
const steps = Number(values.steps);
const { gc } = globalThis;
if (!Number.isInteger(steps) || steps < 1000) {
  console.error(`soak: --steps needs a whole number of 1000 or more; got '${values.steps}'.`);
  process.exitCode = 2;
} else if (gc === undefined) {
  console.error('soak: needs node --expose-gc, as `npm run soak` has it.');
  process.exitCode = 2;
} else {
  const start = performance.now();
  const points = soak(steps, () => gc());
  console.log(`${steps} steps in ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
  if (report(points)) process.exitCode = 1;
}
