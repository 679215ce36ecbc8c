/** The programs in the README, and in those of the packages, do what the text beside them says. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const programsIn = (file: string): string[] =>
  [...readFileSync(file, 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, source]) => source);
const programs = programsIn(join(root, 'README.md'));

/** Runs a program as a user would, and returns what it prints. */
async function output(source: string): Promise<string> {
  const folder = mkdtempSync(join(root, 'tests', '.readme-'));
  try {
    const file = join(folder, 'program.ts');
    writeFileSync(file, source);
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', file], {
      cwd: root,
    });
    return stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function programWith(text: string): string {
  const found = programs.filter((source) => source.includes(text));
  expect(found).toHaveLength(1);
  return found[0];
}

test('the first program has 15 lines, and reads about 95% of the digits', async () => {
  const source = programWith('mnist.load()');
  expect(source.split('\n').filter((line) => line.trim() !== '').length).toBeLessThanOrEqual(15);
  const [, percent] = /reads ([\d.]+)% of new digits/.exec(await output(source)) ?? [];
  expect(Number(percent)).toBeGreaterThan(94);
  expect(Number(percent)).toBeLessThan(97);
}, 120_000);

test('the gradients are those in the comments', async () => {
  expect(await output(programWith('grad(grad(cube))'))).toBe('[ 2, 4, 6 ]\n12\n');
}, 30_000);

test('the layer of a user has at most twenty lines, trains and is summed up', async () => {
  const source = programWith('class Gate');
  const body = /\/\*\* Learns[\s\S]*?\n}\n/.exec(source)?.[0] ?? '';
  expect(body.split('\n').length).toBeLessThanOrEqual(20);
  expect(body.split('\n').length).toBeGreaterThan(5);
  const printed = await output(source);
  expect(printed).toMatch(/\{ loss: \d/);
  expect(printed).toContain('gate (Gate)');
}, 30_000);

test('the compiled step finds the weights', async () => {
  const [, a, b] =
    /\[ ([\d.]+), ([\d.]+) \]/.exec(await output(programWith('const step = compile('))) ?? [];
  expect(Number(a)).toBeCloseTo(1, 3);
  expect(Number(b)).toBeCloseTo(2, 3);
}, 30_000);

test.each(readdirSync(join(root, 'packages')))(
  'the program of %s prints what its comments say',
  async (name) => {
    const [source, ...others] = programsIn(join(root, 'packages', name, 'README.md'));
    expect(others).toHaveLength(0);
    const promised = [...source.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, text]) => text);
    expect(promised.length).toBeGreaterThan(0);
    expect(await output(source)).toBe(`${promised.join('\n')}\n`);
  },
  60_000,
);

test('there is no program that these tests do not run', () => {
  expect(programs).toHaveLength(4);
});
