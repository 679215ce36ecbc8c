/** Programs: a recorded step run again and again gives what the step gives. */
import {
  CompiledStep,
  DTypeError,
  Generator,
  RecordingError,
  ShapeError,
  type Tensor,
  defaultGenerator,
  duringRun,
  ops,
  run,
  scalar,
  setSeed,
  setThreads,
  specs,
  tensor,
  zeros,
} from '@tapegrad/tensor';
import { assertClose, EXACT } from '../support/close.js';
import { messageOf } from '../support/errors.js';
import { collect, collectUntil } from '../support/gc.js';
import { contiguous, layouts, withStrideZero } from '../support/layouts.js';
import { build } from '../support/naive.js';
import { OutOfMemoryError } from '../../packages/tensor/src/kernels/wasm/heap.js';
import { type Program } from '../../packages/tensor/src/program.js';
import { programOf, testEngine } from '../support/programs.js';

const engine = testEngine();
const { heap } = engine.machine;
const f32 = (...shape: number[]) => ({ dtype: 'float32', shape }) as const;
const ramp = (...shape: number[]): Tensor =>
  ops.reshape(tensor(Float32Array.from({ length: shape.reduce((n, s) => n * s, 1) }, (_, i) => i)), shape); // prettier-ignore
const assign = (w: Tensor, value: Tensor): void => run(specs.assign, [w, value], {});

describe('running', () => {
  test('gives what the step gives, each time', () => {
    const step = (x: Tensor, y: Tensor): Tensor[] => [x.mul(y).sum(1), x.sub(y).square()];
    const program = programOf(engine, [f32(2, 3), f32(3)], step);
    for (let i = 0; i < 3; i++) {
      const inputs = [ramp(2, 3).add(i), ramp(3).mul(i)] as const;
      expect(program.run(inputs).map((x) => x.toArray())).toEqual(
        step(...inputs).map((x) => x.toArray()),
      );
    }
  });

  test('leaves the results of the run before as they are', () => {
    const program = programOf(engine, [f32(4)], (x) => [x.add(1), x]);
    const [a, same] = program.run([ramp(4)]);
    program.run([ramp(4).mul(100)]);
    expect(a.toArray()).toEqual([1, 2, 3, 4]);
    expect(same.toArray()).toEqual([0, 1, 2, 3]);
  });

  test('takes inputs of any layout', () => {
    const program = programOf(engine, [f32(3, 4)], (x) => [x.mul(2)]);
    const x = build([3, 4], ([i, j]) => 10 * i + j);
    const expected = contiguous(x, 'float32').mul(2);
    for (const layout of Object.values(layouts)) {
      expect(program.run([layout(x, 'float32')])[0].toArray()).toEqual(expected.toArray());
    }
    const flat = build([3, 4], ([i]) => i);
    const repeated = program.run([withStrideZero(flat, 'float32', 1)]);
    expect(repeated[0].toArray()).toEqual(contiguous(flat, 'float32').mul(2).toArray());
  });

  test('gives views, inputs, constants and one value twice', () => {
    const w = tensor([7, 8]);
    const program = programOf(engine, [f32(2, 3)], (x) => {
      const y = x.add(1);
      return [y.transpose(), y, y, x.flip([1]), w, y.slice({ begin: [1, 1], size: [1, 2] })];
    });
    const results = program.run([ramp(2, 3)]).map((x) => x.toArray());
    expect(results[0]).toEqual([[1, 4], [2, 5], [3, 6]]); // prettier-ignore
    expect(results[1]).toEqual([[1, 2, 3], [4, 5, 6]]); // prettier-ignore
    expect(results[2]).toEqual(results[1]);
    expect(results[3]).toEqual([[2, 1, 0], [5, 4, 3]]); // prettier-ignore
    expect(results[4]).toEqual([7, 8]);
    expect(results[5]).toEqual([[5, 6]]);
  });

  test('takes steps without inputs, without ops and without elements', () => {
    expect(programOf(engine, [], () => []).run([])).toEqual([]);
    expect(
      programOf(engine, [], () => [ops.add([1], 2)])
        .run([])[0]
        .toArray(),
    ).toEqual([3]);
    const empty = programOf(engine, [f32(0, 3)], (x) => [x.add(1), x.sum(0)]);
    const [a, b] = empty.run([zeros([0, 3])]);
    expect([a.shape, b.toArray()]).toEqual([[0, 3], [0, 0, 0]]); // prettier-ignore
  });

  test('runs ops without a kernel of their own, which count on zeros, on used memory', () => {
    const program = programOf(engine, [f32(3, 3)], (x) => {
      const dirt = x.add(1000).mul(x);
      const spread = ops.embed(dirt.sum(0), { shape: [9], start: [1], step: [3] });
      return [spread, x.cumprod(1), x.sort(1), x.argsort(1, { descending: true })];
    });
    const step = (x: Tensor): Tensor[] => [
      ops.embed(x.add(1000).mul(x).sum(0), { shape: [9], start: [1], step: [3] }),
      x.cumprod(1),
      x.sort(1),
      x.argsort(1, { descending: true }),
    ];
    for (const x of [ramp(3, 3), ramp(3, 3).neg()]) {
      expect(program.run([x]).map((y) => y.toArray())).toEqual(step(x).map((y) => y.toArray()));
    }
  });
});

