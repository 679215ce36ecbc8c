/** What becomes of a picture: files, pages, elements. */
import { chmodSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { DOMParser as Parser, parseHTML } from 'linkedom';
import { PlotError, frames, line, scatter, sideBySide } from '@tapegrad/plots';

const folder = mkdtempSync(join(tmpdir(), 'tapegrad-plots-'));
afterAll(() => rmSync(folder, { recursive: true }));

const picture = scatter([1, 2, 3], [1, 4, 9], {
  title: 'Squares < cubes',
  width: 200,
  height: 100,
});
const moving = frames(
  [0, 1, 2].map((slope) => line([0, 1], [0, slope], { yDomain: [0, 2], title: 'Moving' })),
  { captions: ['step 0', 'step <10>', 'step 20'] },
);

/** Width and height of a PNG file. */
function sizeOf(png: Uint8Array): [number, number] {
  const view = new DataView(png.buffer, png.byteOffset);
  return [view.getUint32(16), view.getUint32(20)];
}

describe('PNG', () => {
  const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

  test('has the size of the SVG times the scale', async () => {
    const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(await picture.toSVG()) ?? [];
    for (const [scale, options] of [
      [2, undefined],
      [3, { scale: 3 }],
    ] as const) {
      const png = await picture.toPNG(options);
      expect([...png.subarray(0, 8)]).toEqual(SIGNATURE);
      expect(sizeOf(png)).toEqual([scale * Number(width), scale * Number(height)]);
    }
  });

  test('has text: the title leaves ink', async () => {
    const plain = await scatter([1], [1], { title: ' ' }).toPNG();
    const titled = await scatter([1], [1], { title: 'A long title that is seen' }).toPNG();
    expect(sizeOf(titled)).toEqual(sizeOf(plain));
    expect(titled.length).toBeGreaterThan(plain.length + 500);
  });

  test('refuses a scale that is none', async () => {
    await expect(picture.toPNG({ scale: 0 })).rejects.toThrow('toPNG: the scale is 0; expected a');
  });

  test.each([1e-9, 1e9])('refuses a scale of %d, which no picture has room for', async (scale) => {
    const problem = picture.toPNG({ scale });
    await expect(problem).rejects.toThrow(PlotError);
    await expect(problem).rejects.toThrow(/^toPNG: the picture would have \d+ × \d+ pixels; /);
  });
});

describe('HTML', () => {
  test.each([
    ['a picture', picture],
    ['frames', moving],
    ['pictures side by side', sideBySide([picture, picture])],
  ])('of %s needs nothing from elsewhere', async (_, drawn) => {
    const html = await drawn.toHTML();
    expect(html).toMatch(/^<!doctype html>/);
    expect(html).not.toMatch(/https?:|<link|@import|src=|url\((?!#)/);
    const { document } = parseHTML(html);
    expect(document.title).toBe(drawn.title);
    expect(document.querySelectorAll('svg').length).toBeGreaterThan(0);
  });
});

describe('side by side', () => {
  const sizes = [
    [100, 50],
    [40, 90],
    [60, 30],
  ];
  const pictures = sizes.map(([width, height], i) =>
    line([0, 1], [0, 1], { title: `${i}`, width, height }),
  );
  const sizeOfSVG = (svg: string): number[] =>
    /width="(\d+)" height="(\d+)"/.exec(svg)!.slice(1).map(Number);
  /** Where each picture stands, and where its plane begins. */
  const placesOf = (svg: string): number[][] =>
    [
      ...svg.matchAll(/<g transform="translate\((\d+),(\d+)\)"><rect[^>]*><g[^>]*\(\d+,(\d+)\)/g),
    ].map(([, x, y, top]) => [Number(x), Number(y) + Number(top)]);

  test('pictures stand in rows and columns, the planes of a row at one height', async () => {
    const own = await Promise.all(
      pictures.map(async (one) => {
        const svg = await one.toSVG();
        const [, top] = /translate\(\d+,(\d+)\)/.exec(svg)!;
        return { size: sizeOfSVG(svg), top: Number(top) };
      }),
    );
    const [w0, w1, w2] = own.map(({ size }) => size[0]);
    const below = own.map(({ size, top }) => size[1] - top);
    const [t0, t1, t2] = own.map(({ top }) => top);
    const [all, two] = [Math.max(t0, t1, t2), Math.max(t0, t1)];

    const row = await sideBySide(pictures).toSVG();
    expect(placesOf(row)).toEqual([
      [0, all],
      [w0, all],
      [w0 + w1, all],
    ]);
    expect(sizeOfSVG(row)).toEqual([w0 + w1 + w2, all + Math.max(...below)]);

    const wide = Math.max(w0, w2);
    const high = two + Math.max(below[0], below[1]);
    const grid = await sideBySide(pictures, { columns: 2 }).toSVG();
    expect(placesOf(grid)).toEqual([
      [0, two],
      [wide, two],
      [0, high + t2],
    ]);
    expect(sizeOfSVG(grid)).toEqual([wide + w1, high + t2 + below[2]]);
  });

  test('a picture is one document with the marks of all, as PNG too', async () => {
    const both = sideBySide(pictures, { title: 'All' });
    const svg = await both.toSVG();
    expect(svg.split('<svg').length - 1).toBe(1);
    for (const one of pictures) {
      const own = await one.toSVG();
      expect(svg).toContain(own.slice(own.indexOf('>') + 1, -'</svg>'.length));
    }
    expect(sizeOf(await both.toPNG({ scale: 1 }))).toEqual(sizeOfSVG(svg));
  });

  test('the titles together are the title of the page, unless it has its own', () => {
    expect(sideBySide(pictures).title).toBe('0 | 1 | 2');
    expect(sideBySide(pictures, { title: 'All' }).title).toBe('All');
  });
});

describe('save', () => {
  test.each(['svg', 'png', 'html', 'PNG'])('writes .%s, and nothing beside it', async (ending) => {
    const below = join(folder, `deep-${ending}`, 'er');
    const path = join(below, `squares.${ending}`);
    expect(await picture.save(path)).toBe(path);
    const content = readFileSync(path);
    const formats = { svg: 'toSVG', png: 'toPNG', html: 'toHTML' } as const;
    const expected = await picture[formats[ending.toLowerCase() as keyof typeof formats]]();
    expect(content.equals(Buffer.from(expected as string))).toBe(true);
    expect(readdirSync(below)).toEqual([`squares.${ending}`]);
  });

  test.each(['picture.jpg', 'picture', 'out.svg/picture'])('refuses %s', async (path) => {
    await expect(picture.save(join(folder, path))).rejects.toThrow(PlotError);
    await expect(picture.save(join(folder, path))).rejects.toThrow('expected .svg, .png or .html.');
  });

  test('replaces a file whole: the old content stays in a file that is open or linked', async () => {
    const path = join(folder, 'old.svg');
    writeFileSync(path, 'old');
    chmodSync(path, 0o444); // A file that cannot be written into can still be replaced.
    await picture.save(path);
    expect(readFileSync(path, 'utf8')).toBe(await picture.toSVG());
  });

  test('leaves nothing behind when it fails', async () => {
    const place = join(folder, 'taken');
    await picture.save(join(place, 'x.svg', 'inside.svg'));
    await expect(picture.save(join(place, 'x.svg'))).rejects.toThrow(/x\.svg cannot be written \(/);
    expect(readdirSync(place)).toEqual(['x.svg']);
    await expect(picture.save(join(place, 'x.svg', 'inside.svg', 'y.svg'))).rejects.toThrow(
      PlotError,
    );
  });
});

describe('in a page', () => {
  const outside = globalThis.DOMParser;
  beforeAll(() => {
    Object.assign(globalThis, { DOMParser: Parser });
  });
  afterAll(() => {
    globalThis.DOMParser = outside;
  });

  test.each([
    ['a picture', picture],
    ['pictures side by side', sideBySide([picture, picture])],
  ])('mount puts %s in the place of what was there', async (_, drawn) => {
    const { document } = parseHTML('<body><div id="here">old</div></body>');
    const here = document.querySelector('#here')!;
    await drawn.mount(here);
    expect(here.children).toHaveLength(1);
    expect(here.firstElementChild!.localName).toBe('svg');
    expect(here.textContent).not.toContain('old');
    expect(here.textContent).toContain('Squares < cubes');
  });

  /** Which frame is seen, what the caption says, and what the button. */
  function state(root: Element): [number[], string | null, string | null] {
    const seen = [...root.querySelectorAll('.frame')].flatMap((box, i) =>
      box.hasAttribute('hidden') ? [] : [i],
    );
    const text = (name: string): string | null => root.querySelector(name)!.textContent;
    return [seen, text('output'), text('button')];
  }

  function exercise(root: Element, Happening: typeof Event): void {
    const slider = root.querySelector('input')!;
    const click = (): boolean =>
      root.querySelector('button')!.dispatchEvent(new Happening('click'));
    expect(state(root)).toEqual([[2], 'step 20', 'Play']);
    slider.value = '1';
    slider.dispatchEvent(new Happening('input'));
    expect(state(root)).toEqual([[1], 'step <10>', 'Play']);
    click();
    expect(state(root)).toEqual([[1], 'step <10>', 'Pause']);
    jest.advanceTimersByTime(100);
    expect(state(root)).toEqual([[2], 'step 20', 'Pause']);
    jest.advanceTimersByTime(100);
    expect(state(root)).toEqual([[2], 'step 20', 'Play']);
    expect(jest.getTimerCount()).toBe(0);
    click(); // From the end it begins again.
    expect(state(root)).toEqual([[0], 'step 0', 'Pause']);
    click();
    expect(state(root)).toEqual([[0], 'step 0', 'Play']);
    expect(jest.getTimerCount()).toBe(0);
  }

  test('frames can be moved and played, mounted and in a page of their own', async () => {
    const mounted = parseHTML('<body><div></div></body>');
    const here = mounted.document.querySelector('div')!;
    await moving.mount(here);
    const html = await moving.toHTML();
    const own = parseHTML(html);
    jest.useFakeTimers();
    try {
      exercise(here, mounted.Event);
      const [, script] = /<script>([^]*)<\/script>/.exec(html)!;
      runInNewContext(script, { document: own.document, setInterval, clearInterval });
      exercise(own.document.body, own.Event);
    } finally {
      jest.useRealTimers();
    }
  });

  test('frames as SVG or PNG are the last of them', async () => {
    expect(await moving.toSVG()).toBe(
      await line([0, 1], [0, 2], { yDomain: [0, 2], title: 'Moving' }).toSVG(),
    );
  });
});
