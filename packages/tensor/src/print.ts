/** Tensors as text, in NumPy's manner. */
import type { Strided } from './op.js';

/** Tensors with more elements than this show only the ends of each axis. */
const SUMMARIZE_ABOVE = 1000;
const EDGE_ITEMS = 3;
const PRECISION = 4;

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
  const print = numberFormat(values, x.dtype === 'bool');
  const width = values.reduce((w, v) => Math.max(w, print(v).length), 0);

  const text = (axis: number, offset: number, depth: number): string => {
    if (axis === x.shape.length) return print(x.data[offset]).padStart(axis === 0 ? 0 : width);
    const last = axis === x.shape.length - 1;
    const separator = last
      ? ', '
      : `,${'\n'.repeat(x.shape.length - 1 - axis)}${' '.repeat(depth + 1)}`;
    const parts = shown(axis).map((i) =>
      i === null ? '...' : text(axis + 1, offset + i * x.strides[axis], depth + 1),
    );
    return `[${parts.join(separator)}]`;
  };
  return x.size === 0 ? '[]' : text(0, x.offset, indent);
}

/** One notation for all numbers shown together, so that columns line up. */
function numberFormat(values: readonly number[], bool: boolean): (value: number) => string {
  if (bool) return (value) => (value === 0 ? 'false' : 'true');
  const finite = values.filter(Number.isFinite);
  if (finite.every(Number.isInteger)) return (value) => String(value);
  const magnitudes = finite.filter((v) => v !== 0).map(Math.abs);
  const largest = Math.max(...magnitudes);
  const smallest = Math.min(...magnitudes);
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
