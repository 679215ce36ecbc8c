/**
 * The recurrent ops on WebAssembly against their TypeScript kernels, which are compared with definitions one number at a
 * time elsewhere (tests/support/op-rows/recurrent.ts) and with TensorFlow (tests/golden).
 */
import { Generator, full, ops, tensor, zeros, type OpName, type Tensor } from '@tapegrad/tensor';
import { detectFeatures } from '../../../packages/tensor/src/kernels/wasm/machine.js';
import { recurrentKernels } from '../../../packages/tensor/src/kernels/wasm/recurrent/recurrent.js';
import { assertClose, EXACT } from '../../support/close.js';
import { byReference, onHeap, testMachine } from '../../support/wasm.js';

const generator = new Generator('recurrent on wasm');
const machine = testMachine(false, recurrentKernels);
const none = zeros([0]);

/** Small enough weights that rounding errors do not grow from step to step. */
const normal = (...shape: number[]): Tensor =>
  ops.mul(generator.normal(shape), tensor(0.5 / Math.sqrt(shape[shape.length - 1] + 1)));

interface Sizes {
  readonly batch: number;
  readonly time: number;
  readonly features: number;
  readonly units: number;
}

interface Settings {
  readonly bias?: boolean;
  readonly masked?: boolean;
  readonly goBackwards?: boolean;
  readonly resetAfter?: boolean;
}

/** A mask whose sequences begin, end and go on with steps that are left out, and one that is left out altogether. */
function maskOf({ batch, time }: Sizes): Tensor {
  const values = Array.from({ length: batch * time }, (_, i) => {
    const [b, t] = [Math.floor(i / time), i % time];
    return b % 4 === 3 || (b + 2 * t) % 3 === 0 ? 0 : 1;
  });
  return tensor(values).reshape([batch, time]);
}

/** An op's inputs, and those of the op that goes back, made from its outputs. */
interface Case {
  readonly op: OpName;
  readonly inputs: readonly Tensor[];
  readonly back: OpName;
  readonly backInputs: (outputs: readonly Tensor[]) => Tensor[];
  readonly attrs: object;
}

type Cell = (sizes: Sizes, settings?: Settings) => Case;

const cells: Readonly<Record<string, Cell>> = {
  simpleRNN: (sizes, { bias = true, masked = false, goBackwards = false } = {}) => {
    const { batch, time, features, units } = sizes;
    const recurrent = normal(units, units);
    const mask = masked ? maskOf(sizes) : none;
    const [x, kernel, initial] = [normal(batch, time, features), normal(features, units), normal(batch, units)]; // prettier-ignore
    const [gSequence, gState] = [normal(batch, time, units), normal(batch, units)];
    return {
      op: 'simpleRNN',
      inputs: [x, kernel, recurrent, bias ? normal(units) : none, initial, mask],
      back: 'simpleRNNGrad',
      backInputs: ([sequence]) => [gSequence, gState, sequence, recurrent, mask],
      attrs: { goBackwards },
    };
  },
  lstm: (sizes, { bias = true, masked = false, goBackwards = false } = {}) => {
    const { batch, time, features, units } = sizes;
    const recurrent = normal(units, 4 * units);
    const mask = masked ? maskOf(sizes) : none;
    const [x, kernel] = [normal(batch, time, features), normal(features, 4 * units)];
    const [initial, cell] = [normal(batch, units), normal(batch, units)];
    const gradients = [normal(batch, time, units), normal(batch, units), normal(batch, units)];
    return {
      op: 'lstm',
      inputs: [x, kernel, recurrent, bias ? normal(4 * units) : none, initial, cell, mask],
      back: 'lstmGrad',
      backInputs: ([, , , states, gates]) => [...gradients, states, gates, recurrent, cell, mask],
      attrs: { goBackwards },
    };
  },
  gru: (sizes, { bias = true, masked = false, goBackwards = false, resetAfter = true } = {}) => {
    const { batch, time, features, units } = sizes;
    const recurrent = normal(units, 3 * units);
    const mask = masked ? maskOf(sizes) : none;
    const [x, kernel, initial] = [normal(batch, time, features), normal(features, 3 * units), normal(batch, units)]; // prettier-ignore
    const biases = resetAfter ? normal(2, 3 * units) : normal(3 * units);
    const gradients = [normal(batch, time, units), normal(batch, units)];
    return {
      op: 'gru',
      inputs: [x, kernel, recurrent, bias ? biases : none, initial, mask],
      back: 'gruGrad',
      backInputs: ([sequence, , gates]) => [
        ...gradients,
        sequence,
        gates,
        recurrent,
        initial,
        mask,
      ],
      attrs: { goBackwards, resetAfter },
    };
  },
  'gru without resetAfter': (sizes, settings) =>
    cells.gru(sizes, { ...settings, resetAfter: false }),
};

