/**
 * Symbolic tensors: a shape and where it comes from, without values. Layers applied to them make a plan of a model.
 */
import { ShapeError, formatShape, type DType } from '@tapegrad/tensor';
import { checkSizes } from './checks.js';
import type { BatchShape, Layer } from './layer.js';
import { checkOptions } from './registry.js';

/** One use of a layer in a plan. A layer used twice has two, with the same weights. */
export interface LayerUse {
  readonly layer: Layer;
  readonly inputs: readonly SymbolicTensor[];
}

/** What a layer will give, once there are values. */
export class SymbolicTensor {
  constructor(
    /** null where the size is not known before data come. */
    readonly shape: BatchShape,
    readonly dtype: DType,
    /** The name of the input, or of the layer it comes from. */
    readonly name: string,
    /** null for an input of the model. */
    readonly use: LayerUse | null = null,
    /** Which of the layer's outputs this is. */
    readonly index = 0,
  ) {}

  toString(): string {
    return `symbolic ${formatShape(this.shape)}, from ${this.name}`;
  }
}

export interface InputOptions {
  /** The shape of one sample. */
  shape?: readonly (number | null)[];
  /** The shape of a batch, where the batch size is fixed. */
  batchShape?: BatchShape;
  /** Default float32. */
  dtype?: DType;
  name?: string;
}

let inputs = 0;

/**
 * An input of a functional model.
 *
 * @throws ShapeError unless exactly one of shape and batchShape is given; UnknownNameError for other options
 * @example
 * Input({ shape: [784] }).shape; // [null, 784]
 */
export function Input(options: InputOptions): SymbolicTensor {
  checkOptions('Input', options, ['shape', 'batchShape', 'dtype', 'name']);
  const { shape, batchShape, dtype = 'float32', name } = options;
  if ((shape === undefined) === (batchShape === undefined)) {
    throw new ShapeError('Input: give either shape, of one sample, or batchShape, of a batch.');
  }
  if (shape !== undefined) checkSizes('Input', 'shape', shape, '[784] (without the batch)');
  if (batchShape !== undefined) checkSizes('Input', 'batchShape', batchShape, '[null, 784]');
  const automatic = inputs++ === 0 ? 'input' : `input_${inputs - 1}`;
  return new SymbolicTensor(batchShape ?? [null, ...(shape ?? [])], dtype, name ?? automatic);
}
