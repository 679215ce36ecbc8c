/**
 * Simple recurrent layers over whole sequences; the mathematics is in kernels/js/recurrent.ts.
 *
 * The sums of a step go to a place of its own, whose rows have room for whole vectors, and tanh is begun there.
 */
import { call } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { i32, memory } from '../assembler/instructions.js';
import { command, kernel, type Lowering } from '../kernel.js';
import { beginActivation, endActivation } from './activations.js';
import { Preparation, allFloat32 } from './preparation.js';
import { add, int, matrixOf, none, padded, product, times } from './product.js';
import {
  addRow,
  blockOf,
  copyRows,
  overBlocks,
  overSamples,
  overSteps,
  setBefore,
  tanhGradient,
  work,
  type SampleBody,
} from './steps.js';
import type { RecurrentAttrs } from '../../../ops/recurrent.js';
import { f32x4, v128 } from '../assembler/simd.js';

/** h = tanh z, which has been begun. */
const cellForward: SampleBody = (f, [z, exponents, h], units) =>
  units.each([z, exponents, h], ({ load, store }) =>
    store(h, endActivation(f, 'tanh', load(z), load(exponents))),
  );

const keepForward: SampleBody = (f, [, , h, before], { count }) =>
  f.do(memory.copy(h, before, times(count, 4)));

const forward = kernel(
  'simpleRnnF32',
  {
    batch: 'i32', time: 'i32', features: 'i32', units: 'i32', block: 'i32', backwards: 'i32',
    x: 'i32', weights: 'i32', bias: 'i32', initial: 'i32', mask: 'i32', sequence: 'i32', state: 'i32',
    sums: 'i32', exponents: 'i32', sumBytes: 'i32',
  }, // prettier-ignore
  (f, args, context) => {
    const { time, features, units, x, weights, bias, mask } = args;
    const { initial, sequence, sums, sumBytes } = args;
    const multiply = product(context);
    const beginTanh = beginActivation(context, 'tanh');
    const copy = copyRows(context);
    const stateBytes = f.local('i32', times(units, 4));
    const xBytes = f.local('i32', times(features, 4));
    const [h, before, stride] = [1, 2, 3].map(() => f.local('i32'));
    overBlocks(f, args, context, (first, rows) => {
      const start = f.local('i32', times(first, time));
      const z = f.local('i32', add(sums, times(first, sumBytes)));
      const exponents = f.local('i32', add(args.exponents, times(first, sumBytes)));
      const all = f.local('i32', times(time, stateBytes));
      const allX = f.local('i32', times(time, xBytes));
      overSteps(f, args, 'first', (s, t) => {
        f.set(h, add(sequence, times(add(start, s), stateBytes)));
        setBefore(f, [before, stride], { s, first, time, stateBytes, initial, sequence });
        const xRow = add(x, times(add(start, t), xBytes));
        // prettier-ignore
        f.do(
          call(multiply, weights, units, rows, bias, int(0), z, sumBytes, xRow, allX, features, before, stride, units),
          call(beginTanh, z, i32.shr_u(times(rows, sumBytes), int(4)), exponents),
        );
        const samples = { rows, units, mask, time, first, t };
        const moving = [[z, sumBytes], [exponents, sumBytes], [h, all], [before, stride]] as const; // prettier-ignore
        const bodies = { step: cellForward, kept: keepForward };
        overSamples(context, f, 'recurrentRnnStep', samples, moving, bodies);
      });
      setBefore(f, [before, stride], { s: time, first, time, stateBytes, initial, sequence });
      const state = add(args.state, times(first, stateBytes));
      f.do(call(copy, state, stateBytes, before, stride, rows, stateBytes));
    });
  },
);

/** dz = (dh + gSequence)·(1 − h²), and dh = 0. */
const cellBackward: SampleBody = (f, [h, dz, gSequence, dh], units) =>
  units.each([h, dz, gSequence, dh], ({ load, store }) => {
    const y = f.local('v128', load(h));
    store(dz, tanhGradient(f32x4.add(load(dh), load(gSequence)), y));
    store(dh, v128.zero());
  });

