import { formatShape, ops, ShapeError, Tensor, ValueError } from '@tapegrad/tensor';

/** The number of samples: the first dimension, which all tensors must share. */
export function countSamples(where: string, tensors: readonly Tensor[]): number {
  if (!tensors.every((x) => x instanceof Tensor)) {
    throw new ValueError(`${where}: expected tensors; make them with tensor(...).`);
  }
  const count = tensors.length > 0 ? tensors[0].shape[0] : undefined;
  if (count === undefined || tensors.some(({ shape }) => shape[0] !== count)) {
    const shapes = tensors.map(({ shape }) => formatShape(shape)).join(' and ');
    throw new ShapeError(
      `${where}: expected one or more tensors with the same number of samples in their first dimension; ` +
        `got ${shapes || 'none'}.`,
    );
  }
  return count;
}

/** Rows `from` to `to - 1` along the first axis, or with `order` (int32) the rows order[from] to order[to - 1]. */
export function rowsOf(x: Tensor, order: Tensor | null, from: number, to: number): Tensor {
  const range = { begin: [from], end: [to] };
  return order === null
    ? ops.stridedSlice(x, range)
    : ops.gather(x, ops.stridedSlice(order, range));
}
