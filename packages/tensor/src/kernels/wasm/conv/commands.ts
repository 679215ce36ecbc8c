/**
 * The commands of a correlation by each method, and where they find their operands.
 */
import { NR } from '../gemm/micro.js';
import { correlate, type correlateFields } from './correlate.js';
import { packPixelFilters } from './depthwise-pixels.js';
import type { TilesMethod, WinogradWindow } from './methods.js';
import { packFilters } from './panels.js';
import { ascending, stepsOf, tiled, type Correlation } from './plan.js';
import { TILE_FILTERS } from './tiles.js';
import { roundUp } from '../heap.js';
import { LANES, OUTPUTS, oddLines, winogradKernels } from './winograd.js';
import { ACTIVATION } from '../gemm/epilogue.js';
import { command, type Command, type LoweringContext } from '../kernel.js';

/** Fewer floating-point operations than this are not worth a second thread. */
export const PARALLEL = 200_000;

/** How many rows of patches a panel has: with them it takes 8 KiB, a part of the first-level cache. */
const BLOCK = 256;

type CorrelateArgs = { readonly [K in keyof typeof correlateFields]: number };

/** Arguments that do not depend on how the products are computed. */
export type Placement = Omit<
  CorrelateArgs,
  | 'stagedHeight'
  | 'stagedWidth'
  | 'blockChannels'
  | 'panels'
  | 'scratch'
  | 'partBytes'
  | 'tapsAt'
  | 'panelAt'
  | 'resultAt'
  | 'resultStep'
  | 'resultRow'
>;

export function placement(c: Correlation): Placement {
  const { rows, columns } = c;
  const [from, to] = [stepsOf(c.x, c.channelsFirst), stepsOf(c.y, c.channelsFirst)];
  return {
    x: c.x.address,
    xImage: from.image,
    xChannel: from.channel,
    xRow: from.row,
    xColumn: from.column,
    inHeight: rows.size,
    inWidth: columns.size,
    y: c.y.address + rows.offset * to.row + columns.offset * to.column,
    yImage: to.image,
    yChannel: to.channel,
    yRow: rows.spacing * to.row,
    yColumn: columns.spacing * to.column,
    outHeight: rows.positions,
    outWidth: columns.positions,
    images: c.images,
    groups: c.groups,
    channels: c.channels,
    filters: c.filters,
    padTop: rows.pad,
    padLeft: columns.pad,
    phaseRows: rows.phases,
    phaseColumns: columns.phases,
    tapRows: rows.taps,
    tapColumns: columns.taps,
    rowStart: rows.start,
    rowStep: rows.step,
    columnStart: columns.start,
    columnStep: columns.step,
    bias: c.epilogue?.bias?.address ?? 0,
    biasStep: 4 * (c.epilogue?.bias?.strides[0] ?? 0),
    activation: c.epilogue?.activation ? ACTIVATION[c.epilogue.activation] : 0,
  };
}

/** Where `packFilters` finds the filters, and where it packs them. */
export function filtersOf(
  { rows, columns, groups, channels, filters, weights: w }: Correlation,
  panels: number,
): { readonly [K in keyof typeof packFilters.fields]: number } {
  return {
    weights: w.address + rows.first * w.row + columns.first * w.column,
    panels,
    groups,
    channels,
    filters,
    tapRows: rows.taps,
    tapColumns: columns.taps,
    groupStep: w.group,
    rowStep: rows.stride * w.row,
    columnStep: columns.stride * w.column,
    channelStep: w.channel,
    filterStep: w.filter,
  };
}

/** Multiplications and additions of the convolution as it is defined. */
export function flopsOf({ images, groups, filters, channels, rows, columns }: Correlation): number {
  const products = rows.taps * columns.taps * rows.positions * columns.positions;
  return 2 * images * groups * filters * channels * products;
}

/** By products of matrices. */
export function panelCommands(c: Correlation, context: LoweringContext): Command[] {
  const { rows, columns, channels, filters, groups } = c;
  const taps = rows.taps * columns.taps;
  const blockChannels = Math.min(channels, Math.max(1, Math.floor(BLOCK / Math.max(taps, 1))));
  const resultStep = 4 * roundUp(rows.positions * columns.positions, NR);
  // A panel may read beyond its last position: to the row after, and a panel's width.
  const plane = rows.phases * columns.phases * rows.staged * columns.staged;
  const tapsAt = roundUp(4 * (channels * plane + 2 * columns.staged + 2 * NR), 64);
  const panelAt = tapsAt + roundUp(4 * taps, 64);
  const resultAt = panelAt + 4 * NR * blockChannels * taps + 64;
  const partBytes = resultAt + roundUp(tiled(filters) * resultStep, 64);
  const panels = context.scratch(4 * groups * tiled(filters) * channels * taps);
  const scratch = context.scratch(context.threads * partBytes);
  const flops = flopsOf(c);
  const parallel = flops >= PARALLEL;
  const packed = filtersOf(c, panels);
  const args = {
    ...placement(c),
    stagedHeight: rows.staged,
    stagedWidth: columns.staged,
    ...{ blockChannels, panels, scratch, partBytes, tapsAt, panelAt, resultAt, resultStep },
    resultRow: 4 * columns.positions,
  };
  return [
    command(packFilters, packed, { parallel }),
    command(correlate, args, { parallel, flops }),
  ];
}

