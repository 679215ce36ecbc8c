/**
 * Recurrent layers over whole sequences, with tanh and sigmoid, each as one op; and the ops that go back through time.
 *
 * Shapes: x [batch, time, features], kernel [features, gates·units], recurrentKernel [units, gates·units], states
 * [batch, units]. An empty bias or mask (`[]`) is none. The mask [batch, time] is 0 where a step is to keep the state.
 */
import { ShapeError, formatShape } from '../errors.js';
import * as gruKernels from '../kernels/js/recurrent-gru.js';
import * as lstmKernels from '../kernels/js/recurrent-lstm.js';
import * as rnnKernels from '../kernels/js/recurrent.js';
import { asContiguous } from '../loops.js';
import type { TypedArray } from '../dtype.js';
import type { KernelOp, ListOp, NoAttrs, Strided, TensorType } from '../op.js';
import { sameShape, type Shape } from '../shape.js';

/** The settings that all recurrent ops have. */
export interface RecurrentAttrs {
  /** From the last time step to the first; the sequence of outputs stays in that order. Default false. */
  goBackwards?: boolean;
}

/** The settings of a GRU. */
export interface GRUAttrs extends RecurrentAttrs {
  /** Whether the reset gate multiplies h·recurrentKernel (with a bias of its own) and not h before the product. Default true. */
  resetAfter?: boolean;
}

interface Sizes {
  readonly batch: number;
  readonly time: number;
  readonly features: number;
  readonly units: number;
}

function mismatch(name: string, what: string, expected: string, x: TensorType): ShapeError {
  return new ShapeError(`${name}: ${what} must be ${expected}; got ${formatShape(x.shape)}.`);
}

const isEmpty = (x: TensorType): boolean => x.shape.length === 1 && x.shape[0] === 0;

/** Checks the inputs of a forward op. @throws ShapeError naming the input that does not fit */
function checkInputs(
  name: string,
  gates: number,
  inputs: readonly TensorType[],
  biasShape: (units: number) => Shape,
): Sizes {
  const [x, kernel, recurrent, bias] = inputs;
  const states = inputs.slice(4, -1);
  const mask = inputs[inputs.length - 1];
  if (x.shape.length !== 3) throw mismatch(name, 'x', '[batch, time, features]', x);
  const [batch, time, features] = x.shape;
  const units = recurrent.shape[0] ?? 0;
  const width = gates * units;
  const wanted = gates === 1 ? '[units, units]' : `[units, ${gates}·units]`;
  if (recurrent.shape.length !== 2 || recurrent.shape[1] !== width)
    throw mismatch(name, 'recurrentKernel', wanted, recurrent);
  if (!sameShape(kernel.shape, [features, width])) {
    const expected = `${formatShape([features, width])}, for ${features} features and ${units} units`;
    throw mismatch(name, 'kernel', expected, kernel);
  }
  if (!isEmpty(bias) && !sameShape(bias.shape, biasShape(units)))
    throw mismatch(name, 'bias', `${formatShape(biasShape(units))}, or empty for none`, bias);
  for (const state of states) {
    if (!sameShape(state.shape, [batch, units]))
      throw mismatch(
        name,
        'an initial state',
        `[batch, units], ${formatShape([batch, units])}`,
        state,
      );
  }
  checkMask(name, mask, batch, time);
  return { batch, time, features, units };
}

function checkMask(name: string, mask: TensorType, batch: number, time: number): void {
  if (!isEmpty(mask) && !sameShape(mask.shape, [batch, time]))
    throw mismatch(
      name,
      'mask',
      `[batch, time], ${formatShape([batch, time])}, or empty for none`,
      mask,
    );
}

/** Checks the inputs of a backward op: a sequence [batch, time, units], then what must have given shapes. */
function checkGradient(
  name: string,
  sequence: TensorType,
  mask: TensorType,
  others: (sizes: Sizes) => readonly (readonly [string, TensorType, Shape])[],
): Sizes {
  if (sequence.shape.length !== 3)
    throw mismatch(name, 'gSequence', '[batch, time, units]', sequence);
  const [batch, time, units] = sequence.shape;
  const sizes = { batch, time, units, features: 0 };
  for (const [what, x, shape] of others(sizes)) {
    if (!sameShape(x.shape, shape)) throw mismatch(name, what, formatShape(shape), x);
  }
  checkMask(name, mask, batch, time);
  return sizes;
}

/** The elements of x, row-major from index 0. */
function elements(x: Strided): TypedArray {
  const { data, offset, size } = asContiguous(x);
  return offset === 0 ? data : data.subarray(offset, offset + size);
}

