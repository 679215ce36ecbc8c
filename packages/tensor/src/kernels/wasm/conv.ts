/** The kernels of this family. */
import type { Kernel } from './kernel.js';
import type { LoweringTable } from './lowering.js';

export const convKernels: readonly Kernel[] = [];

export const convLowerings: LoweringTable = {};
