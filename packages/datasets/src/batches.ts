import { Tensor, ValueError } from '@tapegrad/tensor';
import { checkOptions, checkWhole } from './checks.js';
import { generatorOf, type RandomOptions } from './random.js';
import { countSamples, rowsOf } from './rows.js';

/** What `batches` cuts: a tensor, a list of tensors such as [x, y], or tensors by name. */
export type BatchData = Tensor | readonly Tensor[] | Readonly<Record<string, Tensor>>;

/** A batch is built as the data are: of [x, y] come batches [x, y]. */
export type Batch<Data extends BatchData> = Data extends Tensor
  ? Tensor
  : { -readonly [Key in keyof Data]: Tensor };

export interface BatchOptions extends RandomOptions {
  /** Samples in a batch. Default: 32. */
  batchSize?: number;
  /** Draw the samples in random order, another one in each pass. Default: false. */
  shuffle?: boolean;
  /** Leave out a last batch that has fewer samples. Default: false. */
  dropLast?: boolean;
  /** Number of passes over the data, or true for passes without end. Default: 1. */
  repeat?: number | boolean;
}

/** Batches to loop over with `for … of`; each loop starts again. */
export interface Batches<Data extends BatchData> extends Iterable<Batch<Data>> {
  /** Batches in one pass over the data. */
  readonly batchesPerEpoch: number;
}

/**
 * Cuts data into batches along their first dimension, the samples. Nothing is copied without `shuffle`: the batches are views.
 *
 * @param data a tensor, a list of tensors or tensors by name, all with the same number of samples
 * @returns an iterable; with `shuffle`, going through it again gives another order, and the same `seed` the same orders
 * @throws ShapeError the numbers of samples differ, or a tensor has no dimension
 * @throws ValueError an option is out of range or not known; `repeat` of no batches
 * @example
 * const x = tensor([[1], [2], [3], [4], [5]]);
 * [...batches(x, { batchSize: 2 })].map((batch) => batch.toArray()); // [[[1], [2]], [[3], [4]], [[5]]]
 * @example
 * const { x, y } = line();
 * for (const [xBatch, yBatch] of batches([x, y], { batchSize: 150, shuffle: true })) {
 *   console.log(xBatch.shape, yBatch.shape); // [150, 1] [150, 1], then [50, 1] [50, 1]
 * }
 */
export function batches<const Data extends BatchData>(
  data: Data,
  options: BatchOptions = {},
): Batches<Data> {
  checkOptions('batches', options, {
    batchSize: true,
    shuffle: true,
    dropLast: true,
    repeat: true,
    seed: true,
    generator: true,
  });
  const { batchSize = 32, shuffle = false, dropLast = false, repeat = 1 } = options;
  checkWhole('batches', 'batchSize', batchSize, 1);
  if (typeof repeat === 'number') checkWhole('batches', 'repeat', repeat, 1);
  const passes = repeat === true ? Infinity : Number(repeat) || 1;
  const { tensors, rebuild } = takeApart(data);
  const count = countSamples('batches', tensors);
  const used = dropLast ? count - (count % batchSize) : count;
  if (used === 0 && passes > 1) {
    throw new ValueError(
      `batches: nothing to repeat: ${count} samples make no batch of ${batchSize}` +
        `${dropLast ? ' (dropLast leaves out smaller ones)' : ''}.`,
    );
  }
  const generator = shuffle ? generatorOf('batches', options) : null;

  function* generate(): Generator<Batch<Data>, void> {
    for (let pass = 0; pass < passes; pass++) {
      const order = generator && generator.permutation(count);
      for (let from = 0; from < used; from += batchSize) {
        const to = Math.min(from + batchSize, used);
        yield rebuild(tensors.map((x) => rowsOf(x, order, from, to)));
      }
    }
  }
  return { batchesPerEpoch: Math.ceil(used / batchSize), [Symbol.iterator]: generate };
}

/** The tensors in a list, and how to put a list of that length together as the data were. */
function takeApart<Data extends BatchData>(
  data: Data,
): { tensors: Tensor[]; rebuild: (parts: Tensor[]) => Batch<Data> } {
  // The casts: `rebuild` mirrors the case of `data` that was found, which the type of `Batch` says too.
  if (data instanceof Tensor) {
    return { tensors: [data], rebuild: ([part]) => part as Batch<Data> };
  }
  if (Array.isArray(data)) {
    return { tensors: [...data] as Tensor[], rebuild: (parts) => parts as Batch<Data> };
  }
  const names = Object.keys(data);
  return {
    tensors: Object.values(data),
    rebuild: (parts) => Object.fromEntries(names.map((name, i) => [name, parts[i]])) as Batch<Data>,
  };
}
