/**
 * A step by all kernels. Its program gives the result of every call that it makes, forwards and backwards; each is compared
 * with the TypeScript kernel on the very inputs that this call had, so that rounding does not add up from call to call and
 * tolerances are those of single ops. Everything else must agree to the bit: the program that keeps no more than it must and
 * fuses what it can, the same with two threads, and a second run after one with other inputs.
 */
import {
  type Tensor,
  isFloat,
  recordCalls,
  run,
  setBackend,
  specs,
  type Call,
  type OpSpec,
} from '@tapegrad/tensor';
import type { Engine } from '../../packages/tensor/src/backend.js';
import { fuse } from '../../packages/tensor/src/fuse.js';
import { Program } from '../../packages/tensor/src/program.js';
import { record, type Recording } from '../../packages/tensor/src/recording.js';
import { type Storage, withLayout } from '../../packages/tensor/src/tensor.js';
import { assertNumbersClose, type Tolerance } from './close.js';

export type Step = (inputs: readonly Tensor[]) => readonly Tensor[];

/** In units of the dtype's rounding, 2⁻²⁴ or 2⁻⁵³. */
interface Allowed {
  /** Of each element. */
  readonly relative: number;
  /** Of 1. */
  readonly absolute: number;
  /** Of what the op gives for the absolute values of its inputs: sums may cancel. */
  readonly summed?: number;
}

const EXACT: Allowed = { relative: 0, absolute: 0 };
/** Polynomials of float32 instead of functions of float64: 2 ulp each, and what the formula around them makes of it. */
const SMOOTH: Allowed = { relative: 16, absolute: 4 };
/** By functions of float64, rounded to float32: neighbours at most, and a power by a few products 2 ulp. Tiny ones count too. */
const NEAREST: Allowed = { relative: 4, absolute: 2 ** -100 };
/** Sums in another order. */
const SUM: Allowed = { relative: 8, absolute: 1, summed: 16 };
/** Sums of products in float32, some hundred of them in a row. */
const PRODUCT: Allowed = { relative: 8, absolute: 1, summed: 64 };
/** Whole sequences: up to twenty steps, each of which goes on with what the one before has rounded; weights above 1 make that grow. */
const SEQUENCE: Allowed = { relative: 256, absolute: 1024, summed: 64 };

/** What is not here must be equal to the bit. */
const GROUPS: readonly (readonly [Allowed, string])[] = [
  [
    SMOOTH,
    'exp log log1p expm1 rsqrt tanh sigmoid softplus softsign selu silu mish hardSigmoid erf elu leakyRelu gelu ' +
      'squaredDifference',
  ],
  [NEAREST, 'sin cos tan asin acos atan atan2 sinh cosh pow'],
  [{ ...SMOOTH, summed: 4 }, 'sigmoidCrossEntropy'],
  [
    SUM,
    'sum mean prod variance std logSumExp norm softmax logSoftmax softmaxCrossEntropy cumsum cumprod averagePool ' +
      'averagePoolTranspose indexAdd putAlongAxis scatterND',
  ],
  [PRODUCT, 'dot matmul outer einsum conv convTranspose convKernelGradient affineGrad'],
  [SEQUENCE, 'simpleRNN lstm gru simpleRNNGrad lstmGrad gruGrad'],
];

const TOLERANCES = new Map(
  GROUPS.flatMap(([allowed, names]) => names.split(' ').map((name) => [name, allowed] as const)),
);

/** Runs an op by its TypeScript kernel. */
function byReference(spec: OpSpec, inputs: readonly Tensor[], attrs: object): readonly Tensor[] {
  const result = run(spec as never, inputs, attrs as never) as Tensor | Tensor[];
  return Array.isArray(result) ? result : [result];
}

function checkCall(
  what: string,
  { spec, attrs }: Call,
  inputs: readonly Tensor[],
  actual: readonly Tensor[],
): void {
  // Convolutions go over padding in their own ways, which shows where it meets an infinity.
  const odd = (x: Tensor): boolean => isFloat(x.dtype) && !x.toTypedArray().every(Number.isFinite);
  if (spec.name.startsWith('conv') && inputs.some(odd)) return;
  const expected = byReference(spec, inputs, attrs);
  const allowed = TOLERANCES.get(spec.name) ?? EXACT;
  const scales = allowed.summed === undefined || !isFloat(expected[0].dtype) ? [] : byReference(spec, inputs.map((x) => (isFloat(x.dtype) ? x.abs() : x)), attrs); // prettier-ignore
  expected.forEach((x, i) => {
    const unit = x.dtype === 'float64' ? 2 ** -53 : x.dtype === 'float32' ? 2 ** -24 : 0;
    let largest = 0;
    for (const v of scales[i]?.toTypedArray() ?? []) if (Number.isFinite(v)) largest = Math.max(largest, Math.abs(v)); // prettier-ignore
    const tolerance: Tolerance = {
      relative: unit * allowed.relative,
      absolute: unit * (allowed.absolute + (allowed.summed ?? 0) * largest),
    };
    const list = actual[i].toTypedArray();
    assertNumbersClose(`${what}: ${spec.name}`, list, x.toTypedArray(), tolerance, x.shape);
  });
}

