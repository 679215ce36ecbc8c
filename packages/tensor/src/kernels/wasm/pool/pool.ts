/**
 * Pooling of float32, as in kernels/js/pool.ts: data are [images, height, width, channels], planes are images of one channel,
 * and padding is no element. Four channels go together as the lanes of a vector, what is left goes one by one; planes with
 * windows of 2×2 beside each other, the usual case, take four windows at a time instead. Threads share the images.
 */
import { resolvePool, type PoolAttrs } from '../../../ops/windows.js';
import type { AveragePoolTransposeAttrs } from '../../../ops/pool.js';
import { call, type FunctionRef, type ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f32, f64, i32, memory } from '../assembler/instructions.js';
import { eachOfPart, command, kernel, type Kernel, type Operand } from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import {
  eachChannel,
  eachElement,
  eachWindow,
  imageAt,
  imageFunction,
  inSize,
  outSize,
  windowArgs,
  windowFields,
} from './windows.js';
import { f32x4, i32x4, ramp, shuffle32, v128 } from '../assembler/simd.js';
import { product, minimum, bytes } from '../integers.js';

/** Fewer elements than this are not worth a second thread. */
const PARALLEL = 1 << 16;

/** value > best or value ≠ value: what takes the place of the best so far. NaN does, and only NaN replaces it. */
const winsVector = (value: Expr<'v128'>, best: Expr<'v128'>): Expr<'v128'> =>
  v128.or(f32x4.gt(value, best), f32x4.ne(value, value));

const maxPool = kernel(
  'maxPoolF32',
  { x: 'i32', y: 'i32', index: 'i32', ...windowFields },
  (f, { x, y, index, images, ...g }, context) => {
    const ofImage = imageFunction(
      context,
      'maxPoolImageF32',
      4,
      (b, w, [from, to, where, flat]) => {
        const lanes = b.local('v128', ramp(1));
        const [value, best, at] = [b.local('v128'), b.local('v128'), b.local('v128')];
        const [value1, best1, at1] = [b.local('f32'), b.local('f32'), b.local('i32')];
        const start = b.local('i32');
        const position = (s: Expr<'i32'>): Expr<'i32'> =>
          i32.add(flat, i32.shr_u(i32.sub(s, from), i32.const(2)));
        eachWindow(b, w, (covered) => {
          eachChannel(
            b,
            w.channels,
            (c) => {
              b.set(start, i32.add(i32.add(from, bytes(covered.first)), c));
              b.set(best, v128.load(start));
              b.set(at, i32x4.splat(position(start)));
              eachElement(b, w, covered, start, (s) => {
                b.set(value, v128.load(s));
                const wins = b.local('v128', winsVector(value, best));
                b.set(best, v128.bitselect(value, best, wins));
                b.set(at, v128.bitselect(i32x4.splat(position(s)), at, wins));
              });
              b.do(v128.store(i32.add(to, c), best));
              b.do(v128.store(i32.add(where, c), i32x4.add(at, lanes)));
            },
            (c) => {
              b.set(start, i32.add(i32.add(from, bytes(covered.first)), c));
              b.set(best1, f32.load(start));
              b.set(at1, start);
              eachElement(b, w, covered, start, (s) => {
                b.set(value1, f32.load(s));
                b.if(i32.or(f32.gt(value1, best1), f32.ne(value1, value1)), () => {
                  b.set(best1, value1);
                  b.set(at1, s);
                });
              });
              b.do(f32.store(i32.add(to, c), best1));
              b.do(i32.store(i32.add(where, c), position(at1)));
            },
          );
          b.increment(to, bytes(w.channels));
          b.increment(where, bytes(w.channels));
        });
      },
    );
    eachOfPart(f, images, context, (image) => {
      const flat = i32.mul(image, inSize(g));
      const [from, to] = [imageAt(x, image, inSize(g)), imageAt(y, image, outSize(g))];
      const where = imageAt(index, image, outSize(g));
      f.do(call(ofImage, from, to, where, flat, ...windowArgs(g)));
    });
  },
);

type RowFunction = FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'void'>;

/**
 * (x, rowBytes, y, index, position, count): a row of windows of 2×2. The last four overlap those before, so count must be 4 or
 * more; `position` is that of x in the flat data.
 */
