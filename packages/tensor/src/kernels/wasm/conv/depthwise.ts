/**
 * The commands of depthwise convolution, in which each channel has filters of its own, and of its gradients. There is nothing that
 * a product of matrices could use again, so the sums are computed directly: across the channels where these are neighbours,
 * else along the rows.
 */
import { PARALLEL, filtersOf, flopsOf, placement, type Placement } from './commands.js';
import { RUN, SUMS, depthwisePlanes, depthwisePlanesGradient } from './depthwise-planes.js';
import { depthwisePixels, depthwisePixelsGradient, packPixelFilters } from './depthwise-pixels.js';
import { sourceOf, type KernelGradient } from './gradient-commands.js';
import { stagePixels } from './kernel-gradient.js';
import { packFilters } from './panels.js';
import {
  alongHeight,
  alongWidth,
  forwardAxis,
  stepsOf,
  tiled,
  type Axis,
  type Correlation,
} from './plan.js';
import { roundUp } from '../heap.js';
import { command, type Command, type Kernel, type LoweringContext } from '../kernel.js';

export const depthwiseKernels: readonly Kernel[] = [
  depthwisePlanes,
  depthwisePlanesGradient,
  depthwisePixels,
  depthwisePixelsGradient,
  packPixelFilters,
];

/** With more filters to a channel than this they make good tiles of a matrix product. */
const MOST_FILTERS = 3;

/** Fewer channels than this do not fill a vector. */
const FEWEST_CHANNELS = 3;

const isDepthwise = (groups: number, channels: number, filters: number): boolean =>
  groups > 1 && Math.min(channels, filters) === 1 && channels * filters <= MOST_FILTERS;

/** The commands of a depthwise convolution, forwards or transposed; null if it is none. */
export function depthwiseCommands(c: Correlation, context: LoweringContext): Command[] | null {
  if (!isDepthwise(c.groups, c.channels, c.filters)) return null;
  const across =
    !c.channelsFirst &&
    c.groups >= FEWEST_CHANNELS &&
    stepsOf(c.x, false).channel === 4 &&
    stepsOf(c.y, false).channel === 4;
  return across ? pixelCommands(c, context) : planeCommands(c, context);
}

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

function planeCommands(c: Correlation, context: LoweringContext): Command[] {
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

function pixelCommands(c: Correlation, context: LoweringContext): Command[] {
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
    command(packPixelFilters, { ...filtersOf(c, panels), bias, biasStep }),
    command(depthwisePixels, args, { parallel: flops >= PARALLEL, flops }),
  ];
}

/** The commands of the gradient for the kernel of a depthwise convolution; null if it is none. */
export function depthwiseGradientCommands(
  p: KernelGradient,
  context: LoweringContext,
): Command[] | null {
  const { batch: images, groups, channelsFirst, ...g } = p.geometry;
  const filters = g.filters / groups;
  if (!isDepthwise(groups, g.channels / groups, filters)) return null;
  const across =
    !channelsFirst &&
    filters === 1 &&
    groups >= FEWEST_CHANNELS &&
    stepsOf(p.x, false).channel === 4 &&
    stepsOf(p.cotangent, false).channel === 4;
  if (across) return pixelGradientCommands(p, context);
  const c: Correlation = {
    ...{ x: p.x, y: p.cotangent, channelsFirst, images, groups, channels: 1, filters },
    rows: forwardAxis(alongHeight(p.geometry)),
    columns: forwardAxis(alongWidth(p.geometry)),
    weights: { address: 0, row: 0, column: 0, channel: 0, filter: 0, group: 0 },
    epilogue: null,
  };
  const taps = roundUp(g.windowHeight * g.windowWidth, SUMS);
  const tapsAt = roundUp(4 * planeSize(c), 64);
  const panelAt = tapsAt + roundUp(4 * taps, 64);
  const resultAt = panelAt + roundUp(4 * g.outHeight * g.outWidth, 64);
  const partBytes = resultAt + roundUp(16 * taps * filters, 64);
  const scratch = context.scratch(context.threads * partBytes);
  const memory = {
    panels: 0,
    scratch,
    partBytes,
    tapsAt,
    panelAt,
    resultAt,
    resultStep: 16 * taps,
  };
  const flops = flopsOf(c);
  return [
    command(
      depthwisePlanesGradient,
      { ...planes(c), ...memory, out: p.out.address },
      { parallel: flops >= PARALLEL, flops },
    ),
  ];
}

function pixelGradientCommands(
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
