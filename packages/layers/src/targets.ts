/**
 * Targets beside predictions: brought to the same shape where there is no doubt, refused where there is.
 */
import { ShapeError, ValueError, formatShape, sameShape, type Shape } from '@tapegrad/tensor';
import type { Variable } from '@tapegrad/autograd';

/** True when the shapes differ at most in a last axis of size 1, as [32] and [32, 1] do. */
function sameButLastOne(a: Shape, b: Shape): boolean {
  const [long, short] = a.length > b.length ? [a, b] : [b, a];
  return (
    long.length === short.length + 1 &&
    long[long.length - 1] === 1 &&
    short.every((n, i) => n === long[i])
  );
}

/**
 * The shape in which targets and predictions are compared: that of the predictions, [n] taken as [n, 1]. As in Keras a
 * target of shape [n] goes with predictions [n, 1]; anything else must be equal, since broadcasting [n] against [n, 1]
 * would compare all with all.
 *
 * @throws ShapeError naming both shapes
 */
export function comparedShape(name: string, target: Shape, prediction: Shape): Shape {
  if (!sameShape(target, prediction) && !sameButLastOne(target, prediction)) {
    throw new ShapeError(
      `${name}: yTrue and yPred must have the same shape; got ${formatShape(target)} and ${formatShape(prediction)}.`,
    );
  }
  return prediction.length < 2 ? [...prediction, 1].slice(0, 2) : prediction;
}

/** Targets and predictions in one shape, [..., features], and one dtype, that of the predictions. */
export function matched(name: string, yTrue: Variable, yPred: Variable): [Variable, Variable] {
  const shape = comparedShape(name, yTrue.shape, yPred.shape);
  const t = yTrue.dtype === yPred.dtype ? yTrue : yTrue.cast(yPred.dtype);
  return [inShape(t, shape), inShape(yPred, shape)];
}

/** Whether something of this shape has an element for each of the values' first axes. */
export function isForFirstAxes(shape: Shape, values: Shape): boolean {
  return shape.length <= values.length && shape.every((n, i) => n === values[i]);
}

/** x itself where it has the shape already. */
export function inShape(x: Variable, shape: Shape): Variable {
  return sameShape(x.shape, shape) ? x : x.reshape(shape);
}

/**
 * The shape of predictions for one label each: all axes but the classes.
 *
 * @throws ShapeError unless the labels have that shape, or that shape and a last axis of 1
 */
export function labelShape(name: string, labels: Shape, prediction: Shape): Shape {
  const shape = prediction.slice(0, -1);
  if (prediction.length < 2) {
    throw new ShapeError(
      `${name}: yPred must be [batch, ..., classes]; got ${formatShape(prediction)}.`,
    );
  }
  if (!sameShape(labels, shape) && !sameShape(labels, [...shape, 1])) {
    const oneHot = sameShape(labels, prediction)
      ? ` One-hot targets go with ${name.replace(/^sparseT/, 't').replace(/^sparseC/, 'c')}.`
      : '';
    throw new ShapeError(
      `${name}: for predictions of shape ${formatShape(prediction)} the labels must have shape ${formatShape(shape)} or ` +
        `${formatShape([...shape, 1])}; got ${formatShape(labels)}.${oneHot}`,
    );
  }
  return shape;
}

/** Throws a ValueError unless every label is a whole number from 0 to classes − 1. */
export function checkLabels(name: string, labels: ArrayLike<number>, classes: number): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i];
    if (label >= 0 && label < classes && Number.isInteger(label)) continue;
    throw badLabel(name, label, i, classes);
  }
}

/** What is wrong with a label, and what to do. */
export function badLabel(name: string, label: number, at: number, classes: number): ValueError {
  if (!Number.isInteger(label)) {
    return new ValueError(
      `${name}: label ${label} at position ${at} is no whole number; labels are the numbers 0 to ${classes - 1} of the classes.`,
    );
  }
  return new ValueError(
    `${name}: label ${label} at position ${at} is out of range: the predictions have ${classes} classes, so labels go from ` +
      `0 to ${classes - 1}. Give the last layer more units, or number the classes from 0.`,
  );
}
