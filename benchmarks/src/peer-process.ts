/**
 * A peer in a process of its own, seen from the harness.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { threadSettings, type PeerSpec } from './peers.js';
import type { Failure, Hello, Measured, Prepared, Request } from './protocol.js';

/** The peer could not do what it was asked for. */
export class PeerError extends Error {}

/** How long a peer may take to answer. */
const PATIENCE_MS = 600_000;
/** How much of what a peer prints is kept, in case it dies. */
const TAIL = 8000;

export class PeerProcess {
  private constructor(
    private readonly child: ReturnType<typeof start>,
    readonly versions: Hello['versions'],
  ) {}

  /** Starts the peer and waits for its greeting. @throws PeerError when it does not come */
  static async start(spec: PeerSpec): Promise<PeerProcess> {
    const child = start(spec);
    try {
      const { versions } = (await child.answer()) as Hello;
      return new PeerProcess(child, versions);
    } catch (error) {
      child.kill();
      throw error;
    }
  }

  /** @throws PeerError when the peer cannot, or ends */
  async prepare(request: Omit<Extract<Request, { do: 'prepare' }>, 'do'>): Promise<Prepared> {
    return (await this.request({ do: 'prepare', ...request })) as Prepared;
  }

  /** @throws PeerError when the peer cannot, or ends */
  async measure(request: Omit<Extract<Request, { do: 'measure' }>, 'do'>): Promise<Measured> {
    return (await this.request({ do: 'measure', ...request })) as Measured;
  }

  /** False when the process has ended by itself, or was too slow to answer. */
  get alive(): boolean {
    return this.child.alive();
  }

  stop(): void {
    this.child.kill();
  }

  private async request(request: Request): Promise<Prepared | Measured> {
    this.child.send(request);
    const answer = (await this.child.answer()) as Prepared | Measured | Failure;
    if ('error' in answer) throw new PeerError(answer.error);
    return answer;
  }
}

/** The line of an error with its message, or the last one, from what a dead peer printed. */
function essence(complaints: string): string {
  const lines = complaints
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .reverse();
  return lines.find((line) => /^\w*(Error|Exception)\b.*:/.test(line)) ?? lines[0] ?? '';
}

/** The process, with its output as a series of answers. */
function start({ name, command, args, threads }: PeerSpec): {
  send(message: Request): void;
  answer(): Promise<unknown>;
  alive(): boolean;
  kill(): void;
} {
  const child = spawn(command, args, { env: { ...process.env, ...threadSettings(threads) } });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  let complaints = '';
  child.stderr.on('data', (text: Buffer) => {
    complaints = (complaints + text.toString()).slice(-TAIL);
  });
  child.stdin.on('error', () => {}); // a peer that has died: `answer` says so
  const failed = new Promise<never>((_, reject) => {
    child.on('error', ({ message }) => reject(new PeerError(`${name}: ${message}`)));
  });
  failed.catch(() => {});
  return {
    send: (message) => child.stdin.write(`${JSON.stringify(message)}\n`),
    async answer() {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        child.kill('SIGKILL');
      }, PATIENCE_MS);
      try {
        const line = await Promise.race([lines.next(), failed]);
        if (late) throw new PeerError(`no answer in ${PATIENCE_MS / 1000} s`);
        if (line.done === true) throw new PeerError(`${name} ended early: ${essence(complaints)}`);
        return JSON.parse(line.value) as unknown;
      } finally {
        clearTimeout(timer);
      }
    },
    alive: () => child.exitCode === null && child.signalCode === null && !child.killed,
    kill: () => child.kill(),
  };
}
