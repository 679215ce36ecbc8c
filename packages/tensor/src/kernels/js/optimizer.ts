/**
 * Optimizer updates: one pass over a parameter w with gradient g and its state, all row-major. The formulas are Keras
 * 3's, where papers and libraries differ in the place of ε.
 */
import type { TypedArray } from './types.js';

/** w ← w − lr·d·w: weight decay apart from the gradient (Loshchilov & Hutter 2019) */
export function weightDecay(n: number, w: TypedArray, iw: number, lr: number, decay: number): void {
  for (let i = 0; i < n; i++) w[iw + i] -= lr * decay * w[iw + i];
}

/** w ← w − lr·g */
export function sgd(
  n: number,
  w: TypedArray,
  iw: number,
  g: TypedArray,
  ig: number,
  lr: number,
): void {
  for (let i = 0; i < n; i++) w[iw + i] -= lr * g[ig + i];
}

/** m ← μ·m − lr·g; w ← w + m, or with Nesterov's momentum w + μ·m − lr·g */
export function sgdMomentum(
  n: number,
  w: TypedArray,
  iw: number,
  g: TypedArray,
  ig: number,
  m: TypedArray,
  im: number,
  lr: number,
  momentum: number,
  nesterov: boolean,
): void {
  for (let i = 0; i < n; i++) {
    const step = lr * g[ig + i];
    const velocity = momentum * m[im + i] - step;
    m[im + i] = velocity;
    w[iw + i] += nesterov ? momentum * velocity - step : velocity;
  }
}

/** v ← ρ·v + (1 − ρ)·g²; w ← w − lr·g / √(v + ε) (Hinton 2012, lecture 6e) */
export function rmsprop(
  n: number,
  w: TypedArray,
  iw: number,
  g: TypedArray,
  ig: number,
  v: TypedArray,
  iv: number,
  lr: number,
  rho: number,
  epsilon: number,
): void {
  for (let i = 0; i < n; i++) {
    const gradient = g[ig + i];
    const square = rho * v[iv + i] + (1 - rho) * gradient * gradient;
    v[iv + i] = square;
    w[iw + i] -= (lr * gradient) / Math.sqrt(square + epsilon);
  }
}

/** As rmsprop, with v − (mean of g)² under the root when centered, and m ← μ·m + step; w ← w − m with momentum */
export function rmspropGeneral(
  n: number,
  w: TypedArray,
  iw: number,
  g: TypedArray,
  ig: number,
  v: TypedArray,
  iv: number,
  mean: TypedArray,
  imean: number,
  m: TypedArray,
  im: number,
  lr: number,
  rho: number,
  epsilon: number,
  centered: boolean,
  momentum: number,
): void {
  for (let i = 0; i < n; i++) {
    const gradient = g[ig + i];
    const square = rho * v[iv + i] + (1 - rho) * gradient * gradient;
    v[iv + i] = square;
    let denominator = square + epsilon;
    if (centered) {
      const average = rho * mean[imean + i] + (1 - rho) * gradient;
      mean[imean + i] = average;
      denominator -= average * average;
    }
    let step = (lr * gradient) / Math.sqrt(denominator);
    if (momentum > 0) {
      step += momentum * m[im + i];
      m[im + i] = step;
    }
    w[iw + i] -= step;
  }
}

/** m ← β₁·m + (1 − β₁)·g; v ← β₂·v + (1 − β₂)·g²; w ← w − α·m / (√v + ε), α with the bias corrections (Kingma & Ba 2015) */
export function adam(
  n: number,
  w: TypedArray,
  iw: number,
  g: TypedArray,
  ig: number,
  m: TypedArray,
  im: number,
  v: TypedArray,
  iv: number,
  alpha: number,
  beta1: number,
  beta2: number,
  epsilon: number,
): void {
  for (let i = 0; i < n; i++) {
    const gradient = g[ig + i];
    const mean = m[im + i] + (gradient - m[im + i]) * (1 - beta1);
    const square = v[iv + i] + (gradient * gradient - v[iv + i]) * (1 - beta2);
    m[im + i] = mean;
    v[iv + i] = square;
    w[iw + i] -= (alpha * mean) / (Math.sqrt(square) + epsilon);
  }
}

/** As adam, with the greatest v so far under the root (Reddi et al. 2018) */
export function amsgrad(
  n: number,
  w: TypedArray,
  iw: number,
  g: TypedArray,
  ig: number,
  m: TypedArray,
  im: number,
  v: TypedArray,
  iv: number,
  greatest: TypedArray,
  igreatest: number,
  alpha: number,
  beta1: number,
  beta2: number,
  epsilon: number,
): void {
  for (let i = 0; i < n; i++) {
    const gradient = g[ig + i];
    const mean = m[im + i] + (gradient - m[im + i]) * (1 - beta1);
    const square = v[iv + i] + (gradient * gradient - v[iv + i]) * (1 - beta2);
    m[im + i] = mean;
    v[iv + i] = square;
    greatest[igreatest + i] = Math.max(greatest[igreatest + i], square);
    w[iw + i] -= (alpha * mean) / (Math.sqrt(greatest[igreatest + i]) + epsilon);
  }
}

