/**
 * The optimizers: options with Keras 3's defaults, the state of each parameter, and the update op that does the work. g is
 * the gradient, w the parameter, t counts updates from 1.
 */
import { ValueError, nadamMomentum, run, specs, type Tensor } from '@tapegrad/tensor';
import { Optimizer, checkNumber, checkShare, type OptimizerOptions } from './optimizer.js';

export interface SGDOptions extends OptimizerOptions {
  /** The share of the last step that is taken again. Default 0. */
  momentum?: number;
  /** Look ahead along the momentum (Nesterov 1983). Default false. */
  nesterov?: boolean;
}

/**
 * Stochastic gradient descent: w ← w − lr·g; with momentum m ← momentum·m − lr·g, w ← w + m, and with Nesterov's
 * w ← w + momentum·m − lr·g. Default learning rate 0.01.
 *
 * @throws ValueError for options out of range, UnknownNameError for unknown ones
 * @example new SGD({ learningRate: 0.1, momentum: 0.9 }).learningRate; // 0.1
 */
export class SGD extends Optimizer {
  private readonly attrs: { momentum: number; nesterov: boolean };

  constructor(options: SGDOptions = {}) {
    const { momentum = 0, nesterov = false } = options;
    super('sgd', options, { velocity: momentum === 0 ? null : 0 }, ['momentum', 'nesterov'], 0.01);
    this.attrs = { momentum: checkMomentum('sgd', momentum), nesterov };
  }

  protected override update(w: Tensor, g: Tensor, slots: readonly Tensor[]): void {
    run(specs.sgdUpdate, [w, g, slots[0], this.clock], this.attrs);
  }
}

export interface RMSpropOptions extends OptimizerOptions {
  /** How much of the mean of g² stays at each step. Default 0.9. */
  rho?: number;
  /** Default 0. */
  momentum?: number;
  /** Default 1e-7. */
  epsilon?: number;
  /** Divide by the standard deviation instead of the root of the mean square. Default false. */
  centered?: boolean;
}

/**
 * v ← rho·v + (1 − rho)·g²; w ← w − lr·g / √(v + ε) (Hinton 2012, lecture 6e). Default learning rate 0.001.
 *
 * @throws ValueError for options out of range, UnknownNameError for unknown ones
 * @example new RMSprop().learningRate; // 0.001
 */
export class RMSprop extends Optimizer {
  private readonly attrs: { rho: number; momentum: number; epsilon: number; centered: boolean };

  constructor(options: RMSpropOptions = {}) {
    const { rho = 0.9, momentum = 0, epsilon = 1e-7, centered = false } = options;
    const plan = {
      meanSquare: 0,
      meanGradient: centered ? 0 : null,
      velocity: momentum === 0 ? null : 0,
    };
    super('rmsprop', options, plan, ['rho', 'momentum', 'epsilon', 'centered']);
    this.attrs = {
      rho: checkShare('rmsprop', 'rho', rho),
      momentum: checkMomentum('rmsprop', momentum),
      epsilon: checkNumber('rmsprop', 'epsilon', epsilon),
      centered,
    };
  }

  protected override update(w: Tensor, g: Tensor, slots: readonly Tensor[]): void {
    run(specs.rmspropUpdate, [w, g, slots[0], slots[1], slots[2], this.clock], this.attrs);
  }
}

/** The settings of Adam and its relatives. */
export interface BetaOptions extends OptimizerOptions {
  /** How much of the mean of g stays at each step. Default 0.9. */
  beta1?: number;
  /** How much of the mean of g² stays at each step. Default 0.999. */
  beta2?: number;
  /** Default 1e-7. */
  epsilon?: number;
}

const BETA_OPTIONS = ['beta1', 'beta2', 'epsilon'];

interface Betas {
  beta1: number;
  beta2: number;
  epsilon: number;
}

function betasOf(name: string, options: BetaOptions): Betas {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-7 } = options;
  return {
    beta1: checkShare(name, 'beta1', beta1),
    beta2: checkShare(name, 'beta2', beta2),
    epsilon: checkNumber(name, 'epsilon', epsilon),
  };
}

export interface AdamOptions extends BetaOptions {
  /** Divide by the greatest mean square so far (Reddi et al. 2018). Default false. */
  amsgrad?: boolean;
}

