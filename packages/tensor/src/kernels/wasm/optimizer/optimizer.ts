/**
 * The optimizers' updates: one pass over a parameter, its gradient and its states, each read and written once. The clock is
 * read when a kernel runs, and what follows from it (bias corrections) is worked out once a call, in double precision.
 * The formulas are those of `kernels/js/optimizer.ts`, which names their sources.
 */
import type { FunctionBuilder, Local } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f64 } from '../assembler/instructions.js';
import { command, kernel, type Kernel, type Lowering, type LoweringCall } from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { double, eachElement, single, wholePower, type Lanes } from './lanes.js';

type Vector = Expr<'v128'>;
type Scalar = Expr<'f64'>;

/** What constants are made of: the clock, the optimizer's settings, and powers with whole exponents. */
interface Numbers {
  readonly lr: Local<'f64'>;
  readonly step: Local<'f64'>;
  readonly extra: Local<'f64'>;
  /** The settings, in their order. */
  readonly settings: readonly Local<'f64'>[];
  readonly power: (base: Scalar, exponent: Scalar) => Scalar;
  /** Puts a value into a variable. */
  readonly keep: (value: Scalar) => Scalar;
}

/** The new parameter and the new states. */
type Updated = readonly [w: Vector, ...states: Vector[]];

interface Rule {
  readonly states: number;
  readonly settings: number;
  readonly lanes?: Lanes;
  readonly constants: (numbers: Numbers) => readonly Scalar[];
  readonly update: (
    lanes: Lanes & { keep(value: Vector): Vector },
    w: Vector,
    g: Vector,
    states: readonly Vector[],
    constants: readonly Vector[],
  ) => Updated;
}

const numbered = <T>(prefix: string, count: number, value: T): Record<string, T> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`${prefix}${i}`, value]));

/** The kernel of a rule. Its arguments: size, w, g, clock, state0 …, setting0 … */
function updateKernel(name: string, rule: Rule): Kernel {
  const { lanes = single } = rule;
  const fields = {
    size: 'i32',
    w: 'i32',
    g: 'i32',
    clock: 'i32',
    ...numbered('state', rule.states, 'i32' as const),
    ...numbered('setting', rule.settings, 'f64' as const),
  } as const;
  return kernel(name, fields, (f: FunctionBuilder, args, context) => {
    const all: Readonly<Record<string, Local>> = args;
    const states = Object.keys(numbered('state', rule.states, 0)).map(
      (key) => all[key] as Local<'i32'>,
    );
    const settings = Object.keys(numbered('setting', rule.settings, 0)).map(
      (key) => all[key] as Local<'f64'>,
    );
    const [lr, step, extra] = [0, 8, 16].map((at) => f.local('f64', f64.load(args.clock, at)));
    const constants = rule.constants({
      lr,
      step,
      extra,
      settings,
      power: (base, exponent) => wholePower(context, base, exponent),
      keep: (value) => f.local('f64', value),
    });
    const arrays = [args.w, args.g, ...states];
    eachElement(f, context, `${name}Run`, lanes, args.size, arrays, constants, (v, c, keep) => {
      const [w, g, ...old] = v;
      const [next, ...newStates] = rule.update({ ...lanes, keep }, w, g, old, c);
      const stored = newStates.map((state) => lanes.normal(keep(state)));
      return new Map([[0, next], ...stored.map((state, i) => [i + 2, state] as const)]);
    });
  });
}

const one = f64.const(1);
const rest = (x: Scalar): Scalar => f64.sub(one, x);

const weightDecay = updateKernel('weightDecayF32', {
  states: 0,
  settings: 1,
  constants: ({ lr, settings: [rate] }) => [f64.mul(lr, rate)],
  update: (x, w, _g, _states, [decay]) => [x.sub(w, x.mul(decay, w))],
});

const sgd = updateKernel('sgdF32', {
  states: 0,
  settings: 0,
  constants: ({ lr }) => [lr],
  update: (x, w, g, _states, [lr]) => [x.sub(w, x.mul(lr, g))],
});

