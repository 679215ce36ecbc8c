import type { GroupMark } from 'vega';
import { numbersOf, padded, extent } from './data.js';
import { drawing } from './drawing.js';
import { PlotError } from './errors.js';
import type { Picture } from './picture.js';
import {
  axesOf,
  checkPixels,
  clipped,
  colourOf,
  curveMark,
  legendOf,
  scalesOf,
  type Curve,
} from './plane.js';
import { pointMarks } from './points.js';
import { frame } from './theme.js';

/** What `fit` returns, or its `history`: for each name the values after each epoch. */
export type TrainingHistory =
  | { readonly history: Readonly<Record<string, readonly number[]>> }
  | Readonly<Record<string, readonly number[]>>;

/** Options of `history`. */
export interface HistoryOptions {
  /** Stands above the picture. Default: none. */
  title?: string;
  /** Which panels to draw, such as ['loss', 'accuracy']. Default: all. */
  names?: readonly string[];
  /** Width of a panel in pixels. Default: 300. */
  width?: number;
  /** Height of a panel in pixels. Default: 220. */
  height?: number;
}

/**
 * The course of a training: a panel for each quantity over the epochs, with the training's and the validation's values
 * (`loss` and `valLoss`) in one panel.
 *
 * @throws PlotError a name that is not there, different lengths, no epochs, numbers that are not finite
 *
 * @example
 * const picture = history({ loss: [0.34, 0.19], valLoss: [0.22, 0.17], accuracy: [0.9, 0.94] });
 * (await picture.toSVG()).includes('validation'); // true
 */
export function history(of: TrainingHistory, options: HistoryOptions = {}): Picture {
  const { title = '', width = 300, height = 220 } = options;
  checkPixels({ width, height });
  const record = recordOf(of);
  const { names = Object.keys(record).filter((name) => trainingName(name, record) === name) } =
    options;
  if (names.length === 0) throw new PlotError('history: no quantities; there is nothing to draw.');
  const epochs = new Set<number>();
  const panels = names.map((name): GroupMark => {
    if (!(name in record)) {
      throw new PlotError(
        `history: there is no '${name}'; known are ${Object.keys(record).join(', ')}.`,
      );
    }
    const curves = [name, validationName(name)]
      .filter((key) => key in record)
      .map((key, i): Curve => {
        const y = numbersOf(`history: ${key}`, record[key]);
        epochs.add(y.length);
        const label = validationName(name) in record ? ['training', 'validation'][i] : '';
        return { x: y.map((_, at) => at + 1), y, label, dashed: false, colour: colourOf(i) };
      });
    const plane = {
      width,
      height,
      xDomain: padded([1, Math.max(2, curves[0].y.length)]),
      yDomain: padded(extent(curves.map(({ y }) => y))),
    };
    const legend = legendOf(curves);
    return {
      type: 'group',
      encode: { enter: { width: { value: width }, height: { value: height } } },
      scales: [...scalesOf(plane), ...(legend.scales ?? [])],
      axes: axesOf(plane, { xLabel: 'epoch', yLabel: name }, { integers: true }),
      legends: legend.legends ?? [],
      marks: [
        clipped(
          plane,
          curves.flatMap((curve) => [
            curveMark(plane, curve),
            ...(curve.y.length <= 50
              ? [pointMarks(plane, curve.x, curve.y, { opacity: 1 }, { value: curve.colour })]
              : []),
          ]),
        ),
      ],
    };
  });
  if (epochs.size > 1) {
    throw new PlotError(
      `history: the quantities have ${[...epochs].join(' and ')} epochs; expected equally many.`,
    );
  }
  return drawing(title, () => ({
    ...frame(title, width, height, { over: 'bounds' }),
    layout: { columns: Math.min(3, panels.length), padding: 28, bounds: 'full', align: 'all' },
    marks: panels,
  }));
}

function recordOf(of: TrainingHistory): Readonly<Record<string, readonly number[]>> {
  const { history: inner } = of;
  return (inner !== undefined && !Array.isArray(inner) ? inner : of) as Readonly<
    Record<string, readonly number[]>
  >;
}

/** `loss` → `valLoss`, as `fit` names what it measures on validation data. */
function validationName(name: string): string {
  return `val${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

/** The quantity whose panel a name belongs to. */
function trainingName(name: string, record: Readonly<Record<string, unknown>>): string {
  return Object.keys(record).find((other) => validationName(other) === name) ?? name;
}
