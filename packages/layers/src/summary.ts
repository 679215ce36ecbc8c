/** The table that `model.summary()` prints. */
import { ShapeError, formatShape } from '@tapegrad/tensor';
import { inColumns } from './columns.js';
import type { BatchShape, Layer } from './layer.js';
import type { ModelFlow } from './flow.js';
import { classNameOf } from './saving/layer-classes.js';

/** What a summary needs of a model. */
interface Summarized extends Layer {
  readonly inputShapes: readonly BatchShape[] | null;
  flow(): ModelFlow;
}

const HEADINGS = ['Layer (type)', 'Output shape', 'Parameters'] as const;

/** @throws ShapeError when the model is not built */
export function summaryOf(model: Summarized): string {
  if (model.inputShapes === null) {
    throw new ShapeError(
      `${model.name}.summary: the weights are not made yet; give the first layer an inputShape, or run the model once.`,
    );
  }
  const table: (readonly string[])[] = [HEADINGS];
  const seen = new Set<Layer>();
  const { shapes, steps } = model.flow();
  for (const { layer, to } of steps) {
    const parameters = seen.has(layer) ? 'shared' : grouped(layer.countParams());
    table.push([
      `${layer.name} (${classNameOf(layer.constructor)})`,
      to.map((place) => formatShape(shapes[place])).join(', '),
      parameters,
    ]);
    seen.add(layer);
  }
  const lines = inColumns(table, (column) => column === 2, 3);
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
    `Total parameters: ${grouped(total)}, trainable: ${grouped(trainable)}, not trainable: ${grouped(total - trainable)}`,
  ].join('\n');
}

/** 25450 → 25,450 */
export function grouped(n: number): string {
  return n.toLocaleString('en-US');
}
