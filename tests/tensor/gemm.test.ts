/**
 * gemm promises more than closeness: every element is the sum of its products in the order of k, in double
 * precision, rounded once. So every comparison here is for equal bits; no tolerance is used anywhere.
 */

import { gemm } from '../../packages/tensor/src/kernels/js/gemm.js';

type Values = Float32Array | Float64Array | Int32Array;
type Constructor = Float32ArrayConstructor | Float64ArrayConstructor | Int32ArrayConstructor;

/** A matrix somewhere in an array: element (i, j) at offset + i·rowStride + j·colStride. */
interface Matrix {
  data: Values;
  offset: number;
  rowStride: number;
  colStride: number;
}

/** mulberry32 (Tommy Ettinger): small, seeded, and no code of ours. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Numbers of both signs, over six orders of magnitude so that the order of additions shows; small integers for int32.
 * Drawn once: matrices take slices of them, which begin at a place chosen by the caller's generator.
 */
const SCALES = [0.001, 0.01, 0.1, 1, 10, 100, 1000];
const POOL = Float64Array.from(
  { length: 1 << 20 },
  (
    (random) => () =>
      (random() - 0.5) * SCALES[Math.floor(random() * SCALES.length)]
  )(generator(7)),
);

function rowMajor(type: Constructor, rows: number, columns: number, random: () => number): Matrix {
  const start = Math.floor(random() * (POOL.length - rows * columns));
  const data = new type(POOL.subarray(start, start + rows * columns));
  return { data, offset: 0, rowStride: columns, colStride: 1 };
}

/** The definition, three loops: c_ij = Σ_p a_ip·b_pj in double precision, rounded by the store. */
function naive(m: number, n: number, k: number, a: Matrix, b: Matrix, c: Matrix): void {
  const [x, y] = [a.data, b.data];
  for (let i = 0; i < m; i++) {
    for (let j = 0; j < n; j++) {
      let sum = 0;
      let left = a.offset + i * a.rowStride;
      let right = b.offset + j * b.colStride;
      for (let p = 0; p < k; p++) {
        sum += x[left] * y[right];
        left += a.colStride;
        right += b.rowStride;
      }
      c.data[c.offset + i * c.rowStride + j * c.colStride] = sum;
    }
  }
}

function run(m: number, n: number, k: number, a: Matrix, b: Matrix, c: Matrix): void {
  // prettier-ignore
  gemm(
    m, n, k,
    a.data, a.offset, a.rowStride, a.colStride,
    b.data, b.offset, b.rowStride, b.colStride,
    c.data, c.offset, c.rowStride,
  );
}

/** The first place where two arrays differ (NaN equals NaN, +0 and −0 differ), or null. */
function firstDifference(got: Values, expected: Values): string | null {
  for (let i = 0; i < expected.length; i++) {
    if (!Object.is(got[i], expected[i])) return `at ${i}: ${got[i]} instead of ${expected[i]}`;
  }
  return null;
}

/** Runs gemm into an array of rubbish and compares the whole of it, gaps included, with the naive result. */
function check(
  m: number,
  n: number,
  k: number,
  a: Matrix,
  b: Matrix,
  type: Constructor = Float32Array,
  { offset = 0, gap = 0 } = {},
): void {
  const rowStride = n + gap;
  const blank = new type(offset + m * rowStride).fill(-77);
  const got = { data: blank.slice(), offset, rowStride, colStride: 1 };
  const expected = { data: blank, offset, rowStride, colStride: 1 };
  run(m, n, k, a, b, got);
  naive(m, n, k, a, b, expected);
  const difference = firstDifference(got.data, expected.data);
  if (difference !== null) throw new Error(`[${m}, ${k}] · [${k}, ${n}] ${difference}`);
}

