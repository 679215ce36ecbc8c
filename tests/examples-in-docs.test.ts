/** Every example in a docstring of the packages runs, and its comments say what comes out. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as autograd from '@tapegrad/autograd';
import * as datasets from '@tapegrad/datasets';
import * as layers from '@tapegrad/layers';
import * as plots from '@tapegrad/plots';
import * as tensor from '@tapegrad/tensor';
import * as tapegrad from 'tapegrad';
import { examplesIn, runExample, same } from './support/examples.js';

const modules = {
  '@tapegrad/tensor': tensor,
  '@tapegrad/autograd': autograd,
  '@tapegrad/layers': layers,
  '@tapegrad/datasets': datasets,
  '@tapegrad/plots': plots,
  tapegrad,
};

/** Where two packages have one name, such as `ops`, an example means its own package's, then that of the nearest below. */
const scopes: Readonly<Record<string, object>> = {
  tensor,
  autograd: { ...tensor, ...autograd },
  datasets: { ...tensor, ...datasets },
  plots: { ...tensor, ...plots },
  layers: { ...tensor, ...datasets, ...autograd, ...layers },
  tapegrad: { ...tensor, ...autograd, ...tapegrad },
};

const root = fileURLToPath(new URL('../packages', import.meta.url));

afterEach(() => {
  jest.restoreAllMocks();
});

const examples = Object.keys(scopes).flatMap((folder) =>
  readdirSync(join(root, folder, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name))
    // Kernels are not public: no example can call them by name.
    .filter((file) => !/[\\/]kernels[\\/]/.test(file))
    .flatMap((file) =>
      examplesIn(readFileSync(file, 'utf8')).map((example) => ({
        ...example,
        folder,
        file: relative(root, file).replaceAll('\\', '/'),
      })),
    ),
);

describe.each(Object.keys(scopes))('packages/%s', (folder) => {
  const own = examples.filter((example) => example.folder === folder);

  test('has examples', () => {
    expect(own.length).toBeGreaterThan(0);
  });

  test.each(own)('$file: $name', async ({ code }) => {
    expect(code).not.toBe('');
    tensor.setSeed(0);
    jest.spyOn(console, 'warn').mockImplementation();
    await runExample(code, scopes[folder], modules);
  });
});

test('every op has an example', () => {
  const named = new Set(
    examples.filter(({ file }) => file.startsWith('tensor/src/ops/')).map(({ name }) => name),
  );
  // Random ops and updates in place are called through generators and optimizers.
  const expected = tensor.opNames.filter(
    (name) => !name.startsWith('random') && tensor.specs[name].kind !== 'update',
  );
  expect(expected.filter((name) => !named.has(name))).toEqual([]);
});

describe('the checker', () => {
  const source = `
    /** Text. @example twice(2); // 4 */
    export const twice = unary('twice', f);

    /**
     * Text { @link x }
     * @throws Error never
     * @example
     * const x: number[] = [1, 2];
     * x; // [1, 2]
     * x.map((v) => v / 3);
     * // [0.3333, 0.6667]
     * @returns nothing
     */
    export async function other(a: number): Promise<void> {}

    /** No example. */
    class Third {
      /** @example 'a'; // 'a' */
      get value(): string {
        return '';
      }
    }
  `;

  test('finds examples and what they stand above', () => {
    expect(examplesIn(source).map(({ name, code }) => [name, code.split('\n')[0]])).toEqual([
      ['twice', 'twice(2); // 4'],
      ['other', 'const x: number[] = [1, 2];'],
      ['value', "'a'; // 'a'"],
    ]);
  });

  test('runs them', async () => {
    const found = examplesIn(source).map(({ code }) => code);
    const scope = { twice: (v: number) => 2 * v };
    expect(await runExample(found[0], scope)).toBe(1);
    expect(await runExample(found[1], scope)).toBe(2);
    expect(await runExample('const y = await Promise.resolve(3);\ny; // 3', {})).toBe(1);
  });

  test.each([
    ['1 + 1; // 3', '1 + 1 is said to be 3, but it is 2'],
    [
      '[1, 0.33333]; // [1, 0.3334]',
      '[1, 0.33333] is said to be [1,0.3334], but it is [1,0.33333]',
    ],
    ['throw new Error("no");', 'no'],
    ['missing(1);', 'missing is not defined'],
    ['1; // about 1', "cannot read the value in '1; // about 1'"],
    ["import { x } from 'y';\nx; // 1", "the example imports 'y'"],
  ])('refuses %j', async (code, text) => {
    await expect(runExample(code, {})).rejects.toThrow(text);
  });

  test('compares to 4 decimals', () => {
    const x = tensor.tensor([true, false]);
    expect(same(x, [true, false])).toBe(true);
    expect(same(x, [1, 0])).toBe(true);
    expect(same([x, tensor.scalar(1 / 3)], [[true, false], 0.3333])).toBe(true);
    expect(same(2.71828, 2.7183)).toBe(true);
    expect(same(2.71828, 2.7182)).toBe(false);
    expect(same(0.00002, 0.00003)).toBe(false);
    expect(same(1, true)).toBe(false);
    expect(same(NaN, NaN)).toBe(true);
    expect(same(NaN, 0)).toBe(false);
    expect(same({ a: [1] }, { a: [1] })).toBe(true);
    expect(same({ a: 1, b: 2 }, { a: 1 })).toBe(false);
    expect(same([1, 2], [1])).toBe(false);
    expect(same('1', 1)).toBe(false);
  });
});
