/** Making tensors. */
import type { NdArray } from 'ndarray';
import {
  ARRAY_TYPES,
  checkDType,
  checkValue,
  dtypeOf,
  type DType,
  type TypedArray,
} from './dtype.js';
import { ShapeError, ValueError, shown, formatShape } from './errors.js';
import { checkShape, rowMajorStrides, sizeOf, type Shape } from './shape.js';
import {
  Storage,
  Tensor,
  allocate,
  allocateZeros,
  allocateArray,
  withLayout,
  type NestedArray,
} from './tensor.js';

/** Anything that holds an ndarray's fields; ndarrays of any element type that tensors store. */
type AnyNdArray = Pick<NdArray<TypedArray>, 'data' | 'shape' | 'stride' | 'offset'>;

/** What the functions of this library take wherever they take a tensor. */
export type TensorLike = Tensor | NestedArray<number | boolean> | TypedArray | AnyNdArray;

/** The dtype, and for a typed array the shape that it is read with. */
export interface TensorOptions {
  dtype?: DType;
  shape?: Shape;
}

/**
 * Makes a tensor from a number, nested arrays, a typed array (with `shape`; its memory is shared, not copied) or an
 * ndarray (shared too). Without a dtype numbers become float32, booleans bool, and typed arrays keep theirs: a
 * Uint8Array is bool.
 *
 * @throws ShapeError for ragged arrays (saying where) or a shape that does not fit the number of elements
 * @throws ValueError for a fraction in int32, or anything but true, false, 0 and 1 in bool; for options that are not known
 * @example
 * tensor([[1, 2], [3, 4]]).shape; // [2, 2]
 * tensor([1, 2, 3], 'int32').dtype; // 'int32'
 * tensor(new Float64Array(6), { shape: [2, 3] }).dtype; // 'float64'
 */
export function tensor(values: TensorLike, options: DType | TensorOptions = {}): Tensor {
  const { dtype, shape } = typeof options === 'string' ? { dtype: options } : checked(options);
  if (dtype !== undefined) checkDType(dtype);
  const made = fromValues(values, dtype, shape);
  if (dtype !== undefined && made.dtype !== dtype) return converted(made, dtype);
  if (made.dtype === 'bool' && !(values instanceof Tensor)) checkTruths(made.toTypedArray());
  return made;
}

/** Options with known names: a misspelt one would be ignored in silence. @throws ValueError */
function checked(options: TensorOptions): TensorOptions {
  const fits = typeof options === 'object' && !Array.isArray(options);
  const unknown = fits && Object.keys(options).find((name) => name !== 'dtype' && name !== 'shape');
  if (fits && unknown === undefined) return options;
  throw new ValueError(
    `tensor: after the values comes a dtype or an object, as in tensor(x, { shape: [2, 3], dtype: 'int32' }); got ` +
      `${unknown === false || unknown === undefined ? shown(options) : `the option '${unknown}'`}.`,
  );
}

/** The bytes of a Uint8Array are truth values only if they are all 0 or 1. */
function checkTruths(bytes: TypedArray): void {
  for (let i = 0; i < bytes.length; i++) {
    if (bytes[i] > 1) {
      throw new ValueError(
        `tensor: a Uint8Array is read as bool, which holds 0 and 1; got ${bytes[i]}. For bytes give a dtype, as in ` +
          `tensor(bytes, { dtype: 'float32' }).`,
      );
    }
  }
}

function fromValues(
  values: TensorLike,
  dtype: DType | undefined,
  shape: Shape | undefined,
): Tensor {
  if (values instanceof Tensor) return reshaped(values, shape);
  if (ArrayBuffer.isView(values)) return shared(values, shape ?? [values.length]);
  if (isNdArray(values)) {
    const { data, stride, offset } = values;
    const view = new Tensor(
      new Storage(data),
      dtypeOf(data),
      [...values.shape],
      [...stride],
      offset,
    );
    return reshaped(view, shape);
  }
  const found: number[] = [];
  for (let level: unknown = values; Array.isArray(level); level = level[0])
    found.push(level.length);
  const flat: (number | boolean)[] = [];
  collect(values, found, 0, [], flat);
  const target =
    dtype ?? (flat.length > 0 && flat.every((v) => typeof v === 'boolean') ? 'bool' : 'float32');
  const result = allocate({ dtype: target, shape: found });
  flat.forEach(
    (value, i) => (result.data[result.offset + i] = checkValue('tensor', value, target)),
  );
  return reshaped(result, shape);
}

function isNdArray(values: object | number | boolean): values is AnyNdArray {
  return typeof values === 'object' && values !== null && 'stride' in values && 'data' in values;
}

function shared(data: TypedArray, shape: Shape): Tensor {
  checkShape('tensor', shape);
  if (sizeOf(shape) !== data.length) {
    throw new ShapeError(
      `tensor: shape ${formatShape(shape)} needs ${sizeOf(shape)} elements; the typed array has ${data.length}.`,
    );
  }
  return new Tensor(new Storage(data), dtypeOf(data), shape);
}

function reshaped(x: Tensor, shape: Shape | undefined): Tensor {
  if (shape === undefined) return x;
  checkShape('tensor', shape);
  if (sizeOf(shape) !== x.size) {
    throw new ShapeError(
      `tensor: shape ${formatShape(shape)} needs ${sizeOf(shape)} elements; got ${x.size}.`,
    );
  }
  const layout = { shape, strides: rowMajorStrides(shape), offset: x.offset };
  if (x.contiguous) return withLayout(x, layout);
  return new Tensor(new Storage(x.toTypedArray()), x.dtype, shape);
}

