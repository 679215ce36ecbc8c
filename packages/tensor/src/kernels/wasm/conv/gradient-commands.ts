/**
 * The commands of the gradient of a convolution for its kernel by Winograd's method, and by products of matrices.
 */
import type { ConvGeometry } from '../../js/im2col.js';
import { PARALLEL } from './commands.js';
import {
  POSITIONS,
  kernelProduct,
  packCotangent,
  stagePixels,
  writeKernel,
} from './kernel-gradient.js';
import { winogradImages, type WinogradWindow } from './methods.js';
import {
  alongHeight,
  alongWidth,
  forwardAxis,
  stepsOf,
  tiled,
  type KernelGradient,
} from './plan.js';
import { roundUp } from '../heap.js';
import { OUTPUTS, oddLines } from './winograd.js';
import { winogradGradientKernels, winogradSums } from './winograd-gradient.js';
import { NR } from '../gemm/micro.js';
import { command, type Command, type LoweringContext, type Operand } from '../kernel.js';

/** Where `stagePixels` finds data, from an image on. */
export function sourceOf(
  x: Operand,
  { channelsFirst }: ConvGeometry,
  image = 0,
): {
  readonly [K in 'x' | 'xImage' | 'xChannel' | 'xRow' | 'xColumn']: number;
} {
  const steps = stepsOf(x, channelsFirst);
  return {
    x: x.address + image * steps.image,
    xImage: steps.image,
    xChannel: steps.channel,
    xRow: steps.row,
    xColumn: steps.column,
  };
}

/** By Winograd's method, for a window of r×r. */
export function winogradGradientCommands(
  { geometry: g, x, cotangent, out }: KernelGradient,
  r: WinogradWindow,
  context: LoweringContext,
): Command[] {
  const { channels, filters } = g;
  const t = OUTPUTS + r - 1;
  const places = t * t;
  const [tileRows, tileColumns] = [
    Math.ceil(g.outHeight / OUTPUTS),
    Math.ceil(g.outWidth / OUTPUTS),
  ];
  const perImage = tileRows * tileColumns;
  const chunk = winogradImages(g);
  const padded = roundUp(filters, NR);
  const [outHeight, outWidth] = [OUTPUTS * tileRows, OUTPUTS * tileColumns];
  const [stagedHeight, stagedWidth] = [
    Math.max(outHeight + r - 1, g.inHeight + g.padTop),
    Math.max(outWidth + r - 1, g.inWidth + g.padLeft),
  ];
  const partBytes = 16 * places;
  const pixels = context.scratch(4 * chunk * stagedHeight * stagedWidth * channels);
  const cotangents = context.scratch(4 * chunk * outHeight * outWidth * filters);
  const [data, factors] = [channels, padded].map((n) =>
    context.scratch(places * oddLines(4 * chunk * perImage * n)),
  );
  const sumsRow = 4 * padded;
  const sumsStep = channels * sumsRow;
  const sums = context.scratch(places * sumsStep);
  const scratch = context.scratch(context.threads * partBytes);
  const kernels = winogradGradientKernels[r];
  const parallel = true;
  const commands: Command[] = [];
  for (let first = 0; first < g.batch; first += chunk) {
    const images = Math.min(chunk, g.batch - first);
    const tiles = images * perImage;
    const [dataStep, cotangentStep] = [4 * tiles * channels, 4 * tiles * padded].map(oddLines);
    const flops = 2 * images * filters * channels * r * r * g.outHeight * g.outWidth;
    const shared = { images, tileRows, tileColumns, scratch, partBytes };
    const { inHeight, inWidth, padTop, padLeft } = g;
    const ofData = { inHeight, inWidth, padTop, padLeft, stagedHeight, stagedWidth };
    const ofCotangent = {
      ...{ inHeight: g.outHeight, inWidth: g.outWidth, padTop: 0, padLeft: 0 },
      ...{ stagedHeight: outHeight, stagedWidth: outWidth },
    };
    const [wide, wideOut] = [4 * stagedWidth * channels, 4 * outWidth * filters];
    commands.push(
      command(
        stagePixels,
        { ...sourceOf(x, g, first), ...ofData, images, channels, pixels },
        { parallel },
      ),
      command(
        stagePixels,
        {
          ...sourceOf(cotangent, g, first),
          ...ofCotangent,
          ...{ images, channels: filters, pixels: cotangents },
        },
        { parallel },
      ),
      command(
        kernels.data,
        {
          ...{ ...shared, pixels, channels, to: data, placeStep: dataStep, width: 4 },
          ...{ imageStep: stagedHeight * wide, rowStep: wide },
        },
        { parallel },
      ),
      command(
        kernels.cotangent,
        {
          ...{ ...shared, pixels: cotangents, channels: filters, to: factors, width: NR },
          ...{ placeStep: cotangentStep, imageStep: outHeight * wideOut, rowStep: wideOut },
        },
        { parallel },
      ),
      command(
        winogradSums,
        {
          ...{ data, dataStep, cotangent: factors, cotangentStep, sums, sumsStep, sumsRow },
          ...{ places, tiles, channels, filters, accumulate: first },
        },
        { parallel, flops },
      ),
    );
  }
  const result = { sums, sumsStep, sumsRow, channels, filters, out: out.address };
  commands.push(command(kernels.kernel, { ...result, scratch, partBytes }, { parallel }));
  return commands;
}

/** By products of matrices. */
export function panelGradientCommands(
  { geometry: g, x, cotangent, out }: KernelGradient,
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
  const over = stepsOf(cotangent, g.channelsFirst);
  return [
    command(
      stagePixels,
      {
        ...sourceOf(x, g),
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
