/**
 * tapegrad: the built packages, as a program would import them.
 */
import { createRequire } from 'node:module';
import {
  Activation,
  Dense,
  RMSprop,
  SGD,
  Sequential,
  gradients,
  ops,
  tensor,
  variable,
  type Layer,
  type Optimizer,
} from 'tapegrad';
import { ops as tensorOps } from '@tapegrad/tensor';
import { batchOf, initialWeights, outputsOf, uniform } from '../numbers.js';
import type { Work } from '../protocol.js';
import type {
  InitialiseTask,
  LayerSpec,
  LineTask,
  MatMulTask,
  OptimizerSpec,
  Task,
  TrainingTask,
} from '../tasks.js';
import { serve } from '../worker.js';

function build(task: Task): () => Work {
  switch (task.kind) {
    case 'training':
      return training(task);
    case 'line':
      return line(task);
    case 'matmul':
      return matmul(task);
    case 'initialise':
      return initialise(task);
  }
}

function layerOf(spec: LayerSpec): Layer {
  return spec.kind === 'dense' ? new Dense(spec.units) : new Activation(spec.activation);
}

function optimizerOf(spec: OptimizerSpec): Optimizer {
  const { kind, ...settings } = spec;
  return kind === 'sgd' ? new SGD(settings) : new RMSprop(settings);
}

function training(task: TrainingTask): () => Work {
  const batches = Array.from({ length: task.batches }, (_, i) => {
    const { x, y } = batchOf(task, i);
    return {
      x: tensor(x, { shape: [task.batch, task.inputs] }),
      y: tensor(y, { shape: [task.batch, outputsOf(task)] }),
    };
  });
  return () => {
    const model = new Sequential(task.layers.map(layerOf));
    model.ensureBuilt([null, task.inputs]);
    model.setWeights(
      initialWeights(task).map(({ shape, values }) => tensor(values, { shape: [...shape] })),
    );
    model.compile({
      loss: task.loss,
      optimizer: optimizerOf(task.optimizer),
      metrics: task.accuracy ? ['accuracy'] : [],
    });
    let next = 0;
    let loss = NaN;
    return {
      step() {
        const { x, y } = batches[next];
        next = (next + 1) % batches.length;
        loss = model.trainOnBatch(x, y).loss;
      },
      result: () => loss,
    };
  };
}

function line({ batch, learningRate }: LineTask): () => Work {
  const values = uniform(0, batch, -1, 1);
  const x = tensor(values, { shape: [batch, 1] });
  const y = tensor(
    values.map((v) => 0.5 * v + 2),
    { shape: [batch, 1] },
  );
  return () => {
    const w = variable([[0.1]]);
    const b = variable([0]);
    let last = NaN;
    return {
      step() {
        const loss = ops.matmul(x, w).add(b).sub(y).square().mean();
        const [dw, db] = gradients([loss], [w, b]);
        w.assign(tensorOps.sub(w.value, tensorOps.mul(dw.value, learningRate)));
        b.assign(tensorOps.sub(b.value, tensorOps.mul(db.value, learningRate)));
        last = loss.item();
      },
      result: () => last,
    };
  };
}

function matmul({ size }: MatMulTask): () => Work {
  const a = tensor(uniform(0, size * size, -1, 1), { shape: [size, size] });
  const b = tensor(uniform(1, size * size, -1, 1), { shape: [size, size] });
  return () => {
    let c = a;
    return {
      step() {
        c = tensorOps.matmul(a, b);
      },
      result: () => c.data[c.offset + c.size - 1],
    };
  };
}

function initialise({ inputs, units }: InitialiseTask): () => Work {
  return () => ({
    step() {
      new Dense(units, { useBias: false }).ensureBuilt([null, inputs]);
    },
    result: () => null,
  });
}

const require = createRequire(import.meta.url);
const { version } = require('tapegrad/package.json') as { version: string };
await serve({ tapegrad: version }, build);
