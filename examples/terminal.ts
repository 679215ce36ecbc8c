/** Curves in a terminal, drawn anew in place. */

/** Points at equal distances, joined by a line. */
export interface TerminalCurve {
  y: ArrayLike<number>;
  label: string;
  /** An ANSI colour, 31 (red) to 36 (cyan). */
  colour: number;
  dashed?: boolean;
}

/** The bit of each dot of a braille sign, two in a row, four rows: U+2800 plus these bits is the sign. */
const DOTS = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
];

const coloured = (text: string, colour: number): string => `\x1b[${colour}m${text}\x1b[0m`;

/**
 * The curves over each other as lines of text: the title with a legend, then `height` lines of `width` braille signs. Each sign has
 * 2 x 4 dots and the colour of the curve that was drawn last in it. What lies beyond `yDomain` is cut off.
 */
export function chart(
  curves: readonly TerminalCurve[],
  options: { title: string; yDomain: readonly [number, number]; width?: number; height?: number },
): string {
  const { title, yDomain, width = 60, height = 12 } = options;
  const [low, high] = yDomain;
  const [columns, rows] = [2 * width, 4 * height];
  const bits = new Uint8Array(width * height);
  const colours = new Uint8Array(width * height);

  for (const { y, colour, dashed = false } of curves) {
    let before: number | undefined;
    for (let column = 0; column < columns; column++) {
      const at = (column / (columns - 1)) * (y.length - 1);
      const left = Math.floor(at);
      const value = y[left] + (at - left) * (y[Math.min(left + 1, y.length - 1)] - y[left]);
      const row = Math.round(((high - value) / (high - low)) * (rows - 1));
      // All dots between this and the last one, so that steep parts have no holes.
      const [top, bottom] = [Math.min(row, before ?? row), Math.max(row, before ?? row)];
      before = row;
      if (dashed && column % 8 >= 5) continue;
      for (let r = Math.max(0, top); r <= Math.min(bottom, rows - 1); r++) {
        const cell = (r >> 2) * width + (column >> 1);
        bits[cell] |= DOTS[r & 3][column & 1];
        colours[cell] = colour;
      }
    }
  }

  const legend = curves.map(({ label, colour, dashed }) =>
    coloured(`${dashed ? '╌╌' : '──'} ${label}`, colour),
  );
  const labels = new Map([
    [0, high],
    [height >> 1, (low + high) / 2],
    [height - 1, low],
  ]);
  const lines = Array.from({ length: height }, (_, row) => {
    const label = (labels.get(row)?.toFixed(1) ?? '').padStart(5);
    const signs = Array.from({ length: width }, (_, i) => {
      const cell = row * width + i;
      if (bits[cell] === 0) return ' ';
      return coloured(String.fromCharCode(0x2800 + bits[cell]), colours[cell]);
    });
    return `${label} │${signs.join('')}`;
  });
  return [`${title}   ${legend.join('   ')}`, ...lines].join('\n');
}

/** Text at the end of what a terminal shows, with a new one in place of the old. */
export class LiveText {
  private text = '';

  constructor(private readonly write: (text: string) => void) {}

  show(text: string): void {
    this.write(`${this.erased()}${text}\n`);
    this.text = text;
  }

  /** Writes something above the text, which stays at the end. */
  above(print: () => void): void {
    this.write(this.erased());
    print();
    if (this.text !== '') this.write(`${this.text}\n`);
  }

  /** Leaves the text where it is; what follows comes below. */
  leave(): void {
    this.text = '';
  }

  /** Moves the cursor up to where the text begins, and clears the screen from there. */
  private erased(): string {
    return this.text === '' ? '' : `\x1b[${this.text.split('\n').length}A\x1b[J`;
  }
}
