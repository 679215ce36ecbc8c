/** Every case in the golden folder is one that some test takes. */
import { allGoldenCases, goldenCases, kindOf } from './support/golden.js';

test('every case says what it is about, in a way that the tests know', () => {
  const unknown = allGoldenCases().filter(({ golden }) => kindOf(golden) === undefined);
  expect(unknown.map(({ file, golden }) => `${file}: ${golden.name}`)).toEqual([]);
});

test('kinds are told apart by what a case has', () => {
  expect(kindOf({ name: 'a', loss: {}, optimizer: {}, layers: [] })).toBe('training');
  expect(kindOf({ name: 'a', loss: 'mse' })).toBe('loss');
  expect(kindOf({ name: 'a', novelty: 'b' })).toBeUndefined();
});

test('every kind has cases, wherever they come from', () => {
  const kinds = [
    'op',
    'layer',
    'loss',
    'metric',
    'optimizer',
    'schedule',
    'initializer',
    'training',
  ] as const;
  expect(kinds.filter((kind) => goldenCases(kind).length === 0)).toEqual([]);
});
