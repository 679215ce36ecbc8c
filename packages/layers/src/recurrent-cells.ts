/**
 * The cells of recurrent layers: what happens in one time step, and the same for a whole sequence as one op.
 */
import {
  ShapeError,
  ValueError,
  formatShape,
  zeros,
  type Shape,
  type Tensor,
} from '@tapegrad/tensor';
import { Variable, ops } from '@tapegrad/autograd';
import { getActivation, sigmoid, tanh, type Activation, type ActivationId } from './activations.js';
import { checkCount } from './checks.js';
import type { ConstraintId } from './constraints.js';
import { getInitializer, type Initializer, type InitializerId } from './initializers.js';
import { Layer, type BatchShape, type CallContext, type LayerOptions } from './layer.js';
import type { Weight } from './weight.js';
import type { RegularizerId } from './regularizers.js';

/**
 * What `RNN` needs of a cell: a layer whose `callAll` takes [x, ...states] of one time step to [output, ...new states], all
 * [batch, size].
 */
export interface RNNCell extends Layer {
  /** The size of each state. */
  readonly stateSizes: readonly number[];
  /** The size of the output. Default that of the first state. */
  readonly outputSize?: number;
}

export interface CellOptions extends LayerOptions {
  /** Of the new state, or the candidate for it. Default 'tanh'. */
  activation?: ActivationId;
  /** Default true. */
  useBias?: boolean;
  /** Default 'glorotUniform'. */
  kernelInitializer?: InitializerId;
  /** Default 'orthogonal'. */
  recurrentInitializer?: InitializerId;
  /** Default 'zeros'. */
  biasInitializer?: InitializerId;
  kernelRegularizer?: RegularizerId;
  recurrentRegularizer?: RegularizerId;
  biasRegularizer?: RegularizerId;
  kernelConstraint?: ConstraintId;
  recurrentConstraint?: ConstraintId;
  biasConstraint?: ConstraintId;
}

/** What a cell's sequence op gives. */
export interface SequenceResult {
  /** The output of every step, [batch, time, units]. */
  readonly sequence: Variable;
  /** The states after the last step. */
  readonly states: readonly Variable[];
}

/** A bias initializer for several gates, of which some begin with ones. */
function perGate(id: InitializerId, ones: readonly boolean[]): Initializer {
  const initializer = getInitializer(id);
  const one = getInitializer('ones');
  return ([size], options) => {
    const shape = [size / ones.length];
    return ops.concat(ones.map((isOne) => (isOne ? one : initializer)(shape, options))).value;
  };
}

/**
 * The built-in cells: weights for a number of gates side by side, kernel [in, gates·units], recurrentKernel
 * [units, gates·units], bias.
 */
export abstract class GateCell extends Layer implements RNNCell {
  readonly units: number;
  readonly stateSizes: readonly number[];
  protected readonly activation: Activation;
  private weightsMade: {
    readonly kernel: Weight;
    readonly recurrentKernel: Weight;
    readonly bias: Weight | null;
  } | null = null;

  constructor(
    units: number,
    protected readonly options: CellOptions,
    private readonly gates: number,
    states: number,
  ) {
    super(options);
    this.units = checkCount(this.name, 'units', units);
    this.stateSizes = new Array<number>(states).fill(units);
    this.activation = getActivation(options.activation ?? 'tanh');
  }

  override build(inputShape: BatchShape): void {
    const features = inputShape[inputShape.length - 1];
    if (inputShape.length !== 2 || features === null) {
      throw new ShapeError(
        `${this.name}: a step needs inputs [batch, features] with known features; got ${formatShape(inputShape)}.`,
      );
    }
    const { options, units } = this;
    const width = this.gates * units;
    const kernel = this.addWeight('kernel', [features, width], {
      initializer: options.kernelInitializer ?? 'glorotUniform',
      regularizer: options.kernelRegularizer,
      constraint: options.kernelConstraint,
    });
    const recurrentKernel = this.addWeight('recurrentKernel', [units, width], {
      initializer: options.recurrentInitializer ?? 'orthogonal',
      regularizer: options.recurrentRegularizer,
      constraint: options.recurrentConstraint,
    });
    const bias =
      (options.useBias ?? true)
        ? this.addWeight('bias', this.biasShape(width), {
            initializer: this.biasInitializer(),
            regularizer: options.biasRegularizer,
            constraint: options.biasConstraint,
          })
        : null;
    this.weightsMade = { kernel, recurrentKernel, bias };
  }

