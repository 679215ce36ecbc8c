/**
 * What convolution and pooling ask of their attributes and shapes: how many windows there are, where the first begins, and
 * which axis holds the channels.
 */
import { ShapeError, ValueError, shown, formatChoices, formatShape } from '../errors.js';
import type { ConvGeometry } from '../kernels/js/im2col.js';
import type { Windows } from '../kernels/js/windows.js';
import type { Shape } from '../shape.js';

/** Where the channels are: [batch, …space, channels] (default) or [batch, channels, …space]. */
export type DataFormat = 'channelsLast' | 'channelsFirst';

/**
 * What stands beyond the edges. `valid` (default): nothing, windows stay inside. `same`: as much padding as makes ⌈size / stride⌉
 * windows, half at the start, and when it is odd the extra one at the end. `causal`, for data with one axis: all
 * padding at the start, so that an output depends on nothing after it.
 */
export type Padding = 'valid' | 'same' | 'causal';

/** How a convolution moves. A number counts for every axis. */
export interface ConvAttrs {
  /** Default 1. */
  strides?: number | readonly number[];
  /** Default 'valid'. */
  padding?: Padding;
  /** The distance between neighbouring taps. Default 1. */
  dilationRate?: number | readonly number[];
  /** Default 'channelsLast'. */
  dataFormat?: DataFormat;
  /** Into how many parts channels and filters are split, each with its own. Default 1. */
  groups?: number;
}

/** How pooling moves. A number counts for every axis. */
export interface PoolAttrs {
  /** The size of the window. */
  poolSize: number | readonly number[];
  /** Default, and null: the size of the window. */
  strides?: number | readonly number[] | null;
  /** Default 'valid'. */
  padding?: 'valid' | 'same';
  /** Default 'channelsLast'. */
  dataFormat?: DataFormat;
}

/**
 * A number for each axis of space.
 *
 * @throws ValueError unless there is one number, or one for each axis, all whole and 1 or more
 */
export function perAxis(
  who: string,
  what: string,
  value: number | readonly number[],
  axes: number,
): readonly number[] {
  const given: unknown = value;
  const isList = typeof value === 'number' || Array.isArray(given);
  const list = typeof value === 'number' ? new Array<number>(axes).fill(value) : value;
  if (!isList || list.length !== axes || list.some((n) => !Number.isInteger(n) || n < 1)) {
    const wanted = axes === 1 ? 'a whole number' : `a whole number, or ${axes} of them,`;
    const got = Array.isArray(given) ? formatShape(list) : shown(given);
    throw new ValueError(`${who}: ${what} must be ${wanted} of 1 or more; got ${got}.`);
  }
  return list;
}

/** @throws ValueError for anything but the two formats */
export function checkDataFormat(who: string, format: DataFormat): DataFormat {
  const known: readonly string[] = ['channelsLast', 'channelsFirst'];
  if (!known.includes(format)) {
    throw new ValueError(
      `${who}: dataFormat is ${formatChoices(known)}; got ${JSON.stringify(format)}.`,
    );
  }
  return format;
}

/**
 * @param axes of space of a convolution, or null for pooling: only a convolution over one axis can be causal
 * @throws ValueError for any other padding
 */
export function checkPadding(who: string, padding: Padding, axes: number | null): Padding {
  const known = axes === 1 ? ['valid', 'same', 'causal'] : ['valid', 'same'];
  if (!known.includes(padding)) {
    throw new ValueError(
      `${who}: padding is ${formatChoices(known)}; got ${JSON.stringify(padding)}.`,
    );
  }
  return padding;
}

/** A shape taken apart. */
export interface Parts {
  readonly batch: number;
  readonly channels: number;
  readonly space: Shape;
}

/** Batch, channels and space of a shape with one or two axes of space. @throws ShapeError for any other number of axes */
export function splitShape(who: string, what: string, shape: Shape, format: DataFormat): Parts {
  if (shape.length !== 3 && shape.length !== 4) {
    const layout =
      format === 'channelsFirst' ? 'batch, channels, …space' : 'batch, …space, channels';
    throw new ShapeError(
      `${who}: ${what} must be [${layout}] with one or two axes of space; got ${formatShape(shape)}.`,
    );
  }
  return format === 'channelsFirst'
    ? { batch: shape[0], channels: shape[1], space: shape.slice(2) }
    : { batch: shape[0], channels: shape[shape.length - 1], space: shape.slice(1, -1) };
}

/** The shape that `splitShape` takes apart. */
export function joinShape({ batch, channels, space }: Parts, format: DataFormat): number[] {
  return format === 'channelsFirst' ? [batch, channels, ...space] : [batch, ...space, channels];
}

/**
 * The number of windows along an axis of `size` elements, and how many places the first begins before it.
 *
 * @throws ShapeError when not a single window fits
 */
