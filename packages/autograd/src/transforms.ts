/**
 * Functions that turn a function into its derivatives.
 */
import { ShapeError, eye, formatShape, shown } from '@tapegrad/tensor';
import { gradients, nodesBelow, type BackwardOptions } from './backward.js';
import { GradientError } from './errors.js';
import { GraphNode } from './node.js';
import { edgeTo, ops } from './ops.js';
import { Variable, isRecording, toVariable, withRecording, type VariableLike } from './variable.js';
import { zeroOf } from './vjp-helpers.js';

type Differentiable = (...inputs: Variable[]) => Variable;

/** A function that ran on inputs of its own. */
interface Traced {
  readonly inputs: readonly Variable[];
  readonly value: Variable;
  /** Whether the value, and so the gradients, depend on Variables from outside: then they too must be differentiable. */
  readonly nested: boolean;
}

/**
 * Runs f on fresh inputs: leaves for constants, and for Variables that are themselves part of a graph a new node above
 * them, so that the derivative is with respect to this argument alone and can be differentiated further.
 */
function trace(f: Differentiable, args: readonly VariableLike[]): Traced {
  const outer = isRecording();
  const inputs = args.map((arg) => {
    const x = toVariable(arg);
    return outer && x.requiresGrad ? ops.identity(x) : leaf(x);
  });
  const value = run(f, inputs);
  return { inputs, value, nested: outer && reachesOutside(value, inputs) };
}

/**
 * Runs f to be differentiated by Variables that it knows of by itself. They cannot be replaced by fresh ones, so whoever
 * differentiates from outside may mean the same ones: inside another trace the derivatives must be differentiable too.
 */
function observe(
  f: Differentiable,
  args: readonly VariableLike[],
  inputs: readonly Variable[],
): Traced {
  const outer = isRecording();
  const inside = running > 0;
  const value = run(
    f,
    args.map((arg) => toVariable(arg)),
  );
  return { inputs, value, nested: outer && (inside || reachesOutside(value, inputs)) };
}

/** Throws at once for what could only fail when it is called. */
function checkFunction(f: unknown): void {
  if (typeof f === 'function') return;
  throw new GradientError(
    `a function of Variables is differentiated, as in grad((x) => x.square().sum()); got ${shown(f)}.`,
  );
}

/** How many functions are being run to be differentiated, one inside the other. */
let running = 0;

/** Whether what is computed now is part of a function that is to be differentiated. */
export function isDifferentiated(): boolean {
  return running > 0 && isRecording();
}

function run(f: Differentiable, inputs: readonly Variable[]): Variable {
  running++;
  try {
    const value: unknown = withRecording(true, () => f(...inputs));
    if (value instanceof Variable) return value;
    throw new GradientError(
      `the function to be differentiated must return a Variable; got ${shown(value)}.` +
        (value === undefined ? ' Is there a return missing?' : ''),
    );
  } finally {
    running--;
  }
}

/** Whether a value depends on more than constants and its inputs: on what lies below these, or on what f closes over. */
function reachesOutside(value: Variable, inputs: readonly Variable[]): boolean {
  if (inputs.some((x) => x.node !== null)) return true;
  const own = new Set<object>(inputs);
  const isOutside = (x: Variable): boolean => x.requiresGrad && x.node === null && !own.has(x);
  return (
    isOutside(value) ||
    nodesBelow([value]).some(({ edges }) =>
      edges.some((edge) => edge?.target instanceof Variable && isOutside(edge.target)),
    )
  );
}

/** A new leaf of the same value; float values only can carry a gradient. */
function leaf(x: Variable): Variable {
  return new Variable(x.value, x.dtype === 'float32' || x.dtype === 'float64');
}

/** The gradients of a value; zeros when it depends on nothing. */
function pull(
  value: Variable,
  inputs: readonly Variable[],
  cotangent: VariableLike | undefined,
  options: BackwardOptions,
): Variable[] {
  return value.requiresGrad
    ? gradients([value], inputs, [cotangent], options)
    : inputs.map((x) => zeroOf(x));
}

function requireScalar(name: string, result: Variable): void {
  if (result.size !== 1) {
    throw new GradientError(
      `${name}: the function must return a scalar; it returned shape ${formatShape(result.shape)}. Reduce it with sum() or ` +
        `mean(), or use vjp or jacobian.`,
    );
  }
}

/**
 * A function that returns f's value and its gradients with respect to all arguments.
 *
 * With `weights` the gradients are with respect to these Variables instead, whether f gets at them through a model or by
 * closing over them, and arguments are data. So a training loop written out is a loss, this, and a step of an optimizer:
 *
 * ```ts
 * const step = valueAndGrad((x, y) => model.apply(x).sub(y).square().mean(), model.weights);
 * const [loss, grads] = step(x, y);
 * optimizer.applyGradients(model.weights.map((weight, i) => [weight, grads[i]]));
 * ```
 *
 * The `grad` of a weight is left as it is. Value and gradients are constants, unless they depend on Variables other than those
 * that are differentiated by, or are themselves inside a function to be differentiated.
 *
 * @throws GradientError unless f returns a scalar; with `weights`, when it depends on no Variable that requires a gradient
 * @example
 * const [value, [dx]] = valueAndGrad((x) => x.square().sum())([1, 2]);
 * value.item(); // 5
 * dx.toArray(); // [2, 4]
 * const w = variable([1, 2]);
 * const [loss, [dw]] = valueAndGrad((x) => x.mul(w).sum().square(), [w])([3, 4]);
 * loss.item(); // 121
 * dw.toArray(); // [66, 88]
 */
