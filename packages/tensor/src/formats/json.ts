/**
 * What JSON.parse does not say.
 */

/**
 * A key that an object of the text has twice; null when there is none. JSON.parse takes the last in silence, other readers
 * the first: a file with both can show each reader something else.
 *
 * @param text JSON that JSON.parse takes
 */
export function duplicateKey(text: string): string | null {
  const open: (Set<string> | null)[] = [];
  let last = '';
  // Strings as a whole, so that nothing inside them counts, and the marks that make up the structure.
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/g)) {
    if (token === '{') open.push(new Set());
    else if (token === '[') open.push(null);
    else if (token === '}' || token === ']') open.pop();
    else if (token === ':') {
      const keys = open[open.length - 1];
      const key = JSON.parse(last) as string;
      if (keys?.has(key)) return key;
      keys?.add(key);
    } else last = token;
  }
  return null;
}