  override buildAll(inputShapes: readonly BatchShape[]): void {
    this.build(inputShapes[0]);
  }

  protected biasShape(width: number): Shape {
    return [width];
  }

  protected biasInitializer(): InitializerId {
    return this.options.biasInitializer ?? 'zeros';
  }

  protected get made(): NonNullable<typeof this.weightsMade> {
    if (this.weightsMade === null)
      throw new ShapeError(`${this.name}: call apply(), which makes the weights first.`);
    return this.weightsMade;
  }

  /** The size of the inputs that the weights were made for; null before. */
  get features(): number | null {
    return this.weightsMade?.kernel.shape[0] ?? null;
  }

  /** The bias as the ops take it: empty for none. */
  protected get biasOrNone(): Variable {
    return this.made.bias ?? new Variable(zeros([0], this.dtype));
  }

  /** The share of the input in the gates, of one step or of all: x·kernel + bias. */
  project(x: Variable): Variable {
    const { kernel, bias } = this.made;
    const product = ops.matmul(x, kernel);
    return bias === null ? product : product.add(bias);
  }

  /**
   * The states after one step, of which the first is the output.
   *
   * @param projected `project(x)` of the step
   * @param h what the recurrent kernel multiplies: the first state, perhaps with some of it dropped
   */
  abstract step(projected: Variable, states: readonly Variable[], h: Variable): Variable[];

  /** Whether `sequence` computes what the steps do: only for tanh and sigmoid. */
  get hasSequence(): boolean {
    return this.activation === tanh;
  }

  /** All steps as one op. The mask [batch, time] may be empty. */
  abstract sequence(
    x: Variable,
    states: readonly Variable[],
    mask: Tensor,
    goBackwards: boolean,
  ): SequenceResult;

  override callAll(inputs: readonly Variable[], _context: CallContext): readonly Variable[] {
    const [x, ...states] = inputs;
    if (states.length !== this.stateSizes.length) {
      throw new ShapeError(
        `${this.name}: a step takes [x, ${this.stateSizes.map((_, i) => `state${i}`).join(', ')}]; got ` +
          `${inputs.length} input${inputs.length === 1 ? '' : 's'}.`,
      );
    }
    const next = this.step(this.project(x), states, states[0]);
    return [next[0], ...next];
  }

  override computeOutputShapes([[batch]]: readonly BatchShape[]): readonly BatchShape[] {
    return [this.units, ...this.stateSizes].map((size) => [batch, size]);
  }
}

/**
 * One step of a simple recurrent layer: h' = activation(x·kernel + h·recurrentKernel + bias).
 *
 * @example
 * new SimpleRNNCell(2).applyAll([variable([[1]]), variable([[0, 0]])]).length; // 2
 */
export class SimpleRNNCell extends GateCell {
  constructor(units: number, options: CellOptions = {}) {
    super(units, options, 1, 1);
  }

  override step(projected: Variable, _states: readonly Variable[], h: Variable): Variable[] {
    return [this.activation(projected.add(ops.matmul(h, this.made.recurrentKernel)))];
  }

  override sequence(
    x: Variable,
    [initial]: readonly Variable[],
    mask: Tensor,
    goBackwards: boolean,
  ): SequenceResult {
    const { kernel, recurrentKernel } = this.made;
    const [sequence, state] = ops.simpleRNN(
      x,
      kernel,
      recurrentKernel,
      this.biasOrNone,
      initial,
      mask,
      {
        goBackwards,
      },
    );
    return { sequence, states: [state] };
  }
}

export interface LSTMCellOptions extends CellOptions {
  /** Of the gates. Default 'sigmoid'. */
  recurrentActivation?: ActivationId;
  /** Whether the bias of the forget gate begins with ones (Jozefowicz et al. 2015). Default true. */
  unitForgetBias?: boolean;
}

/**
 * One step of long short-term memory, gates in the order input i, forget f, candidate g, output o:
 * c' = f·c + i·g, h' = o·activation(c').
 *
 * @example
 * new LSTMCell(2).applyAll([variable([[1]]), variable([[0, 0]]), variable([[0, 0]])]).length; // 3
 */
export class LSTMCell extends GateCell {
  private readonly gate: Activation;

  constructor(
    units: number,
    protected override readonly options: LSTMCellOptions = {},
  ) {
    super(units, options, 4, 2);
    this.gate = getActivation(options.recurrentActivation ?? 'sigmoid');
  }

  protected override biasInitializer(): InitializerId {
    const { biasInitializer = 'zeros', unitForgetBias = true } = this.options;
    return unitForgetBias ? perGate(biasInitializer, [false, true, false, false]) : biasInitializer;
  }

