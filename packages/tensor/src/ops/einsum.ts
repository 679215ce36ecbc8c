/**
 * Einstein summation: each axis has a letter; letters that the result does not have are summed over.
 */
import { ARRAY_TYPES } from '../dtype.js';
import { ShapeError, formatShape } from '../errors.js';
import { gemm } from '../kernels/js/gemm.js';
import { sum } from '../kernels/js/reduce.js';
import { asContiguous, copyElements, eachReduction, restrided, withAxes } from '../loops.js';
import type { KernelOp, Strided, TensorType } from '../op.js';
import { rowMajorStrides, sizeOf } from '../shape.js';
import { parseEquation, type Equation } from './attributes.js';

/** The size that each letter stands for. @throws ShapeError when a letter has two sizes, or an input other axes */
function letterSizes(
  equation: string,
  parsed: Equation,
  inputs: readonly TensorType[],
): Map<string, number> {
  const sizes = new Map<string, number>();
  parsed.inputs.forEach((letters, i) => {
    const { shape } = inputs[i];
    if (shape.length !== letters.length) {
      throw new ShapeError(
        `einsum: '${letters}' in '${equation}' names ${letters.length} axes, but the input is ${formatShape(shape)}.`,
      );
    }
    [...letters].forEach((letter, axis) => {
      const known = sizes.get(letter) ?? shape[axis];
      if (known !== shape[axis]) {
        throw new ShapeError(
          `einsum: '${letter}' in '${equation}' stands for sizes ${known} and ${shape[axis]}; shapes are ` +
            `${inputs.map((x) => formatShape(x.shape)).join(', ')}.`,
        );
      }
      sizes.set(letter, known);
    });
  });
  return sizes;
}

/** A tensor whose axes have letters, each once. */
interface Lettered {
  readonly letters: string;
  readonly x: Strided;
}

/** A letter that stands twice means the diagonal: one axis with the sum of both strides. */
function diagonal(letters: string, x: Strided): Lettered {
  const unique = [...new Set(letters)];
  if (unique.length === letters.length) return { letters, x };
  const shape = unique.map((letter) => x.shape[letters.indexOf(letter)]);
  const strides = unique.map((letter) =>
    [...letters].reduce((s, l, i) => (l === letter ? s + x.strides[i] : s), 0),
  );
  return { letters: unique.join(''), x: restrided(x, shape, strides) };
}

/** The axes in the order of `letters`. */
function arrange({ letters: from, x }: Lettered, letters: string): Lettered {
  const order = [...letters].map((letter) => from.indexOf(letter));
  return { letters, x: withAxes(x, order) };
}

function scratch(like: Strided, letters: string, shape: readonly number[]): Lettered {
  const data = new ARRAY_TYPES[like.dtype](sizeOf(shape));
  const x = {
    dtype: like.dtype,
    data,
    shape,
    strides: rowMajorStrides(shape),
    offset: 0,
    size: data.length,
    contiguous: true,
  };
  return { letters, x };
}

/** Sums over the letters that are not kept. */
function sumOver(operand: Lettered, keep: (letter: string) => boolean): Lettered {
  const axes = [...operand.letters].flatMap((letter, i) => (keep(letter) ? [] : [i]));
  if (axes.length === 0) return operand;
  const letters = [...operand.letters].filter(keep).join('');
  const shape = operand.x.shape.filter((_, i) => !axes.includes(i));
  const result = scratch(operand.x, letters, shape);
  let i = 0;
  eachReduction(operand.x, axes, (fold) => {
    result.x.data[i++] = fold(sum, 0, 0);
  });
  return result;
}

/** The product of two operands, summed over the shared letters that `keep` does not want: one gemm for each batch entry. */
function contract(a: Lettered, b: Lettered, keep: (letter: string) => boolean): Lettered {
  const left = sumOver(a, (letter) => keep(letter) || b.letters.includes(letter));
  const right = sumOver(b, (letter) => keep(letter) || a.letters.includes(letter));
  const shared = [...left.letters].filter((letter) => right.letters.includes(letter));
  const batch = shared.filter(keep).join('');
  const summed = shared.filter((letter) => !keep(letter)).join('');
  const rows = [...left.letters].filter((letter) => !right.letters.includes(letter)).join('');
  const columns = [...right.letters].filter((letter) => !left.letters.includes(letter)).join('');

  const p = arrange(left, batch + rows + summed).x;
  const q = arrange(right, batch + summed + columns).x;
  const sizes = (x: Strided, from: number, count: number): number =>
    sizeOf(x.shape.slice(from, from + count));
  const count = sizes(p, 0, batch.length);
  const m = sizes(p, batch.length, rows.length);
  const k = sizes(p, batch.length + rows.length, summed.length);
  const n = sizes(q, batch.length + summed.length, columns.length);
  const shape = [
    ...p.shape.slice(0, batch.length + rows.length),
    ...q.shape.slice(batch.length + summed.length),
  ];
  const result = scratch(p, batch + rows + columns, shape);
  const [x, y] = [asContiguous(p), asContiguous(q)];
  for (let i = 0; i < count; i++) {
    gemm(
      m,
      n,
      k,
      x.data,
      x.offset + i * m * k,
      k,
      1,
      y.data,
      y.offset + i * k * n,
      n,
      1,
      result.x.data,
      i * m * n,
      n,
    );
  }
  return result;
}

/**
 * Einstein summation over any number of tensors, contracted from left to right.
 * @throws ValueError for an equation that cannot be read, ShapeError when a letter stands for two sizes
 * @example ops.einsum([[[1, 2], [3, 4]], [1, 1]], 'ij,j->i'); // [3, 7]
 */
export const einsum: KernelOp<'list', { equation: string }, 'equation'> = {
  kind: 'kernel',
  name: 'einsum',
  inputs: 'list',
  promotion: 'number',
  lead: 'equation',
  heavy: true,
  infer: (inputs, { equation }) => {
    const parsed = parseEquation(equation, inputs.length);
    const sizes = letterSizes(equation, parsed, inputs);
    return {
      dtype: inputs[0].dtype,
      shape: [...parsed.output].map((letter) => sizes.get(letter) ?? 0),
    };
  },
  launch: (inputs, out, { equation }) => {
    const { inputs: letters, output } = parseEquation(equation, inputs.length);
    const operands = inputs.map((x, i) => diagonal(letters[i], x));
    let result = operands[0];
    for (let i = 1; i < operands.length; i++) {
      const later = operands.slice(i + 1);
      result = contract(
        result,
        operands[i],
        (l) => output.includes(l) || later.some((o) => o.letters.includes(l)),
      );
    }
    result = arrange(
      sumOver(result, (letter) => output.includes(letter)),
      output,
    );
    copyElements(result.x, out);
  },
};
