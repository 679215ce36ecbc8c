import type { Spec } from 'vega';
import { PlotError } from './errors.js';
import type { Picture } from './picture.js';
import { nodeParts } from './platform.js';

/** A picture from a Vega specification, which is made when the picture is first drawn. */
export function drawing(title: string, describe: () => Spec | Promise<Spec>): Picture {
  let svg: Promise<string> | undefined;
  return pictureOf({
    title,
    toSVG: () => (svg ??= Promise.resolve(describe()).then(draw)),
    async mount(element) {
      element.replaceChildren(parseSVG(await this.toSVG(), element));
    },
    async toHTML() {
      return page(title, inline(await this.toSVG()));
    },
  });
}

/** Adds the formats that follow from the SVG and the page. */
export function pictureOf(base: Pick<Picture, 'title' | 'toSVG' | 'toHTML' | 'mount'>): Picture {
  return {
    ...base,
    async toPNG({ scale = 2 } = {}) {
      if (!(scale > 0 && Number.isFinite(scale))) {
        throw new PlotError(`toPNG: the scale is ${scale}; expected a positive number.`);
      }
      const { rasterize } = await nodeParts('toPNG');
      return rasterize(await this.toSVG(), scale);
    },
    async save(path) {
      const ending = /\.[^./\\]*$/.exec(path)?.[0].toLowerCase();
      const formats: Record<string, () => Promise<string | Uint8Array>> = {
        '.svg': () => this.toSVG(),
        '.png': () => this.toPNG(),
        '.html': () => this.toHTML(),
      };
      if (ending === undefined || !(ending in formats)) {
        throw new PlotError(
          `save: '${path}' ends in ${ending ?? 'nothing known'}; expected .svg, .png or .html.`,
        );
      }
      const { storeFile } = await nodeParts('save');
      await storeFile(path, await formats[ending]());
      return path;
    },
  };
}

/** Signs that XML cannot hold, not even escaped (XML 1.0, section 2.2): in words they become U+FFFD. */
// eslint-disable-next-line no-control-regex -- those it is about
const NO_XML = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g;

/**
 * Vega's expressions are interpreted, not compiled to functions: pages may forbid code made from strings
 * (https://vega.github.io/vega/usage/interpreter/).
 */
async function draw(spec: Spec): Promise<string> {
  const [{ View, Warn, parse }, { expressionInterpreter }] = await Promise.all([
    import('vega'),
    import('vega-interpreter'),
  ]);
  const view = new View(parse(spec, undefined, { ast: true }), {
    renderer: 'none',
    logLevel: Warn,
    expr: expressionInterpreter as unknown,
  });
  try {
    return stableIds((await view.toSVG()).replace(NO_XML, '\ufffd'));
  } finally {
    view.finalize();
  }
}

/**
 * Vega numbers what is referred to (`url(#clip7)`) through the whole process. Named by the picture's content instead, a picture
 * is the same whenever it is drawn, and pictures of several processes can stand in one page.
 */
function stableIds(svg: string): string {
  const numbers = new Map<string, number>();
  const rename = (text: string, prefix: string): string =>
    text.replace(/( id="|url\(#)([\w-]+)/g, (_, before: string, id: string) => {
      if (!numbers.has(id)) numbers.set(id, numbers.size);
      return `${before}${prefix}${numbers.get(id) ?? 0}`;
    });
  let hash = 0x811c9dc5; // FNV-1a
  for (const sign of rename(svg, '')) hash = Math.imul(hash ^ sign.charCodeAt(0), 0x01000193);
  return rename(svg, `p${(hash >>> 0).toString(36)}-`);
}

/** The SVG as an element of the page that `element` is in. */
export function parseSVG(svg: string, element: Element): Node {
  const parsed = new DOMParser().parseFromString(svg, 'image/svg+xml');
  return element.ownerDocument.importNode(parsed.documentElement, true);
}

/** An SVG as it stands inside HTML, which knows its name spaces by itself. */
export function inline(svg: string): string {
  return svg.replace(/ xmlns(:xlink)?="[^"]*"/g, '').replaceAll('xlink:href=', 'href=');
}

/** A page around a picture. */
export function page(title: string, body: string, script = ''): string {
  const name = escapeHTML(title === '' ? 'Picture' : title);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${name}</title>
<style>
body { margin: 0; padding: 1rem; font-family: sans-serif; background: white; color: #222; }
svg { max-width: 100%; height: auto; }
</style>
</head>
<body>
${body}
${script}</body>
</html>
`;
}

/** Text as it stands inside HTML. */
export function escapeHTML(text: string): string {
  const names: Record<string, string> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot' };
  return text.replace(/[&<>"]/g, (sign) => `&${names[sign]};`);
}
