/** The chapters of docs/tutorial quote the lessons as they are, and what they point to is there. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { drawFigures } from '../scripts/ideas.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = join(root, 'docs/tutorial');
const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');

const lessons = readdirSync(join(root, 'examples'))
  .filter((file) => /^\d\d-.*\.ts$/.test(file))
  .map((file) => file.replace(/\.ts$/, ''));
const chapters = lessons.map((lesson) => ({
  lesson,
  chapter: read(folder, `${lesson}.md`),
}));

const blocks = (markdown: string, language: string): string[] =>
  [...markdown.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, 'g'))].map(
    ([, text]) => text,
  );
/** Prettier moves a quotation to the left margin, so indentation does not count. */
const withoutIndentation = (text: string): string =>
  text
    .split('\n')
    .map((line) => line.trim())
    .join('\n');
/** The paths that a chapter links to, from its folder. */
const links = (markdown: string): string[] =>
  [...markdown.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)]
    .map(([, path]) => path)
    .filter((path) => !/^https?:/.test(path));
const section = (markdown: string, title: string): string =>
  markdown.split(/^## /m).find((part) => part.startsWith(`${title}\n`)) ?? '';

test('there is a chapter for each lesson, and the index names it', () => {
  expect(lessons).toHaveLength(8);
  const files = readdirSync(folder).filter((file) => file.endsWith('.md'));
  expect(files.sort()).toEqual([...lessons.map((lesson) => `${lesson}.md`), 'README.md'].sort());
  const named = links(read(folder, 'README.md'));
  for (const lesson of lessons) expect(named).toContain(`${lesson}.md`);
});

describe.each(chapters)('$lesson', ({ lesson, chapter }) => {
  test('has its parts in order', () => {
    const titles = [...chapter.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
    expect(titles).toEqual([
      'The idea',
      'The program',
      'What it prints',
      'Pictures',
      'The kernels behind it',
      'Exercises',
    ]);
    expect(section(chapter, 'The idea')).toMatch(/!\[[^\]]+\]\(pictures\/idea-[\w-]+\.svg\)/);
    expect(links(chapter)).toContain(`../../examples/${lesson}.ts`);
  });

  test('quotes programs word for word, the lesson in its order', () => {
    const quotations = blocks(chapter, 'ts').map((text) => withoutIndentation(text.trimEnd()));
    expect(quotations.length).toBeGreaterThanOrEqual(3);
    const sources = links(chapter)
      .filter((path) => path.startsWith('../../examples/'))
      .map((path) => withoutIndentation(read(folder, path)));
    const program = withoutIndentation(read(root, 'examples', `${lesson}.ts`));
    let last = 0;
    for (const quotation of quotations) {
      const at = program.indexOf(quotation);
      if (at === -1) {
        const foundIn = sources.filter((source) => source.includes(quotation));
        if (foundIn.length === 0) throw new Error(`not in the files it links to:\n${quotation}`);
      } else {
        expect(at).toBeGreaterThanOrEqual(last);
        last = at;
      }
    }
  });

  test('prints results that the lesson has', () => {
    const printed = blocks(section(chapter, 'What it prints'), 'text').join('\n');
    const named = [...printed.matchAll(/^(\w+): [-\d.]+$/gm)].map(([, name]) => name);
    expect(named.length).toBeGreaterThan(0);
    const [, finished] = /await finish\(\{([^}]*)\}\)/.exec(
      read(root, 'examples', `${lesson}.ts`),
    )!;
    const results = finished.split(',').map((part) => part.split(':')[0].trim());
    expect(named).toEqual(results.filter((name) => name !== ''));
  });

  test('names kernels that are in the files beside them', () => {
    const kernels = section(chapter, 'The kernels behind it');
    const paths = links(kernels).filter((path) => path.endsWith('.ts'));
    expect(paths.some((path) => path.includes('/kernels/js/'))).toBe(true);
    expect(kernels).toContain('kernels/wasm');
    const sources = paths.map((path) => read(folder, path)).join('\n');
    const names = [...kernels.matchAll(/`([A-Za-z]\w*)`/g)].map(([, name]) => name);
    const missing = names.filter((name) => !new RegExp(`\\b${name}\\b`).test(sources));
    expect(missing).toEqual([]);
  });

  test('has three to five exercises, each with a hint', () => {
    const exercises = section(chapter, 'Exercises')
      .split(/^\d\. /m)
      .slice(1);
    expect(exercises.length).toBeGreaterThanOrEqual(3);
    expect(exercises.length).toBeLessThanOrEqual(5);
    for (const exercise of exercises) expect(exercise).toMatch(/^ *Hint: \S/m);
  });
});

test('every link leads somewhere', () => {
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.md'))) {
    const broken = links(read(folder, file)).filter((path) => !existsSync(join(folder, path)));
    expect([file, broken]).toEqual([file, []]);
  }
});

describe('pictures', () => {
  const pictures = readdirSync(join(folder, 'pictures'));

  test('are all shown, and at most 60 kB', () => {
    const shown = chapters.flatMap(({ chapter }) => links(chapter));
    const unused = pictures.filter((name) => !shown.includes(`pictures/${name}`));
    expect(unused).toEqual([]);
    const large = pictures.filter((name) => statSync(join(folder, 'pictures', name)).size > 60_000);
    expect(large).toEqual([]);
  });

  test('of ideas are those that scripts/ideas.ts draws', async () => {
    const drawn = await drawFigures();
    expect(pictures.filter((name) => name.startsWith('idea-')).sort()).toEqual(
      Object.keys(drawn).sort(),
    );
    for (const [name, svg] of Object.entries(drawn)) {
      // toBe would print both pictures.
      if (read(folder, 'pictures', name) !== svg) {
        throw new Error(`${name} is not what scripts/figures.ts draws: npx tsx scripts/figures.ts`);
      }
    }
  });
});

test('chapter 1 shows what its program prints, but for the digits', async () => {
  const out = mkdtempSync(join(tmpdir(), 'tapegrad-tutorial-'));
  try {
    const run = ['--import', 'tsx', join(root, 'examples/run.ts'), 'regressor', '--out', out];
    const { stdout } = await promisify(execFile)(process.execPath, run, { cwd: root });
    const kept = stdout
      .split('\n')
      .filter((line) => !/^picture: |^regressor, seed/.test(line))
      .join('\n');
    const shape = (text: string): string => text.trim().replace(/-?\d[\d.]*/g, '#');
    const [shown] = blocks(section(chapters[0].chapter, 'What it prints'), 'text');
    expect(shape(shown)).toBe(shape(kept));
  } finally {
    rmSync(out, { recursive: true });
  }
}, 60_000);
