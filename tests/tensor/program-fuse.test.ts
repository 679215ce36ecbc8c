/** Bias and activation computed with a product: when it is done, when not, and that it changes nothing. */
import { type Tensor, Generator, ops, run, specs, tensor, type TensorType } from '@tapegrad/tensor';
import { assertClose } from '../support/close.js';
import { contiguous } from '../support/layouts.js';
import { build } from '../support/naive.js';
import { Numbers } from '../support/numbers.js';
import { programOf, testEngine } from '../support/programs.js';

const engine = testEngine();
const numbers = new Numbers(8);
const random = (...shape: number[]): Tensor =>
  contiguous(build(shape, () => 2 * numbers.next() - 1), 'float32'); // prettier-ignore
const assign = (w: Tensor, value: Tensor): void => run(specs.assign, [w, value], {});
const typeOf = ({ dtype, shape }: Tensor): TensorType => ({ dtype, shape });

/** Sums of few products of numbers below 1, rounded to float32. */
const CLOSE = { relative: 1e-5, absolute: 1e-6 };

/** Runs a step as a program, compares the results with the step's own, and gives the names of the calls. */
function fused(
  step: (...inputs: readonly Tensor[]) => readonly Tensor[],
  ...inputs: Tensor[]
): string[] {
  const program = programOf(engine, inputs.map(typeOf), step);
  const expected = step(...inputs);
  for (let i = 0; i < 2; i++) {
    program.run(inputs).forEach((x, k) => {
      assertClose(
        `result ${k}`,
        x,
        { shape: expected[k].shape, data: expected[k].toTypedArray() },
        CLOSE,
      );
    });
  }
  return program.calls.map(({ name }) => name);
}

const [x, w, b] = [random(5, 7), random(7, 6), random(6)];

describe('is fused into a product', () => {
  test('a bias, an activation, and both', () => {
    expect(fused((a) => [a.matmul(w).add(b)], x)).toEqual(['matmul+bias']);
    expect(fused((a) => [b.add(a.matmul(w))], x)).toEqual(['matmul+bias']);
    expect(fused((a) => [a.matmul(w).relu()], x)).toEqual(['matmul+relu']);
    expect(fused((a) => [a.matmul(w).add(b).tanh()], x)).toEqual(['matmul+bias+tanh']);
    expect(
      fused(
        (a) => [
          a
            .matmul(w)
            .add(b.reshape([1, 6]))
            .sigmoid(),
        ],
        x,
      ),
    ).toEqual(['matmul+bias+sigmoid']);
  });

  test('through a view that leaves the rows as they are', () => {
    const a = random(2, 3, 7);
    expect(fused((y) => [y.reshape([6, 7]).matmul(w).reshape([2, 3, 6]).add(b).relu()], a)).toEqual(
      ['matmul+bias+relu'],
    );
  });

  test('a bias that the step computes, whose memory is not used again too soon', () => {
    // If the bias were forgotten, what is computed between it and the product would lie in its place.
    const names = fused((a, c) => {
      const bias = c.mul(2);
      const product = a.add(1).matmul(w.add(1));
      return [product.add(bias).relu()];
    }, x, b); // prettier-ignore
    expect(names).toEqual(['mul', 'add', 'add', 'matmul+bias+relu']);
  });

  test('another product of one row', () => {
    const [row, second] = [random(1, 7), random(7, 6)];
    expect(fused((a, r) => [a.add(r.matmul(second)).matmul(random(6, 6).mul(0).add(w.slice({ begin: [0, 0], size: [6, 6] })))], random(5, 6), row).length).toBeGreaterThan(0); // prettier-ignore
    const names = fused((a, r) => {
      const small = r.matmul(second);
      return [a.matmul(w).add(small)];
    }, x, row); // prettier-ignore
    expect(names.filter((name) => name.includes('+'))).toEqual(['matmul+bias']);
  });

  test('a convolution, in both formats', () => {
    const kernel = random(3, 3, 2, 4);
    const c = random(4);
    const last = random(2, 6, 5, 2);
    expect(fused((a) => [ops.conv(a, kernel).add(c).relu()], last)).toEqual(['conv+bias+relu']);
    const first = random(2, 2, 6, 5);
    const dataFormat = 'channelsFirst' as const;
    expect(
      fused(
        (a) => [
          ops
            .conv(a, kernel, { dataFormat })
            .add(c.reshape([4, 1, 1]))
            .relu(),
        ],
        first,
      ),
    ).toEqual(['conv+bias+relu']);
  });
});