/** The same of a bias or a mask; null for none. */
function optional(x: Strided): TypedArray | null {
  return isEmpty(x) ? null : elements(x);
}

const RNN_INPUTS = ['x', 'kernel', 'recurrentKernel', 'bias', 'initial', 'mask'] as const;

/**
 * A simple recurrent layer over a whole sequence: h_t = tanh(x_t·kernel + h_(t−1)·recurrentKernel + bias).
 * Outputs: the sequence of h [batch, time, units], and the last h [batch, units].
 * @throws ShapeError naming the input that does not fit
 * @example ops.simpleRNN([[[1], [0]]], [[1]], [[1]], [], [[0]], [])[0]; // [[[0.7616], [0.642]]]
 */
export const simpleRNN: ListOp<typeof RNN_INPUTS, RecurrentAttrs, never> = {
  kind: 'list',
  name: 'simpleRNN',
  attributes: ['goBackwards'],
  heavy: true,
  inputs: RNN_INPUTS,
  promotion: 'float',
  infer: (inputs) => {
    const { batch, time, units } = checkInputs('simpleRNN', 1, inputs, (n) => [n]);
    const { dtype } = inputs[0];
    return [
      { dtype, shape: [batch, time, units] },
      { dtype, shape: [batch, units] },
    ];
  },
  launch: (
    [x, kernel, recurrent, bias, initial, mask],
    [sequence, state],
    { goBackwards = false },
  ) => {
    const [batch, time, features] = x.shape;
    // prettier-ignore
    rnnKernels.simpleRNN(
      batch, time, features, recurrent.shape[0], elements(x), elements(kernel), elements(recurrent), optional(bias),
      elements(initial), optional(mask), goBackwards, elements(sequence), elements(state),
    );
  },
};

const RNN_GRAD_INPUTS = ['gSequence', 'gState', 'sequence', 'recurrentKernel', 'mask'] as const;

/**
 * Back through time: from the gradients of simpleRNN's outputs to those of x·kernel [batch, time, units] (in the order of
 * x) and of the initial state [batch, units].
 * @throws ShapeError naming the input that does not fit
 * @example ops.simpleRNNGrad([[[1]]], [[0]], [[[0.5]]], [[2]], [])[1]; // [[1.5]]
 */
export const simpleRNNGrad: ListOp<typeof RNN_GRAD_INPUTS, RecurrentAttrs, never> = {
  kind: 'list',
  name: 'simpleRNNGrad',
  attributes: ['goBackwards'],
  heavy: true,
  inputs: RNN_GRAD_INPUTS,
  promotion: 'float',
  infer: ([gSequence, gState, sequence, recurrent, mask]) => {
    checkGradient('simpleRNNGrad', gSequence, mask, ({ batch, units }) => [
      ['gState', gState, [batch, units]],
      ['sequence', sequence, gSequence.shape],
      ['recurrentKernel', recurrent, [units, units]],
    ]);
    return [gSequence, gState].map(({ dtype, shape }) => ({ dtype, shape }));
  },
  launch: (
    [gSequence, gState, sequence, recurrent, mask],
    [dz, dInitial],
    { goBackwards = false },
  ) => {
    const [batch, time, units] = gSequence.shape;
    // prettier-ignore
    rnnKernels.simpleRNNGrad(
      batch, time, units, elements(gSequence), elements(gState), elements(sequence), elements(recurrent),
      optional(mask), goBackwards, elements(dz), elements(dInitial),
    );
  },
};

// prettier-ignore
const LSTM_INPUTS = ['x', 'kernel', 'recurrentKernel', 'bias', 'initial', 'initialCell', 'mask'] as const;

/**
 * Long short-term memory over a whole sequence, gates in the order input, forget, candidate, output: i, f, g, o of
 * x_t·kernel + h_(t−1)·recurrentKernel + bias; c_t = f·c_(t−1) + i·g; h_t = o·tanh(c_t).
 * Outputs: the sequence of h [batch, time, units]; the last h and the last c [batch, units]; and for the gradient alone the
 * sequence of c, and i, f, g, o and tanh c [batch, time, 5·units].
 * @throws ShapeError naming the input that does not fit
 * @example ops.lstm([[[1]]], [[1, 1, 1, 1]], [[0, 0, 0, 0]], [], [[0]], [[0]], [])[1]; // [[0.3696]]
 */
