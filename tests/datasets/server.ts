/** A mirror on loopback that misbehaves in every way that the downloads must survive. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';

type Handler = (file: Uint8Array, response: ServerResponse, request: IncomingMessage) => void;

const bomb = gzipSync(new Uint8Array(20e6));

const half = (file: Uint8Array): Uint8Array => file.subarray(0, file.length >> 1);

const flipped = (file: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(file);
  copy[copy.length >> 1] ^= 1;
  return copy;
};

/** What the server does under each first part of the path. */
const handlers = {
  good: (file, response) => response.end(gzipSync(file)),
  plain: (file, response) => response.end(file),
  /** The bytes arrive decompressed by fetch itself. */
  encoded: (file, response) => {
    response.setHeader('content-encoding', 'gzip');
    response.end(gzipSync(file));
  },
  redirect: (_, response, request) => {
    response.writeHead(302, { location: (request.url ?? '').replace('redirect', 'good') }).end();
  },
  missing: (_, response) => response.writeHead(404).end('not here'),
  broken: (_, response) => response.writeHead(500).end('sorry'),
  /** Announces all bytes, closes the connection after half of them. */
  cutOff: (file, response) => {
    const packed = gzipSync(file);
    response.setHeader('content-length', packed.length);
    response.write(half(packed), () => response.destroy());
  },
  /** Ends in order after half of the bytes: only the content shows it. */
  half: (file, response) => response.end(half(gzipSync(file))),
  /** A flipped bit in the compressed file. */
  corrupt: (file, response) => response.end(flipped(gzipSync(file))),
  /** A well-formed gzip file with a flipped bit in the content. */
  altered: (file, response) => response.end(gzipSync(flipped(file))),
  longer: (file, response) => response.end(gzipSync(new Uint8Array([...file, 0]))),
  /** An answer of 20 KB that decompresses to 20 MB. */
  bomb: (_, response) => response.end(bomb),
  /** Never answers. */
  silent: () => undefined,
  /** Sends half of the bytes, then nothing. */
  stall: (file, response) => response.write(half(gzipSync(file))),
  /** Sends without end, as fast as it is read. */
  flood: (_, response) => {
    const chunk = new Uint8Array(1 << 16).fill(1);
    const more = () => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', more);
    more();
  },
} satisfies Record<string, Handler>;

/** The ways in which the server can answer. */
export type Behaviour = keyof typeof handlers;

export interface Mirror {
  /** The address of a mirror that behaves so. */
  url(behaviour: Behaviour): string;
  /** The paths that were asked for, in order. */
  asked: string[];
  /** Answers that have neither been sent to their end nor been broken off by the client. */
  unfinished(): number;
  close(): Promise<void>;
}

/** Serves the files, each under its name with .gz, on a free port of 127.0.0.1. */
export async function startMirror(files: Readonly<Record<string, Uint8Array>>): Promise<Mirror> {
  const asked: string[] = [];
  let unfinished = 0;
  const isBehaviour = (name: string): name is Behaviour => Object.hasOwn(handlers, name);
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    asked.push(path);
    unfinished++;
    response.on('close', () => unfinished--);
    const [, behaviour, name] = path.split('/');
    const file = files[name.replace(/\.gz$/, '')] as Uint8Array | undefined;
    if (file === undefined || !isBehaviour(behaviour)) response.writeHead(404).end();
    else handlers[behaviour](file, response, request);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (behaviour) => `http://127.0.0.1:${port}/${behaviour}/`,
    asked,
    unfinished: () => unfinished,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
