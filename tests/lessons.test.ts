/** What the lessons share: the parts of `examples` that are not programs. */
import { mnist, tensor, zeros } from 'tapegrad';
import { buildAutoencoder } from '../examples/autoencoder.js';
import { neighbourAgreement, principalComponents } from '../examples/pca.js';
import { LiveText, chart } from '../examples/terminal.js';

describe('principal components', () => {
  /** The covariance matrix of rows, by the formula and in double precision. */
  function covarianceOf(rows: number[][]): number[][] {
    const features = rows[0].length;
    const mean = Array.from(
      { length: features },
      (_, j) => rows.reduce((sum, row) => sum + row[j], 0) / rows.length,
    );
    return mean.map((mi, i) =>
      mean.map(
        (mj, j) => rows.reduce((sum, row) => sum + (row[i] - mi) * (row[j] - mj), 0) / rows.length,
      ),
    );
  }
  const dot = (a: number[], b: number[]): number => a.reduce((sum, v, i) => sum + v * b[i], 0);

  test('of digits are unit vectors at right angles, and eigenvectors of the covariance', async () => {
    const { xTrain } = await mnist.load();
    const images = xTrain.slice({ begin: [0, 0, 0], size: [300, 28, 28] });
    const x = images.reshape([300, 28, 28, 1]).averagePool([4, 4]).reshape([300, 49]);
    const rows = x.toArray() as number[][];
    const covariance = covarianceOf(rows);
    const { axes, variances, totalVariance } = principalComponents(x, 3);
    const vectors = axes.toArray() as number[][];
    for (const [i, v] of vectors.entries()) {
      for (const [j, w] of vectors.entries()) expect(dot(v, w)).toBeCloseTo(i === j ? 1 : 0, 10);
      // The covariance was summed in float32.
      const stretched = covariance.map((row) => dot(row, v));
      stretched.forEach((value, k) => expect(value).toBeCloseTo(variances[i] * v[k], 6));
    }
    expect(variances[0]).toBeGreaterThan(variances[1]);
    expect(variances[1]).toBeGreaterThan(variances[2]);
    expect(totalVariance).toBeCloseTo(
      covariance.reduce((sum, row, i) => sum + row[i], 0),
      5,
    );
  });

  test('lose the variance of the directions that are left out', () => {
    const x = tensor([
      [2, 0, 1],
      [-2, 0.5, 1],
      [4, 1, 0.5],
      [-3, -1.5, 0],
      [0, 2, -2.5],
    ]);
    const { mean, axes, variances, totalVariance } = principalComponents(x, 2);
    const back = x.sub(mean).matmul(axes.transpose()).matmul(axes).add(mean);
    const lost = x.sub(back).square().sum(1).mean().item();
    expect(lost).toBeCloseTo(totalVariance - variances[0] - variances[1], 6);
    expect(principalComponents(x, 3).variances.reduce((a, b) => a + b)).toBeCloseTo(
      totalVariance,
      6,
    );
  });

  test('find the direction of a line', () => {
    const x = tensor([-2, -1, 0, 1, 2].map((t) => [3 * t + 1, 4 * t - 5]));
    const { mean, axes, variances } = principalComponents(x, 1);
    expect(mean.toArray()).toEqual([1, -5]);
    const [[a, b]] = axes.toArray() as number[][];
    expect([Math.abs(a), Math.abs(b), Math.sign(a * b)]).toEqual([
      expect.closeTo(0.6, 6),
      expect.closeTo(0.8, 6),
      1,
    ]);
    expect(variances[0]).toBeCloseTo(50, 4); // (2² + 1² + 0 + 1² + 2²) / 5 times 5²
  });
});

test('neighbours agree where labels lie apart', () => {
  const points = tensor([[0, 0], [0, 1], [9, 9], [9, 8], [0, 3]]); // prettier-ignore
  expect(neighbourAgreement(points, tensor([1, 1, 2, 2, 1], 'int32'))).toBe(1);
  expect(neighbourAgreement(points, tensor([1, 1, 2, 2, 2], 'int32'))).toBe(0.8);
  expect(neighbourAgreement(points, tensor([1, 2, 1, 2, 1], 'int32'))).toBe(0);
});

