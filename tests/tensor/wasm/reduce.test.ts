import { Generator, tensor, zeros, type OpName, type Tensor } from '@tapegrad/tensor';
import { detectFeatures } from '../../../packages/tensor/src/kernels/wasm/machine.js';
import { elementwiseKernels } from '../../../packages/tensor/src/kernels/wasm/elementwise/elementwise.js';
import { movementKernels } from '../../../packages/tensor/src/kernels/wasm/movement/movement.js';
import { reduceKernels } from '../../../packages/tensor/src/kernels/wasm/reduce/reduce.js';
import { sameBits } from '../../support/bits.js';
import { byReference, onHeap, testMachine } from '../../support/wasm.js';

const kernels = [...reduceKernels, ...movementKernels, ...elementwiseKernels];
const machine = testMachine(false, kernels);
const relaxed = detectFeatures()?.relaxed === true ? testMachine(true, kernels) : null;
const machines = relaxed === null ? [machine] : [machine, relaxed];

const normal = (shape: readonly number[], seed = 1): Tensor => new Generator(seed).normal(shape);

/** The largest difference relative to the larger of 1e-3 and the value, with equal values (NaN, ∞) at no distance. */
function distance(found: Tensor, wanted: Tensor): number {
  expect(found.shape).toEqual(wanted.shape);
  expect(found.dtype).toBe(wanted.dtype);
  const [a, b] = [found.toTypedArray(), wanted.toTypedArray()];
  let worst = 0;
  for (let i = 0; i < b.length; i++) {
    if (!Object.is(a[i], b[i])) {
      const d = Math.abs(a[i] - b[i]) / Math.max(1e-3, Math.abs(b[i]));
      worst = Number.isNaN(d) ? Infinity : Math.max(worst, d);
    }
  }
  return worst;
}

/** Sums are rounded once, from double precision: their order may change the last bit. */
const ONE_ULP = 1.2e-7;

function check(
  name: OpName,
  inputs: readonly Tensor[],
  attrs: object,
  tolerance = ONE_ULP,
  parts = 1,
): void {
  const [wanted] = byReference(name, inputs, attrs);
  for (const m of machines) {
    const found = onHeap(m, name, inputs, attrs, { parts });
    expect(found).not.toBeNull();
    expect(distance((found ?? [])[0], wanted)).toBeLessThanOrEqual(tolerance);
  }
}

const REDUCTIONS: readonly (readonly [OpName, object])[] = [
  ['sum', {}],
  ['mean', {}],
  ['prod', {}],
  ['max', {}],
  ['min', {}],
  ['variance', {}],
  ['std', {}],
  ['norm', {}],
  ['norm', { ord: 1 }],
  ['norm', { ord: 'inf' }],
];

describe.each(REDUCTIONS)('%s %j', (name, attrs) => {
  test.each([
    [[], null],
    [[1], 0],
    [[7], null],
    [[33], 0],
    [[8203], null],
    [[3, 5], 0],
    [[3, 5], 1],
    [[9, 64], 0],
    [[9, 64], 1],
    [[5, 1030], 0],
    [[1, 8], 0],
    [[8, 1], 1],
    [[3, 4, 5], 1],
    [
      [3, 4, 5],
      [0, 2],
    ],
    [
      [2, 6, 3, 5],
      [0, 2, 3],
    ],
    [
      [2, 6, 3, 5],
      [0, 1, 2],
    ],
    [
      [2, 6, 3, 5],
      [1, 3],
    ],
    [[2, 3], []],
  ])('shape %j over axes %j', (shape, axis) => {
    check(name, [normal(shape)], { ...attrs, axis });
    check(name, [normal(shape)], { ...attrs, axis, keepDims: true });
  });

  test('of views: transposed, reversed, with gaps, repeated', () => {
    const x = normal([6, 10]);
    const views: Tensor[] = [
      x.transpose(),
      x.flip(),
      x.stridedSlice({ begin: [1, 2], strides: [2, 3] }),
      x.slice({ begin: [1, 1], size: [4, 7] }),
      normal([10]).broadcastTo([6, 10]),
      normal([6, 1]).broadcastTo([6, 10]),
    ];
    for (const view of views) {
      for (const axis of [0, 1]) check(name, [view], { ...attrs, axis });
      const all = onHeap(machine, name, [view], attrs);
      if (all !== null) check(name, [view], attrs);
    }
  });

  test('NaN and infinities go through', () => {
    const x = tensor([
      [1, NaN, 2, -Infinity, Infinity, 5, -0],
      [1, 2, 2, Infinity, Infinity, 5, 0],
      [1, 2, 2, -Infinity, -Infinity, 5, 0],
      [-0, 0, -0, 0, -0, 0, 0],
    ]);
    for (const axis of [0, 1, null]) check(name, [x], { ...attrs, axis });
  });
});

