/**
 * Measures slopes by differences: (f(x + h·u) − f(x − h·u)) / 2h along a direction u, beside what the gradient says.
 */
import { tensor, type Shape, type Tensor } from '@tapegrad/tensor';
import type { GradcheckOptions } from './gradcheck.js';
import type { Slope } from './gradcheck-report.js';
import { Variable, noGrad } from './variable.js';

/**
 * The error of a difference falls with h², rounding grows with 1/h; they balance near the cube root of 2⁻⁵². A power of two,
 * because x ± h is exact then.
 */
const STEP = 2 ** -17;
/** Where the two sides differ the step is made this much smaller, to tell kinks from curves. */
const CLOSER = 16;
/** How often at most. */
const LOOKS = 3;
/** A change of the value that no step explains and that is no rounding. */
const LEAP = 1e-9;
const RELATIVE = 1e-6;
const ABSOLUTE = 1e-8;

/** A function to check, with the point to check it at. */
export interface Subject {
  readonly order: 1 | 2;
  readonly names: readonly string[];
  readonly inputs: readonly Tensor[];
  readonly f: (inputs: readonly Variable[]) => readonly Variable[];
}

/** What two steps, to the left and to the right, tell of a slope. */
interface Differences {
  readonly left: number;
  readonly right: number;
  /** What the gradient says of the same steps, as they are after rounding. */
  readonly analytic: number;
  /** How much of a slope rounding of the results can make. */
  readonly rounding: number;
}

/** Measures slopes of ⟨v, f(x)⟩. */
export class Probe {
  constructor(
    private readonly subject: Subject,
    /** f(x) and v, all results one after another. */
    private readonly base: Float64Array,
    private readonly weights: Float64Array,
    private readonly options: GradcheckOptions,
  ) {}

  /** The slope along one coordinate; the step grows with large values. */
  slopeAt(input: number, gradient: Float64Array, at: number): Slope {
    const x = this.subject.inputs[input].toTypedArray();
    const u = new Float64Array(x.length);
    u[at] = 1;
    return this.slope(input, gradient, u, STEP * scaleOf(x[at]), at);
  }

  /** The slope along a direction, made longer where values are large. */
  slopeAlong(input: number, gradient: Float64Array, direction: Float64Array): Slope {
    const x = this.subject.inputs[input].toTypedArray();
    const u = direction.map((v, k) => v * scaleOf(x[k]));
    return this.slope(input, gradient, u, STEP, null);
  }

  private slope(
    input: number,
    gradient: Float64Array,
    u: Float64Array,
    h: number,
    at: number | null,
  ): Slope {
    const { subject } = this;
    const { relative = RELATIVE, absolute = ABSOLUTE } = this.options;
    let m = this.differences(input, gradient, u, h);
    let kind: Slope['kind'] = 'smooth';
    for (let look = 0; look < LOOKS && this.isUneven(m); look++) {
      // The two sides of a smooth function differ by h·f″, which falls with h. Those of a kink do not come closer; at a
      // jump, and where rounding is all there is, they part.
      h /= CLOSER;
      const closer = this.differences(input, gradient, u, h);
      const ratio = gapOf(closer) / gapOf(m);
      if (ratio > 4 && gapOf(closer) * h < LEAP) break;
      m = closer;
      kind = ratio > 4 ? 'jump' : ratio > 0.5 ? 'kink' : 'smooth';
    }
    const numeric = (m.left + m.right) / 2;
    const size = Math.max(Math.abs(numeric), Math.abs(m.analytic));
    const excess = Math.abs(numeric - m.analytic) / (relative * size + absolute + m.rounding);
    return {
      order: subject.order,
      input: subject.names[input],
      position: at === null ? null : positionOf(at, subject.inputs[input].shape),
      numeric,
      analytic: m.analytic,
      left: m.left,
      right: m.right,
      excess: Number.isNaN(excess) ? Infinity : excess,
      kind,
    };
  }

  /** Whether the slopes on both sides differ by more than noise, or are not even numbers. */
  private isUneven({ left, right, rounding }: Differences): boolean {
    const { absolute = ABSOLUTE } = this.options;
    const steepest = Math.max(Math.abs(left), Math.abs(right));
    return !(Math.abs(right - left) <= 1e-4 * steepest + absolute + 10 * rounding);
  }

  /** Differences with step h. */
  private differences(
    input: number,
    gradient: Float64Array,
    u: Float64Array,
    h: number,
  ): Differences {
    const { base, weights } = this;
    const x = this.subject.inputs[input].toTypedArray();
    const below = u.map((v, k) => x[k] - h * v);
    const above = u.map((v, k) => x[k] + h * v);
    const [before, after] = [this.at(input, below), this.at(input, above)];
    let [left, right, size] = [0, 0, 0];
    for (let k = 0; k < base.length; k++) {
      if (before[k] === after[k] && before[k] === base[k]) continue;
      left += weights[k] * (base[k] - before[k]);
      right += weights[k] * (after[k] - base[k]);
      size += Math.abs(weights[k] * base[k]);
    }
    const analytic = gradient.reduce(
      (sum, g, k) => (above[k] === below[k] ? sum : sum + g * (above[k] - below[k])),
      0,
    );
    const rounding = (4 * Number.EPSILON * size) / h;
    return { left: left / h, right: right / h, analytic: analytic / (2 * h), rounding };
  }

  /** f with one input replaced. */
  private at(input: number, values: Float64Array): Float64Array {
    const { inputs } = this.subject;
    return evaluate(
      this.subject,
      inputs.map((x, i) => (i === input ? tensor(values, { shape: x.shape }) : x)),
    );
  }
}

function gapOf({ left, right }: Differences): number {
  return Math.abs(right - left);
}

/** The power of two at or above |x|, at least 1. */
function scaleOf(x: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, Math.abs(x))));
}

/** What f gives, without a graph: all results one after another. */
export function evaluate({ f }: Subject, inputs: readonly Tensor[]): Float64Array {
  return concatenated(noGrad(() => f(inputs.map((x) => new Variable(x)))));
}

/** The elements of all results, one after another. */
export function concatenated(results: readonly Variable[]): Float64Array {
  const all = new Float64Array(results.reduce((n, { size }) => n + size, 0));
  let at = 0;
  for (const { value } of results) {
    all.set(value.toTypedArray(), at);
    at += value.size;
  }
  return all;
}

/** The position of a flat index. */
function positionOf(index: number, shape: Shape): number[] {
  const position: number[] = [];
  for (let axis = shape.length - 1, rest = index; axis >= 0; axis--) {
    position.unshift(rest % shape[axis]);
    rest = Math.floor(rest / shape[axis]);
  }
  return position;
}
