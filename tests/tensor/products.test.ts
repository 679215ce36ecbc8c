/** Matrix products and Einstein sums, compared with their definitions on random whole numbers. */
import { ops } from '@tapegrad/tensor';
import { EXACT, assertClose } from '../support/close.js';
import { contiguous, layouts } from '../support/layouts.js';
import { at, atBroadcast, broadcastShape, build, type Naive } from '../support/naive.js';
import { integers } from '../support/fuzz-steps.js';
import { Numbers } from '../support/numbers.js';

const RUNS = 200;
const views = Object.values(layouts);

/** Σ of the products of the elements, over every value that the letters can have and that gives this result. */
function einsum(equation: string, inputs: readonly Naive[]): Naive {
  const [left, output] = equation.split('->');
  const terms = left.split(',');
  const letters = [...new Set(left.replaceAll(',', ''))];
  const sizeOf = (letter: string): number => {
    const k = terms.findIndex((term) => term.includes(letter));
    return inputs[k].shape[terms[k].indexOf(letter)];
  };
  const summed = letters.filter((letter) => !output.includes(letter));
  return build([...output].map(sizeOf), (index) => {
    const all = build(summed.map(sizeOf), (rest) => {
      const valueOf = (letter: string): number =>
        output.includes(letter) ? index[output.indexOf(letter)] : rest[summed.indexOf(letter)];
      return terms.reduce((p, term, k) => p * at(inputs[k], [...term].map(valueOf)), 1);
    });
    return all.data.reduce((sum, v) => sum + v, 0);
  });
}

test(`einsum: ${RUNS} random equations`, () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const numbers = new Numbers(seed);
    const sizes = [...'abcde'].map((letter) => [letter, numbers.integer(1, 3)] as const);
    // Letters may stand twice in one term, which takes a diagonal.
    const terms = Array.from({ length: numbers.integer(1, 3) }, () =>
      Array.from({ length: numbers.integer(0, 3) }, () => numbers.pick(sizes)),
    );
    const used = [...new Set(terms.flat())];
    const output = numbers.shuffled(used.filter(() => numbers.integer(0, 1) === 0));
    const text = (term: readonly (readonly [string, number])[]): string =>
      term.map(([letter]) => letter).join('');
    const equation = `${terms.map(text).join(',')}->${text(output)}`;
    const inputs = terms.map((term) => integers(term.map(([, size]) => size), numbers)); // prettier-ignore
    const tensors = inputs.map((x) => numbers.pick(views)(x, 'float64'));
    assertClose(
      `einsum '${equation}'`,
      ops.einsum(tensors, equation),
      einsum(equation, inputs),
      EXACT,
    );
  }
});

test('einsum without an arrow: the letters that occur once, in alphabetical order', () => {
  const numbers = new Numbers(1);
  const [a, b] = [integers([2, 3], numbers), integers([3, 4], numbers)];
  for (const [short, long] of [
    ['zb,ba', 'zb,ba->az'],
    ['ba,ac', 'ba,ac->bc'],
    ['ij , jk', 'ij,jk->ik'],
  ]) {
    const result = ops.einsum([contiguous(a, 'int32'), contiguous(b, 'int32')], short);
    assertClose(`einsum '${short}'`, result, einsum(long, [a, b]), EXACT, 'int32');
  }
});

/** x with its last two axes swapped. */
const swapped = (x: Naive): Naive => {
  const [m, n] = x.shape.slice(-2);
  return build([...x.shape.slice(0, -2), n, m], (index) =>
    at(x, [...index.slice(0, -2), index[index.length - 1], index[index.length - 2]]),
  );
};

test(`matmul: ${RUNS} random shapes, batches and layouts`, () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const numbers = new Numbers(seed);
    const [m, k, n] = [0, 0, 0].map(() => numbers.integer(0, 5));
    const batch = Array.from({ length: numbers.integer(0, 2) }, () => numbers.integer(1, 3));
    const part = (): number[] =>
      batch
        .slice(numbers.integer(0, batch.length))
        .map((size) => (numbers.integer(0, 2) === 0 ? 1 : size));
    const a = integers([...part(), m, k], numbers);
    const b = integers([...part(), k, n], numbers);
    const outer = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const expected = build([...outer, m, n], (index) => {
      const [i, j] = index.slice(-2);
      const head = index.slice(0, -2);
      let sum = 0;
      for (let p = 0; p < k; p++)
        sum += atBroadcast(a, [...head, i, p].slice(-a.shape.length)) * atBroadcast(b, [...head, p, j].slice(-b.shape.length)); // prettier-ignore
      return sum;
    });
    const transposeA = numbers.integer(0, 1) === 0;
    const transposeB = numbers.integer(0, 1) === 0;
    const [x, y] = [transposeA ? swapped(a) : a, transposeB ? swapped(b) : b];
    const dtype = numbers.pick(['float32', 'float64', 'int32'] as const);
    const result = numbers
      .pick(views)(x, dtype)
      .matmul(numbers.pick(views)(y, dtype), { transposeA, transposeB });
    assertClose(
      `matmul, seed ${seed}, [${x.shape.join(', ')}] and [${y.shape.join(', ')}]`,
      result,
      expected,
      EXACT,
      dtype,
    );
  }
});

test(`dot: ${RUNS} random shapes and layouts`, () => {
  for (let seed = 1; seed <= RUNS; seed++) {
    const numbers = new Numbers(seed);
    const sizes = (count: number): number[] =>
      Array.from({ length: count }, () => numbers.integer(1, 3));
    const k = numbers.integer(0, 4);
    const a = integers([...sizes(numbers.integer(0, 2)), k], numbers);
    const last = sizes(numbers.integer(0, 1));
    const b = integers([...(last.length === 0 ? [] : sizes(numbers.integer(0, 2))), k, ...last], numbers); // prettier-ignore
    const rankA = a.shape.length - 1;
    const outer = [...a.shape.slice(0, -1), ...b.shape.slice(0, b.shape.length - 1 - last.length), ...last]; // prettier-ignore
    const expected = build(outer, (index) => {
      const [left, right] = [index.slice(0, rankA), index.slice(rankA)];
      const cut = right.length - last.length;
      let sum = 0;
      for (let p = 0; p < k; p++) sum += at(a, [...left, p]) * at(b, [...right.slice(0, cut), p, ...right.slice(cut)]); // prettier-ignore
      return sum;
    });
    const result = numbers.pick(views)(a, 'float64').dot(numbers.pick(views)(b, 'float64'));
    assertClose(`dot, seed ${seed}`, result, expected, EXACT);
  }
});
