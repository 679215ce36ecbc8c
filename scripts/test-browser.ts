// Trains in browsers and compares every bit with Node: with and without the headers that threads need, and under content
// policies that forbid workers and WebAssembly. `npm run test:browser -- /usr/bin/chromium /usr/bin/firefox`; it needs no more
// than the browsers, so it is not part of what CI runs.
import { build, type BuildOptions } from 'esbuild';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import type * as program from './browser-page.js';
import { root } from './files.js';

interface Case {
  what: string;
  headers: Readonly<Record<string, string>>;
  threads: number;
  backend: string;
  /** How many threads there are to be in the end. */
  found: number;
}

const isolated = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};
const policy = (scripts: string): Record<string, string> => ({
  'Content-Security-Policy': `default-src 'self'; script-src 'self' ${scripts}; worker-src 'self'`,
});
const noWorkers = { ...isolated, ...policy("'wasm-unsafe-eval'") };
const cases: readonly Case[] = [
  { what: 'one thread', headers: isolated, threads: 1, backend: 'wasm', found: 1 },
  { what: 'two threads', headers: isolated, threads: 2, backend: 'wasm', found: 2 },
  { what: 'three threads', headers: isolated, threads: 3, backend: 'wasm', found: 3 },
  { what: 'no COOP and COEP', headers: {}, threads: 2, backend: 'wasm', found: 1 },
  { what: 'no workers allowed', headers: noWorkers, threads: 3, backend: 'wasm', found: 1 },
  { what: 'no WebAssembly allowed', headers: policy(''), threads: 2, backend: 'js', found: 1 },
];

/** A browser that has said nothing for so long, in milliseconds, is taken to hang. */
const LIMIT = 120_000;

const browsers = process.argv.slice(2);
if (browsers.length === 0 && process.env.CHROME_PATH) browsers.push(process.env.CHROME_PATH);
if (browsers.length === 0) throw new Error('give the paths of browsers: Chromium, Firefox …');

const temp = mkdtempSync(join(tmpdir(), 'tapegrad-browser-'));
const problems: string[] = [];
try {
  const page = await bundle('page.js', {
    platform: 'browser',
    format: 'iife',
    globalName: 'page',
    footer: { js: 'void page.report();' },
    minify: true,
  });
  const expected = await inNode();
  for (const browser of browsers) {
    const outcomes = await inBrowser(browser, page);
    cases.forEach((one, i) => check(`${basename(browser)}, ${one.what}`, one, outcomes[i], expected));
  } // prettier-ignore
} finally {
  // Browsers take a moment to end, and write to their profiles until then.
  rmSync(temp, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
}
if (problems.length > 0) {
  console.error(`\n${problems.length} problem(s):\n- ${problems.join('\n- ')}`);
  process.exit(1);
}

/** The built packages and the page's program in one file. */
async function bundle(name: string, options: BuildOptions): Promise<string> {
  const outfile = join(temp, name);
  await build({
    entryPoints: [join(root, 'scripts', 'browser-page.ts')],
    bundle: true,
    outfile,
    logLevel: 'error',
    logOverride: { 'empty-import-meta': 'silent' },
    // Without the paths of tsconfig.json, which lead to the sources.
    tsconfigRaw: {},
    ...options,
  });
  return outfile;
}

/** What Node finds for each backend: digests of WebAssembly as it is and with fused multiply-add, which browsers have. */
async function inNode(): Promise<Map<string, string[]>> {
  const file = await bundle('node.mjs', { platform: 'node', format: 'esm' });
  const run = async (query: string, backend: 'auto' | 'js'): Promise<string> => {
    const url = `${pathToFileURL(file).href}?${query}`;
    const { train } = (await import(url)) as typeof program;
    const { digests } = await train(backend, 1);
    return digests.join();
  };
  const [js, plain] = [await run('js', 'js'), await run('plain', 'auto')];
  // Node 20 has it behind a flag, later ones do not know the flag.
  setFlagsFromString('--experimental-wasm-relaxed-simd');
  return new Map([
    ['js', [js]],
    ['wasm', [plain, await run('fused', 'auto')]],
  ]);
}

type Result = Partial<program.Outcome> & { error?: string };

/** Has a browser go through all cases. */
async function inBrowser(browser: string, page: string): Promise<Result[]> {
  const results: Result[] = [];
  const address = (i: number): string =>
    i < cases.length ? `/case/${i}?threads=${cases[i].threads}` : 'about:blank';
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://127.0.0.1');
    const { headers } = cases[results.length] ?? cases[0];
    if (pathname.startsWith('/case/')) {
      response.writeHead(200, { ...headers, 'Content-Type': 'text/html' });
      response.end('<!doctype html><title>tapegrad</title><script src="/page.js"></script>');
    } else if (pathname === '/page.js') {
      response.writeHead(200, { ...headers, 'Content-Type': 'text/javascript' });
      response.end(readFileSync(page));
    } else if (pathname === '/result') {
      let body = '';
      request.on('data', (part) => (body += String(part)));
      request.on('end', () => {
        results.push(JSON.parse(body) as Result);
        response.end(address(results.length));
        if (results.length === cases.length) server.emit('finished');
      });
    } else {
      response.writeHead(404).end();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}${address(0)}`;
  const child = spawn(browser, argumentsOf(browser, url), { stdio: 'ignore', detached: true });
  try {
    await new Promise<void>((resolve, reject) => {
      server.on('finished', resolve);
      child.on('error', reject);
      setTimeout(() => reject(new Error(`${browser}: ${results.length} of ${cases.length} cases after ${LIMIT / 1000} s`)), LIMIT).unref(); // prettier-ignore
    });
  } finally {
    // The browser and all that it has started.
    if (child.pid !== undefined) process.kill(-child.pid);
    server.closeAllConnections();
    server.close();
  }
  return results;
}

function argumentsOf(browser: string, url: string): string[] {
  const profile = mkdtempSync(join(temp, 'profile-'));
  if (basename(browser).includes('firefox')) return ['--headless', '--profile', profile, url];
  // Chromium refuses its sandbox to root.
  const sandbox = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return ['--headless=new', '--no-first-run', ...sandbox, `--user-data-dir=${profile}`, url];
}

function check(what: string, one: Case, result: Result, expected: Map<string, string[]>): void {
  const { error, backend, threads, digests = [], time } = result;
  const same = expected.get(one.backend)?.includes(digests.join()) === true;
  if (error === undefined && backend === one.backend && threads === one.found && same) {
    console.log(`${what}: ok (${backend}, ${threads} thread(s), ${time} ms)`);
  } else {
    problems.push(`${what}: ${error ?? `${backend}, ${threads} thread(s), ${same ? 'same' : 'other'} bits`}; expected ${one.backend}, ${one.found}, same bits`); // prettier-ignore
  }
}
