/**
 * One step of training or testing, and the running means of its loss and metrics.
 */
import { ValueError, sameShape, shown, type Shape, type Tensor } from '@tapegrad/tensor';
import { Variable, gradients, noGrad } from '@tapegrad/autograd';
import type { Samples } from './data.js';
import type { Layer } from './layer.js';
import { getLoss, meanLoss, type Loss, type LossId } from './losses.js';
import { getMetric, metricNames, type Metric, type MetricId } from './metrics.js';
import type { Optimizer } from './optimizers/index.js';
import { checkName } from './registry.js';

/** A setting for each output: one for all, a list in their order, or an object by their names. */
export type PerOutput<T> = T | readonly T[] | Readonly<Record<string, T>>;

/** How one output of a model is judged. */
export interface OutputPlan {
  readonly name: string;
  readonly loss: Loss;
  /** The share of this output in the total loss. */
  readonly weight: number;
  readonly metrics: readonly MetricId[];
}

/** What `compile` has settled. */
export interface Compiled {
  readonly optimizer: Optimizer;
  readonly outputs: readonly OutputPlan[];
}

function isLoss(id: PerOutput<LossId>): id is LossId {
  return typeof id !== 'object' || 'perSample' in id;
}

/**
 * @throws ValueError when a list has another length than the outputs, or an object other names
 * @throws UnknownNameError for a loss or metric that is not known
 */
export function planOutputs(
  model: string,
  names: readonly string[],
  loss: PerOutput<LossId>,
  weights: PerOutput<number>,
  metrics: readonly MetricId[] | Readonly<Record<string, readonly MetricId[]>>,
): OutputPlan[] {
  const pick = <T>(
    what: string,
    settings: readonly T[] | Readonly<Record<string, T>>,
    i: number,
  ): T => {
    const list: readonly (T | undefined)[] = Array.isArray(settings)
      ? settings
      : names.map((name) => (settings as Readonly<Record<string, T>>)[name]);
    const setting = list[i];
    if (setting === undefined || Object.keys(settings).length !== names.length) {
      throw new ValueError(
        `${model}.compile: ${what} needs one entry for each of the outputs ${names.map((n) => `'${n}'`).join(', ')}; got ` +
          `${Array.isArray(settings) ? `a list of ${settings.length}` : `those for ${Object.keys(settings).map(shown).join(', ')}`}.`,
      );
    }
    return setting;
  };
  checkMetricLists(model, metrics);
  return names.map((name, i) => {
    const own = isMetricList(metrics) ? metrics : (metrics[name] ?? []);
    for (const id of own) if (typeof id === 'string') checkName('metric', id, metricNames);
    return {
      name,
      loss: getLoss(isLoss(loss) ? loss : pick('loss', loss, i)),
      weight: typeof weights === 'number' ? weights : pick('lossWeights', weights, i),
      metrics: own,
    };
  });
}

/** @throws ValueError for a single metric, or one under the name of an output, that is not in a list */
function checkMetricLists(
  model: string,
  metrics: readonly MetricId[] | Readonly<Record<string, readonly MetricId[]>>,
): void {
  const given: unknown = metrics;
  const single = typeof given !== 'object' || given === null || 'update' in given;
  const lists: unknown[] = single || isMetricList(metrics) ? [] : Object.values(metrics);
  if (!single && lists.every((list) => Array.isArray(list))) return;
  throw new ValueError(
    `${model}.compile: metrics are a list, as in ['accuracy'], or an object of lists by the names of the outputs; got ` +
      `${shown(single ? given : lists.find((list) => !Array.isArray(list)))}.`,
  );
}

function isMetricList(
  metrics: readonly MetricId[] | Readonly<Record<string, readonly MetricId[]>>,
): metrics is readonly MetricId[] {
  return Array.isArray(metrics);
}

/** The loss of one batch, and what it is made of. */
export interface StepResult {
  /** The weighted sum of the outputs' losses, with what the regularizers add. */
  readonly loss: number;
  /** The loss of each output. */
  readonly losses: readonly number[];
  readonly yPred: readonly Tensor[];
  /** The mask of each output's prediction; none when no output has one. */
  readonly masks: readonly Tensor[];
}

/** A metric of one output, and its key in the logs. */
interface Judge {
  readonly name: string;
  readonly metric: Metric;
  /** The output's place. */
  readonly output: number;
}

/** Loss and metrics over several batches. */
export class Progress {
  private samples = 0;
  private lossSum = 0;
  private readonly outputSums: number[];
  private judges: readonly Judge[] = [];
  /** The shapes of the targets and predictions that the metrics were chosen for. */
  private judged: readonly Shape[] = [];

  constructor(private readonly outputs: readonly OutputPlan[]) {
    this.outputSums = outputs.map(() => 0);
  }

