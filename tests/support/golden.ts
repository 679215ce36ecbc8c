/** The reference values of tests/golden, or of the folder in the environment variable GOLDEN_DIR. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isFloat, tensor, type DType, type Tensor } from '@tapegrad/tensor';
import { EXACT, assertClose, type Tolerance } from './close.js';

/** A tensor as the files write it; without a dtype it is floating point. */
export interface GoldenTensor {
  readonly shape: readonly number[];
  readonly dtype?: 'int32' | 'bool';
  readonly data: readonly number[];
}

export type GoldenTensors = Readonly<Record<string, GoldenTensor>>;

export const goldenFolder =
  process.env.GOLDEN_DIR ?? fileURLToPath(new URL('../golden', import.meta.url));

/** The cases of a file. @throws Error when the file has none, so that an empty file is no success */
export function goldenCases<Case extends { name: string }>(file: string): Case[] {
  const { cases } = JSON.parse(readFileSync(join(goldenFolder, file), 'utf8')) as { cases: Case[] };
  if (cases.length === 0) throw new Error(`${join(goldenFolder, file)} has no cases`);
  return cases;
}

/** The dtype of a golden tensor in a run whose floating-point numbers are `float`. */
export function goldenDType(golden: GoldenTensor, float: DType): DType {
  return golden.dtype ?? float;
}

/** A golden tensor as a Tensor. */
export function fromGolden(golden: GoldenTensor, float: DType): Tensor {
  const dtype = goldenDType(golden, float);
  const data = {
    float32: Float32Array,
    float64: Float64Array,
    int32: Int32Array,
    bool: Uint8Array,
  };
  return tensor(data[dtype].from(golden.data), { shape: golden.shape });
}

/**
 * float64: 1e-9 relative; the absolute term, for results that cancel to nearly nothing, is what 12 significant digits
 * leave open of numbers of order 1. float32: the files' cases agree within these bounds when PyTorch computes them in
 * float32, and gradients within twice that.
 */
export function goldenTolerance(dtype: DType, kind: 'output' | 'gradient'): Tolerance {
  if (!isFloat(dtype)) return EXACT;
  if (dtype === 'float64') return { relative: 1e-9, absolute: 1e-12 };
  const factor = kind === 'gradient' ? 2 : 1;
  return { relative: factor * 1e-4, absolute: factor * 1e-5 };
}

/** Throws unless a tensor is what the file says, in a run whose floating-point numbers are `float`. */
export function assertGolden(
  what: string,
  actual: unknown,
  expected: GoldenTensor,
  float: DType,
  kind: 'output' | 'gradient' = 'output',
): void {
  const dtype = goldenDType(expected, float);
  assertClose(what, actual, expected, goldenTolerance(dtype, kind), dtype);
}
