import { readFileSync, readdirSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { join, posix, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

/** Which packages a package may import. Imports point one way; whatever is not listed is forbidden. */
const mayImport: Record<string, readonly string[]> = {
  tensor: [],
  autograd: ['tensor'],
  layers: ['autograd', 'tensor'],
  datasets: ['tensor'],
  plots: ['tensor'],
  tapegrad: ['tensor', 'autograd', 'layers', 'datasets'],
};

/** The only files that may import Node's own modules. Everything else runs in a browser as it stands. */
const nodeSeams: readonly string[] = [
  'packages/datasets/src/node.ts',
  'packages/layers/src/node.ts',
  'packages/plots/src/node.ts',
];

const maxLines = 450;

/** A source file by its path from the root, written with '/'. */
interface Source {
  path: string;
  text: string;
}

const packageOf = (path: string): string => path.split('/')[1];
const nameOf = (folder: string): string => (folder === 'tapegrad' ? folder : `@tapegrad/${folder}`);

/** What a file imports: static, dynamic, type-only and re-exporting imports and `require`. */
function importsOf(text: string): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map((file) => file.fileName);
}

/** Every breach of the rules, as sentences that say which file and what to do. */
function breaches(
  sources: readonly Source[],
  dependenciesOf: (folder: string) => readonly string[],
): string[] {
  const found: string[] = [];
  for (const { path, text } of sources) {
    const lines = text.split('\n').length - 1;
    if (lines >= maxLines) found.push(`${path} has ${lines} lines; split it (limit ${maxLines})`);
    for (const specifier of importsOf(text)) {
      const problem = specifier.startsWith('.')
        ? relativeImport(path, specifier)
        : bareImport(path, specifier, dependenciesOf);
      if (problem !== undefined) found.push(`${path} imports '${specifier}': ${problem}`);
    }
  }
  return found;
}

function relativeImport(path: string, specifier: string): string | undefined {
  const target = posix.join(posix.dirname(path), specifier);
  const home = `packages/${packageOf(path)}/src/`;
  if (!target.startsWith(home)) return 'it leaves its package; import the other by its name';
  if (!specifier.endsWith('.js')) return "a relative import ends in '.js'";
  const kernels = `${home}kernels/js/`;
  if (path.startsWith(kernels) && !target.startsWith(kernels)) {
    return 'a kernel knows arrays and numbers only and imports nothing outside kernels/js/';
  }
  return undefined;
}

function bareImport(
  path: string,
  specifier: string,
  dependenciesOf: (folder: string) => readonly string[],
): string | undefined {
  const folder = packageOf(path);
  if (path.startsWith(`packages/${folder}/src/kernels/js/`)) {
    return 'a kernel knows arrays and numbers only and imports nothing outside kernels/js/';
  }
  if (isBuiltin(specifier)) {
    return nodeSeams.includes(path) ? undefined : 'Node modules belong in the listed seams';
  }
  const own = Object.keys(mayImport).find((other) => nameOf(other) === specifier);
  if (own !== undefined) {
    return mayImport[folder].includes(own) ? undefined : 'imports point downwards only';
  }
  const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
  if (Object.keys(mayImport).some((other) => nameOf(other) === name)) {
    return 'import the package by its name alone';
  }
  return dependenciesOf(folder).includes(name) ? undefined : 'package.json does not list it';
}

describe('the checker', () => {
  const check = (path: string, text: string): string[] => breaches([{ path, text }], () => ['dep']);
  const samples: [string, string, string, RegExp][] = [
    [
      'an import upwards',
      'tensor/src/a.ts',
      "import { x } from '@tapegrad/autograd';",
      /downwards/,
    ],
    [
      'a type upwards',
      'autograd/src/a.ts',
      "import type { X } from '@tapegrad/layers';",
      /downwards/,
    ],
    ['a sideways re-export', 'datasets/src/a.ts', "export * from '@tapegrad/layers';", /downwards/],
    ['the umbrella', 'layers/src/a.ts', "import { Dense } from 'tapegrad';", /downwards/],
    ['pictures in a layer', 'layers/src/a.ts', "import '@tapegrad/plots';", /downwards/],
    ['a deep import', 'layers/src/a.ts', "import '@tapegrad/tensor/dist/x.js';", /name alone/],
    ['a path out', 'layers/src/a.ts', "import '../../tensor/src/index.js';", /leaves its package/],
    ['no ending', 'layers/src/a.ts', "import './b';", /ends in '.js'/],
    [
      'a shape in a kernel',
      'tensor/src/kernels/js/a.ts',
      "import '../../shape.js';",
      /kernel knows/,
    ],
    ['a library in a kernel', 'tensor/src/kernels/js/a.ts', "import d from 'dep';", /kernel knows/],
    ['Node in a core file', 'layers/src/a.ts', "await import('node:fs');", /seams/],
    ['Node without its prefix', 'layers/src/a.ts', "const { join } = require('path');", /seams/],
    ['an unlisted library', 'layers/src/a.ts', "import '@scope/other/sub';", /does not list/],
    ['a long file', 'layers/src/a.ts', '\n'.repeat(maxLines), /450 lines; split it/],
  ];

  test.each(samples)('finds %s', (_, path, text, message) => {
    expect(check(`packages/${path}`, text)).toEqual([expect.stringMatching(message)]);
  });

  test('finds every breach of a file', () => {
    const text = "import '@tapegrad/layers';\nimport 'node:fs';\nimport './b';\n";
    expect(check('packages/tensor/src/a.ts', text)).toHaveLength(3);
  });

  test('lets pass what is allowed', () => {
    const text = [
      "import { x } from './x.js';",
      "import type { Tensor } from '@tapegrad/tensor';",
      "import dep from 'dep';",
      "import sub from 'dep/sub';",
      "// import '@tapegrad/layers' in a comment",
      'const text = \'import "@tapegrad/layers"\';',
    ].join('\n');
    expect(check('packages/autograd/src/deep/a.ts', text)).toEqual([]);
    expect(check('packages/tensor/src/kernels/js/a.ts', "import './b.js';")).toEqual([]);
    expect(check(nodeSeams[0], "import 'node:fs';")).toEqual([]);
  });
});

describe('the packages', () => {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const sources = Object.keys(mayImport).flatMap((folder) =>
    readdirSync(join(root, 'packages', folder, 'src'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
      .map((entry) => join(entry.parentPath, entry.name))
      .map((file) => ({
        path: relative(root, file).replaceAll('\\', '/'),
        text: readFileSync(file, 'utf8'),
      })),
  );
  const dependencies = new Map(
    Object.keys(mayImport).map((folder) => {
      const file = join(root, 'packages', folder, 'package.json');
      const manifest = JSON.parse(readFileSync(file, 'utf8')) as {
        dependencies: Record<string, string>;
      };
      return [folder, Object.keys(manifest.dependencies)];
    }),
  );

  test('keep the import directions and the limits of a file', () => {
    expect(sources.length).toBeGreaterThan(5);
    expect(breaches(sources, (folder) => dependencies.get(folder) ?? [])).toEqual([]);
  });

  test('declare the packages that they may import, and no others', () => {
    for (const [folder, allowed] of Object.entries(mayImport)) {
      const own = dependencies.get(folder)?.filter((name) => name.includes('tapegrad'));
      expect([folder, own]).toEqual([folder, allowed.map(nameOf).sort()]);
    }
  });

  test('have no folder that these rules do not know', () => {
    const folders = readdirSync(join(root, 'packages'));
    expect(folders.sort()).toEqual(Object.keys(mayImport).sort());
  });

  test('have no seam for Node that is not there', () => {
    const paths = sources.map(({ path }) => path);
    expect(nodeSeams.filter((seam) => !paths.includes(seam))).toEqual([]);
  });
});
