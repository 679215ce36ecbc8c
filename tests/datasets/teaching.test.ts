import { line, sineWindows } from '@tapegrad/datasets';
import { Generator, setSeed, ValueError, type Tensor } from '@tapegrad/tensor';

const values = (x: Tensor): number[] => Array.from(x.toTypedArray());

describe('line', () => {
  test('is 200 shuffled, evenly spaced points of 0.5 x + 2, as columns', () => {
    const { x, y } = line({ seed: 1337 });
    expect([x.dtype, x.shape, y.dtype, y.shape]).toEqual([
      'float32',
      [200, 1],
      'float32',
      [200, 1],
    ]);
    const xs = values(x);
    const sorted = [...xs].sort((a, b) => a - b);
    sorted.forEach((value, i) => expect(value).toBe(Math.fround(-1 + (2 * i) / 199)));
    expect(xs).not.toEqual(sorted);
  });

  test('has normal noise of deviation 0.05', () => {
    const { x, y } = line({ count: 20_000, seed: 1 });
    const xs = values(x);
    const errors = values(y).map((value, i) => value - (0.5 * xs[i] + 2));
    const mean = errors.reduce((sum, e) => sum + e, 0) / errors.length;
    const deviation = Math.sqrt(errors.reduce((sum, e) => sum + e * e, 0) / errors.length);
    // Four standard errors: 0.05 / sqrt(n) of the mean, 0.05 / sqrt(2 n) of the deviation.
    expect(Math.abs(mean)).toBeLessThan(4 * 0.00035);
    expect(Math.abs(deviation - 0.05)).toBeLessThan(4 * 0.00025);
    const within = errors.filter((e) => Math.abs(e) < 0.05).length / errors.length;
    expect(Math.abs(within - 0.6827)).toBeLessThan(4 * 0.0033); // a normal one: 68.27% within one deviation
    // The noise knows nothing of x: their correlation is within four standard errors of 0.
    const product = errors.reduce((sum, e, i) => sum + e * xs[i], 0) / errors.length;
    expect(Math.abs(product / (0.05 * Math.sqrt(1 / 3)))).toBeLessThan(4 / Math.sqrt(20_000));
  });

  test('takes slope, intercept, range, noise, count and order', () => {
    const { x, y } = line({
      count: 5,
      slope: -2,
      intercept: 1,
      noise: 0,
      range: [0, 4],
      shuffle: false,
    });
    expect(x.toArray()).toEqual([[0], [1], [2], [3], [4]]);
    expect(y.toArray()).toEqual([[1], [-1], [-3], [-5], [-7]]);
    expect(line({ count: 1, noise: 0 }).x.toArray()).toEqual([[-1]]);
  });

  test('the same seed gives the same points, another seed others', () => {
    const points = (seed: number): number[][] => Object.values(line({ seed })).map(values);
    expect(points(5)).toEqual(points(5));
    expect(points(5)).not.toEqual(points(6));
    expect(points(5)).toEqual(Object.values(line({ generator: new Generator(5) })).map(values));
  });

  test('without a seed the points follow setSeed', () => {
    setSeed(1);
    const first = values(line().y);
    expect(values(line().y)).not.toEqual(first);
    setSeed(1);
    expect(values(line().y)).toEqual(first);
  });

  test.each<[Parameters<typeof line>[0], string]>([
    [{ count: 0 }, 'line: count must be a whole number of at least 1; got 0.'],
    [{ count: 2.5 }, 'line: count must be a whole number of at least 1; got 2.5.'],
    [{ noise: -1 }, 'line: noise must not be negative; got -1.'],
    [{ slope: NaN }, 'line: slope must be a finite number; got NaN.'],
    [{ range: [0, Infinity] }, 'line: range[1] must be a finite number; got Infinity.'],
    [{ seed: 1, generator: new Generator(1) }, 'line: give either seed or generator, not both.'],
  ])('%j is refused', (options, text) => {
    expect(() => line(options)).toThrow(new ValueError(text));
  });
});

describe('sineWindows', () => {
  test('the first batch is steps 0 to 999 in 50 rows of 20', () => {
    const { x, y, positions } = sineWindows().next().value;
    expect([x.dtype, x.shape, y.dtype, y.shape]).toEqual([
      'float32',
      [50, 20, 1],
      'float32',
      [50, 20, 1],
    ]);
    expect(positions.shape).toEqual([50, 20]);
    const steps = Array.from({ length: 1000 }, (_, k) => k / (10 * Math.PI));
    expect(values(positions)).toEqual(steps);
    expect(values(x)).toEqual(steps.map((p) => Math.fround(Math.sin(p))));
    expect(values(y)).toEqual(steps.map((p) => Math.fround(Math.cos(p))));
  });

  test('each batch starts 20 steps later, so that every row goes on where it ended', () => {
    const windows = sineWindows();
    const first = windows.next().value;
    const second = windows.next().value;
    expect(values(second.positions).slice(0, 980)).toEqual(values(first.positions).slice(20));
    for (let i = 0; i < 498; i++) windows.next();
    // Batch 500, the last of the tutorial's 501 steps, starts at step 10,000.
    const { positions } = windows.next().value;
    expect(values(positions)[0]).toBe(10_000 / (10 * Math.PI));
  });

  test('takes sizes, start and advance', () => {
    const windows = sineWindows({ batchSize: 2, timeSteps: 3, start: 5, advance: 4 });
    const steps = (): number[] =>
      values(windows.next().value.positions).map((p) => Math.round(p * 10 * Math.PI));
    expect(steps()).toEqual([5, 6, 7, 8, 9, 10]);
    expect(steps()).toEqual([9, 10, 11, 12, 13, 14]);
  });

  test('is endless, and a loop may leave it', () => {
    let count = 0;
    for (const { x } of sineWindows({ batchSize: 1 })) {
      expect(x.shape).toEqual([1, 20, 1]);
      if (++count === 1000) break;
    }
    expect(count).toBe(1000);
  });

  test('bad options are refused at the call, not at the first batch', () => {
    expect(() => sineWindows({ batchSize: 0 })).toThrow(
      new ValueError('sineWindows: batchSize must be a whole number of at least 1; got 0.'),
    );
    expect(() => sineWindows({ timeSteps: 1.5 })).toThrow('timeSteps must be a whole number');
    expect(() => sineWindows({ start: NaN })).toThrow(
      new ValueError('sineWindows: start must be a finite number; got NaN.'),
    );
  });
});
