import { TapegradError } from '@tapegrad/tensor';

/** Something that cannot be drawn or saved; the message says what came and what was expected. */
export class PlotError extends TapegradError {
  static override readonly name: string = 'PlotError';
}
