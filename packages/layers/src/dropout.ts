/**
 * Dropping elements: what Dropout does, and attention with its scores.
 */
import { defaultGenerator, run, specs, type Generator } from '@tapegrad/tensor';
import { type Variable } from '@tapegrad/autograd';

/**
 * Sets a share `rate` of the elements to 0 and multiplies the others by 1 / (1 − rate), so that the mean stays.
 *
 * @param generator where the random numbers come from; by default the default generator's stream 'dropout'
 */
export function dropped(x: Variable, rate: number, generator?: Generator): Variable {
  const keep = 1 - rate;
  const mask = run(specs.randomBernoulli, [], {
    generator: generator ?? defaultGenerator().stream('dropout'),
    shape: x.shape,
    dtype: x.dtype,
    probability: keep,
  });
  return x.mul(mask).div(keep);
}
