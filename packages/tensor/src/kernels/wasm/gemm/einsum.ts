/**
 * Einstein summation over two tensors as matrix products. A letter of both that the result has numbers the products; one that
 * it has not is summed; the others are the rows of one operand and the columns of the other. Equations whose letters do not
 * lie in memory as those of matrices do are left to the op.
 */
import { parseEquation } from '../../../ops/attributes.js';
import type { Command, Lowering, LoweringContext, Operand } from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { multiply } from './gemm.js';

/** A tensor whose axes have letters, each once. */
class Lettered {
  constructor(
    readonly letters: string,
    readonly x: Operand,
  ) {}

  has(letter: string): boolean {
    return this.letters.includes(letter);
  }

  size(letter: string): number {
    return this.x.shape[this.letters.indexOf(letter)];
  }

  /** From one element to the next along a letter; 0 for a letter of others. */
  stride(letter: string): number {
    return this.has(letter) ? this.x.strides[this.letters.indexOf(letter)] : 0;
  }

  /** Some letters as one axis, the last of them the fastest. Null where its elements are not equally far from one another. */
  axis(letters: readonly string[]): { readonly size: number; readonly stride: number } | null {
    const long = letters.filter((letter) => this.size(letter) !== 1);
    const size = long.reduce((n, letter) => n * this.size(letter), 1);
    for (let i = 1; i < long.length; i++) {
      if (this.stride(long[i - 1]) !== this.stride(long[i]) * this.size(long[i])) return null;
    }
    return { size, stride: long.length === 0 ? 0 : this.stride(long[long.length - 1]) };
  }
}

/** The products with the rows of `a` and the columns of `b`, if the result ends with rows and then columns; else null. */
function products(
  a: Lettered,
  b: Lettered,
  out: Lettered,
  context: LoweringContext,
): readonly Command[] | null {
  const all = [...out.letters];
  const batch = all.filter((letter) => a.has(letter) && b.has(letter));
  const rows = all.filter((letter) => a.has(letter) && !b.has(letter));
  const columns = all.filter((letter) => b.has(letter) && !a.has(letter));
  const summed = [...a.letters].filter((letter) => !out.has(letter));
  const inOrder = out.letters === [...batch, ...rows, ...columns].join('');
  const shared = [...b.letters].filter((letter) => !out.has(letter));
  // A letter that one operand alone has is summed before the product.
  const together = summed.length === shared.length && summed.every((letter) => b.has(letter));
  if (!inOrder || !together) return null;
  const [m, n] = [a.axis(rows), b.axis(columns)];
  const [kOfA, kOfB] = [a.axis(summed), b.axis(summed)];
  if (m === null || n === null || kOfA === null || kOfB === null) return null;
  return multiply(
    {
      ...{ m: m.size, n: n.size, k: kOfA.size, c: out.x.address },
      a: { address: a.x.address, row: m.stride, column: kOfA.stride },
      b: { address: b.x.address, row: kOfB.stride, column: n.stride },
      batchAxes: batch.map((letter) => ({
        size: out.size(letter),
        ...{ a: a.stride(letter), b: b.stride(letter), c: out.stride(letter) },
      })),
    },
    out.x.dtype,
    null,
    context,
  );
}

const einsum: Lowering<{ readonly equation: string }> = (
  { inputs, outputs: [out], attrs: { equation }, epilogue },
  context,
) => {
  if (inputs.length !== 2 || epilogue !== null) return null;
  const { inputs: letters, output } = parseEquation(equation, 2);
  if (letters.some((own) => new Set(own).size !== own.length)) return null;
  const [a, b] = inputs.map((x, i) => new Lettered(letters[i], x));
  const result = new Lettered(output, out);
  return products(a, b, result, context) ?? products(b, a, result, context);
};

export const einsumLowerings: LoweringTable = { einsum };