const keepBackward: SampleBody = (f, [, dz, gSequence, dh], units) => {
  f.do(memory.fill(dz, int(0), times(units.count, 4)));
  addRow(f, dh, gSequence, units);
};

const backward = kernel(
  'simpleRnnGradF32',
  {
    batch: 'i32', time: 'i32', units: 'i32', block: 'i32', backwards: 'i32',
    gSequence: 'i32', gState: 'i32', sequence: 'i32', recurrent: 'i32', mask: 'i32',
    dz: 'i32', dInitial: 'i32', dh: 'i32', room: 'i32',
  }, // prettier-ignore
  (f, args, context) => {
    const { time, units, gSequence, sequence, recurrent, mask, dz, dh, room } = args;
    const multiply = product(context);
    const copy = copyRows(context);
    const stateBytes = f.local('i32', times(units, 4));
    const [g, y, z] = [1, 2, 3].map(() => f.local('i32'));
    overBlocks(f, args, context, (first, rows) => {
      const start = f.local('i32', times(first, time));
      const dhRow = f.local('i32', add(dh, times(first, room)));
      const of = (state: Expr<'i32'>): Expr<'i32'> => add(state, times(first, stateBytes));
      f.do(call(copy, dhRow, room, of(args.gState), stateBytes, rows, stateBytes));
      const all = f.local('i32', times(time, stateBytes));
      overSteps(f, args, 'last', (s, t) => {
        f.set(g, add(gSequence, times(add(start, s), stateBytes)));
        f.set(y, add(sequence, times(add(start, s), stateBytes)));
        f.set(z, add(dz, times(add(start, t), stateBytes)));
        const samples = { rows, units, mask, time, first, t };
        const moving = [[y, all], [z, all], [g, all], [dhRow, room]] as const; // prettier-ignore
        const bodies = { step: cellBackward, kept: keepBackward };
        overSamples(context, f, 'recurrentRnnBack', samples, moving, bodies);
        f.do(
          call(multiply, recurrent, units, rows, dhRow, room, dhRow, room, z, all, units, ...none),
        );
      });
      f.do(call(copy, of(args.dInitial), stateBytes, dhRow, room, rows, stateBytes));
    });
  },
);

export const rnnKernels = [forward, backward];

export const lowerRnn: Lowering<RecurrentAttrs> = (
  { inputs, outputs, attrs: { goBackwards = false } },
  context,
) => {
  if (!allFloat32(inputs)) return null;
  const [x, weights, recurrent, bias, initial, mask] = inputs;
  const [sequence, state] = outputs.map(({ address }) => address);
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
      block: blockOf(batch, units * units),
      backwards: goBackwards ? 1 : 0,
      x: prepare.contiguous(x),
      weights: prepare.packed([matrixOf(weights), matrixOf(recurrent)]),
      bias: prepare.bias(bias, units),
      initial: prepare.contiguous(initial),
      mask: prepare.contiguous(mask),
      sequence,
      state,
      sums: prepare.room(batch * padded(units)),
      exponents: prepare.room(batch * padded(units)),
      sumBytes: 4 * padded(units),
    },
    work(batch * time, features + units, units),
  );
  return [...prepare.commands, main];
};

export const lowerRnnGrad: Lowering<RecurrentAttrs> = (
  { inputs, outputs, attrs: { goBackwards = false } },
  context,
) => {
  if (!allFloat32(inputs)) return null;
  const [gSequence, gState, sequence, recurrent, mask] = inputs;
  const [dz, dInitial] = outputs.map(({ address }) => address);
  const [batch, time, units] = gSequence.shape;
  const prepare = new Preparation(context);
  const main = command(
    backward,
    {
      batch,
      time,
      units,
      block: blockOf(batch, units * units),
      backwards: goBackwards ? 1 : 0,
      gSequence: prepare.contiguous(gSequence),
      gState: prepare.contiguous(gState),
      sequence: prepare.contiguous(sequence),
      recurrent: prepare.packed([matrixOf(recurrent, { transposed: true })]),
      mask: prepare.contiguous(mask),
      dz,
      dInitial,
      dh: prepare.room(batch * padded(units)),
      room: 4 * padded(units),
    },
    work(batch * time, units, units),
  );
  return [...prepare.commands, main];
};
