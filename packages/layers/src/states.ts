/**
 * What layers remember from batch to batch, in a model with whatever it holds inside.
 */
import type { Layer } from './layer.js';
import { RNN } from './rnn.js';

/** The layers that a model holds, or a layer around layers; none for others. */
function inside(layer: Layer): readonly Layer[] {
  if ('layers' in layer && Array.isArray(layer.layers)) return layer.layers as readonly Layer[];
  if ('inner' in layer && Array.isArray(layer.inner)) return layer.inner as readonly Layer[];
  return [];
}

/** A layer and all layers below it, each once. */
export function layersWithin(root: Layer): ReadonlySet<Layer> {
  const found = new Set<Layer>();
  const visit = (layer: Layer): void => {
    if (found.has(layer)) return;
    found.add(layer);
    for (const below of inside(layer)) visit(below);
  };
  visit(root);
  return found;
}

/** The stateful recurrent layers below a layer, each once, by the names that lead to them: `encoder/bidirectional/lstm`. */
export function statefulLayers(root: Layer): Map<string, RNN> {
  const found = new Map<string, RNN>();
  const seen = new Set<Layer>();
  const visit = (layer: Layer, path: string): void => {
    if (seen.has(layer)) return;
    seen.add(layer);
    if (layer instanceof RNN && layer.stateful) found.set(path, layer);
    for (const below of inside(layer))
      visit(below, path === '' ? below.name : `${path}/${below.name}`);
  };
  visit(root, '');
  return found;
}
