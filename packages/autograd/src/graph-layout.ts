/**
 * Where the boxes of a drawn graph go: in rows, inputs above outputs (Sugiyama, Tagawa & Toda 1981, "Methods for visual
 * understanding of hierarchical system structures"). Plain numbers in and out; nothing here knows of gradients.
 */

/** A box to place. Boxes are numbered so that every link goes to a higher number. */
export interface Box {
  readonly width: number;
  readonly height: number;
}

/** A line from the bottom of one box to the top of another. */
export interface Link {
  readonly from: number;
  /** Links of one outlet run together until they part. */
  readonly outlet: number;
  readonly to: number;
  /** Where the line leaves and arrives, right of the middle of the boxes. */
  readonly fromOffset: number;
  readonly toOffset: number;
}

/** A piece of a line, from row to row; `link` is one of those that run along it. */
export interface Segment {
  readonly x1: number;
  readonly y1: number;
  readonly x2: number;
  readonly y2: number;
  /** The lower end of the row that it leaves: down to there it must go straight, past boxes that are taller. */
  readonly clear: number;
  /** Whether it arrives at a box, or goes on. */
  readonly arrives: boolean;
}

export interface Layout {
  readonly width: number;
  readonly height: number;
  /** The middle of the upper side of each box. */
  readonly places: readonly { readonly x: number; readonly y: number }[];
  readonly segments: readonly Segment[];
}

const ROW_GAP = 58;
const BOX_GAP = 22;
const SWEEPS = 8;

/** A box, or a point at which a line passes a row. */
interface Station {
  readonly row: number;
  readonly width: number;
  x: number;
  readonly above: Wire[];
  readonly below: Wire[];
}

/** A piece of a line between stations of neighbouring rows. */
interface Wire {
  readonly upper: Station;
  readonly lower: Station;
  readonly upperOffset: number;
  readonly lowerOffset: number;
  readonly arrives: boolean;
}

/** Lays out a graph: as few crossings and as straight lines as a few sweeps over the rows can find. */
export function layout(boxes: readonly Box[], links: readonly Link[]): Layout {
  const { stations, wires } = wired(boxes, links);
  const rows = ordered(stations);
  align(rows);
  const heights = rows.map(() => 0);
  boxes.forEach(({ height }, i) => {
    const { row } = stations[i];
    heights[row] = Math.max(heights[row], height);
  });
  const tops: number[] = [];
  heights.reduce((y, height) => {
    tops.push(y);
    return y + height + ROW_GAP;
  }, 0);
  const all = rows.flat();
  const left = all.reduce((x, s) => Math.min(x, s.x - s.width / 2), Infinity);
  const right = all.reduce((x, s) => Math.max(x, s.x + s.width / 2), -Infinity);
  const bottomOf = new Map(stations.map((s, i) => [s, tops[s.row] + (boxes[i]?.height ?? 0)]));
  return {
    width: right - left,
    height: tops[tops.length - 1] + heights[heights.length - 1],
    places: boxes.map((_, i) => ({ x: stations[i].x - left, y: tops[stations[i].row] })),
    segments: wires.map(({ upper, lower, upperOffset, lowerOffset, arrives }) => ({
      x1: upper.x - left + upperOffset,
      y1: bottomOf.get(upper) ?? 0,
      x2: lower.x - left + lowerOffset,
      y2: tops[lower.row],
      clear: tops[upper.row] + heights[upper.row],
      arrives,
    })),
  };
}

/** Every box in its row, as low as its consumers allow, and lines cut where they pass rows. The boxes come first. */
function wired(
  boxes: readonly Box[],
  links: readonly Link[],
): { stations: Station[]; wires: Wire[] } {
  const fromBottom = boxes.map(() => 0);
  const outgoing = boxes.map((): Link[] => []);
  for (const link of links) outgoing[link.from].push(link);
  for (let i = boxes.length - 1; i >= 0; i--) {
    for (const { to } of outgoing[i]) fromBottom[i] = Math.max(fromBottom[i], fromBottom[to] + 1);
  }
  const last = fromBottom.reduce((a, b) => Math.max(a, b), 0);
  const station = (row: number, width: number): Station => ({
    row,
    width,
    x: 0,
    above: [],
    below: [],
  });
  const stations = boxes.map(({ width }, i) => station(last - fromBottom[i], width));
  const wires: Wire[] = [];
  const connect = (wire: Wire): void => {
    wires.push(wire);
    wire.upper.below.push(wire);
    wire.lower.above.push(wire);
  };
  // The line of each outlet so far: its lowest station.
  const lines = new Map<string, { end: Station; offset: number }[]>();
  for (const { from, outlet, to, fromOffset, toOffset } of links) {
    const key = `${from} ${outlet}`;
    const line = lines.get(key) ?? [{ end: stations[from], offset: fromOffset }];
    lines.set(key, line);
    const steps = stations[to].row - stations[from].row - 1;
    while (line.length <= steps) {
      const { end, offset } = line[line.length - 1];
      const next = station(end.row + 1, 0);
      stations.push(next);
      connect({ upper: end, lower: next, upperOffset: offset, lowerOffset: 0, arrives: false });
      line.push({ end: next, offset: 0 });
    }
    const { end, offset } = line[steps];
    connect({
      upper: end,
      lower: stations[to],
      upperOffset: offset,
      lowerOffset: toOffset,
      arrives: true,
    });
  }
  return { stations, wires };
}

