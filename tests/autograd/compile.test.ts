/** compile: a step of one's own as a program gives what the step gives. */
import {
  DTypeError,
  IndexError,
  RecordingError,
  type Tensor,
  ValueError,
  getBackend,
  setBackend,
  tensor,
} from '@tapegrad/tensor';
import {
  compile,
  grad,
  gradients,
  noGrad,
  ops,
  valueAndGrad,
  variable,
  Variable,
} from '@tapegrad/autograd';
import { SGD } from '@tapegrad/layers';
import { assertClose } from '../support/close.js';
import { messageOf } from '../support/errors.js';

afterEach(() => setBackend('auto'));

/** Rounding of float32. */
const CLOSE = { relative: 1e-5, absolute: 1e-6 };

function same(actual: Variable, expected: Variable): void {
  assertClose('value', actual.value, { shape: expected.shape, data: expected.value.toTypedArray() }, CLOSE, expected.dtype); // prettier-ignore
}

const x = tensor([[0.5, -1, 2], [1, 0.25, -0.75]]); // prettier-ignore

test('runs as a program where there is WebAssembly', () => {
  expect(getBackend()).toBe('wasm');
  const step = compile((a) => a.matmul(variable([[1], [2], [3]])).relu());
  expect(step.print(x)).toMatch(/^program: 1 calls, arena of \d+ bytes\n {3}0 {2}matmul\+relu\(/);
  expect(step.profile(x).map(({ call }) => call.name)).toEqual(['matmul+relu']);
});

describe('results', () => {
  test('are a value, a list or an object, as the step gives them', () => {
    const one = compile((a) => a.exp().sum(1));
    same(one(x), ops.exp(x).sum(1));
    const list = compile((a, b) => [a.add(b), a.mul(b).softmax()]);
    const [sum, product] = list(x, [1, 2, 3]);
    same(sum, ops.add(x, [1, 2, 3]));
    same(product, ops.mul(x, [1, 2, 3]).softmax());
    const named = compile((a) => ({ mean: a.mean(), largest: a.max(0) }));
    const { mean, largest } = named(x);
    same(mean, ops.mean(x));
    same(largest, ops.max(x, 0));
    expect(Object.keys(named(x))).toEqual(['mean', 'largest']);
  });

  test('keep their form for every shape that the step has been recorded for', () => {
    const step = compile((a): Variable | Variable[] => (a.rank === 1 ? a.neg() : [a, a.neg()]));
    expect(step([1, 2])).not.toBeInstanceOf(Array);
    expect(step([[1, 2]])).toHaveLength(2);
    expect((step([3, 4]) as Variable).toArray()).toEqual([-3, -4]);
    expect((step([[3]]) as Variable[]).map((v) => v.toArray())).toEqual([[[3]], [[-3]]]);
  });

  test('are Variables and nothing else', () => {
    const wrong: [unknown, string][] = [
      [3, '3 instead'],
      [[variable(1), [variable(2)]], '[a Variable] among its results'],
      [{ a: variable(1), b: x }, 'a Tensor among its results'],
      [undefined, 'undefined instead'],
    ];
    for (const [result, text] of wrong) {
      expect(messageOf(ValueError, () => compile(() => result as Variable)())).toBe(
        `compile: a step returns a Variable, a list of them, or an object of them; got ${text}.` +
          (result === undefined ? ' Is there a return missing?' : ''),
      );
    }
  });

  test('do not come later', () => {
    const step: unknown = (a: Variable) => Promise.resolve(a.mul(2));
    const async = compile(step as () => Variable);
    expect(messageOf(ValueError, () => async(x))).toBe(
      'compile: a step cannot be async; get what it needs before, and give it as an input.',
    );
  });

  test('have no history', () => {
    const w = variable([1, 2, 3]);
    const step = compile((a) => a.mul(w).sum());
    for (const backend of ['auto', 'js'] as const) {
      setBackend(backend);
      expect(step(x)).toMatchObject({ requiresGrad: false, node: null });
    }
  });
});

describe('a step', () => {
  test('is recorded once for each shape and dtype', () => {
    let recorded = 0;
    const step = compile((a) => {
      recorded++;
      return a.square().sum();
    });
    expect([1, 2, 3].map((n) => step(new Array(n).fill(2)).item())).toEqual([4, 8, 12]);
    expect(step([3, 4]).item()).toBe(25);
    expect(recorded).toBe(3);
    const double = step(tensor([3, 4], 'float64'));
    expect([double.dtype, double.item(), recorded]).toEqual(['float64', 25, 4]);
  });

  test('computes in float64 too', () => {
    const f = (a: Variable): Variable => a.matmul(a.transpose()).add(1).log().sum(0).tanh();
    const double = tensor([[0.1, 0.2], [0.3, 0.4]], 'float64'); // prettier-ignore
    const expected = f(variable(double)).value;
    assertClose('float64', compile(f)(double).value, { shape: [2], data: expected.toTypedArray() }, { relative: 1e-14, absolute: 0 }, 'float64'); // prettier-ignore
  });

  test('may take gradients, of any order', () => {
    const w = variable([[0.5, -0.25], [1, 2], [-1, 0.125]]); // prettier-ignore
    const loss = (a: Variable): Variable => a.matmul(w).tanh().square().mean();
    const step = compile((a) => gradients([loss(a)], [w]));
    same(step(x)[0], gradients([loss(variable(x))], [w])[0]);
    const both = compile((a) => {
      const [value, [g]] = valueAndGrad((b: Variable) => b.pow(3).sum())(a);
      return { value, g };
    });
    expect([both([1, 2]).value.item(), both([1, 2]).g.toArray()]).toEqual([9, [3, 12]]);
    const second = compile((a) => grad((b: Variable) => grad((c: Variable) => c.pow(3).sum())(b).sum())(a)); // prettier-ignore
    same(second([1, 2]), variable([6, 12]));
  });

  test('may call compiled steps', () => {
    const inner = compile((a) => [a.add(1), a.mul(2)]);
    const outer = compile((a) => {
      const [b, c] = inner(a);
      return b.mul(inner(c)[0]);
    });
    for (const values of [
      [1, 2],
      [3, 4],
      [5, 6],
    ]) {
      // prettier-ignore
      expect(outer(values).toArray()).toEqual(values.map((v) => (v + 1) * (2 * v + 1)));
      expect(inner(values)[1].toArray()).toEqual(values.map((v) => 2 * v));
    }
  });

  test('refuses positions out of range, before what comes after', () => {
    const w = variable([[1, 2], [3, 4], [5, 6]]); // prettier-ignore
    const step = compile((i) => {
      const rows = ops.gather(w, i);
      w.assign(w.value.add(1));
      return rows;
    });
    const at = (...positions: number[]): Variable => step(tensor(positions, 'int32'));
    expect(at(0, -1).toArray()).toEqual([[1, 2], [5, 6]]); // prettier-ignore
    expect(messageOf(IndexError, () => at(0, 3))).toBe(
      'gather: index 3 is outside an axis of 3 elements (-3 to 2).',
    );
    expect(w.toArray()).toEqual([[2, 3], [4, 5], [6, 7]]); // prettier-ignore
    expect(messageOf(IndexError, () => step.profile(tensor([0, 3], 'int32')))).toBe(
      'gather: index 3 is outside an axis of 3 elements (-3 to 2).',
    );
    expect(w.toArray()).toEqual([[2, 3], [4, 5], [6, 7]]); // prettier-ignore
    expect(at(1, 2).toArray()).toEqual([[4, 5], [6, 7]]); // prettier-ignore
  });

  test('may be without history as a whole', () => {
    const w = variable(2);
    same(compile((a) => noGrad(() => a.mul(w)))([1, 2]), variable([2, 4]));
  });

  test('must not look at values', () => {
    const looks: ((a: Variable) => Variable)[] = [
      (a) => a.mul(a.sum().item()),
      (a) => (Number(a.toArray()) > 0 ? a : a.neg()),
      (a) => ops.add(a, a.value.toTypedArray()[0]),
    ];
    for (const look of looks) {
      expect(messageOf(RecordingError, () => compile(look)([1]))).toBe(
        'A value was read inside a step that is being recorded, where it is not computed yet (or outside, and belongs to ' +
          'the recording). Return it from the step and read it there, compute with ops alone, or run the step eagerly ' +
          '(runEagerly: true for a model).',
      );
    }
    // With the TypeScript kernels nothing is recorded.
    setBackend('js');
    expect(compile(looks[0])([3]).toArray()).toEqual([9]);
  });

  test('must not change inputs in place, which are copies: what it captures may be changed', () => {
    const w = variable([1, 2]);
    const optimizer = new SGD({ learningRate: 1 });
    const train = (x: Variable): Variable[] => {
      optimizer.applyGradients([[x, variable([1, 1])]]);
      return [];
    };
    expect(messageOf(RecordingError, () => compile(train)(w))).toBe(
      'sgdUpdate: changes an input of a recorded step in place. Steps get copies of their inputs: let the step capture the ' +
        'tensor, as a variable from outside of it, or return the new value.',
    );
    // As a part of another step it is the same; with what is captured it is none.
    const row = (x: Variable): Variable[] => train(new Variable(x.value.reshape([2])));
    expect(() => compile(row)([[1, 2]])).toThrow(RecordingError);
    compile(() => train(w))();
    expect(w.toArray()).toEqual([0, 1]);
  });

  test('that fails while it is recorded fails as it would otherwise, and may be called again', () => {
    const step = compile((a) => a.matmul([[1], [2]]));
    expect(() => step([[1, 2, 3]])).toThrow('matmul');
    expect(step([[1, 2]]).toArray()).toEqual([[5]]);
    expect(messageOf(DTypeError, () => compile((a) => ops.einsum([a], 'i->i').cast('float31' as 'float32'))([1]))).toMatch(/float31/); // prettier-ignore
    expect(ops.add([1], 1).toArray()).toEqual([2]);
  });
});

describe('what a step captures', () => {
  test('is used as it is at each call', () => {
    const w = variable([1, 2]);
    const step = compile((a) => a.mul(w));
    expect(step([10, 10]).toArray()).toEqual([10, 20]);
    w.assign([3, 4]);
    expect(step([10, 10]).toArray()).toEqual([30, 40]);
    w.assign(w.value.add(1));
    expect(step([10, 10]).toArray()).toEqual([40, 50]);
  });

  test('is trained as by eager steps', () => {
    const train = (compiled: boolean): { losses: number[]; w: Tensor } => {
      const w = variable([[0.5], [-0.25], [1]]);
      const optimizer = new SGD({ learningRate: 0.1, momentum: 0.9 });
      const step = (a: Variable, y: Variable): Variable => {
        const loss = a.matmul(w).sub(y).square().mean();
        optimizer.applyGradients([[w, gradients([loss], [w])[0]]]);
        return loss;
      };
      const run = compiled ? compile(step) : (a: Variable, y: Variable) => step(a, y);
      const inputs = [variable(x), variable([[1], [2]])] as const;
      const losses = Array.from({ length: 10 }, (_, i) => {
        if (i === 5) optimizer.learningRate = 0.01;
        return run(...inputs).item();
      });
      expect(optimizer.iterations).toBe(10);
      return { losses, w: w.value };
    };
    const [compiled, eager] = [train(true), train(false)];
    assertClose('losses', tensor(compiled.losses), { shape: [10], data: eager.losses }, CLOSE);
    assertClose('w', compiled.w, { shape: [3, 1], data: eager.w.toTypedArray() }, CLOSE);
  });

  test('may be used eagerly at the same time; a graph tells when a program has changed what it saved', () => {
    const w = variable([1, 2]);
    const double = compile(() => {
      w.assign(w.value.mul(2));
      return [];
    });
    double();
    const loss = w.square().sum();
    expect(loss.item()).toBe(20);
    double();
    expect(() => loss.backward()).toThrow(/changed in place/);
    expect(w.toArray()).toEqual([4, 8]);
  });
});

describe('a compiled function', () => {
  test('is differentiated as the step itself', () => {
    const [w, square] = [variable([3, 4]), (a: Variable): Variable => a.mul(a).sum()];
    const f = compile(square);
    expect(f([1, 2]).item()).toBe(5);
    expect(grad((a) => f(a))([1, 2]).toArray()).toEqual([2, 4]);
    expect(grad((a) => grad((b) => f(b).mul(a.sum()))(a).sum())([1, 2]).toArray()).toEqual([
      12, 12,
    ]); // prettier-ignore
    const [value, [dw]] = valueAndGrad(() => compile((a) => a.mul(w).sum())([1, 2]), [w])();
    expect([value.item(), dw.toArray()]).toEqual([11, [1, 2]]);
    // Also within a step that is recorded.
    expect(compile((a) => grad((b) => f(b))(a))([1, 2]).toArray()).toEqual([2, 4]);
    expect(f([1, 2]).requiresGrad).toBe(false);
  });
});

describe('the kernels', () => {
  test.each(['js', 'wasm'] as const)('%s give what a weight is then', (backend) => {
    setBackend(backend);
    const w = variable([1, 2]);
    const step = compile((a) => {
      w.assign(w.value.add(a.value));
      return [w, w.reshape([2, 1])];
    });
    const [first, view] = step([1, 1]);
    const [second] = step([1, 1]);
    expect(first.toArray()).toEqual([2, 3]);
    expect(view.toArray()).toEqual([[2], [3]]);
    expect(second.toArray()).toEqual([3, 4]);
  });

  test('may be changed between calls', () => {
    const w = variable([1, 2]);
    const step = compile((a) => {
      w.assign(w.value.add(a.value));
      return w.mul(1);
    });
    expect(step([1, 1]).toArray()).toEqual([2, 3]);
    setBackend('js');
    expect(step([1, 1]).toArray()).toEqual([3, 4]);
    expect(step.print([1, 1])).toBe('program: none; the TypeScript kernels are in use');
    expect(step.profile([1, 1])).toEqual([]);
    setBackend('wasm');
    expect(step([1, 1]).toArray()).toEqual([4, 5]);
  });
});

test('what is no function is an error at once', () => {
  const model: unknown = { name: 'model' };
  expect(messageOf(ValueError, () => compile(model as () => Variable))).toBe(
    'compile: makes a program of a function of Variables, as in compile((x) => x.mul(2)); got an object.',
  );
});

describe.each(['auto', 'js'] as const)('backward in a step, kernels: %s', (backend) => {
  const training = (w: Variable): ((x: number[]) => Variable) => {
    const sgd = new SGD({ learningRate: 0.1 });
    return compile((a) => {
      const loss = a.mul(w).square().sum();
      loss.backward();
      if (w.grad !== null) sgd.applyGradients([[w, w.grad]]);
      return loss;
    });
  };

  test('begins anew in every call, and adds nothing up', () => {
    setBackend(backend);
    const w = variable([1, 2]);
    const step = training(w);
    // w ← w − 0.1·2w = 0.8·w, so each loss is 0.64 of the one before.
    const losses = [1, 2, 3].map(() => step([1, 1]).item());
    expect(losses[0]).toBeCloseTo(5, 5);
    expect(losses[1]).toBeCloseTo(3.2, 5);
    expect(losses[2]).toBeCloseTo(2.048, 5);
  });

  test('leaves grad as it was, for a backward outside to add to', () => {
    setBackend(backend);
    const w = variable([1, 2]);
    w.mul(3).sum().backward();
    const step = training(w);
    step([1, 1]);
    step([1, 1]);
    expect(w.grad?.toArray()).toEqual([3, 3]);
    w.mul(2).sum().backward();
    expect(w.grad?.toArray()).toEqual([5, 5]);
  });
});
