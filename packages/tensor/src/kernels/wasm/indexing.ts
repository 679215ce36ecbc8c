/**
 * Reading and writing at positions given as data. A kernel cannot throw: it notes an index outside its axis at `FAULT`, leaves
 * that element out, and whoever runs the commands has to look there after each of these kernels and to run the op's
 * TypeScript kernel, which throws. Where nobody looks (`mayFault` in the context) the ops that check have no lowering.
 */
import { normalizeAxis, sizeOf } from '../../shape.js';
import type { FunctionBuilder, FunctionRef, Local } from './assembler/assembler.js';
import { call } from './assembler/assembler.js';
import type { Expr } from './assembler/code.js';
import { f32, i32, memory } from './assembler/instructions.js';
import {
  partRange,
  command,
  kernel,
  type Kernel,
  type KernelContext,
  type Lowering,
  type Operand,
} from './kernel.js';
import type { LoweringTable } from './lowering.js';
import { FAULT } from './module.js';
import { f32x4, v128 } from './assembler/simd.js';

/** Runs `use` with the index at this address if it is on an axis of n elements; with `negative` it may count from the end. */
function withIndex(
  f: FunctionBuilder,
  address: Local<'i32'>,
  n: Local<'i32'>,
  negative: boolean,
  use: (index: Local<'i32'>) => void,
): void {
  const index = f.local('i32', i32.load(address));
  if (negative) {
    f.if(i32.lt_s(index, i32.const(0)), () => f.increment(index, n));
  }
  f.if(
    i32.lt_u(index, n),
    () => use(index),
    () => f.do(i32.store(i32.const(FAULT), i32.const(1))),
  );
}

/** Rows from this size on are copied by the engine's own loop. */
const LONG_ROW = 512;

/** (to, from, bytes): copies a row. */
function copyRow({
  m,
  shared,
}: KernelContext): FunctionRef<readonly ['i32', 'i32', 'i32'], 'void'> {
  return shared.once('copyRow', () =>
    m.function('copyRow', ['i32', 'i32', 'i32'], 'void', (f, to, from, bytes) => {
      f.if(i32.ge_s(bytes, i32.const(LONG_ROW)), () => {
        f.do(memory.copy(to, from, bytes));
        f.return();
      });
      const round = (size: number, copy: () => void): void =>
        f.while(i32.ge_s(bytes, i32.const(size)), () => {
          copy();
          f.increment(to, size);
          f.increment(from, size);
          f.increment(bytes, -size);
        });
      round(16, () => f.do(v128.store(to, v128.load(from))));
      round(4, () => f.do(i32.store(to, i32.load(from))));
      round(1, () => f.do(i32.store8(to, i32.load8_u(from))));
    }),
  );
}

/** (to, from, n): to[i] += from[i] */
function addRow({ m, shared }: KernelContext): FunctionRef<readonly ['i32', 'i32', 'i32'], 'void'> {
  return shared.once('addRowF32', () =>
    m.function('addRowF32', ['i32', 'i32', 'i32'], 'void', (f, to, from, n) => {
      f.while(i32.ge_s(n, i32.const(4)), () => {
        f.do(v128.store(to, f32x4.add(v128.load(to), v128.load(from))));
        f.increment(to, 16);
        f.increment(from, 16);
        f.increment(n, -4);
      });
      f.while(i32.gt_s(n, i32.const(0)), () => {
        f.do(f32.store(to, f32.add(f32.load(to), f32.load(from))));
        f.increment(to, 4);
        f.increment(from, 4);
        f.increment(n, -1);
      });
    }),
  );
}

/** y[o, j, :] = x[o, index[j], :] for x [outer, n, rowBytes] and y [outer, count, rowBytes], any dtype */
const gather = kernel(
  'gather',
  { x: 'i32', indices: 'i32', y: 'i32', outer: 'i32', n: 'i32', count: 'i32', rowBytes: 'i32' },
  (f, { x, indices, y, outer, n, count, rowBytes }, context) => {
    const copy = copyRow(context);
    const { from, to } = partRange(f, i32.mul(outer, count), context);
    const j = f.local('i32', i32.rem_u(from, count));
    const at = f.local('i32', i32.add(indices, i32.mul(j, i32.const(4))));
    const block = f.local('i32', i32.mul(n, rowBytes));
    f.increment(x, i32.mul(i32.div_u(from, count), block));
    f.increment(y, i32.mul(from, rowBytes));
    f.while(i32.lt_s(from, to), () => {
      withIndex(f, at, n, true, (index) => {
        f.do(call(copy, y, i32.add(x, i32.mul(index, rowBytes)), rowBytes));
      });
      f.increment(y, rowBytes);
      f.increment(at, 4);
      f.increment(from, 1);
      f.increment(j, 1);
      f.if(i32.eq(j, count), () => {
        f.set(j, i32.const(0));
        f.set(at, indices);
        f.increment(x, block);
      });
    });
  },
);

