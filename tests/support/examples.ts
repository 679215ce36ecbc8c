/** Examples in docstrings: finding them, running them, and comparing what they say with what comes out. */
import { Script, createContext } from 'node:vm';
import ts from 'typescript';

/** The code of one `@example`. */
export interface Example {
  /** What it stands above. */
  readonly name: string;
  readonly code: string;
}

/** The examples of all docstrings in a source text, in order. */
export function examplesIn(source: string): Example[] {
  return [...source.matchAll(/\/\*\*((?:(?!\*\/)[^])*)\*\/([^]*?)[={(;]/g)].flatMap(
    ([, comment, declaration]) => {
      const name = nameOf(declaration.trim());
      const text = comment.replace(/^[ \t]*\*[ \t]?/gm, '');
      // An example ends at the next tag.
      const parts = text.split(/@example\b/).slice(1);
      return parts.map((part) => ({ name, code: withoutFence(part.split(/\n@\w/)[0]) }));
    },
  );
}

/** The name in the beginning of a declaration, up to its first '=', '{', '(' or ';'. */
function nameOf(declaration: string): string {
  const keyword = /\b(?:class|function|const|interface|type|get)\s+(\w+)/.exec(declaration);
  return keyword?.[1] ?? /(\w+)\??\s*(?:[:<].*)?$/s.exec(declaration)?.[1] ?? 'file';
}

function withoutFence(text: string): string {
  return (/```\w*\n([^]*?)```/.exec(text)?.[1] ?? text).trim();
}

/** A statement `EXPRESSION; // VALUE`. */
interface Claim {
  readonly start: number;
  readonly end: number;
  readonly expression: string;
  readonly value: unknown;
}

/** What the expressions of an example are said to be: in a comment behind them or on the next line. */
function claimsIn(code: string): Claim[] {
  const file = ts.createSourceFile('example.ts', code, ts.ScriptTarget.ES2022, true);
  return file.statements.filter(ts.isExpressionStatement).flatMap((statement) => {
    const [start, end] = [statement.getStart(), statement.getEnd()];
    const behind = /^[ \t]*\/\/ ?(.*)/.exec(code.slice(end));
    const below = /^[ \t]*\n[ \t]*\/\/ ?(.*)/.exec(code.slice(end));
    const comment = behind ?? below;
    if (comment === null) return [];
    const parsed = valueOf(comment[1]);
    if (parsed === undefined) {
      if (behind === null) return [];
      throw new Error(`cannot read the value in '${code.slice(start, end)} // ${comment[1]}'`);
    }
    return [{ start, end, expression: statement.expression.getText(), value: parsed.value }];
  });
}

/** A value as a comment writes it; undefined for text that is none. */
function valueOf(text: string): { value: unknown } | undefined {
  try {
    return { value: new Script(`(${text})`).runInContext(createContext({})) as unknown };
  } catch {
    return undefined;
  }
}

/** Constructors that the library recognises its arguments by: an example must not use those of another realm. */
const BUILTINS = {
  ArrayBuffer,
  Float32Array,
  Float64Array,
  Int32Array,
  Int16Array,
  Uint8Array,
  Error,
  AbortController,
  console: { log: () => undefined },
};

/**
 * Runs an example and compares its claims; returns how many there were.
 *
 * @param scope the names that the example may use
 * @param modules what it may import
 * @throws Error that names the expression, what it is said to be, and what it is
 */
export async function runExample(
  code: string,
  scope: object,
  modules: Readonly<Record<string, object>> = {},
): Promise<number> {
  const claims = claimsIn(code);
  const checked = claims.reduceRight(
    (text, { start, end, expression }, i) =>
      `${text.slice(0, start)}__check(${i}, (${expression}));${text.slice(end)}`,
    code,
  );
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS };
  const { outputText } = ts.transpileModule(checked, { compilerOptions });
  let reached = 0;
  const context = createContext({
    ...BUILTINS,
    ...scope,
    exports: {},
    require: (name: string) => {
      if (!Object.hasOwn(modules, name)) throw new Error(`the example imports '${name}'`);
      return modules[name];
    },
    __check: (i: number, actual: unknown) => {
      reached++;
      const { expression, value } = claims[i];
      if (!same(actual, value))
        throw new Error(`${expression} is said to be ${show(value)}, but it is ${show(actual)}`);
    },
  });
  await (new Script(`(async () => {${outputText}\n})()`).runInContext(context) as Promise<void>);
  if (reached !== claims.length) throw new Error('some of the claims were not reached');
  return reached;
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** A tensor or a Variable. */
function hasToArray(value: unknown): value is { toArray(): unknown } {
  return isObject(value) && 'toArray' in value && typeof value.toArray === 'function';
}

/** Whether a value is what a comment says: numbers to 4 decimals, truth values of tensors as 1 and 0 or true and false. */
export function same(actual: unknown, expected: unknown, ofTensor = false): boolean {
  if (hasToArray(actual)) return same(actual.toArray(), expected, true);
  if (ArrayBuffer.isView(actual)) return same(Array.from(actual as Uint8Array), expected);
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return false;
    return expected.every((value, i) => same(actual[i], value, ofTensor));
  }
  if (typeof expected === 'boolean' && ofTensor) return actual === Number(expected);
  if (typeof expected === 'number') return typeof actual === 'number' && near(actual, expected);
  if (!isObject(expected)) return actual === expected;
  if (!isObject(actual)) return false;
  const [got, said] = [Object.entries(actual), Object.entries(expected)];
  return (
    got.length === said.length &&
    said.every(([key, value]) =>
      same(
        got.find(([k]) => k === key)?.[1], //
        value,
        ofTensor,
      ),
    )
  );
}

/** Equal when both are rounded to 4 decimals, or to 4 digits where that is more. */
function near(actual: number, expected: number): boolean {
  if (Object.is(actual, expected) || actual === expected) return true;
  const unit = expected === 0 ? 1 : Math.min(1, Math.abs(expected));
  return Math.abs(actual - expected) <= 0.500001e-4 * (unit < 1e-3 ? unit : 1);
}

function show(value: unknown): string {
  const plain = hasToArray(value) ? value.toArray() : value;
  return JSON.stringify(plain, (_, v: unknown) =>
    typeof v === 'number' && !Number.isFinite(v)
      ? String(v)
      : ArrayBuffer.isView(v)
        ? Array.from(v as Uint8Array)
        : v,
  );
}
