/**
 * Panels of patches and panels of filters, and their product: what `correlate` is made of.
 *
 * A panel of patches holds NR neighbouring positions. As the staged planes are padded and have their strides undone, these are a
 * run of the plane, or two where they go on in the next row; only rows shorter than a panel need more.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
  type ModuleBuilder,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { bytes, ceilDiv, minimum, product, sum } from '../integers.js';
import { NR, tileRows } from '../gemm/micro.js';
import { f32, i32 } from '../assembler/instructions.js';
import { eachOfPart, kernel, type SharedFunctions } from '../kernel.js';
import { v128 } from '../assembler/simd.js';

/** Bytes of one row of a panel. */
const PANEL_ROW = 4 * NR;

/** (from, taps, tapCount, channels, channelBytes, panel, …): packs a panel of patches for a block of channels. */
type Pack<Extra extends readonly 'i32'[]> = FunctionRef<
  readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', ...Extra],
  'void'
>;

/** For each channel and tap the address of the panel's first position, and of the panel's row. */
function eachTap(
  f: FunctionBuilder,
  [from, taps, tapCount, channels, channelBytes, panel]: readonly Local<'i32'>[],
  body: (source: Local<'i32'>, row: Local<'i32'>) => void,
): void {
  const [tap, source] = [f.local('i32'), f.local('i32')];
  const end = f.local('i32', i32.add(taps, bytes(tapCount)));
  f.while(channels, () => {
    f.for(tap, taps, end, 4, () => {
      f.set(source, i32.add(from, i32.load(tap)));
      body(source, panel);
      f.increment(panel, PANEL_ROW);
    });
    f.increment(from, channelBytes);
    f.increment(channels, -1);
  });
}

const copy8 = (f: FunctionBuilder, from: Expr<'i32'>, to: Expr<'i32'>): void =>
  f.do(v128.store(to, v128.load(from)), v128.store(to, v128.load(from, 16), 16));

/** All positions of the panel are neighbours. */
function packRun(m: ModuleBuilder, shared: SharedFunctions): Pack<[]> {
  return shared.once('convPackRunF32', () =>
    m.function(
      'convPackRunF32',
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, ...params) => {
        eachTap(f, params, (source, row) => copy8(f, source, row));
      },
    ),
  );
}

/**
 * (…, split, skip): after `split` bytes of a panel's row the positions go on `skip` bytes further. What is too much of the first
 * run is overwritten by the second, and of that by the next row.
 */
function packTwoRuns(m: ModuleBuilder, shared: SharedFunctions): Pack<['i32', 'i32']> {
  return shared.once('convPackTwoRunsF32', () =>
    m.function(
      'convPackTwoRunsF32',
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, ...params) => {
        const [split, skip] = params.slice(6);
        f.set(skip, i32.add(skip, split));
        eachTap(f, params, (source, row) => {
          copy8(f, source, row);
          copy8(f, i32.add(source, skip), i32.add(row, split));
        });
      },
    ),
  );
}

/** (…, offsets): each position has an offset of its own, in a table. */
function packScattered(m: ModuleBuilder, shared: SharedFunctions): Pack<['i32']> {
  return shared.once('convPackScatteredF32', () =>
    m.function(
      'convPackScatteredF32',
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, ...params) => {
        const table = params[6];
        const offsets = Array.from({ length: NR }, (_, i) =>
          f.local('i32', i32.load(table, 4 * i)),
        );
        eachTap(f, params, (source, row) => {
          offsets.forEach((offset, i) => {
            f.do(f32.store(row, f32.load(i32.add(source, offset)), 4 * i));
          });
        });
      },
    ),
  );
}

/**
 * Filters into panels [group][panel][c][t][MR], filled up with zeros. Element (u, v, c, f) of group q is at
 * weights + q·groupStep + u·rowStep + v·columnStep + c·channelStep + f·filterStep.
 */
