// Checks the packages as a user gets them: packs each, lints the tarballs, installs them in an empty
// folder, then imports, requires and type-checks them there. Run `npm run build` first.
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { build } from 'esbuild';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { packages, root } from './files.js';

const problems: string[] = [];
const temp = mkdtempSync(join(tmpdir(), 'tapegrad-packages-'));
try {
  const tarballs = pack();
  for (const { name, tarball } of tarballs) await lint(name, tarball);
  const consumer = install(tarballs);
  runConsumers(consumer);
  await runInBrowser(consumer);
  typeCheckConsumers(consumer);
} finally {
  rmSync(temp, { recursive: true, force: true });
}
if (problems.length > 0) {
  console.error(`\n${problems.length} problem(s):\n- ${problems.join('\n- ')}`);
  process.exit(1);
}
console.log('packages: ok');

interface Tarball {
  name: string;
  tarball: string;
}

function pack(): Tarball[] {
  const target = join(temp, 'tarballs');
  mkdirSync(target);
  return packages.map(({ name, folder }) => {
    if (!existsSync(join(folder, 'dist', 'cjs', 'package.json'))) {
      throw new Error(`${name} is not built: run \`npm run build\` first`);
    }
    const result = npm(['pack', '--silent', '--pack-destination', target], folder);
    return { name, tarball: join(target, result.stdout.trim()) };
  });
}

async function lint(name: string, tarball: string): Promise<void> {
  const bytes = readFileSync(tarball);
  const { messages, pkg } = await publint({
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) },
    level: 'warning',
  });
  for (const message of messages) {
    problems.push(
      `${name}: publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`,
    );
  }
  run(
    `attw ${name}`,
    ['node_modules/@arethetypeswrong/cli/dist/index.js', tarball, '--quiet'],
    root,
  );
}

/** Installs the tarballs, and nothing but them, in an empty folder. */
function install(tarballs: readonly Tarball[]): string {
  const folder = join(temp, 'consumer');
  cpSync(join(root, 'scripts', 'consumer'), folder, { recursive: true });
  const dependencies = Object.fromEntries(
    tarballs.map(({ name, tarball }) => [name, `file:${tarball}`]),
  );
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ name: 'consumer', private: true, dependencies }, null, 2),
  );
  npm(['install', '--no-audit', '--no-fund', '--loglevel=error', '--prefer-offline'], folder);
  return folder;
}

/** ES module, CommonJS, and CommonJS where Node cannot `require` ES modules, so that dist/cjs itself runs. */
function runConsumers(folder: string): void {
  run('import', ['esm.mjs'], folder);
  run('require', ['commonjs.cjs'], folder);
  run('require of dist/cjs', ['--no-experimental-require-module', 'commonjs.cjs'], folder);
}

/**
 * Bundles for browsers, with short names, and runs the result where there is nothing of Node and where, as under a strict
 * Content-Security-Policy, no code can be made from strings.
 */
async function runInBrowser(folder: string): Promise<void> {
  try {
    const { outputFiles } = await build({
      entryPoints: [join(folder, 'browser.mjs')],
      bundle: true,
      format: 'iife',
      globalName: 'consumer',
      platform: 'browser',
      minify: true,
      write: false,
      logLevel: 'silent',
      logOverride: { 'empty-import-meta': 'silent' },
    });
    const context = createContext(
      {
        ...{ performance, queueMicrotask, AbortController, AbortSignal },
        ...{ setTimeout, clearTimeout, setInterval, clearInterval },
      },
      { codeGeneration: { strings: false, wasm: true } },
    );
    await runInContext(`${outputFiles[0].text}\nconsumer.main()`, context);
    console.log('browser bundle: ok');
  } catch (error) {
    problems.push(
      `browser bundle: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  }
}

function typeCheckConsumers(folder: string): void {
  const source = readFileSync(join(folder, 'consumer.ts'));
  for (const ending of ['mts', 'cts']) writeFileSync(join(folder, `consumer.${ending}`), source);
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  // No Node types (TypeScript 6 loads none by itself) and no skipLibCheck: the declarations must stand by themselves in a browser project.
  const common = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom'];
  const kinds: [string, string[]][] = [
    ['node16 (.mts)', ['--module', 'node16', '--moduleResolution', 'node16', 'consumer.mts']],
    ['node16 (.cts)', ['--module', 'node16', '--moduleResolution', 'node16', 'consumer.cts']],
    ['bundler', ['--module', 'esnext', '--moduleResolution', 'bundler', 'consumer.ts']],
  ];
  for (const [kind, args] of kinds) run(`types under ${kind}`, [tsc, ...common, ...args], folder);
}

/** Runs Node on a script; it must succeed and write nothing to stderr. */
function run(what: string, args: readonly string[], cwd: string): void {
  const result = spawnSync(process.execPath, args, { cwd, encoding: 'utf8' });
  if (result.status === 0 && result.stderr === '') {
    console.log(`${what}: ok`);
  } else {
    problems.push(`${what}:\n${result.stdout}${result.stderr}`);
  }
}

function npm(args: readonly string[], cwd: string): { stdout: string } {
  const result = spawnSync('npm', args, { cwd, encoding: 'utf8' });
  if (result.status !== 0) {
    throw new Error(`npm ${args.join(' ')} failed in ${cwd}:\n${result.stdout}${result.stderr}`);
  }
  return result;
}