/**
 * y[o, index[j], :] += x[o, j, :] for x [outer, count, inner] and y [outer, n, inner], all zeros before. A part has some of
 * the n rows and passes over the indices of the others, so that the order of additions is that of j.
 */
const indexAdd = kernel(
  'indexAddF32',
  { x: 'i32', indices: 'i32', y: 'i32', outer: 'i32', n: 'i32', count: 'i32', inner: 'i32' },
  (f, { x, indices, y, outer, n, count, inner }, context) => {
    const add = addRow(context);
    const { from, to } = partRange(f, n, context);
    const rowBytes = f.local('i32', i32.mul(inner, i32.const(4)));
    const mine = f.local('i32', i32.sub(to, from));
    const [o, j, at] = [f.local('i32'), f.local('i32'), f.local('i32')];
    f.if(i32.le_s(mine, i32.const(0)), () => f.return());
    f.increment(y, i32.mul(from, rowBytes));
    f.for(o, i32.const(0), outer, 1, () => {
      f.do(memory.fill(y, i32.const(0), i32.mul(mine, rowBytes)));
      f.set(at, indices);
      const each = (addTo: (place: Expr<'i32'>) => void): void =>
        f.for(j, i32.const(0), count, 1, () => {
          withIndex(f, at, n, true, (index) => {
            const row = f.local('i32', i32.sub(index, from));
            f.if(i32.lt_u(row, mine), () => addTo(i32.add(y, i32.mul(row, rowBytes))));
          });
          f.increment(at, 4);
          f.increment(x, rowBytes);
        });
      const place = f.local('i32');
      f.if(
        i32.eq(inner, i32.const(1)),
        () =>
          each((to) => {
            f.set(place, to);
            f.do(f32.store(place, f32.add(f32.load(place), f32.load(x))));
          }),
        () => each((to) => f.do(call(add, to, x, inner))),
      );
      f.increment(y, i32.mul(n, rowBytes));
    });
  },
);

const ALONG = {
  x: 'i32',
  indices: 'i32',
  y: 'i32',
  outer: 'i32',
  n: 'i32',
  count: 'i32',
  inner: 'i32',
} as const;

/**
 * For each index of [outer, count, inner]: the element of x at the same place, and the place in y [outer, n, inner] that the
 * index points to. With `clear` y is filled with zeros first.
 */
function alongAxis(
  name: string,
  clear: boolean,
  element: (f: FunctionBuilder, x: Local<'i32'>, place: Local<'i32'>) => void,
): Kernel<typeof ALONG> {
  return kernel(name, ALONG, (f, { x, indices, y, outer, n, count, inner }, context) => {
    const four = i32.const(4);
    const { from, to } = partRange(f, outer, context);
    const stride = f.local('i32', i32.mul(inner, four));
    const near = f.local('i32', i32.mul(count, stride));
    const far = f.local('i32', i32.mul(n, stride));
    f.increment(indices, i32.mul(from, near));
    f.increment(x, i32.mul(from, near));
    f.increment(y, i32.mul(from, far));
    const [j, k, place] = [f.local('i32'), f.local('i32'), f.local('i32')];
    f.while(i32.lt_s(from, to), () => {
      if (clear) f.do(memory.fill(y, i32.const(0), far));
      f.for(j, i32.const(0), count, 1, () => {
        f.for(k, i32.const(0), inner, 1, () => {
          withIndex(f, indices, n, false, (index) => {
            const offset = i32.add(i32.mul(index, stride), i32.mul(k, four));
            f.set(place, i32.add(y, offset));
            element(f, x, place);
          });
          f.increment(indices, 4);
          f.increment(x, 4);
        });
      });
      f.increment(y, far);
      f.increment(from, 1);
    });
  });
}

/** x[o, j, k] = y[o, indices[o, j, k], k], elements of four bytes */
const takeAlongAxis = alongAxis('takeAlongAxis32', false, (f, x, place) => {
  f.do(i32.store(x, i32.load(place)));
});

/** y = 0; y[o, indices[o, j, k], k] += x[o, j, k] */
const putAlongAxis = alongAxis('putAlongAxisF32', true, (f, x, place) => {
  f.do(f32.store(place, f32.add(f32.load(place), f32.load(x))));
});

/** y = 0; y[o, indices[o, k], k] = one (its bits) for y [outer, depth, inner]; an index outside 0 … depth − 1 sets nothing */
const oneHot = kernel(
  'oneHot32',
  { indices: 'i32', y: 'i32', outer: 'i32', depth: 'i32', inner: 'i32', one: 'i32' },
  (f, { indices, y, outer, depth, inner, one }, context) => {
    const { from, to } = partRange(f, outer, context);
    const four = i32.const(4);
    const stride = f.local('i32', i32.mul(inner, four));
    const block = f.local('i32', i32.mul(depth, stride));
    const [k, index] = [f.local('i32'), f.local('i32')];
    f.increment(indices, i32.mul(from, stride));
    f.increment(y, i32.mul(from, block));
    f.while(i32.lt_s(from, to), () => {
      f.do(memory.fill(y, i32.const(0), block));
      f.for(k, i32.const(0), inner, 1, () => {
        f.set(index, i32.load(indices));
        f.if(i32.lt_u(index, depth), () => {
          const offset = i32.add(i32.mul(index, stride), i32.mul(k, four));
          f.do(i32.store(i32.add(y, offset), one));
        });
        f.increment(indices, 4);
      });
      f.increment(y, block);
      f.increment(from, 1);
    });
  },
);

