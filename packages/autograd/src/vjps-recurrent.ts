/**
 * The gradient rules of whole recurrent sequences. One op goes back through time and gives the gradient dz of what went
 * into the activations of all steps; the gradients of x and of the weights are then one product each:
 *
 *     dx = dz·kernelᵀ      dkernel = xᵀ·dz      dbias = Σ dz      drecurrentKernel = Σₜ h_(t−1)ᵀ·dz_t
 *
 * dkernel and dbias come of one op, which reads dz once. The ops that go back have no rules in turn: these throw, and say how to get second derivatives.
 */
import type { TensorType } from '@tapegrad/tensor';
import { GradientError } from './errors.js';
import { ops } from './ops.js';
import type { RuleTable } from './rules.js';
import type { Variable } from './variable.js';
import { zeroOf } from './vjp-helpers.js';

/**
 * What came of going back, by the cotangents it started from. `backward` asks for the gradient of each input by itself, with
 * the same list of cotangents; an entry lives as long as that list.
 */
const passes = new WeakMap<readonly Variable[], readonly Variable[]>();

/** The gradients of kernel and bias, likewise. */
const inputWeights = new WeakMap<readonly Variable[], Variable>();

function once<T>(
  known: WeakMap<readonly Variable[], T>,
  gs: readonly Variable[],
  make: () => T,
): T {
  let result = known.get(gs);
  if (result === undefined) {
    result = make();
    known.set(gs, result);
  }
  return result;
}

/** All steps of all samples as the rows of one matrix. */
function rows(x: Variable): Variable {
  return x.reshape([x.shape[0] * x.shape[1], x.shape[2]]);
}

/** aᵀ·b over all steps. */
function overSteps(a: Variable, b: Variable): Variable {
  return ops.matmul(rows(a), rows(b), { transposeA: true });
}

/** The state before each step, [batch, time, units], in the order of x. */
function statesBefore(initial: Variable, sequence: Variable, goBackwards = false): Variable {
  const [batch, time, units] = sequence.shape;
  if (time === 0) return sequence;
  const earlier = sequence.slice({ begin: [0, 0, 0], size: [batch, time - 1, units] });
  const before = ops.concat([initial.expandDims(1), earlier], { axis: 1 });
  return goBackwards ? before.flip(1) : before;
}

/** Some rows of a matrix. */
function rowsOf(x: Variable, from: number, count: number): Variable {
  return x.slice({ begin: [from, 0], size: [count, x.shape[1]] });
}

/** What kernel and bias of an input x are there for, and dz, from which their gradients come. */
interface InputWeights {
  readonly gs: readonly Variable[];
  readonly x: Variable;
  readonly dz: Variable;
}

/** [dkernel; dbias], once for both. */
function affineGradient({ gs, x, dz }: InputWeights): Variable {
  return once(inputWeights, gs, () => ops.affineGrad(rows(x), rows(dz)));
}

const isNone = (bias: TensorType): boolean => bias.shape[0] === 0;

/** xᵀ·dz */
function kernelGradient(weights: InputWeights, bias: TensorType): Variable {
  const { x, dz } = weights;
  return isNone(bias) ? overSteps(x, dz) : rowsOf(affineGradient(weights), 0, x.shape[2]);
}

/** Σ dz, a vector */
function biasGradient(weights: InputWeights, bias: TensorType): Variable {
  if (isNone(bias)) return zeroOf(bias);
  const { x, dz } = weights;
  return rowsOf(affineGradient(weights), x.shape[2], 1).reshape([dz.shape[2]]);
}

/** The rule of every input of an op that goes back through time. */
function refuse(op: string): () => never {
  return () => {
    throw new GradientError(
      `backward: '${op}' goes back through time in one step and has no second derivative. Make the layer with ` +
        `{ unroll: true }: the same steps from elementary ops, which can be differentiated any number of times.`,
    );
  };
}

const refuseRNN = refuse('simpleRNNGrad');
const refuseLSTM = refuse('lstmGrad');
const refuseGRU = refuse('gruGrad');

/** The ops whose rules throw. */
export type RefusingOp = 'simpleRNNGrad' | 'lstmGrad' | 'gruGrad';

interface RNNValues {
  readonly recurrentKernel: Variable;
  readonly mask: Variable;
  readonly out: readonly Variable[];
}

function backRNN(
  gs: readonly Variable[],
  { out, recurrentKernel, mask }: RNNValues,
  attrs: { goBackwards?: boolean },
): readonly Variable[] {
  return once(passes, gs, () =>
    ops.simpleRNNGrad(gs[0], gs[1], out[0], recurrentKernel, mask, attrs),
  );
}

function backLSTM(
  gs: readonly Variable[],
  { out, recurrentKernel, initialCell, mask }: RNNValues & { readonly initialCell: Variable },
  attrs: { goBackwards?: boolean },
): readonly Variable[] {
  return once(passes, gs, () =>
    ops.lstmGrad(gs[0], gs[1], gs[2], out[3], out[4], recurrentKernel, initialCell, mask, attrs),
  );
}

function backGRU(
  gs: readonly Variable[],
  { out, recurrentKernel, initial, mask }: RNNValues & { readonly initial: Variable },
  attrs: { goBackwards?: boolean; resetAfter?: boolean },
): readonly Variable[] {
  return once(passes, gs, () =>
    ops.gruGrad(gs[0], gs[1], out[0], out[2], recurrentKernel, initial, mask, attrs),
  );
}

