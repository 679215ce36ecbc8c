/**
 * `npx tsx scripts/figures.ts`: draws the figures of docs/tutorial that show ideas. The other pictures there come from the programs.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drawFigures } from './ideas.js';

const folder = fileURLToPath(new URL('../docs/tutorial/pictures', import.meta.url));
await mkdir(folder, { recursive: true });
for (const [name, svg] of Object.entries(await drawFigures()))
  await writeFile(join(folder, name), svg);
