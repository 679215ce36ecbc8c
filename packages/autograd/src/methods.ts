/** Makes every op a method of Variable: `x.add(y)` is `ops.add(x, y)`. */
import { installMethods, type OpMethods } from '@tapegrad/tensor';
import { ops } from './ops.js';
import { Variable, type VariableLike } from './variable.js';

declare module './variable.js' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the methods of all ops, merged into the class
  interface Variable extends OpMethods<VariableLike, Variable> {}
}

installMethods(Variable.prototype, ops);
