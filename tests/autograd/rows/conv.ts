/** Rows of convolution and pooling. */
import { ops } from '@tapegrad/autograd';
import { distinct, row, uniform, type GradientRow, type GradientRows } from './types.js';

type Row = readonly [GradientRow, ...GradientRow[]];
type Shape = readonly number[];
type ConvAttrs = NonNullable<Parameters<typeof ops.conv>[2]>;

/** [x, kernel, what comes out, attributes] */
const convolutions: readonly [
  readonly [Shape, Shape, Shape, ConvAttrs],
  ...(readonly [Shape, Shape, Shape, ConvAttrs])[],
] = [
  [[1, 4, 2], [2, 2, 2], [1, 3, 2], {}],
  [[2, 2, 5], [3, 2, 1], [2, 1, 3], { strides: 2, padding: 'same', dataFormat: 'channelsFirst' }],
  [[1, 4, 1], [2, 1, 2], [1, 4, 2], { dilationRate: 2, padding: 'causal' }],
  [[1, 3, 4, 2], [2, 3, 2, 2], [1, 2, 4, 2], { strides: [2, 1], padding: 'same' }],
  [[1, 4, 3, 3], [2, 2, 2, 2], [1, 2, 2, 1], { dilationRate: [1, 2], groups: 2, dataFormat: 'channelsFirst' }], // prettier-ignore
  [[1, 3, 3, 2], [2, 2, 1, 4], [1, 2, 2, 4], { groups: 2 }],
];

const spaceOf = (shape: Shape, attrs: object): Shape =>
  'dataFormat' in attrs && attrs.dataFormat === 'channelsFirst'
    ? shape.slice(2)
    : shape.slice(1, -1);

/** One row for each convolution. */
function rowsOf(make: (c: (typeof convolutions)[number]) => GradientRow): Row {
  return [make(convolutions[0]), ...convolutions.slice(1).map(make)];
}

const pooled = [
  [[1, 5, 2], [1, 2, 2], { poolSize: 2 }],
  [[1, 2, 5], [1, 2, 3], { poolSize: 3, strides: 2, padding: 'same', dataFormat: 'channelsFirst' }],
  [[1, 3, 4, 1], [1, 3, 2, 1], { poolSize: [3, 2], strides: [1, 2], padding: 'same' }],
  [[1, 2, 3, 3], [1, 2, 2, 2], { poolSize: 2, padding: 'same', dataFormat: 'channelsFirst' }],
] as const;

function poolRows(make: (c: (typeof pooled)[number]) => GradientRow): Row {
  return [make(pooled[0]), ...pooled.slice(1).map(make)];
}

export const convRows = {
  conv: rowsOf(([x, kernel, , attrs]) =>
    row((a, b) => ops.conv(a, b, attrs), uniform(x), uniform(kernel)),
  ),
  convTranspose: [
    ...rowsOf(([x, kernel, y, attrs]) =>
      row(
        (a, b) => ops.convTranspose(a, b, { ...attrs, outputSize: spaceOf(x, attrs) }),
        uniform(y),
        uniform(kernel),
      ),
    ),
    // The size that Keras chooses.
    row((a, b) => ops.convTranspose(a, b, { strides: 2 }), uniform([1, 2, 2, 1]), uniform([3, 2, 1, 1])), // prettier-ignore
  ],
  convKernelGradient: rowsOf(([x, kernel, y, attrs]) =>
    row(
      (a, b) => ops.convKernelGradient(a, b, { ...attrs, kernelSize: kernel.slice(0, -2) }),
      uniform(x),
      uniform(y),
    ),
  ),
  maxPool: poolRows(([x, , attrs]) => row((a) => ops.maxPool(a, attrs)[0], distinct(x))),
  averagePool: poolRows(([x, , attrs]) => row((a) => ops.averagePool(a, attrs), uniform(x))),
  averagePoolTranspose: poolRows(([x, y, attrs]) =>
    row((a) => ops.averagePoolTranspose(a, { ...attrs, size: spaceOf(x, attrs) }), uniform(y)),
  ),
} satisfies Partial<GradientRows>;
