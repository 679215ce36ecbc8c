/** What backward refuses, and in which words. */
import { ones, run, specs, tensor, zeros, type Tensor } from '@tapegrad/tensor';
import { GradientError, Variable, customGradient, noGrad, variable } from '@tapegrad/autograd';

/** w ← w − g, in place, as an optimizer does it. */
function step(w: Tensor, g: Tensor): void {
  const inputs = [w, g.cast(w.dtype), zeros([0], w.dtype), tensor([1, 1], 'float64')];
  run(specs.sgdUpdate, inputs, { momentum: 0, nesterov: false });
}

describe('a cotangent', () => {
  test('is 1 for a single number of any rank', () => {
    for (const shape of [[], [1], [1, 1]]) {
      const x = variable(ones(shape));
      x.mul(3).backward();
      expect(x.grad?.value.toTypedArray()).toEqual(Float32Array.of(3));
    }
  });

  test('must be given for more', () => {
    expect(() =>
      variable([[1, 2, 3]])
        .mul(2)
        .backward(),
    ).toThrow(
      new GradientError(
        'backward: only a scalar has an implicit cotangent of 1; this value has shape [1, 3]. Reduce it first, as in ' +
          'x.sum().backward(), or pass a cotangent of that shape.',
      ),
    );
  });

  test('may be a Variable, a tensor or an array, and takes on the dtype of the value', () => {
    const weights = [new Variable(tensor([1, 10])), tensor([1, 10], 'float64'), [1, 10]];
    for (const cotangent of [...weights, tensor([1, 10], 'int32')]) {
      const x = variable([1, 2]);
      x.square().backward(cotangent);
      expect([x.grad?.toArray(), x.grad?.dtype]).toEqual([[2, 40], 'float32']);
    }
  });

  test('must have the shape of the value', () => {
    const y = variable([[1, 2, 3]]).mul(2);
    for (const cotangent of [1, [1, 2, 3], [[1], [2], [3]]]) {
      expect(() => y.backward(cotangent)).toThrow(
        /^backward: the cotangent must have the value's shape \[1, 3\]; got \[(|3|3, 1)\]\.$/,
      );
    }
    // The graph is still there.
    expect(() => y.backward([[1, 1, 1]])).not.toThrow();
  });

  test('cannot help a value without a graph', () => {
    const message =
      'backward: this value does not depend on any variable that requires a gradient (or was computed under noGrad).';
    const x = variable([1, 2]);
    expect(() => noGrad(() => x.sum()).backward()).toThrow(new GradientError(message));
    expect(() => x.detach().sum().backward()).toThrow(message);
    expect(() => x.argmax().backward()).toThrow(message);
    expect(() => new Variable(tensor(1)).backward(1)).toThrow(message);
  });
});

describe('a tensor that was changed in place', () => {
  test('is an error in the backward that needs it, which names the op', () => {
    const [x, w] = [variable([1, 2]), variable([3, 4])];
    const y = x.mul(w).sum();
    step(w.value, tensor([1, 1]));
    expect(() => y.backward()).toThrow(
      new GradientError(
        "backward: 'mul' needs a tensor of shape [2] that was changed in place after it was used (version 1, expected 0). " +
          'Call backward before the change, or copy the tensor first.',
      ),
    );
  });

  test('is an error also when it is an output, or seen through a view', () => {
    const x = variable([1, 2]);
    const y = x.exp();
    const sum = y.sum();
    step(y.value, ones([2]));
    expect(() => sum.backward()).toThrow(
      "'exp' needs a tensor of shape [2] that was changed in place",
    );
    const w = variable([
      [1, 2],
      [3, 4],
    ]);
    const square = w.transpose().reshape([2, 2]).square().sum();
    const viewed = w.transpose().square().sum();
    step(w.value, ones([2, 2]));
    // reshape had to copy.
    expect(() => square.backward()).not.toThrow();
    expect(() => viewed.backward()).toThrow("'square' needs a tensor of shape [2, 2]");
  });

  test('is an error for assign as well', () => {
    const x = variable([1, 2]);
    const y = x.square().sum();
    x.assign([5, 6]);
    expect(() => y.backward()).toThrow('changed in place');
    expect(() => x.mul(2).assign([1, 2])).toThrow(
      "assign: only leaves can be assigned to; this value was computed by 'mul'.",
    );
  });

  test('does not matter where no gradient needs it', () => {
    const [x, w] = [variable([1, 2]), variable([3, 4])];
    const sum = x.add(w).sum();
    // Of a product with a constant the gradient of w needs the constant alone.
    const product = w.mul(x.detach()).sum();
    step(w.value, ones([2]));
    sum.backward();
    product.backward();
    expect(w.grad?.toArray()).toEqual([2, 3]);
  });

  test('does not matter after a copy, or after backward', () => {
    const w = variable([3, 4]);
    const y = w.copy().square().sum();
    step(w.value, ones([2]));
    y.backward();
    expect(w.grad?.toArray()).toEqual([6, 8]);
    w.square().sum().backward();
    step(w.value, ones([2]));
    expect(w.grad?.toArray()).toEqual([6 + 4, 8 + 6]);
  });
});

describe('a rule that gives a gradient of the wrong shape', () => {
  const withGradient = (shape: number[]): (() => void) => {
    const f = customGradient({
      name: 'odd',
      forward: (x) => x.identity(),
      backward: () => [new Variable(ones(shape))],
    });
    return () =>
      f([variable([1, 2, 3])][0])
        .sum()
        .backward();
  };

  test.each([[[2]], [[3, 2]], [[]], [[2, 5]]])('as %j for [3], is named', (shape) => {
    expect(withGradient(shape)).toThrow(
      new GradientError(
        `backward: the rule of 'odd' gave a gradient of shape [${shape.join(', ')}] for an input of shape [3].`,
      ),
    );
  });

  test('is no mistake when it is a broadcast of it', () => {
    expect(withGradient([2, 3])).not.toThrow();
  });
});

test('noGrad does not take an async body', () => {
  expect(() => noGrad(() => Promise.resolve(1))).toThrow(
    'noGrad: the body must not be async, since recording goes on at its first await; await outside and compute inside.',
  );
  expect(variable(1).mul(2).requiresGrad).toBe(true);
});
