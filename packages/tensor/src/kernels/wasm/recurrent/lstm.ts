/**
 * Long short-term memory over whole sequences; the mathematics is in kernels/js/recurrent-lstm.ts.
 *
 * The gates' own tensor [batch, time, 5·units] first takes a step's x·Wx + b, then h·Wh on top, then what the activations
 * make of it.
 */
import { call } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { memory } from '../assembler/instructions.js';
import { command, kernel, type Lowering } from '../kernel.js';
import { emitSigmoid, emitTanh, madd } from '../math.js';
import { add, int, matrixOf, padded, product, times } from './product.js';
import type { Place } from './product.js';
import {
  Preparation,
  addRow,
  allFloat32,
  blockOf,
  copyRows,
  gatePointers,
  nothing,
  overBlocks,
  overSamples,
  overSteps,
  setBefore,
  sigmoidGradient,
  tanhGradient,
  work,
  type SampleBody,
} from './steps.js';
import type { RecurrentAttrs } from '../../../ops/recurrent.js';
import { f32x4, v128 } from '../assembler/simd.js';

/** The cell of one step of one sample; the gates come as sums and leave as values. */
function cellForward({ m }: Place): SampleBody {
  return (f, [gates, , c, , before], units) => {
    const [pi, pf, pg] = gatePointers(f, gates, units, 3);
    units.each([pi, pf, pg, before, c], ({ load, store }) => {
      const i = f.local('v128', emitSigmoid(f, m, load(pi)));
      const forget = f.local('v128', emitSigmoid(f, m, load(pf)));
      const g = f.local('v128', emitTanh(f, m, load(pg)));
      store(pi, i);
      store(pf, forget);
      store(pg, g);
      store(c, madd(m, forget, load(before), f32x4.mul(g, i)));
    });
  };
}

/** Then what it puts out. */
function outputForward({ m }: Place): SampleBody {
  return (f, [gates, h, c], units) => {
    const [, , , po, pt] = gatePointers(f, gates, units, 5);
    units.each([po, pt, c, h], ({ load, store }) => {
      const o = f.local('v128', emitSigmoid(f, m, load(po)));
      const tanhC = f.local('v128', emitTanh(f, m, load(c)));
      store(po, o);
      store(pt, tanhC);
      store(h, f32x4.mul(o, tanhC));
    });
  };
}

/** A masked step: the states stay, the gates are 0. */
const keepForward: SampleBody = (f, [gates, h, c, hBefore, cBefore], { count }) => {
  const bytes = f.local('i32', times(count, 4));
  f.do(
    memory.copy(h, hBefore, bytes),
    memory.copy(c, cBefore, bytes),
    memory.fill(gates, int(0), times(bytes, 5)),
  );
};

