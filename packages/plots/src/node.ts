/** Files and PNG: the only file of the package that imports from Node. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import process from 'node:process';
import { inflateSync } from 'node:zlib';
import type * as resvg from '@resvg/resvg-wasm' with { 'resolution-mode': 'require' };
import { PlotError } from './errors.js';
import { unpackWoff } from './woff.js';

type Rasterizer = typeof resvg;

const packages = createRequire(import.meta.url);
const fontFiles = ['400', '700'].map(
  (weight) => `@fontsource/dejavu-sans/files/dejavu-sans-latin-${weight}-normal.woff`,
);

/** Some 8,000 by 8,000: many more do not fit into the memory of a WebAssembly module. */
const MOST_PIXELS = 2 ** 26;

let loaded: Promise<{ rasterizer: Rasterizer; fonts: Uint8Array[] }> | undefined;

/** Draws an SVG to a PNG file with resvg (WebAssembly, no native code), `scale` pixels for each unit. */
export async function rasterize(svg: string, scale: number): Promise<Uint8Array> {
  loaded ??= load();
  const { rasterizer, fonts } = await loaded;
  // Vega asks for sharp pixels in two ways; of the two, resvg knows the older.
  const sharp = svg.replaceAll('image-rendering: pixelated;', '');
  const drawing = new rasterizer.Resvg(sharp, {
    fitTo: { mode: 'zoom', value: scale },
    font: { fontBuffers: fonts, defaultFontFamily: 'DejaVu Sans', sansSerifFamily: 'DejaVu Sans' },
  });
  try {
    const pixels = [drawing.width, drawing.height].map((size) => Math.round(size * scale));
    if (pixels.includes(0) || pixels[0] * pixels[1] > MOST_PIXELS) {
      throw new PlotError(
        `toPNG: the picture would have ${pixels.join(' × ')} pixels; expected at least 1 and at most ${MOST_PIXELS} in all. Choose another scale.`,
      );
    }
    const image = drawing.render();
    try {
      return image.asPng();
    } finally {
      image.free();
    }
  } finally {
    drawing.free();
  }
}

async function load(): Promise<{ rasterizer: Rasterizer; fonts: Uint8Array[] }> {
  const rasterizer = packages('@resvg/resvg-wasm') as Rasterizer;
  const [wasm, ...woffs] = await Promise.all(
    ['@resvg/resvg-wasm/index_bg.wasm', ...fontFiles].map((name) =>
      readFile(packages.resolve(name)),
    ),
  );
  try {
    await rasterizer.initWasm(wasm);
  } catch (error) {
    // The module is one for the whole process: somebody else may have started it.
    if (!String(error).includes('Already initialized')) throw error;
  }
  return { rasterizer, fonts: woffs.map((woff) => unpackWoff(woff, inflateSync)) };
}

/**
 * Writes a file so that no reader ever sees a part of it: under a name that nobody else uses, then renamed. A failure
 * leaves what was there before, and no temporary file.
 */
export async function storeFile(path: string, content: Uint8Array | string): Promise<void> {
  const temporary = join(dirname(path), `${basename(path)}.${process.pid}-${randomUUID()}.tmp`);
  try {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    const reason = error instanceof Error ? error.message : String(error);
    throw new PlotError(`${path} cannot be written (${reason}).`);
  }
}
