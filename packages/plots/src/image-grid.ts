import { Tensor, formatShape, tensor, type NestedArray } from '@tapegrad/tensor';
import type { Mark, TextMark } from 'vega';
import { dataUrl, encodePng } from './bitmap.js';
import { checkSameLength, domainOf, extent, numbersOf, type Domain } from './data.js';
import { drawing } from './drawing.js';
import { PlotError } from './errors.js';
import type { Picture } from './picture.js';
import { frame } from './theme.js';

/** Images: a tensor, nested arrays, or a flat typed array with the option `imageShape`. */
export type Images = Tensor | NestedArray | ArrayLike<number>;

/** Options of `imageGrid`. */
export interface ImageGridOptions {
  /** Stands above the grid. Default: none. */
  title?: string;
  /** Images in a row. Default: 10, or all where each row was given by itself. */
  columns?: number;
  /** A word or number below each image. Default: none. */
  captions?: readonly (string | number)[];
  /** A word at the left of each row. Default: none. */
  rowLabels?: readonly string[];
  /** The shape of one image, where the images come flat: [height, width] or with channels. */
  imageShape?: readonly number[];
  /** Where the channels are, if there are any. Default: 'channelsLast'. */
  dataFormat?: 'channelsLast' | 'channelsFirst';
  /** The values that are black and white; values beyond are cut off. Default: the smallest and the largest of all. */
  range?: Domain;
  /** Pixels of the picture for one pixel of an image. Default: as many as make an image about 56 wide. */
  scale?: number;
}

interface Batch {
  data: number[];
  count: number;
  height: number;
  width: number;
  channels: 1 | 3;
}

const GAP = 4;
const CAPTION = 16;

/**
 * Images side by side, grey or in colour. Each is embedded as a small PNG: a digit of MNIST takes some 400 bytes, where
 * rectangles would take 30 kB.
 *
 * @param images [n, height, width], also with 1 or 3 channels; or a list of such tensors, each of which is a row
 * @throws PlotError another shape, no images, rows or captions that do not fit, numbers that are not finite
 *
 * @example
 * const images = tensor([[[0, 1], [1, 0]], [[1, 1], [0, 0]]]);
 * const picture = imageGrid(images, { captions: ['\\', '-'], scale: 20 });
 * (await picture.toSVG()).split('<image').length - 1; // 2
 */
