/** Reads the SVG of drawn graphs, for tests. */

export interface Rectangle {
  kind: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The elements of an SVG. @throws Error unless it is well-formed: every tag closed, every attribute quoted, text escaped */
export function readSvg(svg: string): { boxes: Rectangle[]; texts: string[]; size: number[] } {
  const open: string[] = [];
  const rest = svg.replace(
    /<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<&]*")*)(\/?)>/g,
    (_, close, name, __, self) => {
      if (close === '/') {
        if (open.pop() !== name) throw new Error(`</${String(name)}> closes nothing`);
      } else if (self !== '/') open.push(String(name));
      return '';
    },
  );
  if (open.length > 0) throw new Error(`<${open.join('>, <')}> is not closed`);
  if (/[<>]|&(?!(amp|lt|gt);)/.test(rest))
    throw new Error(`not well-formed: ${rest.slice(0, 200)}`);
  const rectangles = svg.matchAll(
    /<rect class="(\w+)" x="([-.\d]+)" y="([-.\d]+)" width="([-.\d]+)" height="([-.\d]+)"/g,
  );
  const boxes = [...rectangles].map(([, kind, ...numbers]) => {
    const [x, y, width, height] = numbers.map(Number);
    return { kind, x, y, width, height };
  });
  const texts = [...svg.matchAll(/<text class="\w+" [^>]*>([^<]*)<\/text>/g)].map((m) => m[1]);
  const size = /viewBox="([^"]*)"/.exec(svg)?.[1].split(' ').map(Number) ?? [];
  return { boxes, texts, size };
}

/** Pairs of rectangles that share more than an edge. */
export function overlaps(boxes: Rectangle[]): [Rectangle, Rectangle][] {
  return boxes.flatMap((a, i) =>
    boxes.slice(i + 1).flatMap((b): [Rectangle, Rectangle][] => {
      const apart =
        a.x + a.width <= b.x ||
        b.x + b.width <= a.x ||
        a.y + a.height <= b.y ||
        b.y + b.height <= a.y;
      return apart ? [] : [[a, b]];
    }),
  );
}
