/**
 * How things that are no plain data came to be. A saved model holds `initializers.constant(3)` as the name of the function and
 * its arguments; what has no such recipe and no registered name cannot be saved.
 */
import { ValueError } from '@tapegrad/tensor';

/** The name of a function that makes something, as in `initializers.constant`, and what it was called with. */
export interface Recipe {
  readonly name: string;
  readonly args: readonly unknown[];
}

/** Beside the things and weak: a thing without options stays the plain function or object that it is. */
const recipes = new WeakMap<object, Recipe>();

/** Notes how something was made, and returns it. */
export function made<T extends object>(name: string, args: readonly unknown[], thing: T): T {
  recipes.set(thing, { name, args });
  return thing;
}

/** How it was made; undefined for what users wrote themselves. */
export function recipeOf(thing: object): Recipe | undefined {
  return recipes.get(thing);
}

const functions = new Map<string, object>();
const names = new WeakMap<object, string>();

/**
 * Gives a function of your own (an activation, initializer, regularizer, constraint, loss, metric or schedule) a name, so that
 * models that use it can be saved, and loaded wherever the same name has been registered.
 *
 * @returns the function
 * @throws ValueError when another function has the name
 * @example
 * const double = registerFunction('double', (x) => x.mul(2));
 * const model = new Sequential([new Dense(1, { activation: double, inputShape: [1] })]);
 * modelFromBytes(model.toBytes()).countParams(); // 2
 */
export function registerFunction<F extends (...args: never[]) => unknown>(name: string, f: F): F {
  if (typeof name !== 'string' || name === '' || typeof f !== 'function') {
    throw new ValueError(`registerFunction: needs a name and a function; got ${typeof f}.`);
  }
  const other = functions.get(name);
  if (other !== undefined && other !== f) {
    throw new ValueError(
      `registerFunction: there is another function '${name}'; choose a new name.`,
    );
  }
  functions.set(name, f);
  names.set(f, name);
  return f;
}

/** The registered name of a function; undefined when it has none. */
export function registeredName(f: object): string | undefined {
  return names.get(f);
}

/** All functions that users have registered, by name. */
export function registeredFunctions(): ReadonlyMap<string, object> {
  return functions;
}
