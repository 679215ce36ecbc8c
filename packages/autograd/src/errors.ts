import { TapegradError } from '@tapegrad/tensor';

/** A gradient that cannot be computed: a freed graph, a value changed in place, a missing cotangent, a broken rule. */
export class GradientError extends TapegradError {
  static override readonly name: string = 'GradientError';
}

/** What something is that should have been something else, for messages. */
export function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return 'a list';
  const made = typeof value === 'object' ? value.constructor.name : typeof value;
  return `${/^[aeiou]/i.test(made) ? 'an' : 'a'} ${made}`;
}
