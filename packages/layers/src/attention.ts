/**
 * Attention: each place of a sequence takes in what it needs of the places of another, or of the same (Vaswani et al. 2017).
 */
import {
  ShapeError,
  arange,
  formatShape,
  ops as tensorOps,
  type Generator,
  type Tensor,
} from '@tapegrad/tensor';
import { type Variable, ops } from '@tapegrad/autograd';
import { checkCount, checkRate } from './checks.js';
import type { ConstraintId } from './constraints.js';
import { dropped } from './dropout.js';
import type { InitializerId } from './initializers.js';
import { Layer, type BatchShape, type CallContext, type LayerOptions } from './layer.js';
import type { Weight } from './weight.js';
import { maskOf, setMask } from './masks.js';
import type { RegularizerId } from './regularizers.js';

interface CommonOptions extends LayerOptions {
  /** The share of the scores that are dropped while training. Default 0. */
  dropout?: number;
  /** Whether a place sees no later ones than itself. Default false. */
  useCausalMask?: boolean;
  /** Whether the scores are a second output. Default false. */
  returnAttentionScores?: boolean;
  /** Where dropout has its random numbers from. Default: the default generator's stream 'dropout'. */
  generator?: Generator;
}

/** The inputs of an attention layer; those that were left out are those before them. */
interface Roles<T> {
  readonly query: T;
  readonly value: T;
  readonly key: T;
}

/** A masked score: e to the power of it is 0 beside any other. */
const NEVER = -1e9;

/** What both layers have in common. */
abstract class AttentionBase extends Layer {
  private readonly dropout: number;
  protected readonly returnsScores: boolean;

  constructor(
    private readonly settings: CommonOptions,
    /** How many inputs there may be. */
    private readonly most: number,
  ) {
    super(settings);
    this.dropout = checkRate(this.name, settings.dropout ?? 0);
    this.returnsScores = settings.returnAttentionScores ?? false;
  }

  /** Who is who among the inputs. @throws ShapeError unless they go together */
  protected roles<T>(inputs: readonly T[], shapeOf: (x: T) => BatchShape): Roles<T> {
    if (inputs.length < 1 || inputs.length > this.most) {
      throw new ShapeError(
        `${this.name}: takes up to ${this.most} inputs; got ${inputs.length}. Their order is query, value, key` +
          `${this.most > 3 ? ', attentionMask' : ''}.`,
      );
    }
    const [query, value = query, key = value] = inputs;
    const roles = { query, value, key };
    const [q, v, k] = [query, value, key].map(shapeOf);
    const differ = (a: number | null, b: number | null): boolean =>
      a !== null && b !== null && a !== b;
    if ([q, v, k].some(({ length }) => length !== 3)) {
      throw this.misfit([q, v, k], 'needs inputs [batch, time, features]');
    }
    if (differ(q[0], v[0]) || differ(v[0], k[0]))
      throw this.misfit([q, v, k], 'needs batches of the same size');
    if (differ(v[1], k[1]))
      throw this.misfit(
        [q, v, k],
        'each place of the value must have a key, so their times must be equal',
      );
    return roles;
  }

  protected misfit([q, v, k]: readonly BatchShape[], reason: string): ShapeError {
    return new ShapeError(
      `${this.name}: ${reason}; got query ${formatShape(q)}, value ${formatShape(v)} and key ${formatShape(k)}.`,
    );
  }

  /**
   * The mean of the values, weighted with the softmax of the scores query·keyᵀ.
   *
   * @param mask true where attention is allowed; broadcasts with the scores [..., query, value]
   */
  protected attend(
    { query, value, key }: Roles<Variable>,
    mask: Tensor | null,
    { training }: CallContext,
  ): { result: Variable; scores: Variable } {
    const products = ops.matmul(query, key, { transposeB: true });
    const allowed = mask === null ? products : ops.where(mask, products, NEVER);
    const softmax = allowed.softmax(-1);
    const scores =
      training && this.dropout > 0
        ? dropped(softmax, this.dropout, this.settings.generator)
        : softmax;
    return { result: ops.matmul(scores, value), scores };
  }

