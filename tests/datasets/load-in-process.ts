/** Run by cache.test.ts as a process of its own: obtains the file that its argument describes. */
import { obtain, type Sources } from '../../packages/datasets/src/cache.js';
import type { KnownFile } from '../../packages/datasets/src/download.js';
import * as node from '../../packages/datasets/src/node.js';

const { file, sources } = JSON.parse(process.argv[2]) as { file: KnownFile; sources: Sources };
const { data } = await obtain(file, sources, node);
console.log(`${data.length} elements`);
