/**
 * The table of ops for tests: inputs to try each op with, and what must come out. An op without a row does not compile.
 */
import { conv } from './op-rows/conv.js';
import { elementwise } from './op-rows/elementwise.js';
import { indexing } from './op-rows/indexing.js';
import { linalg } from './op-rows/linalg.js';
import { movement } from './op-rows/movement.js';
import { optimizer } from './op-rows/optimizer.js';
import { random } from './op-rows/random.js';
import { recurrent } from './op-rows/recurrent.js';
import { reduce } from './op-rows/reduce.js';
import type { OpRows } from './op-rows/types.js';

export const opRows: OpRows = {
  ...elementwise,
  ...reduce,
  ...movement,
  ...indexing,
  ...linalg,
  ...recurrent,
  ...conv,
  ...random,
  ...optimizer,
};