export function imageGrid(
  images: Images | readonly Tensor[],
  options: ImageGridOptions = {},
): Picture {
  const rows = isListOfRows(images) ? images : undefined;
  const batches = (rows ?? [images as Images]).map((batch, i) =>
    batchOf(rows ? `imageGrid: images[${i}]` : 'imageGrid: images', batch, options),
  );
  const [{ width, height, channels, count }] = batches;
  for (const [i, batch] of batches.entries()) {
    const sizes = [batch.count, batch.height, batch.width, batch.channels];
    if (String(sizes) !== String([count, height, width, channels])) {
      throw new PlotError(
        `imageGrid: row ${i} is ${formatShape(sizes)} and row 0 ${formatShape([count, height, width, channels])}; expected rows of one shape.`,
      );
    }
  }
  const total = count * batches.length;
  const columns = options.columns ?? (rows ? count : Math.min(10, total));
  const { scale = Math.max(1, Math.round(56 / width)), captions, rowLabels, title = '' } = options;
  for (const [name, value] of Object.entries({ columns, scale })) {
    if (!(Number.isInteger(value) && value > 0)) {
      throw new PlotError(`imageGrid: ${name} is ${value}; expected a whole number above 0.`);
    }
  }
  const lines = Math.ceil(total / columns);
  if (captions) {
    checkSameLength('imageGrid', ['images', total], ['captions', captions.length]);
  }
  if (rowLabels) checkSameLength('imageGrid', ['the grid', lines], ['rowLabels', rowLabels.length]);

  const data = batches.map((batch) => batch.data);
  const [low, high] = options.range ? domainOf('range', options.range, []) : extent(data);
  const [cellWidth, cellHeight] = [width * scale, height * scale];
  const lineHeight = cellHeight + GAP + (captions ? CAPTION : 0);
  const place = (i: number): [x: number, y: number] => [
    (i % columns) * (cellWidth + GAP),
    Math.floor(i / columns) * lineHeight,
  ];

  return drawing(title, async () => {
    const urls = await Promise.all(
      Array.from({ length: total }, async (_, i) => {
        const size = height * width * channels;
        const at = (i % count) * size;
        const values = data[Math.floor(i / count)].slice(at, at + size);
        const bytes = Uint8Array.from(values, (value) => level(value, low, high));
        return dataUrl(await encodePng(bytes, { width, height, channels }));
      }),
    );
    const marks: Mark[] = urls.map((url, i) => {
      const [x, y] = place(i);
      return {
        type: 'image',
        aria: false,
        encode: {
          enter: {
            url: { value: url },
            x: { value: x },
            y: { value: y },
            width: { value: cellWidth },
            height: { value: cellHeight },
            smooth: { value: false },
          },
        },
      };
    });
    const texts = [
      ...(captions ?? []).map((caption, i) => {
        const [x, y] = place(i);
        return text(String(caption), x + cellWidth / 2, y + cellHeight + 9, 'center');
      }),
      ...(rowLabels ?? []).map((label, row) =>
        text(label, -8, row * lineHeight + cellHeight / 2, 'right'),
      ),
    ];
    const across = Math.min(columns, total) * (cellWidth + GAP) - GAP;
    return { ...frame(title, across, lines * lineHeight - GAP), marks: [...marks, ...texts] };
  });
}

function isListOfRows(images: Images | readonly Tensor[]): images is readonly Tensor[] {
  return Array.isArray(images) && images.length > 0 && images.every((x) => x instanceof Tensor);
}

/** From black, 0, to white, 255; all black where there is one value only. */
function level(value: number, low: number, high: number): number {
  const share = high > low ? (value - low) / (high - low) : 0;
  return Math.round(255 * Math.min(1, Math.max(0, share)));
}

/** Images as a flat list of numbers, channels last. */
function batchOf(name: string, images: Images, options: ImageGridOptions): Batch {
  const { imageShape, dataFormat = 'channelsLast' } = options;
  let x = images instanceof Tensor ? images : tensor(images as NestedArray, { dtype: 'float32' });
  if (imageShape) {
    const size = imageShape.reduce((product, axis) => product * axis, 1);
    if (x.size % size !== 0) {
      throw new PlotError(
        `${name} has ${x.size} numbers; an image of imageShape ${formatShape(imageShape)} takes ${size}, and ${x.size} is no multiple of that.`,
      );
    }
    x = x.reshape([x.size / size, ...imageShape]);
  }
  if (x.rank === 4 && dataFormat === 'channelsFirst') x = x.transpose([0, 2, 3, 1]);
  const [count, height, width, channels = 1] = x.shape;
  if (![3, 4].includes(x.rank) || (channels !== 1 && channels !== 3)) {
    throw new PlotError(
      `${name} has shape ${formatShape(x.shape)}${x.rank === 4 ? ' with the channels last' : ''}; expected [count, height, width] or with 1 or 3 channels. Flat images need imageShape, channels in front dataFormat: 'channelsFirst'.`,
    );
  }
  return { data: numbersOf(name, x.toTypedArray()), count, height, width, channels };
}

function text(words: string, x: number, y: number, align: 'center' | 'right'): TextMark {
  return {
    type: 'text',
    aria: false,
    encode: {
      enter: {
        text: { value: words },
        x: { value: x },
        y: { value: y },
        align: { value: align },
        baseline: { value: 'middle' },
        fontSize: { value: 12 },
        fill: { value: '#222' },
      },
    },
  };
}
