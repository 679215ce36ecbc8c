/**
 * Element-wise ops on views, compared with the package ndarray-ops, which walks the strides of `tensor.ndarray` by loops of
 * its own.
 */
import ndarray, { type NdArray } from 'ndarray';
import reference from 'ndarray-ops';
import { tensor, type Tensor, type TypedArray } from '@tapegrad/tensor';
import { EXACT, assertClose } from '../support/close.js';
import { Numbers } from '../support/numbers.js';

/** Views of the shape [2, 3, 4] with different strides, made by ops. */
function views(low: number, high: number): Record<string, Tensor> {
  const numbers = new Numbers(7);
  const fresh = (...shape: number[]): Tensor =>
    tensor(
      Float64Array.from(
        { length: shape.reduce((n, s) => n * s, 1) },
        () => low + (high - low) * numbers.next(),
      ),
      { shape },
    );
  return {
    contiguous: fresh(2, 3, 4),
    transposed: fresh(4, 2, 3).transpose([1, 2, 0]),
    stepped: fresh(4, 9, 5).stridedSlice({ begin: [1, 0, 1], strides: [2, 3, 1] }),
    flipped: fresh(2, 3, 4).flip([0, 2]),
    'stepped backwards': fresh(2, 3, 8)
      .transpose([0, 1, 2])
      .stridedSlice({ strides: [-1, 1, -2] }),
    broadcast: fresh(3, 1).broadcastTo([2, 3, 4]),
    'a block': fresh(5, 5, 5).slice({ begin: [1, 2, 0], size: [2, 3, 4] }),
  };
}

type Nd = NdArray<TypedArray>;
const result = (): Nd => ndarray(new Float64Array(24), [2, 3, 4]);

const unary: [string, (y: Nd, x: Nd) => unknown, (x: Tensor) => Tensor, number, number][] = [
  ['neg', reference.neg, (x) => x.neg(), -2, 2],
  ['abs', reference.abs, (x) => x.abs(), -2, 2],
  ['exp', reference.exp, (x) => x.exp(), -2, 2],
  ['log', reference.log, (x) => x.log(), 0.1, 3],
  ['sqrt', reference.sqrt, (x) => x.sqrt(), 0, 3],
  ['sin', reference.sin, (x) => x.sin(), -4, 4],
  ['atan', reference.atan, (x) => x.atan(), -4, 4],
  ['floor', reference.floor, (x) => x.floor(), -4, 4],
  ['ceil', reference.ceil, (x) => x.ceil(), -4, 4],
  ['reciprocal', reference.recip, (x) => x.reciprocal(), 0.1, 4],
];

test.each(unary)('%s', (name, nd, op, low, high) => {
  for (const [how, x] of Object.entries(views(low, high))) {
    const expected = result();
    nd(expected, x.ndarray);
    assertClose(`${name}, ${how}`, op(x), expected, EXACT);
  }
});

const binary: [string, (y: Nd, a: Nd, b: Nd) => unknown, (a: Tensor, b: Tensor) => Tensor][] = [
  ['add', reference.add, (a, b) => a.add(b)],
  ['sub', reference.sub, (a, b) => a.sub(b)],
  ['mul', reference.mul, (a, b) => a.mul(b)],
  ['div', reference.div, (a, b) => a.div(b)],
  ['pow', reference.pow, (a, b) => a.pow(b)],
  ['atan2', reference.atan2, (a, b) => a.atan2(b)],
  ['maximum', reference.max, (a, b) => a.maximum(b)],
  ['minimum', reference.min, (a, b) => a.minimum(b)],
  ['less', reference.lt, (a, b) => a.less(b)],
  ['greaterEqual', reference.geq, (a, b) => a.greaterEqual(b)],
];

test.each(binary)('%s, every view with every view', (name, nd, op) => {
  for (const [howA, a] of Object.entries(views(0.1, 2))) {
    for (const [howB, b] of Object.entries(views(0.1, 2))) {
      const expected = result();
      nd(expected, a.ndarray, b.ndarray);
      assertClose(`${name}, ${howA} and ${howB}`, op(a, b), expected, EXACT);
    }
  }
});

test('sums, greatest and smallest elements of views', () => {
  for (const [how, x] of Object.entries(views(-2, 2))) {
    const sum = { shape: [], data: [reference.sum(x.ndarray)] };
    // The order of the additions differs.
    assertClose(`sum, ${how}`, x.sum(), sum, { relative: 1e-14, absolute: 1e-14 });
    assertClose(`max, ${how}`, x.max(), { shape: [], data: [reference.sup(x.ndarray)] }, EXACT);
    assertClose(`min, ${how}`, x.min(), { shape: [], data: [reference.inf(x.ndarray)] }, EXACT);
  }
});
