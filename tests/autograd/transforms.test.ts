/** Functions that differentiate functions, against closed forms. */
import { Generator, eye, ops as tensorOps, tensor, type Tensor } from '@tapegrad/tensor';
import {
  GradientError,
  Variable,
  customGradient,
  grad,
  gradients,
  hessian,
  jacobian,
  noGrad,
  ops,
  toVariable,
  valueAndGrad,
  variable,
  vjp,
} from '@tapegrad/autograd';
import { assertClose } from '../support/close.js';

const f64 = (values: number | number[]): Tensor => tensor(values, 'float64');
const normal = (...shape: number[]): Tensor => new Generator(3).normal(shape, { dtype: 'float64' });

/** float64 arithmetic of a few steps. */
const tight = { relative: 1e-12, absolute: 1e-13 };

function expectClose(actual: Variable, expected: Tensor): void {
  const plain = { shape: expected.shape, data: expected.toTypedArray() };
  assertClose('result', actual.value, plain, tight);
}

describe('grad and valueAndGrad', () => {
  test('give the value and the gradients of all arguments', () => {
    const f = (a: Variable, b: Variable): Variable => a.mul(b).sum();
    const [value, [da, db]] = valueAndGrad(f)([1, 2], [3, 4]);
    expect([value.item(), da.toArray(), db.toArray()]).toEqual([11, [3, 4], [1, 2]]);
    expect(grad(f)([1, 2], [3, 4]).toArray()).toEqual([3, 4]);
  });

  test('leave no graph behind for constant arguments', () => {
    const [value, [dx]] = valueAndGrad((x) => x.square().sum())([1, 2]);
    expect([value.requiresGrad, dx.requiresGrad]).toEqual([false, false]);
  });

  test('do not touch the gradients of leaves', () => {
    const [x, w] = [variable(2), variable(3)];
    grad((y) => y.mul(w))(x);
    expect([x.grad, w.grad]).toEqual([null, null]);
  });

  test('need a scalar', () => {
    expect(() => grad((x) => x.square())([1, 2])).toThrow(
      new GradientError(
        'valueAndGrad: the function must return a scalar; it returned shape [2]. Reduce it with sum() or mean(), or use ' +
          'vjp or jacobian.',
      ),
    );
  });

  test('give zeros for what the value does not depend on, whatever is in it', () => {
    const [, [dx, dy, di]] = valueAndGrad((x) => x.square().sum())(
      [1, 2],
      [NaN, Infinity],
      tensor([1], 'int32'),
    );
    expect([dx.toArray(), dy.toArray(), di.toArray()]).toEqual([[2, 4], [0, 0], [0]]);
    expect(grad(() => new Variable(tensor(7)))([NaN, 1]).toArray()).toEqual([0, 0]);
  });

  test('work inside noGrad, where they leave no graph', () => {
    const x = variable(3);
    const [value, [dx]] = noGrad(() => valueAndGrad((y) => y.mul(x).mul(y))(x));
    expect([value.item(), dx.item()]).toEqual([27, 18]);
    expect([value.requiresGrad, dx.requiresGrad]).toEqual([false, false]);
  });

  test('keep the dtype', () => {
    expect(grad((x) => x.square().sum())(f64([1, 2])).dtype).toBe('float64');
    expect(grad((x) => x.square().sum())([1, 2]).dtype).toBe('float32');
  });
});