test('the autoencoder and its encoder are the same layers', () => {
  const { autoencoder, encoder } = buildAutoencoder();
  const image = zeros([1, 784]);
  expect(autoencoder.predict(image).shape).toEqual([1, 784]);
  expect(encoder.predict(image).shape).toEqual([1, 2]);
  for (const weight of encoder.weights) expect(autoencoder.weights).toContain(weight);
});

describe('the chart in the terminal', () => {
  const COLOUR = /\x1b\[(\d+)m/g; // eslint-disable-line no-control-regex
  const plain = (text: string): string[] => text.replace(COLOUR, '').split('\n');
  const options = { title: 'step 3', yDomain: [-1, 1], width: 4, height: 3 } as const;

  /** The rows of the dots in each column, from the top. */
  function dotsOf(text: string): number[][] {
    // Unicode numbers the dots of a sign 1, 2, 3, 7 in its left column and 4, 5, 6, 8 in its right one; dot n is bit n - 1.
    const numbers = [[1, 2, 3, 7], [4, 5, 6, 8]]; // prettier-ignore
    const lines = plain(text)
      .slice(1)
      .map((line) => line.slice('  1.0 │'.length));
    return Array.from({ length: 2 * options.width }, (_, column) =>
      lines.flatMap((line, row) => {
        const sign = line[column >> 1];
        const bits = sign === ' ' ? 0 : sign.charCodeAt(0) - 0x2800;
        return numbers[column % 2].flatMap((dot, i) =>
          (bits >> (dot - 1)) & 1 ? [4 * row + i] : [],
        );
      }),
    );
  }

  test('draws dots where the values are, without holes', () => {
    const rising = chart([{ y: [-1, 1], label: 'up', colour: 31 }], options);
    expect(plain(rising).map((line) => line.slice(0, 14).trimEnd())).toEqual([
      'step 3   ── up',
      expect.stringMatching(/^ {2}1\.0 │/),
      expect.stringMatching(/^ {2}0\.0 │/),
      expect.stringMatching(/^ -1\.0 │/),
    ]);
    // Column c is at row 11 - 11c/7, rounded, and reaches back to the row of the column before.
    const rows = Array.from({ length: 8 }, (_, c) => Math.round(11 - (11 * c) / 7));
    const expected = rows.map((row, c) => {
      const from = c === 0 ? row : rows[c - 1];
      return Array.from({ length: from - row + 1 }, (_, i) => row + i);
    });
    expect(dotsOf(rising)).toEqual(expected);
  });

  test('shows a constant as a level line, dashed if asked, in its colour', () => {
    const level = { y: [0.99, 0.99, 0.99], label: 'level', colour: 34 };
    const solid = chart([level], options);
    expect(plain(solid)[1]).toBe('  1.0 │⠉⠉⠉⠉');
    expect([...solid.matchAll(COLOUR)].map(([, colour]) => colour).slice(0, 2)).toEqual([
      '34',
      '0',
    ]);
    expect(plain(chart([{ ...level, dashed: true }], options)).slice(0, 2)).toEqual([
      'step 3   ╌╌ level',
      '  1.0 │⠉⠉⠁ ',
    ]);
  });

  test('cuts off what lies beyond, and draws the last curve over the others', () => {
    const beyond = chart([{ y: [5, 5], label: 'far', colour: 31 }], options);
    expect(plain(beyond).slice(1).join('')).not.toMatch(/[\u2801-\u28ff]/);
    const both = [31, 32].map((colour) => ({ y: [1, 1], label: `${colour}`, colour }));
    expect(chart(both, options).split('\n')[1]).not.toContain('\x1b[31m');
  });

  test('is put in the place of the one before, below what is printed', () => {
    const written: string[] = [];
    const live = new LiveText((text) => written.push(text));
    const print = (): unknown => written.push('printed\n');
    live.above(print);
    live.show('a\nb');
    live.show('c');
    live.above(print);
    live.leave();
    live.above(print);
    const up = (lines: number): string => `\x1b[${lines}A\x1b[J`;
    expect(written.join('')).toBe(`printed\na\nb\n${up(2)}c\n${up(1)}printed\nc\nprinted\n`);
  });
});
