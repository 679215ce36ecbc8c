/** The garbage collector, on demand. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** A compiler at work in the background may hold on to objects, for seconds on a machine that is busy. */
const PATIENCE_MS = 30_000;
jest.setTimeout(2 * PATIENCE_MS);

/** Collects garbage, and lets finalizers run, until something has happened. @throws when it has not after half a minute */
export async function collectUntil(happened: () => boolean): Promise<void> {
  const start = performance.now();
  for (let pause = 1; performance.now() - start < PATIENCE_MS; pause = Math.min(2 * pause, 200)) {
    gc();
    await sleep(pause);
    if (happened()) return;
  }
  throw new Error('what should have been collected is still there');
}

/** Collects garbage some times over, and lets finalizers run. */
export async function collect(): Promise<void> {
  let rounds = 0;
  await collectUntil(() => ++rounds === 5);
}