export function valueAndGrad(
  f: Differentiable,
  weights?: readonly Variable[],
): (...inputs: VariableLike[]) => [Variable, Variable[]] {
  checkFunction(f);
  return (...args) => {
    const { inputs, value, nested } = weights ? observe(f, args, weights) : trace(f, args);
    requireScalar('valueAndGrad', value);
    if (weights && !value.requiresGrad) {
      throw new GradientError(
        'valueAndGrad: the value depends on no Variable that requires a gradient, so on none of the weights. Compute it from the ' +
          'Variables themselves, not from their `value`, and not in noGrad.',
      );
    }
    return [
      nested ? value : value.detach(),
      pull(value, inputs, undefined, { createGraph: nested }),
    ];
  };
}

/**
 * A function that returns the gradient of f with respect to its first argument. Applied again it gives higher derivatives.
 *
 * @throws GradientError unless f returns a scalar
 * @example
 * const cube = (x: Variable) => x.pow(3);
 * grad(cube)(2).item(); // 12
 * grad(grad(cube))(2).item(); // 12
 */
export function grad(f: Differentiable): (...inputs: VariableLike[]) => Variable {
  const both = valueAndGrad(f);
  return (...inputs) => both(...inputs)[1][0];
}

/**
 * f's value, and a function that takes a cotangent of it to the cotangents of the inputs. It can be called several times.
 *
 * @example
 * const [y, pullback] = vjp((x) => x.square(), [1, 2]);
 * y.toArray(); // [1, 4]
 * pullback([1, 10])[0].toArray(); // [2, 40]
 */
export function vjp(
  f: Differentiable,
  ...args: VariableLike[]
): [Variable, (cotangent: VariableLike) => Variable[]] {
  checkFunction(f);
  const { inputs, value, nested } = trace(f, args);
  return [
    nested ? value : value.detach(),
    (given) => {
      const cotangent = toVariable(given, value.dtype);
      const createGraph = isRecording() && (nested || cotangent.requiresGrad);
      return pull(value, inputs, cotangent, { retainGraph: true, createGraph });
    },
  ];
}

/**
 * A function that returns all first derivatives of f: shape [...output, ...input], one backward for each output element.
 *
 * @example
 * jacobian((x) => x.square())([1, 2]).toArray(); // [[2, 0], [0, 4]]
 */
export function jacobian(f: Differentiable): (x: VariableLike) => Variable {
  return (x) => {
    const [value, pullback] = vjp(f, x);
    const basis = eye(value.size, value.size, value.dtype);
    const rows = Array.from({ length: value.size }, (_, i) => {
      const cotangent = basis.slice({ begin: [i, 0], size: [1, value.size] }).reshape(value.shape);
      return pullback(cotangent)[0];
    });
    if (rows.length === 0)
      throw new ShapeError(
        `jacobian: the function returned no elements, shape ${formatShape(value.shape)}.`,
      );
    return ops.stack(rows).reshape([...value.shape, ...rows[0].shape]);
  };
}

/**
 * A function that returns all second derivatives of a scalar function: shape [...input, ...input].
 *
 * @throws GradientError unless f returns a scalar
 * @example
 * hessian((x) => x.pow(3).sum())([1, 2]).toArray(); // [[6, 0], [0, 12]]
 */
export function hessian(f: Differentiable): (x: VariableLike) => Variable {
  return jacobian(grad(f));
}

/**
 * A function with a gradient of its own: `forward` computes the value (nothing in it is recorded), `backward` takes the
 * cotangent of the value, the inputs and the value to one cotangent for each input, null for none. Written with
 * differentiable ops it can be differentiated again.
 *
 * @throws GradientError (in backward) when the number of gradients differs from that of the inputs
 * @example
 * const clipGradient = customGradient({
 *   name: 'clipGradient',
 *   forward: (x) => x.identity(),
 *   backward: (g) => [g.clip({ min: -1, max: 1 })],
 * });
 * const x = variable([1, 2]);
 * clipGradient(x).mul(5).sum().backward();
 * x.grad?.toArray(); // [1, 1]
 */
export function customGradient(rule: {
  name: string;
  forward: (...inputs: Variable[]) => Variable;
  backward: (
    g: Variable,
    inputs: readonly Variable[],
    out: Variable,
  ) => readonly (Variable | null)[];
}): (...inputs: VariableLike[]) => Variable {
  return (...args) => {
    const inputs = args.map((x) => toVariable(x));
    const value = withRecording(false, () => rule.forward(...inputs)).value;
    if (!isRecording() || !inputs.some((x) => x.requiresGrad)) return new Variable(value);
    // The rule gives all gradients at once; one walk of backward asks for them one by one, with the same list of cotangents.
    const answers = new WeakMap<readonly Variable[], readonly (Variable | null)[]>();
    const node = new GraphNode(
      rule.name,
      {
        select: (xs, ys) => [...xs, ...ys],
        pull: (self, cotangents, index) => {
          let answer = answers.get(cotangents);
          if (answer === undefined) {
            const saved = self.inputs.map((_, i) => self.savedValue(i));
            answer = rule.backward(cotangents[0], saved, self.savedValue(saved.length));
            answers.set(cotangents, answer);
          }
          if (answer.length !== self.inputs.length) {
            throw new GradientError(
              `customGradient: backward of '${rule.name}' must return ${self.inputs.length} gradients, one for each input; got ` +
                `${answer.length}.`,
            );
          }
          return answer[index];
        },
      },
      {},
      inputs.map((x) => x.value),
      [value],
      inputs.map(edgeTo),
    );
    const out = new Variable(value, true, node);
    node.save(node.rule.select(inputs, [out]));
    return out;
  };
}
