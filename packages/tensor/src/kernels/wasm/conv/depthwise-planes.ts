/**
 * Depthwise convolution of planes,, forwards and transposed: vectors along the rows.
 *
 *     y[p] = Σ_t  w[t] · staged[offset(t) + p]             one plane, p over all of its positions
 *
 * A plane is staged as for `correlate`: padded with zeros, strides undone. Then the outputs of all rows are one run of the staged
 * plane, with some in between that nobody wants: where a row ends and the next has not begun. They are computed and left out.
 * With more than one filter to a channel the planes are gone through for each; in a transposed convolution the sum is over the
 * planes of the filters too. Threads share the planes.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
  type ModuleBuilder,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { bytes, ceilDiv, product, sum } from '../integers.js';
import { channelBytes, correlateFields, finishGroup, stageGroup, writeTaps } from './correlate.js';
import { ACTIVATION } from '../gemm/epilogue.js';
import { tileRows } from '../gemm/micro.js';
import { f32, i32, memory } from '../assembler/instructions.js';
import { eachOfPart, kernel, type KernelContext, type SharedFunctions } from '../kernel.js';
import { madd } from '../math.js';
import { f32x4, shuffle32, v128 } from '../assembler/simd.js';

/** So many neighbouring outputs are computed at a time: eight vectors. */
export const RUN = 32;

/** (from, fromRow, to, toRow, rows, width, bias): rows of `width` ≥ 4 elements; `to` is other memory. */
type RowsFunction = FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'f32'], 'void'>;

/** Brings rows from one place to another. The last vector of a row overlaps the one before. */
function defineRows(
  m: ModuleBuilder,
  name: string,
  apply: (x: Expr<'v128'>, bias: Local<'v128'>) => Expr<'v128'>,
): RowsFunction {
  return m.function(
    name,
    ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'f32'],
    'void',
    (f, from, fromRow, to, toRow, rows, width, bias) => {
      const added = f.local('v128', f32x4.splat(bias));
      const last = f.local('i32', bytes(i32.sub(width, i32.const(4))));
      const at = f.local('i32');
      f.while(rows, () => {
        f.for(at, i32.const(0), last, 16, () =>
          f.do(v128.store(i32.add(to, at), apply(v128.load(i32.add(from, at)), added))),
        );
        f.do(v128.store(i32.add(to, last), apply(v128.load(i32.add(from, last)), added)));
        f.increment(from, fromRow);
        f.increment(to, toRow);
        f.increment(rows, -1);
      });
    },
  );
}

const copyRows = (m: ModuleBuilder, shared: SharedFunctions): RowsFunction =>
  shared.once('convCopyRowsF32', () => defineRows(m, 'convCopyRowsF32', (x) => x));

/** (from, first, second, count): takes a row apart, its elements in turn to two places. */
function splitRow(
  m: ModuleBuilder,
  shared: SharedFunctions,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32'], 'void'> {
  return shared.once('convSplitRowF32', () =>
    m.function(
      'convSplitRowF32',
      ['i32', 'i32', 'i32', 'i32'],
      'void',
      (f, from, first, second, count) => {
        const [a, b] = [f.local('v128'), f.local('v128')];
        f.while(i32.ge_s(count, i32.const(8)), () => {
          f.set(a, v128.load(from));
          f.set(b, v128.load(from, 16));
          f.do(v128.store(first, shuffle32(a, b, [0, 2, 4, 6])));
          f.do(v128.store(second, shuffle32(a, b, [1, 3, 5, 7])));
          f.increment(from, 32);
          f.increment(first, 16);
          f.increment(second, 16);
          f.increment(count, -8);
        });
        f.while(i32.gt_s(count, i32.const(0)), () => {
          f.do(f32.store(first, f32.load(from)));
          f.if(i32.gt_s(count, i32.const(1)), () => f.do(f32.store(second, f32.load(from, 4))));
          f.increment(from, 8);
          f.increment(first, 4);
          f.increment(second, 4);
          f.increment(count, -2);
        });
      },
    ),
  );
}

