/**
 * The peers' side of the protocol, for those that run in Node.
 */
import { createInterface } from 'node:readline';
import type { Failure, Hello, Measured, Prepared, Request, Work } from './protocol.js';
import type { Task } from './tasks.js';

/** Steps before `result` is asked for. */
const CHECKED_STEPS = 10;

/** Makes the data of a task once and returns a function that begins it afresh: new weights, new optimizer. */
export type Builder = (task: Task) => () => Work;

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

async function prepare(begin: () => Work, task: Task, seconds: number): Promise<Prepared> {
  const work = begin();
  const steps = task.kind === 'training' || task.kind === 'line' ? CHECKED_STEPS : 1;
  for (let i = 0; i < steps; i++) await work.step();
  const check = work.result();
  await repeat(work, seconds);
  return { check };
}

/** Answers requests until standard input ends. What the engine prints goes to standard error. */
export async function serve(versions: Hello['versions'], build: Builder): Promise<void> {
  console.log = console.info = console.warn = console.error;
  const send = (message: Hello | Prepared | Measured | Failure): void => {
    process.stdout.write(`${JSON.stringify(message)}\n`);
  };
  send({ versions: { ...versions, node: process.version } });
  let begin: (() => Work) | null = null;
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line) as Request;
    try {
      if (request.do === 'prepare') {
        begin = build(request.task);
        send(await prepare(begin, request.task, request.seconds));
      } else {
        if (begin === null) throw new Error('measure: nothing is prepared');
        send(await repeat(begin(), request.seconds));
      }
    } catch (error) {
      send({ error: error instanceof Error ? error.message : String(error) });
    }
  }
}
