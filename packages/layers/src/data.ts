/**
 * The data of a training run: checked once, then handed out in batches.
 */
import {
  ShapeError,
  ValueError,
  formatShape,
  ops,
  tensor,
  type Tensor,
  type TensorLike,
} from '@tapegrad/tensor';

/** Samples with targets, and a weight for each sample or null. All have the samples along their first axis. */
export interface Samples {
  readonly x: Tensor;
  readonly y: Tensor;
  readonly weight: Tensor | null;
}

/** A weight for each class, by its number. */
export type ClassWeight = Readonly<Record<number, number>>;

function count(who: string, what: string, t: Tensor): number {
  if (t.rank === 0)
    throw new ShapeError(`${who}: ${what} must be a batch of samples; got a scalar.`);
  return t.shape[0];
}

/**
 * Turns what the user passed into tensors that fit together.
 *
 * @throws ShapeError when x, y and the weights have different numbers of samples, or there is none
 * @throws ValueError for NaN among the targets, or a class without a weight
 */
export function prepareSamples(
  who: string,
  x: TensorLike,
  y: TensorLike,
  options: { sampleWeight?: TensorLike; classWeight?: ClassWeight } = {},
): Samples {
  const inputs = tensor(x);
  const targets = tensor(y);
  const n = count(who, 'x', inputs);
  if (count(who, 'y', targets) !== n) {
    throw new ShapeError(
      `${who}: x has ${n} samples and y has ${targets.shape[0]}; shapes ${formatShape(inputs.shape)} and ` +
        `${formatShape(targets.shape)} must begin with the same size.`,
    );
  }
  if (n === 0)
    throw new ShapeError(
      `${who}: there are no samples; got x of shape ${formatShape(inputs.shape)}.`,
    );
  rejectNaN(who, targets);
  return { x: inputs, y: targets, weight: sampleWeights(who, targets, options) };
}

function rejectNaN(who: string, y: Tensor): void {
  const values = y.toTypedArray();
  const at = values.findIndex((v) => v !== v);
  if (at >= 0) {
    throw new ValueError(
      `${who}: y is NaN at sample ${Math.floor(at / (values.length / y.shape[0]))}; remove or replace missing targets.`,
    );
  }
}

function sampleWeights(
  who: string,
  y: Tensor,
  { sampleWeight, classWeight }: { sampleWeight?: TensorLike; classWeight?: ClassWeight },
): Tensor | null {
  let weight: Tensor | null = null;
  if (sampleWeight !== undefined) {
    weight = tensor(sampleWeight);
    if (weight.rank !== 1 || weight.shape[0] !== y.shape[0]) {
      throw new ShapeError(
        `${who}: sampleWeight needs one number for each of the ${y.shape[0]} samples; got shape ${formatShape(weight.shape)}.`,
      );
    }
  }
  if (classWeight === undefined) return weight;
  const byClass = tensor(
    Array.from(classesOf(who, y), (c) => {
      const w = classWeight[c];
      if (w === undefined) {
        throw new ValueError(
          `${who}: classWeight has no weight for class ${c}; it has ${Object.keys(classWeight).join(', ')}.`,
        );
      }
      return w;
    }),
  );
  return weight === null ? byClass : weight.mul(byClass);
}

/** The class of each sample: the place of the 1 in one-hot targets, else the target itself. */
function classesOf(who: string, y: Tensor): ArrayLike<number> {
  if (y.rank === 2 && y.shape[1] > 1) return y.argmax(1).toTypedArray();
  if (y.size === y.shape[0]) return y.toTypedArray();
  throw new ShapeError(
    `${who}: classWeight needs targets with one class for each sample, [samples] or [samples, classes]; got ${formatShape(y.shape)}.`,
  );
}

/** A row range as a view. */
export function rows(t: Tensor, from: number, to: number): Tensor {
  return t.slice({
    begin: t.shape.map((_, i) => (i === 0 ? from : 0)),
    size: t.shape.map((n, i) => (i === 0 ? to - from : n)),
  });
}

/** Some rows of the samples: those that `order` names at places from … to − 1, or the rows from … to − 1 themselves. */
export function takeBatch(
  { x, y, weight }: Samples,
  from: number,
  to: number,
  order: Tensor | null,
): Samples {
  const take = (t: Tensor): Tensor =>
    order === null ? rows(t, from, to) : ops.gather(t, rows(order, from, to));
  return { x: take(x), y: take(y), weight: weight === null ? null : take(weight) };
}

/**
 * Cuts the last share of the samples off, before any shuffling.
 *
 * @throws ValueError unless 0 < share < 1 and both parts have samples
 */
export function splitSamples(who: string, samples: Samples, share: number): [Samples, Samples] {
  const n = samples.x.shape[0];
  const at = Math.floor(n * (1 - share));
  if (!(share > 0 && share < 1) || at === 0 || at === n) {
    throw new ValueError(
      `${who}: validationSplit must leave samples on both sides of ${n}; got ${share}.`,
    );
  }
  return [takeBatch(samples, 0, at, null), takeBatch(samples, at, n, null)];
}
