/**
 * Run as a process of its own, with a platform of its own: trains a little, and prints what it has got. The argument is JSON: how many
 * threads to set before each round of training, how many milliseconds to wait in each, and whether workers are a browser's.
 */
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  getBackend,
  getThreads,
  ops,
  setBackend,
  setSeed,
  setThreads,
  Generator,
} from '@tapegrad/tensor';
import { Conv2D, Dense, Flatten, MaxPooling2D, SGD, Sequential } from '@tapegrad/layers';
import { pretendBrowser } from '../support/web-workers.js';

/** What the process says of itself. */
export interface Report {
  readonly backend: string;
  readonly threads: number;
  /** How many workers of a browser were made. */
  readonly webWorkers: number;
  /** Of all weights and some products, to the bit. */
  readonly digest: string;
  readonly losses: readonly number[];
  /** What setBackend('wasm') says; null if it does as it is told. */
  readonly refusal: string | null;
}

/** What the process is told. */
export interface Task {
  readonly rounds: readonly number[];
  readonly wait: number;
  readonly browser: boolean;
}

const { rounds, wait, browser } = JSON.parse(process.argv[2]) as Task;

async function main(): Promise<void> {
  const workers = browser ? pretendBrowser().workers : [];
  setSeed(3);
  const generator = new Generator(1);
  const x = generator.normal([16, 20, 20, 3]);
  const y = generator.normal([16, 10]);
  const model = new Sequential([
    new Conv2D(16, 5, { padding: 'same', activation: 'relu', inputShape: [20, 20, 3] }),
    new MaxPooling2D(2),
    new Conv2D(24, 3, { activation: 'relu' }),
    new Flatten(),
    new Dense(40, { activation: 'tanh' }),
    new Dense(10),
  ]);
  model.compile({ optimizer: new SGD({ learningRate: 0.01, momentum: 0.9 }), loss: 'mse' });
  const hash = createHash('sha1');
  const losses: number[] = [];
  for (const threads of rounds) {
    setThreads(threads);
    const large = generator.normal([150, 220]);
    losses.push(model.trainOnBatch(x, y).loss);
    // Workers start meanwhile.
    if (wait > 0) await pause(wait);
    losses.push(model.trainOnBatch(x, y).loss);
    hash.update(
      Buffer.from(ops.matmul(large, large, { transposeB: true }).toTypedArray().slice().buffer),
    );
  }
  for (const w of model.getWeights()) hash.update(Buffer.from(w.toTypedArray().slice().buffer));
  const backend = getBackend();
  let refusal: string | null = null;
  try {
    setBackend('wasm');
  } catch (error) {
    refusal = String(error);
  }
  const report: Report = {
    backend,
    threads: getThreads(),
    webWorkers: workers.length,
    digest: hash.digest('hex'),
    losses,
    refusal,
  };
  console.log(JSON.stringify(report));
}

void main();
