/**
 * Gated recurrent units over whole sequences (Cho et al. 2014). See recurrent.ts for how the arrays lie.
 *
 *     z, r = σ(x·Wx + h·Wh + b)       update and reset
 *     c    = tanh(x·Wx + b + r·q)     with resetAfter, q = h·Wh + b₁: the reset gate acts on the product
 *     c    = tanh(x·Wx + b + q·Wh)    without, q = r·h: it acts on the state, as in the paper
 *     h'   = z·h + (1 − z)·c
 */
import { gemm } from './gemm.js';
import { carryRoom, keepState, lastState, productRoom, stateProduct } from './recurrent.js';
import type { TypedArray } from './types.js';

/**
 * x [batch, time, features] → sequence [batch, time, units], state [batch, units], and gates [batch, time, 4·units]: z, r,
 * c and q, 0 in masked steps. The bias has 3·units numbers, with resetAfter another 3·units for the product with h.
 */
// prettier-ignore
export function gru(
  batch: number, time: number, features: number, units: number,
  x: TypedArray, kernel: TypedArray, recurrent: TypedArray, bias: TypedArray | null, initial: TypedArray,
  mask: TypedArray | null, backwards: boolean, resetAfter: boolean,
  sequence: TypedArray, state: TypedArray, gates: TypedArray,
): void {
  const width = 3 * units, row = 4 * units;
  const U = units, U2 = 2 * units, U3 = 3 * units;
  const p = productRoom(sequence, batch * width);
  gemm(batch * time, width, features, x, 0, features, 1, kernel, 0, width, 1, gates, 0, row);
  if (bias !== null) {
    for (let start = 0; start < batch * time * row; start += row) for (let j = 0; j < width; j++) gates[start + j] += bias[j];
  }
  const hBias = resetAfter ? bias : null;
  for (let s = 0; s < time; s++) {
    const t = backwards ? time - 1 - s : s;
    const before = s === 0 ? initial : sequence;
    const productWidth = resetAfter ? width : 2 * units;
    stateProduct(s, batch, time, units, productWidth, initial, sequence, recurrent, width, p, width);
    for (let b = 0; b < batch; b++) {
      const iz = (b * time + t) * row, ip = b * width;
      const ih = s === 0 ? b * units : (b * time + s - 1) * units;
      if (mask !== null && mask[b * time + t] === 0) {
        keepState(b, s, time, units, initial, sequence);
        gates.fill(0, iz, iz + row);
        continue;
      }
      for (let j = 0; j < units; j++) {
        const y = iz + j, k = ip + j;
        let hz = p[k], hr = p[k + U], q: number;
        if (hBias !== null) {
          hz += hBias[U3 + j];
          hr += hBias[U3 + U + j];
        }
        const z = 1 / (1 + Math.exp(-gates[y] - hz));
        const r = 1 / (1 + Math.exp(-gates[y + U] - hr));
        if (resetAfter) {
          q = hBias === null ? p[k + U2] : p[k + U2] + hBias[U3 + U2 + j];
          gates[y + U2] = Math.tanh(gates[y + U2] + r * q);
        } else {
          q = r * before[ih + j];
        }
        gates[y] = z;
        gates[y + U] = r;
        gates[y + U3] = q;
      }
    }
    if (!resetAfter) {
      gemm(batch, units, units, gates, t * row + U3, time * row, 1, recurrent, U2, width, 1, p, U2, width);
    }
    for (let b = 0; b < batch; b++) {
      if (mask !== null && mask[b * time + t] === 0) continue;
      const iz = (b * time + t) * row, ip = b * width, to = (b * time + s) * units;
      const ih = s === 0 ? b * units : to - units;
      for (let j = 0; j < units; j++) {
        const y = iz + j;
        if (!resetAfter) gates[y + U2] = Math.tanh(gates[y + U2] + p[ip + U2 + j]);
        const z = gates[y];
        sequence[to + j] = z * before[ih + j] + (1 - z) * gates[y + U2];
      }
    }
  }
  lastState(batch, time, units, initial, sequence, state);
}