function defineMaxPoolRow(m: ModuleBuilder): RowFunction {
  return m.function(
    'maxPoolRow2x2F32',
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
    'void',
    (f, x, rowBytes, y, index, position, count) => {
      const steps = f.local('v128', ramp(2));
      const [j, last] = [f.local('i32'), f.local('i32', i32.sub(count, i32.const(4)))];
      const [low, high, best, at] = ['v128', 'v128', 'v128', 'v128'].map(() => f.local('v128'));
      const [value, wins, where] = [f.local('v128'), f.local('v128'), f.local('v128')];
      const address = f.local('i32');
      const take = (lanes: readonly number[], offset: Expr<'i32'>): void => {
        f.set(value, shuffle32(low, high, lanes));
        f.set(wins, winsVector(value, best));
        f.set(best, v128.bitselect(value, best, wins));
        f.set(at, v128.bitselect(i32x4.add(where, i32x4.splat(offset)), at, wins));
      };
      const [even, odd] = [
        [0, 2, 4, 6],
        [1, 3, 5, 7],
      ];
      const width = f.local('i32', i32.shr_u(rowBytes, i32.const(2)));
      f.loop((again) => {
        f.set(address, i32.add(x, i32.shl(j, i32.const(3))));
        f.set(low, v128.load(address));
        f.set(high, v128.load(address, 16));
        f.set(best, shuffle32(low, high, even));
        const first = i32.add(position, i32.shl(j, i32.const(1)));
        f.set(where, i32x4.add(i32x4.splat(first), steps));
        f.set(at, where);
        take(odd, i32.const(1));
        f.increment(address, rowBytes);
        f.set(low, v128.load(address));
        f.set(high, v128.load(address, 16));
        take(even, width);
        take(odd, i32.add(width, i32.const(1)));
        f.do(v128.store(i32.add(y, bytes(j)), best));
        f.do(v128.store(i32.add(index, bytes(j)), at));
        f.if(i32.lt_s(j, last), () => {
          f.set(j, minimum(i32.add(j, i32.const(4)), last));
          f.br(again);
        });
      });
    },
  );
}

/** Planes, windows of 2×2 beside each other, four or more in a row, none cut off by the edge. */
const maxPool2x2 = kernel(
  'maxPool2x2F32',
  {
    x: 'i32',
    y: 'i32',
    index: 'i32',
    images: 'i32',
    inHeight: 'i32',
    inWidth: 'i32',
    outHeight: 'i32',
    outWidth: 'i32',
  },
  (f, { x, y, index, images, inHeight, inWidth, outHeight, outWidth }, context) => {
    const ofRow = context.shared.once('maxPoolRow2x2F32', () => defineMaxPoolRow(context.m));
    const [i, from, row] = [f.local('i32'), f.local('i32'), f.local('i32')];
    eachOfPart(f, images, context, (image) => {
      f.set(from, product(image, inHeight, inWidth));
      f.set(row, bytes(product(image, outHeight, outWidth)));
      f.for(i, i32.const(0), outHeight, 1, () => {
        const [to, where] = [i32.add(y, row), i32.add(index, row)];
        const source = i32.add(x, bytes(from));
        f.do(call(ofRow, source, bytes(inWidth), to, where, from, outWidth));
        f.increment(from, i32.shl(inWidth, i32.const(1)));
        f.increment(row, bytes(outWidth));
      });
    });
  },
);

const averagePool = kernel(
  'averagePoolF32',
  { x: 'i32', y: 'i32', ...windowFields },
  (f, { x, y, images, ...g }, context) => {
    const ofImage = imageFunction(context, 'averagePoolImageF32', 2, (b, w, [from, to]) => {
      const [sum, sum1, start] = [b.local('v128'), b.local('f64'), b.local('i32')];
      eachWindow(b, w, (covered) => {
        const count = i32.mul(covered.height, covered.width);
        eachChannel(
          b,
          w.channels,
          (c) => {
            b.set(start, i32.add(i32.add(from, bytes(covered.first)), c));
            b.set(sum, v128.zero());
            eachElement(b, w, covered, start, (s) => b.set(sum, f32x4.add(sum, v128.load(s))));
            const mean = f32x4.div(sum, f32x4.splat(f32.convert_i32_s(count)));
            b.do(v128.store(i32.add(to, c), mean));
          },
          (c) => {
            b.set(start, i32.add(i32.add(from, bytes(covered.first)), c));
            b.set(sum1, f64.const(0));
            eachElement(b, w, covered, start, (s) =>
              b.set(sum1, f64.add(sum1, f64.promote_f32(f32.load(s)))),
            );
            const mean = f64.div(sum1, f64.convert_i32_s(count));
            b.do(f32.store(i32.add(to, c), f32.demote_f64(mean)));
          },
        );
        b.increment(to, bytes(w.channels));
      });
    });
    eachOfPart(f, images, context, (image) => {
      const [from, to] = [imageAt(x, image, inSize(g)), imageAt(y, image, outSize(g))];
      f.do(call(ofImage, from, to, ...windowArgs(g)));
    });
  },
);

