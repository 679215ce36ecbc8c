/** What the pictures of the measurements have in common: paper, title and letters, and how a specification becomes SVG. */
import { View, Warn, parse, type Spec } from 'vega';

const FONT = 'DejaVu Sans, Verdana, sans-serif';

/** A picture with a title, the rest as Vega has it. */
export function figure(title: string, subtitle: string | string[], rest: Spec): Spec {
  return {
    $schema: 'https://vega.github.io/schema/vega/v6.json',
    width: 560,
    padding: 12,
    background: 'white',
    title: { text: title, subtitle, anchor: 'start', offset: 12 },
    config: {
      title: { font: FONT, subtitleFont: FONT },
      axis: { labelFont: FONT, titleFont: FONT },
      legend: { labelFont: FONT, titleFont: FONT },
    },
    ...rest,
  };
}

/** The text of the picture. */
export async function svgOf(spec: Spec): Promise<string> {
  const view = new View(parse(spec), { renderer: 'none', logLevel: Warn });
  try {
    return await view.toSVG();
  } finally {
    view.finalize();
  }
}