const forward = kernel(
  'lstmF32',
  {
    batch: 'i32', time: 'i32', features: 'i32', units: 'i32', block: 'i32', backwards: 'i32',
    x: 'i32', weights: 'i32', recurrent: 'i32', bias: 'i32', initial: 'i32', initialCell: 'i32', mask: 'i32',
    sequence: 'i32', state: 'i32', cell: 'i32', cells: 'i32', gates: 'i32',
  }, // prettier-ignore
  (f, args, context) => {
    const { time, features, units, x, weights, recurrent, bias, mask } = args;
    const { sequence, cells, gates } = args;
    const multiply = product(context);
    const copy = copyRows(context);
    const stateBytes = f.local('i32', times(units, 4));
    const gateBytes = f.local('i32', times(units, 20));
    const xBytes = f.local('i32', times(features, 4));
    const width = f.local('i32', times(units, 4));
    const [h, c, z] = [f.local('i32'), f.local('i32'), f.local('i32')];
    const [hBefore, cBefore, stride] = [f.local('i32'), f.local('i32'), f.local('i32')];
    overBlocks(f, args, context, (first, rows) => {
      const start = f.local('i32', times(first, time));
      const all = f.local('i32', times(time, stateBytes));
      const allGates = f.local('i32', times(time, gateBytes));
      const allX = f.local('i32', times(time, xBytes));
      overSteps(f, args, 'first', (s, t) => {
        f.set(h, add(sequence, times(add(start, s), stateBytes)));
        f.set(c, add(cells, times(add(start, s), stateBytes)));
        f.set(z, add(gates, times(add(start, t), gateBytes)));
        const place = { s, first, time, stateBytes };
        setBefore(f, [hBefore, stride], { ...place, initial: args.initial, sequence });
        setBefore(f, [cBefore, stride], { ...place, initial: args.initialCell, sequence: cells });
        const xRow = add(x, times(add(start, t), xBytes));
        // prettier-ignore
        f.do(call(multiply, weights, features, width, xRow, allX, rows, bias, int(0), z, allGates));
        // prettier-ignore
        f.do(call(multiply, recurrent, units, width, hBefore, stride, rows, z, allGates, z, allGates));
        const samples = { rows, units, mask, time, first, t };
        const moving = [[z, allGates], [h, all], [c, all], [hBefore, stride], [cBefore, stride]] as const; // prettier-ignore
        overSamples(context, f, 'recurrentLstmCell', samples, moving, {
          step: cellForward(context),
          kept: keepForward,
        });
        overSamples(context, f, 'recurrentLstmOutput', samples, moving, {
          step: outputForward(context),
          kept: nothing,
        });
      });
      const last = { s: time, first, time, stateBytes };
      const to = (state: Expr<'i32'>): Expr<'i32'> => add(state, times(first, stateBytes));
      setBefore(f, [hBefore, stride], { ...last, initial: args.initial, sequence });
      f.do(call(copy, to(args.state), stateBytes, hBefore, stride, rows, stateBytes));
      setBefore(f, [cBefore, stride], { ...last, initial: args.initialCell, sequence: cells });
      f.do(call(copy, to(args.cell), stateBytes, cBefore, stride, rows, stateBytes));
    });
  },
);

/** One step of one sample, back. */
const cellBackward: SampleBody = (f, [gates, dz, gSequence, dh, dc, before], units) => {
  const values = gatePointers(f, gates, units, 5);
  const gradients = gatePointers(f, dz, units, 4);
  const { add: plus, mul } = f32x4;
  const all = [...values, ...gradients, before, gSequence, dh, dc];
  units.each(all, ({ load, store }) => {
    const [i, forget, g, o, tanhC] = values.map((at) => f.local('v128', load(at)));
    const ofState = f.local('v128', plus(load(dh), load(gSequence)));
    store(gradients[3], sigmoidGradient(mul(ofState, tanhC), o));
    const ofCell = f.local('v128', plus(load(dc), tanhGradient(mul(ofState, o), tanhC)));
    store(gradients[0], sigmoidGradient(mul(ofCell, g), i));
    store(gradients[1], sigmoidGradient(mul(ofCell, load(before)), forget));
    store(gradients[2], tanhGradient(mul(ofCell, i), g));
    store(dh, v128.zero());
    store(dc, mul(ofCell, forget));
  });
};

/** A masked step, back: the state's gradient goes on. */
const keepBackward: SampleBody = (f, [, dz, gSequence, dh], units) => {
  f.do(memory.fill(dz, int(0), times(units.count, 16)));
  addRow(f, dh, gSequence, units);
};

