/**
 * Sigmoid and tanh of many numbers in three loops. A processor looks so far ahead that it has but a few numbers in work at
 * once, and each takes some 90 cycles; the shorter the way through a loop, the more of them fit in.
 *
 * The first two loops are here, over scratch without gaps: from x they make p = ∓(e^r − 1) in its place, and keep the exponent
 * beside it (see `Halves` in math.ts). The third is that of the cell, which does something with the values at once.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { i32 } from '../assembler/instructions.js';
import { v128 } from '../assembler/simd.js';
import { minimum } from '../integers.js';
import { SIGN, expm1OfReduced, sigmoidHalves, tanhHalves } from '../math.js';
import { int, sub, times, type Ints, type Place } from './product.js';

type Activation = 'sigmoid' | 'tanh';

/** Vectors that go through the first loop and then through the second: 4 KiB of them and of their exponents. */
const CHUNK = 256;

/** For each vector what `body` does with it, so many of them side by side: first all are computed, then all written. */
function eachVector(
  f: FunctionBuilder,
  at: Local<'i32'>,
  beside: Local<'i32'>,
  left: Local<'i32'>,
  vectors: number,
  body: (x: Local<'v128'>) => readonly Expr<'v128'>[],
): void {
  const round = (count: number): void => {
    const values = Array.from({ length: count }, (_, i) =>
      body(f.local('v128', v128.load(at, 16 * i))).map((value) => f.local('v128', value)),
    );
    values.forEach(([value, other], i) => {
      f.do(v128.store(at, value, 16 * i));
      if (other !== undefined) f.do(v128.store(beside, other, 16 * i));
    });
    f.increment(at, 16 * count);
    f.increment(beside, 16 * count);
    f.increment(left, -count);
  };
  f.while(i32.ge_s(left, int(vectors)), () => round(vectors));
  f.while(left, () => round(1));
}

/**
 * (at, vectors, exponents): x at `at` becomes p, and `exponents` is filled. For tanh the exponent's upper bits have the sign of x.
 */
export function beginActivation(
  { m, shared }: Place,
  activation: Activation,
): FunctionRef<Ints<3>, 'void'> {
  const name = activation === 'tanh' ? 'Tanh' : 'Sigmoid';
  const second = shared.once('recurrentExpm1', () =>
    m.function('recurrentExpm1', ['i32', 'i32', 'i32'], 'void', (f, at, left, beside) =>
      eachVector(f, at, beside, left, 2, (r) => [expm1OfReduced(f, m, r, -1)]),
    ),
  );
  return shared.once(`recurrentBegin${name}`, () => {
    const first = m.function(
      `recurrentReduce${name}`,
      ['i32', 'i32', 'i32'],
      'void',
      (f, at, left, beside) =>
        eachVector(f, at, beside, left, 4, (x) => {
          if (activation === 'sigmoid') {
            const { exponent, r } = sigmoidHalves.begin(f, m, x);
            return [r, exponent];
          }
          const { exponent, r } = tanhHalves.begin(f, m, x);
          return [r, v128.or(exponent, v128.and(x, SIGN))];
        }),
    );
    return m.function(
      `recurrentBegin${name}`,
      ['i32', 'i32', 'i32'],
      'void',
      (f, at, left, exponents) => {
        const count = f.local('i32');
        f.while(left, () => {
          f.set(count, minimum(left, int(CHUNK)));
          f.do(call(first, at, count, exponents), call(second, at, count, exponents));
          f.increment(at, times(count, 16));
          f.increment(exponents, times(count, 16));
          f.set(left, sub(left, count));
        });
      },
    );
  });
}

/** The value from what `beginActivation` has left. */
export function endActivation(
  f: FunctionBuilder,
  activation: Activation,
  p: Expr<'v128'>,
  exponent: Expr<'v128'>,
): Local<'v128'> {
  const { end } = activation === 'tanh' ? tanhHalves : sigmoidHalves;
  const kept = f.local('v128', exponent);
  return f.local('v128', end(f, f.local('v128', p), kept, kept));
}
