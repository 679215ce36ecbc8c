/**
 * Long short-term memory over whole sequences: Hochreiter & Schmidhuber (Neural Computation 9, 1997) with the forget gate
 * of Gers et al. (2000). See recurrent.ts for how the arrays lie.
 *
 *     i, f, o = σ(x·Wx + h·Wh + b)      c' = f·c + i·g
 *     g       = tanh(x·Wx + h·Wh + b)   h' = o·tanh c'
 */
import { gemm } from './gemm.js';
import { carryRoom, keepState, lastState, productRoom, stateProduct } from './recurrent.js';
import type { TypedArray } from './types.js';

/**
 * x [batch, time, features] → sequence of h and `cells` of c [batch, time, units], last h and c [batch, units], and
 * gates [batch, time, 5·units]: i, f, g, o and tanh c, 0 in masked steps.
 */
// prettier-ignore
export function lstm(
  batch: number, time: number, features: number, units: number,
  x: TypedArray, kernel: TypedArray, recurrent: TypedArray, bias: TypedArray | null,
  initial: TypedArray, initialCell: TypedArray, mask: TypedArray | null, backwards: boolean,
  sequence: TypedArray, state: TypedArray, cell: TypedArray, cells: TypedArray, gates: TypedArray,
): void {
  const width = 4 * units, row = 5 * units;
  const p = productRoom(sequence, batch * width);
  const U = units, U2 = 2 * units, U3 = 3 * units, U4 = 4 * units;
  gemm(batch * time, width, features, x, 0, features, 1, kernel, 0, width, 1, gates, 0, row);
  if (bias !== null) {
    for (let start = 0; start < batch * time * row; start += row) for (let j = 0; j < width; j++) gates[start + j] += bias[j];
  }
  for (let s = 0; s < time; s++) {
    const t = backwards ? time - 1 - s : s;
    stateProduct(s, batch, time, units, width, initial, sequence, recurrent, width, p, width);
    const before = s === 0 ? initialCell : cells;
    for (let b = 0; b < batch; b++) {
      const iz = (b * time + t) * row, ip = b * width, ih = (b * time + s) * units;
      const ic = s === 0 ? b * units : ih - units;
      if (mask !== null && mask[b * time + t] === 0) {
        keepState(b, s, time, units, initial, sequence);
        keepState(b, s, time, units, initialCell, cells);
        gates.fill(0, iz, iz + row);
        continue;
      }
      for (let j = 0; j < units; j++) {
        const z = iz + j, q = ip + j;
        const i = 1 / (1 + Math.exp(-gates[z] - p[q]));
        const f = 1 / (1 + Math.exp(-gates[z + U] - p[q + U]));
        const g = Math.tanh(gates[z + U2] + p[q + U2]);
        const o = 1 / (1 + Math.exp(-gates[z + U3] - p[q + U3]));
        const c = f * before[ic + j] + i * g;
        const tanhC = Math.tanh(c);
        gates[z] = i;
        gates[z + U] = f;
        gates[z + U2] = g;
        gates[z + U3] = o;
        gates[z + U4] = tanhC;
        cells[ih + j] = c;
        sequence[ih + j] = o * tanhC;
      }
    }
  }
  lastState(batch, time, units, initial, sequence, state);
  lastState(batch, time, units, initialCell, cells, cell);
}

/**
 * Back through time. With dh and dc the gradients of h' and c':
 *
 *     dc += dh·o·(1 − tanh² c')      di = dc·g,  df = dc·c,  dg = dc·i,  do = dh·tanh c'
 *     dz_σ = d·y·(1 − y),  dz_g = dg·(1 − g²)      dh = dz·Whᵀ,  dc = dc·f
 */
// prettier-ignore
export function lstmGrad(
  batch: number, time: number, units: number,
  gSequence: TypedArray, gState: TypedArray, gCell: TypedArray,
  cells: TypedArray, gates: TypedArray, recurrent: TypedArray, initialCell: TypedArray,
  mask: TypedArray | null, backwards: boolean,
  dz: TypedArray, dInitial: TypedArray, dInitialCell: TypedArray,
): void {
  const width = 4 * units, row = 5 * units, all = batch * units;
  const U = units, U2 = 2 * units, U3 = 3 * units, U4 = 4 * units;
  // dh = what goes past the step's weights (all of it in a masked step) + p, what goes through them; then dc.
  const p = productRoom(dz, all).fill(0, 0, all);
  const carry = carryRoom(2 * all);
  for (let i = 0; i < all; i++) {
    carry[i] = gState[i];
    carry[all + i] = gCell[i];
  }
  for (let s = time - 1; s >= 0; s--) {
    const t = backwards ? time - 1 - s : s;
    const before = s === 0 ? initialCell : cells;
    for (let b = 0; b < batch; b++) {
      const iz = (b * time + t) * width, iy = (b * time + t) * row, ip = b * units, ih = (b * time + s) * units;
      const ic = s === 0 ? ip : ih - units;
      if (mask !== null && mask[b * time + t] === 0) {
        for (let j = 0; j < units; j++) carry[ip + j] += p[ip + j] + gSequence[ih + j];
        dz.fill(0, iz, iz + width);
        continue;
      }
      for (let j = 0; j < units; j++) {
        const y = iy + j, z = iz + j, h = ip + j;
        const i = gates[y], f = gates[y + U], g = gates[y + U2], o = gates[y + U3], tanhC = gates[y + U4];
        const dh = carry[h] + p[h] + gSequence[ih + j];
        const dc = carry[all + h] + dh * o * (1 - tanhC * tanhC);
        dz[z] = dc * g * i * (1 - i);
        dz[z + U] = dc * before[ic + j] * f * (1 - f);
        dz[z + U2] = dc * i * (1 - g * g);
        dz[z + U3] = dh * tanhC * o * (1 - o);
        carry[h] = 0;
        carry[all + h] = dc * f;
      }
    }
    gemm(batch, units, width, dz, t * width, time * width, 1, recurrent, 0, 1, width, p, 0, units);
  }
  for (let i = 0; i < all; i++) {
    dInitial[i] = carry[i] + p[i];
    dInitialCell[i] = carry[all + i];
  }
}
