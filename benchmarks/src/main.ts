/**
 * `npm run bench`: measures, prints the tables, writes the JSON and the picture.
 */
import { writeFileSync } from 'node:fs';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { ratioChart } from './chart.js';
import { UsageError, chosen, readOptions, usage, type Options } from './options.js';
import { allPeers, type PeerSpec } from './peers.js';
import { peakRates } from 'tapegrad';
import { ratiosOf, type RowRatios } from './ratios.js';
import { groupsOf, type Group, type Row } from './rows.js';
import { measureGroup, type Effort, type Results } from './runner.js';
import { digits, groupTables } from './table.js';

const FULL = { steps: 10, patience: 10, warmUp: 1, round: 0.5, untimedMs: 2000, separate: true };
const SHORT = {
  steps: 3,
  patience: 0.3,
  warmUp: 0.02,
  round: 0.02,
  untimedMs: 100,
  separate: false,
};

interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGB: number;
  readonly platform: string;
  readonly node: string;
  readonly date: string;
  /** GFLOP/s of one thread of tapegrad's vector kernels on data in registers and the nearest cache. */
  readonly peak?: number;
}

function machine(): Machine {
  const peak = peakRates();
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    platform: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    date: new Date().toISOString(),
    ...(peak === null ? {} : { peak: peak.gflops }),
  };
}

/** The groups with the rows that are wanted. */
function wantedGroups({ only, short }: Options): Group[] {
  const known = groupsOf(false).flatMap(({ name, rows }) => [name, ...rows.map((row) => row.name)]);
  return groupsOf(short)
    .map((group) => {
      const has = (row: Row, name: string): boolean => name === row.name || name === group.name;
      return { ...group, rows: chosen('--only', only, known, group.rows, has) };
    })
    .filter(({ rows }) => rows.length > 0);
}

function wantedPeers({ peers, python, threads }: Options): PeerSpec[] {
  const all = allPeers(python, threads);
  const known = all.map(({ name }) => name);
  return chosen('--peers', peers, known, all, (peer, name) => peer.name === name);
}

/** For the JSON file: by group and row. */
function allRatios(
  measured: Readonly<Record<string, Results>>,
  peers: readonly PeerSpec[],
): Record<string, Record<string, RowRatios>> {
  const byRow = (rows: Results): Record<string, RowRatios> =>
    Object.fromEntries(Object.entries(rows).map(([name, row]) => [name, ratiosOf(row, peers)]));
  return Object.fromEntries(Object.entries(measured).map(([name, rows]) => [name, byRow(rows)]));
}

const listed = (parts: object): string =>
  Object.entries(parts)
    .map(([key, value]) => `${key} ${typeof value === 'number' ? digits(value) : String(value)}`)
    .join(', ');

async function bench(options: Options): Promise<void> {
  const { rounds, threads, short, json, svg } = options;
  const effort: Effort = { ...(short ? SHORT : FULL), rounds };
  const groupsToRun = wantedGroups(options);
  const peers = wantedPeers(options);
  const able = peers.filter(({ missing }) => missing === null);
  const notes = peers.flatMap(({ name, missing }) =>
    missing === null ? [] : [`${name}: ${missing}`],
  );
  const versions: Record<string, Record<string, string>> = {};
  const measured: Record<string, Results> = {};
  const here = machine();

  console.log(listed(here));
  console.log(`Threads: ${threads}; medians of ${rounds} rounds of ${effort.round} s.\n`);
  for (const group of groupsToRun) {
    const outcome = await measureGroup(group, able, effort, (row) => {
      console.error(`... ${group.name} ${row}`);
    });
    Object.assign(versions, outcome.versions);
    notes.push(...outcome.notes.filter((text) => !notes.includes(text)));
    measured[group.name] = outcome.results;
    console.log(groupTables(group, outcome.results, able));
  }
  for (const [name, parts] of Object.entries(versions)) console.log(`${name}: ${listed(parts)}`);
  for (const note of notes) console.log(`note: ${note}`);
  if (json !== null) {
    const ratios = allRatios(measured, able);
    const result = { machine: here, threads, effort, versions, notes, ...measured, ratios };
    writeFileSync(json, `${JSON.stringify(result, null, 2)}\n`);
    console.log(`written: ${json}`);
  }
  if (svg !== null) {
    const picture = await ratioChart(measured, able);
    if (picture === null) console.log('note: no picture, as there is nothing to compare');
    else {
      writeFileSync(svg, picture);
      console.log(`written: ${svg}`);
    }
  }
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === null) console.log(usage);
  else await bench(options);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}