const backward = kernel(
  'lstmGradF32',
  {
    batch: 'i32', time: 'i32', units: 'i32', block: 'i32', backwards: 'i32',
    gSequence: 'i32', gState: 'i32', gCell: 'i32', cells: 'i32', gates: 'i32', recurrent: 'i32', initialCell: 'i32',
    mask: 'i32', dz: 'i32', dInitial: 'i32', dInitialCell: 'i32', dh: 'i32', dc: 'i32', room: 'i32',
  }, // prettier-ignore
  (f, args, context) => {
    const { time, units, gSequence, cells, gates, recurrent, mask, dz, dh, dc, room } = args;
    const multiply = product(context);
    const copy = copyRows(context);
    const stateBytes = f.local('i32', times(units, 4));
    const gateBytes = f.local('i32', times(units, 20));
    const zBytes = f.local('i32', times(units, 16));
    const width = f.local('i32', times(units, 4));
    const [g, y, z] = [1, 2, 3].map(() => f.local('i32'));
    const [cBefore, stride] = [f.local('i32'), f.local('i32')];
    overBlocks(f, args, context, (first, rows) => {
      const start = f.local('i32', times(first, time));
      const dhRow = f.local('i32', add(dh, times(first, room)));
      const dcRow = f.local('i32', add(dc, times(first, room)));
      const of = (state: Expr<'i32'>): Expr<'i32'> => add(state, times(first, stateBytes));
      f.do(call(copy, dhRow, room, of(args.gState), stateBytes, rows, stateBytes));
      f.do(call(copy, dcRow, room, of(args.gCell), stateBytes, rows, stateBytes));
      const all = f.local('i32', times(time, stateBytes));
      const allGates = f.local('i32', times(time, gateBytes));
      const allZ = f.local('i32', times(time, zBytes));
      overSteps(f, args, 'last', (s, t) => {
        f.set(g, add(gSequence, times(add(start, s), stateBytes)));
        f.set(y, add(gates, times(add(start, t), gateBytes)));
        f.set(z, add(dz, times(add(start, t), zBytes)));
        const place = { s, first, time, stateBytes };
        setBefore(f, [cBefore, stride], { ...place, initial: args.initialCell, sequence: cells });
        const samples = { rows, units, mask, time, first, t };
        const moving = [[y, allGates], [z, allZ], [g, all], [dhRow, room], [dcRow, room], [cBefore, stride]] as const; // prettier-ignore
        const bodies = { step: cellBackward, kept: keepBackward };
        overSamples(context, f, 'recurrentLstmBack', samples, moving, bodies);
        f.do(call(multiply, recurrent, width, units, z, allZ, rows, dhRow, room, dhRow, room));
      });
      f.do(call(copy, of(args.dInitial), stateBytes, dhRow, room, rows, stateBytes));
      f.do(call(copy, of(args.dInitialCell), stateBytes, dcRow, room, rows, stateBytes));
    });
  },
);

export const lstmKernels = [forward, backward];

export const lowerLstm: Lowering<RecurrentAttrs> = (
  { inputs, outputs, attrs: { goBackwards = false } },
  context,
) => {
  if (!allFloat32(inputs)) return null;
  const [x, weights, recurrent, bias, initial, initialCell, mask] = inputs;
  const [sequence, state, cell, cells, gates] = outputs.map(({ address }) => address);
  const [batch, time, features] = x.shape;
  const units = recurrent.shape[0];
  const prepare = new Preparation(context);
  const main = command(
    forward,
    {
      batch,
      time,
      features,
      units,
      block: blockOf(batch, units * 4 * units),
      backwards: goBackwards ? 1 : 0,
      x: prepare.contiguous(x),
      weights: prepare.packed(matrixOf(weights)),
      recurrent: prepare.packed(matrixOf(recurrent)),
      bias: prepare.bias(bias, 4 * units),
      initial: prepare.contiguous(initial),
      initialCell: prepare.contiguous(initialCell),
      mask: prepare.contiguous(mask),
      sequence,
      state,
      cell,
      cells,
      gates,
    },
    work(batch * time, features + units, 4 * units),
  );
  return [...prepare.commands, main];
};

export const lowerLstmGrad: Lowering<RecurrentAttrs> = (
  { inputs, outputs, attrs: { goBackwards = false } },
  context,
) => {
  if (!allFloat32(inputs)) return null;
  const [gSequence, gState, gCell, cells, gates, recurrent, initialCell, mask] = inputs;
  const [dz, dInitial, dInitialCell] = outputs.map(({ address }) => address);
  const [batch, time, units] = gSequence.shape;
  const prepare = new Preparation(context);
  const main = command(
    backward,
    {
      batch,
      time,
      units,
      block: blockOf(batch, units * 4 * units),
      backwards: goBackwards ? 1 : 0,
      gSequence: prepare.contiguous(gSequence),
      gState: prepare.contiguous(gState),
      gCell: prepare.contiguous(gCell),
      cells: prepare.contiguous(cells),
      gates: prepare.contiguous(gates),
      recurrent: prepare.packed(matrixOf(recurrent, { transposed: true })),
      initialCell: prepare.contiguous(initialCell),
      mask: prepare.contiguous(mask),
      dz,
      dInitial,
      dInitialCell,
      dh: prepare.room(batch * padded(units)),
      dc: prepare.room(batch * padded(units)),
      room: 4 * padded(units),
    },
    work(batch * time, units, 4 * units),
  );
  return [...prepare.commands, main];
};
