/**
 * The logs of a training as a file.
 */
import { ValueError } from '@tapegrad/tensor';
import { FileError } from '../errors.js';
import { nodeFiles, type NodeFiles } from '../platform.js';
import { checkOptions } from '../registry.js';
import { Callback, type Logs } from './base.js';
import { checkChoice } from './monitor.js';

export interface CSVLoggerOptions {
  /** One character between the columns. Default ','. */
  separator?: string;
  /** Whether to go on with a file that is there, which must have the same columns; else it is replaced. Default false. */
  append?: boolean;
}

/**
 * Writes a CSV file (as RFC 4180, but lines end in a line feed alone): a header, then a row for each epoch with its number,
 * counted from 0, and its logs in full precision. Each row is in the file before the next epoch begins. Needs Node.
 *
 * @throws ValueError for a separator that is not one character
 * @throws FileError when training begins, for a file that cannot be written, or where there are none, as in a browser; after
 * the first epoch, for a file to append to that has other columns
 * @example const logger = new CSVLogger('training.csv', { append: true });
 */
export class CSVLogger extends Callback {
  private readonly separator: string;
  private readonly append: boolean;
  private files: NodeFiles | null = null;
  /** What was in the file when training began. */
  private before = '';
  /** The names of the logs; null until the first epoch tells them. */
  private columns: readonly string[] | null = null;

  constructor(
    private readonly filename: string,
    options: CSVLoggerOptions = {},
  ) {
    super();
    if (typeof filename !== 'string' || filename === '') {
      throw new ValueError(`CSVLogger: needs the name of a file; got ${JSON.stringify(filename)}.`);
    }
    checkOptions('CSVLogger', options, ['separator', 'append']);
    const { separator = ',', append = false } = options;
    checkChoice('CSVLogger', 'append', append, [false, true]);
    if (!/^[^"\r\n]$/.test(separator)) {
      throw new ValueError(
        `CSVLogger: separator must be one character, neither a quote nor the end of a line; got ${JSON.stringify(separator)}.`,
      );
    }
    this.separator = separator;
    this.append = append;
  }

  override async onTrainBegin(): Promise<void> {
    this.files = await nodeFiles();
    this.columns = null;
    this.before = this.append ? ((await this.needFiles().readText(this.filename)) ?? '') : '';
    // A file that cannot be written is found out now, and not after an epoch.
    if (this.append) await this.needFiles().appendText(this.filename, '');
    else await this.needFiles().writeText(this.filename, '');
  }

  override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
    let text = '';
    if (this.columns === null) {
      this.columns = Object.keys(logs);
      text = this.opening(this.columns);
    }
    text += this.line([epoch, ...this.columns.map((name) => logs[name])]);
    await this.needFiles().appendText(this.filename, text);
  }

  private needFiles(): NodeFiles {
    if (this.files !== null) return this.files;
    throw new FileError(
      `CSVLogger: '${this.filename}' cannot be written: files need Node. In a browser, collect the logs in an onEpochEnd of ` +
        `your own, or read them off the History that fit returns.`,
    );
  }

  /** What is written ahead of the first row. */
  private opening(columns: readonly string[]): string {
    const header = this.line(['epoch', ...columns]);
    if (this.before === '') return header;
    const [found] = this.before.split(/\r?\n/, 1);
    if (`${found}\n` !== header) {
      throw new FileError(
        `CSVLogger: '${this.filename}' has the columns ${found} and cannot be appended to with ${header.trimEnd()}; use ` +
          `another file, or append: false to replace it.`,
      );
    }
    return this.before.endsWith('\n') ? '' : '\n';
  }

  private line(cells: readonly (string | number)[]): string {
    return `${cells.map((cell) => this.quoted(String(cell))).join(this.separator)}\n`;
  }

  private quoted(cell: string): string {
    const isPlain = !cell.includes(this.separator) && !/["\r\n]/.test(cell);
    return isPlain ? cell : `"${cell.replaceAll('"', '""')}"`;
  }
}
