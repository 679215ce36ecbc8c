// Builds every package from scratch:
//   dist/esm  ES modules, declarations and maps, by `tsc -b`
//   dist/cjs  the same modules as CommonJS, file by file, by swc; the declarations are copied
// A package.json in dist/cjs tells Node and TypeScript that those .js and .d.ts files are CommonJS.
import { transformFileSync } from '@swc/core';
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { Script } from 'node:vm';
import './clean.js';
import { filesBelow, packages, root } from './files.js';

const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
const built = spawnSync(process.execPath, [tsc, '-b', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
if (built.status !== 0) process.exit(built.status ?? 1);

for (const { folder, name } of packages) {
  const cjs = join(folder, 'dist', 'cjs');
  const sources = filesBelow(join(folder, 'src'), '.ts').filter((file) => !file.endsWith('.d.ts'));
  for (const file of sources) toCommonJs(join(folder, 'src', file), join(cjs, file));
  writeFileSync(join(cjs, 'package.json'), '{ "type": "commonjs" }\n');

  // The path from dist/esm to src is that from dist/cjs, so the declaration maps stay true.
  const esm = join(folder, 'dist', 'esm');
  for (const file of [...filesBelow(esm, '.d.ts'), ...filesBelow(esm, '.d.ts.map')]) {
    copyFileSync(join(esm, file), join(cjs, file));
  }
  copyFileSync(join(root, 'LICENSE'), join(folder, 'LICENSE'));
  console.log(`${name}: ${sources.length} modules`);
}

function toCommonJs(source: string, target: string): void {
  const output = target.replace(/\.ts$/, '.js');
  const { code, map } = transformFileSync(source, {
    swcrc: false,
    configFile: false,
    sourceMaps: true,
    sourceFileName: relative(dirname(output), source),
    // Dynamic imports stay, as they are the way to ES modules; the annotation tells them a module's names.
    module: { type: 'commonjs', ignoreDynamic: true, exportInteropAnnotation: true },
    jsc: {
      parser: { syntax: 'typescript' },
      target: 'es2022',
      transform: { verbatimModuleSyntax: true },
    },
  });
  // Parsed, not run: an `import.meta` or a top-level `await` that CommonJS cannot have stops the build here.
  new Script(`(function (exports, require, module, __filename, __dirname) {${code}\n})`, {
    filename: source,
  });
  mkdirSync(dirname(output), { recursive: true });
  writeFileSync(output, `${code}\n//# sourceMappingURL=${basename(output)}.map\n`);
  if (map !== undefined) writeFileSync(`${output}.map`, map);
}
