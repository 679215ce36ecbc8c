/**
 * How the pooling kernels walk over images, windows, the elements of a window and its channels. What a window covers of its image
 * is worked out once for all channels.
 */
import type { FunctionBuilder, FunctionRef, Local } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { i32 } from '../assembler/instructions.js';
import type { KernelContext } from '../kernel.js';
import { product, maximum, minimum, bytes } from '../integers.js';

const WINDOW_FIELDS = [
  'channels',
  'inHeight',
  'inWidth',
  'outHeight',
  'outWidth',
  'windowHeight',
  'windowWidth',
  'strideHeight',
  'strideWidth',
  'padTop',
  'padLeft',
] as const;

type WindowLocals = Readonly<Record<(typeof WINDOW_FIELDS)[number], Local<'i32'>>>;

export const windowFields = {
  images: 'i32',
  channels: 'i32',
  inHeight: 'i32',
  inWidth: 'i32',
  outHeight: 'i32',
  outWidth: 'i32',
  windowHeight: 'i32',
  windowWidth: 'i32',
  strideHeight: 'i32',
  strideWidth: 'i32',
  padTop: 'i32',
  padLeft: 'i32',
} as const;

/** What part of the windows lies on the image: its size, and the position of its first element within the image. */
interface Covered {
  readonly height: Local<'i32'>;
  readonly width: Local<'i32'>;
  readonly first: Local<'i32'>;
}

/** The windows of an image, row by row. */
export function eachWindow(
  f: FunctionBuilder,
  g: WindowLocals,
  body: (covered: Covered) => void,
): void {
  const [i, j, top, left] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('i32')];
  const [height, width, first] = [f.local('i32'), f.local('i32'), f.local('i32')];
  const zero = i32.const(0);
  // from ← max(start, 0), count ← min(start + window, size) − from
  const cut = (
    start: Expr<'i32'>,
    window: Expr<'i32'>,
    size: Expr<'i32'>,
    from: Local<'i32'>,
    count: Local<'i32'>,
  ): void => {
    f.set(from, start);
    f.set(count, minimum(i32.add(from, window), size));
    f.set(from, maximum(from, zero));
    f.set(count, i32.sub(count, from));
  };
  f.for(i, zero, g.outHeight, 1, () => {
    cut(i32.sub(i32.mul(i, g.strideHeight), g.padTop), g.windowHeight, g.inHeight, top, height);
    f.for(j, zero, g.outWidth, 1, () => {
      cut(i32.sub(i32.mul(j, g.strideWidth), g.padLeft), g.windowWidth, g.inWidth, left, width);
      f.set(first, product(i32.add(i32.mul(top, g.inWidth), left), g.channels));
      body({ height, width, first });
    });
  });
}

/** The elements that a window covers: `at` is the position of each in its channel, in bytes from `start`. */
export function eachElement(
  f: FunctionBuilder,
  g: WindowLocals,
  { height, width }: Covered,
  start: Expr<'i32'>,
  body: (at: Local<'i32'>) => void,
): void {
  const [row, column, at] = [f.local('i32'), f.local('i32'), f.local('i32')];
  const back = f.local('i32', bytes(product(i32.sub(g.inWidth, width), g.channels)));
  const pixel = bytes(g.channels);
  f.set(at, start);
  f.for(row, i32.const(0), height, 1, () => {
    f.for(column, i32.const(0), width, 1, () => {
      body(at);
      f.increment(at, pixel);
    });
    f.increment(at, back);
  });
}

/** All channels of a window, four at a time and then one by one; the counter is in bytes. */
export function eachChannel(
  f: FunctionBuilder,
  channels: Expr<'i32'>,
  four: (at: Local<'i32'>) => void,
  one: (at: Local<'i32'>) => void,
): void {
  const at = f.local('i32', i32.const(0));
  const end = f.local('i32', bytes(channels));
  const whole = f.local('i32', i32.and(end, i32.const(-16)));
  f.while(i32.lt_s(at, whole), () => {
    four(at);
    f.increment(at, 16);
  });
  f.while(i32.lt_s(at, end), () => {
    one(at);
    f.increment(at, 4);
  });
}

/** A function (…addresses, …window fields) for one image. */
export function imageFunction(
  { m, shared }: Pick<KernelContext, 'm' | 'shared'>,
  name: string,
  addresses: number,
  body: (f: FunctionBuilder, g: WindowLocals, addresses: readonly Local<'i32'>[]) => void,
): FunctionRef<'i32'[], 'void'> {
  const params = new Array<'i32'>(addresses + WINDOW_FIELDS.length).fill('i32');
  return shared.once(name, () =>
    m.function(name, params, 'void', (f, ...locals) => {
      const g = Object.fromEntries(
        WINDOW_FIELDS.map((field, i) => [field, locals[addresses + i]]),
      ) as WindowLocals;
      body(f, g, locals.slice(0, addresses));
    }),
  );
}

export const windowArgs = (g: WindowLocals): Local<'i32'>[] =>
  WINDOW_FIELDS.map((field) => g[field]);
export const inSize = (g: WindowLocals): Expr<'i32'> => product(g.inHeight, g.inWidth, g.channels);
export const outSize = (g: WindowLocals): Expr<'i32'> =>
  product(g.outHeight, g.outWidth, g.channels);
/** The address of an image: `size` elements after the other. */
export const imageAt = (start: Expr<'i32'>, image: Expr<'i32'>, size: Expr<'i32'>): Expr<'i32'> =>
  i32.add(start, bytes(i32.mul(image, size)));
