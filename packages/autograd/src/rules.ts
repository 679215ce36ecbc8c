/**
 * The types of gradient rules, and how a row of the table `vjps` is read.
 *
 * A vector-Jacobian product takes the cotangent of an op's output, g = ∂L/∂y, to the cotangent of an input,
 * ∂L/∂x = g·∂y/∂x. Rules are written with differentiable ops, so that second derivatives come for free.
 */
import {
  specs,
  type InputNames,
  type KernelOp,
  type ListOp,
  type OpName,
  type Specs,
  type TensorType,
  type UpdateOp,
  type ViewOp,
} from '@tapegrad/tensor';
import type { AnyRule, GraphNode } from './node.js';
import type { Variable } from './variable.js';
import { vjps } from './vjps.js';

type SpecInputs<K extends OpName> = Specs[K] extends { inputs: infer N extends InputNames }
  ? N
  : never;

/** The attributes of an op. */
export type Attrs<K extends OpName> = Specs[K] extends
  | KernelOp<InputNames, infer A>
  | ViewOp<InputNames, infer A>
  | ListOp<InputNames, infer A>
  | UpdateOp<InputNames, infer A>
  ? A
  : never;

type Output<K extends OpName, T> = Specs[K] extends { kind: 'list' } ? readonly T[] : T;

/** What a rule may know of the call besides the values it saved: attributes, shapes and dtypes. */
export interface CallInfo<K extends OpName, Name extends string> {
  readonly attrs: Attrs<K>;
  readonly types: { readonly [N in Name]: TensorType };
  readonly out: Output<K, TensorType>;
}

type NamedRule<K extends OpName, Name extends string> = {
  /** The inputs, or the output, whose values the rules need. Nothing else is kept alive. */
  readonly saves: readonly (Name | 'out')[];
} & {
  readonly [N in Name]:
    | ((
        g: Output<K, Variable>,
        saved: { readonly [S in Name]: Variable } & { readonly out: Output<K, Variable> },
        call: CallInfo<K, Name>,
      ) => Variable)
    | null;
};

/** For ops that take a list: one rule for all inputs, which is told which one is asked for. */
interface ListRule<K extends OpName> {
  readonly saves: readonly 'inputs'[];
  readonly each: (
    g: Variable,
    inputs: readonly Variable[],
    call: {
      readonly attrs: Attrs<K>;
      readonly types: readonly TensorType[];
      readonly index: number;
    },
  ) => Variable;
}

/** The rules of an op: one for each of its inputs, by name; null for an input that has no gradient, such as indices. */
export type Rule<K extends OpName> =
  SpecInputs<K> extends 'list'
    ? ListRule<K>
    : SpecInputs<K> extends readonly (infer Name extends string)[]
      ? NamedRule<K, Name>
      : never;

/** One row for each op; null declares that it is not differentiable. A missing row does not compile. */
export type RuleTable = { readonly [K in OpName]: Rule<K> | null };

type Pull = (g: unknown, saved: unknown, call: unknown) => Variable;
type ListPull = (g: Variable, inputs: readonly Variable[], call: object) => Variable;

/** A row without its types: at run time there is one code for all ops, and the table has been checked by the compiler. */
interface Row {
  readonly saves: readonly string[];
  readonly each?: ListPull;
  readonly [name: string]: Pull | ListPull | null | undefined | readonly string[];
}

function readListRow({ saves, each }: Row): AnyRule {
  const keep = saves.includes('inputs');
  return {
    select: (inputs) => (keep ? inputs : []),
    pull: (node, [g], index) => {
      const inputs = keep ? node.inputs.map((_, i) => node.savedValue(i)) : [];
      return each?.(g, inputs, { attrs: node.attrs, types: node.inputs, index }) ?? null;
    },
  };
}

/**
 * The class of what a named rule gets as its saved values. Each is looked up, and checked for changes in place, when the
 * rule asks for it: the gradient for one factor of a product does not mind that this factor itself was changed.
 */
function lookups(
  getters: Readonly<Record<string, (node: GraphNode) => unknown>>,
): new (node: GraphNode) => object {
  class Saved {
    constructor(readonly node: GraphNode) {}
  }
  for (const [name, lookup] of Object.entries(getters)) {
    const get = function (this: Saved): unknown {
      return lookup(this.node);
    };
    Object.defineProperty(Saved.prototype, name, { get });
  }
  return Saved;
}

function readNamedRow(row: Row, names: readonly string[], listOutput: boolean): AnyRule {
  const kept = names.map((_, i) => i).filter((i) => row.saves.includes(names[i]));
  const keepOut = row.saves.includes('out');
  const shape = <T>(outputs: readonly T[]): T | readonly T[] => (listOutput ? outputs : outputs[0]);
  const getters = Object.fromEntries(
    kept.map((i, at) => [names[i], (node: GraphNode): unknown => node.savedValue(at)]),
  );
  if (keepOut)
    getters.out = (node) => shape(node.outputs.map((_, i) => node.savedValue(kept.length + i)));
  const Saved = lookups(getters);
  return {
    select: (inputs, outputs) => [...kept.map((i) => inputs[i]), ...(keepOut ? outputs : [])],
    pull: (node, cotangents, index) => {
      const pull = row[names[index]];
      if (typeof pull !== 'function') return null;
      const types = Object.fromEntries(names.map((name, i) => [name, node.inputs[i]]));
      return (pull as Pull)(shape(cotangents), new Saved(node), {
        attrs: node.attrs,
        types,
        out: shape(node.outputs),
      });
    },
  };
}

const readRules = new Map<OpName, AnyRule | null>();

/** The rule of an op; null when it is not differentiable. */
export function ruleOf(name: OpName): AnyRule | null {
  let rule = readRules.get(name);
  if (rule === undefined) {
    const row: Row | null = vjps[name] as Row | null;
    const { inputs, kind } = specs[name];
    if (row === null) rule = null;
    else rule = inputs === 'list' ? readListRow(row) : readNamedRow(row, inputs, kind === 'list');
    readRules.set(name, rule);
  }
  return rule;
}
