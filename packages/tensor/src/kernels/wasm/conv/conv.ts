/**
 * Convolution and its two gradients on float32. The operands may have any layout; what the kernels are told is worked out here:
 * how an image is staged, and where each tap lies on it.
 */
import { resolveConv } from '../../../ops/windows.js';
import { panelCommands, tileCommands, winogradCommands } from './commands.js';
import { correlate } from './correlate.js';
import {
  depthwiseKernels,
  pixelCommands,
  pixelGradientCommands,
  planeCommands,
  planesGradientCommands,
} from './depthwise.js';
import { panelGradientCommands, winogradGradientCommands } from './gradient-commands.js';
import { kernelProduct, packCotangent, stagePixels, writeKernel } from './kernel-gradient.js';
import { correlationMethod, gradientMethod } from './methods.js';
import { packFilters } from './panels.js';
import {
  alongHeight,
  alongWidth,
  backwardAxis,
  forwardAxis,
  kernelSteps,
  type Correlation,
  type KernelGradient,
} from './plan.js';
import { tilesKernels } from './tiles.js';
import { winogradKernels } from './winograd.js';
import { winogradGradientKernels, winogradSums } from './winograd-gradient.js';
import type { Command, Kernel, LoweringContext, Operand } from '../kernel.js';
import type { LoweringTable } from '../lowering.js';

export const convKernels: readonly Kernel[] = [
  packFilters,
  correlate,
  ...tilesKernels,
  stagePixels,
  packCotangent,
  kernelProduct,
  writeKernel,
  ...depthwiseKernels,
  ...Object.values(winogradKernels).flatMap(({ filters, product }) => [filters, product]),
  winogradSums,
  ...Object.values(winogradGradientKernels).flatMap((k) => [k.data, k.cotangent, k.kernel]),
];

function correlationCommands(c: Correlation, context: LoweringContext): Command[] {
  const method = correlationMethod(c);
  switch (method.name) {
    case 'pixels':
      return pixelCommands(c, context);
    case 'planes':
      return planeCommands(c, context);
    case 'winograd':
      return winogradCommands(c, method.window, context);
    case 'tiles':
      return tileCommands(c, method, context);
    case 'panels':
      return panelCommands(c, context);
  }
}

function gradientCommands(gradient: KernelGradient, context: LoweringContext): Command[] {
  const method = gradientMethod(gradient);
  switch (method.name) {
    case 'pixels':
      return pixelGradientCommands(gradient, context);
    case 'planes':
      return planesGradientCommands(gradient, context);
    case 'winograd':
      return winogradGradientCommands(gradient, method.window, context);
    case 'panels':
      return panelGradientCommands(gradient, context);
  }
}

const fits = (operands: readonly Operand[]): boolean =>
  operands.every(({ dtype, size }) => dtype === 'float32' && size > 0);

export const convLowerings: LoweringTable = {
  conv: ({ inputs: [x, kernel], outputs: [y], attrs, epilogue }, context) => {
    if (!fits([x, kernel, y])) return null;
    const filters = kernel.shape[kernel.shape.length - 1];
    const { geometry: g } = resolveConv('conv', x.shape, kernel.shape.slice(0, -2), filters, attrs);
    const { batch: images, groups, channelsFirst } = g;
    const correlation: Correlation = {
      ...{ x, y, channelsFirst, images, groups, epilogue },
      channels: g.channels / groups,
      filters: filters / groups,
      rows: forwardAxis(alongHeight(g)),
      columns: forwardAxis(alongWidth(g)),
      weights: kernelSteps(kernel, filters / groups),
    };
    return correlationCommands(correlation, context);
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
        commands.push(...correlationCommands(correlation, context));
      }
    }
    return commands;
  },

  convKernelGradient: ({ inputs: [x, cotangent], outputs: [out], attrs }, context) => {
    if (!fits([x, cotangent, out])) return null;
    const filters = out.shape[out.shape.length - 1];
    const who = 'convKernelGradient';
    const { geometry } = resolveConv(who, x.shape, attrs.kernelSize, filters, attrs);
    return gradientCommands({ geometry, x, cotangent, out }, context);
  },
};
