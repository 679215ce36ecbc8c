/**
 * Functional models: any graph of layers, with any number of inputs and outputs, and layers that models share.
 */
import { ShapeError, ValueError, formatShape } from '@tapegrad/tensor';
import type { Variable } from '@tapegrad/autograd';
import { BaseModel } from './base-model.js';
import type { BatchShape, CallContext, Layer } from './layer.js';
import type { ModelFlow, FlowStep } from './flow.js';
import { checkOptions } from './registry.js';
import { ConfigWriter } from './saving/config.js';
import type { Config } from './saving/plain.js';
import { SymbolicTensor, type LayerUse } from './symbolic.js';

export interface ModelOptions {
  inputs: SymbolicTensor | readonly SymbolicTensor[];
  outputs: SymbolicTensor | readonly SymbolicTensor[];
  name?: string;
}

/** @throws ValueError for anything else */
function listOf(
  what: string,
  x: SymbolicTensor | readonly SymbolicTensor[],
): readonly SymbolicTensor[] {
  const list: readonly unknown[] = Array.isArray(x) ? x : [x];
  const symbolic = list.filter((item) => item instanceof SymbolicTensor);
  if (symbolic.length === list.length) return symbolic;
  throw new ValueError(
    `${what} must be symbolic tensors: what Input({ shape }) gives, and what layer.apply makes of it. Values, layers and ` +
      'names are none.',
  );
}

/**
 * The uses of layers that the outputs need, each after those that it needs itself.
 *
 * @throws ValueError for an input of the plan that is not among the model's inputs, or an input that nothing needs
 */
function orderOf(
  model: string,
  inputs: readonly SymbolicTensor[],
  outputs: readonly SymbolicTensor[],
): LayerUse[] {
  const order: LayerUse[] = [];
  const state = new Map<LayerUse, 'open' | 'done'>();
  const needed = new Set<SymbolicTensor>();
  const users = new Map<SymbolicTensor, Layer>();
  const stack = [...outputs].reverse();
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    needed.add(top);
    if (inputs.includes(top)) {
      stack.pop();
    } else if (top.use === null) {
      const user = users.get(top);
      const who = user === undefined ? 'an output is' : `the layer '${user.name}' needs`;
      throw new ValueError(
        `${model}: ${who} '${top.name}' ${formatShape(top.shape)}, which is not among the model's inputs ` +
          `(${inputs.map(({ name }) => `'${name}'`).join(', ')}); add it to them.`,
      );
    } else if (state.get(top.use) === undefined) {
      state.set(top.use, 'open');
      for (const input of top.use.inputs) users.set(input, top.use.layer);
      stack.push(...[...top.use.inputs].reverse());
    } else {
      if (state.get(top.use) === 'open') {
        state.set(top.use, 'done');
        order.push(top.use);
      }
      stack.pop();
    }
  }
  const unused = inputs.find((input) => !needed.has(input));
  if (unused !== undefined) {
    throw new ValueError(
      `${model}: no output depends on the input '${unused.name}'; connect it or leave it out.`,
    );
  }
  return order;
}

/**
 * A model made of symbolic tensors: whatever leads from `inputs` to `outputs`. Layers keep their weights, so models made of
 * the same layers share them; inputs may also be tensors in the middle of another plan.
 *
 * @throws ValueError for inputs and outputs that are not connected, naming them, or two layers of one name
 * @example
 * const image = Input({ shape: [784] });
 * const code = new Dense(2).apply(new Dense(64, { activation: 'relu' }).apply(image));
 * const decoded = new Dense(784, { activation: 'tanh' }).apply(code);
 * const autoencoder = new Model({ inputs: image, outputs: decoded });
 * const encoder = new Model({ inputs: image, outputs: code });
 * encoder.predict(zeros([5, 784])).shape; // [5, 2]
 */
export class Model extends BaseModel {
  readonly inputs: readonly SymbolicTensor[];
  readonly outputs: readonly SymbolicTensor[];
  override readonly layers: readonly Layer[];
  /** The uses of layers in the order in which they run. */
  private readonly steps: readonly FlowStep[];
  private readonly results: readonly number[];
  private readonly slots: number;