describe('in another shape', () => {
  const kernel = random(3, 3, 2, 4);
  const c = random(4);
  const last = random(2, 6, 5, 2);
  const first = random(2, 2, 6, 5);
  const dataFormat = 'channelsFirst' as const;

  test('an activation after a convolution was flattened', () => {
    const flat = (y: Tensor): Tensor => y.reshape([2, -1]).relu();
    expect(fused((a) => [flat(ops.conv(a, kernel))], last)).toEqual(['conv+relu']);
    expect(fused((a) => [flat(ops.conv(a, kernel, { dataFormat }))], first)).toEqual(['conv+relu']);
  });

  test('a bias and an activation on the pixels of a convolution as rows', () => {
    const names = fused((a) => [ops.conv(a, kernel).reshape([-1, 4]).add(c).tanh()], last);
    expect(names).toEqual(['conv+bias+tanh']);
  });

  test('a bias with axes of size 1 before that of the channels', () => {
    for (const shape of [[1, 4], [1, 1, 1, 4]]) {
      const names = fused((a) => [ops.conv(a, kernel).add(c.reshape(shape))], last);
      expect(names).toEqual(['conv+bias']);
    } // prettier-ignore
    const ofImages = c.reshape([1, 4, 1, 1]);
    const names = fused((a) => [ops.conv(a, kernel, { dataFormat }).add(ofImages)], first);
    expect(names).toEqual(['conv+bias']);
  });
});

describe('is not fused', () => {
  test('a sum with a part of the product that is as large as the product', () => {
    const [rows, bias] = [random(4, 7), random(3)];
    const part = (y: Tensor): Tensor =>
      y.reshape([12]).slice({ begin: [0], size: [4] }).reshape([4, 1]); // prettier-ignore
    const columns = random(7, 3);
    expect(fused((a) => [part(a.matmul(columns)).add(bias)], rows)).toEqual(['matmul', 'add']);
  });

  test('what is needed elsewhere too', () => {
    expect(fused((a) => { const y = a.matmul(w); return [y, y.add(b)]; }, x)).toEqual(['matmul', 'add']); // prettier-ignore
    expect(fused((a) => { const y = a.matmul(w).add(b); return [y.relu(), y.sum()]; }, x)).toEqual(['matmul+bias', 'relu', 'sum']); // prettier-ignore
    expect(fused((a) => { const y = a.matmul(w); return [y.relu(), y.exp()]; }, x)).toEqual(['matmul', 'relu', 'exp']); // prettier-ignore
  });

  test('a sum that is no bias', () => {
    expect(fused((a) => [a.matmul(w).add(random(5, 1).mul(0).add(x.sum(1).reshape([5, 1])))], x)).not.toContain('matmul+bias'); // prettier-ignore
    expect(fused((a, c) => [a.matmul(w).add(c)], x, random(5, 6))).toEqual(['matmul', 'add']);
    expect(fused((a) => [a.matmul(w).add(1)], x)).toEqual(['matmul', 'add']);
    expect(fused((a, c) => [a.matmul(w).add(c)], x, random(3, 5, 6))).toEqual(['matmul', 'add']);
    expect(fused((a) => { const y = a.matmul(w); return [y.add(y)]; }, x)).toEqual(['matmul', 'add']); // prettier-ignore
  });

  test('what comes after a view that moves the rows', () => {
    const square = random(7, 5);
    expect(fused((a) => [a.matmul(square).transpose().add(random(5).mul(0).add(1))], x)).toContain('add'); // prettier-ignore
    // Channels are axis 1 of [2, 3, 4]; in [4, 3, 2] the same bias stands beside other elements.
    const conv = (a: Tensor): Tensor =>
      ops.conv(a, kernel, { dataFormat: 'channelsFirst' }).reshape([4, 3, 2]);
    const kernel = random(1, 2, 3);
    const names = fused((a, c) => [conv(a).add(c)], random(2, 2, 4), random(3, 1));
    expect(names).toEqual(['conv', 'add']);
  });

  test('a bias that changes between the product and the sum', () => {
    const bias = random(6);
    const start = bias.copy();
    const step = (a: Tensor): Tensor[] => {
      const y = a.matmul(w);
      assign(bias, bias.add(1));
      return [y.add(bias)];
    };
    const program = programOf(engine, [typeOf(x)], step);
    const [y] = program.run([x]);
    const expected = x.matmul(w).add(start.add(1));
    assertClose('y', y, { shape: [5, 6], data: expected.toTypedArray() }, CLOSE);
  });

  test('a bias that is computed after the product', () => {
    const names = fused((a, c) => {
      const y = a.matmul(w);
      return [y.add(c.mul(3))];
    }, x, b); // prettier-ignore
    expect(names).toEqual(['matmul', 'mul', 'add']);
  });

  test('whole numbers, and other activations', () => {
    const whole = tensor([[1, 2], [3, 4]], { dtype: 'int32' }); // prettier-ignore
    expect(fused((a) => [a.matmul(a.transpose()).relu()], whole)).toEqual(['matmul', 'relu']);
    expect(fused((a) => [a.matmul(w).softplus()], x)).toEqual(['matmul', 'softplus']);
  });

  test('what an effect looks at', () => {
    const names = fused((a) => {
      const y = a.matmul(w);
      return [y.add(b), y];
    }, x); // prettier-ignore
    expect(names).toEqual(['matmul', 'add']);
  });
});

