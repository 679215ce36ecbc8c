import { ops, specs, tensor, type DType, type OpName, type Tensor } from '@tapegrad/tensor';
import {
  elementwiseKernels,
  elementwiseLowerings,
} from '../../../packages/tensor/src/kernels/wasm/elementwise/elementwise.js';
import type { Operand } from '../../../packages/tensor/src/kernels/wasm/kernel.js';
import {
  commandBytes,
  detectFeatures,
  writeCommands,
} from '../../../packages/tensor/src/kernels/wasm/machine.js';
import { movementKernels } from '../../../packages/tensor/src/kernels/wasm/movement/movement.js';
import { byReference, onHeap, testMachine } from '../../support/wasm.js';

const kernels = [...elementwiseKernels, ...movementKernels];
const machine = testMachine(false, kernels);

const SPECIAL = [0, -0, 1, -1, NaN, Infinity, -Infinity, 0.5, -0.5, 2.5, -3, 3, 6.5, 1e-42, -7e30];

/** Numbers of both signs between −8 and 8 (int32: whole), the first ones special; bool: some of each. */
function numbers(size: number, dtype: DType, seed: number): number[] {
  let state = seed;
  return Array.from({ length: size }, (_, i) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    const even = state / 2147483648;
    if (dtype === 'bool') return even < 0.5 ? 0 : 1;
    if (dtype === 'int32') return Math.floor(even * 17) - 8;
    // Each special number meets each other one where there are enough places.
    const n = SPECIAL.length;
    if (i < n * n) return SPECIAL[seed % 2 === 0 ? i % n : Math.floor(i / n)];
    return 16 * even - 8;
  });
}

function filled(shape: readonly number[], dtype: DType, seed: number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return ops.reshape(tensor(numbers(size, dtype, seed), dtype), shape);
}

/** The ops with kernels, with the dtypes of their inputs, their attributes, and by how much they may differ from TypeScript. */
interface Case {
  readonly op: OpName;
  readonly dtypes: readonly DType[];
  readonly attrs?: object;
  /** Relative to the greater of the value and 1e-3; 0 is the same bits. */
  readonly tolerance: number;
}

const FLOATS = ['float32', 'float64'] as const;
const NUMBERS = ['float32', 'float64', 'int32'] as const;

const unary = (names: readonly OpName[], dtypes: readonly DType[], tolerance = 0): Case[] =>
  names.flatMap((op) => dtypes.map((dtype) => ({ op, dtypes: [dtype], tolerance })));
const binary = (names: readonly OpName[], dtypes: readonly DType[], tolerance = 0): Case[] =>
  names.flatMap((op) => dtypes.map((dtype) => ({ op, dtypes: [dtype, dtype], tolerance })));

const EXACT_UNARY = ['floor', 'ceil', 'round', 'sign', 'relu6', 'sqrt', 'square', 'reciprocal'];
const FUNCTIONS = ['exp', 'log', 'tanh', 'sigmoid', 'expm1', 'log1p', 'softplus', 'silu', 'mish'];
/** Within 0.51 ulp, as TypeScript's are: they may be neighbours. */
const NEAREST = ['sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh'];
const COMPARISONS = ['equal', 'notEqual', 'less', 'lessEqual', 'greater', 'greaterEqual'];
const DTYPES = ['bool', 'int32', 'float32', 'float64'] as const;

