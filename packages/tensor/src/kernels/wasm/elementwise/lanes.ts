/**
 * The inner loops of element-wise kernels: blocks of elements as vectors, whatever the dtype. A formula gets the vectors of each
 * operand and gives those of the result; masks take the width of the dtype that they come from or go to.
 */
import type { DType } from '../../../dtype.js';
import type { FunctionBuilder, ModuleBuilder } from '../assembler/assembler.js';
import type { Expr } from '../assembler/code.js';
import { f32, f64, i32 } from '../assembler/instructions.js';
import type { SharedFunctions } from '../kernel.js';
import { f32x4, f64x2, i16x8, i32x4, i64x2, i8x16, shuffle32, v128 } from '../assembler/simd.js';
import { ITEM_BITS } from './pack.js';
import { P_OFFSET, Q_OFFSET, elementKernel, type ElementKernel } from './walk.js';

export type Vector = Expr<'v128'>;

/** The kernel's name ends so. */
export const SUFFIX: Readonly<Record<DType, string>> = {
  bool: 'U8',
  int32: 'I32',
  float32: 'F32',
  float64: 'F64',
};

/** What a formula may use besides its operands. */
export interface FormulaContext {
  readonly f: FunctionBuilder;
  readonly m: ModuleBuilder;
  readonly shared: SharedFunctions;
  /** The op's numeric attributes in all lanes. */
  readonly p: Vector;
  readonly q: Vector;
}

/** From the vectors of each operand for one block to those of the result. */
export type BlockFormula = (
  operands: readonly (readonly Vector[])[],
  context: FormulaContext,
) => readonly Vector[];

/**
 * The kernel for a formula on these dtypes.
 *
 * @param block a multiple of the lanes of each dtype's vector: the result of a formula for so many elements
 * @param attributes the dtype in which the formula wants p and q; null when it has none
 */
export function blockKernel(
  op: string,
  dtypes: readonly DType[],
  result: DType,
  block: number,
  formula: BlockFormula,
  attributes: DType | null,
): ElementKernel {
  const name = op + dtypes.map((dtype) => SUFFIX[dtype]).join('');
  const arity = dtypes.length;
  return elementKernel(name, arity, block, (m, shared) => {
    const params = Array.from({ length: arity + 3 }, () => 'i32' as const);
    return m.function(`${name}Block`, params, 'void', (f, n, out, ...rest) => {
      const args = rest[arity];
      const attribute = (offset: number): Vector => {
        if (attributes === null) return v128.zero();
        const value = f64.load(args, offset);
        const lanes =
          attributes === 'float32' ? f32x4.splat(f32.demote_f64(value)) : f64x2.splat(value);
        return f.local('v128', lanes);
      };
      const context = { f, m, shared, p: attribute(P_OFFSET), q: attribute(Q_OFFSET) };
      const bytes = (dtype: DType): number => block << ITEM_BITS[dtype];
      f.loop((again) => {
        const operands = dtypes.map((dtype, k) =>
          Array.from({ length: bytes(dtype) / 16 }, (_, i) =>
            f.local('v128', v128.load(rest[k], 16 * i)),
          ),
        );
        formula(operands, context).forEach((vector, i) => {
          f.do(v128.store(out, vector, 16 * i));
        });
        f.increment(out, bytes(result));
        dtypes.forEach((dtype, k) => f.increment(rest[k], bytes(dtype)));
        f.increment(n, -block);
        f.br_if(again, n);
      });
    });
  });
}

/** A mask of 16 bytes (0 or 1) from the masks (0 or −1) of vectors of 32- or 64-bit lanes. */
export function narrowMask(masks: readonly Vector[], bits: 2 | 3): Vector {
  const words =
    bits === 2 ? masks : [0, 2, 4, 6].map((i) => shuffle32(masks[i], masks[i + 1], [0, 2, 4, 6]));
  const low = i16x8.narrow_i32x4_s(words[0], words[1]);
  const high = i16x8.narrow_i32x4_s(words[2], words[3]);
  return v128.and(i8x16.narrow_i16x8_s(low, high), i8x16.splat(i32.const(1)));
}

/** 16 bytes, each widened to a lane of 32 bits. */
export function widenBytes(f: FunctionBuilder, bytes: Vector): readonly Vector[] {
  const low = f.local('v128', i16x8.extend_low_i8x16_u(bytes));
  const high = f.local('v128', i16x8.extend_high_i8x16_u(bytes));
  return [low, high].flatMap((half) => [
    i32x4.extend_low_i16x8_u(half),
    i32x4.extend_high_i16x8_u(half),
  ]);
}

/** The masks (0 or −1) in lanes of 32 or 64 bits for 16 truth values. */
export function widenMask(f: FunctionBuilder, bytes: Vector, bits: 2 | 3): readonly Vector[] {
  const words = widenBytes(f, bytes).map((lanes) => f.local('v128', i32x4.ne(lanes, v128.zero())));
  if (bits === 2) return words;
  return words.flatMap((mask) => [
    i64x2.extend_low_i32x4_s(mask),
    i64x2.extend_low_i32x4_s(shuffle32(mask, mask, [2, 3, 2, 3])),
  ]);
}
