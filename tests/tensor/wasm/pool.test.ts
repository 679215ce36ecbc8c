/** Pooling on the WebAssembly kernels against the TypeScript kernels. */
import { tensor, type OpName, type Shape, type Tensor } from '@tapegrad/tensor';
import { EXACT, assertClose } from '../../support/close.js';
import { Numbers } from '../../support/numbers.js';
import { byReference, onHeap, testMachine } from '../../support/wasm.js';

const machine = testMachine();
const numbers = new Numbers(5);

/** Whole numbers from −3 to 3, so that windows have equal elements and sums are exact. */
const whole = (shape: Shape): Tensor => numbers.wholes(shape, -3, 3);

/** The op's outputs for 1, 2 and 3 parts are those of the reference. */
function check(name: OpName, x: Tensor, attrs: object, relative = 0): void {
  const expected = byReference(name, [x], attrs);
  for (const parts of [1, 2, 3]) {
    const actual = onHeap(machine, name, [x], attrs, { parts }) ?? [];
    expect(actual).toHaveLength(expected.length);
    actual.forEach((y, i) => {
      const wanted = { shape: expected[i].shape, data: expected[i].toTypedArray() };
      assertClose(`${name}[${i}]`, y, wanted, { relative, absolute: 0 }, expected[i].dtype);
    });
  }
}

// Shapes with channels last; with channels first the middle ones are the channels' planes.
const cases: readonly (readonly [Shape, object])[] = [
  [[2, 8, 8, 8], { poolSize: 2 }],
  [[1, 6, 7, 3], { poolSize: 2 }],
  [[2, 7, 9, 5], { poolSize: 2, padding: 'same' }],
  [[1, 4, 5, 6], { poolSize: 3, strides: 1, padding: 'same' }],
  [[3, 9, 8, 7], { poolSize: [3, 2], strides: [2, 3] }],
  [[2, 11, 4], { poolSize: 2 }],
  [[2, 3, 13], { poolSize: 3, strides: 2, padding: 'same' }],
  [[1, 7, 7, 9], { poolSize: 7 }],
  [[0, 4, 4, 2], { poolSize: 2 }],
  [[2, 40, 32, 40], { poolSize: 2 }],
];

describe.each(['channelsLast', 'channelsFirst'])('%s', (dataFormat) => {
  test.each(cases)('%j %j', (shape, attrs) => {
    const x = whole(shape);
    check('maxPool', x, { ...attrs, dataFormat });
    // Sums are exact; the division is rounded once here, and twice in the reference.
    check('averagePool', x, { ...attrs, dataFormat }, 1e-7);
    const [y] = byReference('averagePool', [x], { ...attrs, dataFormat });
    const size = dataFormat === 'channelsLast' ? shape.slice(1, -1) : shape.slice(2);
    // Shares of several windows are added in single precision: two shares may cancel.
    const expected = byReference('averagePoolTranspose', [y], { ...attrs, dataFormat, size })[0];
    const [actual] =
      onHeap(machine, 'averagePoolTranspose', [y], { ...attrs, dataFormat, size }) ?? [];
    const tolerance = { relative: 3e-7, absolute: 3e-7 };
    const wanted = { shape: expected.shape, data: expected.toTypedArray() };
    assertClose('averagePoolTranspose', actual, wanted, tolerance);
  });
});

test('parts of averagePoolTranspose have the same bits', () => {
  const y = whole([3, 40, 20, 20]);
  const attrs = { poolSize: 3, strides: 2, padding: 'same', dataFormat: 'channelsFirst' };
  const size = { size: [40, 40] };
  const [one, two, three] = [1, 2, 3].map(
    (parts) => onHeap(machine, 'averagePoolTranspose', [y], { ...attrs, ...size }, { parts })?.[0],
  );
  const wanted = { shape: [3, 40, 40, 40], data: one?.toTypedArray() ?? [] };
  assertClose('two', two, wanted, EXACT);
  assertClose('three', three, wanted, EXACT);
});

test.each(['channelsLast', 'channelsFirst'])('NaN and infinities, %s', (dataFormat) => {
  const x = whole([2, 8, 8, 12]);
  const data = x.toTypedArray();
  for (let i = 0; i < data.length; i += 5) data[i] = [NaN, Infinity, -Infinity][i % 3];
  const special = tensor(Float32Array.from(data), { shape: x.shape });
  check('maxPool', special, { poolSize: 2, dataFormat });
  check('maxPool', special, { poolSize: 3, strides: 2, padding: 'same', dataFormat });
});

test('other dtypes and strided data are left to the TypeScript kernels', () => {
  const x = whole([1, 4, 4, 2]);
  for (const other of [x.cast('float64'), x.cast('int32'), x.transpose([0, 2, 1, 3])]) {
    expect(onHeap(machine, 'maxPool', [other], { poolSize: 2 })).toBeNull();
  }
});
