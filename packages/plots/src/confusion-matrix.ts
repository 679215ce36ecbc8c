import { Tensor } from '@tapegrad/tensor';
import { checkSameLength, numbersOf, rowsOf, type Numbers, type Rows } from './data.js';
import { drawing } from './drawing.js';
import { PlotError } from './errors.js';
import type { Picture } from './picture.js';
import { checkPixels } from './plane.js';
import { frame, textAt } from './theme.js';

/** Options of `confusionMatrix`. */
export interface ConfusionMatrixOptions {
  /** Stands above the matrix. Default: none. */
  title?: string;
  /** The names of the classes 0, 1, …. Default: their numbers, up to the largest that occurs. */
  classes?: readonly (string | number)[];
  /** Default: 'predicted'. */
  xLabel?: string;
  /** Default: 'true'. */
  yLabel?: string;
  /** Side of a cell in pixels. Default: 42. */
  cell?: number;
}

/** About the width of a letter of an axis, in pixels. */
const LETTER = 6.5;

/** More cells than the square of this are no picture. */
const MOST_CLASSES = 500;

/** From nearly white at a share of 0 to dark at 1. */
const BLUES = ['#f2f7fc', '#a6cbe6', '#4a90c6', '#0b4f94'];

/**
 * How often class i (row) was taken for class j (column). Below the title stands the share that is right. A cell's colour
 * is its share of its row, drawn so that small shares show as well (by its square root): few mistakes are seen beside many hits.
 *
 * @param yTrue,yPred classes [n] or [n, 1], or one-hot rows or scores [n, classes], of which the largest counts
 * @throws PlotError different lengths, nothing to count, classes that are not 0, 1, … or 500 and more, numbers that are not finite
 *
 * @example
 * const picture = confusionMatrix([0, 0, 1], [0, 1, 1], { classes: ['cat', 'dog'] });
 * (await picture.toSVG()).includes('66.67% of 3 are right'); // true
 */
export function confusionMatrix(
  yTrue: Numbers | Rows,
  yPred: Numbers | Rows,
  options: ConfusionMatrixOptions = {},
): Picture {
  const actual = classesOf('confusionMatrix: yTrue', yTrue);
  const predicted = classesOf('confusionMatrix: yPred', yPred);
  checkSameLength('confusionMatrix', ['yTrue', actual.length], ['yPred', predicted.length]);
  const largest = [...actual, ...predicted].reduce((a, b) => Math.max(a, b));
  const { title = '', cell = 42 } = options;
  checkPixels({ cell });
  if (largest >= MOST_CLASSES) {
    throw new PlotError(
      `confusionMatrix: class ${largest} occurs; at most ${MOST_CLASSES} classes can be drawn. Are these classes?`,
    );
  }
  const { classes = Array.from({ length: largest + 1 }, (_, i) => i) } = options;
  if (classes.length <= largest) {
    throw new PlotError(
      `confusionMatrix: class ${largest} occurs and \`classes\` names ${classes.length}; expected at least ${largest + 1} names.`,
    );
  }
  const size = classes.length;
  const counts = new Uint32Array(size * size);
  actual.forEach((row, i) => counts[row * size + predicted[i]]++);
  const inRow = classes.map((_, row) =>
    counts.subarray(row * size, (row + 1) * size).reduce((sum, count) => sum + count, 0),
  );
  const right = classes.reduce((sum: number, _, i) => sum + counts[i * size + i], 0);
  const values = Array.from(counts, (count, i) => {
    const row = Math.floor(i / size);
    const depth = Math.sqrt(count / Math.max(1, inRow[row]));
    const ink = count === 0 ? '#bbb' : depth > 0.5 ? 'white' : '#222';
    return { row, column: i % size, count: grouped(count), depth, ink };
  });

  const side = size * cell;
  const band = { type: 'band', domain: classes.map((_, i) => i), padding: 0.03 } as const;
  const axis = {
    domain: false,
    ticks: false,
    labelPadding: 6,
    encode: { labels: { update: { text: { signal: textAt(classes) } } } },
  };
  // Names that would run into each other below the cells are turned.
  const longest = classes.reduce((most: number, name) => Math.max(most, String(name).length), 0);
  const turned = longest * LETTER > cell && { labelAngle: -45, labelAlign: 'right' as const };
  const share = `${((100 * right) / actual.length).toFixed(2)}% of ${grouped(actual.length)} are right`;
  return drawing(title, () => ({
    ...frame(title, side, side, { subtitle: share }),
    data: [{ name: 'cells', values }],
    scales: [
      { name: 'column', ...band, range: [0, side] },
      { name: 'row', ...band, range: [0, side] },
      { name: 'depth', type: 'linear', domain: [0, 0.3, 0.6, 1], range: BLUES },
    ],
    axes: [
      {
        scale: 'column',
        orient: 'bottom',
        title: options.xLabel ?? 'predicted',
        ...axis,
        ...turned,
      },
      { scale: 'row', orient: 'left', title: options.yLabel ?? 'true', ...axis },
    ],
    marks: [
      {
        type: 'rect',
        from: { data: 'cells' },
        aria: false,
        encode: {
          enter: {
            x: { scale: 'column', field: 'column' },
            y: { scale: 'row', field: 'row' },
            width: { scale: 'column', band: 1 },
            height: { scale: 'row', band: 1 },
            fill: [
              { test: 'datum.depth === 0', value: '#f6f6f6' },
              { scale: 'depth', field: 'depth' },
            ],
          },
        },
      },
      {
        type: 'text',
        from: { data: 'cells' },
        aria: false,
        encode: {
          enter: {
            x: { scale: 'column', field: 'column', band: 0.5 },
            y: { scale: 'row', field: 'row', band: 0.5 },
            text: { field: 'count' },
            fill: { field: 'ink' },
            align: { value: 'center' },
            baseline: { value: 'middle' },
            fontSize: { value: 12 },
          },
        },
      },
    ],
  }));
}

/** 10000 → 10,000 */
function grouped(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

function classesOf(name: string, values: Numbers | Rows): number[] {
  if (isRows(values)) {
    const rows = rowsOf(name, values);
    if (rows[0].length > 1) {
      return rows.map((row) => row.reduce((best, value, i) => (value > row[best] ? i : best), 0));
    }
    return checkClasses(name, rows.flat());
  }
  return checkClasses(name, numbersOf(name, values));
}

function checkClasses(name: string, classes: number[]): number[] {
  const odd = classes.findIndex((value) => !(Number.isInteger(value) && value >= 0));
  if (odd >= 0) {
    throw new PlotError(`${name}[${odd}] is ${classes[odd]}; expected a class: 0, 1, 2, ….`);
  }
  return classes;
}

function isRows(values: Numbers | Rows): values is Rows {
  if (values instanceof Tensor) return values.rank > 1 && values.shape[1] > 1;
  return Array.isArray(values) && typeof values[0] === 'object';
}
