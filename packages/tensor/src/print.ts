/** Tensors as text, in NumPy's manner. */
import type { DType } from './dtype.js';
import type { Strided } from './op.js';

/** Tensors with more elements than this show only the ends of each axis. */
const SUMMARIZE_ABOVE = 1000;
const EDGE_ITEMS = 3;
const PRECISION = 4;
/** Rows are broken so that lines are no longer than this. */
const LINE_WIDTH = 75;

/** The elements as nested brackets; continuation lines are indented by `indent` spaces. */
export function format(x: Strided, indent: number): string {
  const shorten = x.size > SUMMARIZE_ABOVE;
  const shown = (axis: number): (number | null)[] => {
    const size = x.shape[axis];
    if (!shorten || size <= 2 * EDGE_ITEMS) return Array.from({ length: size }, (_, i) => i);
    const ends = Array.from({ length: EDGE_ITEMS }, (_, i) => i);
    return [...ends, null, ...ends.map((i) => size - EDGE_ITEMS + i)];
  };

  const values: number[] = [];
  const visit = (axis: number, offset: number): void => {
    if (axis === x.shape.length) values.push(x.data[offset]);
    else for (const i of shown(axis)) if (i !== null) visit(axis + 1, offset + i * x.strides[axis]);
  };
  if (x.size > 0) visit(0, x.offset);
  const print = numberFormat(values, x.dtype);
  const width = values.reduce((w, v) => Math.max(w, print(v).length), 0);

  const text = (axis: number, offset: number, depth: number): string => {
    if (axis === x.shape.length) return print(x.data[offset]).padStart(axis === 0 ? 0 : width);
    const parts = shown(axis).map((i) =>
      i === null ? '...' : text(axis + 1, offset + i * x.strides[axis], depth + 1),
    );
    const hanging = ' '.repeat(depth + 1);
    const axesBelow = x.shape.length - 1 - axis;
    if (axesBelow === 0) return `[${wrapped(parts, hanging, LINE_WIDTH - axis - 1)}]`;
    return `[${parts.join(`,${'\n'.repeat(axesBelow)}${hanging}`)}]`;
  };
  return x.size === 0 ? '[]' : text(0, x.offset, indent);
}

/** The words of a row with commas between them, on as many lines as they need; `hanging` begins all but the first. */
function wrapped(words: readonly string[], hanging: string, width: number): string {
  let lines = '';
  let line = hanging;
  words.forEach((word, i) => {
    if (i > 0 && line.length + word.length > width) {
      lines += `${line.trimEnd()}\n`;
      line = hanging;
    }
    line += i < words.length - 1 ? `${word}, ` : word;
  });
  return (lines + line).slice(hanging.length);
}

/** One notation for all numbers shown together, so that columns line up. */
function numberFormat(values: readonly number[], dtype: DType): (value: number) => string {
  if (dtype === 'bool') return (value) => (value === 0 ? 'false' : 'true');
  const finite = values.filter(Number.isFinite);
  const magnitudes = finite.filter((v) => v !== 0).map(Math.abs);
  const largest = Math.max(...magnitudes);
  const smallest = Math.min(...magnitudes);
  if (dtype === 'int32' || (finite.every(Number.isInteger) && !(largest >= 1e8)))
    return (value) => String(value);
  const scientific =
    largest >= 1e8 || smallest < 1e-4 || largest / smallest > 1e3 * 10 ** PRECISION;
  if (scientific)
    return (value) => (Number.isFinite(value) ? value.toExponential(PRECISION) : String(value));
  // As many decimals as the value that needs most of them, at most PRECISION.
  const decimals = Math.max(
    ...finite.map((v) => (v.toFixed(PRECISION).replace(/0+$/, '').split('.')[1] ?? '').length),
  );
  return (value) => (Number.isFinite(value) ? value.toFixed(decimals) : String(value));
}
