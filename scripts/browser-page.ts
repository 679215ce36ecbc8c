// Trains a little wherever it runs: bundled into a page by test-browser.ts, and in Node.
import {
  Adam,
  Conv2D,
  Dense,
  Flatten,
  Generator,
  LSTM,
  MaxPooling2D,
  Sequential,
  getBackend,
  getThreads,
  setBackend,
  setSeed,
  setThreads,
  type Layer,
} from 'tapegrad';

/** What came of it. */
export interface Outcome {
  backend: string;
  /** How many threads compute in the end. */
  threads: number;
  /** For each model, of all losses and weights, to the bit. */
  digests: string[];
  /** In milliseconds. */
  time: number;
}

export async function train(backend: 'auto' | 'js', threads: number): Promise<Outcome> {
  const start = performance.now();
  setSeed(3);
  setBackend(backend);
  setThreads(threads);
  const random = new Generator(1);
  const steps = [
    stepOf([64, 64], [
      new Dense(128, { activation: 'tanh', inputShape: [64] }),
      new Dense(128, { activation: 'relu' }),
      new Dense(10),
    ]),
    stepOf([32, 20, 20, 3], [
      new Conv2D(16, 5, { padding: 'same', activation: 'relu', inputShape: [20, 20, 3] }),
      new MaxPooling2D(2),
      new Conv2D(24, 3, { activation: 'relu' }),
      new Flatten(),
      new Dense(10),
    ]),
    stepOf([32, 30, 8], [new LSTM(48, { inputShape: [30, 8] }), new Dense(10)]),
  ]; // prettier-ignore
  const digests: string[] = [];
  for (const step of steps) digests.push(await step());
  const time = Math.round(performance.now() - start);
  return { backend: getBackend(), threads: getThreads(), digests, time };

  function stepOf(shape: number[], layers: Layer[]): () => Promise<string> {
    return async () => {
      const model = new Sequential(layers);
      model.compile({ optimizer: new Adam(), loss: 'mse' });
      const x = random.normal(shape);
      const y = random.normal([shape[0], 10]);
      let hash = 2166136261;
      for (let i = 0; i < 8; i++) {
        const { loss } = model.trainOnBatch(x, y);
        hash = fnv(hash, new Float64Array([loss]));
        // Workers start, and those that cannot are told of, when the page has its turn.
        await new Promise((resolve) => setTimeout(resolve, 30));
      }
      for (const w of model.getWeights()) hash = fnv(hash, w.toTypedArray().slice());
      return hash.toString(16);
    };
  }
}

/** The hash of Fowler, Noll and Vo: pages without a secure origin have no `crypto.subtle`. */
function fnv(hash: number, { buffer }: { readonly buffer: ArrayBufferLike }): number {
  let h = hash;
  for (const byte of new Uint8Array(buffer)) h = Math.imul(h ^ byte, 16777619) >>> 0;
  return h;
}

/** In a page: trains as its address says, tells the server, and goes to the page that the server names next. */
export async function report(): Promise<void> {
  const threads = Number(new URL(location.href).searchParams.get('threads'));
  const body = await train('auto', threads).then(
    (outcome) => JSON.stringify(outcome),
    (error: unknown) => JSON.stringify({ error: String(error) }),
  );
  const next = await fetch('/result', { method: 'POST', body });
  location.href = await next.text();
}
