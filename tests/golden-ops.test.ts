/** Every case of ops.json, forward and backward, in float64 and in float32. */
import {
  opNames,
  ops,
  recordCalls,
  specs,
  type AnyFunction,
  type DType,
  type OpName,
  type OpSpec,
} from '@tapegrad/tensor';
import { Variable, ops as variableOps } from '@tapegrad/autograd';
import {
  assertGolden,
  fromGolden,
  goldenCases,
  goldenTolerance,
  type GoldenTensor,
  type GoldenTensors,
} from './support/golden.js';
import { contiguous } from './support/layouts.js';
import { opRows } from './support/op-rows.js';
import type { OpRow } from './support/op-rows/types.js';

interface OpCase {
  readonly name: string;
  readonly op: string;
  readonly config: object;
  readonly inputs: GoldenTensors;
  readonly outputs: GoldenTensors;
  readonly cotangent?: GoldenTensors;
  readonly gradients?: GoldenTensors;
}

const rowOf = (name: OpName): OpRow => opRows[name] as OpRow;

function specOf({ name, op }: OpCase): OpSpec {
  const table: Readonly<Record<string, OpSpec>> = specs;
  if (!Object.hasOwn(table, op)) {
    throw new Error(`${name}: there is no op '${op}'; the table has ${opNames.join(', ')}`);
  }
  return table[op];
}

/** The names of the inputs in the order in which the op takes them. */
function inputNames(golden: OpCase, spec: OpSpec): readonly string[] {
  const given = Object.keys(golden.inputs);
  if (spec.inputs === 'list')
    return given.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  if ([...spec.inputs].sort().join() !== given.sort().join()) {
    throw new Error(
      `${golden.name}: ${golden.op} takes ${spec.inputs.join(', ')}; the case has ${given.join(', ')}`,
    );
  }
  return spec.inputs;
}

/** Calls the op's function of a table with one value for each named input. */
function call<V>(table: object, golden: OpCase, names: readonly string[], values: V[]): V[] {
  const spec = specOf(golden);
  if (names.length !== values.length) throw new Error(`${golden.name}: inputs are missing`);
  const f = (table as Readonly<Record<string, AnyFunction>>)[golden.op] as (
    ...args: unknown[]
  ) => V | V[];
  const inputs: unknown[] = spec.inputs === 'list' ? [values] : values;
  const result = f(...inputs, golden.config);
  return Array.isArray(result) ? result : [result];
}

/** An op without floating-point inputs makes float32 of its own. */
function floatOf({ inputs }: OpCase, float: DType): DType {
  return Object.values(inputs).some((x) => x.dtype === undefined) ? float : 'float32';
}

function checkForward(golden: OpCase, float: DType): void {
  const names = inputNames(golden, specOf(golden));
  const inputs = names.map((name) => fromGolden(golden.inputs[name], float));
  const outputs = call(ops, golden, names, inputs);
  const expected = Object.entries(golden.outputs);
  if (outputs.length !== expected.length)
    throw new Error(`${golden.name}: ${outputs.length} outputs instead of ${expected.length}`);
  expected.forEach(([name, output], i) => {
    assertGolden(`${golden.name}, ${name} in ${float}`, outputs[i], output, floatOf(golden, float));
  });
}

/** The gradients of Σ output·cotangent over the outputs that have a cotangent. */
function checkGradients(
  golden: OpCase,
  cotangents: GoldenTensors,
  gradients: GoldenTensors,
  float: DType,
): void {
  const names = inputNames(golden, specOf(golden));
  const inputs = names.map((name) => {
    const x = golden.inputs[name];
    return new Variable(fromGolden(x, float), x.dtype === undefined);
  });
  const outputs = call(variableOps, golden, names, inputs);
  const weighed = Object.keys(golden.outputs).flatMap((name, i) =>
    name in cotangents ? [[outputs[i], fromGolden(cotangents[name], float)] as const] : [],
  );
  if (weighed.length === 1) weighed[0][0].backward(weighed[0][1]);
  else
    weighed
      .map(([output, cotangent]) => output.mul(cotangent).sum())
      .reduce((a, b) => a.add(b))
      .backward();
  for (const [name, expected] of Object.entries(gradients)) {
    const gradient = inputs[names.indexOf(name)].grad?.value;
    assertGolden(
      `${golden.name}, gradient of ${name} in ${float}`,
      gradient,
      expected,
      float,
      'gradient',
    );
  }
}

