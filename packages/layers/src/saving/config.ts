/**
 * From what layers are made of to plain data, and back. What is read is not trusted: it can name only what is registered.
 */
import {
  FormatError,
  Generator,
  TapegradError,
  ValueError,
  type GeneratorState,
} from '@tapegrad/tensor';
import { activationName } from '../activations.js';
import type { Layer } from '../layer.js';
import { made, recipeOf, registeredFunctions, registeredName } from './recipes.js';
import { factories } from './factories.js';
import { entryNamed, entryOf } from './layer-classes.js';
import { MARK, field, isObject, type Config, type Plain } from './plain.js';

/** Deeper nesting is no model but an attempt to exhaust the stack. */
const MAX_DEPTH = 64;

function isLayer(x: object): x is Layer {
  return 'getConfig' in x && 'ensureBuilt' in x;
}

/**
 * Writes layers down. Every layer and generator is written once, however often it is used: what is shared stays shared.
 */
export class ConfigWriter {
  readonly layers: { readonly class: string; readonly config: Config }[] = [];
  readonly generators: GeneratorState[] = [];
  private readonly layerIds = new Map<Layer, number>();
  private readonly generatorIds = new Map<Generator, number>();
  private readonly inline: boolean;

  /** @param options.inline writes layers and generators where they stand, for a config by itself. Default false */
  constructor({ inline = false }: { inline?: boolean } = {}) {
    this.inline = inline;
  }

  /** A layer, as a reference to its entry. @throws ValueError for what cannot be written down, saying what to do */
  layer(layer: Layer): Plain {
    let index = this.layerIds.get(layer);
    if (index === undefined) {
      const written = { class: entryOf(layer).name, config: layer.getConfig(this) };
      if (this.inline) return { [MARK]: 'layer', ...written };
      // After what it is made of: a reader meets no reference to something that is yet to come.
      index = this.layers.push(written) - 1;
      this.layerIds.set(layer, index);
    }
    return { [MARK]: 'layer', index };
  }

  /** The options and the arguments of a layer's constructor. */
  config(layer: Layer, options: object): Config {
    const fields = entryOf(layer).positional.map((key) => {
      if (!(key in layer)) {
        throw new ValueError(
          `${layer.name}: registerLayer names the argument '${key}', but the layer has no field of that name.`,
        );
      }
      const value: unknown = Reflect.get(layer, key);
      return [key, value] as const;
    });
    const { name, trainable, dtype } = layer;
    const all: object = { ...Object.fromEntries(fields), ...options, name, trainable, dtype };
    return this.object(all, name);
  }

  /** Any value. `where` names it in messages. */
  value(x: unknown, where: string): Plain {
    if (x === null || typeof x === 'boolean' || typeof x === 'string') return x;
    if (typeof x === 'number') {
      const plain = Number.isFinite(x) && !Object.is(x, -0);
      return plain ? x : { [MARK]: 'number', text: Object.is(x, -0) ? '-0' : String(x) };
    }
    if (Array.isArray(x)) return x.map((item, i) => this.value(item, `${where}[${i}]`));
    if (typeof x === 'function' || (typeof x === 'object' && x !== undefined)) {
      return this.thing(x, where);
    }
    throw new ValueError(`${where}: a ${typeof x} cannot be saved.`);
  }

  private thing(x: object, where: string): Plain {
    const activation = activationName(x);
    if (activation !== undefined) return activation;
    const recipe = recipeOf(x);
    if (recipe !== undefined && factories().has(recipe.name)) {
      const args = recipe.args.map((arg, i) => this.value(arg ?? null, `${where}, argument ${i}`));
      return { [MARK]: 'made', by: recipe.name, args };
    }
    // A loss around a function is as good as the function.
    const f = 'perSample' in x && typeof x.perSample === 'function' ? x.perSample : x;
    const name = registeredName(f);
    if (name !== undefined) return { [MARK]: 'function', name };
    if (x instanceof Generator) return this.generator(x);
    if (typeof x === 'object' && isLayer(x)) return this.layer(x);
    const prototype: unknown = Object.getPrototypeOf(x);
    if (f === x && prototype === Object.prototype) return this.object(x, where);
    throw new ValueError(
      typeof f === 'function'
        ? `${where}: is a function that a file cannot hold; give it a name with registerFunction('…', f), here and where the ` +
            `model is loaded, or use one of the library's by name.`
        : `${where}: a ${x.constructor.name} cannot be saved.`,
    );
  }

  private object(x: object, where: string): Config {
    const entries = Object.entries(x).filter(([, v]) => v !== undefined);
    if (entries.some(([key]) => key === MARK)) {
      throw new ValueError(`${where}: an object with the key '${MARK}' cannot be saved.`);
    }
    return Object.fromEntries(
      entries.map(([k, v]) => [k, this.value(v, `${where}: option '${k}'`)]),
    );
  }

  private generator(generator: Generator): Plain {
    const state = generator.getState();
    if (this.inline) return { [MARK]: 'generator', state: this.object({ ...state }, 'generator') };
    let index = this.generatorIds.get(generator);
    if (index === undefined) {
      index = this.generators.push(state) - 1;
      this.generatorIds.set(generator, index);
    }
    return { [MARK]: 'generator', index };
  }
}

