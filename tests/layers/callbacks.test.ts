import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  CSVLogger,
  Callback,
  Dense,
  EarlyStopping,
  FileError,
  LearningRateScheduler,
  ReduceLROnPlateau,
  SGD,
  Sequential,
  TerminateOnNaN,
  UnknownNameError,
  type CallbackLike,
  type EarlyStoppingOptions,
  type Logs,
  type ReduceLROnPlateauOptions,
  type TrainContext,
} from '@tapegrad/layers';
import { ValueError } from '@tapegrad/tensor';

/** y = w·x, w = 0 at first. */
function line(learningRate = 0.1): Sequential {
  const layer = new Dense(1, { useBias: false, kernelInitializer: 'zeros', inputShape: [1] });
  const model = new Sequential([layer], { name: 'line' });
  model.compile({ optimizer: new SGD({ learningRate }), loss: 'mse', metrics: ['mae'] });
  return model;
}

const weight = (model: Sequential): number => model.getWeights()[0].item();

const contextOf = (model: Sequential, names: readonly string[]): TrainContext => ({
  model,
  epochs: 100,
  initialEpoch: 0,
  batchesPerEpoch: 1,
  logNames: names,
});

/** Tells a callback of epochs until it ends the training; in the epoch with number e the weight is e. */
function play(callback: Callback, model: Sequential, name: string, values: number[]): number[] {
  model.stopTraining = false;
  void callback.onTrainBegin(contextOf(model, [name.replace('[1]', '')]));
  const rates: number[] = [];
  for (let epoch = 0; epoch < values.length && !model.stopTraining; epoch++) {
    void callback.onEpochBegin(epoch);
    rates.push(model.optimizer.learningRate);
    model.setWeights([[[epoch]]]);
    void callback.onEpochEnd(epoch, { [name]: values[epoch] });
  }
  void callback.onTrainEnd({});
  return rates;
}

/** How many epochs are run, out of those whose values are given. */
function epochsRun(options: EarlyStoppingOptions, values: number[]): number {
  const { monitor = 'valLoss' } = options;
  return play(new EarlyStopping(options), line(), monitor, values).length;
}

