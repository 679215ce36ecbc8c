/** What backward does to leaves and graphs: the rules are PyTorch's, as its documentation of autograd gives them. */
import { arange, ones, ops as tensorOps, tensor, zeros } from '@tapegrad/tensor';
import { GradientError, Variable, gradients, noGrad, ops, variable } from '@tapegrad/autograd';
import { collect } from '../support/gc.js';

describe('gradients arrive at leaves', () => {
  test('that ask for one, and nowhere else', () => {
    const [x, w] = [variable([1, 2]), variable([3, 4])];
    const constant = new Variable(tensor([5, 6]));
    const product = x.mul(w).mul(constant);
    product.sum().backward();
    expect(x.grad?.toArray()).toEqual([15, 24]);
    expect(w.grad?.toArray()).toEqual([5, 12]);
    expect([constant.grad, product.grad]).toEqual([null, null]);
  });

  test('and have neither a graph nor a gradient of their own', () => {
    const x = variable([1, 2]);
    x.square().sum().backward();
    expect([x.grad?.requiresGrad, x.grad?.node]).toEqual([false, null]);
  });

  test('and add up over several backwards until zeroGrad', () => {
    const x = variable([1, 2]);
    x.square().sum().backward();
    x.mul(10).sum().backward();
    expect(x.grad?.toArray()).toEqual([12, 14]);
    x.zeroGrad();
    expect(x.grad).toBeNull();
    x.sum().backward();
    expect(x.grad?.toArray()).toEqual([1, 1]);
  });

  test('without changing what an earlier reader holds', () => {
    const x = variable([1, 2]);
    x.sum().backward();
    const first = x.grad;
    x.sum().backward();
    expect(first?.toArray()).toEqual([1, 1]);
  });

  test('also when the result is the leaf', () => {
    const x = variable(3);
    x.backward();
    x.backward(5);
    expect(x.grad?.item()).toBe(6);
  });

  test('but not at leaves that are frozen', () => {
    const [x, w] = [variable([1, 2]), variable([3, 4])];
    w.requiresGrad = false;
    x.mul(w).sum().backward();
    expect([x.grad?.toArray(), w.grad]).toEqual([[3, 4], null]);
  });

  test('of the shape and dtype of the leaf', () => {
    const single = variable([1, 2]);
    const double = variable([3, 4], 'float64');
    const y = single.mul(double);
    expect(y.dtype).toBe('float64');
    y.sum().backward();
    expect([single.grad?.dtype, double.grad?.dtype]).toEqual(['float32', 'float64']);
    expect([single.grad?.toArray(), double.grad?.toArray()]).toEqual([
      [3, 4],
      [1, 2],
    ]);
    const up = variable([1, 2]);
    up.cast('float64').square().sum().backward();
    expect([up.grad?.dtype, up.grad?.toArray()]).toEqual(['float32', [2, 4]]);
  });

  test('summed over the axes along which an input was repeated', () => {
    const inputs = [[], [1], [3], [2, 1], [1, 1, 3], [2, 3]].map((shape) => variable(ones(shape)));
    inputs
      .reduce((sum, x) => sum.add(x))
      .sum()
      .backward();
    expect(inputs.map(({ grad }) => grad?.toArray())).toEqual([
      6,
      [6],
      [2, 2, 2],
      [[3], [3]],
      [[[2, 2, 2]]],
      [
        [1, 1, 1],
        [1, 1, 1],
      ],
    ]);
  });

  test('beside whole numbers, which have none', () => {
    const x = variable([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const indices = variable([2, 0, 2], { dtype: 'int32', requiresGrad: false });
    x.gather(indices)
      .mul(arange(1, 4).reshape([3, 1]))
      .sum()
      .backward();
    expect(x.grad?.toArray()).toEqual([
      [2, 2],
      [0, 0],
      [4, 4],
    ]);
    expect(indices.grad).toBeNull();
  });
});

describe('a graph', () => {
  test('in which a value is used twice gives the sum', () => {
    const x = variable(3);
    x.mul(x).add(x).backward();
    expect(x.grad?.item()).toBe(7);
  });

  test('of diamonds passes each node once, after all that depends on it', () => {
    // y ← y + y doubles; a walk over paths instead of nodes would take 2⁵⁰ steps.
    const x = variable(1, 'float64');
    let y: Variable = x;
    for (let i = 0; i < 50; i++) y = y.add(y);
    y.backward();
    expect(x.grad?.item()).toBe(2 ** 50);
  });

  test('with a short and a long way to a leaf adds both', () => {
    const x = variable(2);
    const long = x.square().mul(3).exp().log();
    long.add(x).backward();
    expect(x.grad?.item()).toBeCloseTo(13, 4);
  });

  test('with results that nobody uses counts these as 0', () => {
    const x = variable([3, 1, 2]);
    x.topk(2)[0].mul([10, 1]).sum().backward();
    expect(x.grad?.toArray()).toEqual([10, 0, 1]);
    const y = variable([1, 2, 3, 4]);
    y.split(4)[2].square().sum().backward();
    expect(y.grad?.toArray()).toEqual([0, 0, 6, 0]);
  });

  test('that parts and joins again adds up what comes by each way', () => {
    const x = variable([1, 2, 3, 4]);
    const [a, b] = x.square().split(2);
    a.mul(b).sum().backward();
    expect(x.grad?.toArray()).toEqual([18, 64, 6, 32]);
  });

  test.each([10_000, 100_000])('may be a chain of %i nodes', (n) => {
    const x = variable(1, 'float64');
    let y: Variable = x;
    for (let i = 0; i < n; i++) y = y.mul(1 + 1 / n);
    y.backward();
    // d/dx x·(1 + 1/n)ⁿ
    expect(x.grad?.item()).toBeCloseTo((1 + 1 / n) ** n, 8);
  });

  test('may have a gradient that is as deep', () => {
    const n = 10_000;
    const x = variable(0.5, 'float64');
    let y: Variable = x;
    for (let i = 0; i < n; i++) y = y.mul(1).add(0);
    y.square().backward(undefined, { createGraph: true });
    const first = x.grad;
    x.zeroGrad();
    first?.backward();
    expect(x.grad?.item()).toBe(2);
  });

  test('may be 10,000 leaves wide', () => {
    const leaves = Array.from({ length: 10_000 }, () => variable(2));
    ops.stack(leaves).square().sum().backward();
    expect(leaves.every(({ grad }) => grad?.item() === 4)).toBe(true);
  });

  test('ends at detach, which shares memory', () => {
    const x = variable([1, 2]);
    const y = x.square();
    expect(y.detach().value).toBe(y.value);
    expect([y.detach().requiresGrad, y.detach().node]).toEqual([false, null]);
    x.mul(y.detach()).sum().backward();
    expect(x.grad?.toArray()).toEqual([1, 4]);
  });

  test('does not grow under noGrad', () => {
    const x = variable(2);
    const y = noGrad(() => x.square());
    x.mul(y).backward();
    expect(x.grad?.item()).toBe(4);
  });

  test('has gradients with graphs when createGraph is asked for', () => {
    const x = variable(2);
    x.pow(3).backward(undefined, { createGraph: true });
    const first = x.grad;
    expect([first?.item(), first?.requiresGrad]).toEqual([12, true]);
    x.zeroGrad();
    first?.backward();
    expect(x.grad?.item()).toBe(12);
    expect(x.grad?.requiresGrad).toBe(false);
  });

  test('without createGraph keeps no graph of the cotangent either', () => {
    const x = variable([1, 2]);
    const cotangent = variable([1, 1]);
    x.add(1).backward(cotangent);
    expect(x.grad).not.toBe(cotangent);
    expect(x.grad?.requiresGrad).toBe(false);
    expect(gradients([x.mul(2)], [x], [cotangent])[0].requiresGrad).toBe(false);
  });
});

describe('a graph is freed by backward', () => {
  const freed =
    "backward: the graph at 'sum' was freed by an earlier backward; pass { retainGraph: true } to that one to go through " +
    'the graph again.';

  test('so that a second one is an error that says how to mend it', () => {
    const x = variable([1, 2]);
    const y = x.square().sum();
    y.backward();
    expect(() => y.backward()).toThrow(new GradientError(freed));
    expect(x.grad?.toArray()).toEqual([2, 4]);
  });

  test('unless it is retained', () => {
    const x = variable([1, 2]);
    const y = x.square().sum();
    y.backward(undefined, { retainGraph: true });
    y.backward();
    expect(x.grad?.toArray()).toEqual([4, 8]);
    expect(() => y.backward()).toThrow(freed);
  });

  test('or differentiated: createGraph retains it', () => {
    const x = variable([1, 2]);
    const y = x.square().sum();
    y.backward(undefined, { createGraph: true });
    expect(() => y.backward()).not.toThrow();
  });

  test('also where another result shares it', () => {
    const x = variable([1, 2]);
    const shared = x.exp();
    shared.sum().backward();
    expect(() => shared.mul(2).sum().backward()).toThrow("the graph at 'exp' was freed");
  });

  test('but only where gradients passed', () => {
    const [x, w] = [variable(2), variable(3)];
    const y = x.exp();
    gradients([y.mul(w)], [w]);
    expect(() => y.backward()).not.toThrow();
  });

  test('and not below values in between that gradients are asked for', () => {
    const x = variable([1, 2]);
    const y = x.square();
    const other = y.mul(5).sum();
    expect(gradients([y.mul(2).sum()], [y])[0].toArray()).toEqual([2, 2]);
    expect(gradients([y.mul(3).sum()], [y])[0].toArray()).toEqual([3, 3]);
    // A value in between and one below it, at once.
    const [gx, gy] = gradients([y.mul(4).sum()], [x, y], [], { retainGraph: true });
    expect([gx.toArray(), gy.toArray()]).toEqual([[8, 16], [4, 4]]); // prettier-ignore
    other.backward();
    expect(x.grad?.toArray()).toEqual([10, 20]);
  });

  test('and gives its memory back, leaves apart, as soon as it is let go', async () => {
    const x = variable(ones([1000]));
    const { result, inner } = (() => {
      // relu keeps its output and exp its own; what add gave is kept by nobody.
      const sum = x.add(1);
      const relu = sum.relu();
      const result = relu.exp().sum();
      return { result, inner: [sum, relu].map(({ value }) => new WeakRef(value)) };
    })();
    await collect();
    expect(inner.map((ref) => ref.deref() === undefined)).toEqual([true, false]);
    result.backward();
    await collect();
    expect(inner.map((ref) => ref.deref() === undefined)).toEqual([true, true]);
    expect(result.item()).toBeGreaterThan(0);
  });
});

describe('gradients of tensors without elements', () => {
  const empty = (...shape: number[]): Variable => variable(zeros(shape));
  const check = (f: (...xs: Variable[]) => Variable, ...xs: Variable[]): void => {
    f(...xs)
      .sum()
      .backward();
    expect(xs.map(({ grad }) => grad?.shape)).toEqual(xs.map(({ shape }) => shape));
    for (const { grad } of xs) {
      expect([...(grad?.value.toTypedArray() ?? [NaN])].every((v) => v === 0)).toBe(true);
    }
  };

  test('have the shape of the input', () => {
    check((x) => x.exp(), empty(0, 3));
    check((x) => x.sum(0), empty(0, 3));
    check((x) => x.prod(0), empty(0, 3));
    check((x) => x.softmax(), empty(0, 3));
    check((x) => x.cumprod(), empty(2, 0));
    check((x) => x.tile([0]), variable([1, 2]));
    check((x) => x.gather(tensor([], 'int32')), variable([1, 2]));
    check(
      (a, b) => ops.concat([a, b.slice({ begin: [0], size: [0] })]),
      empty(0),
      variable([1, 2]),
    );
  });

  test('also of products, over no elements, rows, columns or batches', () => {
    check((a, b) => a.matmul(b), empty(2, 0), empty(0, 3));
    check((a, b) => a.matmul(b), empty(2, 3, 0), empty(0, 4));
    check((a, b) => a.matmul(b), variable(ones([2, 3, 5])), empty(5, 0));
    check((a, b) => a.matmul(b), empty(0, 3, 5), variable(ones([5, 2])));
    check((a, b) => a.dot(b), empty(3, 0), empty(2, 0, 4));
    check((a, b) => a.dot(b), empty(0), empty(0));
    check((a, b) => ops.einsum([a, b], 'ij,jk->ik'), empty(2, 0), empty(0, 3));
  });
});

test('conventions at kinks are those of PyTorch', () => {
  const at = (f: (x: Variable) => Variable, values: number[]): unknown => {
    const x = variable(values);
    f(x).sum().backward();
    return x.grad?.toArray();
  };
  expect(at((x) => x.relu(), [-1, 0, 1])).toEqual([0, 0, 1]);
  expect(at((x) => x.relu6(), [0, 6])).toEqual([0, 0]);
  expect(at((x) => x.leakyRelu(0.25), [0, -0])).toEqual([0.25, 0.25]);
  expect(at((x) => x.elu(2), [0])).toEqual([2]);
  expect(at((x) => x.abs(), [0])).toEqual([0]);
  expect(at((x) => x.clip({ min: -1, max: 1 }), [-2, -1, 0, 1, 2])).toEqual([0, 1, 1, 1, 0]);
  // Equal extremes share the gradient; so do the two sides of a maximum.
  expect(at((x) => x.max(), [3, 1, 3])).toEqual([0.5, 0, 0.5]);
  expect(at((x) => x.min(), [1, 1, 3])).toEqual([0.5, 0.5, 0]);
  expect(at((x) => x.maximum([2, 2, 2]), [1, 2, 3])).toEqual([0, 0.5, 1]);
  expect(at((x) => x.minimum([2, 2, 2]), [1, 2, 3])).toEqual([1, 0.5, 0]);
  // Lengths and deviations of 0, and powers of 0.
  expect(at((x) => x.norm(), [0, 0])).toEqual([0, 0]);
  expect(at((x) => x.std(), [2, 2])).toEqual([0, 0]);
  expect(at((x) => x.pow([0, 1, 2]), [0, 0, 0])).toEqual([0, 1, 0]);
  expect(at((x) => ops.pow([0, 0], x), [0, 2])).toEqual([0, 0]);
  expect(at((x) => x.sqrt(), [0])).toEqual([Infinity]);
  // The product of the others, with one 0 and with two.
  expect(at((x) => x.prod(), [2, 0, 3])).toEqual([0, 6, 0]);
  expect(at((x) => x.prod(), [0, 0, 3])).toEqual([0, 0, 0]);
});

test('a gradient stays what it is when the cotangent is changed later', () => {
  const [x, y] = [variable([1, 2]), variable([[1, 2]])];
  const cotangent = variable([3, 4], { requiresGrad: false });
  x.add(1).backward(cotangent);
  y.reshape([2]).backward(cotangent);
  cotangent.assign([0, 0]);
  expect([x.grad?.toArray(), y.grad?.toArray()]).toEqual([[3, 4], [[3, 4]]]); // prettier-ignore
});

test('an input is never changed by its gradient', () => {
  const x = variable([
    [1, 2],
    [3, 4],
  ]);
  const before = tensorOps.copy(x.value).toArray();
  const y = x.matmul(x).relu().softmax();
  const after = tensorOps.copy(y.value).toArray();
  y.sum().backward();
  expect([x.toArray(), y.toArray()]).toEqual([before, after]);
});

test('a variable has memory of its own, whatever it was made of', () => {
  const array = Float32Array.of(1, 2, 3);
  const shared = tensor(array);
  const all = [variable(shared), variable(shared), variable(array), variable(shared.flip())];
  all[0].assign(tensor([7, 8, 9]));
  all[3].assign(tensor([4, 5, 6]));
  expect([...array]).toEqual([1, 2, 3]);
  expect(all.map((v) => v.toArray())).toEqual([
    [7, 8, 9],
    [1, 2, 3],
    [1, 2, 3],
    [4, 5, 6],
  ]);
});
