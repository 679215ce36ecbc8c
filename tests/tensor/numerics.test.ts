/**
 * Where textbook formulas fail: large and small numbers, ties, halves, signs, NaN and infinities. Reference values
 * with many digits were computed with mpmath 1.3 to 40 digits and are here as the nearest doubles.
 */
import { Generator, ops, scalar, tensor, type Tensor } from '@tapegrad/tensor';
import { assertNumbersClose, EXACT } from '../support/close.js';

const f64 = (...values: number[]): Tensor => tensor(values, 'float64');
const list = (x: Tensor): number[] => Array.from(x.toTypedArray());

/** Results of an op at single numbers, in float64. */
function assertValues(
  name: string,
  op: (x: Tensor) => Tensor,
  table: readonly (readonly [number, number])[],
  relative: number,
): void {
  const actual = list(op(f64(...table.map(([x]) => x))));
  const expected = table.map(([, y]) => y);
  assertNumbersClose(name, actual, expected, { relative, absolute: 0 });
}

describe('large arguments', () => {
  test('softplus', () => {
    const table = [
      [-1000, 0],
      [-50, 1.9287498479639178e-22],
      [-20, 2.061153620314381e-9],
      [-1, 0.3132616875182228],
      [0, 0.6931471805599453],
      [20, 20.000000002061153],
      [1000, 1000],
    ] as const;
    assertValues('softplus', (x) => x.softplus(), table, 1e-15);
    expect(list(f64(-Infinity, Infinity, NaN).softplus())).toEqual([0, Infinity, NaN]);
    expect(list(tensor([1000, -1000]).softplus())).toEqual([1000, 0]);
  });

  test('sigmoid, silu, mish, tanh', () => {
    expect(list(f64(-1000, 1000).sigmoid())).toEqual([0, 1]);
    expect(list(f64(-1000, 1000).tanh())).toEqual([-1, 1]);
    expect(list(f64(-1000, 1000).silu()).map((v) => v + 0)).toEqual([0, 1000]);
    expect(list(f64(-1000, 1000).mish()).map((v) => v + 0)).toEqual([0, 1000]);
    const silu = [
      [-50, -9.643749239819589e-21],
      [-5, -0.03346425462142428],
      [5, 4.966535745378576],
    ] as const;
    assertValues('silu', (x) => x.silu(), silu, 1e-15);
    const mish = [
      [-50, -9.643749239819589e-21],
      [-20, -4.122307240628761e-8],
      [-5, -0.033576237730161704],
      [5, 4.999552077529406],
    ] as const;
    assertValues('mish', (x) => x.mish(), mish, 1e-15);
  });

  test.each(['float32', 'float64'] as const)('logSumExp, softmax and logSoftmax, %s', (dtype) => {
    const x = tensor([1000, 1000], dtype);
    const tolerance = { relative: dtype === 'float64' ? 1e-15 : 1e-7, absolute: 0 };
    const near = (what: string, actual: Tensor, expected: number[]): void =>
      assertNumbersClose(what, list(actual), expected, tolerance);
    near('logSumExp', x.logSumExp(), [1000.6931471805599]);
    near('logSumExp', x.neg().logSumExp(), [-999.30685281944]);
    near('softmax', x.softmax(), [0.5, 0.5]);
    near('softmax', tensor([-1000, 0, 1000], dtype).softmax(), [0, 0, 1]);
    near(
      'softmax',
      tensor([1000, 1001, 1002], dtype).softmax(),
      [0.09003057317038046, 0.24472847105479764, 0.6652409557748219],
    );
    near('logSoftmax', tensor([-1000, 1000], dtype).logSoftmax(), [-2000, 0]);
    // ln 2 keeps its digits beside a large maximum.
    near(
      'logSoftmax',
      tensor([1e8, 1e8], dtype).logSoftmax(),
      [-0.6931471805599453, -0.6931471805599453],
    );
  });

  test('logSumExp and softmax of infinities', () => {
    expect(f64(-Infinity, -Infinity).logSumExp().item()).toBe(-Infinity);
    expect(f64(-Infinity, 3).logSumExp().item()).toBe(3);
    expect(f64(Infinity, 3).logSumExp().item()).toBe(Infinity);
    expect(f64(NaN, Infinity).logSumExp().item()).toBeNaN();
    expect(list(f64(-Infinity, 2, 2).softmax())).toEqual([0, 0.5, 0.5]);
    expect(list(f64(-Infinity, 2).logSoftmax())).toEqual([-Infinity, 0]);
  });

  test('cross-entropies of large logits', () => {
    const two = (...rows: number[][]): Tensor => tensor(rows, 'float64');
    expect(list(two([1000, -1000], [1000, -1000]).softmaxCrossEntropy([[1, 0], [0, 1]]))).toEqual([0, 2000]); // prettier-ignore
    const close = list(two([1e8, 1e8]).softmaxCrossEntropy([[0, 1]]));
    assertNumbersClose('softmaxCrossEntropy', close, [0.6931471805599453], { relative: 1e-15, absolute: 0 }); // prettier-ignore
    const table = [
      [100, 3.720075976020836e-44],
      [-100, 100],
      [1000, 0],
      [-1000, 1000],
      [0, 0.6931471805599453],
    ] as const;
    assertValues('label 1', (z) => z.sigmoidCrossEntropy(1), table, 1e-15);
    assertValues('label 0', (z) => z.neg().sigmoidCrossEntropy(0), table, 1e-15);
  });
});

