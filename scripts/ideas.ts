/** The figures of docs/tutorial that show ideas; `npx tsx scripts/figures.ts` writes them, and a test holds the files against this source. */
import { Generator, mnist, ops, tensor } from 'tapegrad';
import { principalComponents } from '../examples/pca.js';
import * as d from './drawing.js';
import { BLUE, GREEN, GREY, INK, ORANGE, PALE } from './drawing.js';

type Image = number[][];
type Point = readonly [number, number];

const small = { size: 12, fill: '#555555' } as const;
const range = (count: number): number[] => [...Array(count).keys()];

/** A neuron, and the line that it is. */
function neuron(): string {
  const random = new Generator(3);
  const xs = range(11).map((i) => -0.95 + 0.19 * i);
  const noise = random.normal([11]).toTypedArray();
  const [W, b] = [0.5, 2];
  const dots = xs.map((x, i): Point => [x, W * x + b + 0.22 * noise[i]]);
  const at = ([x, y]: Point): Point => [530 + 150 * x, 290 - 90 * (y - 0.6)];
  const ends = ([-1.1, 1.1] as const).map((x) => at([x, W * x + b]));
  return d.figure('A neuron with one input, and the line that it draws', 720, 330, [
    d.text(170, 32, 'The neuron', { bold: true }),
    d.circle(50, 150, 20, { fill: PALE }),
    d.text(50, 155, 'x'),
    d.arrow([[70, 150], [142, 150]]), // prettier-ignore
    d.text(105, 140, 'W', { fill: BLUE, bold: true }),
    d.circle(170, 150, 28, { fill: PALE }),
    d.text(170, 156, '+', { size: 20 }),
    d.arrow([[170, 230], [170, 178]]), // prettier-ignore
    d.text(170, 250, 'b', { fill: BLUE, bold: true }),
    d.arrow([[198, 150], [270, 150]]), // prettier-ignore
    d.circle(290, 150, 20, { fill: PALE }),
    d.text(290, 155, 'ŷ'),
    d.text(170, 290, 'ŷ = W x + b'),
    d.text(530, 32, 'Its line, and how wrong it is', { bold: true }),
    d.arrow([[360, 290], [705, 290]], { colour: GREY }), // prettier-ignore
    d.arrow([[365, 295], [365, 60]], { colour: GREY }), // prettier-ignore
    d.text(698, 308, 'x', small),
    d.text(352, 70, 'y', small),
    ...dots.map(([x, y]) => {
      const [px, py] = at([x, y]);
      return d.line(px, py, px, at([x, W * x + b])[1], { colour: ORANGE, width: 2 });
    }),
    d.line(ends[0][0], ends[0][1], ends[1][0], ends[1][1], { colour: BLUE, width: 2.5 }),
    ...dots.map((dot) => d.circle(...at(dot), 4, { fill: INK, width: 0 })),
    d.text(540, 260, 'cost = mean of the squares of the orange lengths', small),
  ]);
}

/** From pixels to probabilities. */
function softmax(digit: Image): string {
  const scores = [-1.2, -3, 0.6, 3.1, -2.4, -0.6, -4.2, 4.4, -0.2, 2.4];
  const exponentials = scores.map(Math.exp);
  const total = exponentials.reduce((sum, e) => sum + e);
  const y = (k: number): number => 62 + 23 * k;
  const hidden = [0, 1, 2, 3, 6, 7, 8, 9].map(y);
  const pale = { colour: '#d3d9e0', width: 0.7 };
  return d.figure('From 784 pixels to 10 probabilities', 760, 330, [
    d.text(90, 32, 'Image', { bold: true }),
    d.text(245, 32, 'relu', { bold: true }),
    d.text(455, 32, 'Scores', { bold: true }),
    d.text(640, 32, 'Probabilities', { bold: true }),
    ...hidden.flatMap((h) => [0, 0.5, 1].map((t) => d.line(160, 100 + 140 * t, 238, h, pale))),
    ...hidden.flatMap((h) => range(10).map((k) => d.line(252, h, 363, y(k), pale))),
    d.pixels(digit, 20, 100, 5),
    ...hidden.map((h) => d.circle(245, h, 8, { fill: PALE })),
    d.text(245, y(4.5) + 5, '⋮', { size: 20 }),
    ...range(10).flatMap((k) => [
      d.circle(370, y(k), 9, { fill: PALE }),
      d.text(370, y(k) + 4.5, String(k), { size: 12 }),
      d.rect(Math.min(455, 455 + 12 * scores[k]), y(k) - 7, Math.abs(12 * scores[k]), 14, {
        fill: scores[k] > 0 ? BLUE : '#9fb6cf',
        width: 0,
      }),
      d.rect(590, y(k) - 7, Math.max(1, (110 * exponentials[k]) / total), 14, {
        fill: ORANGE,
        width: 0,
      }),
      d.text(
        597 + (110 * exponentials[k]) / total,
        y(k) + 4.5,
        (exponentials[k] / total).toFixed(2),
        {
          ...small,
          anchor: 'start',
        },
      ),
      d.text(580, y(k) + 4.5, String(k), { size: 12 }),
    ]),
    d.line(455, 50, 455, 281, { colour: GREY, width: 1 }),
    d.arrow([[526, 165], [562, 165]]), // prettier-ignore
    d.text(90, 308, '784 numbers', small),
    d.text(245, 308, '32 neurons', small),
    d.text(412, 308, '10 neurons: z', small),
    d.text(640, 308, 'softmax: exp zᵢ / Σ exp zⱼ', small),
  ]);
}