/** The paths of gemm: vector results, outer product, unpacked, packed, packed and transposed, several blocks. */
const PATHS: [m: number, n: number, k: number][] = [
  [1, 1, 9],
  [11, 1, 9],
  [1, 11, 9],
  [9, 11, 1],
  [5, 7, 6],
  [2, 40, 50],
  [33, 31, 35],
  [90, 9, 22],
  [37, 45, 601],
  [300, 5, 270],
];

const SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65, 100];

describe('sizes', () => {
  test.each(SIZES)('%i rows, and every edge of n and k, match the definition', (m) => {
    const random = generator(m);
    for (const n of SIZES) {
      for (const k of SIZES) {
        const a = rowMajor(Float32Array, m, k, random);
        const b = rowMajor(Float32Array, k, n, random);
        check(m, n, k, a, b);
      }
    }
  });

  test.each([
    [263, 259, 270],
    [513, 6, 20],
    [6, 515, 20],
    [20, 18, 1030],
    [257, 3, 514],
    [2, 300, 300],
    [1, 517, 520],
    [517, 1, 520],
    [300, 300, 1],
  ])('%i×%i with k = %i, larger than the blocks, matches the definition', (m, n, k) => {
    const random = generator(m + n + k);
    check(m, n, k, rowMajor(Float32Array, m, k, random), rowMajor(Float32Array, k, n, random));
  });

  test('k = 0 overwrites C with zeros', () => {
    const c = new Float32Array(6).fill(NaN);
    gemm(2, 3, 0, new Float32Array(0), 0, 0, 1, new Float32Array(0), 0, 3, 1, c, 0, 3);
    expect(c).toEqual(new Float32Array(6));
  });

  test.each([
    [0, 5],
    [5, 0],
    [0, 1],
    [1, 0],
  ])('a result of %i×%i writes nothing', (m, n) => {
    const c = new Float32Array(25).fill(3);
    const x = new Float32Array(25).fill(1);
    gemm(m, n, 5, x, 0, 5, 1, x, 0, 5, 1, c, 0, 5);
    expect(c).toEqual(new Float32Array(25).fill(3));
  });
});

describe('element types', () => {
  const types: Constructor[] = [Float32Array, Float64Array, Int32Array];

  test.each(types)('%p operands and result match the definition on every path', (type) => {
    const random = generator(11);
    for (const [m, n, k] of PATHS) {
      check(m, n, k, rowMajor(type, m, k, random), rowMajor(type, k, n, random), type);
    }
  });

  test('operands of different types mix, in any order of calls', () => {
    const random = generator(12);
    for (const left of types) {
      for (const right of types) {
        for (const result of [Float64Array, Float32Array]) {
          check(
            20,
            24,
            30,
            rowMajor(left, 20, 30, random),
            rowMajor(right, 30, 24, random),
            result,
          );
        }
      }
    }
  });

  test('float32 sums are kept in double precision', () => {
    // 10^8 + 1000 · 1: in float32, 10^8 + 1 is 10^8 again
    for (const [m, n] of PATHS) {
      const a = new Float32Array(m * 1001).fill(1);
      for (let i = 0; i < m; i++) a[i * 1001] = 1e8;
      const b = new Float32Array(1001 * n).fill(1);
      const c = new Float32Array(m * n);
      gemm(m, n, 1001, a, 0, 1001, 1, b, 0, n, 1, c, 0, n);
      expect(firstDifference(c, new Float32Array(m * n).fill(100001000))).toBeNull();
    }
  });

  test('an int32 result wraps as | 0 does', () => {
    const a = Int32Array.of(2 ** 30, 2 ** 30, 7);
    const b = Int32Array.of(3, 1, 5);
    const c = new Int32Array(1);
    gemm(1, 1, 3, a, 0, 3, 1, b, 0, 1, 1, c, 0, 1);
    expect(c[0]).toBe((4 * 2 ** 30 + 35) | 0);
  });

  test("the product of Pascal's triangles is Pascal's square, exactly", () => {
    // L · Lᵀ = S, L_ij = binomial(i, j), S_ij = binomial(i + j, i) (Edelman & Strang, Pascal Matrices, 2004)
    const n = 28;
    const lower = new Float64Array(n * n);
    const square = new Float64Array(n * n);
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < n; j++) {
        const above = i === 0 ? 0 : lower[(i - 1) * n + j];
        lower[i * n + j] = j === 0 ? 1 : above + (i === 0 ? 0 : lower[(i - 1) * n + j - 1]);
        square[i * n + j] =
          i === 0 || j === 0 ? 1 : square[(i - 1) * n + j] + square[i * n + j - 1];
      }
    }
    const product = new Float64Array(n * n);
    gemm(n, n, n, lower, 0, n, 1, lower, 0, 1, n, product, 0, n);
    expect(firstDifference(product, square)).toBeNull();
  });
});