/** m ← μ·m − lr·g; w ← w + m, or with Nesterov's momentum w + (μ·m − lr·g) */
const sgdWithMomentum = (name: string, nesterov: boolean): Kernel =>
  updateKernel(name, {
    states: 1,
    settings: 1,
    constants: ({ lr, settings: [momentum] }) => [lr, momentum],
    update: (x, w, g, [m], [lr, momentum]) => {
      const step = x.keep(x.mul(lr, g));
      const velocity = x.keep(x.sub(x.mul(momentum, m), step));
      return [x.add(w, nesterov ? x.sub(x.mul(momentum, velocity), step) : velocity), velocity];
    },
  });
const sgdMomentum = sgdWithMomentum('sgdMomentumF32', false);
const sgdNesterov = sgdWithMomentum('sgdNesterovF32', true);

/**
 * The states are those in use, in the order meanSquare, meanGradient, velocity. Centered it takes the difference of two near
 * numbers, v − (mean of g)², under the root: in double precision.
 */
const rmspropKernel = (name: string, centered: boolean, momentum: boolean): Kernel =>
  updateKernel(name, {
    states: 1 + Number(centered) + Number(momentum),
    settings: 3,
    lanes: centered ? double : single,
    constants: ({ lr, settings: [rho, epsilon, mu] }) => [lr, rho, rest(rho), epsilon, mu],
    update: (x, w, g, [v, ...others], [lr, rho, restOfRho, epsilon, mu]) => {
      const square = x.keep(x.add(x.mul(rho, v), x.mul(x.mul(restOfRho, g), g)));
      const states = [square];
      let denominator = x.add(square, epsilon);
      if (centered) {
        const average = x.keep(x.add(x.mul(rho, others[0]), x.mul(restOfRho, g)));
        states.push(average);
        denominator = x.sub(denominator, x.mul(average, average));
      }
      let step = x.div(x.mul(lr, g), x.sqrt(denominator));
      if (momentum) {
        step = x.keep(x.add(step, x.mul(mu, others[others.length - 1])));
        states.push(step);
      }
      return [x.sub(w, step), ...states];
    },
  });
const rmsprop = rmspropKernel('rmspropF32', false, false);
const rmspropMomentum = rmspropKernel('rmspropMomentumF32', false, true);
const rmspropCentered = rmspropKernel('rmspropCenteredF32', true, false);
const rmspropBoth = rmspropKernel('rmspropCenteredMomentumF32', true, true);

/** The moments, and w ← w − α·m / (√v + ε), with the greatest v so far for AMSGrad. */
const adamKernel = (name: string, amsgrad: boolean): Kernel =>
  updateKernel(name, {
    states: amsgrad ? 3 : 2,
    settings: 3,
    constants: ({ lr, step, settings: [beta1, beta2, epsilon], power }) => {
      const root = f64.sqrt(rest(power(beta2, step)));
      const alpha = f64.div(f64.mul(lr, root), rest(power(beta1, step)));
      return [alpha, rest(beta1), rest(beta2), epsilon];
    },
    update: (x, w, g, [m, v, most], [alpha, forMean, forSquare, epsilon]) => {
      const mean = x.keep(x.add(m, x.mul(x.sub(g, m), forMean)));
      const square = x.keep(x.add(v, x.mul(x.sub(x.mul(g, g), v), forSquare)));
      const greatest = amsgrad ? x.keep(x.max(most, square)) : square;
      const step = x.div(x.mul(alpha, mean), x.add(x.sqrt(greatest), epsilon));
      return [x.sub(w, step), mean, square, ...(amsgrad ? [greatest] : [])];
    },
  });
const adam = adamKernel('adamF32', false);
const amsgrad = adamKernel('amsgradF32', true);

const adagrad = updateKernel('adagradF32', {
  states: 1,
  settings: 1,
  constants: ({ lr, settings: [epsilon] }) => [lr, epsilon],
  update: (x, w, g, [s], [lr, epsilon]) => {
    const sum = x.keep(x.add(s, x.mul(g, g)));
    return [x.sub(w, x.div(x.mul(lr, g), x.sqrt(x.add(sum, epsilon)))), sum];
  },
});

