// Removes everything that the build and the tests write.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { packages, root } from './files.js';

for (const { folder } of packages) {
  for (const made of ['dist', 'LICENSE']) {
    rmSync(join(folder, made), { recursive: true, force: true });
  }
}
rmSync(join(root, 'coverage'), { recursive: true, force: true });