export function windowsAlong(
  who: string,
  size: number,
  window: number,
  stride: number,
  dilation: number,
  padding: Padding,
): { count: number; pad: number } {
  const reach = (window - 1) * dilation + 1;
  if (padding === 'valid') {
    if (reach > size && size > 0) {
      const how = dilation === 1 ? `${window}` : `${window}, dilated to ${reach},`;
      throw new ShapeError(
        `${who}: a window of ${how} does not fit into an axis of ${size}; ` +
          `take a smaller window or padding 'same'.`,
      );
    }
    return { count: Math.max(0, Math.floor((size - reach) / stride) + 1), pad: 0 };
  }
  const count = Math.ceil(size / stride);
  if (padding === 'causal') return { count, pad: reach - 1 };
  const total = Math.max((count - 1) * stride + reach - size, 0);
  return { count, pad: Math.floor(total / 2) };
}

/** All windows over one or two axes of space, and the space that the outputs make. */
export function resolveWindows(
  who: string,
  space: Shape,
  window: readonly number[],
  strides: readonly number[],
  dilation: readonly number[],
  padding: Padding,
): { windows: Windows; out: number[] } {
  const along = space.map((size, axis) =>
    windowsAlong(who, size, window[axis], strides[axis], dilation[axis], padding),
  );
  // One axis is two, of which the first has size 1.
  const both = <T>(list: readonly T[], first: T): readonly [T, T] =>
    list.length === 1 ? [first, list[0]] : [list[0], list[1]];
  const [inHeight, inWidth] = both(space, 1);
  const [windowHeight, windowWidth] = both(window, 1);
  const [strideHeight, strideWidth] = both(strides, 1);
  const [dilationHeight, dilationWidth] = both(dilation, 1);
  const [rows, columns] = both(along, { count: 1, pad: 0 });
  const windows = {
    inHeight,
    inWidth,
    outHeight: rows.count,
    outWidth: columns.count,
    windowHeight,
    windowWidth,
    strideHeight,
    strideWidth,
    dilationHeight,
    dilationWidth,
    padTop: rows.pad,
    padLeft: columns.pad,
  };
  return { windows, out: along.map(({ count }) => count) };
}

/**
 * A convolution worked out from the shape of its data and the size of its kernel.
 *
 * @throws ShapeError, ValueError naming `who`, when they do not fit
 */
export function resolveConv(
  who: string,
  shape: Shape,
  window: Shape,
  filters: number,
  attrs: ConvAttrs,
): { geometry: ConvGeometry; shape: number[] } {
  const { strides = 1, padding = 'valid', dilationRate = 1, groups = 1 } = attrs;
  const format = checkDataFormat(who, attrs.dataFormat ?? 'channelsLast');
  const { batch, channels, space } = splitShape(who, 'x', shape, format);
  const axes = space.length;
  checkGroups(who, channels, filters, groups);
  const { windows, out } = resolveWindows(
    who,
    space,
    perAxis(who, 'the size of the kernel', window, axes),
    perAxis(who, 'strides', strides, axes),
    perAxis(who, 'dilationRate', dilationRate, axes),
    checkPadding(who, padding, axes),
  );
  const channelsFirst = format === 'channelsFirst';
  return {
    geometry: { ...windows, batch, channels, filters, groups, channelsFirst },
    shape: joinShape({ batch, channels: filters, space: out }, format),
  };
}

/** @throws ValueError unless groups divide both channels and filters */
export function checkGroups(who: string, channels: number, filters: number, groups: number): void {
  perAxis(who, 'groups', groups, 1);
  if (channels % groups !== 0 || filters % groups !== 0) {
    throw new ValueError(
      `${who}: ${groups} groups must divide both the ${channels} channels and the ${filters} filters.`,
    );
  }
}

/** Pooling worked out from the shape of its data. @throws ShapeError, ValueError naming `who`, when they do not fit */
export function resolvePool(
  who: string,
  shape: Shape,
  attrs: PoolAttrs,
): { windows: Windows; images: number; channels: number; shape: number[] } {
  const { poolSize, strides, padding = 'valid' } = attrs;
  const format = checkDataFormat(who, attrs.dataFormat ?? 'channelsLast');
  const { batch, channels, space } = splitShape(who, 'x', shape, format);
  const axes = space.length;
  const { windows, out } = resolveWindows(
    who,
    space,
    perAxis(who, 'poolSize', poolSize, axes),
    perAxis(who, 'strides', strides ?? poolSize, axes),
    new Array<number>(axes).fill(1),
    checkPadding(who, padding, null),
  );
  // Planes are images of one channel.
  const planes = format === 'channelsFirst';
  return {
    windows,
    images: planes ? batch * channels : batch,
    channels: planes ? 1 : channels,
    shape: joinShape({ batch, channels, space: out }, format),
  };
}
