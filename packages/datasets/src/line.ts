import { linspace, ops, ValueError, type Tensor } from '@tapegrad/tensor';
import { checkFinite, checkOptions, checkWhole } from './checks.js';
import { generatorOf, type RandomOptions } from './random.js';

export interface LineOptions extends RandomOptions {
  /** Number of points. Default: 200. */
  count?: number;
  /** Default: 0.5. */
  slope?: number;
  /** y at x = 0. Default: 2. */
  intercept?: number;
  /** Standard deviation of the noise in y. Default: 0.05. */
  noise?: number;
  /** First and last x. Default: [-1, 1]. */
  range?: readonly [number, number];
  /** Put the points into random order. Default: true. */
  shuffle?: boolean;
}

/**
 * Points on a line with noise: x evenly spaced over `range` (both ends included) in random order,
 * y = slope·x + intercept + N(0, noise²).
 *
 * @returns x and y, float32 [count, 1]: `count` samples of one feature
 * @throws ValueError `count` is no positive whole number, `noise` is negative, another number is not finite, an option is not known
 * @example
 * const { x, y } = line({ seed: 1337 });
 * x.shape; // [200, 1]
 */
export function line(options: LineOptions = {}): { x: Tensor; y: Tensor } {
  checkOptions('line', options, {
    count: true,
    slope: true,
    intercept: true,
    noise: true,
    range: true,
    shuffle: true,
    seed: true,
    generator: true,
  });
  const {
    count = 200,
    slope = 0.5,
    intercept = 2,
    noise = 0.05,
    range = [-1, 1],
    shuffle = true,
  } = options;
  checkWhole('line', 'count', count, 1);
  const numbers = { slope, intercept, noise, 'range[0]': range[0], 'range[1]': range[1] };
  for (const [name, value] of Object.entries(numbers)) checkFinite('line', name, value);
  if (noise < 0) throw new ValueError(`line: noise must not be negative; got ${noise}.`);

  const generator = generatorOf('line', options);
  const even = linspace(range[0], range[1], count, 'float64');
  const x = shuffle ? ops.gather(even, generator.permutation(count)) : even;
  const errors = generator.normal([count], { stddev: noise, dtype: 'float64' });
  const y = x.mul(slope).add(intercept).add(errors);
  return { x: column(x), y: column(y) };
}

const column = (x: Tensor): Tensor => x.reshape([x.size, 1]).cast('float32');
