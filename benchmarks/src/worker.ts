/**
 * The peers' side of the protocol, for those that run in Node.
 */
import { createInterface } from 'node:readline';
import type { Failure, Hello, Measured, Prepared, Request, Work } from './protocol.js';
import type { Task } from './tasks.js';

/** For each kind of task: makes its data once and returns a function that begins it afresh, with new weights. */
export type Builders = {
  readonly [K in Task['kind']]: (task: Extract<Task, { kind: K }>) => () => Work;
};

/** How many threads the peers of a run have. */
export const threads = Number(process.env.BENCH_THREADS ?? 1);

function build(builders: Builders, task: Task): () => Work {
  switch (task.kind) {
    case 'training':
      return builders.training(task);
    case 'line':
      return builders.line(task);
    case 'matmul':
      return builders.matmul(task);
    case 'convolution':
      return builders.convolution(task);
    case 'lstm':
      return builders.lstm(task);
    case 'initialise':
      return builders.initialise(task);
  }
}

async function repeat(work: Work, seconds: number): Promise<Measured> {
  const start = performance.now();
  const end = start + seconds * 1000;
  let repetitions = 0;
  let now: number;
  do {
    const pending = work.step();
    // Only what is a promise is waited for: an engine that answers at once is not made to wait.
    if (pending !== undefined) await pending;
    repetitions++;
    now = performance.now();
  } while (now < end);
  return { ms: (now - start) / repetitions, repetitions };
}

type Prepare = Extract<Request, { do: 'prepare' }>;

async function prepare(
  work: Work,
  { steps, patience, seconds }: Omit<Prepare, 'do' | 'task'>,
): Promise<Prepared> {
  const checks: (number | null)[] = [];
  let [elapsed, firstMs, lastMs] = [0, 0, 0];
  const goesOn = (): boolean =>
    elapsed < 1000 * patience || (checks.length === 1 && elapsed < 4000 * patience);
  while (checks.length < steps && (checks.length === 0 || goesOn())) {
    const start = performance.now();
    await work.step();
    lastMs = performance.now() - start;
    if (checks.length === 0) firstMs = lastMs;
    elapsed += lastMs;
    checks.push(work.result());
  }
  if (elapsed < 1000 * patience) await repeat(work, seconds);
  return { checks, firstMs, lastMs };
}

async function measure(
  work: Work,
  { untimed, seconds }: Omit<Extract<Request, { do: 'measure' }>, 'do'>,
): Promise<Measured> {
  for (let i = 0; i < untimed; i++) await work.step();
  return repeat(work, seconds);
}

/** Answers requests until standard input ends. What the engine prints goes to standard error. */
export async function serve(versions: Hello['versions'], builders: Builders): Promise<void> {
  console.log = console.info = console.warn = console.error;
  const send = (message: Hello | Prepared | Measured | Failure): void => {
    process.stdout.write(`${JSON.stringify(message)}\n`);
  };
  send({ versions: { ...versions, node: process.version } });
  let begin: (() => Work) | null = null;
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as Request;
    let work: Work | null = null;
    try {
      if (request.do === 'prepare') begin = build(builders, request.task);
      if (begin === null) throw new Error('measure: nothing is prepared');
      work = begin();
      send(await (request.do === 'prepare' ? prepare(work, request) : measure(work, request)));
    } catch (error) {
      send({ error: error instanceof Error ? error.message : String(error) });
    } finally {
      work?.end?.();
    }
  }
}
