/**
 * pack(to, description, start, length): elements start … start + length − 1, in row-major order, of an operand in any layout,
 * side by side.
 */
import type { DType } from '../../../dtype.js';
import { call, type FunctionRef, type Local, type ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { i32, i64 } from '../assembler/instructions.js';
import { FIELD_BYTES, type SharedFunctions } from '../kernel.js';
import { v128 } from '../assembler/simd.js';

/** The logarithm of the bytes of an element. */
export const ITEM_BITS: Readonly<Record<DType, 0 | 2 | 3>> = {
  bool: 0,
  int32: 2,
  float32: 2,
  float64: 3,
};

/** Sizes and strides of this many axes can be walked, after adjacent ones are merged. */
export const MAX_AXES = 5;

/** The description of an operand: these fields, then size and stride (in bytes) of each axis, the innermost first. */
export const OPERAND = {
  address: 0,
  /** Where it is packed to; 0 when it lies as the output does. */
  buffer: FIELD_BYTES,
  /** 1 when it is the same for all pieces. */
  once: 2 * FIELD_BYTES,
  /** The logarithm of the bytes of an element. */
  bits: 3 * FIELD_BYTES,
  axes: 4 * FIELD_BYTES,
} as const;

export const OPERAND_BYTES = OPERAND.axes + 2 * MAX_AXES * FIELD_BYTES;

export type PackFunction = FunctionRef<readonly ['i32', 'i32', 'i32', 'i32'], 'void'>;

/** row(to, from, step, n): n elements with a step in bytes; from and step may be anything. */
type RowFunction = FunctionRef<readonly ['i32', 'i32', 'i32', 'i32'], 'void'>;

/** Moves one element, by the logarithm of its bytes. */
export const MOVES = {
  0: (to: Expr<'i32'>, from: Expr<'i32'>) => i32.store8(to, i32.load8_u(from)),
  2: (to: Expr<'i32'>, from: Expr<'i32'>) => i32.store(to, i32.load(from)),
  3: (to: Expr<'i32'>, from: Expr<'i32'>) => i64.store(to, i64.load(from)),
} as const;

/** The same element in all lanes. */
const SPLATS = {
  0: null,
  2: (from: Expr<'i32'>) => v128.load32_splat(from),
  3: (from: Expr<'i32'>) => v128.load64_splat(from),
} as const;

/** Adds the loop over one row to the module. */
export function rowFunction(
  m: ModuleBuilder,
  shared: SharedFunctions,
  bits: 0 | 2 | 3,
): RowFunction {
  const bytes = 2 ** bits;
  const lanes = 16 / bytes;
  const name = `packRow${8 * bytes}`;
  const move = MOVES[bits];
  const splat = SPLATS[bits];
  const params = ['i32', 'i32', 'i32', 'i32'] as const;
  return shared.once(name, () =>
    m.function(name, params, 'void', (f, to, from, step, n) => {
      const fill = f.local('v128');
      f.if(i32.eq(step, i32.const(bytes)), () => {
        f.while(i32.ge_s(n, i32.const(2 * lanes)), () => {
          f.do(v128.store(to, v128.load(from)), v128.store(to, v128.load(from, 16), 16));
          f.increment(to, 32);
          f.increment(from, 32);
          f.increment(n, -2 * lanes);
        });
      });
      if (splat !== null) {
        f.if(i32.eqz(step), () => {
          f.set(fill, splat(from));
          f.while(i32.ge_s(n, i32.const(lanes)), () => {
            f.do(v128.store(to, fill));
            f.increment(to, 16);
            f.increment(n, -lanes);
          });
        });
      }
      f.while(i32.gt_s(n, i32.const(0)), () => {
        f.do(move(to, from));
        f.increment(to, bytes);
        f.increment(from, step);
        f.increment(n, -1);
      });
    }),
  );
}

/** Adds `pack` to the module. */
export function packFunction(m: ModuleBuilder, shared: SharedFunctions): PackFunction {
  const rows = ([0, 2, 3] as const).map((bits) => ({ bits, row: rowFunction(m, shared, bits) }));
  const params = ['i32', 'i32', 'i32', 'i32'] as const;
  return shared.once('pack', () =>
    m.function('pack', params, 'void', (f, to, description, start, length) => {
      const sizeOf = (axis: number): Expr<'i32'> =>
        i32.load(description, OPERAND.axes + 2 * axis * FIELD_BYTES);
      const stepOf = (axis: number): Expr<'i32'> =>
        i32.load(description, OPERAND.axes + (2 * axis + 1) * FIELD_BYTES);
      const bits = f.local('i32', i32.load(description, OPERAND.bits));
      const inner = f.local('i32', sizeOf(0));
      const step = f.local('i32', stepOf(0));
      const from = f.local('i32', i32.load(description, OPERAND.address));
      const run = f.local('i32');
      // Where element `start` is: its index along each axis.
      const rest = f.local('i32', start);
      const indices: Local<'i32'>[] = [];
      for (let axis = 0; axis < MAX_AXES; axis++) {
        const index = f.local('i32');
        f.if(rest, () => {
          f.set(index, i32.rem_u(rest, sizeOf(axis)));
          f.set(rest, i32.div_u(rest, sizeOf(axis)));
          f.set(from, i32.add(from, i32.mul(index, stepOf(axis))));
        });
        indices.push(index);
      }
      f.loop((again) => {
        f.set(run, i32.sub(inner, indices[0]));
        f.if(i32.gt_s(run, length), () => f.set(run, length));
        f.block((end) => {
          for (const { bits: b, row } of rows) {
            f.if(i32.eq(bits, i32.const(b)), () => {
              f.do(call(row, to, from, step, run));
              f.br(end);
            });
          }
        });
        f.set(length, i32.sub(length, run));
        f.if(i32.eqz(length), () => f.return());
        f.increment(to, i32.shl(run, bits));
        // Back to the beginning of the axis, and on by one along the next: like an odometer.
        f.increment(from, i32.mul(i32.sub(i32.const(0), indices[0]), step));
        f.set(indices[0], i32.const(0));
        for (let axis = 1; axis < MAX_AXES; axis++) {
          f.increment(indices[axis], 1);
          f.increment(from, stepOf(axis));
          f.br_if(again, i32.lt_s(indices[axis], sizeOf(axis)));
          f.increment(from, i32.mul(i32.sub(i32.const(0), indices[axis]), stepOf(axis)));
          f.set(indices[axis], i32.const(0));
        }
      });
    }),
  );
}
