/** Rows of the random ops: what they must make of the numbers of the package `seedrandom`. */
import { Generator } from '@tapegrad/tensor';
import seedrandom from 'seedrandom';
import { type Naive } from '../naive.js';
import { always, type OpRows } from './types.js';

const SEED = 'rows';

/** Numbers made in groups, each from as many uniform ones as it likes to draw. */
function drawn(shape: readonly number[], group: (uniform: () => number) => number[]): Naive {
  const prng = seedrandom.alea(SEED);
  const size = shape.reduce((n, s) => n * s, 1);
  const data: number[] = [];
  while (data.length < size) data.push(...group(() => prng.quick()));
  return { shape, data: data.slice(0, size) };
}

/** Two normal numbers from two uniform ones (Box & Muller 1958). */
function normalPair(uniform: () => number): number[] {
  const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
  const angle = 2 * Math.PI * uniform();
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

const generator = (): Generator => new Generator(SEED);

export const random = {
  randomUniform: {
    cases: [
      {
        inputs: [],
        attrs: () => ({
          generator: generator(),
          shape: [3, 4],
          low: -2,
          high: 6,
          dtype: 'float32',
        }),
      },
      { inputs: [], attrs: () => ({ generator: generator(), shape: [5] }) },
    ],
    dtypes: always('float32'),
    // 24 bits, as many as a float32 has.
    expected: (_, { shape, low = 0, high = 1 }) =>
      drawn(shape, (uniform) => {
        const bits = Math.floor(uniform() * 2 ** 24);
        return [low + ((high - low) * bits) / 2 ** 24];
      }),
  },
  randomNormal: {
    cases: [
      {
        inputs: [],
        attrs: () => ({
          generator: generator(),
          shape: [3, 3],
          mean: 2,
          stddev: 3,
          dtype: 'float64',
        }),
      },
    ],
    dtypes: always('float64'),
    expected: (_, { shape, mean = 0, stddev = 1 }) =>
      drawn(shape, (uniform) => normalPair(uniform).map((z) => mean + stddev * z)),
  },
  randomTruncatedNormal: {
    cases: [
      {
        inputs: [],
        attrs: () => ({
          generator: generator(),
          shape: [101],
          mean: 2,
          stddev: 3,
          dtype: 'float64',
        }),
      },
    ],
    dtypes: always('float64'),
    expected: (_, { shape, mean = 0, stddev = 1 }) =>
      drawn(shape, (uniform) =>
        normalPair(uniform)
          .filter((z) => Math.abs(z) <= 2)
          .map((z) => mean + stddev * z),
      ),
  },
  randomBernoulli: {
    cases: [
      { inputs: [], attrs: () => ({ generator: generator(), shape: [4, 5], probability: 0.3 }) },
    ],
    dtypes: always('bool'),
    expected: (_, { shape, probability }) =>
      drawn(shape, (uniform) => [uniform() < probability ? 1 : 0]),
  },
} satisfies Partial<OpRows>;
