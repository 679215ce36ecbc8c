/** How the layers of the reference files are made. */
import {
  Activation,
  AveragePooling1D,
  AveragePooling2D,
  BatchNormalization,
  Bidirectional,
  Conv1D,
  Conv2D,
  Conv2DTranspose,
  Dense,
  DepthwiseConv2D,
  Embedding,
  Flatten,
  GlobalAveragePooling1D,
  GlobalAveragePooling2D,
  GlobalMaxPooling1D,
  GlobalMaxPooling2D,
  GRU,
  LayerNormalization,
  LSTM,
  MaxPooling1D,
  MaxPooling2D,
  MultiHeadAttention,
  RNN,
  SeparableConv2D,
  SimpleRNN,
  TimeDistributed,
  UpSampling2D,
  ZeroPadding2D,
  type Layer,
  type Weight,
} from '@tapegrad/layers';
import { type DType } from '@tapegrad/tensor';
import { type Variable } from '@tapegrad/autograd';

/** The settings of a case: `config`, and beside it what `call` has but `training`. */
export type Settings = Readonly<Record<string, unknown>>;

export interface LayerBuilder {
  /** The settings that the layer takes. A case with any other fails, so that none is passed over in silence. */
  readonly settings: readonly string[];
  /** Makes the layer; all settings but the positional ones are its options. */
  readonly make: (settings: Settings, dtype: DType) => Layer;
  /** The layer's inputs in its order. By default as the case lists them. */
  readonly inputs?: (given: Readonly<Record<string, Variable>>) => Variable[];
  /** The case's name of a weight. By default the weight's own. */
  readonly weightName?: (weight: Weight, index: number, layer: Layer) => string;
}

const WINDOWS = ['strides', 'padding', 'dataFormat'];
const CONVOLUTION = [...WINDOWS, 'kernelSize', 'dilationRate', 'activation', 'useBias'];

/** The positional sizes of a window. */
const sizes = (value: unknown): number | number[] => value as number | number[];

/** A convolution with filters and a kernel. */
function convolution(
  Convolution: new (filters: number, kernelSize: number | number[], options: object) => Layer,
  ...others: string[]
): LayerBuilder {
  return {
    settings: [...CONVOLUTION, 'filters', ...others],
    make: ({ filters, kernelSize, ...options }, dtype) =>
      new Convolution(Number(filters), sizes(kernelSize), { ...options, dtype }),
  };
}

function pooling(
  Pooling: new (poolSize: number | number[], options: object) => Layer,
): LayerBuilder {
  return {
    settings: [...WINDOWS, 'poolSize'],
    make: ({ poolSize, ...options }, dtype) => new Pooling(sizes(poolSize), { ...options, dtype }),
  };
}

function globalPooling(Pooling: new (options: object) => Layer): LayerBuilder {
  return {
    settings: ['dataFormat', 'keepDims'],
    make: (options, dtype) => new Pooling({ ...options, dtype }),
  };
}

const SEQUENCE = [
  'units',
  'activation',
  'useBias',
  'returnSequences',
  'returnState',
  'goBackwards',
  'stateful',
];

function recurrent(
  Recurrent: new (units: number, options: object) => Layer,
  ...others: string[]
): LayerBuilder {
  return {
    settings: [...SEQUENCE, ...others],
    make: ({ units, ...options }, dtype) => new Recurrent(Number(units), { ...options, dtype }),
  };
}

/** The layer inside another. */
function innerLayer(value: unknown, dtype: DType): Layer {
  const { layer, config } = value as { layer: string; config: Settings };
  return builderOf(`inside: ${layer}`, layer, config).make(config, dtype);
}