describe('EarlyStopping', () => {
  test('ends training when as many epochs as its patience have brought no improvement', () => {
    const falling = [5, 4, 4, 4.5, 4.5, 3, 2];
    expect(epochsRun({}, falling)).toBe(3);
    expect(epochsRun({ patience: 1 }, falling)).toBe(3);
    expect(epochsRun({ patience: 2 }, falling)).toBe(4);
    expect(epochsRun({ patience: 3 }, falling)).toBe(5);
    expect(epochsRun({ patience: 4 }, falling)).toBe(7);
  });

  test('says where it ended the training, and what was best', () => {
    const model = line();
    const callback = new EarlyStopping({ patience: 2 });
    play(callback, model, 'valLoss', [5, 4, 4, 4.5]);
    expect(callback).toMatchObject({ stoppedEpoch: 3, best: 4, bestEpoch: 1 });
    expect(weight(model)).toBe(3);
    // Used again it begins anew.
    play(callback, model, 'valLoss', [9, 8]);
    expect(callback).toMatchObject({ stoppedEpoch: null, best: 8, bestEpoch: 1 });
  });

  test('takes for an improvement what is better by more than minDelta', () => {
    expect(epochsRun({ minDelta: 0.5 }, [5, 4.25, 3.75, 0])).toBe(3);
    expect(epochsRun({ minDelta: 0.5, mode: 'max' }, [5, 5.75, 6.25, 9])).toBe(3);
  });

  test('knows which of the usual logs should grow, and asks for the others', () => {
    const growing = [1, 2, 3, 2];
    for (const monitor of ['accuracy', 'valAcc', 'valPrecision', 'recall[1]', 'cosineSimilarity']) {
      expect([monitor, epochsRun({ monitor, patience: 1 }, growing)]).toEqual([monitor, 4]);
    }
    for (const monitor of ['loss', 'valLoss', 'valMse', 'meanAbsoluteError', 'valCrossentropy']) {
      expect([monitor, epochsRun({ monitor, patience: 1 }, growing)]).toEqual([monitor, 2]);
    }
    expect(() => new EarlyStopping({ monitor: 'valOwn' })).toThrow(
      "EarlyStopping: 'valOwn' does not tell whether smaller or greater is better; pass mode: 'min' or mode: 'max'.",
    );
    expect(epochsRun({ monitor: 'loss', mode: 'max', patience: 1 }, growing)).toBe(4);
  });

  test('wants the baseline bettered, but never ends at an improvement', () => {
    expect(epochsRun({ baseline: 3, patience: 2 }, [5, 5, 5])).toBe(2);
    // Better each time and never below 3: it ends at the first epoch that is no better than the last.
    expect(epochsRun({ baseline: 3, patience: 2 }, [6, 5, 4, 3.5, 3.5, 1])).toBe(5);
    expect(epochsRun({ baseline: 3, patience: 2 }, [6, 2, 2, 2, 1])).toBe(4);
  });

  test('looks at nothing before startFromEpoch', () => {
    expect(epochsRun({ startFromEpoch: 2, patience: 1 }, [1, 9, 9, 8, 8, 0])).toBe(5);
  });

  test('takes NaN for no improvement', () => {
    const callback = new EarlyStopping({ patience: 2 });
    expect(play(callback, line(), 'valLoss', [NaN, 3, NaN, NaN, 1])).toHaveLength(4);
    expect(callback).toMatchObject({ best: 3, bestEpoch: 1 });
  });

  test('restores the weights of the best epoch, whether it ended the training or not', () => {
    const model = line();
    const stop = new EarlyStopping({ patience: 2, restoreBestWeights: true });
    play(stop, model, 'valLoss', [5, 4, 4, 4.5, 1]);
    expect([stop.stoppedEpoch, weight(model)]).toEqual([3, 1]);
    play(stop, model, 'valLoss', [5, 3, 4]);
    expect([stop.stoppedEpoch, weight(model)]).toEqual([null, 1]);
    // The best of those that did not better the baseline.
    const wanting = new EarlyStopping({ baseline: 1, patience: 2, restoreBestWeights: true });
    play(wanting, model, 'valLoss', [5, 5, 4, 4]);
    expect(weight(model)).toBe(0);
    // Never better than the worst: the weights after the first epoch.
    play(stop, model, 'valLoss', [NaN, NaN]);
    expect(weight(model)).toBe(0);
  });

  test('ends and restores a real training', async () => {
    // (w − 1)², w ← w − 0.75·2·(w − 1): the error changes its sign and halves.
    const model = line(0.75);
    const noted: number[] = [];
    const { epoch } = await model.fit([[1]], [[1]], {
      epochs: 50,
      validationData: [[[1]], [[1]]],
      callbacks: [
        new EarlyStopping({ minDelta: 1e-3, patience: 1, restoreBestWeights: true }),
        { onEpochEnd: () => noted.push(weight(model)) },
      ],
      verbose: 0,
    });
    // valLoss is 4^−(e + 1): the step from e = 4 to 5 is below 1e-3, that from 3 to 4 is not.
    expect(epoch).toEqual([0, 1, 2, 3, 4, 5]);
    expect(weight(model)).toBe(noted[4]);
  });

  test('says what it has done when asked to', () => {
    const log = jest.spyOn(console, 'log').mockImplementation();
    try {
      const options = { patience: 1, restoreBestWeights: true, verbose: 1 } as const;
      play(new EarlyStopping(options), line(), 'valLoss', [1, 2]);
      expect(log.mock.calls).toEqual([
        ['Epoch 2: early stopping'],
        ['Restored the weights of the best epoch: 1.'],
      ]);
    } finally {
      log.mockRestore();
    }
  });
});

describe('what is monitored', () => {
  test.each([
    ['EarlyStopping', new EarlyStopping({ monitor: 'valLoss' })],
    ['ReduceLROnPlateau', new ReduceLROnPlateau({ monitor: 'valLoss' })],
  ])('must be among the logs: %s', async (owner, callback) => {
    const training = line().fit([[1]], [[1]], { callbacks: [callback], verbose: 0 });
    await expect(training).rejects.toThrow(UnknownNameError);
    await expect(training).rejects.toThrow(
      `${owner}: there is no log 'valLoss' to monitor; the logs are 'loss', 'mae'. Logs that begin with val need ` +
        `validationData or validationSplit.`,
    );
  });

  test('may be one value of a metric with several; a wrong place is found when they come', () => {
    const callback = new EarlyStopping({ monitor: 'precision[2]' });
    callback.onTrainBegin(contextOf(line(), ['loss', 'precision']));
    expect(() => callback.onEpochEnd(0, { loss: 1, 'precision[0]': 1 })).toThrow(
      "EarlyStopping: there is no log 'precision[2]' to monitor; the logs are 'loss', 'precision[0]'.",
    );
  });
});

