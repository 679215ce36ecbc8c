/** The kernels of this family. */
import type { Kernel } from './kernel.js';
import type { LoweringTable } from './lowering.js';

export const indexingKernels: readonly Kernel[] = [];

export const indexingLowerings: LoweringTable = {};
