/**
 * The convolution behind `conv` and `convTranspose`: a product of filters with patches, of which only one panel exists at a time.
 *
 *     y[f, p] = Σ_c Σ_t  filters[f, (c, t)] · staged[c][offset(t) + position(p)]
 *
 *          NR positions                      An image is first copied into zero-padded planes, so that no tap needs a
 *        ┌───────────┐                       test for the edges. Where the windows move by more than 1, a plane is
 *   k =  │           │  one panel, packed    taken apart into phases: elements h with the same h mod stride. Then
 *  (c, t)│  patches  │  for a block of       neighbouring positions read neighbouring elements, whatever stride
 *        └───────────┘  channels             and dilation are, and all that a tap means is an offset.
 *   ┌───┐┌───────────┐
 * MR│   ││     y     │  for all filters, while the panel is in the first-level cache
 *   └───┘└───────────┘
 *
 * Threads share the images.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
  type ModuleBuilder,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { copyRow, finishRow, transpose } from './copy.js';
import { bytes, ceilDiv, minimum, product, sum } from '../integers.js';
import { packPanel } from './panels.js';
import { NR, tileColumn, tileRows } from '../gemm/micro.js';
import { f32, i32, memory, select } from '../assembler/instructions.js';
import { eachOfPart, kernel, type KernelContext, type SharedFunctions } from '../kernel.js';

/** What `correlate` and its direct relative for depthwise convolution are told. */
export const correlateFields = {
  // The data, in bytes from one to the next
  x: 'i32',
  xImage: 'i32',
  xChannel: 'i32',
  xRow: 'i32',
  xColumn: 'i32',
  inHeight: 'i32',
  inWidth: 'i32',
  // The result
  y: 'i32',
  yImage: 'i32',
  yChannel: 'i32',
  yRow: 'i32',
  yColumn: 'i32',
  outHeight: 'i32',
  outWidth: 'i32',
  // Counts; channels and filters are those of one group
  images: 'i32',
  groups: 'i32',
  channels: 'i32',
  filters: 'i32',
  // A staged plane: [phaseRows][phaseColumns][stagedHeight][stagedWidth]
  padTop: 'i32',
  padLeft: 'i32',
  phaseRows: 'i32',
  phaseColumns: 'i32',
  stagedHeight: 'i32',
  stagedWidth: 'i32',
  // The taps: tap (a, b) lies rowStart + a·rowStep rows and columnStart + b·columnStep columns from a position's first
  tapRows: 'i32',
  tapColumns: 'i32',
  rowStart: 'i32',
  rowStep: 'i32',
  columnStart: 'i32',
  columnStep: 'i32',
  /** How many channels make a block. */
  blockChannels: 'i32',
  // What follows
  bias: 'i32',
  biasStep: 'i32',
  activation: 'i32',
  // Memory: filters as packFilters leaves them, and for each part staged planes, a table of taps, a panel and results
  panels: 'i32',
  scratch: 'i32',
  partBytes: 'i32',
  tapsAt: 'i32',
  panelAt: 'i32',
  resultAt: 'i32',
  resultStep: 'i32',
  resultRow: 'i32',
} as const;

type CorrelateLocals = Readonly<Record<keyof typeof correlateFields, Local<'i32'>>>;

/** The byte offsets of all taps, in a table at `taps`. */
export function writeTaps(f: FunctionBuilder, args: CorrelateLocals, taps: Expr<'i32'>): void {
  const [a, b, to] = [f.local('i32'), f.local('i32'), f.local('i32', taps)];
  const [row, column] = [f.local('i32'), f.local('i32', i32.const(0))];
  const zero = i32.const(0);
  const phase = f.local('i32', product(args.stagedHeight, args.stagedWidth));
  f.set(row, args.rowStart);
  f.for(a, zero, args.tapRows, 1, () => {
    f.set(column, args.columnStart);
    f.for(b, zero, args.tapColumns, 1, () => {
      const phaseOf = sum(
        product(i32.rem_s(row, args.phaseRows), args.phaseColumns),
        i32.rem_s(column, args.phaseColumns),
      );
      const inside = sum(
        product(i32.div_s(row, args.phaseRows), args.stagedWidth),
        i32.div_s(column, args.phaseColumns),
      );
      f.do(i32.store(to, bytes(i32.add(i32.mul(phaseOf, phase), inside))));
      f.increment(to, 4);
      f.increment(column, args.columnStep);
    });
    f.increment(row, args.rowStep);
  });
}

/** Bytes of a staged channel with all its phases. */
export const channelBytes = (args: CorrelateLocals): Expr<'i32'> =>
  bytes(product(args.phaseRows, args.phaseColumns, args.stagedHeight, args.stagedWidth));

type StageFunction = FunctionRef<'i32'[], 'void'>;

