/** Rows of the recurrent ops: first order only, since what goes back through time refuses to be differentiated. */
import { tensor, type Tensor } from '@tapegrad/tensor';
import { ops, type RefusingOp, type Variable } from '@tapegrad/autograd';
import { row, uniform, type GradientRow, type GradientRows } from './types.js';

const mask = tensor(
  [
    [true, true, false, true],
    [false, true, true, true],
  ],
  'bool',
);

interface Attrs {
  goBackwards?: boolean;
  resetAfter?: boolean;
}

type F = (x: Variable, mask: Tensor | number[], attrs: Attrs, ...rest: Variable[]) => Variable[];

/** An op on x [2, 4, 3] and weights of two units with so many gates: with and without mask, forwards and backwards. */
function rowsOf(
  f: F,
  gates: number,
  states: number,
  others: Attrs = {},
  bias: readonly number[] = [2 * gates],
): [GradientRow, ...GradientRow[]] {
  const inputs = (): Tensor[] => [
    uniform([2, 4, 3], -1, 1),
    uniform([3, 2 * gates], -1, 1),
    uniform([2, 2 * gates], -1, 1),
    uniform(bias, -1, 1),
    ...Array.from({ length: states }, () => uniform([2, 2], -1, 1)),
  ];
  const once = (m: Tensor | number[], attrs: Attrs): GradientRow => ({
    ...row((x, ...rest) => f(x, m, attrs, ...rest), ...inputs()),
    order: 1,
  });
  return [
    once([], others),
    once(mask, others),
    once([], { goBackwards: true, ...others }),
    once(mask, { goBackwards: true, ...others }),
  ];
}

const gru: F = (x, m, attrs, k, r, b, h) => ops.gru(x, k, r, b, h, m, attrs).slice(0, 2);

export const recurrentRows = {
  simpleRNN: rowsOf((x, m, attrs, k, r, b, h) => ops.simpleRNN(x, k, r, b, h, m, attrs), 1, 1),
  lstm: rowsOf(
    (x, m, attrs, k, r, b, h, c) => ops.lstm(x, k, r, b, h, c, m, attrs).slice(0, 3),
    4,
    2,
  ),
  gru: [
    ...rowsOf(gru, 3, 1, {}, [2, 6]),
    ...rowsOf(gru, 3, 1, { resetAfter: false }),
    // Without a bias, and one sample with one step.
    {
      ...row(
        (x, k, r, h) => ops.gru(x, k, r, [], h, []).slice(0, 2),
        uniform([1, 1, 2]),
        uniform([2, 3]),
        uniform([1, 3]),
        uniform([1, 1]),
      ),
      order: 1,
    },
  ],
  affineGrad: [
    row((x, dz) => ops.affineGrad(x, dz), uniform([4, 3]), uniform([4, 2])),
    row((x, dz) => ops.affineGrad(x, dz), uniform([3, 1]), uniform([3, 4])),
  ],
} satisfies Partial<GradientRows>;

/** Calls of the ops that refuse to be differentiated. */
export const refusingRows: Readonly<Record<RefusingOp, GradientRow>> = {
  simpleRNNGrad: row(
    (g, h, sequence, r) => ops.simpleRNNGrad(g, h, sequence, r, []),
    uniform([2, 4, 3]),
    uniform([2, 3]),
    uniform([2, 4, 3]),
    uniform([3, 3]),
  ),
  lstmGrad: row(
    (g, h, c, cells, gates, r, initial) => ops.lstmGrad(g, h, c, cells, gates, r, initial, []),
    uniform([2, 4, 3]),
    uniform([2, 3]),
    uniform([2, 3]),
    uniform([2, 4, 3]),
    uniform([2, 4, 15]),
    uniform([3, 12]),
    uniform([2, 3]),
  ),
  gruGrad: row(
    (g, h, sequence, gates, r, initial) => ops.gruGrad(g, h, sequence, gates, r, initial, []),
    uniform([2, 4, 3]),
    uniform([2, 3]),
    uniform([2, 4, 3]),
    uniform([2, 4, 12]),
    uniform([3, 9]),
    uniform([2, 3]),
  ),
};
