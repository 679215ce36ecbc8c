/** Workers of a browser, and workers that end or fail before they are told to. */
import { setTimeout as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { WorkerError, setThreads } from '@tapegrad/tensor';
import { i32, memory } from '../../packages/tensor/src/kernels/wasm/assembler/instructions.js';
import type { FunctionBuilder } from '../../packages/tensor/src/kernels/wasm/assembler/assembler.js';
import { command, kernel, type Kernel } from '../../packages/tensor/src/kernels/wasm/kernel.js';
import { commandBytes, writeCommands } from '../../packages/tensor/src/kernels/wasm/machine.js';
import type { Engine } from '../../packages/tensor/src/backend.js';
import { testEngine, threadsTogether } from '../support/programs.js';
import { pretendBrowser } from '../support/web-workers.js';

// Threads start, and machines may be busy.
jest.setTimeout(120_000);

/** Waits until it is true. @throws when it is not after ten seconds */
async function until(what: string, isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !isTrue(); i++) await pause(10);
  if (!isTrue()) throw new Error(`it is never true that ${what}`);
}

const NodeWorker = Worker;

/** The workers that Node makes from now on. */
function watchWorkers(): Worker[] {
  const made: Worker[] = [];
  const threads = process.getBuiltinModule('worker_threads');
  jest.spyOn(threads, 'Worker').mockImplementation((source, options) => {
    const worker = new NodeWorker(source, options);
    made.push(worker);
    return worker;
  });
  return made;
}
afterEach(() => jest.restoreAllMocks());

/** All parts wait for each other, so that each thread has one; then the second half of them does what it does. */
const accident = (name: string, body: (f: FunctionBuilder) => void): Kernel =>
  kernel(name, { count: 'i32' }, (f, { count }, { part, parts }) => {
    const patience = f.local('i32', i32.const(20_000_000));
    f.do(i32.store(count, i32.atomic.rmw_add(count, i32.const(1)), 4));
    f.while(
      i32.and(i32.lt_s(i32.atomic.load(count), parts), i32.gt_s(patience, i32.const(0))),
      () => f.increment(patience, -1),
    );
    f.if(part, () => body(f));
  });

const harmless = accident('harmless', () => undefined);
/** Far outside the memory. */
const fails = accident('fails', (f) => f.do(i32.store(i32.const(-8), i32.const(1))));
const failsEverywhere = kernel('failsEverywhere', { count: 'i32' }, (f) =>
  f.do(i32.store(i32.const(-8), i32.const(1))),
);
/** Each part fills four bytes before the end, counted from there. */
const fillsLast = kernel('fillsLast', { end: 'i32' }, (f, { end }, { part }) => {
  const place = i32.sub(end, i32.mul(i32.add(part, i32.const(1)), i32.const(4)));
  f.do(memory.fill(place, i32.const(1), i32.const(4)));
});
/** For some seconds: not for ever, as it may be the main thread that has this part. */
const stays = accident('stays', (f) => {
  const [i, j] = [f.local('i32'), f.local('i32')];
  const from = i32.const(0);
  f.for(i, from, i32.const(30), 1, () => f.for(j, from, i32.const(1e8), 1, () => undefined));
});

/** Has so many threads run the kernel, and gives what it throws; null if nothing. */
function errorOf({ machine }: Engine, culprit: Kernel, threads = 2): unknown {
  const { address: count } = machine.heap.allocate(8);
  const commands = [command(culprit, { count }, { parallel: true })];
  const { address } = machine.heap.allocate(commandBytes(commands));
  const { from, to } = writeCommands(machine, commands, address);
  try {
    machine.exports.execute(from, to, threads);
    return null;
  } catch (error) {
    return error;
  }
}

/** The error when a worker has the accident. As a rule it has the second part; where the main thread has it, try again. */
async function accidentOfWorker(
  culprit: Kernel,
  patience?: number,
): Promise<{ engine: Engine; error: WorkerError; workers: Worker[] }> {
  for (let i = 0; i < 20; i++) {
    const workers = watchWorkers();
    setThreads(2);
    const engine = testEngine(true, patience);
    engine.machine.numbersOf([culprit]);
    await threadsTogether(engine, 2);
    const error = errorOf(engine, culprit);
    jest.restoreAllMocks();
    if (error instanceof WorkerError && error.message.includes('another thread')) {
      return { engine, error, workers };
    }
    // The main thread's own failure is no reason to count on workers that are still at their parts.
    if (error !== null) expect(engine.team.active()).toBe(1);
    engine.machine.exports.beginTeam(60000);
  }
  throw new Error('no worker had the accident');
}

