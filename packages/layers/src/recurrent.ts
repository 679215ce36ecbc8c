/**
 * Recurrent layers with built-in cells.
 */
import type { LayerOptions } from './layer.js';
import {
  GRUCell,
  LSTMCell,
  SimpleRNNCell,
  type CellOptions,
  type GRUCellOptions,
  type LSTMCellOptions,
} from './recurrent-cells.js';
import { RNN, type RNNOptions, type RecurrentDropoutOptions } from './rnn.js';

export interface SimpleRNNOptions extends CellOptions, RNNOptions, RecurrentDropoutOptions {}
export interface LSTMOptions extends LSTMCellOptions, RNNOptions, RecurrentDropoutOptions {}
export interface GRUOptions extends GRUCellOptions, RNNOptions, RecurrentDropoutOptions {}

/** The options of the layer's cell: those that are not about sequences. */
function ofCell<O extends RNNOptions & RecurrentDropoutOptions>(
  options: O,
  name: string,
): Omit<O, Exclude<keyof (RNNOptions & RecurrentDropoutOptions), keyof LayerOptions>> {
  const own = { ...options, name };
  delete own.returnSequences;
  delete own.returnState;
  delete own.goBackwards;
  delete own.stateful;
  delete own.unroll;
  delete own.dropout;
  delete own.recurrentDropout;
  return own;
}

/** The options of the copy that goes the other way. */
function mirror<O extends RNNOptions>(layer: RNN, options: O): O {
  return { ...options, name: `backward_${layer.name}`, goBackwards: !options.goBackwards };
}

/**
 * A simple recurrent layer (Elman 1990): h_t = activation(x_t·kernel + h_(t−1)·recurrentKernel + bias).
 *
 * Shapes as for `RNN`, one state h; weights kernel [in, units], recurrentKernel [units, units], bias [units]. With tanh
 * the whole sequence is one op; other activations, recurrent dropout and `unroll` take the steps one by one.
 *
 * @throws ValueError unless units is a whole number of 1 or more
 * @example
 * new SimpleRNN(4).apply(zeros([2, 5, 3])).shape; // [2, 4]
 */
export class SimpleRNN extends RNN {
  constructor(
    readonly units: number,
    protected override readonly options: SimpleRNNOptions = {},
  ) {
    super((name) => new SimpleRNNCell(units, ofCell(options, name)), options);
  }

  override mirrored(): SimpleRNN {
    return new SimpleRNN(this.units, mirror(this, this.options));
  }
}

/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997, with forget gate): see `LSTMCell`.
 *
 * Shapes as for `RNN`, states h and c; weights kernel [in, 4·units], recurrentKernel [units, 4·units], bias [4·units], gates
 * in the order input, forget, candidate, output. With tanh and sigmoid the whole sequence is one op; other activations,
 * recurrent dropout and `unroll` take the steps one by one.
 *
 * @throws ValueError unless units is a whole number of 1 or more
 * @example
 * new LSTM(4, { returnSequences: true }).apply(zeros([2, 5, 3])).shape; // [2, 5, 4]
 */
export class LSTM extends RNN {
  constructor(
    readonly units: number,
    protected override readonly options: LSTMOptions = {},
  ) {
    super((name) => new LSTMCell(units, ofCell(options, name)), options);
  }

  override mirrored(): LSTM {
    return new LSTM(this.units, mirror(this, this.options));
  }
}

/**
 * Gated recurrent units (Cho et al. 2014): see `GRUCell`.
 *
 * Shapes as for `RNN`, one state h; weights kernel [in, 3·units], recurrentKernel [units, 3·units], bias [2, 3·units] or
 * without `resetAfter` [3·units], gates in the order update, reset, candidate. With tanh and sigmoid the whole sequence is
 * one op; other activations, recurrent dropout and `unroll` take the steps one by one.
 *
 * @throws ValueError unless units is a whole number of 1 or more
 * @example
 * new GRU(4, { returnState: true }).applyAll(zeros([2, 5, 3])).map((y) => y.shape); // [[2, 4], [2, 4]]
 */
export class GRU extends RNN {
  constructor(
    readonly units: number,
    protected override readonly options: GRUOptions = {},
  ) {
    super((name) => new GRUCell(units, ofCell(options, name)), options);
  }

  override mirrored(): GRU {
    return new GRU(this.units, mirror(this, this.options));
  }
}
