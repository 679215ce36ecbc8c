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
  readonly short: boolean;
  readonly python: string;
  /** Where the results go; null for nowhere. */
  readonly json: string | null;
}

export const usage = `npm run bench -- [options]

  --only NAMES     these groups or rows, separated by commas: programs, classifier, matmul, 512 ...
  --peers NAMES    these engines: tapegrad, tfjs-cpu, tfjs-wasm, torch
  --rounds N       rounds of each row (default 7; 2 with --short)
  --short          small sizes and short rounds, under a minute: to see that everything runs
  --python PATH    the Python that has torch (default python3)
  --json FILE      write the results there too
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
function path(given: string): string {
  return resolve(process.env.INIT_CWD ?? '.', given);
}

/** null when help is wanted. @throws UsageError */
export function readOptions(args: readonly string[]): Options | null {
  const { values } = parse(args);
  if (values.help === true) return null;
  const short = values.short ?? false;
  const rounds = Number(values.rounds ?? (short ? 2 : 7));
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new UsageError(
      `--rounds needs a whole number of 1 or more; got '${values.rounds ?? ''}'.`,
    );
  }
  return {
    only: names(values.only),
    peers: names(values.peers),
    rounds,
    short,
    // A bare name is looked for in PATH.
    python: values.python?.includes('/') ? path(values.python) : (values.python ?? 'python3'),
    json: values.json === undefined ? null : path(values.json),
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
        short: { type: 'boolean' },
        python: { type: 'string' },
        json: { type: 'string' },
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
