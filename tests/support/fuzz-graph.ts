/** Random graphs of ops: inputs of random shapes, dtypes and layouts, and ops whose attributes fit what is there. */
import {
  TapegradError,
  type Tensor,
  formatShape,
  specs,
  type DType,
  type OpName,
} from '@tapegrad/tensor';
import { Variable, noGrad, ops } from '@tapegrad/autograd';
import { contiguous, layouts, withStrideZero, repeatedAlong } from './layouts.js';
import { build } from './naive.js';
import { type Numbers } from './numbers.js';

/** What the elements of an input are: from −2 to 2, above 0, positions below a limit, or truth values. */
export interface InputPlan {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly kind: 'any' | 'positive' | 'position';
  readonly limit: number;
  /** A layout by name; 'repeated' has a stride of 0 along its last axis. */
  readonly layout: string;
}

/** An op on values by their numbers: first the inputs, then what the ops before give. */
interface GraphStep {
  readonly name: OpName;
  readonly inputs: readonly number[];
  readonly attrs: object;
  /** How many values it gives. */
  readonly count: number;
}

/** Draws an input anew: other elements of the same shape, dtype and layout. */
export function draw(
  { shape, dtype, kind, limit, layout }: InputPlan,
  numbers: Numbers,
  special: boolean,
): Tensor {
  const element = (): number => {
    if (kind === 'position') return numbers.integer(0, limit - 1);
    if (dtype === 'bool') return numbers.integer(0, 1);
    if (dtype === 'int32') return numbers.integer(kind === 'positive' ? 1 : -3, 3);
    if (special && numbers.integer(0, 9) === 0)
      return numbers.pick([NaN, Infinity, -Infinity, -0, 0, 1e-40]);
    // Some are equal, and some are 0.
    if (numbers.integer(0, 5) === 0) return kind === 'positive' ? 1 : numbers.integer(-1, 1);
    return kind === 'positive' ? 0.1 + 1.9 * numbers.next() : 4 * numbers.next() - 2;
  };
  const large = shape.reduce((n, s) => n * s, 1) > 2000;
  if (large) {
    const size = shape.reduce((n, s) => n * s, 1);
    return contiguous({ shape, data: Array.from({ length: size }, element) }, dtype);
  }
  const x = build(shape, element);
  if (layout === 'repeated') {
    const axis = shape.length - 1;
    return withStrideZero(repeatedAlong(x, axis), dtype, axis);
  }
  return layout === 'contiguous' ? contiguous(x, dtype) : layouts[layout](x, dtype);
}

/** Calls an op on Variables. */
function apply(name: OpName, inputs: readonly Variable[], attrs: object): readonly Variable[] {
  const f = ops[name as 'add'] as (...args: unknown[]) => Variable | Variable[];
  const result = specs[name].inputs === 'list' ? f(inputs, attrs) : f(...inputs, attrs);
  return Array.isArray(result) ? result : [result];
}

/** A graph while it is made, with the values that its first inputs give. */
export class Graph {
  readonly inputs: InputPlan[] = [];
  private readonly steps: GraphStep[] = [];
  /** The number of each value: inputs count from 0, what ops give from 1000. */
  private readonly known = new Map<number, Tensor>();
  private made = 1000;

  constructor(
    readonly numbers: Numbers,
    /** Whether NaN, infinities and zeros of either sign are among the elements. */
    readonly special: boolean,
    /** Sizes of axes. */
    private readonly sizes: readonly number[],
    private readonly maxSize: number,
    /** The dtypes of new inputs. */
    private readonly dtypes: readonly DType[],
  ) {}

  /** A shape of so many axes, or of up to 4. */
  shape(rank = this.numbers.pick([0, 1, 2, 2, 3, 3, 4])): number[] {
    for (;;) {
      const shape = Array.from({ length: rank }, () => this.size());
      if (shape.reduce((n, s) => n * s, 1) <= this.maxSize) return shape;
    }
  }

