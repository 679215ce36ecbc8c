/**
 * The element-wise ops. Two inputs broadcast as NumPy's do.
 */
import { checkDType, type DType } from '../dtype.js';
import { DTypeError, ValueError } from '../errors.js';
import * as k from '../kernels/js/elementwise.js';
import type { BinaryKernel, UnaryKernel } from '../kernels/js/types.js';
import { eachRow, mapBinary, mapUnary } from '../loops.js';
import type { KernelOp, NoAttrs, Promotion } from '../op.js';
import { broadcastShapes, broadcastStrides } from '../shape.js';

type UnaryOp<A extends object = NoAttrs, Lead extends string = never> = KernelOp<
  readonly ['x'],
  A,
  Lead
>;
type BinaryOp = KernelOp<readonly ['a', 'b'], NoAttrs, never>;

function unary(name: string, promotion: Promotion, kernel: UnaryKernel, result?: DType): UnaryOp {
  return {
    kind: 'kernel',
    name,
    inputs: ['x'],
    promotion,
    elementwise: true,
    infer: ([x]) => (result === undefined ? x : { dtype: result, shape: x.shape }),
    launch: ([x], out) => mapUnary(kernel, x, out, 0, 0),
  };
}

/** A unary op with one numeric attribute, `alpha`, which may be given directly. */
function withAlpha(
  name: string,
  kernel: UnaryKernel,
  standard: number,
): UnaryOp<{ alpha?: number }, 'alpha'> {
  return {
    kind: 'kernel',
    name,
    inputs: ['x'],
    promotion: 'float',
    lead: 'alpha',
    elementwise: true,
    infer: ([x]) => x,
    launch: ([x], out, { alpha = standard }) => mapUnary(kernel, x, out, alpha, 0),
  };
}

function binary(
  name: string,
  promotion: Promotion,
  kernel: BinaryKernel,
  result?: DType,
): BinaryOp {
  return {
    kind: 'kernel',
    name,
    inputs: ['a', 'b'],
    promotion,
    elementwise: true,
    infer: ([a, b]) => ({
      dtype: result ?? a.dtype,
      shape: broadcastShapes(name, a.shape, b.shape),
    }),
    launch: ([a, b], out) => mapBinary(kernel, a, b, out),
  };
}