const STAGE_PARAMS = [
  'xRow',
  'xColumn',
  'inHeight',
  'inWidth',
  'padTop',
  'padLeft',
  'phaseRows',
  'phaseColumns',
  'stagedHeight',
  'stagedWidth',
] as const;

/** (from, to, …STAGE_PARAMS): copies a plane into its place among zeros. */
function stagePlane(m: ModuleBuilder, shared: SharedFunctions): StageFunction {
  const copy = copyRow(m, shared);
  const types = new Array<'i32'>(2 + STAGE_PARAMS.length).fill('i32');
  return shared.once('convStagePlaneF32', () =>
    m.function('convStagePlaneF32', types, 'void', (f, from, to, ...params) => {
      const [xRow, xColumn, inHeight, inWidth, padTop, padLeft] = params;
      const [phaseRows, phaseColumns, height, width] = params.slice(6);
      const [h, phase, first] = [f.local('i32'), f.local('i32'), f.local('i32')];
      const [row, zero] = [f.local('i32'), i32.const(0)];
      f.for(h, zero, inHeight, 1, () => {
        f.set(row, i32.add(h, padTop));
        const phaseRow = product(i32.rem_s(row, phaseRows), phaseColumns, height);
        f.set(row, product(i32.add(phaseRow, i32.div_s(row, phaseRows)), width));
        f.for(phase, zero, phaseColumns, 1, () => {
          // The first column w ≥ 0 with (w + padLeft) mod phaseColumns = phase
          const behind = i32.sub(i32.add(phase, phaseColumns), i32.rem_s(padLeft, phaseColumns));
          f.set(first, i32.rem_s(behind, phaseColumns));
          const place = sum(
            row,
            product(phase, height, width),
            i32.div_s(i32.add(first, padLeft), phaseColumns),
          );
          f.if(i32.lt_s(first, inWidth), () => {
            f.do(
              call(
                copy,
                i32.add(from, i32.mul(first, xColumn)),
                i32.mul(xColumn, phaseColumns),
                i32.add(to, bytes(place)),
                i32.const(4),
                ceilDiv(i32.sub(inWidth, first), phaseColumns),
              ),
            );
          });
        });
        f.increment(from, xRow);
      });
    }),
  );
}

/** Copies the channels of one group of one image into the staged planes. */
export function stageGroup(
  f: FunctionBuilder,
  args: CorrelateLocals,
  { m, shared }: KernelContext,
  image: Expr<'i32'>,
  group: Expr<'i32'>,
  staged: Expr<'i32'>,
): void {
  const stage = stagePlane(m, shared);
  const matrix = transpose(m, shared);
  const [c, from, to] = [f.local('i32'), f.local('i32'), f.local('i32')];
  const four = i32.const(4);
  f.set(to, staged);
  f.set(
    from,
    sum(args.x, i32.mul(image, args.xImage), product(group, args.channels, args.xChannel)),
  );
  const onePhase = i32.eq(i32.mul(args.phaseRows, args.phaseColumns), i32.const(1));
  f.if(
    i32.and(onePhase, i32.eq(args.xChannel, four)),
    () => {
      // Pixels of channels: a row is a matrix [columns, channels].
      const place = i32.add(product(args.padTop, args.stagedWidth), args.padLeft);
      f.set(to, i32.add(to, bytes(place)));
      f.for(c, i32.const(0), args.inHeight, 1, () => {
        const channel = channelBytes(args);
        f.do(call(matrix, from, args.xColumn, to, channel, args.inWidth, args.channels));
        f.increment(from, args.xRow);
        f.increment(to, bytes(args.stagedWidth));
      });
    },
    () => {
      f.for(c, i32.const(0), args.channels, 1, () => {
        f.do(call(stage, from, to, ...STAGE_PARAMS.map((name) => args[name])));
        f.increment(from, args.xChannel);
        f.increment(to, channelBytes(args));
      });
    },
  );
}

/**
 * Brings the results of one group of one image to their place, through bias and activation: planes `resultStep` bytes apart, rows
 * `resultRow`.
 */
