/**
 * Random steps on all kernels: TypeScript, WebAssembly with one and with two threads, with and without fusing and memory used
 * again. FUZZ_CASES=n tries more of them, FUZZ_SEED=n begins elsewhere; a message of a failure has the case's seed.
 */
import { setImmediate } from 'node:timers/promises';
import { isFloat, opNames, specs, setBackend, setThreads, type DType } from '@tapegrad/tensor';
import { Variable, gradients, type VariableLike } from '@tapegrad/autograd';
import type { Engine } from '../packages/tensor/src/backend.js';
import { kernels as allKernels } from '../packages/tensor/src/kernels/wasm/families.js';
import { checkStep } from './support/fuzz-check.js';
import { Graph } from './support/fuzz-graph.js';
import { makers } from './support/fuzz-ops.js';
import { Numbers } from './support/numbers.js';
import { testEngine, threadsTogether } from './support/programs.js';

const CASES = Number(process.env.FUZZ_CASES ?? 1400);
const SEED = Number(process.env.FUZZ_SEED ?? 1);
const OPS = 7;

const engines: readonly [Engine, Engine] = [testEngine(), testEngine(true)];
const ops = new Set<string>();
const kernels = new Set<string>();

beforeAll(async () => {
  setThreads(2);
  // A worker knows the kernels that are there when it starts.
  engines[1].machine.numbersOf(allKernels);
  await threadsTogether(engines[1], 2);
});
afterAll(() => setBackend('auto'));

interface Kind {
  readonly sizes: readonly number[];
  readonly maxSize: number;
  readonly ops: number;
  readonly runs: number;
}

const SMALL: Kind = { sizes: [0, 1, 2, 3, 3, 4, 5, 8, 9, 17], maxSize: 700, ops: OPS, runs: 2 };
/** Large enough to be shared among threads. */
const LARGE: Kind = { sizes: [1, 7, 64, 130, 260, 300], maxSize: 150_000, ops: 3, runs: 1 };

function graphOf(seed: number, kind: Kind): Graph {
  const numbers = new Numbers(seed);
  const dtypes: readonly DType[] = numbers.pick([
    ['float32'],
    ['float32'],
    ['float64'],
    ['float32', 'float32', 'float64', 'int32', 'bool'],
  ]);
  const graph = new Graph(numbers, numbers.integer(0, 9) === 0, kind.sizes, kind.maxSize, dtypes);
  const names = Object.keys(makers);
  graph.fresh(graph.shape(kind === LARGE ? 2 : undefined));
  for (let i = 0; i < 4 * kind.ops && graph.length < kind.ops; i++)
    makers[numbers.pick(names)](graph);
  return graph;
}

/** Checks a case; with gradients if it has any. */
function check(seed: number, kind: Kind, differentiated: boolean): void {
  setBackend('js');
  const graph = graphOf(seed, kind);
  const runs = Array.from({ length: kind.runs }, () => graph.redrawn());
  setBackend('auto');
  const name = `FUZZ_SEED=${seed} FUZZ_CASES=1${differentiated ? ', gradients' : ''}${kind === LARGE ? ', large' : ''}\n${String(graph)}`;
  const used = checkStep(
    name,
    (tensors) => {
      const inputs = tensors.map((x) => new Variable(x, differentiated && isFloat(x.dtype)));
      const outputs = graph.run(inputs);
      if (!differentiated) return outputs.map(({ value }) => value);
      const wanted = inputs.filter(({ requiresGrad }) => requiresGrad);
      const ends = outputs.filter(({ requiresGrad }) => requiresGrad);
      if (ends.length === 0 || wanted.length === 0) return outputs.map(({ value }) => value);
      const cotangents: VariableLike[] = ends.map((y) => y.detach().mul(0.5).add(0.25));
      return [...outputs, ...gradients(ends, wanted, cotangents)].map(({ value }) => value);
    },
    runs,
    engines,
    kind === LARGE,
  );
  for (const op of [...graph.names, ...used.ops]) ops.add(op);
  for (const kernel of used.kernels) kernels.add(kernel);
}

/** Checks one case after another; finalizers, which give memory back, have their turn between. */
async function checkAll(
  count: number,
  kind: Kind,
  differentiated: (i: number) => boolean,
): Promise<void> {
  for (let i = 0; i < count; i++) {
    check(SEED + i, kind, differentiated(i));
    if (i % 25 === 0) await setImmediate();
  }
}

const few = Math.ceil(CASES / 4);
const fewer = Math.ceil(CASES / 60);

test(`${CASES} random steps`, () => checkAll(CASES, SMALL, () => false), 600_000);

test(`${few} random steps with their gradients`, () => checkAll(few, SMALL, () => true), 600_000);

test(`${fewer} large random steps`, () => checkAll(fewer, LARGE, (i) => i % 2 === 1), 600_000);

test('every op and most kernels have been tried', () => {
  if (CASES < 1000) return;
  // What draws, and what changes in place, has tests of its own.
  const left = opNames.filter(
    (name) => specs[name].kind !== 'update' && !name.startsWith('random') && !ops.has(name),
  );
  expect(left).toEqual([]);
  const known = allKernels.filter(({ name }) => kernels.has(name));
  expect(known.length / allKernels.length).toBeGreaterThan(0.7);
});