/** −x @example ops.neg([1, -2]); // [-1, 2] */
export const neg = unary('neg', 'number', k.neg);
/** |x| @example ops.abs([1, -2]); // [1, 2] */
export const abs = unary('abs', 'number', k.abs);
/** eˣ @example ops.exp([0, 1]); // [1, 2.7183] */
export const exp = unary('exp', 'float', k.exp);
/** The natural logarithm. @example ops.log([1, 10]); // [0, 2.3026] */
export const log = unary('log', 'float', k.log);
/** ln(1 + x), exact for small x. @example ops.log1p([0, 1]); // [0, 0.6931] */
export const log1p = unary('log1p', 'float', k.log1p);
/** eˣ − 1, exact for small x. @example ops.expm1([0, 1]); // [0, 1.7183] */
export const expm1 = unary('expm1', 'float', k.expm1);
/** √x; NaN below 0. @example ops.sqrt([4, 2]); // [2, 1.4142] */
export const sqrt = unary('sqrt', 'float', k.sqrt);
/** 1 / √x @example ops.rsqrt([4, 2]); // [0.5, 0.7071] */
export const rsqrt = unary('rsqrt', 'float', k.rsqrt);
/** x² @example ops.square([3, -4]); // [9, 16] */
export const square = unary('square', 'number', k.square);
/** 1 / x @example ops.reciprocal([2, -4]); // [0.5, -0.25] */
export const reciprocal = unary('reciprocal', 'float', k.reciprocal);
/** Sine of x in radians. @example ops.sin([0, 1]); // [0, 0.8415] */
export const sin = unary('sin', 'float', k.sin);
/** Cosine of x in radians. @example ops.cos([0, 1]); // [1, 0.5403] */
export const cos = unary('cos', 'float', k.cos);
/** Tangent of x in radians. @example ops.tan([0, 1]); // [0, 1.5574] */
export const tan = unary('tan', 'float', k.tan);
/** Arc sine, in radians; NaN outside [−1, 1]. @example ops.asin([0, 1]); // [0, 1.5708] */
export const asin = unary('asin', 'float', k.asin);
/** Arc cosine, in radians; NaN outside [−1, 1]. @example ops.acos([0, 1]); // [1.5708, 0] */
export const acos = unary('acos', 'float', k.acos);
/** Arc tangent, in radians. @example ops.atan([0, 1]); // [0, 0.7854] */
export const atan = unary('atan', 'float', k.atan);
/** Hyperbolic sine. @example ops.sinh([0, 1]); // [0, 1.1752] */
export const sinh = unary('sinh', 'float', k.sinh);
/** Hyperbolic cosine. @example ops.cosh([0, 1]); // [1, 1.5431] */
export const cosh = unary('cosh', 'float', k.cosh);
/** Hyperbolic tangent. @example ops.tanh([0, 1]); // [0, 0.7616] */
export const tanh = unary('tanh', 'float', k.tanh);
/** The logistic function 1 / (1 + e⁻ˣ). @example ops.sigmoid([0, 2]); // [0.5, 0.8808] */
export const sigmoid = unary('sigmoid', 'float', k.sigmoid);
/** ln(1 + eˣ), a smooth relu; computed without overflow. @example ops.softplus([0, 100]); // [0.6931, 100] */
export const softplus = unary('softplus', 'float', k.softplus);
/** x / (1 + |x|) @example ops.softsign([1, -3]); // [0.5, -0.75] */
export const softsign = unary('softsign', 'float', k.softsign);
/** max(x, 0). Its gradient at 0 is 0. @example ops.relu([-1, 2]); // [0, 2] */
export const relu = unary('relu', 'number', k.relu);
/** min(max(x, 0), 6) @example ops.relu6([-1, 2, 8]); // [0, 2, 6] */
export const relu6 = unary('relu6', 'number', k.relu6);
/** The scaled exponential linear unit (Klambauer et al. 2017). @example ops.selu([1, -1]); // [1.0507, -1.1113] */
export const selu = unary('selu', 'float', k.selu);
/** x·σ(x), also called swish. @example ops.silu([0, 1]); // [0, 0.7311] */
export const silu = unary('silu', 'float', k.silu);
/** x·tanh(ln(1 + eˣ)) (Misra 2019). @example ops.mish([0, 1]); // [0, 0.8651] */
export const mish = unary('mish', 'float', k.mish);
/** relu6(x + 3) / 6, a straight-line sigmoid (Keras 3). @example ops.hardSigmoid([-4, 0, 1]); // [0, 0.5, 0.6667] */
export const hardSigmoid = unary('hardSigmoid', 'float', k.hardSigmoid);
/** The error function 2/√π ∫₀ˣ e^(−t²) dt. @example ops.erf([0, 1]); // [0, 0.8427] */
export const erf = unary('erf', 'float', k.erf);
/** The greatest whole number not above x. @example ops.floor([1.5, -1.5]); // [1, -2] */
export const floor = unary('floor', 'number', k.floor);
/** The smallest whole number not below x. @example ops.ceil([1.5, -1.5]); // [2, -1] */
export const ceil = unary('ceil', 'number', k.ceil);
/** The nearest whole number; a half goes to the even one. @example ops.round([0.5, 1.5, 2.6]); // [0, 2, 3] */
export const round = unary('round', 'number', k.round);
/** −1, 0 or 1. @example ops.sign([-3, 0, 2]); // [-1, 0, 1] */
export const sign = unary('sign', 'number', k.sign);
/** True where x is 0 or false. @example ops.logicalNot([0, 2]); // [true, false] */
export const logicalNot = unary('logicalNot', 'same', k.logicalNot, 'bool');
/** True where x is not a number. @example ops.isNaN([0, NaN]); // [false, true] */
export const isNaN = unary('isNaN', 'same', k.isNaN, 'bool');
/** x, or alpha·x below 0; alpha is 0.3 unless given. @example ops.leakyRelu([-1, 2], 0.2); // [-0.2, 2] */
export const leakyRelu = withAlpha('leakyRelu', k.leakyRelu, 0.3);
/** x, or alpha·(eˣ − 1) below 0; alpha is 1 unless given (Clevert et al. 2015). @example ops.elu([-1, 2]); // [-0.6321, 2] */
export const elu = withAlpha('elu', k.elu, 1);

