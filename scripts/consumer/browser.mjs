// Bundled for browsers and run without anything of Node.
import { scatter } from '@tapegrad/plots';
import { Dense, Sequential, grad, line, ops, setSeed, tensor, toCategorical } from 'tapegrad';

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

  // Bundlers shorten the names of classes.
  expect(nameOfError(() => ops.matmul(x, x)) === 'ShapeError', "an error's name");

  const { x: xs, y: ys } = line();
  const model = new Sequential([new Dense(1, { inputShape: [1] })]);
  expect(model.layers[0].name === 'dense', "a layer's name");
  expect(model.summary(() => {}).includes('dense (Dense)'), "a layer's class");
  model.compile({ loss: 'mse', optimizer: 'sgd' });
  await model.fit(xs, ys, { epochs: 100, verbose: 0 });
  const [slope, intercept] = model.getWeights().map((weight) => weight.item());
  expect(Math.abs(slope - 0.5) < 0.1 && Math.abs(intercept - 2) < 0.1, 'the line that was found');

  const picture = await scatter(xs, ys, { title: 'The points' }).toSVG();
  expect(picture.includes('>The points<'), 'a picture');
}

function refusesCodeFromStrings() {
  try {
    return new Function('return 1')() !== 1;
  } catch {
    return true;
  }
}

function nameOfError(call) {
  try {
    call();
    return null;
  } catch (error) {
    return error.name;
  }
}

function expect(truth, what) {
  if (!truth) throw new Error(`not as expected: ${what}`);
}
