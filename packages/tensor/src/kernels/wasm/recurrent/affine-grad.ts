/**
 * The gradients of an affine map's weights, xᵀ·dz and below it the sum of dz, in one pass over dz.
 *
 * For up to three features sums for some columns stay in registers while all rows of x and dz pass by. With more, the product
 * takes most of the time, and product and sum are left to their own kernels.
 */
import { call, type FunctionRef, type Local } from '../assembler/assembler.js';
import { i32 } from '../assembler/instructions.js';
import { f32x4, v128 } from '../assembler/simd.js';
import { PARALLEL, multiply } from '../gemm/gemm.js';
import { minimum } from '../integers.js';
import { command, kernel, partRange, type Lowering, type Operand } from '../kernel.js';
import { madd } from '../math.js';
import { reduceLowerings } from '../reduce/reduce.js';
import { allFloat32 } from './preparation.js';
import { add, int, sub, times, type Ints, type Place } from './product.js';

/** The most features that have sums in registers. */
const MOST_FEATURES = 3;

/** Vectors of columns that are done together: as many as leave the sums in registers. */
const vectorsFor = (features: number): number => (features === 1 ? 4 : 2);

/** Rows that are summed before their sums are added to the result: rounding errors grow with the length of a sum. */
const CHUNK = 256;

/** (x, dz, out, rows, rowBytes): so many vectors of columns; out and dz have rows of rowBytes. */
function columns(
  { m, shared }: Place,
  features: number,
  vectors: number,
): FunctionRef<Ints<5>, 'void'> {
  const name = `affineGrad${features}x${vectors}`;
  return shared.once(name, () =>
    m.function(
      name,
      ['i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, x, dz, out, rows, rowBytes) => {
        const left = f.local('i32');
        const to = f.local('i32');
        const newSums = (): Local<'v128'>[] =>
          Array.from({ length: vectors }, () => f.local('v128'));
        const sums = Array.from({ length: features + 1 }, newSums);
        const eachOfOut = (visit: (sum: Local<'v128'>, offset: number) => void): void => {
          f.set(to, out);
          sums.forEach((ofRow, i) => {
            if (i > 0) f.increment(to, rowBytes);
            ofRow.forEach((sum, v) => visit(sum, 16 * v));
          });
        };
        eachOfOut((_sum, offset) => f.do(v128.store(to, v128.zero(), offset)));
        f.while(rows, () => {
          f.set(left, minimum(rows, int(CHUNK)));
          f.set(rows, sub(rows, left));
          for (const sum of sums.flat()) f.set(sum, v128.zero());
          f.while(left, () => {
            const values = sums[0].map((_, v) => f.local('v128', v128.load(dz, 16 * v)));
            sums.forEach((ofRow, j) => {
              if (j === features) {
                ofRow.forEach((sum, v) => f.set(sum, f32x4.add(sum, values[v])));
                return;
              }
              const factor = f.local('v128', v128.load32_splat(x, 4 * j));
              ofRow.forEach((sum, v) => f.set(sum, madd(m, factor, values[v], sum)));
            });
            f.increment(x, 4 * features);
            f.increment(dz, rowBytes);
            f.increment(left, -1);
          });
          eachOfOut((sum, offset) =>
            f.do(v128.store(to, f32x4.add(v128.load(to, offset), sum), offset)),
          );
        });
      },
    ),
  );
}

/** x [rows, features] and dz [rows, 4·vectors], both contiguous, to out [features + 1, 4·vectors]; the columns are divided. */
const affineGradF32 = kernel(
  'affineGradF32',
  { rows: 'i32', features: 'i32', vectors: 'i32', x: 'i32', dz: 'i32', out: 'i32' },
  (f, { rows, features, vectors, x, dz, out }, context) => {
    const { from, to } = partRange(f, vectors, context);
    const rowBytes = f.local('i32', times(vectors, 16));
    const left = f.local('i32', sub(to, from));
    const at = f.local('i32', times(from, 16));
    for (let count = 1; count <= MOST_FEATURES; count++) {
      f.if(i32.eq(features, int(count)), () => {
        for (const together of [vectorsFor(count), 1]) {
          const some = columns(context, count, together);
          f.while(i32.ge_s(left, int(together)), () => {
            f.do(call(some, x, add(dz, at), add(out, at), rows, rowBytes));
            f.increment(at, 16 * together);
            f.increment(left, -together);
          });
        }
      });
    }
  },
);

export const affineGradKernels = [affineGradF32];

/** The last row of a matrix by itself. */
function lastRow({ dtype, address, shape: [rows, width] }: Operand): Operand {
  const start = address + 4 * (rows - 1) * width;
  const layout = { shape: [width], strides: [1], size: width, contiguous: true };
  return { dtype, address: start, ...layout };
}

export const lowerAffineGrad: Lowering = (
  { inputs: [x, dz], outputs: [out], epilogue },
  context,
) => {
  if (!allFloat32([x, dz])) return null;
  const [rows, features] = x.shape;
  const [, width] = dz.shape;
  if (rows * width === 0) return null;
  const few = features >= 1 && features <= MOST_FEATURES;
  if (few && width % 4 === 0 && x.contiguous && dz.contiguous) {
    const [vectors, work] = [width / 4, rows * width * (features + 1)];
    return [
      command(
        affineGradF32,
        { rows, features, vectors, x: x.address, dz: dz.address, out: out.address },
        { parallel: work >= PARALLEL, flops: rows * width * (2 * features + 1) },
      ),
    ];
  }
  const sum = reduceLowerings.sum?.(
    { inputs: [dz], outputs: [lastRow(out)], attrs: { axis: 0 }, epilogue },
    context,
  );
  const matrix = { address: dz.address, row: dz.strides[0], column: dz.strides[1] };
  const transposed = { address: x.address, row: x.strides[1], column: x.strides[0] };
  const sizes = { m: features, n: width, k: rows, batchAxes: [] };
  const operands = { a: transposed, b: matrix, c: out.address };
  const product =
    features === 0 ? [] : multiply({ ...sizes, ...operands }, 'float32', epilogue, context);
  return sum && product ? [...product, ...sum] : null;
};
