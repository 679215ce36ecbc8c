/**
 * The engines that are compared, and how each is started.
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { whyNot, type Mode } from './peers/tapegrad-engine.js';

export interface PeerSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly threads: number;
  /** Whose it is: ratios are those of our ways of running to the others. */
  readonly family: 'tapegrad' | 'javascript' | 'python';
  /** Why it cannot run here; null when it can. */
  readonly missing: string | null;
}

/** What the libraries below the peers read. */
export function threadSettings(threads: number): Record<string, string> {
  const count = String(threads);
  return {
    BENCH_THREADS: count,
    OMP_NUM_THREADS: count,
    OPENBLAS_NUM_THREADS: count,
    MKL_NUM_THREADS: count,
    TF_NUM_INTRAOP_THREADS: count,
    TF_NUM_INTEROP_THREADS: '1',
  };
}

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

function node(name: string, threads: number, script: string, ...args: string[]): PeerSpec {
  const command = process.execPath;
  const run = [here(script), ...args];
  return { name, command, args: run, threads, family: 'javascript', missing: null };
}

function tapegrad(name: string, threads: number, mode: Mode): PeerSpec {
  return {
    ...node(name, threads, './peers/tapegrad.js', mode),
    family: 'tapegrad',
    missing: whyNot(mode),
  };
}

/** All cores, where that is another number than the other peers have. */
function tapegradThreads(threads: number): PeerSpec {
  const cores = availableParallelism();
  const spec = tapegrad('tapegrad-threads', cores, 'default');
  return cores === threads ? { ...spec, missing: `'tapegrad' has all ${cores} cores` } : spec;
}

/** Looks for the modules without importing them, which takes TensorFlow seconds. */
const FIND = 'import sys, importlib.util as u; sys.exit(not all(map(u.find_spec, sys.argv[1:])))';

function python(name: string, threads: number, command: string, ...modules: string[]): PeerSpec {
  const { status, error } = spawnSync(command, ['-c', FIND, ...modules], { stdio: 'ignore' });
  const why =
    error === undefined
      ? `'${command}' has no ${modules.join(', ')}`
      : `'${command}' does not start`;
  return {
    name,
    command,
    args: [here(`../src/peers/${name}_peer.py`)],
    threads,
    family: 'python',
    missing: status === 0 ? null : `${why} (--python PATH names another)`,
  };
}

/** The peers in the order of the table's columns. */
export function allPeers(pythonPath: string, threads: number): PeerSpec[] {
  return [
    tapegrad('tapegrad', threads, 'default'),
    tapegrad('tapegrad-js', threads, 'js'),
    tapegrad('tapegrad-eager', threads, 'eager'),
    tapegradThreads(threads),
    node('tfjs-cpu', threads, './peers/tfjs.js', 'cpu'),
    node('tfjs-wasm', threads, './peers/tfjs.js', 'wasm'),
    node('jax-js', threads, './peers/jax.js'),
    python('torch', threads, pythonPath, 'torch', 'numpy'),
    python('keras', threads, pythonPath, 'keras', 'tensorflow', 'numpy'),
  ];
}
