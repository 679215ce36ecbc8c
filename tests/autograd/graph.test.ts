/** The pictures of graphs: what is in them, and that nothing lies on top of anything else. */
import { ones, tensor } from '@tapegrad/tensor';
import { Variable, graphToDot, graphToSvg, ops, variable } from '@tapegrad/autograd';
import { Numbers } from '../support/numbers.js';
import { overlaps, readSvg } from '../support/svg.js';

/** The labels of the nodes and the lines of a DOT text, with arrows by label. */
function readDot(dot: string): { nodes: string[]; arrows: [string, string, string][] } {
  const labels = new Map(
    [...dot.matchAll(/^ {2}(n\d+) \[label="((?:[^"\\]|\\.)*)"/gm)].map((m): [string, string] => [
      m[1],
      m[2],
    ]),
  );
  const label = (id: string): string => labels.get(id) ?? `missing ${id}`;
  const arrows = [...dot.matchAll(/^ {2}(n\d+) -> (n\d+) \[label="((?:[^"\\]|\\.)*)"\];$/gm)];
  return {
    nodes: [...labels.values()],
    arrows: arrows.map(([, from, to, shape]) => [label(from), shape, label(to)]),
  };
}

const w = variable(ones([2, 3]));
const b = variable([0, 0, 0]);
const hidden = ops.matmul(ones([4, 2]), w).add(b);
const loss = hidden.softmax(-1).sum({ axis: 1, keepDims: true }).mean();
const names = { w, b, hidden, loss };

describe('graphToDot', () => {
  test('has ops, leaves and constants, and shapes on the arrows', () => {
    const { nodes, arrows } = readDot(graphToDot(loss, { names }));
    expect(nodes).toEqual([
      'constant',
      'w',
      'matmul',
      'b',
      'add',
      'softmax\\naxis: -1',
      'sum\\naxis: 1, keepDims: true',
      'mean',
      'loss',
    ]);
    expect(arrows).toEqual([
      ['constant', '[4, 2]', 'matmul'],
      ['w', '[2, 3]', 'matmul'],
      ['matmul', '[4, 3]', 'add'],
      ['b', '[3]', 'add'],
      ['add', 'hidden [4, 3]', 'softmax\\naxis: -1'],
      ['softmax\\naxis: -1', '[4, 3]', 'sum\\naxis: 1, keepDims: true'],
      ['sum\\naxis: 1, keepDims: true', '[4, 1]', 'mean'],
      ['mean', '[]', 'loss'],
    ]);
  });

  test('is this text', () => {
    const x = variable([1, 2], 'float64');
    expect(graphToDot(x.square(), { names: { x } })).toBe(`digraph {
  node [fontname="Helvetica", fontsize=11, color="#5b6b86"];
  edge [fontname="Helvetica", fontsize=9, color="#5b6b86"];
  n0 [label="x", shape=ellipse, style=filled, fillcolor="#dcefe1"];
  n1 [label="square", shape=box, style="rounded,filled", fillcolor="#e3ecfa"];
  n2 [label="result", shape=ellipse, style=filled, fillcolor="#fbeacb", peripheries=2];
  n0 -> n1 [label="[2] float64"];
  n1 -> n2 [label="[2] float64"];
}
`);
  });

  test('takes names as a Map too, and does without', () => {
    expect(
      graphToDot(loss, { names: new Map(Object.entries(names).map(([k, v]) => [v, k])) }),
    ).toBe(graphToDot(loss, { names }));
    expect(readDot(graphToDot(w.square())).nodes).toEqual(['variable', 'square', 'result']);
  });

  test('shows a leaf once however often it is used, and an input twice that is used twice', () => {
    const x = variable(2);
    const { nodes, arrows } = readDot(graphToDot(x.mul(x).add(x), { names: { x } }));
    expect(nodes).toEqual(['x', 'mul', 'add', 'result']);
    expect(arrows.map(([from, , to]) => `${from} ${to}`)).toEqual([
      'x mul',
      'x mul',
      'mul add',
      'x add',
      'add result',
    ]);
  });

  test('numbers the results of an op that has several', () => {
    const x = variable([[3, 1, 2]]);
    const [, second, third] = x.split([1, 1, 1], { axis: 1 });
    const { arrows } = readDot(graphToDot(second.add(third), { names: { third } }));
    expect(arrows.map(([, shape]) => shape)).toEqual([
      '[1, 3]',
      '1: [1, 1]',
      '2: third [1, 1]',
      '[1, 1]',
    ]);
  });

  test('of a leaf or a constant is that alone', () => {
    expect(readDot(graphToDot(w, { names })).arrows).toEqual([['w', '[2, 3]', 'result']]);
    const constant = new Variable(tensor([1, 2], 'int32'));
    expect(readDot(graphToDot(constant)).arrows).toEqual([['constant', '[2] int32', 'result']]);
  });

  test('quotes what names may hold', () => {
    const x = variable(1);
    const dot = graphToDot(x.square(), { names: new Map([[x, 'a "b" \\ c\nd']]) });
    expect(dot).toContain('n0 [label="a \\"b\\" \\\\ c\\nd", ');
  });

  test('of a gradient shows how that was computed', () => {
    const x = variable(2);
    x.sin().backward(undefined, { createGraph: true });
    const { nodes } = readDot(graphToDot(x.grad ?? x, { names: { x } }));
    expect(nodes).toEqual(expect.arrayContaining(['x', 'cos', 'mul']));
  });

  test('copes with a chain of 10,000 nodes', () => {
    let y: Variable = variable(1);
    for (let i = 0; i < 10_000; i++) y = y.mul(1.001);
    const { nodes, arrows } = readDot(graphToDot(y));
    expect([nodes.length, arrows.length]).toEqual([20_002, 20_001]);
  });
});

