/** Whole short trainings: every step's loss and the final weights are those of the golden file. */
import {
  Adadelta,
  Adagrad,
  Adam,
  AdamW,
  Adamax,
  Ftrl,
  Nadam,
  RMSprop,
  SGD,
  Sequential,
  losses,
  type Loss,
  type Optimizer,
} from '@tapegrad/layers';
import { type DType, type Tensor } from '@tapegrad/tensor';
import { assertNumbersClose } from './support/close.js';
import {
  fromGolden,
  goldenCases,
  type GoldenTensor,
  type GoldenTensors,
} from './support/golden.js';
import { builderOf } from './support/layer-builders.js';

interface TrainingCase {
  name: string;
  layers: { layer: string; config: Record<string, unknown>; weights: GoldenTensors }[];
  loss: { loss: string; config: Record<string, unknown> };
  optimizer: { optimizer: string; config: Record<string, unknown> };
  batchSize: number;
  steps: number;
  inputs: { x: GoldenTensor; y: GoldenTensor };
  outputs: { loss: GoldenTensor };
  finalWeights: GoldenTensors[];
}

/** A factory for each optimizer; the losses are in a table of the library's own. */
const optimizers = {
  sgd: (options) => new SGD(options),
  rmsprop: (options) => new RMSprop(options),
  adam: (options) => new Adam(options),
  adamw: (options) => new AdamW(options),
  adagrad: (options) => new Adagrad(options),
  adadelta: (options) => new Adadelta(options),
  adamax: (options) => new Adamax(options),
  nadam: (options) => new Nadam(options),
  ftrl: (options) => new Ftrl(options),
} satisfies Record<string, (options: object) => Optimizer>;

/** What a table's function of that name makes. @throws Error for a name that the table does not have */
function made(table: object, name: string, config: object): unknown {
  const make = Object.entries(table).find(([key]) => key === name)?.[1] as
    ((config: object) => unknown) | undefined;
  if (make === undefined)
    throw new Error(`the golden file names '${name}', which this test does not know`);
  return make(config);
}

/** Rows from … to − 1, wrapping around at the end. */
function batchOf(t: Tensor, step: number, batchSize: number): Tensor {
  const n = t.shape[0];
  const rows = Array.from({ length: batchSize }, (_, i) => (step * batchSize + i) % n);
  return t.gather(rows);
}

function train(golden: TrainingCase, dtype: DType): { perStep: number[]; model: Sequential } {
  const x = fromGolden(golden.inputs.x, dtype);
  const y = fromGolden(golden.inputs.y, dtype);
  const model = new Sequential(
    golden.layers.map(({ layer, config }) =>
      builderOf(golden.name, layer, config).make(config, dtype),
    ),
  );
  model.ensureBuilt([null, ...x.shape.slice(1)]);
  model.layers.forEach((layer, i) => {
    const { weights } = golden.layers[i];
    layer.setWeights(layer.weights.map((w) => fromGolden(weights[w.name], dtype)));
  });
  model.compile({
    loss: made(losses, golden.loss.loss, golden.loss.config) as Loss,
    optimizer: made(optimizers, golden.optimizer.optimizer, golden.optimizer.config) as Optimizer,
  });
  const perStep = Array.from({ length: golden.steps }, (_, step) => {
    const batch = [x, y].map((t) => batchOf(t, step, golden.batchSize)) as [Tensor, Tensor];
    return model.trainOnBatch(...batch).loss;
  });
  return { perStep, model };
}

// float32: losses relative, final weights absolute, as the golden files' README has it.
const tolerances = {
  float64: {
    loss: { relative: 1e-9, absolute: 1e-12 },
    weight: { relative: 1e-9, absolute: 1e-11 },
  },
  float32: { loss: { relative: 1e-5, absolute: 0 }, weight: { relative: 0, absolute: 1e-5 } },
} as const;

const cases = goldenCases<TrainingCase>('training');

describe.each(['float64', 'float32'] as const)('trainings in %s', (dtype) => {
  test.each(cases.map((golden) => [golden.name, golden] as const))('%s', (_, golden) => {
    const { perStep, model } = train(golden, dtype);
    const { loss, weight } = tolerances[dtype];
    assertNumbersClose(`${golden.name}: losses`, perStep, golden.outputs.loss.data, loss);
    model.layers.forEach((layer, i) => {
      for (const w of layer.weights) {
        const name = `${golden.name}: ${layer.name}.${w.name}`;
        assertNumbersClose(
          name,
          w.value.toTypedArray(),
          golden.finalWeights[i][w.name].data,
          weight,
        );
      }
    });
  });
});
