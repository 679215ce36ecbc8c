// Type-checked, not run: what a user writes has the types that it should have.
import * as autograd from '@tapegrad/autograd';
import * as datasets from '@tapegrad/datasets';
import * as layers from '@tapegrad/layers';
import { scatter, type Picture } from '@tapegrad/plots';
import * as tensor from '@tapegrad/tensor';
import {
  Dense,
  Sequential,
  Variable,
  grad,
  mnist,
  ops,
  variable,
  type DType,
  type Mnist,
  type Tensor,
} from 'tapegrad';

export const packages = [tensor, autograd, layers, datasets];

const x: Variable = variable([
  [1, 2],
  [3, 4],
]);
export const total: number = ops.sum(x.mul(x), { axis: 0, keepDims: true }).item();
export const slope: Variable = grad((y) => y.pow(3).sum())([1, 2]);
export const product: Tensor = tensor.ops.matmul(tensor.ones([2, 3]), tensor.zeros([3, 2]));
export const dtype: DType = product.dtype;
export const digits: Promise<Mnist> = mnist.load({ scale: 'raw' });

export const picture: Picture = scatter(product.reshape([-1]), [0, 1, 2, 3], { xLabel: 'x' });

const model = new Sequential([new Dense(10, { activation: 'softmax', inputShape: [784] })]);
model.compile({ loss: 'categoricalCrossentropy', optimizer: 'rmsprop', metrics: ['accuracy'] });
export const { loss }: Record<string, number> = model.trainOnBatch(tensor.zeros([1, 784]), [
  [1, 0],
]);

// @ts-expect-error: an unknown attribute
ops.sum(x, { axes: 0 });
// @ts-expect-error: an unknown dtype
tensor.zeros([2], 'float16');
