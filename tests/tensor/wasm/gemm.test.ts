/** Matrix products on the WebAssembly kernels against the TypeScript kernels. */
import { ops, tensor, type DType, type Shape, type Tensor } from '@tapegrad/tensor';
import type { Epilogue, Operand } from '../../../packages/tensor/src/kernels/wasm/kernel.js';
import { gemmKernels } from '../../../packages/tensor/src/kernels/wasm/gemm/gemm.js';
import { PEAK_BYTES, peakCommand } from '../../../packages/tensor/src/kernels/wasm/gemm/micro.js';
import {
  commandBytes,
  detectFeatures,
  writeCommands,
} from '../../../packages/tensor/src/kernels/wasm/machine.js';
import { EXACT, assertClose } from '../../support/close.js';
import { Numbers } from '../../support/numbers.js';
import { byReference, onHeap, testMachine } from '../../support/wasm.js';

const numbers = new Numbers(11);
const machines = [false, true]
  .filter((relaxed) => !relaxed || detectFeatures()?.relaxed)
  .map((relaxed) => ({ relaxed, machine: testMachine(relaxed, gemmKernels) }));
const { machine } = machines[0];

const sizeOf = (shape: Shape): number => shape.reduce((n, s) => n * s, 1);

/** Drawn once: large matrices repeat them, with a period that no row has. */
const drawn = Float64Array.from({ length: 4099 }, () => 2 * numbers.next() - 1);
const drawnWhole = drawn.map((x) => Math.round(4.4 * x));

function repeated(values: Float64Array, shape: Shape, dtype: DType): Tensor {
  const size = sizeOf(shape);
  const data = dtype === 'float64' ? new Float64Array(size) : new Float32Array(size);
  const start = numbers.integer(0, 1000);
  for (let i = 0; i < size; i += values.length - start) {
    data.set(values.subarray(start, start + size - i), i);
  }
  return tensor(data, { shape, dtype });
}

/** Whole numbers, whose products and sums are exact: the result must be that of the reference to the bit. */
function whole(shape: Shape, dtype: DType = 'float32'): Tensor {
  return repeated(drawnWhole, shape, dtype);
}

/** Numbers between −1 and 1. */
function real(shape: Shape): Tensor {
  return repeated(drawn, shape, 'float32');
}

function bits(x: Tensor): readonly number[] {
  const values = x.toTypedArray();
  return [...new Uint32Array(values.buffer, values.byteOffset, values.byteLength / 4)];
}

function checkExact(
  name: 'matmul' | 'dot' | 'outer' | 'einsum',
  inputs: readonly Tensor[],
  attrs: object = {},
): void {
  const [expected] = byReference(name, inputs, attrs);
  for (const { machine: on } of machines) {
    for (const parts of [1, 2, 3]) {
      const [actual] = onHeap(on, name, inputs, attrs, { parts }) ?? [];
      const wanted = { shape: expected.shape, data: expected.toTypedArray() };
      assertClose(`${name} in ${parts} parts`, actual, wanted, EXACT, expected.dtype);
    }
  }
}

// [m, k, n]: smaller than a tile, whole tiles, edges of both kinds, vectors, more than one block in each direction.
const sizes: readonly (readonly [number, number, number])[] = [
  [1, 1, 1],
  [2, 3, 2],
  [4, 5, 8],
  [5, 7, 9],
  [6, 4, 16],
  [13, 11, 21],
  [50, 28, 50],
  [32, 70, 10],
  [70, 10, 3],
  [1, 37, 75],
  [1, 100, 3],
  [75, 37, 1],
  [1, 53, 1],
  [9, 1, 14],
  [70, 1, 33],
  [70, 19, 1],
  [100, 80, 100],
  [130, 300, 70],
  [14, 270, 530],
  [3, 300, 90],
  // With nothing packed: rows in pairs and one besides, few and many columns, blocks of k for two and three threads.
  [2, 3, 16],
  [7, 1, 48],
  [13, 9, 64],
  [5, 33, 256],
  [32, 784, 32],
  [51, 1300, 16],
];

