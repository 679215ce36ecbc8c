/**
 * How values flow through a model, as data: what `summary` and `plotModel` show.
 */
import type { BatchShape, Layer } from './layer.js';

/** One use of a layer, with the places of its inputs and outputs among the values. */
export interface FlowStep {
  readonly layer: Layer;
  readonly from: readonly number[];
  readonly to: readonly number[];
}

/** The values of a model are numbered: its inputs first, then the outputs of each step. */
export interface ModelFlow {
  /** The shape of each value. */
  readonly shapes: readonly BatchShape[];
  /** Each use of a layer, in the order in which they run. */
  readonly steps: readonly FlowStep[];
  /** Which values are the model's outputs. */
  readonly outputs: readonly number[];
}
