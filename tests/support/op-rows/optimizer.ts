/** Rows of the optimizers' updates, with the formulas as Keras 3 documents them. */
import { elementwise, type Naive } from '../naive.js';
import { given, uniform, type OpRows, type Sample } from './types.js';

const LEARNING_RATE = 0.05;
const STEP = 3;
const EPSILON = 1e-7;
const BETA1 = 0.9;
const BETA2 = 0.99;
const ADAM = { beta1: BETA1, beta2: BETA2, epsilon: EPSILON };

/** The momentum of Nadam's step t. */
const momentumOf = (t: number): number => BETA1 * (1 - 0.5 * 0.96 ** t);
const PRODUCT = momentumOf(1) * momentumOf(2) * momentumOf(STEP);
const clock = given([LEARNING_RATE, STEP, PRODUCT], [3], 'float64');

/** Parameter, gradient, states and clock. */
function inputs(states: readonly ('used' | 'unused')[]): Sample[] {
  const made = states.map((s) => (s === 'used' ? uniform([2, 3], 0.3, 1) : given([], [0])));
  return [uniform([2, 3]), uniform([2, 3]), ...made, clock];
}

/** The inputs after an update that gives new values of the parameter and then of its states, element by element. */
function after(
  before: readonly Naive[],
  update: (w: number, g: number, states: number[]) => readonly number[],
): Naive[] {
  const [w, g, ...rest] = before;
  const states = rest.slice(0, -1);
  const used = states.map((s) =>
    s.shape.join() === w.shape.join() ? s : { shape: [], data: [0] },
  );
  const result = (k: number): Naive =>
    elementwise((p, q, ...s) => update(p, q, s)[k], w, g, ...used);
  return [
    result(0),
    g,
    ...states.map((s, k) => (used[k] === s ? result(k + 1) : s)),
    rest[rest.length - 1],
  ];
}