/** By the name in the files. */
export const layerBuilders: Readonly<Record<string, LayerBuilder>> = {
  dense: {
    settings: ['units', 'activation', 'useBias'],
    make: ({ units, ...options }, dtype) => new Dense(Number(units), { ...options, dtype }),
  },
  activation: {
    settings: ['activation'],
    make: ({ activation }, dtype) => new Activation(activation as 'relu', { dtype }),
  },
  simpleRNN: recurrent(SimpleRNN),
  lstm: recurrent(LSTM, 'recurrentActivation'),
  gru: recurrent(GRU, 'recurrentActivation', 'resetAfter'),
  bidirectional: {
    settings: ['layer', 'mergeMode'],
    make: ({ layer, ...options }, dtype) => {
      const inner = innerLayer(layer, dtype);
      if (!(inner instanceof RNN)) throw new Error(`bidirectional: ${inner.name} is not recurrent`);
      return new Bidirectional(inner, options);
    },
  },
  timeDistributed: {
    settings: ['layer'],
    make: ({ layer }, dtype) => new TimeDistributed(innerLayer(layer, dtype)),
  },
  flatten: {
    settings: ['dataFormat'],
    make: (options, dtype) => new Flatten({ ...options, dtype }),
  },
  batchNormalization: {
    settings: ['axis', 'momentum', 'epsilon', 'center', 'scale'],
    make: (options, dtype) => new BatchNormalization({ ...options, dtype }),
  },
  embedding: {
    settings: ['inputDim', 'outputDim'],
    make: ({ inputDim, outputDim, ...options }, dtype) =>
      new Embedding(Number(inputDim), Number(outputDim), { ...options, dtype }),
  },
  multiHeadAttention: {
    settings: [
      'numHeads',
      'keyDim',
      'valueDim',
      'useBias',
      'useCausalMask',
      'returnAttentionScores',
    ],
    make: ({ numHeads, keyDim, ...options }, dtype) =>
      new MultiHeadAttention(Number(numHeads), Number(keyDim), { ...options, dtype }),
    inputs: ({ query, value, key = value, attentionMask }) =>
      attentionMask === undefined ? [query, value, key] : [query, value, key, attentionMask],
  },
  layerNormalization: {
    settings: ['axis', 'epsilon', 'center', 'scale'],
    make: (options, dtype) => new LayerNormalization({ ...options, dtype }),
  },
  conv1d: convolution(Conv1D, 'groups'),
  conv2d: convolution(Conv2D, 'groups'),
  separableConv2d: convolution(SeparableConv2D, 'depthMultiplier'),
  conv2dTranspose: convolution(Conv2DTranspose),
  depthwiseConv2d: {
    settings: [...CONVOLUTION, 'depthMultiplier'],
    make: ({ kernelSize, ...options }, dtype) =>
      new DepthwiseConv2D(sizes(kernelSize), { ...options, dtype }),
  },
  maxPooling1d: pooling(MaxPooling1D),
  maxPooling2d: pooling(MaxPooling2D),
  averagePooling1d: pooling(AveragePooling1D),
  averagePooling2d: pooling(AveragePooling2D),
  globalMaxPooling1d: globalPooling(GlobalMaxPooling1D),
  globalMaxPooling2d: globalPooling(GlobalMaxPooling2D),
  globalAveragePooling1d: globalPooling(GlobalAveragePooling1D),
  globalAveragePooling2d: globalPooling(GlobalAveragePooling2D),
  zeroPadding2d: {
    settings: ['padding', 'dataFormat'],
    make: ({ padding, ...options }, dtype) =>
      new ZeroPadding2D(padding as number, { ...options, dtype }),
  },
  upSampling2d: {
    settings: ['size', 'dataFormat', 'interpolation'],
    make: ({ size, ...options }, dtype) => new UpSampling2D(sizes(size), { ...options, dtype }),
  },
};

/**
 * How the layer of a case is made.
 *
 * @throws Error for a layer or a setting that is not known
 */
export function builderOf(what: string, layer: string, settings: Settings): LayerBuilder {
  if (!Object.hasOwn(layerBuilders, layer)) {
    throw new Error(
      `${what}: unknown layer '${layer}'; known are ${Object.keys(layerBuilders).join(', ')}`,
    );
  }
  const builder = layerBuilders[layer];
  const unknown = Object.keys(settings).filter((key) => !builder.settings.includes(key));
  if (unknown.length > 0) {
    throw new Error(
      `${what}: unknown setting '${unknown[0]}'; ${layer} has ${builder.settings.join(', ')}`,
    );
  }
  return builder;
}
