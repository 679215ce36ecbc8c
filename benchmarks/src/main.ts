/**
 * `npm run bench`: measures, prints the tables, writes the JSON.
 */
import { writeFileSync } from 'node:fs';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { UsageError, chosen, readOptions, usage, type Options } from './options.js';
import { allPeers, type PeerSpec } from './peers.js';
import { measureGroup, type Effort, type Results } from './runner.js';
import { groupTable } from './table.js';
import { groups, type Group } from './tasks.js';

const FULL = { warmUp: 1, round: 0.5 };
const SHORT = { warmUp: 0.2, round: 0.1 };

function machine(): Record<string, string | number> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    platform: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    date: new Date().toISOString(),
  };
}

/** The groups with the rows that are wanted. */
function wantedGroups({ only, short }: Options): Group[] {
  const known = groups.flatMap(({ name, rows }) => [name, ...rows.map((row) => row.name)]);
  return groups
    .map((group) => {
      const rows = group.rows.filter((row) => !(short && row.long === true));
      const has = (row: { name: string }, name: string): boolean =>
        name === row.name || name === group.name;
      return { ...group, rows: chosen('--only', only, known, rows, has) };
    })
    .filter(({ rows }) => rows.length > 0);
}

function wantedPeers({ peers, python }: Options): PeerSpec[] {
  const all = allPeers(python);
  const known = all.map(({ name }) => name);
  return chosen('--peers', peers, known, all, (peer, name) => peer.name === name);
}

async function bench(options: Options): Promise<void> {
  const effort: Effort = { ...(options.short ? SHORT : FULL), rounds: options.rounds };
  const groupsToRun = wantedGroups(options);
  const peers = wantedPeers(options);
  const able = peers.filter(({ missing }) => missing === null);
  const notes = peers.flatMap(({ name, missing }) =>
    missing === null ? [] : [`${name}: ${missing}`],
  );
  const versions: Record<string, Record<string, string>> = {};
  const measured: Record<string, Results> = {};
  const here = machine();

  console.log(
    Object.entries(here)
      .map(([key, value]) => `${key}: ${value}`)
      .join(', '),
  );
  console.log(`One thread each; medians of ${effort.rounds} rounds of ${effort.round} s.\n`);
  for (const group of groupsToRun) {
    const outcome = await measureGroup(group, able, effort, (row) => {
      console.error(`... ${group.name} ${row}`);
    });
    Object.assign(versions, outcome.versions);
    notes.push(...outcome.notes);
    measured[group.name] = outcome.results;
    console.log(
      groupTable(
        group,
        outcome.results,
        able.map(({ name }) => name),
      ),
    );
  }
  for (const [name, parts] of Object.entries(versions)) {
    console.log(
      `${name}: ${Object.entries(parts)
        .map((part) => part.join(' '))
        .join(', ')}`,
    );
  }
  for (const note of notes) console.log(`note: ${note}`);
  if (options.json !== null) {
    const result = { machine: here, effort, versions, notes, ...measured };
    writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`);
    console.log(`written: ${options.json}`);
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