  /** [1, query, value]: true up to the query's own place. Null when all is to be seen. */
  protected causalMask(query: number, value: number): Tensor | null {
    if (!(this.settings.useCausalMask ?? false)) return null;
    const places = arange(0, query, 1, 'int32').reshape([1, query, 1]);
    return places.greaterEqual(arange(0, value, 1, 'int32'));
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return this.computeOutputShapes([inputShape])[0];
  }
}

/** Where all masks allow it. */
function all(masks: readonly (Tensor | null)[]): Tensor | null {
  return masks.reduce((a, b) => (a === null || b === null ? (a ?? b) : a.logicalAnd(b)), null);
}

/** A mask [batch, time] as [batch, 1, time] or, for queries, [batch, time, 1]. */
function alongScores(mask: Tensor | null, axis: 1 | 2): Tensor | null {
  return mask === null ? null : tensorOps.expandDims(mask, axis === 1 ? 2 : 1);
}

export interface AttentionOptions extends CommonOptions {
  /** Whether the scores are multiplied by a weight, which begins as 1. Default false. */
  useScale?: boolean;
}

/**
 * Dot-product attention (Luong et al. 2015): softmax(query·keyᵀ)·value.
 *
 * Inputs: query [batch, q, d], value [batch, v, e], and key [batch, v, d], which by default is the value; of a single input each
 * place attends to all. Masks of value and key (in Keras 3 of the value alone) leave their places out; a masked query has a result
 * of 0.
 * Output: [batch, q, e]; with `returnAttentionScores` also [batch, q, v]. Weight: scale [], with `useScale`.
 *
 * @throws ShapeError for inputs that do not go together
 * @example
 * const [query, value] = [variable([[[1, 0]]]), variable([[[2, 4], [2, 8]]])];
 * new Attention().apply([query, value]).toArray(); // [[[2, 6]]]
 */
export class Attention extends AttentionBase {
  private scale: Weight | null = null;

  constructor(private readonly options: AttentionOptions = {}) {
    super(options, 3);
  }

  override buildAll(inputShapes: readonly BatchShape[]): void {
    const { query, value, key } = this.roles(inputShapes, (shape) => shape);
    if (query[2] !== key[2])
      throw this.misfit([query, value, key], 'query and key must have the same features');
    if (this.options.useScale ?? false)
      this.scale = this.addWeight('scale', [], { initializer: 'ones' });
  }

  override callAll(inputs: readonly Variable[], context: CallContext): readonly Variable[] {
    const { query, value, key } = this.roles(inputs, (x) => x.shape);
    if (query.shape[2] !== key.shape[2]) {
      const shapes = [query.shape, value.shape, key.shape];
      throw this.misfit(shapes, 'query and key must have the same features');
    }
    const mask = all([
      alongScores(maskOf(value), 2),
      alongScores(maskOf(key), 2),
      this.causalMask(query.shape[1], value.shape[1]),
    ]);
    const scaled = this.scale === null ? query : query.mul(this.scale);
    const { result, scores } = this.attend({ query: scaled, value, key }, mask, context);
    const there = maskOf(query);
    const output = there === null ? result : ops.where(there.expandDims(2), result, 0);
    setMask(output, there);
    return this.returnsScores ? [output, scores] : [output];
  }

  override computeOutputShapes(inputShapes: readonly BatchShape[]): readonly BatchShape[] {
    const { query, value } = this.roles(inputShapes, (shape) => shape);
    const output = [query[0], query[1], value[2]];
    return this.returnsScores ? [output, [query[0], query[1], value[1]]] : [output];
  }
}

