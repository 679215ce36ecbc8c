import { Writable } from 'node:stream';
import { Dense, Sequential, type Verbosity } from '@tapegrad/layers';
import { barOn, progressFor, type Display } from '../../packages/layers/src/progress.js';

/** A terminal that knows the control codes a bar needs, and shows what a person would see. */
class Screen extends Writable {
  readonly isTTY = true;
  written = '';
  private readonly lines: string[] = [''];
  private row = 0;
  private column = 0;
  private saved = [0, 0];

  constructor(readonly columns = 100) {
    super({ decodeStrings: false });
  }

  override _write(text: string, _encoding: BufferEncoding, done: () => void): void {
    this.written += text;
    for (const [token] of text.matchAll(/\p{Cc}\[[?\d;]*[A-Za-z]|\p{Cc}[78]|[^]/gu))
      this.take(token);
    done();
  }

  private take(token: string): void {
    const line = this.lines[this.row] ?? '';
    if (token === '\n') [this.row, this.column] = [this.row + 1, 0];
    else if (token === '\x1b[1G') this.column = 0;
    else if (token === '\x1b[0K') this.lines[this.row] = line.slice(0, this.column);
    else if (token === '\x1b[2K') this.lines[this.row] = '';
    else if (token === '\x1b7') this.saved = [this.row, this.column];
    else if (token === '\x1b8') [this.row, this.column] = this.saved;
    else if (token.startsWith('\x1b')) throw new Error(`unknown code ${JSON.stringify(token)}`);
    else {
      if (this.column === this.columns) [this.row, this.column] = [this.row + 1, 0];
      const start = (this.lines[this.row] ?? '').padEnd(this.column);
      this.lines[this.row] = start.slice(0, this.column) + token + start.slice(this.column + 1);
      this.column++;
    }
    this.lines[this.row] ??= '';
  }

  get shown(): string[] {
    return this.lines.map((line) => line.trimEnd());
  }
}

const model = new Sequential([new Dense(1, { inputShape: [1] })], { name: 'line' });
model.compile({ optimizer: 'sgd', loss: 'mse', metrics: ['mae'] });
const x = [[1], [2], [3], [4]];

function begin(display: Display, batchesPerEpoch: number, epochs = 2): void {
  display.onTrainBegin({ model, epochs, initialEpoch: 0, batchesPerEpoch, logNames: ['loss'] });
}

/** Steps of equal length, in milliseconds, from batch `from` to the one before `to`. */
function steps(display: Display, from: number, to: number, length: number, loss = 0.5): void {
  for (let batch = from; batch < to; batch++) {
    jest.advanceTimersByTime(length);
    display.onBatchEnd(batch, { loss, accuracy: 0.9 });
  }
}

/** Runs something with a property of `process` replaced; what it prints with console.log comes back. */
async function withProcess(
  replaced: Record<string, unknown>,
  run: () => Promise<unknown>,
): Promise<string[]> {
  const log = jest.spyOn(console, 'log').mockImplementation();
  const before = Object.keys(replaced).map(
    (name) => [name, Object.getOwnPropertyDescriptor(process, name)] as const,
  );
  for (const [name, value] of Object.entries(replaced)) {
    Object.defineProperty(process, name, { value, configurable: true });
  }
  try {
    await run();
    return log.mock.calls.map(([line]) => String(line));
  } finally {
    for (const [name, descriptor] of before) Object.defineProperty(process, name, descriptor!);
    log.mockRestore();
  }
}

describe('a bar', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    expect(jest.getTimerCount()).toBe(0);
    jest.useRealTimers();
  });

  test('shows the count, the time that remains, the time per step and the logs; at the end the time it took', async () => {
    const screen = new Screen();
    const display = await barOn(screen, 'training');
    begin(display, 1875);
    display.onEpochBegin(0);
    expect(screen.shown).toEqual(['Epoch 1/2', '']);
    steps(display, 0, 625, 2);
    jest.advanceTimersByTime(100);
    expect(screen.shown).toEqual([
      'Epoch 1/2',
      ' 625/1875 [=========>....................] - ETA: 3s 2ms/step - loss: 0.5000 - accuracy: 0.9000',
    ]);
    steps(display, 625, 1875, 2);
    jest.advanceTimersByTime(400);
    display.onEpochEnd(0, { loss: 0.34339, accuracy: 0.90125, valLoss: 5e-5, valAccuracy: 1 });
    expect(screen.shown.slice(1, 3).join('')).toBe(
      '1875/1875 [==========] - 4s 2ms/step - loss: 0.3434 - accuracy: 0.9012 - valLoss: 5.0000e-5 - valAccuracy: 1.0000',
    );
    display.onEpochBegin(1);
    steps(display, 0, 1, 2);
    display.close();
    expect(screen.shown.slice(3, 5)).toEqual([
      'Epoch 2/2',
      '   1/1875 [..............................] - 0s 2ms/step - loss: 0.5000 - accuracy: 0.9000',
    ]);
  });

  test('has no epoch when it shows an evaluation', async () => {
    const screen = new Screen();
    const display = await barOn(screen, 'evaluation');
    begin(display, 2, 1);
    display.onEpochBegin(0);
    steps(display, 0, 2, 70_000);
    display.onEpochEnd(0, { loss: 0.25 });
    expect(screen.shown).toEqual([
      '2/2 [==============================] - 2:20 70s/step - loss: 0.2500',
      '',
    ]);
  });

  test('is drawn 12 times a second, however short the steps', async () => {
    const screen = new Screen();
    const display = await barOn(screen, 'training');
    begin(display, 20000);
    display.onEpochBegin(0);
    steps(display, 0, 10000, 0.06);
    const drawn = screen.written.match(/ETA/g)!.length;
    // 600 ms, and the first.
    expect(drawn).toBeGreaterThanOrEqual(7);
    expect(drawn).toBeLessThanOrEqual(9);
    display.close();
    expect(screen.shown[1]).toMatch(/^10000\/20000 \[=+>\.+\] - 1s 60us\/step - loss/);
  });

  test('keeps to one line while it runs, and shows all there is in the end', async () => {
    const screen = new Screen(40);
    const display = await barOn(screen, 'training');
    begin(display, 10);
    display.onEpochBegin(0);
    jest.advanceTimersByTime(3_600_000);
    steps(display, 0, 5, 1000);
    jest.advanceTimersByTime(100);
    expect(screen.shown).toEqual(['Epoch 1/2', ' 5/10 [====>.....] - ETA: 1:00:05 721s/']);
    steps(display, 5, 10, 1000);
    jest.advanceTimersByTime(100);
    display.onEpochEnd(0, { loss: NaN, accuracy: 0 });
    expect(screen.shown).toEqual([
      'Epoch 1/2',
      '10/10 [==========] - 1:00:10 361s/step -',
      ' loss: NaN - accuracy: 0.0000',
      '',
    ]);
  });

  test('leaves what others print where it is', async () => {
    const screen = new Screen();
    const display = await barOn(screen, 'training');
    begin(display, 2);
    display.onEpochBegin(0);
    steps(display, 0, 1, 100);
    screen.write('\nhello\nworld\n');
    steps(display, 1, 2, 100);
    display.onEpochEnd(0, { loss: 1 });
    expect(screen.shown.slice(2)).toEqual([
      'hello',
      'world',
      '2/2 [==============================] - 0s 100ms/step - loss: 1.0000',
      '',
    ]);
  });

  test('shows nothing of an epoch that has not come to its first step', async () => {
    const screen = new Screen();
    const display = await barOn(screen, 'training');
    begin(display, 2);
    display.onEpochBegin(0);
    display.close();
    display.close();
    expect(screen.shown).toEqual(['Epoch 1/2', '']);
  });
});

