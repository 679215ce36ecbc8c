/** The families of kernels, and which ops they compute. */
import { convKernels, convLowerings } from './conv/conv.js';
import { elementwiseKernels, elementwiseLowerings } from './elementwise/elementwise.js';
import { einsumLowerings } from './gemm/einsum.js';
import { gemmKernels, gemmLowerings } from './gemm/gemm.js';
import { indexingKernels, indexingLowerings } from './indexing.js';
import type { Kernel, Lowering } from './kernel.js';
import { movementKernels, movementLowerings } from './movement/movement.js';
import { optimizerKernels, optimizerLowerings } from './optimizer/optimizer.js';
import { poolKernels, poolLowerings } from './pool/pool.js';
import { recurrentKernels, recurrentLowerings } from './recurrent/recurrent.js';
import { reduceKernels, reduceLowerings } from './reduce/reduce.js';

/** All kernels. A machine has those that were asked for; this is for tests that look at every one. */
export const kernels: readonly Kernel[] = [
  ...gemmKernels,
  ...convKernels,
  ...poolKernels,
  ...elementwiseKernels,
  ...movementKernels,
  ...reduceKernels,
  ...indexingKernels,
  ...optimizerKernels,
  ...recurrentKernels,
];

/** Lowerings by the op's name. Each belongs to the attributes of its op: the families' tables are typed so. */
export const lowerings: ReadonlyMap<string, Lowering<never>> = new Map<string, Lowering<never>>(
  [
    gemmLowerings,
    einsumLowerings,
    convLowerings,
    poolLowerings,
    elementwiseLowerings,
    movementLowerings,
    reduceLowerings,
    indexingLowerings,
    optimizerLowerings,
    recurrentLowerings,
  ].flatMap((table) => Object.entries(table)),
);
