import { TapegradError } from '@tapegrad/tensor';

/** A data file is missing, damaged, or not the file it should be. */
export class DatasetError extends TapegradError {
  static override readonly name: string = 'DatasetError';
}

/** The bytes are no well-formed IDX file (or no well-formed gzip file that should hold one). */
export class IdxError extends DatasetError {
  static override readonly name: string = 'IdxError';
}

/** What went wrong with one address. */
export interface DownloadFailure {
  url: string;
  reason: string;
}

/** Every mirror failed; the message and `failures` say why, in the order in which they were tried. */
export class DownloadError extends DatasetError {
  static override readonly name: string = 'DownloadError';
  readonly failures: readonly DownloadFailure[];

  constructor(message: string, failures: readonly DownloadFailure[]) {
    super(message);
    this.failures = failures;
  }
}
