/** Base class of every error that tapegrad throws on purpose. */
export class TapegradError extends Error {
  constructor(message: string) {
    super(message);
    this.name = new.target.name;
  }
}

/** Shapes that do not fit together, or an axis that does not exist. */
export class ShapeError extends TapegradError {}

/** A dtype that an op does not take. */
export class DTypeError extends TapegradError {}

/** A value outside what is allowed. */
export class ValueError extends TapegradError {}

/** A worker thread failed in the middle of a step, or did not come to the end of its part. The step is not finished. */
export class WorkerError extends TapegradError {}

/** An index outside the tensor. */
export class IndexError extends TapegradError {}

/** Bytes that are no well-formed file of the format that they should be in, or that hold what cannot be read. */
export class FormatError extends TapegradError {}

/** `[2, 3]`, the form in which every message prints a shape. */
export function formatShape(shape: readonly (number | null)[]): string {
  return `[${shape.map((size) => size ?? '?').join(', ')}]`;
}

/** `'a', 'b' or 'c'`, for messages that list what is known. */
export function formatChoices(choices: readonly string[]): string {
  const quoted = choices.map((choice) => `'${choice}'`);
  if (quoted.length < 2) return quoted.join('');
  return `${quoted.slice(0, -1).join(', ')} or ${quoted[quoted.length - 1]}`;
}

/** A value that a recorded step cannot tell while it is recorded. */
export class RecordingError extends TapegradError {}