/** A window of 5 x 5 slides over a digit; pooling keeps the largest of each 2 x 2. */
function convolution(digit: Image): string {
  const weights = [-1.5, 1, 1, 1, -1.5].map((w) => Array<number>(5).fill(w / 5));
  const answer = range(28).map((i) =>
    range(28).map((j) => {
      let sum = 0;
      for (let u = 0; u < 5; u++)
        for (let v = 0; v < 5; v++)
          sum += weights[u][v] * ((digit[i + u - 2] as number[] | undefined)?.[j + v - 2] ?? 0);
      return Math.max(0, sum) / 2.6;
    }),
  );
  const pooled = range(14).map((i) =>
    range(14).map((j) =>
      Math.max(...[0, 1].flatMap((u) => [0, 1].map((v) => answer[2 * i + u][2 * j + v]))),
    ),
  );
  const [s, top] = [7, 74];
  const [inX, outX, poolX] = [38, 420, 668];
  const mark = (x: number, i: number, j: number, size: number, colour: string): string =>
    d.rect(x + j * s, top + i * s, size * s, size * s, { colour, width: 2.5 });
  const [ci, cj] = [8, 11];
  return d.figure('A window slides over a digit, then pooling', 790, 350, [
    d.text(inX + 98, 34, 'Image and its padding', { bold: true }),
    d.text(336, 34, 'Window', { bold: true }),
    d.text(outX + 98, 34, 'What it finds', { bold: true }),
    d.text(poolX + 49, 34, 'Pooled', { bold: true }),
    d.rect(inX - 2 * s, top - 2 * s, 32 * s, 32 * s, {
      colour: GREY,
      dash: '4 3',
      fill: '#f4f4f4',
    }),
    d.rect(inX, top, 28 * s, 28 * s, { fill: '#ffffff', width: 0 }),
    d.pixels(digit, inX, top, s),
    mark(inX, -2, -2, 5, GREEN),
    mark(inX, ci - 2, cj - 2, 5, ORANGE),
    ...weights.flatMap((row, u) =>
      row.map((w, v) =>
        d.rect(276 + 18 * v, 120 + 18 * u, 18, 18, {
          fill: w > 0 ? '#9ec5ea' : '#f0b88f',
          width: 1,
        }),
      ),
    ),
    ...['−0.3', '+0.2', '+0.2', '+0.2', '−0.3'].map((w, u) =>
      d.text(374, 133 + 18 * u, w, { ...small, anchor: 'start' }),
    ),
    d.arrow([[262, 226], [408, 226]]), // prettier-ignore
    d.text(336, 246, 'sum of pixel · weight,', small),
    d.text(336, 262, 'then relu', small),
    d.pixels(answer, outX, top, s),
    mark(outX, 0, 0, 1, GREEN),
    mark(outX, ci, cj, 1, ORANGE),
    mark(outX, 14, 18, 2, BLUE),
    d.arrow([[outX + 206, 172], [poolX - 10, 140]]), // prettier-ignore
    d.pixels(pooled, poolX, top, s),
    mark(poolX, 7, 9, 1, BLUE),
    d.text(inX + 98, 310, '28 × 28, two zeros all around', small),
    d.text(inX + 98, 327, "('same' padding)", small),
    d.text(336, 310, '5 × 5 weights', small),
    d.text(outX + 98, 310, '28 × 28: an answer', small),
    d.text(outX + 98, 327, 'for each place of the window', small),
    d.text(poolX + 49, 200, '14 × 14: the largest', small),
    d.text(poolX + 49, 217, 'of each 2 × 2', small),
  ]);
}

