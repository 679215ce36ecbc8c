/**
 * Models from bytes. Nothing in a file is trusted: it can name only layers and functions that are known, no code of its own runs,
 * and what does not fit together is a FormatError.
 */
import {
  FormatError,
  ShapeError,
  TapegradError,
  decodeSafetensors,
  defaultGenerator,
  type Tensor,
  type TypedArray,
} from '@tapegrad/tensor';
import { BaseModel } from '../base-model.js';
import type { LossId } from '../losses.js';
import { Optimizer } from '../optimizers/index.js';
import { statefulLayers } from '../states.js';
import { ConfigReader } from './config.js';
import { whileLoading } from './loading.js';
import { field, isObject } from './plain.js';
import { OPTIMIZER, STATES, assignWeights, namedWeights } from './weights.js';
import { KEY, VERSION } from './write.js';

export interface LoadOptions {
  /**
   * Whether the default random generator goes on from where it was when the model was saved, so that the training goes on to the
   * bit. Matters only for models saved with their training. Default true.
   */
  random?: boolean;
}

/** The description in a file's metadata; null when there is none. */
function descriptionOf(file: string, metadata: ReadonlyMap<string, string>): object | null {
  const text = metadata.get(KEY);
  if (text === undefined) return null;
  let description: unknown;
  try {
    description = JSON.parse(text);
  } catch {
    throw new FormatError(`${file}: the description of the model is no JSON.`);
  }
  const version = field(description, 'version');
  if (!isObject(description) || typeof version !== 'number') {
    throw new FormatError(`${file}: the description of the model has no version.`);
  }
  if (version !== VERSION) {
    throw new FormatError(
      `${file}: is of version ${version}; this library reads version ${VERSION}. A later one may read it.`,
    );
  }
  return description;
}

function namesIn(description: object | null): readonly string[] | null {
  const names: unknown = field(description, 'weights');
  const fine = Array.isArray(names) && names.every((name) => typeof name === 'string');
  return fine ? names : null;
}

/** See `BaseModel.loadWeights`. */
export function decodeWeights(model: BaseModel, bytes: Uint8Array, file: string): void {
  const { tensors, metadata } = decodeSafetensors(bytes, { name: file });
  const order = namesIn(descriptionOf(file, metadata));
  if (!model.built) {
    throw new ShapeError(
      `${model.name}.loadWeights: the model has no weights yet; give the first layer an inputShape, or run the model once.`,
    );
  }
  assignWeights(file, namedWeights(model), tensors, order);
}

/** See `modelFromBytes`. */
export function decodeModel(
  bytes: Uint8Array,
  file: string,
  { random = true }: LoadOptions = {},
): BaseModel {
  const { tensors, metadata } = decodeSafetensors(bytes, { name: file });
  const description = descriptionOf(file, metadata);
  if (description === null || field(description, 'kind') !== 'model') {
    throw new FormatError(
      `${file}: holds weights, but no model; make the model and call its loadWeights.`,
    );
  }
  const room = [...tensors.values()].reduce((n, t) => n + t.size, 0);
  return whileLoading(room, () => {
    const layers = field(description, 'layers');
    const reader = new ConfigReader(file, layers, field(description, 'generators'));
    const model = reader.layer(field(description, 'model'));
    if (!(model instanceof BaseModel) || !model.built) throw reader.bad('it is of no model');
    const weights = namesIn(description);
    assignWeights(file, namedWeights(model), tensors, weights);
    restoreStates(file, model, tensors, new Set(weights));
    const training = field(description, 'training');
    if (training !== null && training !== undefined) {
      try {
        restoreTraining(model, training, tensors, reader);
      } catch (error) {
        if (error instanceof FormatError) throw error;
        const reason = error instanceof TapegradError ? error.message : String(error);
        throw new FormatError(`${file}: the training cannot be restored: ${reason}`);
      }
      const state = reader.generatorState(field(training, 'random'));
      if (random) defaultGenerator().setState(state);
    }
    return model;
  });
}

/** Lets stateful layers remember what the file says. Those that it says nothing about begin anew. */
function restoreStates(
  file: string,
  model: BaseModel,
  tensors: ReadonlyMap<string, Tensor>,
  weights: ReadonlySet<string>,
): void {
  const names = [...tensors.keys()].filter((name) => name.startsWith(STATES) && !weights.has(name));
  const left = new Set(names);
  for (const [path, layer] of statefulLayers(model)) {
    const own = layer.cell.stateSizes.map((_, i) => `${STATES}${path}/${i}`);
    const states = own.flatMap((name) => (left.delete(name) ? (tensors.get(name) ?? []) : []));
    if (states.length === 0) continue;
    try {
      layer.resetStates(states);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new FormatError(`${file}: the states of a layer do not fit: ${reason}`);
    }
  }
  const [other] = left;
  if (other !== undefined) {
    throw new FormatError(`${file}: has '${other}', but the model has no such stateful layer.`);
  }
}

function restoreTraining(
  model: BaseModel,
  training: unknown,
  tensors: ReadonlyMap<string, Tensor>,
  reader: ConfigReader,
): void {
  const optimizer = reader.value(field(training, 'optimizer'));
  const outputs = field(training, 'outputs');
  if (!(optimizer instanceof Optimizer) || !Array.isArray(outputs)) {
    throw reader.bad('the optimizer or the outputs are missing');
  }
  const plans = outputs as readonly unknown[];
  const metrics = plans.map((plan, i) => {
    const list = reader.value(field(plan, 'metrics'));
    if (!Array.isArray(list)) throw reader.bad('the metrics are no list');
    return [model.outputNames[i], list] as const;
  });
  model.compile({
    optimizer,
    loss: plans.map((plan) => reader.value(field(plan, 'loss')) as LossId),
    lossWeights: plans.map((plan) => Number(field(plan, 'weight'))),
    metrics: Object.fromEntries(metrics),
  });
  const iterations = Number(field(training, 'iterations'));
  if (iterations === 0) return;
  const learningRate = field(training, 'learningRate');
  const clock = reader.value(field(training, 'clock'));
  if (!Array.isArray(clock)) throw reader.bad('the clock of the optimizer is no list');
  const names = new Map([...namedWeights(model)].map(([name, { weight }]) => [weight, name]));
  const parameters = [...new Set(model.trainableWeights)];
  const slotNames = field(training, 'slots');
  if (!Array.isArray(slotNames)) throw reader.bad('the slots of the optimizer are no list');
  const slots = parameters.map((parameter) => {
    const prefix = `${OPTIMIZER}${names.get(parameter) ?? ''}/`;
    return slotsOf(prefix, slotNames.map(String), tensors);
  });
  optimizer.setState(parameters, {
    name: optimizer.name,
    iterations,
    learningRate: learningRate === null ? null : Number(learningRate),
    clock: clock.map(Number),
    slots,
  });
}

/** The slots of one parameter. Those that are not in use have no tensor. */
function slotsOf(
  prefix: string,
  names: readonly string[],
  tensors: ReadonlyMap<string, Tensor>,
): Readonly<Record<string, TypedArray>> {
  const none = new Float32Array(0);
  const slots = names.map((name) => {
    const values = tensors.get(prefix + name)?.toTypedArray();
    return [name, values ?? none] as const;
  });
  return Object.fromEntries(slots);
}
