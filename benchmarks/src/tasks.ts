/**
 * What is measured, as plain data. Every peer builds a task for itself; the Python one gets it as JSON.
 */

export type LayerSpec =
  | { readonly kind: 'dense'; readonly units: number }
  | { readonly kind: 'activation'; readonly activation: 'relu' | 'softmax' };

export type OptimizerSpec =
  | { readonly kind: 'sgd'; readonly learningRate: number }
  | {
      readonly kind: 'rmsprop';
      readonly learningRate: number;
      readonly rho: number;
      readonly epsilon: number;
    };

/** A step of training with the peer's own layers, loss and metric, the loss read as a number. */
export interface TrainingTask {
  readonly kind: 'training';
  /** Samples in a batch. */
  readonly batch: number;
  /** Different batches, gone through in a circle, so that none is learnt by heart. */
  readonly batches: number;
  /** Numbers in a sample. */
  readonly inputs: number;
  readonly layers: readonly LayerSpec[];
  readonly loss: 'meanSquaredError' | 'categoricalCrossentropy';
  readonly optimizer: OptimizerSpec;
  /** Whether the accuracy of the batch is computed too. */
  readonly accuracy: boolean;
}

/** The line y = W·x + b fitted with the peer's automatic differentiation alone: no layers, no optimizer. */
export interface LineTask {
  readonly kind: 'line';
  readonly batch: number;
  readonly learningRate: number;
}

/** C = A·B, all [size, size] in float32. */
export interface MatMulTask {
  readonly kind: 'matmul';
  readonly size: number;
}

/** A Dense kernel [inputs, units] drawn from Glorot's uniform distribution. */
export interface InitialiseTask {
  readonly kind: 'initialise';
  readonly inputs: number;
  readonly units: number;
}

export type Task = TrainingTask | LineTask | MatMulTask | InitialiseTask;

export interface Row {
  readonly name: string;
  readonly task: Task;
  /** Left out of `--short`, which must end in time for CI. */
  readonly long?: boolean;
}

/** Rows that are measured in one process of each peer and printed in one table. */
export interface Group {
  /** The key in the JSON file. */
  readonly name: string;
  readonly title: string;
  readonly unit: 'ms' | 'GFLOP/s';
  readonly rows: readonly Row[];
  /** Each row in a fresh process: in a real run nothing else has been through the engine's compiler either. */
  readonly separate: boolean;
}

const classifier: TrainingTask = {
  kind: 'training',
  batch: 32,
  batches: 32,
  inputs: 784,
  layers: [
    { kind: 'dense', units: 32 },
    { kind: 'activation', activation: 'relu' },
    { kind: 'dense', units: 10 },
    { kind: 'activation', activation: 'softmax' },
  ],
  loss: 'categoricalCrossentropy',
  optimizer: { kind: 'rmsprop', learningRate: 0.001, rho: 0.9, epsilon: 1e-8 },
  accuracy: true,
};

const regressor: TrainingTask = {
  kind: 'training',
  batch: 160,
  batches: 1,
  inputs: 1,
  layers: [{ kind: 'dense', units: 1 }],
  loss: 'meanSquaredError',
  optimizer: { kind: 'sgd', learningRate: 0.01 },
  accuracy: false,
};

export const groups: readonly Group[] = [
  {
    name: 'programs',
    title: 'One training step',
    unit: 'ms',
    separate: true,
    rows: [
      { name: 'regressor', task: regressor },
      { name: 'regressor-autograd', task: { kind: 'line', batch: 160, learningRate: 0.01 } },
      { name: 'classifier', task: classifier },
    ],
  },
  {
    name: 'matmul',
    title: 'Matrix multiplication, n x n in float32',
    unit: 'GFLOP/s',
    separate: false,
    rows: [128, 256, 512, 1024].map((size) => ({
      name: String(size),
      task: { kind: 'matmul', size },
      long: size > 512,
    })),
  },
  {
    name: 'initialise',
    title: 'Initialising weights',
    unit: 'ms',
    separate: true,
    rows: [{ name: 'glorot-3136x1024', task: { kind: 'initialise', inputs: 3136, units: 1024 } }],
  },
];

/** Multiply-adds count twice, as usual. */
export function flops(task: Task): number | null {
  return task.kind === 'matmul' ? 2 * task.size ** 3 : null;
}