describe('strides', () => {
  /** The same kinds of views for both operands: name, and the array that holds a rows×columns view of the kind. */
  const layouts: [string, (rows: number, columns: number, random: () => number) => Matrix][] = [
    ['row-major', (r, c, random) => rowMajor(Float32Array, r, c, random)],
    [
      'transposed',
      (r, c, random) => ({ ...rowMajor(Float32Array, c, r, random), rowStride: 1, colStride: r }),
    ],
    [
      'with gaps and an offset',
      (r, c, random) => {
        const { data } = rowMajor(Float32Array, r, 3 * c + 5, random);
        return { data, offset: Math.min(4, data.length), rowStride: 3 * c + 5, colStride: 3 };
      },
    ],
    [
      'reversed both ways',
      (r, c, random) => {
        const { data } = rowMajor(Float32Array, r, c, random);
        return { data, offset: r * c - 1, rowStride: -c, colStride: -1 };
      },
    ],
    [
      'one row repeated',
      (r, c, random) => ({ ...rowMajor(Float32Array, 1, c, random), rowStride: 0 }),
    ],
    [
      'one column repeated',
      (r, c, random) => ({ ...rowMajor(Float32Array, r, 1, random), colStride: 0 }),
    ],
  ];

  for (const [left, makeLeft] of layouts) {
    test.each(layouts)(`A ${left}, B %s`, (_, makeRight) => {
      const random = generator(21);
      for (const [m, n, k] of PATHS) {
        check(m, n, k, makeLeft(m, k, random), makeRight(k, n, random), Float32Array, {
          offset: 3,
          gap: 2,
        });
      }
    });
  }

  test('the operands are not changed', () => {
    const random = generator(22);
    for (const [m, n, k] of PATHS) {
      const a = rowMajor(Float32Array, m, k, random);
      const b = rowMajor(Float32Array, k, n, random);
      const before = [a.data.slice(), b.data.slice()];
      check(m, n, k, a, b);
      expect(firstDifference(a.data, before[0])).toBeNull();
      expect(firstDifference(b.data, before[1])).toBeNull();
    }
  });

  test('the example of the documentation: a · aᵀ', () => {
    const a = Float32Array.of(1, 2, 3, 4);
    const c = new Float32Array(4);
    gemm(2, 2, 2, a, 0, 2, 1, a, 0, 1, 2, c, 0, 2);
    expect([...c]).toEqual([5, 11, 11, 25]);
  });
});

