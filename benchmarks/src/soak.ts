/**
 * `npm run soak`: does memory grow? 100,000 eager steps of the regressor, with the memory in use after a full collection
 * every few thousand steps, and the slope of the line through these points. `--steps N` takes another number.
 */
import { parseArgs } from 'node:util';
import { Dense, SGD, Sequential, tensor } from 'tapegrad';
import { uniform } from './numbers.js';
import { slope } from './statistics.js';
import { digits, table } from './table.js';

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

function report(points: readonly Point[]): boolean {
  const kB = (bytes: number): string => Math.round(bytes / 1024).toString();
  const rows = points.map(({ step, memory }) => [
    step.toString(),
    kB(memory.heapUsed),
    kB(memory.external),
    kB(memory.arrayBuffers),
    kB(memory.rss),
  ]);
  console.log(table([['steps', 'heap used', 'external', 'array buffers', 'resident'], ...rows]));
  const late = points.slice(WARM_UP_POINTS);
  const steps = late.map(({ step }) => step);
  // What JavaScript holds. `external` includes the array buffers.
  const growth = slope(
    steps,
    late.map(({ memory }) => memory.heapUsed + memory.external),
  );
  const grows = growth > GROWTH_BYTES_PER_STEP;
  console.log(
    `\nkB after a full collection. Heap and external memory change by ${digits(growth)} bytes a step: ` +
      (grows ? 'they GROW.' : 'no growth.'),
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
