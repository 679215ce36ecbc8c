/** The picture of a model: every layer and line is there, and nothing lies on top of anything else. */
import {
  Add,
  BatchNormalization,
  Bidirectional,
  Concatenate,
  Conv2D,
  Dense,
  Flatten,
  Input,
  LSTM,
  MaxPooling2D,
  Model,
  Sequential,
  plotModel,
} from '@tapegrad/layers';
import { ShapeError } from '@tapegrad/tensor';
import { overlaps, readSvg } from '../support/svg.js';

interface Box {
  kind: string;
  x: number;
  y: number;
  width: number;
  height: number;
  label: string;
  detail: string;
}

/** The boxes with their texts. */
function boxesOf(svg: string): Box[] {
  const pattern =
    /<rect class="(\w+)" x="([-.\d]+)" y="([-.\d]+)" width="([-.\d]+)" height="([-.\d]+)" rx="[.\d]+"\/><text class="label"[^>]*>([^<]*)<\/text>(?:<text class="small"[^>]*>([^<]*)<\/text>)?/g;
  return [...svg.matchAll(pattern)].map(([, kind, x, y, width, height, label, detail = '']) => ({
    kind,
    x: Number(x),
    y: Number(y),
    width: Number(width),
    height: Number(height),
    label,
    detail,
  }));
}

const near = (a: number, b: number): boolean => Math.abs(a - b) < 0.3;

/** The lines as 'from → to', followed along their pieces from box to box. */
function linesOf(svg: string): string[] {
  const boxes = boxesOf(svg);
  const pieces = [
    ...svg.matchAll(
      /<path class="edge" d="M([-.\d]+) ([-.\d]+)[^"]* ([-.\d]+) ([-.\d]+)"( marker-end)?/g,
    ),
  ].map(([, x1, y1, x2, y2, arrow]) => ({
    start: [Number(x1), Number(y1)],
    end: [Number(x2), Number(y2)],
    arrives: arrow !== undefined,
  }));
  const at = (x: number, y: number, edge: (box: Box) => number): Box | undefined =>
    boxes.find((box) => near(edge(box), y) && x > box.x && x < box.x + box.width);
  const origin = ([x, y]: readonly number[]): string => {
    const before = pieces.find(
      ({ end, arrives }) => !arrives && near(end[0], x) && near(end[1], y),
    );
    if (before !== undefined) return origin(before.start);
    return at(x, y, (box) => box.y + box.height)?.label ?? `nothing at ${x}, ${y}`;
  };
  return pieces
    .filter(({ arrives }) => arrives)
    .map(({ start, end: [x, y] }) => {
      const to = at(x, y + 6, (box) => box.y)?.label ?? `nothing at ${x}, ${y}`;
      return `${origin(start)} → ${to}`;
    });
}

/** Boxes apart from each other, or one within a group; labels of lines on nothing; all within the picture. */
function expectTidy(svg: string): void {
  const { boxes, size } = readSvg(svg);
  const holds = (a: (typeof boxes)[0], b: (typeof boxes)[0]): boolean =>
    a.kind === 'group' &&
    b.x >= a.x &&
    b.y >= a.y + 40 &&
    b.x + b.width <= a.x + a.width &&
    b.y + b.height <= a.y + a.height;
  expect(overlaps(boxes).filter(([a, b]) => !holds(a, b) && !holds(b, a))).toEqual([]);
  const [left, top, width, height] = size;
  for (const box of boxes) {
    expect(box.x).toBeGreaterThanOrEqual(left);
    expect(box.y).toBeGreaterThanOrEqual(top);
    expect(box.x + box.width).toBeLessThanOrEqual(left + width);
    expect(box.y + box.height).toBeLessThanOrEqual(top + height);
  }
}

const shown = (svg: string): string[] =>
  boxesOf(svg).map(({ kind, label, detail }) => `${kind} ${label}${detail && `: ${detail}`}`);

test('a Sequential is a column of its layers', () => {
  const svg = plotModel(
    new Sequential([
      new Conv2D(8, 3, { inputShape: [8, 8, 1], name: 'conv' }),
      new MaxPooling2D(2, { name: 'pool' }),
      new BatchNormalization({ name: 'norm', trainable: false }),
      new Flatten({ name: 'flat' }),
      new Dense(10, { name: 'scores' }),
    ]),
  );
  expect(shown(svg)).toEqual([
    'leaf input',
    'op conv: Conv2D, 80 weights',
    'op pool: MaxPooling2D',
    'op norm: BatchNormalization, 32 weights, frozen',
    'op flat: Flatten',
    'op scores: Dense, 730 weights',
    'result output',
  ]);
  expect(linesOf(svg)).toEqual([
    'input → conv',
    'conv → pool',
    'pool → norm',
    'norm → flat',
    'flat → scores',
    'scores → output',
  ]);
  const shapes = readSvg(svg).texts.filter((text) => text.startsWith('['));
  expect(shapes).toEqual([
    '[?, 8, 8, 1]',
    '[?, 6, 6, 8]',
    '[?, 3, 3, 8]',
    '[?, 3, 3, 8]',
    '[?, 72]',
    '[?, 10]',
  ]);
  expectTidy(svg);
});

/** Two inputs, two outputs, a layer used twice, and a line past several rows. */
function twins(): Model {
  const [left, right] = ['left', 'right'].map((name) => Input({ shape: [8], name }));
  const shared = new Dense(16, { name: 'features' });
  const [a, b] = [shared.apply(left), shared.apply(right)];
  const both = new Concatenate({ name: 'both' }).apply([a, b]);
  const same = new Dense(1, { name: 'same' }).apply(both);
  const sum = new Add({ name: 'sum' }).apply([a, new Dense(16, { name: 'mixed' }).apply(both)]);
  const kind = new Dense(3, { name: 'kind' }).apply(sum);
  return new Model({ inputs: [left, right], outputs: [same, kind], name: 'twins' });
}

