/**
 * Measures rows: all peers in turn, round after round, each in its own process.
 */
import { PeerError, PeerProcess } from './peer-process.js';
import type { PeerSpec } from './peers.js';
import type { Measured, Prepared } from './protocol.js';
import type { Group, Row } from './rows.js';
import { summarise } from './statistics.js';
import { flops, type Task } from './tasks.js';

/** What one peer did on one row. */
export interface Result {
  /** Median over the rounds, of the mean time in a round. */
  readonly ms: number;
  /** See `Summary`. */
  readonly spread: number;
  readonly min: number;
  readonly max: number;
  readonly rounds: number;
  /** Repetitions in all rounds together. */
  readonly repetitions: number;
  /** The very first step, with all that is compiled and allocated in it. */
  readonly firstMs: number;
  readonly gflops?: number;
}

/** By row, then by peer. A peer that could not do a row is not there. */
export type Results = Record<string, Record<string, Result>>;

export interface Effort {
  readonly rounds: number;
  /** Steps from which the peers are compared. */
  readonly steps: number;
  /** Seconds for these steps: see `Request`. */
  readonly patience: number;
  /** Seconds of each peer before the first round. */
  readonly warmUp: number;
  /** Seconds of each peer in a round; at least one repetition. */
  readonly round: number;
  /** Milliseconds of a step from which on rounds have no untimed steps. */
  readonly untimedMs: number;
  /** Whether each row has fresh processes where its group wants that. */
  readonly separate: boolean;
}

export interface Outcome {
  readonly results: Results;
  readonly versions: Record<string, Record<string, string>>;
  /** What went wrong, a line each. */
  readonly notes: string[];
}

/** Peers agree when what they compute differs by less than this share. */
const AGREEMENT = 0.01;
/** A step that takes longer makes the rounds fewer. */
const SLOW_MS = 5000;
/** How long the rounds of such a peer may take together; one is always measured. */
const SLOW_ROUNDS_MS = 30_000;
/** Steps before each round's clock starts, for what engines compile anew for a new model. */
const UNTIMED = 2;

type Log = (text: string) => void;

/** The peers of some rows, each in its process. */
class Crew {
  readonly running = new Map<string, PeerProcess>();

  constructor(
    private readonly specs: readonly PeerSpec[],
    private readonly outcome: Outcome,
  ) {}

  /** Starts those that do not run: all at first, later those that have died. */
  async muster(): Promise<void> {
    const missing = this.specs.filter(({ name }) => this.running.get(name)?.alive !== true);
    const started = await Promise.allSettled(missing.map((spec) => PeerProcess.start(spec)));
    started.forEach((start, i) => {
      const { name } = missing[i];
      if (start.status === 'fulfilled') {
        this.running.set(name, start.value);
        this.outcome.versions[name] = start.value.versions;
      } else {
        this.running.delete(name);
        note(this.outcome, `${name}: ${messageOf(start.reason)}`);
      }
    });
  }

  dismiss(): void {
    for (const peer of this.running.values()) peer.stop();
  }
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Says each thing once. */
function note({ notes }: Outcome, text: string): void {
  if (!notes.includes(text)) notes.push(text);
}

/** One peer's part in a row. */
interface Lane {
  readonly name: string;
  readonly peer: PeerProcess;
  readonly prepared: Prepared;
  /** In how many rounds it is measured. */
  readonly rounds: number;
  readonly measured: Measured[];
}

/** What `body` gives; null, and a note, when the peer cannot. */
async function attempt<T>(
  what: string,
  outcome: Outcome,
  body: () => Promise<T>,
): Promise<T | null> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof PeerError)) throw error;
    note(outcome, `${what}: ${error.message.split('\n')[0]}`);
    return null;
  }
}

function roundsOf(what: string, lastMs: number, rounds: number, outcome: Outcome): number {
  if (lastMs <= SLOW_MS) return rounds;
  const fewer = Math.max(1, Math.min(rounds, Math.floor(SLOW_ROUNDS_MS / lastMs)));
  const seconds = (lastMs / 1000).toPrecision(3);
  const fewerRounds = fewer === 1 ? 'there is 1 round' : `there are ${fewer} rounds`;
  note(outcome, `${what}: a step takes ${seconds} s, so ${fewerRounds} of one step`);
  return fewer;
}