/** By tiles straight from the image. */
export function tileCommands(
  c: Correlation,
  { kernel, pixels }: TilesMethod,
  context: LoweringContext,
): Command[] {
  const { groups, channels, filters } = c;
  const correlation = { ...c, rows: ascending(c.rows), columns: ascending(c.columns) };
  const { rows, columns } = correlation;
  const perPanel = pixels ? TILE_FILTERS : 1;
  const taps = channels * rows.taps * columns.taps;
  const plane = rows.phases * columns.phases * rows.staged * columns.staged;
  const tapsAt = roundUp(4 * channels * plane, 64);
  const panelAt = tapsAt + roundUp(4 * rows.taps * columns.taps, 64);
  const runs = pixels ? rows.taps : columns.taps;
  const partBytes = panelAt + roundUp(4 * channels * runs, 64);
  const panel = 4 * TILE_FILTERS * (1 + taps);
  const perGroup = Math.ceil(filters / perPanel);
  const panels = context.scratch(groups * perGroup * panel);
  const scratch = context.scratch(context.threads * partBytes);
  const flops = flopsOf(c);
  const place = placement(correlation);
  const { bias, biasStep } = place;
  /** Packs so many panels from a filter on, run by run. */
  const pack = (group: number, first: number, count: number): Command => {
    const at = panels + (group * perGroup + Math.ceil(first / perPanel)) * panel;
    const { weights, filterStep, rowStep, columnStep, ...packed } = filtersOf(correlation, at);
    const order = pixels
      ? { rowStep, columnStep }
      : {
          ...{ rowStep: columnStep, columnStep: rowStep },
          ...{ tapRows: packed.tapColumns, tapColumns: packed.tapRows },
        };
    return command(packPixelFilters, {
      ...{ ...packed, ...order, groups: TILE_FILTERS, filters: count },
      weights: weights + group * packed.groupStep + first * filterStep,
      ...{ groupStep: pixels ? filterStep : 0, filterStep: perPanel * filterStep },
      bias: bias && bias + (group * filters + first) * biasStep,
      ...{ biasGroup: pixels ? biasStep : 0, biasFilter: perPanel * biasStep },
    });
  };
  const rest = filters % perPanel;
  const packing = Array.from({ length: groups }, (_, group) => [
    pack(group, 0, (filters - rest) / perPanel),
    ...(rest === 0 ? [] : [pack(group, filters - perPanel, 1)]),
  ]).flat();
  const args = {
    ...{ ...place, panels, scratch, partBytes, tapsAt, panelAt, blockChannels: channels },
    ...{ stagedHeight: rows.staged, stagedWidth: columns.staged },
    ...{ pixels: Number(pixels), runs, runTaps: pixels ? columns.taps : 1 },
    ...{ resultAt: 0, resultStep: 0, resultRow: 0 },
  };
  return [...packing, command(kernel, args, { parallel: flops >= PARALLEL, flops })];
}

/** By Winograd's method, for a window of r×r. */
export function winogradCommands(
  c: Correlation,
  r: WinogradWindow,
  context: LoweringContext,
): Command[] {
  const { rows, columns, channels, filters, weights: w } = c;
  const t = OUTPUTS + r - 1;
  const [height, width] = [
    roundUp(rows.positions, OUTPUTS),
    roundUp(columns.positions, OUTPUTS * LANES),
  ];
  // Four tiles are read as five vectors.
  const stagedHeight = Math.max(rows.staged, height + r - 1);
  const stagedWidth = Math.max(columns.staged, width + 4);
  const tapsAt = roundUp(4 * channels * stagedHeight * stagedWidth, 64);
  const dataAt = tapsAt + 16 * t * t;
  const dataStep = oddLines(4 * NR * channels);
  const productStep = oddLines(4 * NR * tiled(filters));
  const resultAt = dataAt + t * t * dataStep;
  const productAt = resultAt + 4 * filters * height * width;
  const partBytes = productAt + t * t * productStep;
  const panels = context.scratch(4 * t * t * tiled(filters) * channels);
  const scratch = context.scratch(context.threads * partBytes);
  // Where the taps run backwards, so do the filters.
  const [down, across] = [rows.step < 0, columns.step < 0];
  const transformed = {
    weights: w.address + (down ? (r - 1) * w.row : 0) + (across ? (r - 1) * w.column : 0),
    ...{ panels, scratch, partBytes, channels, filters },
    rowStep: down ? -w.row : w.row,
    columnStep: across ? -w.column : w.column,
    channelStep: w.channel,
    filterStep: w.filter,
  };
  const args = {
    ...placement(c),
    ...{
      stagedHeight,
      stagedWidth,
      panels,
      scratch,
      partBytes,
      tapsAt,
      dataAt,
      resultAt,
      productAt,
      dataStep,
      productStep,
    },
    blockChannels: channels,
    panelAt: dataAt,
    resultStep: 4 * height * width,
    resultRow: 4 * width,
  };
  const kernels = winogradKernels[r];
  return [
    command(kernels.filters, transformed, { parallel: true }),
    command(kernels.product, args, { parallel: true, flops: flopsOf(c) }),
  ];
}