describe('what is refused', () => {
  const program = programOf(engine, [f32(2, 3)], (x) => [x.neg()]);

  test('another number of inputs, another dtype, another shape', () => {
    expect(messageOf(ShapeError, () => program.run([]))).toBe(
      'program: was recorded with 1 inputs; got 0.',
    );
    expect(messageOf(DTypeError, () => program.run([zeros([2, 3], 'float64')]))).toBe(
      'program: input 0 was recorded as float32; got float64. Cast it, or record another program.',
    );
    expect(messageOf(ShapeError, () => program.run([zeros([3, 2])]))).toBe(
      'program: input 0 was recorded with shape [2, 3]; got [3, 2]. Record another program for it.',
    );
  });

  test('a look at a value', () => {
    const text = /^A value was read inside a step that is being recorded.*Return it from the step/;
    const looks: ((x: Tensor) => unknown)[] = [
      (x) => x.add(1).sum().item(),
      (x) => x.add(1).toArray(),
      (x) => x.toTypedArray(),
      (x) => String(x.add(1)),
      (x) => x.data,
    ];
    for (const look of looks) {
      const recorded = (): unknown => programOf(engine, [f32(2)], (x) => [x, x].slice(0, look(x) === null ? 1 : 2)); // prettier-ignore
      expect(messageOf(RecordingError, recorded)).toMatch(text);
    }
    // The recorder has gone: ops compute again.
    expect(tensor([1]).add(1).item()).toBe(2);
  });

  test('a value of another recording', () => {
    let leaked: Tensor = scalar(0);
    programOf(engine, [f32(2)], (x) => [(leaked = x.add(1))]);
    const use = (): unknown => programOf(engine, [f32(2)], (x) => [x.add(leaked)]);
    expect(messageOf(RecordingError, use)).toBe(
      'add: an input belongs to a step that was recorded before; return it from that step and pass it to this one.',
    );
    const give = (): unknown => programOf(engine, [f32(2)], () => [leaked]);
    expect(messageOf(RecordingError, give)).toMatch(/belongs to the recording/);
    expect(messageOf(RecordingError, () => leaked.toArray())).toMatch(/belongs to the recording/);
  });
});

