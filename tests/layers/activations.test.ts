import { recordCalls, tensor } from '@tapegrad/tensor';
import { Variable, noGrad, variable } from '@tapegrad/autograd';
import { UnknownNameError, activations } from '@tapegrad/layers';
import { assertNumbersClose } from '../support/close.js';

const { getActivation, logitsOf } = activations;
const values = [-8, -3.5, -2, -0.7, -0.1, 0.2, 0.9, 2.5, 5, 7.3];

/** The normal distribution function by Simpson's rule. */
function normalCdf(x: number): number {
  const n = 2000;
  const density = (t: number): number => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  let sum = density(0) + density(x);
  for (let i = 1; i < n; i++) sum += density((x * i) / n) * (i % 2 === 1 ? 4 : 2);
  return 0.5 + (sum * x) / n / 3;
}

const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
const scale = 1.0507009873554805;
const alpha = 1.6732632423543772;

const formulas: Record<activations.ActivationName, (x: number, all: readonly number[]) => number> =
  {
    linear: (x) => x,
    relu: (x) => Math.max(x, 0),
    relu6: (x) => Math.min(Math.max(x, 0), 6),
    leakyRelu: (x) => (x < 0 ? 0.2 * x : x),
    elu: (x) => (x < 0 ? Math.exp(x) - 1 : x),
    selu: (x) => scale * (x < 0 ? alpha * (Math.exp(x) - 1) : x),
    gelu: (x) => x * normalCdf(x),
    silu: (x) => x * sigma(x),
    swish: (x) => x * sigma(x),
    mish: (x) => x * Math.tanh(Math.log(1 + Math.exp(x))),
    softplus: (x) => Math.log(1 + Math.exp(x)),
    softsign: (x) => x / (1 + Math.abs(x)),
    sigmoid: sigma,
    hardSigmoid: (x) => Math.min(Math.max(x / 6 + 0.5, 0), 1),
    tanh: (x) => (Math.exp(x) - Math.exp(-x)) / (Math.exp(x) + Math.exp(-x)),
    softmax: (x, all) => Math.exp(x) / all.reduce((sum, v) => sum + Math.exp(v), 0),
    logSoftmax: (x, all) => x - Math.log(all.reduce((sum, v) => sum + Math.exp(v), 0)),
    exponential: Math.exp,
  };

test('every activation has a formula here', () => {
  expect(Object.keys(formulas).sort()).toEqual([...activations.activationNames].sort());
});

describe.each(activations.activationNames)('%s', (name) => {
  const x = tensor(Float64Array.from(values), { shape: [1, values.length] });
  const wanted = (xs: readonly number[]): number[] => xs.map((v) => formulas[name](v, xs));

  test('computes its formula', () => {
    const y = getActivation(name)(new Variable(x));
    expect([y.shape, y.dtype]).toEqual([x.shape, 'float64']);
    const tolerance = { relative: 1e-12, absolute: 1e-13 };
    assertNumbersClose(name, y.value.toTypedArray(), wanted(values), tolerance);
  });

  test('has the gradient of its formula', () => {
    const input = new Variable(x, true);
    const cotangent = values.map((_, i) => Math.cos(i));
    getActivation(name)(input).backward(tensor([cotangent], 'float64'));
    const h = 1e-5;
    const weighed = (xs: readonly number[]): number =>
      wanted(xs).reduce((sum, y, i) => sum + y * cotangent[i], 0);
    const differences = values.map((_, i) => {
      const moved = (by: number): number[] => values.map((v, j) => (j === i ? v + by : v));
      return (weighed(moved(h)) - weighed(moved(-h))) / (2 * h);
    });
    assertNumbersClose(name, input.grad?.value.toTypedArray() ?? [], differences, {
      relative: 1e-7,
      absolute: 1e-8,
    });
  });
});

test('functions take settings', () => {
  const x = variable([[-1, 2]], 'float64');
  expect(activations.leakyRelu(x, { alpha: 0.5 }).toArray()).toEqual([[-0.5, 2]]);
  expect(activations.elu(x, { alpha: 2 }).toArray()).toEqual([[2 * Math.expm1(-1), 2]]);
  expect(activations.softmax(x, { axis: 0 }).toArray()).toEqual([[1, 1]]);
  expect(activations.logSoftmax(x, { axis: 0 }).toArray()).toEqual([[0, 0]]);
  const tanhFormula = 0.5 * 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (2 + 0.044715 * 8)));
  const approximate = activations.gelu(x, { approximate: true }).toArray() as number[][];
  expect(approximate[0][1]).toBeCloseTo(tanhFormula, 12);
});

describe('getActivation', () => {
  test('takes a function as it is; nothing is linear, which runs no op', () => {
    const twice = (x: Variable): Variable => x.mul(2);
    expect(getActivation(twice)).toBe(twice);
    const x = variable([1]);
    expect(recordCalls(() => expect(getActivation(undefined)(x)).toBe(x))).toEqual([]);
    expect(getActivation(null)(x)).toBe(x);
  });

  test('lists the known names for an unknown one, the nearest first', () => {
    const unknown = (name: string) => () => getActivation(name as activations.ActivationName);
    expect(unknown('leaky_relu')).toThrow(UnknownNameError);
    expect(unknown('leaky_relu')).toThrow(
      /^Unknown activation 'leaky_relu'. Did you mean 'leakyRelu'\? Known are 'linear', 'relu', .* or 'exponential'\.$/,
    );
    expect(unknown('xyz')).toThrow(/^Unknown activation 'xyz'. Known are 'linear'/);
    // Not what every object has.
    expect(unknown('constructor')).toThrow(UnknownNameError);
    expect(unknown('__proto__')).toThrow(UnknownNameError);
  });
});

describe('logitsOf', () => {
  const x = variable([[1, 2]]);

  test('knows what softmax over the last axis and sigmoid were computed from, under noGrad too', () => {
    expect(logitsOf(activations.softmax(x), 'softmax')).toBe(x);
    expect(logitsOf(activations.softmax(x, { axis: 1 }), 'softmax')).toBe(x);
    expect(logitsOf(getActivation('sigmoid')(x), 'sigmoid')).toBe(x);
    expect(noGrad(() => logitsOf(getActivation('softmax')(x), 'softmax'))).toBe(x);
  });

  test('knows nothing of another axis, another activation, or what was computed further', () => {
    expect(logitsOf(activations.softmax(x, { axis: 0 }), 'softmax')).toBeUndefined();
    expect(logitsOf(activations.softmax(x), 'sigmoid')).toBeUndefined();
    expect(logitsOf(activations.softmax(x).mul(0.5), 'softmax')).toBeUndefined();
    expect(logitsOf(x, 'softmax')).toBeUndefined();
  });
});