  private get several(): boolean {
    return this.outputs.length > 1;
  }

  /** The name of something of an output: with several outputs the output's name comes first. */
  private named(output: OutputPlan, what: string): string {
    return this.several ? `${output.name}${what.charAt(0).toUpperCase()}${what.slice(1)}` : what;
  }

  /** The names of the logs, in order. */
  get names(): string[] {
    const losses = this.several ? this.outputs.map((output) => this.named(output, 'loss')) : [];
    const metrics = this.outputs.flatMap((output) =>
      output.metrics.map((id) => this.named(output, nameOf(id))),
    );
    return ['loss', ...losses, ...metrics];
  }

  /** Begins a new mean. */
  reset(): void {
    this.samples = 0;
    this.lossSum = 0;
    this.outputSums.fill(0);
  }

  add({ loss, losses, yPred, masks }: StepResult, y: readonly Tensor[]): void {
    if (this.samples === 0) this.beginMetrics(y, yPred);
    const n = y[0].shape[0];
    this.samples += n;
    this.lossSum += loss * n;
    losses.forEach((value, i) => (this.outputSums[i] += value * n));
    for (const { metric, output } of this.judges)
      metric.update(y[output], yPred[output], undefined, masks.at(output));
  }

  /** What 'accuracy' means follows from the shapes. Metrics that are objects may have seen batches of somebody else's. */
  private beginMetrics(y: readonly Tensor[], yPred: readonly Tensor[]): void {
    const tensors = [...y, ...yPred];
    const { judged } = this;
    if (
      tensors.length !== judged.length ||
      tensors.some(({ shape }, i) => !sameShape(shape, judged[i]))
    ) {
      this.judged = tensors.map(({ shape }) => shape);
      this.judges = this.outputs.flatMap((output, i) =>
        output.metrics.map((id) => {
          const { loss } = output;
          const context = { loss, outputShape: yPred[i].shape, targetShape: y[i].shape };
          return {
            name: this.named(output, nameOf(id)),
            metric: getMetric(id, context),
            output: i,
          };
        }),
      );
    }
    for (const { metric } of this.judges) metric.reset();
  }

  logs(): Record<string, number> {
    const logs: Record<string, number> = { loss: this.lossSum / this.samples };
    if (this.several) {
      this.outputs.forEach(
        (output, i) => (logs[this.named(output, 'loss')] = this.outputSums[i] / this.samples),
      );
    }
    for (const { name, metric } of this.judges) {
      const result = metric.result();
      if (typeof result === 'number') logs[name] = result;
      else result.forEach((value, i) => (logs[`${name}[${i}]`] = value));
    }
    return logs;
  }
}

function nameOf(id: MetricId): string {
  return typeof id === 'string' ? id : id.name;
}

/** The loss of each output, and their weighted sum with what the regularizers add. */
function lossesOf(
  model: Layer,
  outputs: readonly OutputPlan[],
  { y, weight }: Samples,
  yPred: readonly Variable[],
): { total: Variable; losses: readonly Variable[] } {
  const losses = outputs.map(({ loss }, i) =>
    meanLoss(loss, new Variable(y[i]), yPred[i], weight ?? undefined),
  );
  let total = weighted(losses[0], outputs[0].weight);
  for (let i = 1; i < losses.length; i++) total = total.add(weighted(losses[i], outputs[i].weight));
  for (const w of model.trainableWeights)
    if (w.regularizer !== null) total = total.add(w.regularizer(w));
  return { total, losses };
}

function weighted(loss: Variable, weight: number): Variable {
  return weight === 1 ? loss : loss.mul(weight);
}

/** What a step computes. */
export interface StepValues {
  readonly total: Variable;
  readonly losses: readonly Variable[];
  readonly yPred: readonly Variable[];
}

/** Forward, backward and update on one batch. The losses are those before the update. */
export function trainStep(
  model: Layer,
  { optimizer, outputs }: Compiled,
  batch: Samples,
): StepValues {
  const yPred = model.applyAll(
    batch.x.map((x) => new Variable(x)),
    { training: true },
  );
  const { total, losses } = lossesOf(model, outputs, batch, yPred);
  const weights = model.trainableWeights;
  // A model that is frozen as a whole has nothing to train.
  const grads = weights.length === 0 ? [] : gradients([total], weights);
  optimizer.applyGradients(weights.map((w, i) => [w, grads[i]] as const));
  for (const w of weights) if (w.constraint !== null) w.assign(w.constraint(w.value));
  return { total, losses, yPred };
}

/** Forward on one batch, nothing changed. */
export function testStep(model: Layer, { outputs }: Compiled, batch: Samples): StepValues {
  return noGrad(() => {
    const yPred = model.applyAll(batch.x.map((x) => new Variable(x)));
    return { ...lossesOf(model, outputs, batch, yPred), yPred };
  });
}
