/** What happens besides ops in a program may change weights and states: what was computed of them before is not what comes after. */
import {
  CompiledStep,
  type Tensor,
  ValueError,
  duringRun,
  run,
  specs,
  tensor,
} from '@tapegrad/tensor';
import { compile, variable } from '@tapegrad/autograd';
import { messageOf } from '../support/errors.js';
import { programOf, testEngine } from '../support/programs.js';

const engine = testEngine();
const f32 = (...shape: number[]) => ({ dtype: 'float32', shape }) as const;
const assign = (w: Tensor, value: Tensor): void => run(specs.assign, [w, value], {});
const names = ({ calls }: { calls: readonly { name: string }[] }): string[] =>
  calls.map(({ name }) => name);

describe('an effect that changes a weight', () => {
  test('lets what is computed of it be computed again', () => {
    const w = tensor([1, 2]);
    const program = programOf(engine, [f32(2)], (x) => {
      const before = w.square();
      duringRun([], () => assign(w, tensor([10, 20])));
      return [before, w.square(), x.neg(), x.neg()];
    });
    const [before, after] = program.run([tensor([0, 0])]);
    expect([before.toArray(), after.toArray()]).toEqual([[1, 4], [100, 400]]); // prettier-ignore
    // What is no weight stays what it was.
    expect(names(program)).toEqual(['square', 'square', 'neg']);
  });

  test('keeps a bias from being added before', () => {
    const [w, bias] = [tensor([[1, 0], [0, 1]]), tensor([1, 1])]; // prettier-ignore
    const program = programOf(engine, [f32(1, 2)], (x) => {
      const y = x.matmul(w);
      duringRun([], () => assign(bias, tensor([100, 200])));
      return [y.add(bias)];
    });
    expect(program.run([tensor([[1, 2]])])[0].toArray()).toEqual([[101, 202]]);
    expect(names(program)).toEqual(['matmul', 'add']);
  });

  test('leaves a computed bias where it is', () => {
    const w = tensor([[1, 0], [0, 1]]); // prettier-ignore
    const program = programOf(engine, [f32(1, 2), f32(2)], (x, b) => {
      const bias = b.neg();
      const y = x.matmul(w);
      duringRun([], () => undefined);
      return [y.add(bias)];
    });
    expect(names(program)).toEqual(['neg', 'matmul+bias']);
  });
});

describe('a step that ends with an error', () => {
  test('is known to have changed its weights', () => {
    let stops = false;
    const w = variable([1, 2]);
    const step = compile((x) => {
      w.assign([5, 5]);
      duringRun([], () => {
        if (stops) throw new RangeError('stop');
      });
      return x;
    });
    step([1]);
    w.assign([1, 2]);
    const y = w.square().sum();
    stops = true;
    expect(() => step([1])).toThrow('stop');
    expect(w.toArray()).toEqual([5, 5]);
    expect(() => y.backward()).toThrow('changed in place');
    const z = w.square().sum();
    const { profile } = step;
    expect(() => profile([1])).toThrow('stop');
    expect(() => z.backward()).toThrow('changed in place');
  });

  test('as one that runs itself does', () => {
    let inner: Tensor | null = tensor([100, 100]);
    const seen: unknown[] = [];
    const step: CompiledStep = new CompiledStep(([x]) => {
      const y = x.mul(2);
      duringRun([], () => {
        const given = inner;
        inner = null;
        if (given !== null) seen.push(step.run([given])[0].toArray());
      });
      return [y.add(x)];
    });
    // With another shape it is another program.
    expect(step.run([tensor([1])])[0].toArray()).toEqual([3]);
    expect(seen).toEqual([[300, 300]]);
    inner = tensor([100]);
    expect(messageOf(ValueError, () => step.run([tensor([1])]))).toBe(
      'program: is being run already. What happens in a step (duringRun) must not run the same step.',
    );
    expect(step.run([tensor([1])])[0].toArray()).toEqual([3]);
  });

  test('can be run again', () => {
    let stops = true;
    const step = new CompiledStep(([x]) => {
      const y = x.mul(2);
      duringRun([y], () => {
        if (stops) throw new RangeError('stop');
      });
      return [y.add(1)];
    });
    expect(() => step.run([tensor([1])])).toThrow('stop');
    stops = false;
    expect(step.run([tensor([1])])[0].toArray()).toEqual([3]);
  });
});