  override get hasSequence(): boolean {
    return super.hasSequence && this.gate === sigmoid;
  }

  override step(projected: Variable, [, cell]: readonly Variable[], h: Variable): Variable[] {
    const z = projected.add(ops.matmul(h, this.made.recurrentKernel));
    const [i, f, g, o] = z.split(4, { axis: -1 });
    const next = this.gate(f)
      .mul(cell)
      .add(this.gate(i).mul(this.activation(g)));
    return [this.gate(o).mul(this.activation(next)), next];
  }

  override sequence(
    x: Variable,
    [initial, initialCell]: readonly Variable[],
    mask: Tensor,
    goBackwards: boolean,
  ): SequenceResult {
    const { kernel, recurrentKernel } = this.made;
    // prettier-ignore
    const [sequence, ...rest] = ops.lstm(
      x, kernel, recurrentKernel, this.biasOrNone, initial, initialCell, mask, { goBackwards },
    );
    return { sequence, states: rest.slice(0, 2) };
  }
}

export interface GRUCellOptions extends CellOptions {
  /** Of the gates. Default 'sigmoid'. */
  recurrentActivation?: ActivationId;
  /**
   * Whether the reset gate multiplies h·recurrentKernel, which then has a bias of its own (bias is [2, 3·units]), and not h
   * before the product. Default true.
   */
  resetAfter?: boolean;
}

/**
 * One step of a gated recurrent unit, gates in the order update z, reset r, candidate c: h' = z·h + (1 − z)·c.
 *
 * @example
 * new GRUCell(2).applyAll([variable([[1]]), variable([[0, 0]])]).length; // 2
 */
export class GRUCell extends GateCell {
  private readonly gate: Activation;
  private readonly resetAfter: boolean;

  constructor(units: number, options: GRUCellOptions = {}) {
    super(units, options, 3, 1);
    this.gate = getActivation(options.recurrentActivation ?? 'sigmoid');
    this.resetAfter = options.resetAfter ?? true;
    if (typeof this.resetAfter !== 'boolean')
      throw new ValueError(
        `${this.name}: resetAfter is true or false; got ${String(options.resetAfter)}.`,
      );
  }

  protected override biasShape(width: number): Shape {
    return this.resetAfter ? [2, width] : [width];
  }

  override get hasSequence(): boolean {
    return super.hasSequence && this.gate === sigmoid;
  }

  /** Row 0 of the bias, for the input, or row 1, for the product with the state. */
  private biasRow(row: 0 | 1): Variable | null {
    const { bias } = this.made;
    if (bias === null || !this.resetAfter) return row === 0 ? bias : null;
    return bias.slice({ begin: [row, 0], size: [1, -1] });
  }

  override project(x: Variable): Variable {
    const product = ops.matmul(x, this.made.kernel);
    const bias = this.biasRow(0);
    return bias === null ? product : product.add(bias);
  }

  override step(projected: Variable, [state]: readonly Variable[], h: Variable): Variable[] {
    const { recurrentKernel } = this.made;
    const { units } = this;
    const [xz, xr, xc] = projected.split(3, { axis: -1 });
    const mix = (z: Variable, c: Variable): Variable[] => [z.mul(state).add(z.neg().add(1).mul(c))];
    if (this.resetAfter) {
      const bias = this.biasRow(1);
      const product = ops.matmul(h, recurrentKernel);
      const [hz, hr, hc] = (bias === null ? product : product.add(bias)).split(3, { axis: -1 });
      const r = this.gate(xr.add(hr));
      return mix(this.gate(xz.add(hz)), this.activation(xc.add(r.mul(hc))));
    }
    const [toGates, toCandidate] = recurrentKernel.split([2 * units, units], { axis: -1 });
    const [hz, hr] = ops.matmul(h, toGates).split(2, { axis: -1 });
    const r = this.gate(xr.add(hr));
    return mix(this.gate(xz.add(hz)), this.activation(xc.add(ops.matmul(r.mul(h), toCandidate))));
  }

  override sequence(
    x: Variable,
    [initial]: readonly Variable[],
    mask: Tensor,
    goBackwards: boolean,
  ): SequenceResult {
    const { kernel, recurrentKernel } = this.made;
    const { resetAfter } = this;
    const [sequence, state] = ops.gru(x, kernel, recurrentKernel, this.biasOrNone, initial, mask, {
      goBackwards,
      resetAfter,
    });
    return { sequence, states: [state] };
  }
}
