/**
 * TensorFlow.js on its `cpu` or `wasm` backend: `node tfjs.js cpu`.
 */
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { setThreadsCount, version_wasm } from '@tensorflow/tfjs-backend-wasm';
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

function layerOf(spec: LayerSpec, inputs: number | null): layers.layers.Layer {
  const inputShape = inputs === null ? undefined : [inputs];
  return spec.kind === 'dense'
    ? layers.layers.dense({ units: spec.units, inputShape })
    : layers.layers.activation({ activation: spec.activation, inputShape });
}

function optimizerOf(spec: OptimizerSpec): tf.Optimizer {
  return spec.kind === 'sgd'
    ? tf.train.sgd(spec.learningRate)
    : tf.train.rmsprop(spec.learningRate, spec.rho, 0, spec.epsilon);
}

function training(task: TrainingTask): () => Work {
  const batches = Array.from({ length: task.batches }, (_, i) => {
    const { x, y } = batchOf(task, i);
    return {
      x: tf.tensor(x, [task.batch, task.inputs]),
      y: tf.tensor(y, [task.batch, outputsOf(task)]),
    };
  });
  return () => {
    const model = layers.sequential({
      layers: task.layers.map((spec, i) => layerOf(spec, i === 0 ? task.inputs : null)),
    });
    model.setWeights(
      initialWeights(task).map(({ shape, values }) => tf.tensor(values, [...shape])),
    );
    model.compile({
      loss: task.loss,
      optimizer: optimizerOf(task.optimizer),
      metrics: task.accuracy ? ['accuracy'] : [],
    });
    let next = 0;
    let loss = NaN;
    return {
      async step() {
        const { x, y } = batches[next];
        next = (next + 1) % batches.length;
        const logs = await model.trainOnBatch(x, y);
        loss = Array.isArray(logs) ? logs[0] : logs;
      },
      result: () => loss,
    };
  };
}

function line({ batch, learningRate }: LineTask): () => Work {
  const values = uniform(0, batch, -1, 1);
  const x = tf.tensor2d(values, [batch, 1]);
  const y = tf.tensor2d(
    values.map((v) => 0.5 * v + 2),
    [batch, 1],
  );
  return () => {
    const w = tf.variable(tf.tensor2d([[0.1]]));
    const b = tf.variable(tf.tensor1d([0]));
    const optimizer = tf.train.sgd(learningRate);
    const cost = (): tf.Scalar => {
      const difference = tf.sub(tf.add(tf.matMul(x, w), b), y);
      return tf.mean(tf.square(difference));
    };
    let last = NaN;
    return {
      step() {
        const loss = optimizer.minimize(cost, true, [w, b]);
        last = loss?.dataSync()[0] ?? NaN;
        loss?.dispose();
      },
      result: () => last,
    };
  };
}

function matmul({ size }: MatMulTask): () => Work {
  const a = tf.tensor2d(uniform(0, size * size, -1, 1), [size, size]);
  const b = tf.tensor2d(uniform(1, size * size, -1, 1), [size, size]);
  return () => {
    let c: tf.Tensor | null = null;
    return {
      step() {
        c?.dispose();
        c = tf.matMul(a, b);
      },
      result: () => c?.dataSync()[size * size - 1] ?? NaN,
    };
  };
}

function initialise({ inputs, units }: InitialiseTask): () => Work {
  return () => ({
    step() {
      const layer = layers.layers.dense({ units, useBias: false });
      layer.build([null, inputs]);
      for (const weight of layer.weights) weight.dispose();
    },
    result: () => null,
  });
}

const backend = process.argv[2];
if (backend === 'wasm') setThreadsCount(1);
if (!(await tf.setBackend(backend)))
  throw new Error(`tfjs: the backend '${backend}' did not start`);
await serve({ tfjs: backend === 'wasm' ? version_wasm : tf.version_core }, build);
