const assert = require('node:assert/strict');

/** Draws with the package as it came, whichever way it was loaded. */
module.exports = async function picture(plots, tensor) {
  const drawn = plots.scatter(tensor.tensor([1, 2, 3]), [1, 4, 9], { title: 'Squares' });
  assert.match(await drawn.toSVG(), />Squares</);
  const png = await drawn.toPNG();
  assert.deepEqual([...png.subarray(1, 4)], [0x50, 0x4e, 0x47]);
  assert.throws(() => plots.line([NaN], [1]), plots.PlotError);
};
