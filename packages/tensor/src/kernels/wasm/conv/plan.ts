/**
 * What a convolution means to the kernels, worked out for each axis on its own: how data are staged, where the taps lie, and
 * which elements of the result are computed.
 *
 * A transposed convolution with stride s is s·s convolutions (one for each h mod s, w mod s of the result) of the same data
 * with every s-th tap of the kernel, the last one first.
 */
import type { ConvGeometry } from '../../js/im2col.js';
import type { Epilogue, Operand } from '../kernel.js';
import { roundUp } from '../heap.js';

/** Rows that whole tiles take up, be they of 4 or of 6. */
export const tiled = (rows: number): number => Math.max(roundUp(rows, 4), roundUp(rows, 6));

/** Bytes from one element of data to the next, along each axis. */
export interface Steps {
  readonly image: number;
  readonly channel: number;
  readonly row: number;
  readonly column: number;
}

export function stepsOf({ shape, strides }: Operand, channelsFirst: boolean): Steps {
  const [image, ...rest] = strides.map((s) => 4 * s);
  const channel = channelsFirst ? rest[0] : rest[rest.length - 1];
  const space = channelsFirst ? rest.slice(1) : rest.slice(0, -1);
  const column = space[space.length - 1];
  // Data with one axis of space have a single row.
  const width = shape[channelsFirst ? shape.length - 1 : shape.length - 2];
  return { image, channel, row: space.length === 2 ? space[0] : width * column, column };
}

/** One axis of a correlation: the positions, the taps (in elements of the staged data), and how the data are staged. */
export interface Axis {
  readonly positions: number;
  readonly size: number;
  readonly pad: number;
  readonly phases: number;
  readonly staged: number;
  readonly taps: number;
  readonly start: number;
  readonly step: number;
  /** Tap a is that of the kernel's row (or column) first + a·stride. */
  readonly first: number;
  readonly stride: number;
  /** Position i of the result is its element offset + i·spacing. */
  readonly offset: number;
  readonly spacing: number;
}

/** The sizes of a convolution along one axis. */
interface Along {
  readonly size: number;
  readonly out: number;
  readonly window: number;
  readonly stride: number;
  readonly dilation: number;
  readonly pad: number;
}

export function alongHeight(g: ConvGeometry): Along {
  return {
    size: g.inHeight,
    out: g.outHeight,
    window: g.windowHeight,
    stride: g.strideHeight,
    dilation: g.dilationHeight,
    pad: g.padTop,
  };
}

export function alongWidth(g: ConvGeometry): Along {
  return {
    size: g.inWidth,
    out: g.outWidth,
    window: g.windowWidth,
    stride: g.strideWidth,
    dilation: g.dilationWidth,
    pad: g.padLeft,
  };
}

export function forwardAxis({ size, out, window, stride, dilation, pad }: Along): Axis {
  const reach = (out - 1) * stride + (window - 1) * dilation + 1;
  return {
    positions: out,
    size,
    pad,
    phases: stride,
    staged: Math.ceil(Math.max(reach, size + pad) / stride),
    taps: window,
    start: 0,
    step: dilation,
    first: 0,
    stride: 1,
    offset: 0,
    spacing: 1,
  };
}

/**
 * The elements h of the result with h mod stride = residue. Window i puts its tap u on h(i, u) = i·stride + u·dilation − pad, so
 * they get i = (h + pad − u·dilation) / stride for those u for which it is whole.
 */
export function backwardAxis(along: Along, residue: number): Axis {
  const { size, out, window, stride, dilation, pad } = along;
  const taps = Array.from({ length: window }, (_, u) => u).filter(
    (u) => (residue + pad - u * dilation) % stride === 0,
  );
  const shifts = taps.map((u) => (residue + pad - u * dilation) / stride);
  const before = Math.max(0, ...shifts.map((shift) => -shift));
  const positions = Math.ceil((size - residue) / stride);
  return {
    positions,
    size: out,
    pad: before,
    phases: 1,
    staged: Math.max(before + out, positions + before + Math.max(0, ...shifts)),
    taps: taps.length,
    start: taps.length === 0 ? 0 : shifts[0] + before,
    step: taps.length < 2 ? 0 : shifts[1] - shifts[0],
    first: taps.length === 0 ? 0 : taps[0],
    stride: taps.length < 2 ? 1 : taps[1] - taps[0],
    offset: residue,
    spacing: stride,
  };
}

/** The same axis with its taps in the order in which they lie. */
export function ascending(axis: Axis): Axis {
  const { taps, start, step, first, stride } = axis;
  if (step >= 0) return axis;
  const last = taps - 1;
  return {
    ...axis,
    ...{ start: start + last * step, step: -step, first: first + last * stride, stride: -stride },
  };
}

/** Which axes of the kernel stand for what, in bytes from one element to the next. */
export interface WeightSteps {
  readonly address: number;
  readonly row: number;
  readonly column: number;
  readonly channel: number;
  readonly filter: number;
  readonly group: number;
}

/** A correlation of `channels` planes with `filters` (both in one group) along two axes. */
export interface Correlation {
  readonly x: Operand;
  readonly y: Operand;
  readonly channelsFirst: boolean;
  readonly images: number;
  readonly groups: number;
  readonly channels: number;
  readonly filters: number;
  readonly rows: Axis;
  readonly columns: Axis;
  readonly weights: WeightSteps;
  readonly epilogue: Epilogue | null;
}

/** The steps of a kernel [...window, channels, filters] and the share of a group among its filters. */
export function kernelSteps({ address, strides }: Operand, filters: number): WeightSteps {
  const [channel, filter] = strides.slice(-2).map((s) => 4 * s);
  const window = strides.slice(0, -2).map((s) => 4 * s);
  const row = window.length === 2 ? window[0] : 0;
  const column = window[window.length - 1];
  return { address, row, column, channel, filter, group: filters * filter };
}

/** The gradient for `out` of the convolution of x, given that of its result. */
export interface KernelGradient {
  readonly geometry: ConvGeometry;
  readonly x: Operand;
  readonly cotangent: Operand;
  readonly out: Operand;
}