/**
 * Back through time. With dh the gradient of h':
 *
 *     dz = dh·(h − c)·z·(1 − z),  dc = dh·(1 − z)·(1 − c²),  dh = dh·z + [what goes through Wh]
 *     with resetAfter    dq = dc·r          dr = dc·q·r·(1 − r)      dh += [dz, dr, dq]·Whᵀ
 *     without            dq = dc·Wh_cᵀ      dr = dq·h·r·(1 − r)      dh += [dz, dr]·Wh_zrᵀ + dq·r
 *
 * dInput [batch, time, 3·units] is the gradient of x·Wx: dz, dr, dc. dRecurrent is that of the product with Wh: dz, dr and
 * dq with resetAfter, else dc.
 */
// prettier-ignore
export function gruGrad(
  batch: number, time: number, units: number,
  gSequence: TypedArray, gState: TypedArray, sequence: TypedArray, gates: TypedArray, recurrent: TypedArray,
  initial: TypedArray, mask: TypedArray | null, backwards: boolean, resetAfter: boolean,
  dInput: TypedArray, dRecurrent: TypedArray, dInitial: TypedArray,
): void {
  const width = 3 * units, row = 4 * units, all = batch * units;
  const U = units, U2 = 2 * units, U3 = 3 * units;
  const p = productRoom(dInput, all).fill(0, 0, all);
  const carry = carryRoom(all);
  for (let i = 0; i < all; i++) carry[i] = gState[i];
  for (let s = time - 1; s >= 0; s--) {
    const t = backwards ? time - 1 - s : s;
    const before = s === 0 ? initial : sequence;
    for (let b = 0; b < batch; b++) {
      const iz = (b * time + t) * width, iy = (b * time + t) * row, ip = b * units, ig = (b * time + s) * units;
      const ih = s === 0 ? ip : ig - units;
      if (mask !== null && mask[b * time + t] === 0) {
        for (let j = 0; j < units; j++) carry[ip + j] += p[ip + j] + gSequence[ig + j];
        dInput.fill(0, iz, iz + width);
        dRecurrent.fill(0, iz, iz + width);
        continue;
      }
      for (let j = 0; j < units; j++) {
        const y = iy + j, d = iz + j;
        const z = gates[y], r = gates[y + U], c = gates[y + U2];
        const dh = carry[ip + j] + p[ip + j] + gSequence[ig + j];
        const dz = dh * (before[ih + j] - c) * z * (1 - z);
        const dc = dh * (1 - z) * (1 - c * c);
        carry[ip + j] = dh * z;
        dInput[d] = dRecurrent[d] = dz;
        dInput[d + U2] = dc;
        if (resetAfter) {
          dInput[d + U] = dRecurrent[d + U] = dc * gates[y + U3] * r * (1 - r);
          dRecurrent[d + U2] = dc * r;
        } else {
          dRecurrent[d + U2] = dc;
        }
      }
    }
    if (resetAfter) {
      gemm(batch, units, width, dRecurrent, t * width, time * width, 1, recurrent, 0, 1, width, p, 0, units);
      continue;
    }
    gemm(batch, units, units, dInput, t * width + U2, time * width, 1, recurrent, U2, 1, width, p, 0, units);
    for (let b = 0; b < batch; b++) {
      if (mask !== null && mask[b * time + t] === 0) continue;
      const iz = (b * time + t) * width, iy = (b * time + t) * row, ip = b * units;
      const ih = s === 0 ? ip : (b * time + s - 1) * units;
      for (let j = 0; j < units; j++) {
        const r = gates[iy + U + j], dq = p[ip + j];
        dInput[iz + U + j] = dRecurrent[iz + U + j] = dq * before[ih + j] * r * (1 - r);
        carry[ip + j] += dq * r;
      }
    }
    gemm(batch, units, U2, dInput, t * width, time * width, 1, recurrent, 0, 1, width, p, 0, units);
  }
  for (let i = 0; i < all; i++) dInitial[i] = carry[i] + p[i];
}
