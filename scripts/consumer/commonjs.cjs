// What a user of CommonJS gets.
const tensor = require('@tapegrad/tensor');
const autograd = require('@tapegrad/autograd');
const layers = require('@tapegrad/layers');
const datasets = require('@tapegrad/datasets');
const plots = require('@tapegrad/plots');
const tapegrad = require('tapegrad');
const check = require('./check.cjs');
const picture = require('./picture.cjs');

void check(tapegrad, { tensor, autograd, layers, datasets });
void picture(plots, tensor);
