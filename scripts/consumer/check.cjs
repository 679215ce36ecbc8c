const assert = require('node:assert/strict');

/** Holds the public names against each other. */
module.exports = function check(tapegrad, packages) {
  for (const [folder, names] of Object.entries(packages)) {
    for (const name of Object.keys(names)) {
      // CommonJS namespaces of newer Node versions carry this marker.
      if (name === 'module.exports') continue;
      assert.ok(name in tapegrad, `tapegrad lacks ${name} of @tapegrad/${folder}`);
    }
  }
};