describe('LearningRateScheduler', () => {
  test('sets the learning rate of each epoch from the one before', async () => {
    const calls: [number, number][] = [];
    const rates: number[] = [];
    const model = line(0.5);
    const schedule = (epoch: number, rate: number): number => {
      calls.push([epoch, rate]);
      return rate / 2;
    };
    await model.fit([[1]], [[0]], {
      initialEpoch: 1,
      epochs: 4,
      callbacks: [
        new LearningRateScheduler(schedule),
        { onEpochEnd: () => rates.push(model.optimizer.learningRate) },
      ],
      verbose: 0,
    });
    expect(calls).toEqual([
      [1, 0.5],
      [2, 0.25],
      [3, 0.125],
    ]);
    expect(rates).toEqual([0.25, 0.125, 0.0625]);
  });

  test('rejects a schedule that returns no rate', async () => {
    const fit = (rate: number): Promise<unknown> =>
      line().fit([[1]], [[1]], { callbacks: [new LearningRateScheduler(() => rate)], verbose: 0 });
    for (const rate of [NaN, -1, Infinity]) {
      await expect(fit(rate)).rejects.toThrow(
        `LearningRateScheduler: what the schedule returns for epoch 0 must be a number of 0 or more; got ${rate}.`,
      );
    }
    const none = JSON.parse('3') as () => number;
    expect(() => new LearningRateScheduler(none)).toThrow(
      'LearningRateScheduler: needs a function of (epoch, learningRate); got number.',
    );
  });
});

describe('ReduceLROnPlateau', () => {
  /** The learning rate of each epoch, 1 at first. */
  const ratesOf = (options: ReduceLROnPlateauOptions, values: number[]): number[] =>
    play(new ReduceLROnPlateau(options), line(1), options.monitor ?? 'valLoss', values);

  test('reduces the rate after as many epochs without improvement as its patience', () => {
    const values = [5, 4, 4, 4, 4, 4, 3, 3];
    expect(ratesOf({ factor: 0.5, patience: 2 }, values)).toEqual([
      1, 1, 1, 1, 0.5, 0.5, 0.25, 0.25,
    ]);
    expect(ratesOf({ factor: 0.5, patience: 3 }, values)).toEqual([1, 1, 1, 1, 1, 0.5, 0.5, 0.5]);
    expect(ratesOf({}, values)).toEqual([1, 1, 1, 1, 1, 1, 1, 1]);
  });

  test('takes a tenth by default, and for an improvement what is more than 1e-4', () => {
    expect(ratesOf({ patience: 1 }, [1, 0.99995, 0.99995])).toEqual([1, 1, 0.1]);
    expect(ratesOf({ patience: 1 }, [1, 0.9998, 0.9997])).toEqual([1, 1, 1]);
  });

  test('does not count while it cools down', () => {
    // Reduced after epoch 1; epochs 2 and 3 cool down, the last of them counting again, as in Keras.
    const values = [4, 4, 4, 4, 4, 4];
    expect(ratesOf({ factor: 0.5, patience: 1, cooldown: 2 }, values)).toEqual([
      1, 1, 0.5, 0.5, 0.25, 0.25,
    ]);
    expect(ratesOf({ factor: 0.5, patience: 1 }, values)).toEqual([1, 1, 0.5, 0.25, 0.125, 0.0625]);
  });

  test('goes no lower than minLearningRate', () => {
    expect(ratesOf({ factor: 0.5, patience: 1, minLearningRate: 0.4 }, [4, 4, 4, 4])).toEqual([
      1, 1, 0.5, 0.4,
    ]);
  });

  test('minds the direction', () => {
    const options = { monitor: 'valAccuracy', factor: 0.5, patience: 1 };
    expect(ratesOf(options, [0.5, 0.6, 0.6, 0.7])).toEqual([1, 1, 1, 0.5]);
  });

  test('refuses, before training, an optimizer that has a schedule of its own', async () => {
    const model = line();
    model.compile({ optimizer: new SGD({ learningRate: () => 0.1 }), loss: 'mse' });
    const callbacks = [new ReduceLROnPlateau({ monitor: 'loss' })];
    await expect(model.fit([[1]], [[1]], { callbacks, verbose: 0 })).rejects.toThrow(
      /the learning rate follows a schedule and cannot be set/,
    );
    expect(model.optimizer.iterations).toBe(0);
  });
});

