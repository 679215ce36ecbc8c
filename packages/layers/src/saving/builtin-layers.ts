/**
 * The classes of this library that saved models may be made of, each with the fields that hold its constructor's arguments
 * and the names of its options.
 */
import { Attention, MultiHeadAttention } from '../attention.js';
import * as conv from '../conv.js';
import { Conv2DTranspose } from '../conv-transpose.js';
import * as core from '../core.js';
import { Embedding } from '../embedding.js';
import { Model } from '../functional.js';
import type { LayerOptions } from '../layer.js';
import { Masking } from '../masking.js';
import * as merge from '../merge.js';
import { GaussianDropout, GaussianNoise } from '../noise.js';
import { BatchNormalization, LayerNormalization } from '../normalization.js';
import * as pooling from '../pooling.js';
import { GRUCell, LSTMCell, SimpleRNNCell } from '../recurrent-cells.js';
import { GRU, LSTM, SimpleRNN } from '../recurrent.js';
import { UpSampling2D, ZeroPadding2D } from '../resizing.js';
import { RNN } from '../rnn.js';
import { Sequential } from '../sequential.js';
import { Bidirectional, TimeDistributed } from '../wrappers.js';
import { addLayerClass, type LayerClass } from './layer-classes.js';
import { makeModel, makeSequential } from './models.js';

/** The options of a class: what its constructor takes last. */
type OptionsOf<C extends LayerClass> =
  Required<ConstructorParameters<C>> extends readonly [...unknown[], infer O] ? O : never;

/** The names of a class's options besides those of all layers, each once: a name too few or too many does not compile. */
type OptionNames<C extends LayerClass> = Readonly<
  Record<Exclude<keyof OptionsOf<C>, keyof LayerOptions>, true>
>;

/** A class by a name that no bundler shortens. */
function add<C extends LayerClass>(
  name: string,
  Class: C,
  positional: readonly string[],
  options: OptionNames<C>,
): void {
  addLayerClass({ name, Class, positional, options: Object.keys(options) });
}

const kernel = {
  kernelInitializer: true,
  kernelRegularizer: true,
  kernelConstraint: true,
} as const;
const bias = { biasInitializer: true, biasRegularizer: true, biasConstraint: true } as const;

const dense = { activation: true, useBias: true, ...kernel, ...bias } as const;
add('Activation', core.Activation, ['activation'], {});
add('Dense', core.Dense, ['units'], dense);
add('Dropout', core.Dropout, ['rate'], { generator: true });
add('Flatten', core.Flatten, [], { dataFormat: true });
add('Reshape', core.Reshape, ['targetShape'], {});

const space = { dataFormat: true } as const;
const windows = { strides: true, padding: true, ...space } as const;
const convolution = {
  ...windows,
  dilationRate: true,
  activation: true,
  useBias: true,
  ...bias,
} as const;
const depthwise = {
  ...convolution,
  depthMultiplier: true,
  depthwiseInitializer: true,
  depthwiseRegularizer: true,
  depthwiseConstraint: true,
} as const;
const pointwise = {
  pointwiseInitializer: true,
  pointwiseRegularizer: true,
  pointwiseConstraint: true,
} as const;
const grouped = { ...convolution, ...kernel, groups: true } as const;
add('Conv1D', conv.Conv1D, ['filters', 'kernelSize'], grouped);
add('Conv2D', conv.Conv2D, ['filters', 'kernelSize'], grouped);
add('Conv2DTranspose', Conv2DTranspose, ['filters', 'kernelSize'], {
  ...convolution,
  ...kernel,
  outputPadding: true,
});
add('DepthwiseConv2D', conv.DepthwiseConv2D, ['kernelSize'], depthwise);
add('SeparableConv2D', conv.SeparableConv2D, ['filters', 'kernelSize'], {
  ...depthwise,
  ...pointwise,
});
add('UpSampling2D', UpSampling2D, ['size'], { ...space, interpolation: true });
add('ZeroPadding2D', ZeroPadding2D, ['padding'], space);

