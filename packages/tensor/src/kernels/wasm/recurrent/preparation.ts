/** What the lowerings of recurrent ops need before their main commands: tensors without gaps, packed weights, and room. */
import { call } from '../assembler/assembler.js';
import { f32, i32 } from '../assembler/instructions.js';
import { command, kernel, type Command, type LoweringContext, type Operand } from '../kernel.js';
import { PANEL, add, int, matrixOf, pack, packedBytes, times, type Matrix } from './product.js';

/** [n0, n1, n2] of any strides (bytes) to a place without gaps. */
const copyStrided = kernel(
  'recurrentCopyF32',
  { from: 'i32', n0: 'i32', n1: 'i32', n2: 'i32', s0: 'i32', s1: 'i32', s2: 'i32', to: 'i32' },
  (f, { from, n0, n1, n2, s0, s1, s2, to }, { m, shared }) => {
    const row = shared.once('recurrentCopyRow', () =>
      m.function('recurrentCopyRow', ['i32', 'i32', 'i32', 'i32'], 'void', (g, at, n, step, into) =>
        g.while(n, () => {
          g.do(f32.store(into, f32.load(at)));
          g.increment(at, step);
          g.increment(into, 4);
          g.increment(n, -1);
        }),
      ),
    );
    const i = f.local('i32');
    const j = f.local('i32');
    f.for(i, int(0), n0, 1, () => {
      f.for(j, int(0), n1, 1, () => {
        f.do(call(row, add(from, add(i32.mul(i, s0), i32.mul(j, s1))), n2, s2, to));
        f.increment(to, times(n2, 4));
      });
    });
  },
);

export const preparationKernels = [copyStrided];

export const allFloat32 = (inputs: readonly Operand[]): boolean =>
  inputs.every(({ dtype }) => dtype === 'float32');

/** Some columns of a row of a bias; nothing where there is none. */
export function biasOf(
  bias: Operand | null,
  {
    from = 0,
    columns,
    row = 0,
  }: { readonly from?: number; readonly columns: number; readonly row?: number },
): Matrix {
  if (bias === null || bias.size === 0)
    return { address: 0, rowStride: 0, columnStride: 0, rows: 1, columns, absent: true };
  const matrix = matrixOf(bias, { from, columns });
  return { ...matrix, address: matrix.address + row * matrix.rowStride, rows: 1 };
}

/** What a lowering needs before its main command: room, and tensors without gaps. */
export class Preparation {
  readonly commands: Command[] = [];

  constructor(private readonly context: LoweringContext) {}

  /** Room for so many numbers. */
  room(numbers: number): number {
    return this.context.scratch(4 * numbers);
  }

  /** The address of a tensor's elements in row-major order without gaps; 0 for a mask or bias that is not there. */
  contiguous({ address, shape, strides, size, contiguous }: Operand): number {
    if (shape.length === 1 && shape[0] === 0) return 0;
    if (contiguous) return address;
    const to = this.room(size);
    const lengths = [1, 1, 1, ...shape].slice(-3);
    const [s0, s1, s2] = [0, 0, 0, ...strides].slice(-3).map((stride) => 4 * stride);
    const [n0, n1, n2] = lengths;
    this.commands.push(command(copyStrided, { from: address, n0, n1, n2, s0, s1, s2, to }));
    return to;
  }

  /** The address of packed weights: matrices side by side, each from a new panel on, and each of some one above the other. */
  packed(...columns: readonly (readonly Matrix[])[]): number {
    const parts = columns.map((matrices) => {
      const rows = matrices.reduce((sum, matrix) => sum + matrix.rows, 0);
      return { matrices, rows, bytes: packedBytes({ ...matrices[0], rows }) };
    });
    const to = this.context.scratch(parts.reduce((sum, { bytes }) => sum + bytes, 0));
    let at = to;
    for (const { matrices, rows, bytes } of parts) {
      let above = 0;
      for (const matrix of matrices) {
        this.commands.push(pack(matrix, at + 4 * PANEL * above, rows));
        above += matrix.rows;
      }
      at += bytes;
    }
    return to;
  }

  /** The address of a bias, filled up to a multiple of 4 with zeros; of zeros alone where there is none. */
  bias(bias: Operand | null, width: number, row = 0): number {
    return this.packed([biasOf(bias, { columns: width, row })]);
  }
}