describe('valueAndGrad with weights', () => {
  test('gives the gradients of what f closes over, and takes arguments as data', () => {
    const [w, b] = [variable([1, 2]), variable(3)];
    const step = valueAndGrad((x) => x.mul(w).sum().add(b).square(), [w, b]);
    // (3·1 + 4·2 + 3)² = 14², and 2·14 times x and 1
    const [value, [dw, db]] = step([3, 4]);
    expect([value.item(), dw.toArray(), db.item()]).toEqual([196, [84, 112], 28]);
    expect([w.grad, b.grad]).toEqual([null, null]);
    w.assign([0, 0]);
    expect(step([3, 4])[1][0].toArray()).toEqual([18, 24]);
  });

  test('leaves no graph behind, and works inside noGrad', () => {
    const w = variable(2);
    const step = valueAndGrad((x) => x.mul(w).square(), [w]);
    for (const [value, [dw]] of [step(3), noGrad(() => step(3))]) {
      expect([value.item(), dw.item()]).toEqual([36, 36]);
      expect([value.requiresGrad, dw.requiresGrad]).toEqual([false, false]);
    }
  });

  test('is itself differentiated by the same weights', () => {
    // g = d/dw (wx)² = 2wx²; d/dw g² = 8wx⁴
    const w = variable(1);
    const inner = valueAndGrad((x) => x.mul(w).square(), [w]);
    const outer = valueAndGrad((x) => inner(x)[1][0].square(), [w]);
    const [value, [dw]] = outer(3);
    expect([value.item(), dw.item()]).toEqual([324, 648]);
    expect(dw.requiresGrad).toBe(false);
  });

  test('is differentiated by an argument from outside', () => {
    // d/dx of d/dw w²x at w = 5
    const w = variable(5);
    const dw = (x: Variable): Variable => valueAndGrad((y) => y.mul(w.square()), [w])(x)[1][0];
    expect(grad(dw)(2).item()).toBe(10);
    const x = variable(2);
    dw(x).backward();
    expect(x.grad?.item()).toBe(10);
  });

  test('gives zeros for a weight without influence, and refuses a value that has nothing to do with any', () => {
    const [w, unused] = [variable([1, 2]), variable([NaN, 1])];
    const [, [, zeros]] = valueAndGrad(() => w.sum(), [w, unused])();
    expect(zeros.toArray()).toEqual([0, 0]);
    expect(() => valueAndGrad(() => toVariable(w.value).sum(), [w])()).toThrow(
      new GradientError(
        'valueAndGrad: the value depends on no Variable that requires a gradient, so on none of the weights. Compute it from ' +
          'the Variables themselves, not from their `value`, and not in noGrad.',
      ),
    );
    expect(() => valueAndGrad(() => w, [w])()).toThrow(
      'must return a scalar; it returned shape [2]',
    );
  });
});

describe('derivatives of derivatives', () => {
  const times = (n: number, f: (x: Variable) => Variable): ((x: Tensor) => Variable) => {
    let derivative = f;
    for (let i = 0; i < n; i++) {
      const g = derivative;
      derivative = (x) => grad(g)(x);
    }
    return (x) => derivative(new Variable(x));
  };

  test.each([0, 1, 2, 3, 4, 5])('a polynomial, %i times', (n) => {
    // x⁴ − 3x³ + 2x² − x + 5 at 1.5, by Horner's rule and by powers
    const horner = (x: Variable): Variable => x.sub(3).mul(x).add(2).mul(x).sub(1).mul(x).add(5);
    const powers = (x: Variable): Variable =>
      x.pow(4).sub(x.pow(3).mul(3)).add(x.square().mul(2)).sub(x).add(5);
    const x = 1.5;
    const expected = [
      x ** 4 - 3 * x ** 3 + 2 * x ** 2 - x + 5,
      4 * x ** 3 - 9 * x ** 2 + 4 * x - 1,
      12 * x ** 2 - 18 * x + 4,
      24 * x - 18,
      24,
      0,
    ][n];
    expect(times(n, horner)(f64(x)).item()).toBeCloseTo(expected, 11);
    expect(times(n, powers)(f64(x)).item()).toBeCloseTo(expected, 11);
  });

  test('powers at 0', () => {
    const derivatives = (f: (x: Variable) => Variable): number[] =>
      [0, 1, 2, 3, 4].map((n) => times(n, f)(f64(0)).item());
    expect(derivatives((x) => x.pow(2))).toEqual([0, 0, 2, 0, 0]);
    expect(derivatives((x) => x.pow(3))).toEqual([0, 0, 0, 6, 0]);
    expect(derivatives((x) => x.square())).toEqual([0, 0, 2, 0, 0]);
    expect(derivatives((x) => x.mul(x).mul(x))).toEqual([0, 0, 0, 6, 0]);
  });

  test.each([1, 2, 3, 4])('sin, exp and 1/x, %i times', (n) => {
    const x = 0.7;
    const sine = [Math.cos(x), -Math.sin(x), -Math.cos(x), Math.sin(x)][n - 1];
    const inverse = [-1, 2, -6, 24][n - 1] / x ** (n + 1);
    expectClose(times(n, (y) => y.sin())(f64(x)), f64(sine));
    expectClose(times(n, (y) => y.exp())(f64(x)), f64(Math.exp(x)));
    expectClose(times(n, (y) => y.reciprocal())(f64(x)), f64(inverse));
  });

  test('through backward', () => {
    const x = variable(0.7, 'float64');
    let y = x.sin();
    for (const expected of [Math.cos(0.7), -Math.sin(0.7), -Math.cos(0.7), Math.sin(0.7)]) {
      x.zeroGrad();
      y.backward(undefined, { createGraph: true });
      if (x.grad === null) throw new Error('no gradient');
      y = x.grad;
      expect(y.item()).toBeCloseTo(expected, 14);
    }
  });
});

