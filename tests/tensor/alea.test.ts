import seedrandom from 'seedrandom';
import { Generator } from '@tapegrad/tensor';
import { Alea } from '../../packages/tensor/src/alea.js';

test('the numbers are those of seedrandom, one by one or many at once', () => {
  for (const seed of ['0', 'a', '1/weights']) {
    const theirs = seedrandom.alea(seed, { state: true });
    const [single, many] = [Alea.seeded(seed), Alea.seeded(seed)];
    const expected = Array.from({ length: 3000 }, () => theirs.quick());
    expect(expected.map(() => single.next())).toEqual(expected);
    const drawn = new Float64Array(3000);
    many.fill(drawn, 1000);
    const rest = drawn.subarray(1000);
    many.fill(rest, 2000);
    expect([...drawn]).toEqual(expected);
    expect(many.state()).toEqual(theirs.state());
    expect(Alea.from(theirs.state()).next()).toBe(theirs.quick());
  }
});

test('long tensors take their numbers in the same order as short ones', () => {
  const n = 2500;
  const theirs = seedrandom.alea('5', { state: true });
  const quick = (): number => theirs.quick();
  const generator = new Generator(5);
  const expected = Array.from({ length: n }, () => Math.floor(quick() * 2 ** 24) / 2 ** 24);
  expect([...generator.uniform([n]).toTypedArray()]).toEqual(expected);
  const heads = Array.from({ length: n }, () => (quick() < 0.3 ? 1 : 0));
  expect([...generator.bernoulli([n], 0.3).toTypedArray()]).toEqual(heads);
  const doubles = Array.from({ length: n }, () => theirs.double());
  expect([...generator.uniform([n], { dtype: 'float64' }).toTypedArray()]).toEqual(doubles);
  expect(generator.next()).toBe(quick());
});
