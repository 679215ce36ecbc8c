/**
 * Sequential and functional models from their configs.
 */
import { Model } from '../functional.js';
import { BaseModel } from '../base-model.js';
import type { BatchShape, Layer } from '../layer.js';
import { Sequential } from '../sequential.js';
import { SymbolicTensor } from '../symbolic.js';
import type { ConfigReader } from './config.js';
import { field, type Config } from './plain.js';

function listIn(config: unknown, name: string, reader: ConfigReader): readonly unknown[] {
  const list = field(config, name);
  if (!Array.isArray(list)) throw reader.bad(`'${name}' of a model is no list`);
  return list as readonly unknown[];
}

function shapeFrom(x: unknown, reader: ConfigReader): BatchShape {
  if (!Array.isArray(x)) throw reader.bad('a shape is no list');
  return x.map((size: unknown) => {
    if (size === null) return null;
    if (typeof size === 'number' && Number.isSafeInteger(size) && size >= 0) return size;
    throw reader.bad(`a shape has the size ${JSON.stringify(size)}`);
  });
}

/** The reader has made sure that there is one. */
function nameIn(config: Config): string | undefined {
  const { name } = config;
  return typeof name === 'string' ? name : undefined;
}

/** A frozen model whose layers were frozen or not each by itself. */
function freeze(model: BaseModel, config: Config): void {
  if (config['trainable'] !== false) return;
  const layers = layersIn(model);
  const states = layers.map((layer) => layer.trainable);
  model.trainable = false;
  layers.forEach((layer, i) => (layer.trainable = states[i]));
}

/** All layers, those of models within the model too: each such model before its own, as setting it sets them. */
function layersIn(model: BaseModel): Layer[] {
  return model.layers.flatMap((layer) =>
    layer instanceof BaseModel ? [layer, ...layersIn(layer)] : [layer],
  );
}

/** See `Sequential.getConfig`. */
export function makeSequential(config: Config, reader: ConfigReader): Layer {
  const layers = listIn(config, 'layers', reader).map((reference) => reader.layer(reference));
  const model = new Sequential(layers, { name: nameIn(config) });
  const { inputShape } = config;
  if (inputShape !== null) model.ensureBuilt(shapeFrom(inputShape, reader));
  freeze(model, config);
  return model;
}

/** See `Model.getConfig`: every value has a number, inputs first and then the outputs of each step. */
export function makeModel(config: Config, reader: ConfigReader): Layer {
  const inputs = listIn(config, 'inputs', reader).map((input) => {
    const [name, dtype] = [field(input, 'name'), field(input, 'dtype')];
    const known =
      dtype === 'float32' || dtype === 'float64' || dtype === 'int32' || dtype === 'bool';
    if (typeof name !== 'string' || !known) throw reader.bad('an input has no name or no dtype');
    return new SymbolicTensor(shapeFrom(field(input, 'shape'), reader), dtype, name);
  });
  const values: SymbolicTensor[] = [...inputs];
  const take = (places: readonly unknown[]): SymbolicTensor[] =>
    places.map((place) => {
      if (typeof place === 'number' && place in values) return values[place];
      throw reader.bad(`a step needs the value ${JSON.stringify(place)}, which is not there`);
    });
  for (const step of listIn(config, 'steps', reader)) {
    const from = take(listIn(step, 'from', reader));
    values.push(...reader.layer(field(step, 'layer')).applyAll(from));
  }
  const outputs = take(listIn(config, 'outputs', reader));
  const model = new Model({ inputs, outputs, name: nameIn(config) });
  freeze(model, config);
  return model;
}
