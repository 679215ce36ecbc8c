/** Models in files: whole or not at all. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, symlink, writeFile, lstat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Dense, FileError, ModelCheckpoint, Sequential, loadModel } from '@tapegrad/layers';
import { FormatError, decodeSafetensors } from '@tapegrad/tensor';

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

test('a process killed while it saves leaves a whole file', async () => {
  const path = join(folder, 'weights');
  const script = fileURLToPath(new URL('save-in-process.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, path]);
  let saved = 0;
  child.stdout.on(
    'data',
    (data: Buffer) => (saved = Number(data.toString().trim().split('\n').at(-1))),
  );
  const values = new Set<number>();
  // Read all the time while it writes, as if each moment were that of a kill; then kill it in the middle.
  while (values.size < 4 && child.exitCode === null) {
    const bytes = await readFile(path).catch(() => null);
    if (bytes !== null) values.add(wholeValue(bytes));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  child.kill('SIGKILL');
  await new Promise((resolve) => child.once('close', resolve));
  expect(child.signalCode).toBe('SIGKILL');
  expect(wholeValue(await readFile(path))).toBeGreaterThanOrEqual(Math.max(saved, ...values));
}, 60_000);

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
    expect(() => new ModelCheckpoint('')).toThrow(/filepath/);
    expect(() => new ModelCheckpoint('m', { mode: 'best' as 'min' })).toThrow(
      /mode must be one of/,
    );
    expect(await readdir(folder)).toEqual(['w']);
  });
});
