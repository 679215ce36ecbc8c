/**
 * The graph that backward walks, drawn: as DOT for Graphviz, or as an SVG that needs nothing else.
 */
import { formatShape, type TensorType } from '@tapegrad/tensor';
import { nodesBelow } from './backward.js';
import { drawGraph, type GraphArrow, type GraphPicture, type GraphVertex } from './graph-svg.js';
import type { Edge, GraphNode } from './node.js';
import { Variable } from './variable.js';

/** What the pictures take besides the result. */
export interface GraphOptions {
  /** Names for Variables: of a leaf it stands in its node, of a computed value on its edge. */
  names?: ReadonlyMap<Variable, string> | Readonly<Record<string, Variable>>;
}

/** What graphs of values consist of. */
interface ValueVertex extends GraphVertex {
  readonly kind: 'leaf' | 'constant' | 'op' | 'result';
}

interface ValuePicture extends GraphPicture {
  readonly vertices: readonly ValueVertex[];
}

type Names = NonNullable<GraphOptions['names']>;

function isMap(names: Names): names is ReadonlyMap<Variable, string> {
  return names instanceof Map;
}

/** The names by what they name: a leaf, or a value of a node. */
class NameTable {
  private readonly leaves = new Map<Variable, string>();
  private readonly values = new Map<GraphNode, Map<number, string>>();

  constructor(names: Names) {
    const entries = isMap(names)
      ? [...names]
      : Object.entries(names).map(([name, x]): [Variable, string] => [x, name]);
    for (const [x, name] of entries) {
      if (x.node === null) this.leaves.set(x, name);
      else
        this.values.set(
          x.node,
          (this.values.get(x.node) ?? new Map<number, string>()).set(x.slot, name),
        );
    }
  }

  /** Empty when there is none. */
  of(target: Variable | GraphNode, slot: number): string {
    const name =
      target instanceof Variable ? this.leaves.get(target) : this.values.get(target)?.get(slot);
    return name ?? '';
  }
}

/** The values of each node that something uses, as numbers of its outputs in ascending order. */
function usedSlots(nodes: readonly GraphNode[], result: Variable): Map<GraphNode, number[]> {
  const used = new Map<GraphNode, Set<number>>(nodes.map((node) => [node, new Set()]));
  if (result.node !== null) used.get(result.node)?.add(result.slot);
  for (const edge of nodes.flatMap(({ edges }) => edges)) {
    if (edge !== null && !(edge.target instanceof Variable)) used.get(edge.target)?.add(edge.slot);
  }
  return new Map([...used].map(([node, slots]) => [node, [...slots].sort((a, b) => a - b)]));
}

/** What a value was computed from: ops, leaves that want a gradient, and constants, which a graph does not tell apart. */
function pictureOf(result: Variable, names: Names = {}): ValuePicture {
  const table = new NameTable(names);
  const nodes = nodesBelow([result]).reverse();
  const used = usedSlots(nodes, result);
  const vertices: ValueVertex[] = [];
  const arrows: GraphArrow[] = [];
  const indices = new Map<GraphNode | Variable, number>();
  const add = (kind: ValueVertex['kind'], label: string, outlets: number, detail = ''): number =>
    vertices.push({ kind, label, detail, outlets }) - 1;
  /** Where the value of an edge comes from; leaves are added when they are first met. */
  const source = (edge: Edge | null): number => {
    if (edge === null) return add('constant', 'constant', 1);
    const { target } = edge;
    let index = indices.get(target);
    if (index === undefined) {
      const wanted = target instanceof Variable && target.requiresGrad;
      const label = table.of(target, 0) || (wanted ? 'variable' : 'constant');
      index = add(wanted ? 'leaf' : 'constant', label, 1);
      indices.set(target, index);
    }
    return index;
  };
  const arrow = (
    edge: Edge | null,
    type: TensorType,
    name: boolean,
  ): Omit<GraphArrow, 'to' | 'inlet'> => {
    const from = source(edge);
    if (edge === null || edge.target instanceof Variable) {
      return { from, outlet: 0, label: valueLabel(type, '') };
    }
    const { target, slot } = edge;
    const number = target.outputs.length > 1 ? `${slot}: ` : '';
    const label = number + valueLabel(type, name ? table.of(target, slot) : '');
    return { from, outlet: used.get(target)?.indexOf(slot) ?? 0, label };
  };
  for (const node of nodes) {
    const incoming = node.edges.map((edge, i) => arrow(edge, node.inputs[i], true));
    const to = add('op', node.name, used.get(node)?.length ?? 1, attributes(node.attrs));
    indices.set(node, to);
    incoming.forEach((a, inlet) => arrows.push({ ...a, to, inlet }));
  }
  const end: Edge = { target: result.node ?? result, slot: result.slot };
  const last = arrow(end, result, false);
  const label = (result.node !== null && table.of(result.node, result.slot)) || 'result';
  arrows.push({ ...last, to: add('result', label, 0), inlet: 0 });
  return { vertices, arrows };
}

