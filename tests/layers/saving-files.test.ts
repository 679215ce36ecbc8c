/** Models in files: whole or not at all. */
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, symlink, writeFile, lstat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Dense, FileError, ModelCheckpoint, Sequential, loadModel } from '@tapegrad/layers';
import { FormatError, ValueError, decodeSafetensors } from '@tapegrad/tensor';
import { Numbers } from '../support/numbers.js';

let folder: string;
beforeEach(async () => (folder = await mkdtemp(join(tmpdir(), 'saving-'))));
afterEach(() => rm(folder, { recursive: true }));

function build(): Sequential {
  const model = new Sequential([new Dense(2, { inputShape: [3], name: 'd' })]);
  model.compile({ optimizer: 'sgd', loss: 'mse', metrics: ['mae'] });
  return model;
}

const [x, y] = [
  [
    [1, 2, 3],
    [3, 2, 1],
  ],
  [
    [1, 0],
    [0, 1],
  ],
];

test('a file is saved, replaced and loaded, and nothing else is left', async () => {
  const path = join(folder, 'model.safetensors');
  const model = build();
  await model.save(path);
  model.trainOnBatch(x, y);
  await model.save(path);
  const copy = await loadModel(path);
  expect(copy.predict(x).toArray()).toEqual(model.predict(x).toArray());
  expect(copy.optimizer.iterations).toBe(1);
  await model.saveWeights(join(folder, 'weights'));
  const other = build();
  await other.loadWeights(join(folder, 'weights'));
  expect(other.predict(x).toArray()).toEqual(model.predict(x).toArray());
  expect((await readdir(folder)).sort()).toEqual(['model.safetensors', 'weights']);
});

test('a link stays a link', async () => {
  await writeFile(join(folder, 'there'), 'old');
  await symlink(join(folder, 'there'), join(folder, 'link'));
  await build().save(join(folder, 'link'));
  expect((await lstat(join(folder, 'link'))).isSymbolicLink()).toBe(true);
  await loadModel(join(folder, 'there'));
});