/** In float64 the order of additions shows in the last digits. */
const DOUBLES = 1e-13;

describe.each(REDUCTIONS)('%s %j of float64', (name, attrs) => {
  test.each([
    [[], null],
    [[33], 0],
    [[8203], null],
    [[9, 64], 0],
    [[9, 64], 1],
    [[5, 531], 0],
    [[3, 4, 5], 1],
    [
      [2, 6, 3, 5],
      [1, 3],
    ],
  ])('shape %j over axes %j', (shape, axis) => {
    const x = new Generator(2).normal(shape, { dtype: 'float64' });
    check(name, [x], { ...attrs, axis }, DOUBLES);
    check(name, [x.transpose()], { ...attrs, axis, keepDims: true }, DOUBLES);
  });

  test('NaN and infinities go through', () => {
    const x = tensor(
      [
        [1, NaN, 2, -Infinity],
        [1, 2, 2, Infinity],
        [-0, 0, -0, 0],
      ],
      'float64',
    );
    for (const axis of [0, 1, null]) check(name, [x], { ...attrs, axis }, DOUBLES);
  });
});

describe.each(['sum', 'max', 'min'] as const)('%s of int32', (name) => {
  test.each([
    [[33], 0],
    [[9, 64], 0],
    [[9, 64], 1],
    [[3, 4, 5], 1],
    [[70, 90], null],
  ])('shape %j over axes %j, to the bit', (shape, axis) => {
    const x = normal(shape).mul(1e9).cast('int32');
    check(name, [x], { axis }, 0);
    check(name, [x.flip()], { axis, keepDims: true }, 0);
    check(name, [normal(shape).greater(0).cast('int32')], { axis }, 0);
  });
});

test('results are the same in any number of parts', () => {
  const cases: readonly (readonly [readonly number[], number | number[]])[] = [
    [[300, 220], 0],
    [[300, 220], 1],
    [[4, 110, 160], 1],
    [
      [4, 110, 160],
      [0, 2],
    ],
  ];
  for (const [shape, axis] of cases) {
    const inputs = [normal(shape)];
    check('sum', inputs, { axis }, ONE_ULP, 2);
    for (const name of ['sum', 'max', 'variance'] as const) {
      const attrs = { axis };
      const [whole] = onHeap(machine, name, inputs, attrs) ?? [];
      for (const parts of [2, 3]) {
        const [found] = onHeap(machine, name, inputs, attrs, { parts }) ?? [];
        expect(sameBits(found, whole)).toBe(true);
      }
    }
  }
});

test('the mean of many numbers keeps its digits', () => {
  const x = new Generator(3).uniform([400, 400], { low: 1, high: 2 });
  for (const axis of [null, 0]) check('mean', [x], { axis });
});

test('sums in which most cancels keep what is left', () => {
  const x = tensor([1e8, 1, -1e8, 3, 1e8, 2, -1e8, 4, 1e8, -1e8]);
  expect(onHeap(machine, 'sum', [x])?.[0].item()).toBe(10);
});

