/** @tapegrad/autograd: Variables, gradient rules, derivatives. Knows no layers. */
import './methods.js';

export { GradientError } from './errors.js';
export {
  Variable,
  variable,
  noGrad,
  toVariable,
  type VariableLike,
  type VariableOptions,
} from './variable.js';
export { ops } from './ops.js';
export { gradients, type BackwardOptions } from './backward.js';
export { grad, valueAndGrad, vjp, jacobian, hessian, customGradient } from './transforms.js';
export { compile, type CompiledFunction, type StepResult } from './compile.js';
export { graphToDot, graphToSvg, type GraphOptions } from './graph.js';
export { drawGraph, type GraphArrow, type GraphPicture, type GraphVertex } from './graph-svg.js';
export { gradcheck, type GradcheckOptions } from './gradcheck.js';
export { GradcheckReport, type Slope } from './gradcheck-report.js';
export type { RuleTable } from './rules.js';
export { vjps, type DifferentiableOp } from './vjps.js';
export type { RefusingOp } from './vjps-recurrent.js';