export function finishGroup(
  f: FunctionBuilder,
  args: CorrelateLocals,
  { m, shared }: KernelContext,
  image: Expr<'i32'>,
  group: Expr<'i32'>,
  result: Expr<'i32'>,
): void {
  const [finish, copy, matrix] = [finishRow(m, shared), copyRow(m, shared), transpose(m, shared)];
  const [filter, line, from, to] = ['i32', 'i32', 'i32', 'i32'].map(() => f.local('i32'));
  const [zero, four] = [i32.const(0), i32.const(4)];
  const first = f.local('i32', i32.mul(group, args.filters));
  const y = f.local('i32');
  f.set(y, sum(args.y, i32.mul(image, args.yImage), i32.mul(first, args.yChannel)));
  const bias = f.local('i32', i32.add(args.bias, i32.mul(first, args.biasStep)));
  const value = f.local('f32');
  // Rows that follow each other without a gap, here and there, are one.
  const joined = f.local(
    'i32',
    i32.and(
      i32.eq(args.yRow, i32.mul(args.yColumn, args.outWidth)),
      i32.eq(args.resultRow, bytes(args.outWidth)),
    ),
  );
  const lines = f.local('i32', select(i32.const(1), args.outHeight, joined));
  const width = f.local(
    'i32',
    i32.mul(args.outWidth, select(args.outHeight, i32.const(1), joined)),
  );
  const eachRow = (body: () => void): void => {
    f.for(filter, zero, args.filters, 1, () => {
      f.set(from, i32.add(result, i32.mul(filter, args.resultStep)));
      f.set(to, i32.add(y, i32.mul(filter, args.yChannel)));
      f.set(value, f32.const(0));
      f.if(args.bias, () => f.set(value, f32.load(i32.add(bias, i32.mul(filter, args.biasStep)))));
      f.for(line, zero, lines, 1, () => {
        body();
        f.increment(from, args.resultRow);
        f.increment(to, args.yRow);
      });
    });
  };
  const inRows = f.local('i32', i32.eq(args.yColumn, four));
  f.if(i32.or(inRows, i32.or(args.activation, args.bias)), () => {
    eachRow(() =>
      f.do(call(finish, from, select(to, from, inRows), width, value, args.activation)),
    );
  });
  f.if(i32.eqz(inRows), () => {
    f.if(
      i32.eq(args.yChannel, four),
      () => {
        f.set(from, result);
        f.set(to, y);
        f.for(line, zero, lines, 1, () => {
          f.do(call(matrix, from, args.resultStep, to, args.yColumn, args.filters, width));
          f.increment(from, args.resultRow);
          f.increment(to, args.yRow);
        });
      },
      () => eachRow(() => f.do(call(copy, from, four, to, args.yColumn, width))),
    );
  });
}

export const correlate = kernel('convCorrelateF32', correlateFields, (f, args, context) => {
  const { m, shared, part } = context;
  const rows = tileRows(m);
  const times = tileColumn(m, shared, rows);
  const [aStep, bStep] = [i32.const(4 * rows), i32.const(4 * NR)];
  const pack = packPanel(m, shared);
  const zero = i32.const(0);
  const staged = f.local('i32', i32.add(args.scratch, i32.mul(part, args.partBytes)));
  const [taps, panel, result] = [args.tapsAt, args.panelAt, args.resultAt].map((at) =>
    f.local('i32', i32.add(staged, at)),
  );
  const tapCount = f.local('i32', i32.mul(args.tapRows, args.tapColumns));
  const positions = f.local('i32', i32.mul(args.outHeight, args.outWidth));
  const aPanel = f.local('i32', product(args.channels, tapCount, i32.const(4 * rows)));
  const channel = f.local('i32', channelBytes(args));
  const [group, c, count, k, p] = ['i32', 'i32', 'i32', 'i32', 'i32'].map(() => f.local('i32'));
  const [a, from] = [f.local('i32'), f.local('i32')];
  const panelCount = f.local('i32', ceilDiv(args.filters, i32.const(rows)));
  // The padding stays zero from one image to the next.
  f.do(memory.fill(staged, zero, args.tapsAt));
  writeTaps(f, args, taps);
  eachOfPart(f, args.images, context, (image) => {
    f.for(group, zero, args.groups, 1, () => {
      stageGroup(f, args, context, image, group, staged);
      f.set(a, i32.add(args.panels, product(group, panelCount, aPanel)));
      f.set(from, staged);
      // Where no tap of a transposed convolution reaches, there is nothing to add up.
      const nothing = i32.eqz(tapCount);
      f.if(nothing, () => f.do(memory.fill(result, zero, i32.mul(args.filters, args.resultStep))));
      f.for(c, zero, select(zero, args.channels, nothing), args.blockChannels, () => {
        f.set(count, minimum(args.blockChannels, i32.sub(args.channels, c)));
        f.set(k, i32.mul(count, tapCount));
        f.for(p, zero, positions, NR, () => {
          f.do(
            call(
              pack,
              from,
              taps,
              tapCount,
              count,
              channel,
              panel,
              p,
              args.outWidth,
              args.stagedWidth,
              positions,
            ),
          );
          const to = i32.add(result, bytes(p));
          f.do(call(times, a, aPanel, aStep, panel, bStep, to, args.resultStep, k, c, panelCount));
        });
        f.set(a, i32.add(a, i32.mul(k, i32.const(4 * rows))));
        f.set(from, i32.add(from, i32.mul(count, channel)));
      });
      finishGroup(f, args, context, image, group, result);
    });
  });
});