describe.each([
  ['NN', false, false],
  ['NT', false, true],
  ['TN', true, false],
  ['TT', true, true],
] as const)('matmul %s', (_, transposeA, transposeB) => {
  test.each(sizes)('%d×%d×%d', (m, k, n) => {
    const a = whole(transposeA ? [k, m] : [m, k]);
    const b = whole(transposeB ? [n, k] : [k, n]);
    checkExact('matmul', [a, b], { transposeA, transposeB });
  });

  test('float64', () => {
    for (const [m, k, n] of [
      [5, 7, 9],
      [1, 9, 6],
      [12, 300, 40],
      [100, 80, 100],
    ] as const) {
      const a = whole(transposeA ? [k, m] : [m, k], 'float64');
      const b = whole(transposeB ? [n, k] : [k, n], 'float64');
      checkExact('matmul', [a, b], { transposeA, transposeB });
    }
  });
});

test('sums of any length, of rows that are packed and of rows that are not', () => {
  for (let k = 1; k <= 11; k++) {
    for (const n of [16, 21]) {
      for (const m of [13, 80]) checkExact('matmul', [whole([m, k]), whole([k, n])]);
      // Rows of A that are pages apart.
      checkExact('matmul', [whole([k, 1024]), whole([k, n])], { transposeA: true });
    }
  }
});

test('large products with a vector, in parts', () => {
  const [x, w] = [whole([560]), whole([560, 450])];
  checkExact('matmul', [x, w]);
  checkExact('matmul', [w, x], { transposeA: true });
  checkExact('matmul', [whole([450]), w], { transposeB: true });
  checkExact('matmul', [w, whole([450])]);
});

test('operands of any strides', () => {
  const [m, k, n] = [21, 18, 27];
  // Every second element; backwards; one row, one column, one number repeated; from the middle of a larger one.
  const views: ((rows: number, columns: number) => Tensor)[] = [
    (r, c) =>
      ops.squeeze(ops.slice(whole([r, c, 2]), { begin: [0, 0, 1], size: [r, c, 1] }), { axis: 2 }),
    (r, c) => ops.flip(whole([r, c])),
    (r, c) => ops.broadcastTo(whole([1, c]), [r, c]),
    (r, c) => ops.broadcastTo(whole([r, 1]), [r, c]),
    (r, c) => ops.broadcastTo(whole([1, 1]), [r, c]),
    (r, c) => ops.slice(whole([r + 3, c + 5]), { begin: [2, 1], size: [r, c] }),
  ];
  for (const left of views) {
    for (const right of views) checkExact('matmul', [left(m, k), right(k, n)]);
    checkExact('matmul', [left(1, k), left(k, n)]);
    checkExact('matmul', [left(m, k), left(k, 1)]);
  }
});

test.each<[Shape, Shape]>([
  [[7], [7]],
  [[7], [7, 9]],
  [[6, 7], [7]],
  [[3, 6, 7], [7]],
  [[7], [3, 7, 5]],
  [
    [3, 6, 7],
    [7, 9],
  ],
  [
    [3, 6, 7],
    [3, 7, 9],
  ],
  [
    [2, 3, 6, 7],
    [3, 7, 9],
  ],
  [
    [2, 1, 6, 7],
    [3, 7, 9],
  ],
  [
    [6, 7],
    [2, 3, 7, 9],
  ],
  [
    [2, 1, 3, 6, 7],
    [4, 1, 7, 9],
  ],
  [
    [16, 40, 40],
    [16, 40, 40],
  ],
  [
    [5, 1, 7],
    [5, 7, 1],
  ],
])('batches: %j times %j', (a, b) => {
  checkExact('matmul', [whole(a), whole(b)]);
  checkExact('matmul', [whole(a, 'float64'), whole(b, 'float64')]);
});

test('dot and outer', () => {
  checkExact('dot', [whole([7]), whole([7])]);
  checkExact('dot', [whole([2, 3, 7]), whole([7, 9])]);
  checkExact('dot', [whole([2, 3, 7]), whole([7])]);
  checkExact('outer', [whole([13]), whole([21])]);
  checkExact('outer', [ops.flip(whole([13])), whole([1], 'float32')]);
});

