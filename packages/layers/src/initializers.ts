/**
 * Where weights start. Every draw comes from the generator that is passed.
 */
import {
  DTypeError,
  ShapeError,
  ValueError,
  eye,
  formatChoices,
  formatShape,
  full,
  isFloat,
  sizeOf,
  tensor,
  zeros as zerosTensor,
  type DType,
  type Generator,
  type Shape,
  type Tensor,
} from '@tapegrad/tensor';
import { orthonormalize } from './orthonormal.js';
import { checkOptions, lookup } from './registry.js';
import { made } from './saving/recipes.js';

/** What an initializer needs besides the shape. */
export interface InitializerOptions {
  dtype: DType;
  generator: Generator;
}

/** Makes the first value of a weight. */
export type Initializer = (shape: Shape, options: InitializerOptions) => Tensor;

/**
 * Zeros.
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.zeros()([2], options); // [0, 0]
 */
export function zeros(): Initializer {
  return made('initializers.zeros', [], (shape, { dtype }) => zerosTensor(shape, dtype));
}

/**
 * Ones.
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.ones()([2], options); // [1, 1]
 */
export function ones(): Initializer {
  return constant(1);
}

/**
 * One value everywhere. Default 0.
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.constant(3)([2], options); // [3, 3]
 */
export function constant(value = 0): Initializer {
  checkFinite('constant', { value });
  return made('initializers.constant', [value], (shape, { dtype }) => full(shape, value, dtype));
}

/**
 * gain·I, ones on the diagonal; default gain 1.
 *
 * @throws ShapeError (when used) unless the weight is a matrix
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.identity()([2, 2], options); // [[1, 0], [0, 1]]
 */
export function identity(options: { gain?: number } = {}): Initializer {
  checkOptions('identity', options, ['gain']);
  const { gain = 1 } = options;
  checkFinite('identity', { gain });
  return made('initializers.identity', [options], (shape, { dtype }) => {
    if (shape.length !== 2) {
      throw new ShapeError(
        `identity: makes matrices only; got a weight of shape ${formatShape(shape)}. For kernels of more axes take 'orthogonal'.`,
      );
    }
    const matrix = eye(shape[0], shape[1], dtype);
    return gain === 1 ? matrix : matrix.mul(gain);
  });
}

/**
 * Uniform on [minval, maxval), by default [-0.05, 0.05).
 *
 * @throws ValueError when minval is above maxval
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.randomUniform()([99], options).abs().max().item() < 0.05; // true
 */
export function randomUniform(options: { minval?: number; maxval?: number } = {}): Initializer {
  checkOptions('randomUniform', options, ['minval', 'maxval']);
  const { minval = -0.05, maxval = 0.05 } = options;
  checkFinite('randomUniform', { minval, maxval });
  if (minval > maxval) {
    throw new ValueError(
      `randomUniform: minval must not be above maxval; got ${minval} and ${maxval}.`,
    );
  }
  return made('initializers.randomUniform', [options], (shape, { dtype, generator }) =>
    generator.uniform(shape, { low: minval, high: maxval, dtype }),
  );
}

/** Mean and standard deviation of a normal distribution. */
export interface NormalOptions {
  mean?: number;
  stddev?: number;
}

/**
 * Normal; default mean 0, stddev 0.05.
 *
 * @throws ValueError for a negative stddev
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.randomNormal({ mean: 9 })([99], options).min().item() > 8; // true
 */
export function randomNormal(options: NormalOptions = {}): Initializer {
  const { mean, stddev } = checkNormal('randomNormal', options);
  return made('initializers.randomNormal', [options], (shape, { dtype, generator }) =>
    generator.normal(shape, { mean, stddev, dtype }),
  );
}

/**
 * Normal, with values more than two standard deviations from the mean drawn anew; default mean 0, stddev 0.05. As in Keras
 * stddev is that before the cut: the values' own is 0.8796 times as large.
 *
 * @throws ValueError for a negative stddev
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.truncatedNormal()([99], options).abs().max().item() <= 0.1; // true
 */
export function truncatedNormal(options: NormalOptions = {}): Initializer {
  const { mean, stddev } = checkNormal('truncatedNormal', options);
  return made('initializers.truncatedNormal', [options], (shape, { dtype, generator }) =>
    generator.truncatedNormal(shape, { mean, stddev, dtype }),
  );
}