describe('TerminateOnNaN', () => {
  test.each([
    ['NaN', NaN],
    ['Infinity', 1e30],
  ])('ends training after the batch that made the loss %s', async (what, bad) => {
    const warn = jest.spyOn(console, 'warn').mockImplementation();
    try {
      const batches: number[] = [];
      const model = line();
      const { epoch } = await model.fit([[1], [bad], [1]], [[1], [1e30], [1]], {
        epochs: 5,
        batchSize: 1,
        shuffle: false,
        callbacks: [new TerminateOnNaN(), { onBatchEnd: (batch) => batches.push(batch) }],
        verbose: 0,
      });
      expect(batches).toEqual([0, 1]);
      expect(epoch).toEqual([0]);
      expect(warn.mock.calls).toEqual([[`Batch 2: the loss is ${what}; training ends.`]]);
    } finally {
      warn.mockRestore();
    }
  });
});

describe('CSVLogger', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tapegrad-csv-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  async function log(callback: CSVLogger, epochs: [number, Logs][]): Promise<void> {
    await callback.onTrainBegin();
    for (const [epoch, logs] of epochs) await callback.onEpochEnd(epoch, logs);
  }

  test('has a row in the file after each epoch, with every digit', async () => {
    const file = join(folder, 'log.csv');
    writeFileSync(file, 'what was there before\n');
    const seen: string[] = [];
    const { history } = await line().fit([[1], [2]], [[1], [3]], {
      epochs: 2,
      callbacks: [new CSVLogger(file), { onEpochEnd: () => seen.push(readFileSync(file, 'utf8')) }],
      verbose: 0,
    });
    const { loss, mae } = history;
    expect(seen[0]).toBe(`epoch,loss,mae\n0,${loss[0]},${mae[0]}\n`);
    expect(seen[1]).toBe(`${seen[0]}1,${loss[1]},${mae[1]}\n`);
  });

  test('goes on with a file, without a second header', async () => {
    const file = join(folder, 'log.csv');
    const callback = new CSVLogger(file, { append: true });
    await log(callback, [[0, { loss: 0.5 }]]);
    await log(callback, [[1, { loss: 0.25 }]]);
    expect(readFileSync(file, 'utf8')).toBe('epoch,loss\n0,0.5\n1,0.25\n');
    // A last line that was cut off, or another program's line ends.
    writeFileSync(file, 'epoch,loss\r\n0,0.5');
    await log(callback, [[1, { loss: 1e-9 }]]);
    expect(readFileSync(file, 'utf8')).toBe('epoch,loss\r\n0,0.5\n1,1e-9\n');
  });

  test('does not mix columns', async () => {
    const file = join(folder, 'log.csv');
    writeFileSync(file, 'epoch,loss,acc\n');
    const logged = log(new CSVLogger(file, { append: true }), [[0, { loss: 1, mae: 1 }]]);
    await expect(logged).rejects.toThrow(FileError);
    await expect(logged).rejects.toThrow(
      `CSVLogger: '${file}' has the columns epoch,loss,acc and cannot be appended to with epoch,loss,mae; use another file, ` +
        `or append: false to replace it.`,
    );
    expect(readFileSync(file, 'utf8')).toBe('epoch,loss,acc\n');
  });

  test('separates with any character, and quotes what needs it', async () => {
    const file = join(folder, 'log.csv');
    const logs = { loss: NaN, 'a;"b"': -Infinity };
    await log(new CSVLogger(file, { separator: ';' }), [[0, logs]]);
    expect(readFileSync(file, 'utf8')).toBe('epoch;loss;"a;""b"""\n0;NaN;-Infinity\n');
    for (const separator of ['', ', ', '"', '\n']) {
      expect(() => new CSVLogger(file, { separator })).toThrow(
        `CSVLogger: separator must be one character, neither a quote nor the end of a line; got ${JSON.stringify(separator)}.`,
      );
    }
  });

  test('finds out before training that a file cannot be written', async () => {
    const file = join(folder, 'none', 'log.csv');
    const model = line();
    const training = model.fit([[1]], [[1]], { callbacks: [new CSVLogger(file)], verbose: 0 });
    await expect(training).rejects.toThrow(FileError);
    await expect(training).rejects.toThrow(`${file}: cannot be written (ENOENT`);
    expect(model.optimizer.iterations).toBe(0);
    const onFolder = log(new CSVLogger(folder, { append: true }), []);
    await expect(onFolder).rejects.toThrow(`${folder}: cannot be read (EISDIR`);
  });

  test('says in a browser that there are no files', async () => {
    const file = join(folder, 'log.csv');
    const { versions } = process;
    Object.defineProperty(process, 'versions', { value: {} });
    try {
      await expect(new CSVLogger(file).onTrainBegin()).rejects.toThrow(
        `CSVLogger: '${file}' cannot be written: files need Node. In a browser, collect the logs in an onEpochEnd of your own, ` +
          `or read them off the History that fit returns.`,
      );
    } finally {
      Object.defineProperty(process, 'versions', { value: versions });
    }
    expect(existsSync(file)).toBe(false);
  });
});

