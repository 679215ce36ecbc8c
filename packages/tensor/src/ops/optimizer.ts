/**
 * The optimizers' updates: ops that change a parameter and its state in place, one fused loop each. What changes from
 * step to step comes in as a tensor, `clock` (float64: learning rate, step counted from 1, and for Nadam the product of
 * the momenta so far), so that a recorded update is never stale.
 */
import { DTypeError, ShapeError, formatShape } from '../errors.js';
import * as k from '../kernels/js/optimizer.js';
import { asContiguous } from '../loops.js';
import type { Strided, TensorType, UpdateOp } from '../op.js';
import { sameShape } from '../shape.js';
import { nadamMomentum } from './attributes.js';

/** Parameter, gradient and states have one shape (a state that is not in use is empty) and the parameter's dtype. */
function checkUpdate(name: string, names: readonly string[], inputs: readonly TensorType[]): void {
  const [parameter] = inputs;
  inputs.slice(1, -1).forEach((x, i) => {
    const unused = i > 0 && x.shape.length === 1 && x.shape[0] === 0;
    if (!unused && !sameShape(x.shape, parameter.shape)) {
      throw new ShapeError(
        `${name}: '${names[i + 1]}' must have the parameter's shape ${formatShape(parameter.shape)}; got ` +
          `${formatShape(x.shape)}.`,
      );
    }
    if (x.dtype !== parameter.dtype) {
      throw new DTypeError(
        `${name}: '${names[i + 1]}' must have the parameter's dtype ${parameter.dtype}; got ${x.dtype}.`,
      );
    }
  });
}

/**
 * An update of a parameter and its states; `apply` gets them with the gradient in row-major order. The inputs are
 * parameter, gradient, the states and the clock.
 */
function update<A extends object, const States extends readonly string[]>(
  name: string,
  states: States,
  apply: (
    w: Strided,
    g: Strided,
    states: readonly Strided[],
    clock: Strided['data'],
    attrs: A,
  ) => void,
): UpdateOp<readonly ['parameter', 'gradient', ...States, 'clock'], A, never> {
  const inputs = ['parameter', 'gradient', ...states, 'clock'] as const;
  return {
    kind: 'update',
    name,
    inputs,
    promotion: 'same',
    writes: [0, ...states.map((_, i) => i + 2)],
    check: (types) => checkUpdate(name, inputs, types),
    launch: (all, attrs) => {
      const clock = asContiguous(all[all.length - 1]);
      const values = clock.offset === 0 ? clock.data : clock.data.subarray(clock.offset);
      apply(all[0], asContiguous(all[1]), all.slice(2, -1), values, attrs);
    },
  };
}

/** w ← w − lr·rate·w, before the update proper. */
export const weightDecayUpdate = update<{ rate: number }, readonly []>(
  'weightDecayUpdate',
  [],
  (w, _g, _s, clock, { rate }) => k.weightDecay(w.size, w.data, w.offset, clock[0], rate),
);

/** Stochastic gradient descent. `velocity` is empty without momentum. */
export const sgdUpdate = update<{ momentum: number; nesterov: boolean }, readonly ['velocity']>(
  'sgdUpdate',
  ['velocity'],
  (w, g, [m], clock, { momentum, nesterov }) => {
    if (momentum === 0) k.sgd(w.size, w.data, w.offset, g.data, g.offset, clock[0]);
    else
      k.sgdMomentum(
        w.size,
        w.data,
        w.offset,
        g.data,
        g.offset,
        m.data,
        m.offset,
        clock[0],
        momentum,
        nesterov,
      );
  },
);

export interface RMSpropAttrs {
  rho: number;
  epsilon: number;
  centered: boolean;
  momentum: number;
}

/** RMSprop. `meanGradient` is empty unless centered, `velocity` without momentum. */
export const rmspropUpdate = update<
  RMSpropAttrs,
  readonly ['meanSquare', 'meanGradient', 'velocity']
>(
  'rmspropUpdate',
  ['meanSquare', 'meanGradient', 'velocity'],
  (w, g, [v, mean, m], clock, { rho, epsilon, centered, momentum }) => {
    if (!centered && momentum === 0) {
      k.rmsprop(
        w.size,
        w.data,
        w.offset,
        g.data,
        g.offset,
        v.data,
        v.offset,
        clock[0],
        rho,
        epsilon,
      );
      return;
    }
    // prettier-ignore
    k.rmspropGeneral(
      w.size, w.data, w.offset, g.data, g.offset, v.data, v.offset, mean.data, mean.offset, m.data, m.offset,
      clock[0], rho, epsilon, centered, momentum,
    );
  },
);

