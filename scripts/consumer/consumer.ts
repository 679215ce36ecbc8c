// Type-checked, not run.
import * as autograd from '@tapegrad/autograd';
import * as datasets from '@tapegrad/datasets';
import * as layers from '@tapegrad/layers';
import * as tensor from '@tapegrad/tensor';
import * as tapegrad from 'tapegrad';

export const all = [tapegrad, tensor, autograd, layers, datasets];
