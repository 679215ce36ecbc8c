/**
 * Convolution and its two gradients on float32. The operands may have any layout; what the kernels are told is worked out here:
 * how an image is staged, and where each tap lies on it.
 *
 * A transposed convolution with stride s is s·s convolutions (one for each h mod s, w mod s of the result) of the same data
 * with every s-th tap of the kernel, the last one first.
 */
import type { ConvGeometry } from '../js/im2col.js';
import { resolveConv } from '../../ops/windows.js';
import { correlate, type correlateFields } from './conv-correlate.js';
import {
  POSITIONS,
  kernelProduct,
  packCotangent,
  stagePixels,
  writeKernel,
} from './conv-kernel-gradient.js';
import { packFilters } from './conv-panels.js';
import { ACTIVATION } from './gemm-epilogue.js';
import { NR } from './gemm-micro.js';
import {
  command,
  type Command,
  type Epilogue,
  type Kernel,
  type LoweringContext,
  type Operand,
} from './kernel.js';
import type { LoweringTable } from './lowering.js';

/** Fewer floating-point operations than this are not worth a second thread. */
const PARALLEL = 200_000;

/** How many rows of patches a panel has: with them it takes 8 KiB, a part of the first-level cache. */
const BLOCK = 256;

export const convKernels: readonly Kernel[] = [
  packFilters,
  correlate,
  stagePixels,
  packCotangent,
  kernelProduct,
  writeKernel,
];

const roundUp = (n: number, step: number): number => Math.ceil(n / step) * step;

/** Rows that whole tiles take up, be they of 4 or of 6. */
const tiled = (rows: number): number => Math.max(roundUp(rows, 4), roundUp(rows, 6));

/** Bytes from one element of data to the next, along each axis. */
interface Steps {
  readonly image: number;
  readonly channel: number;
  readonly row: number;
  readonly column: number;
}

function stepsOf({ shape, strides }: Operand, channelsFirst: boolean): Steps {
  const [image, ...rest] = strides.map((s) => 4 * s);
  const channel = channelsFirst ? rest[0] : rest[rest.length - 1];
  const space = channelsFirst ? rest.slice(1) : rest.slice(0, -1);
  const column = space[space.length - 1];
  // Data with one axis of space have a single row.
  const width = shape[channelsFirst ? shape.length - 1 : shape.length - 2];
  return { image, channel, row: space.length === 2 ? space[0] : width * column, column };
}

