import { checkSameLength, numbersOf, type Numbers } from './data.js';
import { drawing } from './drawing.js';
import type { Picture, PlaneOptions, PointOptions, Series } from './picture.js';
import { colourOf, curveMark, curvesOf, legendOf, planeOf, planeSpec } from './plane.js';
import { pointMarks } from './points.js';

/** Options of `scatter`. */
export interface ScatterOptions extends PlaneOptions, PointOptions {
  /** What the points are, for the legend. Default: none. */
  label?: string;
  /** Lines that are drawn over the points, such as a fitted one. */
  lines?: readonly Series[];
}

/**
 * Points in a plane, with lines over them if wanted. Up to 1,000 points are elements of their own; 10,000 take some 150 kB of SVG.
 *
 * @param x,y as many numbers each: tensors [n] or [n, 1], typed or plain arrays
 * @throws PlotError different lengths, no points, numbers that are not finite
 *
 * @example
 * const picture = scatter([-1, 0, 1], [1.5, 2, 2.5], {
 *   title: 'A line',
 *   xLabel: 'x',
 *   yLabel: 'y',
 *   lines: [{ x: [-1, 1], y: [1.5, 2.5], label: 'y = 0.5 x + 2' }],
 * });
 * (await picture.toSVG()).startsWith('<svg'); // true
 */
export function scatter(x: Numbers, y: Numbers, options: ScatterOptions = {}): Picture {
  const xs = numbersOf('scatter: x', x);
  const ys = numbersOf('scatter: y', y);
  checkSameLength('scatter', ['x', xs.length], ['y', ys.length]);
  const { label = '', lines = [] } = options;
  const curves = curvesOf('scatter: lines', lines, 1);
  const plane = planeOf(
    options,
    [xs, ...curves.map((curve) => curve.x)],
    [ys, ...curves.map((curve) => curve.y)],
  );
  const colour = colourOf(0);
  const points = pointMarks(plane, xs, ys, options, { value: colour });
  return drawing(options.title ?? '', () =>
    planeSpec(
      plane,
      options,
      [points, ...curves.map((curve) => curveMark(plane, curve))],
      legendOf(curves, { label, colour }),
    ),
  );
}
