/**
 * tapegrad: the built packages, as a program would import them.
 */
import { createRequire } from 'node:module';
import {
  Activation,
  Adam,
  Conv2D,
  Dense,
  Flatten,
  Input,
  LSTM,
  MaxPooling2D,
  Model,
  RMSprop,
  SGD,
  Sequential,
  SimpleRNN,
  TimeDistributed,
  gradients,
  noGrad,
  ops,
  tensor,
  variable,
  type Layer,
  type Optimizer,
  type Tensor,
  type Variable,
} from 'tapegrad';
import { ops as tensorOps } from '@tapegrad/tensor';
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
import { start, type Mode, type Step } from './tapegrad-engine.js';

const engine = start((process.argv[2] ?? 'default') as Mode, threads);

const made = ({ values, shape }: { values: Float32Array; shape: readonly number[] }): Tensor =>
  tensor(values, { shape: [...shape] });

const weightsOf = ({ weights }: TrainingTask | LSTMTask): Tensor[] =>
  weights.map((spec) => made({ values: draw(spec), shape: spec.shape }));

const numbersOf = (x: Variable): ArrayLike<number> => x.value.reshape([-1]).toArray() as number[];

function layerOf(spec: LayerSpec, shape: { batchInputShape?: number[] }): Layer {
  switch (spec.kind) {
    case 'dense':
      return new Dense(spec.units, shape);
    case 'activation':
      return new Activation(spec.activation, shape);
    case 'conv':
      return new Conv2D(spec.filters, spec.size, {
        padding: 'same',
        dataFormat: 'channelsFirst',
        ...shape,
      });
    case 'pool':
      return new MaxPooling2D(2, { strides: 2, padding: 'same', dataFormat: 'channelsFirst' });
    case 'flatten':
      return new Flatten();
    case 'simpleRNN':
      return new SimpleRNN(spec.units, { unroll: true, ...shape });
    case 'lstm':
      return new LSTM(spec.units, { returnSequences: true, stateful: true, ...shape });
    case 'timeDense':
      return new TimeDistributed(new Dense(spec.units));
  }
}

function optimizerOf(spec: OptimizerSpec): Optimizer {
  switch (spec.kind) {
    case 'sgd':
      return new SGD({ learningRate: spec.learningRate });
    case 'rmsprop': {
      const { learningRate, rho, epsilon } = spec;
      return new RMSprop({ learningRate, rho, epsilon });
    }
    case 'adam': {
      const { learningRate, epsilon } = spec;
      return new Adam({ learningRate, epsilon });
    }
  }
}

function modelOf({ layers, batch, inputShape, functional }: TrainingTask): Sequential | Model {
  if (functional !== true) {
    const shape = { batchInputShape: [batch, ...inputShape] };
    return new Sequential(layers.map((spec, i) => layerOf(spec, i === 0 ? shape : {})));
  }
  const inputs = Input({ shape: [...inputShape] });
  let outputs = inputs;
  for (const spec of layers) outputs = layerOf(spec, {}).apply(outputs);
  return new Model({ inputs, outputs });
}

function training(task: TrainingTask): () => Work {
  const shapes = batchShapes(task);
  const batches = Array.from({ length: task.batches }, (_, i) => {
    const { x, y } = batchOf(task, i);
    return { x: tensor(x, { shape: shapes.x }), y: tensor(y, { shape: shapes.y }) };
  });
  const classes = task.target === 'classes';
  return () => {
    const model = modelOf(task);
    model.setWeights(weightsOf(task));
    model.compile({
      loss: classes ? 'categoricalCrossentropy' : 'meanSquaredError',
      optimizer: optimizerOf(task.optimizer),
      metrics: classes ? ['accuracy'] : [],
      ...engine.compileOptions,
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
    const train = engine.compiled(() => {
      const loss = ops.matmul(x, w).add(b).sub(y).square().mean();
      const [dw, db] = gradients([loss], [w, b]);
      w.assign(tensorOps.sub(w.value, tensorOps.mul(dw.value, learningRate)));
      b.assign(tensorOps.sub(b.value, tensorOps.mul(db.value, learningRate)));
      return [loss];
    });
    let last = NaN;
    return {
      step() {
        last = train()[0].item();
      },
      result: () => last,
    };
  };
}

/** Repeats a step that is compared by what it computes. */
function repeated(step: Step, check: (results: ArrayLike<number>[]) => number): Work {
  const run = engine.compiled(step);
  let results: readonly Variable[] = [];
  return {
    step() {
      results = run();
    },
    result: () => check(results.map(numbersOf)),
  };
}

function matmul({ size }: MatMulTask): () => Work {
  const [a, b] = [0, 1].map((stream) =>
    variable(made({ values: uniform(stream, size * size, -1, 1), shape: [size, size] })),
  );
  return () =>
    repeated(
      () => noGrad(() => [ops.matmul(a, b)]),
      ([c]) => c[c.length - 1],
    );
}

function convolution(task: ConvolutionTask): () => Work {
  const data = convolutionData(task);
  const [x, kernel, dy] = [data.x, data.kernel, data.dy].map((part) => variable(made(part)));
  return () =>
    repeated(
      () => {
        const y = ops.conv(x, kernel, { padding: 'same', dataFormat: 'channelsFirst' });
        return [y, ...gradients([y], [x, kernel], [dy])];
      },
      (results) => energy(...results),
    );
}

function lstm(task: LSTMTask): () => Work {
  const data = lstmData(task);
  // Nobody asks for the gradient of x.
  const [x, dh] = [data.x, data.dh].map((part) => variable(made(part)).detach());
  return () => {
    const layer = new LSTM(task.units, { returnSequences: true });
    layer.ensureBuilt([task.batch, task.time, task.inputs]);
    layer.setWeights(weightsOf(task));
    return repeated(
      () => gradients([layer.apply(x)], layer.trainableWeights, [dh]),
      (results) => energy(...results),
    );
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
await serve(
  { tapegrad: version, ...engine.versions },
  { training, line, matmul, convolution, lstm, initialise },
);