function untimedSteps({ checks, lastMs }: Prepared, untimedMs: number): number {
  if (lastMs <= untimedMs) return UNTIMED;
  // A single step may have been mostly compiling.
  return checks.length === 1 && lastMs <= 2 * SLOW_MS ? 1 : 0;
}

async function measureRow(
  { name: row, task }: Row,
  running: ReadonlyMap<string, PeerProcess>,
  { rounds, steps, patience, warmUp, round, untimedMs }: Effort,
  outcome: Outcome,
): Promise<Record<string, Result>> {
  const lanes: Lane[] = [];
  for (const [name, peer] of running) {
    const what = `${row}, ${name}`;
    const prepared = await attempt(what, outcome, () =>
      peer.prepare({ task, steps, patience, seconds: warmUp }),
    );
    if (prepared === null) continue;
    const own = roundsOf(what, prepared.lastMs, rounds, outcome);
    lanes.push({ name, peer, prepared, rounds: own, measured: [] });
  }
  for (const text of disagreements(row, lanes)) note(outcome, text);

  let able = lanes;
  for (let r = 0; r < rounds; r++) {
    // Each round begins with another peer, so that none always comes after the same one.
    const first = able.length === 0 ? 0 : r % able.length;
    const failed = new Set<Lane>();
    for (const lane of [...able.slice(first), ...able.slice(0, first)]) {
      if (r >= lane.rounds) continue;
      const untimed = untimedSteps(lane.prepared, untimedMs);
      const measured = await attempt(`${row}, ${lane.name}`, outcome, () =>
        lane.peer.measure({ untimed, seconds: round }),
      );
      if (measured === null) failed.add(lane);
      else lane.measured.push(measured);
    }
    able = able.filter((lane) => !failed.has(lane));
  }
  return Object.fromEntries(able.map((lane) => [lane.name, resultOf(lane, task)]));
}

function resultOf({ measured, prepared }: Lane, task: Task): Result {
  const { median: ms, ...rest } = summarise(measured.map((round) => round.ms));
  const work = flops(task);
  return {
    ms,
    ...rest,
    rounds: measured.length,
    repetitions: measured.reduce((sum, round) => sum + round.repetitions, 0),
    firstMs: prepared.firstMs,
    ...(work === null ? {} : { gflops: work / ms / 1e6 }),
  };
}

/** Peers that compute something other than the first one: their times mean nothing. */
function disagreements(row: string, [first, ...others]: readonly Lane[]): string[] {
  if (first === undefined) return [];
  return others.flatMap(({ name, prepared }) => {
    const last = Math.min(prepared.checks.length, first.prepared.checks.length) - 1;
    const [value, expected] = [prepared.checks[last], first.prepared.checks[last]];
    if (value === null && expected === null) return [];
    // NaN, which JSON turns to null, is near nothing.
    const near =
      value !== null &&
      expected !== null &&
      Math.abs(value - expected) <= AGREEMENT * Math.abs(expected);
    return near
      ? []
      : [`${row}: at step ${last + 1} ${name} computes ${value}, ${first.name} ${expected}`];
  });
}

/** Measures a group's rows. What a peer cannot do becomes a note. */
export async function measureGroup(
  { rows, separate }: Group,
  peers: readonly PeerSpec[],
  effort: Effort,
  log: Log,
): Promise<Outcome> {
  const outcome: Outcome = { results: {}, versions: {}, notes: [] };
  const together = separate && effort.separate ? rows.map((row) => [row]) : [rows];
  for (const part of together) {
    const crew = new Crew(peers, outcome);
    try {
      for (const row of part) {
        log(row.name);
        await crew.muster();
        outcome.results[row.name] = await measureRow(row, crew.running, effort, outcome);
      }
    } finally {
      crew.dismiss();
    }
  }
  return outcome;
}
