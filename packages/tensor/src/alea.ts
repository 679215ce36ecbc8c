/**
 * Alea, the generator of Johannes Baagøe (2010): a multiply-with-carry generator of lag 3 (Marsaglia 2003) whose words of 32 bits
 * are kept as fractions, so that doubles compute it exactly. `seedrandom` seeds it; drawing is done here, many at a time.
 */
import seedrandom, { type State } from 'seedrandom';

const MULTIPLIER = 2091639;
const TO_FRACTION = 2 ** -32;

export class Alea {
  /** c, s₀, s₁, s₂. In an array, since numbers that change in an object are boxed. */
  private readonly words: Float64Array;

  private constructor({ c, s0, s1, s2 }: State.Alea) {
    this.words = Float64Array.of(c, s0, s1, s2);
  }

  /** The generator that `seedrandom.alea(seed)` is. */
  static seeded(seed: string): Alea {
    return new Alea(seedrandom.alea(seed, { state: true }).state());
  }

  static from(state: State.Alea): Alea {
    return new Alea(state);
  }

  state(): State.Alea {
    const [c, s0, s1, s2] = this.words;
    return { c, s0, s1, s2 };
  }

  /** The next number of [0, 1), of 32 bits: t = a·s₀ + c, of which the whole part is carried. */
  next(): number {
    const { words } = this;
    const t = MULTIPLIER * words[1] + words[0] * TO_FRACTION;
    const carry = Math.floor(t);
    const word = t - carry;
    words[0] = carry;
    words[1] = words[2];
    words[2] = words[3];
    words[3] = word;
    return word;
  }

  /** The next n numbers. */
  fill(target: Float64Array, n: number): void {
    const { words } = this;
    let [c, s0, s1, s2] = words;
    for (let i = 0; i < n; i++) {
      const t = MULTIPLIER * s0 + c * TO_FRACTION;
      s0 = s1;
      s1 = s2;
      c = Math.floor(t);
      s2 = t - c;
      target[i] = s2;
    }
    words[0] = c;
    words[1] = s0;
    words[2] = s1;
    words[3] = s2;
  }
}
