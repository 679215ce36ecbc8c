/** Steps of the fuzz test: each op once by the library and once on arrays that know no strides. */
import { ops, type Tensor } from '@tapegrad/tensor';
import { contiguous } from './layouts.js';
import {
  at,
  atBroadcast,
  build,
  elementwise,
  indicesOf,
  lane,
  replaced,
  without,
  type Index,
  type Naive,
} from './naive.js';
import { type Numbers } from './numbers.js';

/** One op, done twice. */
export interface Step {
  readonly text: string;
  readonly tensor: (x: Tensor) => Tensor;
  readonly naive: (x: Naive) => Naive;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, s) => n * s, 1);
const axesOf = (x: Naive): number[] => x.shape.map((_, i) => i);
export const modulo = (a: number, b: number): number => ((a % b) + b) % b;

/** Small whole numbers. */
export const integers = (shape: readonly number[], numbers: Numbers): Naive =>
  build(shape, () => numbers.integer(-3, 3));

/** The tensor of an array beside x: of x's dtype. */
const beside = (x: Tensor, other: Naive): Tensor => contiguous(other, x.dtype);

/** A shape that broadcasts with another: axes left out in front, or 1. */
function broadcastable(shape: readonly number[], numbers: Numbers): number[] {
  return shape
    .slice(numbers.integer(0, shape.length))
    .map((size) => (numbers.integer(0, 2) === 0 ? 1 : size));
}

/** Elements of x that share a place in the result of a reduction, with `axis` taken to 0. */
function reduced(x: Naive, axes: Index, keepDims: boolean, f: (values: number[]) => number): Naive {
  const kept = x.shape.map((size, i) => (axes.includes(i) ? 1 : size));
  const inner = indicesOf(x.shape.map((size, i) => (axes.includes(i) ? size : 1)));
  const full = build(
    kept,
    (index) =>
    f(inner.map((offset) => at(x, index.map((i, k) => i + offset[k])))), // prettier-ignore
  );
  return keepDims ? full : { ...full, shape: x.shape.filter((_, i) => !axes.includes(i)) };
}

export type Maker = (x: Naive, numbers: Numbers) => Step | null;

const UNARY = {
  neg: (v: number) => -v,
  abs: Math.abs,
  square: (v: number) => v * v,
  sign: Math.sign,
  relu: (v: number) => Math.max(v, 0),
  round: Math.round,
} as const;

const BINARY = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  maximum: Math.max,
  minimum: Math.min,
  squaredDifference: (a: number, b: number) => (a - b) ** 2,
} as const;

const COMPARE = {
  less: (a: number, b: number) => Number(a < b),
  greaterEqual: (a: number, b: number) => Number(a >= b),
  equal: (a: number, b: number) => Number(a === b),
  logicalOr: (a: number, b: number) => Number(a !== 0 || b !== 0),
} as const;

const REDUCE = {
  sum: (v: number[]) => v.reduce((s, a) => s + a, 0),
  max: (v: number[]) => Math.max(...v),
  min: (v: number[]) => Math.min(...v),
} as const;

const keys = <T extends object>(table: T): (keyof T & string)[] =>
  Object.keys(table) as (keyof T & string)[];

