/** Makers of random ops: each adds one to a graph with inputs and attributes that fit, or does nothing. */
import { isFloat, type OpName, type Tensor } from '@tapegrad/tensor';
import { type Graph } from './fuzz-graph.js';
import { replaced } from './naive.js';

type Maker = (g: Graph) => void;

const coin = ({ numbers }: Graph): boolean => numbers.integer(0, 1) === 0;
const float = (x: Tensor): boolean => isFloat(x.dtype);

const UNARY = [
  'neg', 'abs', 'sqrt', 'rsqrt', 'square', 'reciprocal', 'relu', 'relu6', 'hardSigmoid', 'softsign', 'leakyRelu', 'floor', 'ceil',
  'round', 'sign', 'isNaN', 'logicalNot', 'copy', 'identity',
] as const satisfies readonly OpName[]; // prettier-ignore

const FUNCTIONS = [
  'exp', 'log', 'log1p', 'expm1', 'sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'tanh', 'sigmoid', 'softplus',
  'selu', 'silu', 'mish', 'erf', 'elu', 'gelu',
] as const satisfies readonly OpName[]; // prettier-ignore

const BINARY = [
  'add', 'sub', 'mul', 'div', 'pow', 'mod', 'maximum', 'minimum', 'squaredDifference', 'atan2', 'equal', 'notEqual', 'less',
  'lessEqual', 'greater', 'greaterEqual', 'logicalAnd', 'logicalOr', 'add', 'mul', 'sub',
] as const satisfies readonly OpName[]; // prettier-ignore

const REDUCE = ['sum', 'mean', 'prod', 'max', 'min', 'variance', 'std', 'logSumExp', 'any', 'all', 'norm', 'sum', 'mean', 'max'] as const; // prettier-ignore

/** Something that broadcasts with x: a value that is there, or a new one. */
function beside(g: Graph, x: Tensor): number {
  const there = coin(g) ? g.pick((y) => y !== x && y.shape.join() === x.shape.join()) : null;
  if (there !== null) return there;
  const shape = x.shape
    .slice(g.numbers.integer(0, 3) === 0 ? g.numbers.integer(0, x.rank) : 0)
    .map((size) => (g.numbers.integer(0, 3) === 0 ? 1 : size));
  return g.fresh(shape, coin(g) ? { dtype: x.dtype } : {});
}

/** Any value, made if there is none that fits. */
function some(g: Graph, fits: (x: Tensor) => boolean, rank?: number): number {
  return g.pick(fits) ?? g.fresh(g.shape(rank), { dtype: 'float32' });
}

const axisOf = (g: Graph, x: Tensor): number => g.numbers.integer(-x.rank, x.rank - 1);
const axesOf = (g: Graph, x: Tensor): number[] => x.shape.map((_, i) => i).filter(() => coin(g));

/** Weights and states of a recurrent op on x [batch, time, features]. */
function recurrent(name: 'simpleRNN' | 'lstm' | 'gru', gates: number, states: number): Maker {
  return (g) => {
    const x = some(g, (v) => v.rank === 3 && v.shape[1] > 0 && v.dtype === 'float32', 3);
    const [batch, time, features] = g.value(x).shape;
    // In a longer sequence weights like these may make a difference in the last digit a large one.
    if (time === 0 || time > 20) return;
    const units = g.numbers.integer(1, 6);
    const dtype = g.value(x).dtype;
    const bias = name === 'gru' ? [2, gates * units] : [gates * units];
    g.add(
      name,
      [
        x,
        g.fresh([features, gates * units], { dtype }),
        g.fresh([units, gates * units], { dtype }),
        coin(g) ? g.fresh([0], { dtype }) : g.fresh(bias, { dtype }),
        ...Array.from({ length: states }, () => g.fresh([batch, units], { dtype })),
        coin(g) ? g.fresh([0], { dtype }) : g.fresh([batch, time], { dtype: 'bool' }),
      ],
      { goBackwards: coin(g) },
    );
  };
}

