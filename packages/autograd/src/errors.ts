import { TapegradError } from '@tapegrad/tensor';

/** A gradient that cannot be computed: a freed graph, a value changed in place, a missing cotangent, a broken rule. */
export class GradientError extends TapegradError {
  static override readonly name: string = 'GradientError';
}