/** Makes layers again from what a `ConfigWriter` has written. All errors are FormatErrors that begin with the file's name. */
export class ConfigReader {
  private readonly layers: Layer[] = [];
  private readonly generators: Generator[];

  constructor(
    readonly file: string,
    layers: unknown,
    generators: unknown,
  ) {
    if (!Array.isArray(layers) || !Array.isArray(generators)) {
      throw this.bad('the lists of layers and generators are missing');
    }
    this.generators = generators.map((state: unknown) => this.generator(state));
    for (const entry of layers as readonly unknown[]) this.layers.push(this.make(entry));
  }

  private generator(state: unknown): Generator {
    const generator = new Generator(0);
    generator.setState(this.generatorState(state));
    return generator;
  }

  bad(what: string): FormatError {
    return new FormatError(`${this.file}: ${what}; the description of the model is damaged.`);
  }

  private make(entry: unknown): Layer {
    const { name, Class, positional, make } = entryNamed(this.file, field(entry, 'class'));
    const config = field(entry, 'config');
    if (!isObject(config)) throw this.bad(`a layer '${name}' has no config`);
    const title = field(config, 'name');
    if (typeof title !== 'string') throw this.bad(`a layer '${name}' has no name`);
    try {
      if (make !== undefined) return make(config as Config, this);
      const options = new Map(Object.entries(config).map(([k, v]) => [k, this.value(v, 0)]));
      const args = positional.map((key) => {
        const arg = options.get(key);
        options.delete(key);
        return arg;
      });
      const layer: unknown = Reflect.construct(Class, [...args, Object.fromEntries(options)]);
      return layer as Layer;
    } catch (error) {
      if (error instanceof FormatError) throw error;
      const reason = error instanceof Error ? error.message : String(error);
      const named = error instanceof TapegradError && reason.startsWith(title);
      throw new FormatError(
        `${this.file}: the layer ${named ? reason : `${title} cannot be made: ${reason}`}`,
      );
    }
  }

  /** The layer that a reference means. @throws FormatError for a reference to what is not there (yet) */
  layer(reference: unknown): Layer {
    if (field(reference, 'class') !== undefined) return this.make(reference);
    const index = field(reference, MARK) === 'layer' ? field(reference, 'index') : undefined;
    if (typeof index !== 'number' || !Number.isInteger(index) || !(index in this.layers)) {
      throw this.bad(`${JSON.stringify(reference)} refers to no layer before it`);
    }
    return this.layers[index];
  }

  /** Any value. */
  value(x: unknown, depth = 0): unknown {
    if (depth > MAX_DEPTH) throw this.bad('it is nested too deeply');
    if (Array.isArray(x)) return x.map((item) => this.value(item, depth + 1));
    if (!isObject(x)) return x;
    if (!Object.hasOwn(x, MARK)) {
      return Object.fromEntries(Object.entries(x).map(([k, v]) => [k, this.value(v, depth + 1)]));
    }
    switch (x[MARK]) {
      case 'layer':
        return this.layer(x);
      case 'number':
        return Number(x['text']);
      case 'function':
        return this.known('function', registeredFunctions(), x['name']);
      case 'generator': {
        if (Object.hasOwn(x, 'state')) return this.generator(x['state']);
        const index = Number(field(x, 'index'));
        if (!(index in this.generators)) throw this.bad('a generator is missing');
        return this.generators[index];
      }
      case 'made': {
        const args = this.value(x['args'], depth + 1);
        const by = x['by'];
        const factory = this.known('function', factories(), by);
        if (!Array.isArray(args) || typeof by !== 'string') throw this.bad('arguments are missing');
        const given = args.map((arg: unknown) => arg ?? undefined);
        return made(by, given, factory(...given));
      }
      default:
        throw this.bad(`a value is of the unknown kind ${JSON.stringify(x[MARK])}`);
    }
  }

  private known<T>(kind: string, table: ReadonlyMap<string, T>, name: unknown): T {
    const found = typeof name === 'string' ? table.get(name) : undefined;
    if (found !== undefined) return found;
    const own = [...registeredFunctions().keys()].map((n) => `'${n}'`).join(', ') || 'none';
    throw new FormatError(
      `${this.file}: unknown ${kind} ${JSON.stringify(name)}; registered are: ${own}. Functions of your own must be ` +
        `registered before: registerFunction(${JSON.stringify(name)}, f).`,
    );
  }

  /** The state of a generator, checked: a text and four numbers each. */
  generatorState(x: unknown, depth = 0): GeneratorState {
    const [seed, draws, streams] = [field(x, 'seed'), field(x, 'draws'), field(x, 'streams')];
    const numbers = ['c', 's0', 's1', 's2'].map((name) => field(draws, name));
    const fine = numbers.every((n) => typeof n === 'number' && Number.isFinite(n));
    if (typeof seed !== 'string' || !fine || !isObject(streams) || depth > MAX_DEPTH) {
      throw this.bad('the state of a random generator is not understood');
    }
    const [c, s0, s1, s2] = numbers.map(Number);
    const children = Object.entries(streams).map(
      ([name, child]) => [name, this.generatorState(child, depth + 1)] as const,
    );
    return { seed, draws: { c, s0, s1, s2 }, streams: Object.fromEntries(children) };
  }
}
