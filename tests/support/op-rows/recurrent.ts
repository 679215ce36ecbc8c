/** Rows of the recurrent ops, with their definitions one number at a time. */
import { at, type Naive } from '../naive.js';
import { FLOAT, given, truths, uniform, type OpRows, type Sample } from './types.js';

const none = given([], [0]);
const mask = given([1, 1, 0, 1, 0, 1, 1, 1], [2, 4], 'bool');

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const sum = (n: number, term: (i: number) => number): number =>
  range(n).reduce((total, i) => total + term(i), 0);

/** row·w[:, column], for a state that is a plain list. */
const times = (row: readonly number[], w: Naive, column: number): number =>
  sum(row.length, (i) => row[i] * at(w, [i, column]));

/** What one step makes of the states, each a list of units, and what it keeps for the gradient. */
interface Step {
  readonly states: readonly (readonly number[])[];
  readonly kept: readonly number[];
}

interface Walk {
  readonly inputs: readonly Naive[];
  readonly states: readonly Naive[];
  readonly goBackwards?: boolean;
  readonly keptWidth: number;
  step(x: readonly number[], states: readonly (readonly number[])[]): Step;
}

/** Goes through all samples and steps: the sequence of each state, the last of each, and what was kept, in the order of x. */
function walk({ inputs, states, goBackwards = false, keptWidth, step }: Walk): {
  sequences: Naive[];
  last: Naive[];
  kept: Naive;
} {
  const [x, mask] = [inputs[0], inputs[inputs.length - 1]];
  const [batch, time, features] = x.shape;
  const units = states[0].shape[1];
  const sequences = states.map(() => new Array<number>(batch * time * units).fill(NaN));
  const last = states.map((): number[] => []);
  const kept = new Array<number>(batch * time * keptWidth).fill(0);
  for (const b of range(batch)) {
    let now = states.map((state) => range(units).map((j) => at(state, [b, j])));
    for (const s of range(time)) {
      const t = goBackwards ? time - 1 - s : s;
      if (mask.shape.length === 1 || at(mask, [b, t]) !== 0) {
        const row = range(features).map((i) => at(x, [b, t, i]));
        const next = step(row, now);
        now = next.states.map((state) => [...state]);
        next.kept.forEach((value, k) => (kept[(b * time + t) * keptWidth + k] = value));
      }
      now.forEach((state, i) =>
        state.forEach((h, j) => (sequences[i][(b * time + s) * units + j] = h)),
      );
    }
    now.forEach((state, i) => last[i].push(...state));
  }
  return {
    sequences: sequences.map((data) => ({ shape: [batch, time, units], data })),
    last: last.map((data) => ({ shape: [batch, units], data })),
    kept: { shape: [batch, time, keptWidth], data: kept },
  };
}

const biasAt = (bias: Naive, ...index: number[]): number =>
  bias.data.length === 0 ? 0 : at(bias, index);

/** x [2, 4, 3], two units: the weights of a layer with so many gates, its states, and perhaps a mask. */
const inputs = (gates: number, bias: Sample, states: number, m: Sample = none): Sample[] => [
  uniform([2, 4, 3]),
  uniform([3, 2 * gates]),
  uniform([2, 2 * gates]),
  bias,
  ...range(states).map(() => uniform([2, 2])),
  m,
];

/** The shapes of a call on no samples, and of one on no steps. */
const emptyInputs = (gates: number, states: number, batch: number, time: number): number[][] => [
  [batch, time, 3],
  [3, 2 * gates],
  [2, 2 * gates],
  [0],
  ...range(states).map(() => [batch, 2]),
  [0],
];

