import { DTypeError, Generator, ShapeError, ValueError, type DType } from '@tapegrad/tensor';
import { initializers } from '@tapegrad/layers';
import { assertNumbersClose } from '../support/close.js';

const { getInitializer, initializerNames, orthogonal } = initializers;
const options = (seed: number, dtype: DType = 'float64') => ({
  dtype,
  generator: new Generator(seed),
});

describe.each(initializerNames)('%s', (name) => {
  const shape = [6, 4];

  test.each(['float32', 'float64'] as const)(
    'makes row-major %s of the shape asked for',
    (dtype) => {
      const weight = getInitializer(name)(shape, options(1, dtype));
      expect([weight.shape, weight.dtype, weight.contiguous]).toEqual([shape, dtype, true]);
    },
  );

  test('draws from the generator that is passed and from no other', () => {
    const draw = (seed: number): unknown => getInitializer(name)(shape, options(seed)).toArray();
    expect(draw(1)).toEqual(draw(1));
    const fixed = ['zeros', 'ones', 'constant', 'identity'].includes(name);
    if (!fixed) expect(draw(1)).not.toEqual(draw(2));
  });

  test('gives each weight memory of its own', () => {
    const make = getInitializer(name);
    const shared = options(1);
    expect(make(shape, shared).data).not.toBe(make(shape, shared).data);
  });
});

test('constants', () => {
  const { constant, identity, ones, zeros } = initializers;
  expect(zeros()([2], options(1)).toArray()).toEqual([0, 0]);
  expect(ones()([2], options(1)).toArray()).toEqual([1, 1]);
  expect(constant(0.25)([2], options(1)).toArray()).toEqual([0.25, 0.25]);
  expect(identity({ gain: 3 })([2, 3], options(1)).toArray()).toEqual([
    [3, 0, 0],
    [0, 3, 0],
  ]);
});

test('a function is taken as it is', () => {
  const own = initializers.constant(3);
  expect(getInitializer(own)).toBe(own);
});

describe('orthogonal', () => {
  test.each([
    [100, 100],
    [33, 90],
    [150, 40],
  ])('is orthonormal to 1e-12 over several blocks: %d x %d', (rows, columns) => {
    const q = orthogonal()([rows, columns], options(rows));
    const [k, transpose] =
      rows >= columns ? [columns, { transposeA: true }] : [rows, { transposeB: true }];
    const eye = Float64Array.from({ length: k * k }, (_, i) => (i % (k + 1) === 0 ? 1 : 0));
    assertNumbersClose('QᵀQ', q.matmul(q, transpose).toTypedArray(), eye, {
      relative: 0,
      absolute: 1e-12,
    });
  });

  test('is the Q of the drawn matrix whose R has a positive diagonal', () => {
    const q = orthogonal()([40, 36], options(5));
    const drawn = new Generator(5).normal([36, 40], { dtype: 'float64' }).transpose();
    const r = q.matmul(drawn, { transposeA: true }).toArray() as number[][];
    r.forEach((row, i) =>
      row.forEach((value, j) => {
        if (j === i) expect(value).toBeGreaterThan(0);
        if (j < i) expect(Math.abs(value)).toBeLessThan(1e-12);
      }),
    );
  });

  test('prefers no direction: rotations and reflections, and all signs, are equally frequent', () => {
    const shared = options(9);
    const count = 4000;
    let [reflections, negative, square] = [0, 0, 0];
    for (let i = 0; i < count; i++) {
      const [[a, b], [c, d]] = orthogonal()([2, 2], shared).toArray() as number[][];
      if (a * d - b * c < 0) reflections++;
      if (a < 0) negative++;
      square += a * a;
    }
    // Five standard errors of a share of one half.
    const allowed = (5 * 0.5) / Math.sqrt(count);
    expect(Math.abs(reflections / count - 0.5)).toBeLessThan(allowed);
    expect(Math.abs(negative / count - 0.5)).toBeLessThan(allowed);
    expect(Math.abs(square / count - 0.5)).toBeLessThan(allowed);
  });
});

describe('errors', () => {
  const { constant, identity, randomNormal, randomUniform, truncatedNormal, varianceScaling } =
    initializers;
  test.each([
    [
      () => identity()([3], options(1)),
      ShapeError,
      /^identity: makes matrices only; got a weight of shape \[3\]/,
    ],
    [
      () => orthogonal()([3], options(1)),
      ShapeError,
      'orthogonal: needs a weight of two axes or more; got shape [3].',
    ],
    [
      () => orthogonal()([3, 3], options(1, 'int32')),
      DTypeError,
      'orthogonal: makes float32 or float64; got dtype int32.',
    ],
    [() => constant(NaN), ValueError, 'constant: value must be a finite number; got NaN.'],
    [
      () => orthogonal({ gain: Infinity }),
      ValueError,
      'orthogonal: gain must be a finite number; got Infinity.',
    ],
    [
      () => randomUniform({ minval: 1, maxval: 0 }),
      ValueError,
      'randomUniform: minval must not be above maxval; got 1 and 0.',
    ],
    [
      () => randomNormal({ stddev: -1 }),
      ValueError,
      'randomNormal: stddev must be 0 or more; got -1.',
    ],
    [
      () => truncatedNormal({ mean: NaN }),
      ValueError,
      'truncatedNormal: mean must be a finite number; got NaN.',
    ],
    [
      () => varianceScaling({ scale: 0 }),
      ValueError,
      'varianceScaling: scale must be a number above 0; got 0.',
    ],
    [
      () => varianceScaling({ mode: 'fan_in' as 'fanIn' }),
      ValueError,
      "varianceScaling: mode must be 'fanIn', 'fanOut' or 'fanAvg'; got 'fan_in'.",
    ],
    [
      () => varianceScaling({ distribution: 'normal' as 'uniform' }),
      ValueError,
      /^varianceScaling: distribution must be 'truncatedNormal', .*; got 'normal'\.$/,
    ],
    [() => randomUniform({ low: 0 } as object), Error, /^Unknown option of randomUniform 'low'/],
    [() => identity({ scale: 0 } as object), Error, /^Unknown option of identity 'scale'/],
  ])('%#', (act, type, message) => {
    expect(act).toThrow(type);
    expect(act).toThrow(message);
  });
});
