import { inline, page, parseSVG, pictureOf } from './drawing.js';
import { PlotError } from './errors.js';
import type { Picture } from './picture.js';

/** Options of `sideBySide`. */
export interface SideBySideOptions {
  /** Title of the page. Default: the titles of the pictures. */
  title?: string;
  /** Pictures in a row. Default: all. */
  columns?: number;
}

/**
 * Several pictures as one, row by row: to compare them. Each keeps its size, its axes and its title; a column is as wide as the
 * widest of its pictures, and the planes of a row begin at the same height.
 *
 * @throws PlotError no pictures; columns that are no whole number above 0
 *
 * @example
 * const [sine, cosine] = [line([0, 1], [0, 0.84]), line([0, 1], [1, 0.54])];
 * const [, width] = /width="(\d+)"/.exec(await sine.toSVG());
 * const [, both] = /width="(\d+)"/.exec(await sideBySide([sine, cosine]).toSVG());
 * both === String(2 * Number(width)); // true
 */
export function sideBySide(pictures: readonly Picture[], options: SideBySideOptions = {}): Picture {
  if (pictures.length === 0) {
    throw new PlotError('sideBySide: no pictures; there is nothing to draw.');
  }
  const { columns = pictures.length } = options;
  if (!(Number.isInteger(columns) && columns > 0)) {
    throw new PlotError(`sideBySide: columns is ${columns}; expected a whole number above 0.`);
  }
  const { title = pictures.map((picture) => picture.title).join(' | ') } = options;
  let svg: Promise<string> | undefined;
  return pictureOf({
    title,
    toSVG: () =>
      (svg ??= Promise.all(pictures.map((picture) => picture.toSVG())).then((drawn) =>
        arranged(drawn, Math.min(columns, pictures.length)),
      )),
    async toHTML() {
      return page(title, inline(await this.toSVG()));
    },
    async mount(element) {
      element.replaceChildren(parseSVG(await this.toSVG(), element));
    },
  });
}

/** Size and content of a picture; the plane within its axes begins where the first group is moved to. */
const SVG =
  /^<svg[^>]* width="([\d.]+)" height="([\d.]+)"[^>]*>([^]*? transform="translate\([\d.]+,([\d.]+)\)"[^]*)<\/svg>$/;

function arranged(svgs: readonly string[], columns: number): string {
  const parts = svgs.map((svg, i) => {
    const [, width, height, content, top] = SVG.exec(svg) ?? [];
    return {
      row: Math.floor(i / columns),
      column: i % columns,
      width: Number(width),
      height: Number(height),
      top: Number(top),
      content,
    };
  });
  const widths = new Array<number>(columns).fill(0);
  const tops = new Array<number>(Math.ceil(svgs.length / columns)).fill(0);
  const heights = [...tops];
  for (const { row, column, width, top } of parts) {
    widths[column] = Math.max(widths[column], width);
    tops[row] = Math.max(tops[row], top);
  }
  for (const { row, height, top } of parts) {
    heights[row] = Math.max(heights[row], tops[row] - top + height);
  }
  const before = (sizes: readonly number[], at: number): number =>
    sizes.slice(0, at).reduce((sum, size) => sum + size, 0);
  const body = parts.map(({ row, column, top, content }) => {
    const y = before(heights, row) + tops[row] - top;
    return `<g transform="translate(${before(widths, column)},${y})">${content}</g>`;
  });
  const [width, height] = [before(widths, columns), before(heights, heights.length)];
  return (
    '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" version="1.1" ' +
    `width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
    `<rect width="${width}" height="${height}" fill="white"/>${body.join('')}</svg>`
  );
}
