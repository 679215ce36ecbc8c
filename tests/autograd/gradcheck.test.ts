/** What gradcheck finds, and what it says. */
import { inspect } from 'node:util';
import { Generator, ValueError, specs, run, tensor, zeros, type Tensor } from '@tapegrad/tensor';
import {
  GradientError,
  Variable,
  customGradient,
  gradcheck,
  noGrad,
  ops,
} from '@tapegrad/autograd';

const normal = (shape: number[], seed = 1): Tensor => new Generator(seed).normal(shape);

/** x² with a gradient of one's own. */
const squareWith = (
  backward: (g: Variable, x: Variable) => Variable,
): ((x: Variable) => Variable) =>
  customGradient({
    name: 'mySquare',
    forward: (x) => x.square(),
    backward: (g, [x]) => [backward(g, x)],
  });

describe('right gradients', () => {
  test('pass, with errors far below what is allowed', () => {
    const report = gradcheck((a, b) => a.matmul(b).tanh(), [normal([2, 3]), normal([3, 2], 2)], {
      order: 2,
    });
    expect(report.passed).toBe(true);
    // 6 + 6 of the function; 6 + 6 and 4 for the cotangent of the gradient.
    expect(report.slopes.map(({ order }) => order).filter((order) => order === 1)).toHaveLength(12);
    expect(report.slopes).toHaveLength(12 + 16);
    expect(report.worst?.excess).toBeLessThan(0.05);
    expect([report.failures, report.kinks, report.problems]).toEqual([[], [], []]);
    expect(() => report.assertPassed()).not.toThrow();
  });

  test('the slope at an element is the derivative there', () => {
    const [slope] = gradcheck((x) => x.pow(3), [2]).slopes;
    expect(slope.numeric).toBeCloseTo(12, 8);
    expect(slope.analytic).toBeCloseTo(12, 12);
    expect(slope.position).toEqual([]);
  });

  test.each([1e-5, 1e-3, 1, 1e3, 1e6])('pass where values are about %p', (scale) => {
    const x = normal([4]).abs().add(0.5).cast('float64').mul(scale);
    gradcheck((y) => y.log(), [x], { order: 2 }).assertPassed();
    gradcheck((y) => y.square(), [x], { order: 2 }).assertPassed();
  });

  test('pass right beside a kink', () => {
    gradcheck((x) => x.relu(), [tensor([1e-6, -1e-6, 2e-5], 'float64')]).assertPassed();
  });

  test('pass for inputs without elements, and say so', () => {
    const report = gradcheck((x) => x.sum(), [zeros([0, 3])]);
    expect(report.toString()).toBe('gradcheck passed: there is no element to move.');
    expect(report.worst).toBeNull();
  });

  test('large inputs are checked along directions', () => {
    const report = gradcheck((x, w) => ops.matmul(x, w), [normal([10, 20]), normal([20, 2], 2)], {
      directions: 5,
    });
    report.assertPassed();
    expect(report.slopes.filter(({ position }) => position === null)).toHaveLength(5);
    expect(report.slopes).toHaveLength(5 + 40);
  });

  test('the same seed gives the same slopes, another one others', () => {
    const slopes = (seed?: number): number[] =>
      gradcheck((x) => x.exp(), [normal([200])], { seed }).slopes.map(({ numeric }) => numeric);
    expect(slopes()).toEqual(slopes(0));
    expect(slopes(1)).not.toEqual(slopes(0));
  });

  test('several results are checked together, without those of whole numbers', () => {
    gradcheck((x) => x.topk(2), [[3, 1, 2]], { order: 2 }).assertPassed();
    gradcheck((x) => [x.sin(), x.sum(), x.argmax()], [[3, 1, 2]], { order: 2 }).assertPassed();
  });

  test('float32 inputs become float64; others are passed as they are', () => {
    const seen = new Set<string>();
    const f = (x: Variable, i: Variable, c: Variable): Variable => {
      seen.add([x.dtype, i.dtype, c.dtype].join());
      return ops.where(c, x.gather(i), 0);
    };
    const inputs = [[1, 2, 3], tensor([2, 0], 'int32'), tensor([true, false])];
    gradcheck(f, inputs, { order: 2 }).assertPassed();
    expect([...seen]).toEqual(['float64,int32,bool']);
  });

  test('the inputs themselves are left alone', () => {
    const x = tensor(Float64Array.of(1, 2, 3), { shape: [3] });
    gradcheck((y) => y.exp(), [x], { order: 2 }).assertPassed();
    expect([...x.data]).toEqual([1, 2, 3]);
  });
});