describe('fit and evaluate', () => {
  const env = { TERM: 'xterm' };
  const reason = new Error('enough');
  let controller = new AbortController();

  test('show a bar on a terminal', async () => {
    const screen = new Screen();
    const printed = await withProcess({ stdout: screen, env }, async () => {
      await model.fit(x, x, { epochs: 2, batchSize: 2, validationData: [x, x] });
      await model.evaluate(x, x);
    });
    expect(printed).toEqual([]);
    const number = String.raw`\d+\.\d{4}(e-\d+)?`;
    const bar = (count: string, names: string[]): unknown => {
      const logs = names.map((name) => ` - ${name}: ${number}`).join('');
      return expect.stringMatching(
        new RegExp(`^${count} \\[=+\\] - 0s \\d+[um]s/step${logs}$`),
      ) as unknown;
    };
    const logs = ['loss', 'mae', 'valLoss', 'valMae'];
    expect(screen.shown).toEqual([
      'Epoch 1/2',
      bar('2/2', logs),
      'Epoch 2/2',
      bar('2/2', logs),
      bar('1/1', ['loss', 'mae']),
      '',
    ]);
  });

  test.each([
    [
      'the output is no terminal',
      1,
      { stdout: Object.assign(new Screen(), { isTTY: false }), env },
    ],
    ['they run in continuous integration', 1, { stdout: new Screen(), env: { CI: 'true' } }],
    ['the terminal is a dumb one', 1, { stdout: new Screen(), env: { TERM: 'dumb' } }],
    ['verbose is 2', 2, { stdout: new Screen(), env }],
    ['there is no standard output, as in a browser', 1, { stdout: undefined, env: undefined }],
  ] as const)('print plain lines when %s', async (_, verbose: Verbosity, replaced) => {
    const printed = await withProcess(replaced, async () => {
      await model.fit(x, x, { epochs: 2, batchSize: 2, verbose });
      await model.evaluate(x, x, { verbose });
    });
    const line = (title: string): unknown =>
      expect.stringMatching(
        new RegExp(`^${title} - 0s - \\d+[um]s/step - loss: [\\de.-]+ - mae: [\\de.-]+$`),
      ) as unknown;
    expect(printed).toEqual([line('Epoch 1/2 - 2/2'), line('Epoch 2/2 - 2/2'), line('1/1')]);
    if (replaced.stdout !== undefined) expect(replaced.stdout.written).toBe('');
  });

  test('show nothing when verbose is 0, and know no other verbosity', async () => {
    const screen = new Screen();
    const printed = await withProcess({ stdout: screen, env }, async () => {
      await model.fit(x, x, { verbose: 0 });
      await model.evaluate(x, x, { verbose: 0 });
    });
    expect([printed, screen.written]).toEqual([[], '']);
    const verbose = JSON.parse('3') as Verbosity;
    await expect(progressFor(verbose, 'training')).rejects.toThrow(
      'verbose must be 0 (silent), 1 (a progress bar) or 2 (a line for each epoch); got 3.',
    );
  });

  test.each<[string, () => unknown, Error | undefined, boolean]>([
    ['is aborted', () => controller.abort(reason), reason, false],
    ['fails', () => Promise.reject(reason), reason, false],
    ['is stopped', () => (model.stopTraining = true), undefined, true],
  ])('take the bar away when training %s', async (_, onBatchEnd, error, ended) => {
    const screen = new Screen();
    let got: unknown;
    const timers = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    await withProcess({ stdout: screen, env }, async () => {
      const { signal } = (controller = new AbortController());
      const options = { epochs: 3, batchSize: 1, callbacks: [{ onBatchEnd }], signal };
      got = await model.fit(x, x, options).then(
        () => undefined,
        (reason: unknown) => reason,
      );
    });
    expect(got).toBe(error);
    expect(screen.shown).toEqual([
      'Epoch 1/3',
      expect.stringMatching(
        /^1\/4 \[======>\.{23}\] - 0s \d+[um]s\/step - loss: [^ ]+ - mae: [^ ]+$/,
      ),
      '',
    ]);
    expect(screen.written).not.toMatch(/\?25l|\?7l/);
    const left = process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    expect(left).toBe(timers);
    expect(model.stopTraining).toBe(ended);
  });
});
