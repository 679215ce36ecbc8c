/**
 * What differs between Node and browsers: how many cores there are, how a worker is started, how memory is copied, and how
 * much of it there may be. Node's modules are asked for at run time, so that bundlers for browsers need not know them.
 */
import type { TypedArray } from './dtype.js';

/** What a worker needs to take part. */
export interface WorkerTask {
  /** In the order in which they are instantiated; the first one has the functions `work` and `lose`. */
  readonly modules: readonly WebAssembly.Module[];
  readonly tableSize: number;
  readonly memory: WebAssembly.Memory;
  readonly team: number;
  /** Where a worker writes why it failed. */
  readonly failure: { readonly address: number; readonly bytes: number };
}

/** A worker that has been started, and waits for what it is to take part in. */
export interface StartedWorker {
  /** To be called once. The worker ends when the team has. */
  begin(task: WorkerTask): void;
  /** Ends it at once, whatever it does. */
  end(): void;
}

/** What is used of a worker. */
interface AnyWorker {
  postMessage(task: WorkerTask): void;
  terminate(): unknown;
}

/** What is used of Node's modules. */
interface NodeModules {
  worker_threads: {
    Worker: new (
      source: string,
      options: { eval: true; stdin: false; name: string },
    ) => AnyWorker & {
      unref(): void;
      on(event: 'error', listener: (error: unknown) => void): void;
      on(event: 'exit', listener: (code: number) => void): void;
    };
  };
  os: { availableParallelism(): number };
  v8: { getHeapStatistics(): { heap_size_limit: number } };
  buffer: {
    Buffer: {
      from(
        memory: ArrayBufferLike,
        offset: number,
        bytes: number,
      ): { fill(bytes: Uint8Array): unknown };
    };
  };
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

/** How many bytes JavaScript's objects may take; 4 GiB, as V8 has it, where nobody tells. */
export function objectsLimit(): number {
  return nodeModule('v8')?.getHeapStatistics().heap_size_limit ?? 2 ** 32;
}

/** What a worker does with its task. A failure in its part is told in memory: the main thread waits and reads no messages. */
const LIFE = `
  const { memory, failure } = task;
  const table = new WebAssembly.Table({ initial: task.tableSize, element: 'anyfunc' });
  const env = { memory, table, overdue() {}, lost() {} };
  const [runtime] = task.modules.map((module) => new WebAssembly.Instance(module, { env }).exports);
  try {
    runtime.work(task.team);
  } catch (error) {
    const reason = new TextEncoder().encode(String(error)).subarray(0, failure.bytes - 1);
    new Uint8Array(memory.buffer, failure.address, failure.bytes).fill(0).set(reason);
    runtime.lose();
  }`;

/**
 * Starts a worker; null where it cannot be started: its part is done by those who are there.
 *
 * @param failed called later, between steps, if the worker turns out not to start, or ends before its team has
 */
export function startWorker(failed: () => void): StartedWorker | null {
  const threads = nodeModule('worker_threads');
  const worker = attempt(() =>
    threads === null ? startInBrowser(failed) : startInNode(threads, failed),
  );
  return (
    worker && {
      begin: (task) => attempt(() => worker.postMessage(task)),
      end: () => void worker.terminate(),
    }
  );
}

/** null where a page's content policy, Node's permissions or a lack of memory allow no worker: there is a thread less. */
function attempt<T>(body: () => T): T | null {
  try {
    return body();
  } catch {
    return null;
  }
}

function startInNode({ Worker }: NodeModules['worker_threads'], failed: () => void): AnyWorker {
  const source = `require('node:worker_threads').parentPort.once('message', (task) => {${LIFE} });`;
  const worker = new Worker(source, { eval: true, stdin: false, name: 'tapegrad' });
  // An error is followed by the exit; without a listener it would end the process.
  worker.on('error', () => undefined);
  worker.on('exit', (code) => {
    if (code !== 0) failed();
  });
  worker.unref();
  return worker;
}

/** One address for all workers, since nobody knows when the last one has read it. */
let browserSource: string | null = null;

function startInBrowser(failed: () => void): AnyWorker | null {
  if (typeof Worker !== 'function' || typeof Blob !== 'function') return null;
  const source = `onmessage = ({ data: task }) => {${LIFE} close(); };`;
  browserSource ??= URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const worker = new Worker(browserSource, { name: 'tapegrad' });
  worker.addEventListener('error', failed);
  return worker;
}

/** Smaller arrays are not worth a view of their bytes. */
const LARGE_BYTES = 16384;

/**
 * A function that copies arrays of one size and type to a place in shared memory. V8's `set` copies to such memory word by word, and
 * V8 13 at half of that speed; Node's `fill`, with as many bytes as there are to fill, as fast as to memory of one's own.
 */
export function copierToShared(place: TypedArray): (from: TypedArray) => void {
  const { buffer, byteOffset, byteLength } = place;
  const node = byteLength >= LARGE_BYTES ? nodeModule('buffer') : null;
  if (node === null) return (from) => place.set(from);
  const target = node.Buffer.from(buffer, byteOffset, byteLength);
  return (from) => void target.fill(new Uint8Array(from.buffer, from.byteOffset, byteLength));
}