/**
 * m ← β₁·m + (1 − β₁)·g; v ← β₂·v + (1 − β₂)·g²; w ← w − lr·√(1 − β₂ᵗ) / (1 − β₁ᵗ)·m / (√v + ε) (Kingma & Ba 2015, in
 * the form at the end of their section 2). Default learning rate 0.001.
 *
 * @throws ValueError for options out of range, UnknownNameError for unknown ones
 * @example new Adam({ learningRate: 0.006 }).learningRate; // 0.006
 */
export class Adam extends Optimizer {
  private readonly attrs: Betas;

  constructor(options: AdamOptions = {}, name = 'adam') {
    const plan = { mean: 0, meanSquare: 0, greatest: options.amsgrad === true ? 0 : null };
    super(name, options, plan, [...BETA_OPTIONS, 'amsgrad']);
    this.attrs = betasOf(name, options);
  }

  protected override update(w: Tensor, g: Tensor, slots: readonly Tensor[]): void {
    run(specs.adamUpdate, [w, g, slots[0], slots[1], slots[2], this.clock], this.attrs);
  }
}

/**
 * Adam with weight decay apart from the gradient (Loshchilov & Hutter 2019); default weightDecay 0.004.
 *
 * @throws ValueError for options out of range, UnknownNameError for unknown ones
 * @example new AdamW().name; // 'adamw'
 */
export class AdamW extends Adam {
  constructor(options: AdamOptions = {}) {
    super({ ...options, weightDecay: options.weightDecay ?? 0.004 }, 'adamw');
  }
}

export interface AdagradOptions extends OptimizerOptions {
  /** Where the sum of g² begins. Default 0.1. */
  initialAccumulatorValue?: number;
  /** Default 1e-7. */
  epsilon?: number;
}

/**
 * s ← s + g²; w ← w − lr·g / √(s + ε) (Duchi et al. 2011). Default learning rate 0.001.
 *
 * @throws ValueError for options out of range, UnknownNameError for unknown ones
 * @example new Adagrad().learningRate; // 0.001
 */
export class Adagrad extends Optimizer {
  private readonly attrs: { epsilon: number };

  constructor(options: AdagradOptions = {}) {
    const { initialAccumulatorValue = 0.1, epsilon = 1e-7 } = options;
    checkNumber('adagrad', 'initialAccumulatorValue', initialAccumulatorValue);
    const own = ['initialAccumulatorValue', 'epsilon'];
    super('adagrad', options, { accumulator: initialAccumulatorValue }, own);
    this.attrs = { epsilon: checkNumber('adagrad', 'epsilon', epsilon) };
  }

  protected override update(w: Tensor, g: Tensor, slots: readonly Tensor[]): void {
    run(specs.adagradUpdate, [w, g, slots[0], this.clock], this.attrs);
  }
}

export interface AdadeltaOptions extends OptimizerOptions {
  /** How much of the mean squares stays at each step. Default 0.95. */
  rho?: number;
  /** Default 1e-7. */
  epsilon?: number;
}

/**
 * v ← rho·v + (1 − rho)·g²; Δ = −√(d + ε) / √(v + ε)·g; d ← rho·d + (1 − rho)·Δ²; w ← w + lr·Δ (Zeiler 2012). Default
 * learning rate 0.001; the paper has 1.
 *
 * @throws ValueError for options out of range, UnknownNameError for unknown ones
 * @example new Adadelta().learningRate; // 0.001
 */
export class Adadelta extends Optimizer {
  private readonly attrs: { rho: number; epsilon: number };

  constructor(options: AdadeltaOptions = {}) {
    const { rho = 0.95, epsilon = 1e-7 } = options;
    super('adadelta', options, { meanSquare: 0, meanSquaredDelta: 0 }, ['rho', 'epsilon']);
    this.attrs = {
      rho: checkShare('adadelta', 'rho', rho),
      epsilon: checkNumber('adadelta', 'epsilon', epsilon),
    };
  }

  protected override update(w: Tensor, g: Tensor, slots: readonly Tensor[]): void {
    run(specs.adadeltaUpdate, [w, g, slots[0], slots[1], this.clock], this.attrs);
  }
}

/**
 * m ← β₁·m + (1 − β₁)·g; u ← max(β₂·u, |g|); w ← w − lr / (1 − β₁ᵗ)·m / (u + ε) (Kingma & Ba 2015, section 7.1). Default
 * learning rate 0.001.
 *
 * @throws ValueError for options out of range, UnknownNameError for unknown ones
 * @example new Adamax().learningRate; // 0.001
 */