const adadelta = updateKernel('adadeltaF32', {
  states: 2,
  settings: 2,
  constants: ({ lr, settings: [rho, epsilon] }) => [lr, rho, rest(rho), epsilon],
  update: (x, w, g, [v, d], [lr, rho, restOfRho, epsilon]) => {
    const square = x.keep(x.add(x.mul(rho, v), x.mul(x.mul(restOfRho, g), g)));
    const ratio = x.div(x.neg(x.sqrt(x.add(d, epsilon))), x.sqrt(x.add(square, epsilon)));
    const delta = x.keep(x.mul(ratio, g));
    const delta2 = x.add(x.mul(rho, d), x.mul(x.mul(restOfRho, delta), delta));
    return [x.add(w, x.mul(lr, delta)), square, delta2];
  },
});

const adamax = updateKernel('adamaxF32', {
  states: 2,
  settings: 3,
  constants: ({ lr, step, settings: [beta1, beta2, epsilon], power }) => [
    f64.div(lr, rest(power(beta1, step))),
    beta1,
    rest(beta1),
    beta2,
    epsilon,
  ],
  update: (x, w, g, [m, u], [alpha, beta1, restOfBeta1, beta2, epsilon]) => {
    const mean = x.keep(x.add(x.mul(beta1, m), x.mul(restOfBeta1, g)));
    const norm = x.keep(x.max(x.mul(beta2, u), x.abs(g)));
    return [x.sub(w, x.div(x.mul(alpha, mean), x.add(norm, epsilon))), mean, norm];
  },
});

const nadam = updateKernel('nadamF32', {
  states: 2,
  settings: 3,
  constants: ({ lr, step, extra: product, settings: [beta1, beta2, epsilon], power, keep }) => {
    // `nadamMomentum` of ops/attributes.ts
    const momentum = (t: Scalar): Scalar => {
      const decayed = f64.mul(f64.const(0.5), power(f64.const(0.96), t));
      return keep(f64.mul(beta1, rest(decayed)));
    };
    const next = momentum(f64.add(step, one));
    return [
      lr,
      beta1,
      rest(beta1),
      beta2,
      rest(beta2),
      epsilon,
      f64.div(next, rest(f64.mul(product, next))),
      f64.div(rest(momentum(step)), rest(product)),
      f64.div(one, rest(power(beta2, step))),
    ];
  },
  update: (x, w, g, [m, v], [lr, beta1, rest1, beta2, rest2, epsilon, forM, forG, forV]) => {
    const mean = x.keep(x.add(x.mul(beta1, m), x.mul(rest1, g)));
    const square = x.keep(x.add(x.mul(beta2, v), x.mul(x.mul(rest2, g), g)));
    const ahead = x.add(x.mul(forM, mean), x.mul(forG, g));
    const root = x.add(x.sqrt(x.mul(forV, square)), epsilon);
    return [x.sub(w, x.div(x.mul(lr, ahead), root)), mean, square];
  },
});

/** For the usual power of −1/2, by roots. Their difference is one of near numbers, hence in double precision. */
const ftrl = updateKernel('ftrlF32', {
  states: 2,
  settings: 4,
  lanes: double,
  constants: ({ lr, settings: [l1, l2, shrinkage, beta] }) => [
    lr,
    l1,
    f64.neg(l1),
    f64.mul(f64.const(2), f64.add(l2, f64.div(beta, f64.mul(f64.const(2), lr)))),
    f64.mul(f64.const(2), shrinkage),
  ],
  update: (x, w, g, [s, z], [lr, l1, negativeL1, twiceL2, twiceShrinkage]) => {
    const sum = x.keep(x.stored(x.add(s, x.mul(g, g))));
    const after = x.keep(x.sqrt(sum));
    const pull = x.mul(x.div(x.sub(after, x.sqrt(s)), lr), w);
    const shrunk = x.add(x.add(z, g), x.mul(twiceShrinkage, w));
    const linear = x.keep(x.sub(shrunk, pull));
    const clipped = x.min(x.max(linear, negativeL1), l1);
    const next = x.div(x.sub(clipped, linear), x.add(x.div(after, lr), twiceL2));
    return [next, sum, linear];
  },
});