/**
 * x·Φ(x) with the normal distribution function Φ (Hendrycks & Gimpel 2016); with `approximate` by tanh.
 * @example ops.gelu([-1, 1]); // [-0.1587, 0.8413]
 */
export const gelu: UnaryOp<{ approximate?: boolean }> = {
  kind: 'kernel',
  name: 'gelu',
  attributes: ['approximate'],
  inputs: ['x'],
  promotion: 'float',
  infer: ([x]) => x,
  launch: ([x], out, { approximate = false }) =>
    mapUnary(approximate ? k.geluTanh : k.gelu, x, out, 0, 0),
};

/**
 * min(max(x, min), max); a bound that is left out does not bind.
 * @throws ValueError when min is greater than max
 * @example ops.clip([-2, 0, 2], { min: -1, max: 1 }); // [-1, 0, 1]
 */
export const clip: UnaryOp<{ min?: number; max?: number }> = {
  kind: 'kernel',
  name: 'clip',
  attributes: ['min', 'max'],
  inputs: ['x'],
  promotion: 'number',
  infer: ([x], { min = -Infinity, max = Infinity }) => {
    if (!(min <= max))
      throw new ValueError(
        `clip: min must not be greater than max; got min ${min} and max ${max}.`,
      );
    return x;
  },
  launch: ([x], out, { min = -Infinity, max = Infinity }) => mapUnary(k.clip, x, out, min, max),
};

/**
 * x converted to another dtype: floats lose their fraction on the way to int32; to bool, everything but 0 is true.
 * @example ops.cast([1.7, -1.7], 'int32'); // [1, -1]
 */
export const cast: UnaryOp<{ dtype: DType }, 'dtype'> = {
  kind: 'kernel',
  name: 'cast',
  inputs: ['x'],
  promotion: 'same',
  lead: 'dtype',
  infer: ([x], { dtype }) => ({ dtype: checkDType(dtype), shape: x.shape }),
  launch: ([x], out) => mapUnary(out.dtype === 'bool' ? k.truth : k.copy, x, out, 0, 0),
};

/** A copy in row-major order. @example ops.copy([1, 2]); // [1, 2] */
export const copy = unary('copy', 'same', k.copy);

