/** The shapes of kernels: plain loops over rows of typed arrays. Kernels know no tensors, and import nothing but this. */

/** The arrays that kernels read and write. Uint8Array holds truth values. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** y[i] = f(x[i]) for one row; `p` and `q` are the op's numeric attributes. y has step 1. */
export type UnaryKernel = (
  n: number,
  y: TypedArray,
  iy: number,
  x: TypedArray,
  ix: number,
  sx: number,
  p: number,
  q: number,
) => void;

/** y[i] = f(a[i], b[i]) for one row. y has step 1. */
export type BinaryKernel = (
  n: number,
  y: TypedArray,
  iy: number,
  a: TypedArray,
  ia: number,
  sa: number,
  b: TypedArray,
  ib: number,
  sb: number,
) => void;

/** A fold of one row into an accumulator; `p` is a number that the fold needs, such as the mean for a variance. */
export type FoldKernel = (
  acc: number,
  n: number,
  x: TypedArray,
  ix: number,
  sx: number,
  p: number,
) => number;

/** The position, counted along the row, of the element that is asked for. */
export type ArgKernel = (n: number, x: TypedArray, ix: number, sx: number) => number;

/** y[i] depends on the whole row x: softmax, running sums, sorting. */
export type LaneKernel = (
  n: number,
  y: TypedArray,
  iy: number,
  sy: number,
  x: TypedArray,
  ix: number,
  sx: number,
  p: number,
  q: number,
) => void;
