/**
 * The small copies around a convolution: images into zero-padded planes, filters into panels, results to where they belong.
 */
import {
  call,
  type FunctionBuilder,
  type FunctionRef,
  type Local,
  type ModuleBuilder,
} from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f32, i32 } from '../assembler/instructions.js';
import { activations, type ActivationCode } from '../gemm/epilogue.js';
import { bytes } from '../integers.js';
import type { SharedFunctions } from '../kernel.js';
import { f32x4, shuffle32, v128 } from '../assembler/simd.js';

/** (from, fromStep, to, toStep, count): elements any steps of bytes apart. */
export type CopyFunction = FunctionRef<readonly ['i32', 'i32', 'i32', 'i32', 'i32'], 'void'>;

/** Copies a row of elements from one step to another. */
export function copyRow(m: ModuleBuilder, shared: SharedFunctions): CopyFunction {
  return shared.once('convCopyRowF32', () =>
    m.function(
      'convCopyRowF32',
      ['i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, from, fromStep, to, toStep, count) => {
        const four = i32.const(4);
        const plain = i32.and(i32.eq(fromStep, four), i32.eq(toStep, four));
        f.if(plain, () => {
          f.while(i32.ge_s(count, four), () => {
            f.do(v128.store(to, v128.load(from)));
            f.increment(from, 16);
            f.increment(to, 16);
            f.increment(count, -4);
          });
        });
        f.while(i32.gt_s(count, i32.const(0)), () => {
          f.do(f32.store(to, f32.load(from)));
          f.increment(from, fromStep);
          f.increment(to, toStep);
          f.increment(count, -1);
        });
      },
    ),
  );
}

/** Rows become columns: of four vectors the first, second … lanes. */
export function transpose4(
  f: FunctionBuilder,
  rows: readonly Local<'v128'>[],
): readonly Expr<'v128'>[] {
  const [a, b, c, d] = rows;
  const low = [0, 4, 1, 5];
  const high = [2, 6, 3, 7];
  const [p, q] = [f.local('v128'), f.local('v128')];
  const [r, s] = [f.local('v128'), f.local('v128')];
  f.set(p, shuffle32(a, b, low)); // a0 b0 a1 b1
  f.set(q, shuffle32(c, d, low)); // c0 d0 c1 d1
  f.set(r, shuffle32(a, b, high)); // a2 b2 a3 b3
  f.set(s, shuffle32(c, d, high)); // c2 d2 c3 d3
  const [front, back] = [
    [0, 1, 4, 5],
    [2, 3, 6, 7],
  ];
  return [
    shuffle32(p, q, front),
    shuffle32(p, q, back),
    shuffle32(r, s, front),
    shuffle32(r, s, back),
  ];
}

/** (from, fromStep, to, toStep, rows, columns): to[j·toStep + 4·i] ← from[i·fromStep + 4·j]; steps in bytes. */
export type TransposeFunction = FunctionRef<
  readonly ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
  'void'
>;

/** Transposes a matrix, 4×4 elements at a time. */
export function transpose(m: ModuleBuilder, shared: SharedFunctions): TransposeFunction {
  const row = copyRow(m, shared);
  return shared.once('convTransposeMatrixF32', () =>
    m.function(
      'convTransposeMatrixF32',
      ['i32', 'i32', 'i32', 'i32', 'i32', 'i32'],
      'void',
      (f, from, fromStep, to, toStep, rows, columns) => {
        const [source, target, left] = [f.local('i32'), f.local('i32'), f.local('i32')];
        const four = i32.const(4);
        const x = [0, 1, 2, 3].map(() => f.local('v128'));
        f.while(i32.ge_s(rows, four), () => {
          f.set(source, from);
          f.set(target, to);
          f.set(left, columns);
          const lines = (start: Local<'i32'>, step: Local<'i32'>): readonly Expr<'i32'>[] => [
            start,
            i32.add(start, step),
            i32.add(start, i32.shl(step, i32.const(1))),
            i32.add(start, i32.mul(step, i32.const(3))),
          ];
          f.while(i32.gt_s(left, i32.const(0)), () => {
            // The last four columns overlap those before, if there are so many.
            f.if(i32.and(i32.lt_s(left, four), i32.ge_s(columns, four)), () => {
              f.set(left, i32.sub(left, four));
              f.increment(source, bytes(left));
              f.increment(target, i32.mul(left, toStep));
              f.set(left, four);
            });
            f.if(
              i32.ge_s(left, four),
              () => {
                lines(source, fromStep).forEach((line, i) => f.set(x[i], v128.load(line)));
                const y = transpose4(f, x);
                lines(target, toStep).forEach((line, i) => f.do(v128.store(line, y[i])));
                f.increment(source, 16);
                f.increment(target, i32.shl(toStep, i32.const(2)));
                f.increment(left, -4);
              },
              () => {
                f.do(call(row, source, fromStep, target, four, four));
                f.increment(source, 4);
                f.increment(target, toStep);
                f.increment(left, -1);
              },
            );
          });
          f.increment(from, i32.shl(fromStep, i32.const(2)));
          f.increment(to, 16);
          f.increment(rows, -4);
        });
        f.while(rows, () => {
          f.do(call(row, from, four, to, toStep, columns));
          f.increment(from, fromStep);
          f.increment(to, 4);
          f.increment(rows, -1);
        });
      },
    ),
  );
}

/** (from, to, count, bias, activation): to ← activation(from + bias), for contiguous rows; they may be the same. */
export type FinishFunction = FunctionRef<readonly ['i32', 'i32', 'i32', 'f32', 'i32'], 'void'>;

/** What a row of results goes through on its way out; activations by their numbers in ../gemm/epilogue.ts. */
export function finishRow(m: ModuleBuilder, shared: SharedFunctions): FinishFunction {
  return shared.once('convFinishRowF32', () => {
    return m.function(
      'convFinishRowF32',
      ['i32', 'i32', 'i32', 'f32', 'i32'],
      'void',
      (f, from, to, count, bias, activation) => {
        const [added, x] = [f.local('v128', f32x4.splat(bias)), f.local('v128')];
        const rows = ({ inPlace, called }: ActivationCode): void => {
          f.while(i32.ge_s(count, i32.const(4)), () => {
            f.do(v128.store(to, inPlace(f, f32x4.add(v128.load(from), added))));
            f.increment(from, 16);
            f.increment(to, 16);
            f.increment(count, -4);
          });
          f.while(i32.gt_s(count, i32.const(0)), () => {
            f.set(x, called(f32x4.add(v128.load32_zero(from), added)));
            f.do(v128.store32_lane(to, x, 0));
            f.increment(from, 4);
            f.increment(to, 4);
            f.increment(count, -1);
          });
        };
        activations(m, shared).forEach((code, number) => {
          f.if(i32.eq(activation, i32.const(number)), () => rows(code));
        });
      },
    );
  });
}
