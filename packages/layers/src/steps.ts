/**
 * A model's steps of training, testing and predicting, recorded as programs where the kernels allow it.
 */
import { CompiledStep, ValueError, ones, type Program, type Tensor } from '@tapegrad/tensor';
import { Variable, noGrad } from '@tapegrad/autograd';
import type { BaseModel } from './base-model.js';
import type { Samples } from './data.js';
import { maskOf } from './masks.js';
import { RNN } from './rnn.js';
import { layersWithin } from './states.js';
import {
  testStep,
  trainStep,
  type Compiled,
  type OutputPlan,
  type StepResult,
  type StepValues,
} from './training.js';

/** What a model does with a batch. The programs are made when they are first needed. */
export class ModelSteps {
  private readonly training = this.step((model, compiled, batch) =>
    trainStep(model, compiled, batch),
  );
  private readonly testing = this.step((model, compiled, batch) =>
    testStep(model, compiled, batch),
  );
  private readonly predicting = new CompiledStep((inputs) => {
    const outputs = noGrad(() => this.model.applyAll(inputs.map((x) => new Variable(x))));
    this.refresh();
    return outputs.map(({ value }) => value);
  });
  /** What the programs refer to: when it is not the same any more they are made anew. */
  private readonly captured: unknown[] = [];

  /**
   * @param compiled null for a model that is not compiled and can only predict
   * @param eager compute op by op, without programs
   */
  constructor(
    private readonly model: BaseModel,
    private readonly compiled: Compiled | null,
    private readonly eager: boolean,
  ) {
    if (compiled === null || eager) return;
    // Weights, and what the optimizer keeps for them, need not wait for the first step.
    const state = compiled.optimizer.prepare(model.trainableWeights);
    this.training.prepare([...model.weights.map(({ value }) => value), ...state]);
  }

  /** How the outputs are judged. */
  get outputs(): readonly OutputPlan[] {
    return this.settings.outputs;
  }

  /** One step of training. The losses are those before the update. */
  train(batch: Samples): StepResult {
    return this.judged(this.training, batch);
  }

  /** Losses and predictions; nothing is changed. */
  test(batch: Samples): StepResult {
    return this.judged(this.testing, batch);
  }

  /** The model's outputs. */
  predict(inputs: readonly Tensor[]): readonly Tensor[] {
    return this.run(this.predicting, inputs);
  }

  /** The program of a training step on such a batch; null where the TypeScript kernels are in use. */
  trainingProgram(batch: Samples): Program | null {
    this.refresh();
    return this.eager ? null : this.training.program(tensorsOf(batch));
  }

  private get settings(): Compiled {
    if (this.compiled === null) throw new ValueError(`${this.model.name}: is not compiled.`);
    return this.compiled;
  }

  private step(
    values: (model: BaseModel, compiled: Compiled, batch: Samples) => StepValues,
  ): CompiledStep {
    return new CompiledStep((tensors) => {
      const { settings } = this;
      const { total, losses, yPred } = values(this.model, settings, this.samplesOf(tensors));
      // The first step may have made weights and states.
      this.refresh();
      const judged = settings.outputs.some(({ metrics }) => metrics.length > 0);
      const results = [total, ...losses, ...(judged ? yPred : [])].map(({ value }) => value);
      return judged ? [...results, ...masksOf(yPred)] : results;
    });
  }

  private judged(step: CompiledStep, batch: Samples): StepResult {
    const [total, ...rest] = this.run(step, tensorsOf(batch));
    const count = this.outputs.length;
    return {
      loss: total.item(),
      losses: rest.slice(0, count).map((loss) => loss.item()),
      yPred: rest.slice(count, 2 * count),
      masks: rest.slice(2 * count),
    };
  }

  private run(step: CompiledStep, inputs: readonly Tensor[]): readonly Tensor[] {
    if (this.eager) return step.eagerly(inputs);
    this.refresh();
    return step.run(inputs);
  }

  /** A batch from its tensors: the inputs, the targets, and perhaps the weights of the samples. */
  private samplesOf(tensors: readonly Tensor[]): Samples {
    const targets = this.outputs.length;
    const inputs = this.model.inputNames.length;
    return {
      x: tensors.slice(0, inputs),
      y: tensors.slice(inputs, inputs + targets),
      weight: tensors.length > inputs + targets ? tensors[inputs + targets] : null,
    };
  }

  /**
   * Layers may be added, frozen or freed, and stateful ones may get other batches, between any two steps. Layers count even
   * without weights of their own: an activation that is added, a normalisation that goes over to its averages.
   */
  private refresh(): void {
    const { captured } = this;
    let at = 0;
    let same = true;
    // Compared and noted in one go: most steps find all as it was.
    const note = (thing: unknown): void => {
      if (captured[at] !== thing) same = false;
      captured[at++] = thing;
    };
    for (const layer of layersWithin(this.model)) {
      note(layer);
      note(layer.trainable);
      // A model has the weights of its layers, and they come by themselves.
      if (layer === this.model) continue;
      for (const weight of layer.weights) note(weight);
      note(null);
      for (const weight of layer.trainableWeights) note(weight);
      if (layer instanceof RNN) for (const value of layer.memory) note(value);
    }
    if (captured.length !== at) same = false;
    captured.length = at;
    if (same) return;
    for (const step of [this.training, this.testing, this.predicting]) step.forget();
  }
}

/** The masks of predictions, all true where there is none; none at all when no prediction has one. */
function masksOf(yPred: readonly Variable[]): Tensor[] {
  const masks = yPred.map(maskOf);
  if (masks.every((mask) => mask === null)) return [];
  return masks.map((mask, i) => mask ?? ones([yPred[i].shape[0]], 'bool'));
}

function tensorsOf({ x, y, weight }: Samples): Tensor[] {
  return weight === null ? [...x, ...y] : [...x, ...y, weight];
}