export const recurrent = {
  simpleRNN: {
    cases: [
      { inputs: inputs(1, none, 1) },
      { inputs: inputs(1, uniform([2]), 1, mask), attrs: { goBackwards: true } },
      { inputs: inputs(1, uniform([2]), 1, mask) },
      { inputs: inputs(1, uniform([2]), 1), attrs: { goBackwards: true } },
    ],
    dtypes: FLOAT,
    empty: [
      { inputs: emptyInputs(1, 1, 0, 4), shape: [0, 4, 2] },
      { inputs: emptyInputs(1, 1, 2, 0), shape: [2, 0, 2] },
    ],
    expected: (all, { goBackwards }) => {
      const [, kernel, recurrentKernel, bias, initial] = all;
      const { sequences, last } = walk({
        inputs: all,
        states: [initial],
        goBackwards,
        keptWidth: 0,
        step: (x, [h]) => ({
          states: [
            h.map((_, j) =>
              Math.tanh(times(x, kernel, j) + times(h, recurrentKernel, j) + biasAt(bias, j)),
            ),
          ],
          kept: [],
        }),
      });
      return [...sequences, ...last];
    },
  },
  simpleRNNGrad: {
    cases: [
      {
        inputs: [
          uniform([2, 4, 3]),
          uniform([2, 3]),
          uniform([2, 4, 3], -1, 1),
          uniform([3, 3]),
          none,
        ],
      },
      {
        inputs: [
          uniform([2, 4, 3]),
          uniform([2, 3]),
          uniform([2, 4, 3], -1, 1),
          uniform([3, 3]),
          truths([2, 4]),
        ],
        attrs: { goBackwards: true },
      },
    ],
    dtypes: FLOAT,
    gradientOf: 'simpleRNN',
    empty: [{ inputs: [[2, 0, 3], [2, 3], [2, 0, 3], [3, 3], [0]], shape: [2, 0, 3] }],
  },
  lstm: {
    cases: [
      { inputs: inputs(4, none, 2) },
      { inputs: inputs(4, uniform([8]), 2, mask), attrs: { goBackwards: true } },
      { inputs: inputs(4, uniform([8]), 2, mask) },
      { inputs: inputs(4, uniform([8]), 2), attrs: { goBackwards: true } },
    ],
    dtypes: FLOAT,
    empty: [
      { inputs: emptyInputs(4, 2, 0, 4), shape: [0, 4, 2] },
      { inputs: emptyInputs(4, 2, 2, 0), shape: [2, 0, 2] },
    ],
    expected: (all, { goBackwards }) => {
      const [, kernel, recurrentKernel, bias, initial, initialCell] = all;
      const { sequences, last, kept } = walk({
        inputs: all,
        states: [initial, initialCell],
        goBackwards,
        keptWidth: 10,
        step: (x, [h, c]) => {
          const z = range(8).map(
            (j) => times(x, kernel, j) + times(h, recurrentKernel, j) + biasAt(bias, j),
          );
          const y = z.map((value, j) => (j === 4 || j === 5 ? Math.tanh(value) : sigmoid(value)));
          const cell = c.map((value, j) => y[2 + j] * value + y[j] * y[4 + j]);
          const squashed = cell.map(Math.tanh);
          return {
            states: [squashed.map((v, j) => y[6 + j] * v), cell],
            kept: [...y, ...squashed],
          };
        },
      });
      return [sequences[0], ...last, sequences[1], kept];
    },
  },
  lstmGrad: {
    cases: [
      {
        inputs: [
          uniform([2, 4, 3]), uniform([2, 3]), uniform([2, 3]), uniform([2, 4, 3]), uniform([2, 4, 15], 0, 1),
          uniform([3, 12]), uniform([2, 3]), none,
        ], // prettier-ignore
      },
      {
        inputs: [
          uniform([2, 4, 3]), uniform([2, 3]), uniform([2, 3]), uniform([2, 4, 3]), uniform([2, 4, 15], 0, 1),
          uniform([3, 12]), uniform([2, 3]), truths([2, 4]),
        ], // prettier-ignore
        attrs: { goBackwards: true },
      },
    ],
    dtypes: FLOAT,
    gradientOf: 'lstm',
  },
  gru: {
    cases: [
      { inputs: inputs(3, none, 1) },
      { inputs: inputs(3, uniform([2, 6]), 1, mask), attrs: { goBackwards: true } },
      { inputs: inputs(3, uniform([2, 6]), 1, mask) },
      { inputs: inputs(3, uniform([6]), 1, mask), attrs: { goBackwards: true, resetAfter: false } },
      { inputs: inputs(3, none, 1), attrs: { resetAfter: false } },
    ],
    dtypes: FLOAT,
    empty: [
      { inputs: emptyInputs(3, 1, 0, 4), shape: [0, 4, 2] },
      { inputs: emptyInputs(3, 1, 2, 0), attrs: { resetAfter: false }, shape: [2, 0, 2] },
    ],
    expected: (all, { goBackwards, resetAfter = true }) => {
      const [, kernel, recurrentKernel, bias, initial] = all;
      const inputBias = (j: number): number => (resetAfter ? biasAt(bias, 0, j) : biasAt(bias, j));
      const { sequences, last, kept } = walk({
        inputs: all,
        states: [initial],
        goBackwards,
        keptWidth: 8,
        step: (x, [h]) => {
          const a = range(6).map((j) => times(x, kernel, j) + inputBias(j));
          const product = (j: number): number =>
            times(h, recurrentKernel, j) + (resetAfter ? biasAt(bias, 1, j) : 0);
          const z = [0, 1].map((j) => sigmoid(a[j] + product(j)));
          const r = [2, 3].map((j) => sigmoid(a[j] + product(j)));
          const q = [0, 1].map((j) => (resetAfter ? product(4 + j) : r[j] * h[j]));
          const c = [0, 1].map((j) =>
            Math.tanh(a[4 + j] + (resetAfter ? r[j] * q[j] : times(q, recurrentKernel, 4 + j))),
          );
          return {
            states: [h.map((value, j) => z[j] * value + (1 - z[j]) * c[j])],
            kept: [...z, ...r, ...c, ...q],
          };
        },
      });
      return [...sequences, ...last, kept];
    },
  },
  gruGrad: {
    cases: [
      {
        inputs: [
          uniform([2, 4, 3]), uniform([2, 3]), uniform([2, 4, 3]), uniform([2, 4, 12], 0, 1), uniform([3, 9]),
          uniform([2, 3]), none,
        ], // prettier-ignore
      },
      {
        inputs: [
          uniform([2, 4, 3]), uniform([2, 3]), uniform([2, 4, 3]), uniform([2, 4, 12], 0, 1), uniform([3, 9]),
          uniform([2, 3]), truths([2, 4]),
        ], // prettier-ignore
        attrs: { goBackwards: true, resetAfter: false },
      },
    ],
    dtypes: FLOAT,
    gradientOf: 'gru',
  },
  affineGrad: {
    // One to four features, widths with and without a rest beside whole vectors, and more rows than are summed at once.
    cases: [
      ...[1, 2, 3, 4].map((n) => ({ inputs: [uniform([5, n]), uniform([5, 24])] })),
      { inputs: [uniform([7, 1]), uniform([7, 6])] },
      { inputs: [uniform([300, 1]), uniform([300, 4])] },
    ],
    dtypes: FLOAT,
    empty: [
      { inputs: [[0, 2], [0, 4]], shape: [3, 4], fill: 0 },
      { inputs: [[2, 3], [2, 0]], shape: [4, 0] },
      { inputs: [[3, 0], [3, 2]], shape: [1, 2], fill: 3 },
    ], // prettier-ignore
    expected: ([x, dz]) => {
      const [rows, features] = x.shape;
      const [, width] = dz.shape;
      const factor = (i: number, j: number): number => (j === features ? 1 : at(x, [i, j]));
      const data = range(features + 1).flatMap((j) =>
        range(width).map((k) => sum(rows, (i) => factor(i, j) * at(dz, [i, k]))),
      );
      return { shape: [features + 1, width], data };
    },
  },
} satisfies Partial<OpRows>;
