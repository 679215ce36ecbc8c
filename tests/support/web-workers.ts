/**
 * A browser's workers where there is no browser: the global `Worker` of the HTML standard over Node's threads, as far as it is
 * used. A worker's source comes from a blob's address, later than the constructor returns; it sees `onmessage`, `close` and what
 * is global in all engines, but nothing of Node.
 */
import { resolveObjectURL } from 'node:buffer';
import { Worker as NodeWorker } from 'node:worker_threads';

/** What a worker's source finds: it runs as a script, which cannot see `require`. */
const SURROUNDINGS = `
  const { parentPort, workerData } = require('node:worker_threads');
  const { runInThisContext } = require('node:vm');
  globalThis.close = () => parentPort.close();
  parentPort.on('message', (data) => globalThis.onmessage({ data }));
  delete globalThis.process;
  runInThisContext(workerData);`;

/** As `Worker` in a page: unlike Node's, one that has not ended keeps the process alive. */
export class WebWorker extends EventTarget {
  /** What a page does not learn. */
  ended = false;
  private readonly inner: Promise<NodeWorker>;

  constructor(address: string) {
    super();
    made.push(this);
    this.inner = this.start(address);
  }

  private async start(address: string): Promise<NodeWorker> {
    const source = await resolveObjectURL(address)?.text();
    if (source === undefined) throw new Error(`no blob at ${address}`);
    const worker = new NodeWorker(SURROUNDINGS, { eval: true, workerData: source });
    worker.on('exit', () => (this.ended = true));
    worker.on('error', () => this.dispatchEvent(new Event('error')));
    return worker;
  }

  postMessage(message: unknown): void {
    void this.inner.then((worker) => worker.postMessage(message));
  }

  terminate(): void {
    void this.inner.then((worker) => worker.terminate());
  }
}

const made: WebWorker[] = [];

/**
 * Makes the process look like a page to those who ask for workers: there are the browser's, and nothing of Node.
 *
 * @returns the workers that are made from now on, and what makes it look like Node again
 */
export function pretendBrowser(): { workers: readonly WebWorker[]; restore: () => void } {
  const { Worker } = globalThis;
  const { getBuiltinModule } = process;
  Object.assign(process, { getBuiltinModule: undefined });
  Object.assign(globalThis, { Worker: WebWorker });
  made.length = 0;
  return {
    workers: made,
    restore: () => {
      Object.assign(process, { getBuiltinModule });
      Object.assign(globalThis, { Worker });
    },
  };
}
