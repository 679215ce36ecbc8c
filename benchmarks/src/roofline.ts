/**
 * `npm run roofline -- FILE`: how near the kernel calls of the six programs' steps come to what one thread can do at best
 * (S. Williams, A. Waterman, D. Patterson, "Roofline: an insightful visual performance model", 2009). A call that does little with
 * each byte is bounded by the memory, one that does much by the arithmetic of the innermost loop.
 */
import { writeFileSync } from 'node:fs';
import {
  Activation,
  Conv2D,
  Dense,
  Flatten,
  LSTM,
  MaxPooling2D,
  Sequential,
  SimpleRNN,
  TimeDistributed,
  peakRates,
  setThreads,
  tensor,
  type PeakRates,
  type Tensor,
} from 'tapegrad';
import type { Spec } from 'vega';
import { figure, svgOf } from './figure.js';
import { uniform } from './numbers.js';

interface Point {
  readonly program: string;
  readonly op: string;
  /** Additions and multiplications for each byte that is read or written. */
  readonly intensity: number;
  readonly gflops: number;
  /** Of one step, in milliseconds. */
  readonly ms: number;
}

/** Calls that take less than this share of their step are left out. */
const LEAST_SHARE = 0.01;
const CHANNELS_FIRST = { padding: 'same', dataFormat: 'channelsFirst' } as const;
const pool = (): MaxPooling2D => new MaxPooling2D(2, { strides: 2, ...CHANNELS_FIRST });

const autoencoder = (): Sequential =>
  new Sequential(
    [128, 64, 10, 2, 10, 64, 128, 784].map(
      (units, i) =>
        new Dense(units, {
          activation: units === 784 ? 'tanh' : units === 2 ? 'linear' : 'relu',
          ...(i === 0 ? { inputShape: [784] } : {}),
        }),
    ),
  );

/** The models, the shapes of a batch, and the losses. */
const PROGRAMS = {
  classifier: {
    model: () =>
      new Sequential([
        new Dense(32, { activation: 'relu', inputShape: [784] }),
        new Dense(10, { activation: 'softmax' }),
      ]),
    x: [32, 784],
    y: [32, 10],
    loss: 'categoricalCrossentropy',
  },
  cnn: {
    model: () =>
      new Sequential([
        new Conv2D(32, 5, { ...CHANNELS_FIRST, inputShape: [1, 28, 28] }),
        new Activation('relu'),
        pool(),
        new Conv2D(64, 5, CHANNELS_FIRST),
        new Activation('relu'),
        pool(),
        new Flatten(),
        new Dense(1024, { activation: 'relu' }),
        new Dense(10, { activation: 'softmax' }),
      ]),
    x: [64, 1, 28, 28],
    y: [64, 10],
    loss: 'categoricalCrossentropy',
  },
  rnn: {
    model: () =>
      new Sequential([
        new SimpleRNN(50, { unroll: true, inputShape: [28, 28] }),
        new Dense(10, { activation: 'softmax' }),
      ]),
    x: [50, 28, 28],
    y: [50, 10],
    loss: 'categoricalCrossentropy',
  },
  lstm: {
    model: () =>
      new Sequential([
        new LSTM(20, { returnSequences: true, stateful: true, batchInputShape: [50, 20, 1] }),
        new TimeDistributed(new Dense(1)),
      ]),
    x: [50, 20, 1],
    y: [50, 20, 1],
    loss: 'mse',
  },
  autoencoder: { model: autoencoder, x: [256, 784], y: [256, 784], loss: 'mse' },
} as const;

function drawn(stream: number, shape: readonly number[]): Tensor {
  const size = shape.reduce((n, s) => n * s, 1);
  return tensor(uniform(stream, size, 0, 1), { shape: [...shape] });
}

function measured(): Point[] {
  return Object.entries(PROGRAMS).flatMap(([program, { model: make, x, y, loss }]) => {
    const model = make();
    model.compile({ optimizer: 'adam', loss });
    const entries = model.profile(drawn(0, x), drawn(1, y), { print: () => undefined });
    const total = entries.reduce((sum, { ms }) => sum + ms, 0);
    return entries
      .filter(({ flops, ms }) => flops > 0 && ms > LEAST_SHARE * total)
      .map(({ op, ms, flops, bytes }) => ({
        program,
        op,
        intensity: flops / bytes,
        gflops: flops / ms / 1e6,
        ms,
      }));
  });
}

function specOf(points: readonly Point[], { gflops, gbytes }: PeakRates): Spec {
  const [low, high] = [1 / 16, 512];
  const roof = [low, gflops / gbytes, high].map((intensity) => ({
    intensity,
    gflops: Math.min(gflops, gbytes * intensity),
  }));
  const note = `${gflops.toFixed(0)} GFLOP/s in the innermost loop of products, ${gbytes.toFixed(0)} GB/s copying memory`;
  const title = 'Kernel calls of the training steps, and what one thread can do at best';
  return figure(
    title,
    [note, "area: time in a step; above the roof: in the cache, or Winograd's fewer products"],
    {
      height: 340,
      data: [
        { name: 'points', values: [...points] },
        { name: 'roof', values: roof },
      ],
      scales: [
        { name: 'x', type: 'log', domain: [low, high], range: 'width' },
        { name: 'y', type: 'log', domain: [0.5, 256], range: 'height' },
        {
          name: 'colour',
          type: 'ordinal',
          domain: Object.keys(PROGRAMS),
          range: { scheme: 'tableau10' },
        },
        { name: 'area', type: 'linear', domain: [0, 20], range: [30, 500] },
      ],
      axes: [
        {
          scale: 'x',
          orient: 'bottom',
          grid: true,
          title: 'FLOP for each byte',
          format: '~g',
          tickCount: 8,
        },
        { scale: 'y', orient: 'left', grid: true, title: 'GFLOP/s', format: '~g', tickCount: 8 },
      ],
      legends: [{ fill: 'colour', orient: 'right', title: 'program' }],
      marks: [
        {
          type: 'line',
          from: { data: 'roof' },
          encode: {
            enter: {
              x: { scale: 'x', field: 'intensity' },
              y: { scale: 'y', field: 'gflops' },
              stroke: { value: '#333' },
              strokeWidth: { value: 2 },
            },
          },
        },
        {
          type: 'symbol',
          clip: true,
          from: { data: 'points' },
          encode: {
            enter: {
              x: { scale: 'x', field: 'intensity' },
              y: { scale: 'y', field: 'gflops' },
              size: { scale: 'area', field: 'ms' },
              fill: { scale: 'colour', field: 'program' },
              fillOpacity: { value: 0.75 },
              stroke: { value: 'white' },
            },
          },
        },
      ],
    },
  );
}

const file = process.argv[2] ?? 'roofline.svg';
setThreads(1);
const peaks = peakRates();
if (peaks === null) {
  console.error('There are no WebAssembly kernels here: nothing to draw.');
  process.exitCode = 1;
} else {
  const points = measured();
  for (const { program, op, ms, intensity, gflops } of points) {
    console.log(
      `${program.padEnd(12)} ${op.padEnd(22)} ${ms.toFixed(4).padStart(9)} ms  ${intensity.toFixed(2).padStart(7)} FLOP/byte  ` +
        `${gflops.toFixed(1).padStart(6)} GFLOP/s`,
    );
  }
  writeFileSync(file, await svgOf(specOf(points, peaks)));
  console.log(`written: ${file}`);
}