add('AveragePooling1D', pooling.AveragePooling1D, ['poolSize'], windows);
add('AveragePooling2D', pooling.AveragePooling2D, ['poolSize'], windows);
add('MaxPooling1D', pooling.MaxPooling1D, ['poolSize'], windows);
add('MaxPooling2D', pooling.MaxPooling2D, ['poolSize'], windows);
const global = { ...space, keepDims: true } as const;
add('GlobalAveragePooling1D', pooling.GlobalAveragePooling1D, [], global);
add('GlobalAveragePooling2D', pooling.GlobalAveragePooling2D, [], global);
add('GlobalMaxPooling1D', pooling.GlobalMaxPooling1D, [], global);
add('GlobalMaxPooling2D', pooling.GlobalMaxPooling2D, [], global);

const attention = {
  dropout: true,
  useCausalMask: true,
  returnAttentionScores: true,
  generator: true,
} as const;
add('Attention', Attention, [], { ...attention, useScale: true });
add('MultiHeadAttention', MultiHeadAttention, ['numHeads', 'keyDim'], {
  ...attention,
  valueDim: true,
  outputShape: true,
  useBias: true,
  ...kernel,
  ...bias,
});

add('Add', merge.Add, [], {});
add('Average', merge.Average, [], {});
add('Concatenate', merge.Concatenate, [], { axis: true });
add('Dot', merge.Dot, [], { axes: true, normalize: true });
add('Maximum', merge.Maximum, [], {});
add('Minimum', merge.Minimum, [], {});
add('Multiply', merge.Multiply, [], {});
add('Subtract', merge.Subtract, [], {});

const normalization = {
  axis: true,
  epsilon: true,
  center: true,
  scale: true,
  betaInitializer: true,
  gammaInitializer: true,
  betaRegularizer: true,
  gammaRegularizer: true,
  betaConstraint: true,
  gammaConstraint: true,
} as const;
add('BatchNormalization', BatchNormalization, [], {
  ...normalization,
  momentum: true,
  movingMeanInitializer: true,
  movingVarianceInitializer: true,
});
add('LayerNormalization', LayerNormalization, [], normalization);
add('Embedding', Embedding, ['inputDim', 'outputDim'], {
  embeddingsInitializer: true,
  embeddingsRegularizer: true,
  embeddingsConstraint: true,
  maskZero: true,
});
add('GaussianDropout', GaussianDropout, ['rate'], { generator: true });
add('GaussianNoise', GaussianNoise, ['stddev'], { generator: true });
add('Masking', Masking, [], { maskValue: true });

const cell = {
  ...dense,
  recurrentInitializer: true,
  recurrentRegularizer: true,
  recurrentConstraint: true,
} as const;
const lstmCell = { ...cell, recurrentActivation: true, unitForgetBias: true } as const;
const gruCell = { ...cell, recurrentActivation: true, resetAfter: true } as const;
const sequence = {
  returnSequences: true,
  returnState: true,
  goBackwards: true,
  stateful: true,
  unroll: true,
  dropout: true,
  recurrentDropout: true,
} as const;
add('GRU', GRU, ['units'], { ...gruCell, ...sequence });
add('GRUCell', GRUCell, ['units'], gruCell);
add('LSTM', LSTM, ['units'], { ...lstmCell, ...sequence });
add('LSTMCell', LSTMCell, ['units'], lstmCell);
add('RNN', RNN, ['cell'], sequence);
add('SimpleRNN', SimpleRNN, ['units'], { ...cell, ...sequence });
add('SimpleRNNCell', SimpleRNNCell, ['units'], cell);
add('Bidirectional', Bidirectional, ['forward'], { mergeMode: true, backwardLayer: true });
add('TimeDistributed', TimeDistributed, ['layer'], {});

addLayerClass({ name: 'Sequential', Class: Sequential, positional: [], make: makeSequential });
addLayerClass({ name: 'Model', Class: Model, positional: [], make: makeModel });
