/** Rows of convolution and pooling: each op once more as sums over all indices, without any bounds to get wrong. */
import { at, build, indicesOf, type Index, type Naive } from '../naive.js';
import { FLOAT, SAME, distinct, uniform, type OpRows } from './types.js';

interface Attrs {
  strides?: number | readonly number[] | null;
  padding?: 'valid' | 'same' | 'causal';
  dilationRate?: number | readonly number[];
  dataFormat?: 'channelsLast' | 'channelsFirst';
  groups?: number;
}

const each = (value: number | readonly number[], axis: number): number =>
  typeof value === 'number' ? value : value[axis];

/** Windows as the golden README puts them. */
function placed(space: readonly number[], window: readonly number[], attrs: Attrs) {
  const { strides, padding = 'valid', dilationRate = 1 } = attrs;
  return space.map((size, axis) => {
    const stride = each(strides ?? 1, axis);
    const dilation = each(dilationRate, axis);
    const reach = (window[axis] - 1) * dilation + 1;
    if (padding === 'valid') {
      return { stride, dilation, pad: 0, count: Math.ceil((size - reach + 1) / stride) };
    }
    const count = Math.ceil(size / stride);
    const total = Math.max((count - 1) * stride + reach - size, 0);
    return {
      stride,
      dilation,
      count,
      pad: padding === 'causal' ? reach - 1 : Math.floor(total / 2),
    };
  });
}

const first = ({ dataFormat }: Attrs): boolean => dataFormat === 'channelsFirst';
const spaceOf = (shape: readonly number[], attrs: Attrs): readonly number[] =>
  first(attrs) ? shape.slice(2) : shape.slice(1, -1);
const channelsOf = (shape: readonly number[], attrs: Attrs): number =>
  first(attrs) ? shape[1] : shape[shape.length - 1];
const join = (n: number, space: Index, c: number, attrs: Attrs): number[] =>
  first(attrs) ? [n, c, ...space] : [n, ...space, c];
/** Batch, space and channel of an index. */
const apart = (index: Index, attrs: Attrs) => ({
  n: index[0],
  space: spaceOf(index, attrs),
  c: channelsOf(index, attrs),
});

/** All terms of Σ y·conv(x, kernel): which element of x meets which of the kernel in which of y. */
function terms(x: readonly number[], kernel: readonly number[], attrs: Attrs) {
  const window = kernel.slice(0, -2);
  const [share, filters] = kernel.slice(-2);
  const space = spaceOf(x, attrs);
  const where = placed(space, window, attrs);
  const out = where.map(({ count }) => count);
  const perGroup = filters / (attrs.groups ?? 1);
  const found: { x: Index; kernel: Index; y: Index }[] = [];
  for (const [n, f, c, ...rest] of indicesOf([x[0], filters, share, ...out, ...window])) {
    const [i, u] = [rest.slice(0, out.length), rest.slice(out.length)];
    const h = i.map((at, a) => at * where[a].stride + u[a] * where[a].dilation - where[a].pad);
    if (h.some((at, a) => at < 0 || at >= space[a])) continue;
    const channel = Math.floor(f / perGroup) * share + c;
    found.push({ x: join(n, h, channel, attrs), kernel: [...u, c, f], y: join(n, i, f, attrs) });
  }
  return { found, shape: join(x[0], out, filters, attrs) };
}

type Part = 'x' | 'kernel' | 'y';

/** The sum of the terms over one part, given the two others. */
function summed(
  over: readonly Readonly<Record<Part, Index>>[],
  part: Part,
  shape: readonly number[],
  given: Partial<Record<Part, Naive>>,
): Naive {
  const sums = new Map<string, number>();
  for (const term of over) {
    let value = 1;
    for (const other of ['x', 'kernel', 'y'] as const) {
      const values = given[other];
      if (values !== undefined) value *= at(values, term[other]);
    }
    const key = term[part].join();
    sums.set(key, (sums.get(key) ?? 0) + value);
  }
  return build(shape, (index) => sums.get(index.join()) ?? 0);
}

interface PoolAttrs extends Attrs {
  poolSize: number | readonly number[];
}

/** The elements of the window that a result stands for. */
function windowOf(shape: readonly number[], index: Index, attrs: PoolAttrs): Index[] {
  const { n, space: i, c } = apart(index, attrs);
  const space = spaceOf(shape, attrs);
  const window = space.map((_, axis) => each(attrs.poolSize, axis));
  const where = placed(space, window, { ...attrs, strides: attrs.strides ?? attrs.poolSize });
  return indicesOf(window)
    .map((u) => u.map((at, a) => i[a] * where[a].stride + at - where[a].pad))
    .filter((h) => h.every((at, a) => at >= 0 && at < space[a]))
    .map((h) => join(n, h, c, attrs));
}

