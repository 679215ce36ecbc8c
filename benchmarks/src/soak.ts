/**
 * `npm run soak`: does memory grow? Steps of the regressor and of the stateful LSTM, with the memory in use after a full
 * collection along the way, and the slopes of the lines through these points. Ends with exit code 1 when memory grows.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { line, sideBySide, type Picture } from '@tapegrad/plots';
import { Adam, Dense, LSTM, SGD, Sequential, TimeDistributed, sineWindows, tensor } from 'tapegrad';
import { uniform } from './numbers.js';
import { UsageError, count, path } from './options.js';
import { MODES, start, type Mode } from './peers/tapegrad-engine.js';
import { slope } from './statistics.js';
import { table } from './table.js';

const POINTS = 25;
/** Points left out of the slope: code and caches that are made once. */
const WARM_UP_POINTS = 5;
/** What V8 holds more or less from one collection to the next. */
const WOBBLE_BYTES = 2 ** 19;
const MiB = 2 ** 20;

/** What is repeated. */
interface Program {
  readonly name: string;
  readonly steps: number;
  /** Bytes a step: a single leaked object or tensor is more than this. */
  readonly allowed: number;
  begin(): () => void;
}

interface Point {
  readonly step: number;
  readonly memory: NodeJS.MemoryUsage;
}

/** The columns: what they are called and what they show. */
const COLUMNS = [
  ['heap used', 'heapUsed'],
  ['array buffers', 'arrayBuffers'],
  ['external', 'external'],
  ['resident', 'rss'],
] as const;

function programs(
  regressorSteps: number,
  lstmSteps: number,
  compileOptions: object,
): readonly Program[] {
  return [
    {
      name: 'regressor',
      steps: regressorSteps,
      allowed: 8,
      begin() {
        const batch = 160;
        const values = uniform(0, batch, -1, 1);
        const x = tensor(values, { shape: [batch, 1] });
        const y = tensor(
          values.map((v) => 0.5 * v + 2),
          { shape: [batch, 1] },
        );
        const model = new Sequential([new Dense(1, { inputShape: [1] })]);
        model.compile({
          loss: 'mse',
          optimizer: new SGD({ learningRate: 0.01 }),
          ...compileOptions,
        });
        return () => void model.trainOnBatch(x, y);
      },
    },
    {
      name: 'LSTM',
      steps: lstmSteps,
      allowed: 64,
      begin() {
        const [batchSize, timeSteps] = [50, 20];
        const model = new Sequential([
          new LSTM(20, {
            batchInputShape: [batchSize, timeSteps, 1],
            returnSequences: true,
            stateful: true,
          }),
          new TimeDistributed(new Dense(1)),
        ]);
        model.compile({
          loss: 'mse',
          optimizer: new Adam({ learningRate: 0.006 }),
          ...compileOptions,
        });
        const windows = sineWindows({ batchSize, timeSteps, advance: timeSteps });
        return () => {
          const { x, y } = windows.next().value;
          model.trainOnBatch(x, y);
        };
      },
    },
  ];
}