describe('a derivative inside a function to be differentiated', () => {
  const at = (f: (x: Variable) => Variable, x: number): number => grad(f)(x).item();

  test('does not confuse the two variables', () => {
    // d/dx x·(d/dy (x + y)) = d/dx x·1; a confused one gives 2.
    expect(at((x) => x.mul(grad((y) => x.add(y))(1)), 2)).toBe(1);
    expect(at((x) => x.mul(grad((y) => x.add(y))(x)), 2)).toBe(1);
    expect(at((x) => x.mul(grad((y) => y.mul(y))(x)), 3)).toBe(12);
  });

  test('is differentiated with respect to what it closes over', () => {
    // d/dx x·(d/dy xy) = d/dx x² = 2x
    expect(at((x) => x.mul(grad((y) => x.mul(y))(1)), 2)).toBe(4);
    expect(at((x) => x.mul(grad((y) => x.mul(y))(x)), 2)).toBe(4);
    expect(at((x) => valueAndGrad((y) => x.mul(y))(5)[0], 2)).toBe(5);
    // d/dx Σ (d/dy x²y³) at y = 2: 2x·3y²
    expect(at((x) => grad((y) => x.square().mul(y.pow(3)))(2), 5)).toBe(120);
    expect(at((x) => vjp((y) => x.square().mul(y), 3)[1](1)[0], 5)).toBe(10);
    expect(at((x) => jacobian((y) => x.square().mul(y))([1, 2]).sum(), 5)).toBe(20);
  });

  test('is differentiated by backward as well', () => {
    const x = variable(2);
    x.mul(grad((y) => x.mul(y))(1)).backward();
    expect(x.grad?.item()).toBe(4);
  });

  test('may be three deep', () => {
    // f = x·y²·z³: ∂f/∂z = 3xy²z², its ∂/∂y = 6xyz², its ∂/∂x = 6yz²
    const f = (x: Variable): Variable =>
      grad((y) => grad((z) => x.mul(y.square()).mul(z.pow(3)))(2))(3);
    expect(f(variable(5)).item()).toBe(360);
    expect(at(f, 5)).toBe(72);
  });

  test('of the same function with another argument is independent of it', () => {
    const cube = (x: Variable): Variable => x.pow(3);
    expect(at((x) => grad(cube)(x).mul(grad(cube)(2)), 1)).toBe(6 * 12);
  });

  test('leaves the outer graph usable', () => {
    const x = variable(3);
    const y = x.square();
    expect(grad((z) => z.mul(y))(1).item()).toBe(9);
    y.backward();
    expect(x.grad?.item()).toBe(6);
  });
});

describe('vjp', () => {
  test('gives the value and a pullback that can be called again', () => {
    const [y, pullback] = vjp((a, b) => a.matmul(b), [[1, 2]], [[3], [4]]);
    expect(y.toArray()).toEqual([[11]]);
    for (const c of [1, 2, 1]) {
      const [da, db] = pullback([[c]]);
      expect([da.toArray(), db.toArray()]).toEqual([[[3 * c, 4 * c]], [[c], [2 * c]]]);
    }
  });

  test('refuses a cotangent of another shape', () => {
    const [, pullback] = vjp((x) => x.square(), [1, 2]);
    expect(() => pullback([1, 2, 3])).toThrow(
      "backward: the cotangent must have the value's shape [2]; got [3].",
    );
  });

  test('is linear in the cotangent, and differentiable: the vjp of a vjp is J·u', () => {
    const [x, u] = [f64([0.3, -0.8]), f64([2, 5])];
    const f = (y: Variable): Variable => y.sin().mul(y.flip());
    const [, pullback] = vjp(f, x);
    const [, push] = vjp((cotangent) => pullback(cotangent)[0], f64([0, 0]));
    const j = jacobian(f)(x);
    expectClose(push(u)[0], tensorOps.matmul(j.value, u));
  });

  test('gives zeros where the value depends on nothing', () => {
    const [, pullback] = vjp(() => new Variable(tensor([1, 2])), [[3, 4, 5]]);
    expect(pullback([1, 1])[0].toArray()).toEqual([[0, 0, 0]]);
  });
});

