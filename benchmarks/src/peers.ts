/**
 * The engines that are compared, and how each is started.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export interface PeerSpec {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Why it cannot run here; null when it can. */
  readonly missing: string | null;
}

/** Every engine on one thread; this is what the libraries below PyTorch read. */
export const ONE_THREAD = { OMP_NUM_THREADS: '1', OPENBLAS_NUM_THREADS: '1', MKL_NUM_THREADS: '1' };

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

function node(name: string, script: string, ...args: string[]): PeerSpec {
  return { name, command: process.execPath, args: [here(script), ...args], missing: null };
}

function torch(python: string): PeerSpec {
  const { status, error } = spawnSync(python, ['-c', 'import torch, numpy'], { stdio: 'ignore' });
  const why =
    error === undefined ? `'${python}' cannot import torch` : `'${python}' does not start`;
  return {
    name: 'torch',
    command: python,
    args: [here('../src/peers/torch_peer.py')],
    missing: status === 0 ? null : `${why} (--python PATH names another)`,
  };
}

/** The peers in the order of the table's columns. The first one is the one that is compared with the others. */
export function allPeers(python: string): PeerSpec[] {
  return [
    node('tapegrad', './peers/tapegrad.js'),
    node('tfjs-cpu', './peers/tfjs.js', 'cpu'),
    node('tfjs-wasm', './peers/tfjs.js', 'wasm'),
    torch(python),
  ];
}
