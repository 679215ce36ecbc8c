// What a user of CommonJS gets.
const tensor = require('@tapegrad/tensor');
const autograd = require('@tapegrad/autograd');
const layers = require('@tapegrad/layers');
const datasets = require('@tapegrad/datasets');
const tapegrad = require('tapegrad');
const check = require('./check.cjs');

void check(tapegrad, { tensor, autograd, layers, datasets });