test.each<[string, Shape, Shape]>([
  ['ij,jk->ik', [5, 7], [7, 9]],
  ['ij,jk->ki', [5, 7], [7, 9]],
  ['ij,kj->ik', [5, 7], [9, 7]],
  ['ji,jk->ik', [7, 5], [7, 9]],
  ['bij,bjk->bik', [3, 5, 7], [3, 7, 9]],
  ['bij,bjk->bki', [3, 5, 7], [3, 7, 9]],
  ['bhqd,bhkd->bhqk', [2, 3, 5, 7], [2, 3, 9, 7]],
  ['bqhd,bkhd->bhqk', [2, 5, 3, 7], [2, 9, 3, 7]],
  ['btd,dhk->bthk', [2, 5, 7], [7, 3, 4]],
  ['bthk,hkd->btd', [2, 5, 3, 4], [3, 4, 6]],
  ['ij,ij->', [5, 7], [5, 7]],
  ['ij,ij->i', [5, 7], [5, 7]],
  ['ij,j', [5, 7], [7]],
  ['i,j->ij', [5], [7]],
  [',ij->ij', [], [5, 7]],
  ['ab,cb->ac', [5, 1], [4, 1]],
])('einsum %s of %j and %j', (equation, a, b) => {
  checkExact('einsum', [whole(a), whole(b)], { equation });
  checkExact('einsum', [ops.flip(whole(a, 'float64')), whole(b, 'float64')], { equation });
});

test.each<[string, ...Shape[]]>([
  ['ij,jk->i', [5, 7], [7, 9]],
  ['ii,ij->ij', [5, 5], [5, 7]],
  ['bik,bkj->ibj', [3, 5, 7], [3, 7, 9]],
  ['ikj,jki->i', [5, 3, 7], [7, 3, 5]],
  ['ij->ji', [5, 7]],
  ['i,i,i->i', [5], [5], [5]],
])('einsum %s is left to the op', (equation, ...shapes) => {
  expect(onHeap(machine, 'einsum', shapes.map((s) => whole(s)), { equation })).toBeNull(); // prettier-ignore
});

test('what the kernels do not cover is left to others', () => {
  const none = (a: Tensor, b: Tensor): void => expect(onHeap(machine, 'matmul', [a, b])).toBeNull();
  none(whole([3, 4], 'int32'), whole([4, 5], 'int32'));
  none(whole([0, 4]), whole([4, 5]));
  none(whole([3, 0]), whole([0, 5]));
  const bias = { bias: null, activation: 'relu' } as const;
  expect(onHeap(machine, 'matmul', [whole([3, 4]), whole([4])], {}, { epilogue: bias })).toBeNull();
});

describe('rounding', () => {
  test.each([
    [64, 700, 40],
    [1, 700, 40],
    [40, 700, 1],
    [7, 9000, 5],
    [1, 9000, 13],
  ])('%d×%d×%d is within float32 rounding of the sum in double precision', (m, k, n) => {
    const [a, b] = [real([m, k]), real([k, n])];
    const [expected] = byReference('matmul', [a, b]);
    const [absolute] = byReference('matmul', [ops.abs(a), ops.abs(b)]);
    for (const { machine: on } of machines) {
      const [actual] = onHeap(on, 'matmul', [a, b]) ?? [];
      const [got, wanted, scale] = [actual, expected, absolute].map((x) => x.toTypedArray());
      // Errors of additions are independent: those of a block of 256 grow with its root, however long the sum is.
      const unit = 8 * Math.sqrt(Math.min(k, 256)) * 2 ** -24;
      got.forEach((x, i) => expect(Math.abs(x - wanted[i])).toBeLessThan(unit * scale[i]));
    }
  });

  test.each([1, 5])('a sum of 4 million products above 0, of %d rows, does not drift', (m) => {
    const k = 1 << 22;
    // Each row is the same, by a stride of 0.
    const a = ops.broadcastTo(ops.abs(real([1, k])), [m, k]);
    const b = ops.abs(real([k]));
    const [expected] = byReference('matmul', [ops.slice(a, { begin: [0, 0], size: [1, k] }), b]);
    const wanted = { shape: [m], data: new Array<number>(m).fill(expected.toTypedArray()[0]) };
    for (const { machine: on } of machines) {
      const [actual] = onHeap(on, 'matmul', [a, b]) ?? [];
      assertClose(`${m} rows`, actual, wanted, { relative: 3e-6, absolute: 0 });
    }
  });

  test('an element has the same bits in any part, and wherever in the matrix it is', () => {
    const [m, k, n] = [111, 290, 101];
    const [a, b] = [real([m, k]), real([k, n])];
    for (const { machine: on } of machines) {
      const of = (x: Tensor, y: Tensor, parts = 1): Tensor =>
        (onHeap(on, 'matmul', [x, y], {}, { parts }) ?? [])[0];
      const product = of(a, b);
      expect(bits(of(a, b, 2))).toEqual(bits(product));
      expect(bits(of(a, b, 3))).toEqual(bits(product));
      const block = of(
        ops.slice(a, { begin: [33, 0], size: [45, k] }),
        ops.slice(b, { begin: [0, 17], size: [k, 77] }),
      );
      expect(bits(block)).toEqual(
        bits(ops.copy(ops.slice(product, { begin: [33, 17], size: [45, 77] }))),
      );
    }
  });

  test('an element has the same bits with operands that are packed and with those that are not', () => {
    const [m, k, n] = [51, 1300, 16];
    const [a, b] = [real([m, k]), real([k, n])];
    for (const { machine: on } of machines) {
      const [packed] = onHeap(on, 'matmul', [a, ops.copy(ops.transpose(b))], { transposeB: true }) ?? []; // prettier-ignore
      for (const parts of [1, 2, 3]) {
        const [inPlace] = onHeap(on, 'matmul', [a, b], {}, { parts }) ?? [];
        expect(bits(inPlace)).toEqual(bits(packed));
      }
    }
  });

  test('NaN and infinity spread as they do in sums', () => {
    const [a, b] = [whole([9, 12]), whole([12, 11])];
    [NaN, Infinity, -Infinity].forEach((x, i) => {
      a.data[i * 25] = x;
      b.data[i * 13 + 5] = x;
    });
    checkExact('matmul', [a, b]);
    const x = ops.slice(a, { begin: [2, 0], size: [1, 12] });
    checkExact('matmul', [x, b]);
    checkExact('matmul', [ops.transpose(b), ops.transpose(x)]);
  });
});

