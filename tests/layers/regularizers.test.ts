import { variable } from '@tapegrad/autograd';
import { Dense, SGD, Sequential, regularizers } from '@tapegrad/layers';

const { getRegularizer, l1, l1l2, l2 } = regularizers;
const w = () =>
  variable(
    [
      [-1, 2],
      [0.5, -3],
    ],
    'float64',
  );

test('l1 is the sum of absolute values, l2 of squares, l1l2 both', () => {
  expect(l1(0.5)(w()).item()).toBe(0.5 * 6.5);
  expect(l2(0.5)(w()).item()).toBe(0.5 * 14.25);
  expect(l1l2({ l1: 2, l2: 3 })(w()).item()).toBe(2 * 6.5 + 3 * 14.25);
  expect(l1(1)(w()).shape).toEqual([]);
});

test('their gradients are factor·sign and 2·factor·w', () => {
  const x = w();
  l1l2({ l1: 2, l2: 3 })(x).backward();
  expect(x.grad?.toArray()).toEqual([
    [-2 - 6, 2 + 12],
    [2 + 3, -2 - 18],
  ]);
});

test('by name the factor is 0.01; nothing is no regularizer', () => {
  expect(getRegularizer('l1')?.(w()).item()).toBeCloseTo(0.065, 15);
  expect(getRegularizer('l2')?.(w()).item()).toBeCloseTo(0.1425, 15);
  expect(getRegularizer('l1l2')?.(w()).item()).toBeCloseTo(0.2075, 15);
  const own = l2(1);
  expect(getRegularizer(own)).toBe(own);
  expect(getRegularizer(undefined)).toBeNull();
  expect(getRegularizer(null)).toBeNull();
});

test('a factor of l1l2 that is left out is 0', () => {
  // As keras.regularizers.L1L2 of Keras 3, whose factors are 0 by default.
  expect(l1l2({ l1: 2 })(w()).item()).toBe(2 * 6.5);
  expect(l1l2({ l2: 3 })(w()).item()).toBe(3 * 14.25);
  expect(l1l2({})(w()).item()).toBeCloseTo(0.2075, 15);
});

test.each([false, true])(
  'penalties are those of the weights that are trained (eager %s)',
  async (runEagerly) => {
    // As Layer.losses of Keras 3, which goes through trainable_weights.
    const frozen = new Dense(1, { kernelRegularizer: l2(1), useBias: false, inputShape: [1] });
    const model = new Sequential([
      frozen,
      new Dense(1, { kernelRegularizer: l1(1), useBias: false }),
    ]);
    model.setWeights([[[3]], [[2]]]);
    model.compile({ optimizer: new SGD({ learningRate: 0 }), loss: 'mse', runEagerly });
    const loss = async (): Promise<number[]> => [
      model.trainOnBatch([[1]], [[6]]).loss,
      (await model.evaluate([[1]], [[6]], { verbose: 0 })).loss,
    ];
    expect(await loss()).toEqual([9 + 2, 9 + 2]);
    frozen.trainable = false;
    expect(await loss()).toEqual([2, 2]);
    frozen.trainable = true;
    expect(await loss()).toEqual([9 + 2, 9 + 2]);
    model.trainable = false;
    expect(await loss()).toEqual([0, 0]);
  },
);

test.each([-1, NaN, Infinity])('a factor of %d is an error', (factor) => {
  expect(() => l1(factor)).toThrow(`l1: the factor must be a number of 0 or more; got ${factor}.`);
  expect(() => l2(factor)).toThrow(`l2: the factor must be a number of 0 or more; got ${factor}.`);
  expect(() => l1l2({ l2: factor })).toThrow(/^l2: the factor/);
});
