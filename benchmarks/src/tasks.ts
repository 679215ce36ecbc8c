/**
 * What is measured, as plain data. Every peer builds a task for itself; the Python ones get it as JSON.
 */

export type LayerSpec =
  | { readonly kind: 'dense'; readonly units: number }
  | { readonly kind: 'activation'; readonly activation: 'relu' | 'softmax' | 'tanh' }
  /** Square windows, stride 1, padding 'same', channels first. */
  | { readonly kind: 'conv'; readonly filters: number; readonly size: number }
  /** The maximum of each 2 x 2 square, channels first. */
  | { readonly kind: 'pool' }
  | { readonly kind: 'flatten' }
  /** The output of the last step alone. Unrolled, where an engine makes a difference. */
  | { readonly kind: 'simpleRNN'; readonly units: number }
  /** The outputs of all steps; a batch begins with the states that the one before has left. */
  | { readonly kind: 'lstm'; readonly units: number }
  /** The same dense layer at each step. */
  | { readonly kind: 'timeDense'; readonly units: number };

export type OptimizerSpec =
  | { readonly kind: 'sgd'; readonly learningRate: number }
  | {
      readonly kind: 'rmsprop';
      readonly learningRate: number;
      readonly rho: number;
      readonly epsilon: number;
    }
  /** Betas of 0.9 and 0.999. */
  | { readonly kind: 'adam'; readonly learningRate: number; readonly epsilon: number };

/** An array that every peer draws for itself: see `draw` in numbers.ts. */
export interface WeightSpec {
  readonly shape: readonly number[];
  readonly stream: number;
  /** Numbers from [-limit, limit). */
  readonly limit: number;
  /** Elements that are 1 instead: the biases of forget gates. */
  readonly ones?: readonly [from: number, to: number];
}

/** A step of training with the peer's own layers, loss and metric, the loss read as a number. */
export interface TrainingTask {
  readonly kind: 'training';
  /** Samples in a batch. */
  readonly batch: number;
  /** Different batches, gone through in a circle, so that none is learnt by heart. */
  readonly batches: number;
  /** Of one sample. */
  readonly inputShape: readonly number[];
  /** Of one target. */
  readonly outputShape: readonly number[];
  readonly layers: readonly LayerSpec[];
  /** All weights in the order and the layout of Keras. */
  readonly weights: readonly WeightSpec[];
  /** Points near a line; random classes; the input itself; the cosine of the input's sine. */
  readonly target: 'line' | 'classes' | 'input' | 'wave';
  /** Whether the layers are a list, or are applied one after another to an `Input`, where an engine makes a difference. */
  readonly functional?: boolean;
  readonly optimizer: OptimizerSpec;
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

/** y = conv(x, k), padding 'same', and from a given gradient of y those of x and k. */
export interface ConvolutionTask {
  readonly kind: 'convolution';
  readonly batch: number;
  readonly channels: number;
  /** Height and width of the images. */
  readonly size: number;
  readonly filters: number;
  /** Height and width of the windows. */
  readonly window: number;
}

/** h = LSTM(x), all steps, and from a given gradient of h those of the kernel, the recurrent kernel and the bias. */
export interface LSTMTask {
  readonly kind: 'lstm';
  readonly batch: number;
  readonly time: number;
  readonly inputs: number;
  readonly units: number;
  readonly weights: readonly WeightSpec[];
}

/** A Dense kernel [inputs, units] drawn from Glorot's uniform distribution. */
export interface InitialiseTask {
  readonly kind: 'initialise';
  readonly inputs: number;
  readonly units: number;
}

export type Task =
  TrainingTask | LineTask | MatMulTask | ConvolutionTask | LSTMTask | InitialiseTask;

/** Adding and multiplying count one each, as usual. null where nobody counts. */
export function flops(task: Task): number | null {
  switch (task.kind) {
    case 'matmul':
      return 2 * task.size ** 3;
    case 'convolution': {
      const { batch, channels, size, filters, window } = task;
      return 3 * 2 * batch * filters * size ** 2 * channels * window ** 2;
    }
    case 'lstm': {
      // Forward; x·ᵀ and h·ᵀ for the weights; back through the recurrent kernel alone, as x wants no gradient.
      const { batch, time, inputs, units } = task;
      return 2 * batch * time * 4 * units * (2 * (inputs + units) + units);
    }
    default:
      return null;
  }
}
