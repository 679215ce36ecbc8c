/**
 * The programs of the course from the command line, as a user starts them: those that are quick at full size, and all of them on
 * the first 300 digits, which is enough to see that they learn.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
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

let files = 0;

async function resultsOf(program: string, seed: number, ...options: string[]): Promise<Results> {
  const file = join(folder, `${program}-${files++}.json`);
  const named = ['--seed', String(seed), '--json', file, '--out', folder];
  const { stdout } = await tutorial(program, ...named, '--quiet', ...options);
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

describe('on 300 digits', () => {
  const few = ['--samples', '300'];
  const pictures = join(folder, 'all');
  let stdout: string;
  let results: Results[];
  const metricsOf = (program: string): Results['metrics'] =>
    results.find((one) => one.program === program)!.metrics;

  beforeAll(async () => {
    const file = join(folder, 'all.json');
    const options = ['--seed', '1', '--json', file, '--out', pictures];
    ({ stdout } = await tutorial('all', ...options, ...few));
    results = JSON.parse(readFileSync(file, 'utf8')) as Results[];
  }, 300_000);

  test('`all` runs the six programs of the course in order, and says how long they took', () => {
    const six = ['regressor', 'classifier', 'cnn', 'rnn', 'lstm', 'autoencoder'];
    expect(results.map(({ program, seed }) => [program, seed])).toEqual(six.map((one) => [one, 1]));
    const [, total] = /\nall: ([\d.]+) s\n$/.exec(stdout)!;
    const sum = results.reduce((seconds, one) => seconds + one.seconds, 0);
    expect(Number(total)).toBeGreaterThanOrEqual(Number(sum.toFixed(1)));
  });

  test('every picture that a program names is there, in three formats', () => {
    const named = [...stdout.matchAll(/^picture: (.*)\.svg, \.png and \.html$/gm)].map(
      ([, at]) => at,
    );
    const expected = {
      regressor: ['data', 'fit'],
      classifier: ['history', 'confusion', 'misread', 'patterns'],
      cnn: ['course', 'confusion', 'misread', 'windows'],
      rnn: ['accuracy', 'beliefs'],
      lstm: ['curve', 'cost'],
      autoencoder: ['history', 'codes', 'digits'],
    };
    const places = Object.entries(expected).flatMap(([program, names]) =>
      names.map((name) => join(pictures, `${program}-${name}`)),
    );
    expect(named).toEqual(places);
    expectPictures(pictures, places);
  });

  test('the CNN learns in five steps', () => {
    const { trainLoss, testLoss, testAccuracy } = metricsOf('cnn');
    // Guessing costs ln 10 = 2.303 and reads 0.1; 0.2 is five standard deviations more.
    expect(trainLoss).toBeLessThan(2.3);
    expect(testLoss).toBeLessThan(2.26);
    expect(testAccuracy).toBeGreaterThan(0.2);
  });

  test('the RNN learns in twenty steps', () => {
    const steps = [...stdout.matchAll(/^step (\d+): test loss ([\d.]+), test accuracy [\d.]+$/gm)];
    expect(steps.map(([, step]) => Number(step))).toEqual([0, 3, 6, 9, 12, 15, 18]);
    const losses = steps.map(([, , loss]) => Number(loss));
    expect(losses[6]).toBeLessThan(losses[0] - 0.2);
    expect(metricsOf('rnn').testAccuracy).toBeGreaterThan(0.2);
  });

  test('the LSTM, which needs no digits, follows the cosine and leaves its frames', () => {
    // The spread of seeds in PyTorch reaches from 0.00002 to 0.0098.
    expect(metricsOf('lstm').meanCost).toBeLessThan(0.01);
    const page = readFileSync(join(pictures, 'lstm-curve.html'), 'utf8');
    expect(page.split('<svg').length - 1).toBe(51);
    // The chart that moves is for terminals.
    expect(stdout).not.toContain('│');
  });

  test('the autoencoder learns', () => {
    const { firstLoss, loss, testLoss } = metricsOf('autoencoder');
    // Giving back the mean of all images costs 0.067.
    expect(firstLoss).toBeGreaterThan(0.2);
    expect(loss).toBeLessThan(0.07);
    expect(testLoss).toBeLessThan(0.07);
  });

  test.each(['cnn', 'rnn', 'autoencoder'])(
    '%s by itself gives the same numbers to the bit as among all',
    async (program) => {
      expect((await resultsOf(program, 1, ...few)).metrics).toEqual(metricsOf(program));
    },
    120_000,
  );

  test('the variational autoencoder learns by hand, and repeats bit for bit', async () => {
    const twice = [1, 1].map((seed) => resultsOf('vae', seed, ...few));
    const [{ metrics }, again] = await Promise.all(twice);
    // 784 pixels that are guessed cost 784·ln 2 = 543 nats.
    expect(metrics.firstCost).toBeLessThan(544);
    expect(metrics.cost).toBeLessThan(0.85 * metrics.firstCost);
    expect(again.metrics).toEqual(metrics);
    expectPictures(
      folder,
      ['plane', 'codes'].map((name) => join(folder, `vae-${name}`)),
    );
  }, 120_000);

  test('principal components lose as much as is known, the autoencoder beside them learns', async () => {
    const twice = [1, 1].map((seed) => resultsOf('pca', seed, ...few));
    const [{ metrics }, again] = await Promise.all(twice);
    // For all 60,000 images the eigenvectors that NumPy finds give 0.1680 and 0.0557.
    expect(Math.abs(metrics.share - 0.168)).toBeLessThan(0.03);
    expect(Math.abs(metrics.pcaError - 0.0557)).toBeLessThan(0.004);
    expect(metrics.netError).toBeLessThan(0.07);
    // Neighbours by chance agree in one of ten cases.
    expect(metrics.pcaNeighbours).toBeGreaterThan(0.25);
    expect(metrics.netNeighbours).toBeGreaterThan(0.2);
    expect(again.metrics).toEqual(metrics);
    const names = ['codes', 'digits', 'directions'];
    expectPictures(
      folder,
      names.map((name) => join(folder, `pca-${name}`)),
    );
  }, 120_000);
});

/** Each of the pictures is there as .svg, .png and .html, and none is empty. */
function expectPictures(where: string, pictures: readonly string[]): void {
  const written = readdirSync(where).map((name) => join(where, name));
  for (const picture of pictures) {
    const three = ['svg', 'png', 'html'].map((ending) => `${picture}.${ending}`);
    expect(written).toEqual(expect.arrayContaining(three));
    for (const file of three) expect(readFileSync(file).length).toBeGreaterThan(1000);
  }
}

test('an unknown program is named with the known ones', async () => {
  await expect(tutorial('regresor')).rejects.toMatchObject({
    stderr: expect.stringContaining('Which lesson? One of: regressor, classifier') as string,
  });
}, 30_000);

test.each([
  ['--samples', '0', "--samples needs a multiple of 50; got '0'"],
  ['--samples', '75', "--samples needs a multiple of 50; got '75'"],
  ['--seed', 'x', "--seed needs a whole number; got 'x'"],
])(
  '%s %s is refused',
  async (option, value, message) => {
    await expect(tutorial('cnn', option, value)).rejects.toMatchObject({
      stderr: expect.stringContaining(message) as string,
    });
  },
  30_000,
);