describe('jacobian', () => {
  test('of a linear function is its matrix', () => {
    const a = normal(3, 2);
    expectClose(jacobian((x) => ops.matmul(a, x))(normal(2)), a);
  });

  test('of softmax is diag(p) − p·pᵀ', () => {
    const x = normal(4);
    const p = x.softmax();
    const expected = eye(4, 4, 'float64').mul(p).sub(p.outer(p));
    expectClose(jacobian((y) => y.softmax())(x), expected);
  });

  test('has the axes of the result, then those of the input', () => {
    const x = normal(2, 3);
    const j = jacobian((y) => y.transpose().square())(x);
    expect(j.shape).toEqual([3, 2, 2, 3]);
    const expected = ops.einsum(
      [x.mul(2), eye(2, 2, 'float64'), eye(3, 3, 'float64')],
      'ij,ik,jl->jikl',
    );
    expectClose(j, expected.value);
  });

  test('of a scalar is its gradient, of a function of a scalar a vector', () => {
    expect(jacobian((x) => x.square().sum())([1, 2]).toArray()).toEqual([2, 4]);
    expect(jacobian((x) => ops.stack([x, x.square()]))(3).toArray()).toEqual([1, 6]);
  });

  test('of a constant is 0', () => {
    const j = jacobian(() => new Variable(tensor([1, 2])))([1, 2, 3]);
    expect(j.toArray()).toEqual([
      [0, 0, 0],
      [0, 0, 0],
    ]);
  });

  test('of nothing is an error', () => {
    expect(() => jacobian((x) => x.slice({ begin: [0], size: [0] }))([1])).toThrow(
      'jacobian: the function returned no elements, shape [0].',
    );
  });
});

