/**
 * `npm run check -- FILE`: does the JSON file of `npm run bench -- --short` have every row, and all that the engines can do? Prints
 * what is missing and ends with exit code 1. How long anything took does not matter.
 */
import { readFileSync } from 'node:fs';
import { path } from './options.js';
import { whyNot } from './peers/tapegrad-engine.js';
import { groupsOf, type Row } from './rows.js';
import type { Result, Results } from './runner.js';

/** What must be there: the engines that the install brings. */
const PEERS = ['tapegrad', 'tapegrad-js', 'tfjs-cpu', 'tfjs-wasm', 'jax-js'];
if (whyNot('eager') === null) PEERS.push('tapegrad-eager');

/** tfjs has no kernel for the gradient of a convolution's windows on its `wasm` backend. */
function cannot(peer: string, { task }: Row): boolean {
  const convolves =
    task.kind === 'convolution' ||
    (task.kind === 'training' && task.layers.some(({ kind }) => kind === 'conv'));
  return peer === 'tfjs-wasm' && convolves;
}

function isMeasured(result: Partial<Result> | undefined): boolean {
  return result?.ms !== undefined && Number.isFinite(result.ms) && result.ms > 0;
}

type Report = Readonly<Record<string, Results | undefined>> & { readonly notes?: string[] };

/** What is missing or wrong, a line each. */
function faults(report: Report): string[] {
  const missing = groupsOf(true).flatMap((group) =>
    group.rows.flatMap((row) =>
      PEERS.filter(
        (peer) => !cannot(peer, row) && !isMeasured(report[group.name]?.[row.name]?.[peer]),
      ).map((peer) => `${group.name}, ${row.name}: nothing measured of ${peer}`),
    ),
  );
  const disagreements = (report.notes ?? []).filter((note) => / computes /.test(note));
  return [...missing, ...disagreements];
}

const [file] = process.argv.slice(2);
if (file === undefined) {
  console.error('npm run check -- FILE');
  process.exitCode = 2;
} else {
  const found = faults(JSON.parse(readFileSync(path(file), 'utf8')) as Report);
  for (const fault of found) console.error(fault);
  if (found.length > 0) process.exitCode = 1;
  else console.log('every row is there, and the engines agree');
}
