/**
 * Which way a convolution is computed: the rules, all in one place. Their numbers were measured, on images of 5×5 to 64×64.
 *
 * | method   | how                                                                      | file                |
 * | -------- | ------------------------------------------------------------------------ | ------------------- |
 * | pixels   | depthwise: sums computed directly, vectors across the channels           | depthwise-pixels.ts |
 * | planes   | depthwise, or few filters: the same, vectors along the rows              | depthwise-planes.ts |
 * | winograd | fewer products, for windows of 3×3 and 5×5 and many channels and filters | winograd.ts         |
 * | tiles    | few channels or filters: tiles of sums straight from the image           | tiles.ts            |
 * | panels   | products of matrices, with patches packed                                | correlate.ts        |
 *
 * and for the gradient for the kernel depthwise-pixels.ts, planes-gradient.ts, winograd-gradient.ts and kernel-gradient.ts.
 */
import type { ConvGeometry } from '../../js/im2col.js';
import { RUN } from './depthwise-planes.js';
import {
  ascending,
  stepsOf,
  tiled,
  type Axis,
  type Correlation,
  type KernelGradient,
} from './plan.js';
import { TILE_FILTERS, tilesFor, type TilesKernel } from './tiles.js';
import { roundUp } from '../heap.js';
import { LANES, OUTPUTS } from './winograd.js';
import { NR } from '../gemm/micro.js';
import type { Operand } from '../kernel.js';

/** The sizes of windows that Winograd's method is there for. */
export type WinogradWindow = 3 | 5;

export type GradientMethod =
  | { readonly name: 'pixels' | 'planes' | 'panels' }
  | { readonly name: 'winograd'; readonly window: WinogradWindow };

export interface TilesMethod {
  readonly name: 'tiles';
  readonly kernel: TilesKernel;
  /** Whether vectors are filters, not columns. */
  readonly pixels: boolean;
}

export type CorrelationMethod = GradientMethod | TilesMethod;

/** So few filters do not fill a tile, neither one of matrices nor one of `tiles`. */
const FEW_FILTERS = TILE_FILTERS - 1;

/** Fewer channels than this do not fill a vector. */
const FEWEST_CHANNELS = 3;

/** The instructions of `tiles` take so much of the time that those of `panels` take. */
const TILE_SHARE = 0.85;

/** For the gradient the patches of eight channels are packed by whole vectors. */
const PACKED_CHANNELS = 8;

/** Winograd's filters are read again for each panel of tiles: no more of them than the second-level cache holds. */
const WINOGRAD_BYTES = 1 << 20;

/** So many tiles, in whole images, are transformed at a time: enough for the products, and few enough for the cache. */
const GRADIENT_TILES = 128;

/** But in no more memory than this. */
const GRADIENT_BYTES = 1 << 24;

/**
 * Small groups: of one channel with few filters, as in depthwise convolution, or of few channels with one filter, as in its
 * gradient. Larger ones make good tiles.
 */
const hasSmallGroups = (groups: number, channels: number, filters: number): boolean =>
  groups > 1 && Math.min(channels, filters) === 1 && channels * filters <= FEW_FILTERS;

/** Whether channels are neighbours in both, and enough for vectors across them. */
const areNeighbours = (channelsFirst: boolean, channels: number, x: Operand, y: Operand): boolean =>
  !channelsFirst &&
  channels >= FEWEST_CHANNELS &&
  stepsOf(x, false).channel === 4 &&
  stepsOf(y, false).channel === 4;

export function correlationMethod(c: Correlation): CorrelationMethod {
  if (hasSmallGroups(c.groups, c.channels, c.filters)) {
    const across = areNeighbours(c.channelsFirst, c.groups, c.x, c.y);
    return { name: across ? 'pixels' : 'planes' };
  }
  const window = correlationWindow(c);
  if (window !== null) return { name: 'winograd', window };
  const tiles = fittingTiles(c);
  if (tiles !== null) return tiles;
  return { name: c.filters <= FEW_FILTERS && fillsRuns(c) ? 'planes' : 'panels' };
}

/** Whether filter by filter, with what is computed between the rows and thrown away, less is computed than in tiles of four. */
function fillsRuns({ rows, columns, filters }: Correlation): boolean {
  const run = roundUp(rows.positions * columns.staged, RUN);
  return filters * run <= 4 * roundUp(rows.positions * columns.positions, NR);
}