function windows(
  g: Graph,
  axes: number,
): {
  shape: number[];
  attrs: { dataFormat: 'channelsFirst' | 'channelsLast'; padding: 'same' | 'valid' };
  channels: number;
} {
  const channels = g.large ? g.numbers.pick([3, 8, 16, 20]) : g.numbers.integer(1, 5);
  const space = Array.from({ length: axes }, () =>
    g.large ? g.numbers.integer(9, 20) : g.numbers.integer(2, 7),
  );
  const first = coin(g);
  const batch = g.numbers.integer(1, 2);
  return {
    shape: first ? [batch, channels, ...space] : [batch, ...space, channels],
    attrs: {
      dataFormat: first ? 'channelsFirst' : 'channelsLast',
      padding: coin(g) ? 'same' : 'valid',
    },
    channels,
  };
}

/**
 * What may be fused into a product or a convolution: a bias along one axis, with axes of size 1 before it, and an activation; each
 * perhaps after the result was brought into another shape.
 */
function followUp(g: Graph, result: number, bias: number, axis: number): void {
  const viewed = (y: number): number => {
    const { shape } = g.value(y);
    const rows = [-1, shape[shape.length - 1]];
    if (shape.includes(0) || g.numbers.integer(0, 2) > 0) return y;
    return g.add('reshape', [y], { shape: g.numbers.pick([[-1], rows, [1, ...shape]]) })?.[0] ?? y;
  };
  const { rank, shape } = g.value(result);
  const [n] = g.value(bias).shape;
  const ones = (count: number): number[] => Array.from({ length: count }, () => 1);
  const before = g.numbers.integer(0, axis);
  const along = [...ones(before), n, ...ones(rank - 1 - axis)];
  const shaped = g.add('reshape', [bias], { shape: along })?.[0];
  const y = axis === rank - 1 && shape.length > 1 ? viewed(result) : result;
  const sum = coin(g) || shaped === undefined ? y : g.add('add', coin(g) ? [y, shaped] : [shaped, y])?.[0]; // prettier-ignore
  if (sum === undefined || coin(g)) return;
  g.add(g.numbers.pick(['relu', 'tanh', 'sigmoid']), [viewed(sum)]);
}

