/**
 * Seeded randomness. Every draw comes from a Generator; the functions of this module use the one that `setSeed` sets.
 */
import type { State } from 'seedrandom';
import { Alea } from './alea.js';
import type { DType, TypedArray } from './dtype.js';
import { ValueError, shown, formatChoices } from './errors.js';
import type { OpSpec } from './op.js';
import * as specs from './ops/random.js';
import type { RandomSource } from './ops/random.js';
import { run } from './run.js';
import { allocate, type Tensor } from './tensor.js';
import type { Shape } from './shape.js';

/** Numbers are drawn by so many, to be brought into their range by a second loop. */
const BATCH = 1024;
const draws = new Float64Array(BATCH);

/** What a generator needs to go on exactly where it was: plain data, for JSON. */
export interface GeneratorState {
  readonly seed: string;
  readonly draws: State.Alea;
  readonly streams: Readonly<Record<string, GeneratorState>>;
}

interface DrawOptions {
  dtype?: DType;
}

/** Options of a draw; others would be ignored in silence. @throws ValueError for those that the op does not know */
function checked<O extends object>(who: string, spec: OpSpec, options: O): O {
  const own = ['generator', 'shape', 'probability'];
  const known = (spec.attributes ?? []).filter((name) => !own.includes(name));
  const given: unknown = options;
  const isObject = typeof given === 'object' && given !== null;
  const wrong = isObject ? Object.keys(given).find((name) => !known.includes(name)) : undefined;
  if (isObject && wrong === undefined) return options;
  throw new ValueError(
    `Generator.${who}: options are an object with ${formatChoices(known)}; got ` +
      `${wrong === undefined ? shown(given) : `'${wrong}'`}.`,
  );
}

/**
 * A stream of random numbers (Alea by Johannes Baagøe, from the `seedrandom` package: 32 bits a draw, period about 2¹¹⁶).
 * The same seed gives the same numbers everywhere. `stream(name)` gives generators that do not disturb each other.
 *
 * @example
 * const a = new Generator(1).uniform([2]);
 * const b = new Generator(1).uniform([2]);
 * a.equal(b); // [true, true]
 */
export class Generator implements RandomSource {
  private prng: Alea;
  private readonly streams = new Map<string, Generator>();
  private seed: string;

  /** @throws ValueError for a seed that is NaN, or neither a number nor a string */
  constructor(seed: number | string) {
    if ((typeof seed !== 'number' && typeof seed !== 'string') || Number.isNaN(seed)) {
      throw new ValueError(`Generator: the seed is ${shown(seed)}; give a number or a string.`);
    }
    this.seed = String(seed);
    this.prng = Alea.seeded(this.seed);
  }

  /**
   * The generator of that name below this one: always the same object, and seeded by this one's seed and the name alone,
   * so that what is drawn from one stream never changes another.
   */
  stream(name: string): Generator {
    let child = this.streams.get(name);
    if (child === undefined) {
      child = new Generator(this.seedOf(name));
      this.streams.set(name, child);
    }
    return child;
  }

  /** Where this generator and its streams are, as plain data. */
  getState(): GeneratorState {
    const streams = [...this.streams].map(([name, child]) => [name, child.getState()] as const);
    return { seed: this.seed, draws: this.prng.state(), streams: Object.fromEntries(streams) };
  }

  /** Goes on from a saved state. */
  setState(state: GeneratorState): void {
    this.seed = state.seed;
    this.prng = Alea.from(state.draws);
    // Streams stay the objects that they are: a recorded step draws from them. Those that the state does not know begin anew.
    for (const [name, child] of this.streams) child.restart(this.seedOf(name));
    for (const [name, child] of Object.entries(state.streams)) this.stream(name).setState(child);
  }

  private restart(seed: string): void {
    this.seed = seed;
    this.prng = Alea.seeded(seed);
    for (const [name, child] of this.streams) child.restart(this.seedOf(name));
  }

  /** A '/' in a name is escaped, so that stream('a/b') is not stream('a').stream('b'). */
  private seedOf(stream: string): string {
    return `${this.seed}/${encodeURIComponent(stream)}`;
  }

  /** One number from [0, 1). */
  next(): number {
    return this.prng.next();
  }

  /** A whole number from 0 to n − 1. @throws ValueError unless n is a whole number from 1 to 2³² */
  integer(n: number): number {
    if (!Number.isInteger(n) || n < 1 || n > 2 ** 32) {
      throw new ValueError(`Generator.integer: n must be a whole number from 1 to 2^32; got ${n}.`);
    }
    return Math.floor(this.prng.next() * n);
  }

  /** Uniform on [low, high). */
  uniform(shape: Shape, options: { low?: number; high?: number } & DrawOptions = {}): Tensor {
    const given = checked('uniform', specs.randomUniform, options);
    return run(specs.randomUniform, [], { ...given, shape, generator: this });
  }

