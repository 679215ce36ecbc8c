/** Large results that are computed later: when they are, when not, that it takes less memory, and that it changes nothing. */
import { Generator, ops, run, specs, tensor, type Tensor } from '@tapegrad/tensor';
import { fuse } from '../../packages/tensor/src/fuse.js';
import { postpone } from '../../packages/tensor/src/postpone.js';
import { Program } from '../../packages/tensor/src/program.js';
import { record, type Recording } from '../../packages/tensor/src/recording.js';
import { Numbers } from '../support/numbers.js';
import { testEngine } from '../support/programs.js';

const engine = testEngine();
const numbers = new Numbers(12);
const random = (...shape: number[]): Tensor =>
  tensor(Float32Array.from({ length: shape.reduce((n, s) => n * s, 1) }, () => numbers.next()), { shape }); // prettier-ignore
const assign = (w: Tensor, value: Tensor): void => run(specs.assign, [w, value], {});
const namesOf = ({ events }: Recording): string[] =>
  events.map(({ call }) => call?.spec.name ?? 'effect');

type Step = (inputs: readonly Tensor[]) => readonly Tensor[];

/** The calls of a step in the order in which they are run. */
function order(step: Step, ...inputs: Tensor[]): string[] {
  return namesOf(postpone(fuse(record(inputs, step))));
}

/** A column times a row: [n, n] from 2·n numbers. */
const outer = (x: Tensor, n = 600): Tensor => x.reshape([n, 1]).matmul(x.reshape([1, n]));

const x = random(600);

test('a large product of small tensors waits for whoever needs it', () => {
  const step: Step = ([a]) => {
    const large = outer(a.exp());
    const other = outer(a.sin()).sum(0).tanh();
    return [other, large.sum(1)];
  };
  const recording = fuse(record([x], step));
  expect(namesOf(recording)).toEqual(['exp', 'matmul', 'sin', 'matmul', 'sum', 'tanh', 'sum']);
  const later = postpone(recording);
  expect(namesOf(later)).toEqual(['exp', 'sin', 'matmul', 'sum', 'tanh', 'matmul', 'sum']);

  const programs = [recording, later].map((r) => new Program(engine, r));
  // One place for both products instead of two.
  expect(programs[0].arenaBytes - programs[1].arenaBytes).toBeGreaterThan(0.9 * 4 * 600 * 600);
  const [before, after] = programs.map((p) => p.run([x]).map((y) => y.toArray()));
  expect(after).toEqual(before);
});

test('several wait, each for its own', () => {
  const step: Step = ([a]) => {
    const [p, q] = [outer(a.exp()), outer(a.sin())];
    return [a.cos().tanh(), q.sum(0), p.sum(0)];
  };
  expect(order(step, x)).toEqual(['exp', 'sin', 'cos', 'tanh', 'matmul', 'sum', 'matmul', 'sum']);
});

test('random steps, with parameters that change in between, give the same bits in either order', () => {
  let moved = 0;
  for (let seed = 0; seed < 100; seed++) {
    const draw = new Numbers(seed);
    const start = [random(6, 6), random(6, 6)];
    const [w, v] = start.map((x) => x.copy());
    const step: Step = (inputs) => {
      const values = [...inputs, w, v];
      // What may be changed in place, weights and what the step has computed.
      const places = [w, v];
      const made = (x: Tensor): void => {
        values.push(x);
        places.push(x);
      };
      for (let i = 0; i < 15; i++) {
        const [a, b] = [draw.pick(values), draw.pick(values)];
        const kind = draw.integer(0, 6);
        if (kind === 0) assign(draw.pick(places), a.add(0.1));
        else if (kind === 1) made(a.tanh());
        else if (kind === 2) made(a.matmul(b).mul(0.1));
        else if (kind === 3) made(a.sub(b.transpose()));
        else if (kind === 4) values.push(a.sum(0).add(b));
        else
          values.push(
            a
              .slice({ begin: [1, 0], size: [1, 6] })
              .reshape([6, 1])
              .mul(a),
          );
      }
      return values.slice(-3);
    };
    const recording = fuse(record([random(6, 6)], step));
    const later = postpone(recording, 0);
    if (namesOf(later).join() !== namesOf(recording).join()) moved++;
    const x = random(6, 6);
    const [before, after] = [recording, later].map((r) => {
      [w, v].forEach((p, i) => assign(p, start[i]));
      const program = new Program(engine, r);
      const results = [...program.run([x]), ...program.run([x]), w, v];
      return results.map((y) => Array.from(y.toTypedArray()));
    });
    expect(after).toEqual(before);
  }
  expect(moved).toBeGreaterThan(50);
});

describe('does not wait', () => {
  const unchanged = (step: Step, ...inputs: Tensor[]): void => {
    expect(order(step, ...inputs)).toEqual(namesOf(fuse(record(inputs, step))));
  };

  test('what is small', () => {
    unchanged(([a]) => [outer(a.exp(), 100).sum(0), a.sin(), outer(a, 100).sum(0)], random(100));
  });

  test('what is no larger than its inputs', () => {
    unchanged(
      ([a]) => {
        const square = a.exp().matmul(a);
        return [a.cos().tanh().sum(0), square.sum(0)];
      },
      random(600, 600),
    );
  });

  test('a result of the step', () => {
    unchanged(([a]) => [outer(a.exp()), a.sin().tanh()], x);
  });

  test('what reads a parameter that is changed in between', () => {
    const w = random(600);
    unchanged(([a]) => {
      const large = outer(w);
      assign(w, a.exp());
      return [large.sum(0)];
    }, x);
    unchanged(([a]) => {
      const large = w.reshape([600, 1]).matmul(a.reshape([1, 600]));
      assign(w, a.exp());
      return [large.sum(0)];
    }, x);
  });

  test('random numbers: each generator draws in the order of the step', () => {
    const generator = new Generator(1);
    unchanged(([a]) => {
      const large = generator.uniform([600, 600]);
      return [a.exp().tanh(), large.sum(0)];
    }, x);
  });

  test('what may fail, which must be before anything has changed', () => {
    const w = random(600);
    unchanged(([a]) => {
      const large = ops.gather(outer(a).sum(0), tensor(new Int32Array(600 * 600), { shape: [600, 600] })); // prettier-ignore
      assign(w, a.exp());
      return [large.sum(0)];
    }, x);
  });
});
