/** The garbage collector, on demand. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects garbage, and lets finalizers run, until something has happened. @throws when it has not after 50 times */
export async function collectUntil(happened: () => boolean): Promise<void> {
  for (let i = 0; i < 50; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (happened()) return;
  }
  throw new Error('what should have been collected is still there');
}

/** Collects garbage some times over, and lets finalizers run. */
export async function collect(): Promise<void> {
  let rounds = 0;
  await collectUntil(() => ++rounds === 5);
}