const MODES = ['fanIn', 'fanOut', 'fanAvg'] as const;
const DISTRIBUTIONS = ['truncatedNormal', 'untruncatedNormal', 'uniform'] as const;

export interface VarianceScalingOptions {
  /** A positive factor of the variance. Default 1. */
  scale?: number;
  /** What the variance is divided by. Default 'fanIn'. */
  mode?: (typeof MODES)[number];
  /** Default 'truncatedNormal'. */
  distribution?: (typeof DISTRIBUTIONS)[number];
}

/** The standard deviation of a standard normal distribution cut off at −2 and 2: √(1 − 4φ(2) / (2Φ(2) − 1)). */
const TRUNCATED_STDDEV = 0.87962566103423978;

/**
 * The number of inputs that each output of a layer with such a weight adds up, and of outputs that each input goes to. A
 * kernel has its channels in the last two axes; the axes before are its window.
 *
 * @example initializers.fans([3, 3, 4, 16]); // { fanIn: 36, fanOut: 144 }
 */
export function fans(shape: Shape): { fanIn: number; fanOut: number } {
  const rank = shape.length;
  if (rank < 2) {
    const n = rank === 0 ? 1 : shape[0];
    return { fanIn: n, fanOut: n };
  }
  const window = sizeOf(shape.slice(0, -2));
  return { fanIn: window * shape[rank - 2], fanOut: window * shape[rank - 1] };
}

/**
 * Values with mean 0 and variance scale / n, where n is the fan-in, the fan-out or the average of both: signals keep their
 * size through the layers. Uniform on ±√(3·variance), or normal; the truncated normal is drawn wider, so that the
 * variance is right after the cut.
 *
 * @throws ValueError unless scale is above 0 and mode and distribution are known
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.varianceScaling({ distribution: 'uniform' })([3, 9], options).max().item() < 1; // true
 */
export function varianceScaling(options: VarianceScalingOptions = {}): Initializer {
  checkOptions('varianceScaling', options, ['scale', 'mode', 'distribution']);
  const { scale = 1, mode = 'fanIn', distribution = 'truncatedNormal' } = options;
  if (!(scale > 0 && scale < Infinity)) {
    throw new ValueError(`varianceScaling: scale must be a number above 0; got ${scale}.`);
  }
  checkChoice('mode', mode, MODES);
  checkChoice('distribution', distribution, DISTRIBUTIONS);
  return made('initializers.varianceScaling', [options], (shape, { dtype, generator }) => {
    const { fanIn, fanOut } = fans(shape);
    const n = { fanIn, fanOut, fanAvg: (fanIn + fanOut) / 2 }[mode];
    const variance = scale / Math.max(1, n);
    if (distribution === 'uniform') {
      const limit = Math.sqrt(3 * variance);
      return generator.uniform(shape, { low: -limit, high: limit, dtype });
    }
    const stddev = Math.sqrt(variance);
    return distribution === 'untruncatedNormal'
      ? generator.normal(shape, { stddev, dtype })
      : generator.truncatedNormal(shape, { stddev: stddev / TRUNCATED_STDDEV, dtype });
  });
}

/**
 * Uniform with variance 2 / (fanIn + fanOut) (Glorot & Bengio 2010): the default of kernels.
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.glorotUniform()([3, 3], options).max().item() < 1; // true
 */
export function glorotUniform(): Initializer {
  return varianceScaling({ mode: 'fanAvg', distribution: 'uniform' });
}

/**
 * Truncated normal with variance 2 / (fanIn + fanOut) (Glorot & Bengio 2010).
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.glorotNormal()([3, 3], options).shape; // [3, 3]
 */
export function glorotNormal(): Initializer {
  return varianceScaling({ mode: 'fanAvg' });
}

/**
 * Uniform with variance 2 / fanIn (He et al. 2015), for layers with relu.
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.heUniform()([6, 9], options).max().item() < 1; // true
 */
export function heUniform(): Initializer {
  return varianceScaling({ scale: 2, distribution: 'uniform' });
}

/**
 * Truncated normal with variance 2 / fanIn (He et al. 2015), for layers with relu.
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.heNormal()([3, 4], options).shape; // [3, 4]
 */
