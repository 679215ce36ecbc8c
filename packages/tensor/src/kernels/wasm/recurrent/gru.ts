/**
 * Gated recurrent units over whole sequences; the mathematics is in kernels/js/recurrent-gru.ts, going back in
 * gru-grad.ts.
 *
 * The gates' own tensor [batch, time, 4·units] first takes x·Wx + b of all steps; its last quarter leaves room for the ends
 * of panels. The product with h stays apart, since the reset gate comes between.
 */
import { call } from '../assembler/assembler.js';
import { memory } from '../assembler/instructions.js';
import { command, kernel, type Lowering } from '../kernel.js';
import { emitSigmoid, emitTanh, madd } from '../math.js';
import { Preparation, allFloat32 } from './preparation.js';
import { add, int, matrixOf, none, padded, product, times } from './product.js';
import type { Place } from './product.js';
import {
  blockOf,
  copyRows,
  gatePointers,
  nothing,
  overBlocks,
  overSamples,
  overSteps,
  setBefore,
  work,
  type SampleBody,
} from './steps.js';
import type { GRUAttrs } from '../../../ops/recurrent.js';
import { f32x4 } from '../assembler/simd.js';

/** One step of one sample with resetAfter; p is h·Wh + b₁ of all gates. */
function stepAfter({ m }: Place): SampleBody {
  return (f, [gates, h, before, p], units) => {
    const [pz, pr, pc, pq] = gatePointers(f, gates, units, 4);
    const [hz, hr, hq] = gatePointers(f, p, units, 3);
    // Two loops, each with values that do not wait for each other: c would wait for r.
    const [qz, qr] = [f.local('i32', pz), f.local('i32', pr)];
    units.each([pz, pr, hz, hr], ({ load, store }) => {
      store(pr, emitSigmoid(f, m, f32x4.add(load(pr), load(hr))));
      store(pz, emitSigmoid(f, m, f32x4.add(load(pz), load(hz))));
    });
    units.each([qz, qr, pc, pq, hq, before, h], ({ load, store }) => {
      const q = f.local('v128', load(hq));
      const c = f.local('v128', emitTanh(f, m, madd(m, load(qr), q, load(pc))));
      const z = f.local('v128', load(qz));
      const fresh = f32x4.mul(f32x4.sub(f32x4.const(1), z), c);
      store(pq, q);
      store(pc, c);
      store(h, madd(m, z, load(before), fresh));
    });
  };
}

/** Without resetAfter, the gates z and r and what r makes of the state, q = r·h. */
function stepGates({ m }: Place): SampleBody {
  return (f, [gates, , before, p], units) => {
    const [pz, pr, , pq] = gatePointers(f, gates, units, 4);
    const [hz, hr] = gatePointers(f, p, units, 2);
    units.each([pz, pr, pq, hz, hr, before], ({ load, store }) => {
      store(pz, emitSigmoid(f, m, f32x4.add(load(pz), load(hz))));
      const r = f.local('v128', emitSigmoid(f, m, f32x4.add(load(pr), load(hr))));
      store(pr, r);
      store(pq, f32x4.mul(r, load(before)));
    });
  };
}

/** Then the candidate, with p = q·Wh, and the new state. */
function stepCandidate({ m }: Place): SampleBody {
  return (f, [gates, h, before, p], units) => {
    const [pz, , pc] = gatePointers(f, gates, units, 3);
    units.each([pz, pc, p, before, h], ({ load, store }) => {
      const c = f.local('v128', emitTanh(f, m, f32x4.add(load(pc), load(p))));
      const z = f.local('v128', load(pz));
      const fresh = f32x4.mul(f32x4.sub(f32x4.const(1), z), c);
      store(pc, c);
      store(h, madd(m, z, load(before), fresh));
    });
  };
}

/** A masked step: the state stays, the gates are 0. */
const keep: SampleBody = (f, [gates, h, before], { count }) => {
  const bytes = f.local('i32', times(count, 4));
  f.do(memory.copy(h, before, bytes), memory.fill(gates, int(0), times(bytes, 4)));
};