/** Sums of up to a hundred products of numbers below 1, each rounded to float32, through a few steps. */
const TOLERANCE = { relative: 1e-5, absolute: 1e-6 };

/** Both ways on the heap; the outputs in the order of the op and then of the op that goes back. */
function both(c: Case, parts = 1, on = machine): Tensor[] {
  const outputs = byReference(c.op, c.inputs, c.attrs);
  const forward = onHeap(on, c.op, c.inputs, c.attrs, { parts });
  const back = onHeap(on, c.back, c.backInputs(outputs), c.attrs, { parts });
  if (forward === null || back === null) throw new Error(`${c.op}: no kernel fits`);
  return [...forward, ...back];
}

function reference(c: Case): Tensor[] {
  const outputs = byReference(c.op, c.inputs, c.attrs);
  return [...outputs, ...byReference(c.back, c.backInputs(outputs), c.attrs)];
}

function check(c: Case, on = machine): void {
  const expected = reference(c);
  both(c, 1, on).forEach((x, i) => {
    const { shape } = expected[i];
    const data = expected[i].toTypedArray();
    assertClose(`${c.op}, output ${i}`, x, { shape, data }, TOLERANCE, 'float32');
  });
}

const LARGE: Sizes = { batch: 23, time: 9, features: 13, units: 26 };

describe.each(Object.keys(cells))('%s', (name) => {
  const cell = cells[name];

  test.each([
    [1, 1, 1, 1],
    [2, 3, 1, 2],
    [5, 4, 2, 3],
    [6, 2, 3, 4],
    [3, 1, 5, 5],
    [4, 3, 8, 6],
    [9, 2, 4, 7],
    [7, 3, 9, 8],
    [61, 2, 5, 9],
    [11, 2, 3, 150],
    [0, 3, 2, 4],
    [3, 0, 2, 4],
    [3, 2, 0, 4],
    [3, 2, 4, 0],
  ])('batch %i, time %i, features %i, units %i', (batch, time, features, units) => {
    check(cell({ batch, time, features, units }));
  });

  test.each<Settings>([
    { masked: true },
    { goBackwards: true },
    { masked: true, goBackwards: true },
    { bias: false },
    { bias: false, masked: true, goBackwards: true },
  ])('with %j', (settings) => {
    check(cell(LARGE, settings));
  });

  test.each([3, 4, 12])('masked, with %i units and one feature', (units) => {
    check(cell({ batch: 9, time: 5, features: 1, units }, { masked: true }));
  });

  test('any number of parts gives the same bits', () => {
    // Large enough for the work to be divided.
    const c = cell({ batch: 31, time: 10, features: 7, units: 21 }, { masked: true });
    const one = both(c, 1);
    for (const parts of [2, 3, 12]) {
      both(c, parts).forEach((x, i) => {
        assertClose(`${parts} parts, output ${i}`, x, { shape: one[i].shape, data: one[i].data }, EXACT); // prettier-ignore
      });
    }
  });

  test('inputs of any layout', () => {
    const c = cell(LARGE, { masked: true });
    const turned = (x: Tensor): Tensor => {
      const axes = x.shape.map((_, i) => x.shape.length - 1 - i);
      return ops.transpose(ops.add(ops.transpose(x, axes), tensor(0)), axes);
    };
    const strided = {
      ...c,
      inputs: c.inputs.map(turned),
      backInputs: (outputs: readonly Tensor[]) => c.backInputs(outputs).map(turned),
    };
    expect(strided.inputs[0].contiguous).toBe(false);
    const expected = both(c);
    both(strided).forEach((x, i) => {
      assertClose(`output ${i}`, x, { shape: x.shape, data: expected[i].data }, EXACT);
    });
  });

  test('gradients broadcast from one number', () => {
    const c = cell(LARGE);
    const backInputs = (outputs: readonly Tensor[]): Tensor[] => {
      const [gSequence, ...rest] = c.backInputs(outputs);
      return [ops.broadcastTo(tensor(0.25), gSequence.shape), ...rest];
    };
    check({ ...c, backInputs });
  });

  test('NaN stays with its sample', () => {
    const c = cell(LARGE);
    const x = c.inputs[0].toTypedArray();
    x[13] = NaN;
    const inputs = [tensor(x).reshape(c.inputs[0].shape), ...c.inputs.slice(1)];
    check({ ...c, inputs });
  });

  test('large and infinite sums saturate', () => {
    const c = cell({ ...LARGE, features: 1 });
    const [x, kernel, ...rest] = c.inputs;
    const values = Float32Array.from(x.toTypedArray(), (v, i) => [v, 1e4, Infinity][i % 3] * (-1) ** i); // prettier-ignore
    const inputs = [tensor(values).reshape(x.shape), full(kernel.shape, 1), ...rest];
    check({ ...c, inputs });
  });

  test('other dtypes are left to the TypeScript kernels', () => {
    const c = cell(LARGE);
    const inputs = c.inputs.map((x) => ops.cast(x, 'float64'));
    expect(onHeap(machine, c.op, inputs, c.attrs)).toBeNull();
    const outputs = byReference(c.op, inputs, c.attrs);
    expect(onHeap(machine, c.back, c.backInputs(outputs), c.attrs)).toBeNull();
  });

  if (detectFeatures()?.relaxed === true) {
    test('with fused multiply-add', () => {
      check(cell(LARGE, { masked: true }), testMachine(true, recurrentKernels));
    });
  }
});