/** Appends all leaves, checking that every array at one depth has the same length. */
function collect(
  values: NestedArray<number | boolean>,
  shape: Shape,
  depth: number,
  path: readonly number[],
  flat: (number | boolean)[],
): void {
  const at = path.length === 0 ? 'at the top' : `at ${formatShape(path)}`;
  if (typeof values === 'number' || typeof values === 'boolean') {
    if (depth !== shape.length) {
      throw new ShapeError(
        `tensor: ragged array: ${at} there is a number, elsewhere an array of ${shape[depth]}.`,
      );
    }
    flat.push(values);
    return;
  }
  if (!Array.isArray(values)) {
    throw new ValueError(
      `tensor: ${at} there is ${shown(values)}; expected a number, a boolean or an array of them.${hintFor(values)}`,
    );
  }
  if (depth === shape.length) {
    throw new ShapeError(`tensor: ragged array: ${at} there is an array, elsewhere a number.`);
  }
  if (values.length !== shape[depth]) {
    const found = values.length === 1 ? 'is 1 element' : `are ${values.length} elements`;
    throw new ShapeError(
      `tensor: ragged array: ${at} there ${found}, elsewhere on this axis ${shape[depth]}.`,
    );
  }
  // Not forEach, which would pass over the holes of a sparse array.
  for (let i = 0; i < values.length; i++) {
    collect(values[i] as NestedArray<number | boolean>, shape, depth + 1, [...path, i], flat);
  }
}

/** What to do with something that holds a tensor, or is one in the place of a number. */
function hintFor(value: unknown): string {
  if (value instanceof Tensor) return ' To join tensors use ops.stack or ops.concat.';
  const holds =
    typeof value === 'object' &&
    value !== null &&
    'value' in value &&
    value.value instanceof Tensor;
  return holds ? ' The tensor of a Variable is its value, as in w.value.' : '';
}

function converted(x: Tensor, dtype: DType): Tensor {
  const data = x.toTypedArray();
  const copy = new ARRAY_TYPES[dtype](data.length);
  for (let i = 0; i < data.length; i++) copy[i] = checkValue('tensor', data[i], dtype);
  return new Tensor(new Storage(copy), dtype, x.shape);
}

/** A scalar. @example scalar(3).shape; // [] */
export function scalar(value: number | boolean, dtype?: DType): Tensor {
  const type = dtype ?? (typeof value === 'boolean' ? 'bool' : 'float32');
  const data = allocateArray(checkDType(type), 1);
  data[0] = checkValue('scalar', value, type);
  return new Tensor(new Storage(data), type, []);
}

/** Zeros. @example zeros([2]).toArray(); // [0, 0] */
export function zeros(shape: Shape, dtype: DType = 'float32'): Tensor {
  return allocateZeros({ dtype: checkDType(dtype), shape: checkShape('zeros', shape) });
}

/** Ones. @example ones([2]).toArray(); // [1, 1] */
export function ones(shape: Shape, dtype: DType = 'float32'): Tensor {
  return full(shape, 1, dtype);
}

/** One value everywhere. @example full([2], 7).toArray(); // [7, 7] */
export function full(shape: Shape, value: number, dtype: DType = 'float32'): Tensor {
  const result = allocate({ dtype: checkDType(dtype), shape: checkShape('full', shape) });
  result.data.fill(checkValue('full', value, dtype), result.offset, result.offset + result.size);
  return result;
}

/** Zeros of the shape and dtype of another tensor. */
export function zerosLike(x: { shape: Shape; dtype: DType }): Tensor {
  return zeros(x.shape, x.dtype);
}

/** Ones of the shape and dtype of another tensor. */
export function onesLike(x: { shape: Shape; dtype: DType }): Tensor {
  return ones(x.shape, x.dtype);
}

/** The identity matrix, or a rectangle with ones on its diagonal. @example eye(2).toArray(); // [[1, 0], [0, 1]] */
export function eye(rows: number, columns = rows, dtype: DType = 'float32'): Tensor {
  const result = zeros([rows, columns], dtype);
  for (let i = 0; i < Math.min(rows, columns); i++)
    result.data[result.offset + i * columns + i] = 1;
  return result;
}

/**
 * start, start + step, … up to but without stop; with one argument from 0. Whole numbers give int32, others float32.
 *
 * @throws ValueError for a step of 0
 * @example arange(2, 8, 2).toArray(); // [2, 4, 6]
 */
export function arange(start: number, stop?: number, step = 1, dtype?: DType): Tensor {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  if (!(step !== 0 && Number.isFinite(from) && Number.isFinite(to) && Number.isFinite(step))) {
    throw new ValueError(
      `arange: needs finite numbers and a step other than 0; got start ${from}, stop ${to}, step ${step}.`,
    );
  }
  const type = dtype ?? ([from, to, step].every(Number.isInteger) ? 'int32' : 'float32');
  const result = zeros([Math.max(0, Math.ceil((to - from) / step))], type);
  for (let i = 0; i < result.size; i++)
    result.data[result.offset + i] = checkValue('arange', from + i * step, type);
  return result;
}

/**
 * `count` evenly spaced numbers, both ends included.
 *
 * @throws ValueError unless count is a whole number of 0 or more
 * @example linspace(0, 1, 5).toArray(); // [0, 0.25, 0.5, 0.75, 1]
 */
export function linspace(
  start: number,
  stop: number,
  count: number,
  dtype: DType = 'float32',
): Tensor {
  if (!Number.isInteger(count) || count < 0) {
    throw new ValueError(`linspace: count must be a whole number of 0 or more; got ${count}.`);
  }
  const result = zeros([count], dtype);
  const step = (stop - start) / Math.max(count - 1, 1);
  for (let i = 0; i < count; i++) {
    const value = i === count - 1 && i > 0 ? stop : start + i * step;
    result.data[result.offset + i] = checkValue('linspace', value, dtype);
  }
  return result;
}
