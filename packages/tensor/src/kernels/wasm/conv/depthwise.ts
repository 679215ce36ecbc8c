/**
 * The commands of depthwise convolution, in which each channel has filters of its own, and of its gradients. There is nothing that
 * a product of matrices could use again, so the sums are computed directly: across the channels where these are neighbours,
 * else along the rows; and along the rows also where else there are few filters, or for the gradient few channels.
 */
import { PARALLEL, filtersOf, flopsOf, placement, type Placement } from './commands.js';
import { RUN, depthwisePlanes } from './depthwise-planes.js';
import {
  SUMS,
  depthwisePixels,
  depthwisePixelsGradient,
  packPixelFilters,
} from './depthwise-pixels.js';
import { sourceOf } from './gradient-commands.js';
import { stagePixels } from './kernel-gradient.js';
import { packFilters } from './panels.js';
import { planesGradient, planesGradientKernels } from './planes-gradient.js';
import {
  alongHeight,
  alongWidth,
  forwardAxis,
  stepsOf,
  tiled,
  type Axis,
  type Correlation,
  type KernelGradient,
} from './plan.js';
import { roundUp } from '../heap.js';
import { command, type Command, type Kernel, type LoweringContext } from '../kernel.js';

export const depthwiseKernels: readonly Kernel[] = [
  depthwisePlanes,
  ...planesGradientKernels,
  depthwisePixels,
  depthwisePixelsGradient,
  packPixelFilters,
];

/** Elements of a staged plane, and of those that its last run may read. */
const planeSize = ({ channels, rows, columns }: Correlation): number =>
  channels * rows.phases * columns.phases * rows.staged * columns.staged +
  2 * columns.staged +
  2 * RUN;

/** What the kernels for planes are told but for their memory. */
function planes(c: Correlation): Placement & {
  readonly [K in 'stagedHeight' | 'stagedWidth' | 'blockChannels' | 'resultRow']: number;
} {
  return {
    ...placement(c),
    stagedHeight: c.rows.staged,
    stagedWidth: c.columns.staged,
    blockChannels: c.channels,
    resultRow: 4 * c.columns.staged,
  };
}

/** Along the rows. */
export function planeCommands(c: Correlation, context: LoweringContext): Command[] {
  const { rows, columns, groups, channels, filters } = c;
  const taps = channels * rows.taps * columns.taps;
  const tapsAt = roundUp(4 * planeSize(c), 64);
  const resultAt = tapsAt + roundUp(4 * taps, 64);
  const resultStep = 4 * roundUp(rows.positions * columns.staged, RUN);
  const partBytes = resultAt + roundUp(filters * resultStep, 64);
  const panels = context.scratch(4 * groups * tiled(filters) * taps);
  const scratch = context.scratch(context.threads * partBytes);
  const flops = flopsOf(c);
  const memory = { panels, scratch, partBytes, tapsAt, panelAt: resultAt, resultAt, resultStep };
  return [
    command(packFilters, filtersOf(c, panels)),
    command(depthwisePlanes, { ...planes(c), ...memory }, { parallel: flops >= PARALLEL, flops }),
  ];
}

/** How many elements of an axis are staged where strides stay as they are. */
const stagedAlong = ({ staged, phases }: Axis): number => staged * phases;

/** Across the channels. */
export function pixelCommands(c: Correlation, context: LoweringContext): Command[] {
  const { rows, columns, groups, channels, filters } = c;
  const [stagedHeight, stagedWidth] = [stagedAlong(rows), stagedAlong(columns)];
  const taps = channels * rows.taps * columns.taps;
  const pitch = 4 * roundUp(groups, 4);
  const tapsAt = roundUp(4 * groups * channels * stagedHeight * stagedWidth + 64, 64);
  const resultAt = tapsAt + roundUp(4 * taps, 64);
  const partBytes = resultAt + roundUp(columns.positions * pitch, 64);
  const panels = context.scratch(filters * (1 + taps) * pitch);
  const scratch = context.scratch(context.threads * partBytes);
  const flops = flopsOf(c);
  const place = placement(c);
  const { bias, biasStep } = place;
  const args = {
    ...{ ...place, stagedHeight, stagedWidth, phaseRows: 1, phaseColumns: 1 },
    ...{ positionRows: rows.phases, positionColumns: columns.phases },
    reach: Math.max(rows.start, rows.start + (rows.taps - 1) * rows.step) + 1,
    ...{ panels, scratch, partBytes, tapsAt, panelAt: resultAt, resultAt, resultStep: pitch },
    ...{ blockChannels: channels, resultRow: columns.positions * pitch },
  };
  return [
    command(packPixelFilters, {
      ...{ ...filtersOf(c, panels), bias },
      ...{ biasFilter: biasStep, biasGroup: filters * biasStep },
    }),
    command(depthwisePixels, args, { parallel: flops >= PARALLEL, flops }),
  ];
}

