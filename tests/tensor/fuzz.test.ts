/**
 * Chains of random ops, compared after every step with arrays that know no strides. All values are small whole numbers,
 * which every dtype holds, so that results must be equal to the bit.
 */
import type { DType } from '@tapegrad/tensor';
import { EXACT, assertClose } from '../support/close.js';
import { integers, makers, modulo, sizeOf } from '../support/fuzz-steps.js';
import { contiguous } from '../support/layouts.js';
import { elementwise } from '../support/naive.js';
import { Numbers } from '../support/numbers.js';

const CHAINS = 600;
const STEPS = 8;
/** Tensors do not grow beyond this many elements, nor values beyond this: their squares' sums fit a float32. */
const MAX_SIZE = 150;
const MAX_VALUE = 50;

/** How often each op was part of a chain. */
const uses = new Map<string, number>();

function runChain(seed: number): void {
  const numbers = new Numbers(seed);
  const dtype = numbers.pick<DType>(['float64', 'float32', 'int32']);
  const shape = Array.from({ length: numbers.integer(0, 4) }, () =>
    numbers.pick([0, 1, 2, 2, 3, 4]),
  );
  let expected = integers(shape, numbers);
  let x = contiguous(expected, dtype);
  const story = [`chain ${seed}: ${dtype} [${shape.join(', ')}]`];
  for (let i = 0; i < STEPS; i++) {
    const name = numbers.pick(Object.keys(makers));
    const step = makers[name](expected, numbers);
    if (step === null) continue;
    const next = step.naive(expected);
    if (sizeOf(next.shape) > MAX_SIZE) continue;
    uses.set(name, (uses.get(name) ?? 0) + 1);
    story.push(step.text);
    const before = x.toArray();
    const result = step.tensor(x);
    assertClose(story.join(' → '), result, next, EXACT, dtype);
    expect(x.toArray()).toEqual(before);
    [x, expected] = [result, next];
    if (expected.data.some((v) => Math.abs(v) > MAX_VALUE)) {
      story.push('mod 7');
      x = x.mod(7);
      expected = elementwise((v) => modulo(v, 7), expected);
      assertClose(story.join(' → '), x, expected, EXACT, dtype);
    }
  }
}

test(`${CHAINS} chains of ops give what they give without strides`, () => {
  for (let seed = 1; seed <= CHAINS; seed++) runChain(seed);
});

test('every kind of step has been tried many times', () => {
  const rare = Object.keys(makers).filter((name) => (uses.get(name) ?? 0) < 40);
  expect(rare).toEqual([]);
});