describe('memory', () => {
  test('is used again: element-wise ops write where their input lay', () => {
    const chain = (length: number): Program =>
      programOf(engine, [f32(256)], (x) => {
        let y = x;
        for (let i = 0; i < length; i++) y = y.add(1).neg().mul(3);
        return [y];
      });
    const program = chain(20);
    expect(program.arenaBytes).toBe(chain(1).arenaBytes);
    let y = ramp(256);
    for (let i = 0; i < 20; i++) y = y.add(1).neg().mul(3);
    assertClose('chain', program.run([ramp(256)])[0], { shape: [256], data: y.toTypedArray() }, { relative: 1e-4, absolute: 1e-6 }); // prettier-ignore
  });

  test('of kernels for themselves is used by values before and after', () => {
    // Products lay their operands out anew: here in more memory than all that is computed after them.
    const product = programOf(engine, [f32(128, 128)], (x) => [x.matmul(x).sum()]);
    const more = programOf(engine, [f32(128, 128)], (x) => [x.matmul(x).neg().exp().add(x).sum()]);
    expect(product.arenaBytes).toBeGreaterThan(2 * 4 * 128 * 128 + 4096);
    expect(more.arenaBytes).toBeLessThan(product.arenaBytes + 4096);
    const x = ramp(128, 128).mul(1e-3);
    const expected = x.matmul(x).neg().exp().add(x).sum().item();
    assertClose('sum', more.run([x])[0], { shape: [], data: [expected] }, { relative: 1e-5, absolute: 0 }); // prettier-ignore
  });

  test('for zeros is found on the heap, where something else has been before', () => {
    const own = testEngine();
    const size = 5000;
    const used = own.machine.heap.allocate(4 * size + 20000);
    own.machine.heap.view('float32', used.address, size + 5000).fill(7);
    own.machine.heap.release(used);
    const [first, second] = [zeros([size]), zeros([50, 100])];
    const program = programOf(own, [f32(size)], (x) => {
      assign(first, first.add(x));
      assign(second, second.sub(x.reshape([50, 100])));
      return [first.sum()];
    });
    program.run([ramp(size)]);
    program.run([ramp(size)]);
    expect(first.toArray()).toEqual(ramp(size).mul(2).toArray());
    expect(second.toArray()).toEqual(zeros([50, 100]).sub(ramp(50, 100).mul(2)).toArray());
  });

  test('is not used again while an op still needs it in another layout', () => {
    const step = (x: Tensor): Tensor[] => {
      const a = x.cast('float64').add(1);
      const b = a.add(a.transpose());
      const c = b.flip([0]).mul(b);
      const d = c.sub(c.slice({ begin: [0, 0], size: [1, 4] }));
      // An op by its TypeScript kernel, which reads as it writes.
      const e = d.atan2(d.transpose());
      return [e.add(e.flip([0, 1]).transpose())];
    };
    const program = programOf(engine, [f32(4, 4)], step);
    expect(program.calls.filter(({ kernels }) => kernels.includes('js'))).toHaveLength(1);
    for (const x of [ramp(4, 4), ramp(4, 4).neg()]) {
      expect(program.run([x])[0].toArray()).toEqual(step(x)[0].toArray());
    }
  });

  test('of inputs is left alone: they may be used at any time', () => {
    const program = programOf(engine, [f32(8)], (x) => [x.add(1).mul(x), x.neg(), x]);
    expect(program.run([ramp(8)])[2].toArray()).toEqual(ramp(8).toArray());
  });

  test('of constants belongs to the program, as long as it lives', async () => {
    const own = testEngine();
    // Nobody but the program knows these numbers, and its commands know their addresses alone.
    const make = (): Program =>
      programOf(own, [f32(1, 10)], (x) => [x.matmul(ramp(10, 10)).add(ramp(1, 10))]);
    const program = make();
    expect(program.calls[0].kernels).not.toContain('js');
    const used = own.machine.heap.usedBytes;
    await collect();
    expect(own.machine.heap.usedBytes).toBe(used);
    expect(program.run([ramp(1, 10)])[0].toArray()).toEqual(
      ramp(1, 10).matmul(ramp(10, 10)).add(ramp(1, 10)).toArray(),
    );
  });

  test('is given back when the program has gone', async () => {
    await collect();
    const before = heap.usedBytes;
    (() => {
      const program = programOf(engine, [f32(1000)], (x) => [x.add(ramp(1000)).tanh()]);
      program.run([ramp(1000)]);
      expect(heap.usedBytes).toBeGreaterThan(before + 12000);
    })();
    await collectUntil(() => heap.usedBytes <= before);
  });

  test('may grow under programs and parameters when it is not shared', () => {
    const own = testEngine();
    const w = tensor([1, 2, 3]);
    const step = (x: Tensor): Tensor[] => {
      const y = x.mul(w);
      assign(w, w.add(1));
      return [y, x.cumprod(0)];
    };
    const program = programOf(own, [f32(3)], step);
    expect(program.run([tensor([1, 1, 1])])[0].toArray()).toEqual([1, 2, 3]);
    const { memory } = own.machine.heap;
    const size = memory.buffer.byteLength;
    own.machine.heap.allocate(2 * size);
    expect(memory.buffer.byteLength).toBeGreaterThan(size);
    expect(w.toArray()).toEqual([2, 3, 4]);
    const [y, products] = program.run([tensor([1, 2, 1])]);
    expect([y.toArray(), products.toArray()]).toEqual([[2, 6, 4], [1, 2, 2]]); // prettier-ignore
    expect(w.add(0).toArray()).toEqual([3, 4, 5]);
  });

  test('grows while a program is made', () => {
    const own = testEngine();
    const w = tensor([1, 2, 3]);
    const large = zeros([own.machine.heap.memory.buffer.byteLength / 4]);
    const program = programOf(own, [f32(3)], (x) => [x.mul(w), large.sum().add(x)]);
    expect(program.run([tensor([2, 2, 2])]).map((y) => y.toArray())).toEqual([[2, 4, 6], [2, 2, 2]]); // prettier-ignore
  });
});