test('errors name the path, and leave what was there', async () => {
  const model = build();
  await expect(model.save(join(folder, 'none', 'm'))).rejects.toThrow(FileError);
  await expect(model.save(folder)).rejects.toThrow(`${folder}: cannot be written`);
  await expect(loadModel(join(folder, 'none'))).rejects.toThrow(/none: cannot be read \(ENOENT/);
  await writeFile(join(folder, 'text'), 'this is no model');
  await expect(loadModel(join(folder, 'text'))).rejects.toThrow(FormatError);
  await expect(model.loadWeights(join(folder, 'text'))).rejects.toThrow(/text: /);
  expect(await readdir(folder)).toEqual(['text']);
});

describe('a process killed while it saves', () => {
  const KILLS = 15;
  let program: string;

  // One file that starts in a tenth of a second; the sources would take a second each time.
  beforeAll(async () => {
    program = join(await mkdtemp(join(tmpdir(), 'saving-program-')), 'save.cjs');
    const source = fileURLToPath(new URL('save-in-process.ts', import.meta.url));
    const root = fileURLToPath(new URL('../..', import.meta.url));
    const flags = ['--bundle', '--platform=node', '--log-level=error', `--outfile=${program}`];
    flags.push(`--tsconfig=${join(root, 'tsconfig.json')}`);
    await promisify(execFile)(join(root, 'node_modules/.bin/esbuild'), [source, ...flags]);
  });
  afterAll(() => rm(dirname(program), { recursive: true }));

  /** Lets it save values from `from` on, and kills it so many milliseconds after it has begun the second. */
  async function killAfter(path: string, from: number, delay: number): Promise<Report> {
    const child = spawn(process.execPath, [program, path, String(from)]);
    const report = { begun: 0, saved: 0 };
    let text = '';
    let timer: NodeJS.Timeout | undefined;
    child.stdout.on('data', (data: Buffer) => {
      text += data.toString();
      const last = (word: string): number =>
        Number([...text.matchAll(new RegExp(`^${word} (\\d+)$`, 'gm'))].at(-1)?.[1] ?? 0);
      [report.begun, report.saved] = [last('begins'), last('saved')];
      if (report.begun > from) timer ??= setTimeout(() => child.kill('SIGKILL'), delay);
    });
    await new Promise((resolve) => child.once('close', resolve));
    expect(child.signalCode).toBe('SIGKILL');
    return report;
  }

  test(`leaves a whole file, the old or the new one, at any of ${KILLS} moments`, async () => {
    const path = join(folder, 'weights');
    const numbers = new Numbers(7);
    let from = 1;
    let interrupted = 0;
    // Further ones only if by chance none has come in the middle of writing.
    for (let kill = 0; kill < KILLS || (interrupted === 0 && kill < 4 * KILLS); kill++) {
      // A save takes some milliseconds: the moments fall into all parts of one, and into several.
      const delay = numbers.next() * 20;
      const { begun, saved } = await killAfter(path, from, delay);
      const value = wholeValue(await readFile(path));
      // The file may be in its place before the word of it has come.
      expect(value).toBeGreaterThanOrEqual(saved);
      expect(value).toBeLessThanOrEqual(begun);
      const left = (await readdir(folder)).filter((name) => name !== 'weights');
      for (const name of left) {
        expect(name).toMatch(/^\.weights\..*\.tmp$/);
        await rm(join(folder, name));
      }
      interrupted += left.length;
      from = value + 1;
    }
    expect(interrupted).toBeGreaterThan(0);
  }, 60_000);

  test('is never seen half-way by who reads meanwhile', async () => {
    const path = join(folder, 'weights');
    const child = spawn(process.execPath, [program, path, '1']);
    const closed = new Promise((resolve) => child.once('close', resolve));
    const values = new Set<number>();
    try {
      while (values.size < 5 && child.exitCode === null) {
        const bytes = await readFile(path).catch(() => null);
        if (bytes !== null) values.add(wholeValue(bytes));
        await pause(2);
      }
    } finally {
      child.kill('SIGKILL');
      await closed;
    }
    expect(child.signalCode).toBe('SIGKILL');
  }, 60_000);
});

interface Report {
  /** The last value that it said it would save. */
  begun: number;
  /** The last value that it said it has saved. */
  saved: number;
}

/** The one value that all weights of a whole file have. */
function wholeValue(bytes: Uint8Array): number {
  const kernel = decodeSafetensors(bytes).tensors.get('d/kernel');
  expect(kernel?.shape).toEqual([400, 500]);
  const [least, most] = [kernel?.min().item(), kernel?.max().item()];
  expect(least).toBe(most);
  return least ?? NaN;
}

describe('ModelCheckpoint', () => {
  const fit = (model: Sequential, checkpoint: ModelCheckpoint, epochs = 3): Promise<unknown> =>
    model.fit(x, y, { epochs, callbacks: [checkpoint], verbose: 0, validationData: [x, y] });

  test('saves a file for each epoch, with numbers in its name', async () => {
    const filepath = join(folder, 'm-{epoch:02d}-{valLoss:.1f}-{epoch}.st');
    const model = build();
    const checkpoint = new ModelCheckpoint(filepath);
    await fit(model, checkpoint);
    const names = (await readdir(folder)).sort();
    expect(names).toHaveLength(3);
    expect(names[2]).toMatch(/^m-03-\d+\.\d-3\.st$/);
    expect(checkpoint.lastPath).toBe(join(folder, names[2]));
    expect((await loadModel(join(folder, names[0]))).optimizer.iterations).toBe(1);
  });

  test.each(['{epoch:3d}', '{loss:.2e}', '{valLoss:5.2f}', '{loss:.200f}', '{epoch:}'])(
    'refuses the format of %s, which would stand in the name as it is',
    (placeholder) => {
      expect(() => new ModelCheckpoint(`m-${placeholder}.st`)).toThrow(
        new ValueError(
          `ModelCheckpoint: the format in ${placeholder} is not known; there are those as in {epoch:02d} and {valLoss:.2f}.`,
        ),
      );
    },
  );

  test('keeps the best alone, by what it monitors', async () => {
    const filepath = join(folder, 'best');
    const checkpoint = new ModelCheckpoint(filepath, {
      monitor: 'fake',
      mode: 'max',
      saveBestOnly: true,
      saveWeightsOnly: true,
    });
    const model = build();
    checkpoint.onTrainBegin({
      model,
      epochs: 3,
      initialEpoch: 0,
      batchesPerEpoch: 1,
      logNames: ['fake'],
    });
    const saved: (number | null)[] = [];
    for (const [epoch, fake] of [1, 3, NaN, 2, 3, 4].entries()) {
      await checkpoint.onEpochEnd(epoch, { fake });
      saved.push(checkpoint.bestEpoch);
    }
    expect(saved).toEqual([0, 1, 1, 1, 1, 5]);
    expect(checkpoint.best).toBe(4);
    await expect(loadModel(filepath)).rejects.toThrow(/holds weights, but no model/);
    await build().loadWeights(filepath);
  });

  test('says before the first epoch what it cannot do', async () => {
    const own = new Sequential([new Dense(2, { inputShape: [3], activation: (v) => v.mul(2) })]);
    own.compile({ loss: 'mse' });
    await expect(fit(own, new ModelCheckpoint(join(folder, 'm')))).rejects.toThrow(
      /registerFunction/,
    );
    await fit(own, new ModelCheckpoint(join(folder, 'w'), { saveWeightsOnly: true }), 1);
    const bad = new ModelCheckpoint(join(folder, '{vaLoss}'));
    await expect(fit(build(), bad)).rejects.toThrow(/no log 'vaLoss'.*'valLoss'/);
    const best = new ModelCheckpoint(join(folder, 'b'), { monitor: 'valMse', saveBestOnly: true });
    await expect(fit(build(), best)).rejects.toThrow(/valMse/);
    const nowhere = new ModelCheckpoint(join(folder, 'absent', 'm-{epoch}'));
    await expect(fit(build(), nowhere)).rejects.toThrow(/absent.m-\{epoch\}: cannot be written/);
    expect(nowhere.lastPath).toBeNull();
    expect(() => new ModelCheckpoint('')).toThrow(/filepath/);
    expect(() => new ModelCheckpoint('m', { mode: 'best' as 'min' })).toThrow(
      /mode must be one of/,
    );
    expect(await readdir(folder)).toEqual(['w']);
  });
});
