import { ValueError } from '@tapegrad/tensor';
import { schedules } from '@tapegrad/layers';

const { cosineDecay, exponentialDecay, inverseTimeDecay, piecewiseConstantDecay, polynomialDecay } =
  schedules;

test('polynomialDecay goes to the end rate and stays there', () => {
  const linear = polynomialDecay({
    initialLearningRate: 0.1,
    decaySteps: 4,
    endLearningRate: 0.02,
  });
  const rates = [0, 1, 2, 3, 4, 5, 100].map((step) => linear(step));
  [0.1, 0.08, 0.06, 0.04, 0.02, 0.02, 0.02].forEach((rate, i) =>
    expect(rates[i]).toBeCloseTo(rate, 15),
  );
  const square = polynomialDecay({
    initialLearningRate: 1,
    decaySteps: 10,
    endLearningRate: 0,
    power: 2,
  });
  expect(square(5)).toBe(0.25);
});

test('polynomialDecay with cycle begins again over twice, three times … the steps', () => {
  const cycle = polynomialDecay({
    initialLearningRate: 1,
    decaySteps: 4,
    endLearningRate: 0,
    cycle: true,
  });
  expect([0, 2, 4, 5, 6, 8, 9].map((step) => cycle(step))).toEqual([
    1,
    0.5,
    0,
    1 - 5 / 8,
    0.25,
    0,
    0.25,
  ]);
});

test('the warm-up of cosineDecay may begin anywhere, and steps are counted from its end', () => {
  const rate = cosineDecay({
    initialLearningRate: 0,
    decaySteps: 10,
    warmupTarget: 1,
    warmupSteps: 5,
  });
  expect([0, 1, 5, 15, 100].map((step) => rate(step))).toEqual([0, 0.2, 1, 0, 0]);
  expect(rate(10)).toBeCloseTo(0.5, 15);
});

test('a schedule of boundaries does not change when its lists do', () => {
  const boundaries = [2];
  const rate = piecewiseConstantDecay({ boundaries, values: [1, 2] });
  boundaries[0] = 0;
  expect([2, 3].map((step) => rate(step))).toEqual([1, 2]);
});

const decay = { initialLearningRate: 0.1, decaySteps: 5, decayRate: 0.5 };

test.each([
  [
    () => exponentialDecay({ ...decay, initialLearningRate: -1 }),
    'exponentialDecay: initialLearningRate must be a number of 0 or more; got -1.',
  ],
  [
    () => inverseTimeDecay({ ...decay, decaySteps: 0 }),
    'inverseTimeDecay: decaySteps must be a number above 0; got 0.',
  ],
  [
    () => exponentialDecay({ ...decay, decayRate: NaN }),
    'exponentialDecay: decayRate must be a number of 0 or more; got NaN.',
  ],
  [
    () => cosineDecay({ initialLearningRate: 0, decaySteps: 1, warmupSteps: 3 }),
    'cosineDecay: warmupSteps is 3, but there is no warmupTarget to warm up to.',
  ],
  [
    () => piecewiseConstantDecay({ boundaries: [1], values: [1] }),
    'piecewiseConstantDecay: needs one value more than boundaries; got 1 boundaries and 1 values.',
  ],
  [
    () => piecewiseConstantDecay({ boundaries: [2, 1], values: [1, 2, 3] }),
    'piecewiseConstantDecay: boundaries must ascend; got 2, 1.',
  ],
  [
    () => polynomialDecay({ initialLearningRate: 1, decaySteps: 1, power: -1 }),
    'polynomialDecay: power must be a number of 0 or more; got -1.',
  ],
])('%#: settings out of range are errors', (act, message) => {
  expect(act).toThrow(ValueError);
  expect(act).toThrow(message);
});

test('unknown settings are errors', () => {
  expect(() => exponentialDecay({ ...decay, stairCase: true } as typeof decay)).toThrow(
    /^Unknown option of exponentialDecay 'stairCase'. Did you mean 'staircase'\?/,
  );
});
