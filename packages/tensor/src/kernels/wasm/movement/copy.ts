/**
 * Copies between two layouts of one shape: the one thing that all ops which move elements are made of. Adjacent axes that
 * both sides can walk in one step are merged; the innermost axis is a loop of its own kind (both sides dense, the source one
 * number, or any steps), and where the source is dense along the second axis instead, blocks are transposed in registers.
 */
import { ARRAY_TYPES, type DType } from '../../../dtype.js';
import { coalesce } from '../../../shape.js';
import { call, type FunctionRef, type Local, type ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { ITEM_BITS, MAX_AXES, MOVES, rowFunction } from '../elementwise/pack.js';
import { i32, memory } from '../assembler/instructions.js';
import {
  partRange,
  command,
  kernel,
  type Command,
  type Kernel,
  type SharedFunctions,
} from '../kernel.js';
import { i32x4, shuffle32, v128 } from '../assembler/simd.js';

/** Where elements are, or are to be put; strides in elements. */
export interface Region {
  readonly address: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** bytes from one place to another, dense on both sides. They may overlap. */
const copyBytes = kernel('copyDense', { to: 'i32', from: 'i32', bytes: 'i32' }, (f, args) => {
  f.do(memory.copy(args.to, args.from, args.bytes));
});

const clearBytes = kernel('clear', { to: 'i32', bytes: 'i32' }, (f, { to, bytes }) => {
  f.do(memory.fill(to, i32.const(0), bytes));
});

/** The same 8 bytes, given as two words, again and again: elements of one value. Their number need not be a multiple of 8. */
const fillBytes = kernel(
  'fill',
  { to: 'i32', bytes: 'i32', low: 'i32', high: 'i32' },
  (f, { to, bytes, low, high }) => {
    const two = i32x4.replace_lane(i32x4.splat(low), 1, high);
    const four = f.local('v128', i32x4.replace_lane(two, 3, high));
    const next = (size: number, store: () => void): void =>
      f.while(i32.ge_s(bytes, i32.const(size)), () => {
        store();
        f.increment(to, size);
        f.increment(bytes, -size);
      });
    next(16, () => f.do(v128.store(to, four)));
    const word = f.local('i32', low);
    next(4, () => {
      f.do(i32.store(to, word));
      f.set(word, i32.xor(i32.xor(low, high), word));
    });
    next(1, () => f.do(i32.store8(to, word)));
  },
);

/** Sizes and steps (in bytes) of the axes, the innermost first; the last one is divided among threads. */
const AXES = {
  to: 'i32',
  from: 'i32',
  size0: 'i32',
  to0: 'i32',
  from0: 'i32',
  size1: 'i32',
  to1: 'i32',
  from1: 'i32',
  size2: 'i32',
  to2: 'i32',
  from2: 'i32',
  size3: 'i32',
  to3: 'i32',
  from3: 'i32',
  size4: 'i32',
  to4: 'i32',
  from4: 'i32',
} as const;

type Plane = FunctionRef<readonly 'i32'[], 'void'>;

/** plane(to, from, size0, to0, from0, size1, to1, from1): two axes, row by row. */
function rowsFunction(m: ModuleBuilder, shared: SharedFunctions, bits: 0 | 2 | 3): Plane {
  const row = rowFunction(m, shared, bits);
  const bytes = 2 ** bits;
  const name = `copyRows${8 * bytes}`;
  return shared.once(name, () =>
    m.function(name, PLANE, 'void', (f, to, from, size0, to0, from0, size1, to1, from1) => {
      const [y, x, n] = [f.local('i32'), f.local('i32'), f.local('i32')];
      f.while(i32.gt_s(size1, i32.const(0)), () => {
        f.if(
          i32.eq(to0, i32.const(bytes)),
          () => f.do(call(row, to, from, from0, size0)),
          () => {
            f.set(y, to);
            f.set(x, from);
            f.for(n, i32.const(0), size0, 1, () => {
              f.do(MOVES[bits](y, x));
              f.increment(y, to0);
              f.increment(x, from0);
            });
          },
        );
        f.increment(to, to1);
        f.increment(from, from1);
        f.increment(size1, -1);
      });
    }),
  );
}

const PLANE = ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'] as const;

/** A line of the cache has so many elements of 4 bytes: the target is written line by line. */
const LINE = 16;

/** The same for elements of 4 bytes when to0 and from1 are 4: the plane is transposed, in blocks of 4 by 4. */
function transposeFunction(m: ModuleBuilder, shared: SharedFunctions): Plane {
  return shared.once('transpose32', () =>
    m.function('transpose32', PLANE, 'void', (f, to, from, size0, _to0, from0, size1, to1) => {
      const [i, j, k, end] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('i32')];
      const [y, x] = [f.local('i32'), f.local('i32')];
      const at = (base: Expr<'i32'>, step: Expr<'i32'>, count: Local<'i32'>): Expr<'i32'> =>
        i32.add(base, i32.mul(step, count));
      const four = i32.const(4);
      const whole1 = f.local('i32', i32.and(size1, i32.const(-4)));
      /** Elements k of a row of the target, one by one. */
      const single = (row: Local<'i32'>): void => {
        const target = i32.add(at(to, to1, row), i32.shl(k, i32.const(2)));
        const source = i32.add(at(from, from0, k), i32.shl(row, i32.const(2)));
        f.do(i32.store(target, i32.load(source)));
      };
      f.for(i, i32.const(0), size0, LINE, () => {
        f.set(end, i32.add(i, i32.const(LINE)));
        f.if(i32.gt_s(end, size0), () => f.set(end, size0));
        f.for(j, i32.const(0), whole1, 4, () => {
          f.set(k, i);
          f.while(i32.le_s(i32.add(k, four), end), () => {
            f.set(x, i32.add(at(from, from0, k), i32.shl(j, i32.const(2))));
            f.set(y, i32.add(at(to, to1, j), i32.shl(k, i32.const(2))));
            const rows = [0, 1, 2, 3].map((r) => {
              const loaded = f.local('v128', v128.load(x));
              if (r < 3) f.increment(x, from0);
              return loaded;
            });
            for (const column of transposed(rows)) {
              f.do(v128.store(y, column));
              f.increment(y, to1);
            }
            f.increment(k, 4);
          });
          f.while(i32.lt_s(k, end), () => {
            f.for(x, j, i32.add(j, four), 1, () => single(x));
            f.increment(k, 1);
          });
        });
        f.for(j, whole1, size1, 1, () => f.for(k, i, end, 1, () => single(j)));
      });
    }),
  );

  function transposed([a, b, c, d]: readonly Local<'v128'>[]): Expr<'v128'>[] {
    const low = [0, 4, 1, 5];
    const high = [2, 6, 3, 7];
    const pairs = (lanes: readonly number[]): Expr<'v128'>[] => [
      shuffle32(a, b, lanes),
      shuffle32(c, d, lanes),
    ];
    const [ab, cd] = pairs(low);
    const [ab2, cd2] = pairs(high);
    return [
      shuffle32(ab, cd, [0, 1, 4, 5]),
      shuffle32(ab, cd, [2, 3, 6, 7]),
      shuffle32(ab2, cd2, [0, 1, 4, 5]),
      shuffle32(ab2, cd2, [2, 3, 6, 7]),
    ];
  }
}

function copyKernel(
  name: string,
  plane: (m: ModuleBuilder, shared: SharedFunctions) => Plane,
): Kernel<typeof AXES> {
  return kernel(name, AXES, (f, a, { m, shared, part, parts }) => {
    const innermost = plane(m, shared);
    const { from: first, to: last } = partRange(f, a.size4, { part, parts });
    f.increment(a.to, i32.mul(first, a.to4));
    f.increment(a.from, i32.mul(first, a.from4));
    const outer = [
      { size: i32.sub(last, first), to: a.to4, from: a.from4 },
      { size: a.size3, to: a.to3, from: a.from3 },
      { size: a.size2, to: a.to2, from: a.from2 },
    ];
    const { size0, to0, from0, size1, to1, from1 } = a;
    const nest = (axis: number, to: Local<'i32'>, from: Local<'i32'>): void => {
      if (axis === outer.length) {
        f.do(call(innermost, to, from, size0, to0, from0, size1, to1, from1));
        return;
      }
      const { size, to: toStep, from: fromStep } = outer[axis];
      const [index, y, x] = [f.local('i32'), f.local('i32', to), f.local('i32', from)];
      f.for(index, i32.const(0), size, 1, () => {
        nest(axis + 1, y, x);
        f.increment(y, toStep);
        f.increment(x, fromStep);
      });
    };
    nest(0, a.to, a.from);
  });
}

const rowKernels = {
  0: copyKernel('copyRowsU8', (m, shared) => rowsFunction(m, shared, 0)),
  2: copyKernel('copyRows4', (m, shared) => rowsFunction(m, shared, 2)),
  3: copyKernel('copyRows8', (m, shared) => rowsFunction(m, shared, 3)),
} as const;
const transpose = copyKernel('transposePlanes4', transposeFunction);

export const copyKernels: readonly Kernel[] = [
  copyBytes,
  clearBytes,
  fillBytes,
  ...Object.values(rowKernels),
  transpose,
];

/** Copies are bound by memory: a second thread helps only where there are many elements. */
const PARALLEL_SIZE = 131072;

/**
 * The commands that copy `source` to `target`, of one shape and dtype, which do not overlap.
 *
 * @returns null when more than `MAX_AXES` axes cannot be merged
 */
export function copyRegion(
  dtype: DType,
  source: Region,
  target: Region,
): readonly Command[] | null {
  const { shape } = target;
  if (shape.includes(0)) return [];
  const bits = ITEM_BITS[dtype];
  const bytes = 2 ** bits;
  const walk = coalesce(shape, [target.strides, source.strides]);
  const axes = walk.shape
    .map((size, i) => ({ size, to: walk.strides[0][i] * bytes, from: walk.strides[1][i] * bytes }))
    .reverse();
  if (axes.length > MAX_AXES) return null;
  const [inner] = axes;
  const isDense = axes.length === 1 && inner.to === bytes && inner.from === bytes;
  if (isDense || (axes.length === 1 && inner.size === 1)) {
    return [
      command(copyBytes, { to: target.address, from: source.address, bytes: inner.size * bytes }),
    ];
  }
  // The source's dense axis comes second where it is not the innermost one.
  const dense = axes.findIndex((axis) => axis.from === bytes);
  const transposes = bits === 2 && inner.to === bytes && dense > 0 && inner.size > 1;
  if (transposes) axes.splice(1, 0, ...axes.splice(dense, 1));
  // The outermost axis comes last: it is divided. Of two axes the second can be that.
  const size = shape.reduce((product, n) => product * n, 1);
  const large = size >= PARALLEL_SIZE;
  const rest = axes.splice(large && axes.length === 2 && !transposes ? 1 : 2);
  while (axes.length < 2) axes.push({ size: 1, to: 0, from: 0 });
  while (axes.length + rest.length < MAX_AXES) rest.unshift({ size: 1, to: 0, from: 0 });
  const a = [...axes, ...rest];
  const fields: Record<string, number> = { to: target.address, from: source.address };
  a.forEach((axis, i) => {
    fields[`size${i}`] = axis.size;
    fields[`to${i}`] = axis.to;
    fields[`from${i}`] = axis.from;
  });
  const chosen: Kernel = transposes ? transpose : rowKernels[bits];
  const parallel = large && a[MAX_AXES - 1].size > 1;
  return [command(chosen, fields, { parallel })];
}

/** Zeroes so many bytes. */
export const clear = (to: number, bytes: number): Command => command(clearBytes, { to, bytes });

/** Fills a place for so many elements with one value. */
export function fill(to: number, dtype: DType, size: number, value: number): Command {
  const bytes = size << ITEM_BITS[dtype];
  if (value === 0) return clear(to, bytes);
  const pattern = new ARRAY_TYPES[dtype](8).fill(value);
  const [low, high] = new Int32Array(pattern.buffer);
  return command(fillBytes, { to, bytes, low, high });
}
