/**
 * Checks gradients against differences: the slope of f along a direction u is (f(x + h·u) − f(x − h·u)) / 2h, and by the
 * gradient it is ⟨∇f, u⟩. Results that are no scalar are weighted with fixed random numbers v: what is checked are
 * the slopes of ⟨v, f(x)⟩.
 */
import {
  Generator,
  ValueError,
  formatShape,
  isFloat,
  ones,
  tensor,
  shown,
  type Tensor,
} from '@tapegrad/tensor';
import { gradients } from './backward.js';
import { GradientError } from './errors.js';
import { Probe, concatenated, evaluate, type Subject } from './gradcheck-probe.js';
import { GradcheckReport, type Slope } from './gradcheck-report.js';
import { Variable, isRecording, noGrad, toVariable, withRecording } from './variable.js';
import type { VariableLike } from './variable.js';

/** How to check; every setting has a default. */
export interface GradcheckOptions {
  /** 2 checks the gradient's own gradient as well, with respect to the inputs and the cotangent. Default 1. */
  order?: 1 | 2;
  /** Allowed difference as a part of the slope. Default 1e-6. */
  relative?: number;
  /** Allowed difference on top of it. Default 1e-8. */
  absolute?: number;
  /** An input with more elements than this is checked along random directions. Default 100. */
  maxCoordinates?: number;
  /** How many directions. Default 8. */
  directions?: number;
  /** Seeds the directions and the weights of the results. Default 0. */
  seed?: number | string;
  /** What the report calls the inputs. Default 'input 0', 'input 1', … */
  names?: readonly string[];
}

/**
 * Checks the gradients of a function: its inputs are brought to float64 and moved a little, and what the results do is
 * compared with what `backward` says. Small inputs are checked element by element, large ones along random directions,
 * and a direction that fails is narrowed down to an element.
 *
 * Differences in float64 are good to about 1e-10 where values and derivatives are around 1, so a difference of more than
 * `relative`·slope + `absolute`, plus what rounding of the results can make, is an error. Where the slopes on both sides
 * differ the report names a kink: relu at 0, a maximum with ties. It does not pass then, but the rule is not blamed.
 *
 * @param f takes Variables and returns one or several; of several, those of an integer dtype are left out
 * @param inputs float32 becomes float64; int32 and bool are passed as they are
 * @throws GradientError when no result depends on an input, as when f leaves the graph
 * @throws ValueError when no input is floating-point, or the inputs are no list
 * @example
 * gradcheck((a, b) => a.matmul(b).tanh(), [[[1, 2]], [[3], [4]]], { order: 2 }).passed; // true
 */
export function gradcheck(
  f: (...inputs: Variable[]) => Variable | readonly Variable[],
  inputs: readonly VariableLike[],
  options: GradcheckOptions = {},
): GradcheckReport {
  const given: unknown = inputs;
  if (!Array.isArray(given)) {
    throw new ValueError(
      `gradcheck: inputs are a list, one for each argument of the function, as in gradcheck(f, [x]); got ${shown(given)}.`,
    );
  }
  const values = inputs.map((x) => ownFloat64(toVariable(x, 'float64').value));
  if (!values.some(({ dtype }) => isFloat(dtype))) {
    throw new ValueError(
      `gradcheck: none of the inputs is floating-point; got ${values.map(({ dtype }) => dtype).join(', ') || 'no inputs'}.`,
    );
  }
  const first: Subject = {
    order: 1,
    names: values.map((_, i) => options.names?.[i] ?? `input ${i}`),
    inputs: values,
    f: (xs) => {
      const result = f(...xs);
      const list = result instanceof Variable ? [result] : result;
      return list.filter(({ dtype }) => isFloat(dtype));
    },
  };
  const generator = new Generator(options.seed ?? 0);
  const report = check(first, generator, options);
  if (options.order !== 2 || !report.passed) return report;
  const second = check(gradientOf(first, generator), generator, options);
  return new GradcheckReport([...report.slopes, ...second.slopes], second.problems);
}

/** The function that takes inputs and cotangents to the gradients, at the same point and at random cotangents. */
function gradientOf({ f, inputs, names }: Subject, generator: Generator): Subject {
  const results = noGrad(() => f(inputs.map((x) => new Variable(x))));
  const weights = weightsOf(results, generator);
  return {
    order: 2,
    names: [...names, ...weights.map((_, i) => `cotangent${weights.length > 1 ? ` ${i}` : ''}`)],
    inputs: [...inputs, ...weights],
    f: (all) => {
      const createGraph = isRecording();
      const xs = all
        .slice(0, inputs.length)
        .map((x) => (x.requiresGrad ? x : new Variable(x.value, isFloat(x.dtype))));
      const ys = withRecording(true, () => f(xs));
      const live = ys.flatMap((y, i) => (y.requiresGrad ? [{ y, v: all[inputs.length + i] }] : []));
      return gradients(
        live.map(({ y }) => y),
        xs.filter(({ requiresGrad }) => requiresGrad),
        live.map(({ v }) => v),
        { createGraph },
      );
    },
  };
}

/** A float64 copy with memory of its own; other dtypes as they are. */
function ownFloat64(x: Tensor): Tensor {
  if (!isFloat(x.dtype)) return x;
  return tensor(Float64Array.from(x.toTypedArray()), { shape: x.shape });
}

