import { tensor, type Shape, type Tensor } from '@tapegrad/tensor';

/** Numbers for tests from a generator that is not the library's own: mulberry32 by Tommy Ettinger, public domain. */
export class Numbers {
  constructor(private state: number) {}

  /** From [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** A whole number from low up to and with high. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** A float32 tensor of whole numbers from low up to and with high: sums of such are exact, in whatever order. */
  wholes(shape: Shape, low: number, high: number): Tensor {
    const size = shape.reduce((n, s) => n * s, 1);
    return tensor(
      Float32Array.from({ length: size }, () => this.integer(low, high)),
      { shape },
    );
  }

  pick<T>(list: readonly T[]): T {
    return list[this.integer(0, list.length - 1)];
  }

  /** The same elements in another order. */
  shuffled<T>(list: readonly T[]): T[] {
    const result = [...list];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.integer(0, i);
      [result[i], result[j]] = [result[j], result[i]];
    }
    return result;
  }
}