describe('is computed once', () => {
  test('a result that is asked for again, and what follows from it', () => {
    const names = fused((a) => {
      const [first, second] = [a.exp(), a.exp()];
      return [first, second.sum(0), first.sum(0), second.transpose().neg(), first.transpose().neg()];
    }, x); // prettier-ignore
    expect(names).toEqual(['exp', 'sum', 'neg']);
  });

  test('the attributes tell calls apart', () => {
    expect(
      fused((a) => [a.sum(0), a.sum(1), a.sum([0]), a.sum({ axis: 0, keepDims: true })], x),
    ).toEqual(['sum', 'sum', 'sum', 'sum']);
    expect(fused((a) => [a.leakyRelu(0.1), a.leakyRelu(0.2)], x)).toEqual([
      'leakyRelu',
      'leakyRelu',
    ]);
  });

  test('other parts of a tensor are other inputs', () => {
    const names = fused((a) => {
      const [upper, lower] = [a.slice({ begin: [0, 0], size: [2, 7] }), a.slice({ begin: [2, 0], size: [2, 7] })]; // prettier-ignore
      return [upper.exp(), lower.exp(), a.reshape([7, 5]).exp(), a.exp()];
    }, x);
    expect(names).toEqual(['exp', 'exp', 'exp', 'exp']);
  });

  test('a weight that was changed in between is read again', () => {
    const weight = tensor([1, 2, 3]);
    const step = (a: Tensor): Tensor[] => {
      const before = weight.neg();
      assign(weight, a);
      return [before, weight.neg(), weight.neg()];
    };
    const program = programOf(engine, [typeOf(weight)], step);
    const results = program.run([tensor([4, 5, 6])]).map((y) => y.toArray());
    expect(results).toEqual([[-1, -2, -3], [-4, -5, -6], [-4, -5, -6]]); // prettier-ignore
    expect(program.calls.map(({ name }) => name)).toEqual(['neg', 'assign', 'neg']);
  });

  test('a result that is changed in place stays itself', () => {
    const program = programOf(engine, [{ dtype: 'float32', shape: [3] }], (a) => {
      const [first, second] = [a.neg(), a.neg()];
      assign(first, a);
      return [first, second];
    });
    const results = program.run([tensor([1, 2, 3])]).map((y) => y.toArray());
    expect(results).toEqual([[1, 2, 3], [-1, -2, -3]]); // prettier-ignore
  });

  test('random numbers are drawn each time', () => {
    const generator = new Generator(1);
    const program = programOf(engine, [], () => [
      ops.randomUniform({ generator, shape: [4] }),
      ops.randomUniform({ generator, shape: [4] }),
    ]);
    const [a, b] = program.run([]);
    expect(a.toArray()).not.toEqual(b.toArray());
  });
});
