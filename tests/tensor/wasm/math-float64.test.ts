/** The functions of float64 lanes beside Math's, which are themselves within 1 ulp of the exact value. */
import { tensor, type OpName } from '@tapegrad/tensor';
import { elementwiseKernels } from '../../../packages/tensor/src/kernels/wasm/elementwise/elementwise.js';
import { detectFeatures } from '../../../packages/tensor/src/kernels/wasm/machine.js';
import { Numbers } from '../../support/numbers.js';
import { onHeap, testMachine } from '../../support/wasm.js';

const variants = detectFeatures()?.relaxed === true ? [false, true] : [false];
const machines = variants.map((relaxed) => testMachine(relaxed, elementwiseKernels));

const BITS = new BigInt64Array(1);
const VALUE = new Float64Array(BITS.buffer);

/** Numbers of one sign in their order. */
function placeOf(x: number): bigint {
  VALUE[0] = x;
  return BITS[0];
}

/** How many float64 lie between two numbers; infinitely many where one is NaN, 0 or infinite and the other is not. */
function distance(a: number, b: number): number {
  if (Object.is(a, b)) return 0;
  const ordinary = [a, b].every((x) => Number.isFinite(x) && x !== 0);
  if (!ordinary || a > 0 !== b > 0) return Infinity;
  const places = Number(placeOf(a) - placeOf(b));
  return Math.abs(places);
}

function samples(): number[] {
  const numbers = new Numbers(8);
  const many = (count: number, make: () => number): number[] => Array.from({ length: count }, make);
  return [
    0, -0, Infinity, -Infinity, NaN, 5e-324, -5e-324, 1e-310, -1e-310, 2 ** -1022, 1, -1, 2 ** -54, -(2 ** -54), 1e-17, -1e-17,
    709.78, 709.79, 710, 711, -708.4, -709, -745.1, -745.2, -746, -747, 1e308, -1e308, 22, -22, 21.9, 36.8, -36.8, -37, -40,
    ...many(5000, () => {
      // Any bits.
      BITS[0] = BigInt.asIntN(64, BigInt(Math.floor(numbers.next() * 2 ** 52)) * 4097n);
      return VALUE[0];
    }),
    ...many(5000, () => 1500 * numbers.next() - 760),
    ...many(5000, () => 60 * numbers.next() - 30),
    ...many(10_000, () => 6 * numbers.next() - 3),
    ...many(5000, () => (numbers.next() - 0.5) * 2 ** (-60 * numbers.next())),
    ...many(5000, () => 1 + (numbers.next() - 0.5) * 2 ** (-50 * numbers.next())),
  ]; // prettier-ignore
}

const logistic = (x: number): number => 1 / (1 + Math.exp(-x));
const softplus = (x: number): number => (x < 0 ? 0 : x) + Math.log1p(Math.exp(-Math.abs(x)));

// The bound of math-float64.ts and an ulp for Math, whose formulas for sigmoid and softplus round more than once.
test.each([
  ['exp', Math.exp, 2],
  ['expm1', Math.expm1, 3],
  ['log', Math.log, 2],
  ['log1p', Math.log1p, 2],
  ['tanh', Math.tanh, 3],
  ['sigmoid', logistic, 4],
  ['softplus', softplus, 4],
] as readonly (readonly [OpName, (x: number) => number, number])[])(
  '%s of float64 is near that of Math',
  (op, exact, bound) => {
    const x = samples();
    for (const machine of machines) {
      const found = onHeap(machine, op, [tensor(x, 'float64')]);
      if (found === null) throw new Error(`${op} has no kernel`);
      found[0].toTypedArray().forEach((value, i) => {
        const places = distance(value, exact(x[i]));
        if (places > bound) {
          throw new Error(`${op}(${x[i]}) is ${value} and not ${exact(x[i])}: ${places} places`);
        }
      });
    }
  },
);

test('the measure of errors tells what is wrong', () => {
  expect(distance(1 + 2 ** -52, 1)).toBe(1);
  expect(distance(-1, -1 - 2 ** -51)).toBe(2);
  expect([distance(-0, 0), distance(NaN, 1), distance(5e-324, 0)]).toEqual(
    [1, 1, 1].fill(Infinity),
  );
});
