/**
 * Convolution over one or two axes of space, and its two adjoints, which are its gradients and each other's. Depthwise convolution
 * is a convolution with as many groups as channels; `convTranspose` is also called deconvolution.
 */
import { ShapeError, formatShape } from '../errors.js';
import * as k from '../kernels/js/conv.js';
import type { ConvGeometry } from '../kernels/js/im2col.js';
import { asContiguous } from '../loops.js';
import type { KernelOp } from '../op.js';
import { checkList, checkShape, type Shape } from '../shape.js';
import { joinShape, perAxis, resolveConv, splitShape, type ConvAttrs } from './windows.js';

/** `conv` on these shapes. @throws ShapeError, ValueError when they do not fit */
function resolveForward(
  x: Shape,
  kernel: Shape,
  attrs: ConvAttrs,
): { geometry: ConvGeometry; shape: number[] } {
  const { channels } = splitShape('conv', 'x', x, attrs.dataFormat ?? 'channelsLast');
  const groups = attrs.groups ?? 1;
  const [share, filters] = kernel.slice(-2);
  if (kernel.length !== x.length || share * groups !== channels) {
    const wanted = x.length === 3 ? '[size, ' : '[height, width, ';
    throw new ShapeError(
      `conv: x ${formatShape(x)} has ${channels} channels and needs a kernel ${wanted}${channels / groups}, filters]` +
        `${groups === 1 ? '' : ` for ${groups} groups`}; got ${formatShape(kernel)}.`,
    );
  }
  return resolveConv('conv', x, kernel.slice(0, -2), filters, attrs);
}

const CONV_ATTRIBUTES = ['strides', 'padding', 'dilationRate', 'dataFormat', 'groups'];

/**
 * Convolution (cross-correlation, as in all of deep learning): y(i, f) = Σ_u Σ_c x(i·stride + u·dilation − pad, c)·kernel(u, c, f).
 * Shapes: x [batch, …space, channels], kernel [...window, channels / groups, filters] → [batch, …windows, filters], with one
 * or two axes of space; with `dataFormat: 'channelsFirst'` x and the result have their channels after the batch.
 * @throws ShapeError when x, kernel and windows do not fit @throws ValueError for attributes out of range
 * @example ops.conv([[[1], [2], [4]]], [[[1]], [[10]]]); // [[[21], [42]]]
 */
export const conv: KernelOp<readonly ['x', 'kernel'], ConvAttrs, never> = {
  kind: 'kernel',
  name: 'conv',
  attributes: [...CONV_ATTRIBUTES],
  heavy: true,
  biasAxis: (shape, { dataFormat }) => (dataFormat === 'channelsFirst' ? 1 : shape.length - 1),
  inputs: ['x', 'kernel'],
  promotion: 'float',
  infer: ([x, kernel], attrs) => ({
    dtype: x.dtype,
    shape: resolveForward(x.shape, kernel.shape, attrs).shape,
  }),
  launch: ([x, kernel], out, attrs) => {
    const { geometry } = resolveForward(x.shape, kernel.shape, attrs);
    const [a, b] = [asContiguous(x), asContiguous(kernel)];
    k.conv(geometry, a.data, a.offset, b.data, b.offset, out.data, out.offset);
  },
};

/** What a transposed convolution needs besides: the space of its result, since several have the same windows. */
export interface ConvTransposeAttrs extends ConvAttrs {
  /** Default: as Keras has it, size·stride, and with padding 'valid' the part of the window that exceeds the stride besides. */
  outputSize?: readonly number[];
}

/** The convolution that `convTranspose` turns around, and the shape of its data. */
function resolveTransposed(
  y: Shape,
  kernel: Shape,
  { outputSize, ...attrs }: ConvTransposeAttrs,
): { geometry: ConvGeometry; shape: number[] } {
  const format = attrs.dataFormat ?? 'channelsLast';
  const { batch, channels: filters, space } = splitShape('convTranspose', 'x', y, format);
  if (kernel.length !== y.length || kernel[kernel.length - 1] !== filters) {
    const wanted = y.length === 3 ? '[size, ' : '[height, width, ';
    throw new ShapeError(
      `convTranspose: x ${formatShape(y)} has ${filters} channels and needs a kernel ${wanted}filters, ${filters}]; ` +
        `got ${formatShape(kernel)}.`,
    );
  }
  const window = kernel.slice(0, -2);
  if (outputSize !== undefined) checkList('convTranspose', 'outputSize', outputSize);
  const size = outputSize ?? transposedSize('convTranspose', space, window, attrs);
  const channels = kernel[kernel.length - 2] * (attrs.groups ?? 1);
  const shape = joinShape({ batch, channels, space: size }, format);
  checkShape('convTranspose', shape);
  const back = resolveConv('convTranspose', shape, window, filters, attrs);
  if (back.shape.some((n, i) => n !== y[i])) {
    throw new ShapeError(
      `convTranspose: an output of size ${formatShape(size)} belongs to x ${formatShape(back.shape)}; got ${formatShape(y)}.`,
    );
  }
  return { geometry: back.geometry, shape };
}

