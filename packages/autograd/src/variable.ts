/**
 * The Variable: a tensor that remembers where it came from.
 */
import {
  DTypeError,
  Tensor,
  isFloat,
  run,
  specs,
  tensor,
  type DType,
  type NestedArray,
  type Shape,
  type TensorLike,
  type TensorOptions,
} from '@tapegrad/tensor';
import { backward, type BackwardOptions } from './backward.js';
import { GradientError } from './errors.js';
import type { GraphNode } from './node.js';

/** What differentiable functions take: a Variable, or anything that makes a tensor. */
export type VariableLike = Variable | TensorLike;

/**
 * A tensor in a graph. Ops on Variables give Variables that know how they were computed; `backward()` walks from a result
 * back to the leaves and adds the gradients to their `grad`.
 *
 * Every op is a method: `x.mul(w).sum()`.
 *
 * @example
 * const w = variable([1, 2, 3]);
 * w.square().sum().backward();
 * w.grad?.toArray(); // [2, 4, 6]
 */
export class Variable {
  /** The gradient that backward has added up so far; null before the first. Set it back with `zeroGrad`. */
  grad: Variable | null = null;

  /** Not for users: `variable(...)` makes leaves, ops make the rest. */
  constructor(
    private tensor: Tensor,
    /** Whether backward brings a gradient here. May be switched on leaves, to freeze a weight. */
    public requiresGrad = false,
    /** The op that computed this; null for a leaf. */
    readonly node: GraphNode | null = null,
    /** Which of the node's outputs this is. */
    readonly slot = 0,
  ) {
    if (requiresGrad && !isFloat(tensor.dtype)) {
      throw new DTypeError(
        `variable: only float32 and float64 have gradients; got ${tensor.dtype}. Pass { requiresGrad: false }.`,
      );
    }
  }

  /** The tensor. */
  get value(): Tensor {
    return this.tensor;
  }

  get shape(): Shape {
    return this.tensor.shape;
  }

  get dtype(): DType {
    return this.tensor.dtype;
  }

  /** The number of axes. */
  get rank(): number {
    return this.tensor.rank;
  }

  /** The number of elements. */
  get size(): number {
    return this.tensor.size;
  }

  /** The only element as a number. @throws ShapeError when there is not exactly one */
  item(): number {
    return this.tensor.item();
  }

  toArray(): NestedArray {
    return this.tensor.toArray();
  }

  /**
   * Adds the gradient of this value to the `grad` of every leaf that it depends on.
   *
   * @param cotangent the weight of each element; may be left out for a scalar, where it is 1
   * @param options `retainGraph` keeps the graph for another backward; `createGraph` makes the gradients differentiable
   * @throws GradientError for a value without a graph, a freed graph, a saved value changed in place, or a result that is no
   *   scalar when there is no cotangent
   */
  backward(cotangent?: VariableLike, options: BackwardOptions = {}): void {
    backward(this, cotangent, options);
  }

  /** Forgets the gradient. */
  zeroGrad(): void {
    this.grad = null;
  }

  /**
   * Writes new elements into this leaf, in place; a graph that still needs the old ones says so in backward.
   *
   * @throws ShapeError unless the shape is the same
   * @throws GradientError for a value that was computed
   */
  assign(value: TensorLike): void {
    if (this.node !== null) {
      throw new GradientError(
        `assign: only leaves can be assigned to; this value was computed by '${this.node.name}'.`,
      );
    }
    run(specs.assign, [this.tensor, tensor(value)], {});
  }

  /** The same value without its history: no gradient passes through it. Shares memory. */
  detach(): Variable {
    return new Variable(this.tensor);
  }

  toString(): string {
    const origin = this.requiresGrad ? ', requiresGrad' : '';
    return this.tensor.toString(
      'variable',
      this.node === null ? origin : `, from ${this.node.name}`,
    );
  }

  /** What Node's console.log shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }
}

/** As for `tensor`; and whether backward should bring a gradient here (it should, unless said otherwise). */
export interface VariableOptions extends TensorOptions {
  requiresGrad?: boolean;
}

/**
 * Makes a leaf of the graph from anything that makes a tensor. It has memory of its own: changing it in place changes nothing else.
 *
 * @throws DTypeError for int32 and bool unless `requiresGrad` is false
 * @example
 * variable([1, 2]).requiresGrad; // true
 */
export function variable(values: TensorLike, options: DType | VariableOptions = {}): Variable {
  const { requiresGrad = true, ...rest } =
    typeof options === 'string' ? { dtype: options } : options;
  const made = tensor(values, rest);
  // Numbers and nested arrays have been copied already.
  const shares = typeof values === 'object' && !Array.isArray(values);
  return new Variable(shares ? run(specs.copy, [made], {}) : made, requiresGrad);
}

let recording = true;

/** Whether ops note how they were computed: false inside `noGrad`. */
export function isRecording(): boolean {
  return recording;
}

/** Runs `body` with recording switched on or off, and puts it back afterwards. */
export function withRecording<T>(on: boolean, body: () => T): T {
  const before = recording;
  recording = on;
  try {
    return body();
  } finally {
    recording = before;
  }
}

/**
 * Runs `body` without recording: what it computes has no gradient and keeps nothing alive.
 *
 * @throws GradientError when `body` is async: what it does after its first await would be recorded
 * @example
 * noGrad(() => variable([1]).mul(2)).requiresGrad; // false
 */
export function noGrad<T>(body: () => T): T {
  const result = withRecording(false, body);
  if (result instanceof Promise) {
    throw new GradientError(
      'noGrad: the body must not be async, since recording goes on at its first await; await outside and compute inside.',
    );
  }
  return result;
}

/** Anything variable-like as a Variable; what is none becomes a constant. @example toVariable([1, 2]).requiresGrad; // false */
export function toVariable(value: VariableLike, dtype?: DType): Variable {
  if (value instanceof Variable) return value;
  return new Variable(value instanceof Tensor ? value : tensor(value, { dtype }));
}