const cases = goldenCases<OpCase>('op');

describe.each(['float64', 'float32'] as const)('ops.json in %s', (float) => {
  test.each(cases.map((golden) => [golden.name, golden] as const))('%s', (_, golden) => {
    checkForward(golden, float);
    const { cotangent, gradients } = golden;
    if (cotangent !== undefined && gradients !== undefined)
      checkGradients(golden, cotangent, gradients, float);
  });
});

test('every op is compared with values from elsewhere, here or in the table of rows', () => {
  const golden = new Set<string>(cases.map(({ op }) => op));
  const compared = (name: OpName): boolean => {
    const { expected, gradientOf } = rowOf(name);
    if (golden.has(name) || expected !== undefined) return true;
    return gradientOf !== undefined && compared(gradientOf);
  };
  expect(opNames.filter((name) => !compared(name))).toEqual([]);
});

test.each(opNames.filter((name) => rowOf(name).gradientOf !== undefined))(
  '%s is what the gradient of its op is computed by',
  (name) => {
    const of = rowOf(name).gradientOf ?? name;
    const [{ inputs }] = rowOf(of).cases;
    const variables = inputs.map(
      (x) => new Variable(contiguous(x, x.dtype ?? 'float64'), x.dtype === undefined),
    );
    const f = variableOps as object as Readonly<Record<string, AnyFunction>>;
    const call = f[of] as (...args: unknown[]) => Variable | Variable[];
    const outputs = [call(...variables)].flat();
    const calls = recordCalls(() => outputs[0].sum().backward());
    expect(calls.map(({ spec }) => spec.name)).toContain(name);
  },
);

describe('the comparison itself', () => {
  const one: GoldenTensor = { shape: [2], data: [1, 2] };
  const golden: OpCase = {
    name: 'sum_of_two',
    op: 'sum',
    config: { axis: null },
    inputs: { x: one },
    outputs: { output: { shape: [], data: [3] } },
    cotangent: { output: { shape: [], data: [2] } },
    gradients: { x: { shape: [2], data: [2, 2] } },
  };
  const withOutput = (output: GoldenTensor): OpCase => ({ ...golden, outputs: { output } });

  test('passes what is right', () => {
    checkForward(golden, 'float64');
    checkGradients(golden, golden.cotangent ?? {}, golden.gradients ?? {}, 'float64');
  });

  test.each([
    ['an unknown op', { ...golden, op: 'sums' }, /^sum_of_two: there is no op 'sums'; the table/],
    [
      'other inputs',
      { ...golden, inputs: { a: one } },
      /^sum_of_two: sum takes x; the case has a$/,
    ],
    [
      'a wrong value',
      withOutput({ shape: [], data: [3.00001] }),
      /sum_of_two, output in float64: 1 of 1 elements differ.*\[\]: got 3, expected 3\.00001/,
    ],
    ['NaN for a number', withOutput({ shape: [], data: [NaN] }), /got 3, expected NaN/],
    ['a wrong shape', withOutput({ shape: [1], data: [3] }), /shape \[\] instead of \[1\]/],
    [
      'a wrong dtype',
      withOutput({ shape: [], dtype: 'int32', data: [3] }),
      /dtype float64 instead of int32/,
    ],
    [
      'too few outputs',
      { ...golden, outputs: { values: one, indices: one } },
      /1 outputs instead of 2/,
    ],
  ] satisfies [string, OpCase, RegExp][])('refuses %s', (_, wrong, message) => {
    expect(() => checkForward(wrong, 'float64')).toThrow(message);
  });

  test('refuses a wrong gradient, naming the worst element', () => {
    const wrong = { x: { shape: [2], data: [2.00003, 2.1] } };
    expect(() => checkGradients(golden, golden.cotangent ?? {}, wrong, 'float32')).toThrow(
      /gradient of x in float32: 1 of 2 elements differ, most of all \[1\]: got 2, expected 2\.1/,
    );
  });

  test('has the tolerances that the files promise', () => {
    expect(goldenTolerance('float64', 'gradient').relative).toBe(1e-9);
    expect(goldenTolerance('float32', 'output')).toEqual({ relative: 1e-4, absolute: 1e-5 });
    expect(goldenTolerance('float32', 'gradient')).toEqual({ relative: 2e-4, absolute: 2e-5 });
    expect(goldenTolerance('int32', 'output')).toEqual({ relative: 0, absolute: 0 });
  });
});