describe('small arguments', () => {
  test('log1p and expm1', () => {
    assertValues('log1p', (x) => x.log1p(), [[1e-10, 9.9999999995e-11]], 1e-15);
    assertValues('expm1', (x) => x.expm1(), [[1e-10, 1.00000000005e-10]], 1e-15);
    assertValues('elu', (x) => x.elu(), [[-1e-10, -9.9999999995e-11]], 1e-15);
  });

  test('the variance of numbers far from 0', () => {
    // 1e9 + {4, 7, 13, 16}: variance 22.5; Σx² − (Σx)²/N would lose it (Chan, Golub & LeVeque 1983).
    expect(
      f64(1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16)
        .variance()
        .item(),
    ).toBe(22.5);
  });

  test('float32 sums and means run in double precision', () => {
    const tenths = new Generator(1).uniform([100_000], { low: 0.1, high: 0.1 });
    const exact = 100_000 * Math.fround(0.1);
    expect(tenths.sum().item()).toBe(Math.fround(exact));
    expect(tenths.mean().item()).toBe(Math.fround(0.1));
    expect(tenths.cumsum().gather([99_999]).item()).toBe(Math.fround(exact));
  });
});

describe('the error function', () => {
  test('erf', () => {
    const table = [
      [0, 0],
      [1e-10, 1.1283791670955126e-10],
      [0.1, 0.11246291601828488],
      [0.5, 0.5204998778130465],
      [1, 0.8427007929497149],
      [1.9, 0.9927904292352575],
      [1.999999, 0.9953222443519261],
      [2, 0.9953222650189527],
      [2.5, 0.999593047982555],
      [3, 0.9999779095030014],
      [4, 0.9999999845827421],
      [5.5, 0.9999999999999927],
      [10, 1],
    ] as const;
    assertValues('erf', (x) => x.erf(), table, 2e-15);
    assertValues('erf(−x) = −erf(x)', (x) => x.neg().erf().neg(), table, 2e-15);
    expect(list(f64(Infinity, -Infinity, NaN).erf())).toEqual([1, -1, NaN]);
  });

  test('gelu keeps its digits far below 0', () => {
    const table = [
      [-20, -5.507248237212468e-88],
      [-10, -7.619853024160526e-23],
      [-6, -5.9195258702261885e-9],
      [-4.5, -0.000015289529061285272],
      [-3, -0.0040496940948902835],
      [-1, -0.15865525393145705],
      [1e-8, 5.000000039894228e-9],
      [1, 0.8413447460685429],
      [6, 5.999999994080474],
    ] as const;
    // e^(−x²/2) multiplies the rounding error of x² by up to 200.
    assertValues('gelu', (x) => x.gelu(), table, 1e-13);
  });

  test('gelu by tanh', () => {
    const table = [
      [-6, -8.439646700762297e-11],
      [-5, -2.291796196629506e-7],
      [-4, -0.00007024594819237268],
      [-3, -0.0036373920817730186],
      [-1, -0.1588080093917233],
      [1, 0.8411919906082767],
    ] as const;
    assertValues('gelu', (x) => x.gelu({ approximate: true }), table, 1e-13);
    expect(f64(-100).gelu({ approximate: true }).item() + 0).toBe(0);
  });
});

