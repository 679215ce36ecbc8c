/** The one run: what it tells a listener, and changes in place. */
import { ShapeError, arange, ops, recordCalls, run, specs, tensor, zeros } from '@tapegrad/tensor';

describe('recordCalls', () => {
  const names = (body: () => void): string[] => recordCalls(body).map(({ spec }) => spec.name);

  test('lists every op in order, with its inputs, attributes and outputs', () => {
    const x = tensor([1, 2]);
    const calls = recordCalls(() => {
      const y = x.add(1).split(2);
      y[0].transpose();
    });
    expect(calls.map(({ spec }) => spec.name)).toEqual(['add', 'split', 'transpose']);
    expect(calls[0].inputs[0]).toBe(x);
    expect(calls[0].outputs).toHaveLength(1);
    expect(calls[1].inputs[0]).toBe(calls[0].outputs[0]);
    expect(calls[1].attrs).toEqual({ numOrSizeSplits: 2 });
    expect(calls[1].outputs).toHaveLength(2);
    expect(calls[2].inputs[0]).toBe(calls[1].outputs[0]);
  });

  test('shows conversions and copies, which are ops too', () => {
    expect(names(() => tensor([1], 'int32').div(tensor([2], 'float64')))).toEqual(['cast', 'div']);
    expect(names(() => tensor([true]).sum())).toEqual(['cast', 'sum']);
    expect(names(() => arange(4).reshape([2, 2]).transpose().reshape([4]))).toEqual([
      'reshape',
      'transpose',
      'copy',
      'reshape',
    ]);
  });

  test('nests, and the outer one hears everything', () => {
    let inner: string[] = [];
    const outer = names(() => {
      ops.neg(1);
      inner = names(() => ops.abs(1));
      ops.exp(1);
    });
    expect([outer, inner]).toEqual([['neg', 'abs', 'exp'], ['abs']]);
  });

  test('stops also when the body throws, and does not list what failed', () => {
    const calls: string[] = [];
    expect(() =>
      recordCalls(() => {
        calls.push(...names(() => ops.neg(1)));
        zeros([2]).add(zeros([3]));
      }),
    ).toThrow(ShapeError);
    ops.neg(1);
    expect(names(() => undefined)).toEqual([]);
    expect(calls).toEqual(['neg']);
  });

  test('an update has no outputs', () => {
    const [call] = recordCalls(() => run(specs.assign, [zeros([2]), tensor([1, 2])], {}));
    expect([call.spec.name, call.outputs]).toEqual(['assign', []]);
  });
});

describe('updates in place', () => {
  test('write the memory, and count up its version', () => {
    const w = zeros([2, 2]);
    const view = w.transpose();
    expect(w.storage.version).toBe(0);
    run(specs.assign, [w, tensor([[1, 2], [3, 4]])], {}); // prettier-ignore
    expect(view.toArray()).toEqual([
      [1, 3],
      [2, 4],
    ]);
    expect([w.storage.version, view.storage.version]).toEqual([1, 1]);
  });

  test('assign a view of the same memory', () => {
    const w = arange(4);
    run(specs.assign, [w, w.flip()], {});
    expect(w.toArray()).toEqual([3, 2, 1, 0]);
    const x = arange(5);
    const [from, to] = [[0], [1]].map((begin) => x.slice({ begin, size: [4] }));
    run(specs.assign, [to, from], {});
    expect(x.toArray()).toEqual([0, 0, 1, 2, 3]);
  });

  test('assign converts the dtype', () => {
    const w = zeros([2], 'int32');
    run(specs.assign, [w, tensor([1.7, -1.7])], {});
    expect([w.dtype, w.toArray()]).toEqual(['int32', [1, -1]]);
  });

  test('write through an offset only what they should', () => {
    const all = zeros([6]);
    const middle = all.slice({ begin: [2], size: [2] });
    run(specs.weightDecayUpdate, [middle, zeros([2]), tensor([1, 1, 1], 'float64')], { rate: 0.5 });
    run(specs.assign, [middle, tensor([8, 9])], {});
    expect(all.toArray()).toEqual([0, 0, 8, 9, 0, 0]);
  });
});
