/**
 * The differentiable ops, lifted from tensor's op records: run the op on the values, and note how if a gradient is wanted.
 */
import {
  Tensor,
  deriveFunctions,
  dtypeForPlain,
  dtypeOfTensors,
  isFloat,
  run,
  scalar,
  splitArguments,
  type KernelOp,
  type OpFunctions,
  type OpName,
  type OpSpec,
} from '@tapegrad/tensor';
import { GraphNode, type Edge } from './node.js';
import { ruleOf } from './rules.js';
import { Variable, isRecording, toVariable, type VariableLike } from './variable.js';

/** Where the gradient of x goes; null when none is wanted. */
export function edgeTo(x: Variable): Edge | null {
  return x.requiresGrad ? { target: x.node ?? x, slot: x.slot } : null;
}

/** The inputs of an op as Variables; plain numbers and arrays take on the dtype of the others. */
function toVariables(spec: OpSpec, inputs: readonly VariableLike[]): Variable[] {
  const like = dtypeOfTensors(
    spec,
    inputs.map((x) => (x instanceof Variable || x instanceof Tensor ? x.dtype : undefined)),
  );
  return inputs.map((x, i) => {
    if (x instanceof Variable) return x;
    const dtype = x instanceof Tensor ? undefined : dtypeForPlain(spec, i, x, like);
    return typeof x === 'number' ? new Variable(scalar(x, dtype)) : toVariable(x, dtype);
  });
}

/** Runs an op on Variables and records a node for it when a gradient is wanted. */
export function apply(
  name: OpName,
  spec: OpSpec,
  inputs: readonly Variable[],
  attrs: object,
): Variable | Variable[] {
  const values = inputs.map((x) => x.value);
  const results =
    spec.kind === 'list' ? run(spec, values, attrs) : [run(spec as KernelOp, values, attrs)];
  const rule = isRecording() && inputs.some((x) => x.requiresGrad) ? ruleOf(name) : null;
  if (rule === null || !results.some((y) => isFloat(y.dtype))) {
    return spec.kind === 'list' ? results.map((y) => new Variable(y)) : new Variable(results[0]);
  }
  const node = new GraphNode(name, rule, attrs, values, results, inputs.map(edgeTo));
  const linked = results.map(
    (y, slot) => new Variable(y, isFloat(y.dtype), isFloat(y.dtype) ? node : null, slot),
  );
  // The rule gets auxiliary outputs with their history, so that what it computes of them is no constant to backward.
  node.save(rule.select(inputs, linked));
  const auxiliary = spec.kind === 'list' ? (spec.auxiliary ?? 0) : 0;
  const differentiable = results.length - auxiliary;
  const outputs =
    auxiliary === 0 ? linked : linked.map((y, slot) => (slot < differentiable ? y : y.detach()));
  return spec.kind === 'list' ? outputs : outputs[0];
}

/**
 * Every op as a differentiable function of Variables, tensors, numbers or arrays, by the same names and with the same
 * attributes as the `ops` of @tapegrad/tensor. The result is a Variable.
 *
 * @example
 * ops.matmul([[1, 2]], [[3], [4]]).toArray(); // [[11]]
 */
export const ops = deriveFunctions((name, spec) => (...args: never[]) => {
  const { inputs, attrs } = splitArguments(spec, args);
  return apply(name, spec, toVariables(spec, inputs as VariableLike[]), attrs);
}) as OpFunctions<VariableLike, Variable>;
