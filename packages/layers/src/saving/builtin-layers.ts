/**
 * The classes of this library that saved models may be made of, each with the fields that hold its constructor's arguments.
 */
import { Attention, MultiHeadAttention } from '../attention.js';
import * as conv from '../conv.js';
import { Conv2DTranspose } from '../conv-transpose.js';
import * as core from '../core.js';
import { Embedding } from '../embedding.js';
import { Model } from '../functional.js';
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
import { addLayerClass, type LayerEntry } from './layer-classes.js';
import { makeModel, makeSequential } from './models.js';

/** By names that no bundler shortens. */
const CLASSES: Readonly<
  Record<string, readonly [Class: LayerEntry['Class'], ...fields: readonly string[]]>
> = {
  Activation: [core.Activation, 'activation'],
  Dense: [core.Dense, 'units'],
  Dropout: [core.Dropout, 'rate'],
  Flatten: [core.Flatten],
  Reshape: [core.Reshape, 'targetShape'],

  Conv1D: [conv.Conv1D, 'filters', 'kernelSize'],
  Conv2D: [conv.Conv2D, 'filters', 'kernelSize'],
  Conv2DTranspose: [Conv2DTranspose, 'filters', 'kernelSize'],
  DepthwiseConv2D: [conv.DepthwiseConv2D, 'kernelSize'],
  SeparableConv2D: [conv.SeparableConv2D, 'filters', 'kernelSize'],
  UpSampling2D: [UpSampling2D, 'size'],
  ZeroPadding2D: [ZeroPadding2D, 'padding'],

  AveragePooling1D: [pooling.AveragePooling1D, 'poolSize'],
  AveragePooling2D: [pooling.AveragePooling2D, 'poolSize'],
  GlobalAveragePooling1D: [pooling.GlobalAveragePooling1D],
  GlobalAveragePooling2D: [pooling.GlobalAveragePooling2D],
  GlobalMaxPooling1D: [pooling.GlobalMaxPooling1D],
  GlobalMaxPooling2D: [pooling.GlobalMaxPooling2D],
  MaxPooling1D: [pooling.MaxPooling1D, 'poolSize'],
  MaxPooling2D: [pooling.MaxPooling2D, 'poolSize'],

  Attention: [Attention],
  MultiHeadAttention: [MultiHeadAttention, 'numHeads', 'keyDim'],

  Add: [merge.Add],
  Average: [merge.Average],
  Concatenate: [merge.Concatenate],
  Dot: [merge.Dot],
  Maximum: [merge.Maximum],
  Minimum: [merge.Minimum],
  Multiply: [merge.Multiply],
  Subtract: [merge.Subtract],

  BatchNormalization: [BatchNormalization],
  Embedding: [Embedding, 'inputDim', 'outputDim'],
  GaussianDropout: [GaussianDropout, 'rate'],
  GaussianNoise: [GaussianNoise, 'stddev'],
  LayerNormalization: [LayerNormalization],
  Masking: [Masking],

  Bidirectional: [Bidirectional, 'forward'],
  GRU: [GRU, 'units'],
  GRUCell: [GRUCell, 'units'],
  LSTM: [LSTM, 'units'],
  LSTMCell: [LSTMCell, 'units'],
  RNN: [RNN, 'cell'],
  SimpleRNN: [SimpleRNN, 'units'],
  SimpleRNNCell: [SimpleRNNCell, 'units'],
  TimeDistributed: [TimeDistributed, 'layer'],
};

for (const [name, [Class, ...positional]] of Object.entries(CLASSES)) {
  addLayerClass({ name, Class, positional });
}
addLayerClass({ name: 'Sequential', Class: Sequential, positional: [], make: makeSequential });
addLayerClass({ name: 'Model', Class: Model, positional: [], make: makeModel });
