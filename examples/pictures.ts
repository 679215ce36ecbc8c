/** Pictures that several lessons draw. */
import { confusionMatrix, imageGrid, line, sideBySide, type Picture } from '@tapegrad/plots';
import type { Logs, Tensor } from 'tapegrad';
import type { Lesson } from './lesson.js';

/**
 * Saves what a network made of the test digits: how often it read each as which (`confusion`), and the first 20 that it
 * misread (`misread`; nothing when there are none).
 *
 * @param images as many times 784 pixels as there are digits, in whatever shape
 * @param digits what they are, [n]
 * @param scores what the network said, [n, 10]: the largest counts
 */
export async function saveReadings(
  save: Lesson['save'],
  images: Tensor,
  digits: Tensor,
  scores: Tensor,
): Promise<void> {
  const title = 'What each test digit was read as';
  await save('confusion', confusionMatrix(digits, scores, { title }));

  const right = digits.toTypedArray();
  const read = scores.argmax(1).toTypedArray();
  const wrong = [...right.keys()].filter((i) => read[i] !== right[i]).slice(0, 20);
  if (wrong.length === 0) return;
  const misread = imageGrid(images.reshape([-1, 28, 28]).gather(wrong), {
    title: 'Test digits that were misread',
    captions: wrong.map((i) => `${right[i]} read as ${read[i]}`),
    scale: 3,
    range: [0, 1],
  });
  await save('misread', misread);
}

/** A callback for `fit` that draws how loss and metrics moved within an epoch. */
export class EpochCourse {
  private readonly means: Logs[] = [];

  onBatchEnd(_batch: number, logs: Logs): void {
    this.means.push(logs);
  }

  /** A panel for each quantity: its mean over all batches of the epoch so far. */
  picture(): Picture {
    const batches = this.means.map((_, i) => i + 1);
    const panels = Object.keys(this.means[0]).map((name) => {
      const values = this.means.map((logs) => logs[name]);
      const size = { width: 300, height: 220 };
      return line(batches, values, {
        ...size,
        title: `Mean ${name} so far`,
        xLabel: 'batch',
        yLabel: name,
      });
    });
    return sideBySide(panels, { title: 'The course of an epoch' });
  }
}
