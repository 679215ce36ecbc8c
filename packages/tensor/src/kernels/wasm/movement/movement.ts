/** The ops that move elements: each is one or several copies between layouts. */
import type { DType } from '../../../dtype.js';
import { normalizeAxis, rowMajorStrides } from '../../../shape.js';
import type { Command, Kernel, Operand } from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { ITEM_BITS } from '../elementwise/pack.js';
import { clear, copyKernels, copyRegion, fill, type Region } from './copy.js';
import { reflectIndices } from '../../../ops/attributes.js';

export const movementKernels: readonly Kernel[] = copyKernels;

/** The region that begins `elements` after the beginning of x. */
function region(
  x: Operand,
  shape: readonly number[],
  strides: readonly number[],
  elements = 0,
): Region {
  return { address: x.address + elements * 2 ** ITEM_BITS[x.dtype], shape, strides };
}

/** All the copies, or null when one of them does not fit. */
function copies(
  dtype: DType,
  pairs: readonly (readonly [source: Region, target: Region])[],
): Command[] | null {
  const commands: Command[] = [];
  for (const [source, target] of pairs) {
    const next = copyRegion(dtype, source, target);
    if (next === null) return null;
    commands.push(...next);
  }
  return commands;
}

/** The elements before and after each of these, for offsets of parts along an axis. */
const startsOf = (sizes: readonly number[]): number[] =>
  sizes.map((_, i) => sizes.slice(0, i).reduce((sum, n) => sum + n, 0));

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, x, i) => sum + x * b[i], 0);

/** An op that takes more copies than this is left to TypeScript. */
const MANY = 64;

/** What of `x` is at one position of an axis, or at several. */
function part(x: Operand, axis: number, position: number, shape: readonly number[]): Region {
  return region(x, shape, x.strides, position * x.strides[axis]);
}

const replaced = <T>(list: readonly T[], at: number, value: T): T[] =>
  list.map((one, i) => (i === at ? value : one));

/** Mirrors what is in the middle of `out` into its ends, axis by axis: what one axis has filled in is mirrored along the next. */
function reflections(
  x: Operand,
  out: Operand,
  paddings: readonly (readonly [number, number])[],
): Command[] | null {
  if (paddings.reduce((sum, [a, b]) => sum + a + b, 0) > MANY) return null;
  const pairs = paddings.flatMap((pair, axis): (readonly [Region, Region])[] => {
    // Axes before this one are filled, those after it are not yet.
    const shape = x.shape.map((n, i) => (i === axis ? 1 : i < axis ? out.shape[i] : n));
    const offset = paddings.reduce((sum, [n], i) => sum + (i > axis ? n * out.strides[i] : 0), 0);
    const at = (position: number): Region =>
      region(out, shape, out.strides, offset + position * out.strides[axis]);
    return [...reflectIndices(x.shape[axis], pair)].flatMap((source, i) =>
      i === source + pair[0] ? [] : [[at(source + pair[0]), at(i)] as const],
    );
  });
  return copies(out.dtype, pairs);
}

/** Every element of the axis as often as its number says. */
function repeatedEach(
  x: Operand,
  out: Operand,
  repeats: readonly number[],
  axis: number,
): Command[] | null {
  if (repeats.length > MANY) return null;
  const starts = startsOf(repeats);
  const pairs = repeats.map((count, i) => {
    const shape = replaced(x.shape, axis, count);
    const strides = replaced(x.strides, axis, 0);
    return [{ ...part(x, axis, i, shape), strides }, part(out, axis, starts[i], shape)] as const;
  });
  return copies(out.dtype, pairs);
}

export const movementLowerings: LoweringTable = {
  copy: ({ inputs: [x], outputs: [out] }) => copyRegion(x.dtype, x, out),

  concat: ({ inputs, outputs: [out], attrs: { axis = 0 } }) => {
    const along = normalizeAxis('concat', axis, out.shape.length);
    const starts = startsOf(inputs.map((x) => x.shape[along]));
    return copies(
      out.dtype,
      inputs.map((x, i) => [x, region(out, x.shape, out.strides, starts[i] * out.strides[along])]),
    );
  },

  stack: ({ inputs, outputs: [out], attrs: { axis = 0 } }) => {
    const at = normalizeAxis('stack', axis, out.shape.length);
    const strides = out.strides.filter((_, i) => i !== at);
    return copies(
      out.dtype,
      inputs.map((x, i) => [x, region(out, x.shape, strides, i * out.strides[at])]),
    );
  },

  split: ({ inputs: [x], outputs, attrs: { axis = 0 } }) => {
    const along = normalizeAxis('split', axis, x.shape.length);
    const starts = startsOf(outputs.map((out) => out.shape[along]));
    return copies(
      x.dtype,
      outputs.map((out, i) => [region(x, out.shape, x.strides, starts[i] * x.strides[along]), out]),
    );
  },

  embed: ({ inputs: [x], outputs: [out], attrs: { start, step } }) => {
    const strides = out.strides.map((s, i) => s * step[i]);
    const target = region(out, x.shape, strides, dot(start, out.strides));
    const moved = copyRegion(x.dtype, x, target);
    return moved && [clear(out.address, out.size << ITEM_BITS[out.dtype]), ...moved];
  },

  pad: ({ inputs: [x], outputs: [out], attrs }) => {
    const { paddings, mode = 'constant', constantValue = 0 } = attrs;
    const before = paddings.map(([n]) => n);
    const moved = copyRegion(
      x.dtype,
      x,
      region(out, x.shape, out.strides, dot(before, out.strides)),
    );
    if (mode === 'constant') {
      return moved && [fill(out.address, out.dtype, out.size, constantValue), ...moved];
    }
    const mirrored = reflections(x, out, paddings);
    return moved && mirrored && [...moved, ...mirrored];
  },

  // [n0, n1, …] repeated is [reps0, n0, reps1, n1, …] with x standing still along the reps.
  tile: ({ inputs: [x], outputs: [out], attrs: { reps } }) => {
    const shape = x.shape.flatMap((n, i) => [reps[i], n]);
    const strides = x.strides.flatMap((s) => [0, s]);
    return copyRegion(
      x.dtype,
      region(x, shape, strides),
      region(out, shape, rowMajorStrides(shape)),
    );
  },

  // Each element of the axis becomes an axis of its own, along which x stands still.
  repeat: ({ inputs: [x], outputs: [out], attrs: { repeats, axis = 0 } }) => {
    const along = normalizeAxis('repeat', axis, x.shape.length);
    if (typeof repeats !== 'number') return repeatedEach(x, out, repeats, along);
    const after = along + 1;
    const shape = [...x.shape.slice(0, after), repeats, ...x.shape.slice(after)];
    const strides = [...x.strides.slice(0, after), 0, ...x.strides.slice(after)];
    return copyRegion(
      x.dtype,
      region(x, shape, strides),
      region(out, shape, rowMajorStrides(shape)),
    );
  },

  // The value may be a view of the target: a copy in the middle keeps what is still to be read. Dense bytes may overlap.
  assign: ({ inputs: [target, value] }, context) => {
    if (target.dtype !== value.dtype) return null;
    if (value.contiguous) return copyRegion(value.dtype, value, target);
    const bytes = Math.max(value.size, 1) << ITEM_BITS[value.dtype];
    const dense = { shape: value.shape, strides: rowMajorStrides(value.shape) };
    const between = { address: context.scratch(bytes), ...dense };
    return copies(value.dtype, [
      [value, between],
      [between, target],
    ]);
  },
};
