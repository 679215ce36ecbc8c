import {
  batches,
  line,
  mnist,
  sineWindows,
  toCategorical,
  trainTestSplit,
} from '@tapegrad/datasets';
import { Generator, setSeed, ShapeError, tensor, ValueError, type Tensor } from '@tapegrad/tensor';

const values = (x: Tensor): number[] => Array.from(x.toTypedArray());
const ascending = (list: number[]): number[] => [...list].sort((a, b) => a - b);

/** Ten samples: x has the rows [i, 10 i], y has i. */
const x = tensor(Array.from({ length: 10 }, (_, i) => [i, 10 * i]));
const y = tensor(
  Int32Array.from({ length: 10 }, (_, i) => i),
  { shape: [10] },
);

describe('toCategorical', () => {
  test('puts a 1 at the column of each label', () => {
    const rows = toCategorical([2, 0, 1]);
    expect(rows.dtype).toBe('float32');
    expect(rows.toArray()).toEqual([
      [0, 0, 1],
      [1, 0, 0],
      [0, 1, 0],
    ]);
  });

  test('counts the classes, or is told', () => {
    expect(toCategorical([1, 3]).shape).toEqual([2, 4]);
    expect(toCategorical([1, 3], 10).shape).toEqual([2, 10]);
    expect(toCategorical([], 10).shape).toEqual([0, 10]);
  });

  test('takes tensors of any shape and dtype; a last axis of 1 is left out, as Keras does', () => {
    expect(toCategorical(y).shape).toEqual([10, 10]);
    expect(toCategorical(tensor([[1], [0]])).toArray()).toEqual([
      [0, 1],
      [1, 0],
    ]);
    expect(toCategorical(tensor([[1, 0]])).toArray()).toEqual([
      [
        [0, 1],
        [1, 0],
      ],
    ]);
    expect(toCategorical(Uint8Array.of(1, 0)).shape).toEqual([2, 2]);
    expect(toCategorical(tensor([1])).toArray()).toEqual([[0, 1]]);
    const reversed = tensor([0, 1, 2]).flip(0);
    expect(values(toCategorical(reversed))).toEqual([0, 0, 1, 0, 1, 0, 1, 0, 0]);
  });

  test.each<[number[], number | undefined, string]>([
    [
      [0, -1],
      undefined,
      'toCategorical: label -1 at index 1 is no class; labels are whole numbers from 0 on.',
    ],
    [
      [0.5],
      3,
      'toCategorical: label 0.5 at index 0 is no class; labels are whole numbers from 0 on.',
    ],
    [
      [NaN],
      undefined,
      'toCategorical: label NaN at index 0 is no class; labels are whole numbers from 0 on.',
    ],
    [
      [1, 9, 10],
      10,
      'toCategorical: label 10 at index 2 is out of range: with numClasses 10 labels go from 0 to 9.',
    ],
    [
      [],
      undefined,
      'toCategorical: no labels to count the classes of; give numClasses as the second argument.',
    ],
    [[0], 0, 'toCategorical: numClasses must be a whole number of at least 1; got 0.'],
    [
      [2 ** 40],
      undefined,
      'toCategorical: 1 labels times 1099511627777 classes are too many elements for one tensor; ' +
        'is the largest label a class?',
    ],
  ])('%j with %j classes is a ValueError', (labels, numClasses, text) => {
    expect(() => toCategorical(labels, numClasses)).toThrow(new ValueError(text));
  });
});