export const lstm: ListOp<typeof LSTM_INPUTS, RecurrentAttrs, never> = {
  kind: 'list',
  name: 'lstm',
  attributes: ['goBackwards'],
  heavy: true,
  inputs: LSTM_INPUTS,
  promotion: 'float',
  auxiliary: 2,
  infer: (inputs) => {
    const { batch, time, units } = checkInputs('lstm', 4, inputs, (n) => [4 * n]);
    const { dtype } = inputs[0];
    return [
      { dtype, shape: [batch, time, units] },
      { dtype, shape: [batch, units] },
      { dtype, shape: [batch, units] },
      { dtype, shape: [batch, time, units] },
      { dtype, shape: [batch, time, 5 * units] },
    ];
  },
  launch: (
    [x, kernel, recurrent, bias, initial, initialCell, mask],
    [sequence, state, cell, cells, gates],
    { goBackwards = false },
  ) => {
    const [batch, time, features] = x.shape;
    // prettier-ignore
    lstmKernels.lstm(
      batch, time, features, recurrent.shape[0], elements(x), elements(kernel), elements(recurrent), optional(bias),
      elements(initial), elements(initialCell), optional(mask), goBackwards,
      elements(sequence), elements(state), elements(cell), elements(cells), elements(gates),
    );
  },
};

// prettier-ignore
const LSTM_GRAD_INPUTS = [
  'gSequence', 'gState', 'gCell', 'cells', 'gates', 'recurrentKernel', 'initialCell', 'mask',
] as const;

/**
 * Back through time: from the gradients of lstm's first three outputs to those of x·kernel [batch, time, 4·units] (in the
 * order of x), the initial state and the initial cell [batch, units].
 * @throws ShapeError naming the input that does not fit
 * @example ops.lstmGrad([[[1]]], [[0]], [[0]], [[[0]]], [[[0.5, 0.5, 0, 0.5, 0]]], [[0, 0, 1, 0]], [[0]], [])[0]; // [[[0, 0, 0.25, 0]]]
 */
export const lstmGrad: ListOp<typeof LSTM_GRAD_INPUTS, RecurrentAttrs, never> = {
  kind: 'list',
  name: 'lstmGrad',
  attributes: ['goBackwards'],
  heavy: true,
  inputs: LSTM_GRAD_INPUTS,
  promotion: 'float',
  infer: ([gSequence, gState, gCell, cells, gates, recurrent, initialCell, mask]) => {
    const { batch, time, units } = checkGradient(
      'lstmGrad',
      gSequence,
      mask,
      ({ batch, time, units }) => [
        ['gState', gState, [batch, units]],
        ['gCell', gCell, [batch, units]],
        ['cells', cells, gSequence.shape],
        ['gates', gates, [batch, time, 5 * units]],
        ['recurrentKernel', recurrent, [units, 4 * units]],
        ['initialCell', initialCell, [batch, units]],
      ],
    );
    const { dtype } = gSequence;
    return [
      { dtype, shape: [batch, time, 4 * units] },
      { dtype, shape: [batch, units] },
      { dtype, shape: [batch, units] },
    ];
  },
  launch: (
    [gSequence, gState, gCell, cells, gates, recurrent, initialCell, mask],
    [dz, dInitial, dInitialCell],
    { goBackwards = false },
  ) => {
    const [batch, time, units] = gSequence.shape;
    // prettier-ignore
    lstmKernels.lstmGrad(
      batch, time, units, elements(gSequence), elements(gState), elements(gCell), elements(cells), elements(gates),
      elements(recurrent), elements(initialCell), optional(mask), goBackwards,
      elements(dz), elements(dInitial), elements(dInitialCell),
    );
  },
};

/**
 * Gated recurrent units over a whole sequence, gates in the order update z, reset r, candidate c:
 * h_t = z·h_(t−1) + (1 − z)·c. With resetAfter the bias is [2, 3·units], for the input and for the product with h; else
 * [3·units].
 * Outputs: the sequence of h [batch, time, units]; the last h [batch, units]; and for the gradient alone z, r, c and what r
 * acts on or gives [batch, time, 4·units].
 * @throws ShapeError naming the input that does not fit
 * @example ops.gru([[[1]]], [[0, 0, 1]], [[0, 0, 0]], [], [[0]], [])[1]; // [[0.3808]]
 */