describe('bias and activation', () => {
  const activations = [null, 'relu', 'tanh', 'sigmoid'] as const;
  const shapes = [
    [5, 7, 9],
    [32, 20, 3],
    [130, 300, 70],
    [1, 30, 50],
    [30, 20, 1],
    [9, 1, 14],
    [51, 1300, 16],
  ] as const;
  test.each(shapes)('%d×%d×%d', (m, k, n) => {
    const [a, b, bias] = [real([m, k]), real([k, n]), real([n])];
    a.data[0] = NaN;
    for (const { machine: on } of machines) {
      const { address } = on.heap.allocate(4 * n);
      on.heap.view('float32', address, n).set(bias.data);
      const operand: Operand = {
        dtype: 'float32',
        shape: [n],
        strides: [1],
        size: n,
        contiguous: true,
        address,
      };
      const [plain] = onHeap(on, 'matmul', [a, b]) ?? [];
      for (const activation of activations) {
        for (const withBias of [true, false]) {
          const epilogue: Epilogue = { bias: withBias ? operand : null, activation };
          const sum = withBias ? ops.add(plain, bias) : plain;
          const expected = activation === null ? sum : ops[activation](sum);
          for (const parts of [1, 2, 3]) {
            const [actual] = onHeap(on, 'matmul', [a, b], {}, { parts, epilogue }) ?? [];
            const wanted = { shape: expected.shape, data: expected.toTypedArray() };
            // tanh and sigmoid have errors of up to 2 ulp
            const relative = activation === 'tanh' || activation === 'sigmoid' ? 3e-7 : 0;
            assertClose(`${activation}`, actual, wanted, { relative, absolute: 0 });
          }
        }
      }
    }
  });
});

test('the command for the peak rate computes a tile', () => {
  for (const { relaxed, machine: on } of machines) {
    const { address } = on.heap.allocate(PEAK_BYTES);
    const numbers = on.heap.view('float32', address, PEAK_BYTES / 4);
    numbers.fill(2);
    const peak = peakCommand({ relaxed }, address, 3);
    const list = on.heap.allocate(commandBytes([peak]));
    const { from, to } = writeCommands(on, [peak], list.address);
    on.exports.execute(from, to, 1);
    // Each element of the tile is a sum of 256 products 2·2; each tile is of so many operations.
    const elements = numbers.filter((x) => x === 4 * 256).length;
    expect(elements).toBe((relaxed ? 6 : 4) * 8);
    expect(peak.flops).toBe(3 * elements * 256 * 2);
  }
});