describe('options that make no sense', () => {
  const stopping = (json: string): EarlyStopping =>
    new EarlyStopping(JSON.parse(json) as EarlyStoppingOptions);
  const reducing = (json: string): ReduceLROnPlateau =>
    new ReduceLROnPlateau(JSON.parse(json) as ReduceLROnPlateauOptions);
  const whole = (what: string): string => `${what} must be a whole number of`;

  test.each([
    [stopping, '{"patience": -1}', `EarlyStopping: ${whole('patience')} 0 or more; got -1.`],
    [stopping, '{"patience": 1.5}', `EarlyStopping: ${whole('patience')} 0 or more; got 1.5.`],
    [stopping, '{"startFromEpoch": "2"}', `EarlyStopping: ${whole('startFromEpoch')} 0 or more`],
    [stopping, '{"minDelta": -0.1}', 'minDelta must be a number of 0 or more; got -0.1.'],
    [stopping, '{"mode": "down"}', 'mode must be one of "auto", "min", "max"; got "down".'],
    [stopping, '{"baseline": "1"}', 'EarlyStopping: baseline must be a finite number; got 1.'],
    [
      stopping,
      '{"monitor": ""}',
      'monitor must be the name of a log, such as \'valLoss\'; got "".',
    ],
    [stopping, '{"restoreBestWeights": 1}', 'must be one of false, true; got 1.'],
    [reducing, '{"factor": 1}', 'ReduceLROnPlateau: factor must be between 0 and 1; got 1.'],
    [reducing, '{"factor": 0}', 'ReduceLROnPlateau: factor must be between 0 and 1; got 0.'],
    [reducing, '{"patience": -1}', `ReduceLROnPlateau: ${whole('patience')} 0 or more; got -1.`],
    [reducing, '{"cooldown": 0.5}', `ReduceLROnPlateau: ${whole('cooldown')} 0 or more; got 0.5.`],
    [reducing, '{"minLearningRate": -1}', 'minLearningRate must be a number of 0 or more; got -1.'],
    [reducing, '{"verbose": 2}', 'verbose must be one of 0, 1; got 2.'],
  ])('are errors: %p %s', (make, json, message) => {
    expect(() => make(json)).toThrow(ValueError);
    expect(() => make(json)).toThrow(message);
  });

  test('are not ignored when their name is unknown', () => {
    expect(() => stopping('{"pationce": 3}')).toThrow(
      "Unknown option of EarlyStopping 'pationce'. Did you mean 'patience'?",
    );
    expect(() => reducing('{"minLr": 3}')).toThrow("Unknown option of ReduceLROnPlateau 'minLr'.");
  });
});

