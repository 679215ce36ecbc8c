/**
 * The rows of the tables: the steps of the six programs of the course, and the kernels over a range of sizes.
 */
import type {
  ConvolutionTask,
  LSTMTask,
  LayerSpec,
  Task,
  TrainingTask,
  WeightSpec,
} from './tasks.js';

export interface Row {
  readonly name: string;
  readonly task: Task;
  /** What `--short` measures instead, which must end in time for CI: a smaller task, or nothing. */
  readonly short?: Task | null;
}

/** Rows that are printed in one table. */
export interface Group {
  /** The key in the JSON file. */
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Row[];
  /** Each row in a fresh process: in a real run nothing else has been through the engine's compiler either. */
  readonly separate: boolean;
}

/** Streams of random numbers: data have the lower ones. */
const WEIGHT_STREAM = 1_000_000;

/** The shape that a layer gives, and its weights but for their streams. */
function grow(
  layer: LayerSpec,
  shape: readonly number[],
): { shape: readonly number[]; weights: Omit<WeightSpec, 'stream'>[] } {
  const glorot = (to: readonly number[], fanIn: number, fanOut: number) => ({
    shape: to,
    limit: Math.sqrt(6 / (fanIn + fanOut)),
  });
  const zeros = (n: number) => ({ shape: [n], limit: 0 });
  const inputs = shape[shape.length - 1];
  switch (layer.kind) {
    case 'dense':
    case 'timeDense': {
      const { units } = layer;
      const weights = [glorot([inputs, units], inputs, units), zeros(units)];
      return { shape: [...shape.slice(0, -1), units], weights };
    }
    case 'conv': {
      const { filters, size } = layer;
      const [channels, ...space] = shape;
      const kernel = [size, size, channels, filters];
      const weights = [glorot(kernel, size ** 2 * channels, size ** 2 * filters), zeros(filters)];
      return { shape: [filters, ...space], weights };
    }
    case 'pool':
      return { shape: [shape[0], Math.ceil(shape[1] / 2), Math.ceil(shape[2] / 2)], weights: [] };
    case 'flatten':
      return { shape: [shape.reduce((a, b) => a * b)], weights: [] };
    case 'simpleRNN': {
      const { units } = layer;
      const recurrent = glorot([units, units], units, units);
      return {
        shape: [units],
        weights: [glorot([inputs, units], inputs, units), recurrent, zeros(units)],
      };
    }
    case 'lstm': {
      const { units } = layer;
      const weights = [
        glorot([inputs, 4 * units], inputs, 4 * units),
        glorot([units, 4 * units], units, 4 * units),
        { ...zeros(4 * units), ones: [units, 2 * units] as const },
      ];
      return { shape: [shape[0], units], weights };
    }
    case 'activation':
      return { shape, weights: [] };
  }
}

/** Adds what follows from the layers: the shape of the output and the weights. */
function training(
  task: Omit<TrainingTask, 'kind' | 'outputShape' | 'weights'> & { readonly batches: number },
): TrainingTask {
  let shape = task.inputShape;
  const weights: WeightSpec[] = [];
  for (const layer of task.layers) {
    const grown = grow(layer, shape);
    shape = grown.shape;
    for (const weight of grown.weights) {
      weights.push({ ...weight, stream: WEIGHT_STREAM + weights.length });
    }
  }
  return { kind: 'training', ...task, outputShape: shape, weights };
}

const dense = (units: number): LayerSpec => ({ kind: 'dense', units });
const activation = (name: 'relu' | 'softmax' | 'tanh'): LayerSpec => ({
  kind: 'activation',
  activation: name,
});

const regressor = training({
  batch: 160,
  batches: 1,
  inputShape: [1],
  layers: [dense(1)],
  target: 'line',
  optimizer: { kind: 'sgd', learningRate: 0.01 },
});

const classifier = training({
  batch: 32,
  batches: 32,
  inputShape: [784],
  layers: [dense(32), activation('relu'), dense(10), activation('softmax')],
  target: 'classes',
  optimizer: { kind: 'rmsprop', learningRate: 0.001, rho: 0.9, epsilon: 1e-8 },
});

const cnn = (batch: number, size: number): TrainingTask =>
  training({
    batch,
    batches: 4,
    inputShape: [1, size, size],
    layers: [
      { kind: 'conv', filters: 32, size: 5 },
      activation('relu'),
      { kind: 'pool' },
      { kind: 'conv', filters: 64, size: 5 },
      activation('relu'),
      { kind: 'pool' },
      { kind: 'flatten' },
      dense(1024),
      activation('relu'),
      dense(10),
      activation('softmax'),
    ],
    target: 'classes',
    optimizer: { kind: 'adam', learningRate: 1e-4, epsilon: 1e-7 },
  });