/** The bits of numbers, with one NaN for all. */
function assertSameBits(
  what: string,
  actual: readonly Tensor[],
  expected: readonly Tensor[],
): void {
  expected.forEach((x, i) => {
    const [a, b] = [actual[i].toTypedArray(), x.toTypedArray()];
    for (let k = 0; k < b.length; k++) {
      if (Object.is(a[k], b[k])) continue;
      throw new Error(
        `${what}: result ${i}, element ${k} is ${a[k]} instead of ${b[k]}, to the bit`,
      );
    }
  });
}

interface Traced {
  readonly program: Program;
  readonly calls: readonly Call[];
  /** How many results the step itself has. */
  readonly count: number;
  readonly recording: Recording;
}

/** The program that gives the step's results and then those of all of its calls. */
function traced(engine: Engine, step: Step, inputs: readonly Tensor[]): Traced {
  let calls: Call[] = [];
  let count = 0;
  const recording = record(inputs, (pending) => {
    let outputs: readonly Tensor[] = [];
    const all = recordCalls(() => (outputs = step(pending)));
    count = outputs.length;
    calls = all.filter(({ spec }) => spec.kind !== 'view');
    return [...outputs, ...calls.flatMap((call) => call.outputs)];
  });
  return { program: new Program(engine, recording), calls, count, recording };
}

/**
 * Compares all ways to compute a step.
 *
 * @param what for messages
 * @param runs inputs for one run after another, all of the same types
 * @param engines the first with one thread, the second with two
 * @param shared whether there is so much to do that the threads share it: then each call is compared, too
 * @returns the names of the ops and of the kernels that were used
 */
export function checkStep(
  what: string,
  step: Step,
  runs: readonly (readonly Tensor[])[],
  [one, two]: readonly [Engine, Engine],
  shared: boolean,
): { ops: readonly string[]; kernels: readonly string[] } {
  const { program, calls, count, recording } = traced(one, step, runs[0]);
  const fused = new Program(two, fuse(record(runs[0], step)));
  const results = runs.map((inputs) => program.run(inputs));
  setBackend('js');
  runs.forEach((inputs, r) => {
    const values = new Map<Storage, Tensor>(
      inputs.map((x, i) => [recording.inputs[i].storage, contiguousOf(x)]),
    );
    let at = count;
    for (const call of calls) {
      const outputs = call.outputs.map(() => results[r][at++]);
      const operands = call.inputs.map((x) => {
        const value = values.get(x.storage);
        return value === undefined ? x : withLayout(value, x);
      });
      checkCall(`${what}\nrun ${r}`, call, operands, outputs);
      call.outputs.forEach((x, i) => values.set(x.storage, outputs[i]));
    }
  });
  setBackend('auto');
  runs.forEach((inputs, r) => {
    const expected = results[r].slice(0, count);
    const fewer = fused.run(inputs);
    assertSameBits(`${what}\nrun ${r}, fused, in less memory, two threads`, fewer, expected);
  });
  if (shared) {
    checkEagerly(what, step, runs[0]);
    const wide = traced(two, step, runs[0]).program;
    runs.forEach((inputs, r) => {
      assertSameBits(`${what}\nrun ${r}, two threads`, wide.run(inputs), results[r]);
    });
  }
  assertSameBits(`${what}\nrun 0 once more`, fused.run(runs[0]), results[0].slice(0, count));
  return {
    ops: program.calls.map(({ name }) => name),
    kernels: [...program.calls, ...fused.calls].flatMap((call) => call.kernels),
  };
}

/** Op by op, those with much to compute on the heap and back. */
function checkEagerly(what: string, step: Step, inputs: readonly Tensor[]): void {
  const calls = recordCalls(() => step(inputs)).filter(({ spec }) => spec.kind !== 'view');
  setBackend('js');
  for (const call of calls) checkCall(`${what}\neagerly`, call, call.inputs, call.outputs);
  setBackend('auto');
}

/** A row-major tensor with the same elements in an array of their own, as an input's place in a program has them. */
function contiguousOf(x: Tensor): Tensor {
  return run(specs.copy, [x], {});
}
