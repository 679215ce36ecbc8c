/** Threads, and platforms that lack something: each in a process of its own, which must end by itself. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ValueError, getThreads, setThreads } from '@tapegrad/tensor';
import { assertNumbersClose } from '../support/close.js';
import { messageOf } from '../support/errors.js';
import { testEngine, threadsTogether } from '../support/programs.js';
import type { Report, Task } from './step-in-process.js';

// Processes start, and machines may be busy.
jest.setTimeout(120_000);

const run = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'tapegrad-threads-'));
const program = join(folder, 'step.cjs');

beforeAll(async () => {
  const source = fileURLToPath(new URL('step-in-process.ts', import.meta.url));
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const flags = ['--bundle', '--platform=node', '--log-level=error', `--outfile=${program}`];
  flags.push(`--tsconfig=${join(root, 'tsconfig.json')}`);
  await run(join(root, 'node_modules/.bin/esbuild'), [source, ...flags]);
});
afterAll(() => rmSync(folder, { recursive: true }));

let preludes = 0;

/** Runs the process; `prelude` is run before anything else. One that does not end is an error after a minute. */
async function report(
  rounds: readonly number[],
  { prelude = '', wait = 100, browser = false } = {},
): Promise<Report> {
  const file = join(folder, `prelude-${preludes++}.cjs`);
  writeFileSync(file, prelude);
  const task: Task = { rounds, wait, browser };
  const args = ['--require', file, program, JSON.stringify(task)];
  const { stdout, stderr } = await run(process.execPath, args, { timeout: 60_000 });
  expect(stderr).toBe('');
  return JSON.parse(stdout) as Report;
}

let alone: Promise<Report> | null = null;
/** With one thread. */
const reference = (): Promise<Report> => (alone ??= report([1, 1]));

test('one thread computes with WebAssembly', async () => {
  expect(await reference()).toMatchObject({
    backend: 'wasm',
    threads: 1,
    refusal: null,
  });
});

test.each([2, 3])('%i threads give the same bits, and the process ends', async (threads) => {
  const { digest } = await reference();
  expect(await report([threads, threads])).toMatchObject({
    backend: 'wasm',
    threads,
    digest,
  });
});

test('threads compute at the same time, however often their number is changed', async () => {
  const engine = testEngine(true);
  for (const threads of [2, 3, 1, 2, 4, 2]) {
    setThreads(threads);
    await threadsTogether(engine, threads);
  }
});

test('threads may come and go at any time', async () => {
  const steps = [1, 4, 2, 3, 1, 2, 2, 5, 1, 3, 4, 2, 1, 1, 2];
  const expected = (await report(steps.map(() => 1))).digest;
  expect(await report(steps)).toMatchObject({ digest: expected });
  // Without waiting for those that are about to start, or to end.
  expect((await report(steps, { wait: 0 })).digest).toBe(expected);
});

describe("with a browser's workers", () => {
  test('threads give the same bits, and workers end when fewer are wanted', async () => {
    const { digest } = await reference();
    const found = await report([2, 1], { browser: true });
    expect(found).toMatchObject({ backend: 'wasm', threads: 1, digest });
    // As long as one of them is there the process does not end.
    expect(found.webWorkers).toBeGreaterThanOrEqual(1);
  });

  test('which need the same memory there is one thread without it', async () => {
    const { digest } = await reference();
    const prelude = 'delete globalThis.SharedArrayBuffer;';
    const found = await report([2, 2], { browser: true, prelude });
    expect(found).toMatchObject({ backend: 'wasm', threads: 1, webWorkers: 0, digest });
  });
});

describe('without', () => {
  test('shared memory there is one thread, with the same results', async () => {
    const { digest } = await reference();
    const prelude = 'delete globalThis.SharedArrayBuffer;';
    expect(await report([2, 2], { prelude })).toMatchObject({
      backend: 'wasm',
      threads: 1,
      digest,
    });
  });

  test.each([
    [
      'that can be made',
      'Object.assign(require("node:worker_threads"), { Worker: class { constructor() { throw new Error("no workers"); } } });',
    ],
    [
      'that start',
      'const w = require("node:worker_threads"); w.Worker = class extends w.Worker { constructor(source, options) { super("throw new Error()", options); } };',
    ],
    ['in this Node', 'process.getBuiltinModule = undefined;'],
  ])('workers %s there is one thread, with the same results', async (_, prelude) => {
    const { digest } = await reference();
    expect(await report([2, 2], { prelude })).toMatchObject({
      backend: 'wasm',
      threads: 1,
      digest,
    });
  });

  test.each([
    [
      'WebAssembly',
      'delete globalThis.WebAssembly;',
      'the platform lacks WebAssembly or its vectors',
    ],
    [
      'vectors',
      'WebAssembly.validate = () => false;',
      'the platform lacks WebAssembly or its vectors',
    ],
    [
      'leave to compile',
      'WebAssembly.Module = class { constructor() { throw new WebAssembly.CompileError("not allowed by the policy"); } };',
      'not allowed by the policy',
    ],
    [
      'memory',
      'WebAssembly.Memory = class { constructor() { throw new RangeError("could not allocate memory"); } };',
      'could not allocate memory',
    ],
  ])('%s the TypeScript kernels compute', async (_, prelude, reason) => {
    const found = await report([2, 2], { prelude });
    expect(found).toMatchObject({
      backend: 'js',
      threads: 1,
      refusal: `ValueError: setBackend: no WebAssembly here (${reason}); 'auto' and 'js' compute with the TypeScript kernels.`,
    });
    const { losses } = await reference();
    assertNumbersClose('losses', found.losses, losses, { relative: 1e-4, absolute: 0 });
  });
});

test('the number of threads is a whole number from 1 to 64', () => {
  for (const wrong of [0, -1, 1.5, 65, NaN, Infinity]) {
    expect(messageOf(ValueError, () => setThreads(wrong))).toBe(
      `setThreads: takes a whole number from 1 to 64; got ${wrong}.`,
    );
  }
  setThreads(2);
  expect(getThreads()).toBe(2);
});
