/** @tapegrad/plots: pictures of data and of training, as SVG, PNG, HTML, or in a page. */
export { scatter, type ScatterOptions } from './scatter.js';
export { line } from './line.js';
export { history, type HistoryOptions, type TrainingHistory } from './history.js';
export { imageGrid, type ImageGridOptions, type Images } from './image-grid.js';
export { confusionMatrix, type ConfusionMatrixOptions } from './confusion-matrix.js';
export { codes, type CodesOptions } from './codes.js';
export { frames, type FramesOptions } from './frames.js';
export { sideBySide, type SideBySideOptions } from './side-by-side.js';
export type { Picture, PlaneOptions, PointOptions, Series } from './picture.js';
export type { Domain, Numbers, Rows } from './data.js';
export { PlotError } from './errors.js';