const CASES: readonly Case[] = [
  ...unary(['neg', 'abs', 'relu'], NUMBERS),
  ...unary(EXACT_UNARY as OpName[], FLOATS),
  ...unary(['square', 'relu6', 'floor', 'ceil', 'round', 'sign'], ['int32']),
  { op: 'clip', dtypes: ['int32'], attrs: { min: -2.5, max: 3 }, tolerance: 0 },
  ...unary(['rsqrt', 'softsign', 'hardSigmoid'], FLOATS, 2e-7),
  ...unary(FUNCTIONS as OpName[], ['float32'], 5e-7),
  ...unary([...FUNCTIONS, 'selu'] as OpName[], ['float64'], 2e-15),
  { op: 'elu', dtypes: ['float64'], attrs: { alpha: 1.5 }, tolerance: 2e-15 },
  ...unary(['selu', 'erf'], ['float32'], 5e-7),
  ...unary(NEAREST as OpName[], ['float32'], 1.2e-7),
  ...unary(['gelu'], ['float32'], 2e-6),
  ...unary(['isNaN', 'logicalNot'], DTYPES),
  ...FLOATS.flatMap((dtype): Case[] => [
    { op: 'leakyRelu', dtypes: [dtype], attrs: { alpha: 0.2 }, tolerance: 2e-7 },
    { op: 'leakyRelu', dtypes: [dtype], tolerance: 2e-7 },
    { op: 'clip', dtypes: [dtype], attrs: { min: -0.5, max: 2 }, tolerance: 0 },
    { op: 'clip', dtypes: [dtype], attrs: { max: 2 }, tolerance: 0 },
  ]),
  { op: 'elu', dtypes: ['float32'], attrs: { alpha: 1.5 }, tolerance: 5e-7 },
  { op: 'gelu', dtypes: ['float32'], attrs: { approximate: true }, tolerance: 2e-6 },
  ...binary(['add', 'sub', 'maximum', 'minimum'], NUMBERS),
  ...binary(['mul', 'reluGrad'], NUMBERS),
  ...binary(['div'], FLOATS),
  ...binary(['mod'], ['float32', 'int32']),
  ...binary(['squaredDifference'], FLOATS, 3e-7),
  ...binary(['squaredDifference'], ['int32']),
  ...binary(['sigmoidCrossEntropy'], ['float32'], 5e-7),
  ...binary(['pow', 'atan2'], ['float32'], 1.2e-7),
  ...binary([...COMPARISONS, 'logicalAnd', 'logicalOr'] as OpName[], DTYPES),
  ...NUMBERS.map((dtype): Case => ({ op: 'where', dtypes: ['bool', dtype, dtype], tolerance: 0 })),
  ...DTYPES.flatMap((from) =>
    DTYPES.map((to): Case => ({ op: 'cast', dtypes: [from], attrs: { dtype: to }, tolerance: 0 })),
  ),
];

const title = ({ op, dtypes, attrs = {} }: Case): string =>
  `${op} of ${dtypes.join(', ')} ${JSON.stringify(attrs)}`;

/** The first place where two results differ by more than allowed; null where there is none. */
function difference(got: Tensor, expected: Tensor, tolerance: number): object | null {
  expect([got.dtype, got.shape]).toEqual([expected.dtype, expected.shape]);
  const [a, b] = [got.data, ops.copy(expected).data];
  for (let i = 0; i < b.length; i++) {
    if (Object.is(a[i], b[i])) continue;
    const size = Math.max(Math.abs(b[i]), 1e-3);
    const near = Number.isFinite(b[i]) && Math.abs(a[i] - b[i]) <= tolerance * size;
    if (!near || tolerance === 0) return { at: i, got: a[i], expected: b[i] };
  }
  return null;
}

function check(
  { op, dtypes, attrs = {}, tolerance }: Case,
  inputs: readonly Tensor[],
  parts = 1,
  on = machine,
): void {
  expect(inputs.map((x) => x.dtype)).toEqual(dtypes);
  const [expected] = byReference(op, inputs, attrs);
  const results = onHeap(on, op, inputs, attrs, { parts });
  expect(results).not.toBeNull();
  for (const got of results ?? []) expect(difference(got, expected, tolerance)).toBeNull();
}

test('every op and dtype that has a kernel is in the table', () => {
  const ours = new Set(CASES.map((c) => c.op as string));
  expect(Object.keys(elementwiseLowerings).filter((op) => !ours.has(op) && op in specs)).toEqual(
    [],
  );
  // Casts to the same dtype are copies; attributes do not make another kernel.
  const distinct = new Set(
    CASES.filter((c) => c.op !== 'cast' || (c.attrs as { dtype: DType }).dtype !== c.dtypes[0]).map(
      (c) =>
        c.op + c.dtypes.join() + (['cast', 'gelu'].includes(c.op) ? JSON.stringify(c.attrs) : ''),
    ),
  );
  // Powers by one number have a kernel of their own.
  expect(elementwiseKernels.length).toBe(distinct.size + 1);
});

