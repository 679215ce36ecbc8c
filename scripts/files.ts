import { readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The workspace's root folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** The packages in the order of their dependencies, with the name each has on npm. */
export const packages = ['tensor', 'autograd', 'layers', 'datasets', 'plots', 'tapegrad'].map(
  (folder) => ({
    folder: join(root, 'packages', folder),
    name: folder === 'tapegrad' ? 'tapegrad' : `@tapegrad/${folder}`,
  }),
);

/** Every file below `folder` whose name ends in `suffix`, relative to it, in a stable order. */
export function filesBelow(folder: string, suffix: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .sort();
}
