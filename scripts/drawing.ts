/** A few shapes of SVG as text, for figures.ts. Lengths are in pixels. */

/** The colours of the figures; they keep apart for readers who see few colours, too. */
export const INK = '#222222';
export const GREY = '#8a8a8a';
export const PALE = '#e9edf2';
export const BLUE = '#2b6cb0';
export const ORANGE = '#c05621';
export const GREEN = '#2f7d4f';

export type Anchor = 'start' | 'middle' | 'end';

export interface Stroke {
  colour?: string;
  width?: number;
  dash?: string;
}

export interface TextOptions {
  size?: number;
  anchor?: Anchor;
  fill?: string;
  bold?: boolean;
}

/** Two digits after the point are enough for a screen. */
const n = (value: number): string => String(Number(value.toFixed(2)));

const escaped = (words: string): string =>
  words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

const strokeOf = ({ colour = INK, width = 1.5, dash }: Stroke): string =>
  `stroke="${colour}" stroke-width="${n(width)}"${dash === undefined ? '' : ` stroke-dasharray="${dash}"`}`;

/** Words whose baseline is at y. */
export function text(x: number, y: number, words: string, options: TextOptions = {}): string {
  const { size = 14, anchor = 'middle', fill = INK, bold = false } = options;
  const weight = bold ? ' font-weight="bold"' : '';
  return `<text x="${n(x)}" y="${n(y)}" font-size="${n(size)}" text-anchor="${anchor}" fill="${fill}"${weight}>${escaped(words)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, stroke: Stroke = {}): string {
  return `<line x1="${n(x1)}" y1="${n(y1)}" x2="${n(x2)}" y2="${n(y2)}" ${strokeOf(stroke)}/>`;
}

/** A line through points, with a head at its end. */
export function arrow(points: readonly (readonly [number, number])[], stroke: Stroke = {}): string {
  const { colour = INK } = stroke;
  const [[x0, y0], [x, y]] = points.slice(-2);
  const length = Math.hypot(x - x0, y - y0);
  const [ux, uy] = [(x - x0) / length, (y - y0) / length];
  // The line ends within the head, so that the tip stays sharp.
  const [bx, by] = [x - 8 * ux, y - 8 * uy];
  const path = [...points.slice(0, -1), [bx, by] as const].map(([px, py]) => `${n(px)} ${n(py)}`);
  const head = [
    [x, y],
    [bx - 4 * uy, by + 4 * ux],
    [bx + 4 * uy, by - 4 * ux],
  ].map(([px, py]) => `${n(px)} ${n(py)}`);
  return (
    `<path d="M${path.join('L')}" fill="none" ${strokeOf(stroke)}/>` +
    `<path d="M${head.join('L')}z" fill="${colour}"/>`
  );
}

export function rect(
  x: number,
  y: number,
  width: number,
  height: number,
  { fill = 'none', round = 0, ...stroke }: Stroke & { fill?: string; round?: number } = {},
): string {
  const radius = round === 0 ? '' : ` rx="${n(round)}"`;
  return `<rect x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}"${radius} fill="${fill}" ${strokeOf(stroke)}/>`;
}

/** A box around its middle, with a word in it. */
export function box(x: number, y: number, width: number, height: number, word: string): string {
  return (
    rect(x - width / 2, y - height / 2, width, height, { fill: PALE, round: 5 }) +
    text(x, y + 5, word)
  );
}

export function circle(
  x: number,
  y: number,
  radius: number,
  { fill = 'none', ...stroke }: Stroke & { fill?: string } = {},
): string {
  return `<circle cx="${n(x)}" cy="${n(y)}" r="${n(radius)}" fill="${fill}" ${strokeOf(stroke)}/>`;
}

/** A disc with a sign in it: an operation. */
export const operation = (x: number, y: number, sign: string): string =>
  circle(x, y, 13, { fill: '#ffffff' }) + text(x, y + 5.5, sign, { size: 17 });

export function polygon(points: readonly (readonly [number, number])[], fill: string): string {
  return `<path d="M${points.map(([x, y]) => `${n(x)} ${n(y)}`).join('L')}z" fill="${fill}"/>`;
}

/** An ellipse turned by `degrees`. */
export function ellipse(
  x: number,
  y: number,
  rx: number,
  ry: number,
  {
    fill = 'none',
    opacity = 1,
    degrees = 0,
  }: { fill?: string; opacity?: number; degrees?: number },
): string {
  return `<ellipse cx="${n(x)}" cy="${n(y)}" rx="${n(rx)}" ry="${n(ry)}" transform="rotate(${n(degrees)} ${n(x)} ${n(y)})" fill="${fill}" fill-opacity="${n(opacity)}"/>`;
}

/** An image as squares of 16 greys, 1 black, in a thin frame. */
export function pixels(
  image: readonly (readonly number[])[],
  x: number,
  y: number,
  scale: number,
): string {
  const runs = new Map<number, string>();
  image.forEach((row, i) => {
    for (let j = 0; j < row.length;) {
      const grey = Math.round(15 * Math.min(1, Math.max(0, row[j])));
      let end = j + 1;
      while (end < row.length && Math.round(15 * Math.min(1, Math.max(0, row[end]))) === grey)
        end++;
      const width = n((end - j) * scale);
      const run = `M${n(x + j * scale)} ${n(y + i * scale)}h${width}v${n(scale)}h-${width}z`;
      if (grey > 0) runs.set(grey, (runs.get(grey) ?? '') + run);
      j = end;
    }
  });
  const paths = [...runs].map(([grey, path]) => {
    const tone = (17 * (15 - grey)).toString(16).padStart(2, '0');
    return `<path fill="#${tone.repeat(3)}" d="${path}"/>`;
  });
  const frame = rect(x, y, scale * image[0].length, scale * image.length, {
    colour: GREY,
    width: 1,
  });
  return `<g shape-rendering="crispEdges">${paths.join('')}</g>${frame}`;
}

/** The document, on white, so that it can be read on dark pages too. */
export function figure(
  title: string,
  width: number,
  height: number,
  parts: readonly string[],
): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${n(width)}" height="${n(height)}" viewBox="0 0 ${n(width)} ${n(height)}" font-family="DejaVu Sans, Verdana, sans-serif" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${n(width)}" height="${n(height)}" fill="#ffffff"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}
