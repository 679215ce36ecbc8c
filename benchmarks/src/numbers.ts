/**
 * The numbers that all peers work on: the same in JavaScript and, in peers/common.py, in Python.
 */
import type { ConvolutionTask, LSTMTask, TrainingTask, WeightSpec } from './tasks.js';

/** Number i of a stream, from [0, 1): a hash of i, so that NumPy can make a whole array of them at once. */
function hashed(stream: number, i: number): number {
  let h = Math.imul(i + 1, 2654435761) ^ Math.imul(stream + 1, 2246822519);
  h = Math.imul(h ^ (h >>> 15), 2246822519);
  h = Math.imul(h ^ (h >>> 13), 3266489917);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

/** `count` numbers from [low, high). */
export function uniform(stream: number, count: number, low = 0, high = 1): Float32Array {
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = low + (high - low) * hashed(stream, i);
  return values;
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** The values of a weight, in the layout of Keras. */
export function draw({ shape, stream, limit, ones }: WeightSpec): Float32Array {
  const values = uniform(stream, sizeOf(shape), -limit, limit);
  if (ones !== undefined) values.fill(1, ...ones);
  return values;
}

export interface Batch {
  /** [batch, ...inputShape] */
  readonly x: Float32Array;
  /** [batch, ...outputShape] */
  readonly y: Float32Array;
}

/** The shapes of `Batch`. */
export function batchShapes({ batch, inputShape, outputShape }: TrainingTask): {
  readonly x: number[];
  readonly y: number[];
} {
  return { x: [batch, ...inputShape], y: [batch, ...outputShape] };
}

/** Batch `index` of a training. */
export function batchOf(task: TrainingTask, index: number): Batch {
  const { batch, inputShape, outputShape } = task;
  const count = batch * sizeOf(inputShape);
  const [low, high] = { line: [-1, 1], classes: [0, 1], input: [-0.5, 0.5], wave: [0, 1] }[
    task.target
  ];
  const x = uniform(2 * index, count, low, high);
  switch (task.target) {
    case 'line': {
      const noise = uniform(2 * index + 1, batch);
      return { x, y: noise.map((u, i) => 0.5 * x[i] + 2 + 0.1 * (u - 0.5)) };
    }
    case 'classes': {
      const classes = outputShape[0];
      const y = new Float32Array(batch * classes);
      uniform(2 * index + 1, batch).forEach((u, i) => {
        y[i * classes + Math.floor(u * classes)] = 1;
      });
      return { x, y };
    }
    case 'input':
      return { x, y: x };
    case 'wave': {
      // As in the course: batch after batch the window moves on by the length of a sequence.
      const start = index * inputShape[0];
      const t = x.map((_, i) => (start + i) / (10 * Math.PI));
      return { x: t.map(Math.sin), y: t.map(Math.cos) };
    }
  }
}

/** Channels first: x [batch, channels, size, size], kernel in Keras's layout, and the gradient of y [batch, filters, size, size]. */
export function convolutionData({ batch, channels, size, filters, window }: ConvolutionTask): {
  readonly [name in 'x' | 'kernel' | 'dy']: Readonly<{ values: Float32Array; shape: number[] }>;
} {
  const made = (stream: number, shape: number[], limit: number) => ({
    values: uniform(stream, sizeOf(shape), -limit, limit),
    shape,
  });
  return {
    x: made(0, [batch, channels, size, size], 1),
    kernel: made(1, [window, window, channels, filters], 0.1),
    dy: made(2, [batch, filters, size, size], 1),
  };
}

/** x [batch, time, inputs] and the gradient of the outputs [batch, time, units]. */
export function lstmData({ batch, time, inputs, units }: LSTMTask): {
  readonly [name in 'x' | 'dh']: Readonly<{ values: Float32Array; shape: number[] }>;
} {
  const made = (stream: number, shape: number[]) => ({
    values: uniform(stream, sizeOf(shape), -1, 1),
    shape,
  });
  return { x: made(0, [batch, time, inputs]), dh: made(1, [batch, time, units]) };
}

/** Σ x² of several arrays: one number that does not depend on how they are laid out. */
export function energy(...arrays: readonly ArrayLike<number>[]): number {
  let sum = 0;
  for (const values of arrays) for (let i = 0; i < values.length; i++) sum += values[i] ** 2;
  return sum;
}