describe('batches', () => {
  test('cuts a tensor in order; the last batch may be short', () => {
    const cut = batches(y, { batchSize: 4 });
    expect(cut.batchesPerEpoch).toBe(3);
    expect([...cut].map(values)).toEqual([
      [0, 1, 2, 3],
      [4, 5, 6, 7],
      [8, 9],
    ]);
    expect([...batches(y)].map(values)).toEqual([values(y)]); // 32 a batch by default
  });

  test('builds the batches as the data are', () => {
    for (const [bx, by] of batches([x, y], { batchSize: 5 })) {
      expect(bx.shape).toEqual([5, 2]);
      expect(by.shape).toEqual([5]);
      expect([bx.dtype, by.dtype]).toEqual(['float32', 'int32']);
    }
    const named = [...batches({ image: x, label: y }, { batchSize: 5 })];
    expect(named.map(({ image, label }) => [image.shape, values(label)])).toEqual([
      [
        [5, 2],
        [0, 1, 2, 3, 4],
      ],
      [
        [5, 2],
        [5, 6, 7, 8, 9],
      ],
    ]);
  });

  test('copies nothing without shuffle', () => {
    for (const batch of batches(x, { batchSize: 3 })) expect(batch.data).toBe(x.data);
  });

  test('leaves the last short batch out with dropLast', () => {
    const cut = batches(y, { batchSize: 4, dropLast: true });
    expect(cut.batchesPerEpoch).toBe(2);
    expect([...cut].flatMap(values)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect([...batches(y, { batchSize: 11, dropLast: true })]).toEqual([]);
  });

  test('shuffle covers each sample once, keeps x with y, and draws anew in each pass', () => {
    const cut = batches([x, y], { batchSize: 3, shuffle: true, seed: 7 });
    const passes = [1, 2].map(() =>
      [...cut].flatMap(([bx, by]) => {
        const labels = values(by);
        expect(values(bx)).toEqual(labels.flatMap((label) => [label, 10 * label]));
        return labels;
      }),
    );
    for (const order of passes) expect(ascending(order)).toEqual(values(y));
    expect(passes[0]).not.toEqual(values(y));
    expect(passes[1]).not.toEqual(passes[0]);
  });

  test('the same seed gives the same orders', () => {
    const orders = (options: { seed?: number; generator?: Generator }): number[] =>
      [...batches(y, { shuffle: true, repeat: 3, ...options })].flatMap(values);
    expect(orders({ seed: 3 })).toEqual(orders({ seed: 3 }));
    expect(orders({ seed: 3 })).not.toEqual(orders({ seed: 4 }));
    expect(orders({ seed: 3 })).toEqual(orders({ generator: new Generator(3) }));
    setSeed(9);
    const first = orders({});
    expect(orders({})).not.toEqual(first);
    setSeed(9);
    expect(orders({})).toEqual(first);
  });

  test('repeats, also without end', () => {
    expect([...batches(y, { batchSize: 6, repeat: 2 })].map(values)).toEqual([
      [0, 1, 2, 3, 4, 5],
      [6, 7, 8, 9],
      [0, 1, 2, 3, 4, 5],
      [6, 7, 8, 9],
    ]);
    let count = 0;
    for (const batch of batches(y, { batchSize: 5, repeat: true })) {
      expect(values(batch)[0]).toBe(count % 2 === 0 ? 0 : 5);
      if (++count === 101) break;
    }
    expect(count).toBe(101);
    expect([...batches(y, { repeat: false })]).toHaveLength(1);
  });

  test('takes rows of views and of every dtype', () => {
    const columns = x.transpose(); // [2, 10], not contiguous
    expect([...batches(columns, { batchSize: 1 })].map(values)).toEqual([
      values(y),
      values(y).map((i) => 10 * i),
    ]);
    const shuffled = [...batches(columns, { shuffle: true, seed: 1 })].flatMap(values);
    expect(ascending(shuffled)).toEqual(ascending(values(x)));
    for (const dtype of ['float32', 'float64', 'int32', 'bool'] as const) {
      for (const shuffle of [false, true]) {
        const [batch] = batches(y.cast(dtype), { batchSize: 4, shuffle });
        expect([batch.dtype, batch.shape]).toEqual([dtype, [4]]);
      }
    }
  });

  test('no samples are no batches', () => {
    const empty = tensor(new Float32Array(0), { shape: [0, 3] });
    expect([...batches(empty)]).toEqual([]);
    expect(() => batches(empty, { repeat: true })).toThrow(
      new ValueError('batches: nothing to repeat: 0 samples make no batch of 32.'),
    );
    expect(() => batches(y, { batchSize: 11, dropLast: true, repeat: true })).toThrow(
      'batches: nothing to repeat: 10 samples make no batch of 11 (dropLast leaves out smaller ones).',
    );
  });

  test('bad data and options are refused at the call', () => {
    expect(() => batches([x, tensor([1, 2])])).toThrow(
      new ShapeError(
        'batches: expected one or more tensors with the same number of samples in their first dimension; ' +
          'got [10, 2] and [2].',
      ),
    );
    expect(() => batches(tensor(3))).toThrow('in their first dimension; got [].');
    expect(() => batches([])).toThrow('in their first dimension; got none.');
    expect(() => batches(y, { batchSize: 0 })).toThrow(
      new ValueError('batches: batchSize must be a whole number of at least 1; got 0.'),
    );
    expect(() => batches(y, { repeat: 0 })).toThrow('batches: repeat must be a whole number');
    expect(() => batches(y, { shuffle: true, seed: 1, generator: new Generator(1) })).toThrow(
      new ValueError('batches: give either seed or generator, not both.'),
    );
  });
});

describe('trainTestSplit', () => {
  test('without shuffle the first samples train and the last test', () => {
    const split = trainTestSplit(x, y, { testSize: 3, shuffle: false });
    expect(values(split.yTrain)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(values(split.yTest)).toEqual([7, 8, 9]);
    expect(split.xTest.toArray()).toEqual([
      [7, 70],
      [8, 80],
      [9, 90],
    ]);
    expect(split.xTrain.data).toBe(x.data);
  });

  test('shuffled: every sample is in one part, x with its y, the same for a seed', () => {
    const split = trainTestSplit(x, y, { testSize: 0.3, seed: 1 });
    expect([split.xTrain.shape, split.xTest.shape]).toEqual([
      [7, 2],
      [3, 2],
    ]);
    for (const [px, py] of [
      [split.xTrain, split.yTrain],
      [split.xTest, split.yTest],
    ]) {
      expect(values(px)).toEqual(values(py).flatMap((i) => [i, 10 * i]));
    }
    const all = [...values(split.yTrain), ...values(split.yTest)];
    expect(ascending(all)).toEqual(values(y));
    expect(all).not.toEqual(values(y));
    expect(values(trainTestSplit(x, y, { testSize: 0.3, seed: 1 }).yTest)).toEqual(
      values(split.yTest),
    );
    const others = [2, 3, 4].map((seed) =>
      values(trainTestSplit(x, y, { testSize: 0.3, seed }).yTest),
    );
    expect(others).not.toContainEqual(values(split.yTest));
  });

  test('a quarter by default; fractions are rounded up, as scikit-learn does', () => {
    expect(trainTestSplit(x, y).yTest.shape).toEqual([3]);
    expect(trainTestSplit(x, y, { testSize: 0.01 }).yTest.shape).toEqual([1]);
    expect(trainTestSplit(x, y, { testSize: 1 }).yTest.shape).toEqual([1]);
    expect(trainTestSplit(x, y, { testSize: 9 }).yTrain.shape).toEqual([1]);
  });

  test.each([0, -1, 10, 0.95, 2.5, NaN])('testSize %p of 10 samples is refused', (testSize) => {
    expect(() => trainTestSplit(x, y, { testSize })).toThrow(
      new ValueError(
        `trainTestSplit: testSize ${testSize} of 10 samples leaves no two parts; it must be a fraction ` +
          `above 0 and below 1, or a whole number from 1 to 9.`,
      ),
    );
  });

  test('x and y must have the same number of samples', () => {
    expect(() => trainTestSplit(x, tensor([1, 2]))).toThrow(ShapeError);
  });
});

describe('options that are not known are refused', () => {
  const loosely = (f: (...args: never[]) => unknown, ...args: unknown[]): unknown =>
    Reflect.apply(f, null, args);

  test.each<[string, () => unknown, string]>([
    [
      'batches',
      () => loosely(batches, x, { batch_size: 2 }),
      "there is no option 'batch_size'; known are 'batchSize', 'shuffle', 'dropLast', 'repeat', 'seed' or 'generator'.",
    ],
    [
      'batches',
      () => loosely(batches, x, 2),
      "options are an object with 'batchSize', 'shuffle', 'dropLast', 'repeat', 'seed' or 'generator'; got 2.",
    ],
    [
      'trainTestSplit',
      () => loosely(trainTestSplit, x, y, { test_size: 2 }),
      "there is no option 'test_size'; known are 'testSize', 'shuffle', 'seed' or 'generator'.",
    ],
    [
      'line',
      () => loosely(line, { n: 10 }),
      "there is no option 'n'; known are 'count', 'slope', 'intercept', 'noise', 'range', 'shuffle', 'seed' or 'generator'.",
    ],
    [
      'sineWindows',
      () => loosely(sineWindows, { seed: 1 }),
      "there is no option 'seed'; known are 'batchSize', 'timeSteps', 'start' or 'advance'.",
    ],
  ])('%s', (name, call, text) => {
    expect(call).toThrow(new ValueError(`${name}: ${text}`));
  });

  test('mnist.load', async () => {
    await expect(loosely(mnist.load, { scal: 'raw' })).rejects.toThrow(
      /^mnist.load: there is no option 'scal'; known are 'scale', 'folder', .* or 'log'\.$/,
    );
  });
});