/** Collects all garbage. Buffers are given back by another thread, and counted as soon as this one has a pause. */
async function settle(collect: () => void): Promise<void> {
  for (let i = 0; i < 3; i++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function soak({ steps, begin }: Program, collect: () => void): Promise<Point[]> {
  const step = begin();
  const points: Point[] = [];
  const every = Math.max(1, Math.floor(steps / POINTS));
  for (let done = 1; done <= steps; done++) {
    step();
    if (done % every !== 0) continue;
    await settle(collect);
    points.push({ step: done, memory: process.memoryUsage() });
  }
  return points;
}

/** Prints the points and their slopes. True when what JavaScript holds has grown. */
function report({ name, allowed, steps }: Program, points: readonly Point[]): boolean {
  const late = points.slice(WARM_UP_POINTS);
  const growth = ([, key]: (typeof COLUMNS)[number]): number =>
    slope(
      late.map(({ step }) => step),
      late.map(({ memory }) => memory[key]),
    );
  const kB = (bytes: number): string => Math.round(bytes / 1024).toString();
  console.log(
    table([
      [`${name}, steps`, ...COLUMNS.map(([title]) => `${title}, kB`)],
      ...points.map(({ step, memory }) => [
        step.toString(),
        ...COLUMNS.map(([, key]) => kB(memory[key])),
      ]),
      ['bytes a step', ...COLUMNS.map((column) => growth(column).toFixed(1))],
    ]),
  );
  // The objects and the elements of the tensors. External and resident memory wander by themselves.
  const [heap, buffers] = COLUMNS;
  const grows = [heap, buffers].some((column) => {
    const bytes = growth(column);
    return bytes > allowed && bytes * steps > WOBBLE_BYTES;
  });
  console.log(
    `Heap and array buffers after a full collection: ${grows ? 'they GROW.' : 'no growth.'}\n`,
  );
  return grows;
}

function picture({ name }: Program, points: readonly Point[]): Picture {
  const steps = points.map(({ step }) => step);
  const highest = Math.max(...points.map(({ memory }) => memory.rss)) / MiB;
  return line(
    COLUMNS.map(([label, key]) => ({
      x: steps,
      y: points.map(({ memory }) => memory[key] / MiB),
      label,
    })),
    {
      title: `Memory over ${points[points.length - 1].step.toLocaleString('en')} steps: ${name}`,
      xLabel: 'steps',
      yLabel: 'MiB',
      yDomain: [0, 1.1 * highest],
    },
  );
}

const USAGE = `npm run soak -- [options]

  --regressor-steps N  steps of the regressor (default 100000; 0 for none)
  --lstm-steps N       steps of the stateful LSTM (default 2000; 0 for none)
  --mode MODE          how tapegrad runs: ${Object.keys(MODES).join(', ')} (default 'default')
  --threads N          default 1
  --svg FILE           draw the memory there`;

interface Settings {
  readonly regressorSteps: number;
  readonly lstmSteps: number;
  readonly mode: Mode;
  readonly threads: number;
  readonly svg: string | null;
}

/** null when help is wanted. @throws UsageError */
function settings(): Settings | null {
  const { values } = parseArgs({
    options: {
      'regressor-steps': { type: 'string' },
      'lstm-steps': { type: 'string' },
      mode: { type: 'string', default: 'default' },
      threads: { type: 'string' },
      svg: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help === true) return null;
  const { mode } = values;
  if (!Object.hasOwn(MODES, mode)) {
    throw new UsageError(
      `--mode: '${mode}' is unknown; there are ${Object.keys(MODES).join(', ')}.`,
    );
  }
  const steps = (option: 'regressor-steps' | 'lstm-steps', otherwise: number): number => {
    const n = count(`--${option}`, values[option], otherwise, 0);
    if (n > 0 && n < 10 * POINTS) {
      throw new UsageError(`--${option} needs ${10 * POINTS} or more, or 0; got '${n}'.`);
    }
    return n;
  };
  return {
    regressorSteps: steps('regressor-steps', 100_000),
    lstmSteps: steps('lstm-steps', 2000),
    mode: mode as Mode,
    threads: count('--threads', values.threads, 1),
    svg: values.svg === undefined ? null : path(values.svg),
  };
}

async function main(
  { regressorSteps, lstmSteps, mode, threads, svg }: Settings,
  collect: () => void,
): Promise<void> {
  const { compileOptions, versions } = start(mode, threads);
  console.log(
    Object.entries(versions)
      .map((part) => part.join(' '))
      .join(', '),
  );
  const pictures: Picture[] = [];
  for (const program of programs(regressorSteps, lstmSteps, compileOptions)) {
    if (program.steps === 0) continue;
    const begun = performance.now();
    const points = await soak(program, collect);
    const seconds = (performance.now() - begun) / 1000;
    console.log(`\n${program.name}: ${program.steps} steps in ${seconds.toFixed(1)} s\n`);
    if (report(program, points)) process.exitCode = 1;
    pictures.push(picture(program, points));
  }
  if (svg === null || pictures.length === 0) return;
  writeFileSync(svg, await sideBySide(pictures).toSVG());
  console.log(`written: ${svg}`);
}

try {
  const given = settings();
  if (given === null) console.log(USAGE);
  else if (globalThis.gc === undefined) {
    throw new UsageError('soak: needs node --expose-gc, as `npm run soak` has it.');
  } else await main(given, globalThis.gc as () => void);
} catch (error) {
  const usage = error instanceof UsageError || (error instanceof TypeError && 'code' in error);
  if (!usage) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
