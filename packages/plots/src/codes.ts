import type { Spec } from 'vega';
import { checkSameLength, extent, numbersOf, rowsOf, type Numbers, type Rows } from './data.js';
import { drawing } from './drawing.js';
import { PlotError } from './errors.js';
import type { Picture, PlaneOptions, PointOptions } from './picture.js';
import { planeOf, planeSpec } from './plane.js';
import { pointMarks } from './points.js';
import { COLOURS } from './theme.js';

/** Options of `codes`. */
export interface CodesOptions extends PlaneOptions, PointOptions {
  /** Stands above the colour bar. Default: 'label'. */
  labelTitle?: string;
}

/** Measured labels, as opposed to classes, are drawn in so many steps of colour. */
const STEPS = 32;

/**
 * Points in the plane coloured by their labels, with a colour bar: what an encoder makes of each digit. Labels that are up
 * to ten different whole numbers or words are classes with a colour each; other numbers run from dark to light (viridis).
 * Default size of the plane: 480 × 420.
 *
 * @param points [n, 2], as `encoder.predict` gives them
 * @param labels n numbers or words
 * @throws PlotError points that have not 2 numbers, different lengths, no points, numbers that are not finite
 *
 * @example
 * const points = tensor([[0, 1], [2, 3], [1, 1]]);
 * const picture = codes(points, [7, 1, 7], { title: 'Codes', labelTitle: 'digit' });
 * (await picture.toSVG()).includes('digit'); // true
 */
export function codes(
  points: Rows,
  labels: Numbers | readonly string[],
  options: CodesOptions = {},
): Picture {
  const rows = rowsOf('codes: points', points);
  if (rows[0].length !== 2) {
    throw new PlotError(
      `codes: the points have ${rows[0].length} numbers each; expected 2, an x and a y.`,
    );
  }
  const words = Array.isArray(labels) && typeof labels[0] === 'string';
  const values = words
    ? (labels as readonly string[])
    : numbersOf('codes: labels', labels as Numbers);
  checkSameLength('codes', ['points', rows.length], ['labels', values.length]);
  const x = rows.map((row) => row[0]);
  const y = rows.map((row) => row[1]);
  const plane = planeOf({ width: 480, height: 420, ...options }, [x], [y]);

  const bar = classesOf(values) ?? gradientOf(values as readonly number[]);
  const dots = pointMarks(plane, x, y, options, { scale: 'label', field: 'label' }, bar.labels);
  const legend = { ...bar.legend, title: options.labelTitle ?? 'label' };
  return drawing(options.title ?? '', () =>
    planeSpec(plane, options, [dots], { scales: bar.scales, legends: [legend] }),
  );
}

interface Bar {
  /** The label of each point, as its colour shows it. */
  labels: readonly (number | string)[];
  scales: NonNullable<Spec['scales']>;
  legend: NonNullable<Spec['legends']>[number];
}

/** A stepped bar with a step for each class, or undefined where the labels are no classes. */
function classesOf(labels: readonly (number | string)[]): Bar | undefined {
  const known = [...new Set<number | string>(labels)];
  const whole = known.every((label) => typeof label === 'string' || Number.isInteger(label));
  if (!whole || known.length > COLOURS.length) return undefined;
  known.sort((a, b) => (typeof a === 'number' && typeof b === 'number' ? a - b : 0));
  return {
    labels,
    scales: [
      { name: 'label', type: 'ordinal', domain: known, range: COLOURS.slice(0, known.length) },
    ],
    // Squares without gaps make a bar.
    legend: {
      fill: 'label',
      symbolType: 'square',
      symbolSize: 400,
      symbolStrokeWidth: 0,
      rowPadding: 0,
      titlePadding: 8,
    },
  };
}

/** A bar of running colour. */
function gradientOf(labels: readonly number[]): Bar {
  if (typeof labels[0] === 'string') {
    throw new PlotError(
      `codes: the labels are ${new Set(labels).size} different words; expected at most ${COLOURS.length}.`,
    );
  }
  const [low, high] = extent([labels]);
  const width = (high - low) / STEPS || 1;
  return {
    labels: labels.map(
      (label) => low + (Math.min(STEPS - 1, Math.floor((label - low) / width)) + 0.5) * width,
    ),
    scales: [
      {
        name: 'label',
        type: 'linear',
        zero: false,
        domain: [low, high],
        range: { scheme: 'viridis' },
      },
    ],
    legend: { fill: 'label', type: 'gradient', gradientLength: 200, titlePadding: 8 },
  };
}