/** A recurrent network unrolled over the rows of a digit. */
function unrolled(digit: Image): string {
  const steps = [
    { row: 1, x: 250 },
    { row: 9, x: 390 },
    { row: 10, x: 510 },
    { row: 28, x: 650 },
  ];
  const wide = { width: 2 };
  return d.figure('A recurrent network reads a digit row by row', 800, 330, [
    d.text(90, 40, 'The digit', { bold: true }),
    d.pixels(digit, 20, 100, 5),
    ...steps.map(({ row }) =>
      d.rect(20, 100 + 5 * (row - 1), 140, 5, { colour: ORANGE, width: 1.2 }),
    ),
    d.text(450, 40, 'One network, used 28 times with the same weights', { bold: true }),
    d.text(190, 146, 'h₀ = 0', small),
    d.arrow([[174, 155], [214, 155]], wide), // prettier-ignore
    d.arrow([[286, 155], [308, 155]], wide), // prettier-ignore
    d.text(320, 159, '…'),
    d.arrow([[332, 155], [354, 155]], wide), // prettier-ignore
    d.arrow([[426, 155], [474, 155]], wide), // prettier-ignore
    d.text(448, 145, 'Wh', { ...small, fill: BLUE }),
    d.arrow([[546, 155], [568, 155]], wide), // prettier-ignore
    d.text(580, 159, '…'),
    d.arrow([[592, 155], [614, 155]], wide), // prettier-ignore
    ...steps.flatMap(({ row, x }) => [
      d.box(x, 155, 72, 46, `h${[...String(row)].map((c) => '₀₁₂₃₄₅₆₇₈₉'[Number(c)]).join('')}`),
      d.arrow([[x, 248], [x, 178]]), // prettier-ignore
      d.pixels([digit[row - 1]], x - 49, 250, 3.5),
      d.text(x, 278, `row ${row}`, small),
    ]),
    d.text(528, 218, 'Wx', { ...small, fill: BLUE }),
    d.arrow([[650, 132], [650, 98]], wide), // prettier-ignore
    d.box(650, 80, 130, 34, 'Dense, softmax'),
    d.arrow([[715, 80], [750, 80]], wide), // prettier-ignore
    d.text(768, 87, '7', { size: 20, bold: true }),
    d.text(450, 312, 'hₜ = tanh(xₜ·Wx + hₜ₋₁·Wh + b): 50 numbers that are handed on', small),
  ]);
}

/** The four gates of a long short-term memory. */
function gates(): string {
  const bus = 285;
  const gate = (x: number, name: string, sort: string): string =>
    d.arrow([[x, bus], [x, 252]]) + d.box(x, 235, 56, 34, sort) + d.text(x + 34, 257, name, { anchor: 'start', fill: BLUE, bold: true }); // prettier-ignore
  return d.figure('One step of a long short-term memory', 740, 350, [
    d.text(50, 88, 'c', { bold: true }),
    d.arrow([[62, 83], [177, 83]], { width: 2.5 }), // prettier-ignore
    d.arrow([[203, 83], [352, 83]], { width: 2.5 }), // prettier-ignore
    d.arrow([[378, 83], [690, 83]], { width: 2.5 }), // prettier-ignore
    d.text(706, 88, "c'", { bold: true }),
    d.arrow([[190, 218], [190, 96]]), // prettier-ignore
    d.arrow([[300, 218], [300, 155], [352, 155]]), // prettier-ignore
    d.arrow([[430, 218], [430, 155], [378, 155]]), // prettier-ignore
    d.arrow([[365, 142], [365, 96]]), // prettier-ignore
    d.arrow([[520, 218], [520, 190], [607, 190]]), // prettier-ignore
    d.arrow([[620, 83], [620, 116]]), // prettier-ignore
    d.arrow([[620, 144], [620, 177]]), // prettier-ignore
    d.arrow([[620, 203], [620, bus], [690, bus]]), // prettier-ignore
    d.text(706, bus + 5, "h'", { bold: true }),
    d.line(62, bus, 520, bus),
    d.text(50, bus + 5, 'h', { bold: true }),
    d.arrow([[110, 330], [110, bus]]), // prettier-ignore
    d.text(124, 332, 'x', { bold: true }),
    d.operation(190, 83, '×'),
    d.operation(365, 83, '+'),
    d.operation(365, 155, '×'),
    d.operation(620, 190, '×'),
    d.box(620, 130, 52, 28, 'tanh'),
    gate(190, 'f', 'σ'),
    gate(300, 'i', 'σ'),
    gate(430, 'g', 'tanh'),
    gate(520, 'o', 'σ'),
    d.text(190, 60, 'forget', small),
    d.text(365, 60, 'write', small),
    d.text(655, 226, 'show', small),
    d.text(270, 28, "c' = f · c + i · g", { size: 15 }),
    d.text(480, 28, "h' = o · tanh c'", { size: 15 }),
    d.text(345, 320, 'each gate: σ or tanh of x·Wx + h·Wh + b, with weights of its own', small),
  ]);
}

