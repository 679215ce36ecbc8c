/**
 * The data of a training run: checked once, then handed out in batches.
 */
import {
  ShapeError,
  Tensor,
  ValueError,
  formatShape,
  gatherAxis,
  tensor,
  zeros,
  type TensorLike,
} from '@tapegrad/tensor';

/** Data for a model: one tensor, or for several inputs or outputs a list in their order or an object by their names. */
export type DataLike = TensorLike | readonly TensorLike[] | Readonly<Record<string, TensorLike>>;

/** The names of a model's inputs and outputs. */
export interface Ports {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
}

/** Samples with targets, and a weight for each sample or null. All have the samples along their first axis. */
export interface Samples {
  readonly x: readonly Tensor[];
  readonly y: readonly Tensor[];
  readonly weight: Tensor | null;
}

/** A weight for each class, by its number. */
export type ClassWeight = Readonly<Record<number, number>>;

/**
 * What the user passed as one tensor for each name.
 *
 * @throws ShapeError when there are more or fewer, or a scalar; ValueError when there is nothing
 */
export function tensorsOf(
  who: string,
  what: string,
  data: DataLike,
  names: readonly string[],
): Tensor[] {
  const tensors = valuesOf(who, what, data, names).map((value) => tensor(value));
  if (tensors.some((t) => t.rank === 0)) {
    throw new ShapeError(`${who}: ${what} must be a batch of samples; got a scalar.`);
  }
  return tensors;
}

function valuesOf(
  who: string,
  what: string,
  data: DataLike,
  names: readonly string[],
): readonly TensorLike[] {
  const given: unknown = data;
  if (given === undefined || given === null) {
    throw new ValueError(`${who}: ${what} is missing; got ${String(given)}.`);
  }
  if (isRecord(data)) {
    const byName: Readonly<Record<string, TensorLike>> = data;
    const missing = names.find((name) => !(name in data));
    const unknown = Object.keys(data).find((name) => !names.includes(name));
    if (missing !== undefined || unknown !== undefined) {
      const problem =
        missing === undefined ? `there is no '${unknown}'` : `'${missing}' is missing`;
      throw new ShapeError(
        `${who}: ${what} needs ${names.map((n) => `'${n}'`).join(', ')}; ${problem}.`,
      );
    }
    return names.map((name) => byName[name]);
  }
  if (names.length === 1)
    return [isTensorList(data) && data.length === 1 ? data[0] : (data as TensorLike)];
  if (!Array.isArray(data) || data.length !== names.length) {
    throw new ShapeError(
      `${who}: ${what} needs a list of ${names.length} tensors (${names.join(', ')}); got ` +
        `${Array.isArray(data) ? String(data.length) : 'one'}.`,
    );
  }
  return data as readonly TensorLike[];
}

function isTensorList(data: DataLike): data is readonly Tensor[] {
  return Array.isArray(data) && data[0] instanceof Tensor;
}

function isRecord(data: DataLike): data is Readonly<Record<string, TensorLike>> {
  return (
    typeof data === 'object' &&
    Object.getPrototypeOf(data) === Object.prototype &&
    !('stride' in data)
  );
}

/**
 * Turns what the user passed into tensors that fit together.
 *
 * @throws ShapeError when x, y and the weights have different numbers of samples, or there is none
 * @throws ValueError for NaN among the targets, or a class without a weight
 */
export function prepareSamples(
  who: string,
  { inputNames, outputNames }: Ports,
  x: DataLike,
  y: DataLike,
  options: { sampleWeight?: TensorLike; classWeight?: ClassWeight } = {},
): Samples {
  const inputs = tensorsOf(who, 'x', x, inputNames);
  const targets = tensorsOf(who, 'y', y, outputNames);
  const n = inputs[0].shape[0];
  for (const t of [...inputs, ...targets]) {
    if (t.shape[0] !== n) {
      const shapes = [...inputs, ...targets].map(({ shape }) => formatShape(shape));
      throw new ShapeError(
        `${who}: x has ${n} samples and y has ${targets[0].shape[0]}; shapes ${shapes.join(' and ')} must begin with the ` +
          `same size.`,
      );
    }
  }
  if (n === 0) {
    throw new ShapeError(
      `${who}: there are no samples; got x of shape ${formatShape(inputs[0].shape)}.`,
    );
  }
  for (const t of targets) rejectNaN(who, t);
  const weight = sampleWeights(who, n, options.sampleWeight);
  return weightedByClass(who, { x: inputs, y: targets, weight }, options.classWeight);
}

function rejectNaN(who: string, y: Tensor): void {
  const values = y.toTypedArray();
  for (let i = 0; i < values.length; i++) {
    if (values[i] === values[i]) continue;
    const sample = Math.floor(i / (values.length / y.shape[0]));
    throw new ValueError(
      `${who}: y is NaN at sample ${sample}; remove or replace missing targets.`,
    );
  }
}