describe('special values', () => {
  test.each([NaN, Infinity, -Infinity])('%p in A reaches its row, through zeros too', (value) => {
    for (const [m, n, k] of PATHS) {
      const a = new Float32Array(m * k).fill(1);
      a[m * k - 1] = value; // the last element: its neighbours in the packed blocks are padding
      const b = new Float32Array(k * n); // value · 0 is NaN
      const c = new Float32Array(m * n);
      gemm(m, n, k, a, 0, k, 1, b, 0, n, 1, c, 0, n);
      const expected = new Float32Array(m * n);
      expected.fill(NaN, (m - 1) * n);
      expect(firstDifference(c, expected)).toBeNull();
    }
  });

  test.each([NaN, Infinity, -Infinity])('%p in B reaches its column alone', (value) => {
    for (const [m, n, k] of PATHS) {
      const a = new Float32Array(m * k).fill(1);
      const b = new Float32Array(k * n).fill(1);
      b[k * n - 1] = value;
      const c = new Float32Array(m * n);
      gemm(m, n, k, a, 0, k, 1, b, 0, n, 1, c, 0, n);
      const expected = new Float32Array(m * n).fill(k);
      for (let i = 0; i < m; i++) expected[i * n + n - 1] = value;
      expect(firstDifference(c, expected)).toBeNull();
    }
  });

  test('nothing of one product is left in the scratch memory of the next', () => {
    const random = generator(31);
    const rubbish = new Float32Array(300 * 300).fill(NaN);
    for (const [m, n, k] of PATHS) {
      gemm(300, 300, 300, rubbish, 0, 300, 1, rubbish, 0, 300, 1, new Float32Array(90000), 0, 300);
      check(m, n, k, rowMajor(Float32Array, m, k, random), rowMajor(Float32Array, k, n, random));
    }
  });

  test('a sum of negative zeros is +0, as it starts from +0', () => {
    for (const [m, n, k] of PATHS) {
      const a = new Float32Array(m * k).fill(-0);
      const b = new Float32Array(k * n).fill(1);
      const c = new Float32Array(m * n).fill(5);
      gemm(m, n, k, a, 0, k, 1, b, 0, n, 1, c, 0, n);
      expect(firstDifference(c, new Float32Array(m * n))).toBeNull();
    }
  });

  test('results beyond float32 become infinite, and products that only pass beyond it do not', () => {
    const a = Float32Array.of(3e38, 3e38, 3e38, -3e38);
    const c = new Float32Array(2);
    gemm(2, 1, 2, a, 0, 2, 1, Float32Array.of(2, 2), 0, 1, 1, c, 0, 1);
    expect([...c]).toEqual([Infinity, 0]);
  });
});

describe('the bits of an element do not depend on the rest of the product', () => {
  const [m, n, k] = [70, 66, 523];
  const random = generator(41);
  const a = rowMajor(Float64Array, m, k, random);
  const b = rowMajor(Float64Array, k, n, random);
  const whole = new Float64Array(m * n);
  run(m, n, k, a, b, { data: whole, offset: 0, rowStride: n, colStride: 1 });

  /** Rows i … i+rows−1 and columns j … j+columns−1 of the product, computed alone. */
  function part(i: number, j: number, rows: number, columns: number): Float64Array {
    const data = new Float64Array(rows * columns);
    const left = { ...a, offset: i * k };
    const right = { ...b, offset: j };
    run(rows, columns, k, left, right, { data, offset: 0, rowStride: columns, colStride: 1 });
    return data;
  }

  test.each([
    ['a column', 0, 17, m, 1],
    ['a row', 23, 0, 1, n],
    ['an element', 69, 65, 1, 1],
    ['two columns', 0, 13, m, 2],
    ['a narrow strip', 1, 3, 69, 5],
    ['an odd block', 11, 20, 13, 31],
  ])('%s computed alone', (_, i, j, rows, columns) => {
    const got = part(i, j, rows, columns);
    const expected = new Float64Array(rows * columns);
    for (let r = 0; r < rows; r++) {
      const start = (i + r) * n + j;
      expected.set(whole.subarray(start, start + columns), r * columns);
    }
    expect(firstDifference(got, expected)).toBeNull();
  });

  test('the product of the transposes is the transpose of the product', () => {
    const transposed = new Float64Array(n * m);
    // prettier-ignore
    gemm(n, m, k, b.data, 0, 1, n, a.data, 0, 1, k, transposed, 0, m);
    const expected = new Float64Array(n * m);
    for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) expected[i * m + j] = whole[j * n + i];
    expect(firstDifference(transposed, expected)).toBeNull();
  });
});
