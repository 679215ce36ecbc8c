/** Doing the same with a model that is recorded and with one that runs op by op on the TypeScript kernels. */
import { setBackend, setSeed, type Tensor } from '@tapegrad/tensor';
import { type BaseModel } from '@tapegrad/layers';
import { assertClose, assertNumbersClose } from './close.js';
import { contiguous } from './layouts.js';
import { build } from './naive.js';
import { Numbers } from './numbers.js';

/** Some steps of training in float32, each rounded otherwise. */
export const CLOSE = { relative: 1e-4, absolute: 2e-6 };

const numbers = new Numbers(4);

/** Numbers from −1 to 1. */
export const random = (...shape: number[]): Tensor => contiguous(build(shape, () => 2 * numbers.next() - 1), 'float32'); // prettier-ignore

/** Whole numbers from 0 up to but without a limit. */
export const wholes = (limit: number, ...shape: number[]): Tensor => contiguous(build(shape, () => numbers.integer(0, limit - 1)), 'int32'); // prettier-ignore

/** Notes numbers (also those of an object, or of lists in it) and tensors. */
export type Note = (...what: (Tensor | number | object)[]) => void;

interface Run {
  /** Numbers to compare, in order. */
  readonly told: number[];
  readonly tensors: Tensor[];
}

/** Tells a story twice, and compares all that is noted and the weights at the end. Leaves the kernels of the second telling. */
export async function bothWays<M extends BaseModel>(
  make: (runEagerly: boolean) => M,
  story: (model: M, note: Note) => void | Promise<void>,
): Promise<void> {
  const runs: Run[] = [];
  for (const eagerly of [false, true]) {
    setBackend(eagerly ? 'js' : 'wasm');
    setSeed(11);
    const run: Run = { told: [], tensors: [] };
    const model = make(eagerly);
    await story(model, (...all) => {
      for (const what of all) {
        if (typeof what === 'number') run.told.push(what);
        else if ('storage' in what) run.tensors.push(what.copy());
        else run.told.push(...(Object.values(what).flat() as number[]));
      }
    });
    run.tensors.push(...model.getWeights());
    runs.push(run);
  }
  const [compiled, eager] = runs;
  expect(eager.told.length + eager.tensors.length).toBeGreaterThan(0);
  assertNumbersClose('numbers', compiled.told, eager.told, CLOSE);
  expect(compiled.tensors).toHaveLength(eager.tensors.length);
  eager.tensors.forEach((x, i) => {
    assertClose(
      `tensor ${i}`,
      compiled.tensors[i],
      { shape: x.shape, data: x.toTypedArray() },
      CLOSE,
    );
  });
}
