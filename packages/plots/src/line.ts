import type { Numbers } from './data.js';
import { drawing } from './drawing.js';
import { PlotError } from './errors.js';
import type { Picture, PlaneOptions, Series } from './picture.js';
import { curveMark, curvesOf, legendOf, planeOf, planeSpec } from './plane.js';

/**
 * One line through points, or several lines with a legend.
 *
 * @param x,y as many numbers each: tensors [n] or [n, 1], typed or plain arrays
 * @throws PlotError different lengths, no points, numbers that are not finite
 *
 * @example
 * const x = linspace(0, 6.28, 50);
 * const both = line(
 *   [
 *     { x, y: x.sin(), label: 'sin' },
 *     { x, y: x.cos(), label: 'cos', dashed: true },
 *   ],
 *   { xLabel: 't', yDomain: [-1.2, 1.2] },
 * );
 * (await both.toSVG()).includes('stroke-dasharray'); // true
 */
export function line(x: Numbers, y: Numbers, options?: PlaneOptions): Picture;
export function line(series: readonly Series[], options?: PlaneOptions): Picture;
export function line(
  first: Numbers | readonly Series[],
  second?: Numbers | PlaneOptions,
  third?: PlaneOptions,
): Picture {
  const [series, options] = isSeries(first)
    ? [first, (second ?? {}) as PlaneOptions]
    : [[{ x: first, y: second as Numbers }], third ?? {}];
  const curves = curvesOf('line', series);
  if (curves.length === 0) throw new PlotError('line: got no series; there is nothing to draw.');
  const plane = planeOf(
    options,
    curves.map((curve) => curve.x),
    curves.map((curve) => curve.y),
  );
  return drawing(options.title ?? '', () =>
    planeSpec(
      plane,
      options,
      curves.map((curve) => curveMark(plane, curve)),
      legendOf(curves),
    ),
  );
}

function isSeries(first: Numbers | readonly Series[]): first is readonly Series[] {
  return Array.isArray(first) && (first.length === 0 || typeof first[0] === 'object');
}