export const gru: ListOp<typeof RNN_INPUTS, GRUAttrs, never> = {
  kind: 'list',
  name: 'gru',
  attributes: ['resetAfter', 'goBackwards'],
  heavy: true,
  inputs: RNN_INPUTS,
  promotion: 'float',
  auxiliary: 1,
  infer: (inputs, { resetAfter = true }) => {
    const { batch, time, units } = checkInputs('gru', 3, inputs, (n) =>
      resetAfter ? [2, 3 * n] : [3 * n],
    );
    const { dtype } = inputs[0];
    return [
      { dtype, shape: [batch, time, units] },
      { dtype, shape: [batch, units] },
      { dtype, shape: [batch, time, 4 * units] },
    ];
  },
  launch: (
    [x, kernel, recurrent, bias, initial, mask],
    [sequence, state, gates],
    { goBackwards = false, resetAfter = true },
  ) => {
    const [batch, time, features] = x.shape;
    // prettier-ignore
    gruKernels.gru(
      batch, time, features, recurrent.shape[0], elements(x), elements(kernel), elements(recurrent), optional(bias),
      elements(initial), optional(mask), goBackwards, resetAfter,
      elements(sequence), elements(state), elements(gates),
    );
  },
};

// prettier-ignore
const GRU_GRAD_INPUTS = ['gSequence', 'gState', 'sequence', 'gates', 'recurrentKernel', 'initial', 'mask'] as const;

/**
 * Back through time: from the gradients of gru's first two outputs to those of x·kernel and of the product with the
 * recurrent kernel [batch, time, 3·units] (in the order of x), and of the initial state [batch, units].
 * @throws ShapeError naming the input that does not fit
 * @example ops.gruGrad([[[1]]], [[0]], [[[0]]], [[[0.5, 0.5, 0, 0]]], [[0, 0, 0]], [[0]], [])[2]; // [[0.5]]
 */
export const gruGrad: ListOp<typeof GRU_GRAD_INPUTS, GRUAttrs, never> = {
  kind: 'list',
  name: 'gruGrad',
  attributes: ['resetAfter', 'goBackwards'],
  heavy: true,
  inputs: GRU_GRAD_INPUTS,
  promotion: 'float',
  infer: ([gSequence, gState, sequence, gates, recurrent, initial, mask]) => {
    const { batch, time, units } = checkGradient(
      'gruGrad',
      gSequence,
      mask,
      ({ batch, time, units }) => [
        ['gState', gState, [batch, units]],
        ['sequence', sequence, gSequence.shape],
        ['gates', gates, [batch, time, 4 * units]],
        ['recurrentKernel', recurrent, [units, 3 * units]],
        ['initial', initial, [batch, units]],
      ],
    );
    const { dtype } = gSequence;
    return [
      { dtype, shape: [batch, time, 3 * units] },
      { dtype, shape: [batch, time, 3 * units] },
      { dtype, shape: [batch, units] },
    ];
  },
  launch: (
    [gSequence, gState, sequence, gates, recurrent, initial, mask],
    [dInput, dRecurrent, dInitial],
    { goBackwards = false, resetAfter = true },
  ) => {
    const [batch, time, units] = gSequence.shape;
    // prettier-ignore
    gruKernels.gruGrad(
      batch, time, units, elements(gSequence), elements(gState), elements(sequence), elements(gates),
      elements(recurrent), elements(initial), optional(mask), goBackwards, resetAfter,
      elements(dInput), elements(dRecurrent), elements(dInitial),
    );
  },
};

/**
 * The gradients of the weights of z = x·kernel + bias, from x [rows, features] and the gradient of z [rows, width]: that of the
 * kernel, and below it as one more row that of the bias, [features + 1, width].
 * @throws ShapeError unless both are matrices of as many rows
 * @example ops.affineGrad([[1], [2]], [[3, 4], [5, 6]]); // [[13, 16], [8, 10]]
 */
export const affineGrad: KernelOp<readonly ['x', 'dz'], NoAttrs, never> = {
  kind: 'kernel',
  name: 'affineGrad',
  heavy: true,
  inputs: ['x', 'dz'],
  promotion: 'float',
  infer: ([x, dz]) => {
    if (x.shape.length !== 2) throw mismatch('affineGrad', 'x', '[rows, features]', x);
    const [rows, features] = x.shape;
    if (dz.shape.length !== 2 || dz.shape[0] !== rows)
      throw mismatch('affineGrad', 'dz', `[${rows}, width], of as many rows as x`, dz);
    return { dtype: x.dtype, shape: [features + 1, dz.shape[1]] };
  },
  launch: ([x, dz], out) => {
    const [rows, features] = x.shape;
    rnnKernels.affineGrad(rows, features, dz.shape[1], elements(x), elements(dz), elements(out));
  },
};
