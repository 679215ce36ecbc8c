/**
 * What all lessons share: the options of the command line, the seed, and the file of results.
 *
 * --seed N     another seed than 1337; the same seed gives the same numbers, bit for bit
 * --json FILE  write { program, seed, seconds, metrics } there; a list of these after several lessons
 * --quiet      print nothing but errors; pictures are written all the same
 * --out FOLDER where pictures go; 'out' by default
 * --samples N  learn from the first N images alone, and test with the first N: to try something out; a multiple of 50
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Picture } from '@tapegrad/plots';
import { setSeed, type Mnist, type Tensor } from 'tapegrad';
import { LiveText } from './terminal.js';

export interface Lesson {
  /** Prints, unless quiet. */
  print: (...values: unknown[]) => void;
  /** For fit and evaluate: a progress bar, or nothing when quiet. */
  verbose: 0 | 1;
  /** All digits, or as few of them as `--samples` says. */
  limit: (digits: Mnist) => Mnist;
  /** Shows text that moves, such as a chart, in the place of the one before. On a terminal only; not when quiet or with `--json`. */
  live: (text: () => string) => void;
  /** Writes a picture to `out/PROGRAM-NAME` as .svg, .png and .html, and says so. */
  save: (name: string, picture: Picture) => Promise<void>;
  /** Ends the lesson: prints the results and the time, and writes the file. */
  finish: (metrics: Record<string, number>) => Promise<void>;
}

interface Results {
  program: string;
  seed: number;
  seconds: number;
  metrics: Record<string, number>;
}

/** Of the lessons that have ended in this process. */
const results: Results[] = [];

/** Reads the options and sets the seed. */
export function beginLesson(program: string): Lesson {
  const { values } = parseArgs({
    allowPositionals: true,
    options: {
      seed: { type: 'string', default: '1337' },
      json: { type: 'string' },
      out: { type: 'string', default: 'out' },
      quiet: { type: 'boolean', default: false },
      samples: { type: 'string', default: '60000' },
    },
  });
  const seed = Number(values.seed);
  if (!Number.isInteger(seed))
    throw new RangeError(`--seed needs a whole number; got '${values.seed}'`);
  const samples = Number(values.samples);
  if (!(samples > 0 && samples % 50 === 0))
    throw new RangeError(`--samples needs a multiple of 50; got '${values.samples}'`);
  setSeed(seed);

  const begin = performance.now();
  const terminal = new LiveText((text) => process.stdout.write(text));
  const isLive =
    process.stdout.isTTY &&
    process.stdout.columns > 70 && // a line that is broken in two cannot be taken back
    !values.quiet &&
    values.json === undefined &&
    !process.env.CI &&
    process.env.TERM !== 'dumb';
  const print = (...output: unknown[]): void => {
    if (!values.quiet) terminal.above(() => console.log(...output));
  };
  const first = (x: Tensor): Tensor => {
    const size = [Math.min(samples, x.shape[0]), ...x.shape.slice(1)];
    return x.slice({ begin: x.shape.map(() => 0), size });
  };
  return {
    print,
    verbose: values.quiet ? 0 : 1,
    limit: ({ xTrain, yTrain, xTest, yTest }) => ({
      xTrain: first(xTrain),
      yTrain: first(yTrain),
      xTest: first(xTest),
      yTest: first(yTest),
    }),
    live: (text) => {
      if (isLive) terminal.show(text());
    },
    save: async (name, picture) => {
      const file = join(values.out, `${program}-${name}`);
      for (const type of ['svg', 'png', 'html']) await picture.save(`${file}.${type}`);
      terminal.leave();
      print(`picture: ${file}.svg, .png and .html`);
    },
    finish: async (metrics) => {
      const seconds = (performance.now() - begin) / 1000;
      terminal.leave();
      for (const [name, value] of Object.entries(metrics))
        print(`${name}: ${value.toPrecision(5)}`);
      print(`${program}, seed ${seed}: ${seconds.toFixed(1)} s`);
      results.push({ program, seed, seconds, metrics });
      if (values.json !== undefined) {
        const written = results.length === 1 ? results[0] : results;
        await writeFile(values.json, `${JSON.stringify(written, null, 2)}\n`);
      }
    },
  };
}
