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
// Both have `ops`: users get the one whose results can be differentiated.
export { ops } from '@tapegrad/autograd';
