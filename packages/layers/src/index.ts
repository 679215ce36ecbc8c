/** @tapegrad/layers: Keras's vocabulary on Variables. */
export { FileError, NotCompiledError, UnknownNameError } from './errors.js';
export { Layer, type BatchShape, type CallContext, type LayerOptions } from './layer.js';
export { Weight, type WeightOptions } from './weight.js';
export {
  Activation,
  Dense,
  Dropout,
  Flatten,
  Reshape,
  type DenseOptions,
  type DropoutOptions,
  type FlattenOptions,
} from './core.js';
export {
  BatchNormalization,
  LayerNormalization,
  type BatchNormalizationOptions,
  type LayerNormalizationOptions,
} from './normalization.js';
export { GaussianDropout, GaussianNoise, type NoiseOptions } from './noise.js';
export { RNN, type RNNOptions, type RecurrentDropoutOptions } from './rnn.js';
export {
  GRU,
  LSTM,
  SimpleRNN,
  type GRUOptions,
  type LSTMOptions,
  type SimpleRNNOptions,
} from './recurrent.js';
export {
  GRUCell,
  LSTMCell,
  SimpleRNNCell,
  type CellOptions,
  type GRUCellOptions,
  type LSTMCellOptions,
  type RNNCell,
} from './recurrent-cells.js';
export { Bidirectional, TimeDistributed, type BidirectionalOptions } from './wrappers.js';
export { Masking, type MaskingOptions } from './masking.js';
export {
  Attention,
  MultiHeadAttention,
  type AttentionOptions,
  type MultiHeadAttentionOptions,
} from './attention.js';
export { Embedding, type EmbeddingOptions } from './embedding.js';
export {
  Add,
  Average,
  Concatenate,
  Dot,
  Maximum,
  Minimum,
  Multiply,
  Subtract,
  type ConcatenateOptions,
  type DotOptions,
} from './merge.js';
export {
  Conv1D,
  Conv2D,
  DepthwiseConv2D,
  SeparableConv2D,
  type ConvOptions,
  type ConvolutionOptions,
  type DepthwiseConvOptions,
  type GroupedConvOptions,
  type SeparableConvOptions,
} from './conv.js';
export { Conv2DTranspose, type ConvTransposeOptions } from './conv-transpose.js';
export {
  AveragePooling1D,
  AveragePooling2D,
  GlobalAveragePooling1D,
  GlobalAveragePooling2D,
  GlobalMaxPooling1D,
  GlobalMaxPooling2D,
  MaxPooling1D,
  MaxPooling2D,
  type GlobalPoolingOptions,
  type PoolingOptions,
} from './pooling.js';
export {
  UpSampling2D,
  ZeroPadding2D,
  type ImagePadding,
  type UpSamplingOptions,
} from './resizing.js';
export type { DataFormat, PerAxis, SpaceOptions } from './space.js';
export {
  BaseModel,
  type CompileOptions,
  type ProfileOptions,
  type TrainOnBatchOptions,
} from './base-model.js';
export type { ProfileEntry } from './profile.js';
export { Sequential } from './sequential.js';
import './saving/builtin-layers.js';
export { loadModel, modelFromBytes } from './saving/files.js';
export { registerLayer, type RegisterLayerOptions } from './saving/layer-classes.js';
export { registerFunction } from './saving/recipes.js';
export type { Config } from './saving/plain.js';
export type { ConfigWriter } from './saving/config.js';
export type { LoadOptions } from './saving/read.js';
export type { SaveOptions } from './saving/write.js';
export { Model, type ModelOptions } from './functional.js';
export { plotModel, type PlotModelOptions } from './plot-model.js';
export { Input, SymbolicTensor, type InputOptions } from './symbolic.js';
export { maskOf, setMask } from './masks.js';
export type { EvaluateOptions, FitOptions, Verbosity } from './fit.js';
export type { ClassWeight, DataLike } from './data.js';

// Functions by name: `losses.huber({ delta: 2 })`. Names alone will do where the standard settings are meant.
export * as activations from './activations.js';
export * as constraints from './constraints.js';
export * as initializers from './initializers.js';
export * as losses from './losses.js';
export * as metrics from './metrics.js';
export * as regularizers from './regularizers.js';
export type { ActivationId, ActivationName } from './activations.js';
export type { Constraint, ConstraintId, ConstraintName } from './constraints.js';
export type { Initializer, InitializerId, InitializerName } from './initializers.js';
export type { Loss, LossId, LossName } from './losses.js';
export type { Metric, MetricId, MetricName } from './metrics.js';
export type { Regularizer, RegularizerId, RegularizerName } from './regularizers.js';

export {
  Adadelta,
  Adagrad,
  Adam,
  AdamW,
  Adamax,
  Ftrl,
  Nadam,
  Optimizer,
  RMSprop,
  SGD,
  type OptimizerId,
  type OptimizerName,
  type OptimizerOptions,
  type OptimizerState,
} from './optimizers/index.js';
export * as schedules from './optimizers/schedules.js';
export type { Schedule } from './optimizers/schedules.js';
export * from './callbacks/index.js';
