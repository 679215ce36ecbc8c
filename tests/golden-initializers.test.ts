/** Every case of initializers.json: fans, limits and moments of what is drawn. */
import { Generator, type DType, type Shape, type Tensor } from '@tapegrad/tensor';
import { initializers, type Initializer } from '@tapegrad/layers';
import { assertNumbersClose } from './support/close.js';
import { goldenCases, goldenTolerance } from './support/golden.js';
import { callByName } from './support/names.js';

interface InitializerCase {
  readonly name: string;
  readonly initializer: string;
  readonly config: object;
  readonly shape: readonly number[];
  readonly outputs: Readonly<Record<string, unknown>>;
}

const exact = goldenTolerance('float64', 'output');

/** A generator that notes what it is asked for. */
class Watched extends Generator {
  readonly uniforms: { low?: number; high?: number }[] = [];
  readonly normals: { truncated: boolean; mean?: number; stddev?: number }[] = [];

  override uniform(shape: Shape, options: { low?: number; high?: number; dtype?: DType }): Tensor {
    this.uniforms.push(options);
    return super.uniform(shape, options);
  }

  override normal(shape: Shape, options: { mean?: number; stddev?: number; dtype?: DType }) {
    this.normals.push({ ...options, truncated: false });
    return super.normal(shape, options);
  }

  override truncatedNormal(
    shape: Shape,
    options: { mean?: number; stddev?: number; dtype?: DType },
  ) {
    this.normals.push({ ...options, truncated: true });
    return super.truncatedNormal(shape, options);
  }
}

/** What a case says, each under its name; a name that is not known is an error. */
function expectations({ name, outputs }: InitializerCase) {
  const known = [
    ...['fanIn', 'fanOut', 'mean', 'stddev', 'min', 'max', 'untruncatedStddev'],
    ...['matrixShape', 'orthogonal', 'squaredNorm'],
  ];
  for (const key of Object.keys(outputs))
    if (!known.includes(key)) throw new Error(`${name}: there is no statistic '${key}'`);
  const number = (key: string): number | undefined => {
    const value = outputs[key];
    if (value !== undefined && typeof value !== 'number')
      throw new Error(`${name}: ${key} is no number`);
    return value;
  };
  return {
    fanIn: number('fanIn'),
    fanOut: number('fanOut'),
    mean: number('mean'),
    stddev: number('stddev'),
    min: number('min'),
    max: number('max'),
    untruncatedStddev: number('untruncatedStddev'),
    squaredNorm: number('squaredNorm'),
    matrixShape: outputs.matrixShape as [number, number] | undefined,
    orthogonal: outputs.orthogonal as 'rows' | 'columns' | undefined,
  };
}

type Expectations = ReturnType<typeof expectations>;

function close(what: string, actual: number | undefined, expected: number): void {
  assertNumbersClose(what, [actual ?? NaN], [expected], exact);
}

/** The parameters of the distribution that was drawn from, to the last digit of the file. */
function checkParameters(name: string, drawn: Watched, expected: Expectations): void {
  const { mean = 0, stddev = NaN, min, max, untruncatedStddev } = expected;
  expect(drawn.uniforms.length + drawn.normals.length).toBe(1);
  if (drawn.uniforms.length === 1) {
    expect(untruncatedStddev).toBeUndefined();
    close(`${name}, low`, drawn.uniforms[0].low, min ?? NaN);
    close(`${name}, high`, drawn.uniforms[0].high, max ?? NaN);
    return;
  }
  const [normal] = drawn.normals;
  const width = untruncatedStddev ?? stddev;
  expect(normal.truncated).toBe(untruncatedStddev !== undefined);
  close(`${name}, mean`, normal.mean ?? 0, mean);
  close(`${name}, stddev before the cut`, normal.stddev, width);
  if (min !== undefined) close(`${name}, min`, mean - 2 * width, min);
  if (max !== undefined) close(`${name}, max`, mean + 2 * width, max);
}

const SAMPLES = 40_000;

