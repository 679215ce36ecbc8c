/** Gated recurrent units back through time; the mathematics is in kernels/js/recurrent-gru.ts. */
import { call } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { memory } from '../assembler/instructions.js';
import { command, kernel, type Lowering } from '../kernel.js';
import { madd } from '../math.js';
import { Preparation, allFloat32 } from './preparation.js';
import { add, int, matrixOf, none, padded, product, times } from './product.js';
import type { Place } from './product.js';
import {
  addRow,
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
import type { GRUAttrs } from '../../../ops/recurrent.js';
import { f32x4 } from '../assembler/simd.js';

/** One step of one sample: dz and dc, and with resetAfter dr and dq; dh becomes dh·z. */
function cellBackward(resetAfter: boolean): SampleBody {
  return (f, [gates, dInput, dRecurrent, gSequence, dh, before], units) => {
    const [pz, pr, pc, pq] = gatePointers(f, gates, units, 4);
    const [iz, ir, ic] = gatePointers(f, dInput, units, 3);
    const [rz, rr, rc] = gatePointers(f, dRecurrent, units, 3);
    const all = [pz, pr, pc, pq, iz, ir, ic, rz, rr, rc, before, gSequence, dh];
    units.each(all, ({ load, store }) => {
      const z = f.local('v128', load(pz));
      const c = f.local('v128', load(pc));
      const gradient = f.local('v128', f32x4.add(load(dh), load(gSequence)));
      const ofZ = f32x4.mul(gradient, f32x4.sub(load(before), c));
      const dz = f.local('v128', sigmoidGradient(ofZ, z));
      const ofC = f32x4.mul(gradient, f32x4.sub(f32x4.const(1), z));
      const dc = f.local('v128', tanhGradient(ofC, c));
      store(dh, f32x4.mul(gradient, z));
      store(iz, dz);
      store(rz, dz);
      store(ic, dc);
      if (resetAfter) {
        const r = f.local('v128', load(pr));
        const dr = f.local('v128', sigmoidGradient(f32x4.mul(dc, load(pq)), r));
        store(ir, dr);
        store(rr, dr);
        store(rc, f32x4.mul(dc, r));
      } else store(rc, dc);
    });
  };
}

/** Without resetAfter, with p the gradient dq of r·h: dr = dq·h·r·(1 − r) and dh += dq·r. */
function resetBackward({ m }: Place): SampleBody {
  return (f, [gates, dInput, dRecurrent, , dh, before, p], units) => {
    const [, pr] = gatePointers(f, gates, units, 2);
    const [, ir] = gatePointers(f, dInput, units, 2);
    const [, rr] = gatePointers(f, dRecurrent, units, 2);
    units.each([pr, ir, rr, before, p, dh], ({ load, store }) => {
      const r = f.local('v128', load(pr));
      const dq = f.local('v128', load(p));
      const dr = f.local('v128', sigmoidGradient(f32x4.mul(dq, load(before)), r));
      store(ir, dr);
      store(rr, dr);
      store(dh, madd(m, dq, r, load(dh)));
    });
  };
}

/** A masked step: the state's gradient goes on. */
const keep: SampleBody = (f, [, dInput, dRecurrent, gSequence, dh], units) => {
  const bytes = f.local('i32', times(units.count, 12));
  f.do(memory.fill(dInput, int(0), bytes), memory.fill(dRecurrent, int(0), bytes));
  addRow(f, dh, gSequence, units);
};

const backward = kernel(
  'gruGradF32',
  {
    batch: 'i32', time: 'i32', units: 'i32', block: 'i32', backwards: 'i32', resetAfter: 'i32',
    gSequence: 'i32', gState: 'i32', sequence: 'i32', gates: 'i32', recurrent: 'i32', candidate: 'i32', initial: 'i32',
    mask: 'i32', dInput: 'i32', dRecurrent: 'i32', dInitial: 'i32', dh: 'i32', products: 'i32', zeros: 'i32', room: 'i32',
  }, // prettier-ignore
  (f, args, context) => {
    const { time, units, gSequence, sequence, gates, recurrent, candidate, initial, mask } = args;
    const { dInput, dRecurrent, dh, products, zeros, room } = args;
    const multiply = product(context);
    const copy = copyRows(context);
    const stateBytes = f.local('i32', times(units, 4));
    const gateBytes = f.local('i32', times(units, 16));
    const zBytes = f.local('i32', times(units, 12));
    const [g, y, i, r, before, stride] = [1, 2, 3, 4, 5, 6].map(() => f.local('i32'));
    overBlocks(f, args, context, (first, rows) => {
      const start = f.local('i32', times(first, time));
      const dhRow = f.local('i32', add(dh, times(first, room)));
      const pRow = f.local('i32', add(products, times(first, room)));
      const of = (state: Expr<'i32'>): Expr<'i32'> => add(state, times(first, stateBytes));
      f.do(call(copy, dhRow, room, of(args.gState), stateBytes, rows, stateBytes));
      const all = f.local('i32', times(time, stateBytes));
      const allGates = f.local('i32', times(time, gateBytes));
      const allZ = f.local('i32', times(time, zBytes));
      overSteps(f, args, 'last', (s, t) => {
        f.set(g, add(gSequence, times(add(start, s), stateBytes)));
        f.set(y, add(gates, times(add(start, t), gateBytes)));
        f.set(i, add(dInput, times(add(start, t), zBytes)));
        f.set(r, add(dRecurrent, times(add(start, t), zBytes)));
        setBefore(f, [before, stride], { s, first, time, stateBytes, initial, sequence });
        const samples = { rows, units, mask, time, first, t };
        // prettier-ignore
        const moving = [
          [y, allGates], [i, allZ], [r, allZ], [g, all], [dhRow, room], [before, stride], [pRow, room],
        ] as const;
        const round = (name: string, step: SampleBody, kept: SampleBody): void =>
          overSamples(context, f, name, samples, moving, { step, kept });
        f.if(
          args.resetAfter,
          () => {
            round('recurrentGruBackAfter', cellBackward(true), keep);
            const three = times(units, 3);
            // prettier-ignore
            f.do(call(multiply, recurrent, units, rows, dhRow, room, dhRow, room, r, allZ, three, ...none));
          },
          () => {
            const [two, c] = [times(units, 2), add(i, times(units, 8))];
            round('recurrentGruBack', cellBackward(false), keep);
            f.do(
              call(
                multiply,
                candidate,
                units,
                rows,
                zeros,
                int(0),
                pRow,
                room,
                c,
                allZ,
                units,
                ...none,
              ),
            );
            round('recurrentGruBackReset', resetBackward(context), nothing);
            f.do(
              call(
                multiply,
                recurrent,
                units,
                rows,
                dhRow,
                room,
                dhRow,
                room,
                i,
                allZ,
                two,
                ...none,
              ),
            );
          },
        );
      });
      f.do(call(copy, of(args.dInitial), stateBytes, dhRow, room, rows, stateBytes));
    });
  },
);

export const gruGradKernels = [backward];

export const lowerGruGrad: Lowering<GRUAttrs> = (
  { inputs, outputs, attrs: { goBackwards = false, resetAfter = true } },
  context,
) => {
  if (!allFloat32(inputs)) return null;
  const [gSequence, gState, sequence, gates, recurrent, initial, mask] = inputs;
  const [dInput, dRecurrent, dInitial] = outputs.map(({ address }) => address);
  const [batch, time, units] = gSequence.shape;
  const prepare = new Preparation(context);
  const columns = resetAfter ? 3 * units : 2 * units;
  const transposed = true;
  const main = command(
    backward,
    {
      batch,
      time,
      units,
      block: blockOf(batch, units * 3 * units),
      backwards: goBackwards ? 1 : 0,
      resetAfter: resetAfter ? 1 : 0,
      gSequence: prepare.contiguous(gSequence),
      gState: prepare.contiguous(gState),
      sequence: prepare.contiguous(sequence),
      gates: prepare.contiguous(gates),
      recurrent: prepare.packed([matrixOf(recurrent, { columns, transposed })]),
      candidate: resetAfter
        ? 0
        : prepare.packed([matrixOf(recurrent, { from: columns, columns: units, transposed })]),
      initial: prepare.contiguous(initial),
      mask: prepare.contiguous(mask),
      dInput,
      dRecurrent,
      dInitial,
      dh: prepare.room(batch * padded(units)),
      products: prepare.room(batch * padded(units)),
      zeros: prepare.bias(null, units),
      room: 4 * padded(units),
    },
    work(batch * time, units, 3 * units),
  );
  return [...prepare.commands, main];
};