/** One axis of a correlation: the positions, the taps (in elements of the staged data), and how the data are staged. */
interface Axis {
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

function alongHeight(g: ConvGeometry): Along {
  return {
    size: g.inHeight,
    out: g.outHeight,
    window: g.windowHeight,
    stride: g.strideHeight,
    dilation: g.dilationHeight,
    pad: g.padTop,
  };
}

function alongWidth(g: ConvGeometry): Along {
  return {
    size: g.inWidth,
    out: g.outWidth,
    window: g.windowWidth,
    stride: g.strideWidth,
    dilation: g.dilationWidth,
    pad: g.padLeft,
  };
}

function forwardAxis({ size, out, window, stride, dilation, pad }: Along): Axis {
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
function backwardAxis(along: Along, residue: number): Axis {
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

/** Which axes of the kernel stand for what, in bytes from one element to the next. */
interface WeightSteps {
  readonly address: number;
  readonly row: number;
  readonly column: number;
  readonly channel: number;
  readonly filter: number;
  readonly group: number;
}

/** A correlation of `channels` planes with `filters` (both in one group) along two axes. */
interface Correlation {
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

type CorrelateArgs = { readonly [K in keyof typeof correlateFields]: number };

function correlateCommands(c: Correlation, context: LoweringContext): Command[] {
  const { rows, columns, channels, filters, groups } = c;
  const [from, to] = [stepsOf(c.x, c.channelsFirst), stepsOf(c.y, c.channelsFirst)];
  const taps = rows.taps * columns.taps;
  const positions = rows.positions * columns.positions;
  const blockChannels = Math.min(channels, Math.max(1, Math.floor(BLOCK / Math.max(taps, 1))));
  const resultStep = 4 * roundUp(positions, NR);
  // A panel may read beyond its last position: to the row after, and a panel's width.
  const plane = rows.phases * columns.phases * rows.staged * columns.staged;
  const tapsAt = roundUp(4 * (channels * plane + 2 * columns.staged + 2 * NR), 64);
  const panelAt = tapsAt + roundUp(4 * taps, 64);
  const resultAt = panelAt + 4 * NR * blockChannels * taps + 64;
  const partBytes = resultAt + roundUp(tiled(filters) * resultStep, 64);
  const panels = context.scratch(4 * groups * tiled(filters) * channels * taps);
  const scratch = context.scratch(context.threads * partBytes);
  const w = c.weights;
  const flops = 2 * c.images * groups * filters * channels * taps * positions;
  const parallel = flops >= PARALLEL;
  const args: CorrelateArgs = {
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
    groups,
    channels,
    filters,
    padTop: rows.pad,
    padLeft: columns.pad,
    phaseRows: rows.phases,
    phaseColumns: columns.phases,
    stagedHeight: rows.staged,
    stagedWidth: columns.staged,
    tapRows: rows.taps,
    tapColumns: columns.taps,
    rowStart: rows.start,
    rowStep: rows.step,
    columnStart: columns.start,
    columnStep: columns.step,
    blockChannels,
    bias: c.epilogue?.bias?.address ?? 0,
    biasStep: 4 * (c.epilogue?.bias?.strides[0] ?? 0),
    activation: c.epilogue?.activation ? ACTIVATION[c.epilogue.activation] : 0,
    panels,
    scratch,
    partBytes,
    tapsAt,
    panelAt,
    resultAt,
    resultStep,
  };
  const packed = {
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
  return [
    command(packFilters, packed, { parallel }),
    command(correlate, args, { parallel, flops }),
  ];
}

/** The steps of a kernel [...window, channels, filters] and the share of a group among its filters. */
function kernelSteps({ address, strides }: Operand, filters: number): WeightSteps {
  const [channel, filter] = strides.slice(-2).map((s) => 4 * s);
  const window = strides.slice(0, -2).map((s) => 4 * s);
  const row = window.length === 2 ? window[0] : 0;
  const column = window[window.length - 1];
  return { address, row, column, channel, filter, group: filters * filter };
}

const fits = (operands: readonly Operand[]): boolean =>
  operands.every(({ dtype, size }) => dtype === 'float32' && size > 0);

export const convLowerings: LoweringTable = {
  conv: ({ inputs: [x, kernel], outputs: [y], attrs, epilogue }, context) => {
    if (!fits([x, kernel, y])) return null;
    const filters = kernel.shape[kernel.shape.length - 1];
    const { geometry: g } = resolveConv('conv', x.shape, kernel.shape.slice(0, -2), filters, attrs);
    const { batch: images, groups, channelsFirst } = g;
    return correlateCommands(
      {
        ...{ x, y, channelsFirst, images, groups, epilogue },
        channels: g.channels / groups,
        filters: filters / groups,
        rows: forwardAxis(alongHeight(g)),
        columns: forwardAxis(alongWidth(g)),
        weights: kernelSteps(kernel, filters / groups),
      },
      context,
    );
  },

  convTranspose: ({ inputs: [x, kernel], outputs: [y], attrs, epilogue }, context) => {
    if (!fits([x, kernel, y])) return null;
    const window = kernel.shape.slice(0, -2);
    const filters = kernel.shape[kernel.shape.length - 1];
    const { geometry: g } = resolveConv('convTranspose', y.shape, window, filters, attrs);
    const { batch: images, groups, channelsFirst } = g;
    const w = kernelSteps(kernel, filters / groups);
    const commands: Command[] = [];
    for (let i = 0; i < Math.min(g.strideHeight, g.inHeight); i++) {
      for (let j = 0; j < Math.min(g.strideWidth, g.inWidth); j++) {
        const correlation: Correlation = {
          ...{ x, y, channelsFirst, images, groups, epilogue },
          channels: filters / groups,
          filters: g.channels / groups,
          rows: backwardAxis(alongHeight(g), i),
          columns: backwardAxis(alongWidth(g), j),
          weights: { ...w, channel: w.filter, filter: w.channel },
        };
        commands.push(...correlateCommands(correlation, context));
      }
    }
    return commands;
  },

  convKernelGradient: ({ inputs: [x, cotangent], outputs: [out], attrs }, context) => {
    if (!fits([x, cotangent, out])) return null;
    const filters = out.shape[out.shape.length - 1];
    const who = 'convKernelGradient';
    const { geometry } = resolveConv(who, x.shape, attrs.kernelSize, filters, attrs);
    return kernelGradientCommands(geometry, x, cotangent, out, context);
  },
};

function kernelGradientCommands(
  g: ConvGeometry,
  x: Operand,
  cotangent: Operand,
  out: Operand,
  context: LoweringContext,
): Command[] {
  const { groups, batch: images, inHeight, inWidth, outHeight, outWidth, padTop, padLeft } = g;
  const [channels, filters] = [g.channels / groups, g.filters / groups];
  const [down, across] = [forwardAxis(alongHeight(g)), forwardAxis(alongWidth(g))];
  const stagedHeight = down.staged * down.phases;
  const stagedWidth = across.staged * across.phases;
  const pixel = 4 * g.channels;
  const imageStep = stagedHeight * stagedWidth * pixel;
  const height = g.windowHeight * g.windowWidth * channels;
  const resultStep = 4 * roundUp(height, NR);
  const groupStep = tiled(filters) * resultStep;
  const partBytes = 4 * NR * POSITIONS + 64;
  const pixels = context.scratch(images * imageStep + 64);
  const panels = context.scratch(4 * groups * tiled(filters) * images * outHeight * outWidth);
  const result = context.scratch(groups * groupStep);
  const scratch = context.scratch(context.threads * partBytes);
  const flops = 2 * images * groups * filters * height * outHeight * outWidth;
  const parallel = flops >= PARALLEL;
  const [from, over] = [stepsOf(x, g.channelsFirst), stepsOf(cotangent, g.channelsFirst)];
  return [
    command(
      stagePixels,
      {
        x: x.address,
        xImage: from.image,
        xChannel: from.channel,
        xRow: from.row,
        xColumn: from.column,
        channels: g.channels,
        pixels,
        ...{ images, inHeight, inWidth, padTop, padLeft, stagedHeight, stagedWidth },
      },
      { parallel },
    ),
    command(
      packCotangent,
      {
        y: cotangent.address,
        yImage: over.image,
        yChannel: over.channel,
        yRow: over.row,
        yColumn: over.column,
        ...{ images, groups, filters, outHeight, outWidth, panels },
      },
      { parallel },
    ),
    command(
      kernelProduct,
      {
        rowStep: g.strideHeight * stagedWidth * pixel,
        columnStep: g.strideWidth * pixel,
        tapRowStep: g.dilationHeight * stagedWidth * pixel,
        tapColumnStep: g.dilationWidth * pixel,
        tapRows: g.windowHeight,
        tapColumns: g.windowWidth,
        cotangent: panels,
        ...{ pixels, imageStep, images, groups, channels, filters, outHeight, outWidth },
        ...{ result, resultStep, groupStep, scratch, partBytes },
      },
      { parallel, flops },
    ),
    command(writeKernel, {
      ...{ result, resultStep, groupStep, groups, filters, height },
      out: out.address,
    }),
  ];
}
