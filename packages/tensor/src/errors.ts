/**
 * Base class of every error that tapegrad throws on purpose. Each class says its name, since bundlers shorten those of classes.
 */
export class TapegradError extends Error {
  static override readonly name: string = 'TapegradError';

  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

/** Shapes that do not fit together, or an axis that does not exist. */
export class ShapeError extends TapegradError {
  static override readonly name: string = 'ShapeError';
}

/** A dtype that an op does not take. */
export class DTypeError extends TapegradError {
  static override readonly name: string = 'DTypeError';
}

/** A value outside what is allowed. */
export class ValueError extends TapegradError {
  static override readonly name: string = 'ValueError';
}

/** A thread failed in the middle of a step, or a worker did not come to the end of its part. The step is not finished. */
export class WorkerError extends TapegradError {
  static override readonly name: string = 'WorkerError';
}

/** An index outside the tensor. */
export class IndexError extends TapegradError {
  static override readonly name: string = 'IndexError';
}

/** Bytes that are no well-formed file of the format that they should be in, or that hold what cannot be read. */
export class FormatError extends TapegradError {
  static override readonly name: string = 'FormatError';
}

/** `[2, 3]`, the form in which every message prints a shape. */
export function formatShape(shape: readonly (number | null)[]): string {
  return `[${shape.map((size) => size ?? '?').join(', ')}]`;
}

/** What something is, for messages about what does not belong there: `the string '3'`, `3`, `an Array`, `a Tensor`. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return `the string '${value.slice(0, 40)}'`;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (value === null || value === undefined) return String(value);
  const made = typeof value === 'object' ? value.constructor.name : typeof value;
  return `${/^[aeiou]/i.test(made) ? 'an' : 'a'} ${made}`;
}

/** `'a', 'b' or 'c'`, for messages that list what is known. */
export function formatChoices(choices: readonly string[]): string {
  const quoted = choices.map((choice) => `'${choice}'`);
  if (quoted.length < 2) return quoted.join('');
  return `${quoted.slice(0, -1).join(', ')} or ${quoted[quoted.length - 1]}`;
}

/** A value that a recorded step cannot tell while it is recorded. */
export class RecordingError extends TapegradError {
  static override readonly name: string = 'RecordingError';
}
