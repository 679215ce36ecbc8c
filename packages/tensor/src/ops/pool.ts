/**
 * Pooling over one or two axes of space. Padding is never the maximum and does not count in the mean.
 */
import { ShapeError, formatShape } from '../errors.js';
import * as k from '../kernels/js/pool.js';
import { asContiguous } from '../loops.js';
import type { KernelOp, ListOp } from '../op.js';
import { checkList } from '../shape.js';
import { joinShape, resolvePool, splitShape, type PoolAttrs } from './windows.js';

/**
 * The maximum of each window, and where it stands: the position in the flat data, int32; of equal ones the first.
 * Shapes: [batch, …space, channels] → two of [batch, …windows, channels], with one or two axes of space; with
 * `dataFormat: 'channelsFirst'` the channels come after the batch.
 * @throws ShapeError when no window fits @throws ValueError for attributes out of range
 * @example ops.maxPool([[[1], [3], [2], [0]]], 2); // [[[[3], [2]]], [[[1], [2]]]]
 */
export const maxPool: ListOp<readonly ['x'], PoolAttrs, 'poolSize'> = {
  kind: 'list',
  name: 'maxPool',
  attributes: ['strides', 'padding', 'dataFormat'],
  inputs: ['x'],
  promotion: 'same',
  lead: 'poolSize',
  infer: ([x], attrs) => {
    const { shape } = resolvePool('maxPool', x.shape, attrs);
    return [
      { dtype: x.dtype, shape },
      { dtype: 'int32', shape },
    ];
  },
  launch: ([x], [values, indices], attrs) => {
    const { windows, images, channels } = resolvePool('maxPool', x.shape, attrs);
    const a = asContiguous(x);
    k.maxPool(
      windows,
      images,
      channels,
      a.data,
      a.offset,
      values.data,
      values.offset,
      indices.data,
      indices.offset,
    );
  },
};

/**
 * The mean of each window, over the elements that it has: padding does not count.
 * Shapes: [batch, …space, channels] → [batch, …windows, channels], with one or two axes of space; with
 * `dataFormat: 'channelsFirst'` the channels come after the batch.
 * @throws ShapeError when no window fits @throws ValueError for attributes out of range
 * @example ops.averagePool([[[1], [3], [2], [0]]], 2); // [[[2], [1]]]
 */
export const averagePool: KernelOp<readonly ['x'], PoolAttrs, 'poolSize'> = {
  kind: 'kernel',
  name: 'averagePool',
  attributes: ['strides', 'padding', 'dataFormat'],
  inputs: ['x'],
  promotion: 'float',
  lead: 'poolSize',
  infer: ([x], attrs) => ({
    dtype: x.dtype,
    shape: resolvePool('averagePool', x.shape, attrs).shape,
  }),
  launch: ([x], out, attrs) => {
    const { windows, images, channels } = resolvePool('averagePool', x.shape, attrs);
    const a = asContiguous(x);
    k.averagePool(windows, images, channels, a.data, a.offset, out.data, out.offset);
  },
};

/** The attributes of the pooling, and the space of its data. */
export interface AveragePoolTransposeAttrs extends PoolAttrs {
  size: readonly number[];
}

/** The shape of the data that `averagePool` would make x from. */
function transposedShape(
  x: readonly number[],
  { size, ...attrs }: AveragePoolTransposeAttrs,
): number[] {
  const who = 'averagePoolTranspose';
  checkList(who, 'size', size);
  const format = attrs.dataFormat ?? 'channelsLast';
  const shape = joinShape({ ...splitShape(who, 'x', x, format), space: size }, format);
  const back = resolvePool(who, shape, attrs).shape;
  if (back.length !== x.length || back.some((n, i) => n !== x[i])) {
    throw new ShapeError(
      `${who}: data of size ${formatShape(size)} have windows of shape ${formatShape(back)}; got ${formatShape(x)}.`,
    );
  }
  return shape;
}

/**
 * The gradient of `averagePool`: each element of x is divided evenly among the elements of its window.
 * Shapes: [batch, …windows, channels] → [batch, …size, channels].
 * @throws ShapeError when x and size do not fit @throws ValueError for attributes out of range
 * @example ops.averagePoolTranspose([[[2], [4]]], { poolSize: 2, size: [5] }); // [[[1], [1], [2], [2], [0]]]
 */
export const averagePoolTranspose: KernelOp<readonly ['x'], AveragePoolTransposeAttrs, never> = {
  kind: 'kernel',
  name: 'averagePoolTranspose',
  attributes: ['size', 'poolSize', 'strides', 'padding', 'dataFormat'],
  inputs: ['x'],
  promotion: 'float',
  infer: ([x], attrs) => ({ dtype: x.dtype, shape: transposedShape(x.shape, attrs) }),
  launch: ([x], out, { size: _size, ...attrs }) => {
    const { windows, images, channels } = resolvePool('averagePoolTranspose', out.shape, attrs);
    const a = asContiguous(x);
    k.averagePoolTranspose(windows, images, channels, a.data, a.offset, out.data, out.offset);
  },
};
