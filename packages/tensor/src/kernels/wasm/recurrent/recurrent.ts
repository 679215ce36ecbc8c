/**
 * Recurrent layers over whole sequences, forwards and back through time, in float32. The products with the weights are in
 * product.ts, activations in activations.ts, the loops in steps.ts, each kind of cell in a file of its own.
 */
import type { Kernel } from '../kernel.js';
import type { LoweringTable } from '../lowering.js';
import { affineGradKernels, lowerAffineGrad } from './affine-grad.js';
import { gruGradKernels, lowerGruGrad } from './gru-grad.js';
import { gruKernels, lowerGru } from './gru.js';
import { lowerLstm, lowerLstmGrad, lstmKernels } from './lstm.js';
import { preparationKernels } from './preparation.js';
import { packWeights } from './product.js';
import { lowerRnn, lowerRnnGrad, rnnKernels } from './simple.js';

export const recurrentKernels: readonly Kernel[] = [
  packWeights,
  ...preparationKernels,
  ...rnnKernels,
  ...lstmKernels,
  ...gruKernels,
  ...gruGradKernels,
  ...affineGradKernels,
];

export const recurrentLowerings: LoweringTable = {
  simpleRNN: lowerRnn,
  simpleRNNGrad: lowerRnnGrad,
  lstm: lowerLstm,
  lstmGrad: lowerLstmGrad,
  gru: lowerGru,
  gruGrad: lowerGruGrad,
  affineGrad: lowerAffineGrad,
};
