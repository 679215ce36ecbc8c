/** What each kind of picture shows, read from its SVG. */
import { inflateSync } from 'node:zlib';
import { Generator, linspace, tensor } from '@tapegrad/tensor';
import {
  codes,
  confusionMatrix,
  history,
  imageGrid,
  line,
  scatter,
  type Picture,
} from '@tapegrad/plots';

const svgOf = (picture: Picture): Promise<string> => picture.toSVG();

/** All texts of a picture, in order. */
const textsOf = (svg: string): string[] =>
  [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text.replace('−', '-'));

/** Where the dots are, in pixels. */
const dotsOf = (svg: string): [number, number][] =>
  [...svg.matchAll(/M(-?[\d.]+) (-?[\d.]+)h0/g)].map(([, x, y]) => [Number(x), Number(y)]);

/** The paths that lie within the axes. */
const pathsOf = (svg: string, colour: string): string[] =>
  [...svg.matchAll(/<path [^>]*>/g)].map(([path]) => path).filter((path) => path.includes(colour));

const count = (svg: string, text: string): number => svg.split(text).length - 1;

const BLUE = '#4c78a8';
const RED = '#e45756';

describe('scatter', () => {
  test('draws each point where it belongs, with title and axis titles', async () => {
    const options = { title: 'Points', xLabel: 'hours', yLabel: 'marks', width: 100, height: 50 };
    const svg = await svgOf(
      scatter([0, 5, 10], tensor([[0], [1], [2]]), {
        ...options,
        xDomain: [0, 10],
        yDomain: [0, 2],
      }),
    );
    expect(dotsOf(svg)).toEqual([
      [0, 50],
      [50, 25],
      [100, 0],
    ]);
    expect(pathsOf(svg, `stroke="${BLUE}"`)).toHaveLength(3);
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['Points', 'hours', 'marks', '0', '10']));
  });

  test('makes room for all points and lines', async () => {
    const generator = new Generator(1);
    const x = generator.normal([500]);
    const y = generator.normal([500]);
    const lines = [{ x: [-9, 9], y: [-7, 7], label: 'far' }];
    const svg = await svgOf(scatter(x, y, { width: 200, height: 100, lines, label: 'points' }));
    const dots = dotsOf(svg);
    expect(dots).toHaveLength(500);
    for (const [px, py] of dots) {
      expect(px > 0 && px < 200 && py > 0 && py < 100).toBe(true);
    }
    const [path] = pathsOf(svg, `stroke="${RED}"`);
    // 4% of the lines' extent lie beyond them on each side: 0.04 / 1.08 of the plane.
    expect(path).toContain('d="M7.4 96.3L192.6 3.7"');
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['points', 'far']));
  });

  test('keeps 10,000 points small, and all of them', async () => {
    const points = new Generator(2).normal([2, 10_000]).toTypedArray();
    const svg = await svgOf(scatter(points.slice(0, 10_000), points.slice(10_000)));
    expect(dotsOf(svg)).toHaveLength(10_000);
    expect(svg.length).toBeLessThan(200_000);
    expect(pathsOf(svg, `stroke="${BLUE}"`)).toHaveLength(25);
  });

  test('takes one point, and points that are all the same', async () => {
    const size = { width: 100, height: 100 };
    expect(dotsOf(await svgOf(scatter([3], [4], size)))).toEqual([[50, 50]]);
    expect(dotsOf(await svgOf(scatter([3, 3], [4, 4], size)))).toEqual(Array(2).fill([50, 50]));
  });

  test('takes points that are all the same, however large', async () => {
    const size = { width: 100, height: 100 };
    expect(dotsOf(await svgOf(scatter([0, 1], [1e20, 1e20], size))).map(([, y]) => y)).toEqual([
      50, 50,
    ]);
    expect(await svgOf(history({ loss: [1e300, 1e300] }))).not.toMatch(/NaN|Infinity/);
  });

  test('keeps words with signs of XML as words', async () => {
    const svg = await svgOf(scatter([1], [1], { title: 'a < b & "c"' }));
    expect(svg).toContain('a &lt; b &amp; ');
  });

  test('replaces signs that XML cannot hold, so that the picture can be read', async () => {
    const picture = scatter([1], [1], { title: 'a\0b\b' });
    expect(await svgOf(picture)).toContain('a\ufffdb\ufffd');
    await expect(picture.toPNG()).resolves.toBeInstanceOf(Uint8Array);
  });
});

