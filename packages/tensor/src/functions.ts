/**
 * What users call, derived from the op records: `ops.add(a, b)` and `a.add(b)`. No name of an op is written down here.
 */
import { isFloat, promote, type DType } from './dtype.js';
import { ShapeError, ValueError, shown } from './errors.js';
import { scalar, tensor, type TensorLike } from './create.js';
import type { InputNames, KernelOp, ListOp, OpSpec, ViewOp } from './op.js';
import { opNames, specs, type OpName, type Specs } from './ops/index.js';
import { run } from './run.js';
import { Tensor } from './tensor.js';

/** The arguments for an op's inputs, of type V each. */
type InputArgs<Names extends InputNames, V> = Names extends 'list'
  ? [inputs: readonly V[]]
  : Names extends readonly []
    ? []
    : Names extends readonly [string]
      ? [x: V]
      : Names extends readonly [string, string]
        ? [a: V, b: V]
        : { [I in keyof Names]: V } & readonly V[];

/** The arguments for an op's attributes: an object, or the leading attribute and then an object with the others. */
type AttrArgs<A extends object, Lead extends string> = keyof A extends never
  ? []
  : (Partial<A> extends A ? [attrs?: A] : [attrs: A]) | LeadArgs<A, Lead>;
type LeadArgs<A extends object, Lead extends string> = Lead extends keyof A
  ? keyof Omit<A, Lead> extends never
    ? [lead: A[Lead]]
    : [lead: A[Lead], others?: Omit<A, Lead>]
  : never;

/** The function of an op record that takes values of type V and returns R; as a method it takes one input less. */
export type OpFunction<S, V, R> =
  S extends KernelOp<infer N, infer A, infer L>
    ? (...args: [...InputArgs<N, V>, ...AttrArgs<A, L>]) => R
    : S extends ViewOp<infer N, infer A, infer L>
      ? (...args: [...InputArgs<N, V>, ...AttrArgs<A, L>]) => R
      : S extends ListOp<infer N, infer A, infer L>
        ? (...args: [...InputArgs<N, V>, ...AttrArgs<A, L>]) => R[]
        : never;

/** A record without its first input. */
type AsMethod<S> = S extends { inputs: readonly [string, ...infer Rest] }
  ? Omit<S, 'inputs'> & { inputs: Rest }
  : never;

/** The functions of all ops but the updates in place. */
export type OpFunctions<V, R> = {
  readonly [K in OpName as Specs[K] extends { kind: 'update' } ? never : K]: OpFunction<
    Specs[K],
    V,
    R
  >;
};

/** The ops as methods of their first input. */
export type OpMethods<V, R> = {
  readonly [
    K in OpName as Specs[K] extends { kind: 'update' } | { inputs: 'list' | readonly [] }
      ? never
      : K
  ]: OpFunction<AsMethod<Specs[K]>, V, R>;
};

/** Parts the arguments of an op's function into its inputs and its attributes. */
export function splitArguments(
  spec: OpSpec,
  args: readonly unknown[],
): { inputs: readonly unknown[]; attrs: object } {
  const count = spec.inputs === 'list' ? 1 : spec.inputs.length;
  const inputs = spec.inputs === 'list' ? args[0] : args.slice(0, count);
  if (!Array.isArray(inputs) || (spec.inputs !== 'list' && inputs.length < count)) {
    const wanted =
      spec.inputs === 'list' ? 'a list of tensors' : `${count} tensor${count === 1 ? '' : 's'}`;
    throw new ShapeError(
      `${spec.name}: takes ${wanted} first; got ${args.length} argument${args.length === 1 ? '' : 's'}.`,
    );
  }
  return {
    inputs,
    attrs: args.length === count ? NO_ATTRS : attributesOf(spec, args, count),
  };
}

const NO_ATTRS = {};

/** Attributes from what follows the tensors, the first `count` arguments: an object, or the leading one and then an object with the others. */
function attributesOf(spec: OpSpec, args: readonly unknown[], count: number): object {
  const first = args[count];
  const second = args[count + 1];
  const leads = !isPlainObject(first);
  const named = leads ? second : first;
  const fits =
    (!leads || first === undefined || spec.lead !== undefined) &&
    (named === undefined || isPlainObject(named)) &&
    args.length <= count + (leads ? 2 : 1);
  if (!fits) {
    const got = args
      .slice(count)
      .map((x) => shown(x))
      .join(' and ');
    throw new ValueError(`${spec.name}: ${signatureOf(spec)}; got ${got} after the tensors.`);
  }
  for (const name in named) {
    if (spec.attributes?.includes(name) === true) continue;
    if (name !== spec.lead) {
      throw new ValueError(
        `${spec.name}: there is no attribute '${name}'; ${spec.name} ${signatureOf(spec)}.`,
      );
    }
    if (leads && first !== undefined) {
      throw new ValueError(`${spec.name}: '${name}' is given twice, by itself and in the object.`);
    }
  }
  if (!leads || first === undefined) return named ?? NO_ATTRS;
  const lead = spec.lead ?? '';
  return named === undefined ? { [lead]: first } : { ...named, [lead]: first };
}

