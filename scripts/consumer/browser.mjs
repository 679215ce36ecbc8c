// Bundled for browsers and run without anything of Node.
import * as tapegrad from 'tapegrad';

export async function main() {
  if (typeof process !== 'undefined') throw new Error('this is no browser');
  let refused = false;
  try {
    new Function('return 1');
  } catch {
    refused = true;
  }
  if (!refused) throw new Error('code from strings is not refused');
  if (typeof tapegrad !== 'object') throw new Error('nothing was bundled');
}