  size(): number {
    return this.numbers.pick(this.sizes);
  }

  /** Adds an input. */
  fresh(
    shape: readonly number[],
    { kind = 'any', limit = 0, dtype = this.numbers.pick(this.dtypes) }: Partial<InputPlan> = {},
  ): number {
    const names = ['contiguous', 'contiguous', ...Object.keys(layouts)];
    if (shape.length > 0 && !shape.includes(0)) names.push('repeated');
    const plan = { shape, kind, limit, dtype, layout: this.numbers.pick(names) };
    this.inputs.push(plan);
    this.known.set(this.inputs.length - 1, draw(plan, this.numbers, this.special));
    return this.inputs.length - 1;
  }

  /** A value that is there, if it passes; late ones are taken more often. */
  pick(fits: (x: Tensor) => boolean = () => true): number | null {
    const all = [...this.known].filter(([, x]) => fits(x)).map(([id]) => id);
    if (all.length === 0) return null;
    return this.numbers.integer(0, 2) === 0 ? this.numbers.pick(all) : all[all.length - 1];
  }

  value(id: number): Tensor {
    const x = this.known.get(id);
    if (x === undefined) throw new Error(`no value ${id}`);
    return x;
  }

  /** Adds an op, unless the op refuses, or gives too much, too large, or too few finite numbers. */
  add(name: OpName, inputs: readonly number[], attrs: object = {}): readonly number[] | null {
    let results: readonly Variable[];
    try {
      results = noGrad(() => apply(name, inputs.map((id) => new Variable(this.value(id))), attrs)); // prettier-ignore
    } catch (error) {
      if (error instanceof TapegradError) return null;
      throw error;
    }
    for (const { value } of results) {
      if (value.size > this.maxSize) return null;
      const list = [...value.toTypedArray()];
      if (list.some((v) => Number.isFinite(v) && Math.abs(v) > 1000)) return null;
      const odd = list.filter((v) => !Number.isFinite(v)).length;
      if (2 * odd > list.length && this.numbers.integer(0, 4) > 0) return null;
    }
    this.steps.push({ name, inputs, attrs, count: results.length });
    return results.map(({ value }) => {
      this.known.set(this.made, value);
      return this.made++;
    });
  }

  /** Whether shapes are large enough to be shared among threads. */
  get large(): boolean {
    return this.maxSize > 10_000;
  }

  /** How many ops there are. */
  get length(): number {
    return this.steps.length;
  }

  /** The names of the ops, in order. */
  get names(): readonly OpName[] {
    return this.steps.map(({ name }) => name);
  }

  /** Computes the graph from its inputs: what no other op takes. */
  run(inputs: readonly Variable[]): readonly Variable[] {
    const values = new Map(inputs.map((x, i) => [i, x]));
    const taken = new Set<number>();
    let next = 1000;
    for (const { name, inputs: from, attrs } of this.steps) {
      const operands = from.map((id) => values.get(id));
      for (const id of from) taken.add(id);
      const present = operands.filter((x) => x !== undefined);
      for (const x of apply(name, present, attrs)) values.set(next++, x);
    }
    return [...values].filter(([id]) => id >= 1000 && !taken.has(id)).map(([, x]) => x);
  }

  /** The inputs, drawn anew. */
  redrawn(): Tensor[] {
    return this.inputs.map((plan) => draw(plan, this.numbers, this.special));
  }

  toString(): string {
    const inputs = this.inputs.map(
      ({ dtype, shape, layout }, i) => `  ${i}: ${dtype}${formatShape(shape)} ${layout}`,
    );
    let next = 1000;
    const steps = this.steps.map(({ name, inputs: from, attrs, count }) => {
      next += count;
      return `  ${next - count}: ${name}(${from.join(', ')}) ${JSON.stringify(attrs)}`;
    });
    return [...inputs, ...steps].join('\n');
  }
}
