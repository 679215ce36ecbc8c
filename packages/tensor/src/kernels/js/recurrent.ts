/**
 * Recurrent layers over whole sequences: what their kernels share, and the simplest of them.
 *
 * All arrays are row-major from index 0. Batch and time come first: element (b, t, j) of the input side is at
 * (b·time + t)·width + j. Step s works on time t = s, or with `backwards` on t = time − 1 − s; what belongs to the input
 * (projections, gates, mask) is indexed by t, what belongs to the state by s.
 *
 * The projection x·Wx of all steps is one product, made before the loop. Each step then needs h·Wh, one product over
 * the batch, and a loop over the units with the gates written out. Going back, each step turns the gradient of its
 * state into the gradient dz of what went into its activations; h's gradient is dz·Whᵀ. The gradients of the weights
 * are products over all steps of dz at once, and are left to affineGrad and matmul.
 *
 * A step whose mask is 0 keeps the state: it passes the state's gradient on and has dz = 0.
 */
import { gemm } from './gemm.js';
import type { TypedArray } from './types.js';

let product32 = new Float32Array(0);
let product64 = new Float64Array(0);
let carried = new Float64Array(0);
let projected32 = new Float32Array(0);
let projected64 = new Float64Array(0);

/** Room for one step's product, of the element type of `like`. What it held before is gone. */
export function productRoom(like: TypedArray, length: number): Float32Array | Float64Array {
  if (like instanceof Float32Array) {
    if (product32.length < length) product32 = new Float32Array(length);
    return product32;
  }
  if (product64.length < length) product64 = new Float64Array(length);
  return product64;
}

/** Room for the gradients that go from step to step. */
export function carryRoom(length: number): Float64Array {
  if (carried.length < length) carried = new Float64Array(length);
  return carried;
}

function projectionRoom(like: TypedArray, length: number): Float32Array | Float64Array {
  if (like instanceof Float32Array) {
    if (projected32.length < length) projected32 = new Float32Array(length);
    return projected32;
  }
  if (projected64.length < length) projected64 = new Float64Array(length);
  return projected64;
}

/** C[batch×n] = h·W: h is the initial state [batch, units] in step 0, and later step − 1 of the sequence [batch, time, units]. */
// prettier-ignore
export function stateProduct(
  step: number, batch: number, time: number, units: number, n: number,
  initial: TypedArray, sequence: TypedArray, w: TypedArray, wRow: number, c: TypedArray, cRow: number,
): void {
  if (step === 0) gemm(batch, n, units, initial, 0, units, 1, w, 0, wRow, 1, c, 0, cRow);
  else gemm(batch, n, units, sequence, (step - 1) * units, time * units, 1, w, 0, wRow, 1, c, 0, cRow);
}

/** h_s = h_(s−1) for one sample of the batch. */
// prettier-ignore
export function keepState(
  b: number, step: number, time: number, units: number, initial: TypedArray, sequence: TypedArray,
): void {
  const to = (b * time + step) * units;
  if (step === 0) for (let j = 0; j < units; j++) sequence[to + j] = initial[b * units + j];
  else sequence.copyWithin(to, to - units, to);
}

/** The state after the last step. */
// prettier-ignore
export function lastState(
  batch: number, time: number, units: number, initial: TypedArray, sequence: TypedArray, state: TypedArray,
): void {
  for (let b = 0; b < batch; b++) {
    const from = (b * time + time - 1) * units;
    for (let j = 0; j < units; j++) {
      state[b * units + j] = time === 0 ? initial[b * units + j] : sequence[from + j];
    }
  }
}

/**
 * h_t = tanh(x_t·Wx + h_(t−1)·Wh + b). Elman, "Finding structure in time" (Cognitive Science 14, 1990).
 * x [batch, time, features] → sequence [batch, time, units], state [batch, units].
 */
// prettier-ignore
export function simpleRNN(
  batch: number, time: number, features: number, units: number,
  x: TypedArray, kernel: TypedArray, recurrent: TypedArray, bias: TypedArray | null, initial: TypedArray,
  mask: TypedArray | null, backwards: boolean, sequence: TypedArray, state: TypedArray,
): void {
  const z = projectionRoom(sequence, batch * time * units);
  const p = productRoom(sequence, batch * units);
  gemm(batch * time, units, features, x, 0, features, 1, kernel, 0, units, 1, z, 0, units);
  for (let s = 0; s < time; s++) {
    const t = backwards ? time - 1 - s : s;
    stateProduct(s, batch, time, units, units, initial, sequence, recurrent, units, p, units);
    for (let b = 0; b < batch; b++) {
      if (mask !== null && mask[b * time + t] === 0) {
        keepState(b, s, time, units, initial, sequence);
        continue;
      }
      const iz = (b * time + t) * units, ip = b * units, ih = (b * time + s) * units;
      if (bias === null) for (let j = 0; j < units; j++) sequence[ih + j] = Math.tanh(z[iz + j] + p[ip + j]);
      else for (let j = 0; j < units; j++) sequence[ih + j] = Math.tanh(z[iz + j] + p[ip + j] + bias[j]);
    }
  }
  lastState(batch, time, units, initial, sequence, state);
}

/** dz_t = dh_t·(1 − h_t²), dh_(t−1) = dz_t·Whᵀ; the gradient of each step's own output is added to dh_t. */
// prettier-ignore
export function simpleRNNGrad(
  batch: number, time: number, units: number,
  gSequence: TypedArray, gState: TypedArray, sequence: TypedArray, recurrent: TypedArray,
  mask: TypedArray | null, backwards: boolean, dz: TypedArray, dInitial: TypedArray,
): void {
  // dh = what goes past the step's weights (all of it in a masked step) + p, what goes through them.
  const p = productRoom(dz, batch * units).fill(0, 0, batch * units);
  const dh = carryRoom(batch * units);
  for (let i = 0; i < batch * units; i++) dh[i] = gState[i];
  for (let s = time - 1; s >= 0; s--) {
    const t = backwards ? time - 1 - s : s;
    for (let b = 0; b < batch; b++) {
      const iz = (b * time + t) * units, ip = b * units, ih = (b * time + s) * units;
      if (mask !== null && mask[b * time + t] === 0) {
        for (let j = 0; j < units; j++) {
          dh[ip + j] += p[ip + j] + gSequence[ih + j];
          dz[iz + j] = 0;
        }
        continue;
      }
      for (let j = 0; j < units; j++) {
        const h = sequence[ih + j];
        dz[iz + j] = (dh[ip + j] + p[ip + j] + gSequence[ih + j]) * (1 - h * h);
        dh[ip + j] = 0;
      }
    }
    gemm(batch, units, units, dz, t * units, time * units, 1, recurrent, 0, 1, units, p, 0, units);
  }
  for (let i = 0; i < batch * units; i++) dInitial[i] = dh[i] + p[i];
}

/** x [rows, features] and dz [rows, width] → xᵀ·dz and below it the sum of dz, [features + 1, width]. */
// prettier-ignore
export function affineGrad(
  rows: number, features: number, width: number, x: TypedArray, dz: TypedArray, out: TypedArray,
): void {
  if (features > 0) gemm(features, width, rows, x, 0, 1, features, dz, 0, width, 1, out, 0, width);
  const sums = carryRoom(width).fill(0, 0, width);
  for (let i = 0, row = 0; i < rows; i++, row += width) for (let j = 0; j < width; j++) sums[j] += dz[row + j];
  const last = features * width;
  for (let j = 0; j < width; j++) out[last + j] = sums[j];
}