export class Adamax extends Optimizer {
  private readonly attrs: Betas;

  constructor(options: BetaOptions = {}) {
    super('adamax', options, { mean: 0, infinityNorm: 0 }, BETA_OPTIONS);
    this.attrs = betasOf('adamax', options);
  }

  protected override update(w: Tensor, g: Tensor, slots: readonly Tensor[]): void {
    run(specs.adamaxUpdate, [w, g, slots[0], slots[1], this.clock], this.attrs);
  }
}

/**
 * Adam with Nesterov's momentum (Dozat 2016), whose momentum grows: μₜ = β₁·(1 − 0.5·0.96ᵗ). Default learning rate 0.001.
 *
 * @throws ValueError for options out of range, UnknownNameError for unknown ones
 * @example new Nadam().learningRate; // 0.001
 */
export class Nadam extends Optimizer {
  private readonly attrs: Betas;

  constructor(options: BetaOptions = {}) {
    super('nadam', options, { mean: 0, meanSquare: 0 }, BETA_OPTIONS);
    this.attrs = betasOf('nadam', options);
  }

  /** The clock's third value: μ₁·μ₂·…·μₜ. */
  protected override tick(t: number): void {
    const before = t === 1 ? 1 : this.clock.data[2];
    this.clock.data[2] = before * nadamMomentum(this.attrs.beta1, t);
  }

  protected override update(w: Tensor, g: Tensor, slots: readonly Tensor[]): void {
    run(specs.nadamUpdate, [w, g, slots[0], slots[1], this.clock], this.attrs);
  }
}

export interface FtrlOptions extends OptimizerOptions {
  /** At most 0; how the rate of each element falls with its sum of g². Default -0.5. */
  learningRatePower?: number;
  /** Where the sum of g² begins. Default 0.1. */
  initialAccumulatorValue?: number;
  /** Default 0. */
  l1RegularizationStrength?: number;
  /** Default 0. */
  l2RegularizationStrength?: number;
  /** An l2 penalty that acts on the gradient, and so depends on the data seen so far. Default 0. */
  l2ShrinkageRegularizationStrength?: number;
  /** Default 0. */
  beta?: number;
}

/**
 * Follow the regularized leader, for sparse linear models (McMahan et al. 2013, algorithm 1). Default learning rate 0.001.
 *
 * @throws ValueError for options out of range, UnknownNameError for unknown ones
 * @example new Ftrl().learningRate; // 0.001
 */
export class Ftrl extends Optimizer {
  private readonly attrs: {
    learningRatePower: number;
    l1: number;
    l2: number;
    l2Shrinkage: number;
    beta: number;
  };

  constructor(options: FtrlOptions = {}) {
    const {
      learningRatePower = -0.5,
      initialAccumulatorValue = 0.1,
      l1RegularizationStrength = 0,
      l2RegularizationStrength = 0,
      l2ShrinkageRegularizationStrength = 0,
      beta = 0,
    } = options;
    const own = {
      initialAccumulatorValue,
      l1RegularizationStrength,
      l2RegularizationStrength,
      l2ShrinkageRegularizationStrength,
      beta,
    };
    for (const [option, value] of Object.entries(own)) checkNumber('ftrl', option, value);
    if (!(learningRatePower <= 0 && learningRatePower > -Infinity)) {
      throw new ValueError(
        `ftrl: learningRatePower must be a number of 0 or less; got ${learningRatePower}.`,
      );
    }
    const names = ['learningRatePower', ...Object.keys(own)];
    super('ftrl', options, { accumulator: initialAccumulatorValue, linear: 0 }, names);
    this.attrs = {
      learningRatePower,
      l1: l1RegularizationStrength,
      l2: l2RegularizationStrength,
      l2Shrinkage: l2ShrinkageRegularizationStrength,
      beta,
    };
  }

  /** The rule divides by the learning rate. */
  protected override tick(): void {
    if (this.clock.data[0] === 0) {
      throw new ValueError('ftrl: the learning rate must be above 0; got 0.');
    }
  }

  protected override update(w: Tensor, g: Tensor, slots: readonly Tensor[]): void {
    run(specs.ftrlUpdate, [w, g, slots[0], slots[1], this.clock], this.attrs);
  }
}

function checkMomentum(name: string, momentum: number): number {
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new ValueError(`${name}: momentum must be from 0 to 1; got ${momentum}.`);
  }
  return momentum;
}