test('a graph has each use of a layer and each line once', () => {
  const svg = plotModel(twins());
  expect(shown(svg).sort()).toEqual([
    'leaf left: input',
    'leaf right: input',
    'op both: Concatenate',
    'op features: Dense, 144 weights',
    'op kind: Dense, 51 weights',
    'op mixed: Dense, 528 weights',
    'op same: Dense, 33 weights',
    'op sum: Add',
    'result kind: output',
    'result same: output',
    'shared features: Dense, shared',
  ]);
  expect(linesOf(svg).sort()).toEqual([
    'both → mixed',
    'both → same',
    'features → both',
    'features → both',
    'features → sum',
    'kind → kind',
    'left → features',
    'mixed → sum',
    'right → features',
    'same → same',
    'sum → kind',
  ]);
  expectTidy(svg);
});

/** A model that uses a model twice, beside a layer with several outputs and one around another. */
function nesting(): Model {
  const image = Input({ shape: [6], name: 'image' });
  const code = new Dense(2, { name: 'code' }).apply(new Dense(4, { name: 'hidden' }).apply(image));
  const encoder = new Model({ inputs: image, outputs: code, name: 'encoder' });
  const inputs = ['one', 'two'].map((name) => Input({ shape: [6], name }));
  const codes = inputs.map((input) => encoder.apply(input));
  const steps = Input({ shape: [null, 3], name: 'steps' });
  const lstm = new LSTM(2, { name: 'lstm', returnSequences: true, returnState: true });
  const [sequence, , memory] = lstm.applyAll(steps);
  const around = new Bidirectional(new LSTM(1), { name: 'around' }).apply(sequence);
  const all = new Concatenate({ name: 'all' }).apply([...codes, around]);
  return new Model({ inputs: [...inputs, steps], outputs: [all, memory], name: 'nesting' });
}

test('a model within has its layers inside, once', () => {
  const svg = plotModel(nesting());
  expect(shown(svg).sort()).toEqual([
    'group encoder: Model, 38 weights',
    'leaf image: input',
    'leaf one: input',
    'leaf steps: input',
    'leaf two: input',
    'op all: Concatenate',
    'op around: Bidirectional(LSTM), 32 weights',
    'op code: Dense, 10 weights',
    'op hidden: Dense, 28 weights',
    'op lstm: LSTM, 48 weights',
    'result all: output',
    'result code: output',
    'result lstm: output',
    'shared encoder: Model, shared',
  ]);
  expect(linesOf(svg).sort()).toEqual([
    'all → all',
    'around → all',
    'code → code',
    'encoder → all',
    'encoder → all',
    'hidden → code',
    'image → hidden',
    'lstm → around',
    'lstm → lstm',
    'one → encoder',
    'steps → lstm',
    'two → encoder',
  ]);
  // Of the outputs of the LSTM only those that something needs, by their numbers.
  const numbered = readSvg(svg).texts.filter((text) => /^\d: /.test(text));
  expect(numbered).toEqual(['0: [?, ?, 2]', '2: [?, 2]']);
  expectTidy(svg);
  const boxes = boxesOf(svg);
  const group = boxes.find(({ kind }) => kind === 'group');
  for (const box of boxes.filter(({ label }) => ['image', 'hidden', 'code'].includes(label))) {
    expect(box.y).toBeGreaterThan(group?.y ?? Infinity);
    expect(box.y + box.height).toBeLessThan((group?.y ?? 0) + (group?.height ?? 0));
  }
});

test('what is not asked for is left out', () => {
  const svg = plotModel(nesting(), { expandNested: false, showShapes: false, showWeights: false });
  expect(shown(svg)).toContain('op encoder: Model');
  expect(svg).not.toMatch(/hidden|weights|class="shape"|class="back"/);
  expectTidy(svg);
});

test('a line never runs through a box of its row that is taller', () => {
  const svg = plotModel(nesting());
  const group = boxesOf(svg).find(({ kind }) => kind === 'group');
  const small = boxesOf(svg).find(({ kind }) => kind === 'shared');
  const bottom = (group?.y ?? 0) + (group?.height ?? 0);
  const start = (small?.y ?? 0) + (small?.height ?? 0);
  const line = [...svg.matchAll(/d="M([-.\d]+) ([-.\d]+) L([-.\d]+) ([-.\d]+) C/g)]
    .map(([, ...numbers]) => numbers.map(Number))
    .find(([x, y]) => near(y, start) && near(x, (small?.x ?? 0) + (small?.width ?? 0) / 2));
  expect(line?.[2]).toBe(line?.[0]);
  expect(line?.[3]).toBeCloseTo(bottom, 0);
});

test('names are escaped, and the same model gives the same picture', () => {
  const make = (): Sequential =>
    new Sequential([new Dense(1, { inputShape: [1], name: '<b>&"1"' })]);
  expect(readSvg(plotModel(make())).texts).toContain('&lt;b&gt;&amp;"1"');
  expect(plotModel(make())).toBe(plotModel(make()));
});

test('a model that knows no shapes yet is an error', () => {
  const plot = (): string => plotModel(new Sequential([new Dense(1)], { name: 'net' }));
  expect(plot).toThrow(ShapeError);
  expect(plot).toThrow('net: plotModel needs the shapes; give the first layer an inputShape, or');
});