/** An object made of attributes: no array, no tensor, nothing of a class. */
function isPlainObject(x: unknown): x is object {
  if (typeof x !== 'object' || x === null) return false;
  // Nothing is above what an object literal inherits from, wherever it was made: in another frame or context too.
  const prototype: unknown = Object.getPrototypeOf(x);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** What an op takes, in words: `takes x, then axis or attributes, as in { axis: …, keepDims: … }`. */
function signatureOf({ inputs, lead, attributes = [] }: OpSpec): string {
  const tensors = inputs === 'list' ? 'a list of tensors' : inputs.join(', ');
  const names = lead === undefined ? attributes : [lead, ...attributes];
  if (names.length === 0) return `takes ${tensors} and nothing else`;
  const object = `{ ${names.map((name) => `${name}: …`).join(', ')} }`;
  return `takes ${tensors === '' ? '' : `${tensors}, then `}${lead === undefined ? '' : `${lead} or `}attributes, as in ${object}`;
}

/**
 * The dtype of the tensors among an op's inputs, which plain numbers and arrays beside them take on; undefined when there
 * is none. Inputs called `indices` or `condition` have a dtype of their own and do not count.
 *
 * @param dtypes of the inputs in their order, undefined for those that are no tensors
 */
export function dtypeOfTensors(
  spec: OpSpec,
  dtypes: readonly (DType | undefined)[],
): DType | undefined {
  let result: DType | undefined;
  for (let i = 0; i < dtypes.length; i++) {
    const dtype = dtypes[i];
    if (dtype === undefined || OWN_DTYPE.has(spec.inputs === 'list' ? '' : spec.inputs[i]))
      continue;
    result = result === undefined ? dtype : promote(result, dtype);
  }
  return result;
}

const OWN_DTYPE: ReadonlySet<string> = new Set(['indices', 'condition']);

/**
 * The dtype for a plain number or array beside tensors of the dtype `like`: it takes on theirs, so that `x.mul(2)` stays
 * what x is. Inputs called `indices` are whole numbers, and a `condition` is bool.
 */
export function dtypeForPlain(
  spec: OpSpec,
  index: number,
  value: unknown,
  like: DType | undefined,
): DType | undefined {
  const name = spec.inputs === 'list' ? '' : spec.inputs[index];
  if (name === 'indices') return 'int32';
  if (name === 'condition') return 'bool';
  if (like === undefined || typeof value === 'boolean') return undefined;
  if (isFloat(like)) return like;
  return typeof value === 'number' && Number.isInteger(value) ? 'int32' : undefined;
}

/** Anything tensor-like as a tensor. */
export function toTensor(value: TensorLike, dtype?: DType): Tensor {
  if (value instanceof Tensor) return value;
  return typeof value === 'number' ? scalar(value, dtype) : tensor(value, { dtype });
}

function toTensors(spec: OpSpec, inputs: readonly TensorLike[]): Tensor[] {
  if (inputs.every((x) => x instanceof Tensor)) return [...inputs];
  const like = dtypeOfTensors(
    spec,
    inputs.map((x) => (x instanceof Tensor ? x.dtype : undefined)),
  );
  return inputs.map((x, i) =>
    x instanceof Tensor ? x : toTensor(x, dtypeForPlain(spec, i, x, like)),
  );
}

/** A function of any arguments, before its type is known. */
export type AnyFunction = (...args: never[]) => unknown;

/** A function for every op but the updates in place, by name; how autograd lifts the same table to Variables. */
export function deriveFunctions(
  make: (name: OpName, spec: OpSpec) => AnyFunction,
): Record<string, AnyFunction> {
  const names = opNames.filter((name) => specs[name].kind !== 'update');
  return Object.fromEntries(names.map((name) => [name, make(name, specs[name])]));
}

/** Makes every op with at least one named input a method of a class. */
export function installMethods(
  prototype: object,
  functions: Readonly<Record<string, AnyFunction>>,
): void {
  for (const name of opNames) {
    const spec = specs[name];
    if (spec.kind === 'update' || spec.inputs === 'list' || spec.inputs.length === 0) continue;
    const f = functions[name];
    const method = function (this: never, ...rest: never[]): unknown {
      return f(this, ...rest);
    };
    Object.defineProperty(prototype, name, { value: method, writable: true, configurable: true });
  }
}

function runFunction(spec: OpSpec): (...args: unknown[]) => Tensor | Tensor[] {
  return (...args) => {
    const { inputs, attrs } = splitArguments(spec, args);
    const tensors = toTensors(spec, inputs as TensorLike[]);
    return spec.kind === 'list' ? run(spec, tensors, attrs) : run(spec as KernelOp, tensors, attrs);
  };
}

/**
 * Every op as a function of tensors (or numbers, arrays, ndarrays). Attributes come last, as an object; the leading one
 * may be given directly.
 *
 * @example
 * ops.add([1, 2], 10); // [11, 12]
 * ops.sum([[1, 2], [3, 4]], { axis: 0, keepDims: true }); // [[4, 6]]
 * ops.sum([[1, 2], [3, 4]], 0); // [4, 6]
 */
export const ops = deriveFunctions((_name, spec) => runFunction(spec)) as OpFunctions<
  TensorLike,
  Tensor
>;

declare module './tensor.js' {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the methods of all ops, merged into the class
  interface Tensor extends OpMethods<TensorLike, Tensor> {}
}

installMethods(Tensor.prototype, ops);
