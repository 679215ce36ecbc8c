/**
 * Ops that move elements without computing: views, which copy nothing, and the copies that join, part and repeat.
 */
import { ShapeError, ValueError, formatShape } from '../errors.js';
import { copyElements } from '../loops.js';
import type {
  KernelOp,
  Layout,
  ListOp,
  NoAttrs,
  Strided,
  TensorType,
  UpdateOp,
  ViewOp,
} from '../op.js';
import {
  broadcastShapes,
  broadcastStrides,
  checkList,
  checkShape,
  insertAt,
  normalizeAxes,
  normalizeAxis,
  rowMajorStrides,
  sameShape,
  sizeOf,
  type Axes,
  type Shape,
} from '../shape.js';
import { resolveSlice, splitSizes, type SplitAttrs, type StridedSliceAttrs } from './attributes.js';

type View<A extends object, Lead extends string = never> = ViewOp<readonly ['x'], A, Lead>;

function view<A extends object, Lead extends string = never>(
  name: string,
  layout: (x: Strided, attrs: A) => Layout | null,
  lead?: Lead,
  attributes?: readonly string[],
): View<A, Lead> {
  return { kind: 'view', name, inputs: ['x'], promotion: 'same', lead, attributes, view: layout };
}

/** The same elements under a new node: where the graph of `grad` begins. @example ops.identity([1, 2]); // [1, 2] */
export const identity = view<NoAttrs>('identity', (x) => x);

/**
 * The axes in another order; without `perm` reversed.
 * @throws ShapeError unless perm names every axis once
 * @example ops.transpose([[1, 2], [3, 4]]); // [[1, 3], [2, 4]]
 */
export const transpose = view<{ perm?: readonly number[] | null }, 'perm'>(
  'transpose',
  ({ shape, strides, offset }, { perm }) => {
    const rank = shape.length;
    if (perm !== undefined && perm !== null) checkList('transpose', 'perm', perm);
    const order =
      perm?.map((axis) => normalizeAxis('transpose', axis, rank)) ??
      shape.map((_, i) => rank - 1 - i);
    if (order.length !== rank || new Set(order).size !== rank) {
      throw new ShapeError(
        `transpose: perm must name each of the ${rank} axes once; got ${formatShape(perm ?? [])}.`,
      );
    }
    return { shape: order.map((i) => shape[i]), strides: order.map((i) => strides[i]), offset };
  },
  'perm',
);

/**
 * The same elements in row-major order under another shape; one size may be -1, which is worked out. A view when the
 * elements lie in row-major order already, else a copy.
 * @throws ShapeError when the number of elements differs
 * @example ops.reshape([1, 2, 3, 4], [2, -1]); // [[1, 2], [3, 4]]
 */
export const reshape = view<{ shape: Shape }, 'shape'>(
  'reshape',
  (x, { shape }) => {
    const target = resolveShape(x.shape, shape);
    return x.contiguous
      ? { shape: target, strides: rowMajorStrides(target), offset: x.offset }
      : null;
  },
  'shape',
);

function resolveShape(from: Shape, shape: Shape): Shape {
  checkList('reshape', 'shape', shape);
  const size = sizeOf(from);
  const known = shape.reduce((n, s) => (s === -1 ? n : n * s), 1);
  const holes = shape.filter((s) => s === -1).length;
  const target = shape.map((s) => (s === -1 ? size / known : s));
  const fits = holes === 0 ? known === size : holes === 1 && known > 0 && size % known === 0;
  if (!fits) {
    throw new ShapeError(
      `reshape: ${formatShape(from)} has ${size} element${size === 1 ? '' : 's'} and cannot become ${formatShape(shape)}; ` +
        `the sizes must multiply to ${size}, and at most one may be -1.`,
    );
  }
  return checkShape('reshape', target);
}

