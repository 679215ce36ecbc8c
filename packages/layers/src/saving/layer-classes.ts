/**
 * The classes of layers by name: what a saved model may be made of.
 */
import { FormatError, ValueError, formatChoices } from '@tapegrad/tensor';
import type { Layer } from '../layer.js';
import type { ConfigReader } from './config.js';
import type { Config } from './plain.js';

export type LayerClass = abstract new (...args: never[]) => Layer;

/** How a class is written down and made again. */
export interface LayerEntry {
  readonly name: string;
  readonly Class: LayerClass;
  /** The fields that hold what the constructor takes before its options, in order. */
  readonly positional: readonly string[];
  /** For classes that are made in another way. */
  readonly make?: (config: Config, reader: ConfigReader) => Layer;
  /** The names of its options besides those of all layers. Without them any option will do: those of users' classes. */
  readonly options?: readonly string[];
}

const byName = new Map<string, LayerEntry>();
const byClass = new WeakMap<object, LayerEntry>();

export interface RegisterLayerOptions {
  /** Default: the class's own name. Bundlers that shorten names make it necessary. */
  name?: string;
  /** The names of the constructor's arguments before the options; the layer keeps each in a field of that name. Default none. */
  arguments?: readonly string[];
}

/**
 * Makes a class of your own known, so that models with such layers can be saved and loaded. Its constructor takes its
 * arguments and then an object of options, all of which it passes on to `super`; or it overrides `getConfig`.
 *
 * @throws ValueError when another class has the name
 * @example
 * class Scale extends Layer {
 *   constructor(factor, options = {}) {
 *     super(options);
 *     this.factor = factor;
 *   }
 *   call(x) {
 *     return x.mul(this.factor);
 *   }
 * }
 * registerLayer(Scale, { arguments: ['factor'] });
 * const model = new Sequential([new Scale(3, { inputShape: [1] })]);
 * modelFromBytes(model.toBytes()).predict([[2]]); // [[6]]
 */
export function registerLayer(Class: LayerClass, options: RegisterLayerOptions = {}): void {
  const { name = Class.name, arguments: positional = [] } = options;
  addLayerClass({ name, Class, positional });
}

/** As `registerLayer`, for whatever way of making. @throws ValueError when another class has the name */
export function addLayerClass(entry: LayerEntry): void {
  const other = byName.get(entry.name);
  if (entry.name === '' || (other !== undefined && other.Class !== entry.Class)) {
    throw new ValueError(
      `registerLayer: ${entry.name === '' ? 'the class has no name' : `there is another class '${entry.name}'`}; give ` +
        `one in the options: registerLayer(Class, { name: … }).`,
    );
  }
  byName.set(entry.name, entry);
  byClass.set(entry.Class, entry);
}

/** The name that a class was registered by, which bundlers do not shorten; else its own. */
export function classNameOf(Class: { readonly name: string }): string {
  return byClass.get(Class)?.name ?? Class.name;
}

/**
 * The names of a class's own options; undefined where they are not known, for users' classes, those that extend one of
 * the library's included.
 */
export function optionNamesOf(Class: object): readonly string[] | undefined {
  return byClass.get(Class)?.options;
}

/** @throws ValueError for a layer whose class is not registered */
export function entryOf(layer: Layer): LayerEntry {
  const entry = byClass.get(layer.constructor);
  if (entry !== undefined) return entry;
  const { name } = layer.constructor;
  throw new ValueError(
    `${layer.name}: cannot be saved, as its class '${name}' is not known; call registerLayer(${name}) first, here and where ` +
      `it is loaded. (saveWeights needs no such thing.)`,
  );
}

/** @throws FormatError for a class that is not registered, listing those that are */
export function entryNamed(file: string, name: unknown): LayerEntry {
  const entry = typeof name === 'string' ? byName.get(name) : undefined;
  if (entry !== undefined) return entry;
  throw new FormatError(
    `${file}: unknown layer class ${JSON.stringify(name)}; known are ${formatChoices([...byName.keys()])}. Classes of your ` +
      `own must be registered before: registerLayer(${typeof name === 'string' ? name : 'Class'}).`,
  );
}
