import { Generator, tensor, zeros, type OpName, type Tensor } from '@tapegrad/tensor';
import { detectFeatures } from '../../../packages/tensor/src/kernels/wasm/machine.js';
import { optimizerKernels } from '../../../packages/tensor/src/kernels/wasm/optimizer/optimizer.js';
import { sameBits } from '../../support/bits.js';
import { byReference, onHeap, testMachine } from '../../support/wasm.js';

const machine = testMachine(false, optimizerKernels);
const relaxed = detectFeatures()?.relaxed === true ? testMachine(true, optimizerKernels) : null;

const none = zeros([0]);
const clock = (lr = 0.01, step = 3, extra = 0.7): Tensor =>
  tensor([lr, step, extra], { dtype: 'float64' });
const betas = { beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };
const rms = { rho: 0.9, epsilon: 1e-7, centered: false, momentum: 0 };
const ftrl = {
  learningRatePower: -0.5,
  l1: 0.01,
  l2: 0.02,
  l2Shrinkage: 0.03,
  beta: 0.04,
};

/** Op, states ('+' where a state is never negative, '0' where it is not in use), attributes. */
const CASES: readonly (readonly [OpName, string, object])[] = [
  ['weightDecayUpdate', '', { rate: 0.3 }],
  ['sgdUpdate', '0', { momentum: 0, nesterov: false }],
  ['sgdUpdate', '-', { momentum: 0.9, nesterov: false }],
  ['sgdUpdate', '-', { momentum: 0.9, nesterov: true }],
  ['rmspropUpdate', '+00', rms],
  ['rmspropUpdate', '+0-', { ...rms, momentum: 0.8 }],
  ['rmspropUpdate', '+m0', { ...rms, centered: true }],
  ['rmspropUpdate', '+m-', { ...rms, centered: true, momentum: 0.8 }],
  ['adamUpdate', '-+0', betas],
  ['adamUpdate', '-++', betas],
  ['adagradUpdate', '+', { epsilon: 1e-7 }],
  ['adadeltaUpdate', '++', { rho: 0.95, epsilon: 1e-7 }],
  ['adamaxUpdate', '-+', betas],
  ['nadamUpdate', '-+', betas],
  ['ftrlUpdate', '+-', ftrl],
];

/** Parameter, gradient and states for a case; 'm' is a mean small enough that its square is below the mean square. */
function inputsOf(states: string, shape: readonly number[], time = clock()): Tensor[] {
  const g = new Generator(states.length + shape.length);
  const state = (kind: string): Tensor => {
    if (kind === '0') return none;
    if (kind === '+') return g.uniform(shape, { low: 0.1, high: 2 });
    return kind === 'm' ? g.uniform(shape, { low: -0.1, high: 0.1 }) : g.normal(shape);
  };
  return [g.normal(shape), g.normal(shape), ...[...states].map(state), time];
}

/** The references' results: what they write to copies of the inputs. */
function updatedByReference(name: OpName, inputs: readonly Tensor[], attrs: object): Tensor[] {
  const copies = inputs.map((x) => byReference('copy', [x])[0]);
  byReference(name, copies, attrs);
  return [0, ...inputs.slice(2, -1).map((_, i) => i + 2)].map((i) => copies[i]);
}

function expectClose(found: Tensor, wanted: Tensor, tolerance: number): void {
  expect(found.shape).toEqual(wanted.shape);
  const [a, b] = [found.toTypedArray(), wanted.toTypedArray()];
  let worst = 0;
  for (let i = 0; i < b.length; i++) {
    const error = Math.abs(a[i] - b[i]) / (1 + Math.abs(b[i]));
    worst = Math.max(worst, Object.is(a[i], b[i]) ? 0 : error);
  }
  expect(worst).toBeLessThanOrEqual(tolerance);
}