/** A new axis of size 1 before `axis`, counted in the result. @example ops.expandDims([1, 2], 1); // [[1], [2]] */
export const expandDims = view<{ axis: number }, 'axis'>(
  'expandDims',
  ({ shape, strides, offset }, { axis }) => {
    const at = normalizeAxis('expandDims', axis, shape.length + 1);
    return { shape: insertAt(shape, at, 1), strides: insertAt(strides, at, 0), offset };
  },
  'axis',
);

/**
 * Without its axes of size 1: all of them, or those given.
 * @throws ShapeError when a given axis has another size
 * @example ops.squeeze([[1], [2]]); // [1, 2]
 */
export const squeeze = view<{ axis?: Axes }, 'axis'>(
  'squeeze',
  ({ shape, strides, offset }, { axis }) => {
    const all = axis === undefined || axis === null;
    const axes = all
      ? shape.flatMap((s, i) => (s === 1 ? [i] : []))
      : normalizeAxes('squeeze', axis, shape.length);
    for (const i of axes) {
      if (shape[i] !== 1) {
        throw new ShapeError(
          `squeeze: axis ${i} of ${formatShape(shape)} has size ${shape[i]}; only axes of size 1 can go.`,
        );
      }
    }
    const kept = <T>(list: readonly T[]): T[] => list.filter((_, i) => !axes.includes(i));
    return { shape: kept(shape), strides: kept(strides), offset };
  },
  'axis',
);

/** Read as if repeated to a larger shape, by NumPy's rule. @example ops.broadcastTo([1, 2], [2, 2]); // [[1, 2], [1, 2]] */
export const broadcastTo = view<{ shape: Shape }, 'shape'>(
  'broadcastTo',
  (x, { shape }) => {
    checkShape('broadcastTo', shape);
    if (!sameShape(broadcastShapes('broadcastTo', x.shape, shape), shape)) {
      throw new ShapeError(
        `broadcastTo: ${formatShape(x.shape)} cannot be repeated to ${formatShape(shape)}.`,
      );
    }
    return { shape, strides: broadcastStrides(x.shape, x.strides, shape), offset: x.offset };
  },
  'shape',
);

/** In reverse order along the axes (default all). @example ops.flip([1, 2, 3]); // [3, 2, 1] */
export const flip = view<{ axis?: Axes }, 'axis'>(
  'flip',
  ({ shape, strides, offset }, { axis }) => {
    const axes = normalizeAxes('flip', axis, shape.length);
    const start = axes.reduce((at, i) => at + Math.max(shape[i] - 1, 0) * strides[i], offset);
    return { shape, strides: strides.map((s, i) => (axes.includes(i) ? -s : s)), offset: start };
  },
  'axis',
);

/**
 * The block that starts at `begin` and has `size` elements on each axis; -1 means up to the end.
 * @throws ShapeError when the block reaches outside
 * @example ops.slice([1, 2, 3, 4], { begin: [1], size: [2] }); // [2, 3]
 */
export const slice = view<{ begin: readonly number[]; size: readonly number[] }>(
  'slice',
  (x, { begin, size }) => {
    checkList('slice', 'begin', begin);
    checkList('slice', 'size', size);
    const shape = x.shape.map((n, i) => (size[i] === -1 ? n - begin[i] : size[i]));
    const fits = begin.length === x.shape.length && size.length === x.shape.length;
    const inside = (n: number, i: number): boolean =>
      Number.isInteger(begin[i]) && n >= 0 && begin[i] >= 0 && begin[i] + n <= x.shape[i];
    if (!fits || !shape.every(inside)) {
      throw new ShapeError(
        `slice: the block with begin ${formatShape(begin)} and size ${formatShape(size)} is not inside ${formatShape(x.shape)}.`,
      );
    }
    checkShape('slice', shape);
    return {
      shape,
      strides: x.strides,
      offset: begin.reduce((at, b, i) => at + b * x.strides[i], x.offset),
    };
  },
  undefined,
  ['begin', 'size'],
);