export const optimizer = {
  weightDecayUpdate: {
    cases: [{ inputs: inputs([]), attrs: { rate: 0.2 } }],
    dtypes: null,
    expected: (x, { rate }) => after(x, (w) => [w * (1 - LEARNING_RATE * rate)]),
  },
  sgdUpdate: {
    cases: [
      { inputs: inputs(['unused']), attrs: { momentum: 0, nesterov: false } },
      { inputs: inputs(['used']), attrs: { momentum: 0.9, nesterov: false } },
      { inputs: inputs(['used']), attrs: { momentum: 0.9, nesterov: true } },
    ],
    dtypes: null,
    expected: (x, { momentum, nesterov }) =>
      after(x, (w, g, [m]) => {
        const velocity = momentum * m - LEARNING_RATE * g;
        return [w + (nesterov ? momentum * velocity - LEARNING_RATE * g : velocity), velocity];
      }),
  },
  rmspropUpdate: {
    cases: [
      {
        inputs: inputs(['used', 'unused', 'unused']),
        attrs: { rho: 0.9, epsilon: EPSILON, centered: false, momentum: 0 },
      },
      {
        inputs: inputs(['used', 'unused', 'used']),
        attrs: { rho: 0.9, epsilon: EPSILON, centered: false, momentum: 0.5 },
      },
      {
        // The mean of the squares must be at least the square of the mean.
        inputs: [
          uniform([2, 3]),
          uniform([2, 3]),
          uniform([2, 3], 1, 2),
          uniform([2, 3], 0, 0.5),
          uniform([2, 3]),
          clock,
        ],
        attrs: { rho: 0.9, epsilon: EPSILON, centered: true, momentum: 0.5 },
      },
      {
        inputs: [
          uniform([2, 3]),
          uniform([2, 3]),
          uniform([2, 3], 1, 2),
          uniform([2, 3], 0, 0.5),
          given([], [0]),
          clock,
        ],
        attrs: { rho: 0.9, epsilon: EPSILON, centered: true, momentum: 0 },
      },
    ],
    dtypes: null,
    expected: (x, { rho, epsilon, centered, momentum }) =>
      after(x, (w, g, [square, mean, velocity]) => {
        const v = rho * square + (1 - rho) * g ** 2;
        const a = centered ? rho * mean + (1 - rho) * g : 0;
        const m = momentum * velocity + (LEARNING_RATE * g) / Math.sqrt(v - a ** 2 + epsilon);
        return [w - m, v, a, m];
      }),
  },
  adamUpdate: {
    cases: [
      { inputs: inputs(['used', 'used', 'unused']), attrs: ADAM },
      { inputs: inputs(['used', 'used', 'used']), attrs: ADAM },
    ],
    dtypes: null,
    expected: (x, { beta1, beta2, epsilon }) =>
      after(x, (w, g, [mean, square, greatest]) => {
        const m = beta1 * mean + (1 - beta1) * g;
        const v = beta2 * square + (1 - beta2) * g ** 2;
        // An unused state reads as 0, and no square is smaller.
        const top = Math.max(greatest, v);
        const rate = (LEARNING_RATE * Math.sqrt(1 - beta2 ** STEP)) / (1 - beta1 ** STEP);
        return [w - (rate * m) / (Math.sqrt(top) + epsilon), m, v, top];
      }),
  },
  adagradUpdate: {
    cases: [{ inputs: inputs(['used']), attrs: { epsilon: EPSILON } }],
    dtypes: null,
    expected: (x, { epsilon }) =>
      after(x, (w, g, [s]) => [
        w - (LEARNING_RATE * g) / Math.sqrt(s + g ** 2 + epsilon),
        s + g ** 2,
      ]),
  },
  adadeltaUpdate: {
    cases: [{ inputs: inputs(['used', 'used']), attrs: { rho: 0.95, epsilon: EPSILON } }],
    dtypes: null,
    expected: (x, { rho, epsilon }) =>
      after(x, (w, g, [square, squaredDelta]) => {
        const v = rho * square + (1 - rho) * g ** 2;
        const delta = -(Math.sqrt(squaredDelta + epsilon) / Math.sqrt(v + epsilon)) * g;
        return [w + LEARNING_RATE * delta, v, rho * squaredDelta + (1 - rho) * delta ** 2];
      }),
  },
  adamaxUpdate: {
    cases: [{ inputs: inputs(['used', 'used']), attrs: ADAM }],
    dtypes: null,
    expected: (x, { beta1, beta2, epsilon }) =>
      after(x, (w, g, [mean, norm]) => {
        const m = beta1 * mean + (1 - beta1) * g;
        const u = Math.max(beta2 * norm, Math.abs(g));
        return [w - (LEARNING_RATE * m) / ((1 - beta1 ** STEP) * (u + epsilon)), m, u];
      }),
  },
  nadamUpdate: {
    cases: [{ inputs: inputs(['used', 'used']), attrs: ADAM }],
    dtypes: null,
    expected: (x, { beta1, beta2, epsilon }) =>
      after(x, (w, g, [mean, square]) => {
        const m = beta1 * mean + (1 - beta1) * g;
        const v = beta2 * square + (1 - beta2) * g ** 2;
        const next = momentumOf(STEP + 1);
        const mHat =
          (next * m) / (1 - PRODUCT * next) + ((1 - momentumOf(STEP)) * g) / (1 - PRODUCT);
        const vHat = v / (1 - beta2 ** STEP);
        return [w - (LEARNING_RATE * mHat) / (Math.sqrt(vHat) + epsilon), m, v];
      }),
  },
  ftrlUpdate: {
    cases: [
      {
        inputs: inputs(['used', 'used']),
        attrs: { learningRatePower: -0.5, l1: 0.4, l2: 0.1, l2Shrinkage: 0.2, beta: 0.3 },
      },
    ],
    dtypes: null,
    expected: (x, { learningRatePower, l1, l2, l2Shrinkage, beta }) =>
      after(x, (w, g, [accumulator, linear]) => {
        const sum = accumulator + g ** 2;
        const [before, now] = [accumulator ** -learningRatePower, sum ** -learningRatePower];
        const z = linear + g + 2 * l2Shrinkage * w - ((now - before) / LEARNING_RATE) * w;
        const quadratic = now / LEARNING_RATE + 2 * (l2 + beta / (2 * LEARNING_RATE));
        return [(Math.max(-l1, Math.min(l1, z)) - z) / quadratic, sum, z];
      }),
  },
} satisfies Partial<OpRows>;
