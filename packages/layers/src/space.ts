/**
 * Shapes of data with axes of space (time, or height and width) and an axis of channels: what the layers of convolution, pooling
 * and resizing share.
 */
import {
  ShapeError,
  checkDataFormat,
  formatShape,
  windowsAlong,
  type DataFormat,
  type Padding,
} from '@tapegrad/tensor';
import type { BatchShape, LayerOptions } from './layer.js';

export type { DataFormat };

/** An option of every layer here. */
export interface SpaceOptions extends LayerOptions {
  /**
   * `channelsLast` (default): inputs are [batch, …space, channels]. `channelsFirst`: [batch, channels, …space].
   */
  dataFormat?: DataFormat;
}

/** A number for every axis of space, or one for each. */
export type PerAxis = number | readonly number[];

/** The data format of a layer. @throws ValueError naming the layer for anything but the two */
export function formatOf(layer: string, { dataFormat = 'channelsLast' }: SpaceOptions): DataFormat {
  return checkDataFormat(layer, dataFormat);
}

/** Channels and space of an input's shape. @throws ShapeError for another number of axes */
export function partsOf(
  layer: string,
  shape: BatchShape,
  axes: number,
  format: DataFormat,
): { channels: number | null; space: BatchShape } {
  if (shape.length !== axes + 2) {
    const space = axes === 1 ? 'steps' : 'height, width';
    const wanted = format === 'channelsFirst' ? `channels, ${space}` : `${space}, channels`;
    throw new ShapeError(
      `${layer}: needs inputs [batch, ${wanted}] (dataFormat '${format}'); got ${formatShape(shape)}.`,
    );
  }
  return format === 'channelsFirst'
    ? { channels: shape[1], space: shape.slice(2) }
    : { channels: shape[shape.length - 1], space: shape.slice(1, -1) };
}

/** The shape with these channels and this space. */
export function joinParts(
  batch: number | null,
  channels: number | null,
  space: BatchShape,
  format: DataFormat,
): BatchShape {
  return format === 'channelsFirst' ? [batch, channels, ...space] : [batch, ...space, channels];
}

/** The number of windows along each axis of space; null where the size is not known. @throws ShapeError naming the layer */
export function windowsOver(
  layer: string,
  space: BatchShape,
  window: readonly number[],
  strides: readonly number[],
  dilation: readonly number[],
  padding: Padding,
): BatchShape {
  return space.map((size, axis) =>
    size === null
      ? null
      : windowsAlong(layer, size, window[axis], strides[axis], dilation[axis], padding).count,
  );
}

/** The axes of space of an input. */
export function spaceAxes(axes: number, format: DataFormat): number[] {
  return Array.from({ length: axes }, (_, i) => i + (format === 'channelsFirst' ? 2 : 1));
}
