/**
 * A picture of a graph as SVG.
 */
import { layout, type Box, type Layout, type Link, type Segment } from './graph-layout.js';

/** A node of a picture. */
export interface GraphVertex {
  /** How it looks: leaves and results are round, `shared` is an op that stands elsewhere too, a `group` holds a picture. */
  readonly kind: 'leaf' | 'constant' | 'op' | 'result' | 'shared' | 'group';
  readonly label: string;
  /** A second, smaller line; empty for none. */
  readonly detail: string;
  /** How many of its values are used. */
  readonly outlets: number;
  /** A picture within it. */
  readonly inside?: GraphPicture;
}

/** A value on its way from where it was made (or came in) to an op, or out. */
export interface GraphArrow {
  readonly from: number;
  readonly outlet: number;
  readonly to: number;
  /** Which input it is. */
  readonly inlet: number;
  /** Of the value, so the same on all arrows of an outlet; empty for none. */
  readonly label: string;
}

/** Vertices in an order in which every arrow goes to a later one. */
export interface GraphPicture {
  readonly vertices: readonly GraphVertex[];
  readonly arrows: readonly GraphArrow[];
}

/** Widths of a character: the fonts are monospaced, so that boxes fit whichever of them there is. */
const LABEL_WIDTH = 7.9;
const SMALL_WIDTH = 6.1;
/** How far below a node the shapes of its values stand. */
const SHAPE_DROP = 17;
const ARROW = 6;
const MARGIN = 16;
/** Around a picture within a picture. */
const PADDING = 14;

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
.shared { fill: #eef3fb; stroke: #5f7fb8; stroke-dasharray: 4 3; }
.group { fill: #fafbfd; stroke: #9fb2d3; stroke-width: 1.5px; }
.result { fill: #fbeacb; stroke: #c08a2e; stroke-width: 2px; }
`;

/** A vertex with the room it takes: `width` and `height` of what is drawn, `room` with the shapes below it. */
interface Sized extends GraphVertex {
  readonly inlets: number;
  readonly width: number;
  readonly height: number;
  readonly room: number;
  readonly inner: Arranged | null;
}

/** A picture of which everything has its place. */
interface Arranged extends Layout {
  readonly vertices: readonly Sized[];
  /** Of each outlet of each vertex. */
  readonly labels: readonly (readonly string[])[];
}

/**
 * Draws a graph from above downwards: the text of an SVG file, with no script, font or image from elsewhere.
 *
 * @param picture vertices and arrows; every arrow goes to a later vertex
 * @example
 * const x = { kind: 'leaf', label: 'x', detail: '', outlets: 1 };
 * const y = { kind: 'result', label: 'y', detail: '', outlets: 0 };
 * const arrow = { from: 0, outlet: 0, to: 1, inlet: 0, label: '[2]' };
 * drawGraph({ vertices: [x, y], arrows: [arrow] }).startsWith('<svg'); // true
 */
export function drawGraph(picture: GraphPicture): string {
  const arranged = arrange(picture);
  const [w, h] = [arranged.width, arranged.height].map((size) => Math.ceil(size + 2 * MARGIN));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${w}" height="${h}" viewBox="${-MARGIN} ${-MARGIN} ${w} ${h}">`,
    `<style>${STYLE}</style>`,
    '<defs><marker id="arrow" viewBox="0 0 8 8" refX="1" refY="4" markerWidth="7" markerHeight="7" orient="auto">' +
      '<path d="M0 0.5 8 4 0 7.5z" fill="#7c8aa5"/></marker></defs>',
    `<rect x="${-MARGIN}" y="${-MARGIN}" width="${w}" height="${h}" fill="#fff"/>`,
    ...drawn(arranged, 0, 0),
    '</svg>',
    '',
  ].join('\n');
}

/** Finds the places of everything, of pictures within it first. */
function arrange({ vertices, arrows }: GraphPicture): Arranged {
  const labels = vertices.map(({ outlets }) => new Array<string>(outlets).fill(''));
  const inlets = vertices.map(() => 0);
  for (const { from, outlet, to, label } of arrows) {
    labels[from][outlet] = label;
    inlets[to]++;
  }
  const sized = vertices.map((vertex, i) => sizedVertex(vertex, labels[i], inlets[i]));
  const boxes = sized.map(({ room, height }): Box => ({ width: room, height }));
  const links = arrows.map((arrow) => linkOf(arrow, sized));
  return { ...layout(boxes, links), vertices: sized, labels };
}

function sizedVertex(vertex: GraphVertex, labels: readonly string[], inlets: number): Sized {
  const { label, detail, kind, outlets, inside } = vertex;
  const longest = labels.reduce((n, { length }) => Math.max(n, length), 0);
  const shapes = outlets * (longest * SMALL_WIDTH + 6);
  const inner = inside === undefined ? null : arrange(inside);
  const own = Math.max(
    label.length * LABEL_WIDTH + 22,
    detail.length * SMALL_WIDTH + 14,
    36,
    inner === null ? 0 : inner.width + 2 * PADDING,
  );
  const round = kind === 'leaf' || kind === 'result' ? 10 : 0;
  const width = outlets > 1 ? Math.max(own, shapes) : own + round;
  const title = detail === '' ? 28 : 40;
  const height = inner === null ? title : title + inner.height + 1.5 * PADDING;
  return { ...vertex, inlets, width, height, room: Math.max(width, shapes), inner };
}

/** Everything in its place, moved right by x and down by y. */
function drawn({ vertices, labels, places, segments }: Arranged, x: number, y: number): string[] {
  return [
    ...segments.map((segment) => line(segment, x, y)),
    ...vertices.flatMap((vertex, i) => node(vertex, x + places[i].x, y + places[i].y)),
    ...vertices.flatMap((vertex, i) =>
      labels[i].map((label, outlet) => {
        const middle = x + places[i].x + outletOffset(vertex, outlet);
        return shapeLabel(middle, y + places[i].y + vertex.height + SHAPE_DROP, label);
      }),
    ),
  ].filter((element) => element !== '');
}

function linkOf({ from, outlet, to, inlet }: GraphArrow, vertices: readonly Sized[]): Link {
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
function line({ x1, y1, x2, y2, clear, arrives }: Segment, left: number, top: number): string {
  const end = arrives ? y2 - ARROW : y2;
  const bend = (clear + SHAPE_DROP + end) / 2;
  const at = (x: number, y: number): string => `${round(left + x)} ${round(top + y)}`;
  const straight = clear > y1 ? ` L${at(x1, clear)}` : '';
  const d = `M${at(x1, y1)}${straight} C${at(x1, bend)} ${at(x2, bend)} ${at(x2, end)}`;
  return `<path class="edge" d="${d}"${arrives ? ' marker-end="url(#arrow)"' : ''}/>`;
}

function node(vertex: Sized, x: number, y: number): string[] {
  const { kind, label, detail, width, height, inner } = vertex;
  const corner = kind === 'leaf' || kind === 'result' ? height / 2 : 5;
  const shape =
    `<rect class="${kind}" x="${round(x - width / 2)}" y="${round(y)}" width="${round(width)}" ` +
    `height="${round(height)}" rx="${corner}"/>`;
  const title =
    detail === ''
      ? text('label', x, y + 18.5, label)
      : text('label', x, y + 17, label) + text('small', x, y + 31, detail);
  if (inner === null) return [shape + title];
  const top = y + height - PADDING - inner.height;
  return [shape + title, ...drawn(inner, x - inner.width / 2, top)];
}

/** On white, so that the line seems to pass below it. */
function shapeLabel(x: number, y: number, label: string): string {
  if (label === '') return '';
  const width = label.length * SMALL_WIDTH + 4;
  const back = `<rect class="back" x="${round(x - width / 2)}" y="${round(y - 10)}" width="${round(width)}" height="13"/>`;
  return back + text('shape', x, y, label);
}

function text(style: string, x: number, y: number, content: string): string {
  return `<text class="${style}" x="${round(x)}" y="${round(y)}">${escaped(content)}</text>`;
}

const round = (x: number): number => Math.round(x * 10) / 10;

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
