/**
 * A peer in a process of its own, seen from the harness.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { ONE_THREAD, type PeerSpec } from './peers.js';
import type { Failure, Hello, Measured, Prepared, Request } from './protocol.js';

/** The peer could not do what it was asked for. */
export class PeerError extends Error {}

/** How long a peer may take to answer. */
const PATIENCE_MS = 300_000;
/** How much of what a dead peer printed is worth showing. */
const TAIL = 400;

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
  async prepare(
    task: Extract<Request, { do: 'prepare' }>['task'],
    seconds: number,
  ): Promise<Prepared> {
    return (await this.request({ do: 'prepare', task, seconds })) as Prepared;
  }

  /** @throws PeerError when the peer cannot, or ends */
  async measure(seconds: number): Promise<Measured> {
    return (await this.request({ do: 'measure', seconds })) as Measured;
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

/** The process, with its output as a series of answers. */
function start({ name, command, args }: PeerSpec): {
  send(message: Request): void;
  answer(): Promise<unknown>;
  kill(): void;
} {
  const child = spawn(command, args, { env: { ...process.env, ...ONE_THREAD } });
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
      const timer = setTimeout(() => child.kill(), PATIENCE_MS);
      try {
        const line = await Promise.race([lines.next(), failed]);
        if (line.done === true) throw new PeerError(`${name} ended early: ${complaints.trim()}`);
        return JSON.parse(line.value) as unknown;
      } finally {
        clearTimeout(timer);
      }
    },
    kill: () => child.kill(),
  };
}