describe('graphToSvg', () => {
  test('has the same ops, names and shapes, and needs nothing from elsewhere', () => {
    const svg = graphToSvg(loss, { names });
    const { texts } = readSvg(svg);
    for (const text of [
      'matmul',
      'w',
      'b',
      'softmax',
      'axis: -1',
      'hidden [4, 3]',
      '[4, 1]',
      '[]',
      'loss',
    ])
      expect(texts).toContain(text);
    expect(svg).toMatch(
      /^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" width="\d+" height="\d+" viewBox="/,
    );
    expect(svg).not.toMatch(/<script|<image|@import|href=|url\((?!#arrow\))/);
    expect(graphToSvg(loss, { names })).toBe(svg);
  });

  test('marks leaves, constants, ops and the result', () => {
    const { boxes } = readSvg(graphToSvg(loss, { names }));
    const count = (kind: string): number => boxes.filter((box) => box.kind === kind).length;
    expect(['leaf', 'constant', 'op', 'result'].map(count)).toEqual([2, 1, 5, 1]);
  });

  test('escapes what names may hold', () => {
    const x = variable(1);
    const { texts } = readSvg(graphToSvg(x.square(), { names: new Map([[x, '<b>&"w"']]) }));
    expect(texts).toContain('&lt;b&gt;&amp;"w"');
  });

  test('puts inputs above outputs', () => {
    const { boxes } = readSvg(graphToSvg(loss, { names }));
    const drawn = boxes.filter(({ kind }) => kind !== 'back');
    const lowest = Math.max(...drawn.map(({ y }) => y));
    expect(drawn.filter(({ y }) => y === lowest).map(({ kind }) => kind)).toEqual(['result']);
    // The bias stands right above the sum that uses it, not at the top.
    const rows = [...new Set(drawn.map(({ y }) => y))].sort((p, q) => p - q);
    expect(rows).toHaveLength(7);
    expect(drawn.filter(({ kind }) => kind === 'leaf').map(({ y }) => rows.indexOf(y))).toEqual([
      0, 1,
    ]);
  });

  test('joins boxes with lines that go down, and ends them in arrows', () => {
    const lines = [
      ...graphToSvg(loss, { names }).matchAll(
        /<path class="edge" d="M[-.\d]+ ([-.\d]+) C.* ([-.\d]+)"( marker-end)?/g,
      ),
    ];
    expect(lines).toHaveLength(8);
    for (const [, from, to, arrow] of lines) {
      expect(Number(to)).toBeGreaterThan(Number(from));
      expect(arrow).toBe(' marker-end');
    }
  });

  test('lets one line serve all uses of a leaf that is used in many rows', () => {
    let y: Variable = w;
    for (let i = 0; i < 50; i++) y = y.mul(w).tanh();
    const pieces = graphToSvg(y).match(/<path class="edge"/g) ?? [];
    // 50 products and 50 tanh in a row, 51 uses of w, and about a piece of its line for each row.
    expect(pieces.length).toBeLessThan(260);
  });

  test.each(Array.from({ length: 20 }, (_, seed) => [seed]))(
    'keeps boxes and labels apart in random graph %i, all within the picture',
    (seed) => {
      const numbers = new Numbers(seed);
      const values: Variable[] = [
        variable(ones([2, 3])),
        variable(ones([3]), 'float64'),
        variable(1),
      ];
      for (let i = 0; i < 25; i++) {
        const [x, z] = [numbers.pick(values), numbers.pick(values)];
        values.push(
          numbers.pick([
            () => x.add(z),
            () => x.mul(2),
            () => x.sigmoid(),
            () => z.mul(x).clip({ min: -1, max: 1 }),
          ])(),
        );
      }
      const result = values.slice(-8).reduce((sum, x) => sum.add(x));
      const { boxes, size } = readSvg(graphToSvg(result));
      expect(overlaps(boxes)).toEqual([]);
      const [left, top, width, height] = size;
      for (const box of boxes) {
        expect(box.x).toBeGreaterThanOrEqual(left);
        expect(box.y).toBeGreaterThanOrEqual(top);
        expect(box.x + box.width).toBeLessThanOrEqual(left + width);
        expect(box.y + box.height).toBeLessThanOrEqual(top + height);
      }
    },
  );

  test('finds an order without crossings for a tree', () => {
    const leaf = (): Variable => variable([1]);
    const tree = (depth: number): Variable =>
      depth === 0 ? leaf() : tree(depth - 1).add(tree(depth - 1));
    const { boxes } = readSvg(graphToSvg(tree(4)));
    expect(overlaps(boxes)).toEqual([]);
    // Every sum stands in the middle of its two inputs.
    const drawn = boxes.filter(({ kind }) => kind === 'op' || kind === 'leaf');
    const rows = [...new Set(drawn.map(({ y }) => y))].sort((p, q) => p - q);
    const middles = rows.map((y) =>
      drawn
        .filter((box) => box.y === y)
        .map((box) => box.x + box.width / 2)
        .sort((p, q) => p - q),
    );
    for (let k = 1; k < middles.length; k++) {
      middles[k].forEach((x, i) => {
        expect(x).toBeCloseTo((middles[k - 1][2 * i] + middles[k - 1][2 * i + 1]) / 2, 0);
      });
    }
  });

  test('copes with long chains', () => {
    let y: Variable = variable(1);
    for (let i = 0; i < 3_000; i++) y = y.mul(1.001);
    expect(readSvg(graphToSvg(y)).texts.filter((text) => text === 'mul')).toHaveLength(3_000);
  });
});
