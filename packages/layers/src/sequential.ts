/**
 * Sequential: layers one after another.
 */
import { ShapeError, ValueError, shown } from '@tapegrad/tensor';
import type { Variable } from '@tapegrad/autograd';
import { BaseModel } from './base-model.js';
import { Layer, type BatchShape, type CallContext } from './layer.js';
import type { ModelFlow } from './flow.js';
import { ConfigWriter } from './saving/config.js';
import type { Config } from './saving/plain.js';

/**
 * Layers one after another.
 *
 * @example
 * const model = new Sequential([new Dense(32, { activation: 'relu', inputShape: [784] }), new Dense(10)]);
 * model.add(new Activation('softmax'));
 * model.countParams(); // 25450
 */
export class Sequential extends BaseModel {
  private readonly stack: Layer[] = [];
  private builtInputShape: BatchShape | null = null;

  /** @throws ValueError when two layers have the same name, or for what is no list of layers */
  constructor(layers: readonly Layer[] = [], options: { name?: string } = {}) {
    super(options);
    const given: unknown = layers;
    if (!Array.isArray(given)) {
      throw new ValueError(
        `${this.name}: takes a list of layers, as in new Sequential([new Dense(10)]); got ${shown(given)}.`,
      );
    }
    for (const layer of layers) this.add(layer);
  }

  override get layers(): readonly Layer[] {
    return this.stack;
  }

  /** Adds a layer at the end. @throws ValueError when there is one of that name, or it is no layer */
  add(layer: Layer): this {
    if (!(layer instanceof Layer)) {
      throw new ValueError(
        `${this.name}.add: needs a layer, such as new Dense(10); got ${typeof layer}.`,
      );
    }
    if (this.stack.some(({ name }) => name === layer.name)) {
      throw new ValueError(
        `${this.name}.add: there is a layer '${layer.name}' already; names must be unique in a model.`,
      );
    }
    this.stack.push(layer);
    if (this.builtInputShape !== null) {
      layer.ensureBuilt(this.outputShapeOf(this.builtInputShape, this.stack.length - 1));
    } else if (this.stack.length === 1 && layer.batchInputShape !== null) {
      this.ensureBuilt(layer.batchInputShape);
    }
    return this;
  }

  override build(inputShape: BatchShape): void {
    if (this.stack.length === 0)
      throw new ShapeError(`${this.name}: the model has no layers; add some first.`);
    this.builtInputShape = inputShape;
    let shape = inputShape;
    for (const layer of this.stack) {
      layer.ensureBuilt(shape);
      shape = layer.computeOutputShape(shape);
    }
  }

  override callAll(inputs: readonly Variable[], context: CallContext): readonly Variable[] {
    let values = inputs;
    for (const layer of this.stack) values = layer.run(values, context);
    return values;
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return this.outputShapeOf(inputShape, this.stack.length);
  }

  private outputShapeOf(inputShape: BatchShape, count: number): BatchShape {
    return this.stack
      .slice(0, count)
      .reduce((shape, layer) => layer.computeOutputShape(shape), inputShape);
  }

  override get inputShapes(): readonly BatchShape[] | null {
    return this.builtInputShape === null ? null : [this.builtInputShape];
  }

  override getConfig(writer = new ConfigWriter({ inline: true })): Config {
    const { name, trainable, builtInputShape: inputShape } = this;
    return { name, trainable, inputShape, layers: this.stack.map((layer) => writer.layer(layer)) };
  }

  override flow(): ModelFlow {
    const shapes: BatchShape[] = [this.builtInputShape ?? []];
    const steps = this.stack.map((layer, i) => {
      shapes.push(layer.computeOutputShape(shapes[i]));
      return { layer, from: [i], to: [i + 1] };
    });
    return { shapes, steps, outputs: [steps.length] };
  }
}