export interface MultiHeadAttentionOptions extends CommonOptions {
  /** The features of each head's values. Default keyDim. */
  valueDim?: number | null;
  /** The features of the result. Default those of the query. */
  outputShape?: number;
  /** Default true. */
  useBias?: boolean;
  /** Default 'glorotUniform'. */
  kernelInitializer?: InitializerId;
  /** Default 'zeros'. */
  biasInitializer?: InitializerId;
  kernelRegularizer?: RegularizerId;
  biasRegularizer?: RegularizerId;
  kernelConstraint?: ConstraintId;
  biasConstraint?: ConstraintId;
}

/** A product with a kernel, and a bias. */
interface Projection {
  readonly kernel: Weight;
  readonly bias: Weight | null;
}

/**
 * Attention with several heads (Vaswani et al. 2017, section 3.2): each projects query, key and value, attends, and the
 * heads' results are projected together. Scores are softmax(query·keyᵀ / √keyDim).
 *
 * Inputs: query [batch, q, in], value [batch, v, …], key [batch, v, …], which by default is the value, and attentionMask
 * [batch, q, v] or [batch, heads, q, v], which is true (or not 0) where attention is allowed. A single input attends to itself. Masks
 * of the inputs leave their places out. Where nothing is allowed all scores are equal (in Keras 3.15 they are 0). What Keras has
 * as arguments of the call, `useCausalMask` and `returnAttentionScores`, are options here.
 *
 * Output: [batch, q, in]; with `returnAttentionScores` also [batch, heads, q, v].
 *
 * Weights: queryKernel, keyKernel [in, heads, keyDim], valueKernel [in, heads, valueDim], outputKernel [heads, valueDim, in],
 * each followed by its bias.
 *
 * @throws ShapeError for inputs that do not go together
 * @throws ValueError unless numHeads, keyDim and valueDim are whole numbers of 1 or more
 * @example
 * const x = variable(zeros([2, 5, 8]));
 * new MultiHeadAttention(4, 2).apply([x, x]).shape; // [2, 5, 8]
 */
export class MultiHeadAttention extends AttentionBase {
  readonly numHeads: number;
  readonly keyDim: number;
  readonly valueDim: number;
  private projections: (Roles<Projection> & { readonly output: Projection }) | null = null;

  constructor(
    numHeads: number,
    keyDim: number,
    private readonly options: MultiHeadAttentionOptions = {},
  ) {
    super(options, 4);
    this.numHeads = checkCount(this.name, 'numHeads', numHeads);
    this.keyDim = checkCount(this.name, 'keyDim', keyDim);
    this.valueDim = checkCount(this.name, 'valueDim', options.valueDim ?? keyDim);
    if (options.outputShape !== undefined)
      checkCount(this.name, 'outputShape', options.outputShape);
  }

  override buildAll(inputShapes: readonly BatchShape[]): void {
    const { query, value, key } = this.roles(inputShapes, (shape) => shape);
    const features = [query, value, key].map((shape) => shape[2]);
    const [ofQuery, ofValue, ofKey] = features.map((size) => {
      if (size === null)
        throw this.misfit([query, value, key], 'needs inputs with a known last axis');
      return size;
    });
    const { numHeads, keyDim, valueDim } = this;
    const output = this.options.outputShape ?? ofQuery;
    this.projections = {
      query: this.projection('query', [ofQuery, numHeads, keyDim], [numHeads, keyDim]),
      key: this.projection('key', [ofKey, numHeads, keyDim], [numHeads, keyDim]),
      value: this.projection('value', [ofValue, numHeads, valueDim], [numHeads, valueDim]),
      output: this.projection('output', [numHeads, valueDim, output], [output]),
    };
  }

  private projection(name: string, kernelShape: number[], biasShape: number[]): Projection {
    const { options } = this;
    const kernel = this.addWeight(`${name}Kernel`, kernelShape, {
      initializer: options.kernelInitializer,
      regularizer: options.kernelRegularizer,
      constraint: options.kernelConstraint,
    });
    if (!(options.useBias ?? true)) return { kernel, bias: null };
    const bias = this.addWeight(`${name}Bias`, biasShape, {
      initializer: options.biasInitializer ?? 'zeros',
      regularizer: options.biasRegularizer,
      constraint: options.biasConstraint,
    });
    return { kernel, bias };
  }

