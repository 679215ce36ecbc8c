import { defaultGenerator, Generator, ValueError } from '@tapegrad/tensor';

/** Where random numbers come from. Without either, from the generator that `setSeed` starts. */
export interface RandomOptions {
  /** Starts a generator for this call alone: the same seed, the same numbers. */
  seed?: number | string;
  /** A generator to draw from. */
  generator?: Generator;
}

/** The generator that the options name. The default one is not drawn from itself, so that data do not change weights. */
export function generatorOf(where: string, { seed, generator }: RandomOptions): Generator {
  if (seed === undefined) return generator ?? defaultGenerator().stream('datasets');
  if (generator === undefined) return new Generator(seed);
  throw new ValueError(`${where}: give either seed or generator, not both.`);
}
