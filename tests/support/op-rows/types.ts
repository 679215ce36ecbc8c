/** The rows of the table of ops: inputs to try, and what must come out. */
import { DTYPES, type AttrsOf, type DType, type OpName, type Specs } from '@tapegrad/tensor';
import { build, type Naive } from '../naive.js';
import { Numbers } from '../numbers.js';

/** An input of an op; one without a dtype may have any. */
export interface Sample extends Naive {
  readonly dtype?: DType;
}

/** One call of an op. */
export interface Case<A extends object = object> {
  readonly inputs: readonly Sample[];
  /** Or a function that makes them, where a call uses them up. */
  readonly attrs?: A | (() => A);
}

/** A call on tensors without elements, or with results without elements. */
export interface EmptyCase<A extends object = object> {
  readonly inputs: readonly (readonly number[])[];
  readonly attrs?: A;
  /** What NumPy gives. */
  readonly shape: readonly number[];
  /** The value of every element of the result, if it has any. */
  readonly fill?: number;
}

/** The dtype of the (first) result by the dtype of the inputs. */
export type ResultDTypes = Readonly<Record<DType, DType>>;

export interface OpRow<A extends object = object> {
  readonly cases: readonly Case<A>[];
  /** Null where there is no result. */
  readonly dtypes: ResultDTypes | null;
  readonly empty?: readonly EmptyCase<A>[];
  /**
   * The definition once more, written as plainly as can be; for ops that the golden files do not have. For an update in
   * place it gives all inputs as they are afterwards.
   */
  readonly expected?: (inputs: readonly Naive[], attrs: A) => Naive | Naive[];
  /**
   * The op whose gradient rule consists of this one. Its definition is then that gradient: the check of the rule by
   * differences compares it.
   */
  readonly gradientOf?: OpName;
}

/** One row for each op: a missing one does not compile. */
export type OpRows = { readonly [K in OpName]: OpRow<AttrsOf<Specs[K]>> };

const table = (result: (dtype: DType) => DType): ResultDTypes => ({
  bool: result('bool'),
  int32: result('int32'),
  float32: result('float32'),
  float64: result('float64'),
});

/** The dtype stays. */
export const SAME = table((dtype) => dtype);
/** Truth values are counted as whole numbers. */
export const NUMBER = table((dtype) => (dtype === 'bool' ? 'int32' : dtype));
/** Whole numbers become float32. */
export const FLOAT = table((dtype) => (dtype === 'float64' ? 'float64' : 'float32'));
/** One dtype whatever the inputs are. */
export const always = (dtype: DType): ResultDTypes => table(() => dtype);

/** The dtype that holds two others, as NumPy has it but for int32 with float32, which stays float32. */
export const common = (a: DType, b: DType): DType =>
  DTYPES[Math.max(DTYPES.indexOf(a), DTYPES.indexOf(b))];

const numbers = new Numbers(20240229);

/** Numbers from [low, high) with three decimals: short, so that float32 and float64 hold nearly the same. */
export function uniform(shape: readonly number[], low = -2, high = 2): Sample {
  return build(shape, () => Math.round((low + (high - low) * numbers.next()) * 1000) / 1000);
}

/** Different numbers in random order, no two of them closer than 0.1. */
export function distinct(shape: readonly number[]): Sample {
  const size = shape.reduce((n, s) => n * s, 1);
  const values = numbers.shuffled(
    Array.from({ length: size }, (_, i) => i / 10 - size / 20 + 0.03),
  );
  let next = 0;
  return build(shape, () => values[next++]);
}

/** Whole numbers from low up to and with high. */
export function integers(shape: readonly number[], low: number, high: number): Sample {
  return build(shape, () => numbers.integer(low, high));
}

/** Positions: int32 whatever the other inputs are. */
export function positions(shape: readonly number[], below: number): Sample {
  return { ...integers(shape, 0, below - 1), dtype: 'int32' };
}

/** Truth values. */
export function truths(shape: readonly number[]): Sample {
  return { ...integers(shape, 0, 1), dtype: 'bool' };
}

/** Given values, as a vector unless there is a shape. */
export function given(
  data: readonly number[],
  shape: readonly number[] = [data.length],
  dtype?: DType,
): Sample {
  return { shape, data, dtype };
}
