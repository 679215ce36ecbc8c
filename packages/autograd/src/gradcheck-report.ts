/**
 * What `gradcheck` finds, and how it is put to a person.
 */
import { formatShape } from '@tapegrad/tensor';
import { GradientError } from './errors.js';

/** One slope of the function: by differences, and as the gradient has it. */
export interface Slope {
  /** 1: of the function; 2: of its gradient. */
  readonly order: 1 | 2;
  readonly input: string;
  /** The element that was moved; null for a random direction through all elements. */
  readonly position: readonly number[] | null;
  /** The central difference. */
  readonly numeric: number;
  readonly analytic: number;
  /** The difference to a point on the left, and to one on the right. */
  readonly left: number;
  readonly right: number;
  /** How often the allowed difference goes into |numeric − analytic|; above 1 is wrong. */
  readonly excess: number;
  /** A kink: left and right differ however small the step. A jump: so does the value itself. */
  readonly kind: 'smooth' | 'kink' | 'jump';
}

/** |numeric − analytic| against the larger of them; 0 where both are 0. */
function relativeError({ numeric, analytic }: Slope): number {
  const size = Math.max(Math.abs(numeric), Math.abs(analytic));
  return size === 0 ? 0 : Math.abs(numeric - analytic) / size;
}

function place({ input, position }: Slope): string {
  return `${input} ${position === null ? 'along a random direction' : formatShape(position)}`;
}

/**
 * The outcome of `gradcheck`. `toString()` and Node's console.log give a table of the worst slopes and say in words what
 * is wrong.
 *
 * @example
 * const report = gradcheck((x) => x.relu(), [[-1, 0, 2]], { names: ['x'] });
 * report.passed; // false
 * report.kinks.map(({ input, position }) => [input, position]); // [['x', [1]]]
 */
export class GradcheckReport {
  constructor(
    /** Every slope that was compared. */
    readonly slopes: readonly Slope[],
    /** What kept slopes from being compared at all, as sentences. */
    readonly problems: readonly string[] = [],
  ) {}

  /** Whether the gradients are right. A point on a kink does not pass: nothing can be said of it. */
  get passed(): boolean {
    return this.problems.length === 0 && this.kinks.length === 0 && this.failures.length === 0;
  }

  /** Slopes at a kink or a jump, where no gradient is right. */
  get kinks(): readonly Slope[] {
    return this.slopes.filter(({ kind }) => kind !== 'smooth');
  }

  /** Smooth slopes from which the gradient differs. */
  get failures(): readonly Slope[] {
    return this.slopes.filter(({ kind, excess }) => kind === 'smooth' && excess > 1);
  }

  /** The slope that fits the gradient least; null when none was compared. */
  get worst(): Slope | null {
    return this.ranked()[0] ?? null;
  }

  /** Throws the report as an error unless all is right. @throws GradientError */
  assertPassed(): void {
    if (!this.passed) throw new GradientError(this.toString());
  }

  toString(): string {
    const { kinks, problems } = this;
    const sections = [
      this.summary(),
      ...(this.slopes.length > kinks.length ? [this.table(5)] : []),
      ...(kinks.length > 0 ? [this.kinkText(5)] : []),
      ...problems,
    ];
    return sections.join('\n\n');
  }

  /** What Node's console.log shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString();
  }

  /** The slopes that can be compared, the worst first. */
  private ranked(): Slope[] {
    return this.slopes
      .filter(({ kind }) => kind === 'smooth')
      .sort((a, b) => (a.excess === b.excess ? 0 : b.excess - a.excess));
  }

  private summary(): string {
    const orders = this.slopes.some(({ order }) => order === 2) ? ', first and second order' : '';
    const count = `${this.slopes.length} slope${this.slopes.length === 1 ? '' : 's'}${orders}`;
    const { worst } = this;
    if (this.passed && worst === null) return 'gradcheck passed: there is no element to move.';
    if (this.passed && worst !== null) {
      const part = (100 * worst.excess).toPrecision(2);
      return `gradcheck passed: ${count}; the worst, at ${place(worst)}, is off by ${part}% of what is allowed.`;
    }
    if (this.problems.length > 0) return 'gradcheck FAILED: the gradient could not be compared.';
    const { failures, kinks } = this;
    if (failures.length === 0)
      return `gradcheck FAILED: of ${count}, ${kinks.length} ${be(kinks.length)} at a kink; the others are right.`;
    return `gradcheck FAILED: of ${count}, ${failures.length} ${be(failures.length)} not what the gradient says.`;
  }

  private table(limit: number): string {
    const ranked = this.ranked();
    const shown = ranked.slice(0, limit);
    const header = ['order', 'input', 'position', 'numeric', 'analytic', 'relative error', ''];
    const rows = shown.map((slope) => [
      String(slope.order),
      slope.input,
      slope.position === null ? 'direction' : formatShape(slope.position),
      digits(slope.numeric),
      digits(slope.analytic),
      relativeError(slope).toExponential(1),
      slope.excess > 1 ? 'wrong' : '',
    ]);
    const widths = header.map((_, i) => Math.max(...[header, ...rows].map((row) => row[i].length)));
    const lines = [header, ...rows].map((row) =>
      row
        .map((cell, i) => (i < 3 || i === 6 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])))
        .join('  ')
        .trimEnd(),
    );
    if (ranked.length > limit) lines.push(`… and ${ranked.length - limit} more, which fit better`);
    return lines.join('\n');
  }

  private kinkText(limit: number): string {
    const lines = this.kinks.slice(0, limit).map((slope) => {
      const what = slope.kind === 'kink' ? 'a kink' : 'a jump of the value';
      const order = slope.order === 2 ? ' (of the gradient)' : '';
      return (
        `${what} at ${place(slope)}${order}: slope ${digits(slope.left, 6)} on the left, ` +
        `${digits(slope.right, 6)} on the right; the gradient says ${digits(slope.analytic, 6)}.`
      );
    });
    const more = this.kinks.length - lines.length;
    if (more > 0) lines.push(`… and ${more} more`);
    lines.push(
      'No gradient is right there, so these slopes tell nothing of the rule. Check at another point.',
    );
    return lines.join('\n');
  }
}

/** Slopes without the digits that are noise: after the ninth, or at a kink, where steps are smaller, after the sixth. */
const digits = (x: number, count = 9): string => String(Number(x.toPrecision(count)));
const be = (count: number): string => (count === 1 ? 'is' : 'are');
