import {
  Add,
  Average,
  Concatenate,
  Dense,
  Dot,
  Input,
  Masking,
  Maximum,
  Minimum,
  Model,
  Multiply,
  Subtract,
  maskOf,
  type Layer,
} from '@tapegrad/layers';
import { variable, type Variable } from '@tapegrad/autograd';
import { zeros, type Shape } from '@tapegrad/tensor';
import { layerSuite } from '../support/layer-suite.js';

const dtype = 'float64';
const alike = {
  input: [
    [2, 3],
    [2, 3],
    [2, 3],
  ],
  output: [2, 3],
  weights: 0,
};

layerSuite({
  Add: { make: () => new Add({ dtype }), ...alike },
  'Add, of inputs with different numbers of axes': {
    make: () => new Add({ dtype }),
    input: [
      [2, 3],
      [2, 4, 3],
      [2, 1, 1],
    ],
    output: [2, 4, 3],
    weights: 0,
  },
  Subtract: { make: () => new Subtract({ dtype }), ...alike, input: alike.input.slice(1) },
  Multiply: { make: () => new Multiply({ dtype }), ...alike },
  Average: { make: () => new Average({ dtype }), ...alike },
  Maximum: { make: () => new Maximum({ dtype }), ...alike },
  Minimum: { make: () => new Minimum({ dtype }), ...alike },
  Concatenate: {
    make: () => new Concatenate({ dtype }),
    input: [
      [2, 3, 1],
      [2, 3, 4],
      [2, 3, 2],
    ],
    output: [2, 3, 7],
    weights: 0,
  },
  'Concatenate along time': {
    make: () => new Concatenate({ axis: 1, dtype }),
    input: [
      [2, 3, 2],
      [2, 1, 2],
    ],
    output: [2, 4, 2],
    weights: 0,
  },
  Dot: {
    make: () => new Dot({ axes: 1, dtype }),
    input: [
      [3, 4],
      [3, 4],
    ],
    output: [3, 1],
    weights: 0,
  },
  'Dot of unit vectors along different axes': {
    make: () => new Dot({ axes: [2, 1], normalize: true, dtype }),
    input: [
      [2, 3, 4],
      [2, 4, 2, 3],
    ],
    output: [2, 3, 2, 3],
    weights: 0,
  },
});

const a = (): Variable => variable([[1, 6, -2]], dtype);
const b = (): Variable => variable([[3, 2, -4]], dtype);
const c = (): Variable => variable([[2, 1, 0]], dtype);

test.each<[string, Layer, number[]]>([
  ['Add', new Add(), [6, 9, -6]],
  ['Multiply', new Multiply(), [6, 12, 0]],
  ['Average', new Average(), [2, 3, -2]],
  ['Maximum', new Maximum(), [3, 6, 0]],
  ['Minimum', new Minimum(), [1, 1, -4]],
  ['Concatenate', new Concatenate(), [1, 6, -2, 3, 2, -4, 2, 1, 0]],
])('%s of three', (_name, layer, expected) => {
  expect(layer.apply([a(), b(), c()]).toArray()).toEqual([expected]);
});

test('Subtract and Dot of two', () => {
  expect(new Subtract().apply([a(), b()]).toArray()).toEqual([[-2, 4, 2]]);
  expect(new Dot({ axes: -1 }).apply([a(), b()]).toArray()).toEqual([[3 + 12 + 8]]);
  const cosine = new Dot({ axes: -1, normalize: true }).apply([a(), b()]);
  expect(cosine.item()).toBeCloseTo(23 / Math.sqrt(41 * 29), 12);
  const zero = new Dot({ axes: -1, normalize: true }).apply([a(), variable(zeros([1, 3], dtype))]);
  expect(zero.item()).toBe(0);
});

test('Dot multiplies matrices of samples, leaving out the axes that it sums', () => {
  // x has rows (1, 2) and (3, 4), y columns that are summed: x·yᵀ.
  const x = variable([[[1, 2], [3, 4]]], dtype); // prettier-ignore
  const y = variable([[[1, 0], [1, 1]]], dtype); // prettier-ignore
  expect(new Dot({ axes: 2 }).apply([x, y]).toArray()).toEqual([[[1, 3], [3, 7]]]); // prettier-ignore
  expect(new Dot({ axes: [2, 1] }).apply([x, y]).toArray()).toEqual([[[3, 2], [7, 4]]]); // prettier-ignore
});

test('a sample never meets another: fewer axes are widened behind the batch', () => {
  // By NumPy's rule [2, 1] would be read as [1, 2, 1] here.
  const x = variable([[10], [20]]);
  const y = variable([
    [[1], [2]],
    [[3], [4]],
  ]);
  expect(new Add().apply([x, y]).toArray()).toEqual([
    [[11], [12]],
    [[23], [24]],
  ]);
});

test('branches of a model are merged', () => {
  const input = Input({ shape: [3] });
  const left = new Dense(2).apply(input);
  const right = new Dense(2).apply(input);
  const output = new Concatenate().apply([new Add().apply([left, right]), left]);
  const model = new Model({ inputs: input, outputs: output });
  expect(output.shape).toEqual([null, 4]);
  expect(model.predict(zeros([5, 3])).shape).toEqual([5, 4]);
});