describe.each(['argmax', 'argmin'] as const)('%s', (name) => {
  test.each([
    [[7], 0],
    [[7], null],
    [[5, 9], 1],
    [[5, 9], 0],
    [[5, 9], -1],
    [[4, 3], null],
    [[1, 1], 0],
    [[3, 4, 5, 2], 1],
  ])('shape %j along %j', (shape, axis) => {
    check(name, [normal(shape)], { axis }, 0);
    check(name, [normal(shape).mul(2).round()], { axis }, 0);
    check(name, [normal(shape).mul(9).cast('int32')], { axis }, 0);
    check(name, [normal(shape).cast('float64').transpose()], { axis }, 0);
  });

  test('of views and of NaN', () => {
    check(name, [normal([5, 9]).transpose()], { axis: 1 }, 0);
    check(name, [normal([5, 9]).flip()], { axis: 1 }, 0);
    check(name, [normal([5, 9]).transpose()], {}, 0);
    const x = tensor([
      [3, NaN, 9, NaN],
      [NaN, 1, 2, 3],
      [1, 2, 3, NaN],
      [-Infinity, Infinity, Infinity, -Infinity],
    ]);
    check(name, [x], { axis: 1 }, 0);
  });

  test('in parts', () => {
    const x = normal([331, 200]);
    for (const parts of [1, 2, 3]) check(name, [x], { axis: 1 }, 0, parts);
  });
});

describe.each(['softmax', 'logSoftmax', 'softmaxCrossEntropy'] as const)('%s', (name) => {
  const inputs = (x: Tensor): Tensor[] => {
    if (name !== 'softmaxCrossEntropy') return [x];
    return [x, new Generator(5).uniform(x.shape)];
  };

  // e^x is within 2 ulp; a quotient or a difference of two rounded numbers adds one each.
  test.each([[[1]], [[2]], [[3]], [[4]], [[10]], [[32, 10]], [[3, 5, 7]], [[4, 130]], [[2, 1]]])(
    'shape %j',
    (shape) => {
      check(name, inputs(normal(shape)), {}, 4e-7);
      check(name, inputs(normal(shape).mul(30)), {}, 4e-7);
      check(name, inputs(normal(shape).add(1e4)), {}, 4e-7);
    },
  );

  test('of a sure prediction is not rounded away', () => {
    check(name, inputs(tensor([[20, 0, -3]])), {}, 4e-7);
    check(
      name,
      [tensor([[0, 30]]), tensor([[0, 1]])].slice(0, inputs(zeros([1])).length),
      {},
      4e-7,
    );
    if (name === 'softmaxCrossEntropy') {
      const loss = onHeap(machine, name, [tensor([[0, 20]]), tensor([[0, 1]])])?.[0].item();
      expect(Math.abs((loss ?? 0) / 2.0611536e-9 - 1)).toBeLessThan(1e-6);
    }
  });

  test('NaN and infinities', () => {
    const x = tensor([
      [1, NaN, 2, 3, 4],
      [1, Infinity, 2, 3, 4],
      [1, -Infinity, 2, 3, 4],
      [-Infinity, -Infinity, -Infinity, -Infinity, -Infinity],
      [300, -300, 0, 1, 1e30],
    ]);
    check(name, inputs(x), {}, 4e-7);
  });

  test('of rows with gaps, and in parts', () => {
    const rows = normal([9, 20]).slice({ begin: [1, 3], size: [7, 11] });
    check(name, inputs(rows), {}, 4e-7);
    const x = inputs(normal([257, 65]));
    check(name, x, {}, 4e-7, 2);
    const [whole] = onHeap(machine, name, x) ?? [];
    for (const parts of [2, 3]) {
      const [found] = onHeap(machine, name, x, {}, { parts }) ?? [];
      expect(sameBits(found, whole)).toBe(true);
    }
  });
});

describe.each(['softmax', 'logSoftmax'] as const)('%s', (name) => {
  test.each([
    [[5, 7], 0],
    [[2, 3, 4, 5], 1],
    [[2, 3, 4, 5], -2],
    [[1, 6], 0],
  ])('shape %j along axis %i', (shape, axis) => {
    check(name, [normal(shape)], { axis }, 4e-7);
    check(name, [normal(shape).transpose()], { axis }, 4e-7);
  });
});