describe('wrong gradients are caught:', () => {
  test('a factor that is off by a hundred-thousandth', () => {
    const f = squareWith((g, x) => g.mul(x).mul(2.00002));
    const report = gradcheck(f, [normal([2, 3])]);
    expect(report.passed).toBe(false);
    expect(report.failures).toHaveLength(6);
    expect(gradcheck(f, [normal([2, 3])], { relative: 1e-4 }).passed).toBe(true);
  });

  test('a gradient that is off by a small number', () => {
    const f = squareWith((g, x) => g.mul(x.mul(2).add(1e-6)));
    expect(gradcheck(f, [zeros([2])]).failures).toHaveLength(2);
    expect(gradcheck(f, [zeros([2])], { absolute: 1e-5 }).passed).toBe(true);
  });

  test('a wrong sign, a missing cotangent, a gradient that is NaN', () => {
    const x = [normal([2, 3])];
    expect(
      gradcheck(
        squareWith((g, y) => g.mul(y).mul(-2)),
        x,
      ).failures,
    ).toHaveLength(6);
    expect(
      gradcheck(
        squareWith((_g, y) => y.mul(2)),
        x,
      ).failures,
    ).toHaveLength(6);
    expect(
      gradcheck(
        squareWith((g) => g.mul(NaN)),
        x,
      ).failures,
    ).toHaveLength(6);
  });

  test('one wrong element among many, which is named', () => {
    const factors = new Float64Array(600).fill(2);
    factors[333] = 2.1;
    const f = squareWith((g, x) => g.mul(x).mul(tensor(factors, { shape: [20, 30] })));
    const report = gradcheck(f, [normal([20, 30])], { names: ['x'] });
    expect(report.failures.map(({ input, position }) => [input, position])).toEqual([
      ['x', [11, 3]],
    ]);
  });

  test('a rule whose own gradient is wrong, at the second order only', () => {
    const f = squareWith((g, x) => g.mul(x.detach()).mul(2));
    expect(gradcheck(f, [normal([2])]).passed).toBe(true);
    const report = gradcheck(f, [normal([2])], { order: 2 });
    expect(report.failures.map(({ order, input }) => [order, input])).toEqual([
      [2, 'input 0'],
      [2, 'input 0'],
    ]);
  });

  test('a rule that loses the graph of the cotangent', () => {
    const f = squareWith((g, x) => g.detach().mul(x).mul(2));
    expect(gradcheck(f, [normal([2])]).passed).toBe(true);
    const report = gradcheck(f, [normal([2])], { order: 2 });
    expect(report.failures.map(({ input }) => input)).toEqual(['cotangent', 'cotangent']);
  });

  test('a part of the function that the graph does not know', () => {
    const half = (x: Variable): Variable => x.square().add(x.detach().square());
    expect(gradcheck(half, [[1, 2]]).failures).toHaveLength(2);
    const other = (x: Variable): Variable[] => [x.square(), noGrad(() => x.exp())];
    expect(gradcheck(other, [[1, 2]]).failures).toHaveLength(2);
  });

  test('the report says where and by how much', () => {
    const f = squareWith((g, x) => g.mul(x.greater(0).cast('float64').add(2)).mul(x));
    const report = gradcheck((x) => f(x).sum(), [[[-1, 2, 3]]], { names: ['x'] });
    expect(report.toString()).toBe(
      [
        'gradcheck FAILED: of 3 slopes, 2 are not what the gradient says.',
        '',
        'order  input  position  numeric  analytic  relative error',
        '1      x      [0, 2]          6         9          3.3e-1  wrong',
        '1      x      [0, 1]          4         6          3.3e-1  wrong',
        '1      x      [0, 0]         -2        -2          0.0e+0',
      ].join('\n'),
    );
    expect(() => report.assertPassed()).toThrow(new GradientError(report.toString()));
    expect(inspect(report)).toBe(report.toString());
  });

  test('the report shows the worst few', () => {
    const lines = gradcheck((x) => x.exp(), [normal([7])])
      .toString()
      .split('\n');
    expect(lines[0]).toMatch(
      /^gradcheck passed: 7 slopes; the worst, at input 0 \[\d\], is off by [\d.e-]+% of what is allowed\.$/,
    );
    expect(lines).toHaveLength(2 + 1 + 5 + 1);
    expect(lines[8]).toBe('… and 2 more, which fit better');
  });
});

