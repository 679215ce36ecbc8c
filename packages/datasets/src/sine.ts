import { tensor, type Tensor } from '@tapegrad/tensor';
import { checkFinite, checkOptions, checkWhole } from './checks.js';

const STEPS_PER_RADIAN = 10 * Math.PI;

/** One batch of windows cut from the curves. */
export interface SineBatch {
  /** float32 [batchSize, timeSteps, 1]: sin(positions). */
  x: Tensor;
  /** float32 [batchSize, timeSteps, 1]: cos(positions). */
  y: Tensor;
  /** float64 [batchSize, timeSteps], in radians: for pictures. */
  positions: Tensor;
}

export interface SineOptions {
  /** Windows in a batch. Default: 50. */
  batchSize?: number;
  /** Steps in a window. Default: 20. */
  timeSteps?: number;
  /** Step at which the first batch starts. Default: 0. */
  start?: number;
  /** Steps by which each batch starts later than the one before. Default: 20. */
  advance?: number;
}

/**
 * Batches of sine windows with the cosine as the target, without end. Step k lies at k / (10π) radians; a batch that starts
 * at step s has in its row i the steps s + i·timeSteps to s + (i + 1)·timeSteps − 1. As `advance` equals `timeSteps`, row i of a
 * batch goes on where row i of the batch before ended, which is what a stateful recurrent layer needs.
 *
 * @returns an iterator that never ends: take its `next().value`, or leave a `for … of` loop by `break`
 * @throws ValueError `batchSize` or `timeSteps` is no positive whole number; `start` or `advance` is no finite number; an option is not known
 * @example
 * const windows = sineWindows();
 * const { x, y } = windows.next().value;
 * x.shape; // [50, 20, 1]
 */
export function sineWindows(options: SineOptions = {}): Generator<SineBatch, never> {
  checkOptions('sineWindows', options, {
    batchSize: true,
    timeSteps: true,
    start: true,
    advance: true,
  });
  const { batchSize = 50, timeSteps = 20, start = 0, advance = 20 } = options;
  checkWhole('sineWindows', 'batchSize', batchSize, 1);
  checkWhole('sineWindows', 'timeSteps', timeSteps, 1);
  checkFinite('sineWindows', 'start', start);
  checkFinite('sineWindows', 'advance', advance);
  return generate(batchSize, timeSteps, start, advance);
}

function* generate(
  batchSize: number,
  timeSteps: number,
  start: number,
  advance: number,
): Generator<SineBatch, never> {
  const shape = [batchSize, timeSteps];
  // From the number of the batch, not by adding `advance` up: no rounding errors pile up.
  for (let batch = 0; ; batch++) {
    const first = start + batch * advance;
    const positions = Float64Array.from(
      { length: batchSize * timeSteps },
      (_, k) => (first + k) / STEPS_PER_RADIAN,
    );
    yield {
      x: tensor(Float32Array.from(positions, Math.sin), { shape: [...shape, 1] }),
      y: tensor(Float32Array.from(positions, Math.cos), { shape: [...shape, 1] }),
      positions: tensor(positions, { shape }),
    };
  }
}