describe('rounding', () => {
  test('halves go to the even number', () => {
    const x = [-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5, 0.49999999999999994, 2.4999999999999996];
    const expected = [-4, -2, -2, 0, 0, 2, 2, 4, 0, 2];
    assertNumbersClose('round', list(f64(...x).round()), expected, EXACT);
    expect(list(f64(2 ** 52 + 1, 1e300, -Infinity, NaN).round())).toEqual([2 ** 52 + 1, 1e300, -Infinity, NaN]); // prettier-ignore
    expect(tensor([1, 2], 'int32').round().toArray()).toEqual([1, 2]);
  });

  test('mod has the sign of the divisor, as in Python', () => {
    const [a, b] = [f64(7, -7, 7, -7, 6, -6, 5.5, -5.5), f64(3, 3, -3, -3, 3, 3, 2, 2)];
    assertNumbersClose('mod', list(a.mod(b)), [1, 2, -2, -1, 0, 0, 1.5, 0.5], EXACT);
    // numpy.mod(-1, inf) and (1, -inf)
    expect(list(f64(-1, 1, 5).mod(f64(Infinity, -Infinity, Infinity)))).toEqual([Infinity, -Infinity, 5]); // prettier-ignore
    expect(f64(1).mod(0).item()).toBeNaN();
    expect(list(tensor([-7, 7], 'int32').mod(tensor([3, -3], 'int32')))).toEqual([2, -2]);
  });

  test('int32 wraps around', () => {
    const big = tensor([2 ** 31 - 1], 'int32');
    expect(big.add(1).item()).toBe(-(2 ** 31));
    expect(big.add(1).dtype).toBe('int32');
  });
});

describe('NaN and infinities', () => {
  const x = f64(1, NaN, 3);

  test('NaN goes through maxima and minima', () => {
    for (const y of [x.max(), x.min(), x.norm({ ord: 'inf' }), x.sum(), x.variance()])
      expect(y.item()).toBeNaN();
    expect(list(x.maximum(2))).toEqual([2, NaN, 3]);
    expect(list(x.minimum(f64(NaN, 1, 1)))).toEqual([NaN, NaN, 1]);
    expect(list(x.relu())).toEqual([1, NaN, 3]);
    expect(list(x.clip({ min: 2, max: 2 }))).toEqual([2, NaN, 2]);
    expect(list(x.relu6())).toEqual([1, NaN, 3]);
    expect(list(f64(NaN).leakyRelu())).toEqual([NaN]);
  });

  test('the first NaN is where argmax and argmin point, as in NumPy', () => {
    expect(f64(1, NaN, 9, NaN).argmax().item()).toBe(1);
    expect(f64(1, NaN, -9, NaN).argmin().item()).toBe(1);
    expect(f64(NaN, 9).argmax(0).item()).toBe(0);
    expect(f64(-Infinity, -Infinity).argmax().item()).toBe(0);
  });

  test('of equal elements argmax and argmin take the first', () => {
    expect(f64(1, 3, 3, 1, 1).argmax().item()).toBe(1);
    expect(f64(1, 3, 3, 1, 0, 0).argmin().item()).toBe(4);
    expect(f64(0, -0).argmax().item()).toBe(0);
    expect(tensor([[1, 1], [2, 2]]).argmax().item()).toBe(2); // prettier-ignore
  });

  test('sort puts NaN last and knows infinities', () => {
    const y = f64(NaN, 2, Infinity, -1, NaN, -Infinity);
    expect(list(y.sort())).toEqual([-Infinity, -1, 2, Infinity, NaN, NaN]);
    expect(list(y.argsort())).toEqual([5, 3, 1, 2, 0, 4]);
    expect(list(y.argsort({ descending: true }))).toEqual([2, 1, 3, 5, 0, 4]);
    expect(list(f64(Infinity, Infinity, 1).argsort())).toEqual([2, 0, 1]);
  });

  test('comparisons with NaN are false, but for notEqual', () => {
    const pair = (f: (a: Tensor, b: Tensor) => Tensor): number[] => list(f(f64(NaN, NaN), f64(NaN, 1))); // prettier-ignore
    expect(pair((a, b) => a.equal(b))).toEqual([0, 0]);
    expect(pair((a, b) => a.notEqual(b))).toEqual([1, 1]);
    expect(pair((a, b) => a.less(b))).toEqual([0, 0]);
    expect(pair((a, b) => a.greaterEqual(b))).toEqual([0, 0]);
  });

  test('any and all take NaN for true', () => {
    expect([f64(0, NaN).any().item(), f64(1, NaN).all().item()]).toEqual([1, 1]);
  });

  test('prod with zeros and infinities', () => {
    expect(f64(0, 5).prod().item()).toBe(0);
    expect(f64(0, Infinity).prod().item()).toBeNaN();
    expect(list(f64(2, 0, 3).cumprod())).toEqual([2, 0, 0]);
  });

  test('matmul passes NaN and infinities on, also beside zeros', () => {
    const a = tensor([[0, NaN], [0, 1]], 'float64'); // prettier-ignore
    const b = tensor([[Infinity], [1]], 'float64');
    expect(list(a.matmul(b))).toEqual([NaN, NaN]);
  });
});