/** a + b @example ops.add([1, 2], 10); // [11, 12] */
export const add = binary('add', 'number', k.add);
/** a − b @example ops.sub([1, 2], 10); // [-9, -8] */
export const sub = binary('sub', 'number', k.sub);
/** a·b, element by element; for matrix products see `matmul`. @example ops.mul([1, 2], 10); // [10, 20] */
export const mul = binary('mul', 'number', k.mul);
/** a / b; int32 gives float32. @example ops.div([1, 2], 4); // [0.25, 0.5] */
export const div = binary('div', 'float', k.div);
/** aᵇ @example ops.pow([2, 3], 2); // [4, 9] */
export const pow = binary('pow', 'number', k.pow);
/** a modulo b, with the sign of b as in Python. @example ops.mod([-7, 7], 3); // [2, 1] */
export const mod = binary('mod', 'number', k.mod);
/** The greater of a and b. Where they are equal, each gets half of the gradient. @example ops.maximum([1, 5], 3); // [3, 5] */
export const maximum = binary('maximum', 'number', k.maximum);
/** The smaller of a and b. Where they are equal, each gets half of the gradient. @example ops.minimum([1, 5], 3); // [1, 3] */
export const minimum = binary('minimum', 'number', k.minimum);
/** (a − b)² @example ops.squaredDifference([1, 5], 3); // [4, 4] */
export const squaredDifference = binary('squaredDifference', 'number', k.squaredDifference);
/** The angle, in radians, of the point (x = b, y = a). @example ops.atan2([1, -1], [1, 0]); // [0.7854, -1.5708] */
export const atan2 = binary('atan2', 'float', k.atan2);
/** True where a = b. @example ops.equal([1, 2], 2); // [false, true] */
export const equal = binary('equal', 'common', k.equal, 'bool');
/** True where a ≠ b. @example ops.notEqual([1, 2], 2); // [true, false] */
export const notEqual = binary('notEqual', 'common', k.notEqual, 'bool');
/** True where a < b. @example ops.less([1, 2], 2); // [true, false] */
export const less = binary('less', 'common', k.less, 'bool');
/** True where a ≤ b. @example ops.lessEqual([1, 2, 3], 2); // [true, true, false] */
export const lessEqual = binary('lessEqual', 'common', k.lessEqual, 'bool');
/** True where a > b. @example ops.greater([1, 2, 3], 2); // [false, false, true] */
export const greater = binary('greater', 'common', k.greater, 'bool');
/** True where a ≥ b. @example ops.greaterEqual([1, 2, 3], 2); // [false, true, true] */
export const greaterEqual = binary('greaterEqual', 'common', k.greaterEqual, 'bool');
/** True where both are not 0. @example ops.logicalAnd([0, 1], 1); // [false, true] */
export const logicalAnd = binary('logicalAnd', 'common', k.logicalAnd, 'bool');
/** True where at least one is not 0. @example ops.logicalOr([0, 1], 0); // [false, true] */
export const logicalOr = binary('logicalOr', 'common', k.logicalOr, 'bool');
/** The gradient of relu: the cotangent a where the output b is positive, else 0. @example ops.reluGrad([1, 2], [0, 5]); // [0, 2] */
export const reluGrad = binary('reluGrad', 'number', k.reluGrad);

/**
 * Binary cross-entropy −b·ln σ(a) − (1 − b)·ln(1 − σ(a)) of logits a and labels b in [0, 1], computed without σ so that
 * large logits keep their precision.
 * @example ops.sigmoidCrossEntropy([0, 100], [1, 1]); // [0.6931, 0]
 */
export const sigmoidCrossEntropy = binary('sigmoidCrossEntropy', 'float', k.sigmoidCrossEntropy);

/**
 * x where the condition (bool) holds, y elsewhere; all three broadcast.
 * @throws DTypeError unless the condition is bool
 * @example ops.where([true, false], [1, 2], 0); // [1, 0]
 */
export const where: KernelOp<readonly ['condition', 'x', 'y'], NoAttrs, never> = {
  kind: 'kernel',
  name: 'where',
  inputs: ['condition', 'x', 'y'],
  promotion: 'commonRest',
  infer: ([condition, x, y]) => {
    if (condition.dtype !== 'bool') {
      throw new DTypeError(
        `where: the condition must be bool; got ${condition.dtype}. Compare first, as in x.greater(0).`,
      );
    }
    const shape = broadcastShapes(
      'where',
      condition.shape,
      broadcastShapes('where', x.shape, y.shape),
    );
    return { dtype: x.dtype, shape };
  },
  launch: ([c, x, z], out) => {
    const strides = [
      out.strides,
      ...[c, x, z].map((t) => broadcastStrides(t.shape, t.strides, out.shape)),
    ];
    eachRow(out.shape, strides, [out.offset, c.offset, x.offset, z.offset], (n, at, step) => {
      k.where(
        n,
        out.data,
        at[0],
        c.data,
        at[1],
        step[1],
        x.data,
        at[2],
        step[2],
        z.data,
        at[3],
        step[3],
      );
    });
  },
};
