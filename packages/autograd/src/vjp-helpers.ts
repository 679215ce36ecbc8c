/**
 * The longer gradient rules, and what several rows of `vjps` share.
 */
import {
  arange,
  eye,
  normalizeAxes,
  normalizeAxis,
  parseEquation,
  reducedShape,
  sizeOf,
  zeros,
  type Axes,
  type Shape,
  type TensorType,
} from '@tapegrad/tensor';
import { ops } from './ops.js';
import { Variable } from './variable.js';

/** A constant zero gradient. */
export function zeroOf({ shape, dtype }: TensorType): Variable {
  return new Variable(zeros(shape, dtype));
}

/** Whether a tensor of shape `shape` could have been broadcast to shape `wide`. */
export function isBroadcastOf(wide: Shape, shape: Shape): boolean {
  const extra = wide.length - shape.length;
  return extra >= 0 && shape.every((n, i) => n === 1 || n === wide[i + extra]);
}

/** Sums a gradient over the axes along which an input of shape `shape` was repeated by broadcasting. */
export function sumTo(g: Variable, shape: Shape): Variable {
  const extra = g.rank - shape.length;
  const axes = g.shape.flatMap((n, i) =>
    i < extra || (shape[i - extra] === 1 && n !== 1) ? [i] : [],
  );
  return axes.length === 0 ? g : g.sum({ axis: axes, keepDims: true }).reshape(shape);
}

/** What a reduction takes away: g with the reduced axes back as size 1. */
export function keepReduced(g: Variable, x: TensorType, axis: Axes | undefined): Variable {
  return g.reshape(reducedShape(x.shape, normalizeAxes('reduce', axis, x.shape.length), true));
}

/** g repeated along the reduced axes to the shape of x; a view, nothing is copied. */
export function expandReduced(g: Variable, x: TensorType, axis: Axes | undefined): Variable {
  return keepReduced(g, x, axis).broadcastTo(x.shape);
}

/** How many elements a reduction over `axis` takes together. */
export function reducedCount(x: TensorType, axis: Axes | undefined): number {
  return normalizeAxes('reduce', axis, x.shape.length).reduce((n, i) => n * x.shape[i], 1);
}

/** The gradient of a maximum or minimum: equal extremes share it evenly. */
export function shareAmongEqual(
  g: Variable,
  x: Variable,
  out: Variable,
  axis: Axes | undefined,
): Variable {
  const hit = x.equal(keepReduced(out, x, axis)).cast(x.dtype);
  const share = keepReduced(g, x, axis).div(hit.sum({ axis: axis ?? null, keepDims: true }));
  return hit.mul(share);
}

/** Where a > b all of g, where they are equal half of it. */
export function greaterShare(g: Variable, a: Variable, b: Variable): Variable {
  return ops.where(a.greater(b), g, ops.where(a.equal(b), g.mul(0.5), 0));
}

/** x with 1 in the place of 0, to divide by where what is divided is 0 too. */
export function nonZero(x: Variable): Variable {
  return ops.where(x.equal(0), 1, x);
}

/** a with 1 in the place of 0 where the exponent b is 0 too, so that 0·a^(b−1) is 0 there and not 0·∞. */
export function powerBase(a: Variable, b: Variable): Variable {
  return ops.where(a.equal(0).logicalAnd(b.equal(0)), 1, a);
}

/** For each element, the product of all others over `axis`, right also where elements are 0. */
export function productOfOthers(x: Variable, axis: Axes | undefined): Variable {
  const reduced = normalizeAxes('prod', axis, x.rank);
  const kept = x.shape.map((_, i) => i).filter((i) => !reduced.includes(i));
  const order = [...kept, ...reduced];
  const moved = x.transpose(order);
  const lines = moved.reshape([
    sizeOf(kept.map((i) => x.shape[i])),
    sizeOf(reduced.map((i) => x.shape[i])),
  ]);
  const before = lines.cumprod({ exclusive: true });
  const after = lines.cumprod({ exclusive: true, reverse: true });
  return before
    .mul(after)
    .reshape(moved.shape)
    .transpose(order.map((_, i) => order.indexOf(i)));
}

/**
 * The gradient of running products, right also where elements are 0:
 * ∂L/∂x[k] = Σᵢ g[i]·Π x[j], over the outputs i that x[k] is part of and the other factors j ≠ k of each.
 * Takes n times the memory of x for an axis of n elements.
 */
export function cumprodGradient(
  g: Variable,
  x: Variable,
  {
    axis = -1,
    exclusive = false,
    reverse = false,
  }: { axis?: number; exclusive?: boolean; reverse?: boolean },
): Variable {
  const along = normalizeAxis('cumprod', axis, x.rank);
  const n = x.shape[along];
  const order = [...x.shape.map((_, i) => i).filter((i) => i !== along), along];
  const inverse = order.map((_, i) => order.indexOf(i));
  // others[..., k, i]: the i-th running product with factor k replaced by 1.
  const lines = x.transpose(order).expandDims(-2);
  const others = ops.where(eye(n, n, 'bool'), 1, lines).cumprod({ axis: -1, exclusive, reverse });
  const k = arange(n).reshape([n, 1]);
  const i = arange(n);
  const reaches = reverse
    ? exclusive
      ? k.greater(i)
      : k.greaterEqual(i)
    : exclusive
      ? k.less(i)
      : k.lessEqual(i);
  return ops
    .where(reaches, others.mul(g.transpose(order).expandDims(-2)), 0)
    .sum(-1)
    .transpose(inverse);
}