describe('line', () => {
  test('joins the points in their order', async () => {
    const svg = await svgOf(
      line([0, 2, 1], Float32Array.of(0, 2, 1), {
        width: 100,
        height: 100,
        xDomain: [0, 2],
        yDomain: [0, 2],
      }),
    );
    expect(pathsOf(svg, BLUE)[0]).toContain('d="M0 100L100 0L50 50"');
    expect(count(svg, 'role-legend')).toBe(0);
  });

  test('never cuts a label short', async () => {
    const label = 'a label that is longer than many another label';
    expect(textsOf(await svgOf(line([{ x: [0, 1], y: [0, 1], label }])))).toContain(label);
  });

  test('takes ends of lines of all kinds in labels', async () => {
    const svg = await svgOf(line([{ x: [0, 1], y: [0, 1], label: 'a\u2028b\u2029c' }]));
    expect(svg).toContain('a\u2028b\u2029c');
  });

  test('draws several with a legend, dashed if wanted', async () => {
    const x = linspace(0, 6, 30);
    const series = [
      { x, y: x.sin(), label: 'sin' },
      { x, y: x.cos(), label: 'cos', dashed: true },
    ];
    const svg = await svgOf(line(series, { yDomain: [-1.2, 1.2] }));
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['sin', 'cos']));
    const dashed = (colour: string): boolean[] =>
      pathsOf(svg, `stroke="${colour}"`).map((path) => path.includes('stroke-dasharray="6,4"'));
    // Each once in the legend and once in the plane.
    expect(dashed(BLUE)).toEqual([false, false]);
    expect(dashed(RED)).toEqual([true, true]);
  });
});

describe('history', () => {
  const record = {
    loss: [0.3, 0.2, 0.1],
    accuracy: [0.8, 0.9, 0.95],
    valLoss: [0.4, 0.3, 0.3],
  };

  test('has a panel for each quantity, with the validation in it', async () => {
    const svg = await svgOf(history({ history: record }, { title: 'Training' }));
    const texts = textsOf(svg);
    expect(texts.filter((text) => ['loss', 'accuracy', 'valLoss'].includes(text))).toEqual([
      'loss',
      'accuracy',
    ]);
    expect(texts).toEqual(expect.arrayContaining(['Training', 'training', 'validation']));
    expect(texts.filter((text) => text === 'epoch')).toHaveLength(2);
    expect(dotsOf(svg)).toHaveLength(9);
  });

  test('counts epochs in whole numbers', async () => {
    for (const epochs of [1, 2, 5, 300]) {
      const svg = await svgOf(history({ steps: Array<number>(epochs).fill(0.5) }));
      const x = textsOf(svg).filter((text) => /^\d+$/.test(text));
      expect(x.length).toBeGreaterThan(0);
      expect(new Set(x).size).toBe(x.length);
      expect(textsOf(svg).filter((text) => text === '1.5')).toEqual([]);
    }
  });

  test('draws only what is named', async () => {
    const svg = await svgOf(history(record, { names: ['accuracy'] }));
    expect(textsOf(svg)).not.toContain('loss');
  });
});

describe('imageGrid', () => {
  /** Width, height, channels and the values of an embedded PNG. */
  function decode(url: string): { size: number[]; rows: number[][] } {
    const png = Buffer.from(url.replace('data:image/png;base64,', ''), 'base64');
    const view = new DataView(png.buffer, png.byteOffset);
    const [width, height, channels] = [view.getUint32(16), view.getUint32(20), png[25] ? 3 : 1];
    const rows = inflateSync(png.subarray(41, 41 + view.getUint32(33)));
    const stride = width * channels + 1;
    return {
      size: [width, height, channels],
      rows: Array.from({ length: height }, (_, y) => [
        ...rows.subarray(y * stride + 1, (y + 1) * stride),
      ]),
    };
  }
  const imagesOf = (svg: string): string[] =>
    [...svg.matchAll(/<image [^>]*href="([^"]*)"/g)].map(([, url]) => url);

  test('embeds each image, the smallest value black and the largest white', async () => {
    const images = tensor([
      [
        [-0.5, 0],
        [0.5, -0.5],
      ],
      [
        [0, 0],
        [0, 0],
      ],
    ]);
    const svg = await svgOf(imageGrid(images, { captions: ['first', 2], title: 'Two' }));
    expect(imagesOf(svg).map(decode)).toEqual([
      {
        size: [2, 2, 1],
        rows: [
          [0, 128],
          [255, 0],
        ],
      },
      {
        size: [2, 2, 1],
        rows: [
          [128, 128],
          [128, 128],
        ],
      },
    ]);
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['Two', 'first', '2']));
    expect(svg).toContain('pixelated');
  });

  test('takes colours with the channels last or first, and flat images', async () => {
    const last = tensor([[[[0, 51, 255]]]]);
    const first = tensor([[[[0]], [[51]], [[255]]]]);
    const inFirst = { dataFormat: 'channelsFirst' } as const;
    for (const picture of [imageGrid(last), imageGrid(first, inFirst)]) {
      const [url] = imagesOf(await svgOf(picture));
      expect(decode(url)).toEqual({ size: [1, 1, 3], rows: [[0, 51, 255]] });
    }
    const flat = imageGrid(Uint8Array.of(0, 1, 2, 3, 4, 5), { imageShape: [1, 3], range: [0, 5] });
    expect(imagesOf(await svgOf(flat)).map((url) => decode(url).rows)).toEqual([
      [[0, 51, 102]],
      [[153, 204, 255]],
    ]);
  });

  test('puts rows that are given by themselves below each other', async () => {
    const row = tensor([[[0, 1]], [[1, 0]], [[1, 1]]]);
    const picture = imageGrid([row, row], { rowLabels: ['original', 'decoded'], scale: 10 });
    const svg = await svgOf(picture);
    const places = [...svg.matchAll(/<image [^>]*translate\(([\d.,]+)\)/g)].map(([, at]) => at);
    expect(places).toEqual(['0,0', '24,0', '48,0', '0,14', '24,14', '48,14']);
    expect(textsOf(svg)).toEqual(['original', 'decoded']);
  });
});

