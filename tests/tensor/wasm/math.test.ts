/** The functions of four float32 lanes beside Math's, for all kinds of numbers. */
import { i32 } from '../../../packages/tensor/src/kernels/wasm/assembler/instructions.js';
import { command, kernel, type Kernel } from '../../../packages/tensor/src/kernels/wasm/kernel.js';
import {
  commandBytes,
  detectFeatures,
  writeCommands,
  type Machine,
} from '../../../packages/tensor/src/kernels/wasm/machine.js';
import * as math from '../../../packages/tensor/src/kernels/wasm/math.js';
import { v128 } from '../../../packages/tensor/src/kernels/wasm/assembler/simd.js';
import { erfOf } from '../../../packages/tensor/src/kernels/js/scalar.js';
import { ulpsBetween } from '../../support/ulps.js';
import { testMachine } from '../../support/wasm.js';

/** y ← f(x); n is a multiple of 4. */
function mapKernel(name: string, emit: math.EmitF32x4): Kernel {
  return kernel(`test_${name}`, { x: 'i32', y: 'i32', n: 'i32' }, (b, { x, y, n }, { m }) => {
    const at = b.local('i32');
    b.for(at, i32.const(0), i32.mul(n, i32.const(4)), 16, () => {
      b.do(v128.store(i32.add(y, at), emit(b, m, v128.load(i32.add(x, at)))));
    });
  });
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => (x < 0 ? 0 : x) + Math.log1p(Math.exp(-Math.abs(x)));

/** Name, code, the function in float64, and how many ulp the result may be away. */
const FUNCTIONS = [
  ['exp', math.emitExp, Math.exp, 1.5],
  ['expm1', math.emitExpm1, Math.expm1, 2],
  ['log', math.emitLog, Math.log, 1],
  ['log1p', math.emitLog1p, Math.log1p, 1],
  ['tanh', math.emitTanh, Math.tanh, 2],
  ['sigmoid', math.emitSigmoid, logistic, 2],
  ['erf', math.emitErf, erfOf, 2.5],
  ['softplus', math.emitSoftplus, softplus, 2],
] as const;

const SPECIAL = [
  0,
  -0,
  Infinity,
  -Infinity,
  NaN,
  -NaN,
  1.4e-45,
  -1.4e-45,
  1.17549435e-38,
  -1.17549435e-38,
  1e-30,
  -1e-30,
  2 ** -24,
  -(2 ** -24),
  2 ** -26,
  1,
  -1,
  -0.99999994,
  -1.0000001,
  0.70710677,
  0.70710678,
  1.4142135,
  9.01,
  9.02,
  -17.3,
  -17.4,
  17.3,
  2 ** 23,
  2 ** 24,
  2 ** 25,
  88.02,
  88.37,
  88.722,
  88.723,
  88.73,
  89,
  90,
  -87.33,
  -87.34,
  -88,
  -103.27,
  -103.97,
  -103.98,
  -104,
  -105,
  3.4028235e38,
  -3.4028235e38,
  0.6,
  -0.6,
  // Where tanh and sigmoid are, or with other orders of their sums would be, furthest from the exact value.
  0.12510899,
  0.51958114,
  -0.00034499180037528276,
  -1.1006064414978027,
  -7.142,
  -16.640879,
];

/** All kinds of float32: every 2¹⁸th bit pattern, and evenly spaced values where the functions are not trivial. */
function samples(): Float32Array {
  const patterns = new Uint32Array(1 << 14);
  for (let i = 0; i < patterns.length; i++) patterns[i] = i * 262144 + ((i * 40503) & 262143);
  const even = (count: number, from: number, to: number): number[] =>
    Array.from({ length: count }, (_, i) => from + ((to - from) * i) / count);
  const all = [
    ...SPECIAL,
    ...new Float32Array(patterns.buffer),
    ...even(9000, -110, 95),
    ...even(9000, -3, 3),
    ...even(5000, 0.5, 1.6),
  ];
  while (all.length % 4 !== 0) all.push(0);
  return Float32Array.from(all);
}

const variants = detectFeatures()?.relaxed === true ? [false, true] : [false];

describe.each(variants)('with fused multiply-add: %s', (relaxed) => {
  const kernels = FUNCTIONS.map(([name, emit]) => mapKernel(name, emit));
  const machine: Machine = testMachine(relaxed, kernels);
  const x = samples();

  test.each(FUNCTIONS.map((row, i) => [row[0], row[3], row[2], i] as const))(
    '%s is within %s ulp of the exact value for every float32',
    (_, bound, exact, i) => {
      const { heap } = machine;
      const [from, y] = [0, 1].map(() => heap.allocate(x.byteLength).address);
      heap.view('float32', from, x.length).set(x);
      const commands = [command(kernels[i], { x: from, y, n: x.length })];
      const list = writeCommands(machine, commands, heap.allocate(commandBytes(commands)).address);
      machine.exports.execute(list.from, list.to, 1);
      const got = heap.view('float32', y, x.length);
      let worst = { ulps: 0, x: 0, got: 0 };
      for (let k = 0; k < x.length; k++) {
        const ulps = ulpsBetween(got[k], exact(x[k]));
        if (ulps > worst.ulps) worst = { ulps, x: x[k], got: got[k] };
      }
      if (worst.ulps > bound) expect(worst).toEqual(`within ${bound} ulp`);
    },
  );
});

test('the measure of errors tells what is wrong', () => {
  expect(ulpsBetween(1 + 2 ** -22, 1)).toBe(2);
  expect(ulpsBetween(-0, 0)).toBe(Infinity);
  expect(ulpsBetween(1, NaN)).toBe(Infinity);
  expect(ulpsBetween(2 ** -149, 0)).toBeGreaterThan(0.5);
  expect(ulpsBetween(Infinity, 3.4028235e38)).toBeLessThan(1.5);
});