/** The rows, each in an order that crosses few lines. */
function ordered(stations: readonly Station[]): Station[][] {
  const rows: Station[][] = [];
  for (const { row } of stations) rows[row] ??= [];
  // A walk up from the results, left to right, draws a tree without any crossing.
  const seen = new Set<Station>();
  const stack = stations.filter(({ below }) => below.length === 0).reverse();
  for (let s = stack.pop(); s !== undefined; s = stack.pop()) {
    if (seen.has(s)) continue;
    seen.add(s);
    rows[s.row].push(s);
    for (let i = s.above.length - 1; i >= 0; i--) stack.push(s.above[i].upper);
  }
  let best = rows.map((row) => [...row]);
  let fewest = crossings(rows);
  for (let sweep = 0; sweep < SWEEPS && fewest > 0; sweep++) {
    const down = sweep % 2 === 0;
    const position = positions(rows);
    for (let k = 1; k < rows.length; k++) {
      const row = rows[down ? k : rows.length - 1 - k];
      const middle = new Map(
        row.map((s) => [s, neighbourMean(s, down, (t) => position.get(t) ?? 0)]),
      );
      row.sort((a, b) => (middle.get(a) ?? 0) - (middle.get(b) ?? 0));
      row.forEach((s, i) => position.set(s, i));
    }
    const count = crossings(rows);
    if (count < fewest) {
      fewest = count;
      best = rows.map((row) => [...row]);
    }
  }
  return best;
}

function positions(rows: readonly (readonly Station[])[]): Map<Station, number> {
  return new Map(rows.flatMap((row) => row.map((s, i): [Station, number] => [s, i])));
}

/** The mean position of what a station is joined to above (or below); its own where there is nothing. */
function neighbourMean(s: Station, above: boolean, position: (s: Station) => number): number {
  const wires = above ? s.above : s.below;
  if (wires.length === 0) return position(s);
  return wires.reduce((sum, w) => sum + position(above ? w.upper : w.lower), 0) / wires.length;
}

/** How many pairs of lines cross between neighbouring rows. */
function crossings(rows: readonly (readonly Station[])[]): number {
  const position = positions(rows);
  let count = 0;
  for (const row of rows) {
    const ends = row.flatMap((s) => s.below.map((w) => position.get(w.lower) ?? 0));
    const starts = row.flatMap((s, i) => s.below.map(() => i));
    for (let i = 0; i < ends.length; i++) {
      for (let j = i + 1; j < ends.length; j++)
        if (starts[i] < starts[j] && ends[i] > ends[j]) count++;
    }
  }
  return count;
}

/** Moves stations to where their lines are straight, keeping their order and distances. */
function align(rows: readonly (readonly Station[])[]): void {
  for (const row of rows)
    settle(
      row,
      row.map(() => 0),
      row.map(() => 1),
    );
  // The last sweep goes down: ops end up in the middle below their inputs.
  for (let sweep = 0; sweep <= 2 * SWEEPS; sweep++) {
    const down = sweep % 2 === 0;
    for (let k = 0; k < rows.length; k++) {
      const row = rows[down ? k : rows.length - 1 - k];
      const wishes = row.map((s) => wish(s, down));
      settle(
        row,
        wishes.map(({ x }) => x),
        wishes.map(({ weight }) => weight),
      );
    }
  }
}

/** Where a station's lines upwards (or downwards) would be straight, and how much that matters: most for long lines. */
function wish(s: Station, up: boolean): { x: number; weight: number } {
  const all = up ? s.above : s.below;
  if (all.length === 0) return { x: s.x, weight: 0.1 };
  // A line that passes by goes straight on, whatever branches off.
  const passing = s.width === 0 ? all.filter(({ arrives }) => !arrives) : [];
  const wires = passing.length > 0 ? passing : all;
  const targets = wires.map((w) =>
    up ? w.upper.x + w.upperOffset - w.lowerOffset : w.lower.x + w.lowerOffset - w.upperOffset,
  );
  const x = targets.reduce((a, b) => a + b) / targets.length;
  return { x, weight: s.width === 0 ? 8 : wires.length };
}

/**
 * The places nearest to what the stations of a row wish (weighted least squares) that keep their distances. Measured from
 * the packed row that is isotonic regression: neighbours whose wishes collide become a block at their weighted mean.
 */
function settle(
  row: readonly Station[],
  wishes: readonly number[],
  weights: readonly number[],
): void {
  const packed: number[] = [];
  const blocks: { sum: number; weight: number; count: number }[] = [];
  row.forEach((s, i) => {
    const before = row[i - 1];
    packed.push(i === 0 ? 0 : packed[i - 1] + (before.width + s.width) / 2 + BOX_GAP);
    let block = { sum: weights[i] * (wishes[i] - packed[i]), weight: weights[i], count: 1 };
    for (
      let last = blocks[blocks.length - 1];
      last !== undefined && last.sum / last.weight > block.sum / block.weight;
      last = blocks[blocks.length - 1]
    ) {
      blocks.pop();
      block = {
        sum: last.sum + block.sum,
        weight: last.weight + block.weight,
        count: last.count + block.count,
      };
    }
    blocks.push(block);
  });
  let i = 0;
  for (const { sum, weight, count } of blocks) {
    for (const end = i + count; i < end; i++) row[i].x = sum / weight + packed[i];
  }
}