export const indexingKernels: readonly Kernel[] = [
  gather,
  indexAdd,
  takeAlongAxis,
  putAlongAxis,
  oneHot,
];

/** From so many elements on the work is shared among threads. */
const PARALLEL_FROM = 65536;

const BYTES = { float32: 4, float64: 8, int32: 4, bool: 1 } as const;

/** How many elements are outside of an axis, and how many inside. */
function around({ shape }: Operand, axis: number): { outer: number; inner: number } {
  return { outer: sizeOf(shape.slice(0, axis)), inner: sizeOf(shape.slice(axis + 1)) };
}

/** Whether all of them are row-major and have elements. */
const plain = (...operands: readonly Operand[]): boolean =>
  operands.every((x) => x.contiguous && x.size > 0);

const gatherLowering: Lowering<{ axis?: number }> = (c, context) => {
  const [x, indices] = c.inputs;
  const [y] = c.outputs;
  if (!plain(x, indices, y) || !context.mayFault()) return null;
  const along = normalizeAxis('gather', c.attrs.axis ?? 0, x.shape.length);
  const { outer, inner } = around(x, along);
  const [n, count, rowBytes] = [x.shape[along], indices.size, inner * BYTES[x.dtype]];
  const [from, at, to] = [x.address, indices.address, y.address];
  const args = { x: from, indices: at, y: to, outer, n, count, rowBytes };
  return [command(gather, args, { parallel: y.size >= PARALLEL_FROM })];
};

const indexAddLowering: Lowering<{ size: number; axis?: number }> = (c, context) => {
  const [x, indices] = c.inputs;
  const [y] = c.outputs;
  if (x.dtype !== 'float32' || !plain(x, indices, y) || !context.mayFault()) return null;
  const along = normalizeAxis('indexAdd', c.attrs.axis ?? 0, x.shape.length);
  const sizes = { ...around(x, along), n: c.attrs.size, count: x.shape[along] };
  const args = { ...sizes, x: x.address, indices: indices.address, y: y.address };
  // Every part looks at every index: that is worth it for longer rows, and where the zeros are most of the work.
  const worth = sizes.inner >= 16 || y.size >= 4 * x.size;
  const parallel = x.size + y.size >= PARALLEL_FROM && worth;
  return [command(indexAdd, args, { parallel, flops: x.size })];
};

const takeLowering: Lowering<{ axis?: number }> = (c, context) => {
  const [x, indices] = c.inputs;
  const [y] = c.outputs;
  const fits = BYTES[x.dtype] === 4 && plain(x, indices, y);
  if (!fits || !context.mayFault()) return null;
  const along = normalizeAxis('takeAlongAxis', c.attrs.axis ?? -1, x.shape.length);
  const sizes = { ...around(x, along), n: x.shape[along], count: indices.shape[along] };
  const args = { ...sizes, x: y.address, indices: indices.address, y: x.address };
  const parallel = y.size >= PARALLEL_FROM && sizes.outer > 1;
  return [command(takeAlongAxis, args, { parallel })];
};

const putLowering: Lowering<{ size: number; axis?: number }> = (c, context) => {
  const [x, indices] = c.inputs;
  const [y] = c.outputs;
  const fits = x.dtype === 'float32' && plain(x, indices, y);
  if (!fits || !context.mayFault()) return null;
  const along = normalizeAxis('putAlongAxis', c.attrs.axis ?? 0, x.shape.length);
  const sizes = { ...around(x, along), n: c.attrs.size, count: x.shape[along] };
  const args = { ...sizes, x: x.address, indices: indices.address, y: y.address };
  const parallel = x.size + y.size >= PARALLEL_FROM && sizes.outer > 1;
  return [command(putAlongAxis, args, { parallel, flops: x.size })];
};

/** The bits of 1. */
const ONE = { float32: 0x3f800000, int32: 1, float64: null, bool: null } as const;

export const indexingLowerings: LoweringTable = {
  gather: gatherLowering,
  indexAdd: indexAddLowering,
  takeAlongAxis: takeLowering,
  putAlongAxis: putLowering,
  // Indices outside the axis are no error here.
  oneHot: ({ inputs: [indices], outputs: [y], attrs: { depth, axis = -1 } }) => {
    const one = ONE[y.dtype];
    if (one === null || !plain(indices, y)) return null;
    const { outer, inner } = around(y, normalizeAxis('oneHot', axis, y.shape.length));
    const args = { indices: indices.address, y: y.address, outer, depth, inner, one };
    return [command(oneHot, args, { parallel: y.size >= PARALLEL_FROM && outer > 1 })];
  },
};