  override callAll(inputs: readonly Variable[], context: CallContext): readonly Variable[] {
    const { projections } = this;
    if (projections === null)
      throw new ShapeError(`${this.name}: call apply(), which makes the weights first.`);
    const { query, value, key } = this.roles(inputs, (x) => x.shape);
    const shapes = [query.shape, value.shape, key.shape];
    const built = [projections.query, projections.value, projections.key].map(
      ({ kernel }) => kernel.shape[0],
    );
    if (shapes.some((shape, i) => shape[2] !== built[i])) {
      throw this.misfit(
        shapes,
        `was built for ${built.join(', ')} features of query, value and key`,
      );
    }
    const heads = {
      query: intoHeads(query, projections.query).div(Math.sqrt(this.keyDim)),
      value: intoHeads(value, projections.value),
      key: intoHeads(key, projections.key),
    };
    const mask = this.mask(query, value, key, inputs.at(3) ?? null);
    const { result, scores } = this.attend(heads, mask, context);
    const output = outOfHeads(result, projections.output);
    setMask(output, maskOf(query));
    return this.returnsScores ? [output, scores] : [output];
  }

  /** Where attention is allowed, with axes [batch, heads, query, value]; null for everywhere. */
  private mask(
    query: Variable,
    value: Variable,
    key: Variable,
    given: Variable | null,
  ): Tensor | null {
    const [batch, q, v] = [query.shape[0], query.shape[1], value.shape[1]];
    const shared = all([
      alongScores(maskOf(query), 1),
      alongScores(maskOf(value), 2),
      alongScores(maskOf(key), 2),
      this.causalMask(q, v),
    ]);
    const ofAllHeads = shared === null ? null : shared.expandDims(1);
    if (given === null) return ofAllHeads;
    const fits = [
      [batch, q, v],
      [batch, this.numHeads, q, v],
    ].some((shape) => formatShape(shape) === formatShape(given.shape));
    if (!fits) {
      throw new ShapeError(
        `${this.name}: attentionMask must be [batch, query, value] = ${formatShape([batch, q, v])}, or that for each head, ` +
          `${formatShape([batch, this.numHeads, q, v])}; got ${formatShape(given.shape)}.`,
      );
    }
    const allowed = given.dtype === 'bool' ? given.value : given.value.notEqual(0);
    return all([allowed.rank === 3 ? allowed.expandDims(1) : allowed, ofAllHeads]);
  }

  override computeOutputShapes(inputShapes: readonly BatchShape[]): readonly BatchShape[] {
    const { query, value } = this.roles(inputShapes, (shape) => shape);
    const output = [query[0], query[1], this.options.outputShape ?? query[2]];
    return this.returnsScores ? [output, [query[0], this.numHeads, query[1], value[1]]] : [output];
  }
}

/** [batch, time, in] → [batch, heads, time, dim] */
function intoHeads(x: Variable, { kernel, bias }: Projection): Variable {
  const [size, heads, dim] = kernel.shape;
  const [batch, time] = x.shape;
  const flat = ops.matmul(x, kernel.reshape([size, heads * dim]));
  const split = flat.reshape([batch, time, heads, dim]);
  return (bias === null ? split : split.add(bias)).transpose([0, 2, 1, 3]);
}

/** [batch, heads, time, dim] → [batch, time, out] */
function outOfHeads(x: Variable, { kernel, bias }: Projection): Variable {
  const [heads, dim, size] = kernel.shape;
  const [batch, , time] = x.shape;
  const joined = x.transpose([0, 2, 1, 3]).reshape([batch, time, heads * dim]);
  const output = ops.matmul(joined, kernel.reshape([heads * dim, size]));
  return bias === null ? output : output.add(bias);
}