describe('what a step changes', () => {
  test('are the parameters themselves, which ops go on to use', () => {
    const w = tensor([1, 2]);
    const program = programOf(engine, [f32(2)], (x) => {
      const y = w.mul(x);
      assign(w, w.add(x));
      return [y, w];
    });
    const before = w.storage.version;
    const [y, after] = program.run([tensor([10, 20])]);
    expect([y.toArray(), after.toArray(), w.toArray()]).toEqual([[10, 40], [11, 22], [11, 22]]); // prettier-ignore
    expect(w.storage.version).toBeGreaterThan(before);
    assign(w, tensor([0, 1]));
    expect(program.run([tensor([5, 6])])[1].toArray()).toEqual([5, 7]);
    // The result is not the parameter.
    expect(after.toArray()).toEqual([11, 22]);
  });

  test('is shared by programs with the same parameters', () => {
    const w = scalar(1);
    const add = programOf(engine, [f32()], (x) => (assign(w, w.add(x)), []));
    const double = programOf(engine, [], () => (assign(w, w.mul(2)), [w.copy()]));
    add.run([scalar(2)]);
    expect(double.run([])[0].item()).toBe(6);
    add.run([scalar(1)]);
    expect(double.run([])[0].item()).toBe(14);
    expect(w.item()).toBe(14);
  });

  test('is changed even if nobody needs what it was computed from', () => {
    const w = zeros([2]);
    const program = programOf(engine, [f32(2)], (x) => {
      x.exp();
      assign(w, x.mul(2));
      return [];
    });
    program.run([tensor([1, 2])]);
    expect(w.toArray()).toEqual([2, 4]);
    expect(program.calls.map(({ name }) => name)).toEqual(['mul', 'assign']);
  });

  test('random numbers are drawn anew each time, and drawn even if nobody needs them', () => {
    const draws = (generator: Generator): Tensor[] => {
      generator.normal([3]);
      return [generator.uniform([4]), generator.bernoulli([4], 0.5, { dtype: 'float32' })];
    };
    const inProgram = new Generator(5);
    const eager = new Generator(5);
    const program = programOf(engine, [], () => draws(inProgram));
    for (let i = 0; i < 3; i++) {
      expect(program.run([]).map((x) => x.toArray())).toEqual(draws(eager).map((x) => x.toArray()));
    }
  });

  test('effects happen at their place in every run, and see values', () => {
    const w = scalar(1);
    const seen: unknown[] = [];
    const program = programOf(engine, [f32(2)], (x) => {
      const y = x.add(w);
      duringRun([y, x], (...values) => seen.push(values.map((v) => v.toArray())));
      assign(w, w.mul(10));
      duringRun([w], (value) => seen.push(value.item()));
      duringRun([], () => seen.push('end'));
      return [];
    });
    expect(seen).toEqual([]);
    program.run([tensor([1, 2])]);
    program.run([tensor([3, 4])]);
    expect(seen).toEqual([[[2, 3], [1, 2]], 10, 'end', [[13, 14], [3, 4]], 100, 'end']); // prettier-ignore
  });

  test('an effect may refuse, before what comes after it', () => {
    const w = scalar(0);
    const program = programOf(engine, [f32()], (x) => {
      duringRun([x], (value) => {
        if (value.item() < 0) throw new RangeError('negative');
      });
      assign(w, w.add(x));
      return [];
    });
    program.run([scalar(2)]);
    expect(() => program.run([scalar(-1)])).toThrow('negative');
    program.run([scalar(3)]);
    expect(w.item()).toBe(5);
  });
});

