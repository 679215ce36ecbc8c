/**
 * What all lessons share: the options of the command line, the seed, and the file of results.
 *
 * --seed N     another seed than 1337; the same seed gives the same numbers, bit for bit
 * --json FILE  write { program, seed, seconds, metrics } there; a list of these after several lessons
 * --quiet      print nothing but errors; pictures are written all the same
 * --out FOLDER where pictures go; 'out' by default
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Picture } from '@tapegrad/plots';
import { setSeed } from 'tapegrad';

export interface Lesson {
  /** Prints, unless quiet. */
  print: (...values: unknown[]) => void;
  /** For fit and evaluate: a progress bar, or nothing when quiet. */
  verbose: 0 | 1;
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
    },
  });
  const seed = Number(values.seed);
  if (!Number.isInteger(seed))
    throw new RangeError(`--seed needs a whole number; got '${values.seed}'`);
  setSeed(seed);

  const begin = performance.now();
  const print = (...output: unknown[]): void => {
    if (!values.quiet) console.log(...output);
  };
  return {
    print,
    verbose: values.quiet ? 0 : 1,
    save: async (name, picture) => {
      const file = join(values.out, `${program}-${name}`);
      for (const type of ['svg', 'png', 'html']) await picture.save(`${file}.${type}`);
      print(`picture: ${file}.svg, .png and .html`);
    },
    finish: async (metrics) => {
      const seconds = (performance.now() - begin) / 1000;
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
