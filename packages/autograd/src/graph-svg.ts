/**
 * A picture of a graph as SVG.
 */
import type { Arrow, Picture, Vertex } from './graph.js';
import { layout, type Box, type Link, type Segment } from './graph-layout.js';

/** Widths of a character: the fonts are monospaced, so that boxes fit whichever of them there is. */
const LABEL_WIDTH = 7.9;
const SMALL_WIDTH = 6.1;
/** How far below a node the shapes of its values stand. */
const SHAPE_DROP = 17;
const ARROW = 6;
const MARGIN = 16;

const STYLE = `
text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; text-anchor: middle; fill: #1d2533; }
.label { font-size: 13px; }
.small { font-size: 10px; fill: #4d5769; }
.shape { font-size: 10px; fill: #33405a; }
.back { fill: #fff; }
.edge { fill: none; stroke: #7c8aa5; stroke-width: 1.2px; }
.op { fill: #e3ecfa; stroke: #5f7fb8; }
.leaf { fill: #dcefe1; stroke: #4f9468; }
.constant { fill: #fff; stroke: #9aa1ad; stroke-dasharray: 3 2; }
.result { fill: #fbeacb; stroke: #c08a2e; stroke-width: 2px; }
`;

/** A vertex with the room it takes: `width` and `height` of what is drawn, `room` with the shapes below it. */
interface Sized extends Vertex {
  readonly inlets: number;
  readonly width: number;
  readonly height: number;
  readonly room: number;
}

/** The text of the picture. */
export function drawSvg({ vertices, arrows }: Picture): string {
  // The label of each outlet: the same for all arrows that leave it.
  const labels = vertices.map(({ outlets }) => new Array<string>(outlets).fill(''));
  const inlets = vertices.map(() => 0);
  for (const { from, outlet, to, label } of arrows) {
    labels[from][outlet] = label;
    inlets[to]++;
  }
  const sized = vertices.map((vertex, i): Sized => {
    const { label, detail, kind, outlets } = vertex;
    const longest = labels[i].reduce((n, { length }) => Math.max(n, length), 0);
    const shapes = outlets * (longest * SMALL_WIDTH + 6);
    const own = Math.max(label.length * LABEL_WIDTH + 22, detail.length * SMALL_WIDTH + 14, 36);
    const round = kind === 'leaf' || kind === 'result' ? 10 : 0;
    const width = outlets > 1 ? Math.max(own, shapes) : own + round;
    return {
      ...vertex,
      inlets: inlets[i],
      width,
      height: detail === '' ? 28 : 40,
      room: Math.max(width, shapes),
    };
  });
  const boxes = sized.map(({ room, height }): Box => ({ width: room, height }));
  const { places, segments, width, height } = layout(
    boxes,
    arrows.map((arrow) => linkOf(arrow, sized)),
  );
  const body = [
    ...segments.map(line),
    ...sized.map((vertex, i) => node(vertex, places[i].x, places[i].y)),
    ...sized.flatMap((vertex, i) =>
      labels[i].map((label, outlet) => {
        const x = places[i].x + outletOffset(vertex, outlet);
        return shapeLabel(x, places[i].y + vertex.height + SHAPE_DROP, label);
      }),
    ),
  ];
  const [w, h] = [width, height].map((size) => Math.ceil(size + 2 * MARGIN));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="${-MARGIN} ${-MARGIN} ${w} ${h}">`,
    `<style>${STYLE}</style>`,
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="7" markerHeight="7" orient="auto">' +
      '<path d="M0 0.5 8 4 0 7.5z" fill="#7c8aa5"/></marker></defs>',
    `<rect x="${-MARGIN}" y="${-MARGIN}" width="${w}" height="${h}" fill="#fff"/>`,
    ...body,
    '</svg>',
    '',
  ].join('\n');
}

function linkOf({ from, outlet, to, inlet }: Arrow, vertices: readonly Sized[]): Link {
  const { inlets, width } = vertices[to];
  return {
    from,
    outlet,
    to,
    fromOffset: outletOffset(vertices[from], outlet),
    toOffset: (inlet - (inlets - 1) / 2) * Math.min(22, (width - 12) / Math.max(inlets, 1)),
  };
}

/** Where a value leaves its node: the values of a list side by side. */
function outletOffset({ outlets, room }: Sized, outlet: number): number {
  return (outlet - (outlets - 1) / 2) * (room / outlets);
}

/** An arrow, or a piece of one: it leaves and arrives upright. */
function line({ x1, y1, x2, y2, arrives }: Segment): string {
  const end = arrives ? y2 - ARROW : y2;
  const bend = (y1 + SHAPE_DROP + end) / 2;
  const d = `M${at(x1, y1)} C${at(x1, bend)} ${at(x2, bend)} ${at(x2, end)}`;
  return `<path class="edge" d="${d}"${arrives ? ' marker-end="url(#arrow)"' : ''}/>`;
}

function node({ kind, label, detail, width, height }: Sized, x: number, y: number): string {
  const corner = kind === 'leaf' || kind === 'result' ? height / 2 : 5;
  const shape =
    `<rect class="${kind}" x="${round(x - width / 2)}" y="${round(y)}" width="${round(width)}" ` +
    `height="${height}" rx="${corner}"/>`;
  if (detail === '') return shape + text('label', x, y + 18.5, label);
  return shape + text('label', x, y + 17, label) + text('small', x, y + 31, detail);
}

/** On white, so that the line seems to pass below it. */
function shapeLabel(x: number, y: number, label: string): string {
  const width = label.length * SMALL_WIDTH + 4;
  const back = `<rect class="back" x="${round(x - width / 2)}" y="${round(y - 10)}" width="${round(width)}" height="13"/>`;
  return back + text('shape', x, y, label);
}

function text(style: string, x: number, y: number, content: string): string {
  return `<text class="${style}" x="${round(x)}" y="${round(y)}">${escaped(content)}</text>`;
}

const round = (x: number): number => Math.round(x * 10) / 10;
const at = (x: number, y: number): string => `${round(x)} ${round(y)}`;

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