/** x ← 0, then each y, divided by the size of its window, is added to the window's elements. */
const averagePoolTranspose = kernel(
  'averagePoolTransposeF32',
  { y: 'i32', x: 'i32', ...windowFields },
  (f, { y, x, images, ...g }, context) => {
    const ofImage = imageFunction(
      context,
      'averagePoolTransposeImageF32',
      2,
      (b, w, [from, to]) => {
        const [share, share1, start] = [b.local('v128'), b.local('f32'), b.local('i32')];
        b.do(memory.fill(to, i32.const(0), bytes(inSize(w))));
        eachWindow(b, w, (covered) => {
          const count = f32.convert_i32_s(i32.mul(covered.height, covered.width));
          eachChannel(
            b,
            w.channels,
            (c) => {
              b.set(start, i32.add(i32.add(to, bytes(covered.first)), c));
              b.set(share, f32x4.div(v128.load(i32.add(from, c)), f32x4.splat(count)));
              eachElement(b, w, covered, start, (s) =>
                b.do(v128.store(s, f32x4.add(v128.load(s), share))),
              );
            },
            (c) => {
              b.set(start, i32.add(i32.add(to, bytes(covered.first)), c));
              b.set(share1, f32.div(f32.load(i32.add(from, c)), count));
              eachElement(b, w, covered, start, (s) =>
                b.do(f32.store(s, f32.add(f32.load(s), share1))),
              );
            },
          );
          b.increment(from, bytes(w.channels));
        });
      },
    );
    eachOfPart(f, images, context, (image) => {
      const [from, to] = [imageAt(y, image, outSize(g)), imageAt(x, image, inSize(g))];
      f.do(call(ofImage, from, to, ...windowArgs(g)));
    });
  },
);

export const poolKernels: readonly Kernel[] = [
  maxPool,
  maxPool2x2,
  averagePool,
  averagePoolTranspose,
];

type Resolved = ReturnType<typeof resolvePool>;

/** The arguments that all pooling kernels share. */
function windowsOf({ windows, images, channels }: Resolved): {
  readonly [K in keyof typeof windowFields]: number;
} {
  const { dilationHeight: _height, dilationWidth: _width, ...rest } = windows;
  return { ...rest, images, channels };
}

const fits = (x: Operand): boolean => x.dtype === 'float32' && x.contiguous;

/** Whether `maxPool2x2` computes this. */
function isPairwise({ windows: w, channels }: Resolved): boolean {
  const pairs = [w.windowHeight, w.windowWidth, w.strideHeight, w.strideWidth].every(
    (n) => n === 2,
  );
  const inside = 2 * w.outHeight <= w.inHeight && 2 * w.outWidth <= w.inWidth;
  return pairs && inside && channels === 1 && w.outWidth >= 4;
}

export const poolLowerings: LoweringTable = {
  maxPool: ({ inputs: [x], outputs: [values, indices], attrs }) => {
    if (!fits(x)) return null;
    const resolved = resolvePool('maxPool', x.shape, attrs);
    const addresses = { x: x.address, y: values.address, index: indices.address };
    const work = { parallel: x.size >= PARALLEL, flops: x.size };
    if (!isPairwise(resolved)) {
      return [command(maxPool, { ...addresses, ...windowsOf(resolved) }, work)];
    }
    const { inHeight, inWidth, outHeight, outWidth } = resolved.windows;
    const sizes = { images: resolved.images, inHeight, inWidth, outHeight, outWidth };
    return [command(maxPool2x2, { ...addresses, ...sizes }, work)];
  },
  averagePool: ({ inputs: [x], outputs: [y], attrs }) => {
    if (!fits(x)) return null;
    const args = windowsOf(resolvePool('averagePool', x.shape, attrs));
    const work = { parallel: x.size >= PARALLEL, flops: x.size };
    return [command(averagePool, { x: x.address, y: y.address, ...args }, work)];
  },
  averagePoolTranspose: ({ inputs: [y], outputs: [x], attrs }) => {
    if (!fits(y)) return null;
    const args = windowsOf(resolvePool('averagePoolTranspose', x.shape, poolAttrs(attrs)));
    const work = { parallel: x.size >= PARALLEL, flops: x.size };
    return [command(averagePoolTranspose, { y: y.address, x: x.address, ...args }, work)];
  },
};

function poolAttrs({ size: _size, ...attrs }: AveragePoolTransposeAttrs): PoolAttrs {
  return attrs;
}
