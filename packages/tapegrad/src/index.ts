/**
 * All of tapegrad in one import: tensors, automatic differentiation, layers and data sets.
 *
 * @example
 * ```ts
 * import { Dense, Sequential, mnist } from 'tapegrad';
 * ```
 *
 * @packageDocumentation
 */
export * from '@tapegrad/tensor';
export * from '@tapegrad/autograd';
export * from '@tapegrad/layers';
export * from '@tapegrad/datasets';

// Both packages have `ops`; here it is the one that differentiates. A name exported by itself wins over stars.
export { ops } from '@tapegrad/autograd';