/** (from, taps, tapsEnd, weights, to, count): y[p] for `count` neighbours, rounded up to whole runs; tap by tap. */
function addTaps(
  m: ModuleBuilder,
  shared: SharedFunctions,
): FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'], 'void'> {
  const weightStep = 4 * tileRows(m);
  return shared.once('convDepthwiseRunF32', () =>
    m.function(
      'convDepthwiseRunF32',
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, from, taps, tapsEnd, weights, to, count) => {
        const sums = Array.from({ length: RUN / 4 }, () => f.local('v128'));
        const [w, tap, weight] = [f.local('v128'), f.local('i32'), f.local('i32')];
        const source = f.local('i32');
        f.while(i32.gt_s(count, i32.const(0)), () => {
          for (const s of sums) f.set(s, v128.zero());
          f.set(weight, weights);
          f.for(tap, taps, tapsEnd, 4, () => {
            f.set(source, i32.add(from, i32.load(tap)));
            f.set(w, v128.load32_splat(weight));
            // V8 computes the last sum first; loaded in another order, the data would all be in registers at once, and spilt. So
            // they would be if it unrolled the loop, which the branch keeps it from: its condition is always true.
            f.if(count, () => {
              for (let i = sums.length - 1; i >= 0; i--) {
                f.set(sums[i], madd(m, v128.load(source, 16 * i), w, sums[i]));
              }
            });
            f.increment(weight, weightStep);
          });
          sums.forEach((s, i) => f.do(v128.store(to, s, 16 * i)));
          f.increment(from, 4 * RUN);
          f.increment(to, 4 * RUN);
          f.increment(count, -RUN);
        });
      },
    ),
  );
}

type Arguments = Readonly<Record<keyof typeof correlateFields, Local<'i32'>>>;

/** Whether planes are staged, or results brought to their place, by `defineRows`. */
const inRows = (column: Expr<'i32'>, width: Expr<'i32'>): Expr<'i32'> =>
  i32.and(i32.eq(column, i32.const(4)), i32.ge_s(width, i32.const(4)));

/** Stages the channels of one group as `stageGroup` does, faster where rows are copied as they are or every other element. */
export function stagePlanes(
  f: FunctionBuilder,
  args: Arguments,
  context: KernelContext,
  { image, group, staged }: { readonly [K in 'image' | 'group' | 'staged']: Local<'i32'> },
): void {
  const [copy, split] = [copyRows(context.m, context.shared), splitRow(context.m, context.shared)];
  const { inHeight, inWidth, padTop, padLeft, phaseRows, phaseColumns } = args;
  const [c, h, row, from, to] = Array.from({ length: 5 }, () => f.local('i32'));
  const [zero, one, two] = [i32.const(0), i32.const(1), i32.const(2)];
  const wide = f.local('i32', bytes(args.stagedWidth));
  const phase = f.local('i32', i32.mul(args.stagedHeight, wide));
  const eachChannel = (body: () => void): void => {
    f.for(c, zero, args.channels, 1, () => {
      const channel = i32.mul(i32.add(i32.mul(group, args.channels), c), args.xChannel);
      f.set(from, sum(args.x, i32.mul(image, args.xImage), channel));
      f.set(to, i32.add(staged, i32.mul(c, channelBytes(args))));
      body();
    });
  };
  const quick = inRows(args.xColumn, inWidth);
  f.if(
    i32.and(quick, i32.eq(i32.mul(phaseRows, phaseColumns), one)),
    () => {
      eachChannel(() => {
        f.set(to, sum(to, i32.mul(padTop, wide), bytes(padLeft)));
        f.do(call(copy, from, args.xRow, to, wide, inHeight, inWidth, f32.const(0)));
      });
    },
    () => {
      f.if(
        i32.and(quick, i32.eq(phaseColumns, two)),
        () => {
          // Columns w and w + 1 go to the phases (w + padLeft) mod 2 and (w + 1 + padLeft) mod 2.
          const place = (padding: Expr<'i32'>): Expr<'i32'> =>
            i32.add(i32.mul(i32.and(padding, one), phase), bytes(i32.shr_u(padding, one)));
          eachChannel(() => {
            f.for(h, zero, inHeight, 1, () => {
              f.set(row, i32.add(h, padTop));
              const phaseRow = product(i32.rem_s(row, phaseRows), two, phase);
              f.set(row, sum(to, phaseRow, i32.mul(i32.div_s(row, phaseRows), wide)));
              const [first, second] = [padLeft, i32.add(padLeft, one)].map(place);
              f.do(call(split, from, i32.add(row, first), i32.add(row, second), inWidth));
              f.increment(from, args.xRow);
            });
          });
        },
        () => stageGroup(f, args, context, image, group, staged),
      );
    },
  );
}

