/**
 * The weights of a model by name, as they stand in files: `dense/kernel`, in a model within a model `encoder/dense/kernel`.
 */
import {
  FormatError,
  ShapeError,
  formatShape,
  isFloat,
  sameShape,
  type Tensor,
} from '@tapegrad/tensor';
import type { Layer } from '../layer.js';
import type { Weight } from '../weight.js';

/** What stands before the names of optimizers' slots, which are no weights. */
export const OPTIMIZER = '@optimizer/';

/** What stands before the states of stateful layers: `@states/lstm/0`. */
export const STATES = '@states/';

/** A weight and the layer that messages about it name. */
export interface NamedWeight {
  readonly weight: Weight;
  readonly layer: string;
}

/** All weights in the order of `model.weights`, each once, though several layers may share it. */
export function namedWeights(
  model: Layer & { layers: readonly Layer[] },
): Map<string, NamedWeight> {
  const named = new Map<string, NamedWeight>();
  const seen = new Set<Weight>();
  const visit = (layer: Layer, path: string): void => {
    if (isModel(layer)) {
      for (const inner of layer.layers) visit(inner, `${path}${inner.name}/`);
      return;
    }
    for (const weight of layer.weights) {
      if (seen.has(weight)) continue;
      seen.add(weight);
      const name = `${path}${weight.name}`;
      let free = name;
      for (let i = 1; named.has(free); i++) free = `${name}_${i}`;
      named.set(free, { weight, layer: layer.name });
    }
  };
  visit(model, '');
  return named;
}

function isModel(layer: Layer): layer is Layer & { layers: readonly Layer[] } {
  return 'layers' in layer && Array.isArray(layer.layers);
}

/**
 * Sets all weights of a model; after an error none is changed.
 *
 * @param order the names in the file in the order of the weights, where the file says it. When the names are others than
 *   here (automatic ones count up: `dense`, `dense_1` …) the weights are taken in this order
 * @throws FormatError for weights that are missing or too many
 * @throws ShapeError for a weight of another shape
 */
export function assignWeights(
  file: string,
  named: ReadonlyMap<string, NamedWeight>,
  tensors: ReadonlyMap<string, Tensor>,
  order: readonly string[] | null,
): void {
  const here = [...named.keys()];
  // A layer may have a name that begins like those of slots and states: its weights are in the file's list.
  const listed = new Set(order);
  const there = [...tensors.keys()].filter(
    (name) => listed.has(name) || (!name.startsWith(OPTIMIZER) && !name.startsWith(STATES)),
  );
  const source = sourceNames(file, here, there, order, named);
  const pairs = [...named.values()].map(({ weight, layer }, i) => {
    const value = tensors.get(source[i]);
    if (value === undefined) throw new FormatError(`${file}: '${source[i]}' is missing.`);
    if (!sameShape(value.shape, weight.shape)) {
      throw new ShapeError(
        `${file}: weight '${weight.name}' of layer '${layer}' has shape ${formatShape(weight.shape)} in the model and ` +
          `${formatShape(value.shape)} in the file; nothing was changed.`,
      );
    }
    if (value.dtype !== weight.dtype && !(isFloat(value.dtype) && isFloat(weight.dtype))) {
      throw new FormatError(
        `${file}: weight '${weight.name}' of layer '${layer}' is ${weight.dtype} in the model and ${value.dtype} in the file.`,
      );
    }
    return [weight, value.dtype === weight.dtype ? value : value.cast(weight.dtype)] as const;
  });
  for (const [weight, value] of pairs) weight.assign(value);
}

/** For each weight of the model its name in the file. */
function sourceNames(
  file: string,
  here: readonly string[],
  there: readonly string[],
  order: readonly string[] | null,
  named: ReadonlyMap<string, NamedWeight>,
): readonly string[] {
  const missing = here.filter((name) => !there.includes(name));
  const more = there.filter((name) => !here.includes(name));
  if (missing.length === 0 && more.length === 0) return here;
  const sameKinds =
    order?.length === here.length &&
    order.length === there.length &&
    order.every((name, i) => there.includes(name) && last(name) === last(here[i]));
  if (sameKinds) return order;
  if (missing.length > 0) {
    const { layer = '', weight } = named.get(missing[0]) ?? {};
    throw new FormatError(
      `${file}: weight '${weight?.name ?? ''}' of layer '${layer}' is missing: there is no '${missing[0]}'. The file has ` +
        `${shortened(there)}; nothing was changed.`,
    );
  }
  throw new FormatError(
    `${file}: has weights that the model lacks: ${shortened(more)}; nothing was changed.`,
  );
}

/** dense_1/kernel → kernel */
function last(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1);
}

function shortened(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => `'${name}'`);
  if (names.length > shown.length) shown.push(`${names.length - shown.length} more`);
  return shown.join(', ') || 'no weights';
}