/** From 784 numbers to 2 and back. */
function hourglass(digit: Image): string {
  const sizes = [784, 128, 64, 10, 2, 10, 64, 128, 784];
  const height = (size: number): number => 12 + 23 * Math.log(size);
  const x = (i: number): number => 190 + 52 * i;
  const blurred = digit.map((row, i) =>
    row.map((_, j) => {
      let sum = 0;
      for (const u of [-1, 0, 1])
        for (const v of [-1, 0, 1]) sum += (digit[i + u] as number[] | undefined)?.[j + v] ?? 0;
      return sum / 9;
    }),
  );
  const middle = 160;
  return d.figure('Through a bottleneck of two numbers', 790, 320, [
    d.text(x(2), 36, 'encoder', { bold: true }),
    d.text(x(6), 36, 'decoder', { bold: true }),
    d.text(x(4), 36, 'code', { bold: true, fill: ORANGE }),
    ...sizes.slice(1).map((size, i) => {
      const [from, to] = [height(sizes[i]) / 2, height(size) / 2];
      const corners: Point[] = [
        [x(i), middle - from],
        [x(i + 1), middle - to],
        [x(i + 1), middle + to],
        [x(i), middle + from],
      ];
      return d.polygon(corners, PALE);
    }),
    ...sizes.flatMap((size, i) => [
      d.rect(x(i) - 5, middle - height(size) / 2, 10, height(size), {
        fill: i === 4 ? ORANGE : BLUE,
        width: 0,
      }),
      d.text(x(i), 262, String(size), { size: 13 }),
    ]),
    d.text(x(4), 285, 'numbers in each layer', small),
    d.pixels(digit, 22, 104, 4),
    d.arrow([[140, middle], [180, middle]]), // prettier-ignore
    d.arrow([[x(8) + 8, middle], [x(8) + 46, middle]]), // prettier-ignore
    d.pixels(blurred, 656, 104, 4),
    d.text(78, 240, 'shown', small),
    d.text(712, 240, 'decoded', small),
    d.text(395, 308, 'loss = mean of (decoded − shown)²', small),
  ]);
}

/** A draw from a cloud that gradients pass through. */
function reparametrisation(): string {
  const cloud = (x: number, y: number, rx: number, ry: number, fill: string): string =>
    [1.9, 1.35, 0.8].map((k) => d.ellipse(x, y, k * rx, k * ry, { fill, opacity: 0.22 })).join('');
  const back = { colour: ORANGE, dash: '5 4' };
  return d.figure('How gradients pass through a draw', 780, 340, [
    d.text(235, 34, 'A draw with the chance outside', { bold: true }),
    d.text(28, 184, 'image'),
    d.arrow([[54, 180], [84, 180]]), // prettier-ignore
    d.box(122, 180, 74, 44, 'encoder'),
    d.arrow([[159, 170], [197, 142]]), // prettier-ignore
    d.arrow([[159, 190], [197, 218]]), // prettier-ignore
    d.text(209, 141, 'μ', { bold: true, fill: BLUE }),
    d.text(209, 228, 'σ', { bold: true, fill: BLUE }),
    d.arrow([[219, 138], [310, 168]]), // prettier-ignore
    d.arrow([[219, 223], [248, 223]]), // prettier-ignore
    d.operation(262, 223, '×'),
    d.arrow([[308, 223], [275, 223]]), // prettier-ignore
    d.text(314, 227, 'ε from N(0, 1)', { ...small, anchor: 'start' }),
    d.arrow([[272, 214], [313, 185]]), // prettier-ignore
    d.operation(323, 174, '+'),
    d.arrow([[336, 174], [366, 174]]), // prettier-ignore
    d.text(351, 164, 'z', { bold: true }),
    d.box(404, 174, 74, 44, 'decoder'),
    d.arrow([[441, 174], [468, 174]]), // prettier-ignore
    d.text(496, 178, 'image'),
    d.text(262, 312, 'z = μ + σ · ε', { size: 15 }),
    d.arrow([[396, 152], [396, 96], [209, 96], [209, 124]], back), // prettier-ignore
    d.arrow([[418, 196], [418, 264], [209, 264], [209, 235]], back), // prettier-ignore
    d.text(306, 86, 'gradients go back to μ and σ', { ...small, fill: ORANGE }),
    d.text(655, 34, 'The plane of codes', { bold: true }),
    d.rect(550, 60, 210, 210, { colour: GREY, width: 1 }),
    cloud(622, 140, 18, 14, BLUE),
    cloud(690, 132, 14, 20, ORANGE),
    cloud(664, 184, 20, 13, GREEN),
    cloud(604, 198, 15, 15, '#805ad5'),
    cloud(712, 206, 13, 17, '#b83280'),
    d.circle(655, 165, 80, { colour: GREY, dash: '4 4', width: 1.2 }),
    d.text(655, 290, 'each image a cloud, all of them', small),
    d.text(655, 307, 'together close to N(0, 1) (dashed)', small),
  ]);
}