/** y = op(a)·op(b), where op may transpose: ∂L/∂op(a) = g·op(b)ᵀ and ∂L/∂op(b) = op(a)ᵀ·g. */
export function matmulGradient(
  which: 'a' | 'b',
  g: Variable,
  a: Variable,
  b: Variable,
  { transposeA = false, transposeB = false }: { transposeA?: boolean; transposeB?: boolean },
): Variable {
  // A vector is a row on the left, a column on the right; g gets the axis back that the result has lost.
  const left = a.rank === 1 ? a.expandDims(0) : a;
  const right = b.rank === 1 ? b.expandDims(1) : b;
  const tA = transposeA && a.rank > 1;
  const tB = transposeB && b.rank > 1;
  let full = b.rank === 1 ? g.expandDims(-1) : g;
  if (a.rank === 1) full = full.expandDims(-2);

  if (which === 'a') {
    const gradient = tA
      ? ops.matmul(right, full, { transposeA: tB, transposeB: true })
      : ops.matmul(full, right, { transposeB: !tB });
    return sumTo(gradient, left.shape).reshape(a.shape);
  }
  if (right.rank === 2 && left.rank > 2 && !tA) {
    // One matrix for the whole batch: its gradient is one product over all rows, not a sum of many.
    const count = sizeOf(left.shape.slice(0, -1));
    const rows = left.reshape([count, left.shape[left.rank - 1]]);
    const cotangents = full.reshape([count, full.shape[full.rank - 1]]);
    return matmulGradient('b', cotangents, rows, right, { transposeB: tB }).reshape(b.shape);
  }
  const gradient = tB
    ? ops.matmul(full, left, { transposeA: true, transposeB: tA })
    : ops.matmul(left, full, { transposeA: !tA });
  return sumTo(gradient, right.shape).reshape(b.shape);
}

/** `dot` as a product of two matrices: a as [m, k], b with its summed axis first as [k, n]. */
export function dotGradient(which: 'a' | 'b', g: Variable, a: Variable, b: Variable): Variable {
  const over = Math.max(b.rank - 2, 0);
  const order = [over, ...b.shape.map((_, i) => i).filter((i) => i !== over)];
  const k = b.shape[over];
  const left = a.reshape([sizeOf(a.shape.slice(0, -1)), k]);
  const moved = b.transpose(order);
  const right = moved.reshape([k, sizeOf(moved.shape.slice(1))]);
  const full = g.reshape([left.shape[0], right.shape[1]]);
  if (which === 'a') return ops.matmul(full, right, { transposeB: true }).reshape(a.shape);
  const gradient = ops.matmul(left, full, { transposeA: true }).reshape(moved.shape);
  return gradient.transpose(order.map((_, i) => order.indexOf(i)));
}

/**
 * The gradient of one input of an einsum is an einsum: the result's letters and those of the other inputs, to the letters
 * of that input. Letters that stand nowhere else were summed over, so the gradient is repeated along them; a letter that
 * stands twice is a diagonal, and the gradient is 0 off it.
 */
export function einsumGradient(
  g: Variable,
  inputs: readonly Variable[],
  equation: string,
  index: number,
): Variable {
  const { inputs: letters, output } = parseEquation(equation, inputs.length);
  const own = letters[index];
  const x = inputs[index];
  const others = inputs.filter((_, i) => i !== index);
  const otherLetters = letters.filter((_, i) => i !== index);
  const unique = [...new Set(own)];
  const known = unique.filter(
    (letter) => output.includes(letter) || otherLetters.some((l) => l.includes(letter)),
  );
  const from = [output, ...otherLetters].join(',');
  const gradient = ops.einsum([g, ...others], `${from}->${known.join('')}`);
  // Put back the letters that were summed over.
  const size = (letter: string): number => x.shape[own.indexOf(letter)];
  const withOnes = gradient.reshape(
    unique.map((letter) => (known.includes(letter) ? size(letter) : 1)),
  );
  const repeated = withOnes.broadcastTo(unique.map(size));
  return own.length === unique.length ? repeated : ontoDiagonal(repeated, unique, own);
}

/** Zeros with the values of x where all axes of a repeated letter have the same index. */
function ontoDiagonal(x: Variable, letters: readonly string[], own: string): Variable {
  const size = (letter: string): number => x.shape[letters.indexOf(letter)];
  let result = x.reshape(
    [...own].map((letter, i) => (own.indexOf(letter) === i ? size(letter) : 1)),
  );
  [...own].forEach((letter, i) => {
    const first = own.indexOf(letter);
    if (first === i) return;
    const shape = [...own].map((_, axis) => (axis === first || axis === i ? size(letter) : 1));
    result = result.mul(eye(size(letter), size(letter), x.dtype).reshape(shape));
  });
  return result;
}
