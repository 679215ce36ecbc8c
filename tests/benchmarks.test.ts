/** What the benchmarks compute from their measurements, and that their models are those of the course. */
import { UsageError, readOptions } from '../benchmarks/src/options.js';
import type { PeerSpec } from '../benchmarks/src/peers.js';
import { ratiosOf } from '../benchmarks/src/ratios.js';
import { groupsOf } from '../benchmarks/src/rows.js';
import type { Result } from '../benchmarks/src/runner.js';
import { slope, summarise } from '../benchmarks/src/statistics.js';
import { flops, type Task } from '../benchmarks/src/tasks.js';

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function taskOf(group: string, row: string): Task {
  return groupsOf(false)
    .find(({ name }) => name === group)!
    .rows.find(({ name }) => name === row)!.task;
}

test('a round is summed up by its median and half the distance of the quartiles', () => {
  expect(summarise([5, 1, 2, 4, 3])).toEqual({ median: 3, spread: 1 / 3, min: 1, max: 5 });
  expect(summarise([1, 2]).median).toBe(1.5);
  expect(() => summarise([])).toThrow('there are no values');
});

test('the slope is that of the line with the least squared error', () => {
  expect(slope([1, 2, 3], [10, 30, 50])).toBeCloseTo(20, 12);
  expect(slope([0, 1, 2, 3], [0, 1, 0, 1])).toBeCloseTo(0.2, 12);
});

test('ratios are to the fastest other JavaScript engine and to PyTorch', () => {
  const peer = (name: string, family: PeerSpec['family']): PeerSpec => ({
    name,
    family,
    command: 'node',
    args: [],
    threads: 1,
    missing: null,
  });
  const peers = [
    peer('tapegrad', 'tapegrad'),
    peer('tapegrad-js', 'tapegrad'),
    peer('tfjs-cpu', 'javascript'),
    peer('jax-js', 'javascript'),
    peer('torch', 'python'),
  ];
  const took = (ms: number): Result => ({
    ms,
    spread: 0,
    min: ms,
    max: ms,
    rounds: 7,
    repetitions: 70,
    firstMs: ms,
  });
  const row = { tapegrad: took(2), 'tfjs-cpu': took(30), 'jax-js': took(8), torch: took(4) };
  expect(ratiosOf(row, peers)).toEqual({
    bestJavaScript: 'jax-js',
    ratios: { tapegrad: { timesBestJavaScript: 4, shareOfTorch: 0.5 } },
  });
  expect(ratiosOf({ tapegrad: took(2) }, peers)).toEqual({
    bestJavaScript: null,
    ratios: { tapegrad: { timesBestJavaScript: null, shareOfTorch: null } },
  });
});

// Counted by hand from the programs: kernels and biases.
test.each([
  ['regressor', 1 + 1],
  ['classifier', 784 * 32 + 32 + 32 * 10 + 10],
  ['cnn', 25 * 32 + 32 + 25 * 32 * 64 + 64 + 3136 * 1024 + 1024 + 1024 * 10 + 10],
  ['rnn', 28 * 50 + 50 * 50 + 50 + 50 * 10 + 10],
  ['lstm', 4 * (1 * 20 + 20 * 20 + 20) + 20 + 1],
  ['autoencoder', 100_480 + 8256 + 650 + 22 + 30 + 704 + 8320 + 101_136],
])('the model of %s has the weights of the course', (name, count) => {
  const task = taskOf('programs', name);
  if (task.kind !== 'training') throw new Error(`${name} is no training`);
  expect(task.weights.reduce((sum, { shape }) => sum + sizeOf(shape), 0)).toBe(count);
});

test('multiplying and adding count one each', () => {
  expect(flops(taskOf('matmul', '512'))).toBe(2 * 512 ** 3);
  // The CNN's second convolution: 64·14·14 outputs of 64 filters, 32·5·5 products for each; forward and two gradients.
  expect(flops(taskOf('convolution', '64x32x14x14-64x5x5'))).toBe(
    3 * 2 * 64 * 14 * 14 * 64 * 32 * 5 * 5,
  );
  expect(flops(taskOf('programs', 'cnn'))).toBeNull();
});

test('a short run has rows of every group, under the same names', () => {
  const full = groupsOf(false);
  groupsOf(true).forEach(({ rows }, i) => {
    expect(rows.length).toBeGreaterThan(0);
    expect(full[i].rows.map(({ name }) => name)).toEqual(
      expect.arrayContaining(rows.map(({ name }) => name)),
    );
  });
});

test('options that cannot be are named', () => {
  expect(readOptions(['--only', 'cnn, matmul', '--threads', '2'])).toMatchObject({
    only: ['cnn', 'matmul'],
    threads: 2,
    rounds: 7,
    python: 'python3',
    json: null,
  });
  expect(() => readOptions(['--rounds', '0'])).toThrow(UsageError);
  expect(() => readOptions(['--rounds', '1.5'])).toThrow(
    "--rounds needs a whole number of 1 or more; got '1.5'.",
  );
  expect(() => readOptions(['--pears', 'torch'])).toThrow('--pears');
});