test("a browser's workers compute at the same time as the page, and end when fewer are wanted", async () => {
  const { workers, restore } = pretendBrowser();
  try {
    const engine = testEngine(true);
    for (const threads of [2, 3, 1, 2]) {
      setThreads(threads);
      await threadsTogether(engine, threads);
    }
    expect(workers.length).toBeGreaterThanOrEqual(4);
    setThreads(1);
    expect(engine.team.active()).toBe(1);
    await until('all have ended', () => workers.every(({ ended }) => ended));
  } finally {
    restore();
  }
});

test("a browser's worker that cannot start is not waited for, and not tried again", async () => {
  const { workers, restore } = pretendBrowser();
  try {
    setThreads(3);
    const engine = testEngine(true);
    expect(engine.team.active()).toBe(3);
    for (const worker of workers) worker.dispatchEvent(new Event('error'));
    expect(engine.team.size).toBe(1);
    expect(errorOf(engine, harmless)).toBe(null);
    expect([engine.team.active(), workers.length]).toEqual([1, 2]);
    await until('all have ended', () => workers.every(({ ended }) => ended));
  } finally {
    restore();
  }
});

test('a worker that is ended between steps makes the team smaller', async () => {
  const workers = watchWorkers();
  setThreads(3);
  const engine = testEngine(true);
  engine.machine.numbersOf([harmless]);
  await threadsTogether(engine, 3);
  const [first] = workers.splice(0);
  void first.terminate();
  // Nobody has told yet, or it may still be there: its part is done by the others.
  expect(errorOf(engine, harmless)).toBe(null);
  await until('the team is smaller', () => engine.team.size === 2);
  await threadsTogether(engine, 2);
  expect(errorOf(engine, harmless)).toBe(null);
});

test('all threads know memory that has just grown', async () => {
  setThreads(2);
  const engine = testEngine(true);
  const { heap, exports } = engine.machine;
  engine.machine.numbersOf([fillsLast]);
  await threadsTogether(engine, 2);
  const list = heap.allocate(200);
  for (let i = 0; i < 100; i++) {
    heap.memory.grow(1);
    const end = heap.memory.buffer.byteLength;
    const { from, to } = writeCommands(
      engine.machine,
      [command(fillsLast, { end }, { parallel: true })],
      list.address,
    );
    exports.execute(from, to, 2);
    expect([...heap.view('int32', end - 8, 2)]).toEqual([0x01010101, 0x01010101]);
  }
});

test('a worker that fails in its part is a named error, and one thread goes on', async () => {
  const { engine, error, workers } = await accidentOfWorker(fails);
  expect(String(error)).toBe(
    'WorkerError: a step was not finished: another thread failed in its part of it (RuntimeError: memory access out of ' +
      'bounds). What the step changes in place, such as weights, may have been changed in part: go back to what was saved, ' +
      'or make the model anew. From now on one thread computes.',
  );
  await goesOnAlone(engine, workers);
});

const OF_THIS_THREAD =
  'WorkerError: a step was not finished: this thread failed in its part of it (RuntimeError: memory access out of ' +
  'bounds). What the step changes in place, such as weights, may have been changed in part: go back to what was saved, ' +
  'or make the model anew.';

test("the main thread's own failure is a named error too, and one thread goes on", async () => {
  const workers = watchWorkers();
  setThreads(2);
  const engine = testEngine(true);
  engine.machine.numbersOf([failsEverywhere]);
  await threadsTogether(engine, 2);
  const error = errorOf(engine, failsEverywhere);
  // Where the worker was quick enough to take both parts, the failure is its own.
  expect(String(error).replace('another thread', 'this thread')).toBe(
    `${OF_THIS_THREAD} From now on one thread computes.`,
  );
  await goesOnAlone(engine, workers);
});

test.each([true, false])('so is a failure of one thread, memory shared: %p', (shared) => {
  setThreads(1);
  const engine = testEngine(shared);
  const error = errorOf(engine, failsEverywhere, 1);
  expect(String(error)).toBe(OF_THIS_THREAD);
  expect(error instanceof WorkerError && error.cause).toBeInstanceOf(WebAssembly.RuntimeError);
  expect(errorOf(engine, harmless, 1)).toBe(null);
});

test('a worker that does not come to its end is a named error, and one thread goes on', async () => {
  const { engine, error, workers } = await accidentOfWorker(stays, 600);
  expect(String(error)).toMatch(
    /^WorkerError: a step was not finished: another thread took a part of it and has not come to its end for 0\.6 s; something has ended or stopped it\. What the step/,
  );
  await goesOnAlone(engine, workers);
});

async function goesOnAlone(engine: Engine, workers: readonly Worker[]): Promise<void> {
  expect([engine.team.size, engine.team.active()]).toEqual([1, 1]);
  const before = workers.length;
  await threadsTogether(engine, 1);
  expect(workers.length).toBe(before);
  await until('the workers have ended', () => workers.every(({ threadId }) => threadId === -1));
}