function sampleWeights(who: string, n: number, given: TensorLike | undefined): Tensor | null {
  if (given === undefined) return null;
  const weight = tensor(given);
  if (weight.rank !== 1 || weight.shape[0] !== n) {
    throw new ShapeError(
      `${who}: sampleWeight needs one number for each of the ${n} samples; got shape ` +
        `${formatShape(weight.shape)}.`,
    );
  }
  return weight;
}

/**
 * The samples with the weights of their classes, times those that they have.
 *
 * @throws ValueError for a class without a weight, or several outputs; ShapeError for targets that are no classes
 */
export function weightedByClass(
  who: string,
  samples: Samples,
  classWeight: ClassWeight | undefined,
): Samples {
  if (classWeight === undefined) return samples;
  const { y, weight } = samples;
  if (y.length > 1) throw new ValueError(`${who}: classWeight is for models with one output.`);
  const byClass = tensor(
    Array.from(classesOf(who, y[0]), (c) => {
      const w = classWeight[c];
      if (w === undefined) {
        throw new ValueError(
          `${who}: classWeight has no weight for class ${c}; it has ${Object.keys(classWeight).join(', ')}.`,
        );
      }
      return w;
    }),
  );
  return { ...samples, weight: weight === null ? byClass : weight.mul(byClass) };
}

/** The class of each sample: the place of the 1 in one-hot targets, else the target itself. */
function classesOf(who: string, y: Tensor): ArrayLike<number> {
  if (y.rank === 2 && y.shape[1] > 1) return y.argmax(1).toTypedArray();
  if (y.size === y.shape[0]) return y.toTypedArray();
  throw new ShapeError(
    `${who}: classWeight needs targets with one class for each sample, [samples] or [samples, classes]; got ` +
      `${formatShape(y.shape)}.`,
  );
}

/** A row range as a view. */
export function rows(t: Tensor, from: number, to: number): Tensor {
  const begin = t.shape.map((_, i) => (i === 0 ? from : 0));
  return t.slice({ begin, size: t.shape.map((n, i) => (i === 0 ? to - from : n)) });
}

/** Samples in batches: neighbouring rows, or rows in any order. */
export class Batches {
  private readonly shuffled = new Map<Tensor, ShuffledRows>();

  constructor(private readonly samples: Samples) {}

  /**
   * The rows from … to − 1, or those that `order` (int32) names at these places. A batch in another order is good until the next
   * one is taken.
   */
  take(from: number, to: number, order: Tensor | null): Samples {
    const { x, y, weight } = this.samples;
    const index = order === null ? null : Int32Array.from(rows(order, from, to).toTypedArray());
    const take = (t: Tensor): Tensor =>
      index === null ? rows(t, from, to) : this.shuffledRows(t).take(index);
    return { x: x.map(take), y: y.map(take), weight: weight === null ? null : take(weight) };
  }

  private shuffledRows(t: Tensor): ShuffledRows {
    let made = this.shuffled.get(t);
    if (made === undefined) this.shuffled.set(t, (made = new ShuffledRows(t)));
    return made;
  }
}

/**
 * Rows of a tensor in any order. They are copied to the same memory each time: new memory for every batch costs more than the
 * step of a small model.
 */
class ShuffledRows {
  /** Row-major, so that it need not be brought into that order for each batch. */
  private readonly source: Tensor;
  /** The last rows, by their number: the last batch of an epoch is smaller. */
  private readonly places = new Map<number, Tensor>();
  /** The rows that were put together last: an autoencoder asks for them twice, as inputs and as targets. */
  private index: Int32Array | null = null;

  constructor(t: Tensor) {
    this.source = t.contiguous ? t : tensor(t.toTypedArray(), { shape: t.shape });
  }

  take(index: Int32Array): Tensor {
    const { dtype, shape } = this.source;
    let place = this.places.get(index.length);
    if (place === undefined) {
      place = zeros([index.length, ...shape.slice(1)], dtype);
      this.places.set(index.length, place);
    }
    if (index === this.index) return place;
    this.index = index;
    gatherAxis(this.source, 0, index, place);
    // For whoever has kept the former rows.
    place.storage.version++;
    return place;
  }
}

/**
 * Cuts the last share of the samples off, before any shuffling.
 *
 * @throws ValueError unless 0 < share < 1 and both parts have samples
 */
export function splitSamples(who: string, samples: Samples, share: number): [Samples, Samples] {
  const n = samples.x[0].shape[0];
  const at = Math.floor(n * (1 - share));
  if (!(share > 0 && share < 1) || at === 0 || at === n) {
    throw new ValueError(
      `${who}: validationSplit must leave samples on both sides of ${n}; got ${share}.`,
    );
  }
  const batches = new Batches(samples);
  return [batches.take(0, at, null), batches.take(at, n, null)];
}