/** Mean and standard deviation of many values within five of their own standard errors, and no value beyond the limits. */
function checkMoments(name: string, values: Float64Array, expected: Expectations): void {
  const n = values.length;
  let [sum, least, greatest] = [0, Infinity, -Infinity];
  for (const v of values) {
    sum += v;
    if (v < least) least = v;
    if (v > greatest) greatest = v;
  }
  const mean = sum / n;
  let [squares, fourths] = [0, 0];
  for (const v of values) {
    const square = (v - mean) * (v - mean);
    squares += square;
    fourths += square * square;
  }
  const variance = squares / n;
  const { stddev = NaN, min = -Infinity, max = Infinity } = expected;
  expect(Math.abs(mean - (expected.mean ?? 0))).toBeLessThan((5 * stddev) / Math.sqrt(n));
  // The variance of a sample variance is (μ₄ − σ⁴) / n.
  const error = Math.sqrt((fourths / n - variance * variance) / n);
  if (!(Math.abs(variance - stddev ** 2) < 5 * error))
    throw new Error(
      `${name}: the standard deviation is ${Math.sqrt(variance)} instead of ${stddev}`,
    );
  if (max === Infinity) return;
  // A float32 may be rounded to just beyond the limit.
  const slack = 1e-7 * Math.max(Math.abs(min), Math.abs(max));
  expect(least).toBeGreaterThanOrEqual(min - slack);
  expect(greatest).toBeLessThanOrEqual(max + slack);
  expect((greatest - least) / (max - min)).toBeGreaterThan(0.98);
}

/** Every pair of rows (or columns) has the product 0, and each with itself the squared norm. */
function checkOrthogonal(what: string, weight: Tensor, expected: Expectations, float: DType): void {
  const { matrixShape = [0, 0], orthogonal, squaredNorm = NaN } = expected;
  const matrix = weight.reshape(matrixShape).cast('float64');
  const byRow = orthogonal === 'rows' ? matrix : matrix.transpose();
  const count = byRow.shape[0];
  const products = byRow.matmul(byRow, { transposeB: true });
  const wanted = Float64Array.from({ length: count ** 2 }, (_, i) =>
    i % (count + 1) === 0 ? squaredNorm : 0,
  );
  const tolerance = float === 'float64' ? 1e-12 : 1e-6;
  assertNumbersClose(what, products.toTypedArray(), wanted, {
    relative: tolerance,
    absolute: tolerance,
  });
}

function check(golden: InitializerCase, float: DType): void {
  const { name, shape, config, initializer: id } = golden;
  const expected = expectations(golden);
  const known = initializers.initializerNames;
  const make = callByName(`${name}: initializer`, initializers, known, id, config) as Initializer;
  const generator = new Watched(`${name} ${float}`);
  const weight = make(shape, { dtype: float, generator });
  expect([weight.shape, weight.dtype, weight.contiguous]).toEqual([shape, float, true]);
  if (expected.fanIn !== undefined) {
    expect(initializers.fans(shape)).toEqual({ fanIn: expected.fanIn, fanOut: expected.fanOut });
  }
  if (expected.orthogonal !== undefined) {
    checkOrthogonal(`${name} in ${float}`, weight, expected, float);
    return;
  }
  checkParameters(name, generator, expected);
  const values = new Float64Array(Math.ceil(SAMPLES / weight.size) * weight.size);
  for (let at = 0; at < values.length; at += weight.size)
    values.set(make(shape, { dtype: float, generator }).toTypedArray(), at);
  checkMoments(name, values, expected);
}

const cases = goldenCases<InitializerCase>('initializer');

describe.each(['float64', 'float32'] as const)('initializers.json in %s', (float) => {
  test.each(cases.map((golden) => [golden.name, golden] as const))('%s', (_, golden) => {
    check(golden, float);
  });
});

describe('the comparison itself', () => {
  const golden: InitializerCase = {
    name: 'normal',
    initializer: 'truncatedNormal',
    config: { mean: 1, stddev: 0.5 },
    shape: [100, 100],
    outputs: { mean: 1, stddev: 0.439812830517, untruncatedStddev: 0.5, min: 0, max: 2 },
  };

  test('passes what is right', () => check(golden, 'float64'));

  test('refuses unknown names, settings and statistics, and wrong moments', () => {
    const refuse = (change: Partial<InitializerCase>, message: RegExp): void => {
      expect(() => check({ ...golden, ...change }, 'float64')).toThrow(message);
    };
    refuse({ initializer: 'fans' }, /normal: initializer: unknown 'fans'/);
    refuse({ config: { minval: 0 } }, /Unknown option of truncatedNormal 'minval'/);
    refuse({ outputs: { ...golden.outputs, median: 1 } }, /there is no statistic 'median'/);
    refuse({ outputs: { ...golden.outputs, stddev: 0.45 } }, /the standard deviation is 0\.4[34]/);
    refuse({ outputs: { ...golden.outputs, max: 2.1 } }, /normal, max: 1 of 1 elements differ/);
  });
});
