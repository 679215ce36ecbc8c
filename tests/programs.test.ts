/** The programs of the course at full size, from the command line, as a user starts them. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tapegrad-programs-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Results {
  program: string;
  seed: number;
  seconds: number;
  metrics: Record<string, number>;
}

async function tutorial(...args: string[]): Promise<{ stdout: string; stderr: string }> {
  const run = ['--import', 'tsx', join(root, 'examples/run.ts'), ...args];
  return promisify(execFile)(process.execPath, run, { cwd: root });
}

async function resultsOf(program: string, seed: number): Promise<Results> {
  const file = join(folder, `${program}-${seed}.json`);
  const { stdout } = await tutorial(
    program,
    '--seed',
    String(seed),
    '--json',
    file,
    '--out',
    folder,
    '--quiet',
  );
  expect(stdout).toBe('');
  return JSON.parse(readFileSync(file, 'utf8')) as Results;
}

test('the regressor finds the line, and repeats bit for bit', async () => {
  const first = await resultsOf('regressor', 5);
  expect(first).toMatchObject({ program: 'regressor', seed: 5 });
  const { W, b, initialW } = first.metrics;
  expect(Math.abs(b - 2)).toBeLessThan(0.02);
  expect(Math.abs(W - 0.5)).toBeLessThan(0.15 * Math.abs(initialW - 0.5));
  expect((await resultsOf('regressor', 5)).metrics).toEqual(first.metrics);
  expect((await resultsOf('regressor', 6)).metrics).not.toEqual(first.metrics);
}, 60_000);

test('the regressor tells its story when it is not quiet', async () => {
  const { stdout } = await tutorial('regressor');
  expect(stdout).toMatch(/step 0, cost .*\nstep 100, cost .*\nstep 200, cost .*\nstep 300, cost /);
  expect(stdout).toMatch(/the line is y = 0\.\d+ x \+ [12]\.\d+/);
}, 60_000);

test('the classifier reads 94% of the test digits or more (the spread of ten seeds in PyTorch begins at 0.940)', async () => {
  const { metrics } = await resultsOf('classifier', 1337);
  expect(metrics.testAccuracy).toBeGreaterThan(0.94);
  expect(metrics.trainLoss).toBeGreaterThan(0.17);
  expect(metrics.trainLoss).toBeLessThan(0.22);
}, 120_000);

test('the LSTM follows the cosine, and leaves its pictures', async () => {
  const { metrics } = await resultsOf('lstm', 1);
  // The spread of seeds in PyTorch reaches from 0.00002 to 0.0098.
  expect(metrics.meanCost).toBeLessThan(0.01);
  const page = readFileSync(join(folder, 'lstm-curve.html'), 'utf8');
  expect(page.split('<svg').length - 1).toBe(51);
}, 120_000);

test('an unknown program is named with the known ones', async () => {
  await expect(tutorial('regresor')).rejects.toMatchObject({
    stderr: expect.stringContaining('Which lesson? One of: regressor, classifier') as string,
  });
}, 30_000);