/** Numbers from 0.5 to 1.5 with random signs, which hide no element; for a single number 1. */
function weightsOf(results: readonly Variable[], generator: Generator): Tensor[] {
  return results.map(({ shape, size }) => {
    if (results.length === 1 && size === 1) return ones(shape, 'float64');
    const sizes = generator.uniform(shape, { low: 0.5, high: 1.5, dtype: 'float64' });
    const signs = generator.bernoulli(shape, 0.5, { dtype: 'float64' }).mul(2).sub(1);
    return sizes.mul(signs);
  });
}

/** All slopes of a subject, or the reasons why there are none. */
function check(subject: Subject, generator: Generator, options: GradcheckOptions): GradcheckReport {
  const { inputs, names } = subject;
  const before = inputs.map((x) => x.toTypedArray().slice());
  const leaves = inputs.map((x) => new Variable(x, isFloat(x.dtype)));
  const results = withRecording(true, () => subject.f(leaves));
  const weights = weightsOf(results, generator);
  const live = results.map((y, i) => ({ y, v: weights[i] })).filter(({ y }) => y.requiresGrad);
  if (live.length === 0 && subject.order === 1) {
    throw new GradientError(
      'gradcheck: nothing that f returns depends on an input. Compute with the Variables that f is given, not with their ' +
        '.value or detach(), and not under noGrad.',
    );
  }
  const floats = leaves.filter(({ requiresGrad }) => requiresGrad);
  const found = gradients(
    live.map(({ y }) => y),
    floats,
    live.map(({ v }) => v),
  );

  const base = concatenated(results);
  const problems = [
    ...coarse(results),
    ...(sameNumbers(base, evaluate(subject, inputs)) ? [] : [NOT_DETERMINISTIC]),
    ...names.flatMap((name, i) =>
      sameNumbers(inputs[i].toTypedArray(), before[i]) ? [] : [`f changes '${name}' in place.`],
    ),
    ...floats.flatMap((x, i) => misfits(names[leaves.indexOf(x)], found[i], x)),
  ];
  if (problems.length > 0) return new GradcheckReport([], problems);
  const probe = new Probe(
    subject,
    base,
    concatenated(weights.map((v) => new Variable(v))),
    options,
  );
  const slopes = floats.flatMap((x, i) =>
    slopesOf(probe, leaves.indexOf(x), found[i], generator, options),
  );
  return new GradcheckReport(slopes);
}

const NOT_DETERMINISTIC =
  'f is not deterministic: called twice with the same inputs it gave different values.';

function coarse(results: readonly Variable[]): string[] {
  return results.flatMap(({ dtype }, i) =>
    dtype === 'float64'
      ? []
      : [
          `Result ${i} is ${dtype}, too coarse for differences: of float64 inputs f must make float64.`,
        ],
  );
}

function misfits(name: string, g: Variable, x: Variable): string[] {
  const [is, due] = [g, x].map(({ shape, dtype }) => `${formatShape(shape)} ${dtype}`);
  return is === due ? [] : [`The gradient of '${name}' is ${is}, not ${due} as the input.`];
}

/** The slopes along the coordinates of input i, or along random directions where there are too many. */
function slopesOf(
  probe: Probe,
  i: number,
  gradient: Variable,
  generator: Generator,
  { maxCoordinates = 100, directions = 8 }: GradcheckOptions,
): Slope[] {
  const { size } = gradient;
  const g = Float64Array.from(gradient.value.toTypedArray());
  const alone = (at: number): Slope => probe.slopeAt(i, g, at);
  if (size <= maxCoordinates) return Array.from({ length: size }, (_, at) => alone(at));
  const slopes = Array.from({ length: directions }, () => {
    const u = Float64Array.from(generator.normal([size], { dtype: 'float64' }).toTypedArray());
    const along = (from: number, to: number): Slope => probe.slopeAlong(i, g, part(u, from, to));
    const whole = along(0, size);
    if (fits(whole)) return whole;
    const culprit = alone(narrowed(size, along, whole.kind));
    return fits(culprit) ? whole : culprit;
  });
  // Several directions may end at one element.
  const named = slopes.map(({ position }) => position?.join() ?? null);
  return slopes.filter((_, k) => named[k] === null || named.indexOf(named[k]) === k);
}

function fits({ kind, excess }: Slope): boolean {
  return kind === 'smooth' && excess <= 1;
}

/** The element at fault for a bad slope along a direction: the worse half, and its worse half, and so on. */
function narrowed(
  size: number,
  along: (from: number, to: number) => Slope,
  kind: Slope['kind'],
): number {
  const badness = (slope: Slope): number =>
    kind === 'smooth' ? slope.excess : Math.abs(slope.right - slope.left);
  let [from, to] = [0, size];
  while (to - from > 1) {
    const middle = (from + to) >> 1;
    if (badness(along(from, middle)) >= badness(along(middle, to))) to = middle;
    else from = middle;
  }
  return from;
}

/** The elements from `from` to `to` of a direction, scaled to length 1; 0 elsewhere. */
function part(u: Float64Array, from: number, to: number): Float64Array {
  const length = Math.sqrt(u.subarray(from, to).reduce((sum, v) => sum + v * v, 0));
  return u.map((v, at) => (at >= from && at < to ? v / length : 0));
}

/** Equal in length and in every number; NaN is equal to itself. */
function sameNumbers(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (!Object.is(a[i], b[i])) return false;
  return true;
}