describe('callbacks of fit', () => {
  const x = [[1], [2], [3]];

  test('are called in order, each waited for, with what they are due', async () => {
    const calls: string[] = [];
    const text = (logs: Logs): string => Object.keys(logs).join('+');
    class Slow extends Callback {
      override async onTrainBegin({ epochs, batchesPerEpoch }: TrainContext): Promise<void> {
        await pause(1);
        calls.push(`train: ${epochs} epochs of ${batchesPerEpoch}`);
      }
      override async onEpochBegin(epoch: number): Promise<void> {
        await pause(1);
        calls.push(`epoch ${epoch}`);
      }
      override async onBatchBegin(batch: number): Promise<void> {
        await pause(1);
        calls.push(`batch ${batch}`);
      }
      override async onBatchEnd(batch: number, logs: Logs): Promise<void> {
        await pause(1);
        calls.push(`batch ${batch} ended: ${text(logs)}`);
      }
      override async onEpochEnd(epoch: number, logs: Logs): Promise<void> {
        await pause(1);
        calls.push(`epoch ${epoch} ended: ${text(logs)}`);
      }
      override async onTrainEnd(logs: Logs): Promise<void> {
        await pause(1);
        calls.push(`train ended: ${text(logs)}`);
      }
    }
    const second: CallbackLike = {
      onBatchBegin: (batch) => calls.push(`second: batch ${batch}`),
      onEpochEnd: (epoch) => calls.push(`second: epoch ${epoch} ended`),
    };
    await line().fit(x, x, {
      epochs: 2,
      batchSize: 2,
      validationData: [x, x],
      callbacks: [new Slow(), second],
      verbose: 0,
    });
    const epoch = (e: number): string[] => [
      `epoch ${e}`,
      'batch 0',
      'second: batch 0',
      'batch 0 ended: loss+mae',
      'batch 1',
      'second: batch 1',
      'batch 1 ended: loss+mae',
      `epoch ${e} ended: loss+mae+valLoss+valMae`,
      `second: epoch ${e} ended`,
    ];
    expect(calls).toEqual([
      'train: 2 epochs of 2',
      ...epoch(0),
      ...epoch(1),
      'train ended: loss+mae+valLoss+valMae',
    ]);
  });

  test('end the training with what they throw', async () => {
    const ended = jest.fn();
    const fail = { onBatchEnd: () => Promise.reject(new Error('full')), onTrainEnd: ended };
    const training = line().fit(x, x, { callbacks: [fail], verbose: 0 });
    await expect(training).rejects.toThrow('full');
    expect(ended).not.toHaveBeenCalled();
  });

  test('are refused when none of their methods would ever be called', async () => {
    const misspelt = JSON.parse('{"on_epoch_end": 1}') as CallbackLike;
    await expect(line().fit(x, x, { callbacks: [{ onTrainEnd() {} }, misspelt] })).rejects.toThrow(
      "line.fit: callbacks[1] has none of the methods of a callback, 'onTrainBegin', 'onTrainEnd', 'onEpochBegin', " +
        "'onEpochEnd', 'onBatchBegin' or 'onBatchEnd'.",
    );
  });
});

describe('abort', () => {
  const x = [[1], [2], [3]];

  test('rejects with the reason and leaves the weights of the last finished batch', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const model = line(0.01);
    const weights: number[] = [];
    const ended = jest.fn();
    const callback: CallbackLike = {
      onBatchEnd: () => {
        weights.push(weight(model));
        if (weights.length === 4) controller.abort(reason);
      },
      onTrainEnd: ended,
    };
    const { signal } = controller;
    const options = { epochs: 9, batchSize: 1, callbacks: [callback], verbose: 0, signal } as const;
    await expect(model.fit(x, x, options)).rejects.toBe(reason);
    expect(weights).toHaveLength(4);
    expect(weight(model)).toBe(weights[3]);
    expect(ended).not.toHaveBeenCalled();
    // Aborted before it has begun.
    await expect(model.fit(x, x, options)).rejects.toBe(reason);
    expect(weight(model)).toBe(weights[3]);
  });

  test('is heard in the last batch of an epoch', async () => {
    const controller = new AbortController();
    const callbacks = [{ onBatchEnd: () => controller.abort() }];
    const { signal } = controller;
    const training = line().fit(x, x, { callbacks, verbose: 0, signal });
    await expect(training).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('is heard in the validation and in evaluate, after the current batch', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    let calls = 0;
    const model = line();
    model.compile({
      loss: (yTrue, yPred) => {
        // One batch to train with, then two to validate with.
        if (++calls === 2) controller.abort();
        return yPred.squaredDifference(yTrue).mean(-1);
      },
    });
    const two = [...x, ...x];
    const options = { batchSize: 3, validationData: [two, two], verbose: 0, signal } as const;
    await expect(model.fit(x, x, options)).rejects.toMatchObject({ name: 'AbortError' });
    expect(calls).toBe(2);
    const evaluation = model.evaluate(x, x, { verbose: 0, signal });
    await expect(evaluation).rejects.toMatchObject({ name: 'AbortError' });
    expect(calls).toBe(2);
  });
});
