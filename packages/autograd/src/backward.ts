/**
 * Reverse mode: from results back to what they depend on, each node once.
 */
import { formatShape, ones, sameShape, shown, type TensorType } from '@tapegrad/tensor';
import { GradientError } from './errors.js';
import { GraphNode, type Edge } from './node.js';
import { Variable, toVariable, withRecording, type VariableLike } from './variable.js';
import { isBroadcastOf, sumTo, zeroOf } from './vjp-helpers.js';

export interface BackwardOptions {
  /** Keep the graph, so that backward can go through it again. Default: what createGraph is. */
  retainGraph?: boolean;
  /** Record how the gradients themselves are computed, for second and higher derivatives. Default false. */
  createGraph?: boolean;
}

/** A place that a gradient flows to: a leaf, or an output of a node. */
function placeOf(x: Variable): Edge {
  return { target: x.node ?? x, slot: x.slot };
}

/** Cotangents as they come in, by leaf and by node and slot. */
class Cotangents {
  readonly leaves = new Map<Variable, Variable>();
  readonly nodes = new Map<GraphNode, (Variable | undefined)[]>();

  add({ target, slot }: Edge, g: Variable): void {
    if (target instanceof Variable) {
      const sum = this.leaves.get(target);
      this.leaves.set(target, sum === undefined ? g : sum.add(g));
      return;
    }
    let slots = this.nodes.get(target);
    if (slots === undefined) {
      slots = new Array<Variable | undefined>(target.outputs.length).fill(undefined);
      this.nodes.set(target, slots);
    }
    const sum = slots[slot];
    slots[slot] = sum === undefined ? g : sum.add(g);
  }

  get({ target, slot }: Edge): Variable | undefined {
    return target instanceof Variable ? this.leaves.get(target) : this.nodes.get(target)?.[slot];
  }
}

/** All nodes below the roots, latest first: an op's id is greater than those of the ops it depends on. */
export function nodesBelow(roots: readonly Variable[]): GraphNode[] {
  const found = new Set<GraphNode>();
  const stack = roots.flatMap(({ node }) => (node === null ? [] : [node]));
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const edge of node.edges) if (edge?.target instanceof GraphNode) stack.push(edge.target);
  }
  return [...found].sort((a, b) => b.id - a.id);
}

/** The part of `nodes` through which a gradient reaches one of the targets, and the same with the targets. */
function nodesTowards(
  nodes: readonly GraphNode[],
  targets: readonly Variable[],
): { readonly through: ReadonlySet<object>; readonly wanted: ReadonlySet<object> } {
  const through = new Set<object>();
  const wanted = new Set<object>(targets.map((x) => placeOf(x).target));
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (nodes[i].edges.some((edge) => edge !== null && wanted.has(edge.target))) {
      through.add(nodes[i]);
      wanted.add(nodes[i]);
    }
  }
  return { through, wanted };
}

/** The cotangent of a result: as given, or 1 for a scalar. */
function startingCotangent(result: Variable, cotangent: VariableLike | undefined): Variable {
  if (!result.requiresGrad) {
    throw new GradientError(
      'backward: this value does not depend on any variable that requires a gradient (or was computed under noGrad).',
    );
  }
  if (cotangent === undefined) {
    if (result.size !== 1) {
      throw new GradientError(
        `backward: only a scalar has an implicit cotangent of 1; this value has shape ${formatShape(result.shape)}. ` +
          `Reduce it first, as in x.sum().backward(), or pass a cotangent of that shape.`,
      );
    }
    return new Variable(ones(result.shape, result.dtype));
  }
  const g = toVariable(cotangent, result.dtype);
  if (!sameShape(g.shape, result.shape)) {
    throw new GradientError(
      `backward: the cotangent must have the value's shape ${formatShape(result.shape)}; got ${formatShape(g.shape)}.`,
    );
  }
  return g.dtype === result.dtype ? g : g.cast(result.dtype);
}

/** A gradient as its input needs it: summed over broadcast axes, of the input's dtype, and of its shape or an error. */
function fitted(node: GraphNode, g: Variable, { shape, dtype }: TensorType): Variable {
  const same = sameShape(g.shape, shape);
  if (!same && !isBroadcastOf(g.shape, shape)) {
    throw new GradientError(
      `backward: the rule of '${node.name}' gave a gradient of shape ${formatShape(g.shape)} for an input of shape ` +
        `${formatShape(shape)}.`,
    );
  }
  const sum = same ? g : sumTo(g, shape);
  return sum.dtype === dtype ? sum : sum.cast(dtype);
}

