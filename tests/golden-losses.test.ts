/** Every case of losses.json: the loss of each sample, their mean, and the gradient of the predictions. */
import { type DType } from '@tapegrad/tensor';
import { Variable } from '@tapegrad/autograd';
import { losses, type Loss } from '@tapegrad/layers';
import {
  assertGolden,
  fromGolden,
  goldenCases,
  type GoldenTensor,
  type GoldenTensors,
} from './support/golden.js';
import { callByName } from './support/names.js';

interface LossCase {
  readonly name: string;
  readonly loss: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly inputs: { readonly yTrue: GoldenTensor; readonly yPred: GoldenTensor };
  readonly outputs: GoldenTensors;
  readonly gradients: { readonly yPred: GoldenTensor };
}

function lossOf({ name, loss, config: { reduction, ...config } }: LossCase): Loss {
  if (reduction !== 'sumOverBatchSize')
    throw new Error(`${name}: there is no reduction '${String(reduction)}'`);
  return callByName(`${name}: loss`, losses, losses.lossNames, loss, config) as Loss;
}

function check(golden: LossCase, float: DType): void {
  const { name, inputs, outputs, gradients } = golden;
  const loss = lossOf(golden);
  const yTrue = new Variable(fromGolden(inputs.yTrue, float));
  const yPred = new Variable(fromGolden(inputs.yPred, float), true);
  const perSample = loss.perSample(yTrue, yPred);
  const mean = losses.meanLoss(loss, yTrue, yPred);
  mean.backward();
  const found = { perSample: perSample.value, loss: mean.value };
  expect(Object.keys(outputs).sort()).toEqual(Object.keys(found).sort());
  assertGolden(`${name}, perSample in ${float}`, found.perSample, outputs.perSample, float);
  assertGolden(`${name}, loss in ${float}`, found.loss, outputs.loss, float);
  expect(Object.keys(gradients)).toEqual(['yPred']);
  assertGolden(
    `${name}, gradient of yPred in ${float}`,
    yPred.grad?.value,
    gradients.yPred,
    float,
    'gradient',
  );
}

const cases = goldenCases<LossCase>('loss');

describe.each(['float64', 'float32'] as const)('losses.json in %s', (float) => {
  test.each(cases.map((golden) => [golden.name, golden] as const))('%s', (_, golden) => {
    check(golden, float);
  });
});

describe('the comparison itself', () => {
  const one: GoldenTensor = { shape: [1, 2], data: [1, 3] };
  const golden: LossCase = {
    name: 'mse',
    loss: 'meanSquaredError',
    config: { reduction: 'sumOverBatchSize' },
    inputs: { yTrue: { shape: [1, 2], data: [0, 0] }, yPred: one },
    outputs: { loss: { shape: [], data: [5] }, perSample: { shape: [1], data: [5] } },
    gradients: { yPred: one },
  };

  test('passes what is right', () => check(golden, 'float64'));

  test('refuses an unknown loss, an unknown setting, a wrong value and a wrong gradient', () => {
    const refuse = (change: Partial<LossCase>, message: RegExp): void => {
      expect(() => check({ ...golden, ...change }, 'float64')).toThrow(message);
    };
    refuse({ loss: 'getLoss' }, /mse: loss: unknown 'getLoss'/);
    refuse({ config: { reduction: 'sum' } }, /no reduction 'sum'/);
    refuse(
      { loss: 'huber', config: { ...golden.config, beta: 1 } },
      /Unknown option of huber 'beta'/,
    );
    const outputs = { ...golden.outputs, loss: { shape: [], data: [5.00001] } };
    refuse({ outputs }, /mse, loss in float64: 1 of 1 elements differ/);
    const gradients = { yPred: { shape: [1, 2], data: [1, 3.1] } };
    refuse({ gradients }, /gradient of yPred in float64: 1 of 2 elements differ/);
  });
});
