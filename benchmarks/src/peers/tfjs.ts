/**
 * TensorFlow.js on its `cpu` or `wasm` backend: `node tfjs.js cpu`.
 */
import * as tf from '@tensorflow/tfjs-core';
import * as layers from '@tensorflow/tfjs-layers';
import '@tensorflow/tfjs-backend-cpu';
import { setThreadsCount, version_wasm } from '@tensorflow/tfjs-backend-wasm';
import {
  batchOf,
  batchShapes,
  convolutionData,
  draw,
  energy,
  lstmData,
  uniform,
} from '../numbers.js';
import type { Work } from '../protocol.js';
import type {
  ConvolutionTask,
  InitialiseTask,
  LSTMTask,
  LayerSpec,
  LineTask,
  MatMulTask,
  OptimizerSpec,
  TrainingTask,
} from '../tasks.js';
import { serve, threads } from '../worker.js';

interface Data {
  readonly values: Float32Array;
  readonly shape: readonly number[];
}

const made = ({ values, shape }: Data): tf.Tensor => tf.tensor(values, [...shape]);

const weightsOf = ({ weights }: TrainingTask | LSTMTask): tf.Tensor[] =>
  weights.map((spec) => made({ values: draw(spec), shape: spec.shape }));

/**
 * Weights are set before the first step. The orthogonal ones that are the default call operations as methods, and the module that
 * adds these to tensors is not one that Node can load.
 */
const recurrent = { recurrentInitializer: 'glorotUniform' } as const;

function layerOf(spec: LayerSpec, shape: { batchInputShape?: number[] }): layers.layers.Layer {
  const images = { padding: 'same', dataFormat: 'channelsFirst' } as const;
  switch (spec.kind) {
    case 'dense':
      return layers.layers.dense({ units: spec.units, ...shape });
    case 'activation':
      return layers.layers.activation({ activation: spec.activation, ...shape });
    case 'conv':
      return layers.layers.conv2d({
        filters: spec.filters,
        kernelSize: spec.size,
        ...images,
        ...shape,
      });
    case 'pool':
      return layers.layers.maxPooling2d({ poolSize: 2, strides: 2, ...images });
    case 'flatten':
      return layers.layers.flatten();
    case 'simpleRNN':
      return layers.layers.simpleRNN({ units: spec.units, unroll: true, ...recurrent, ...shape });
    case 'lstm':
      return layers.layers.lstm({
        units: spec.units,
        returnSequences: true,
        stateful: true,
        recurrentActivation: 'sigmoid',
        ...recurrent,
        ...shape,
      });
    case 'timeDense':
      return layers.layers.timeDistributed({ layer: layers.layers.dense({ units: spec.units }) });
  }
}

function optimizerOf(spec: OptimizerSpec): tf.Optimizer {
  switch (spec.kind) {
    case 'sgd':
      return tf.train.sgd(spec.learningRate);
    case 'rmsprop':
      return tf.train.rmsprop(spec.learningRate, spec.rho, 0, spec.epsilon);
    case 'adam':
      return tf.train.adam(spec.learningRate, 0.9, 0.999, spec.epsilon);
  }
}

function training(task: TrainingTask): () => Work {
  const shapes = batchShapes(task);
  const batches = Array.from({ length: task.batches }, (_, i) => {
    const { x, y } = batchOf(task, i);
    return { x: tf.tensor(x, shapes.x), y: tf.tensor(y, shapes.y) };
  });
  const classes = task.target === 'classes';
  return () => {
    const model = layers.sequential({
      layers: task.layers.map((spec, i) =>
        layerOf(spec, i === 0 ? { batchInputShape: shapes.x } : {}),
      ),
    });
    const weights = weightsOf(task);
    model.setWeights(weights);
    tf.dispose(weights);
    model.compile({
      loss: classes ? 'categoricalCrossentropy' : 'meanSquaredError',
      optimizer: optimizerOf(task.optimizer),
      metrics: classes ? ['accuracy'] : [],
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
      end: () => model.dispose(),
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
      end: () => c?.dispose(),
    };
  };
}

/** With channels last, which is what its backends compute with. */
function convolution(task: ConvolutionTask): () => Work {
  const data = convolutionData(task);
  const channelsLast = (given: Data): tf.Tensor4D =>
    tf.tidy(() => tf.transpose(made(given) as tf.Tensor4D, [0, 2, 3, 1]));
  const [x, dy, kernel] = [channelsLast(data.x), channelsLast(data.dy), made(data.kernel)];
  const gradientsOf = tf.valueAndGrads((a, k) =>
    tf.conv2d(a as tf.Tensor4D, k as tf.Tensor4D, 1, 'same'),
  );
  return () => {
    let results: tf.Tensor[] = [];
    return {
      step() {
        tf.dispose(results);
        const { value, grads } = gradientsOf([x, kernel], dy);
        results = [value, ...grads];
      },
      result: () => energy(...results.map((t) => t.dataSync())),
      end: () => tf.dispose(results),
    };
  };
}

function lstm(task: LSTMTask): () => Work {
  const data = lstmData(task);
  const [x, dh] = [made(data.x), made(data.dh)];
  return () => {
    const layer = layers.layers.lstm({
      units: task.units,
      returnSequences: true,
      recurrentActivation: 'sigmoid',
      ...recurrent,
    });
    tf.dispose(layer.apply(x) as tf.Tensor); // builds it
    const weights = weightsOf(task);
    layer.setWeights(weights);
    tf.dispose(weights);
    const variables = layer.trainableWeights.map((weight) => weight.read() as tf.Variable);
    let results: tf.Tensor[] = [];
    return {
      step() {
        tf.dispose(results);
        const { value, grads } = tf.variableGrads(
          () => tf.sum(tf.mul(layer.apply(x) as tf.Tensor, dh)),
          variables,
        );
        value.dispose();
        results = Object.values(grads);
      },
      result: () => energy(...results.map((t) => t.dataSync())),
      end() {
        tf.dispose(results);
        layer.dispose();
      },
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
// In Node the backend has one thread whatever is set: its threaded build is for browsers.
if (backend === 'wasm') setThreadsCount(threads);
if (!(await tf.setBackend(backend)))
  throw new Error(`tfjs: the backend '${backend}' did not start`);
await serve(
  { tfjs: backend === 'wasm' ? version_wasm : tf.version_core },
  { training, line, matmul, convolution, lstm, initialise },
);
