/**
 * Activation functions, element by element but for softmax and logSoftmax.
 */
import type { Variable } from '@tapegrad/autograd';
import { lookup } from './registry.js';

/** Any function from a Variable to one of the same shape. */
export type Activation = (x: Variable) => Variable;

/**
 * Which values a probability was computed from. A cross-entropy of probabilities that come straight from softmax or
 * sigmoid is computed from these logits instead: one op, and no logarithm of a rounded 0.
 *
 * This is kept beside the graph and not in it: under `noGrad` there is no graph, and softmax's gradient does not need its
 * input. The table is weak: an entry lives as long as the probabilities do, and nothing has to be taken out.
 */
const softmaxLogits = new WeakMap<Variable, Variable>();
const sigmoidLogits = new WeakMap<Variable, Variable>();

/**
 * What `softmax` over the last axis (or `sigmoid`) made these probabilities of; undefined when they come from elsewhere.
 * @example activations.logitsOf(activations.softmax(variable([0, 1])), 'softmax'); // [0, 1]
 */
export function logitsOf(
  probabilities: Variable,
  activation: 'softmax' | 'sigmoid',
): Variable | undefined {
  return (activation === 'softmax' ? softmaxLogits : sigmoidLogits).get(probabilities);
}

/** x itself. @example activations.linear(variable([-1, 2])); // [-1, 2] */
export const linear: Activation = (x) => x;

/** max(x, 0) (Nair & Hinton 2010). @example activations.relu(variable([-1, 2])); // [0, 2] */
export const relu: Activation = (x) => x.relu();

/** min(max(x, 0), 6). @example activations.relu6(variable([-1, 7])); // [0, 6] */
export const relu6: Activation = (x) => x.relu6();

/**
 * x, and alpha·x below 0 (Maas et al. 2013). Default alpha 0.2, as in Keras 3.
 * @example activations.leakyRelu(variable([-1, 2])); // [-0.2, 2]
 */
export function leakyRelu(x: Variable, { alpha = 0.2 }: { alpha?: number } = {}): Variable {
  return x.leakyRelu({ alpha });
}

/**
 * x, and alpha·(eˣ − 1) below 0 (Clevert et al. 2016). Default alpha 1.
 * @example activations.elu(variable([-1, 2])); // [-0.6321, 2]
 */
export function elu(x: Variable, { alpha = 1 }: { alpha?: number } = {}): Variable {
  return x.elu({ alpha });
}

/**
 * elu scaled so that deep networks normalise themselves (Klambauer et al. 2017).
 * @example activations.selu(variable([-1, 2])); // [-1.1113, 2.1014]
 */
export const selu: Activation = (x) => x.selu();

/**
 * x·Φ(x) with Φ the normal distribution function (Hendrycks & Gimpel 2016); `approximate` takes their formula with tanh.
 * @example activations.gelu(variable([-1, 2])); // [-0.1587, 1.9545]
 */
export function gelu(
  x: Variable,
  { approximate = false }: { approximate?: boolean } = {},
): Variable {
  return x.gelu({ approximate });
}

/**
 * x·σ(x), also known as swish (Ramachandran et al. 2017).
 * @example activations.silu(variable([-1, 2])); // [-0.2689, 1.7616]
 */
export const silu: Activation = (x) => x.silu();

/** x·tanh(softplus(x)) (Misra 2019). @example activations.mish(variable([-1, 2])); // [-0.3034, 1.944] */
export const mish: Activation = (x) => x.mish();

/** ln(1 + eˣ). @example activations.softplus(variable([0, 100])); // [0.6931, 100] */
export const softplus: Activation = (x) => x.softplus();

/** x / (1 + |x|). @example activations.softsign(variable([-1, 3])); // [-0.5, 0.75] */
export const softsign: Activation = (x) => x.softsign();

/** σ(x) = 1 / (1 + e⁻ˣ). @example activations.sigmoid(variable([0, 2])); // [0.5, 0.8808] */
export const sigmoid: Activation = (x) => {
  const y = x.sigmoid();
  sigmoidLogits.set(y, x);
  return y;
};

/**
 * min(max(x + 3, 0), 6) / 6, as in Keras 3.
 * @example activations.hardSigmoid(variable([-3, 0, 1])); // [0, 0.5, 0.6667]
 */
export const hardSigmoid: Activation = (x) => x.hardSigmoid();

/** tanh x. @example activations.tanh(variable([0, 1])); // [0, 0.7616] */
export const tanh: Activation = (x) => x.tanh();

/**
 * eˣ / Σ eˣ over an axis, by default the last: probabilities that add up to 1.
 * @example activations.softmax(variable([0, 1])); // [0.2689, 0.7311]
 */
export function softmax(x: Variable, { axis = -1 }: { axis?: number } = {}): Variable {
  const y = x.softmax({ axis });
  if (axis === -1 || axis === x.rank - 1) softmaxLogits.set(y, x);
  return y;
}

/**
 * ln softmax(x) over an axis, by default the last.
 * @example activations.logSoftmax(variable([0, 1])); // [-1.3133, -0.3133]
 */
export function logSoftmax(x: Variable, { axis = -1 }: { axis?: number } = {}): Variable {
  return x.logSoftmax({ axis });
}

/** eˣ. @example activations.exponential(variable([0, 1])); // [1, 2.7183] */
export const exponential: Activation = (x) => x.exp();

const TABLE = {
  linear,
  relu,
  relu6,
  leakyRelu: (x: Variable): Variable => leakyRelu(x),
  elu: (x: Variable): Variable => elu(x),
  selu,
  gelu: (x: Variable): Variable => gelu(x),
  silu,
  swish: silu,
  mish,
  softplus,
  softsign,
  sigmoid,
  hardSigmoid,
  tanh,
  softmax: (x: Variable): Variable => softmax(x),
  logSoftmax: (x: Variable): Variable => logSoftmax(x),
  exponential,
} satisfies Record<string, Activation>;

/** The name of any activation. */
export type ActivationName = keyof typeof TABLE;

/** The activations as users can pass them, where the table has a function without options around them. */
const WITH_OPTIONS = { leakyRelu, elu, gelu, softmax, logSoftmax };

/** The name of an activation of this library; undefined for any other thing. */
export function activationName(f: unknown): string | undefined {
  const entries = [...Object.entries<unknown>(TABLE), ...Object.entries<unknown>(WITH_OPTIONS)];
  return entries.find(([, known]) => known === f)?.[0];
}

/** How an activation is given: by name, or as a function. */
export type ActivationId = ActivationName | Activation;

/** All names. */
export const activationNames = Object.keys(TABLE) as ActivationName[];

/**
 * An activation by name or as it is; nothing given is `linear`.
 *
 * @throws UnknownNameError listing the known names
 * @example activations.getActivation('relu')(variable([-1, 2])); // [0, 2]
 */
export function getActivation(id: ActivationId | null | undefined): Activation {
  if (id === undefined || id === null) return linear;
  return typeof id === 'function' ? id : lookup('activation', TABLE, id);
}
