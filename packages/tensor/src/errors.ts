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

/** So many items of a list, and letters of a string, are shown in a message. */
const SHOWN_ITEMS = 8;
const SHOWN_LETTERS = 40;

/** A value as messages show it: `'3'` in quotes, so that it is seen not to be `3`; `[1, 'a']`; `a Tensor`; `an object`. */
export function shown(value: unknown): string {
  if (typeof value === 'string') {
    return value.length > SHOWN_LETTERS ? `'${value.slice(0, SHOWN_LETTERS)}…'` : `'${value}'`;
  }
  if (Array.isArray(value)) {
    const items = value.slice(0, SHOWN_ITEMS).map(shown);
    return `[${items.join(', ')}${value.length > SHOWN_ITEMS ? ', …' : ''}]`;
  }
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  const made = 'constructor' in value ? value.constructor.name : 'Object';
  return made === 'Object' ? 'an object' : `${/^[aeiou]/i.test(made) ? 'an' : 'a'} ${made}`;
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