describe.each(CASES)('%s with states "%s" and %j', (name, states, attrs) => {
  test.each([[0], [1], [3], [4], [7], [64], [5, 13], [4099]].map((shape) => [shape]))(
    'does to shape %j what its TypeScript kernel does',
    (shape) => {
      const inputs = inputsOf(states, shape);
      const wanted = updatedByReference(name, inputs, attrs);
      for (const m of relaxed === null ? [machine] : [machine, relaxed]) {
        const found = onHeap(m, name, inputs, attrs);
        expect(found).not.toBeNull();
        // Single precision in every step of the formula, where TypeScript computes in double.
        found?.forEach((x, i) => expectClose(x, wanted[i], 5e-7));
      }
    },
  );

  test('lets NaN and infinite gradients through as its TypeScript kernel does', () => {
    const inputs = inputsOf(states, [4]);
    inputs[1] = tensor([NaN, Infinity, -Infinity, 0]);
    const wanted = updatedByReference(name, inputs, attrs);
    const found = onHeap(machine, name, inputs, attrs) ?? [];
    const kinds = (x: Tensor): string[] =>
      [...x.toTypedArray()].map((v) => (Number.isFinite(v) ? 'finite' : String(v)));
    expect(found.map(kinds)).toEqual(wanted.map(kinds));
  });
});

test.each([CASES[1], CASES[9], CASES[14]])('%s is the same in any number of parts', (...row) => {
  const [name, states, attrs] = row;
  const inputs = inputsOf(states, [65536 + 4096 + 5]);
  const whole = onHeap(machine, name, inputs, attrs) ?? [];
  expect(whole.length).toBeGreaterThan(0);
  for (const parts of [2, 3]) {
    const found = onHeap(machine, name, inputs, attrs, { parts }) ?? [];
    expect(found.map((x, i) => sameBits(x, whole[i]))).toEqual(whole.map(() => true));
  }
});

test.each([1, 2, 10, 1000, 1000003])('bias corrections are right at step %d', (step) => {
  for (const [name, states] of [
    ['adamUpdate', '-+0'],
    ['adamaxUpdate', '-+'],
    ['nadamUpdate', '-+'],
  ] as const) {
    const inputs = inputsOf(states, [8], clock(0.1, step, 0.9 ** Math.min(step, 50)));
    const wanted = updatedByReference(name, inputs, betas);
    onHeap(machine, name, inputs, betas)?.forEach((x, i) => expectClose(x, wanted[i], 5e-7));
  }
});

test('leaves to TypeScript what it has no kernel for', () => {
  const double = inputsOf('-', [4]).map((x) => x.cast('float64'));
  expect(onHeap(machine, 'sgdUpdate', double, { momentum: 0.9, nesterov: false })).toBeNull();
  const power = { ...ftrl, learningRatePower: -0.4 };
  expect(onHeap(machine, 'ftrlUpdate', inputsOf('+-', [4]), power)).toBeNull();
});

test.each([
  ['rmspropUpdate', '+00', { rho: 0.9, epsilon: 1e-7, centered: false, momentum: 0 }],
  ['rmspropUpdate', '+++', { rho: 0.9, epsilon: 1e-7, centered: true, momentum: 0.9 }],
  ['sgdUpdate', '-', { momentum: 0.9, nesterov: false }],
  ['sgdUpdate', '-', { momentum: 0.9, nesterov: true }],
  ['adamUpdate', '-+0', betas],
  ['adamaxUpdate', '-+', betas],
  ['nadamUpdate', '-+', betas],
  ['adadeltaUpdate', '++', { rho: 0.9, epsilon: 1e-7 }],
] as const)(
  '%s: means that decay end at 0, not among the subnormal numbers',
  (name, states, attrs) => {
    const least = 2 ** -149;
    const inputs = inputsOf(states, [5]).map((x, i, all) =>
      i === 0 || i === all.length - 1 || x.size === 0 ? x : zeros([5]),
    );
    const decayed = inputs.map((x, i) =>
      i > 1 && i < inputs.length - 1 && x.size > 0 ? x.add(4 * least) : x,
    );
    const [w, ...means] = onHeap(machine, name, decayed, attrs) ?? [];
    expect([...w.toTypedArray()]).toEqual([...inputs[0].toTypedArray()]);
    for (const mean of means) expect(mean.toTypedArray().every((v) => v === 0)).toBe(true);
  },
);
