/**
 * What differs between Node and browsers: how many cores there are, and how a worker is started. Node's modules are asked for
 * at run time, so that bundlers for browsers need not know them.
 */

/** What a worker needs to take part. */
export interface WorkerTask {
  /** In the order in which they are instantiated; the first one has the function `work`. */
  readonly modules: readonly WebAssembly.Module[];
  readonly tableSize: number;
  readonly memory: WebAssembly.Memory;
  readonly team: number;
}

/** What is used of Node's `worker_threads` and `os`. */
interface NodeModules {
  worker_threads: {
    Worker: new (
      source: string,
      options: { eval: true; workerData: WorkerTask; stdin: false; name: string },
    ) => { unref(): void; on(event: 'error', listener: (error: unknown) => void): void };
  };
  os: { availableParallelism(): number };
}

/** One of Node's own modules; null elsewhere, and in Node before 20.16. */
function nodeModule<K extends keyof NodeModules>(name: K): NodeModules[K] | null {
  const { process } = globalThis as {
    process?: { getBuiltinModule?: (name: K) => NodeModules[K] | undefined };
  };
  return process?.getBuiltinModule?.(name) ?? null;
}

/** The number of cores; 1 where nobody tells. */
export function hardwareThreads(): number {
  const os = nodeModule('os');
  if (os !== null) return os.availableParallelism();
  return typeof navigator === 'object' ? (navigator.hardwareConcurrency ?? 1) : 1;
}

const LIFE = `
  const { memory } = task;
  const table = new WebAssembly.Table({ initial: task.tableSize, element: 'anyfunc' });
  const [runtime] = task.modules.map(
    (module) => new WebAssembly.Instance(module, { env: { memory, table } }),
  );
  runtime.exports.work(task.team);`;

/** Starts a worker; where it cannot be started nothing happens, and its part is done by those who are there. */
export function startWorker(task: WorkerTask): void {
  try {
    const threads = nodeModule('worker_threads');
    if (threads === null) startInBrowser(task);
    else {
      const source = `const task = require('node:worker_threads').workerData;${LIFE}`;
      const options = { eval: true, workerData: task, stdin: false, name: 'tapegrad' } as const;
      const worker = new threads.Worker(source, options);
      worker.on('error', () => undefined);
      worker.unref();
    }
  } catch {
    // A page's content policy, Node's permissions or a lack of memory allow no worker: there is a thread less.
  }
}

function startInBrowser(task: WorkerTask): void {
  if (typeof Worker !== 'function' || typeof Blob !== 'function') return;
  const source = `onmessage = ({ data: task }) => {${LIFE} close(); };`;
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  new Worker(url).postMessage(task);
}
