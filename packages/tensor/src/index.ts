/** @tapegrad/tensor: numbers, shapes, ops and kernels. Knows no gradients. */
export {
  TapegradError,
  ShapeError,
  DTypeError,
  ValueError,
  WorkerError,
  IndexError,
  FormatError,
  RecordingError,
  formatShape,
  formatChoices,
  shown,
} from './errors.js';
export { isFloat, promote, DTYPES, type DType, type TypedArray } from './dtype.js';
export type { Axes, Shape } from './shape.js';
export { Tensor, type NestedArray } from './tensor.js';
export {
  tensor,
  scalar,
  zeros,
  ones,
  full,
  zerosLike,
  onesLike,
  eye,
  arange,
  linspace,
  type TensorLike,
  type TensorOptions,
} from './create.js';
export { decodeNpy, encodeNpy } from './formats/npy.js';
export { decodeSafetensors, encodeSafetensors, type Safetensors } from './formats/safetensors.js';
export { ops, type OpFunctions, type OpMethods } from './functions.js';
export { Generator, setSeed, defaultGenerator, type GeneratorState } from './random.js';

export { getBackend, getThreads, setBackend, type Backend } from './backend.js';
export { OutOfMemoryError } from './kernels/wasm/heap.js';
export { peakRates, type PeakRates } from './peak.js';
export { setThreads } from './threads.js';
export { CompiledStep, typesKey } from './compiled-step.js';
export { Program, type ProfileRow, type ProgramCall } from './program.js';

// For those who build on the op records, as autograd does.
export {
  run,
  recordCalls,
  duringRun,
  outsideRecording,
  isRecordingStep,
  type Call,
} from './run.js';
export { specs, opNames, type OpName, type Specs } from './ops/index.js';
export type {
  AttrsOf,
  InputNames,
  KernelOp,
  Layout,
  ListOp,
  OpSpec,
  Promotion,
  Strided,
  TensorType,
  UpdateOp,
  ViewOp,
} from './op.js';
export {
  deriveFunctions,
  installMethods,
  splitArguments,
  type AnyFunction,
  dtypeForPlain,
  dtypeOfTensors,
  toTensor,
} from './functions.js';
export {
  parseEquation,
  reflectIndices,
  repeatIndices,
  resolveSlice,
  splitSizes,
  nadamMomentum,
} from './ops/attributes.js';
export { gatherAxis } from './loops.js';
export {
  checkDataFormat,
  checkGroups,
  checkPadding,
  perAxis,
  windowsAlong,
  type DataFormat,
  type Padding,
} from './ops/windows.js';
export { SELU_ALPHA, SELU_SCALE } from './kernels/js/elementwise.js';
export {
  broadcastShapes,
  normalizeAxes,
  normalizeAxis,
  reducedShape,
  sameShape,
  sizeOf,
} from './shape.js';
