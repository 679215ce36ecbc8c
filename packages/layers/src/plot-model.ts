/**
 * A picture of a model.
 */
import { ShapeError, formatShape } from '@tapegrad/tensor';
import {
  drawGraph,
  type GraphArrow,
  type GraphPicture,
  type GraphVertex,
} from '@tapegrad/autograd';
import { BaseModel } from './base-model.js';
import type { Layer } from './layer.js';
import { grouped } from './summary.js';

/** What is drawn besides the names and classes of layers. */
export interface PlotModelOptions {
  /** The shapes of values, on their lines. Default true. */
  showShapes?: boolean;
  /** How many weights each layer has (elements, not tensors). Default true. */
  showWeights?: boolean;
  /** Models used as layers with what is inside; otherwise they are boxes like others. Default true. */
  expandNested?: boolean;
}

/**
 * Draws a model: the text of an SVG file, with no script, font or image from elsewhere. Inputs are green, outputs yellow, and each
 * use of a layer is a blue box with its name, its class and its number of weights. A layer used again (with the same weights)
 * has a further, dashed box, so that lines always go down, from values to what is made of them.
 *
 * @throws ShapeError before the model knows its input's shape
 * @example
 * const model = new Sequential([new Dense(4, { inputShape: [3], name: 'hidden' }), new Dense(1)]);
 * const svg = plotModel(model);
 * svg.includes('Dense, 16 weights'); // true
 */
export function plotModel(model: BaseModel, options: PlotModelOptions = {}): string {
  return drawGraph(pictureOf(model, options, new Set()));
}

/** @param seen the layers that have been drawn; those of this model are added */
function pictureOf(model: BaseModel, options: PlotModelOptions, seen: Set<Layer>): GraphPicture {
  if (model.inputShapes === null) {
    throw new ShapeError(
      `${model.name}: plotModel needs the shapes; give the first layer an inputShape, or run the model once.`,
    );
  }
  const { shapes, steps, outputs } = model.flow();
  const { showShapes = true } = options;
  const used = new Set([...steps.flatMap(({ from }) => from), ...outputs]);
  const vertices: GraphVertex[] = [];
  const arrows: GraphArrow[] = [];
  /** For each value the vertex and the outlet from which it comes, and what its lines say. */
  const sources: Omit<GraphArrow, 'to' | 'inlet'>[] = [];
  const add = (
    vertex: Omit<GraphVertex, 'outlets'>,
    from: readonly number[],
    to: readonly number[],
  ): void => {
    const index = vertices.length;
    from.forEach((value, inlet) => arrows.push({ ...sources[value], to: index, inlet }));
    const outlets = to.filter((value) => used.has(value));
    vertices.push({ ...vertex, outlets: outlets.length });
    outlets.forEach((value, outlet) => {
      const which = to.length > 1 ? `${to.indexOf(value)}: ` : '';
      const label = showShapes ? which + formatShape(shapes[value]) : '';
      sources[value] = { from: index, outlet, label };
    });
  };
  model.inputNames.forEach((name, i) => add(end('leaf', name, 'input'), [], [i]));
  for (const { layer, from, to } of steps) add(boxOf(layer, options, seen), from, to);
  model.outputNames.forEach((name, i) => add(end('result', name, 'output'), [outputs[i]], []));
  return { vertices, arrows };
}

/** An input or output: its name, and what it is where the name does not say it. */
function end(kind: 'leaf' | 'result', name: string, what: string): Omit<GraphVertex, 'outlets'> {
  return { kind, label: name, detail: name.startsWith(what) ? '' : what };
}

/** One use of a layer. */
function boxOf(
  layer: Layer,
  options: PlotModelOptions,
  seen: Set<Layer>,
): Omit<GraphVertex, 'outlets'> {
  const { showWeights = true, expandNested = true } = options;
  const again = seen.has(layer);
  seen.add(layer);
  const count = layer.countParams();
  const notes = [classOf(layer)];
  if (again) notes.push('shared');
  else if (showWeights && count > 0) notes.push(`${grouped(count)} weights`);
  if (count > 0 && !layer.trainable) notes.push('frozen');
  const box = { label: layer.name, detail: notes.join(', ') };
  if (again) return { ...box, kind: 'shared' };
  if (!(expandNested && layer instanceof BaseModel)) return { ...box, kind: 'op' };
  return { ...box, kind: 'group', inside: pictureOf(layer, options, seen) };
}

/** The class; of a layer around layers with what it holds: `Bidirectional(LSTM)`. */
function classOf(layer: Layer): string {
  const held = 'inner' in layer && Array.isArray(layer.inner) ? (layer.inner as Layer[]) : [];
  const { name } = layer.constructor;
  return held.length === 0 ? name : `${name}(${classOf(held[0])})`;
}
