/**
 * The commands of a correlation, and where they find their operands: by Winograd's method where that pays, else directly.
 */
import { NR } from '../gemm/micro.js';
import { correlate, type correlateFields } from './correlate.js';
import { packFilters } from './panels.js';
import { stepsOf, tiled, type Axis, type Correlation } from './plan.js';
import { roundUp } from '../heap.js';
import { LANES, OUTPUTS, oddLines, winogradKernels } from './winograd.js';
import { ACTIVATION } from '../gemm/epilogue.js';
import { command, type Command, type LoweringContext } from '../kernel.js';

/** Fewer floating-point operations than this are not worth a second thread. */
export const PARALLEL = 200_000;

/** How many rows of patches a panel has: with them it takes 8 KiB, a part of the first-level cache. */
const BLOCK = 256;

/** Winograd's filters are read again for each panel of tiles: no more of them than the second-level cache holds. */
const WINOGRAD_BYTES = 1 << 20;

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

export function correlateCommands(c: Correlation, context: LoweringContext): Command[] {
  return winogradCommands(c, context) ?? directCommands(c, context);
}

function directCommands(c: Correlation, context: LoweringContext): Command[] {
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

/** Whether the taps of an axis are r neighbours, in this or the other direction, for outputs that are neighbours. */
const isDense = ({ taps, start, step, phases, spacing }: Axis, r: number): boolean =>
  taps === r &&
  phases === 1 &&
  spacing === 1 &&
  (step === 1 ? start === 0 : step === -1 && start === r - 1);

/** The size of the window if Winograd's method pays, else null: it is for many filters, channels and tiles, well filled. */
function winogradWindow({
  rows,
  columns,
  images,
  groups,
  channels,
  filters,
}: Correlation): 3 | 5 | null {
  const r = rows.taps;
  if ((r !== 3 && r !== 5) || !isDense(rows, r) || !isDense(columns, r)) return null;
  if (groups > 1 || channels < 16 || filters < 16) return null;
  const t = OUTPUTS + r - 1;
  const positions = rows.positions * columns.positions;
  const tiled16 = roundUp(rows.positions, OUTPUTS) * roundUp(columns.positions, OUTPUTS * LANES);
  const saved = (r * r * OUTPUTS * OUTPUTS * positions) / (t * t * tiled16);
  const enough =
    images * positions >= 800 && 4 * t * t * tiled(filters) * channels <= WINOGRAD_BYTES;
  return enough && saved >= 2.5 ? r : null;
}

function winogradCommands(c: Correlation, context: LoweringContext): Command[] | null {
  const r = winogradWindow(c);
  if (r === null) return null;
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