describe('logSumExp', () => {
  // A sum whose logarithm is near 0 shows the errors of its terms: here it is not.
  const positive = (shape: readonly number[]): Tensor => normal(shape).add(4);

  test.each([
    [[7], null],
    [[], null],
    [[9, 64], 1],
    [[9, 64], 0],
    [[9, 1], 1],
    [[3, 4, 5], 1],
    [[3, 4, 5], null],
    [
      [2, 6, 3, 5],
      [1, 3],
    ],
    [
      [2, 6, 3, 5],
      [2, 3],
    ],
  ])('shape %j over axes %j', (shape, axis) => {
    check('logSumExp', [positive(shape)], { axis }, 4e-7);
    check('logSumExp', [positive(shape).mul(100)], { axis, keepDims: true }, 4e-7);
    check('logSumExp', [positive(shape).transpose()], { axis }, 4e-7);
  });

  test('of NaN and infinities, and in parts', () => {
    const x = tensor([
      [1, NaN, 2, -Infinity, Infinity],
      [1, Infinity, 2, 0, -0],
      [-Infinity, -Infinity, -Infinity, -Infinity, -Infinity],
      [-Infinity, 3, -Infinity, -Infinity, -Infinity],
    ]);
    check('logSumExp', [x], { axis: 1 }, 4e-7);
    for (const parts of [2, 3]) check('logSumExp', [positive([257, 65])], { axis: 1 }, 4e-7, parts);
  });
});

describe.each(['any', 'all'] as const)('%s', (name) => {
  const x = tensor([
    [0, 0, -0, 0, 0],
    [0, 0, NaN, 0, 0],
    [1, -1, 2, 1e-45, Infinity],
    [1, 1, 1, 1, 0],
    [NaN, -3, 1, 1, 2],
  ]);

  test.each(['bool', 'int32', 'float32', 'float64'] as const)('of %s', (dtype) => {
    const y = dtype === 'float32' ? x : x.notEqual(0).cast(dtype);
    for (const axis of [0, 1, null, [0, 1], []]) {
      check(name, [y], { axis }, 0);
      check(name, [y.transpose()], { axis, keepDims: true }, 0);
    }
    check(name, [zeros([3, 4, 5, 6], dtype)], { axis: [1, 3] }, 0);
  });
});

describe.each(['cumsum', 'cumprod'] as const)('%s', (name) => {
  test.each([
    [[1], 0],
    [[9], 0],
    [[5, 9], 0],
    [[5, 9], 1],
    [[3, 40], 0],
    [[40, 3], -1],
    [[2, 7, 35], 1],
    [[2, 7, 35], 0],
    [[6, 1, 4], 1],
  ])('shape %j along axis %i, to the bit', (shape, axis) => {
    for (const exclusive of [false, true]) {
      for (const reverse of [false, true]) {
        const attrs = { axis, exclusive, reverse };
        check(name, [normal(shape)], attrs, 0);
        check(name, [normal(shape).flip()], attrs, 0);
        check(name, [normal([...shape].reverse()).transpose()], attrs, 0);
      }
    }
    check(name, [normal([1]).broadcastTo(shape)], { axis }, 0);
  });

  test('of int32, which wraps around, and of float64', () => {
    const x = normal([6, 40]).mul(1e8);
    for (const y of [x.cast('int32'), x.cast('float64').div(1e8)]) {
      for (const axis of [0, 1]) {
        check(name, [y], { axis }, 0);
        check(name, [y.flip()], { axis, exclusive: true, reverse: true }, 0);
      }
    }
  });

  test('of nothing, of NaN and infinities, and in parts', () => {
    check(name, [zeros([0, 3])], { axis: 0 }, 0);
    const x = tensor([1, 2, Infinity, -1, -Infinity, 3, NaN, 1]);
    check(name, [x], {}, 0);
    check(name, [x], { reverse: true, exclusive: true }, 0);
    for (const axis of [0, 1]) check(name, [normal([300, 170])], { axis }, 0, 3);
  });
});

test('what no kernel fits is left to TypeScript', () => {
  const x = normal([2, 3, 4, 5]);
  expect(onHeap(machine, 'prod', [x.cast('int32')])).toBeNull();
  expect(onHeap(machine, 'logSumExp', [x.cast('float64')])).toBeNull();
  expect(onHeap(machine, 'sum', [zeros([0, 3])], { axis: 0 })).toBeNull();
  // More axes than a copy can walk, in an order in which none are neighbours.
  const six = normal([2, 2, 2, 2, 2, 2]).transpose([1, 3, 5, 0, 2, 4]);
  for (const name of ['sum', 'softmax', 'logSumExp'] as const) {
    expect(onHeap(machine, name, [six], { axis: 1 })).toBeNull();
  }
  expect(onHeap(machine, 'cumsum', [six], { axis: 1 })).toBeNull();
});