/** [dz, dr] comes from the state, dc from r·h, which the op has kept as the last quarter of its gates. */
function resetBeforeGradient(before: Variable, gates: Variable, dRecurrent: Variable): Variable {
  const [batch, time, units] = before.shape;
  const part = (x: Variable, from: number, size: number): Variable =>
    x.slice({ begin: [0, 0, from * units], size: [batch, time, size * units] });
  return ops.concat(
    [
      overSteps(before, part(dRecurrent, 0, 2)),
      overSteps(part(gates, 3, 1), part(dRecurrent, 2, 1)),
    ],
    { axis: 1 },
  );
}

export const recurrentVjps = {
  simpleRNN: {
    saves: ['x', 'kernel', 'recurrentKernel', 'initial', 'mask', 'out'],
    x: (gs, saved, { attrs }) =>
      ops.matmul(backRNN(gs, saved, attrs)[0], saved.kernel, { transposeB: true }),
    kernel: (gs, saved, { attrs, types }) =>
      kernelGradient({ gs, x: saved.x, dz: backRNN(gs, saved, attrs)[0] }, types.bias),
    recurrentKernel: (gs, saved, { attrs }) =>
      overSteps(
        statesBefore(saved.initial, saved.out[0], attrs.goBackwards),
        backRNN(gs, saved, attrs)[0],
      ),
    bias: (gs, saved, { attrs, types }) =>
      biasGradient({ gs, x: saved.x, dz: backRNN(gs, saved, attrs)[0] }, types.bias),
    initial: (gs, saved, { attrs }) => backRNN(gs, saved, attrs)[1],
    mask: null,
  },
  lstm: {
    saves: ['x', 'kernel', 'recurrentKernel', 'initial', 'initialCell', 'mask', 'out'],
    x: (gs, saved, { attrs }) =>
      ops.matmul(backLSTM(gs, saved, attrs)[0], saved.kernel, { transposeB: true }),
    kernel: (gs, saved, { attrs, types }) =>
      kernelGradient({ gs, x: saved.x, dz: backLSTM(gs, saved, attrs)[0] }, types.bias),
    recurrentKernel: (gs, saved, { attrs }) =>
      overSteps(
        statesBefore(saved.initial, saved.out[0], attrs.goBackwards),
        backLSTM(gs, saved, attrs)[0],
      ),
    bias: (gs, saved, { attrs, types }) =>
      biasGradient({ gs, x: saved.x, dz: backLSTM(gs, saved, attrs)[0] }, types.bias),
    initial: (gs, saved, { attrs }) => backLSTM(gs, saved, attrs)[1],
    initialCell: (gs, saved, { attrs }) => backLSTM(gs, saved, attrs)[2],
    mask: null,
  },
  gru: {
    saves: ['x', 'kernel', 'recurrentKernel', 'initial', 'mask', 'out'],
    x: (gs, saved, { attrs }) =>
      ops.matmul(backGRU(gs, saved, attrs)[0], saved.kernel, { transposeB: true }),
    kernel: (gs, saved, { attrs, types }) =>
      kernelGradient({ gs, x: saved.x, dz: backGRU(gs, saved, attrs)[0] }, types.bias),
    recurrentKernel: (gs, saved, { attrs }) => {
      const before = statesBefore(saved.initial, saved.out[0], attrs.goBackwards);
      const [, dRecurrent] = backGRU(gs, saved, attrs);
      return (attrs.resetAfter ?? true)
        ? overSteps(before, dRecurrent)
        : resetBeforeGradient(before, saved.out[2], dRecurrent);
    },
    bias: (gs, saved, { attrs, types }) => {
      const [dInput, dRecurrent] = backGRU(gs, saved, attrs);
      const ofInput = biasGradient({ gs, x: saved.x, dz: dInput }, types.bias);
      return types.bias.shape.length < 2 ? ofInput : ops.stack([ofInput, dRecurrent.sum([0, 1])]);
    },
    initial: (gs, saved, { attrs }) => backGRU(gs, saved, attrs)[2],
    mask: null,
  },
  affineGrad: {
    saves: ['x', 'dz'],
    x: (g, { x, dz }) => ops.matmul(dz, rowsOf(g, 0, x.shape[1]), { transposeB: true }),
    dz: (g, { x }) => x.matmul(rowsOf(g, 0, x.shape[1])).add(rowsOf(g, x.shape[1], 1)),
  },
  simpleRNNGrad: {
    saves: [],
    gSequence: refuseRNN,
    gState: refuseRNN,
    sequence: refuseRNN,
    recurrentKernel: refuseRNN,
    mask: null,
  },
  lstmGrad: {
    saves: [],
    gSequence: refuseLSTM,
    gState: refuseLSTM,
    gCell: refuseLSTM,
    cells: refuseLSTM,
    gates: refuseLSTM,
    recurrentKernel: refuseLSTM,
    initialCell: refuseLSTM,
    mask: null,
  },
  gruGrad: {
    saves: [],
    gSequence: refuseGRU,
    gState: refuseGRU,
    sequence: refuseGRU,
    gates: refuseGRU,
    recurrentKernel: refuseGRU,
    initial: refuseGRU,
    mask: null,
  },
} satisfies Partial<RuleTable>;
