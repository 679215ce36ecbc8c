import { tensor, ValueError, type Tensor, type TensorLike } from '@tapegrad/tensor';
import { checkOptions } from './checks.js';
import { generatorOf, type RandomOptions } from './random.js';
import { countSamples, rowsOf } from './rows.js';

export interface SplitOptions extends RandomOptions {
  /** The part to test with: below 1 a fraction (rounded up to whole samples), from 1 on a number of samples. Default: 0.25. */
  testSize?: number;
  /** Draw the test samples at random. With false the last samples are taken. Default: true. */
  shuffle?: boolean;
}

/**
 * Splits samples and their targets into a part to train with and a part to test with, as scikit-learn's
 * `train_test_split`. Sample i of x stays with sample i of y, and every sample is in one of the parts.
 *
 * @param samples x [n, …]
 * @param targets y [n, …]
 * @returns the four parts; without `shuffle` they are views
 * @throws ShapeError x and y have different numbers of samples
 * @throws ValueError `testSize` leaves one of the parts empty; an option is not known
 * @example
 * const { x, y } = line();
 * const { xTrain, yTrain, xTest, yTest } = trainTestSplit(x, y, { testSize: 40, shuffle: false });
 * xTrain.shape; // [160, 1]
 */
export function trainTestSplit(
  samples: TensorLike,
  targets: TensorLike,
  options: SplitOptions = {},
): { xTrain: Tensor; xTest: Tensor; yTrain: Tensor; yTest: Tensor } {
  checkOptions('trainTestSplit', options, {
    testSize: true,
    shuffle: true,
    seed: true,
    generator: true,
  });
  const { testSize = 0.25, shuffle = true } = options;
  const [x, y] = [tensor(samples), tensor(targets)];
  const count = countSamples('trainTestSplit', [x, y]);
  const test = testSize < 1 ? Math.ceil(testSize * count) : testSize;
  if (!Number.isInteger(test) || test < 1 || test >= count) {
    throw new ValueError(
      `trainTestSplit: testSize ${String(testSize)} of ${count} samples leaves no two parts; it must be a fraction ` +
        `above 0 and below 1, or a whole number from 1 to ${Math.max(count - 1, 1)}.`,
    );
  }
  const order = shuffle ? generatorOf('trainTestSplit', options).permutation(count) : null;
  const train = count - test;
  return {
    xTrain: rowsOf(x, order, 0, train),
    xTest: rowsOf(x, order, train, count),
    yTrain: rowsOf(y, order, 0, train),
    yTest: rowsOf(y, order, train, count),
  };
}
