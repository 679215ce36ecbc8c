/**
 * One step of training or testing, and the running means of its loss and metrics.
 */
import { type Tensor } from '@tapegrad/tensor';
import { Variable, gradients, noGrad } from '@tapegrad/autograd';
import type { Samples } from './data.js';
import type { Layer } from './layer.js';
import { meanLoss, type Loss } from './losses.js';
import { getMetric, type Metric, type MetricId } from './metrics.js';
import type { Optimizer } from './optimizers/index.js';

/** What `compile` has settled. */
export interface Compiled {
  readonly optimizer: Optimizer;
  readonly loss: Loss;
  readonly metrics: readonly MetricId[];
}

/** Loss and metrics over several batches. */
export class Progress {
  private lossSum = 0;
  private samples = 0;
  private metrics: readonly (readonly [string, Metric])[] | null = null;

  constructor(private readonly compiled: Compiled) {}

  /** The names of the logs, in order. */
  get names(): string[] {
    return ['loss', ...this.compiled.metrics.map(nameOf)];
  }

  /** Begins a new mean. */
  reset(): void {
    this.lossSum = 0;
    this.samples = 0;
    this.metrics?.forEach(([, metric]) => metric.reset());
  }

  add(loss: number, y: Tensor, yPred: Tensor): void {
    const n = y.shape[0];
    this.lossSum += loss * n;
    this.samples += n;
    // What 'accuracy' means is known only when the shapes are.
    this.metrics ??= this.compiled.metrics.map((id) => {
      const context = { loss: this.compiled.loss, outputShape: yPred.shape, targetShape: y.shape };
      return [nameOf(id), getMetric(id, context)] as const;
    });
    for (const [, metric] of this.metrics) metric.update(y, yPred);
  }

  logs(): Record<string, number> {
    const logs: Record<string, number> = { loss: this.lossSum / this.samples };
    for (const [name, metric] of this.metrics ?? []) {
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

/** The mean loss of a batch, with what the regularizers add. */
function totalLoss(model: Layer, loss: Loss, { y, weight }: Samples, yPred: Variable): Variable {
  let total = meanLoss(loss, new Variable(y), yPred, weight ?? undefined);
  for (const w of model.weights) if (w.regularizer !== null) total = total.add(w.regularizer(w));
  return total;
}

/** Forward, backward and update on one batch. Returns the loss before the update, and the predictions. */
export function trainStep(
  model: Layer,
  { optimizer, loss }: Compiled,
  batch: Samples,
): { loss: number; yPred: Tensor } {
  const yPred = model.apply(batch.x, { training: true });
  const total = totalLoss(model, loss, batch, yPred);
  const weights = model.trainableWeights;
  // A model that is frozen as a whole has nothing to train.
  const grads = weights.length === 0 ? [] : gradients([total], weights);
  optimizer.applyGradients(weights.map((w, i) => [w, grads[i]] as const));
  for (const w of weights) if (w.constraint !== null) w.assign(w.constraint(w.value));
  return { loss: total.item(), yPred: yPred.value };
}

/** Forward on one batch, nothing changed. */
export function testStep(
  model: Layer,
  { loss }: Compiled,
  batch: Samples,
): { loss: number; yPred: Tensor } {
  return noGrad(() => {
    const yPred = model.apply(batch.x);
    return { loss: totalLoss(model, loss, batch, yPred).item(), yPred: yPred.value };
  });
}
