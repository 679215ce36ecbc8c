/** @tapegrad/datasets: the data of the tutorial, and what one needs to feed data to a model. */
export { mnist, type Mnist, type MnistOptions } from './mnist.js';
export { line, type LineOptions } from './line.js';
export { sineWindows, type SineBatch, type SineOptions } from './sine.js';
export { batches, type Batch, type BatchData, type Batches, type BatchOptions } from './batches.js';
export { toCategorical } from './categorical.js';
export { trainTestSplit, type SplitOptions } from './split.js';
export type { RandomOptions } from './random.js';
export {
  encodeIdx,
  idxToTensor,
  parseIdx,
  readIdx,
  type IdxArray,
  type IdxArrays,
  type IdxDType,
} from './idx.js';
export { decodeNpz, encodeNpz } from './npz.js';
export { DatasetError, DownloadError, IdxError, type DownloadFailure } from './errors.js';
