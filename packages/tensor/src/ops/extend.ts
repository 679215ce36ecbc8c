/**
 * Tensors made larger from their own elements: padding, tiling, repeating.
 */
import { checkValue } from '../dtype.js';
import { ShapeError, ValueError, formatShape, shown } from '../errors.js';
import { copyElements, gatherAxis } from '../loops.js';
import type { KernelOp } from '../op.js';
import {
  checkList,
  checkShape,
  isList,
  normalizeAxis,
  replaceAxis,
  rowMajorStrides,
} from '../shape.js';
import { reflectIndices, repeatIndices } from './attributes.js';

/** How many elements to add before and after each axis; `reflect` mirrors without repeating the edge. */
export interface PadAttrs {
  paddings: readonly (readonly [number, number])[];
  mode?: 'constant' | 'reflect';
  constantValue?: number;
}

/**
 * x with elements added at the ends of its axes.
 * @throws ShapeError unless there is a pair for each axis, or when a reflection is longer than the axis
 * @example ops.pad([1, 2, 3], [[1, 2]], { mode: 'reflect' }); // [2, 1, 2, 3, 2, 1]
 */
export const pad: KernelOp<readonly ['x'], PadAttrs, 'paddings'> = {
  kind: 'kernel',
  name: 'pad',
  attributes: ['mode', 'constantValue'],
  inputs: ['x'],
  promotion: 'same',
  lead: 'paddings',
  infer: ([x], { paddings, mode = 'constant', constantValue = 0 }) => {
    checkValue('pad', constantValue, x.dtype);
    if (mode !== 'constant' && mode !== 'reflect') {
      throw new ValueError(`pad: mode must be 'constant' or 'reflect'; got '${String(mode)}'.`);
    }
    if (!isList(paddings) || !paddings.every((pair) => isList(pair) && pair.length === 2)) {
      throw new ShapeError(
        `pad: needs a list with [before, after] for each of the axes of ${formatShape(x.shape)}; got ${shown(paddings)}.`,
      );
    }
    if (paddings.length !== x.shape.length) {
      throw new ShapeError(
        `pad: needs [before, after] for each of the axes of ${formatShape(x.shape)}; got ${paddings.length} pairs.`,
      );
    }
    paddings.forEach((pair, i) => {
      const limit = mode === 'reflect' ? Math.max(x.shape[i] - 1, 0) : Infinity;
      if (pair.some((p) => !Number.isInteger(p) || p < 0 || p > limit)) {
        throw new ShapeError(
          `pad: axis ${i} of ${formatShape(x.shape)} can take 0 to ${limit} elements an end; got ${formatShape(pair)}.`,
        );
      }
    });
    const shape = x.shape.map((n, i) => paddings[i][0] + n + paddings[i][1]);
    return { dtype: x.dtype, shape: checkShape('pad', shape) };
  },
  launch: ([x], out, { paddings, mode = 'constant', constantValue = 0 }) => {
    const offset = paddings.reduce((at, [before], i) => at + before * out.strides[i], out.offset);
    if (constantValue !== 0) out.data.fill(constantValue, out.offset, out.offset + out.size);
    copyElements(x, { data: out.data, shape: x.shape, strides: out.strides, offset });
    if (mode === 'constant') return;
    // Mirror axis by axis: what earlier axes have filled in is mirrored along with the rest.
    const filled = x.shape.map((n, i) => ({ start: paddings[i][0], n }));
    paddings.forEach((pair, axis) => {
      const from = reflectIndices(x.shape[axis], pair);
      const base = filled.reduce(
        (at, f, i) => at + (i === axis ? 0 : f.start * out.strides[i]),
        out.offset,
      );
      const shape = filled.filter((_, i) => i !== axis).map((f) => f.n);
      const strides = out.strides.filter((_, i) => i !== axis);
      from.forEach((source, i) => {
        if (i === source + pair[0]) return;
        const at = (position: number): number => base + position * out.strides[axis];
        copyElements(
          { data: out.data, shape, strides, offset: at(source + pair[0]) },
          { data: out.data, shape, strides, offset: at(i) },
        );
      });
      filled[axis] = { start: 0, n: out.shape[axis] };
    });
  },
};

/**
 * The whole tensor repeated `reps` times along each axis.
 * @throws ShapeError unless there is one number for each axis
 * @example ops.tile([1, 2], [2]); // [1, 2, 1, 2]
 */
export const tile: KernelOp<readonly ['x'], { reps: readonly number[] }, 'reps'> = {
  kind: 'kernel',
  name: 'tile',
  inputs: ['x'],
  promotion: 'same',
  lead: 'reps',
  infer: ([x], { reps }) => {
    checkList('tile', 'reps', reps);
    if (reps.length !== x.shape.length || reps.some((n) => !Number.isInteger(n) || n < 0)) {
      throw new ShapeError(
        `tile: reps needs one whole number of 0 or more for each axis of ${formatShape(x.shape)}; got ${formatShape(reps)}.`,
      );
    }
    return {
      dtype: x.dtype,
      shape: checkShape(
        'tile',
        x.shape.map((n, i) => n * reps[i]),
      ),
    };
  },
  launch: ([x], out, { reps }) => {
    // Read the result as [reps0, n0, reps1, n1, …]: x repeats along the reps with stride 0.
    const shape = x.shape.flatMap((n, i) => [reps[i], n]);
    const strides = x.strides.flatMap((s) => [0, s]);
    copyElements(
      { data: x.data, shape, strides, offset: x.offset },
      { data: out.data, shape, strides: rowMajorStrides(shape), offset: out.offset },
    );
  },
};

/** How often each element is repeated (one number, or one for each) and along which axis (default 0). */
export interface RepeatAttrs {
  repeats: number | readonly number[];
  axis?: number;
}

/** Each element repeated along an axis. @example ops.repeat([1, 2], 2); // [1, 1, 2, 2] */
export const repeat: KernelOp<readonly ['x'], RepeatAttrs, 'repeats'> = {
  kind: 'kernel',
  name: 'repeat',
  attributes: ['axis'],
  inputs: ['x'],
  promotion: 'same',
  lead: 'repeats',
  infer: ([x], { repeats, axis = 0 }) => {
    const along = normalizeAxis('repeat', axis, x.shape.length);
    const { length } = repeatIndices(x.shape[along], repeats);
    return { dtype: x.dtype, shape: checkShape('repeat', replaceAxis(x.shape, along, [length])) };
  },
  launch: ([x], out, { repeats, axis = 0 }) => {
    const along = normalizeAxis('repeat', axis, x.shape.length);
    gatherAxis(x, along, repeatIndices(x.shape[along], repeats), out);
  },
};