/** s ← s + g²; w ← w − lr·g / √(s + ε) (Duchi et al. 2011) */
export function adagrad(
  n: number,
  w: TypedArray,
  iw: number,
  g: TypedArray,
  ig: number,
  s: TypedArray,
  is: number,
  lr: number,
  epsilon: number,
): void {
  for (let i = 0; i < n; i++) {
    const gradient = g[ig + i];
    s[is + i] += gradient * gradient;
    w[iw + i] -= (lr * gradient) / Math.sqrt(s[is + i] + epsilon);
  }
}

/** v ← ρ·v + (1 − ρ)·g²; Δ = −√(d + ε) / √(v + ε)·g; d ← ρ·d + (1 − ρ)·Δ²; w ← w + lr·Δ (Zeiler 2012) */
export function adadelta(
  n: number,
  w: TypedArray,
  iw: number,
  g: TypedArray,
  ig: number,
  v: TypedArray,
  iv: number,
  d: TypedArray,
  id: number,
  lr: number,
  rho: number,
  epsilon: number,
): void {
  for (let i = 0; i < n; i++) {
    const gradient = g[ig + i];
    v[iv + i] = rho * v[iv + i] + (1 - rho) * gradient * gradient;
    const delta = (-Math.sqrt(d[id + i] + epsilon) / Math.sqrt(v[iv + i] + epsilon)) * gradient;
    d[id + i] = rho * d[id + i] + (1 - rho) * delta * delta;
    w[iw + i] += lr * delta;
  }
}

/** m ← β₁·m + (1 − β₁)·g; u ← max(β₂·u, |g|); w ← w − α·m / (u + ε), α = lr / (1 − β₁ᵗ) (Kingma & Ba 2015, section 7.1) */
export function adamax(
  n: number,
  w: TypedArray,
  iw: number,
  g: TypedArray,
  ig: number,
  m: TypedArray,
  im: number,
  u: TypedArray,
  iu: number,
  alpha: number,
  beta1: number,
  beta2: number,
  epsilon: number,
): void {
  for (let i = 0; i < n; i++) {
    const gradient = g[ig + i];
    m[im + i] = beta1 * m[im + i] + (1 - beta1) * gradient;
    u[iu + i] = Math.max(beta2 * u[iu + i], Math.abs(gradient));
    w[iw + i] -= (alpha * m[im + i]) / (u[iu + i] + epsilon);
  }
}

/** m, v as in adam; w ← w − lr·(cₘ·m + c₉·g) / (√(cᵥ·v) + ε): Adam with Nesterov's momentum (Dozat 2016) */
export function nadam(
  n: number,
  w: TypedArray,
  iw: number,
  g: TypedArray,
  ig: number,
  m: TypedArray,
  im: number,
  v: TypedArray,
  iv: number,
  lr: number,
  beta1: number,
  beta2: number,
  epsilon: number,
  forMean: number,
  forGradient: number,
  forSquare: number,
): void {
  for (let i = 0; i < n; i++) {
    const gradient = g[ig + i];
    m[im + i] = beta1 * m[im + i] + (1 - beta1) * gradient;
    v[iv + i] = beta2 * v[iv + i] + (1 - beta2) * gradient * gradient;
    const mean = forMean * m[im + i] + forGradient * gradient;
    w[iw + i] -= (lr * mean) / (Math.sqrt(forSquare * v[iv + i]) + epsilon);
  }
}

/** FTRL-proximal with shrinkage (McMahan et al. 2013, algorithm 1; power is −learningRatePower, l2 includes β / 2lr) */
export function ftrl(
  n: number,
  w: TypedArray,
  iw: number,
  g: TypedArray,
  ig: number,
  s: TypedArray,
  is: number,
  z: TypedArray,
  iz: number,
  lr: number,
  power: number,
  l1: number,
  l2: number,
  shrinkage: number,
): void {
  for (let i = 0; i < n; i++) {
    const gradient = g[ig + i];
    const before = Math.pow(s[is + i], power);
    s[is + i] += gradient * gradient;
    const after = Math.pow(s[is + i], power);
    const linear =
      z[iz + i] + gradient + 2 * shrinkage * w[iw + i] - ((after - before) / lr) * w[iw + i];
    z[iz + i] = linear;
    const clipped = Math.min(Math.max(linear, -l1), l1);
    w[iw + i] = (clipped - linear) / (after / lr + 2 * l2);
  }
}
