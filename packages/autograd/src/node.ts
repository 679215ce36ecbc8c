/**
 * The nodes of the graph: one for each op that ran on something whose gradient is wanted.
 */
import { formatShape, type TensorType } from '@tapegrad/tensor';
import { GradientError } from './errors.js';
import type { Variable } from './variable.js';

/** How a gradient passes back through one node: the form in which backward sees the rows of `vjps`. */
export interface AnyRule {
  /** The values to keep for `pull`. */
  select(inputs: readonly Variable[], outputs: readonly Variable[]): readonly Variable[];
  /** For input i: the cotangents of the outputs in, the cotangent of the input out. null: the input has no gradient. */
  pull(node: GraphNode, cotangents: readonly Variable[], input: number): Variable | null;
}

/** Where the gradient of an input goes: into a leaf, or on to output `slot` of another node. */
export interface Edge {
  readonly target: Variable | GraphNode;
  readonly slot: number;
}

let count = 0;

/** Shape and dtype alone: a node that held the tensors would keep their elements alive. */
function typeOf({ dtype, shape }: TensorType): TensorType {
  return { dtype, shape };
}

/** An op that ran: where its inputs came from, and what its rule needs to pass a gradient back. */
export class GraphNode {
  /** Counts up as the program runs, so inputs always have a smaller id than what was computed from them. */
  readonly id = count++;
  readonly inputs: readonly TensorType[];
  readonly outputs: readonly TensorType[];
  private saved: readonly Variable[] | null = [];
  private versions: readonly number[] = [];

  constructor(
    readonly name: string,
    readonly rule: AnyRule,
    readonly attrs: object,
    inputs: readonly TensorType[],
    outputs: readonly TensorType[],
    /** One for each input; null where no gradient is wanted. */
    readonly edges: readonly (Edge | null)[],
  ) {
    this.inputs = inputs.map(typeOf);
    this.outputs = outputs.map(typeOf);
  }

  /** Keeps values for the rule, and notes their versions. */
  save(values: readonly Variable[]): void {
    this.saved = values;
    this.versions = values.map((x) => x.value.storage.version);
  }

  /** What was saved. @throws GradientError when an earlier backward has freed it */
  live(): readonly Variable[] {
    if (this.saved === null) {
      throw new GradientError(
        `backward: the graph at '${this.name}' was freed by an earlier backward; pass { retainGraph: true } to that one ` +
          `to go through the graph again.`,
      );
    }
    return this.saved;
  }

  /** Saved value i. @throws GradientError when the graph was freed or the value was changed in place since */
  savedValue(i: number): Variable {
    const value = this.live()[i];
    const now = value.value.storage.version;
    if (now !== this.versions[i]) {
      throw new GradientError(
        `backward: '${this.name}' needs a tensor of shape ${formatShape(value.shape)} that was changed in place after it ` +
          `was used (version ${now}, expected ${this.versions[i]}). Call backward before the change, or copy the tensor first.`,
      );
    }
    return value;
  }

  /** Lets go of what was saved. */
  free(): void {
    this.saved = null;
  }
}
