import { Generator, tensor, zeros, type OpName, type Tensor } from '@tapegrad/tensor';
import {
  indexingKernels,
  indexingLowerings,
} from '../../../packages/tensor/src/kernels/wasm/indexing.js';
import { FAULT } from '../../../packages/tensor/src/kernels/wasm/module.js';
import type { Operand } from '../../../packages/tensor/src/kernels/wasm/kernel.js';
import { sameBits } from '../../support/bits.js';
import { byReference, onHeap, testMachine } from '../../support/wasm.js';

const machine = testMachine(false, indexingKernels);

/** Reads the word for faults, and clears it. */
function takeFault(): number {
  const view = new DataView(machine.heap.memory.buffer);
  const value = view.getInt32(FAULT, true);
  view.setInt32(FAULT, 0, true);
  return value;
}

const normal = (shape: readonly number[]): Tensor => new Generator(1).normal(shape);

/** Random whole numbers from `low` to `high` − 1. */
function positions(shape: readonly number[], low: number, high: number): Tensor {
  return new Generator(2).uniform(shape, { low, high }).floor().cast('int32');
}

/** The kernel gives the reference's bits, in one part and in several. */
function check(name: OpName, inputs: readonly Tensor[], attrs: object): void {
  const [wanted] = byReference(name, inputs, attrs);
  for (const parts of [1, 2, 3]) {
    const found = onHeap(machine, name, inputs, attrs, { parts });
    expect(found).not.toBeNull();
    const [y] = found ?? [];
    expect(y.shape).toEqual(wanted.shape);
    expect(sameBits(y, wanted)).toBe(true);
  }
  expect(takeFault()).toBe(0);
}

const ODD = [0, 2, 1, 2, 0];

describe('gather', () => {
  test.each([
    [[5], [4], 0],
    [[5, 1], [1], 0],
    [[5, 3], [7], 0],
    [[5, 4], [2, 3], 0],
    [[5, 23], [7], 0],
    [[5, 200], [9], 0],
    [[3, 5, 2], [4], 1],
    [[3, 5], [2, 3], 1],
    [[2, 3, 5], [6], -1],
    [[100, 16], [70, 70], 0],
  ])('of %j at indices %j along axis %d', (shape, at, axis) => {
    const n = shape[axis < 0 ? axis + shape.length : axis];
    check('gather', [normal(shape), positions(at, -n, n)], { axis });
  });

  test.each(['float64', 'int32', 'bool'] as const)('of %s', (dtype) => {
    const x = normal([6, 7]).mul(3).cast(dtype);
    check('gather', [x, positions([9], 0, 6)], {});
    check('gather', [x, positions([9], 0, 7)], { axis: 1 });
  });
});

describe('indexAdd', () => {
  test.each([
    [[5], 0, 3],
    [[5, 1], 0, 3],
    [[5, 7], 0, 3],
    [[2, 5, 3], 1, 4],
    [[3, 5], -1, 3],
    [[5, 64], 0, 1200],
  ])('of %j along axis %d to size %d', (shape, axis, size) => {
    check('indexAdd', [normal(shape), tensor(ODD, { dtype: 'int32' })], { axis, size });
  });

  test('of more rows than there are places, in parts', () => {
    check('indexAdd', [normal([1100, 64]), positions([1100], -50, 50)], { size: 50 });
  });
});

test.each<readonly [readonly number[], readonly number[], number]>([
  [[5], [3], 0],
  [[4, 5], [4, 2], 1],
  [[4, 5], [9, 5], 0],
  [[2, 3, 4], [2, 5, 4], 1],
  [[300, 4], [300, 220], 1],
])('takeAlongAxis of %j at %j along %d, and its adjoint', (shape, at, axis) => {
  const indices = positions(at, 0, shape[axis]);
  check('takeAlongAxis', [normal(shape), indices], { axis });
  check('putAlongAxis', [normal(at), indices], { axis, size: shape[axis] });
});

test.each([
  [[4], 3, -1],
  [[4], 3, 0],
  [[2, 3], 5, 1],
  [[2, 3], 5, -1],
  [[700], 100, -1],
])('oneHot of %j to depth %d along %d, zeros for what is outside', (shape, depth, axis) => {
  const indices = positions(shape, -2, depth + 2);
  for (const dtype of ['float32', 'int32'] as const) {
    check('oneHot', [indices], { depth, axis, dtype });
  }
});

describe('an index outside the axis is noted, and nothing outside is touched', () => {
  test.each<readonly [OpName, readonly number[], readonly number[], object]>([
    ['gather', [3, 5], [0, 3], {}],
    ['gather', [3, 5], [-4, 1], {}],
    ['gather', [3, 5], [2147483647, -2147483648], {}],
    ['indexAdd', [2, 5], [0, 3], { size: 3 }],
    ['indexAdd', [2, 5], [-4, 0], { size: 3 }],
    ['takeAlongAxis', [2], [-1, 0], {}],
    ['takeAlongAxis', [2], [0, 2], {}],
    ['putAlongAxis', [2], [0, 3], { size: 3 }],
  ])('%s of %j at %j', (name, shape, at, attrs) => {
    const inputs = [normal(shape), tensor(at, { dtype: 'int32' })];
    expect(() => byReference(name, inputs, attrs)).toThrow('outside');
    expect(onHeap(machine, name, inputs, attrs)).not.toBeNull();
    expect(takeFault()).toBe(1);
    const good = [inputs[0], zeros([2], 'int32')];
    onHeap(machine, name, good, attrs);
    expect(takeFault()).toBe(0);
  });
});

test('without anyone to look for faults, ops that check have no lowering', () => {
  const operand = ({ dtype, shape, strides, size, contiguous }: Tensor): Operand => {
    return { dtype, shape, strides, size, contiguous, address: 1024 };
  };
  const inputs = [normal([3, 5]), zeros([2], 'int32')].map(operand);
  const call = { inputs, outputs: [operand(normal([2, 5]))], epilogue: null, attrs: {} };
  const context = (looks: boolean) => ({ threads: 1, scratch: () => 0, mayFault: () => looks });
  expect(indexingLowerings.gather?.(call, context(true))).toHaveLength(1);
  expect(indexingLowerings.gather?.(call, context(false))).toBeNull();
});

test('what no kernel fits is left to TypeScript', () => {
  const indices = zeros([2], 'int32');
  expect(onHeap(machine, 'gather', [normal([3, 5]).transpose(), indices])).toBeNull();
  const x = normal([2, 5]).cast('float64');
  expect(onHeap(machine, 'indexAdd', [x, indices], { size: 3 })).toBeNull();
  expect(onHeap(machine, 'oneHot', [indices], { depth: 3, dtype: 'bool' })).toBeNull();
});
