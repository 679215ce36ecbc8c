/**
 * Measures rows: all peers in turn, round after round, each in its own process.
 */
import { PeerError, PeerProcess } from './peer-process.js';
import type { PeerSpec } from './peers.js';
import type { Measured } from './protocol.js';
import { summarise } from './statistics.js';
import { flops, type Group, type Row } from './tasks.js';

/** What one peer did on one row. */
export interface Result {
  /** Median over the rounds, of the mean time in a round. */
  readonly ms: number;
  /** See `Summary`. */
  readonly spread: number;
  readonly min: number;
  readonly max: number;
  /** Repetitions in all rounds together. */
  readonly repetitions: number;
  readonly gflops?: number;
}

/** By row, then by peer. A peer that could not do a row is not there. */
export type Results = Record<string, Record<string, Result>>;

export interface Effort {
  readonly rounds: number;
  /** Seconds of each peer before the first round. */
  readonly warmUp: number;
  /** Seconds of each peer in a round; at least one repetition. */
  readonly round: number;
}

export interface Outcome {
  readonly results: Results;
  readonly versions: Record<string, Record<string, string>>;
  /** What went wrong, a line each. */
  readonly notes: string[];
}

/** Peers agree when what they compute differs by less than this share. */
const AGREEMENT = 0.01;

type Log = (text: string) => void;

/** Runs `body` with the peers that start, and stops them. */
async function withPeers(
  peers: readonly PeerSpec[],
  notes: string[],
  body: (running: Map<string, PeerProcess>) => Promise<void>,
): Promise<void> {
  const running = new Map<string, PeerProcess>();
  const started = await Promise.allSettled(peers.map((peer) => PeerProcess.start(peer)));
  started.forEach((start, i) => {
    if (start.status === 'fulfilled') running.set(peers[i].name, start.value);
    else notes.push(`${peers[i].name}: ${String(start.reason)}`);
  });
  try {
    await body(running);
  } finally {
    for (const peer of running.values()) peer.stop();
  }
}

/** One peer's part in a row. */
interface Lane {
  readonly name: string;
  readonly peer: PeerProcess;
  readonly check: number | null;
  readonly rounds: Measured[];
}

/** What `body` gives; null, and a note, when the peer cannot. */
async function attempt<T>(
  what: string,
  notes: string[],
  body: () => Promise<T>,
): Promise<T | null> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    notes.push(`${what}: ${error.message}`);
    return null;
  }
}

async function measureRow(
  { name: row, task }: Row,
  running: ReadonlyMap<string, PeerProcess>,
  { rounds, warmUp, round }: Effort,
  notes: string[],
): Promise<Record<string, Result>> {
  const lanes: Lane[] = [];
  for (const [name, peer] of running) {
    const prepared = await attempt(`${row}, ${name}`, notes, () => peer.prepare(task, warmUp));
    if (prepared !== null) lanes.push({ name, peer, check: prepared.check, rounds: [] });
  }
  notes.push(...disagreements(row, lanes));

  let able = lanes;
  for (let r = 0; r < rounds; r++) {
    // Each round begins with another peer, so that none always comes after the same one.
    const first = able.length === 0 ? 0 : r % able.length;
    const failed = new Set<Lane>();
    for (const lane of [...able.slice(first), ...able.slice(0, first)]) {
      const measured = await attempt(`${row}, ${lane.name}`, notes, () => lane.peer.measure(round));
      if (measured === null) failed.add(lane);
      else lane.rounds.push(measured);
    }
    able = able.filter((lane) => !failed.has(lane));
  }
  return Object.fromEntries(able.map((lane) => [lane.name, resultOf(lane.rounds, flops(task))]));
}

function resultOf(rounds: readonly Measured[], work: number | null): Result {
  const { median: ms, ...rest } = summarise(rounds.map((round) => round.ms));
  const repetitions = rounds.reduce((sum, round) => sum + round.repetitions, 0);
  return { ms, ...rest, repetitions, ...(work === null ? {} : { gflops: work / ms / 1e6 }) };
}

/** Peers that compute something other than the first one: their times mean nothing. */
function disagreements(row: string, lanes: readonly Lane[]): string[] {
  const [first, ...others] = lanes.flatMap(({ name, check }) =>
    check === null ? [] : [{ name, check }],
  );
  if (first === undefined) return [];
  const near = (value: number): boolean =>
    Math.abs(value - first.check) <= AGREEMENT * Math.abs(first.check);
  return others
    .filter(({ check }) => !near(check))
    .map(({ name, check }) => `${row}: ${name} computes ${check}, ${first.name} ${first.check}`);
}

/** Measures a group's rows. What a peer cannot do becomes a note. */
export async function measureGroup(
  { rows, separate }: Group,
  peers: readonly PeerSpec[],
  effort: Effort,
  log: Log,
): Promise<Outcome> {
  const outcome: Outcome = { results: {}, versions: {}, notes: [] };
  const together = separate ? rows.map((row) => [row]) : [rows];
  for (const part of together) {
    await withPeers(peers, outcome.notes, async (running) => {
      for (const [name, { versions }] of running) outcome.versions[name] = versions;
      for (const row of part) {
        log(row.name);
        outcome.results[row.name] = await measureRow(row, running, effort, outcome.notes);
      }
    });
  }
  return outcome;
}