const forward = kernel(
  'gruF32',
  {
    batch: 'i32', time: 'i32', features: 'i32', units: 'i32', block: 'i32', backwards: 'i32', resetAfter: 'i32',
    x: 'i32', weights: 'i32', recurrent: 'i32', candidate: 'i32', bias: 'i32', hBias: 'i32', initial: 'i32', mask: 'i32',
    sequence: 'i32', state: 'i32', gates: 'i32', products: 'i32', room: 'i32',
  }, // prettier-ignore
  (f, args, context) => {
    const { time, features, units, x, weights, recurrent, candidate, bias, hBias, mask } = args;
    const { initial, sequence, gates, products, room } = args;
    const multiply = product(context);
    const copy = copyRows(context);
    const stateBytes = f.local('i32', times(units, 4));
    const gateBytes = f.local('i32', times(units, 16));
    const xBytes = f.local('i32', times(features, 4));
    const width = f.local('i32', times(units, 3));
    const [h, z, p, before, stride] = [1, 2, 3, 4, 5].map(() => f.local('i32'));
    overBlocks(f, args, context, (first, rows) => {
      const start = f.local('i32', times(first, time));
      const xRow = add(x, times(start, xBytes));
      const firstGates = add(gates, times(start, gateBytes));
      // prettier-ignore
      f.do(call(multiply, weights, width, times(rows, time), bias, int(0), firstGates, gateBytes, xRow, xBytes, features, ...none));
      const all = f.local('i32', times(time, stateBytes));
      const allGates = f.local('i32', times(time, gateBytes));
      f.set(p, add(products, times(first, room)));
      overSteps(f, args, 'first', (s, t) => {
        f.set(h, add(sequence, times(add(start, s), stateBytes)));
        f.set(z, add(gates, times(add(start, t), gateBytes)));
        setBefore(f, [before, stride], { s, first, time, stateBytes, initial, sequence });
        const samples = { rows, units, mask, time, first, t };
        const moving = [[z, allGates], [h, all], [before, stride], [p, room]] as const; // prettier-ignore
        const round = (name: string, step: SampleBody, kept: SampleBody): void =>
          overSamples(context, f, name, samples, moving, { step, kept });
        f.if(
          args.resetAfter,
          () => {
            // prettier-ignore
            f.do(call(multiply, recurrent, width, rows, hBias, int(0), p, room, before, stride, units, ...none));
            round('recurrentGruAfter', stepAfter(context), keep);
          },
          () => {
            const two = times(units, 2);
            const q = add(z, times(units, 12));
            // prettier-ignore
            f.do(call(multiply, recurrent, two, rows, hBias, int(0), p, room, before, stride, units, ...none));
            round('recurrentGruGates', stepGates(context), keep);
            // prettier-ignore
            f.do(call(multiply, candidate, units, rows, hBias, int(0), p, room, q, allGates, units, ...none));
            round('recurrentGruCandidate', stepCandidate(context), nothing);
          },
        );
      });
      setBefore(f, [before, stride], { s: time, first, time, stateBytes, initial, sequence });
      const state = add(args.state, times(first, stateBytes));
      f.do(call(copy, state, stateBytes, before, stride, rows, stateBytes));
    });
  },
);

export const gruKernels = [forward];

export const lowerGru: Lowering<GRUAttrs> = (
  { inputs, outputs, attrs: { goBackwards = false, resetAfter = true } },
  context,
) => {
  if (!allFloat32(inputs)) return null;
  const [x, weights, recurrent, bias, initial, mask] = inputs;
  const [sequence, state, gates] = outputs.map(({ address }) => address);
  const [batch, time, features] = x.shape;
  const units = recurrent.shape[0];
  const width = 3 * units;
  const prepare = new Preparation(context);
  const columns = resetAfter ? width : 2 * units;
  const main = command(
    forward,
    {
      batch,
      time,
      features,
      units,
      block: blockOf(batch, units * width),
      backwards: goBackwards ? 1 : 0,
      resetAfter: resetAfter ? 1 : 0,
      x: prepare.contiguous(x),
      weights: prepare.packed([matrixOf(weights)]),
      recurrent: prepare.packed([matrixOf(recurrent, { columns })]),
      candidate: resetAfter
        ? 0
        : prepare.packed([matrixOf(recurrent, { from: columns, columns: units })]),
      bias: prepare.bias(bias, width),
      hBias: prepare.bias(resetAfter ? bias : null, width, 1),
      initial: prepare.contiguous(initial),
      mask: prepare.contiguous(mask),
      sequence,
      state,
      gates,
      products: prepare.room(batch * padded(width)),
      room: 4 * padded(width),
    },
    work(batch * time, features + units, width),
  );
  return [...prepare.commands, main];
};