/** Keras's rule for the space that a transposed convolution makes. */
function transposedSize(
  who: string,
  space: Shape,
  window: Shape,
  { strides = 1, dilationRate = 1, padding = 'valid' }: ConvAttrs,
): number[] {
  const stride = perAxis(who, 'strides', strides, space.length);
  const dilation = perAxis(who, 'dilationRate', dilationRate, space.length);
  return space.map((n, axis) => {
    const reach = (window[axis] - 1) * dilation[axis] + 1;
    return n * stride[axis] + (padding === 'valid' ? Math.max(reach - stride[axis], 0) : 0);
  });
}

/**
 * The transpose of a convolution with the same kernel and attributes, which makes from the result's shape that of the data: each
 * element of x puts the kernel, multiplied by it, onto the result. It is the gradient of `conv` for its data.
 * Shapes: x [batch, …windows, in], kernel [...window, filters / groups, in] → [batch, …space, filters].
 * @throws ShapeError when x, kernel and size do not fit @throws ValueError for attributes out of range
 * @example ops.convTranspose([[[1], [2]]], [[[1]], [[10]]]); // [[[1], [12], [20]]]
 */
export const convTranspose: KernelOp<readonly ['x', 'kernel'], ConvTransposeAttrs, never> = {
  kind: 'kernel',
  name: 'convTranspose',
  attributes: ['outputSize', ...CONV_ATTRIBUTES],
  heavy: true,
  inputs: ['x', 'kernel'],
  promotion: 'float',
  infer: ([x, kernel], attrs) => ({
    dtype: x.dtype,
    shape: resolveTransposed(x.shape, kernel.shape, attrs).shape,
  }),
  launch: ([x, kernel], out, attrs) => {
    const { geometry } = resolveTransposed(x.shape, kernel.shape, attrs);
    const [a, b] = [asContiguous(x), asContiguous(kernel)];
    k.convTranspose(geometry, a.data, a.offset, b.data, b.offset, out.data, out.offset);
  },
};

/** The attributes of the convolution, and the size of its kernel. */
export interface ConvKernelGradientAttrs extends ConvAttrs {
  kernelSize: readonly number[];
}

/** The convolution whose kernel's gradient is asked for. */
function resolveKernel(
  x: Shape,
  g: Shape,
  { kernelSize, ...attrs }: ConvKernelGradientAttrs,
): { geometry: ConvGeometry; shape: number[] } {
  const who = 'convKernelGradient';
  const format = attrs.dataFormat ?? 'channelsLast';
  const { channels: filters } = splitShape(who, 'cotangent', g, format);
  const { geometry, shape } = resolveConv(who, x, kernelSize, filters, attrs);
  if (shape.length !== g.length || shape.some((n, i) => n !== g[i])) {
    throw new ShapeError(
      `${who}: x ${formatShape(x)} has windows of shape ${formatShape(shape)}; got a cotangent ${formatShape(g)}.`,
    );
  }
  const share = geometry.channels / geometry.groups;
  return { geometry, shape: [...kernelSize, share, filters] };
}

/**
 * The gradient of `conv` for its kernel: k(u, c, f) = Σ_i x(i·stride + u·dilation − pad, c)·cotangent(i, f), over batch and windows.
 * Shapes: x [batch, …space, channels], cotangent [batch, …windows, filters] → [...kernelSize, channels / groups, filters].
 * @throws ShapeError when x, cotangent and windows do not fit @throws ValueError for attributes out of range
 * @example ops.convKernelGradient([[[1], [2], [4]]], [[[1], [10]]], { kernelSize: [2] }); // [[[21]], [[42]]]
 */
export const convKernelGradient: KernelOp<
  readonly ['x', 'cotangent'],
  ConvKernelGradientAttrs,
  never
> = {
  kind: 'kernel',
  name: 'convKernelGradient',
  attributes: ['kernelSize', ...CONV_ATTRIBUTES],
  heavy: true,
  inputs: ['x', 'cotangent'],
  promotion: 'float',
  infer: ([x, cotangent], attrs) => ({
    dtype: x.dtype,
    shape: resolveKernel(x.shape, cotangent.shape, attrs).shape,
  }),
  launch: ([x, cotangent], out, attrs) => {
    const { geometry } = resolveKernel(x.shape, cotangent.shape, attrs);
    const [a, b] = [asContiguous(x), asContiguous(cotangent)];
    k.convKernelGradient(geometry, a.data, a.offset, b.data, b.offset, out.data, out.offset);
  },
};
