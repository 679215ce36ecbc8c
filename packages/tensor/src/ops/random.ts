/**
 * Random tensors. The generator is an attribute, so that a recorded op draws new numbers each time it runs.
 */
import { checkDType, isFloat, type DType } from '../dtype.js';
import { DTypeError, ValueError } from '../errors.js';
import type { TypedArray } from '../kernels/js/types.js';
import type { KernelOp } from '../op.js';
import { checkShape, type Shape } from '../shape.js';

/** What random ops need of a generator. */
export interface RandomSource {
  fillUniform(target: TypedArray, from: number, to: number, low: number, high: number): void;
  fillNormal(target: TypedArray, from: number, to: number, mean: number, stddev: number): void;
  fillTruncatedNormal(
    target: TypedArray,
    from: number,
    to: number,
    mean: number,
    stddev: number,
  ): void;
  fillBernoulli(target: TypedArray, from: number, to: number, probability: number): void;
}

/** What all random ops take: where the numbers come from, the shape, and the dtype (default float32). */
export interface RandomAttrs {
  generator: RandomSource;
  shape: Shape;
  dtype?: DType;
}

export interface UniformAttrs extends RandomAttrs {
  low?: number;
  high?: number;
}

export interface NormalAttrs extends RandomAttrs {
  mean?: number;
  stddev?: number;
}

type RandomOp<A extends object> = KernelOp<readonly [], A, never>;

function random<A extends RandomAttrs>(
  name: string,
  attributes: readonly string[],
  fill: (attrs: A, target: TypedArray, from: number, to: number) => void,
  standard: DType = 'float32',
): RandomOp<A> {
  return {
    kind: 'kernel',
    name,
    attributes: ['generator', 'shape', ...attributes, 'dtype'],
    inputs: [],
    promotion: 'same',
    infer: (_inputs, { shape, dtype = standard }) => {
      if (!isFloat(checkDType(dtype)) && name !== 'randomBernoulli') {
        throw new DTypeError(
          `${name}: draws float32 or float64; got dtype ${dtype}. Draw floats, scale, then cast.`,
        );
      }
      return { dtype, shape: checkShape(name, shape) };
    },
    launch: (_inputs, out, attrs) => fill(attrs, out.data, out.offset, out.offset + out.size),
  };
}

/** Uniform on [low, high), by default [0, 1). */
export const randomUniform = random<UniformAttrs>(
  'randomUniform',
  ['low', 'high'],
  ({ generator, low = 0, high = 1 }, target, from, to) => {
    if (!(low <= high))
      throw new ValueError(`randomUniform: low must not be above high; got ${low} and ${high}.`);
    generator.fillUniform(target, from, to, low, high);
  },
);

/** Normal with mean 0 and standard deviation 1 unless given. */
export const randomNormal = random<NormalAttrs>(
  'randomNormal',
  ['mean', 'stddev'],
  ({ generator, mean = 0, stddev = 1 }, target, from, to) => {
    generator.fillNormal(target, from, to, mean, checkStddev('randomNormal', stddev));
  },
);

/** Normal, drawn anew until within two standard deviations of the mean; `stddev` is that before cutting. */
export const randomTruncatedNormal = random<NormalAttrs>(
  'randomTruncatedNormal',
  ['mean', 'stddev'],
  ({ generator, mean = 0, stddev = 1 }, target, from, to) => {
    generator.fillTruncatedNormal(
      target,
      from,
      to,
      mean,
      checkStddev('randomTruncatedNormal', stddev),
    );
  },
);

/** 1 with the given probability, else 0; bool unless a dtype is given. */
export const randomBernoulli = random<RandomAttrs & { probability: number }>(
  'randomBernoulli',
  ['probability'],
  ({ generator, probability }, target, from, to) => {
    if (!(probability >= 0 && probability <= 1)) {
      throw new ValueError(`randomBernoulli: a probability is from 0 to 1; got ${probability}.`);
    }
    generator.fillBernoulli(target, from, to, probability);
  },
  'bool',
);

function checkStddev(name: string, stddev: number): number {
  if (!(stddev >= 0)) throw new ValueError(`${name}: stddev must be 0 or more; got ${stddev}.`);
  return stddev;
}