/** Tiles, if there are rows or pixels of the result that vectors can be written to, and across them the taps are neighbours. */
function fittingTiles(c: Correlation): TilesMethod | null {
  const [rows, columns] = [c.rows, c.columns].map(ascending);
  const to = stepsOf(c.y, c.channelsFirst);
  const pixels = columns.spacing * to.column !== 4;
  if (pixels ? to.channel !== 4 || c.filters < TILE_FILTERS : columns.positions < 4) return null;
  const [along, across] = pixels ? [columns, rows] : [rows, columns];
  if (along.step !== 1 || along.phases !== 1 || across.taps === 0) return null;
  const tiles = tilesFor(along.taps, along.positions);
  if (tiles === null) return null;
  const { positions } = c.columns;
  const computed = pixels ? positions : roundUp(positions, 4);
  const cost = (TILE_SHARE * tiles.instructions * computed) / positions;
  return cost > panelCost(c) ? null : { name: 'tiles', kernel: tiles.kernel, pixels };
}

/** The instructions of `panels` for each product of vectors: those of the tile, and their share in packing patches and writing results. */
function panelCost({ rows, columns, channels, filters }: Correlation): number {
  const positions = rows.positions * columns.positions;
  const filled = (roundUp(positions, NR) * roundUp(filters, 4)) / (positions * filters);
  return 3.3 * filled + 4.5 / filters + 8 / (channels * rows.taps * columns.taps);
}

/** Whether the taps of an axis are r neighbours, in this or the other direction, for outputs that are neighbours. */
const isDense = ({ taps, start, step, phases, spacing }: Axis, r: number): boolean =>
  taps === r &&
  phases === 1 &&
  spacing === 1 &&
  (step === 1 ? start === 0 : step === -1 && start === r - 1);

/** The size of the window if Winograd's method pays, else null: it is for many filters, channels and tiles, well filled. */
function correlationWindow({
  rows,
  columns,
  images,
  groups,
  channels,
  filters,
}: Correlation): WinogradWindow | null {
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

export function gradientMethod({ geometry: g, x, cotangent }: KernelGradient): GradientMethod {
  const [channels, filters] = [g.channels / g.groups, g.filters / g.groups];
  if (hasSmallGroups(g.groups, channels, filters)) {
    // Several channels with one filter between them are no pixels of channels that each have their own.
    const single = channels === 1 && filters === 1;
    const across = single && areNeighbours(g.channelsFirst, g.groups, x, cotangent);
    return { name: across ? 'pixels' : 'planes' };
  }
  if (filters <= FEW_FILTERS && g.outWidth >= 4) return { name: 'planes' };
  const window = gradientWindow(g);
  if (window !== null) return { name: 'winograd', window };
  if (channels >= PACKED_CHANNELS) return { name: 'panels' };
  // Rows that end within a vector cost more the shorter they are, and the patches of more channels are packed for more sums.
  const inPixels = stepsOf(cotangent, g.channelsFirst).channel === 4;
  const wide = inPixels || g.outWidth >= Math.min(7 * channels, 28);
  return { name: wide ? 'planes' : 'panels' };
}

/** The size of the window if Winograd's method pays for the gradient, else null. */
function gradientWindow(g: ConvGeometry): WinogradWindow | null {
  const r = g.windowHeight;
  if ((r !== 3 && r !== 5) || g.windowWidth !== r) return null;
  const plain = [g.strideHeight, g.strideWidth, g.dilationHeight, g.dilationWidth, g.groups];
  if (plain.some((n) => n !== 1)) return null;
  // Vectors hold four channels, and four filters.
  if ([g.channels, g.filters].some((n) => n < 16 || n % 4 !== 0)) return null;
  const t = OUTPUTS + r - 1;
  const positions = g.outHeight * g.outWidth;
  const covered = roundUp(g.outHeight, OUTPUTS) * roundUp(g.outWidth, OUTPUTS);
  const saved = (r * r * OUTPUTS * OUTPUTS * positions) / (t * t * covered);
  const bytes = 4 * t * t * winogradImages(g) * tilesOf(g) * (g.channels + roundUp(g.filters, NR));
  return g.batch * positions >= 800 && saved >= 2.5 && bytes <= GRADIENT_BYTES ? r : null;
}

/** Winograd's tiles of an image. */
const tilesOf = (g: ConvGeometry): number =>
  Math.ceil(g.outHeight / OUTPUTS) * Math.ceil(g.outWidth / OUTPUTS);

/** How many images are transformed at a time for the gradient. */
export const winogradImages = (g: ConvGeometry): number =>
  Math.min(g.batch, Math.ceil(GRADIENT_TILES / tilesOf(g)));