describe('plain numbers take on the dtype of the tensors beside them', () => {
  const tenth = f64(0.1);
  const yes = tensor([true]);

  test('in float64 they keep their digits', () => {
    for (const x of [
      tenth.mul(0).add(0.1),
      ops.add(0.1, tenth.mul(0)),
      yes.where(0.1, tenth),
      yes.where(tenth, 0.2),
      ops.where([true], [0.1], tenth),
      ops.concat([tensor([1], 'int32'), [0.1], tenth]).gather([1]),
    ]) {
      expect([x.dtype, list(x)]).toEqual(['float64', [0.1]]);
    }
  });

  test('beside float32 they are float32, beside int32 whole numbers stay int32', () => {
    expect(tensor([1]).mul(0.1).dtype).toBe('float32');
    expect(tensor([1], 'int32').mul(2).dtype).toBe('int32');
    expect(tensor([1], 'int32').mul(0.5).dtype).toBe('float32');
    expect(tensor([1], 'int32').equal(1).dtype).toBe('bool');
    expect(yes.where(1, 0.5).dtype).toBe('float32');
    expect(yes.where(tensor([1], 'int32'), 0).dtype).toBe('int32');
    expect(scalar(true).logicalAnd(true).dtype).toBe('bool');
  });

  test('indices are int32, a condition is bool', () => {
    expect(f64(5, 6).gather([1, 0]).toArray()).toEqual([6, 5]);
    expect(ops.where([1, 0], [1, 2], [3, 4]).toArray()).toEqual([1, 4]);
  });
});

describe('attributes', () => {
  const x = tensor([[1, 2], [3, 4]]); // prettier-ignore

  test('directly, as an object, and mixed', () => {
    expect(x.sum(0).toArray()).toEqual([4, 6]);
    expect(x.sum({ axis: 0 }).toArray()).toEqual([4, 6]);
    expect(x.sum(0, { keepDims: true }).toArray()).toEqual([[4, 6]]);
    expect(ops.sum(x, [0, 1]).toArray()).toBe(10);
    expect(x.sum(null).toArray()).toBe(10);
    expect(x.sum().toArray()).toBe(10);
  });

  test('others count also when the leading one is left out', () => {
    expect(x.sum(undefined, { keepDims: true }).toArray()).toEqual([[10]]);
    expect(x.sum(null, { keepDims: true }).toArray()).toEqual([[10]]);
  });
});