describe('hessian', () => {
  test('of a quadratic form xᵀAx is A + Aᵀ', () => {
    const a = normal(3, 3);
    const h = hessian((x) => x.matmul(a).matmul(x))(normal(3));
    expectClose(h, a.add(a.transpose()));
  });

  test("of Rosenbrock's function", () => {
    const f = (p: Variable): Variable => {
      const [x, y] = p.split(2);
      return x.sub(1).square().add(y.sub(x.square()).square().mul(100)).sum();
    };
    const [x, y] = [-1.2, 1];
    const expected = [
      [2 - 400 * (y - 3 * x * x), -400 * x],
      [-400 * x, 200],
    ];
    expectClose(hessian(f)(f64([x, y])), tensor(expected, 'float64'));
  });

  test('of logSumExp is diag(p) − p·pᵀ', () => {
    const x = normal(3);
    const p = x.softmax();
    expectClose(hessian((y) => y.logSumExp())(x), eye(3, 3, 'float64').mul(p).sub(p.outer(p)));
  });

  test('is symmetric for a small network, and 0 for a linear function', () => {
    const w = normal(2, 3);
    const h = hessian((x) => x.matmul(w).tanh().logSumExp())(normal(2));
    expectClose(h, h.value.transpose());
    expect(hessian((x) => x.mul([1, 2]).sum())([3, 4]).toArray()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test('needs a scalar function', () => {
    expect(() => hessian((x) => x.square())([1, 2])).toThrow('must return a scalar');
  });
});

describe('gradients', () => {
  test('of values in between, and of the result itself', () => {
    const x = variable(2);
    const h = x.square();
    const y = h.mul(3);
    const found = gradients([y], [h, x, y]);
    expect(found.map((g) => g.item())).toEqual([3, 12, 1]);
    expect(x.grad).toBeNull();
  });

  test('of several results, weighted, also of the same one twice', () => {
    const x = variable([1, 2]);
    const y = x.square();
    const [dx] = gradients([y, x.sum(), y], [x], [[1, 10], undefined, [1, 0]]);
    expect(dx.toArray()).toEqual([2 * 2 + 1, 40 + 1]);
  });

  test('are zeros where no way leads', () => {
    const [x, other] = [variable(2), variable([[1, 2]], 'float64')];
    const [, dOther] = gradients([x.square()], [x, other]);
    expect([dOther.toArray(), dOther.dtype]).toEqual([[[0, 0]], 'float64']);
  });

  test('of the parts of a list', () => {
    const x = variable([3, 1, 2]);
    const [values] = x.topk(2);
    expect(gradients([values.square().sum()], [values])[0].toArray()).toEqual([6, 4]);
  });
});

describe('customGradient', () => {
  const clipped = customGradient({
    name: 'clipGradient',
    forward: (x) => x.identity(),
    backward: (g) => [g.clip({ min: -1, max: 1 })],
  });

  test('gives its own gradient', () => {
    const x = variable([1, 2]);
    clipped(x).mul([0.5, 7]).sum().backward();
    expect(x.grad?.toArray()).toEqual([0.5, 1]);
    expect(clipped(x).node?.name).toBe('clipGradient');
  });

  test('does not record its forward, nor anything for constants', () => {
    const rounded = customGradient({
      name: 'roundStraightThrough',
      forward: (x) => x.round().exp(),
      backward: (g) => [g],
    });
    const y = rounded(variable([0.4, 1.6]));
    expect(y.node?.edges).toHaveLength(1);
    expect(y.node?.edges[0]?.target).toBeInstanceOf(Variable);
    expect(rounded([1, 2]).requiresGrad).toBe(false);
    expect(noGrad(() => rounded(variable([1, 2]))).requiresGrad).toBe(false);
  });

  test('gets inputs and output, may leave inputs without a gradient, and can be differentiated again', () => {
    const power = customGradient({
      name: 'myPower',
      forward: (x, n) => x.pow(n),
      backward: (g, [x, n], out) => [g.mul(n).mul(out).div(x), null],
    });
    const [x, n] = [variable(2, 'float64'), variable(3, 'float64')];
    power(x, n).backward();
    expect([x.grad?.item(), n.grad]).toEqual([12, null]);
    expect(grad((y) => grad((z) => power(z, 3))(y))(f64(2)).item()).toBeCloseTo(12, 12);
  });

  test('is asked once in each walk, also when the cotangent is the same', () => {
    let asked = 0;
    const twice = customGradient({
      name: 'twice',
      forward: (a, b) => a.mul(b),
      backward: (g, [a, b]) => {
        asked++;
        return [g.mul(b), g.mul(a)];
      },
    });
    const [a, b] = [variable([1, 2]), variable([3, 4])];
    const cotangent = new Variable(tensor([1, 10]));
    const y = twice(a, b);
    const plain = gradients([y], [a, b], [cotangent], { retainGraph: true });
    expect(asked).toBe(1);
    // A second walk asks again: its gradients must have a graph, which those of the first have not.
    const [da] = gradients([y], [a], [cotangent], { createGraph: true });
    expect([asked, plain[0].requiresGrad, da.requiresGrad]).toEqual([2, false, true]);
    expect(gradients([da.sum()], [b])[0].toArray()).toEqual([1, 10]);
  });

  test('used twice with one cotangent gives each use its own gradient', () => {
    const scaled = customGradient({
      name: 'scaled',
      forward: (x) => x.mul(2),
      backward: (g, [x]) => [g.mul(x)],
    });
    const [x, y] = [variable(3), variable(5)];
    scaled(x).add(scaled(y)).backward();
    expect([x.grad?.item(), y.grad?.item()]).toEqual([3, 5]);
    const z = variable(3);
    scaled(scaled(z)).backward();
    // 1·6 at the outer one, ·3 at the inner one
    expect(z.grad?.item()).toBe(18);
  });

  test('must give a gradient for each input', () => {
    const few = customGradient({
      name: 'few',
      forward: (a, b) => a.add(b),
      backward: (g) => [g],
    });
    expect(() => few(variable(1), variable(2)).backward()).toThrow(
      new GradientError(
        "customGradient: backward of 'few' must return 2 gradients, one for each input; got 1.",
      ),
    );
  });
});

describe('functions that cannot be differentiated', () => {
  const loosely = (f: unknown): unknown => grad(f as () => Variable)(1);

  test('because they are none', () => {
    expect(() => loosely(3)).toThrow(
      new GradientError(
        'a function of Variables is differentiated, as in grad((x) => x.square().sum()); got 3.',
      ),
    );
    expect(() => Reflect.apply(vjp, null, [variable(1), 1]) as unknown).toThrow(
      /got a Variable\.$/,
    );
  });

  test('because they return no Variable', () => {
    const message = 'the function to be differentiated must return a Variable; got ';
    expect(() => loosely(() => undefined)).toThrow(
      new GradientError(`${message}undefined. Is there a return missing?`),
    );
    expect(() => loosely((x: Variable) => [x])).toThrow(
      new GradientError(`${message}[a Variable].`),
    );
    expect(() => loosely((x: Variable) => x.value)).toThrow(
      new GradientError(`${message}a Tensor.`),
    );
  });
});

test('gradients takes lists', () => {
  const w = variable(2);
  const loosely = (...args: unknown[]): unknown => Reflect.apply(gradients, null, args);
  const message = 'are a list of Variables, as in gradients([loss], [w]); got ';
  expect(() => loosely(w.square(), [w])).toThrow(
    new GradientError(`gradients: results ${message}a Variable.`),
  );
  expect(() => loosely([w.square()], w)).toThrow(
    new GradientError(`gradients: inputs ${message}a Variable.`),
  );
  expect(() => loosely([w.square()], [w.value])).toThrow(
    new GradientError(`gradients: inputs ${message}a Tensor in the list.`),
  );
});
