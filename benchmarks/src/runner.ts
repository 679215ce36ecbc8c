/**
 * Measures rows: all peers in turn, round after round, each in its own process.
 */
import { PeerError, PeerProcess } from './peer-process.js';
import type { PeerSpec } from './peers.js';
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

async function measureRow(
  row: Row,
  running: ReadonlyMap<string, PeerProcess>,
  { rounds, warmUp, round }: Effort,
  notes: string[],
): Promise<Record<string, Result>> {
  const able = new Map<string, PeerProcess>();
  const checks = new Map<string, number>();
  for (const [name, peer] of running) {
    try {
      const { check } = await peer.prepare(row.task, warmUp);
      able.set(name, peer);
      if (check !== null) checks.set(name, check);
    } catch (error) {
      if (!(error instanceof PeerError)) throw error;
      notes.push(`${row.name}, ${name}: ${error.message}`);
    }
  }
  notes.push(...disagreements(row, checks));

  const times = new Map([...able.keys()].map((name) => [name, [] as number[]]));
  const repetitions = new Map([...able.keys()].map((name) => [name, 0]));
  const names = [...able.keys()];
  for (let r = 0; r < rounds; r++) {
    // Each round begins with another peer, so that none always comes after the same one.
    for (let i = 0; i < names.length; i++) {
      const name = names[(r + i) % names.length];
      const measured = await able.get(name)?.measure(round);
      if (measured === undefined) continue;
      times.get(name)?.push(measured.ms);
      repetitions.set(name, (repetitions.get(name) ?? 0) + measured.repetitions);
    }
  }

  const work = flops(row.task);
  return Object.fromEntries(
    [...times].map(([name, values]) => {
      const { median: ms, ...rest } = summarise(values);
      const result: Result = { ms, ...rest, repetitions: repetitions.get(name) ?? 0 };
      return [name, work === null ? result : { ...result, gflops: work / ms / 1e6 }];
    }),
  );
}

/** Peers that compute something other than the first one: their times mean nothing. */
function disagreements(row: Row, checks: ReadonlyMap<string, number>): string[] {
  const [first, ...others] = checks;
  if (first === undefined) return [];
  const [reference, expected] = first;
  return others
    .filter(([, value]) => !(Math.abs(value - expected) <= AGREEMENT * Math.abs(expected)))
    .map(([name, value]) => `${row.name}: ${name} computes ${value}, ${reference} ${expected}`);
}

/** Measures a group's rows. @throws PeerError when a peer dies between two rounds */
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
