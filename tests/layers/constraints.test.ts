/** Constraints, with values worked out by hand, and their place in training. */
import { Dense, SGD, Sequential, constraints, type Constraint } from '@tapegrad/layers';
import { ones, tensor } from '@tapegrad/tensor';
import { assertClose } from '../support/close.js';

// Columns of length 5, 0.5 and 0.
const kernel = tensor(
  [
    [3, 0.3, 0],
    [-4, 0.4, 0],
  ],
  'float64',
);

/** The epsilon of 1e-7 below the norm leaves a relative error of up to 2e-7 on these lengths. */
const tolerance = { relative: 3e-7, absolute: 0 };

test.each<[string, Constraint, number[]]>([
  ['maxNorm', constraints.maxNorm(), [1.2, 0.3, 0, -1.6, 0.4, 0]],
  ['maxNorm of 1', constraints.maxNorm({ maxValue: 1 }), [0.6, 0.3, 0, -0.8, 0.4, 0]],
  ['nonNeg', constraints.nonNeg(), [3, 0.3, 0, 0, 0.4, 0]],
  ['unitNorm', constraints.unitNorm(), [0.6, 0.6, 0, -0.8, 0.8, 0]],
  ['minMaxNorm', constraints.minMaxNorm({ minValue: 1, maxValue: 2 }), [1.2, 0.6, 0, -1.6, 0.8, 0]],
  [
    // Half of the way: lengths (5 + 2) / 2 and (0.5 + 1) / 2.
    'minMaxNorm, half of the way',
    constraints.minMaxNorm({ minValue: 1, maxValue: 2, rate: 0.5 }),
    [2.1, 0.45, 0, -2.8, 0.6, 0],
  ],
])('%s', (name, constraint, data) => {
  assertClose(name, constraint(kernel), { shape: [2, 3], data }, tolerance, 'float64');
});

test('the axis may be another, or several', () => {
  const rows = constraints.unitNorm({ axis: 1 })(tensor([[3, 4]], 'float64'));
  assertClose('rows', rows, { shape: [1, 2], data: [0.6, 0.8] }, tolerance);
  // One filter of two by two ones has length 2.
  const filter = constraints.unitNorm({ axis: [0, 1] })(ones([2, 2, 1], 'float64'));
  assertClose('filter', filter, { shape: [2, 2, 1], data: [0.5, 0.5, 0.5, 0.5] }, tolerance);
});

test('a layer takes constraints by name or as functions, and training keeps them', () => {
  const layer = new Dense(1, {
    inputShape: [2],
    kernelInitializer: 'ones',
    kernelConstraint: 'nonNeg',
    biasConstraint: (b) => b.clip({ min: -0.5, max: 0.5 }),
  });
  const model = new Sequential([layer]);
  model.compile({ optimizer: new SGD({ learningRate: 1 }), loss: 'meanSquaredError' });
  // The error is 1·1 + 1·0 − (−9) = 10; the gradients are 20 for the first weight and the bias, 0 for the second.
  model.trainOnBatch([[1, 0]], [[-9]]);
  expect(layer.getWeights().map((w) => w.toArray())).toEqual([[[0], [1]], [-0.5]]);
});

test('options that make no sense are refused', () => {
  expect(() => constraints.maxNorm({ maxValue: -1 })).toThrow(
    'maxNorm: maxValue must be a number of 0 or more; got -1.',
  );
  expect(() => constraints.minMaxNorm({ rate: 2 })).toThrow(
    'minMaxNorm: minValue must not be greater than maxValue, nor rate than 1; got minValue 0, maxValue 1 and rate 2.',
  );
  expect(() => constraints.minMaxNorm({ minValue: 3, maxValue: 2 })).toThrow('got minValue 3');
  const misspelt: object = { max: 3 };
  expect(() => constraints.maxNorm(misspelt)).toThrow(/Unknown option of maxNorm 'max'/);
  const unknown: string = 'nonNegative';
  expect(() => new Dense(1, { kernelConstraint: unknown as 'nonNeg' }).apply([[1]])).toThrow(
    /Unknown constraint 'nonNegative'.*'nonNeg'/,
  );
});