/** Walks from the results to the leaves, or with `targets` only towards these. */
function walk(
  results: readonly Variable[],
  cotangents: readonly (VariableLike | undefined)[],
  targets: readonly Variable[] | null,
  { createGraph = false, retainGraph = createGraph }: BackwardOptions,
): Cotangents {
  const collected = new Cotangents();
  const nodes = nodesBelow(results);
  const part = targets === null ? null : nodesTowards(nodes, targets);
  const kept = new Set<object>(targets?.map((x) => placeOf(x).target));
  withRecording(createGraph, () => {
    results.forEach((result, i) => {
      const g = startingCotangent(result, cotangents[i]);
      collected.add(placeOf(result), createGraph ? g : g.detach());
    });
    for (const node of nodes) {
      const slots = collected.nodes.get(node);
      if (slots === undefined || part?.through.has(node) === false) continue;
      node.live();
      const gs = slots.map((g, i) => g ?? zeroOf(node.outputs[i]));
      node.edges.forEach((edge, i) => {
        if (edge === null || part?.wanted.has(edge.target) === false) return;
        const g = node.rule.pull(node, gs, i);
        if (g !== null) collected.add(edge, fitted(node, g, node.inputs[i]));
      });
      if (!kept.has(node)) collected.nodes.delete(node);
      if (!retainGraph) node.free();
    }
  });
  return collected;
}

/** In a compiled step: what the leaves that backward has come to had as `grad` before. */
let borrowed: Map<Variable, Variable | null> | null = null;

/**
 * Runs a step that is compiled. `grad` is no op, so a replay cannot add to it: in the step it begins as null, and afterwards it
 * is again what it was, on any kernels.
 */
export function withOwnGrads<T>(step: () => T): T {
  const outer = borrowed;
  const own = new Map<Variable, Variable | null>();
  borrowed = own;
  try {
    return step();
  } finally {
    borrowed = outer;
    for (const [leaf, grad] of own) leaf.grad = grad;
  }
}

/** See `Variable.backward`. */
export function backward(
  result: Variable,
  cotangent: VariableLike | undefined,
  options: BackwardOptions,
): void {
  // What is given stays the caller's, who may change it: no leaf is to have a gradient in the same memory.
  const own = cotangent === undefined ? undefined : toVariable(cotangent, result.dtype);
  const { leaves } = walk([result], [own], null, options);
  withRecording(options.createGraph ?? false, () => {
    for (const [leaf, g] of leaves) {
      if (borrowed?.has(leaf) === false) {
        borrowed.set(leaf, leaf.grad);
        leaf.grad = null;
      }
      const given = g.value.storage === own?.value.storage;
      if (leaf.grad !== null) leaf.grad = leaf.grad.add(g);
      else leaf.grad = given ? g.copy() : g;
    }
  });
}

/**
 * The gradients of results with respect to inputs (leaves or values in between), as values: no `grad` is touched. An input
 * that the results do not depend on has a gradient of zeros.
 *
 * @param cotangents the weight of each result's elements; may be left out for scalars
 * @throws GradientError as `Variable.backward` does, and for what are no lists of Variables
 * @example
 * const x = variable(3);
 * gradients([x.square()], [x])[0].item(); // 6
 */
export function gradients(
  results: readonly Variable[],
  inputs: readonly Variable[],
  cotangents: readonly (VariableLike | undefined)[] = [],
  options: BackwardOptions = {},
): Variable[] {
  checkVariables('results', results);
  checkVariables('inputs', inputs);
  const collected = walk(results, cotangents, inputs, options);
  return inputs.map((x) => collected.get(placeOf(x)) ?? zeroOf(x));
}

function checkVariables(what: string, list: readonly Variable[]): void {
  const given: unknown = list;
  const at = Array.isArray(given) ? given.findIndex((x) => !(x instanceof Variable)) : null;
  if (at === -1) return;
  throw new GradientError(
    `gradients: ${what} are a list of Variables, as in gradients([loss], [w]); got ` +
      `${at === null ? shown(given) : `${shown(list[at])} in the list`}.`,
  );
}
