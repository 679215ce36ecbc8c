import { call } from '../../../packages/tensor/src/kernels/wasm/assembler/assembler.js';
import { f32, i32 } from '../../../packages/tensor/src/kernels/wasm/assembler/instructions.js';
import { kernels } from '../../../packages/tensor/src/kernels/wasm/families.js';
import { buildKernels, buildRuntime } from '../../../packages/tensor/src/kernels/wasm/module.js';
import { command, kernel } from '../../../packages/tensor/src/kernels/wasm/kernel.js';
import {
  commandBytes,
  detectFeatures,
  writeCommands,
} from '../../../packages/tensor/src/kernels/wasm/machine.js';
import { testMachine } from '../../support/wasm.js';

/** to[i] ← a·from[i], in parts. */
const scale = kernel(
  'scaleF32',
  { from: 'i32', to: 'i32', size: 'i32', a: 'f32' },
  (f, { from, to, size, a }, { m, shared, part, parts }) => {
    const times = shared.once('times', () =>
      m.function('times', ['f32', 'f32'], 'f32', (g, x, y) => g.return(f32.mul(x, y))),
    );
    const i = f.local('i32');
    f.for(i, part, size, parts, () => {
      const at = i32.mul(i, i32.const(4));
      f.do(f32.store(i32.add(to, at), call(times, a, f32.load(i32.add(from, at)))));
    });
  },
);

test('kernels run from a list of commands with their arguments', () => {
  const machine = testMachine(false, [scale]);
  const { heap } = machine;
  const { address } = heap.allocate(64);
  heap.view('float32', address, 4).set([1, 2, 3, 4]);
  const commands = [2, 10].map((a, i) =>
    command(scale, { from: address + 16 * i, to: address + 16 * (i + 1), size: 4, a }),
  );
  const list = heap.allocate(commandBytes(commands));
  const { from, to } = writeCommands(machine, commands, list.address);
  machine.exports.execute(from, to, 1);
  expect([...heap.view('float32', address, 12)]).toEqual([1, 2, 3, 4, 2, 4, 6, 8, 20, 40, 60, 80]);
});

describe.each([true, false])('with shared memory: %s', (shared) => {
  const memory = { initial: 1, maximum: 10, shared };

  test('what runs the commands is valid', () => {
    expect(WebAssembly.validate(buildRuntime(memory))).toBe(true);
  });

  test('every kernel is valid', () => {
    expect(new Set(kernels.map(({ name }) => name)).size).toBe(kernels.length);
    expect(WebAssembly.validate(buildKernels(kernels, memory, false, 7).bytes)).toBe(true);
  });

  test('every kernel is emitted with fused multiply-add, and valid where the engine has it', () => {
    const { bytes } = buildKernels(kernels, memory, true, 0);
    expect(WebAssembly.validate(bytes)).toBe(detectFeatures()?.relaxed);
  });
});
