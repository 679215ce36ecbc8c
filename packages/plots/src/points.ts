import type { ColorValueRef, Mark, ProductionRule } from 'vega';
import { PlotError } from './errors.js';
import type { PointOptions } from './picture.js';
import { pixels, type Plane } from './plane.js';

/** Up to this many points, each is an element of its own. */
const SINGLE = 1000;
/** More points are drawn in so many layers. */
const LAYERS = 25;

/**
 * Dots as paths of zero length with round ends: `M12.3 45.6h0` is the shortest way in SVG to say "a dot here", some 13 bytes
 * where a circle of its own takes 170. Up to 1,000 points each is a path. More are cut, in the order of the data, into 25 layers,
 * and a path holds all dots of a layer that have one colour. So 10,000 points in ten colours take some 200 kB, no colour hides
 * the others, and dense regions still look denser.
 *
 * @param stroke the colour of a dot; it may refer to the field `label`
 * @param labels what `label` is for each point; points of one label share their colour. Default: 0 for all
 */
export function pointMarks(
  plane: Plane,
  x: readonly number[],
  y: readonly number[],
  { size = sizeFor(x.length), opacity = 0.7 }: PointOptions,
  stroke: ProductionRule<ColorValueRef>,
  labels?: readonly (number | string)[],
): Mark {
  if (!(size > 0 && Number.isFinite(size))) {
    throw new PlotError(`The size of the points is ${size}; expected a positive number of pixels.`);
  }
  if (!(opacity > 0 && opacity <= 1)) {
    throw new PlotError(`The opacity is ${opacity}; expected a number above 0, at most 1.`);
  }
  const at = pixels(plane);
  const step = x.length <= SINGLE ? 1 : Math.ceil(x.length / LAYERS);
  const values: { path: string; label: number | string }[] = [];
  for (let begin = 0; begin < x.length; begin += step) {
    const paths = new Map<number | string, string[]>();
    for (let i = begin; i < Math.min(begin + step, x.length); i++) {
      const label = labels?.[i] ?? 0;
      const dot = `M${at(x[i], y[i])}h0`;
      const path = paths.get(label);
      if (path === undefined) paths.set(label, [dot]);
      else path.push(dot);
    }
    for (const [label, path] of paths) values.push({ path: path.join(''), label });
  }
  return {
    type: 'group',
    aria: false,
    data: [{ name: 'points', values }],
    marks: [
      {
        type: 'path',
        from: { data: 'points' },
        interactive: false,
        aria: false,
        encode: {
          enter: {
            path: { field: 'path' },
            stroke,
            strokeWidth: { value: size },
            strokeCap: { value: 'round' },
            strokeOpacity: { value: opacity },
          },
        },
      },
    ],
  };
}

function sizeFor(count: number): number {
  return Math.max(3, Math.min(6, 6 - Math.log2(count / SINGLE)));
}