/** Makers of steps by name; a step is null where the op does not fit the tensor. */
export const makers: Readonly<Record<string, Maker>> = {
  unary: (_, numbers) => {
    const name = numbers.pick(keys(UNARY));
    return { text: name, tensor: (x) => x[name](), naive: (x) => elementwise(UNARY[name], x) };
  },
  binary: (x, numbers) => {
    const name = numbers.pick(keys(BINARY));
    const other = integers(broadcastable(x.shape, numbers), numbers);
    const left = numbers.integer(0, 1) === 0;
    return {
      text: `${name} ${left ? 'after' : 'before'} [${other.shape.join(', ')}]`,
      tensor: (t) => (left ? beside(t, other)[name](t) : t[name](beside(t, other))),
      naive: (n) =>
        left ? elementwise(BINARY[name], other, n) : elementwise(BINARY[name], n, other),
    };
  },
  compare: (x, numbers) => {
    const name = numbers.pick(keys(COMPARE));
    const other = integers(broadcastable(x.shape, numbers), numbers);
    return {
      text: `${name} [${other.shape.join(', ')}]`,
      tensor: (t) => t[name](beside(t, other)).cast(t.dtype),
      naive: (n) => elementwise(COMPARE[name], n, other),
    };
  },
  where: (x, numbers) => {
    const other = integers(broadcastable(x.shape, numbers), numbers);
    const condition = build(broadcastable(x.shape, numbers), () => numbers.integer(0, 1));
    return {
      text: `where [${condition.shape.join(', ')}], x, [${other.shape.join(', ')}]`,
      tensor: (t) => contiguous(condition, 'bool').where(t, beside(t, other)),
      naive: (n) => elementwise((c, p, q) => (c !== 0 ? p : q), condition, n, other),
    };
  },
  reduce: (x, numbers) => {
    const name = numbers.pick(keys(REDUCE));
    if (name !== 'sum' && sizeOf(x.shape) === 0) return null;
    const axes = axesOf(x).filter(() => numbers.integer(0, 1) === 0);
    const keepDims = numbers.integer(0, 1) === 0;
    // Negative axes mean the same.
    const axis = axes.map((i) => (numbers.integer(0, 1) === 0 ? i : i - x.shape.length));
    return {
      text: `${name} over [${axis.join(', ')}]${keepDims ? ', kept' : ''}`,
      tensor: (t) => t[name]({ axis, keepDims }),
      naive: (n) => reduced(n, axes, keepDims, REDUCE[name]),
    };
  },
  argmax: (x, numbers) => {
    if (sizeOf(x.shape) === 0 || x.shape.length === 0) return null;
    const axis = numbers.pick(axesOf(x));
    return {
      text: `argmax ${axis}`,
      tensor: (t) => t.argmax(axis).cast(t.dtype),
      naive: (n) => reduced(n, [axis], false, (v) => v.indexOf(Math.max(...v))),
    };
  },
  cumsum: (x, numbers) => {
    if (x.shape.length === 0) return null;
    const axis = numbers.pick(axesOf(x));
    const [exclusive, reverse] = [numbers.integer(0, 1) === 0, numbers.integer(0, 1) === 0];
    return {
      text: `cumsum ${axis}${exclusive ? ', exclusive' : ''}${reverse ? ', reverse' : ''}`,
      tensor: (t) => t.cumsum(axis, { exclusive, reverse }),
      naive: (n) =>
        build(n.shape, (index) =>
          lane(n, index, axis)
            .filter(
              (_, i) =>
                (reverse ? i > index[axis] : i < index[axis]) || (!exclusive && i === index[axis]),
            ) // prettier-ignore
            .reduce((s, v) => s + v, 0),
        ),
    };
  },
  sort: (x, numbers) => {
    if (x.shape.length === 0) return null;
    const axis = numbers.pick(axesOf(x));
    return {
      text: `sort ${axis}`,
      tensor: (t) => t.sort(axis),
      naive: (n) => build(n.shape, (i) => lane(n, i, axis).sort((a, b) => a - b)[i[axis]]),
    };
  },
  transpose: (x, numbers) => {
    const perm = numbers.shuffled(axesOf(x));
    return {
      text: `transpose [${perm.join(', ')}]`,
      tensor: (t) => t.transpose(perm),
      naive: (n) =>
        build(
          perm.map((i) => n.shape[i]),
          (index) => at(n, axesOf(n).map((axis) => index[perm.indexOf(axis)])), // prettier-ignore
        ),
    };
  },
  reshape: (x, numbers) => {
    const size = sizeOf(x.shape);
    if (size === 0) return null;
    const shape: number[] = [];
    for (let rest = size; rest > 1; rest /= shape[shape.length - 1]) {
      const divisors = Array.from({ length: rest }, (_, i) => i + 1).filter((d) => rest % d === 0);
      shape.push(numbers.pick(divisors.filter((d) => d > 1)));
    }
    if (numbers.integer(0, 2) === 0) shape.splice(numbers.integer(0, shape.length), 0, 1);
    const open = numbers.integer(-1, shape.length - 1);
    return {
      text: `reshape [${shape.join(', ')}]`,
      tensor: (t) => t.reshape(open < 0 ? shape : replaced(shape, open, -1)),
      naive: (n) => ({ shape, data: n.data }),
    };
  },
  flip: (x, numbers) => {
    const axes = axesOf(x).filter(() => numbers.integer(0, 1) === 0);
    return {
      text: `flip [${axes.join(', ')}]`,
      tensor: (t) => t.flip(axes),
      naive: (n) =>
        build(n.shape, (index) =>
          at(
            n,
            index.map((i, k) => (axes.includes(k) ? n.shape[k] - 1 - i : i)),
          ),
        ),
    };
  },
  stridedSlice: (x, numbers) => {
    const end = (): number | null => (numbers.integer(0, 2) === 0 ? null : numbers.integer(-5, 5));
    const begin = x.shape.map(end);
    const stop = x.shape.map(end);
    const strides = x.shape.map(() => numbers.pick([1, 1, 2, -1, -2, 3]));
    // Python's rule, by walking: the positions that range(n)[begin:end:stride] visits.
    const positions = x.shape.map((size, k) => {
      const step = strides[k];
      const bring = (v: number | null, standard: number): number =>
        v === null ? standard : Math.max(step > 0 ? 0 : -1, Math.min(step > 0 ? size : size - 1, v < 0 ? v + size : v)); // prettier-ignore
      const from = bring(begin[k], step > 0 ? 0 : size - 1);
      const to = bring(stop[k], step > 0 ? size : -1);
      const visited: number[] = [];
      for (let i = from; step > 0 ? i < to : i > to; i += step) visited.push(i);
      return visited;
    });
    return {
      text: `stridedSlice ${JSON.stringify({ begin, end: stop, strides })}`,
      tensor: (t) => t.stridedSlice({ begin, end: stop, strides }),
      naive: (n) =>
        build(
          positions.map((p) => p.length),
          (index) => at(n, index.map((i, k) => positions[k][i])), // prettier-ignore
        ),
    };
  },
  expandDims: (x, numbers) => {
    if (x.shape.length >= 5) return null;
    const axis = numbers.integer(0, x.shape.length);
    const shape = [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)];
    return {
      text: `expandDims ${axis}`,
      tensor: (t) => t.expandDims(axis),
      naive: (n) => ({ shape, data: n.data }),
    };
  },
  squeeze: () => ({
    text: 'squeeze',
    tensor: (t) => t.squeeze(),
    naive: (n) => ({ shape: n.shape.filter((size) => size !== 1), data: n.data }),
  }),
  broadcastTo: (x, numbers) => {
    const front = x.shape.length < 4 ? [numbers.integer(1, 3)] : [];
    const shape = [...front, ...x.shape.map((size) => (size === 1 ? numbers.integer(0, 3) : size))];
    return {
      text: `broadcastTo [${shape.join(', ')}]`,
      tensor: (t) => t.broadcastTo(shape),
      naive: (n) => build(shape, (index) => atBroadcast(n, index)),
    };
  },
  concat: (x, numbers) => {
    if (x.shape.length === 0) return null;
    const axis = numbers.pick(axesOf(x));
    const other = integers(replaced(x.shape, axis, numbers.integer(0, 2)), numbers);
    return {
      text: `concat [${other.shape.join(', ')}] along ${axis}`,
      tensor: (t) => ops.concat([t, beside(t, other)], axis),
      naive: (n) =>
        build(replaced(n.shape, axis, n.shape[axis] + other.shape[axis]), (index) =>
          index[axis] < n.shape[axis]
            ? at(n, index)
            : at(other, replaced(index, axis, index[axis] - n.shape[axis])),
        ),
    };
  },
  tile: (x, numbers) => {
    const reps = x.shape.map(() => numbers.integer(1, 2));
    return {
      text: `tile [${reps.join(', ')}]`,
      tensor: (t) => t.tile(reps),
      naive: (n) =>
        build(
          n.shape.map((size, k) => size * reps[k]),
          (index) => at(n, index.map((i, k) => i % n.shape[k])), // prettier-ignore
        ),
    };
  },
  pad: (x, numbers) => {
    const paddings = x.shape.map(() => [numbers.integer(0, 2), numbers.integer(0, 1)] as const);
    const reflect = numbers.integer(0, 1) === 0 && paddings.every(([b, a], k) => Math.max(b, a) < x.shape[k]); // prettier-ignore
    return {
      text: `pad ${JSON.stringify(paddings)}${reflect ? ' reflect' : ''}`,
      tensor: (t) =>
        t.pad(paddings, reflect ? { mode: 'reflect' } : { mode: 'constant', constantValue: 5 }),
      naive: (n) =>
        build(
          n.shape.map((size, k) => size + paddings[k][0] + paddings[k][1]),
          (index) => {
            const from = index.map((i, k) => i - paddings[k][0]);
            if (from.every((i, k) => i >= 0 && i < n.shape[k])) return at(n, from);
            // A mirror at each edge: −1 shows 1, and n shows n − 2.
            const mirrored = from.map((i, k) => (i < 0 ? -i : i >= n.shape[k] ? 2 * n.shape[k] - 2 - i : i)); // prettier-ignore
            return reflect ? at(n, mirrored) : 5;
          },
        ),
    };
  },
  gather: (x, numbers) => {
    const axis = numbers.integer(0, x.shape.length - 1);
    if (x.shape.length === 0 || x.shape[axis] === 0) return null;
    const length = numbers.integer(0, 3);
    const indices = build([length], () => numbers.integer(-x.shape[axis], x.shape[axis] - 1));
    return {
      text: `gather [${indices.data.join(', ')}] along ${axis}`,
      tensor: (t) => t.gather(contiguous(indices, 'int32'), axis),
      naive: (n) =>
        build(replaced(n.shape, axis, length), (index) =>
          at(n, replaced(index, axis, modulo(indices.data[index[axis]], n.shape[axis]))),
        ),
    };
  },
  stack: (x, numbers) => {
    if (x.shape.length >= 4) return null;
    const axis = numbers.integer(0, x.shape.length);
    return {
      text: `stack x, −x along ${axis}`,
      tensor: (t) => ops.stack([t, t.neg()], axis),
      naive: (n) =>
        build([...n.shape.slice(0, axis), 2, ...n.shape.slice(axis)], (index) =>
          index[axis] === 0 ? at(n, without(index, axis)) : -at(n, without(index, axis)),
        ),
    };
  },
};
