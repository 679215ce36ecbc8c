/** What every layer must do, as tests: one row for each way of using a layer. */
import { type Layer } from '@tapegrad/layers';
import { Variable, gradcheck, gradients } from '@tapegrad/autograd';
import { Generator, isFloat, ops, tensor, zeros, type Shape, type Tensor } from '@tapegrad/tensor';

/** A layer with inputs to run it on. */
export interface LayerRow {
  /** Makes the layer with dtype float64; called anew for every test. */
  readonly make: () => Layer;
  /** The shape of the input with its batch; a list of shapes for several inputs. */
  readonly input: Shape | readonly Shape[];
  /** The shape of the output; a list of shapes for several outputs. */
  readonly output: Shape | readonly Shape[];
  /** How many numbers its weights have together. */
  readonly weights: number;
  /** For layers on whole numbers: the inputs are int32 from 0 to `indices` − 1. Otherwise they are normal. */
  readonly indices?: number;
  /** Whether the layer is told that it is trained. Default false; true needs a layer without chance. */
  readonly training?: boolean;
  /** 1 where an op has no second derivative. Default 2. */
  readonly order?: 1 | 2;
  /** For layers that must know the batch size: output shapes are asked for with it. Default false. */
  readonly fixedBatch?: boolean;
}

function listed(shapes: Shape | readonly Shape[]): readonly Shape[] {
  return shapes.every((entry) => typeof entry === 'number') ? [shapes] : shapes;
}

/** The inputs of a row: the same each time. */
function inputsOf({ input, indices }: LayerRow): Variable[] {
  const generator = new Generator('layer');
  return listed(input).map((shape) =>
    indices === undefined
      ? new Variable(generator.normal(shape, { dtype: 'float64' }), true)
      : new Variable(
          tensor(
            Int32Array.from(zeros(shape).toTypedArray(), () => generator.integer(indices)),
            { shape },
          ),
        ),
  );
}

/** Σ over a list of products: the slope along directions. */
function dots(a: readonly Tensor[], b: readonly Tensor[]): number {
  return a.reduce((total, t, i) => total + ops.sum(t.mul(b[i])).item(), 0);
}

/**
 * Compares f's derivative along a random direction through all leaves at once with a central difference.
 *
 * @param f the value, and its gradient with respect to each leaf
 */
function expectSlope(
  leaves: readonly Variable[],
  f: () => { value: number; gradient: readonly Tensor[] },
  seed: string,
): void {
  const generator = new Generator(seed);
  const start = leaves.map((leaf) => leaf.value.copy());
  const direction = start.map(({ shape }) => generator.normal(shape, { dtype: 'float64' }));
  const moved = (h: number): number => {
    leaves.forEach((leaf, i) => leaf.assign(start[i].add(direction[i].mul(h))));
    return f().value;
  };
  const analytic = dots(f().gradient, direction);
  const h = 1e-5;
  const numeric = (moved(h) - moved(-h)) / (2 * h);
  leaves.forEach((leaf, i) => leaf.assign(start[i]));
  expect(Math.abs(numeric - analytic)).toBeLessThan(1e-6 * (1 + Math.abs(analytic)));
}

/**
 * Declares the tests of each row: shapes, number of weights, weights taken out and put in, first and second derivatives of
 * inputs and weights, and a step of gradient descent that lowers a loss.
 */
export function layerSuite(rows: Readonly<Record<string, LayerRow>>): void {
  describe.each(Object.entries(rows))('%s', (_name, row) => {
    const { make, weights, training = false, order = 2, fixedBatch = false } = row;
    const output = listed(row.output);
    const run = (layer: Layer, inputs: readonly Variable[]): readonly Variable[] =>
      layer.applyAll(inputs, { training });
    /** Half the sum of squares of all outputs. */
    const lossOf = (layer: Layer, inputs: readonly Variable[]): Variable =>
      run(layer, inputs)
        .map((y) => y.square().sum().div(2))
        .reduce((a, b) => a.add(b));

    test('has the output shape that it says, for a batch of unknown size too', () => {
      const layer = make();
      expect(run(layer, inputsOf(row)).map(({ shape }) => shape)).toEqual(output);
      const whole = (shape: Shape): (number | null)[] =>
        fixedBatch ? [...shape] : [null, ...shape.slice(1)];
      expect(layer.computeOutputShapes(listed(row.input).map(whole))).toEqual(output.map(whole));
    });

    test('has the number of weights that it should, all of its dtype', () => {
      const layer = make();
      run(layer, inputsOf(row));
      expect(layer.countParams()).toBe(weights);
      expect(layer.weights.every((w) => w.dtype === 'float64')).toBe(true);
    });

    test('gives the same result with weights taken out and put into another', () => {
      const [a, b] = [make(), make()];
      run(b, inputsOf(row));
      const inputs = inputsOf(row);
      a.ensureBuilt(...inputs.map(({ shape }) => shape));
      b.setWeights(a.getWeights());
      const expected = run(a, inputs).map((y) => y.toArray());
      expect(run(b, inputsOf(row)).map((y) => y.toArray())).toEqual(expected);
    });

    test(`has right derivatives of order ${order === 1 ? '1' : '1 and 2'}`, () => {
      const layer = make();
      const inputs = inputsOf(row);
      run(layer, inputs);
      if (inputs.every(({ dtype }) => isFloat(dtype)))
        gradcheck((...xs) => run(layer, xs), inputs, { order }).assertPassed();
      const leaves = [...inputs, ...layer.weights].filter((leaf) => leaf.requiresGrad);
      if (leaves.length === 0) return;
      const first = (): { value: number; gradient: Tensor[] } => {
        const loss = lossOf(layer, inputs);
        return { value: loss.item(), gradient: gradients([loss], leaves).map((g) => g.value) };
      };
      expectSlope(leaves, first, 'first');
      if (order === 1) return;
      const u = leaves.map(({ shape }, i) => new Generator(i).normal(shape, { dtype: 'float64' }));
      expectSlope(
        leaves,
        () => {
          const loss = lossOf(layer, inputs);
          const slope = gradients([loss], leaves, [], { createGraph: true })
            .map((g, i) => g.mul(u[i]).sum())
            .reduce((a, b) => a.add(b));
          const gradient = slope.requiresGrad
            ? gradients([slope], leaves).map((g) => g.value)
            : leaves.map(({ shape }) => zeros(shape, 'float64'));
          return { value: slope.item(), gradient };
        },
        'second',
      );
    });

    test('passes a first step that lowers a loss', () => {
      const layer = make();
      const inputs = inputsOf(row);
      const generator = new Generator('targets');
      const targets = output.map((shape) => generator.normal(shape, { dtype: 'float64' }));
      const loss = (): Variable =>
        run(layer, inputs)
          .map((y, i) => y.squaredDifference(targets[i]).mean())
          .reduce((a, b) => a.add(b));
      const before = loss();
      const trained = layer.trainableWeights;
      if (weights === 0) expect(trained).toEqual([]);
      if (weights === 0) return;
      const grads = gradients([before], trained);
      trained.forEach((w, i) => w.assign(w.value.sub(grads[i].value.mul(0.05))));
      expect(loss().item()).toBeLessThan(before.item());
    });
  });
}
