// Bundled for browsers and run without anything of Node.
import { grad, line, ops, setSeed, tensor, toCategorical } from 'tapegrad';

export async function main() {
  expect(typeof process === 'undefined', 'there is a process');
  expect(refusesCodeFromStrings(), 'code can be made from strings');

  setSeed(1337);
  const x = tensor([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  expect(ops.sum(x.transpose().matmul(x)).item() === 261, 'a product');
  expect(grad(grad((y) => y.pow(3)))(2).item() === 12, 'a second derivative');
  expect(toCategorical([1]).size === 2, 'one-hot rows');
  expect(line() !== undefined, 'the line');
}

function refusesCodeFromStrings() {
  try {
    return new Function('return 1')() !== 1;
  } catch {
    return true;
  }
}

function expect(truth, what) {
  if (!truth) throw new Error(`not as expected: ${what}`);
}
