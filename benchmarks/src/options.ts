/**
 * The command line.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface Options {
  /** Names of groups or rows; empty for all. */
  readonly only: readonly string[];
  /** Names of peers; empty for all. */
  readonly peers: readonly string[];
  readonly rounds: number;
  /** Of every peer but 'tapegrad-threads'. */
  readonly threads: number;
  readonly short: boolean;
  readonly python: string;
  /** Where the results go; null for nowhere. */
  readonly json: string | null;
  /** Where the picture goes; null for nowhere. */
  readonly svg: string | null;
}

export const usage = `npm run bench -- [options]

  --only NAMES     these groups or rows, separated by commas: programs, classifier, matmul, 512 ...
  --peers NAMES    these engines: tapegrad, tapegrad-js, tapegrad-eager, tapegrad-threads, tfjs-cpu, tfjs-wasm,
                   jax-js, torch, keras
  --threads N      threads of every engine that can have more than one (default 1)
  --rounds N       rounds of each row (default 7; 2 with --short)
  --short          small sizes and short rounds, under a minute: to see that everything runs
  --python PATH    the Python that has torch, or keras and tensorflow (default python3)
  --json FILE      write the results there too
  --svg FILE       draw the ratios there
`;

/** A mistake on the command line. */
export class UsageError extends Error {}

function names(list: string | undefined): string[] {
  return (
    list
      ?.split(',')
      .map((name) => name.trim())
      .filter((name) => name !== '') ?? []
  );
}

/** npm runs scripts in the folder of their package.json; paths are meant from where the user is. */
export function path(given: string): string {
  return resolve(process.env.INIT_CWD ?? '.', given);
}

/** @throws UsageError for what is no count */
export function count(
  option: string,
  given: string | undefined,
  otherwise: number,
  least = 1,
): number {
  const value = Number(given ?? otherwise);
  if (!Number.isInteger(value) || value < least) {
    throw new UsageError(`${option} needs a whole number of ${least} or more; got '${given}'.`);
  }
  return value;
}

/** null when help is wanted. @throws UsageError */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parse(args);
  if (values.help === true) return null;
  const short = values.short ?? false;
  const rounds = count('--rounds', values.rounds, short ? 2 : 7);
  const threads = count('--threads', values.threads, 1);
  return {
    only: names(values.only),
    peers: names(values.peers),
    rounds,
    threads,
    short,
    // A bare name is looked for in PATH.
    python: values.python?.includes('/') ? path(values.python) : (values.python ?? 'python3'),
    json: values.json === undefined ? null : path(values.json),
    svg: values.svg === undefined ? null : path(values.svg),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: 'string' },
        peers: { type: 'string' },
        rounds: { type: 'string' },
        threads: { type: 'string' },
        short: { type: 'boolean' },
        python: { type: 'string' },
        json: { type: 'string' },
        svg: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

/** The things of these names, all when there are none. @throws UsageError for a name that nothing has */
export function chosen<T>(
  option: string,
  wanted: readonly string[],
  known: readonly string[],
  all: readonly T[],
  has: (thing: T, name: string) => boolean,
): T[] {
  for (const name of wanted) {
    if (!known.includes(name)) {
      throw new UsageError(`${option}: '${name}' is unknown; there are ${known.join(', ')}.`);
    }
  }
  return all.filter((thing) => wanted.length === 0 || wanted.some((name) => has(thing, name)));
}
