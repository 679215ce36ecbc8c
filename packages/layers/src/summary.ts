/** The table that `model.summary()` prints. */
import { ShapeError, formatShape } from '@tapegrad/tensor';
import type { BatchShape, Layer } from './layer.js';

/** What a summary needs of a model. */
interface Summarized extends Layer {
  readonly layers: readonly Layer[];
  readonly inputShape?: BatchShape | null;
}

const HEADINGS = ['Layer (type)', 'Output shape', 'Parameters'] as const;

/** @throws ShapeError when the model is not built */
export function summaryOf(model: Summarized): string {
  let shape = model.inputShape ?? null;
  if (shape === null) {
    throw new ShapeError(
      `${model.name}.summary: the weights are not made yet; give the first layer an inputShape, or run the model once.`,
    );
  }
  const table: (readonly string[])[] = [HEADINGS];
  for (const layer of model.layers) {
    shape = layer.computeOutputShape(shape);
    table.push([
      `${layer.name} (${layer.constructor.name})`,
      formatShape(shape),
      count(layer.countParams()),
    ]);
  }
  const widths = HEADINGS.map((_, column) => Math.max(...table.map((row) => row[column].length)));
  const lines = table.map((row) =>
    row.map((cell, i) => (i === 2 ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join('   '),
  );
  const rule = '─'.repeat(lines[0].length);
  const trainable = model.trainableWeights.reduce((n, w) => n + w.size, 0);
  const total = model.countParams();
  return [
    `Model: ${model.name}`,
    rule,
    lines[0],
    rule,
    ...lines.slice(1),
    rule,
    `Total parameters: ${count(total)}, trainable: ${count(trainable)}, not trainable: ${count(total - trainable)}`,
  ].join('\n');
}

/** 25450 → 25,450 */
function count(n: number): string {
  return n.toLocaleString('en-US');
}
