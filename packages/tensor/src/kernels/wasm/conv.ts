/**
 * Convolution and its two gradients on float32. The operands may have any layout; what the kernels are told is worked out here:
 * how an image is staged, and where each tap lies on it.
 */
import type { ConvGeometry } from '../js/im2col.js';
import { resolveConv } from '../../ops/windows.js';
import { PARALLEL, correlateCommands } from './conv-commands.js';
import { correlate } from './conv-correlate.js';
import {
  POSITIONS,
  kernelProduct,
  packCotangent,
  stagePixels,
  writeKernel,
} from './conv-kernel-gradient.js';
import { packFilters } from './conv-panels.js';
import {
  alongHeight,
  alongWidth,
  backwardAxis,
  forwardAxis,
  kernelSteps,
  roundUp,
  stepsOf,
  tiled,
  type Correlation,
} from './conv-plan.js';
import { winogradKernels } from './conv-winograd.js';
import { NR } from './gemm-micro.js';
import {
  command,
  type Command,
  type Kernel,
  type LoweringContext,
  type Operand,
} from './kernel.js';
import type { LoweringTable } from './lowering.js';

export const convKernels: readonly Kernel[] = [
  packFilters,
  correlate,
  stagePixels,
  packCotangent,
  kernelProduct,
  writeKernel,
  ...Object.values(winogradKernels).flatMap(({ filters, product }) => [filters, product]),
];

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