/**
 * Python's `x[begin:end:stride]` on each axis.
 * @throws ValueError for a stride of 0
 * @example ops.stridedSlice([1, 2, 3, 4, 5], { begin: [4], end: [null], strides: [-2] }); // [5, 3, 1]
 */
export const stridedSlice = view<StridedSliceAttrs>(
  'stridedSlice',
  (x, attrs) => {
    const { start, size, step } = resolveSlice(x.shape, attrs);
    const offset = start.reduce(
      (at, s, i) => (size[i] === 0 ? at : at + s * x.strides[i]),
      x.offset,
    );
    return { shape: size, strides: x.strides.map((s, i) => s * step[i]), offset };
  },
  undefined,
  ['begin', 'end', 'strides'],
);

/** Zeros of `shape` with x written at start, start + step, …: the transpose (adjoint) of `stridedSlice`. */
export interface EmbedAttrs {
  shape: Shape;
  start: readonly number[];
  step: readonly number[];
}

/** See EmbedAttrs. @example ops.embed([1, 2], { shape: [4], start: [0], step: [2] }); // [1, 0, 2, 0] */
export const embed: KernelOp<readonly ['x'], EmbedAttrs, never> = {
  kind: 'kernel',
  name: 'embed',
  attributes: ['shape', 'start', 'step'],
  inputs: ['x'],
  promotion: 'same',
  infer: (inputs, { shape, start, step }) => {
    for (const [name, list] of Object.entries({ shape, start, step })) {
      checkList('embed', name, list);
    }
    const whole = (list: readonly number[]): boolean =>
      list.length === inputs[0].shape.length && list.every(Number.isInteger);
    if (!whole(start) || !whole(step) || step.includes(0)) {
      throw new ValueError(
        `embed: start and step need a whole number for each of the axes of ${formatShape(inputs[0].shape)}, and step none ` +
          `that is 0; got ${formatShape(start)} and ${formatShape(step)}.`,
      );
    }
    const ends = inputs[0].shape.map((n, i) => start[i] + Math.max(n - 1, 0) * step[i]);
    const outside = ends.some(
      (end, i) =>
        inputs[0].shape[i] > 0 &&
        (Math.min(start[i], end) < 0 || Math.max(start[i], end) >= shape[i]),
    );
    if (outside || shape.length !== inputs[0].shape.length) {
      throw new ShapeError(
        `embed: ${formatShape(inputs[0].shape)} with start ${formatShape(start)} and step ${formatShape(step)} reaches ` +
          `outside ${formatShape(shape)}.`,
      );
    }
    return { dtype: inputs[0].dtype, shape: checkShape('embed', shape) };
  },
  launch: ([x], out, { start, step }) => {
    const offset = start.reduce((at, s, i) => at + s * out.strides[i], out.offset);
    copyElements(x, {
      data: out.data,
      shape: x.shape,
      strides: out.strides.map((s, i) => s * step[i]),
      offset,
    });
  },
};

/**
 * The tensors joined along an axis (default 0) on which alone their shapes may differ.
 * @throws ShapeError naming the shapes that do not fit
 * @example ops.concat([[1, 2], [3]]); // [1, 2, 3]
 */
export const concat: KernelOp<'list', { axis?: number }, 'axis'> = {
  kind: 'kernel',
  name: 'concat',
  inputs: 'list',
  promotion: 'common',
  lead: 'axis',
  infer: (inputs, { axis = 0 }) => {
    const first = firstOf('concat', inputs);
    const along = normalizeAxis('concat', axis, first.shape.length);
    for (const x of inputs) {
      if (
        x.shape.length !== first.shape.length ||
        x.shape.some((n, i) => i !== along && n !== first.shape[i])
      ) {
        throw new ShapeError(
          `concat: shapes may differ on axis ${along} only; got ${inputs.map((t) => formatShape(t.shape)).join(', ')}.`,
        );
      }
    }
    const total = inputs.reduce((n, x) => n + x.shape[along], 0);
    return { dtype: first.dtype, shape: first.shape.map((n, i) => (i === along ? total : n)) };
  },
  launch: (inputs, out, { axis = 0 }) => {
    const along = normalizeAxis('concat', axis, out.shape.length);
    let offset = out.offset;
    for (const x of inputs) {
      copyElements(x, { data: out.data, shape: x.shape, strides: out.strides, offset });
      offset += x.shape[along] * out.strides[along];
    }
  },
};