export interface AdamAttrs {
  beta1: number;
  beta2: number;
  epsilon: number;
}

/** Adam. `greatest` (of the mean squares) is empty unless AMSGrad is wanted. */
export const adamUpdate = update<AdamAttrs, readonly ['mean', 'meanSquare', 'greatest']>(
  'adamUpdate',
  ['mean', 'meanSquare', 'greatest'],
  (w, g, [m, v, greatest], clock, { beta1, beta2, epsilon }) => {
    const [lr, t] = clock;
    const alpha = (lr * Math.sqrt(1 - beta2 ** t)) / (1 - beta1 ** t);
    if (greatest.size === 0) {
      // prettier-ignore
      k.adam(w.size, w.data, w.offset, g.data, g.offset, m.data, m.offset, v.data, v.offset, alpha, beta1, beta2, epsilon);
      return;
    }
    // prettier-ignore
    k.amsgrad(
      w.size, w.data, w.offset, g.data, g.offset, m.data, m.offset, v.data, v.offset, greatest.data, greatest.offset,
      alpha, beta1, beta2, epsilon,
    );
  },
);

/** Adagrad. `accumulator` begins with the initial accumulator value. */
export const adagradUpdate = update<{ epsilon: number }, readonly ['accumulator']>(
  'adagradUpdate',
  ['accumulator'],
  (w, g, [s], clock, { epsilon }) =>
    k.adagrad(w.size, w.data, w.offset, g.data, g.offset, s.data, s.offset, clock[0], epsilon),
);

/** Adadelta. */
export const adadeltaUpdate = update<
  { rho: number; epsilon: number },
  readonly ['meanSquare', 'meanSquaredDelta']
>('adadeltaUpdate', ['meanSquare', 'meanSquaredDelta'], (w, g, [v, d], clock, { rho, epsilon }) =>
  // prettier-ignore
  k.adadelta(w.size, w.data, w.offset, g.data, g.offset, v.data, v.offset, d.data, d.offset, clock[0], rho, epsilon),
);

/** Adamax. */
export const adamaxUpdate = update<AdamAttrs, readonly ['mean', 'infinityNorm']>(
  'adamaxUpdate',
  ['mean', 'infinityNorm'],
  (w, g, [m, u], clock, { beta1, beta2, epsilon }) => {
    const [lr, t] = clock;
    const alpha = lr / (1 - beta1 ** t);
    // prettier-ignore
    k.adamax(w.size, w.data, w.offset, g.data, g.offset, m.data, m.offset, u.data, u.offset, alpha, beta1, beta2, epsilon);
  },
);

/** Nadam. The clock's third value is the product of the momenta of steps 1 to t. */
export const nadamUpdate = update<AdamAttrs, readonly ['mean', 'meanSquare']>(
  'nadamUpdate',
  ['mean', 'meanSquare'],
  (w, g, [m, v], clock, { beta1, beta2, epsilon }) => {
    const [lr, t, product] = clock;
    const next = nadamMomentum(beta1, t + 1);
    const forMean = next / (1 - product * next);
    const forGradient = (1 - nadamMomentum(beta1, t)) / (1 - product);
    const forSquare = 1 / (1 - beta2 ** t);
    // prettier-ignore
    k.nadam(
      w.size, w.data, w.offset, g.data, g.offset, m.data, m.offset, v.data, v.offset,
      lr, beta1, beta2, epsilon, forMean, forGradient, forSquare,
    );
  },
);

export interface FtrlAttrs {
  learningRatePower: number;
  l1: number;
  l2: number;
  l2Shrinkage: number;
  beta: number;
}

/** FTRL. `accumulator` begins with the initial accumulator value. */
export const ftrlUpdate = update<FtrlAttrs, readonly ['accumulator', 'linear']>(
  'ftrlUpdate',
  ['accumulator', 'linear'],
  (w, g, [s, z], clock, { learningRatePower, l1, l2, l2Shrinkage, beta }) => {
    const lr = clock[0];
    // prettier-ignore
    k.ftrl(
      w.size, w.data, w.offset, g.data, g.offset, s.data, s.offset, z.data, z.offset,
      lr, -learningRatePower, l1, l2 + beta / (2 * lr), l2Shrinkage,
    );
  },
);