export const packFilters = kernel(
  'convPackFiltersF32',
  {
    weights: 'i32',
    panels: 'i32',
    groups: 'i32',
    channels: 'i32',
    filters: 'i32',
    tapRows: 'i32',
    tapColumns: 'i32',
    groupStep: 'i32',
    rowStep: 'i32',
    columnStep: 'i32',
    channelStep: 'i32',
    filterStep: 'i32',
  },
  (f, args, context) => {
    const { m, shared } = context;
    const rows = tileRows(m);
    const packRow = shared.once('convPackFilterF32', () =>
      // (from, step, to, count): a row of a panel, zeros where filters are missing
      m.function(
        'convPackFilterF32',
        ['i32', 'i32', 'i32', 'i32'],
        'void',
        (g, from, step, to, count) => {
          for (let i = 0; i < rows; i++) {
            g.if(
              i32.gt_s(count, i32.const(i)),
              () => g.do(f32.store(to, f32.load(from), 4 * i)),
              () => g.do(f32.store(to, f32.const(0), 4 * i)),
            );
            g.increment(from, step);
          }
        },
      ),
    );
    const { groups, channels, filters, tapRows, tapColumns } = args;
    const perGroup = f.local('i32', ceilDiv(filters, i32.const(rows)));
    const panelBytes = product(channels, tapRows, tapColumns, i32.const(4 * rows));
    const [first, from, to] = [f.local('i32'), f.local('i32'), f.local('i32')];
    const [c, u, v] = [f.local('i32'), f.local('i32'), f.local('i32')];
    const zero = i32.const(0);
    eachOfPart(f, i32.mul(groups, perGroup), context, (panel) => {
      f.set(to, i32.add(args.panels, i32.mul(panel, panelBytes)));
      f.set(first, i32.mul(i32.rem_s(panel, perGroup), i32.const(rows)));
      f.for(c, zero, channels, 1, () => {
        f.for(u, zero, tapRows, 1, () => {
          f.for(v, zero, tapColumns, 1, () => {
            f.set(
              from,
              sum(
                args.weights,
                i32.mul(i32.div_s(panel, perGroup), args.groupStep),
                i32.mul(u, args.rowStep),
                i32.mul(v, args.columnStep),
                i32.mul(c, args.channelStep),
                i32.mul(first, args.filterStep),
              ),
            );
            f.do(call(packRow, from, args.filterStep, to, i32.sub(filters, first)));
            f.increment(to, 4 * rows);
          });
        });
      });
    });
  },
);

/** (…, first position, outWidth, stagedWidth, positions): packs a panel by whichever way fits its positions. */
export function packPanel(
  m: ModuleBuilder,
  shared: SharedFunctions,
): Pack<['i32', 'i32', 'i32', 'i32']> {
  const [run, twoRuns, scattered] = [
    packRun(m, shared),
    packTwoRuns(m, shared),
    packScattered(m, shared),
  ];
  return shared.once('convPackPanelF32', () =>
    m.function(
      'convPackPanelF32',
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, from, taps, tapCount, channels, channel, panel, p, outWidth, stagedWidth, positions) => {
        const place = (i: Expr<'i32'>): Expr<'i32'> =>
          bytes(i32.add(i32.mul(i32.div_s(i, outWidth), stagedWidth), i32.rem_s(i, outWidth)));
        const inRow = f.local('i32', i32.sub(outWidth, i32.rem_s(p, outWidth)));
        const start = f.local('i32', i32.add(from, place(p)));
        f.if(i32.ge_s(inRow, i32.const(NR)), () => {
          f.do(call(run, start, taps, tapCount, channels, channel, panel));
          f.return();
        });
        f.if(i32.ge_s(i32.add(inRow, outWidth), i32.const(NR)), () => {
          const skip = bytes(i32.sub(stagedWidth, outWidth));
          f.do(call(twoRuns, start, taps, tapCount, channels, channel, panel, bytes(inRow), skip));
          f.return();
        });
        // The panel's own end serves as the table of offsets: it is packed last.
        const table = i32.add(panel, bytes(product(channels, tapCount, i32.const(NR))));
        for (let i = 0; i < NR; i++) {
          const position = minimum(i32.add(p, i32.const(i)), i32.sub(positions, i32.const(1)));
          f.do(i32.store(table, place(position), 4 * i));
        }
        f.do(call(scattered, from, taps, tapCount, channels, channel, panel, table));
      },
    ),
  );
}