/** The rows of the cotangent that make a block of the sum have about so many positions. */
const POSITIONS = 1024;

/** The gradient for the kernel along the rows, or where filters are neighbours in the cotangent, across them. */
export function planesGradientCommands(p: KernelGradient, context: LoweringContext): Command[] {
  const { batch: images, groups, channelsFirst, ...g } = p.geometry;
  const [channels, filters] = [g.channels / groups, g.filters / groups];
  const { channel, column } = stepsOf(p.cotangent, channelsFirst);
  const c: Correlation = {
    ...{ x: p.x, y: p.cotangent, channelsFirst, images, groups, channels, filters },
    rows: forwardAxis(alongHeight(p.geometry)),
    columns: forwardAxis(alongWidth(p.geometry)),
    weights: { address: 0, row: 0, column: 0, channel: 0, filter: 0, group: 0 },
    epilogue: null,
  };
  const taps = channels * g.windowHeight * g.windowWidth;
  const run = g.strideWidth === 1 && g.dilationWidth === 1 ? g.windowWidth : 1;
  const pixels = channel === 4 && column !== 4 && filters >= 4;
  const { tile, kernel } = planesGradient(taps, run, filters, pixels);
  const chunks = Math.ceil(taps / tile.taps);
  const tileBytes = 16 * tile.taps * tile.vectors;
  const blockRows = Math.max(1, Math.floor(POSITIONS / g.outWidth));
  const tapsAt = roundUp(4 * planeSize(c), 64);
  const panelAt = tapsAt + roundUp(4 * tile.taps * chunks, 64);
  const resultAt = panelAt + roundUp(4 * tile.filters * blockRows * g.outWidth, 64);
  const partBytes = resultAt + Math.ceil(filters / tile.filters) * chunks * tileBytes;
  const scratch = context.scratch(context.threads * roundUp(partBytes, 64));
  const flops = flopsOf(c);
  const args = {
    ...{ ...planes(c), panels: 0, scratch, partBytes: roundUp(partBytes, 64) },
    ...{ tapsAt, panelAt, resultAt, resultStep: 0, out: p.out.address, blockRows },
  };
  return [command(kernel, args, { parallel: flops >= PARALLEL, flops })];
}

/** The gradient for the kernel across the channels. */
export function pixelGradientCommands(
  { geometry: g, x, cotangent, out }: KernelGradient,
  context: LoweringContext,
): Command[] {
  const { batch: images, channels, inHeight, inWidth, outHeight, outWidth, padTop, padLeft } = g;
  const stagedHeight = stagedAlong(forwardAxis(alongHeight(g)));
  const stagedWidth = stagedAlong(forwardAxis(alongWidth(g)));
  const pixel = 4 * channels;
  const row = stagedWidth * pixel;
  const taps = roundUp(g.windowHeight * g.windowWidth, SUMS);
  const partBytes = roundUp(4 * taps, 64);
  const pixels = context.scratch(images * stagedHeight * row + 64);
  const sums = context.scratch(16 * taps * Math.ceil(channels / 4));
  const scratch = context.scratch(context.threads * partBytes);
  const flops = 2 * images * channels * g.windowHeight * g.windowWidth * outHeight * outWidth;
  const parallel = flops >= PARALLEL;
  const commands = [
    command(
      stagePixels,
      {
        ...{ ...sourceOf(x, g), images, channels, pixels },
        ...{ inHeight, inWidth, padTop, padLeft, stagedHeight, stagedWidth },
      },
      { parallel },
    ),
  ];
  const over = stepsOf(cotangent, false);
  let factors = { y: cotangent.address, yImage: over.image, yRow: over.row, yColumn: over.column };
  if (channels % 4 !== 0) {
    // The last vector of a pixel is more than is there: behind the last of all there may be no memory.
    const y = context.scratch(images * outHeight * outWidth * pixel + 64);
    factors = { y, yImage: outHeight * outWidth * pixel, yRow: outWidth * pixel, yColumn: pixel };
    const whole = { padTop: 0, padLeft: 0, stagedHeight: outHeight, stagedWidth: outWidth };
    commands.push(
      command(
        stagePixels,
        {
          ...{ ...sourceOf(cotangent, g), ...whole, images, channels, pixels: y },
          ...{ inHeight: outHeight, inWidth: outWidth },
        },
        { parallel },
      ),
    );
  }
  const args = {
    ...{ ...factors, pixels, imageStep: stagedHeight * row, images, channels, outHeight, outWidth },
    ...{ rowStep: g.strideHeight * row, columnStep: g.strideWidth * pixel },
    ...{ tapRowStep: g.dilationHeight * row, tapColumnStep: g.dilationWidth * pixel },
    ...{ tapRows: g.windowHeight, tapColumns: g.windowWidth },
    ...{ out: out.address, sums, scratch, partBytes },
  };
  commands.push(command(depthwisePixelsGradient, args, { parallel, flops }));
  return commands;
}
