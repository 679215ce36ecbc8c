/** The kernels of this family. */
import type { Kernel } from './kernel.js';
import type { LoweringTable } from './lowering.js';

export const gemmKernels: readonly Kernel[] = [];

export const gemmLowerings: LoweringTable = {};
