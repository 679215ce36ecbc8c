/** How the layers of the reference files are made. */
import {
  Activation,
  BatchNormalization,
  Bidirectional,
  Dense,
  Embedding,
  Flatten,
  GRU,
  LayerNormalization,
  LSTM,
  SimpleRNN,
  TimeDistributed,
  type Layer,
  type RNN,
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
    make: ({ layer, ...options }, dtype) =>
      new Bidirectional(innerLayer(layer, dtype) as RNN, options),
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
  layerNormalization: {
    settings: ['axis', 'epsilon', 'center', 'scale'],
    make: (options, dtype) => new LayerNormalization({ ...options, dtype }),
  },
};

/** Layers of the files that the library does not have yet: their cases are named as to do. */
export const awaited: readonly string[] = [
  'averagePooling1d',
  'averagePooling2d',
  'conv1d',
  'conv2d',
  'conv2dTranspose',
  'depthwiseConv2d',
  'globalAveragePooling1d',
  'globalAveragePooling2d',
  'globalMaxPooling1d',
  'globalMaxPooling2d',
  'maxPooling1d',
  'maxPooling2d',
  'multiHeadAttention',
  'separableConv2d',
  'upSampling2d',
  'zeroPadding2d',
];

/**
 * The layer of a case.
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
