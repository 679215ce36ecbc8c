/** The table of all ops. An op is in it because it is exported from its family's file; its name is its key. */
import * as conv from './conv.js';
import * as einsum from './einsum.js';
import * as elementwise from './elementwise.js';
import * as extend from './extend.js';
import * as indexing from './indexing.js';
import * as linalg from './linalg.js';
import * as movement from './movement.js';
import * as optimizer from './optimizer.js';
import * as pool from './pool.js';
import * as random from './random.js';
import * as recurrent from './recurrent.js';
import * as reduce from './reduce.js';

/** All op records by name. */
export const specs = {
  ...elementwise,
  ...reduce,
  ...movement,
  ...extend,
  ...indexing,
  ...linalg,
  ...einsum,
  ...recurrent,
  ...conv,
  ...pool,
  ...random,
  ...optimizer,
};

export type Specs = typeof specs;

/** The name of any op. */
export type OpName = keyof Specs;

/** All names, in the order of the families. */
export const opNames = Object.keys(specs) as OpName[];
