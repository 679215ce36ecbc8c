import { TapegradError } from '@tapegrad/tensor';

/** A name of a loss, layer, option … that is not known; the message lists the known ones. */
export class UnknownNameError extends TapegradError {
  static override readonly name: string = 'UnknownNameError';
}

/** Training, evaluating … before `compile` has settled how. */
export class NotCompiledError extends TapegradError {
  static override readonly name: string = 'NotCompiledError';
}

/** A file that cannot be read or written, or that holds something else than it should. */
export class FileError extends TapegradError {
  static override readonly name: string = 'FileError';
}