describe('masks', () => {
  /** Two steps, masked where 0. */
  const steps = (...values: number[]): Variable =>
    new Masking().apply(variable([values.map((v) => [v])]));
  const open = (): Variable => variable([[[1], [1]]]);

  test('a step of a sum counts when it does in one of the inputs, or when an input has no mask', () => {
    expect(maskOf(new Add().apply([steps(1, 0), steps(0, 0)]))?.toArray()).toEqual([[1, 0]]);
    expect(maskOf(new Add().apply([steps(1, 0), open()]))).toBeNull();
  });

  test.each<[string, Layer, number[]]>([
    ['Multiply', new Multiply(), [3 * 5, 7, 4, 0]],
    ['Maximum', new Maximum(), [5, 7, 4, 0]],
    ['Minimum', new Minimum(), [3, 7, 4, 0]],
  ])('%s leaves out the steps that are not there', (_name, layer, expected) => {
    // As Multiply, Maximum and Minimum of Keras 3.15: steps are [there, there], [gone, there], [there, gone] and gone.
    const y = layer.apply([steps(3, 0, 4, 0), steps(5, 7, 0, 0)]);
    expect(y.toArray()).toEqual([expected.map((v) => [v])]);
    expect(maskOf(y)?.toArray()).toEqual([[1, 1, 1, 0]]);
  });

  test('a product with an input without a mask is that input where the other one is masked', () => {
    const y = new Multiply().apply([steps(3, 0), variable([[2], [4]]).reshape([1, 2, 1])]);
    expect(y.toArray()).toEqual([[[6], [4]]]);
    expect(maskOf(y)).toBeNull();
    const wide = new Multiply().apply([steps(3, 0), variable([[5, 6]])]);
    expect(wide.toArray()).toEqual([[[15, 18], [5, 6]]]); // prettier-ignore
  });

  test('a step of features side by side counts when it does in one of the inputs', () => {
    // As Concatenate.compute_mask of Keras 3.15; an input without a mask counts everywhere.
    const masked = new Concatenate().apply([steps(1, 0, 0), steps(0, 1, 0)]);
    expect(maskOf(masked)?.toArray()).toEqual([[1, 1, 0]]);
    const y = new Concatenate().apply([steps(1, 0), steps(0, 0), open()]);
    expect(maskOf(y)?.toArray()).toEqual([[1, 1]]);
  });

  test('along time the masks are put together', () => {
    const y = new Concatenate({ axis: 1 }).apply([steps(1, 0), open()]);
    expect(maskOf(y)?.toArray()).toEqual([[1, 0, 1, 1]]);
    expect(maskOf(new Concatenate({ axis: 1 }).apply([open(), open()]))).toBeNull();
  });
});

describe('inputs that do not go together', () => {
  const of = (...shapes: Shape[]): Variable[] => shapes.map((shape) => variable(zeros(shape)));

  test.each<[string, Layer, Shape[], string]>([
    ['one input', new Add({ name: 'm' }), [[2, 3]], 'm: needs a list of at least two inputs, as in apply([a, b]); got 1.'],
    ['other sizes', new Multiply({ name: 'm' }), [[2, 3], [2, 4]], 'm: sizes of the inputs must be equal or 1; got [?, 3] and [?, 4].'],
    ['three to subtract', new Subtract({ name: 'm' }), [[2, 3], [2, 3], [2, 3]], 'm: needs exactly two inputs; got [?, 3] and [?, 3] and [?, 3].'],
    ['other sizes side by side', new Concatenate({ name: 'm' }), [[2, 3, 1], [2, 4, 1]], 'm: sizes must be equal along all axes but 2; got [?, 3, 1] and [?, 4, 1].'],
    ['other ranks side by side', new Concatenate({ name: 'm' }), [[2, 3], [2, 3, 1]], 'm: needs inputs with the same number of axes; got [?, 3] and [?, 3, 1].'],
    ['vectors of other lengths', new Dot({ axes: 1, name: 'm' }), [[2, 3], [2, 4]], 'm: sizes along axes 1 and 1 must be known and equal; got [?, 3] and [?, 4].'],
  ])('%s', (_name, layer, shapes, message) => {
    expect(() => layer.apply(of(...shapes))).toThrow(message);
  }); // prettier-ignore

  test('batches of different sizes', () => {
    const layer = new Add({ name: 'm' });
    for (const n of [1, 4]) {
      expect(() => layer.apply(of([2, 3], [n, 3]))).toThrow(
        `m: needs batches of the same size; got [2, 3] and [${n}, 3].`,
      );
    }
  });

  test('the axis of the batch', () => {
    expect(() => new Concatenate({ name: 'm', axis: 0 })).toThrow('m: axis 0 is the batch');
    expect(() => new Dot({ name: 'm', axes: 0 })).toThrow('m: axis 0 is the batch');
  });
});
