import { variable } from '@tapegrad/autograd';
import { regularizers } from '@tapegrad/layers';

const { getRegularizer, l1, l1l2, l2 } = regularizers;
const w = () =>
  variable(
    [
      [-1, 2],
      [0.5, -3],
    ],
    'float64',
  );

test('l1 is the sum of absolute values, l2 of squares, l1l2 both', () => {
  expect(l1(0.5)(w()).item()).toBe(0.5 * 6.5);
  expect(l2(0.5)(w()).item()).toBe(0.5 * 14.25);
  expect(l1l2({ l1: 2, l2: 3 })(w()).item()).toBe(2 * 6.5 + 3 * 14.25);
  expect(l1(1)(w()).shape).toEqual([]);
});

test('their gradients are factor·sign and 2·factor·w', () => {
  const x = w();
  l1l2({ l1: 2, l2: 3 })(x).backward();
  expect(x.grad?.toArray()).toEqual([
    [-2 - 6, 2 + 12],
    [2 + 3, -2 - 18],
  ]);
});

test('by name the factor is 0.01; nothing is no regularizer', () => {
  expect(getRegularizer('l1')?.(w()).item()).toBeCloseTo(0.065, 15);
  expect(getRegularizer('l2')?.(w()).item()).toBeCloseTo(0.1425, 15);
  expect(getRegularizer('l1l2')?.(w()).item()).toBeCloseTo(0.2075, 15);
  const own = l2(1);
  expect(getRegularizer(own)).toBe(own);
  expect(getRegularizer(undefined)).toBeNull();
  expect(getRegularizer(null)).toBeNull();
});

test.each([-1, NaN, Infinity])('a factor of %d is an error', (factor) => {
  expect(() => l1(factor)).toThrow(`l1: the factor must be a number of 0 or more; got ${factor}.`);
  expect(() => l2(factor)).toThrow(`l2: the factor must be a number of 0 or more; got ${factor}.`);
  expect(() => l1l2({ l2: factor })).toThrow(/^l2: the factor/);
});