describe.each(CASES.map((c) => [title(c), c] as const))('%s', (_, c) => {
  test('agrees with TypeScript for special values and sizes that fill no vector', () => {
    for (const size of [0, 1, 3, 4, 16, 17, 250]) {
      check(
        c,
        c.dtypes.map((dtype, i) => filled([size], dtype, i + 4)),
      );
    }
  });

  test('agrees with TypeScript in any layout', () => {
    const transposed = c.dtypes.map((dtype, i) => ops.transpose(filled([19, 13], dtype, i + 2)));
    check(c, transposed);
    const flipped = c.dtypes.map((dtype, i) => {
      const x = ops.flip(filled([4, 6, 11], dtype, i + 2), [0, 2]);
      return ops.transpose(x, [1, 0, 2]);
    });
    check(c, flipped);
    if (c.dtypes.length === 1) return;
    const shapes = [[13], [19, 1], [], [19, 13], [1, 13]];
    for (const shape of shapes) {
      for (let one = 0; one < c.dtypes.length; one++) {
        const inputs = c.dtypes.map((dtype, i) =>
          filled(i === one ? shape : [19, 13], dtype, i + 2),
        );
        check(c, inputs);
      }
    }
  });
});

const [ADD, TANH, LESS, WHERE] = [
  { op: 'add', dtypes: ['float32', 'float32'], tolerance: 0 },
  { op: 'tanh', dtypes: ['float32'], tolerance: 5e-7 },
  { op: 'less', dtypes: ['float64', 'float64'], tolerance: 0 },
  { op: 'where', dtypes: ['bool', 'float32', 'float32'], tolerance: 0 },
] as const satisfies readonly Case[];

describe('large operands', () => {
  test.each([1, 2, 3])('in %i parts, with every kind of layout', (parts) => {
    const [m, n] = [301, 447];
    const full = (dtype: DType, seed: number): Tensor => filled([m, n], dtype, seed);
    check(ADD, [full('float32', 1), full('float32', 2)], parts);
    check(ADD, [full('float32', 1), filled([n], 'float32', 2)], parts);
    check(ADD, [filled([m, 1], 'float32', 1), full('float32', 2)], parts);
    check(ADD, [full('float32', 1), filled([], 'float32', 2)], parts);
    check(ADD, [full('float32', 1), ops.transpose(filled([n, m], 'float32', 2))], parts);
    check(TANH, [full('float32', 3)], parts);
    check(TANH, [ops.transpose(filled([n, m], 'float32', 2))], parts);
    check(LESS, [full('float64', 3), filled([n], 'float64', 2)], parts);
    check(WHERE, [full('bool', 3), filled([n], 'float32', 2), filled([m, 1], 'float32', 5)], parts);
  });

  test('rows that repeat, of sizes that fit into a piece and that do not', () => {
    for (const n of [10, 64, 1000, 1536, 4096, 5000]) {
      check(ADD, [filled([7, n], 'float32', 1), filled([n], 'float32', 2)]);
    }
    check(ADD, [filled([5, 3, 8, 9], 'float32', 1), filled([3, 1, 9], 'float32', 2)]);
    check(ADD, [filled([5, 3, 1, 9], 'float32', 1), filled([1, 8, 1], 'float32', 2)]);
  });
});

test('an output may take the place of an input of its dtype', () => {
  const { heap } = machine;
  for (const size of [5, 64, 2051]) {
    const a = filled([size], 'float32', 1);
    const b = filled([size], 'float32', 2);
    const [first, second] = [a, b].map((x): Operand => {
      const { address } = heap.allocate(4 * size);
      heap.view('float32', address, size).set(x.data);
      const { dtype, shape, strides } = x;
      return { dtype, shape, strides, size, contiguous: true, address };
    });
    const [sum] = byReference('add', [a, b]);
    const [result] = byReference('sigmoid', [sum]);
    const scratch = (bytes: number): number => heap.allocate(bytes).address;
    const context = { threads: 1, scratch, mayFault: () => true };
    const call = { attrs: {}, epilogue: null };
    const commands = [
      ...(elementwiseLowerings.add?.(
        { inputs: [first, second], outputs: [second], ...call },
        context,
      ) ?? []),
      ...(elementwiseLowerings.sigmoid?.(
        { inputs: [second], outputs: [second], ...call },
        context,
      ) ?? []),
    ];
    const list = writeCommands(machine, commands, heap.allocate(commandBytes(commands)).address);
    machine.exports.execute(list.from, list.to, 1);
    const got = tensor(Array.from(heap.view('float32', second.address, size)), 'float32');
    expect(difference(got, result, 5e-7)).toBeNull();
    expect(Array.from(heap.view('float32', first.address, size))).toEqual(Array.from(a.data));
  }
});

