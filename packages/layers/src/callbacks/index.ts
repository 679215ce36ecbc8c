/** Callbacks. */
export { Callback, History, type CallbackLike, type Logs, type TrainContext } from './base.js';
export { CSVLogger, type CSVLoggerOptions } from './csv-logger.js';
export { EarlyStopping, TerminateOnNaN, type EarlyStoppingOptions } from './early-stopping.js';
export {
  LearningRateScheduler,
  ReduceLROnPlateau,
  type ReduceLROnPlateauOptions,
} from './learning-rate.js';
export { type MonitorMode } from './monitor.js';
export { ModelCheckpoint, type ModelCheckpointOptions } from './model-checkpoint.js';