/**
 * Tensors of one shape joined along a new axis (default 0), counted in the result.
 * @throws ShapeError unless all shapes are the same
 * @example ops.stack([[1, 2], [3, 4]], 1); // [[1, 3], [2, 4]]
 */
export const stack: KernelOp<'list', { axis?: number }, 'axis'> = {
  kind: 'kernel',
  name: 'stack',
  inputs: 'list',
  promotion: 'common',
  lead: 'axis',
  infer: (inputs, { axis = 0 }) => {
    const first = firstOf('stack', inputs);
    if (inputs.some((x) => !sameShape(x.shape, first.shape))) {
      throw new ShapeError(
        `stack: all shapes must be the same; got ${inputs.map((t) => formatShape(t.shape)).join(', ')}.`,
      );
    }
    const at = normalizeAxis('stack', axis, first.shape.length + 1);
    return { dtype: first.dtype, shape: insertAt(first.shape, at, inputs.length) };
  },
  launch: (inputs, out, { axis = 0 }) => {
    const at = normalizeAxis('stack', axis, out.shape.length);
    const strides = out.strides.filter((_, i) => i !== at);
    inputs.forEach((x, i) => {
      copyElements(x, {
        data: out.data,
        shape: x.shape,
        strides,
        offset: out.offset + i * out.strides[at],
      });
    });
  },
};

function firstOf(name: string, inputs: readonly TensorType[]): TensorType {
  if (inputs.length === 0)
    throw new ShapeError(`${name}: needs at least one tensor; got an empty list.`);
  return inputs[0];
}

/** The parts along an axis. @example ops.split([1, 2, 3, 4], 2); // [[1, 2], [3, 4]] */
export const split: ListOp<readonly ['x'], SplitAttrs, 'numOrSizeSplits'> = {
  kind: 'list',
  name: 'split',
  attributes: ['axis'],
  inputs: ['x'],
  promotion: 'same',
  lead: 'numOrSizeSplits',
  infer: ([x], attrs) => {
    const axis = normalizeAxis('split', attrs.axis ?? 0, x.shape.length);
    return splitSizes(x.shape, attrs).map((size) => ({
      dtype: x.dtype,
      shape: x.shape.map((n, i) => (i === axis ? size : n)),
    }));
  },
  launch: ([x], outs, { axis = 0 }) => {
    const along = normalizeAxis('split', axis, x.shape.length);
    let offset = x.offset;
    for (const out of outs) {
      copyElements({ data: x.data, shape: out.shape, strides: x.strides, offset }, out);
      offset += out.shape[along] * x.strides[along];
    }
  },
};

/**
 * Writes the elements of `value` into the memory of `target`, converting the dtype; how weights are set.
 * @throws ShapeError unless both shapes are the same
 */
export const assign: UpdateOp<readonly ['target', 'value'], NoAttrs, never> = {
  kind: 'update',
  name: 'assign',
  inputs: ['target', 'value'],
  promotion: 'same',
  writes: [0],
  check: ([target, value]) => {
    if (!sameShape(target.shape, value.shape)) {
      throw new ShapeError(
        `assign: the value must have the shape ${formatShape(target.shape)} of what it replaces; got ` +
          `${formatShape(value.shape)}.`,
      );
    }
  },
  launch: ([target, value]) => {
    // A view of the same memory must not change while it is read.
    const data = value.data === target.data ? value.data.slice() : value.data;
    copyElements({ ...value, data }, target);
  },
};
