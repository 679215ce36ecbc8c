import { Tensor, tensor, ValueError, type TensorLike, type TypedArray } from '@tapegrad/tensor';
import { checkWhole } from './checks.js';

/**
 * One-hot rows from labels, as Keras's `to_categorical`: row i is 0 everywhere but for a 1 at column labels[i].
 *
 * @param labels whole numbers from 0 on, of any shape; a last axis of size 1 is left out, so that [n, 1] is taken as [n]
 * @param numClasses number of columns. Default: the largest label plus 1
 * @returns float32 of the labels' shape with an axis of `numClasses` added at the end
 * @throws ValueError a label is negative, no whole number, or not below `numClasses`; no labels and no `numClasses`
 * @example
 * toCategorical([2, 0, 1]).toArray(); // [[0, 0, 1], [1, 0, 0], [0, 1, 0]]
 * toCategorical([1], 4).toArray(); // [[0, 1, 0, 0]]
 */
export function toCategorical(labels: TensorLike, numClasses?: number): Tensor {
  // float64, so that no fraction is rounded to a class before it is seen.
  const given = labels instanceof Tensor ? labels : tensor(labels, 'float64');
  const { shape } = given;
  const values = given.toTypedArray();
  const classes = numClasses ?? countClasses(values);
  checkWhole('toCategorical', 'numClasses', classes, 1);

  const size = values.length * classes;
  if (size > 2 ** 31) {
    throw new ValueError(
      `toCategorical: ${values.length} labels times ${classes} classes are too many elements for one tensor; ` +
        'is the largest label a class?',
    );
  }
  const rows = new Float32Array(size);
  for (let i = 0; i < values.length; i++) {
    const label = checkLabel(values[i], i);
    if (label >= classes) {
      throw new ValueError(
        `toCategorical: label ${label} at index ${i} is out of range: with numClasses ${classes} ` +
          `labels go from 0 to ${classes - 1}.`,
      );
    }
    rows[i * classes + label] = 1;
  }
  const outer = shape.length > 1 && shape[shape.length - 1] === 1 ? shape.slice(0, -1) : shape;
  return tensor(rows, { shape: [...outer, classes] });
}

function countClasses(values: TypedArray): number {
  if (values.length === 0) {
    throw new ValueError(
      'toCategorical: no labels to count the classes of; give numClasses as the second argument.',
    );
  }
  let largest = 0;
  for (let i = 0; i < values.length; i++) largest = Math.max(largest, checkLabel(values[i], i));
  return largest + 1;
}

function checkLabel(label: number, index: number): number {
  if (Number.isSafeInteger(label) && label >= 0) return label;
  throw new ValueError(
    `toCategorical: label ${String(label)} at index ${index} is no class; ` +
      'labels are whole numbers from 0 on.',
  );
}