export function heNormal(): Initializer {
  return varianceScaling({ scale: 2 });
}

/**
 * Uniform with variance 1 / fanIn (LeCun et al. 1998, section 4.6).
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.lecunUniform()([3, 9], options).max().item() < 1; // true
 */
export function lecunUniform(): Initializer {
  return varianceScaling({ distribution: 'uniform' });
}

/**
 * Truncated normal with variance 1 / fanIn (LeCun et al. 1998; for selu Klambauer et al. 2017).
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.lecunNormal()([3, 4], options).shape; // [3, 4]
 */
export function lecunNormal(): Initializer {
  return varianceScaling();
}

/**
 * gain·Q with orthonormal columns, or rows where there are fewer of them (Saxe et al. 2014): a matrix that keeps lengths,
 * the default of recurrent kernels. All axes but the last count as rows.
 *
 * @throws ShapeError (when used) for a weight of fewer than two axes
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.orthogonal()([4, 1], options).norm(); // 1
 */
export function orthogonal(options: { gain?: number } = {}): Initializer {
  checkOptions('orthogonal', options, ['gain']);
  const { gain = 1 } = options;
  checkFinite('orthogonal', { gain });
  return made('initializers.orthogonal', [options], (shape, { dtype, generator }) => {
    if (shape.length < 2) {
      throw new ShapeError(
        `orthogonal: needs a weight of two axes or more; got shape ${formatShape(shape)}.`,
      );
    }
    if (!isFloat(dtype)) {
      throw new DTypeError(`orthogonal: makes float32 or float64; got dtype ${dtype}.`);
    }
    const columns = shape[shape.length - 1];
    const rows = sizeOf(shape.slice(0, -1));
    const count = Math.min(rows, columns);
    const length = Math.max(rows, columns);
    const normal = generator.normal([count, length], { dtype: 'float64' });
    const vectors = new Float64Array(normal.toTypedArray());
    orthonormalize(vectors, count, length);
    // The vectors lie one after another: as rows of a wide matrix, or transposed as columns of a tall one.
    const found = tensor(vectors, { shape: [count, length] }).mul(gain);
    const matrix = rows >= columns ? found.transpose() : found;
    return matrix.copy().reshape(shape).cast(dtype);
  });
}

function checkFinite(name: string, values: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(values)) {
    if (!Number.isFinite(value)) {
      throw new ValueError(`${name}: ${key} must be a finite number; got ${value}.`);
    }
  }
}

function checkNormal(name: string, options: NormalOptions): { mean: number; stddev: number } {
  checkOptions(name, options, ['mean', 'stddev']);
  const { mean = 0, stddev = 0.05 } = options;
  checkFinite(name, { mean, stddev });
  if (stddev < 0) throw new ValueError(`${name}: stddev must be 0 or more; got ${stddev}.`);
  return { mean, stddev };
}

function checkChoice(name: string, value: string, known: readonly string[]): void {
  if (!known.includes(value)) {
    throw new ValueError(
      `varianceScaling: ${name} must be ${formatChoices(known)}; got '${value}'.`,
    );
  }
}

const TABLE = {
  zeros,
  ones,
  constant,
  identity,
  randomUniform,
  randomNormal,
  truncatedNormal,
  varianceScaling,
  glorotUniform,
  glorotNormal,
  heUniform,
  heNormal,
  lecunUniform,
  lecunNormal,
  orthogonal,
} satisfies Record<string, () => Initializer>;

/** What a saved model may call. */
export { TABLE as initializerFactories };

/** The name of any initializer. */
export type InitializerName = keyof typeof TABLE;

/** All names. */
export const initializerNames = Object.keys(TABLE) as InitializerName[];

/** How an initializer is given: by name, with its default options, or as a function. */
export type InitializerId = InitializerName | Initializer;

/**
 * An initializer by name or as it is.
 *
 * @throws UnknownNameError listing the known names
 * @example
 * const options = { dtype: 'float32', generator: new Generator(1) };
 * initializers.getInitializer('ones')([2], options); // [1, 1]
 */
export function getInitializer(id: InitializerId): Initializer {
  return typeof id === 'function' ? id : lookup('initializer', TABLE, id)();
}