describe('affineGrad', () => {
  /** Both ways; on the heap by so many parts. */
  const compare = (x: Tensor, dz: Tensor, parts = 1): void => {
    const [expected] = byReference('affineGrad', [x, dz]);
    const result = onHeap(machine, 'affineGrad', [x, dz], {}, { parts });
    if (result === null) throw new Error('affineGrad: no kernel fits');
    const { shape } = expected;
    assertClose('affineGrad', result[0], { shape, data: expected.toTypedArray() }, TOLERANCE, 'float32'); // prettier-ignore
  };

  test.each([
    [1, 1, 4],
    [5, 1, 80],
    [300, 1, 12],
    [1000, 1, 20],
    [40, 2, 28],
    [700, 3, 8],
    [40, 4, 28],
    [40, 1, 6],
    [9, 3, 1],
    [7, 0, 5],
    [30, 17, 23],
  ])('%i rows of %i features, width %i', (rows, features, width) => {
    for (const parts of [1, 3]) compare(normal(rows, features), normal(rows, width), parts);
  });

  test('inputs of any layout', () => {
    compare(ops.transpose(normal(1, 50)), normal(50, 8));
    compare(normal(50, 1), ops.transpose(normal(8, 50)));
    compare(ops.transpose(normal(6, 50)), ops.transpose(normal(8, 50)));
    compare(normal(50, 2), ops.broadcastTo(tensor(0.5), [50, 8]));
  });

  test('any number of parts gives the same bits', () => {
    // Large enough for the work to be divided.
    const sizes = [[1, 212], [2, 144], [3, 104]]; // prettier-ignore
    const waves = (rows: number, width: number): Tensor =>
      tensor(Float32Array.from({ length: rows * width }, (_, i) => Math.sin(i))).reshape([rows, width]); // prettier-ignore
    for (const [features, width] of sizes) {
      const inputs = [waves(3000, features), waves(3000, width)];
      const by = (parts: number): Tensor[] =>
        onHeap(machine, 'affineGrad', inputs, {}, { parts }) ?? [];
      const [{ shape, data }] = by(1);
      for (const parts of [2, 5, 20])
        assertClose(`${parts} parts`, by(parts)[0], { shape, data }, EXACT);
    }
  });
});