  /** Normal with mean 0 and standard deviation 1 unless given. */
  normal(shape: Shape, options: { mean?: number; stddev?: number } & DrawOptions = {}): Tensor {
    const given = checked('normal', specs.randomNormal, options);
    return run(specs.randomNormal, [], { ...given, shape, generator: this });
  }

  /** Normal, drawn anew until within two standard deviations of the mean. */
  truncatedNormal(
    shape: Shape,
    options: { mean?: number; stddev?: number } & DrawOptions = {},
  ): Tensor {
    const given = checked('truncatedNormal', specs.randomTruncatedNormal, options);
    return run(specs.randomTruncatedNormal, [], { ...given, shape, generator: this });
  }

  /** True with the given probability. */
  bernoulli(shape: Shape, probability: number, options: DrawOptions = {}): Tensor {
    const given = checked('bernoulli', specs.randomBernoulli, options);
    return run(specs.randomBernoulli, [], { ...given, shape, probability, generator: this });
  }

  /** The numbers 0 … n − 1 in random order (Fisher–Yates); int32. @throws ValueError unless n is a whole number of 0 or more */
  permutation(n: number): Tensor {
    if (!Number.isInteger(n) || n < 0 || n > 2 ** 31) {
      throw new ValueError(
        `Generator.permutation: n must be a whole number from 0 to 2^31; got ${n}.`,
      );
    }
    const result = allocate({ dtype: 'int32', shape: [n] });
    const { data, offset } = result;
    for (let i = 0; i < n; i++) data[offset + i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const swapped = data[offset + i];
      data[offset + i] = data[offset + j];
      data[offset + j] = swapped;
    }
    return result;
  }

  fillUniform(target: TypedArray, from: number, to: number, low: number, high: number): void {
    const scale = high - low;
    // The sum may be rounded up to `high`, which is not in [low, high).
    if (target instanceof Float64Array) {
      for (let i = from; i < to; i++) {
        target[i] = low + scale * this.double();
        if (target[i] >= high) target[i] = low;
      }
      return;
    }
    for (let at = from; at < to; at += BATCH) {
      const n = this.draw(to - at);
      for (let i = 0; i < n; i++) {
        // 24 bits, as many as a float32 has.
        const u = ((draws[i] * 16777216) >>> 0) / 16777216;
        target[at + i] = low + scale * u;
        if (target[at + i] >= high) target[at + i] = low;
      }
    }
  }

  /** The next numbers to `draws`, as many as are wanted and fit; returns how many. */
  private draw(wanted: number): number {
    const n = Math.min(wanted, BATCH);
    this.prng.fill(draws, n);
    return n;
  }

  /** A number of [0, 1) of 53 bits, from two draws. */
  private double(): number {
    const high = this.prng.next();
    return high + Math.floor(this.prng.next() * 0x200000) * 2 ** -53;
  }

  /** Pairs of normal numbers from pairs of uniform ones (Box & Muller 1958). */
  fillNormal(target: TypedArray, from: number, to: number, mean: number, stddev: number): void {
    const { prng } = this;
    for (let i = from; i < to; i += 2) {
      const radius = stddev * Math.sqrt(-2 * Math.log(1 - prng.next()));
      const angle = 2 * Math.PI * prng.next();
      target[i] = mean + radius * Math.cos(angle);
      if (i + 1 < to) target[i + 1] = mean + radius * Math.sin(angle);
    }
  }

  fillTruncatedNormal(
    target: TypedArray,
    from: number,
    to: number,
    mean: number,
    stddev: number,
  ): void {
    const { prng } = this;
    for (let i = from; i < to;) {
      const radius = Math.sqrt(-2 * Math.log(1 - prng.next()));
      const angle = 2 * Math.PI * prng.next();
      const a = radius * Math.cos(angle);
      const b = radius * Math.sin(angle);
      if (Math.abs(a) <= 2) target[i++] = mean + stddev * a;
      if (Math.abs(b) <= 2 && i < to) target[i++] = mean + stddev * b;
    }
  }

  fillBernoulli(target: TypedArray, from: number, to: number, probability: number): void {
    for (let at = from; at < to; at += BATCH) {
      const n = this.draw(to - at);
      // 1 where p − u > 0, without a branch that nobody can predict; + 0 makes −0 zero.
      for (let i = 0; i < n; i++) target[at + i] = Math.ceil(probability - draws[i]) + 0;
    }
  }
}

let current = new Generator(0);

/**
 * Starts the default generator anew; the whole library draws from it wherever no generator is passed. Without a call it is
 * seeded with 0, so that a program gives the same numbers each time.
 */
export function setSeed(seed: number | string): void {
  current = new Generator(seed);
}

/** The generator that is used where none is passed. */
export function defaultGenerator(): Generator {
  return current;
}
