/** Every rule of the table `vjps` against differences: first and second order, on every layout of memory. */
import { type Tensor, ops as tensorOps, recordCalls, tensor } from '@tapegrad/tensor';
import {
  GradientError,
  gradcheck,
  gradients,
  ops,
  variable,
  vjps,
  type Variable,
} from '@tapegrad/autograd';
import { convRows } from './rows/conv.js';
import { elementwiseRows } from './rows/elementwise.js';
import { linalgRows } from './rows/linalg.js';
import { movementRows } from './rows/movement.js';
import { recurrentRows, refusingRows } from './rows/recurrent.js';
import { reduceRows } from './rows/reduce.js';
import { uniform, type GradientRow, type GradientRows } from './rows/types.js';

const rows: GradientRows = {
  ...elementwiseRows,
  ...reduceRows,
  ...movementRows,
  ...linalgRows,
  ...recurrentRows,
  ...convRows,
};

/** A tensor from which x is got by looking at every other element of one axis backwards, and transposing. */
function storageOf(x: Tensor): Tensor {
  const shape = x.rank === 0 ? [2] : [2 * x.shape[x.rank - 1], ...x.shape.slice(0, -1).reverse()];
  const spread = {
    shape,
    start: shape.map((n, i) => (i === 0 ? n - 1 : 0)),
    step: shape.map((_, i) => (i === 0 ? -2 : 1)),
  };
  const moved = x.rank === 0 ? x.reshape([1]) : x.transpose();
  // What lies between the elements must not matter.
  const between =
    moved.dtype === 'float64' ? tensorOps.embed(moved.mul(0).add(1), spread).sub(1).mul(-7.7) : 0;
  return tensorOps.embed(moved, spread).add(between).cast(x.dtype);
}

function viewOf(storage: Variable, rank: number): Variable {
  const odd = storage.stridedSlice({ strides: [-2] });
  return rank === 0 ? odd.reshape([]) : odd.transpose();
}

function strided({ f, inputs, order }: GradientRow): GradientRow {
  return {
    order,
    f: (...stored) => f(...stored.map((x, i) => viewOf(x, inputs[i].rank))),
    inputs: inputs.map(storageOf),
  };
}

const table = Object.entries(rows).flatMap(([name, list]) =>
  list.map((row, i): [string, GradientRow, string] => [
    `${name} of ${row.inputs.map(({ shape }) => `[${shape.join(', ')}]`).join(', ')} (row ${i})`,
    row,
    name,
  ]),
);

describe('the gradient and its gradient', () => {
  test.each(table)('%s', (_, row, name) => {
    const { f, inputs, order = 2 } = row;
    const calls = recordCalls(() => gradcheck(f, inputs, { order }).assertPassed());
    expect(calls.map(({ spec }) => spec.name)).toContain(name);
  });

  test.each(table)('%s, strided', (_, row) => {
    const { f, inputs, order = 2 } = strided(row);
    gradcheck(f, inputs, { order }).assertPassed();
  });
});

test('strided inputs are the inputs, read from a memory without their order', () => {
  const x = tensor(
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
    'float64',
  );
  const seen: Tensor[] = [];
  const { f, inputs } = strided({
    f: (y) => {
      seen.push(y.value);
      return y.square();
    },
    inputs: [x],
  });
  gradcheck(f, inputs).assertPassed();
  expect(seen[0].toArray()).toEqual(x.toArray());
  expect(seen[0].contiguous).toBe(false);
  expect(seen[0].strides).toEqual([1, -4]);
});

test('the table has a row for each op with a rule, and for no other', () => {
  const ruled = Object.entries(vjps).flatMap(([name, rule]) => (rule === null ? [] : [name]));
  const known = [...Object.keys(rows), ...Object.keys(refusingRows)];
  expect(known.sort()).toEqual(ruled.sort());
});

describe('what goes back through time in one step', () => {
  test.each(Object.entries(refusingRows))('%s refuses to be differentiated', (name, row) => {
    const outputs = [row.f(...row.inputs.map((x) => variable(x)))].flat();
    const [{ node }] = outputs;
    expect(node?.name).toBe(name);
    for (const [i, edge] of (node?.edges ?? []).entries()) {
      if (edge === null) continue;
      const back = (): unknown => node?.rule.pull(node, outputs, i);
      expect(back).toThrow(
        `'${name}' goes back through time in one step and has no second derivative.`,
      );
    }
  });

  test('what an op keeps for its gradient is a constant to others', () => {
    const x = variable(uniform([1, 2, 2]));
    const outputs = ops.gru(x, uniform([2, 3]), uniform([1, 3]), [], [[0]], []);
    expect(outputs.map(({ requiresGrad }) => requiresGrad)).toEqual([true, true, false]);
  });

  test('a second derivative says how to get it', () => {
    const x = variable(uniform([1, 2, 2]));
    const k = variable(uniform([2, 2]));
    const [, state] = ops.simpleRNN(x, k, k, [], [[0, 0]], []);
    const [g] = gradients([state.sum()], [x], [], { createGraph: true });
    const second = (): unknown => gradients([g.sum()], [k], [], { retainGraph: true });
    expect(second).toThrow(GradientError);
    expect(second).toThrow('Make the layer with { unroll: true }');
  });
});