function pooledShape(shape: readonly number[], attrs: PoolAttrs): number[] {
  const space = spaceOf(shape, attrs);
  const window = space.map((_, axis) => each(attrs.poolSize, axis));
  const where = placed(space, window, { ...attrs, strides: attrs.strides ?? attrs.poolSize });
  const out = where.map(({ count }) => count);
  return join(shape[0], out, channelsOf(shape, attrs), attrs);
}

const flat = (shape: readonly number[], index: Index): number =>
  index.reduce((n, i, axis) => n * shape[axis] + i, 0);

/** [x, kernel, attributes] of convolutions of all kinds. */
const convolutions: readonly (readonly [readonly number[], readonly number[], Attrs])[] = [
  [[2, 5, 2], [3, 2, 3], {}],
  [[1, 6, 2], [2, 2, 1], { strides: 2, padding: 'same' }],
  [[1, 6, 1], [3, 1, 2], { dilationRate: 2, padding: 'causal' }],
  [[2, 2, 7], [3, 2, 2], { strides: 3, padding: 'same', dataFormat: 'channelsFirst' }],
  [[2, 4, 5, 2], [3, 2, 2, 3], {}],
  [[1, 5, 6, 2], [3, 4, 2, 2], { strides: [2, 1], padding: 'same' }],
  [[2, 2, 5, 4], [3, 3, 2, 2], { padding: 'same', dataFormat: 'channelsFirst' }],
  [[1, 3, 6, 5], [2, 2, 3, 1], { strides: 2, dilationRate: [2, 1], dataFormat: 'channelsFirst' }],
  [[1, 5, 5, 4], [2, 3, 2, 6], { groups: 2, dilationRate: [1, 2] }],
  [[2, 3, 4, 4], [3, 3, 1, 6], { groups: 3, padding: 'same', dataFormat: 'channelsFirst' }],
  [[1, 4, 3, 3], [2, 2, 1, 3], { groups: 3, strides: [1, 2], padding: 'same' }],
  [[2, 3, 3, 2], [1, 1, 2, 2], {}],
  // A window wider than the data, which only padding makes room for; strides that leave elements out.
  [[1, 2, 3, 1], [5, 4, 1, 1], { padding: 'same' }],
  [[1, 1, 7, 5], [1, 2, 1, 2], { strides: [3, 4], dataFormat: 'channelsFirst' }],
];

/** [x, attributes] of poolings of all kinds. */
const poolings: readonly (readonly [
  readonly number[],
  PoolAttrs & { strides?: number | readonly number[] | null; padding?: 'valid' | 'same' },
])[] = [
  [[2, 7, 2], { poolSize: 2 }],
  [[1, 7, 2], { poolSize: 3, strides: 2, padding: 'same' }],
  [[2, 2, 7], { poolSize: 3, strides: 1, padding: 'same', dataFormat: 'channelsFirst' }],
  [[2, 4, 5, 2], { poolSize: 2, strides: null }],
  [[1, 5, 5, 2], { poolSize: [3, 2], strides: [1, 2], padding: 'same' }],
  [[1, 2, 5, 7], { poolSize: 2, padding: 'same', dataFormat: 'channelsFirst' }],
  [[1, 1, 5, 6], { poolSize: [2, 3], strides: [3, 1], dataFormat: 'channelsFirst' }],
];

