/** The examples in the docstrings of @tapegrad/autograd are true. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runInThisContext } from 'node:vm';
import ts from 'typescript';
import { Tensor } from '@tapegrad/tensor';
import * as autograd from '@tapegrad/autograd';
import { Variable } from '@tapegrad/autograd';

const source = fileURLToPath(new URL('../../packages/autograd/src/', import.meta.url));

/** The examples, with the name of what they stand above. */
const examples = readdirSync(source).flatMap((file) => {
  const text = readFileSync(join(source, file), 'utf8');
  const blocks = text.matchAll(
    /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*export (?:function|class|const) (\w+)/g,
  );
  return [...blocks].flatMap(([, comment, name]) =>
    comment
      .split('@example')
      .slice(1)
      .map((code) => ({ name, code: code.replace(/^\s*\* ?/gm, '').trim() })),
  );
});

/** `expression; // value` becomes check(expression, value), and types go. */
function withChecks(code: string): string {
  const checked = code.replace(/^(?!const |\s)(.*); \/\/ (.*)$/gm, 'check(($1), ($2));');
  return ts.transpileModule(checked, { compilerOptions: { target: ts.ScriptTarget.ES2022 } })
    .outputText;
}

test('every public function and class has an example', () => {
  const known = new Set(examples.map(({ name }) => name));
  const exported = Object.entries(autograd).flatMap(([name, value]) =>
    typeof value === 'function' && !name.endsWith('Error') ? [name] : [],
  );
  expect(exported.length).toBeGreaterThan(10);
  expect(exported.filter((name) => !known.has(name))).toEqual([]);
});

type Check = (actual: unknown, expected: unknown) => void;

test.each(examples)('the example of $name', ({ code }) => {
  let checks = 0;
  const body = `(({ ${Object.keys(autograd).join(', ')} }, check) => {{\n${withChecks(code)}\n}})`;
  const run = runInThisContext(body) as (scope: object, check: Check) => void;
  run(autograd, (actual, expected) => {
    checks++;
    const plain =
      actual instanceof Variable || actual instanceof Tensor ? actual.toArray() : actual;
    // Through JSON: arrays of the other realm become plain ones.
    expect(JSON.parse(JSON.stringify(plain))).toEqual(JSON.parse(JSON.stringify(expected)));
  });
  expect(checks).toBeGreaterThan(0);
});