/** By kind. */
export const makers: Readonly<Record<string, Maker>> = {
  unary: (g) => {
    const name = g.numbers.pick(UNARY);
    g.add(name, [some(g, () => true)], name === 'leakyRelu' && coin(g) ? { alpha: 0.2 } : {});
  },
  functions: (g) => {
    const x = some(g, () => true);
    const name = g.numbers.pick(FUNCTIONS);
    const alpha = name === 'elu' && coin(g) ? { alpha: 0.3 } : {};
    g.add(name, [x], name === 'gelu' ? { approximate: coin(g) } : alpha);
  },
  binary: (g) => {
    const x = some(g, () => true);
    const y = beside(g, g.value(x));
    g.add(g.numbers.pick(BINARY), coin(g) ? [x, y] : [y, x]);
  },
  power: (g) => void g.add('pow', [some(g, () => true), g.fresh([], { dtype: 'int32' })]),
  clip: (g) => void g.add('clip', [some(g, () => true)], { min: -1, max: coin(g) ? 1 : undefined }),
  cast: (g) => {
    const x = some(g, () => true);
    const dtype = g.numbers.pick(['float32', 'float64', 'int32', 'bool'] as const);
    g.add('cast', [x], { dtype });
  },
  where: (g) => {
    const x = some(g, () => true);
    const condition = g.pick(
      (c) => c.dtype === 'bool' && c.shape.join() === g.value(x).shape.join(),
    );
    g.add('where', [
      condition ?? g.fresh(g.value(x).shape, { dtype: 'bool' }),
      x,
      beside(g, g.value(x)),
    ]);
  },
  reduce: (g) => {
    const x = some(g, () => true);
    const axis = coin(g) ? axesOf(g, g.value(x)) : null;
    g.add(g.numbers.pick(REDUCE), [x], { axis, keepDims: coin(g) });
  },
  arg: (g) => {
    const x = some(g, (v) => v.rank > 0, 2);
    g.add(g.numbers.pick(['argmax', 'argmin']), [x], {
      axis: axisOf(g, g.value(x)),
      keepDims: coin(g),
    });
  },
  along: (g) => {
    const x = some(g, (v) => v.rank > 0, 2);
    const name = g.numbers.pick([
      'softmax',
      'logSoftmax',
      'cumsum',
      'cumprod',
      'sort',
      'argsort',
      'softmax',
    ] as const);
    const scan = name.startsWith('cum') ? { exclusive: coin(g), reverse: coin(g) } : {};
    g.add(name, [x], { axis: axisOf(g, g.value(x)), ...scan });
  },
  crossEntropy: (g) => {
    const x = some(g, (v) => v.rank > 0 && float(v), 2);
    const labels = g.fresh(g.value(x).shape, { kind: 'positive', dtype: g.value(x).dtype });
    g.add(g.numbers.pick(['softmaxCrossEntropy', 'sigmoidCrossEntropy']), [x, labels]);
  },
  transpose: (g) => {
    const x = some(g, (v) => v.rank > 1, 3);
    g.add('transpose', [x], { perm: g.numbers.shuffled(g.value(x).shape.map((_, i) => i)) });
  },
  reshape: (g) => {
    const x = some(g, (v) => v.size > 0);
    const shape: number[] = [];
    for (let rest = g.value(x).size; rest > 1;) {
      const size = g.numbers.pick(Array.from({ length: rest }, (_, i) => i + 1).filter((d) => d > 1 && rest % d === 0)); // prettier-ignore
      shape.push(size);
      rest /= size;
    }
    if (coin(g)) shape.splice(g.numbers.integer(0, shape.length), 0, 1);
    g.add('reshape', [x], { shape });
  },
  flip: (g) => {
    const x = some(g, () => true);
    g.add('flip', [x], { axis: axesOf(g, g.value(x)) });
  },
  stridedSlice: (g) => {
    const x = some(g, () => true);
    const end = (): number | null => (coin(g) ? null : g.numbers.integer(-4, 4));
    const { shape } = g.value(x);
    g.add('stridedSlice', [x], {
      begin: shape.map(end),
      end: shape.map(end),
      strides: shape.map(() => g.numbers.pick([1, 1, 2, -1, -2])),
    });
  },
  broadcastTo: (g) => {
    const x = some(g, () => true);
    const { shape } = g.value(x);
    const front = shape.length < 4 && coin(g) ? [g.numbers.integer(1, 3)] : [];
    g.add('broadcastTo', [x], {
      shape: [...front, ...shape.map((n) => (n === 1 ? g.numbers.integer(0, 3) : n))],
    });
  },
  slice: (g) => {
    const x = some(g, (v) => v.rank > 0, 2);
    const begin = g.value(x).shape.map((n) => g.numbers.integer(0, n));
    g.add('slice', [x], {
      begin,
      size: g.value(x).shape.map((n, i) => (coin(g) ? -1 : g.numbers.integer(0, n - begin[i]))),
    });
  },
  squeeze: (g) => void g.add('squeeze', [some(g, (v) => v.shape.includes(1), 2)]),
  embed: (g) => {
    const x = some(g, () => true);
    const { shape } = g.value(x);
    const start = shape.map(() => g.numbers.integer(0, 2));
    const step = shape.map(() => g.numbers.integer(1, 2));
    g.add('embed', [x], {
      shape: shape.map((n, i) => start[i] + step[i] * n + g.numbers.integer(0, 1)),
      start,
      step,
    });
  },
  reluGrad: (g) => {
    const x = some(g, float);
    g.add('reluGrad', [x, g.fresh(g.value(x).shape, { dtype: g.value(x).dtype })]);
  },
  expandDims: (g) => {
    const x = some(g, (v) => v.rank < 5);
    g.add('expandDims', [x], { axis: g.numbers.integer(0, g.value(x).rank) });
  },
  concat: (g) => {
    const x = some(g, (v) => v.rank > 0, 2);
    const axis = g.numbers.integer(0, g.value(x).rank - 1);
    const y = g.fresh(replaced(g.value(x).shape, axis, g.numbers.integer(0, 3)), {
      dtype: g.value(x).dtype,
    });
    g.add('concat', coin(g) ? [x, y, x] : [y, x], { axis });
  },
  stack: (g) => {
    const x = some(g, (v) => v.rank < 4);
    const y = g.fresh(g.value(x).shape, { dtype: g.value(x).dtype });
    g.add('stack', [x, y, x], { axis: g.numbers.integer(0, g.value(x).rank) });
  },
  split: (g) => {
    const x = some(g, (v) => v.rank > 0, 2);
    const axis = g.numbers.integer(0, g.value(x).rank - 1);
    const cut = g.numbers.integer(0, g.value(x).shape[axis]);
    g.add('split', [x], { numOrSizeSplits: [cut, g.value(x).shape[axis] - cut], axis });
  },
  pad: (g) => {
    const x = some(g, () => true);
    const paddings = g.value(x).shape.map(() => [g.numbers.integer(0, 2), g.numbers.integer(0, 1)]);
    const mode = g.numbers.pick(['constant', 'constant', 'reflect'] as const);
    g.add('pad', [x], { paddings, mode, constantValue: g.numbers.pick([0, 1]) });
  },
  tile: (g) => {
    const x = some(g, () => true);
    g.add('tile', [x], { reps: g.value(x).shape.map(() => g.numbers.integer(1, 2)) });
  },
  repeat: (g) => {
    const x = some(g, (v) => v.rank > 0, 2);
    const axis = axisOf(g, g.value(x));
    const count = (): number => g.numbers.integer(0, 3);
    const each = Array.from({ length: g.value(x).shape.at(axis) ?? 0 }, count);
    g.add('repeat', [x], { repeats: coin(g) ? count() : each, axis });
  },
  gather: (g) => {
    const x = some(g, (v) => v.rank > 0, 2);
    const axis = g.numbers.integer(0, g.value(x).rank - 1);
    const limit = g.value(x).shape[axis];
    if (limit === 0) return;
    const indices = g.fresh(g.shape(g.numbers.integer(0, 2)), {
      dtype: 'int32',
      kind: 'position',
      limit,
    });
    g.add('gather', [x, indices], { axis });
  },
  indexAdd: (g) => {
    const x = some(g, (v) => v.rank > 0 && float(v), 2);
    const axis = g.numbers.integer(0, g.value(x).rank - 1);
    const size = g.numbers.integer(1, 5);
    const indices = g.fresh([g.value(x).shape[axis]], {
      dtype: 'int32',
      kind: 'position',
      limit: size,
    });
    g.add('indexAdd', [x, indices], { size, axis });
  },
  takeAlongAxis: (g) => {
    const x = some(g, (v) => v.rank > 0 && v.size > 0, 2);
    const axis = g.numbers.integer(0, g.value(x).rank - 1);
    const limit = g.value(x).shape[axis];
    if (limit === 0) return;
    const shape = replaced(g.value(x).shape, axis, g.numbers.integer(0, 4));
    g.add('takeAlongAxis', [x, g.fresh(shape, { dtype: 'int32', kind: 'position', limit })], {
      axis,
    });
  },
  gatherND: (g) => {
    const x = some(g, (v) => v.rank > 0 && v.size > 0, 2);
    const { shape } = g.value(x);
    const depth = g.numbers.integer(1, shape.length);
    const limit = Math.min(...shape.slice(0, depth));
    const indices = g.fresh([g.numbers.integer(0, 4), depth], {
      dtype: 'int32',
      kind: 'position',
      limit,
    });
    g.add('gatherND', [x, indices]);
  },
  scatterND: (g) => {
    const [count, rest] = [g.numbers.integer(0, 4), g.size()];
    const indices = g.fresh([count, 1], { dtype: 'int32', kind: 'position', limit: 3 });
    g.add('scatterND', [indices, g.fresh([count, rest], { dtype: 'float32' })], {
      shape: [3, rest],
    });
  },
  putAlongAxis: (g) => {
    const x = some(g, (v) => v.rank > 0 && v.dtype !== 'bool', 2);
    const axis = g.numbers.integer(0, g.value(x).rank - 1);
    const indices = g.fresh(g.value(x).shape, { dtype: 'int32', kind: 'position', limit: 4 });
    g.add('putAlongAxis', [x, indices], { size: 4, axis });
  },
  oneHot: (g) => {
    const depth = g.numbers.integer(1, 5);
    const indices = g.fresh(g.shape(g.numbers.integer(0, 2)), {
      dtype: 'int32',
      kind: 'position',
      limit: depth + 1,
    });
    g.add('oneHot', [indices], { depth });
  },
  topk: (g) => {
    const x = some(g, (v) => v.rank > 0, 2);
    g.add('topk', [x], { k: g.numbers.integer(0, g.value(x).shape[g.value(x).rank - 1]) });
  },
  matmul: (g) => {
    const x = some(g, (v) => v.rank > 1, g.numbers.integer(2, 3));
    const { shape, dtype } = g.value(x);
    const [transposeA, transposeB] = [coin(g), coin(g)];
    const k = shape[shape.length - (transposeA ? 2 : 1)];
    const n = g.size();
    const batch = coin(g) ? [] : shape.slice(0, -2).map((size) => (coin(g) ? 1 : size));
    const b = g.fresh([...batch, ...(transposeB ? [n, k] : [k, n])], { dtype });
    // A bias, given or computed, and an activation: what can be fused.
    const given = g.fresh([n], { dtype });
    const bias = coin(g) ? g.add('square', [given])?.[0] : given;
    const product = g.add('matmul', [x, b], { transposeA, transposeB });
    if (product === null || bias === undefined || coin(g)) return;
    followUp(g, product[0], bias, g.value(product[0]).rank - 1);
  },
  vectors: (g) => {
    const x = some(g, (v) => v.rank > 0, 1);
    const { shape, dtype } = g.value(x);
    const y = g.fresh([shape[shape.length - 1]], { dtype });
    if (shape.length === 1 && coin(g)) g.add('outer', [x, g.fresh([g.size()], { dtype })]);
    else g.add(g.numbers.pick(['dot', 'matmul']), [x, y]);
  },
  einsum: (g) => {
    const x = some(g, (v) => v.rank === 2, 2);
    const [, j] = g.value(x).shape;
    const y = g.fresh([g.size(), j], { dtype: g.value(x).dtype });
    g.add('einsum', [x, y], {
      equation: g.numbers.pick(['ij,kj->ik', 'ij,kj->ki', 'ij,kj->j', 'ij,kj->jik']),
    });
  },
  conv: (g) => {
    const axes = g.numbers.integer(1, 2);
    const { shape, attrs, channels } = windows(g, axes);
    const square = g.numbers.pick([3, 5]);
    const kernel = Array.from({ length: axes }, () =>
      g.large ? square : g.numbers.integer(1, attrs.padding === 'same' ? 3 : 2),
    );
    const filters = g.large ? g.numbers.pick([4, 16, 24]) : g.numbers.integer(1, 9);
    const dtype = g.numbers.pick(['float32', 'float32', 'float64'] as const);
    const strides = g.large ? 1 : g.numbers.integer(1, 2);
    const dilationRate = strides === 1 && !g.large ? g.numbers.integer(1, 2) : 1;
    const divisors = Array.from({ length: channels }, (_, i) => i + 1).filter((n) => channels % n === 0 && filters % n === 0); // prettier-ignore
    const groups = coin(g) ? 1 : g.numbers.pick(divisors);
    const y = g.add('conv', [g.fresh(shape, { dtype }), g.fresh([...kernel, channels / groups, filters], { dtype })], { ...attrs, strides, dilationRate, groups }); // prettier-ignore
    if (y === null || coin(g)) return;
    const axis = attrs.dataFormat === 'channelsFirst' ? 1 : axes + 1;
    followUp(g, y[0], g.fresh([filters], { dtype }), axis);
  },
  convTranspose: (g) => {
    const { shape, attrs, channels } = windows(g, 2);
    const dtype = 'float32' as const;
    g.add('convTranspose', [g.fresh(shape, { dtype }), g.fresh([2, 3, g.numbers.integer(1, 4), channels], { dtype })], { ...attrs, strides: g.numbers.integer(1, 2) }); // prettier-ignore
  },
  pool: (g) => {
    const { shape, attrs } = windows(g, g.numbers.integer(1, 2));
    const x = g.fresh(shape, { dtype: g.numbers.pick(['float32', 'float64']) });
    g.add(g.numbers.pick(['maxPool', 'averagePool']), [x], {
      ...attrs,
      poolSize: 2,
      strides: g.numbers.integer(1, 3),
    });
  },
  simpleRNN: recurrent('simpleRNN', 1, 1),
  lstm: recurrent('lstm', 4, 2),
  gru: recurrent('gru', 3, 1),
  affineGrad: (g) => {
    const x = some(g, (v) => v.rank === 2 && float(v), 2);
    const { shape, dtype } = g.value(x);
    g.add('affineGrad', [x, g.fresh([shape[0], g.size()], { dtype })]);
  },
};