/** The shape, the dtype unless it is float32, and the name if there is one. */
function valueLabel({ shape, dtype }: TensorType, name: string): string {
  return [name, formatShape(shape), dtype === 'float32' ? '' : dtype].filter(Boolean).join(' ');
}

/** `axis: 0, keepDims: true`, cut short when it is long. */
function attributes(attrs: object): string {
  const text = Object.entries(attrs)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => `${key}: ${JSON.stringify(value).replaceAll(',', ', ')}`)
    .join(', ');
  return text.length > 28 ? `${text.slice(0, 27)}…` : text;
}

const DOT_STYLES: Readonly<Record<ValueVertex['kind'], string>> = {
  leaf: 'shape=ellipse, style=filled, fillcolor="#dcefe1"',
  constant: 'shape=box, style="rounded,dashed", color="#8a8f98", fontcolor="#555b66"',
  op: 'shape=box, style="rounded,filled", fillcolor="#e3ecfa"',
  result: 'shape=ellipse, style=filled, fillcolor="#fbeacb", peripheries=2',
};

/**
 * The graph of a value in the language of Graphviz (https://graphviz.org): `dot -Tsvg graph.dot`. Leaves and constants are
 * at the top, the value at the bottom, shapes (and dtypes other than float32) on the edges.
 *
 * @param options.names names for Variables, as an object { w, b } or a Map
 * @example
 * const w = variable([1, 2]);
 * graphToDot(w.square().sum(), { names: { w } }).includes('[label="w", shape=ellipse'); // true
 */
export function graphToDot(result: Variable, { names }: GraphOptions = {}): string {
  const { vertices, arrows } = pictureOf(result, names);
  const quoted = (text: string): string =>
    `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
  return [
    'digraph {',
    '  node [fontname="Helvetica", fontsize=11, color="#5b6b86"];',
    '  edge [fontname="Helvetica", fontsize=9, color="#5b6b86"];',
    ...vertices.map(({ kind, label, detail }, i) => {
      const text = detail === '' ? label : `${label}\n${detail}`;
      return `  n${i} [label=${quoted(text)}, ${DOT_STYLES[kind]}];`;
    }),
    ...arrows.map(({ from, to, label }) => `  n${from} -> n${to} [label=${quoted(label)}];`),
    '}',
    '',
  ].join('\n');
}

/**
 * The graph of a value as a picture in SVG: the text of a file, with no script, font or image from elsewhere. Leaves that
 * want a gradient are green, constants dashed, ops blue, and the value is at the bottom; every line says the shape (and a
 * dtype other than float32) of what flows along it.
 *
 * @param options.names names for Variables, as an object { w, b } or a Map
 * @example
 * const w = variable([1, 2]);
 * graphToSvg(w.square().sum(), { names: { w } }).startsWith('<svg'); // true
 */
export function graphToSvg(result: Variable, { names }: GraphOptions = {}): string {
  return drawGraph(pictureOf(result, names));
}
