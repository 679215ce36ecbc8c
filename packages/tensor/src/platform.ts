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

/** A worker that has been started, and waits for what it is to take part in. */
export interface WaitingWorker {
  /** To be called once. The worker ends when the team has. */
  begin(task: WorkerTask): void;
}

/** What a task is sent to. */
interface Receiver {
  postMessage(task: WorkerTask): void;
}

/** What is used of Node's `worker_threads` and `os`. */
interface NodeModules {
  worker_threads: {
    Worker: new (
      source: string,
      options: { eval: true; stdin: false; name: string },
    ) => Receiver & {
      unref(): void;
      on(event: 'error', listener: (error: unknown) => void): void;
    };
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

/** Starts a worker; where it cannot be started there is none, and its part is done by those who are there. */
export function startWorker(): WaitingWorker | null {
  const threads = nodeModule('worker_threads');
  const worker = attempt(() => (threads === null ? startInBrowser() : startInNode(threads)));
  return worker && { begin: (task) => attempt(() => worker.postMessage(task)) };
}

/** null where a page's content policy, Node's permissions or a lack of memory allow no worker: there is a thread less. */
function attempt<T>(body: () => T): T | null {
  try {
    return body();
  } catch {
    return null;
  }
}

function startInNode({ Worker }: NodeModules['worker_threads']): Receiver {
  const source = `require('node:worker_threads').parentPort.once('message', (task) => {${LIFE} });`;
  const worker = new Worker(source, { eval: true, stdin: false, name: 'tapegrad' });
  worker.on('error', () => undefined);
  worker.unref();
  return worker;
}

function startInBrowser(): Receiver | null {
  if (typeof Worker !== 'function' || typeof Blob !== 'function') return null;
  const source = `onmessage = ({ data: task }) => {${LIFE} close(); };`;
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  return new Worker(url);
}