const rnn = training({
  batch: 50,
  batches: 32,
  inputShape: [28, 28],
  layers: [{ kind: 'simpleRNN', units: 50 }, dense(10), activation('softmax')],
  target: 'classes',
  optimizer: { kind: 'adam', learningRate: 0.001, epsilon: 1e-7 },
});

const lstm = training({
  batch: 50,
  batches: 16,
  inputShape: [20, 1],
  layers: [
    { kind: 'lstm', units: 20 },
    { kind: 'timeDense', units: 1 },
  ],
  target: 'wave',
  optimizer: { kind: 'adam', learningRate: 0.006, epsilon: 1e-7 },
});

const autoencoder = (batch: number): TrainingTask =>
  training({
    batch,
    batches: 8,
    inputShape: [784],
    layers: [
      ...[128, 64, 10].flatMap((units) => [dense(units), activation('relu')]),
      dense(2),
      ...[10, 64, 128].flatMap((units) => [dense(units), activation('relu')]),
      dense(784),
      activation('tanh'),
    ],
    target: 'input',
    functional: true,
    optimizer: { kind: 'adam', learningRate: 0.001, epsilon: 1e-7 },
  });

/** Named as in '64x32x14x14-64x5x5': the images, then filters and windows. */
function convolution(
  batch: number,
  channels: number,
  size: number,
  filters: number,
  window: number,
): Row {
  const task: ConvolutionTask = { kind: 'convolution', batch, channels, size, filters, window };
  const name = `${batch}x${channels}x${size}x${size}-${filters}x${window}x${window}`;
  return { name, task, short: { ...task, batch: 1, size: size / 2 } };
}

/** Named as in '50x20x1-20': batch, time and inputs, then units. */
function lstmRow(batch: number, time: number, inputs: number, units: number, short = false): Row {
  const make = (b: number, t: number): LSTMTask => {
    const { weights } = training({
      batch: b,
      batches: 1,
      inputShape: [t, inputs],
      layers: [{ kind: 'lstm', units }],
      target: 'wave',
      optimizer: { kind: 'sgd', learningRate: 0 },
    });
    return { kind: 'lstm', batch: b, time: t, inputs, units, weights };
  };
  const name = `${batch}x${time}x${inputs}-${units}`;
  return { name, task: make(batch, time), short: short ? make(4, 5) : null };
}

const groups: readonly Group[] = [
  {
    name: 'programs',
    title: 'One training step',
    separate: true,
    rows: [
      { name: 'regressor', task: regressor },
      { name: 'regressor-autograd', task: { kind: 'line', batch: 160, learningRate: 0.01 } },
      { name: 'classifier', task: classifier },
      { name: 'cnn', task: cnn(64, 28), short: cnn(2, 12) },
      { name: 'rnn', task: rnn },
      { name: 'lstm', task: lstm },
      { name: 'autoencoder', task: autoencoder(256), short: autoencoder(16) },
    ],
  },
  {
    name: 'matmul',
    title: 'Matrix multiplication, n x n',
    separate: false,
    rows: [64, 128, 256, 512, 1024].map((size) => ({
      name: String(size),
      task: { kind: 'matmul', size },
      ...(size > 256 ? { short: null } : {}),
    })),
  },
  {
    name: 'convolution',
    title: "Convolution, padding 'same', forward and both gradients",
    separate: false,
    rows: [
      convolution(64, 1, 28, 32, 5),
      convolution(64, 32, 14, 64, 5),
      convolution(32, 16, 28, 32, 3),
      convolution(16, 64, 14, 64, 3),
    ],
  },
  {
    name: 'lstmSequence',
    title: 'LSTM over a sequence, forward and the gradients of the weights',
    separate: false,
    rows: [
      lstmRow(50, 20, 1, 20, true),
      lstmRow(32, 28, 28, 64, true),
      lstmRow(32, 50, 64, 128),
      lstmRow(16, 100, 128, 256),
    ],
  },
  {
    name: 'initialise',
    title: 'Initialising weights',
    separate: true,
    rows: [
      {
        name: 'glorot-3136x1024',
        task: { kind: 'initialise', inputs: 3136, units: 1024 },
        short: { kind: 'initialise', inputs: 784, units: 128 },
      },
    ],
  },
];

/** All groups, with their rows as a short run has them or a full one. */
export function groupsOf(short: boolean): Group[] {
  const shortened = ({ name, task, short: less }: Row): Row[] =>
    less === null ? [] : [{ name, task: less ?? task }];
  return groups.map((group) => ({
    ...group,
    rows: short ? group.rows.flatMap(shortened) : group.rows,
  }));
}
