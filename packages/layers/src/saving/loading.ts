/**
 * Making weights while a model is being loaded: their values will come from the file, so nothing is drawn at random, and no
 * more is allocated than the file has values for.
 */
import {
  ValueError,
  formatShape,
  sizeOf,
  zeros,
  type DType,
  type Shape,
  type Tensor,
} from '@tapegrad/tensor';

let room: { left: number } | null = null;

/** Runs `body` with weights being made as zeros, up to so many elements together. */
export function whileLoading<T>(elements: number, body: () => T): T {
  const before = room;
  room = { left: elements };
  try {
    return body();
  } finally {
    room = before;
  }
}

/**
 * Zeros for a weight, while a model is being loaded; else null.
 *
 * @throws ValueError when the weights are larger than those of the file
 */
export function placeholder(weight: string, shape: Shape, dtype: DType): Tensor | null {
  if (room === null) return null;
  room.left -= sizeOf(shape);
  if (!(room.left >= 0)) {
    throw new ValueError(
      `${weight} ${formatShape(shape)} is larger than all weights that the file still has.`,
    );
  }
  return zeros(shape, dtype);
}