/** Points, their principal axes, and what is left when they are projected onto the first. */
function principalAxes(): string {
  const random = new Generator(8);
  const count = 26;
  const [u, v] = [random.normal([count]), random.normal([count])].map((t) => [...t.toTypedArray()]);
  const turn = Math.PI / 6;
  const points = range(count).map((i): [number, number] => [
    70 * u[i] * Math.cos(turn) - 22 * v[i] * Math.sin(turn),
    70 * u[i] * Math.sin(turn) + 22 * v[i] * Math.cos(turn),
  ]);
  const { mean, axes, variances } = principalComponents(tensor(points, 'float64'), 2);
  const [mx, my] = mean.toArray() as [number, number];
  const directions = (axes.toArray() as Point[]).map(([x, y]): Point =>
    x < 0 ? [-x, -y] : [x, y],
  );
  const panel = (middle: number): ((p: Point) => Point) => {
    return ([x, y]) => [middle + x - mx, 175 - (y - my)];
  };
  const [left, right] = [panel(190), panel(560)];
  const along = (k: number, t: number): Point => [
    mx + t * directions[k][0],
    my + t * directions[k][1],
  ];
  const codes = points.map(([x, y]) => (x - mx) * directions[0][0] + (y - my) * directions[0][1]);
  const ends = [-170, 170].map((t) => right(along(0, t)));
  return d.figure('Principal axes, and a projection onto the first', 750, 340, [
    d.text(190, 34, 'The directions of most variance', { bold: true }),
    d.text(560, 34, 'Each point as one number', { bold: true }),
    ...points.map((p) => d.circle(...left(p), 4, { fill: '#7a8797', width: 0 })),
    ...[0, 1].map((k) =>
      d.arrow([left(along(k, 0)), left(along(k, 2 * Math.sqrt(variances[k])))], {
        colour: k === 0 ? BLUE : GREEN,
        width: 3,
      }),
    ),
    d.text(left(along(0, 150))[0] + 2, left(along(0, 150))[1] - 8, 'first', {
      fill: BLUE,
      bold: true,
    }),
    d.text(left(along(1, 50))[0] + 6, left(along(1, 50))[1] + 14, 'second', {
      fill: GREEN,
      bold: true,
      anchor: 'start',
    }),
    d.line(...ends[0], ...ends[1], { colour: BLUE, width: 1.5 }),
    ...points.map((p, i) => d.line(...right(p), ...right(along(0, codes[i])), { colour: ORANGE })),
    ...points.map((p) => d.circle(...right(p), 3, { fill: '#b9c1cb', width: 0 })),
    ...codes.map((t) => d.circle(...right(along(0, t)), 4, { fill: BLUE, width: 0 })),
    d.text(190, 318, 'at right angles to each other', small),
    d.text(560, 318, 'kept: where on the blue line; lost: the orange lengths', small),
  ]);
}

/** All figures by the names of their files. */
export async function drawFigures(): Promise<Record<string, string>> {
  const { xTest } = await mnist.load();
  const seven = ops.reshape(xTest.slice({ begin: [0, 0, 0], size: [1, 28, 28] }), [28, 28]);
  const digit = seven.value.toArray() as Image;
  return {
    'idea-neuron.svg': neuron(),
    'idea-softmax.svg': softmax(digit),
    'idea-convolution.svg': convolution(digit),
    'idea-unrolled.svg': unrolled(digit),
    'idea-gates.svg': gates(),
    'idea-hourglass.svg': hourglass(digit),
    'idea-reparametrisation.svg': reparametrisation(),
    'idea-principal-axes.svg': principalAxes(),
  };
}
