/** The reference values of tests/golden, or of the folder in the environment variable GOLDEN_DIR. */
import { readFileSync, readdirSync } from 'node:fs';
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

const ownFolder = fileURLToPath(new URL('../golden', import.meta.url));
export const goldenFolder = process.env.GOLDEN_DIR ?? ownFolder;

/** What a case can be about, by the field that says it. */
const KINDS = ['op', 'layer', 'loss', 'metric', 'optimizer', 'schedule', 'initializer'] as const;

export type GoldenKind = (typeof KINDS)[number] | 'training';

/** A training has a loss and an optimizer too; what sets it apart is its list of layers. */
export function kindOf(golden: object): GoldenKind | undefined {
  return 'layers' in golden ? 'training' : KINDS.find((kind) => kind in golden);
}

interface FileCase {
  readonly file: string;
  readonly golden: { readonly name: string };
}

/** All cases of all files in a folder, whatever the files are called. */
function casesIn(folder: string): readonly FileCase[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.json'))
    .sort()
    .flatMap((file) => {
      const { cases } = JSON.parse(readFileSync(join(folder, file), 'utf8')) as {
        cases: FileCase['golden'][];
      };
      return cases.map((golden) => ({ file, golden }));
    });
}

/** All cases of the golden folder. @throws Error when there is none, so that an empty folder is no success */
export function allGoldenCases(): readonly FileCase[] {
  const cases = casesIn(goldenFolder);
  if (cases.length === 0) throw new Error(`${goldenFolder} has no cases`);
  return cases;
}

/** The cases of some kinds; where GOLDEN_DIR has none of them, those of tests/golden. */
export function goldenCases<Case extends { name: string }>(
  ...kinds: readonly GoldenKind[]
): Case[] {
  const pick = (cases: readonly FileCase[]): Case[] =>
    cases.flatMap(({ golden }) => {
      const kind = kindOf(golden);
      return kind !== undefined && kinds.includes(kind) ? [golden as Case] : [];
    });
  const found = pick(allGoldenCases());
  return found.length > 0 ? found : pick(casesIn(ownFolder));
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