export const conv = {
  conv: {
    cases: convolutions.map(([x, kernel, attrs]) => ({
      inputs: [uniform(x), uniform(kernel)],
      attrs: { ...attrs, strides: attrs.strides ?? 1 },
    })),
    dtypes: FLOAT,
    empty: [
      {
        inputs: [
          [0, 5, 2],
          [3, 2, 4],
        ],
        shape: [0, 3, 4],
      },
      {
        inputs: [
          [2, 5, 0],
          [3, 0, 4],
        ],
        shape: [2, 3, 4],
        fill: 0,
      },
      {
        inputs: [
          [2, 5, 1],
          [3, 1, 0],
        ],
        shape: [2, 3, 0],
      },
      {
        inputs: [
          [2, 0, 1],
          [3, 1, 4],
        ],
        shape: [2, 0, 4],
      },
    ],
    expected: ([x, kernel], attrs) => {
      const { found, shape } = terms(x.shape, kernel.shape, attrs);
      return summed(found, 'y', shape, { x, kernel });
    },
  },
  convTranspose: {
    cases: convolutions.map(([x, kernel, attrs]) => ({
      inputs: [uniform(terms(x, kernel, attrs).shape), uniform(kernel)],
      attrs: { ...attrs, strides: attrs.strides ?? 1, outputSize: spaceOf(x, attrs) },
    })),
    dtypes: FLOAT,
    empty: [
      {
        inputs: [
          [0, 3, 4],
          [3, 2, 4],
        ],
        shape: [0, 5, 2],
      },
      {
        inputs: [
          [2, 3, 0],
          [3, 2, 0],
        ],
        shape: [2, 5, 2],
        fill: 0,
      },
      {
        inputs: [
          [2, 3, 4],
          [3, 0, 4],
        ],
        shape: [2, 5, 0],
      },
    ],
    expected: ([y, kernel], { outputSize = [], ...attrs }) => {
      const channels = kernel.shape[kernel.shape.length - 2] * (attrs.groups ?? 1);
      const shape = join(y.shape[0], outputSize, channels, attrs);
      return summed(terms(shape, kernel.shape, attrs).found, 'x', shape, { y, kernel });
    },
  },
  convKernelGradient: {
    cases: convolutions.map(([x, kernel, attrs]) => ({
      inputs: [uniform(x), uniform(terms(x, kernel, attrs).shape)],
      attrs: { ...attrs, strides: attrs.strides ?? 1, kernelSize: kernel.slice(0, -2) },
    })),
    dtypes: FLOAT,
    empty: [
      {
        inputs: [
          [0, 5, 2],
          [0, 3, 4],
        ],
        attrs: { kernelSize: [3] },
        shape: [3, 2, 4],
        fill: 0,
      },
      {
        inputs: [
          [2, 5, 2],
          [2, 3, 0],
        ],
        attrs: { kernelSize: [3] },
        shape: [3, 2, 0],
      },
    ],
    expected: ([x, y], { kernelSize, ...attrs }) => {
      const share = channelsOf(x.shape, attrs) / (attrs.groups ?? 1);
      const shape = [...kernelSize, share, channelsOf(y.shape, attrs)];
      return summed(terms(x.shape, shape, attrs).found, 'kernel', shape, { x, y });
    },
  },
  maxPool: {
    cases: poolings.map(([x, attrs]) => ({ inputs: [distinct(x)], attrs })),
    dtypes: SAME,
    empty: [{ inputs: [[0, 4, 2]], attrs: { poolSize: 2 }, shape: [0, 2, 2] }],
    expected: ([x], attrs) => {
      const shape = pooledShape(x.shape, attrs);
      const best = (index: Index): Index =>
        windowOf(x.shape, index, attrs).reduce((a, b) => (at(x, b) > at(x, a) ? b : a));
      return [
        build(shape, (index) => at(x, best(index))),
        build(shape, (index) => flat(x.shape, best(index))),
      ];
    },
  },
  averagePool: {
    cases: poolings.map(([x, attrs]) => ({ inputs: [uniform(x)], attrs })),
    dtypes: FLOAT,
    empty: [{ inputs: [[0, 4, 2]], attrs: { poolSize: 2 }, shape: [0, 2, 2] }],
    expected: ([x], attrs) =>
      build(pooledShape(x.shape, attrs), (index) => {
        const window = windowOf(x.shape, index, attrs);
        return window.reduce((sum, from) => sum + at(x, from), 0) / window.length;
      }),
  },
  averagePoolTranspose: {
    cases: poolings.map(([x, attrs]) => ({
      inputs: [uniform(pooledShape(x, attrs))],
      attrs: { ...attrs, size: spaceOf(x, attrs) },
    })),
    dtypes: FLOAT,
    empty: [{ inputs: [[0, 2, 2]], attrs: { poolSize: 2, size: [4] }, shape: [0, 4, 2] }],
    expected: ([y], { size, ...attrs }) => {
      const shape = join(y.shape[0], size, channelsOf(y.shape, attrs), attrs);
      const sums = new Map<string, number>();
      for (const index of indicesOf(y.shape)) {
        const window = windowOf(shape, index, attrs);
        for (const to of window) {
          sums.set(to.join(), (sums.get(to.join()) ?? 0) + at(y, index) / window.length);
        }
      }
      return build(shape, (index) => sums.get(index.join()) ?? 0);
    },
  },
} satisfies Partial<OpRows>;
