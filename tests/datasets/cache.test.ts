import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { DatasetError, DownloadError, encodeIdx, IdxError } from '@tapegrad/datasets';
import { obtain, type Sources } from '../../packages/datasets/src/cache.js';
import { fetchVerified, type KnownFile } from '../../packages/datasets/src/download.js';
import * as node from '../../packages/datasets/src/node.js';
import { startMirror, type Behaviour, type Mirror } from './server.js';

/** 100 KB that gzip cannot make much smaller, so that an answer takes several chunks. */
const elements = Int32Array.from({ length: 25_000 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
const raw = encodeIdx({ dtype: 'int32', shape: [25_000], data: elements });
const file: KnownFile = {
  name: 'some-idx1-int',
  size: raw.length,
  sha256: createHash('sha256').update(raw).digest('hex'),
};

let mirror: Mirror;
let folder: string;
beforeEach(async () => {
  mirror = await startMirror({ [file.name]: raw });
  folder = mkdtempSync(join(tmpdir(), 'tapegrad-cache-'));
});
afterEach(async () => {
  await mirror.close();
  rmSync(folder, { recursive: true });
});

const urls = (...behaviours: Behaviour[]): string[] => behaviours.map((name) => mirror.url(name));
const reasons = async (downloading: Promise<unknown>): Promise<string[]> => {
  const error: unknown = await downloading.catch((thrown: unknown) => thrown);
  if (!(error instanceof DownloadError)) throw new Error(`no DownloadError: ${String(error)}`);
  return error.failures.map(({ reason }) => reason);
};

describe('fetchVerified', () => {
  test.each<Behaviour>(['good', 'plain', 'encoded', 'redirect'])(
    'takes the file from a mirror that is %s',
    async (behaviour) => {
      const bytes = await fetchVerified(file, { mirrors: urls(behaviour) });
      expect(Buffer.compare(bytes, raw)).toBe(0);
    },
  );

  test.each<[Behaviour, RegExp]>([
    ['missing', /^the server answered 404 Not Found$/],
    ['broken', /^the server answered 500 Internal Server Error$/],
    ['cutOff', /^terminated: other side closed$/],
    // The words in brackets are the platform's own: they differ between versions of Node.
    ['half', /^the answer: damaged gzip file \(.+\)\.$/],
    ['corrupt', /^the answer: damaged/],
    [
      'altered',
      /^the answer: damaged, or another file: its 100008 bytes have the SHA-256 [0-9a-f]{64}, expected /,
    ],
    ['longer', /decompress to more than the 100008 bytes that are allowed here\.$/],
    ['bomb', /decompress to more than the 100008 bytes that are allowed here\.$/],
    ['silent', /^stalled: no bytes came for 500 ms$/],
    ['stall', /^stalled: no bytes came for 500 ms$/],
    ['flood', /^the server sent more than 101133 bytes/],
  ])('a mirror that is %s fails and the next one is asked', async (behaviour, reason) => {
    const log: string[] = [];
    // A good mirror, too, may be slow where the machine is busy.
    const stallMs = behaviour === 'silent' || behaviour === 'stall' ? 500 : 10_000;
    const bytes = await fetchVerified(file, {
      mirrors: urls(behaviour, 'good'),
      stallMs,
      log: (line) => log.push(line),
    });
    expect(Buffer.compare(bytes, raw)).toBe(0);
    expect(mirror.asked).toEqual([`/${behaviour}/${file.name}.gz`, `/good/${file.name}.gz`]);
    expect(log[1]).toMatch(`Download failed: ${mirror.url(behaviour)}${file.name}.gz: `);
    expect(await reasons(fetchVerified(file, { mirrors: urls(behaviour), stallMs }))).toEqual([
      expect.stringMatching(reason),
    ]);
  });

  test('mirrors are asked in their order, and none after the first that delivers', async () => {
    await fetchVerified(file, { mirrors: urls('broken', 'missing', 'good', 'plain') });
    expect(mirror.asked.map((path) => path.split('/')[1])).toEqual(['broken', 'missing', 'good']);
  });

  test('a slow mirror that goes on sending does not count as stalled', async () => {
    const packed = gzipSync(raw);
    const server = createServer((_, response) => {
      let sent = 0;
      const timer = setInterval(() => {
        response.write(packed.subarray(sent, (sent += Math.ceil(packed.length / 8))));
        if (sent < packed.length) return;
        clearInterval(timer);
        response.end();
      }, 200);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    // 8 pieces, 200 ms apart: 1600 ms in all, with a limit of 1200 ms between two of them.
    const mirrors = [`http://127.0.0.1:${address.port}`];
    await expect(fetchVerified(file, { mirrors, stallMs: 1200 })).resolves.toHaveLength(raw.length);
    server.close();
    server.closeAllConnections();
  });

  test('the error lists every mirror with its reason', async () => {
    const closed = await startMirror({});
    const gone = closed.url('good');
    await closed.close();
    const mirrors = [...urls('missing', 'altered'), gone, 'no address'];
    const error: unknown = await fetchVerified(file, { mirrors }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(DownloadError);
    expect(error).toBeInstanceOf(DatasetError);
    const [head, ...lines] = String(error).split('\n');
    expect(head).toBe(
      'DownloadError: some-idx1-int could not be downloaded from any of 4 mirrors:',
    );
    expect(lines[0]).toBe(
      `  ${mirror.url('missing')}some-idx1-int.gz: the server answered 404 Not Found`,
    );
    expect(lines[1]).toContain(`  ${mirror.url('altered')}some-idx1-int.gz: the answer: damaged`);
    expect(lines[2]).toMatch(/: fetch failed: connect ECONNREFUSED 127\.0\.0\.1:\d+$/);
    expect(lines[3]).toContain('  no address/some-idx1-int.gz: Failed to parse URL');
    expect(lines).toHaveLength(4);
  });

  test('no mirrors', async () => {
    await expect(fetchVerified(file, { mirrors: [] })).rejects.toThrow(
      'some-idx1-int cannot be downloaded: there are no mirrors to ask.',
    );
  });

  test.each<Behaviour>(['silent', 'stall'])(
    'an abort ends a download from a mirror that is %s, and no other mirror is asked',
    async (behaviour) => {
      const controller = new AbortController();
      const reason = new Error('enough');
      const downloading = fetchVerified(file, {
        mirrors: urls(behaviour, 'good'),
        signal: controller.signal,
      });
      const ended = expect(downloading).rejects.toBe(reason);
      while (mirror.asked.length === 0) await pause(5);
      controller.abort(reason);
      await ended;
      expect(mirror.asked).toHaveLength(1);
    },
  );

  test('an aborted signal asks nobody', async () => {
    const mirrors = urls('good');
    await expect(
      fetchVerified(file, { mirrors, signal: AbortSignal.abort() }),
    ).rejects.toMatchObject({ name: 'AbortError' });
    expect(mirror.asked).toEqual([]);
  });

  test('answers that are not read to the end are broken off', async () => {
    const mirrors = urls('stall', 'flood', 'silent');
    await reasons(fetchVerified(file, { mirrors, stallMs: 50 }));
    for (let i = 0; i < 500 && mirror.unfinished() > 0; i++) await pause(20);
    expect(mirror.unfinished()).toBe(0);
  });
});

describe('obtain', () => {
  const sub = (name: string): string => join(folder, name);
  const put = (name: string, bytes: Uint8Array, as = file.name): string => {
    mkdirSync(sub(name), { recursive: true });
    writeFileSync(join(sub(name), as), bytes);
    return sub(name);
  };
  const damaged = (): Uint8Array => {
    const copy = Uint8Array.from(raw);
    copy[5000] ^= 1;
    return copy;
  };
  const offline = { mirrors: [] };
  const get = async (sources: Sources): Promise<string> => {
    const bytes = encodeIdx(await obtain(file, sources, node));
    return Buffer.compare(bytes, raw) === 0 ? 'the file' : 'something else';
  };

  test.each(['some-idx1-int', 'some.idx1-int', 'some-idx1-int.gz', 'some.idx1-int.gz'])(
    'finds %s in a folder',
    async (name) => {
      put('a', name.endsWith('.gz') ? gzipSync(raw) : raw, name);
      await expect(get({ ...offline, folder: sub('a') })).resolves.toBe('the file');
    },
  );

  test('a folder of that name (as some archives unpack) is no file', async () => {
    mkdirSync(join(sub('a'), file.name), { recursive: true });
    put('a', raw, 'some.idx1-int');
    await expect(get({ ...offline, folder: sub('a') })).resolves.toBe('the file');
  });

  test('the order is folder, data folder, cache, package, download', async () => {
    // Every source holds another element type, so that the answer tells where it came from.
    const marked = (value: number): Uint8Array =>
      encodeIdx({ dtype: 'uint8', shape: [1], data: Uint8Array.of(value) });
    const known: KnownFile = { ...file, size: 9, sha256: '' };
    const sources: Sources = {
      folder: put('folder', marked(1)),
      dataFolder: put('data', marked(2)),
      mirrors: urls('good'),
      verify: false,
    };
    const first = async (from: Sources): Promise<number> =>
      (await obtain(known, from, node)).data[0];
    expect(await first(sources)).toBe(1);
    expect(await first({ ...sources, folder: undefined })).toBe(2);

    // The cache and the package must hold the right file: it is damaged in those that come later.
    const cacheFolder = put('cache', raw);
    const packageFolder = put('package', damaged());
    const log: string[] = [];
    const kept = {
      cacheFolder,
      packageFolder,
      mirrors: urls('good'),
      log: (s: string) => log.push(s),
    };
    await expect(get(kept)).resolves.toBe('the file');
    put('cache', damaged());
    put('package', raw);
    await expect(get(kept)).resolves.toBe('the file');
    expect(log).toEqual([
      expect.stringMatching(
        `^Passed over: ${join(cacheFolder, file.name)}: damaged, or another file`,
      ),
    ]);
    expect(mirror.asked).toEqual([]);
    rmSync(join(packageFolder, file.name));
    await expect(get(kept)).resolves.toBe('the file');
    expect(mirror.asked).toHaveLength(1);
  });

  test('a damaged file in a folder that the user named is an error that names it', async () => {
    const good = put('good', raw);
    const path = join(put('bad', damaged()), file.name);
    for (const named of [{ folder: sub('bad') }, { dataFolder: sub('bad') }]) {
      const loading = get({ ...offline, ...named, cacheFolder: good });
      await expect(loading).rejects.toThrow(`${path}: damaged, or another file: its 100008 bytes`);
    }
    put('bad', raw.subarray(0, 50_000));
    await expect(get({ ...offline, dataFolder: sub('bad'), cacheFolder: good })).rejects.toThrow(
      `${path}: truncated data, or wrong sizes: the header announces [25000] elements of int32, ` +
        `a file of 100008 bytes, found only 50000 bytes.`,
    );
    await expect(get({ ...offline, dataFolder: sub('bad') })).rejects.toThrow(IdxError);
    put('bad', new Uint8Array(200_000));
    await expect(get({ ...offline, dataFolder: sub('bad') })).rejects.toThrow(
      `${path}: has 200000 bytes, more than the`,
    );
  });

  test('a folder of the call must hold the file; one of the environment need not', async () => {
    const packageFolder = put('package', raw);
    const empty = sub('empty');
    mkdirSync(empty);
    await expect(get({ ...offline, folder: empty, packageFolder })).rejects.toThrow(
      new DatasetError(
        `The folder '${empty}' does not hold some-idx1-int; also looked for ` +
          `some.idx1-int, some-idx1-int.gz, some.idx1-int.gz.`,
      ),
    );
    await expect(get({ ...offline, dataFolder: empty, packageFolder })).resolves.toBe('the file');
    const missing = sub('nowhere');
    await expect(get({ ...offline, dataFolder: missing, packageFolder })).resolves.toBe('the file');
  });

  test('a download is kept in the cache, under its own name alone', async () => {
    const cacheFolder = sub('deep/er');
    await expect(get({ cacheFolder, mirrors: urls('cutOff', 'good') })).resolves.toBe('the file');
    expect(readdirSync(cacheFolder)).toEqual([file.name]);
    expect(Buffer.compare(readFileSync(join(cacheFolder, file.name)), raw)).toBe(0);
    await expect(get({ cacheFolder, mirrors: urls('broken') })).resolves.toBe('the file');
    expect(mirror.asked).toHaveLength(2); // the second load asked nobody
  });

  test('a damaged file in the cache is replaced by a download', async () => {
    const cacheFolder = put('cache', damaged());
    const log: string[] = [];
    await get({ cacheFolder, mirrors: urls('good'), log: (line) => log.push(line) });
    expect(log[0]).toMatch(/^Passed over: .*damaged, or another file/);
    expect(log[1]).toBe(`Downloading ${mirror.url('good')}some-idx1-int.gz`);
    expect(Buffer.compare(readFileSync(join(cacheFolder, file.name)), raw)).toBe(0);
    expect(readdirSync(cacheFolder)).toEqual([file.name]);
  });

  test('a failed download leaves the cache as it was and no temporary file', async () => {
    const before = damaged();
    const cacheFolder = put('cache', before);
    const mirrors = urls('cutOff', 'corrupt', 'altered', 'stall', 'flood');
    const error: unknown = await get({ cacheFolder, mirrors, stallMs: 50 }).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(DownloadError);
    expect(String(error)).toContain('could not be downloaded from any of 5 mirrors');
    expect(String(error)).toContain(`Passed over before: ${join(cacheFolder, file.name)}: damaged`);
    expect(String(error)).toContain('TAPEGRAD_DATA');
    expect(readdirSync(cacheFolder)).toEqual([file.name]);
    expect(Buffer.compare(readFileSync(join(cacheFolder, file.name)), before)).toBe(0);
  });

  test('a cache that cannot be written is reported and does not stop the load', async () => {
    const log: string[] = [];
    const cacheFolder = join(put('file', raw), file.name); // a file where the folder should be
    const loading = get({ cacheFolder, mirrors: urls('good'), log: (line) => log.push(line) });
    await expect(loading).resolves.toBe('the file');
    expect(log[1]).toMatch(
      /^some-idx1-int could not be kept in the cache '.*': .*(EEXIST|ENOTDIR)/,
    );
  });

  test('a rename that fails leaves no temporary file', async () => {
    const cacheFolder = sub('cache');
    mkdirSync(join(cacheFolder, file.name, 'occupied'), { recursive: true });
    const log: string[] = [];
    const loading = get({ cacheFolder, mirrors: urls('good'), log: (line) => log.push(line) });
    await expect(loading).resolves.toBe('the file');
    expect(log[1]).toContain('could not be kept in the cache');
    expect(readdirSync(cacheFolder)).toEqual([file.name]);
  });

  test('a file without permission to read is named', async () => {
    if (process.getuid?.() === 0) return; // nothing is forbidden to root
    const dataFolder = put('locked', raw);
    chmodSync(join(dataFolder, file.name), 0);
    await expect(get({ ...offline, dataFolder })).rejects.toThrow('cannot be read (EACCES');
  });

  test('loads at the same time give the same file to all', async () => {
    const cacheFolder = sub('cache');
    const loads = Array.from({ length: 6 }, () =>
      get({ cacheFolder, mirrors: urls('cutOff', 'good') }),
    );
    for (const data of await Promise.all(loads)) expect(data).toBe('the file');
    expect(readdirSync(cacheFolder)).toEqual([file.name]);
    expect(Buffer.compare(readFileSync(join(cacheFolder, file.name)), raw)).toBe(0);
  });

  test('two processes at the same time', async () => {
    const cacheFolder = sub('cache');
    const program = fileURLToPath(new URL('load-in-process.ts', import.meta.url));
    const task = JSON.stringify({ file, sources: { cacheFolder, mirrors: urls('good') } });
    const run = promisify(execFile);
    const runs = await Promise.all(
      [1, 2].map(() => run(process.execPath, ['--import', 'tsx', program, task])),
    );
    for (const { stdout } of runs) expect(stdout).toBe('25000 elements\n');
    expect(readdirSync(cacheFolder)).toEqual([file.name]);
    expect(Buffer.compare(readFileSync(join(cacheFolder, file.name)), raw)).toBe(0);
  }, 60_000);

  test('without a file system a folder is an error and a download works', async () => {
    await expect(obtain(file, { ...offline, folder: '/data' }, null)).rejects.toThrow(
      "The folder '/data' can be read in Node only; name a mirror in `mirrors` instead.",
    );
    const array = await obtain(file, { cacheFolder: '/nowhere', mirrors: urls('good') }, null);
    expect(Buffer.compare(encodeIdx(array), raw)).toBe(0);
  });

  test('an aborted signal stops before anything is read', async () => {
    const packageFolder = put('package', raw);
    const loading = get({ ...offline, packageFolder, signal: AbortSignal.abort() });
    await expect(loading).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('the cache folder of the user', () => {
  const home = join('/home', 'ada');
  test.each<[string, Record<string, string>, string]>([
    ['linux', {}, '/home/ada/.cache'],
    ['linux', { XDG_CACHE_HOME: '/fast/cache' }, '/fast/cache'],
    ['linux', { XDG_CACHE_HOME: 'relative' }, '/home/ada/.cache'],
    ['darwin', {}, '/home/ada/Library/Caches'],
    ['win32', { LOCALAPPDATA: 'C:\\Users\\ada\\AppData\\Local' }, 'C:\\Users\\ada\\AppData\\Local'],
    ['win32', {}, '/home/ada/AppData/Local'],
  ])('%s %j', (platform, env, expected) => {
    expect(node.cacheRoot(platform, env, home)).toBe(expected);
  });
});
