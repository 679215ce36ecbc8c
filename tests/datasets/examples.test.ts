import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInThisContext } from 'node:vm';
import * as datasets from '@tapegrad/datasets';
import * as tensor from '@tapegrad/tensor';

const source = fileURLToPath(new URL('../../packages/datasets/src/', import.meta.url));

/** The examples of the docstrings, with the name of what they stand above. */
const examples = readdirSync(source).flatMap((file) => {
  const text = readFileSync(join(source, file), 'utf8');
  const blocks = [
    ...text.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/\s*(?:export )?(?:async )?function (\w+)/g),
  ];
  return blocks.flatMap(([, comment, name]) =>
    comment
      .split('@example')
      .slice(1)
      .map((code, i) => ({
        name: `${name} ${i + 1}`,
        code: code.replace(/^\s*\* ?/gm, '').trim(),
      })),
  );
});

/** `expression; // value`, the value also on a line of its own, becomes check(expression, value). */
const withChecks = (code: string): string =>
  code
    .replace(/;\n\/\/ /g, '; // ')
    .replace(/^(?!const |for |\s)(.*); \/\/ (.*)$/gm, 'check(($1), ($2));');

type Check = (actual: unknown, expected: unknown) => void;
type Example = (scope: object, check: Check) => Promise<void>;

test('every public function has an example', () => {
  const functions = Object.entries(datasets).filter(
    ([, value]) => typeof value === 'function' && !/Error$/.test(value.name),
  );
  const named = new Set(examples.map(({ name }) => name.split(' ')[0]));
  for (const [name] of functions) expect(named).toContain(name);
  expect(named).toContain('load');
});

test.each(examples)('the example of $name is true', async ({ code }) => {
  let checks = 0;
  const scope = { ...tensor, ...datasets, console: { log: () => checks++ } };
  const body = `(async ({ ${Object.keys(scope).join(', ')} }, check) => {\n{${withChecks(code)}\n}})`;
  await (runInThisContext(body) as Example)(scope, (actual, expected) => {
    checks++;
    // Through JSON: typed arrays and arrays of the other realm become plain ones.
    const plain = ArrayBuffer.isView(actual) ? Array.from(actual as Uint8Array) : actual;
    expect(JSON.parse(JSON.stringify(plain))).toEqual(JSON.parse(JSON.stringify(expected)));
  });
  expect(checks).toBeGreaterThan(0);
});
