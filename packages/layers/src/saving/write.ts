/**
 * Models as bytes: a safetensors file, whose metadata holds the description of the model as JSON. Python's safetensors reads
 * the weights; a single file is renamed into its place at once, which a folder of files is not.
 */
import {
  ValueError,
  defaultGenerator,
  encodeSafetensors,
  tensor,
  type Tensor,
} from '@tapegrad/tensor';
import type { BaseModel } from '../base-model.js';
import { statefulLayers } from '../states.js';
import type { Compiled } from '../training.js';
import { ConfigWriter } from './config.js';
import { OPTIMIZER, STATES, namedWeights, type NamedWeight } from './weights.js';

/** The version of the description: greater where older readers would misunderstand it. */
export const VERSION = 1;
/** The key of the description in the file's metadata. */
export const KEY = 'tapegrad';

export interface SaveOptions {
  /**
   * Whether to save how the model is trained as well, if it is compiled: optimizer with its state, losses, metrics, and where
   * the default random generator is. Default true.
   */
  training?: boolean;
}

function valuesOf(named: ReadonlyMap<string, NamedWeight>): Map<string, Tensor> {
  return new Map([...named].map(([name, { weight }]) => [name, weight.value]));
}

/** What stateful layers remember. One that has not run yet, or has been reset, has nothing to save. */
function statesOf(model: BaseModel): [string, Tensor][] {
  return [...statefulLayers(model)].flatMap(([path, { states }]) =>
    (states ?? []).map((state, i): [string, Tensor] => [`${STATES}${path}/${i}`, state]),
  );
}

/** The weights alone. */
export function encodeWeights(model: BaseModel): Uint8Array {
  const named = builtWeights(model, 'saveWeights');
  const description = { version: VERSION, kind: 'weights', weights: [...named.keys()] };
  return encodeSafetensors(valuesOf(named), { [KEY]: JSON.stringify(description) });
}

function builtWeights(model: BaseModel, method: string): Map<string, NamedWeight> {
  if (!model.built) {
    throw new ValueError(
      `${model.name}.${method}: the model has no weights yet; give the first layer an inputShape, or run the model once.`,
    );
  }
  return namedWeights(model);
}

/** The description of a model, and what of its training goes into tensors. */
function describe(
  model: BaseModel,
  compiled: Compiled | null,
  named: ReadonlyMap<string, NamedWeight>,
): { description: object; slots: Map<string, Tensor> } {
  const writer = new ConfigWriter();
  const root = writer.layer(model);
  const slots = new Map<string, Tensor>();
  const training =
    compiled === null ? null : describeTraining(model, compiled, writer, named, slots);
  const { layers, generators } = writer;
  const weights = [...named.keys()];
  const description = { version: VERSION, kind: 'model', model: root, layers, generators, weights };
  return { description: { ...description, training }, slots };
}

function describeTraining(
  model: BaseModel,
  { optimizer, outputs }: Compiled,
  writer: ConfigWriter,
  named: ReadonlyMap<string, NamedWeight>,
  slots: Map<string, Tensor>,
): object {
  const hint = `${model.name}.save (with { training: false } it is left out)`;
  const plans = outputs.map(({ loss, weight, metrics }) => ({
    loss: writer.value(loss, `${hint}: loss`),
    weight,
    metrics: writer.value(metrics, `${hint}: metrics`),
  }));
  const names = new Map([...named].map(([name, { weight }]) => [weight, name]));
  const parameters = [...new Set(model.trainableWeights)];
  const state = optimizer.iterations === 0 ? null : optimizer.state(parameters);
  state?.slots.forEach((bySlot, i) => {
    const { shape } = parameters[i];
    for (const [slot, data] of Object.entries(bySlot)) {
      const empty = data.length === 0;
      const name = `${OPTIMIZER}${names.get(parameters[i]) ?? ''}/${slot}`;
      if (!empty) slots.set(name, tensor(data, { shape }));
    }
  });
  return {
    optimizer: writer.value(optimizer, `${hint}: optimizer`),
    learningRate: state?.learningRate ?? null,
    iterations: state?.iterations ?? 0,
    clock: writer.value(state?.clock ?? [], 'clock'),
    slots: Object.keys(state?.slots[0] ?? {}),
    outputs: plans,
    random: defaultGenerator().getState(),
  };
}

/** Throws now what `encodeModel` would throw later. */
export function checkSavable(model: BaseModel, compiled: Compiled | null): void {
  describe(model, compiled, new Map());
}

/** A whole model. */
export function encodeModel(
  model: BaseModel,
  compiled: Compiled | null,
  { training = true }: SaveOptions,
): Uint8Array {
  const named = builtWeights(model, 'save');
  const { description, slots } = describe(model, training ? compiled : null, named);
  const tensors = new Map([...valuesOf(named), ...statesOf(model), ...slots]);
  return encodeSafetensors(tensors, { [KEY]: JSON.stringify(description) });
}
