import type { Config, Spec } from 'vega';

/** Ten colours that are told apart well, for classes and series: Vega's Tableau 10 with red second. */
export const COLOURS = [
  '#4c78a8',
  '#e45756',
  '#54a24b',
  '#f58518',
  '#72b7b2',
  '#b279a2',
  '#eeca3b',
  '#ff9da6',
  '#9d755d',
  '#79706e',
] as const;

const INK = '#222';
const QUIET = '#888';

/** The look of all pictures: quiet axes, a light grid, the reader's sans-serif font. */
export const config: Config = {
  background: 'white',
  // No limits: words are never cut short.
  axis: {
    labelLimit: 0,
    domainColor: QUIET,
    tickColor: QUIET,
    gridColor: '#e8e8e8',
    labelColor: INK,
    titleColor: INK,
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 'normal',
    titlePadding: 8,
  },
  legend: {
    labelLimit: 0,
    labelColor: INK,
    titleColor: INK,
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: 'normal',
  },
  title: {
    limit: 0,
    color: INK,
    fontSize: 14,
    subtitleColor: INK,
    subtitleFontSize: 12,
    subtitlePadding: 4,
    offset: 10,
  },
};

/** What every specification begins with. The title stands over the plane, or over all that there is (`bounds`). */
export function frame(
  title: string,
  width: number,
  height: number,
  { subtitle = '', over = 'group' }: { subtitle?: string; over?: 'group' | 'bounds' } = {},
): Spec {
  const heading = { text: title, anchor: 'middle', frame: over, subtitle } as const;
  return {
    width,
    height,
    padding: 12,
    config,
    ...((title !== '' || subtitle !== '') && { title: heading }),
  };
}

/** The expression for the text with the number `datum.value`. Vega takes U+2028 and U+2029 for ends of lines, even in strings. */
export function textAt(texts: readonly (string | number)[]): string {
  const list = JSON.stringify(texts).replace(/[\u2028\u2029]/g, (sign) =>
    sign === '\u2028' ? '\\u2028' : '\\u2029',
  );
  return `${list}[datum.value]`;
}
