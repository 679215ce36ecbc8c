import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The workspace's root folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The packages in the order of their dependencies: folder name and package name. */
export const packages = ['tensor', 'autograd', 'layers', 'datasets', 'tapegrad'].map((folder) => ({
  folder: join(root, 'packages', folder),
  name: folder === 'tapegrad' ? 'tapegrad' : `@tapegrad/${folder}`,
}));

for (const { folder } of packages) {
  if (!existsSync(join(folder, 'package.json'))) throw new Error(`no package in ${folder}`);
}
