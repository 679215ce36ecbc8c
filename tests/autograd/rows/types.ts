/** The rows of the table of gradients: functions to differentiate, and points away from kinks. */
import { tensor, type OpName, type Tensor } from '@tapegrad/tensor';
import type { DifferentiableOp, RefusingOp, Variable } from '@tapegrad/autograd';
import { Numbers } from '../../support/numbers.js';

export interface GradientRow {
  readonly f: (...xs: Variable[]) => Variable | readonly Variable[];
  readonly inputs: readonly Tensor[];
  /** 1 where the gradient has none of its own. Default 2. */
  readonly order?: 1 | 2;
}

/** At least one row for each op that has a rule and does not refuse: a missing one does not compile. */
export type GradientRows = Readonly<
  Record<Exclude<DifferentiableOp, RefusingOp>, readonly [GradientRow, ...GradientRow[]]>
>;

/** A call of each op that has none; updates in place are not functions. */
export type OtherOp = Exclude<OpName, DifferentiableOp>;

export function row(f: GradientRow['f'], ...inputs: Tensor[]): GradientRow {
  return { f, inputs };
}

const numbers = new Numbers(17);

function float64(shape: readonly number[], next: () => number): Tensor {
  const size = shape.reduce((n, s) => n * s, 1);
  return tensor(Float64Array.from({ length: size }, next), { shape });
}

/** Numbers from [low, high), none of them within 0.05 of a kink. */
export function uniform(
  shape: readonly number[],
  low = -2,
  high = 2,
  kinks: readonly number[] = [],
): Tensor {
  const draw = (): number => {
    const x = low + (high - low) * numbers.next();
    return kinks.some((kink) => Math.abs(x - kink) < 0.05) ? draw() : x;
  };
  return float64(shape, draw);
}

/** Different numbers in random order, no two of them closer than 0.1, none within 0.03 of 0, with different magnitudes. */
export function distinct(shape: readonly number[]): Tensor {
  const size = shape.reduce((n, s) => n * s, 1);
  const values = numbers.shuffled(
    Array.from({ length: size }, (_, i) => (i % 2 === 0 ? 1 : -1) * (i / 10 + 0.07)),
  );
  let next = 0;
  return float64(shape, () => values[next++]);
}

/** Given values, as a vector unless there is a shape. */
export function given(data: readonly number[], shape: readonly number[] = [data.length]): Tensor {
  return tensor(Float64Array.from(data), { shape });
}

/** Positions: int32. */
export function positions(
  data: readonly number[],
  shape: readonly number[] = [data.length],
): Tensor {
  return tensor(Int32Array.from(data), { shape });
}

/** Truth values. */
export function truths(shape: readonly number[]): Tensor {
  const size = shape.reduce((n, s) => n * s, 1);
  return tensor(
    Uint8Array.from({ length: size }, () => numbers.integer(0, 1)),
    { shape },
  );
}

type Draw = (shape: readonly number[]) => Tensor;

/** Rows for two inputs that broadcast: equal shapes, missing axes, axes of size 1 on either side and on both, scalars, views. */
export function broadcasting(
  f: (a: Variable, b: Variable) => Variable,
  drawA: Draw,
  drawB: Draw = drawA,
): [GradientRow, ...GradientRow[]] {
  const shapes: [number[], number[]][] = [
    [[3], [2, 3]],
    [
      [2, 1],
      [1, 3],
    ],
    [
      [2, 1, 2],
      [3, 1],
    ],
    [[], [2, 2]],
    [[2, 2], []],
    [[], []],
    [[1], [3]],
  ];
  return [
    row(f, drawA([2, 3]), drawB([2, 3])),
    ...shapes.map(([a, b]) => row(f, drawA(a), drawB(b))),
    // Inputs that are read with a stride of 0.
    row((a, b) => f(a.broadcastTo([2, 3]), b.broadcastTo([2, 3])), drawA([3]), drawB([2, 1])),
  ];
}