describe('what is told of a program', () => {
  const program = programOf(engine, [f32(2, 3), f32(3, 4)], (x, y) => [
    x.matmul(y).relu().sum(1).cast('int32'),
  ]);

  test('its calls, with shapes, kernels, bytes and work', () => {
    const [product] = program.calls;
    expect(program.calls.map(({ name }) => name)).toEqual(['matmul+relu', 'sum', 'cast']);
    expect(product.inputs).toEqual([f32(2, 3), f32(3, 4)]);
    expect(product.outputs).toEqual([f32(2, 4)]);
    expect(product.flops).toBe(2 * 2 * 3 * 4);
    expect(product.bytes).toBe(4 * (6 + 12 + 8));
    const lines = String(program).split('\n');
    expect(lines[0]).toBe(`program: 3 calls, arena of ${program.arenaBytes} bytes`);
    expect(lines[1]).toMatch(
      /^ {3}0 {2}matmul\+relu\(float32\[2, 3\], float32\[3, 4\]\) → float32\[2, 4\] {2}\[gemm.*; 104 bytes, 48 FLOP\]$/,
    );
  });

  test('the time of each call; the profiled run is a run', () => {
    const w = scalar(0);
    const counts = programOf(engine, [f32()], (x) => (assign(w, w.add(x)), []));
    const rows = counts.profile([scalar(2)]);
    expect(rows.map(({ call }) => call)).toEqual(counts.calls);
    for (const { ms } of rows) expect(ms).toBeGreaterThanOrEqual(0);
    expect(w.item()).toBe(2);
  });
});

describe('compiled steps', () => {
  test('record once for each set of types, and again when told to forget', () => {
    let recorded = 0;
    const step = new CompiledStep(([x]) => {
      recorded++;
      return [x.mul(2)];
    });
    for (const x of [ramp(2), ramp(3), ramp(2), ramp(3), zeros([2], 'float64')]) {
      assertClose('doubled', step.run([x])[0], { shape: x.shape, data: x.mul(2).toTypedArray() }, EXACT, x.dtype); // prettier-ignore
    }
    expect(recorded).toBe(3);
    step.forget();
    step.run([ramp(2)]);
    expect(recorded).toBe(4);
  });

  test('bring what they will capture to where programs use it', () => {
    const [w, more] = [ramp(40, 50), zeros([40, 50])];
    const step = new CompiledStep(([x]) => [x.matmul(w.add(more))]);
    expect(w.data.buffer.byteLength).toBe(w.data.byteLength);
    step.prepare([w, more]);
    // The elements are a part of a larger memory now.
    const places = [w, more].map(({ data }) => data.byteOffset);
    for (const { data } of [w, more]) expect(data.buffer.byteLength).toBeGreaterThan(16000);
    expect(step.run([ramp(2, 40)])[0].toArray()).toEqual(ramp(2, 40).matmul(w).toArray());
    expect([w, more].map(({ data }) => data.byteOffset)).toEqual(places);
  });

  test('leave what does not fit where it is, until it is needed', () => {
    // Zeros that nobody looks at take no memory, however many they are.
    const many = zeros([600_000_000]);
    const step = new CompiledStep(([x]) => [x.add(many.sum())]);
    step.prepare([many]);
    expect(messageOf(OutOfMemoryError, () => step.run([ramp(2)]))).toMatch(/^heap: 2288\.8 MiB were asked for/); // prettier-ignore
  });

  test('are recorded again for another number of threads, and for another generator', () => {
    let recorded = 0;
    const step = new CompiledStep(() => {
      recorded++;
      return [defaultGenerator().uniform([2])];
    });
    setThreads(1);
    step.run([]);
    step.run([]);
    expect(recorded).toBe(1);
    setThreads(2);
    step.run([]);
    expect(recorded).toBe(2);
    setSeed(5);
    const [first] = step.run([]);
    expect(recorded).toBe(3);
    setSeed(5);
    expect(defaultGenerator().uniform([2]).toArray()).toEqual(first.toArray());
  });

  test('keep the programs that were used last', () => {
    const sizes: number[] = [];
    const step = new CompiledStep(([x]) => {
      sizes.push(x.size);
      return [x.neg()];
    });
    for (let size = 1; size <= 16; size++) step.run([ramp(size)]);
    step.run([ramp(1)]);
    step.run([ramp(17)]);
    step.run([ramp(1)]);
    step.run([ramp(2)]);
    expect(sizes.slice(16)).toEqual([17, 2]);
  });
});
