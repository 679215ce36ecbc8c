/** The functions that are computed in float64 lanes: how far they are from Math's. */
import { tensor, type OpName, type Tensor } from '@tapegrad/tensor';
import { elementwiseKernels } from '../../../packages/tensor/src/kernels/wasm/elementwise/elementwise.js';
import { detectFeatures } from '../../../packages/tensor/src/kernels/wasm/machine.js';
import { Numbers } from '../../support/numbers.js';
import { ulpsBetween } from '../../support/ulps.js';
import { onHeap, testMachine } from '../../support/wasm.js';

const variants = detectFeatures()?.relaxed === true ? [false, true] : [false];
const machines = variants.map((relaxed) => testMachine(relaxed, elementwiseKernels));

const SPECIAL = [
  0, -0, 1, -1, Infinity, -Infinity, NaN, 0.5, -0.5, 2, -2, 3, -3, 1.5, -1.5, 4, -4, 1.4e-45, -1.4e-45, 1e-42, 2 ** -126,
  3.4028235e38, -3.4028235e38, 2 ** 24, -(2 ** 24), 2 ** 24 - 1, 2 ** 23 + 1, 1 - 2 ** -24, 1 + 2 ** -23, -1 - 2 ** -23,
  2 ** 64, 2 ** -64, -(2 ** 64), 1 / 3, -1 / 3,
]; // prettier-ignore

const range = (count: number, from: number, to: number): number[] =>
  Array.from({ length: count }, (_, i) => from + ((to - from) * i) / count);

/** All kinds of float32, by their bits. */
const patterns = (count: number): number[] => {
  const step = Math.floor(2 ** 32 / count);
  return [...new Float32Array(Uint32Array.from({ length: count }, (_, i) => i * step + (i * 40503) % step).buffer)]; // prettier-ignore
};

/** Numbers where the functions of one number are not trivial, or hard to compute. */
const ARGUMENTS = [
  ...SPECIAL,
  ...patterns(30_000),
  ...range(8000, -1, 1),
  ...range(8000, -20, 20),
  ...range(4000, -100, 100),
  // Near multiples of π/2 little is left of the argument.
  ...range(3000, 0, 3000).map((k) => Math.fround((k * Math.PI) / 2)),
  ...range(500, 0, 500).map((k) => Math.fround((2 ** 20 + k) * (Math.PI / 2))),
  // Either side of where large arguments begin, and the float32 that is nearest to a multiple of π/2 for its size.
  2 ** 20 - 0.0625, 2 ** 20, 2 ** 20 + 0.125, 16367173 * 2 ** 72,
  88.72, 88.73, 89.41, 89.42, 89.5, -89.41, -89.42, 103.9, -103.9,
]; // prettier-ignore

/** The largest error in ulp, and where. */
function worstOf(
  found: Tensor,
  exact: (i: number) => number,
): { readonly ulps: number; readonly at: number } {
  const list = found.toTypedArray();
  let worst = { ulps: 0, at: -1 };
  list.forEach((value, i) => {
    const ulps = ulpsBetween(value, exact(i));
    if (ulps > worst.ulps) worst = { ulps, at: i };
  });
  return worst;
}

/** Checks an op on lists of numbers against an exact function of as many. */
function check(
  op: OpName,
  lists: readonly (readonly number[])[],
  exact: (...x: number[]) => number,
  bound: number,
): void {
  const inputs = lists.map((list) => tensor([...list], 'float32'));
  const values = inputs.map((x) => x.toTypedArray());
  const at = (i: number): number[] => values.map((list) => list[list.length === 1 ? 0 : i]);
  for (const machine of machines) {
    const found = onHeap(machine, op, inputs);
    if (found === null) throw new Error(`${op} has no kernel`);
    const { ulps, at: i } = worstOf(found[0], (k) => exact(...at(k)));
    if (!(ulps <= bound)) {
      throw new Error(`${op}(${String(at(i))}) is ${found[0].toTypedArray()[i]}: ${ulps} ulp away`);
    }
  }
}

test.each([
  ['sin', Math.sin],
  ['cos', Math.cos],
  ['tan', Math.tan],
  ['asin', Math.asin],
  ['acos', Math.acos],
  ['atan', Math.atan],
  ['sinh', Math.sinh],
  ['cosh', Math.cosh],
] as const)('%s is within 0.51 ulp of the exact value', (op, exact) => {
  check(op, [ARGUMENTS], exact, 0.51);
});

/** Every special number with every other one, and random ones of several kinds. */
function pairs(): readonly [number[], number[]] {
  const numbers = new Numbers(3);
  const a = SPECIAL.flatMap((x) => SPECIAL.map(() => x));
  const b = SPECIAL.flatMap(() => SPECIAL);
  const kinds: readonly (() => readonly [number, number])[] = [
    () => [10 * numbers.next(), 40 * numbers.next() - 20],
    // Near 1 a power with a large exponent shows how exact the logarithm is.
    () => [1 + (numbers.next() - 0.5) * 2 ** (-20 * numbers.next()), (numbers.next() - 0.5) * 2 ** (24 * numbers.next())],
    () => [40 * numbers.next() - 20, numbers.integer(-20, 20)],
    () => [2 ** (250 * numbers.next() - 125), 4 * numbers.next() - 2],
  ]; // prettier-ignore
  for (const kind of kinds) {
    for (let i = 0; i < 10_000; i++) {
      const [x, y] = kind();
      a.push(x);
      b.push(y);
    }
  }
  const bits = patterns(20_000);
  a.push(...bits);
  b.push(...numbers.shuffled(bits));
  return [a, b];
}

test.each([
  ['pow', Math.pow],
  ['atan2', Math.atan2],
] as const)('%s is within 0.51 ulp of the exact value', (op, exact) => {
  check(op, pairs(), exact, 0.51);
});

test.each([
  [2, 0.5],
  [1, 0],
  [0.5, 0.5],
  [-1, 0.5],
  [3, 1.5],
  [4, 2],
  [-0.5, 1.5],
  [-2, 2],
  [0, 0],
  [2.5, 0.51],
  [-7, 0.51],
  [1 / 3, 0.51],
  [Infinity, 0],
  [NaN, 0],
])('a power with the exponent %s for all is within %s ulp', (exponent, bound) => {
  check('pow', [ARGUMENTS, [exponent]], Math.pow, bound);
});
