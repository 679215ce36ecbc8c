/** Ops without a rule, and what else gives results that no gradient passes through. */
import { Generator, isFloat, opNames, specs, tensor } from '@tapegrad/tensor';
import { Variable, noGrad, ops, variable, vjps, type DifferentiableOp } from '@tapegrad/autograd';

const x = variable([
  [1, 2],
  [3, 4],
]);
const y = variable([
  [1, 3],
  [2, 4],
]);
const generator = new Generator(1);
const shape = [2];

/** A call of every op that has no rule, on Variables that ask for a gradient: a missing one does not compile. */
const calls: Record<Exclude<keyof typeof ops, DifferentiableOp>, () => Variable> = {
  logicalNot: () => x.logicalNot(),
  isNaN: () => x.isNaN(),
  equal: () => x.equal(y),
  notEqual: () => x.notEqual(y),
  less: () => x.less(y),
  lessEqual: () => x.lessEqual(y),
  greater: () => x.greater(y),
  greaterEqual: () => x.greaterEqual(y),
  logicalAnd: () => x.logicalAnd(y),
  logicalOr: () => x.logicalOr(y),
  any: () => x.any(),
  all: () => x.all(),
  argmax: () => x.argmax(1),
  argmin: () => x.argmin(1),
  argsort: () => x.argsort(),
  oneHot: () => ops.oneHot([0, 1], 2),
  randomUniform: () => ops.randomUniform({ generator, shape }),
  randomNormal: () => ops.randomNormal({ generator, shape }),
  randomTruncatedNormal: () => ops.randomTruncatedNormal({ generator, shape }),
  randomBernoulli: () => ops.randomBernoulli({ generator, shape, probability: 0.5 }),
};

test.each(Object.entries(calls))('%s gives a constant', (_, call) => {
  const result = call();
  expect(result.requiresGrad).toBe(false);
  expect(result.node).toBeNull();
});

test('every op has a rule, or is among these calls, or changes a tensor in place', () => {
  const without = opNames.filter((name) => vjps[name] === null && specs[name].kind !== 'update');
  expect(Object.keys(calls).sort()).toEqual(without.sort());
  const updates = opNames.filter((name) => specs[name].kind === 'update');
  expect(updates.filter((name) => vjps[name] !== null)).toEqual([]);
});

test('a list of results has gradients where these are floating-point', () => {
  const [values, indices] = x.topk(1);
  expect([values.requiresGrad, values.node?.name]).toEqual([true, 'topk']);
  expect([indices.requiresGrad, indices.node]).toEqual([false, null]);
});

test('a cast to whole numbers ends the graph', () => {
  expect(x.cast('int32').requiresGrad).toBe(false);
  expect(x.cast('bool').requiresGrad).toBe(false);
  expect(x.cast('float64').requiresGrad).toBe(true);
});

test('whole numbers and truth values cannot ask for a gradient', () => {
  for (const dtype of ['int32', 'bool'] as const) {
    expect(() => variable([1, 0], dtype)).toThrow(
      `variable: only float32 and float64 have gradients; got ${dtype}. Pass { requiresGrad: false }.`,
    );
    expect(variable([1, 0], { dtype, requiresGrad: false }).requiresGrad).toBe(false);
  }
});

test('constants give constants, and nothing is recorded for them', () => {
  const constant = new Variable(tensor([1, 2]));
  for (const name of ['exp', 'sum', 'transpose'] as const) {
    expect(constant[name]().node).toBeNull();
  }
  expect(constant.split(2).map(({ node }) => node)).toEqual([null, null]);
  expect(isFloat(constant.dtype)).toBe(true);
});

describe('noGrad', () => {
  test('records nothing inside, and records again afterwards', () => {
    expect(noGrad(() => x.mul(2)).node).toBeNull();
    expect(x.mul(2).node?.name).toBe('mul');
  });

  test('returns what its body returns', () => {
    expect(noGrad(() => 7)).toBe(7);
  });

  test('records again after an error, and after being nested', () => {
    expect(() =>
      noGrad(() => {
        throw new Error('stop');
      }),
    ).toThrow('stop');
    expect(x.mul(2).requiresGrad).toBe(true);
    const inner = noGrad(() => {
      noGrad(() => x.mul(2));
      return x.mul(2);
    });
    expect(inner.requiresGrad).toBe(false);
  });
});
