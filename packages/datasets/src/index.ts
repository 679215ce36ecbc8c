/** @tapegrad/datasets: the data of the tutorial, and what one needs to feed data to a model. */
export { mnist, type Mnist, type MnistOptions } from './mnist.js';
export {
  encodeIdx,
  idxToTensor,
  parseIdx,
  readIdx,
  type IdxArray,
  type IdxArrays,
  type IdxDType,
} from './idx.js';
export { DatasetError, DownloadError, IdxError, type DownloadFailure } from './errors.js';
