/** Every case of layers.json: outputs, gradients of inputs and weights, and the weights that a call changes. */
import { type Weight } from '@tapegrad/layers';
import { Variable, gradients } from '@tapegrad/autograd';
import { type DType } from '@tapegrad/tensor';
import {
  assertGolden,
  fromGolden,
  goldenCases,
  type GoldenTensor,
  type GoldenTensors,
} from './support/golden.js';
import { builderOf, type Settings } from './support/layer-builders.js';

interface LayerCase {
  readonly name: string;
  readonly layer: string;
  readonly config: Settings;
  readonly call?: Settings & { readonly training?: boolean };
  readonly inputs: GoldenTensors;
  readonly weights: GoldenTensors;
  readonly outputs: GoldenTensors;
  readonly cotangent?: GoldenTensors;
  readonly gradients?: GoldenTensors;
}

function sameNames(what: string, actual: readonly string[], expected: readonly string[]): void {
  if ([...actual].sort().join() !== [...expected].sort().join())
    throw new Error(`${what}: ${actual.join(', ')} instead of ${expected.join(', ')}`);
}

/** Runs a case: everything that it names, as Variables. */
function run(golden: LayerCase, float: DType) {
  const { training = false, ...call } = golden.call ?? {};
  const settings = { ...golden.config, ...call };
  const builder = builderOf(golden.name, golden.layer, settings);
  const layer = builder.make(settings, float);
  const inputs = Object.fromEntries(
    Object.entries(golden.inputs).map(([name, x]) => {
      return [name, new Variable(fromGolden(x, float), x.dtype === undefined)];
    }),
  );
  const list = builder.inputs?.(inputs) ?? Object.values(inputs);
  layer.ensureBuilt(...list.map(({ shape }) => [null, ...shape.slice(1)]));
  const weights: Record<string, Weight> = Object.fromEntries(
    layer.weights.map((w, i) => [builder.weightName?.(w, i, layer) ?? w.name, w]),
  );
  sameNames(`${golden.name}: weights`, Object.keys(weights), Object.keys(golden.weights));
  for (const [name, w] of Object.entries(weights)) {
    const value = golden.weights[name];
    w.assign(fromGolden(value, float));
  }
  const results = layer.applyAll(list, { training });
  // A weight among the outputs is what the call has made of it, as the moving averages.
  const names = Object.keys(golden.outputs).filter((name) => !(name in weights));
  if (results.length !== names.length)
    throw new Error(`${golden.name}: ${results.length} outputs instead of ${names.join(', ')}`);
  const outputs = Object.fromEntries(names.map((name, i) => [name, results[i]]));
  return { inputs, weights, outputs };
}

function check(golden: LayerCase, float: DType): void {
  const { inputs, weights, outputs } = run(golden, float);
  const at = (what: string): string => `${golden.name}, ${what} in ${float}`;
  for (const [name, expected] of Object.entries({ ...golden.weights, ...golden.outputs })) {
    const found: Variable = outputs[name] ?? weights[name];
    assertGolden(at(name), found.value, expected, float);
  }
  const { cotangent = {}, gradients: expected = {} } = golden;
  if (Object.keys(expected).length === 0) return;
  const leaves: Readonly<Record<string, Variable>> = { ...inputs, ...weights };
  const names = Object.keys(expected);
  const unknown = names.filter((name) => !leaves[name]?.requiresGrad);
  if (unknown.length > 0) throw new Error(at(`gradient of ${unknown.join(', ')}: there is none`));
  const weighed = Object.keys(cotangent);
  const found = gradients(
    weighed.map((name) => outputs[name]),
    names.map((name) => leaves[name]),
    weighed.map((name) => fromGolden(cotangent[name], float)),
  );
  names.forEach((name, i) => {
    assertGolden(at(`gradient of ${name}`), found[i].value, expected[name], float, 'gradient');
  });
}

const cases = goldenCases<LayerCase>('layer');

describe.each(['float64', 'float32'] as const)('layers.json in %s', (float) => {
  test.each(cases.map((golden) => [golden.name, golden] as const))('%s', (_, golden) => {
    check(golden, float);
  });
});

describe('the comparison itself', () => {
  const matrix = (...data: number[]): GoldenTensor => ({ shape: [1, data.length], data });
  const golden: LayerCase = {
    name: 'double',
    layer: 'dense',
    config: { units: 1, useBias: false },
    inputs: { x: matrix(3) },
    weights: { kernel: matrix(2) },
    outputs: { output: matrix(6) },
    cotangent: { output: matrix(10) },
    gradients: { x: matrix(20), kernel: matrix(30) },
  };

  test('passes what is right', () => check(golden, 'float64'));

  test.each([
    ['an unknown layer', { layer: 'denser' }, /^double: unknown layer 'denser'; known are dense/],
    [
      'an unknown setting',
      { config: { ...golden.config, rate: 1 } },
      /^double: unknown setting 'rate'; dense has units, activation, useBias$/,
    ],
    ['an unknown argument', { call: { mask: true } }, /^double: unknown setting 'mask'/],
    [
      'other weights',
      { config: { units: 1 } },
      /^double: weights: kernel, bias instead of kernel$/,
    ],
    [
      'another number of outputs',
      { outputs: { output: matrix(6), state: matrix(6) } },
      /^double: 1 outputs instead of output, state$/,
    ],
    ['a wrong value', { outputs: { output: matrix(6.00001) } }, /output in float64: 1 of 1/],
    [
      'a weight that did not change as it should',
      { outputs: { output: matrix(6), kernel: matrix(3) } },
      /kernel in float64: 1 of 1/,
    ],
    [
      'a wrong gradient',
      { gradients: { x: matrix(20), kernel: matrix(30.1) } },
      /gradient of kernel in float64: 1 of 1/,
    ],
    ['an unknown gradient', { gradients: { y: matrix(20) } }, /gradient of y: there is none/],
  ] satisfies [string, Partial<LayerCase>, RegExp][])('refuses %s', (_, change, message) => {
    expect(() => check({ ...golden, ...change }, 'float64')).toThrow(message);
  });
});
