/**
 * The numbers that every peer works on: the same in JavaScript and, in peers/torch_peer.py, in Python.
 */
import type { TrainingTask } from './tasks.js';

/** Number i of a stream, from [0, 1): a hash of i, so that NumPy can make a whole array of them at once. */
function hashed(stream: number, i: number): number {
  let h = Math.imul(i + 1, 2654435761) ^ Math.imul(stream + 1, 2246822519);
  h = Math.imul(h ^ (h >>> 15), 2246822519);
  h = Math.imul(h ^ (h >>> 13), 3266489917);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

/** `count` numbers from [low, high). */
export function uniform(stream: number, count: number, low = 0, high = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => low + (high - low) * hashed(stream, i));
}

export interface Batch {
  /** [batch, inputs] */
  readonly x: Float32Array;
  /** [batch, outputs]: one-hot classes, or points near the line 0.5·x + 2. */
  readonly y: Float32Array;
}

/** Batch `index` of a training: random samples with random classes. */
export function batchOf(task: TrainingTask, index: number): Batch {
  const { batch, inputs } = task;
  const noise = uniform(2 * index + 1, batch);
  if (task.loss === 'meanSquaredError') {
    const x = uniform(2 * index, batch * inputs, -1, 1);
    return { x, y: noise.map((u, i) => 0.5 * x[i * inputs] + 2 + 0.1 * (u - 0.5)) };
  }
  const classes = outputsOf(task);
  const y = new Float32Array(batch * classes);
  noise.forEach((u, i) => (y[i * classes + Math.floor(u * classes)] = 1));
  return { x: uniform(2 * index, batch * inputs), y };
}

/** Units of the last dense layer. */
export function outputsOf(task: TrainingTask): number {
  return task.layers.reduce((n, layer) => (layer.kind === 'dense' ? layer.units : n), task.inputs);
}

export interface Weight {
  readonly shape: readonly [number, number] | readonly [number];
  readonly values: Float32Array;
}

/** The initial weights, kernel and bias of each dense layer in turn: Glorot's bounds, zeros. */
export function initialWeights(task: TrainingTask): Weight[] {
  const weights: Weight[] = [];
  let inputs = task.inputs;
  for (const layer of task.layers) {
    if (layer.kind !== 'dense') continue;
    const { units } = layer;
    const limit = Math.sqrt(6 / (inputs + units));
    const stream = 1_000_000 + weights.length;
    weights.push(
      { shape: [inputs, units], values: uniform(stream, inputs * units, -limit, limit) },
      { shape: [units], values: new Float32Array(units) },
    );
    inputs = units;
  }
  return weights;
}