describe('kinks are named instead of blaming the rule:', () => {
  test('relu at 0', () => {
    const report = gradcheck(
      (x) => x.relu().sum(),
      [
        [
          [-1, 0],
          [2, 3],
        ],
      ],
      { names: ['x'] },
    );
    expect(report.passed).toBe(false);
    expect(report.failures).toEqual([]);
    expect(report.kinks).toHaveLength(1);
    const [{ input, position, left, right, analytic, kind }] = report.kinks;
    expect([input, position, kind]).toEqual(['x', [0, 1], 'kink']);
    expect([left, right, analytic]).toEqual([0, expect.closeTo(1, 9), 0]);
    expect(report.toString()).toContain(
      'gradcheck FAILED: of 4 slopes, 1 is at a kink; the others are right.',
    );
    expect(report.toString()).toContain(
      'a kink at x [0, 1]: slope 0 on the left, 1 on the right; the gradient says 0.\n' +
        'No gradient is right there, so these slopes tell nothing of the rule. Check at another point.',
    );
  });

  test('a maximum with ties, although the gradient is the mean of both slopes', () => {
    const { kinks } = gradcheck((x) => x.max(), [[1, 3, 3]]);
    expect(kinks.map(({ position }) => position)).toEqual([[1], [2]]);
    expect(kinks.map(({ analytic }) => analytic)).toEqual([
      expect.closeTo(0.5, 9),
      expect.closeTo(0.5, 9),
    ]);
  });

  test('|x| at 0 and the length of a zero vector', () => {
    expect(gradcheck((x) => x.abs(), [[0, 1]]).kinks).toHaveLength(1);
    expect(gradcheck((x) => x.norm(), [[0, 0]]).kinks).toHaveLength(2);
  });

  test('a jump of the value', () => {
    const report = gradcheck((x) => x.floor().add(x), [[1, 1.5]]);
    expect(report.kinks.map(({ kind, position }) => [kind, position])).toEqual([['jump', [0]]]);
    expect(report.toString()).toMatch(/a jump of the value at input 0 \[0\]: slope .* on the left/);
  });

  test('one kink among many elements', () => {
    const x = Float64Array.from(normal([600]).toTypedArray());
    x[444] = 0;
    const report = gradcheck((y) => y.relu(), [tensor(x, { shape: [20, 30] })]);
    expect(report.kinks.map(({ position }) => position)).toEqual([[14, 24]]);
  });

  test('a kink of the gradient alone', () => {
    const report = gradcheck((x) => x.relu().square(), [[0, 1]], { order: 2 });
    expect(report.kinks.map(({ order, input }) => [order, input])).toEqual([[2, 'input 0']]);
    expect(report.toString()).toContain('input 0 [0] (of the gradient)');
  });

  test('a bent curve is no kink', () => {
    expect(gradcheck((x) => x.mul(1e4).tanh(), [[0, 1e-5]]).kinks).toEqual([]);
  });
});

describe('what cannot be checked:', () => {
  const text = (f: (x: Variable) => Variable): string => gradcheck(f, [[1, 2]]).toString();

  test('a function that draws random numbers', () => {
    const generator = new Generator(1);
    expect(text((x) => x.mul(ops.randomUniform({ generator, shape: [2], dtype: 'float64' })))).toBe(
      'gradcheck FAILED: the gradient could not be compared.\n\n' +
        'f is not deterministic: called twice with the same inputs it gave different values.',
    );
  });

  test('a function that computes in float32', () => {
    expect(text((x) => x.cast('float32').square())).toContain(
      'Result 0 is float32, too coarse for differences: of float64 inputs f must make float64.',
    );
  });

  test('a function that changes its input', () => {
    const shrink = (x: Variable): Variable => {
      const inputs = [x.value, x.value.copy(), zeros([0], 'float64'), tensor([0.1, 1], 'float64')];
      run(specs.sgdUpdate, inputs, { momentum: 0, nesterov: false });
      return x.square();
    };
    expect(text(shrink)).toContain("f changes 'input 0' in place.");
  });

  test('a function that leaves the graph', () => {
    for (const f of [
      (x: Variable): Variable => new Variable(x.value.square()),
      (x: Variable): Variable => x.detach().square(),
      (x: Variable): Variable => noGrad(() => x.square()),
      (x: Variable): Variable => x.argmax(),
    ]) {
      expect(() => text(f)).toThrow(
        new GradientError(
          'gradcheck: nothing that f returns depends on an input. Compute with the Variables that f is given, not with ' +
            'their .value or detach(), and not under noGrad.',
        ),
      );
    }
  });

  test('inputs that have no gradient', () => {
    expect(() => gradcheck((i) => i.cast('float64'), [tensor([1], 'int32')])).toThrow(
      'gradcheck: none of the inputs is floating-point; got int32.',
    );
    expect(() => gradcheck(() => new Variable(zeros([])), [])).toThrow('got no inputs.');
  });

  test('an input that is not in a list', () => {
    const f = (x: Variable): Variable => x.square();
    expect(() => Reflect.apply(gradcheck, null, [f, tensor([1, 2])]) as unknown).toThrow(
      new ValueError(
        'gradcheck: inputs are a list, one for each argument of the function, as in gradcheck(f, [x]); got a Tensor.',
      ),
    );
  });
});
