/**
 * Arithmetic on whole numbers, addresses above all, that kernels of several families write.
 */
import type { Expr } from './assembler/code.js';
import { i32, select } from './assembler/instructions.js';

type Int = Expr<'i32'>;

/** The size of so many elements of 4 bytes. */
export const bytes = (elements: Int): Int => i32.shl(elements, i32.const(2));
export const sum = (...terms: readonly Int[]): Int => terms.reduce((a, b) => i32.add(a, b));
export const product = (...factors: readonly Int[]): Int => factors.reduce((a, b) => i32.mul(a, b));
export const minimum = (a: Int, b: Int): Int => select(a, b, i32.lt_s(a, b));
export const maximum = (a: Int, b: Int): Int => select(a, b, i32.gt_s(a, b));
/** ⌈a / b⌉ for a ≥ 0 */
export const ceilDiv = (a: Int, b: Int): Int => i32.div_s(i32.sub(i32.add(a, b), i32.const(1)), b);
