/**
 * What an operation is: names for its inputs, a rule for shapes and dtypes, and a launcher that hands raw arrays to a
 * kernel. Records of this type are all that `run` knows; everything else about an op is derived from its record.
 */
import type { DType, TypedArray } from './dtype.js';
import type { Shape } from './shape.js';

/** What can be known of a tensor before it exists. */
export interface TensorType {
  readonly dtype: DType;
  readonly shape: Shape;
}

/** Where a tensor's elements lie: element (i, j, …) is data[offset + i·strides[0] + j·strides[1] + …]. */
export interface Layout {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

/** A strided view of a typed array: what launchers work with. A Tensor is one. */
export interface Strided extends TensorType, Layout {
  readonly data: TypedArray;
  readonly size: number;
  /** Row-major without gaps, starting at `offset`. */
  readonly contiguous: boolean;
}

/**
 * Which dtype the inputs are brought to before the op sees them.
 * - `same`: left as they are
 * - `common`: the smallest dtype that holds all of them (bool < int32 < float32 < float64)
 * - `number`: common, but bool becomes int32, since truth values cannot be added
 * - `float`: common, but bool and int32 become float32
 * - `commonRest`: common over all but the first input
 */
export type Promotion = 'same' | 'common' | 'number' | 'float' | 'commonRest';

/** The names of an op's inputs, or 'list' where it takes any number of tensors. */
export type InputNames = readonly string[] | 'list';

interface OpBase<Names extends InputNames, Lead extends string> {
  readonly name: string;
  readonly inputs: Names;
  readonly promotion: Promotion;
  /** The attribute that may be given directly: `sum(x, 0)` for `sum(x, { axis: 0 })`. */
  readonly lead?: Lead;
  /** The names of all other attributes: what is called anything else is an error. Default none. */
  readonly attributes?: readonly string[];
}

/** An op that computes one new tensor. */
export interface KernelOp<
  Names extends InputNames = InputNames,
  Attrs extends object = object,
  Lead extends string = string,
> extends OpBase<Names, Lead> {
  readonly kind: 'kernel';
  /** Whether each element of the result depends on the same element of the inputs alone: then they may share memory. */
  readonly elementwise?: boolean;
  /** Whether so much is computed for each element that copying to the WebAssembly heap and back pays for large inputs. */
  readonly heavy?: boolean;
  /** The axis of the result along which its kernels can add a bias as they store it; absent where they cannot. */
  biasAxis?(shape: Shape, attrs: Attrs): number;
  /** The shape and dtype of the result. @throws ShapeError, DTypeError, ValueError on inputs that do not fit */
  infer(inputs: readonly TensorType[], attrs: Attrs): TensorType;
  /** Fills `out` (contiguous; all zeros, unless the op is elementwise) from the inputs: the reference kernel. */
  launch(inputs: readonly Strided[], out: Strided, attrs: Attrs): void;
}

/** An op that computes several new tensors. */
export interface ListOp<
  Names extends InputNames = InputNames,
  Attrs extends object = object,
  Lead extends string = string,
> extends OpBase<Names, Lead> {
  readonly kind: 'list';
  /** As for a kernel op. */
  readonly heavy?: boolean;
  /** How many of the last outputs are there for the gradient rule alone; no gradient passes through these. Default 0. */
  readonly auxiliary?: number;
  infer(inputs: readonly TensorType[], attrs: Attrs): TensorType[];
  launch(inputs: readonly Strided[], outs: readonly Strided[], attrs: Attrs): void;
}

/** An op that only looks at its first input in another way: no element is copied. */
export interface ViewOp<
  Names extends InputNames = InputNames,
  Attrs extends object = object,
  Lead extends string = string,
> extends OpBase<Names, Lead> {
  readonly kind: 'view';
  /** The new layout of the same data, or null when there is none (then the input is copied to row-major order first). */
  view(input: Strided, attrs: Attrs): Layout | null;
}

/** An op that changes some of its inputs in place: the optimizers' updates. It returns nothing. */
export interface UpdateOp<
  Names extends InputNames = InputNames,
  Attrs extends object = object,
  Lead extends string = string,
> extends OpBase<Names, Lead> {
  readonly kind: 'update';
  /** Which inputs are written. They must be contiguous. */
  readonly writes: readonly number[];
  check(inputs: readonly TensorType[], attrs: Attrs): void;
  launch(inputs: readonly Strided[], attrs: Attrs): void;
}

/** Any op record. */
export type OpSpec = KernelOp | ListOp | ViewOp | UpdateOp;

/** The attributes of ops that have none. */
export type NoAttrs = object;

/** The attributes of an op, from the type of its record. */
export type AttrsOf<S> =
  S extends KernelOp<infer _N, infer A, infer _L>
    ? A
    : S extends ViewOp<infer _N, infer A, infer _L>
      ? A
      : S extends ListOp<infer _N, infer A, infer _L>
        ? A
        : S extends UpdateOp<infer _N, infer A, infer _L>
          ? A
          : never;