  constructor(options: ModelOptions) {
    checkOptions('Model', options, ['inputs', 'outputs', 'name']);
    const { inputs, outputs, name } = options;
    super({ name });
    this.inputs = listOf(`${this.name}: inputs`, inputs);
    this.outputs = listOf(`${this.name}: outputs`, outputs);
    if (this.inputs.length === 0 || this.outputs.length === 0) {
      throw new ValueError(`${this.name}: a model needs at least one input and one output.`);
    }
    const order = orderOf(this.name, this.inputs, this.outputs);
    this.layers = [...new Set(order.map(({ layer }) => layer))];
    const names = this.layers.map((layer) => layer.name);
    const twice = names.find((n, i) => names.indexOf(n) !== i);
    if (twice !== undefined) {
      throw new ValueError(
        `${this.name}: two layers are called '${twice}'; names must be unique in a model.`,
      );
    }

    // Every value of the plan gets a number: inputs first, then the outputs of each use.
    const known = new Map<SymbolicTensor, number>(this.inputs.map((input, i) => [input, i]));
    const ofUse = new Map<LayerUse, number>();
    let next = this.inputs.length;
    const place = (x: SymbolicTensor): number =>
      known.get(x) ?? (x.use === null ? 0 : (ofUse.get(x.use) ?? 0) + x.index);
    this.steps = order.map((use) => {
      const from = use.inputs.map(place);
      const count = use.layer.computeOutputShapes(use.inputs.map(({ shape }) => shape)).length;
      ofUse.set(use, next);
      const to = Array.from({ length: count }, (_, i) => next + i);
      next += count;
      return { layer: use.layer, from, to };
    });
    this.results = this.outputs.map(place);
    this.slots = next;
    this.ensureBuilt(...this.inputs.map(({ shape }) => shape));
  }

  override buildAll(): void {
    // The layers made their weights when they were applied to symbolic tensors.
  }

  override callAll(inputs: readonly Variable[], context: CallContext): readonly Variable[] {
    this.checkInputs(inputs.map(({ shape }) => shape));
    const values = new Array<Variable>(this.slots);
    inputs.forEach((x, i) => (values[i] = x));
    for (const { layer, from, to } of this.steps) {
      const results = layer.run(
        from.map((i) => values[i]),
        context,
      );
      to.forEach((slot, i) => (values[slot] = results[i]));
    }
    return this.results.map((i) => values[i]);
  }

  override computeOutputShapes(inputShapes: readonly BatchShape[]): readonly BatchShape[] {
    this.checkInputs(inputShapes);
    const shapes = this.shapesFrom(inputShapes);
    return this.results.map((i) => shapes[i]);
  }

  /** The shapes of all values of the plan. */
  private shapesFrom(inputShapes: readonly BatchShape[]): readonly BatchShape[] {
    const shapes = [...inputShapes];
    for (const { layer, from, to } of this.steps) {
      const results = layer.computeOutputShapes(from.map((i) => shapes[i]));
      to.forEach((slot, i) => (shapes[slot] = results[i]));
    }
    return shapes;
  }

  override getConfig(writer = new ConfigWriter({ inline: true })): Config {
    const inputs = this.inputs.map(({ name, shape, dtype }) => ({ name, shape, dtype }));
    const steps = this.steps.map(({ layer, from }) => ({ layer: writer.layer(layer), from }));
    const { name, trainable, results: outputs } = this;
    return { name, trainable, inputs, steps, outputs };
  }

  override flow(): ModelFlow {
    return { shapes: this.shapesFrom(this.inputShapes), steps: this.steps, outputs: this.results };
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return this.computeOutputShapes([inputShape])[0];
  }

  private checkInputs(shapes: readonly BatchShape[]): void {
    if (shapes.length !== this.inputs.length) {
      throw new ShapeError(
        `${this.name}: takes ${this.inputs.length} inputs (${this.inputNames.join(', ')}); got ${shapes.length}.`,
      );
    }
    this.inputs.forEach(({ name, shape: expected }, i) => {
      const shape = shapes[i];
      const fits =
        shape.length === expected.length &&
        expected.every((n, axis) => n === null || shape[axis] === null || n === shape[axis]);
      if (!fits) {
        throw new ShapeError(
          `${this.name}: input '${name}' has shape ${formatShape(expected)}; got ${formatShape(shape)}.`,
        );
      }
    });
  }

  override get inputNames(): readonly string[] {
    return this.inputs.map(({ name }) => name);
  }

  override get outputNames(): readonly string[] {
    return this.outputs.map(({ name }) => name);
  }

  override get inputShapes(): readonly BatchShape[] {
    return this.inputs.map(({ shape }) => shape);
  }
}
