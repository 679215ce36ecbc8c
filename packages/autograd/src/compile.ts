/**
 * Steps of one's own as programs.
 */
import {
  CompiledStep,
  ValueError,
  typesKey,
  shown,
  type ProfileRow,
  type Tensor,
} from '@tapegrad/tensor';
import { withOwnGrads } from './backward.js';
import { isDifferentiated } from './transforms.js';
import { Variable, toVariable, type VariableLike } from './variable.js';

/** What a step may return: a value, a list of them, or an object. */
export type StepResult = Variable | readonly Variable[] | Readonly<Record<string, Variable>>;

/** A compiled step is called as the step itself. */
export interface CompiledFunction<R extends StepResult> {
  (...inputs: readonly VariableLike[]): R;
  /** The list of kernel calls for inputs like these. */
  print(...inputs: readonly VariableLike[]): string;
  /** Runs the step once; how long each of its kernel calls took. Empty where the TypeScript kernels are in use. */
  profile(...inputs: readonly VariableLike[]): ProfileRow[];
}

/**
 * Makes a program of a step, such as a step of training: the first call with inputs of some shapes records which ops it
 * takes; this call and the later ones run them as a list of kernel calls on memory that is laid out beforehand, without a
 * graph. Weights and states that the step captures are used and changed where they are. The results have no history; inside a
 * function that is differentiated (`grad`, `vjp`, …) the step is run op by op, so that gradients pass through it.
 *
 * The step may use ops alone: reading a value (`item`, `toArray`) inside of it is an error, `if` is decided once, when it is
 * recorded, and captured numbers stay what they were then (so does `Math.random()`: draw from a Generator), as do the typed arrays
 * that captured tensors were made from. Tensors that it makes of numbers alone, such as `zeros([2])`, are made once: one that it
 * changes in place keeps what the last run has left in it. What `backward` leaves in `grad` is there for the step alone;
 * `gradients` gives them directly. Inputs may change their shapes: then another program is recorded.
 *
 * @param step from Variables to a Variable, a list of them, or an object of them
 * @throws ValueError for what is no function
 * @throws RecordingError (when it is called) if the step reads a value, or changes an input in place
 * @throws ValueError (when it is called) if the step returns anything else
 * @example
 * const w = variable([1, 2]);
 * const step = compile((x) => x.mul(w).sum());
 * step([3, 4]).item(); // 11
 */
export function compile<R extends StepResult>(
  step: (...inputs: Variable[]) => R,
): CompiledFunction<R> {
  if (typeof step !== 'function') {
    throw new ValueError(
      `compile: makes a program of a function of Variables, as in compile((x) => x.mul(2)); got ${shown(step)}.`,
    );
  }
  /**
   * How to put the results together again, by the types of the inputs: a step may give a list for some shapes and a single value
   * for others. Known once the step has been recorded or run.
   */
  const forms = new Map<string, (outputs: readonly Variable[]) => StepResult>();
  const compiled = new CompiledStep((inputs) => {
    const result = withOwnGrads(() => step(...inputs.map((x) => new Variable(x))));
    const { values, assemble } = partsOf(result);
    forms.set(typesKey(inputs), assemble);
    return values.map((x) => x.value);
  });
  const tensors = (inputs: readonly VariableLike[]): Tensor[] =>
    inputs.map((x) => toVariable(x).value);
  const call = (...inputs: readonly VariableLike[]): R => {
    if (isDifferentiated()) return withOwnGrads(() => step(...inputs.map((x) => toVariable(x))));
    const values = tensors(inputs);
    const outputs = compiled.run(values).map((x) => new Variable(x));
    const assemble = forms.get(typesKey(values));
    if (assemble === undefined) throw new ValueError('compile: the step has not been run.');
    // The parts are put together as the step itself has given them.
    return assemble(outputs) as R;
  };
  return Object.assign(call, {
    print: (...inputs: readonly VariableLike[]) =>
      String(
        compiled.program(tensors(inputs)) ?? 'program: none; the TypeScript kernels are in use',
      ),
    profile: (...inputs: readonly VariableLike[]) =>
      compiled.program(tensors(inputs))?.profile(tensors(inputs)) ?? [],
  });
}

/** @throws ValueError for what is no Variable */
function partsOf(result: StepResult): {
  values: readonly Variable[];
  assemble: (outputs: readonly Variable[]) => StepResult;
} {
  if (result instanceof Variable) return { values: [result], assemble: ([output]) => output };
  const values: readonly unknown[] =
    typeof result === 'object' && result !== null ? Object.values(result) : [result];
  // A promise has no values of its own, and would pass for an empty object.
  if (result instanceof Promise) {
    throw new ValueError(
      'compile: a step cannot be async; get what it needs before, and give it as an input.',
    );
  }
  for (const value of values) {
    if (value instanceof Variable) continue;
    throw new ValueError(
      `compile: a step returns a Variable, a list of them, or an object of them; got ` +
        `${shown(value)} ${values.length > 1 ? 'among its results' : 'instead'}.` +
        (value === undefined ? ' Is there a return missing?' : ''),
    );
  }
  if (Array.isArray(result)) return { values: result, assemble: (outputs) => [...outputs] };
  const names = Object.keys(result);
  return {
    values: Object.values(result),
    assemble: (outputs) => Object.fromEntries(outputs.map((output, i) => [names[i], output])),
  };
}
