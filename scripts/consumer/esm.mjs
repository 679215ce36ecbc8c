// What a user of ES modules gets.
import * as autograd from '@tapegrad/autograd';
import * as datasets from '@tapegrad/datasets';
import * as layers from '@tapegrad/layers';
import * as plots from '@tapegrad/plots';
import * as tensor from '@tapegrad/tensor';
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as tapegrad from 'tapegrad';
import check from './check.cjs';
import picture from './picture.cjs';

await check(tapegrad, { tensor, autograd, layers, datasets });
await picture(plots, tensor);

// Where Node can `require` ES modules, import and require give one and the same module, so a Tensor made
// on one side is a Tensor on the other.
if (process.features.require_module) {
  assert.equal(createRequire(import.meta.url)('@tapegrad/tensor').Tensor, tensor.Tensor);
}