describe('confusionMatrix', () => {
  test('counts rows of truth and columns of predictions', async () => {
    const svg = await svgOf(confusionMatrix([0, 0, 0, 1, 2], [0, 0, 1, 1, 0]));
    expect(
      textsOf(svg)
        .filter((text) => /^\d+$/.test(text))
        .slice(-9),
    ).toEqual(['2', '1', '0', '0', '1', '0', '1', '0', '0']);
    expect(textsOf(svg)).toEqual(
      expect.arrayContaining(['60.00% of 5 are right', 'predicted', 'true']),
    );
  });

  test('takes one-hot rows and scores by their largest', async () => {
    const oneHot = tensor([
      [1, 0],
      [0, 1],
    ]);
    const scores = [
      [0.9, 0.1],
      [0.6, 0.4],
    ];
    const svg = await svgOf(confusionMatrix(oneHot, scores, { classes: ['cat', 'dog'] }));
    expect(textsOf(svg).slice(-5)).toEqual(expect.arrayContaining(['1', '0', '1', '0']));
    expect(textsOf(svg)).toEqual(expect.arrayContaining(['cat', 'dog', '50.00% of 2 are right']));
  });

  test('takes a column of classes as classes, as a list too', async () => {
    const svg = await svgOf(confusionMatrix([[0], [1], [2]], [[0], [2], [2]]));
    expect(textsOf(svg)).toContain('66.67% of 3 are right');
    expect(textsOf(svg).slice(-10, -1)).toEqual([...'100001001']);
  });

  test('turns names below the cells that would run into each other', async () => {
    const turned = async (classes: string[]): Promise<number> =>
      count(await svgOf(confusionMatrix([0, 1], [0, 1], { classes })), 'rotate(-45)');
    expect(await turned(['cat', 'dog'])).toBe(0);
    expect(await turned(['Ankle boot', 'Bag'])).toBe(2);
  });
});

describe('codes', () => {
  const points = new Generator(3).normal([10_000, 2]);
  const digits = Array.from({ length: 10_000 }, (_, i) => i % 10);

  test('colours 10,000 points by class in 200 kB, with a step of the bar for each class', async () => {
    const svg = await svgOf(codes(points, digits, { labelTitle: 'digit' }));
    expect(dotsOf(svg)).toHaveLength(10_000);
    expect(svg.length).toBeLessThan(220_000);
    const legend = svg.slice(svg.indexOf('role-legend'));
    expect(textsOf(legend).filter((text) => /^\d$/.test(text))).toEqual([...'0123456789']);
    expect(textsOf(legend)).toContain('digit');
    for (const colour of [BLUE, RED]) {
      const dots = pathsOf(svg, `stroke="${colour}"`).flatMap(dotsOf);
      expect(dots).toHaveLength(1000);
    }
  });

  test('takes words, in the order in which they come', async () => {
    const svg = await svgOf(
      codes(
        [
          [0, 0],
          [1, 1],
        ],
        ['no', 'yes'],
      ),
    );
    expect(textsOf(svg).slice(-3)).toEqual(expect.arrayContaining(['no', 'yes']));
  });

  test('lets colours run where labels are measured', async () => {
    const values = digits.map((digit) => digit / 7);
    const svg = await svgOf(codes(points, values));
    expect(dotsOf(svg)).toHaveLength(10_000);
    expect(svg).toContain('linearGradient');
    expect(svg.length).toBeLessThan(300_000);
    expect(await svgOf(codes([[0, 0]], [0.5]))).toContain('linearGradient');
  });
});
