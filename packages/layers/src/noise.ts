/**
 * Layers that add chance while training, as Dropout does.
 */
import { defaultGenerator, run, specs, type Generator, type Tensor } from '@tapegrad/tensor';
import { type Variable } from '@tapegrad/autograd';
import { checkRange, checkRate } from './checks.js';
import { Layer, type BatchShape, type CallContext, type LayerOptions } from './layer.js';

export interface NoiseOptions extends LayerOptions {
  /** Where the random numbers come from. Default: the default generator's stream 'dropout'. */
  generator?: Generator;
}

/** A layer that draws normal numbers of the shape of its input while training. */
abstract class Noise extends Layer {
  protected override readonly supportsMasking = true;

  constructor(private readonly settings: NoiseOptions) {
    super(settings);
  }

  /** Normal numbers beside x. */
  protected normal({ shape, dtype }: Variable, mean: number, stddev: number): Tensor {
    const generator = this.settings.generator ?? defaultGenerator().stream('dropout');
    return run(specs.randomNormal, [], { generator, shape, dtype, mean, stddev });
  }

  override computeOutputShape(inputShape: BatchShape): BatchShape {
    return inputShape;
  }
}

/**
 * While training, adds normal numbers with mean 0 and the standard deviation `stddev`. Otherwise changes nothing.
 *
 * @throws ValueError for a negative stddev
 * @example
 * new GaussianNoise(0.1).apply([[1, 2]]).toArray(); // [[1, 2]]
 */
export class GaussianNoise extends Noise {
  readonly stddev: number;

  constructor(stddev: number, options: NoiseOptions = {}) {
    super(options);
    this.stddev = checkRange(this.name, 'stddev', stddev, 0);
  }

  override call(x: Variable, { training }: CallContext): Variable {
    return training && this.stddev > 0 ? x.add(this.normal(x, 0, this.stddev)) : x;
  }
}

/**
 * While training, multiplies by normal numbers with mean 1 and variance rate / (1 − rate), that of Dropout(rate)
 * (Srivastava et al. 2014). Otherwise changes nothing.
 *
 * @throws ValueError unless 0 ≤ rate < 1
 * @example
 * new GaussianDropout(0.5).apply([[1, 2]]).toArray(); // [[1, 2]]
 */
export class GaussianDropout extends Noise {
  readonly rate: number;

  constructor(rate: number, options: NoiseOptions = {}) {
    super(options);
    this.rate = checkRate(this.name, rate);
  }

  override call(x: Variable, { training }: CallContext): Variable {
    if (!training || this.rate === 0) return x;
    return x.mul(this.normal(x, 1, Math.sqrt(this.rate / (1 - this.rate))));
  }
}