/** Depthwise convolution of planes; `panels` holds the filters as `packFilters` leaves them. */
export const depthwisePlanes = kernel(
  'convDepthwisePlanesF32',
  correlateFields,
  (f, args, context) => {
    const { m, shared, part } = context;
    const rows = tileRows(m);
    const add = addTaps(m, shared);
    const finishers = shared.once('convFinishRowsF32', () =>
      defineRows(m, 'convFinishRowsF32', (x, bias) => f32x4.add(x, bias)),
    );
    const rectifiers = shared.once('convReluRowsF32', () =>
      // y < 0 ? 0 : y; NaN stays
      defineRows(m, 'convReluRowsF32', (x, bias) => f32x4.pmax(f32x4.add(x, bias), v128.zero())),
    );
    const zero = i32.const(0);
    const staged = f.local('i32', i32.add(args.scratch, i32.mul(part, args.partBytes)));
    const [taps, result] = [args.tapsAt, args.resultAt].map((at) =>
      f.local('i32', i32.add(staged, at)),
    );
    const tapCount = f.local('i32', product(args.tapRows, args.tapColumns));
    const tapsEnd = f.local('i32', i32.add(taps, bytes(product(args.channels, tapCount))));
    const channel = f.local('i32', channelBytes(args));
    const panel = f.local('i32', product(args.channels, tapCount, i32.const(4 * rows)));
    const perGroup = f.local('i32', ceilDiv(args.filters, i32.const(rows)));
    const count = f.local('i32', i32.mul(args.outHeight, args.stagedWidth));
    const [image, group, filter, tap, to, place] = Array.from({ length: 6 }, () => f.local('i32'));
    const [weights, from, value] = [f.local('i32'), f.local('i32'), f.local('f32')];
    const quick = f.local(
      'i32',
      i32.and(
        inRows(args.yColumn, args.outWidth),
        i32.le_s(args.activation, i32.const(ACTIVATION.relu)),
      ),
    );
    // The padding stays zero from one image to the next.
    f.do(memory.fill(staged, zero, args.tapsAt));
    writeTaps(f, args, taps);
    // The taps of further planes are those of the plane before, a plane further.
    f.for(tap, i32.add(taps, bytes(tapCount)), tapsEnd, 4, () => {
      f.do(i32.store(tap, i32.add(channel, i32.load(i32.sub(tap, bytes(tapCount))))));
    });
    eachOfPart(f, i32.mul(args.images, args.groups), context, (plane) => {
      f.set(image, i32.div_s(plane, args.groups));
      f.set(group, i32.rem_s(plane, args.groups));
      stagePlanes(f, args, context, { image, group, staged });
      f.for(filter, zero, args.filters, 1, () => {
        const index = i32.add(i32.mul(group, perGroup), i32.div_s(filter, i32.const(rows)));
        const within = bytes(i32.rem_s(filter, i32.const(rows)));
        f.set(weights, sum(args.panels, i32.mul(index, panel), within));
        f.set(from, i32.add(result, i32.mul(filter, args.resultStep)));
        f.do(call(add, staged, taps, tapsEnd, weights, from, count));
        f.if(quick, () => {
          f.set(place, i32.add(i32.mul(group, args.filters), filter));
          f.set(to, sum(args.y, i32.mul(image, args.yImage), i32.mul(place, args.yChannel)));
          f.set(value, f32.const(0));
          f.if(args.bias, () =>
            f.set(value, f32.load(i32.add(args.bias, i32.mul(place, args.biasStep)))),
          );
          const operands = [from, args.resultRow, to, args.yRow, args.outHeight] as const;
          f.if(
            args.activation,
            () => f.do(call(rectifiers, ...operands, args.outWidth, value)),
            () => f.do(call(finishers, ...operands, args.outWidth, value)),
          );
        });
      });
      f.if(i32.eqz(quick), () => finishGroup(f, args, context, image, group, result));
    });
  },
);