test('more axes than can be walked are left to TypeScript', () => {
  const x = ops.transpose(filled([2, 2, 2, 2, 2, 2], 'float32', 2));
  expect(onHeap(machine, 'neg', [x])).toBeNull();
  check({ op: 'neg', dtypes: ['float32'], tolerance: 0 }, [
    ops.transpose(filled([2, 2, 2, 2, 2], 'float32', 2)),
  ]);
});

test('dtypes without a kernel are left to TypeScript', () => {
  const doubles = filled([4], 'float64', 2);
  expect(onHeap(machine, 'atan2', [doubles, doubles])).toBeNull();
  expect(onHeap(machine, 'pow', [filled([4], 'int32', 2), filled([4], 'int32', 2)])).toBeNull();
});

/** Float32 of any bits: they are of all sizes, and some are NaN. */
const anyBits = (count: number, seed: number): number[] => [
  ...new Float32Array(Uint32Array.from({ length: count }, (_, i) => (i * 2654435761 + seed) >>> 0).buffer), // prettier-ignore
];

test('int32 wraps around as in typed arrays', () => {
  const [a, b] = [1, 77].map((seed) =>
    tensor(
      Array.from({ length: 3001 }, (_, i) => (i * 2654435761 * seed + seed) | 0),
      'int32',
    ),
  );
  const edges = tensor([2 ** 31 - 1, -(2 ** 31), -1, 65536, -65536, 0], 'int32');
  const exact = { dtypes: ['int32', 'int32'], tolerance: 0 } as const;
  for (const op of ['mul', 'mod', 'squaredDifference'] as const) {
    check({ op, ...exact }, [a, b]);
    check({ op, ...exact }, [edges.reshape([6, 1]), edges]);
  }
  check({ op: 'square', dtypes: ['int32'], tolerance: 0 }, [a]);
  const attrs = { dtype: 'int32' };
  check({ op: 'cast', dtypes: ['float32'], attrs, tolerance: 0 }, [tensor(anyBits(20_000, 5))]);
  const near = [0.5, 1, 1.5, 2 ** 20].flatMap((d) =>
    [31, 32, 33, 53, 63, 84, 85].flatMap((k) => [
      2 ** k - d,
      2 ** k + d,
      -(2 ** k) - d,
      d - 2 ** k,
    ]),
  );
  // Whole numbers of turns of 2³² themselves, up to where odd ones end.
  const turns = [51, 52, 53].flatMap((k) => [1 - 2 ** k, 2 ** k - 1, 2 ** k + 1].map((n) => n * 2 ** 32)); // prettier-ignore
  const odd = [2 ** 31 + 2 ** 32, NaN, Infinity, -Infinity, -0.5, ...turns];
  const doubles = tensor([...near, ...odd], 'float64');
  check({ op: 'cast', dtypes: ['float64'], attrs, tolerance: 0 }, [doubles]);
});

test('remainders are exact, however large the quotient is', () => {
  const mod = { op: 'mod', dtypes: ['float32', 'float32'], tolerance: 0 } as const;
  check(mod, [tensor(anyBits(20_000, 5)), tensor(anyBits(20_000, 12345))]);
  const close = filled([500], 'float32', 3);
  check(mod, [close.mul(1e9), close.flip()]);
  // Multiples of the divisor, and what is next to them.
  const k = tensor(Array.from({ length: 300 }, (_, i) => i * 20011));
  check(mod, [k.mul(0.75), tensor(0.75)]);
  check(mod, [k.mul(3).add(1), tensor(-3)]);
});

const fused = detectFeatures()?.relaxed === true ? test : test.skip;
fused('with fused multiply-add', () => {
  const relaxed = testMachine(true, kernels);
  for (const c of CASES) {
    const inputs = c.dtypes.map((dtype, i) => filled([37], dtype, i + 4));
    check(c, inputs, 1, relaxed);
  }
});