export const optimizerKernels: readonly Kernel[] = [
  weightDecay,
  sgd,
  sgdMomentum,
  sgdNesterov,
  rmsprop,
  rmspropMomentum,
  rmspropCentered,
  rmspropBoth,
  adam,
  amsgrad,
  adagrad,
  adadelta,
  adamax,
  nadam,
  ftrl,
];

/** From this size on an update is shared among threads. */
const PARALLEL_FROM = 16384;

/**
 * An update of float32 by the kernel that `choose` gives with its settings. States that are not in use are empty, and no
 * kernel knows them.
 */
function updates<A extends object>(
  choose: (attrs: A) => readonly [Kernel, ...settings: number[]] | null,
): Lowering<A> {
  return ({ inputs, attrs }: LoweringCall<A>) => {
    const [w, g, ...others] = inputs;
    const clock = others[others.length - 1];
    const states = others.slice(0, -1);
    const fits = [w, g, ...states].every((x) => x.dtype === 'float32' && x.contiguous);
    const chosen = fits && clock.contiguous ? choose(attrs) : null;
    if (chosen === null) return null;
    if (w.size === 0) return [];
    const [k, ...settings] = chosen;
    const used = states.filter((state) => state.size > 0);
    const args: Record<string, number> = {
      size: w.size,
      w: w.address,
      g: g.address,
      clock: clock.address,
    };
    used.forEach((state, i) => (args[`state${i}`] = state.address));
    settings.forEach((setting, i) => (args[`setting${i}`] = setting));
    return [command(k, args, { parallel: w.size >= PARALLEL_FROM, flops: 10 * w.size })];
  };
}

/** The kernel with 0, 1, or 2 of the variants switched on. */
const rmspropVariant = (centered: boolean, momentum: boolean): Kernel => {
  if (centered) return momentum ? rmspropBoth : rmspropCentered;
  return momentum ? rmspropMomentum : rmsprop;
};

export const optimizerLowerings: LoweringTable = {
  // The gradient does not matter here: the parameter stands in for it, so that nothing else is read.
  weightDecayUpdate: ({ inputs: [w, , clock], ...call }, context) =>
    updates<typeof call.attrs>(({ rate }) => [weightDecay, rate])(
      { ...call, inputs: [w, w, clock] },
      context,
    ),
  sgdUpdate: updates(({ momentum, nesterov }) =>
    momentum === 0 ? [sgd] : [nesterov ? sgdNesterov : sgdMomentum, momentum],
  ),
  rmspropUpdate: updates(({ rho, epsilon, centered, momentum }) => [
    rmspropVariant(centered, momentum > 0),
    rho,
    epsilon,
    momentum,
  ]),
  adamUpdate: (call, context) => {
    const greatest = call.inputs[4];
    const k = greatest.size === 0 ? adam : amsgrad;
    const lower = updates<typeof call.attrs>(({ beta1, beta2, epsilon }) => [
      k,
      beta1,
      beta2,
      epsilon,
    ]);
    return lower(call, context);
  },
  adagradUpdate: updates(({ epsilon }) => [adagrad, epsilon]),
  adadeltaUpdate: updates(({ rho, epsilon }) => [adadelta, rho, epsilon]),
  adamaxUpdate: updates(({ beta1, beta2, epsilon }) => [adamax, beta1, beta2, epsilon]),
  nadamUpdate: updates(({ beta1, beta2, epsilon }) => [nadam, beta1, beta2, epsilon]),
  ftrlUpdate: updates(({ learningRatePower, l1, l2, l2Shrinkage, beta }) =>
    learningRatePower === -0.5 ? [ftrl, l1, l2, l2Shrinkage, beta] : null,
  ),
};
