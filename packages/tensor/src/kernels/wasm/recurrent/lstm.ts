/**
 * Long short-term memory over whole sequences; the mathematics is in kernels/js/recurrent-lstm.ts.
 *
 * The sums of a step go to scratch without gaps, in which the activations are begun (activations.ts): those of i, f and o, which
 * all are sigmoids, in rows of their own, and o from a whole panel on.
 */
import { call, type Local } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { i32, memory } from '../assembler/instructions.js';
import { command, kernel, type Lowering } from '../kernel.js';
import { roundUp } from '../heap.js';
import { madd } from '../math.js';
import { beginActivation, endActivation } from './activations.js';
import { Preparation, allFloat32, biasOf } from './preparation.js';
import { PANEL, add, int, matrixOf, none, padded, product, sub, times } from './product.js';
import type { Matrix, Place } from './product.js';
import {
  addRow,
  blockOf,
  copyRows,
  gatePointers,
  gatesAt,
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

/** Columns of i and f, and none besides, before o begins. */
const columnsBeforeO = (units: number): number => roundUp(2 * units, PANEL);

/** The cell of one step of one sample; the gates come as activations that have been begun. */
function cellForward({ m }: Place): SampleBody {
  return (f, [gates, , c, , before, sums, sumsG, sumsC, exponents, exponentsG], units) => {
    const gateBytes = f.local('i32', times(units.count, 4));
    const bytesBeforeO = i32.and(add(times(gateBytes, 2), 4 * PANEL - 1), int(-4 * PANEL));
    const toO = f.local('i32', bytesBeforeO);
    const all = [gates, c, before, sums, sumsG, sumsC, exponents, exponentsG];
    units.each(all, ({ load, store }) => {
      const end = (activation: 'sigmoid' | 'tanh', p: Expr<'i32'>, e: Expr<'i32'>): Local<'v128'> =>
        endActivation(f, activation, load(p), load(e));
      const i = end('sigmoid', sums, exponents);
      const forget = end('sigmoid', add(sums, gateBytes), add(exponents, gateBytes));
      const o = end('sigmoid', add(sums, toO), add(exponents, toO));
      const g = end('tanh', sumsG, exponentsG);
      const cell = f.local('v128', madd(m, forget, load(before), f32x4.mul(g, i)));
      const [pi, pf, pg, po] = gatesAt(f, gates, gateBytes, 4);
      store(pi, i);
      store(pf, forget);
      store(pg, g);
      store(po, o);
      store(c, cell);
      store(sumsC, cell);
    });
  };
}

/** Then what it puts out. */
const outputForward: SampleBody = (f, pointers, units) => {
  const [gates, h, , , , , , sumsC, , , exponentsC] = pointers;
  const [, , , po, pt] = gatePointers(f, gates, units, 5);
  units.each([po, pt, sumsC, exponentsC, h], ({ load, store }) => {
    const tanhC = endActivation(f, 'tanh', load(sumsC), load(exponentsC));
    store(pt, tanhC);
    store(h, f32x4.mul(load(po), tanhC));
  });
};

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
    x: 'i32', weights: 'i32', weightsG: 'i32', bias: 'i32', biasG: 'i32', initial: 'i32', initialCell: 'i32', mask: 'i32',
    sequence: 'i32', state: 'i32', cell: 'i32', cells: 'i32', gates: 'i32',
    sums: 'i32', exponents: 'i32', ifoBytes: 'i32', gBytes: 'i32', columnsBeforeO: 'i32',
  }, // prettier-ignore
  (f, args, context) => {
    const { time, features, units, x, weights, weightsG, bias, biasG, mask } = args;
    const { sequence, cells, gates, sums, ifoBytes, gBytes, columnsBeforeO } = args;
    const multiply = product(context);
    const beginSigmoid = beginActivation(context, 'sigmoid');
    const beginTanh = beginActivation(context, 'tanh');
    const copy = copyRows(context);
    const stateBytes = f.local('i32', times(units, 4));
    const gateBytes = f.local('i32', times(units, 20));
    const xBytes = f.local('i32', times(features, 4));
    const widthIfo = f.local('i32', add(columnsBeforeO, units));
    const sumBytes = f.local('i32', add(ifoBytes, times(gBytes, 2)));
    const [h, c, z] = [f.local('i32'), f.local('i32'), f.local('i32')];
    const [hBefore, cBefore, stride] = [f.local('i32'), f.local('i32'), f.local('i32')];
    overBlocks(f, args, context, (first, rows) => {
      const ifo = f.local('i32', add(sums, times(first, sumBytes)));
      const g = f.local('i32', add(ifo, times(rows, ifoBytes)));
      const cell = f.local('i32', add(g, times(rows, gBytes)));
      const beside = sub(args.exponents, sums);
      const [exponents, exponentsG, exponentsC] = [ifo, g, cell].map((at) =>
        f.local('i32', add(at, beside)),
      );
      const vectors = (bytes: Local<'i32'>): Expr<'i32'> => i32.shr_u(times(rows, bytes), int(4));
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
        f.do(
          call(multiply, weights, widthIfo, rows, bias, int(0), ifo, ifoBytes, xRow, allX, features, hBefore, stride, units),
          call(multiply, weightsG, units, rows, biasG, int(0), g, gBytes, xRow, allX, features, hBefore, stride, units),
          call(beginSigmoid, ifo, vectors(ifoBytes), exponents),
          call(beginTanh, g, vectors(gBytes), exponentsG),
        );
        const samples = { rows, units, mask, time, first, t };
        // prettier-ignore
        const moving = [
          [z, allGates], [h, all], [c, all], [hBefore, stride], [cBefore, stride], [ifo, ifoBytes], [g, gBytes],
          [cell, gBytes], [exponents, ifoBytes], [exponentsG, gBytes], [exponentsC, gBytes],
        ] as const;
        overSamples(context, f, 'recurrentLstmCell', samples, moving, {
          step: cellForward(context),
          kept: keepForward,
        });
        f.do(call(beginTanh, cell, vectors(gBytes), exponentsC));
        overSamples(context, f, 'recurrentLstmOutput', samples, moving, {
          step: outputForward,
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
  const { add: plus, mul } = f32x4;
  const gateBytes = f.local('i32', times(units.count, 4));
  units.each([gates, dz, before, gSequence, dh, dc], ({ load, store }) => {
    const values = gatesAt(f, gates, gateBytes, 5);
    const gradients = gatesAt(f, dz, gateBytes, 4);
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
        f.do(
          call(multiply, recurrent, units, rows, dhRow, room, dhRow, room, z, allZ, width, ...none),
        );
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
  const both = (gate: number, columns: number): Matrix[] =>
    [weights, recurrent].map((w) => matrixOf(w, { from: gate * units, columns }));
  const biases = (gate: number, columns: number): Matrix[] => [
    biasOf(bias, { from: gate * units, columns }),
  ];
  const [widthIfo, widthG] = [padded(columnsBeforeO(units) + units), padded(units)];
  const room = batch * (widthIfo + 2 * widthG);
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
      weights: prepare.packed(both(0, 2 * units), both(3, units)),
      weightsG: prepare.packed(both(2, units)),
      bias: prepare.packed(biases(0, 2 * units), biases(3, units)),
      biasG: prepare.packed(biases(2, units)),
      initial: prepare.contiguous(initial),
      initialCell: prepare.contiguous(initialCell),
      mask: prepare.contiguous(mask),
      sequence,
      state,
      cell,
      cells,
      gates,
      sums: prepare.room(room),
      exponents: prepare.room(room),
      ifoBytes: 4 * widthIfo,
      gBytes: 4 * widthG,
      columnsBeforeO: columnsBeforeO(units),
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
      recurrent: prepare.packed([matrixOf(recurrent, { transposed: true })]),
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
